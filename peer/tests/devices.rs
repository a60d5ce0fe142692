//! A person with several machines, all real processes: a second one, a lost one, a stolen one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use serde_json::Value;
use world::{Home, World, wait_for};

/// An `approve-device` that waits.
struct Approval {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    err: ChildStderr,
    code: String,
}

impl Approval {
    fn begin(home: &Home<'_>) -> Self {
        let mut child = home
            .command(&["approve-device", "--json", "--password-file", "pw"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = child.stderr.take().unwrap();
        let line = lines.next().expect("a code").unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["user"], "alice");
        let code = told["code"].as_str().unwrap().to_owned();
        Self {
            child,
            lines,
            err,
            code,
        }
    }

    /// Its exit code, and what it told at last, on either stream.
    fn ends(mut self) -> (i32, String) {
        let told: Vec<String> = self.lines.map(Result::unwrap).collect();
        let said = std::io::read_to_string(&mut self.err).unwrap();
        let status = self.child.wait().unwrap();
        (status.code().unwrap(), told.join("\n") + &said)
    }
}

/// The 24 words of the account in this home, in a file.
fn words(world: &World, home: &Home<'_>) -> String {
    let shown = home.json(&["recovery-words", "--password-file", "pw"]);
    let words = shown["recovery_words"].as_str().unwrap().to_owned();
    assert_eq!(words.split(' ').count(), 24);
    std::fs::write(world.path("words"), &words).unwrap();
    words
}

/// Makes a home another device of alice.
fn recover<'a>(world: &'a World, name: &str) -> Home<'a> {
    let home = world.home(name);
    let recovered = home.json(&[
        "recover",
        "alice",
        "--words-file",
        "words",
        "--password-file",
        "pw",
    ]);
    assert_eq!(recovered["label"], name);
    home
}

/// The entry of a device, by its label.
fn entry(shown: &Value, list: &str, label: &str) -> Option<Value> {
    let entries = shown[list].as_array().unwrap();
    entries.iter().find(|entry| entry["label"] == label).cloned()
}

/// Alice has a desk and a laptop. They are one member with one rating; they link with each other and with Bob, and each
/// of them alone keeps up with him, and they with each other when he is away.
#[test]
fn two_machines_of_one_person() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let (desk, bob) = (world.home("alice"), world.home("bob"));
    world.image("a.bmp", 1);
    world.image("b.bmp", 2);
    world.image("c.bmp", 3);
    desk.ok(&["add-image", "a.bmp"]);
    desk.ok(&["rate-image", "a.bmp", "2"]);
    words(&world, &desk);
    let laptop = recover(&world, "laptop");
    let laptop_up = laptop.up(&[]);
    assert_eq!(laptop_up.ready["user"], "alice");
    assert_eq!(laptop_up.ready["album"], "trip");
    world.sync(&["alice", "laptop", "bob"]);
    assert_eq!(laptop.names(), ["a.bmp"]);
    laptop.ok(&["rate-image", "a.bmp", "4"]);
    laptop.ok(&["add-image", "b.bmp"]);
    world.sync(&["alice", "laptop", "bob"]);
    let image = &bob.json(&["get-images"])["images"][0];
    assert_eq!(
        (&image["rating"]["count"], &image["rating"]["mean"]),
        (&1.into(), &4.0.into())
    );
    assert_eq!(desk.json(&["get-images"])["images"][0]["rating"]["mine"], 4);
    let members = bob.json(&["members"]);
    assert_eq!(members["members"].as_array().unwrap().len(), 2);
    // Each is told which of Alice's machines it is; who has one machine needs no name for it.
    let mine = wait_for("a link between the two", || {
        entry(&desk.json(&["peers"]), "peers", "laptop").filter(|peer| peer["state"] == "linked")
    });
    assert_eq!(mine["user"], "alice");
    wait_for("both of them at Bob's", || {
        let shown = bob.json(&["peers"]);
        entry(&shown, "peers", "laptop").and_then(|_| entry(&shown, "peers", "alice"))
    });
    let text = desk.ok(&["peers"]);
    assert!(text.contains("alice (laptop)") && text.contains("bob ") && !text.contains("bob ("));
    let actors = |home: &Home<'_>| home.json(&["get-or-set"])["clock"].as_object().unwrap().len();
    assert_eq!((actors(&desk), actors(&bob)), (2, 2));
    // Bob is away: the two have each other.
    assert_eq!(peers.pop().unwrap().end(), 0);
    desk.ok(&["add-image", "c.bmp"]);
    world.sync(&["alice", "laptop"]);
    assert_eq!(laptop.names(), ["a.bmp", "b.bmp", "c.bmp"]);
    let devices = desk.json(&["devices"]);
    assert_eq!(devices["devices"][0]["here"], true);
    let other = entry(&devices, "devices", "laptop").unwrap();
    assert_eq!(
        (&other["online"], &other["revoked"]),
        (&true.into(), &false.into())
    );
}

/// Alice has a new laptop, and her desk at hand. The desk makes a code, the laptop types it: the same member, with the same
/// album, password and words. The code is good once. Of the next one Mallory knows the number: his guess costs the code, the
/// right words are worth nothing after it, and the desk says so.
#[test]
fn a_second_machine_by_a_code() {
    let world = World::new();
    let _up = world.trip(&["alice"]);
    let desk = world.home("alice");
    world.image("a.bmp", 1);
    desk.ok(&["add-image", "a.bmp"]);
    std::fs::write(world.path("wrong"), "another\n").unwrap();
    let run = desk.run(&["approve-device", "--password-file", "wrong"], "");
    assert_eq!(run.code, 3, "{run:?}");
    // Who has the password and no key here is told how to get one.
    let laptop = world.home("laptop");
    let run = laptop.run(&["login", "alice", "--password-file", "pw"], "");
    assert_eq!(run.code, 3, "{run:?}");
    assert!(
        run.err.contains("approve-device") && run.err.contains("link CODE"),
        "{run:?}"
    );

    let approval = Approval::begin(&desk);
    let used = approval.code.clone();
    // The wrong command costs the code nothing, and makes no account.
    let run = laptop.run(&["join", &used, "--user", "bob", "--password-file", "pw"], "");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err.contains("it is still good: calotype link CODE"),
        "{run:?}"
    );
    let run = laptop.run(&["link", &used.to_uppercase().replace('-', " ")], "");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("a device of alice now: laptop"), "{run:?}");
    assert!(run.out.contains("1 album: trip"), "{run:?}");
    let (code, told) = approval.ends();
    assert_eq!(code, 0, "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["label"], "laptop");
    let _laptop_up = laptop.up(&[]);
    world.sync(&["alice", "laptop"]);
    assert_eq!(laptop.names(), ["a.bmp"]);
    let members = laptop.json(&["members"]);
    assert_eq!(members["members"].as_array().unwrap().len(), 1);
    let devices = desk.json(&["devices"]);
    assert_eq!(
        entry(&devices, "devices", "laptop").unwrap()["device"],
        told["device"]
    );
    let first = words(&world, &desk);
    assert_eq!(words(&world, &laptop), first);

    let mallory = world.home("mallory");
    let run = mallory.run(&["link", &used], "");
    assert_eq!(run.code, 4, "{run:?}");
    // The new machine has all that it takes to make the next one.
    let approval = Approval::begin(&laptop);
    let right = approval.code.clone();
    let run = desk.run(&["link", &right], "");
    assert!(
        run.code != 0 && run.err.contains("belongs to alice already"),
        "{run:?}"
    );
    let number = right.split('-').next().unwrap();
    let mut guess = format!("{number}-abandon-ability-able");
    if guess == right {
        guess = format!("{number}-able-ability-abandon");
    }
    let run = mallory.run(&["link", &guess], "");
    assert_eq!(run.code, 3, "{run:?}");
    let (code, told) = approval.ends();
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("the code is burnt"), "{told}");
    let run = world.home("third").run(&["link", &right], "");
    assert_eq!(run.code, 4, "{run:?}");
    assert_eq!(desk.json(&["devices"])["devices"].as_array().unwrap().len(), 2);
}

/// Alice's only machine falls into the sea. With the words she wrote down she is herself again on a new one: Bob's peer
/// brings the album, the stars in it are hers, the old password is worth nothing any more.
#[test]
fn a_lost_machine() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let desk = world.home("alice");
    world.image("a.bmp", 1);
    desk.ok(&["add-image", "a.bmp"]);
    desk.ok(&["rate-image", "a.bmp", "5"]);
    world.sync(&["alice", "bob"]);
    let words = words(&world, &desk);
    peers.remove(0).kill();
    std::fs::remove_dir_all(world.path("alice")).unwrap();

    let new = world.home("new");
    std::fs::write(world.path("new-pw"), "another password\n").unwrap();
    let line = ["recover", "alice", "--password-file", "new-pw"];
    let misspelt = words.replacen(words.split(' ').next().unwrap(), "calotype", 1);
    let run = new.run(&line, &misspelt);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("word 1, \"calotype\""), "{run:?}");
    let run = new.run(&["recover", "bob", "--password-file", "new-pw"], &words);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("no account bob of these words"), "{run:?}");
    let run = new.run(&line, &words);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("1 album: trip"), "{run:?}");
    let _up = new.up(&[]);
    world.sync(&["new", "bob"]);
    let image = &new.json(&["get-images"])["images"][0];
    assert_eq!(
        (&image["name"], &image["rating"]["mine"]),
        (&"a.bmp".into(), &5.into())
    );
    assert_eq!(image["author"], "alice");
    let login = |password: &str| new.run(&["login", "alice", "--password-file", password], "").code;
    assert_eq!((login("pw"), login("new-pw")), (3, 0));
    // The words are the same as before, under the new password.
    assert_eq!(
        new.json(&["recovery-words", "--password-file", "new-pw"])["recovery_words"],
        words
    );
    // Another home of hers is not touched by it.
    let again = new.run(&line, &words);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("a device of alice already"), "{again:?}");
}

/// Alice's laptop is stolen while her desk is off. The thief adds a picture, which Bob takes in good faith. Then the desk
/// revokes the laptop: the picture is held on both sides, alike. From then on nobody links with the thief, the central
/// neither, and the laptop's own program says so. What the laptop had written before, and the desk had seen, stays.
#[test]
fn a_stolen_machine() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let (desk, bob) = (world.home("alice"), world.home("bob"));
    for (name, seed) in [("a.bmp", 1), ("stolen.bmp", 2), ("more.bmp", 3), ("after.bmp", 4)] {
        world.image(name, seed);
    }
    words(&world, &desk);
    let laptop = recover(&world, "laptop");
    let laptop_up = laptop.up(&[]);
    laptop.ok(&["add-image", "a.bmp"]);
    world.sync(&["alice", "laptop", "bob"]);
    let laptop_key = entry(&desk.json(&["devices"]), "devices", "laptop").unwrap()["device"].clone();

    assert_eq!(peers.remove(0).end(), 0);
    laptop.ok(&["add-image", "stolen.bmp"]);
    world.sync(&["laptop", "bob"]);
    assert_eq!(bob.names(), ["a.bmp", "stolen.bmp"]);
    assert_eq!((laptop_up.end(), peers.remove(0).end()), (0, 0));

    let unsure = desk.run(&["revoke-device", "laptop", "--password-file", "pw"], "");
    assert_eq!(unsure.code, 2, "{unsure:?}");
    std::fs::write(world.path("wrong"), "not the password\n").unwrap();
    let wrong = desk.run(
        &["revoke-device", "laptop", "--yes", "--password-file", "wrong"],
        "",
    );
    assert_eq!(wrong.code, 3, "{wrong:?}");
    let itself = desk.run(&["revoke-device", "alice", "--yes", "--password-file", "pw"], "");
    assert_eq!(itself.code, 2, "{itself:?}");
    let revoke = ["revoke-device", "laptop", "--yes", "--password-file", "pw"];
    let revoked = desk.json(&revoke);
    assert_eq!(revoked["device"], laptop_key);
    assert_eq!(
        (&revoked["albums"][0], &revoked["announced"]),
        (&"trip".into(), &true.into())
    );

    let desk_up = desk.up(&[]);
    let bob_up = bob.up(&[]);
    world.sync(&["alice", "bob"]);
    for home in [&desk, &bob] {
        assert_eq!(home.names(), ["a.bmp"]);
    }
    let digest = bob.digest();

    // The thief keeps his program from the central, so that it is not told, and knows where Bob is.
    let thief = laptop.up(&["--central", "127.0.0.1:1"]);
    laptop.ok(&["add-image", "more.bmp", "--no-sync"]);
    wait_for("Bob's no", || {
        let refused = bob.json(&["status"])["refused"]["unknown_key"].as_u64();
        (refused > Some(0)).then_some(())
    });
    let state = |home: &Home<'_>, label: &str| entry(&home.json(&["peers"]), "peers", label);
    assert!(state(&bob, "laptop").is_none_or(|peer| peer["state"] != "linked"));
    assert_eq!((bob.digest(), desk.digest()), (digest.clone(), digest));
    assert_eq!(thief.end(), 0);

    // An honest start: the central shows the root's word, and the program says so.
    let _up = laptop.up(&[]);
    wait_for("the news of the revocation", || {
        (laptop.json(&["status"])["revoked"] == true).then_some(())
    });
    let run = laptop.run(&["add-image", "after.bmp"], "");
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.err.contains("revoked"), "{run:?}");
    assert_eq!(laptop.names(), ["a.bmp", "stolen.bmp", "more.bmp"]);

    let devices = desk.json(&["devices"]);
    let gone = entry(&devices, "devices", "laptop").unwrap();
    assert_eq!(
        (&gone["revoked"], &gone["online"], &gone["unaware"]),
        (&true.into(), &false.into(), &Value::Array(vec![]))
    );
    // An album that came since does not know of it until it is said again.
    desk.ok(&["create-album", "home"]);
    let unaware = |home: &Home<'_>| {
        let devices = home.json(&["devices"]);
        entry(&devices, "devices", "laptop").unwrap()["unaware"].clone()
    };
    assert_eq!(unaware(&desk)[0], "home");
    assert_eq!(desk.json(&revoke)["albums"].as_array().unwrap().len(), 2);
    assert_eq!(unaware(&desk), Value::Array(vec![]));
    assert_eq!((desk_up.end(), bob_up.end()), (0, 0));
}

/// Alice wants to need no more than her password. Off, which it is at first, the password is found right and opens nothing; on, it
/// makes a new home hers, with her albums; off again, no other. A wrong one counts as a login would.
#[test]
fn a_password_alone() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob"]);
    let desk = world.home("alice");
    world.image("a.bmp", 1);
    desk.ok(&["add-image", "a.bmp"]);
    std::fs::write(world.path("wrong"), "not the password\n").unwrap();
    let login = |home: &str, password: &str| {
        world
            .home(home)
            .run(&["login", "alice", "--password-file", password], "")
    };
    assert_eq!(desk.json(&["escrow", "status"])["escrow"], false);
    let early = login("tablet", "pw");
    assert_eq!(early.code, 3, "{early:?}");
    assert!(early.err.contains("the password is right"), "{early:?}");
    assert_eq!(
        desk.run(&["escrow", "on", "--password-file", "wrong"], "").code,
        3
    );
    assert_eq!(
        desk.json(&["escrow", "on", "--password-file", "pw"])["escrow"],
        true
    );
    assert_eq!(login("tablet", "wrong").code, 3);
    let in_time = login("tablet", "pw");
    assert_eq!(in_time.code, 0, "{in_time:?}");
    assert!(in_time.out.contains("1 album: trip"), "{in_time:?}");
    let tablet = world.home("tablet");
    let _up = tablet.up(&[]);
    world.sync(&["alice", "tablet", "bob"]);
    assert_eq!(tablet.names(), ["a.bmp"]);
    assert_eq!(tablet.json(&["escrow", "off"])["escrow"], false);
    let late = login("phone", "pw");
    assert_eq!(late.code, 3, "{late:?}");
}
