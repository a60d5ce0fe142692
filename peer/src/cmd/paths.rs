//! Paths as people give them: `~`, patterns, dropped `file://` links; relative ones start where the door is.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::Context;
use crate::api::{Code, Failure};

/// One path, absolute; it need not exist.
///
/// # Errors
/// `usage` for a path that is no text.
pub fn one(word: &OsStr, at: &Context<'_>) -> Result<PathBuf, Failure> {
    let path = absolute(Path::new(&unlinked(word)), at);
    if path.to_str().is_none() {
        return Err(Failure::new(
            Code::Usage,
            format!("the path {} is not UTF-8", path.display()),
            "rename it first",
        ));
    }
    Ok(path)
}

/// All files and folders meant, absolute, patterns expanded, in order, each once.
///
/// A word that fits nothing stays as it is, so that the report names it, unless nothing else is left.
///
/// # Errors
/// `not_found` if no word fits anything, `usage` for a path that is no text.
pub fn many(words: &[OsString], at: &Context<'_>) -> Result<Vec<PathBuf>, Failure> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut missing = Vec::new();
    for word in words {
        let path = one(word, at)?;
        let found = if path.symlink_metadata().is_ok() {
            vec![path.clone()]
        } else {
            matches(&path)
        };
        if found.is_empty() {
            missing.push((word, path.clone()));
            paths.push(path);
        } else {
            paths.extend(found);
        }
    }
    if missing.len() == words.len()
        && let Some((word, path)) = missing.first()
    {
        return Err(nothing(word, path));
    }
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    Ok(paths)
}

/// `~` expanded and relative paths joined, without touching the disk.
pub fn absolute(path: &Path, at: &Context<'_>) -> PathBuf {
    let mut parts = path.components();
    let path = match (parts.next(), at.user_home) {
        (Some(Component::Normal(first)), Some(home)) if first == "~" => home.join(parts.as_path()),
        _ => at.cwd.join(path),
    };
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

/// What a pattern fits, sorted.
fn matches(path: &Path) -> Vec<PathBuf> {
    let Some(text) = path.to_str().filter(|_| is_pattern(path)) else {
        return Vec::new();
    };
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::default()
    };
    glob::glob_with(text, options)
        .map(|found| {
            found
                .filter_map(Result::ok)
                .filter(|p| p.to_str().is_some())
                .collect()
        })
        .unwrap_or_default()
}

fn nothing(word: &OsStr, path: &Path) -> Failure {
    let word = word.display();
    if is_pattern(path) {
        let folder = path.parent().unwrap_or(path).display();
        Failure::new(
            Code::NotFound,
            format!("no file fits the pattern {word}"),
            format!("look what is in {folder}"),
        )
    } else {
        let hint = match path.ancestors().skip(1).find(|p| p.is_dir()) {
            Some(folder) => format!("{} is there; check the rest of the path", folder.display()),
            None => "check the path".to_owned(),
        };
        Failure::new(Code::NotFound, format!("there is no file or folder {word}"), hint)
    }
}

/// The path of a `file://` link, as file managers drop it; anything else unchanged.
fn unlinked(word: &OsStr) -> OsString {
    let Some(rest) = word.to_str().and_then(|w| w.strip_prefix("file://")) else {
        return word.to_owned();
    };
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let mut out = Vec::with_capacity(rest.len());
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        match hex_pair(bytes.clone()).filter(|_| byte == b'%') {
            Some(value) => {
                out.push(value);
                bytes.nth(1);
            }
            None => out.push(byte),
        }
    }
    String::from_utf8(out)
        .map(OsString::from)
        .unwrap_or_else(|_| word.to_owned())
}

fn hex_pair(mut bytes: std::str::Bytes<'_>) -> Option<u8> {
    let mut digit = || char::from(bytes.next()?).to_digit(16);
    let (high, low) = (digit()?, digit()?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::{Each, settings::Settings};

    fn at(cwd: &Path, check: impl FnOnce(&Context<'_>)) {
        let (each, settings) = (Each::default(), Settings::default());
        let user_home = Some(Path::new("/home/alice"));
        check(&Context {
            each: &each,
            cwd,
            user_home,
            terminal: false,
            settings: &settings,
            lines: None,
        });
    }

    #[test]
    fn single_paths_become_absolute() {
        at(Path::new("/here"), |at| {
            let check = |word: &str, expect: &str| {
                assert_eq!(one(OsStr::new(word), at).unwrap(), Path::new(expect), "{word}");
            };
            check("a.jpg", "/here/a.jpg");
            check("./a.jpg", "/here/a.jpg");
            check("../a.jpg", "/here/../a.jpg");
            check("/a.jpg", "/a.jpg");
            check("~", "/home/alice");
            check("~/a.jpg", "/home/alice/a.jpg");
            check("~a.jpg", "/here/~a.jpg");
            check("file:///home/a%20b.jpg", "/home/a b.jpg");
            check("file://localhost/a.jpg", "/a.jpg");
            check("file:///100%", "/100%");
            check("file:///100%zz", "/100%zz");
        });
    }

    #[test]
    fn patterns_and_missing_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.jpg", "a.jpg", ".hidden.jpg", "x[1].jpg", "c.png"] {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        at(dir.path(), |at| {
            let names = |words: &[&str]| {
                let words: Vec<OsString> = words.iter().map(OsString::from).collect();
                many(&words, at).map(|found| {
                    found
                        .iter()
                        .map(|p| p.file_name().unwrap().to_str().unwrap().to_owned())
                        .collect::<Vec<_>>()
                })
            };
            assert_eq!(names(&["*.jpg"]).unwrap(), ["a.jpg", "b.jpg", "x[1].jpg"]);
            assert_eq!(
                names(&["b.jpg", "*.jpg"]).unwrap(),
                ["b.jpg", "a.jpg", "x[1].jpg"]
            );
            assert_eq!(names(&["x[1].jpg"]).unwrap(), ["x[1].jpg"]);
            assert_eq!(names(&["?.png"]).unwrap(), ["c.png"]);
            assert_eq!(names(&["a.jpg", "no.jpg"]).unwrap(), ["a.jpg", "no.jpg"]);
            let failure = names(&["*.gif"]).unwrap_err();
            assert_eq!(
                (failure.code, failure.message.as_str()),
                (Code::NotFound, "no file fits the pattern *.gif")
            );
            let failure = names(&["no.jpg", "*.gif"]).unwrap_err();
            assert_eq!(failure.message, "there is no file or folder no.jpg");
            assert!(
                failure.hint.contains("is there; check the rest of the path"),
                "{}",
                failure.hint
            );
        });
    }
}
