//! Homes that are moved, copied, and wanted by two processes.

use std::net::TcpListener;
use std::path::Path;
use std::time::SystemTime;

use crate::world::{Home, Up, World, copy, one_digest, wait_for};

fn replica(home: &Home<'_>) -> String {
    home.json(&["get-or-set"])["replica"].as_str().unwrap().to_owned()
}

/// Bob moves: another folder, and his port is taken. He is the same replica, and the others find him.
#[test]
fn a_moved_home_is_found_again() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    world
        .home("bob")
        .ok(&["add-image", "one.jpg", &"11".repeat(32), "5"]);
    let (address, before) = (peers[1].address(), replica(&world.home("bob")));
    assert_eq!(peers.remove(1).end(), 0);
    let _taken = TcpListener::bind(&address).unwrap();
    std::fs::rename(world.path("bob"), world.path("moved")).unwrap();
    let moved = world.home("moved").up(&[]);
    assert_ne!(moved.address(), address);
    world
        .home("moved")
        .ok(&["add-image", "two.jpg", &"22".repeat(32), "5"]);
    world
        .home("alice")
        .ok(&["add-image", "three.jpg", &"33".repeat(32), "5"]);
    world.sync(&["alice", "moved"]);
    assert_eq!(replica(&world.home("moved")), before);
    assert_eq!(world.home("moved").names().len(), 3);
}

/// Bob's home is copied, and both copies run: the same device twice. The copy notices that it is one and edits as a
/// replica of its own, so that no dot is used twice; both go on, and all that either does is kept.
#[test]
fn a_copied_home_becomes_another_replica_and_both_go_on() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    world
        .home("bob")
        .ok(&["add-image", "one.jpg", &"11".repeat(32), "5"]);
    world.sync(&["alice", "bob"]);
    assert_eq!(peers.remove(1).end(), 0);
    copy(&world.path("bob"), &world.path("twin"));
    let (bob, twin) = (world.home("bob").up(&[]), world.home("twin").up(&[]));
    for number in 0..3 {
        bob.control().add(&format!("bob-{number}.jpg")).unwrap();
        twin.control().add(&format!("twin-{number}.jpg")).unwrap();
    }
    assert_ne!(replica(&world.home("bob")), replica(&world.home("twin")));
    // One key, one link: of the two the later one has it, and gives it back when it ends.
    let alice = peers[0].control();
    one_digest(&[&alice, &twin.control()]);
    assert_eq!(twin.end(), 0);
    one_digest(&[&alice, &bob.control()]);
    assert_eq!(bob.end(), 0);
    let twin = world.home("twin").up(&[]);
    one_digest(&[&alice, &twin.control()]);
    assert_eq!(twin.control().names().len(), 7);
}

/// A second process on a home names the first, and touches nothing: no repair, no recovery, not a byte. Everything
/// else attaches to the one that runs.
#[test]
fn a_home_has_one_node() {
    let world = World::new();
    let alice = world.up("alice", &["--register"]);
    let before = state(&world.path("alice"));
    let second = world.home("alice").run(&["up"], "");
    assert_eq!(second.code, 1, "{second:?}");
    assert!(
        second.err.contains(&alice.pid().to_string()),
        "names the process: {second:?}"
    );
    assert_eq!(state(&world.path("alice")), before);
    assert_eq!(world.home("alice").json(&["status"])["pid"], alice.pid());
}

/// Each file with its length and the time of its last change.
fn state(dir: &Path) -> Vec<(String, u64, SystemTime)> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let mut all: Vec<_> = entries
        .map(|entry| {
            let about = entry.metadata().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, about.len(), about.modified().unwrap())
        })
        .collect();
    all.sort();
    all
}

/// A process that was killed leaves its ready file. The next one takes it away before it does anything that may take
/// long, here to wait for a central that does not answer: whoever reads the file reads of a living process or nothing. A
/// process that may not have the home leaves it alone.
#[test]
fn a_ready_file_speaks_of_the_living() {
    let world = World::new();
    let file = world.path("alice.ready");
    std::fs::write(&file, "{}").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let central = silent.local_addr().unwrap().to_string();
    let home = world.home("alice");
    let words = [
        "up",
        "--user",
        "alice",
        "--password-file",
        "pw",
        "--register",
        "--ready-file",
        "alice.ready",
    ];
    let mut waiting = home.command(&[&words[..], &["--central", &central]].concat());
    let waiting = Up::not_ready(waiting.spawn().unwrap());
    wait_for("the old file to go", || (!file.exists()).then_some(()));
    assert_eq!(
        home.json(&["status"])["pid"],
        waiting.pid(),
        "before anything else"
    );
    std::fs::write(&file, "{}").unwrap();
    assert_eq!(home.run(&words, "").code, 1);
    assert!(file.exists(), "not his to take");
}
