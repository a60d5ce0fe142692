//! A typed line, cut into words as a shell would: quotes, backslashes, a slash for commands, anything else is chat.

use std::path::Path;

use crate::api::{Code, Failure};

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Blank.
    Nothing,
    /// Said to the album.
    Chat(String),
    /// A command's name without its slash, and its words.
    Command(Vec<String>),
}

/// Reads a line.
///
/// # Errors
/// `usage` for a quote that is never closed and a slash alone.
pub fn read(line: &str) -> Result<Typed, Failure> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return Ok(if line.is_empty() {
            Typed::Nothing
        } else {
            Typed::Chat(line.to_owned())
        });
    };
    // Apostrophes belong to what people say.
    if let Some(text) = command
        .strip_prefix("say ")
        .map(str::trim)
        .filter(|text| !text.starts_with('-'))
    {
        return Ok(Typed::Command(vec![
            "say".to_owned(),
            "--".to_owned(),
            text.to_owned(),
        ]));
    }
    let words = split(command)?;
    match words.first() {
        Some(name) if !name.is_empty() => Ok(Typed::Command(words)),
        _ => Err(Failure::new(
            Code::Usage,
            "a slash needs a command",
            "/help lists them",
        )),
    }
}

/// Cuts into words: '…' keeps all, "…" knows \" and \\, outside \ keeps the next character.
///
/// # Errors
/// `usage` for a quote that is never closed.
pub fn split(text: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' | '"' => quoted(c, &mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next().unwrap_or('\\')),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), Failure> {
    loop {
        match chars.next() {
            Some(c) if c == quote => return Ok(()),
            Some('\\') if quote == '"' => match chars.next() {
                Some(c @ ('"' | '\\')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => word.push('\\'),
            },
            Some(c) => word.push(c),
            None => {
                let what = if quote == '"' {
                    "double quote"
                } else {
                    "single quote"
                };
                let hint = format!("close it with {quote}, or write \\{quote} for the character itself");
                return Err(Failure::new(
                    Code::Usage,
                    format!("a {what} is never closed"),
                    hint,
                ));
            }
        }
    }
}

/// A file that was dropped on the prompt instead of a command: the line that would add it.
pub fn dropped(line: &str) -> Option<String> {
    let line = line.trim();
    if !line.starts_with(['/', '\'', '"']) && !line.starts_with("file://") {
        return None;
    }
    let words = split(line).ok()?;
    let is_file =
        |word: &String| word.starts_with("file://") || (word.starts_with('/') && Path::new(word).exists());
    (!words.is_empty() && words.iter().all(is_file)).then(|| format!("/addImage {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_in_a_shell() {
        let check = |text: &str, expect: &[&str]| assert_eq!(split(text).unwrap(), expect, "{text}");
        check("", &[]);
        check("  a  b\tc ", &["a", "b", "c"]);
        check("'a b' \"c d\"", &["a b", "c d"]);
        check(r"a\ b", &["a b"]);
        check(r#""a\"b\\c\d""#, &[r#"a"b\c\d"#]);
        check(r"'a\b'", &[r"a\b"]);
        check("pre'mid dle'post", &["premid dlepost"]);
        check("''", &[""]);
        check("\"\" x", &["", "x"]);
        check(r"trailing\", &[r"trailing\"]);
        check("Grüße\u{a0}写真", &["Grüße", "写真"]);
        check("~/a*.jpg", &["~/a*.jpg"]);
    }

    #[test]
    fn open_quotes_are_told() {
        for text in ["'abc", "\"abc", "a 'b\" c", "\"\\\""] {
            let failure = split(text).unwrap_err();
            assert_eq!(failure.code, Code::Usage);
            assert!(
                failure.message.ends_with("is never closed") && failure.hint.starts_with("close it with")
            );
        }
    }

    #[test]
    fn a_slash_makes_a_command() {
        let command = |words: &[&str]| Typed::Command(words.iter().map(|w| (*w).to_owned()).collect());
        let check = |line: &str, expect: Typed| assert_eq!(read(line).unwrap(), expect, "{line}");
        check("  ", Typed::Nothing);
        check("hello there", Typed::Chat("hello there".into()));
        check("it's fine", Typed::Chat("it's fine".into()));
        check(" /list ", command(&["list"]));
        check("/addImage 'a b.jpg'", command(&["addImage", "a b.jpg"]));
        check("/say it's fine", command(&["say", "--", "it's fine"]));
        check("/say --album trip hi", command(&["say", "--album", "trip", "hi"]));
        assert!(read("/").is_err());
        assert!(read("/ list").is_ok_and(|t| t == command(&["list"])));
        assert!(read("/addImage it's").is_err());
    }

    #[test]
    fn dropped_files_are_recognised() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b.jpg");
        std::fs::write(&path, b"x").unwrap();
        let quoted = format!("'{}'", path.display());
        assert_eq!(dropped(&quoted), Some(format!("/addImage {quoted}")));
        assert_eq!(
            dropped("file:///x%20y.jpg"),
            Some("/addImage file:///x%20y.jpg".to_owned())
        );
        assert_eq!(dropped("/list"), None);
        assert_eq!(dropped("'hello'"), None);
        assert_eq!(dropped("hello"), None);
    }
}
