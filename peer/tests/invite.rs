//! Invites: real processes, and between the people nothing but a code.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod world;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use world::{Home, Run, World, wait_for};

/// A code for `trip`.
fn code(home: &Home<'_>, role: &str) -> String {
    let made = home.json(&["invite", "trip", "--role", role]);
    made["code"].as_str().unwrap().to_owned()
}

/// A newcomer types the code in a home of his own.
fn join(world: &World, user: &str, code: &str, more: &[&str]) -> Run {
    let words = ["join", code, "--user", user, "--password-file", "pw"];
    world.home(user).run(&[&words[..], more].concat(), "")
}

fn states(home: &Home<'_>) -> Vec<String> {
    let listed = home.json(&["invites"]);
    let invites = listed["invites"].as_array().unwrap();
    let states = invites
        .iter()
        .map(|one| one["state"].as_str().unwrap().to_owned());
    states.collect()
}

fn members(home: &Home<'_>) -> Vec<String> {
    let listed = home.json(&["members"]);
    let members = listed["members"].as_array().unwrap();
    let mut all: Vec<String> = members
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one["user"].as_str().unwrap(),
                one["role"].as_str().unwrap()
            )
        })
        .collect();
    all.sort();
    all
}

/// Bob has a new home and a code: one command makes his account, brings him in and shows him all images. The code is good
/// once; a word that no code has is refused before anything is sent.
#[test]
fn a_code_is_all_that_a_newcomer_needs() {
    let world = World::new();
    let _alice = world.trip(&["alice"]);
    let alice = world.home("alice");
    world.image("a.bmp", 1);
    world.image("b.bmp", 2);
    alice.ok(&["add-image", "a.bmp", "b.bmp"]);
    let shown = alice.run(&["invite", "trip"], "");
    let code = shown.out.trim();
    assert_eq!(code.split('-').count(), 4, "{shown:?}");
    assert!(shown.err.contains(&format!("calotype join {code}")), "{shown:?}");

    let typo = format!("{code}x");
    let run = join(&world, "bob", &typo, &[]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("did you mean"), "{run:?}");

    let spoken = code.to_uppercase().replace('-', " ");
    let run = join(&world, "bob", &spoken, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out
            .contains("joined trip of alice, invited by alice: 2 images, 2 members"),
        "{run:?}"
    );
    assert!(
        run.out.contains("you are contributor: you may add images"),
        "{run:?}"
    );
    let bob = world.home("bob");
    assert_eq!(bob.names(), ["a.bmp", "b.bmp"]);
    assert_eq!(members(&alice), ["alice owner", "bob contributor"]);
    assert_eq!(states(&alice), ["used"]);
    assert_eq!(alice.json(&["invites"])["invites"][0]["user"], "bob");

    let run = join(&world, "carol", code, &[]);
    assert_eq!(run.code, 4, "{run:?}");
    // Bob may not invite; and what Alice took back lets nobody in.
    let run = bob.run(&["invite", "trip"], "");
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.err.contains("needs the role curator"), "{run:?}");
    let taken_back = self::code(&alice, "viewer");
    let number = taken_back.split('-').next().unwrap();
    alice.ok(&["invite", "--cancel", number]);
    let run = join(&world, "carol", &taken_back, &[]);
    assert_eq!(run.code, 4, "{run:?}");
    // Nor does it make an account.
    assert_eq!(world.home("carol").run(&["recovery-words"], "").code, 3);
    assert_eq!(states(&alice), ["used", "closed"]);
}

/// Alice made the codes and went away. Carol, whom she made curator, lets Bob in, after a restart of the central; the
/// code for a curator waits until Alice is back.
#[test]
fn others_let_in_while_the_inviter_is_away() {
    let world = World::new();
    let alice = world.trip(&["alice"]).remove(0);
    let home = world.home("alice");
    let run = join(&world, "carol", &code(&home, "curator"), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let carol = world.up("carol", &[]);
    world.sync(&["alice", "carol"]);
    let (for_bob, for_dora) = (code(&home, "contributor"), code(&home, "curator"));
    // With her goes the central that her process served; Carol's takes its place.
    alice.kill();
    // A central that is not there costs nothing, and is not asked again.
    let run = join(&world, "bob", &format!("{for_bob}@127.0.0.1:1"), &[]);
    assert_eq!(run.code, 6, "{run:?}");
    let run = join(&world, "bob", &for_bob, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("invited by alice"), "{run:?}");
    assert_eq!(
        members(&world.home("carol")),
        ["alice owner", "bob contributor", "carol curator"]
    );
    let run = join(&world, "dora", &for_dora, &["--timeout", "2s"]);
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.err.contains("the code stays good"), "{run:?}");

    let _alice = world.up("alice", &[]);
    let run = world.home("dora").run(&["join", &for_dora], "");
    assert_eq!(run.code, 0, "{run:?}");
    world.sync(&["alice", "carol"]);
    assert_eq!(members(&home).len(), 4);
    assert!(members(&home).contains(&"dora curator".to_owned()));
    drop(carol);
}

/// Mallory knows the number and guesses the words, while Alice is away. The guess costs the code: the right words are
/// worth nothing afterwards, and Alice is told when she comes back.
#[test]
fn a_wrong_guess_uses_the_code_up() {
    let world = World::new();
    let alice = world.trip(&["alice"]).remove(0);
    let home = world.home("alice");
    assert_eq!(join(&world, "carol", &code(&home, "curator"), &[]).code, 0);
    let _carol = world.up("carol", &[]);
    world.sync(&["alice", "carol"]);
    let right = code(&home, "viewer");
    alice.end();
    // Carol's process serves the central now, and goes on when Mallory's ends.
    let carol = world.home("carol");
    let central = wait_for("carol's central", || {
        let status = carol.json(&["status"]);
        (status["central"] == "connected").then(|| status["central_address"].as_str().unwrap().to_owned())
    });
    let number = right.split('-').next().unwrap();
    let mut guess = format!("{number}-abandon-ability-able");
    if guess == right {
        guess = format!("{number}-able-ability-abandon");
    }
    let run = join(&world, "mallory", &format!("{guess}@{central}"), &[]);
    assert_eq!(run.code, 3, "{run:?}");
    let run = join(&world, "bob", &right, &[]);
    assert_eq!(run.code, 4, "{run:?}");

    let _alice = world.up("alice", &[]);
    wait_for("the code to be burnt", || {
        (states(&home) == ["used", "burnt"]).then_some(())
    });
    let mut watch = home
        .command(&["watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut news = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let burnt = news.find(|news| news["kind"] == "code-burnt").unwrap();
    assert_eq!(burnt["number"].to_string(), number);
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(members(&home), ["alice owner", "carol curator"]);
}

/// Two people got the same code and type it at the same moment: one is in, the other is told that it is used up.
#[test]
fn two_at_once_are_one_member() {
    let world = World::new();
    let _alice = world.trip(&["alice"]);
    let home = world.home("alice");
    let code = code(&home, "contributor");
    let mut codes: Vec<i32> = std::thread::scope(|scope| {
        let each = ["bob", "carol"].map(|user| {
            let (world, code) = (&world, &code);
            scope.spawn(move || join(world, user, code, &[]).code)
        });
        each.map(|one| one.join().unwrap()).to_vec()
    });
    codes.sort_unstable();
    assert_eq!(codes, [0, 4]);
    assert_eq!(members(&home).len(), 2);
}
