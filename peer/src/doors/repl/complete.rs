//! What could stand at the cursor: read from the line alone, so that it can be tested without a terminal.

use std::path::Path;

use crate::api::NameKind;
use crate::cmd::{self, names};
use crate::ui::in_quotes;

/// What is wanted at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// A command's name, with its slash.
    Command,
    /// A command's name after `/help`.
    Topic,
    /// A flag of this command.
    Flag,
    /// One of these words.
    OneOf(Vec<String>),
    /// A name that lives in the album.
    Name(NameKind),
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
    /// Complete arguments before it, flags and their values not counted.
    pub before: usize,
    /// The album that the line names.
    pub album: Option<String>,
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
    let mut spot = Spot {
        start,
        typed,
        quote,
        command: String::new(),
        before: 0,
        album: None,
        want: Want::Command,
    };
    read(&words, &mut spot);
    Some(spot)
}

/// Reads complete words, the command's name first.
fn read(words: &[String], spot: &mut Spot) {
    let Some((command, arguments)) = words.split_first() else {
        spot.typed = spot.typed.trim_start_matches('/').to_owned();
        return;
    };
    spot.command = names::kebab(command.trim_start_matches('/'));
    spot.want = Want::Nothing;
    let Some(known) = cmd::of_prompt(&spot.command) else {
        return;
    };
    // What is repeated is a line of its own.
    if spot.command == "watch"
        && let [_, inner @ ..] = arguments
    {
        if inner.is_empty() && !spot.typed.starts_with('/') {
            return;
        }
        spot.want = Want::Command;
        return read(inner, spot);
    }
    let mut flag = None;
    let mut only_values = false;
    for word in arguments {
        if let Some(of) = flag.take() {
            if of == "album" {
                spot.album = Some(word.clone());
            }
        } else if only_values || !is_flag(word) {
            spot.before += 1;
        } else if word == "--" {
            only_values = true;
        } else if !word.contains('=') {
            flag = of_flag(known, word).map(|arg| arg.get_id().as_str());
        }
    }
    // Of all images, so none is named.
    if spot.command == "filter" && arguments.iter().any(|word| word == "--all") {
        spot.before += 1;
    }
    let (name, begun) = match spot.typed.split_once('=') {
        Some((name, begun)) if is_flag(name) && flag.is_none() && !only_values => (Some(name), begun),
        _ => (None, ""),
    };
    let id = |wanted: &str| known.get_arguments().find(|arg| arg.get_id() == wanted);
    spot.want = match (flag.and_then(id), name) {
        (Some(arg), _) => value(arg),
        (None, Some(name)) => {
            let arg = of_flag(known, name);
            let begun = begun.to_owned();
            spot.start += spot.typed.len() - begun.len();
            spot.typed = begun;
            arg.map_or(Want::Nothing, value)
        }
        (None, None) if is_flag(&spot.typed) && !only_values => Want::Flag,
        (None, None) => positional(known, spot.before),
    };
}

fn is_flag(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next() == Some('-') && chars.next().is_some_and(|c| !c.is_ascii_digit())
}

/// The flag that takes a value under this name.
fn of_flag<'a>(command: &'a clap::Command, word: &str) -> Option<&'a clap::Arg> {
    let fits = |arg: &&clap::Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => word.chars().nth(1) == arg.get_short() && arg.get_short().is_some(),
    };
    let found = command.get_arguments().find(fits)?;
    found.get_action().takes_values().then_some(found)
}

/// What the n-th word without a flag is.
fn positional(command: &clap::Command, n: usize) -> Want {
    let mut all = command.get_positionals();
    let many = |arg: &&clap::Arg| arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    let Some(arg) = all
        .nth(n)
        .or_else(|| command.get_positionals().last().filter(many))
    else {
        return Want::Nothing;
    };
    match (command.get_name(), called(arg)) {
        ("help", _) => Want::Topic,
        // Names that are new, or of people who are no members yet.
        ("create-album" | "register" | "login" | "add-user" | "say", _) => Want::Nothing,
        ("restore", _) => Want::Name(NameKind::Gone),
        (_, "NAME") => Want::Name(NameKind::Image),
        (_, "RECIPE") => Want::Recipe,
        _ => value(arg),
    }
}

/// What a flag takes: by its words, or by what its value is called.
fn value(arg: &clap::Arg) -> Want {
    let words: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|word| word.get_name().to_owned())
        .collect();
    if !words.is_empty() {
        return Want::OneOf(words);
    }
    match called(arg) {
        "ALBUM" => Want::Name(NameKind::Album),
        "USER" | "PEER" | "MEMBER" | "WHO" => Want::Name(NameKind::Member),
        "IMAGE" => Want::Name(NameKind::Image),
        "FILE" | "DIR" | "PATH" => Want::Path,
        _ => Want::Nothing,
    }
}

/// The name of a value in the usage.
fn called(arg: &clap::Arg) -> &str {
    let names = arg.get_value_names().and_then(|names| names.first());
    names.map_or("", |name| name.as_str())
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

/// Flags of a command that begin with what is typed; help last.
pub fn flags(command: &str, typed: &str) -> Vec<(String, String)> {
    let arguments = cmd::of_prompt(command).map(clap::Command::get_arguments);
    arguments
        .into_iter()
        .flatten()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| Some((format!("--{}", arg.get_long()?), arg)))
        .filter(|(flag, _)| flag.starts_with(typed))
        .map(|(flag, arg)| {
            let takes = arg.get_action().takes_values();
            let called = arg
                .get_value_names()
                .filter(|_| takes)
                .and_then(|names| names.first());
            let shown = called.map_or_else(|| flag.clone(), |called| format!("{flag} {called}"));
            (shown, format!("{flag} "))
        })
        .collect()
}

/// Recipes: what stands before the last `+` stays. Parameters that are begun are the person's.
pub fn recipes(typed: &str) -> Vec<(String, String)> {
    let (kept, step) = last_step(typed);
    let fits = |filter: &&filters::FilterInfo| match step.split_once(':') {
        Some((name, parameters)) => {
            filter.name == name && parameters.is_empty() && filter.example.contains(':')
        }
        None => filter.name.starts_with(step),
    };
    let candidate = |filter: &filters::FilterInfo| {
        let shown = format!("{}  {}", filter.example, filter.parameters);
        (shown.trim_end().to_owned(), format!("{kept}{}", filter.example))
    };
    filters::catalog().iter().filter(fits).map(candidate).collect()
}

/// What the parameters of the last step of a recipe may be, while they are not begun.
pub fn parameters(typed: &str) -> Option<String> {
    let (_, step) = last_step(typed);
    let name = step.strip_suffix(':').unwrap_or(step);
    let filter = filters::catalog().iter().find(|filter| filter.name == name)?;
    let colon = if name.len() == step.len() { ":" } else { "" };
    (!filter.parameters.is_empty()).then(|| format!("{colon}{}", filter.parameters))
}

fn last_step(typed: &str) -> (&str, &str) {
    match typed.rfind('+') {
        Some(at) => typed.split_at(at + 1),
        None => ("", typed),
    }
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
            assert_eq!(spot.as_ref().map(|s| s.want.clone()), want, "{line}");
            if let Some(spot) = spot {
                assert_eq!((spot.start, spot.typed.as_str()), (start, typed), "{line}");
            }
        };
        let [image, album, member] =
            [NameKind::Image, NameKind::Album, NameKind::Member].map(|kind| Some(Want::Name(kind)));
        check("", None, 0, "");
        check("hello /list", None, 0, "");
        check("/", Some(Want::Command), 0, "");
        check("/get", Some(Want::Command), 0, "get");
        check("/rateImage ", image.clone(), 11, "");
        check("/rate-image sun", image.clone(), 12, "sun");
        check("/rateImage 'a b", image.clone(), 11, "a b");
        check("/rateImage a\\ b", image.clone(), 11, "a b");
        check("/rateImage a.jpg ", Some(Want::Nothing), 17, "");
        check("/filter a.jpg gray", Some(Want::Recipe), 14, "gray");
        check("/filter --all gray", Some(Want::Recipe), 14, "gray");
        check("/enterAlbum t", album.clone(), 12, "t");
        check("/list --album t", album.clone(), 14, "t");
        check("/removeUser b", member.clone(), 12, "b");
        check("/why sun", image.clone(), 5, "sun");
        check("/restore a.jpg b", Some(Want::Name(NameKind::Gone)), 15, "b");
        check("/log --by b", member.clone(), 10, "b");
        check("/log --image a", image.clone(), 13, "a");
        check("/addImage a.jpg ~/b", Some(Want::Path), 16, "~/b");
        check("/save a.jpg /t", Some(Want::Path), 12, "/t");
        check("/list --js", Some(Want::Flag), 6, "--js");
        check("/help fil", Some(Want::Topic), 6, "fil");
        // Flags and their values are no arguments.
        check("/rateImage --album trip su", image.clone(), 24, "su");
        check("/rateImage -a trip -y su", image.clone(), 22, "su");
        check("/rateImage --album=tr", album.clone(), 19, "tr");
        check("/rateImage -a tr", album.clone(), 14, "tr");
        check("/rateImage sun.jpg -", Some(Want::Nothing), 19, "-");
        check("/rateImage sun.jpg -y", Some(Want::Flag), 19, "-y");
        check("/login bob --password-file ~/p", Some(Want::Path), 27, "~/p");
        check("/say -- --x", Some(Want::Nothing), 8, "--x");
        check("/createAlbum t", Some(Want::Nothing), 13, "t");
        check("/addUser t", Some(Want::Nothing), 9, "t");
        check("/nonsense t", Some(Want::Nothing), 10, "t");
        check("/watch ", Some(Want::Nothing), 7, "");
        check("/watch 2s /st", Some(Want::Command), 10, "st");
        check("/watch 2s /chat --album t", album.clone(), 24, "t");
        let in_trip = spot("/rateImage --album trip su", 26).unwrap();
        assert_eq!((in_trip.before, in_trip.album.as_deref()), (0, Some("trip")));
    }

    #[test]
    fn candidates_fit_and_can_be_typed() {
        let second = |all: Vec<(String, String)>| all.into_iter().map(|(_, typed)| typed).collect::<Vec<_>>();
        let names = ["Sunset.jpg", "sun set.jpg", "moon.jpg"].map(String::from);
        assert_eq!(second(fitting(names, "sun")), ["Sunset.jpg ", "'sun set.jpg' "]);
        assert_eq!(second(commands("getM", true)), ["/getMetadata "]);
        assert_eq!(second(commands("add-", true)), ["/addImage ", "/addUser "]);
        assert_eq!(second(recipes("blur:2+gray")), ["blur:2+grayscale"]);
        assert_eq!(second(recipes("sepia+blur:")), ["sepia+blur:2"]);
        assert_eq!(second(recipes("blur:3")), [""; 0]);
        assert_eq!(second(recipes("sepia:")), [""; 0]);
        assert_eq!(recipes("blu")[0].0, "blur:2  SIGMA (0.1-250)");
        assert_eq!(parameters("sepia+blur:").as_deref(), Some("SIGMA (0.1-250)"));
        assert_eq!(parameters("blur").as_deref(), Some(":SIGMA (0.1-250)"));
        assert_eq!(parameters("blur:3").or(parameters("sepia")), None);
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
