//! Manual pages and completions: one for every command, taken by the programs that read them.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::world::World;

/// Every command, and every command inside one, as in `config show`.
fn commands() -> Vec<Vec<String>> {
    fn add(command: &clap::Command, words: &[String], all: &mut Vec<Vec<String>>) {
        for inner in command.get_subcommands() {
            let words = [words, &[inner.get_name().to_owned()]].concat();
            add(inner, &words, all);
            all.push(words);
        }
    }
    let mut all = Vec::new();
    add(&peer::cmd::shell(), &[], &mut all);
    all
}

/// A program that takes a text, where this machine has it: whether it took it, and what it said.
fn taken(program: &str, words: &[&str], text: &str) -> Option<(bool, String)> {
    let mut child = Command::new(program)
        .args(words)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    // One that ends before it reads all is seen by its exit code.
    let writer = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// `man DIR` writes a page for each; each has its name, its words, its example and its flags, and roff finds no fault.
#[test]
fn every_command_has_a_manual_page() {
    let world = World::new();
    let home = world.home("alice");
    assert_eq!(
        home.ok(&["man", "pages"]),
        format!(
            "wrote {} pages into {}\n",
            commands().len() + 1,
            world.path("pages").display()
        )
    );
    assert!(!world.path("alice").exists(), "no home is made");
    let read = |name: &str| std::fs::read_to_string(world.path("pages").join(name)).unwrap();
    let mut all = read("calotype.1");
    assert!(
        all.contains(".SH EXAMPLES") && all.contains("calotype\\-add\\-image(1)"),
        "{all}"
    );
    for words in commands() {
        let text = read(&format!("calotype-{}.1", words.join("-")));
        for part in [
            ".TH calotype",
            ".SH NAME\n",
            ".SH SYNOPSIS\n",
            ".SH DESCRIPTION\n",
            ".SH OPTIONS\n",
        ] {
            assert!(text.contains(part), "{words:?} lacks {part}");
        }
        assert!(words.len() > 1 || text.contains(".SH EXAMPLES\n"), "{words:?}");
        all.push_str(&text);
    }
    for page in std::fs::read_dir(world.path("pages")).unwrap() {
        let text = std::fs::read_to_string(page.unwrap().path()).unwrap();
        let Some((took, said)) = taken("groff", &["-man", "-Tutf8", "-ww", "-z"], &text) else {
            break;
        };
        assert!(took && said.is_empty(), "{said}\nof\n{text}");
    }
    // Without a folder the same goes to stdout, calotype(1) first.
    let printed = home.ok(&["man"]);
    assert!(printed.starts_with(&read("calotype.1")) && printed.len() == all.len());
    assert_eq!(
        home.json(&["man"])["pages"].as_array().unwrap().len(),
        commands().len() + 1
    );
}

/// Each shell's script names every command; bash loads its own and completes with it.
#[test]
fn every_command_is_completed() {
    let home_of = World::new();
    let home = home_of.home("alice");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.ok(&["completions", shell]);
        for words in commands() {
            assert!(
                script.contains(words.last().unwrap().as_str()),
                "{shell} lacks {words:?}"
            );
        }
        assert_eq!(home.json(&["completions", shell])["script"], script.as_str());
        let check = match shell {
            "zsh" => taken("zsh", &["-n"], &script),
            "fish" => taken("fish", &["--no-execute"], &script),
            _ => None,
        };
        assert!(
            check.is_none_or(|(took, said)| took && said.is_empty()),
            "{shell}"
        );
    }
    let ask = "COMP_WORDS=(calotype get-); COMP_CWORD=1; _calotype calotype get- calotype; echo \"${COMPREPLY[@]}\"\n\
               COMP_WORDS=(calotype rate-image --pass); COMP_CWORD=2; _calotype calotype --pass rate-image; echo \"${COMPREPLY[@]}\"";
    let script = format!("{}\n{ask}\n", home.ok(&["completions", "bash"]));
    if let Some((took, said)) = taken("bash", &["--norc", "-s"], &script) {
        assert!(took, "{said}");
        assert_eq!(
            said,
            "get-images get-metadata get-or-set\n--password-file --password-stdin\n"
        );
    }
}
