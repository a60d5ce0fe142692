//! What could stand at the cursor: read from the line alone, so that it can be tested without a terminal.

use std::path::Path;

use super::facts::Kind;
use crate::cmd::names;
use crate::ui::in_quotes;

/// What is wanted at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A command's name, with its slash.
    Command,
    /// A command's name after `/help`.
    Topic,
    /// A flag of this command.
    Flag,
    /// A name that lives in the album.
    Name(Kind),
    /// A filter of a recipe.
    Recipe,
    /// A file or folder.
    Path,
    /// Nothing we know.
    Nothing,
}

/// The word at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Where it starts in the line, its quote included.
    pub start: usize,
    /// What is typed of it, without quotes.
    pub typed: String,
    /// The quote that is open.
    pub quote: Option<char>,
    /// The command in kebab-case; empty while it is being typed.
    pub command: String,
    /// Complete arguments before it, flags not counted.
    pub before: usize,
    /// What fits here.
    pub want: Want,
}

/// Reads the line up to the cursor; none where it is chat.
pub fn spot(line: &str, pos: usize) -> Option<Spot> {
    let line = line.get(..pos)?;
    let slash = line.len() - line.trim_start().len();
    if !line[slash..].starts_with('/') {
        return None;
    }
    let (words, start, typed, quote) = cut(line, slash);
    let Some((command, arguments)) = words.split_first() else {
        let typed = typed.trim_start_matches('/').to_owned();
        return Some(Spot {
            start,
            typed,
            quote,
            command: String::new(),
            before: 0,
            want: Want::Command,
        });
    };
    let command = names::kebab(command.trim_start_matches('/'));
    let before = arguments.iter().filter(|word| !word.starts_with("--")).count();
    let want = match arguments.last().map(String::as_str) {
        _ if typed.starts_with("--") => Want::Flag,
        Some("--album") => Want::Name(Kind::Album),
        Some("--password-file") => Want::Path,
        _ => wanted(&command, before),
    };
    Some(Spot {
        start,
        typed,
        quote,
        command,
        before,
        want,
    })
}

fn wanted(command: &str, before: usize) -> Want {
    match (command, before) {
        ("help", 0) => Want::Topic,
        ("enter-album", 0) => Want::Name(Kind::Album),
        ("remove-image" | "rate-image" | "open" | "save" | "filter", 0) => Want::Name(Kind::Image),
        ("filter", 1) => Want::Recipe,
        ("remove-user" | "block" | "unblock", 0) => Want::Name(Kind::Member),
        ("add-image", _) | ("save", 1) | ("export", 0) => Want::Path,
        _ => Want::Nothing,
    }
}

/// Complete words, then the start, text and open quote of the last one.
fn cut(line: &str, from: usize) -> (Vec<String>, usize, String, Option<char>) {
    let (mut words, mut word, mut start, mut quote) = (Vec::new(), None::<String>, line.len(), None);
    let mut chars = line[from..].char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                words.extend(word.take());
                continue;
            }
            _ if word.is_none() => start = from + at,
            _ => {}
        }
        let text = word.get_or_insert_default();
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => text.extend(chars.next().map(|(_, c)| c)),
            (_, c) => text.push(c),
        }
    }
    match word {
        Some(word) => (words, start, word, quote),
        None => (words, line.len(), String::new(), None),
    }
}

/// Names that begin with what is typed, quoted where they must be.
pub fn fitting(names: impl IntoIterator<Item = String>, typed: &str) -> Vec<(String, String)> {
    let low = typed.to_lowercase();
    let mut fit: Vec<_> = names
        .into_iter()
        .filter(|name| name.to_lowercase().starts_with(&low))
        .map(|name| {
            (
                crate::ui::clean(&name).into_owned(),
                format!("{} ", in_quotes(&name)),
            )
        })
        .collect();
    fit.dedup();
    fit
}

/// Commands that begin with what is typed, in either spelling.
pub fn commands(typed: &str, slash: bool) -> Vec<(String, String)> {
    let low = typed.to_lowercase();
    let fits = |name: &String| name.starts_with(&low) || names::camel(name).to_lowercase().starts_with(&low);
    let mark = if slash { "/" } else { "" };
    let shown = |name: &String| {
        (
            format!("{mark}{}", names::camel(name)),
            format!("{mark}{} ", names::camel(name)),
        )
    };
    names::of_prompt()
        .iter()
        .filter(|name| fits(name))
        .map(shown)
        .collect()
}

/// Flags of a command that begin with what is typed.
pub fn flags(command: &str, typed: &str) -> Vec<(String, String)> {
    let mut line = crate::cmd::prompt();
    let Some(found) = line.find_subcommand_mut(command) else {
        return Vec::new();
    };
    let flags = found
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(|long| format!("--{long}"));
    flags
        .filter(|flag| flag.starts_with(typed))
        .map(|flag| (flag.clone(), format!("{flag} ")))
        .collect()
}

/// Recipes: what stands before the last `+` stays.
pub fn recipes(typed: &str) -> Vec<(String, String)> {
    let (kept, step) = match typed.rfind('+') {
        Some(at) => typed.split_at(at + 1),
        None => ("", typed),
    };
    let (step, parameters) = step
        .split_once(':')
        .map_or((step, false), |(name, _)| (name, true));
    filters::catalog()
        .iter()
        .filter(|f| {
            if parameters {
                f.name == step
            } else {
                f.name.starts_with(step)
            }
        })
        .map(|f| {
            (
                format!("{}  {}", f.example, f.parameters).trim_end().to_owned(),
                format!("{kept}{}", f.example),
            )
        })
        .collect()
}

/// Files and folders that begin with what is typed.
pub fn paths(
    typed: &str,
    quote: Option<char>,
    cwd: &Path,
    user_home: Option<&Path>,
) -> Vec<(String, String)> {
    let (folder, begun) = typed.rfind('/').map_or(("", typed), |at| typed.split_at(at + 1));
    let place = match (folder.strip_prefix("~/"), user_home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => cwd.join(folder),
    };
    let Ok(entries) = std::fs::read_dir(place) else {
        return Vec::new();
    };
    let mut fit: Vec<(String, String)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())))
        .filter(|(name, _)| name.starts_with(begun) && (begun.starts_with('.') || !name.starts_with('.')))
        .map(|(name, is_dir)| {
            let end = if is_dir { "/" } else { "" };
            (
                crate::ui::clean(&format!("{name}{end}")).into_owned(),
                typeable(&format!("{folder}{name}{end}"), quote, is_dir),
            )
        })
        .collect();
    fit.sort();
    fit
}

/// A path as it must be typed: within its quote, or with backslashes.
fn typeable(path: &str, quote: Option<char>, is_dir: bool) -> String {
    match quote {
        Some(quote) if is_dir => format!("{quote}{path}"),
        Some(quote) => format!("{quote}{path}{quote} "),
        None => {
            let mut out = String::new();
            for c in path.chars() {
                if c.is_whitespace() || "'\"\\".contains(c) {
                    out.push('\\');
                }
                out.push(c);
            }
            if !is_dir {
                out.push(' ');
            }
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_wanted() {
        let check = |line: &str, want: Option<Want>, start: usize, typed: &str| {
            let spot = spot(line, line.len());
            assert_eq!(spot.as_ref().map(|s| s.want), want, "{line}");
            if let Some(spot) = spot {
                assert_eq!((spot.start, spot.typed.as_str()), (start, typed), "{line}");
            }
        };
        let (image, album, member) = (
            Want::Name(Kind::Image),
            Want::Name(Kind::Album),
            Want::Name(Kind::Member),
        );
        check("", None, 0, "");
        check("hello /list", None, 0, "");
        check("/", Some(Want::Command), 0, "");
        check("/get", Some(Want::Command), 0, "get");
        check("/rateImage ", Some(image), 11, "");
        check("/rate-image sun", Some(image), 12, "sun");
        check("/rateImage 'a b", Some(image), 11, "a b");
        check("/rateImage a\\ b", Some(image), 11, "a b");
        check("/rateImage a.jpg ", Some(Want::Nothing), 17, "");
        check("/filter a.jpg gray", Some(Want::Recipe), 14, "gray");
        check("/enterAlbum t", Some(album), 12, "t");
        check("/list --album t", Some(album), 14, "t");
        check("/removeUser b", Some(member), 12, "b");
        check("/addImage a.jpg ~/b", Some(Want::Path), 16, "~/b");
        check("/save a.jpg /t", Some(Want::Path), 12, "/t");
        check("/list --js", Some(Want::Flag), 6, "--js");
        check("/help fil", Some(Want::Topic), 6, "fil");
    }

    #[test]
    fn candidates_fit_and_can_be_typed() {
        let second = |all: Vec<(String, String)>| all.into_iter().map(|(_, typed)| typed).collect::<Vec<_>>();
        let names = ["Sunset.jpg", "sun set.jpg", "moon.jpg"].map(String::from);
        assert_eq!(second(fitting(names, "sun")), ["Sunset.jpg ", "'sun set.jpg' "]);
        assert_eq!(second(commands("getM", true)), ["/getMetadata "]);
        assert_eq!(second(commands("add-", true)), ["/addImage ", "/addUser "]);
        assert_eq!(second(recipes("blur:2+gray")), ["blur:2+grayscale"]);
        assert!(second(flags("save", "--f")).contains(&"--force ".to_owned()));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a b.jpg"), b"").unwrap();
        std::fs::write(dir.path().join(".hidden"), b"").unwrap();
        std::fs::create_dir(dir.path().join("album")).unwrap();
        let found = |typed: &str, quote| second(paths(typed, quote, dir.path(), Some(dir.path())));
        assert_eq!(found("a", None), ["a\\ b.jpg ", "album/"]);
        assert_eq!(found("a b", Some('\'')), ["'a b.jpg' "]);
        assert_eq!(found("~/al", None), ["~/album/"]);
        assert_eq!(found("", None).len(), 2);
        assert_eq!(found("no/", None).len(), 0);
    }
}
