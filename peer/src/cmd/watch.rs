//! `watch`: news as it happens, or a command again and again.

use std::time::Duration;

use clap::Args;

use super::{Act, Context, Inside, names};
use crate::api::{Code, Failure};

/// Shortest time between two runs.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// Show news as it happens, or a command again and again, until stopped
///
/// With --json one object a line: at, kind, album and what belongs to the kind. With a time and a command that only looks
/// the command is repeated in place, until q or Ctrl-C; where no terminal is, its output is printed each time.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype watch --json
  /watch
  /watch 2s /status")]
pub struct Watch {
    /// Time between two runs of the command, as in 2s or 500ms
    #[arg(value_name = "TIME", requires = "command", value_parser = super::when::span)]
    pub every: Option<Duration>,
    /// Command to repeat, with its words
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

impl Watch {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let Some(every) = self.every else {
            return Ok(Act::Watch);
        };
        let line = self.command.join(" ");
        let mut words = self.command;
        if let Some(first) = words.first_mut() {
            *first = first.trim_start_matches('/').to_owned();
        }
        let parsed = super::parse_line(&words)
            .map_err(|wrong| super::usage::failure(&wrong, names::Spelling::Slash))?;
        let each = super::Each {
            album: parsed.each.album.or_else(|| at.album()),
            json: parsed.each.json || at.each.json,
            ..at.each.clone()
        };
        let looks = match parsed.command {
            Inside::Verb(verb) => match verb.act(&Context { each: &each, ..*at })? {
                Act::Ask(request) if super::only_looks(&request) => Some(request),
                _ => None,
            },
            _ => None,
        };
        let Some(request) = looks else {
            let what = words.first().map(|name| names::camel(&names::kebab(name)));
            let message = format!(
                "/{} is not repeated: only commands that look and change nothing are",
                crate::ui::clean(&what.unwrap_or_default())
            );
            return Err(Failure::new(
                Code::Usage,
                message,
                "for example /watch 2s /status",
            ));
        };
        Ok(Act::Repeat {
            every: every.max(EVERY_MIN),
            line,
            request,
            json: each.json,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Request;
    use crate::cmd::settings::Settings;
    use crate::cmd::{Each, NodeArgs, Process};

    fn act(line: &[&str]) -> Result<Act, Failure> {
        let (dir, each) = (std::path::Path::new("/"), Each::default());
        let settings = Settings::read(&Process::default(), &NodeArgs::default(), dir, &|name| {
            (name == "HOME").then(|| "/home/a".into())
        });
        let parsed = crate::cmd::parse_line(line)
            .map_err(|wrong| super::super::usage::failure(&wrong, names::Spelling::Slash))?;
        let Inside::Verb(verb) = parsed.command else {
            panic!("{line:?}")
        };
        verb.act(&Context {
            each: &each,
            cwd: dir,
            user_home: None,
            terminal: false,
            settings: &settings.unwrap(),
            lines: None,
        })
    }

    #[test]
    fn only_what_looks_is_repeated() {
        let check = |line: &[&str], expect: (u64, Request, bool)| match act(line).unwrap() {
            Act::Repeat {
                every, request, json, ..
            } => {
                assert_eq!((every.as_millis() as u64, request, json), expect, "{line:?}");
            }
            other => panic!("{other:?}"),
        };
        check(&["watch", "2s", "/status"], (2000, Request::Status, false));
        check(&["watch", "1ms", "peers", "--json"], (100, Request::Peers, true));
        let album = Some("trip".to_owned());
        check(
            &["watch", "1m", "/get-metadata", "--album", "trip"],
            (
                60_000,
                Request::GetMetadata {
                    album,
                    select: crate::api::Select::default(),
                },
                false,
            ),
        );
        assert_eq!(act(&["watch"]).unwrap(), Act::Watch);
        let refused = |line: &[&str]| act(line).unwrap_err();
        for line in [
            ["watch", "2s", "/removeImage", "a.jpg"],
            ["watch", "2s", "/watch", "2s"],
            ["watch", "2s", "/filter", "a.jpg"],
            ["watch", "soon", "/status", ""],
        ] {
            assert_eq!(refused(&line).code, Code::Usage, "{line:?}");
        }
        let why = refused(&["watch", "2s", "/removeImage", "a.jpg"]);
        assert!(why.message.starts_with("/removeImage is not repeated"), "{why:?}");
        assert_eq!(why.hint, "for example /watch 2s /status");
        assert_eq!(refused(&["watch", "2s"]).code, Code::Usage);
        assert_eq!(
            refused(&["watch", "2s", "/stats"]).hint,
            "did you mean /status? /help lists the commands"
        );
    }
}
