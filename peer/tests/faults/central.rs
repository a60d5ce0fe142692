//! A central that dies, comes back, loses everything, or is another.

use serde_json::Value;

use crate::world::central::{Central, wipe};
use crate::world::{World, wait_for};

/// Peers work on while their central is killed, comes back, and comes back with its database gone: users return by
/// themselves, and a new one can join. A central with another key is not used, and everybody is told; it is used again by
/// who was told the words of its key and typed them.
#[test]
fn the_central_may_die_be_wiped_and_be_replaced() {
    let world = World::new();
    let central = Central::start(&world, "served", "127.0.0.1:0");
    let address = central.address.clone();
    let at = ["--central", &address];
    let up = |user: &str| {
        let peer = world.up(user, &[&at[..], &["--register"]].concat());
        (peer.control(), peer)
    };
    let ((alice, alice_up), (bob, _b)) = (up("alice"), up("bob"));
    let home = |user: &str| world.home(user);
    home("alice").ok(&["create-album", "trip"]);
    home("alice").ok(&["add-user", "bob"]);
    home("bob").ok(&["enter-album", "trip"]);
    world.sync(&["alice", "bob"]);

    central.kill();
    for number in 0..5 {
        alice.add(&format!("alone-{number}.jpg")).unwrap();
    }
    wait_for("albums to go on", || (bob.names().len() == 5).then_some(()));
    let is = |control: &crate::world::Control, word: &str| control.status().central == word;
    wait_for("it to be missed", || {
        (is(&alice, "down") && is(&bob, "down")).then_some(())
    });

    let central = Central::start(&world, "served", &address);
    wait_for("both to return", || {
        (is(&alice, "connected") && is(&bob, "connected")).then_some(())
    });
    central.kill();
    wipe(&world.path("served"));
    let central = Central::start(&world, "served", &address);
    wait_for("both to return", || {
        (is(&alice, "connected") && is(&bob, "connected")).then_some(())
    });
    let (carol, _c) = up("carol");
    wait_for("bob's name to be back", || {
        (home("alice").run(&["add-user", "carol"], "").code == 0).then_some(())
    });
    home("carol").ok(&["enter-album", "trip"]);
    wait_for("the album", || (carol.names().len() == 5).then_some(()));
    let lost = central.words.clone();
    central.kill();

    let other = Central::start(&world, "other", &address);
    wait_for("the other key to be noticed", || {
        alice.status().refused.contains_key("central_key").then_some(())
    });
    assert!(is(&alice, "down"));
    alice.add("still.jpg").unwrap();
    wait_for("albums to go on", || (carol.names().len() == 6).then_some(()));

    // The words of the lost key, and what is no such words.
    let trust = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        home("alice").run(&[&["central", "trust"], &words[..]].concat(), "")
    };
    assert_eq!(trust(&lost).code, 3);
    assert_eq!(trust("zoo zoo").code, 2);
    assert!(is(&alice, "down"));
    assert_eq!(
        home("bob").ok(&["central", "words", "--data", "other"]).trim(),
        other.words
    );
    assert_eq!(trust(&other.words).code, 0);
    wait_for("alice to return", || is(&alice, "connected").then_some(()));
    assert!(is(&bob, "down"), "he was not told");
    // A restart keeps what was trusted.
    assert_eq!(alice_up.end(), 0);
    let again = world.up("alice", &at);
    wait_for("alice to return", || {
        is(&again.control(), "connected").then_some(())
    });
}

/// Somebody guesses alice's password from a home of his own. He is held up as long as it says, for scripts in so many
/// milliseconds; her own device comes back meanwhile, and she logs in. Whoever has the password but no device of hers
/// is told that it is right, and no more; whoever has it while guesses are held up is not.
#[test]
fn who_guesses_passwords_is_held_up_and_nobody_else() {
    let world = World::new();
    std::fs::write(world.path("guess"), "12345\n").unwrap();
    let peer = world.up("alice", &["--register"]);
    let (alice, eve) = (world.home("alice"), world.home("eve"));
    let login = |home: &crate::world::Home<'_>, file: &str| {
        let run = home.run(&["login", "alice", "--password-file", file, "--json"], "");
        let said: Value = serde_json::from_str(&run.out).unwrap();
        (run.code, said["error"].clone())
    };
    let (code, right) = login(&eve, "pw");
    assert_eq!((code, &right["code"]), (3, &"auth".into()));
    let message = right["message"].as_str().unwrap();
    assert!(message.starts_with("the password is right, but"), "{message}");
    for _ in 0..3 {
        let (code, wrong) = login(&eve, "guess");
        assert_eq!((code, &wrong["message"]), (3, &"wrong name or password".into()));
        assert_eq!(wrong.get("retry_after_ms"), None);
    }
    for file in ["guess", "pw"] {
        let (code, held) = login(&eve, file);
        assert_eq!((code, &held["code"]), (3, &"auth".into()), "{held}");
        assert!(
            held["retry_after_ms"]
                .as_u64()
                .is_some_and(|ms| (1..=5_900).contains(&ms)),
            "{held}"
        );
        assert!(
            held["hint"].as_str().unwrap().starts_with("try again in "),
            "{held}"
        );
    }
    // Her device is known: it resumes by itself, and her password is taken.
    assert_eq!(peer.end(), 0);
    let again = world.up("alice", &[]);
    wait_for("alice to return", || {
        (again.control().status().central == "connected").then_some(())
    });
    let (code, session) = login(&alice, "pw");
    assert_eq!(code, 0, "{session}");
}
