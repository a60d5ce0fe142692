//! What readline asks while one types: completions, grey hints, colours.

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::sync::Arc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Result};

use super::complete::{self, Want};
use super::facts::Facts;
use super::sign::{Left, Sign};
use crate::cmd::{self, names};
use crate::ui::Paint;

/// Readline's helper.
pub struct Helper {
    facts: Arc<Facts>,
    sign: Arc<Sign>,
    usages: Vec<Usage>,
    paint: Paint,
}

/// What a command takes.
struct Usage {
    camel: String,
    arguments: Vec<String>,
}

impl Helper {
    /// Knows all commands; asks the facts for the rest.
    pub fn new(facts: Arc<Facts>, sign: Arc<Sign>, paint: Paint) -> Self {
        Helper {
            facts,
            sign,
            usages: usages(),
            paint,
        }
    }
}

fn usages() -> Vec<Usage> {
    let usage = |command: &clap::Command| Usage {
        camel: names::camel(command.get_name()),
        arguments: cmd::usage::arguments(command)
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    cmd::prompt().get_subcommands().map(usage).collect()
}

impl rustyline::Helper for Helper {}
impl Validator for Helper {}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let Some(spot) = complete::spot(line, pos) else {
            return Ok((pos, Vec::new()));
        };
        let (cwd, user_home) = self.facts.folders();
        let found = match spot.want {
            Want::Command => complete::commands(&spot.typed, true),
            Want::Topic => complete::commands(&spot.typed, false),
            Want::Flag => complete::flags(&spot.command, &spot.typed),
            Want::Name(kind) => {
                let names = self.facts.names(kind, spot.album, spot.typed.clone());
                complete::fitting(names, &spot.typed)
            }
            Want::OneOf(words) => complete::fitting(words, &spot.typed),
            Want::Recipe => complete::recipes(&spot.typed),
            Want::Path => complete::paths(&spot.typed, spot.quote, cwd, user_home),
            Want::Nothing => Vec::new(),
        };
        Ok((
            spot.start,
            found
                .into_iter()
                .map(|(display, replacement)| Pair { display, replacement })
                .collect(),
        ))
    }
}

/// Shown in grey behind the cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Grey {
    shown: String,
    inserted: Option<String>,
}

impl Hint for Grey {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.inserted.as_deref()
    }
}

impl Hinter for Helper {
    type Hint = Grey;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Grey> {
        self.sign.line(line);
        if pos < line.len() {
            None
        } else {
            hint(&self.usages, line)
        }
    }
}

/// The rest of the command's name, or the arguments that are still to come.
fn hint(usages: &[Usage], line: &str) -> Option<Grey> {
    let spot = complete::spot(line, line.len())?;
    if spot.command.is_empty() {
        if spot.typed.is_empty() {
            return None;
        }
        let mut fit = usages.iter().filter(|u| u.camel.starts_with(&spot.typed));
        let first = fit.next()?;
        let exact = first.camel == spot.typed;
        if fit.next().is_some() && !exact {
            return None;
        }
        let rest = &first.camel[spot.typed.len()..];
        let shown = format!("{rest} {}", first.arguments.join(" "))
            .trim_end()
            .to_owned();
        let inserted = (!rest.is_empty()).then(|| format!("{rest} "));
        return (!shown.is_empty()).then_some(Grey { shown, inserted });
    }
    if spot.want == Want::Recipe
        && let Some(shown) = complete::parameters(&spot.typed)
    {
        return Some(Grey {
            shown,
            inserted: None,
        });
    }
    let camel = names::camel(&spot.command);
    let usage = usages.iter().find(|u| u.camel == camel)?;
    let begun = usize::from(!spot.typed.is_empty());
    let rest = usage.arguments.get(spot.before + begun..)?.join(" ");
    let space = if begun == 1 { " " } else { "" };
    (!rest.is_empty()).then(|| Grey {
        shown: format!("{space}{rest}"),
        inserted: None,
    })
}

impl Highlighter for Helper {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        if let Some(begun) = self.sign.drawing(line, pos) {
            resume_unwind(Box::new(Left::Drawing(begun)));
        }
        Cow::Borrowed(line)
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.sign.key();
        false
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.paint.dim(hint))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, ours: bool) -> Cow<'b, str> {
        self.sign.prompt(ours);
        Cow::Owned(self.paint.bold(prompt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_show_what_is_to_come() {
        let usages = usages();
        let check = |line: &str, expect: Option<&str>| {
            assert_eq!(hint(&usages, line).map(|h| h.shown).as_deref(), expect, "{line}");
        };
        check("", None);
        check("hello", None);
        check("/", None);
        check("/rat", Some("eImage NAME STARS"));
        check("/rateImage", Some(" NAME STARS"));
        check("/rateImage ", Some("NAME STARS"));
        check("/rateImage a.jpg", Some(" STARS"));
        check("/rateImage a.jpg ", Some("STARS"));
        check("/rateImage a.jpg 5", None);
        check("/addImage ", Some("PATH…"));
        check("/add", None);
        check("/filter", Some(" [NAME] RECIPE"));
        check("/filter --all ", Some("RECIPE"));
        check("/filter a.jpg sepia+blur", Some(":SIGMA (0.1-250)"));
        check("/filter a.jpg sepia+blur:", Some("SIGMA (0.1-250)"));
        check("/filter a.jpg sepia+blur:2", None);
        check("/rateImage --album trip ", Some("NAME STARS"));
        check("/watch 2s /rateImage ", Some("NAME STARS"));
        check("/logout", None);
        check("/nonsense ", None);
    }
}
