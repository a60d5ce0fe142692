//! Roles with real processes: who may give which, what each may do, what becomes of those who are removed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use serde_json::Value;
use world::{Home, World, wait_for};

/// The error of what must be refused: (exit code, code, message, hint).
fn refused(home: &Home<'_>, args: &[&str]) -> (i32, String, String, String) {
    let run = home.run(&[args, &["--json"]].concat(), "");
    let it: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{args:?}: {run:?}"));
    let text = |key: &str| it["error"][key].as_str().unwrap_or_default().to_owned();
    (run.code, text("code"), text("message"), text("hint"))
}

fn denied(home: &Home<'_>, args: &[&str]) -> String {
    let (exit, code, message, hint) = refused(home, args);
    assert_eq!((exit, code.as_str()), (5, "denied"), "{args:?}: {message}");
    assert!(!hint.is_empty(), "{args:?}");
    message
}

/// The role of a member as a home's `members` tells it.
fn role(home: &Home<'_>, user: &str) -> String {
    let it = home.json(&["members"]);
    let all = it["members"].as_array().unwrap();
    let found = all.iter().find(|member| member["user"] == user);
    found.map_or("none".to_owned(), |member| {
        member["role"].as_str().unwrap().to_owned()
    })
}

/// Alice makes Bob a curator; he lets Carol in as a viewer and raises her, but not to what he is himself, and neither he
/// nor anybody touches the owner or another curator. What is so already is told and writes nothing.
#[test]
fn roles_are_given_as_far_as_ones_own_goes() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob"]);
    let _carol = world.up("carol", &["--register"]);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| world.home(name));

    assert!(
        denied(&bob, &["add-user", "carol"]).contains("needs the role curator, and yours is contributor")
    );
    // Asked before the central is: who may not give roles learns nothing about names.
    assert!(denied(&bob, &["add-user", "nobody"]).contains("role curator"));
    let made = alice.json(&["set-role", "bob", "curator"]);
    assert_eq!(
        (&made["role"], &made["was"]),
        (&"curator".into(), &"contributor".into())
    );
    wait_for("bob to be curator", || {
        (role(&bob, "bob") == "curator").then_some(())
    });

    assert!(denied(&bob, &["add-user", "carol", "--role", "curator"]).contains("needs the role owner"));
    assert_eq!(
        bob.json(&["add-user", "carol", "--role", "viewer"])["role"],
        "viewer"
    );
    carol.ok(&["enter-album", "trip"]);
    world.sync(&["alice", "bob", "carol"]);
    assert_eq!(role(&alice, "carol"), "viewer");

    let digest = bob.digest();
    let again = bob.json(&["set-role", "carol", "viewer"]);
    assert_eq!(
        (&again["role"], &again["was"]),
        (&"viewer".into(), &"viewer".into())
    );
    assert_eq!(
        bob.json(&["add-user", "carol"])["role"],
        "viewer",
        "she is in already"
    );
    let (exit, code, _, hint) = refused(&bob, &["add-user", "carol", "--role", "contributor"]);
    assert_eq!((exit, code.as_str()), (1, "exists"));
    assert!(hint.contains("set-role carol contributor"), "{hint}");
    assert!(
        denied(&bob, &["set-role", "carol", "curator"])
            .contains("needs the role owner, and yours is curator")
    );
    for act in [&["remove-user", "alice"][..], &["set-role", "alice", "viewer"]] {
        denied(&bob, act);
        assert!(denied(&alice, act).contains("the owner"), "{act:?}");
    }
    // His word about himself or another curator would have no effect, so he may not say it.
    denied(&bob, &["set-role", "bob", "viewer"]);
    denied(&bob, &["remove-user", "bob"]);
    assert_eq!(bob.digest(), digest, "nothing of that was written");

    bob.ok(&["set-role", "carol", "contributor"]);
    world.sync(&["alice", "bob", "carol"]);
    carol.ok(&["add-image", "a.jpg", &"a".repeat(64), "7"]);
    alice.ok(&["set-role", "carol", "curator"]);
    alice.ok(&["set-role", "bob", "viewer"]);
    world.sync(&["alice", "bob", "carol"]);
    for home in [&alice, &bob, &carol] {
        assert_eq!(
            (role(home, "bob"), role(home, "carol")),
            ("viewer".into(), "curator".into())
        );
        assert_eq!(home.names(), ["a.jpg"]);
    }
}

/// Every command that changes something, by a member of every role: it works, or it is refused before anything is read or
/// done, naming the role that it takes and the one that he has.
#[test]
fn a_table_of_roles_and_commands() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob"]);
    let _carol = world.up("carol", &["--register"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    world.image("a.bmp", 1);
    alice.ok(&["add-image", "a.bmp"]);
    std::fs::write(world.path("junk.bmp"), "no picture").unwrap();
    let hash = "b".repeat(64);
    let acts: [(&str, &[&str]); 13] = [
        ("viewer", &["say", "hello"]),
        ("viewer", &["rate-image", "a.bmp", "4"]),
        // Nothing of it is looked at: the file is no picture, what the recipe names is not there.
        ("contributor", &["add-image", "junk.bmp"]),
        ("contributor", &["add-image", "c.jpg", &hash, "7"]),
        ("contributor", &["filter", "a.bmp", "transfer:nowhere.bmp"]),
        ("contributor", &["filter", "--all", "transfer:nowhere.bmp"]),
        ("contributor", &["restore", "nothing.bmp"]),
        ("curator", &["remove-image", "a.bmp"]),
        ("curator", &["add-user", "carol"]),
        ("curator", &["set-role", "nobody", "viewer"]),
        ("curator", &["remove-user", "nobody"]),
        ("curator", &["held", "accept", "nobody"]),
        ("owner", &["add-user", "carol", "--role", "curator"]),
    ];
    let rank = |role: &str| {
        ["viewer", "contributor", "curator", "owner"]
            .iter()
            .position(|it| *it == role)
    };
    for has in ["viewer", "contributor", "curator"] {
        alice.ok(&["set-role", "bob", has]);
        wait_for("bob to hear of it", || (role(&bob, "bob") == has).then_some(()));
        assert_eq!(bob.json(&["status"])["role"], has);
        for (need, act) in acts {
            let before = bob.digest();
            let run = bob.run(&[act, &["--json"]].concat(), "");
            assert_eq!(run.code == 5, rank(has) < rank(need), "{has}: {act:?}: {run:?}");
            if run.code == 5 {
                let message = denied(&bob, act);
                assert_eq!(
                    message,
                    format!("this needs the role {need}, and yours is {has}"),
                    "{act:?}"
                );
                assert_eq!(bob.digest(), before, "{act:?}");
            }
        }
        world.sync(&["alice", "bob"]);
        alice.run(&["restore", "a.bmp"], "");
        alice.run(&["remove-user", "carol"], "");
        world.sync(&["alice", "bob"]);
    }
    let entered = bob.run(&["enter-album", "trip"], "");
    assert!(entered.err.contains("let people in"), "{entered:?}");
}

/// `watch` in a home; ended with it.
struct Watch {
    child: std::process::Child,
    heard: std::sync::mpsc::Receiver<Value>,
}

impl Watch {
    /// Listens from here on.
    fn begin(home: &Home<'_>) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut command = home.command(&["watch", "--json"]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = tell.send(serde_json::from_str(&line).unwrap());
            }
        });
        while heard.try_recv().is_err() {
            home.ok(&["say", "is it on?"]);
        }
        Watch { child, heard }
    }

    /// The next of this kind.
    fn next(&self, kind: &str) -> Value {
        loop {
            let news = self.heard.recv_timeout(world::PATIENCE);
            let news = news.unwrap_or_else(|_| panic!("no {kind}"));
            if news["kind"] == kind {
                return news;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bob is removed while Carol, who has not heard of it, still talks with him. What he adds then is held at hers and at
/// Alice's alike, nothing new of Alice's reaches him, and his own program says that he was removed, and by whom. What he
/// had stays his to look at. A curator's accept brings his image to all; what is dropped is out of sight at home only.
#[test]
fn what_a_removed_member_does_is_held_alike() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob", "carol"]);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| world.home(name));
    let (news_of_bob, news_of_carol) = (Watch::begin(&bob), Watch::begin(&carol));
    alice.ok(&["set-role", "carol", "curator"]);
    let raised = news_of_carol.next("role-changed");
    assert_eq!(
        (&raised["role"], &raised["was"]),
        (&"curator".into(), &"contributor".into())
    );
    assert_eq!((&raised["by"], &raised["mine"]), (&"alice".into(), &true.into()));
    assert_eq!(news_of_bob.next("role-changed")["mine"], false);
    world.image("kept.bmp", 1);
    bob.ok(&["add-image", "kept.bmp"]);
    world.sync(&["alice", "bob", "carol"]);

    // Alice hears nobody; her removal comes to Carol after Carol has seen what Bob did without it.
    for other in ["bob", "carol"] {
        alice.ok(&["block", other]);
    }
    alice.ok(&["remove-user", "bob"]);
    assert_eq!(news_of_bob.next("uninvited")["by"], "alice");
    for (name, digit) in [("late.jpg", "c"), ("later.jpg", "d")] {
        bob.ok(&["add-image", name, &digit.repeat(64), "7"]);
    }
    world.sync(&["bob", "carol"]);
    carol.ok(&["rate-image", "kept.bmp", "5"]);
    for other in ["bob", "carol"] {
        alice.ok(&["unblock", other]);
    }
    world.sync(&["alice", "carol"]);
    let held = news_of_carol.next("held");
    assert_eq!((&held["user"], &held["images"]), (&"bob".into(), &2.into()));
    for home in [&alice, &carol] {
        assert_eq!(home.names(), ["kept.bmp"], "what the removal saw");
        let images = home.json(&["get-images"]);
        assert_eq!(images["held"], 2);
        let list = home.json(&["held"]);
        let entries = list["held"].as_array().unwrap();
        let names: Vec<&Value> = entries.iter().map(|it| &it["names"][0]).collect();
        assert_eq!(names, ["later.jpg", "late.jpg"], "{list}");
        assert_eq!(entries[0]["why"], "alice removed bob without having seen it");
        assert_eq!(entries[0]["accept"], "curator");
    }

    // Nobody links with Bob any more, so nothing of this comes to him.
    alice.ok(&["add-image", "secret.jpg", &"e".repeat(64), "7"]);
    world.sync(&["alice", "carol"]);
    wait_for("his links to be cut", || {
        (bob.json(&["status"])["peers"] == 0).then_some(())
    });
    let message = denied(&bob, &["add-image", "kept.bmp"]);
    assert!(
        message.contains("you were removed from trip by alice"),
        "{message}"
    );
    assert!(denied(&bob, &["rate-image", "kept.bmp", "1"]).contains("removed"));
    assert!(!bob.names().contains(&"secret.jpg".to_owned()));
    bob.ok(&["save", "kept.bmp", "mine.bmp"]);
    assert!(world.path("mine.bmp").exists());

    let id = |home: &Home<'_>, name: &str| {
        let list = home.json(&["held"]);
        let entries = list["held"].as_array().unwrap();
        let found = entries.iter().find(|it| it["names"][0] == name).unwrap();
        found["id"].as_str().unwrap()[..8].to_owned()
    };
    let dropped = carol.json(&["held", "drop", &id(&carol, "later.jpg")]);
    assert_eq!(dropped["held"][0]["state"], "dropped");
    assert_eq!(carol.json(&["held"])["held"].as_array().unwrap().len(), 1);
    assert_eq!(
        carol.json(&["held", "--all"])["held"].as_array().unwrap().len(),
        2
    );
    assert_eq!(
        alice.json(&["held"])["held"].as_array().unwrap().len(),
        2,
        "at home only"
    );
    assert_eq!(carol.digest(), alice.digest());
    let accepted = carol.json(&["held", "accept", &id(&carol, "late.jpg")]);
    assert_eq!(accepted["held"][0]["state"], "accepted", "{accepted}");
    world.sync(&["alice", "carol"]);
    for home in [&alice, &carol] {
        assert_eq!(home.names(), ["kept.bmp", "late.jpg", "secret.jpg"]);
    }
    // What was dropped can still be accepted.
    carol.ok(&["held", "accept", "bob"]);
    world.sync(&["alice", "carol"]);
    assert_eq!(alice.json(&["held"])["held"], serde_json::json!([]));
    assert!(alice.names().contains(&"later.jpg".to_owned()));
}

/// Alice and Bob see the same words, and Alice notes that they compared them. Then the central forgets everybody, and
/// somebody else takes Bob's name: whoever lets "bob" into an album is asked, and nothing is written, until Alice says
/// that the new key is right; then he is not verified any more.
#[test]
fn another_key_behind_a_name_is_a_question() {
    let world = World::new();
    let peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let of_alice = alice.json(&["verify-user", "bob"]);
    assert_eq!(of_alice["words"], bob.json(&["verify-user", "alice"])["words"]);
    assert_eq!(of_alice["words"].as_array().unwrap().len(), 12);
    assert_eq!(of_alice["verified"], false);
    let verified = |user: &str| {
        let it = alice.json(&["members"]);
        let all = it["members"].as_array().unwrap();
        all.iter().find(|member| member["user"] == user).unwrap()["verified"].clone()
    };
    assert_eq!(verified("bob"), false);
    assert_eq!(alice.json(&["verify-user", "bob", "--yes"])["verified"], true);
    assert_eq!(verified("bob"), true);

    for peer in peers {
        assert_eq!(peer.end(), 0);
    }
    for entry in std::fs::read_dir(world.path("central"))
        .unwrap()
        .map(Result::unwrap)
    {
        if entry.file_name().to_string_lossy().starts_with("central.db") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let session = ["--user", "bob", "--password-file", "pw", "--register"];
    let _mallory = world.home("mallory").up(&session);
    let _alice = world.up("alice", &[]);
    wait_for("alice to be known again", || {
        (world.home("mallory").run(&["verify-user", "alice"], "").code == 0).then_some(())
    });
    alice.ok(&["create-album", "secret"]);
    let before = alice.digest();
    let message = denied(&alice, &["add-user", "bob"]);
    assert!(message.contains("the key behind the name bob"), "{message}");
    assert_eq!(alice.digest(), before);
    let run = alice.run(&["verify-user", "bob", "--yes", "--json"], "");
    let it: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (run.code, &it["words"]),
        (5, &of_alice["words"]),
        "those of the key that she knows"
    );
    assert_ne!(it["changed"], it["user_id"]);
    assert_eq!(alice.json(&["members"])["members"].as_array().unwrap().len(), 1);

    let new = alice.json(&["verify-user", "bob", "--accept-new-key"]);
    assert_ne!(new["words"], of_alice["words"]);
    assert_eq!(
        (&new["user_id"], &new["verified"]),
        (&it["changed"], &false.into())
    );
    alice.ok(&["add-user", "bob"]);
    assert_eq!(verified("bob"), false, "it is another");
}
