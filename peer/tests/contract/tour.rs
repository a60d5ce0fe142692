//! The tour of the README, replayed: each line behind a prompt is typed by the person whose prompt it is, on a terminal of
//! their own, and each line under it is expected there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::world::terminal::Person;
use crate::world::{World, bitmap};

const README: &str = include_str!("../../../README.md");

/// News of what comes in the background, in as many pieces as it likes: these words must be seen, with other names and
/// numbers.
const IN_PIECES: [&str; 2] = ["here and verified", "images to trip"];

/// A line of the tour.
enum Step {
    /// Somebody starts the program, with these words.
    Starts(String),
    /// The one whose name the prompt begins with types a line; `calotype` is who started last.
    Types(String, String),
    /// The one who typed last in this block, or types first in it, sees a line.
    Sees(String),
}

/// The blocks of the tour.
fn tour() -> Vec<Vec<Step>> {
    let (_, text) = README.split_once("## A tour in three terminals").unwrap();
    let (text, _) = text.split_once("\n## ").unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    blocks
        .map(|block| block.trim().lines().map(step).collect())
        .collect()
}

fn step(line: &str) -> Step {
    if let Some(words) = line.strip_prefix("$ cargo run --release") {
        return Step::Starts(words.strip_prefix(" -- ").unwrap_or(words).to_owned());
    }
    match line.split_once(" > ") {
        Some((prompt, typed)) => {
            let name = prompt.split(['@', ' ']).next().unwrap();
            Step::Types(name.to_owned(), typed.to_owned())
        }
        None => Step::Sees(line.to_owned()),
    }
}

/// `7-carpet-monkey-lamp`.
pub fn is_code(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    parts.len() == 4 && parts[0].bytes().all(|byte| byte.is_ascii_digit()) && parts[1..].iter().all(letters)
}

/// What is the same in every run: no numbers, sizes, ids, folders, and one space between words.
fn shape(line: &str) -> String {
    let word = |word: &str| {
        let core = word.trim_matches(['(', ')', ',', '.', ';']);
        let number = core.chars().all(|c| c.is_ascii_hexdigit() || ".:×-".contains(c))
            && (core.len() == 8 || core.contains(|c: char| c.is_ascii_digit()));
        if is_code(core) {
            return word.replace(core, "CODE");
        }
        match core {
            "" => word.to_owned(),
            "B" | "kB" | "MB" => word.replace(core, "SIZE"),
            _ if number => word.replace(core, "N"),
            _ if core.starts_with(['~', '/']) && core.matches('/').count() > 1 => "PATH".to_owned(),
            _ => word.to_owned(),
        }
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// None of its words is one of the 24 that may stand on the screen.
const PASSWORD: &str = "xyzzy, says the tour";

/// A terminal and what of it was expected already.
struct Seat {
    home: String,
    person: Person,
    /// Row of the line that was typed before the last.
    from: usize,
    /// Row of the line that was typed last.
    typed: usize,
    used: Vec<usize>,
}

impl Seat {
    fn start(world: &World, words: &str) -> Self {
        let words = words.replace('~', world.path("").to_str().unwrap().trim_end_matches('/'));
        let mut command = Command::new(env!("CARGO_BIN_EXE_calotype"));
        command.args(words.split_whitespace()).current_dir(world.path(""));
        command
            .env("HOME", world.path(""))
            .env("XDG_RUNTIME_DIR", world.path("run"))
            .env("NO_COLOR", "1");
        let home = words
            .split_whitespace()
            .skip_while(|word| *word != "--home")
            .nth(1);
        Self {
            home: home.map_or(
                world.path(".local/share/calotype/home").display().to_string(),
                str::to_owned,
            ),
            person: Person::start(&command, 120, 200),
            from: 0,
            typed: 0,
            used: Vec::new(),
        }
    }

    /// Types at an empty prompt; what is expected from now on stands below the line that was typed before.
    fn types(&mut self, prompt: &str, line: &str) {
        self.person
            .until(&format!("the prompt of {prompt} for {line}"), |screen| {
                let text = screen.text(screen.row);
                text.starts_with(prompt) && text.ends_with(" >")
            });
        self.from = self.typed;
        self.typed = self.person.screen.row;
        self.person.types(&format!("{line}\r"));
    }

    fn sees(&mut self, line: &str) {
        let pieces = IN_PIECES.iter().find(|words| line.contains(**words));
        if line.starts_with("Password of ") || line == "The same again:" {
            self.person
                .until(line, |screen| screen.text(screen.row).ends_with(line));
            return self.person.types(&format!("{PASSWORD}\r"));
        }
        if line.trim() == "…" {
            return;
        }
        let (from, used, wanted) = (self.from, self.used.clone(), shape(line));
        let fits = |text: &str| match pieces {
            Some(words) => text.contains(words),
            None => shape(text) == wanted,
        };
        let mut found = None;
        self.person.until(&format!("{line:?}, as {wanted:?},"), |screen| {
            found = (from..=screen.row).find(|row| !used.contains(row) && fits(&screen.text(*row)));
            found.is_some()
        });
        self.used.extend(found);
    }

    /// The code that stands on the screen.
    fn code(&self) -> Option<String> {
        let screen = &self.person.screen;
        let rows = (0..=screen.row).rev().map(|row| screen.text(row));
        rows.map(|text| text.trim().to_owned()).find(|text| is_code(text))
    }

    /// Answers the question for a name.
    fn is_called(&mut self, question: &str, name: &str) {
        self.person
            .until(question, |screen| screen.text(screen.row).ends_with(question));
        self.person.types(&format!("{name}\r"));
    }
}

#[test]
fn the_tour_goes_as_the_readme_says() {
    let world = World::new();
    let photos = world.path("Pictures/trip");
    std::fs::create_dir_all(&photos).unwrap();
    for (i, n) in [1, 3, 4, 5, 8, 23].into_iter().enumerate() {
        std::fs::write(photos.join(format!("kodim{n:02}.png")), bitmap(60 + i as u32, 40)).unwrap();
    }
    let mut seats: BTreeMap<String, Seat> = BTreeMap::new();
    let (mut typed, mut seen) = (0, 0);
    for block in tour() {
        // Who types first in a block sees what stands before.
        let mut who = block.iter().find_map(|step| match step {
            Step::Types(name, _) => Some(name.clone()),
            _ => None,
        });
        for step in block {
            match step {
                Step::Starts(words) => {
                    seats.insert("calotype".to_owned(), Seat::start(&world, &words));
                    who = Some("calotype".to_owned());
                }
                Step::Types(name, line) => {
                    if let Some(name) = line.strip_prefix("/register ") {
                        let mut seat = seats.remove("calotype").unwrap();
                        seat.types("calotype", &line);
                        seats.insert(name.to_owned(), seat);
                        who = Some(name.to_owned());
                    } else if line.starts_with("/join ") {
                        // Whatever the README's code is: the one that Alice was told.
                        let code = seats["alice"].code().unwrap();
                        let seat = seats.get_mut("calotype").unwrap();
                        seat.types("calotype", &format!("/join {code}"));
                        who = Some(name);
                    } else {
                        let seat = seats.get_mut(&name).unwrap();
                        if line.starts_with("/filter ") || line == "/getImages" {
                            all_here(&seat.home, &world.path("run"));
                        }
                        seat.types(&name, &line);
                        who = Some(name);
                    }
                    typed += 1;
                }
                Step::Sees(line) if line.starts_with("Your name here") => {
                    let (question, name) = line.split_once(": ").unwrap();
                    let mut seat = seats.remove("calotype").unwrap();
                    seat.is_called(&format!("{question}:"), name);
                    seats.insert(name.to_owned(), seat);
                    who = Some(name.to_owned());
                    seen += 1;
                }
                Step::Sees(line) => {
                    seats.get_mut(who.as_ref().unwrap()).unwrap().sees(&line);
                    seen += 1;
                }
            }
        }
    }
    assert!(typed >= 12 && seen >= 30, "{typed} lines were typed, {seen} seen");
    assert_eq!(seats.keys().collect::<Vec<_>>(), ["alice", "bob", "carol"]);
    for (name, mut seat) in seats {
        assert!(
            !seat.person.screen.has(PASSWORD),
            "the password of {name} was shown"
        );
        seat.person.types("\x04");
        assert_eq!(seat.person.ends(), 0, "{name}");
    }
}

/// Waits as a person would, who sees that the bytes come.
fn all_here(home: &str, run: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calotype"));
    command
        .args(["--home", home, "sync", "--timeout", "30s"])
        .env("XDG_RUNTIME_DIR", run);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_varies_has_one_shape() {
    let same = |one: &str, other: &str| assert_eq!(shape(one), shape(other));
    same(
        "registered bob on 127.0.0.1:36497 (this device: 4f8a93e1)",
        "registered bob on 127.0.0.1:1 (this device: abcdefab)",
    );
    same("7-carpet-monkey-lamp", "12-zoo-able-abandon");
    same("  kodim01.png  736 kB  768×512", "  kodim01.png  9.2 kB  60×40");
    same(
        "calotype 0.1.0, home ~/.local/share/calotype/home. /help lists",
        "calotype 0.1.0, home /tmp/x/y/z. /help lists",
    );
    assert_ne!(shape("rated kodim01.png 5"), shape("rated kodim03.png 5"));
    assert_ne!(shape("alice is here"), shape("bob is here"));
}
