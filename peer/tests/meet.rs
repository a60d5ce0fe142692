//! Why two peers do not meet: what `doctor` says of each cause, seen on real processes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::time::{Duration, Instant};

use serde_json::Value;
use world::central::Central;
use world::{Home, World, wait_for};

/// What the doctor may take.
const BOUND: Duration = Duration::from_secs(10);

/// Exit code, findings as `check/kind`, and all it said.
fn doctor(home: &Home<'_>) -> (i32, Vec<String>, Value) {
    let begun = Instant::now();
    let run = home.run(&["doctor", "--json"], "");
    assert!(
        begun.elapsed() < BOUND + Duration::from_secs(5),
        "a busy machine may add a little"
    );
    assert_eq!(run.err, "");
    let said: Value = serde_json::from_str(&run.out).unwrap();
    let findings = said["findings"].as_array().unwrap().iter();
    let word = |it: &Value| {
        format!(
            "{}/{}",
            it["check"].as_str().unwrap(),
            it["kind"].as_str().unwrap()
        )
    };
    let findings: Vec<String> = findings.map(word).collect();
    assert_eq!(said["healthy"], findings.is_empty());
    assert_eq!(run.code == 0, findings.is_empty(), "{said}");
    (run.code, findings, said)
}

/// Waits until the doctor finds just this.
fn finds(home: &Home<'_>, expect: &[&str]) -> Value {
    wait_for(&format!("{expect:?}"), || {
        let (code, findings, said) = doctor(home);
        (findings == expect).then(|| {
            assert_eq!(code, if expect.is_empty() { 0 } else { 7 });
            said
        })
    })
}

/// Alice asks each time that something is wrong: bob is away, blocked, and back; the central is down, back with another
/// key, trusted, and then all is well again.
#[test]
fn each_cause_is_found_and_nothing_else() {
    let world = World::new();
    let central = Central::start(&world, "served", "127.0.0.1:0");
    let address = central.address.clone();
    let at = ["--central", address.as_str()];
    let up = |user: &str| world.up(user, &[&at[..], &["--register"]].concat());
    let (_alice, bob) = (up("alice"), up("bob"));
    let (alice, bobs) = (world.home("alice"), world.home("bob"));
    alice.ok(&["create-album", "trip"]);
    let said = finds(&alice, &[]);
    assert!(said["well"].to_string().contains("logged in as alice"), "{said}");
    alice.ok(&["add-user", "bob"]);
    bobs.ok(&["enter-album", "trip"]);
    world.sync(&["alice", "bob"]);
    finds(&alice, &[]);

    let where_ = bob.address();
    bob.kill();
    let said = finds(&alice, &["member/away"]);
    let away = &said["findings"][0];
    assert_eq!(away["about"], "bob");
    assert!(away["what"].as_str().unwrap().contains(&where_), "{away}");
    assert!(away["why"].as_str().unwrap().contains("last linked"), "{away}");
    let text = alice.run(&["doctor"], "");
    assert!(
        text.out.contains("why: ") && text.out.contains("do:  ask bob"),
        "{text:?}"
    );
    assert_eq!(
        text.err,
        "error: one thing was found\nhint: each says what to do\n"
    );

    let _bob = world.up("bob", &at);
    finds(&alice, &[]);
    alice.ok(&["block", "bob"]);
    let said = finds(&alice, &["member/blocked"]);
    assert_eq!(said["findings"][0]["next"], "/unblock bob");
    // From the other side it looks like a door that shuts without a word.
    finds(&bobs, &["member/unwelcome"]);
    alice.ok(&["unblock", "bob"]);
    finds(&alice, &[]);

    central.kill();
    let said = finds(&alice, &["central/away"]);
    assert_eq!(said["findings"][0]["about"], address.as_str());
    let other = Central::start(&world, "other", &address);
    finds(&alice, &["key/central"]);
    let words: Vec<&str> = other.words.split(' ').collect();
    for home in [&alice, &bobs] {
        home.ok(&[&["central", "trust"], &words[..]].concat());
    }
    finds(&alice, &[]);
    finds(&bobs, &[]);
}

/// A home that has nobody, and one whose person is logged out: the doctor opens it itself, and says what comes first.
#[test]
fn a_home_without_a_person_is_told_to_register() {
    let world = World::new();
    let nobody = world.home("nobody");
    let (code, findings, said) = doctor(&nobody);
    assert_eq!(
        (code, &findings[..]),
        (7, &["account/nobody".to_owned()][..]),
        "{said}"
    );
    assert_eq!(said["findings"][0]["next"], "/register NAME");
    let alice = world.home("alice");
    alice.ok(&["register", "alice", "--password-file", "pw"]);
    finds(&alice, &[]);
    alice.ok(&["logout"]);
    finds(&alice, &["account/logged-out"]);
}
