//! What people are told of an album's past, and how they take it back: the real binary, one-shots and peers that stay.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use serde_json::Value;
use world::{Home, World, wait_for};

fn names(reply: &Value, list: &str) -> Vec<String> {
    let all = reply[list].as_array().unwrap_or_else(|| panic!("{reply}"));
    all.iter()
        .map(|image| image["name"].as_str().unwrap().to_owned())
        .collect()
}

fn images(home: &Home<'_>) -> Vec<String> {
    names(&home.json(&["get-images"]), "images")
}

fn alone(world: &World) -> Home<'_> {
    let home = world.home("alice");
    home.ok(&["register", "alice", "--password-file", "pw"]);
    home.ok(&["create-album", "trip"]);
    home
}

/// Alice imports, rates twice, makes a version and removes; each one-shot is a process of its own, so every undo finds
/// what it takes back in the home. At the end all of it is taken back, and the import comes again by its id.
#[test]
fn undo_goes_back_command_by_command_over_restarts() {
    let world = World::new();
    let home = alone(&world);
    for (name, seed) in [("a.bmp", 1), ("b.bmp", 2), ("c.bmp", 3)] {
        world.image(name, seed);
    }
    home.ok(&["add-image", "a.bmp", "b.bmp", "c.bmp"]);
    home.ok(&["rate-image", "a.bmp", "2"]);
    home.ok(&["rate-image", "a.bmp", "5"]);
    home.ok(&["filter", "b.bmp", "invert", "--as", "dark.webp"]);
    home.ok(&["remove-image", "c.bmp"]);
    home.ok(&["say", "chat is not undone"]);
    let mine = || home.json(&["get-images"])["images"][0]["rating"]["mine"].clone();

    let undone = home.json(&["undo"]);
    assert_eq!(
        undone["undone"]["did"][0]["images"][0]["name"], "c.bmp",
        "{undone}"
    );
    assert_eq!(undone["did"][0]["kind"], "restored");
    assert!(images(&home).contains(&"c.bmp".to_owned()));
    home.ok(&["undo"]);
    assert!(!images(&home).contains(&"dark.webp".to_owned()));
    assert_eq!(mine(), 5);
    assert_eq!(
        home.ok(&["undo"]),
        "undid: rated a.bmp 5 (was 2)\n  rated a.bmp 2 (was 5)\n"
    );
    assert_eq!(mine(), 2);
    home.ok(&["undo"]);
    assert_eq!(mine(), Value::Null);
    let import = home.json(&["undo"]);
    assert_eq!(import["undone"]["did"][0]["count"], 3);
    assert!(images(&home).is_empty());
    let nothing = home.run(&["undo"], "");
    assert_eq!(nothing.code, 4, "{nothing:?}");

    home.ok(&["undo", &import["id"].as_str().unwrap()[..8]]);
    assert_eq!(images(&home), ["a.bmp", "b.bmp", "c.bmp"]);
    let again = home.run(&["undo", import["id"].as_str().unwrap()], "");
    assert_eq!(
        (again.code, again.err.contains("undone already")),
        (1, true),
        "{again:?}"
    );
    assert_eq!(home.run(&["undo", "no-id"], "").code, 2);
    assert_eq!(home.run(&["undo", "0000000000"], "").code, 4);
    // What came back has its bytes.
    home.ok(&["save", "c.bmp", "out.bmp"]);
    assert_eq!(std::fs::read(world.path("out.bmp")).unwrap(), world::bmp(3));
    assert!(home.ok(&["chat"]).ends_with("chat is not undone\n"));

    // The log: one line a command, the newest first, nothing of chat; times of arrival where ops have no clock.
    let log = home.json(&["log"]);
    let entries = log["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &log["more"]), (12, &Value::from(false)), "{log}");
    assert_eq!(entries.last().unwrap()["did"][0]["kind"], "created");
    let added = &entries[entries.len() - 2];
    assert_eq!(
        (&added["did"][0]["count"], &added["undone_by"]),
        (&Value::from(3), &Value::Null),
        "{added}"
    );
    assert!(added["at"].is_string());
    assert!(
        entries
            .iter()
            .all(|entry| entry["at"].is_string() != entry["seen"].is_string()),
        "{log}"
    );
    let text = home.ok(&["log"]);
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(text.contains("alice added a.bmp, b.bmp and c.bmp\n"), "{text}");
    let two = home.json(&["log", "--limit", "2", "--offset", "1"]);
    assert_eq!(
        (&two["entries"][0], &two["more"]),
        (&entries[1], &Value::from(true))
    );
    assert_eq!(
        home.json(&["log", "--image", "c.bmp", "--by", "alice"])["entries"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(home.run(&["log", "--by", "nobody"], "").code, 4);
    assert_eq!(home.run(&["log", "--image", "nowhere"], "").code, 4);
    assert_eq!(home.run(&["log", "--limit", "0"], "").code, 2);
}

/// A removed image lies in the trash with its name and size, and comes back with its stars; one that is here is not there.
#[test]
fn what_was_removed_comes_back() {
    let world = World::new();
    let home = alone(&world);
    world.image("a.bmp", 1);
    world.image("b.bmp", 2);
    home.ok(&["add-image", "a.bmp", "b.bmp"]);
    home.ok(&["rate-image", "a.bmp", "4"]);
    assert_eq!(home.ok(&["trash"]), "");
    home.ok(&["remove-image", "a.bmp"]);
    home.ok(&["remove-image", "b.bmp"]);
    let trash = home.json(&["trash"]);
    assert_eq!(names(&trash, "images"), ["b.bmp", "a.bmp"]);
    let a = &trash["images"][1];
    assert_eq!(
        (&a["removed_by"], &a["local"], &a["size"]),
        (&"alice".into(), &true.into(), &(world::bmp(1).len().into()))
    );
    assert!(a["removed"].is_string(), "{a}");
    let page = home.run(&["trash", "--limit", "1"], "");
    assert!(page.out.starts_with("b.bmp") && page.err.starts_with("1–1 of 2; --offset 1 goes on\n"));
    let page = home.json(&["trash", "--offset", "1"]);
    assert_eq!(names(&page, "images"), ["a.bmp"]);
    assert_eq!(page["total"], 2);
    let why = home.ok(&["why", "a.bmp"]);
    assert!(
        why.starts_with("a.bmp is not in trip: alice removed it\n") && why.contains("alice rated it 4"),
        "{why}"
    );
    // All or none of what is named.
    assert_eq!(home.run(&["restore", "a.bmp", "c.bmp"], "").code, 4);
    assert!(images(&home).is_empty());
    let restored = home.json(&["restore", "a.bmp", a["hash"].as_str().unwrap()]);
    assert_eq!(names(&restored, "restored"), ["a.bmp"]);
    assert_eq!(restored["restored"][0]["rating"]["mean"], 4.0);
    assert_eq!(restored["restored"][0]["added"], a["added"], "as it was");
    let here = home.run(&["restore", "a.bmp"], "");
    assert_eq!(
        (here.code, here.err.contains("a.bmp is in trip")),
        (1, true),
        "{here:?}"
    );
    let why = home.json(&["why", "a.bmp"]);
    let kinds: Vec<_> = why["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["added", "rated", "removed", "restored"]);
    assert_eq!(why["events"][2]["saw"][0]["dot"], why["events"][0]["dot"]);
    assert_eq!(
        (&why["here"], &why["events"][3]["live"]),
        (&true.into(), &true.into())
    );
    let version = home.json(&["filter", "a.bmp", "sepia"]);
    home.ok(&["remove-image", "a.bmp"]);
    let why = home.ok(&["why", version["added"]["name"].as_str().unwrap_or("a.sepia.webp")]);
    assert!(why.contains("alice made it: sepia of a.bmp"), "{why}");
    home.ok(&["undo"]);
    home.ok(&["undo"]);
    home.ok(&["undo"]);
    assert!(images(&home).is_empty(), "a restore is a command like another");
    assert_eq!(home.run(&["why", "nowhere.bmp"], "").code, 4);
}

/// A folder of 70 is one command: one line of the log, one word to take it back, and each of the 70 in the trash with the time
/// of its removal.
#[test]
fn a_folder_is_one_command() {
    let world = World::new();
    let home = alone(&world);
    std::fs::create_dir(world.path("folder")).unwrap();
    (0..70).for_each(|n| world.image(&format!("folder/{n:02}.bmp"), n));
    home.ok(&["add-image", "folder"]);
    let text = home.ok(&["log", "--limit", "1"]);
    assert!(
        text.ends_with("alice added 70 images: 00.bmp, 01.bmp and 68 more\n"),
        "{text}"
    );
    let undone = home.ok(&["undo"]);
    assert!(
        undone.starts_with("undid: added 70 images: 00.bmp, 01.bmp and 68 more\n"),
        "{undone}"
    );
    let trash = home.json(&["trash"]);
    let all = trash["images"].as_array().unwrap();
    assert_eq!(
        (
            all.len(),
            all.iter().filter(|image| image["removed"].is_string()).count()
        ),
        (70, 70)
    );
}

/// Alice imports three; Bob, who may not remove them, rates one. Nobody undoes the other's work or who is a member; when
/// Alice takes her import back, Bob's stars wait for it, and both tell the same story.
#[test]
fn each_undoes_his_own_and_all_agree() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let member = alice.run(&["undo"], "");
    assert_eq!(member.code, 5, "{member:?}");
    assert!(
        member.err.contains("that bob was let in is not undone") && member.err.contains("remove-user bob"),
        "{member:?}"
    );
    world.image("a.bmp", 1);
    world.image("b.bmp", 2);
    alice.ok(&["add-image", "a.bmp", "b.bmp"]);
    world.sync(&["alice", "bob"]);
    bob.ok(&["rate-image", "a.bmp", "5"]);
    let import = bob.json(&["log", "--by", "alice"])["entries"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let not_mine = bob.run(&["undo", &import], "");
    assert_eq!(
        (not_mine.code, not_mine.err.contains("is what alice did")),
        (5, true),
        "{not_mine:?}"
    );
    world.sync(&["alice", "bob"]);
    let undone = alice.json(&["undo"]);
    assert_eq!(undone["undone"]["id"], Value::from(import.clone()));
    wait_for("the undo at bob's", || images(&bob).is_empty().then_some(()));
    alice.ok(&["undo", undone["id"].as_str().unwrap()]);
    world.sync(&["alice", "bob"]);
    for home in [&alice, &bob] {
        let images = home.json(&["get-images"]);
        assert_eq!(
            (
                &images["images"][0]["rating"]["mean"],
                &images["images"][1]["state"]
            ),
            (&5.0.into(), &"ready".into())
        );
    }
    let told = |home: &Home<'_>, what: &str| -> Vec<Value> {
        let log = home.json(&["log"]);
        log["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry[what].clone())
            .collect()
    };
    for what in ["id", "user", "did", "at", "undoes", "undone_by"] {
        assert_eq!(told(&alice, what), told(&bob, what), "{what}");
    }
    let events = |home: &Home<'_>| home.json(&["why", "a.bmp"])["events"].as_array().unwrap().len();
    assert_eq!((events(&alice), events(&bob)), (4, 4));
}
