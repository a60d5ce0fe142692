//! The mutants in `proptests/mutants` still fit the code: whoever moves a protection moves its mutant too.
//!
//! `scripts/mutants.sh` runs them, which takes minutes; here they are only read, without git, so that a tree without a
//! history is checked as well.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Mutants that there are at least.
const MUTANTS_MIN: usize = 30;
/// Lines that one may take out or put in: a mutant breaks one thing.
const LINES_MAX: usize = 10;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// All mutants: name and text.
fn mutants() -> BTreeMap<String, String> {
    let folder = fs::read_dir(root().join("proptests/mutants")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths
        .map(|path| (name(&path), fs::read_to_string(&path).unwrap()))
        .collect()
}

fn header<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = text.lines().take_while(|line| !line.starts_with("diff "));
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
}

/// What one hunk finds in the file, and what it leaves there.
#[derive(Default)]
struct Hunk {
    before: Vec<String>,
    after: Vec<String>,
}

/// The hunks of a patch, by file.
fn hunks(text: &str) -> Vec<(String, Hunk)> {
    let mut file = String::new();
    let mut found: Vec<(String, Hunk)> = Vec::new();
    for line in text.lines().skip_while(|line| !line.starts_with("diff ")) {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = path.to_owned();
        } else if line.starts_with("@@ ") {
            found.push((file.clone(), Hunk::default()));
        } else if let (Some((_, hunk)), false) = (found.last_mut(), line.starts_with("diff ")) {
            let (kind, rest) = line.split_at(line.len().min(1));
            if kind != "+" {
                hunk.before.push(rest.to_owned());
            }
            if kind != "-" {
                hunk.after.push(rest.to_owned());
            }
        }
    }
    found
}

/// Each hunk's lines stand in its file, and at one place only: so it applies, and where it was meant to.
#[test]
fn every_mutant_applies_at_one_place() {
    let mutants = mutants();
    assert!(mutants.len() >= MUTANTS_MIN, "only {} mutants", mutants.len());
    let mut complaints = Vec::new();
    for (name, text) in &mutants {
        let hunks = hunks(text);
        let changed =
            |line: &&str| (line.starts_with('+') || line.starts_with('-')) && !line[1..].starts_with("++ ");
        let changed = text
            .lines()
            .filter(changed)
            .filter(|line| !line.starts_with("--- "))
            .count();
        if hunks.is_empty() || changed > LINES_MAX {
            complaints.push(format!("{name}: {} hunks, {changed} lines changed", hunks.len()));
        }
        for (file, hunk) in hunks {
            let source = fs::read_to_string(root().join(&file)).unwrap_or_default();
            let lines: Vec<&str> = source.lines().collect();
            let places = lines
                .windows(hunk.before.len())
                .filter(|window| *window == hunk.before)
                .count();
            if places != 1 || hunk.before == hunk.after {
                complaints.push(format!("{name}: fits {file} at {places} places"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Each says what it is about, and names a test that is there.
#[test]
fn every_mutant_names_its_test() {
    let mut complaints = Vec::new();
    for (name, text) in mutants() {
        for key in ["protects", "breaks"] {
            if header(&text, key).is_none_or(|line| line.is_empty() || line.contains('|')) {
                complaints.push(format!("{name}: no line `{key}: …`, or not fit for a table"));
            }
        }
        let test = header(&text, "test").unwrap_or_default();
        let found = match test.split(' ').collect::<Vec<_>>()[..] {
            ["cargo", "test", "-p", package, "--lib", path] => has_test(package, "src", path),
            ["cargo", "test", "-p", package, "--test", target, path] => {
                has_test(package, &format!("tests/{target}"), path)
                    || has_test(package, &format!("tests/{target}.rs"), path)
            }
            _ => false,
        };
        if !found {
            complaints.push(format!("{name}: there is no test `{test}`"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Whether a crate has this test, below this file or folder: a function of its name, after a test's attribute, in a file
/// that its modules lead to.
fn has_test(package: &str, place: &str, path: &str) -> bool {
    let modules: Vec<&str> = path.split("::").collect();
    let Some((name, modules)) = modules.split_last() else {
        return false;
    };
    let start = root().join(package).join(place);
    let mut files = Vec::new();
    collect(&start, &mut files);
    files.iter().any(|file| {
        let steps = file.with_extension("");
        let leads = |module: &&str| *module == "tests" || steps.iter().any(|step| step == *module);
        let text = fs::read_to_string(file).unwrap();
        let is_test = |(at, _): (usize, &str)| {
            let before = &text[..at];
            before
                .lines()
                .rev()
                .take(8)
                .any(|line| line.trim_start().starts_with("#[") && line.contains("test"))
        };
        modules.iter().all(leads) && text.match_indices(&format!("fn {name}(")).any(is_test)
    })
}

fn collect(place: &Path, files: &mut Vec<PathBuf>) {
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else if place.extension().is_some_and(|ending| ending == "rs") {
        files.push(place.into());
    }
}
