//! The documents and the program say the same: every command, flag, key and code is in both.

use std::collections::BTreeSet;

use crate::world::World;

const GUIDE: &str = include_str!("../../../docs/user-guide.md");
const ERRORS: &str = include_str!("../../../docs/errors.md");
const README: &str = include_str!("../../../README.md");

/// What is written as code: the spans of a text, and the lines of its blocks.
fn code(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if block {
            // What is typed stands behind a prompt.
            all.extend(
                line.split_once("$ ")
                    .or(line.split_once(" > "))
                    .map(|(_, typed)| typed.trim().to_owned()),
            );
        } else {
            // A bar inside a span is written \| in a table.
            all.extend(
                line.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|span| span.replace("\\|", "|")),
            );
        }
    }
    assert!(!block, "a block is never closed");
    all
}

/// A command of the shell or the prompt in a piece of code, without what is around it.
fn command(code: &str) -> Option<&str> {
    let code = code.split("   #").next().unwrap_or_default();
    let code = code.split(" | ").next().unwrap_or_default().trim();
    let code = code
        .split(" > ")
        .next()
        .unwrap_or_default()
        .split(" < ")
        .next()
        .unwrap_or_default();
    let name = code.split(' ').next().unwrap_or_default();
    let is_slash = name
        .strip_prefix('/')
        .is_some_and(|name| name.chars().all(char::is_alphanumeric) && !name.is_empty());
    (name == "calotype" || is_slash).then_some(code)
}

fn long_flags(command: &clap::Command, all: &mut BTreeSet<String>) {
    all.extend(
        command
            .get_arguments()
            .filter_map(|arg| Some(format!("--{}", arg.get_long()?))),
    );
    command
        .get_subcommands()
        .for_each(|command| long_flags(command, all));
}

fn flags() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    long_flags(&peer::cmd::shell(), &mut all);
    long_flags(&peer::cmd::prompt(), &mut all);
    all
}

/// Words of a text that are flags.
fn flags_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let starts = text
        .match_indices("--")
        .map(|(at, _)| at)
        .filter(|at| !text[..*at].ends_with(is_part));
    let word = |at: usize| {
        text[at..]
            .split(|c| !is_part(c))
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    starts.map(word).filter(|word| word.len() > 3).collect()
}

/// Cells of the table under a heading, row by row.
fn table(text: &'static str, begins: &str) -> Vec<Vec<&'static str>> {
    let (_, table) = text
        .split_once(begins)
        .unwrap_or_else(|| panic!("no table {begins}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect();
    rows.map(cells).collect()
}

#[test]
fn what_the_documents_show_can_be_typed() {
    let mut seen = 0;
    for (name, text) in [("user-guide", GUIDE), ("errors", ERRORS), ("README", README)] {
        for code in code(text) {
            let Some(typed) = command(&code) else { continue };
            seen += 1;
            if let Some(line) = typed.strip_prefix('/') {
                let words = peer::doors::words::split(line).unwrap();
                peer::cmd::prompt()
                    .find_subcommand(peer::cmd::names::kebab(&words[0]))
                    .unwrap_or_else(|| panic!("{name}: {typed}: no such command"));
                if let Err(wrong) = peer::cmd::parse_line(&words) {
                    // A command's bare name speaks of it.
                    assert!(
                        words.len() == 1 || peer::cmd::usage::is_answer(&wrong),
                        "{name}: {typed}: {wrong}"
                    );
                }
            } else {
                let words = peer::doors::words::split(typed).unwrap();
                let parsed = peer::cmd::parse_shell(&words);
                assert!(
                    words.len() == 2 || parsed.as_ref().map_or_else(peer::cmd::usage::is_answer, |_| true),
                    "{name}: {typed}: {}",
                    parsed.unwrap_err()
                );
            }
        }
    }
    assert!(seen > 80, "{seen} commands were seen");
}

#[test]
fn the_flags_of_the_guide_are_those_of_the_program() {
    let (mine, shown) = (flags(), flags_in(GUIDE));
    let missing: Vec<_> = mine.difference(&shown).collect();
    assert!(missing.is_empty(), "docs/user-guide.md lacks {missing:?}");
    for (name, text) in [("user-guide", GUIDE), ("errors", ERRORS), ("README", README)] {
        let foreign = ["--release", "--workspace", "--data"];
        let unknown: Vec<_> = flags_in(text)
            .into_iter()
            .filter(|flag| !mine.contains(flag) && !foreign.contains(&flag.as_str()))
            .collect();
        assert!(
            unknown.is_empty(),
            "{name} has flags that the program has not: {unknown:?}"
        );
    }
}

/// The table of settings is what `config show` lists, with the flags and variables that set them.
#[test]
fn the_settings_of_the_guide_are_those_of_the_program() {
    let world = World::new();
    let shown = world.home("alice").json(&["config", "show"]);
    let keys: Vec<&str> = shown["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["key"].as_str().unwrap())
        .collect();
    let rows = table(GUIDE, "| key in config.toml |");
    let in_guide: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(in_guide, keys);
    let help = peer::cmd::shell().render_long_help().to_string();
    for row in &rows {
        for variable in row[2]
            .split(", ")
            .filter(|cell| !cell.is_empty())
            .map(|cell| cell.trim_matches('`'))
        {
            let told = help.contains(variable);
            assert!(told, "{variable} is in the guide, and no help has it");
        }
    }
}

/// Codes with their exit codes: the table and the program agree, in order.
#[test]
fn the_codes_of_the_guide_are_those_of_the_program() {
    let wrong = serde_json::from_str::<peer::api::Code>("\"?\"")
        .unwrap_err()
        .to_string();
    let names = wrong
        .split_once("expected one of ")
        .unwrap()
        .1
        .split(" at line")
        .next()
        .unwrap();
    let codes = names.split(", ").map(|name| name.trim_matches('`'));
    let mine: Vec<(String, String)> = codes
        .map(|name| {
            let code: peer::api::Code = serde_json::from_value(name.into()).unwrap();
            (format!("`{name}`"), code.exit().to_string())
        })
        .collect();
    assert!(mine.len() > 10, "{wrong}");
    let rows = table(ERRORS, "| code | exit |");
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    assert_eq!(shown, mine);
}
