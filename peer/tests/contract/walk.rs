//! A walk over all commands, as the definition of the command line lists them: each has a call that works and one that
//! fails, whose JSON, text and exit code are golden.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::calls::{CALLS, Call, Good, LINES};
use crate::redact::Redact;
use crate::world::{Home, PATIENCE, Run, World, wait_for};

/// Where the golden texts are, beside this file.
const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/goldens");

fn names(calls: &[Call]) -> BTreeSet<String> {
    calls.iter().map(|call| call.name.to_owned()).collect()
}

fn of_clap(command: &clap::Command) -> BTreeSet<String> {
    command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
}

/// A command that is added without its calls is seen here, and so is one that went and left its calls or goldens.
#[test]
fn every_command_has_its_calls_and_goldens() {
    let (shell, prompt) = (of_clap(&peer::cmd::shell()), of_clap(&peer::cmd::prompt()));
    let mine = prompt.difference(&shell).cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        names(CALLS),
        shell,
        "left: the calls of calls.rs; right: the commands of the shell"
    );
    assert_eq!(
        names(LINES),
        mine,
        "left: the lines of calls.rs; right: the prompt's own commands"
    );
    assert_eq!(
        CALLS.len() + LINES.len(),
        shell.len() + mine.len(),
        "one call each"
    );
    let goldens: BTreeSet<String> = std::fs::read_dir(GOLDENS)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let wanted = shell.union(&mine).map(|name| format!("{name}.snap")).collect();
    assert_eq!(
        goldens, wanted,
        "left: the files in {GOLDENS}; right: one a command"
    );
}

/// Every command works, prints one object with `--json`, and fails as it should: with the same message, why and remedy
/// in words and in JSON, and the exit code of its kind.
#[test]
fn every_command_works_and_fails_as_its_golden_says() {
    let world = World::new();
    let up = world.up("alice", &["--register"]);
    let bob_up = world.up("bob", &["--register"]);
    world.image("a.bmp", 1);
    world.image("b.bmp", 2);
    std::fs::write(world.path("notes.txt"), "no picture").unwrap();
    std::fs::write(world.path("wrong"), "not the password\n").unwrap();
    viewer(&world.path("bin"));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(GOLDENS);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut wrong = Vec::new();
    for call in CALLS.iter().chain(LINES) {
        let mut redact = Redact::new(&world.path(""));
        let story = Story {
            world: &world,
            home: world.home(call.home),
            call,
        };
        let golden = format!("{}{}", story.good(&mut redact), story.bad(&mut redact));
        // All of them are seen before the test fails.
        let seen = settings.bind(|| std::panic::catch_unwind(|| insta::assert_snapshot!(call.name, golden)));
        wrong.extend(seen.err().map(|_| call.name));
    }
    assert_eq!(wrong, [""; 0], "their goldens differ");
    assert_eq!((up.end(), bob_up.end()), (0, 0));
}

/// Something that shows images.
fn viewer(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for name in ["xdg-open", "open"] {
        std::fs::write(folder.join(name), "#!/bin/sh\ntest -s \"$1\"\n").unwrap();
        std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
}

struct Story<'a> {
    world: &'a World,
    home: Home<'a>,
    call: &'a Call,
}

impl Story<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut path = vec![self.world.path("bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command = self.home.command(words);
        command.env("PATH", std::env::join_paths(path).unwrap());
        command
    }

    /// A command of the shell by its words, one of the prompt as a script.
    fn run(&self, words: &[&str]) -> Run {
        if LINES.iter().any(|line| line.name == self.call.name) {
            return self
                .home
                .run(&[], &format!("/{} {}\n", self.call.name, words.join(" ")));
        }
        let output = self
            .command(&[&[self.call.name], words].concat())
            .output()
            .unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn shown(&self, words: &[&str]) -> String {
        format!("$ {} {}", self.call.name, words.join(" "))
            .trim_end()
            .to_owned()
            + "\n"
    }

    fn good(&self, redact: &mut Redact) -> String {
        let (words, value) = match &self.call.good {
            Good::Prints(words) => {
                let words = [words, &["--json"][..]].concat();
                let run = self.run(&words);
                assert_eq!(
                    (run.code, run.err.as_str()),
                    (0, ""),
                    "{}: {run:?}",
                    self.call.name
                );
                (words, one_object(&run.out))
            }
            Good::Streams(words) => {
                let words = [words, &["--json"][..]].concat();
                (words.clone(), self.first_line(&words))
            }
            Good::Serves(words) => {
                let file = self.world.path("serves.ready");
                let words = [words, &["--ready-file", "serves.ready"][..]].concat();
                (words.clone(), self.ready(&words, &file))
            }
            Good::Elsewhere(where_) => return format!("({where_})\n\n"),
        };
        let json = value.map_or("nothing".to_owned(), |value| redact.json(value));
        format!("{}{json}\n\n", self.shown(&words))
    }

    fn bad(&self, redact: &mut Redact) -> String {
        let words = self.call.bad;
        let (text, json) = (self.run(words), self.run(&[words, &["--json"]].concat()));
        assert_ne!(text.code, 0, "{}: {text:?}", self.call.name);
        assert_eq!((text.code, json.err.as_str()), (json.code, ""), "{json:?}");
        assert!(text.err.starts_with("error: ") && text.out.is_empty(), "{text:?}");
        let value = one_object(&json.out).unwrap();
        let error = &value["error"];
        let (message, hint) = (
            error["message"].as_str().unwrap(),
            error["hint"].as_str().unwrap(),
        );
        assert!(
            !message.is_empty() && !hint.is_empty(),
            "{}: {error}",
            self.call.name
        );
        assert!(
            text.err.contains(message) && text.err.contains(hint),
            "{text:?} is not {error}"
        );
        let code: peer::api::Code = serde_json::from_value(error["code"].clone()).unwrap();
        assert_eq!(i32::from(code.exit()), text.code, "{error}");
        let (text, json) = (redact.text(&text.err), redact.json(value.clone()));
        format!("{}{text}{json}\nexit {}\n", self.shown(words), code.exit())
    }

    /// Bob's words until they are heard: the first ones may be said before somebody listens.
    fn first_line(&self, words: &[&str]) -> Option<Value> {
        let mut command = self.command(&[&[self.call.name], words].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = std::thread::spawn(move || {
            let mut notices = lines.map(|line| one_object(&(line.unwrap() + "\n")).unwrap());
            notices.find(|notice| notice["kind"] == "chat")
        });
        while !heard.is_finished() {
            self.home.ok(&["say", "heard"]);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        heard.join().unwrap()
    }

    /// What stands in the ready file once the process serves; then it is told to end, and ends with 0.
    fn ready(&self, words: &[&str], file: &PathBuf) -> Option<Value> {
        let mut command = self.command(&[&[self.call.name], words].concat());
        let mut child: Child = command.stderr(Stdio::null()).spawn().unwrap();
        let value = wait_for("the ready file", || {
            assert!(child.try_wait().unwrap().is_none(), "{} ended", self.call.name);
            Some(serde_json::from_str::<Value>(&std::fs::read_to_string(file).ok()?).unwrap())
        });
        assert_eq!(value["pid"], child.id());
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0));
                return Some(value);
            }
            std::thread::yield_now();
        }
        panic!("{} does not end", self.call.name);
    }
}

/// `"schema":1` and the rest, on one line; none where nothing is printed.
fn one_object(line: &str) -> Option<Value> {
    if line.is_empty() {
        return None;
    }
    assert!(
        line.starts_with("{\"schema\":1") && line.ends_with("}\n"),
        "{line}"
    );
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    Some(serde_json::from_str(line).unwrap())
}
