//! What clap says of wrong words, as a failure with its remedy.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::names::{self, Spelling};
use crate::api::{Code, Failure};

/// The failure for words that do not parse. Help and version are no failures: see [`is_answer`].
pub fn failure(error: &clap::Error, spelling: Spelling) -> Failure {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    if error.kind() == ErrorKind::InvalidSubcommand {
        return unknown(
            &context(ContextKind::InvalidSubcommand).unwrap_or_default(),
            spelling,
        );
    }
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let message: Vec<&str> = first
        .strip_prefix("error: ")
        .unwrap_or(first)
        .lines()
        .map(str::trim)
        .collect();
    let mut hints: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            hints.push(format!("usage: {}", respell_usage(usage, spelling)));
        }
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new(
            Code::Usage,
            "this command needs more words",
            "add --help to see which",
        );
    }
    if hints.is_empty() {
        hints.push("the same command with --help explains it, with an example".to_owned());
    }
    Failure::new(
        Code::Usage,
        message.join(" ").trim_end_matches('.'),
        hints.join("; "),
    )
}

/// Whether clap was asked for help or the version, which is an answer.
pub fn is_answer(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// There is no such command; perhaps another was meant, or one of the other door.
pub fn unknown(typed: &str, spelling: Spelling) -> Failure {
    let name = names::kebab(typed);
    let (known, shown): (Vec<String>, _) = match spelling {
        Spelling::Slash => (names::of_prompt().to_vec(), format!("/{typed}")),
        Spelling::Shell => (
            super::shell()
                .get_subcommands()
                .map(|c| c.get_name().to_owned())
                .collect(),
            typed.to_owned(),
        ),
    };
    let spell = |name: &str| match spelling {
        Spelling::Slash => format!("/{}", names::camel(name)),
        Spelling::Shell => format!("calotype {name}"),
    };
    let hint = match (names::nearest(&name, &known), spelling) {
        (_, Spelling::Slash) if super::shell().find_subcommand(&name).is_some() => {
            format!("it is a command of the shell: calotype {name} --help explains it")
        }
        (Some(near), _) => format!("did you mean {}? /help lists the commands", spell(near)),
        (None, _) => "/help lists the commands".to_owned(),
    };
    Failure::new(
        Code::Usage,
        format!("unknown command {}", shown.escape_debug()),
        hint,
    )
}

/// What a command takes, as in `NAME STARS`.
pub fn arguments(command: &clap::Command) -> String {
    let words = command.get_positionals().map(|arg| {
        let name = arg
            .get_value_names()
            .and_then(|names| names.first())
            .map_or("", |name| name.as_str());
        let many = if arg.get_num_args().is_some_and(|n| n.max_values() > 1) {
            "…"
        } else {
            ""
        };
        if arg.is_required_set() {
            format!("{name}{many}")
        } else {
            format!("[{name}{many}]")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn respell_usage(usage: &str, spelling: Spelling) -> String {
    let usage = usage.trim_start();
    match (spelling, usage.split_once(' ')) {
        (Spelling::Slash, Some((name, rest))) => format!("/{} {rest}", names::camel(name)),
        (Spelling::Slash, None) => format!("/{}", names::camel(usage)),
        (Spelling::Shell, _) => usage.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(words: &[&str]) -> Failure {
        let words = std::iter::once("calotype").chain(words.iter().copied());
        failure(&crate::cmd::parse_shell(words).unwrap_err(), Spelling::Shell)
    }

    fn prompt(words: &[&str]) -> Failure {
        failure(&crate::cmd::parse_line(words).unwrap_err(), Spelling::Slash)
    }

    #[test]
    fn wrong_words_name_their_remedy() {
        let show = |f: Failure| {
            assert_eq!(f.code, Code::Usage);
            format!("{}\n  {}\n", f.message, f.hint)
        };
        let hash = "x".repeat(3);
        let all = [
            show(shell(&["ad-image"])),
            show(shell(&["xyzzy"])),
            show(shell(&["rate-image", "a.jpg"])),
            show(shell(&["rate-image", "a.jpg", "6"])),
            show(shell(&["rate-image", "a.jpg", "-1"])),
            show(shell(&["list", &hash])),
            show(shell(&["list", "--jsn"])),
            show(shell(&["--color", "pink", "list"])),
            show(shell(&["sync", "--timeout", "soon"])),
            show(shell(&["config"])),
            show(prompt(&["rateImage", "a.jpg", "6"])),
            show(prompt(&["addUser"])),
            show(prompt(&["adUser", "bob"])),
            show(prompt(&["up"])),
        ];
        insta::assert_snapshot!(all.join(""));
    }
}
