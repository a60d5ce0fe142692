//! `/help`: the commands as the prompt spells them.

use super::Paint;
use super::table::{columns, left};
use crate::cmd::{self, names};

/// All commands with one line each.
pub fn all(paint: Paint) -> String {
    let rows: Vec<_> = cmd::prompt()
        .get_subcommands()
        .map(|command| {
            let usage = cmd::usage::arguments(command);
            let words = format!("/{} {usage}", names::camel(command.get_name()));
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            vec![left(words.trim_end()).paint(|t| paint.bold(t)), left(about)]
        })
        .collect();
    format!(
        "{}\nA line without a slash is said to the album. /help COMMAND explains one, with an example.\n",
        columns("  ", &rows)
    )
}

/// One command in full, by either spelling, without the flags that all have; none if there is no such command.
pub fn one(name: &str) -> Option<String> {
    let name = names::kebab(name.trim_start_matches('/'));
    let command = cmd::prompt().find_subcommand(&name)?.clone();
    let mut command = command.mut_args(|arg| {
        let common = arg.is_global_set() || arg.get_id() == "help";
        if common { arg.hide(true) } else { arg }
    });
    let slash = format!("/{}", names::camel(&name));
    let text = command.render_long_help().to_string();
    let (before, after) = text.split_once("Usage:")?;
    let text = format!("{before}Usage: {}", after.trim_start().replacen(&name, &slash, 1));
    Some(format!(
        "{}\n\nEvery command also takes --album ALBUM, --json and --yes.\n",
        text.trim_end()
    ))
}
