//! The real binary from outside: one-shots, scripts, `up`; each test in homes and with a central of its own.

#![allow(clippy::unwrap_used, missing_docs)]

mod world;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use world::{World, bmp};

#[test]
fn first_steps_from_the_shell() {
    let world = World::new();
    let home = world.home("alice");
    home.ok(&["register", "alice", "--password-file", "pw"]);
    assert_eq!(
        home.ok(&["create-album", "trip"]),
        "created trip and entered it; you are its owner\n"
    );
    world.image("sunset.bmp", 1);
    world.image("sun set.bmp", 2);
    let added = home.json(&["add-image", "*.bmp"]);
    assert_eq!(
        (
            added["added"].as_array().unwrap().len(),
            added["failed"].as_array().unwrap().len()
        ),
        (2, 0)
    );
    home.ok(&["rateImage", "sunset.bmp", "4"]);
    let text = home.ok(&["get-images"]);
    assert!(
        text.lines()
            .any(|line| line.starts_with("sunset.bmp") && line.contains("  4.00 (1)")),
        "{text}"
    );
    let images = home.json(&["get-images"]);
    assert_eq!(images["schema"], 1);
    assert_eq!(images["album"], "trip");
    let sunset = images["images"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["name"] == "sunset.bmp")
        .unwrap();
    assert_eq!(sunset["hash"], blake3::hash(&bmp(1)).to_hex().as_str());
    assert_eq!(
        (&sunset["width"], &sunset["rating"]["mean"]),
        (&Value::from(4), &Value::from(4.0))
    );
    assert_eq!(sunset["state"], "ready");
    let again = home.json(&["add-image", "sunset.bmp"]);
    assert_eq!(again["already"][0]["name"], "sunset.bmp");
    let made = home.json(&["filter", "sunset.bmp", "grayscale", "--as", "gray.png"]);
    assert_eq!(made["image"]["version_of"], sunset["hash"]);
    let verified = home.json(&["verify", "gray.png"]);
    assert_eq!(
        (&verified["verified"], &verified["source"]),
        (&true.into(), &"sunset.bmp".into())
    );
    home.ok(&["save", "sunset.bmp", "out.bmp"]);
    assert_eq!(std::fs::read(world.path("out.bmp")).unwrap(), bmp(1));
    assert_eq!(home.run(&["save", "sunset.bmp", "out.bmp"], "").code, 1);
    home.ok(&["save", "sunset.bmp", "out.bmp", "--force"]);
    home.ok(&["export", "all"]);
    assert_eq!(std::fs::read(world.path("all/sunset.bmp")).unwrap(), bmp(1));
    home.ok(&["remove-image", "sun set.bmp"]);
    assert_eq!(home.json(&["get-images"])["images"].as_array().unwrap().len(), 2);
}

#[test]
fn a_script_prints_what_one_shots_print() {
    let world = World::new();
    let home = world.home("alice");
    world.image("a.bmp", 1);
    let hash = "ab".repeat(32);
    let script = format!(
        "# the first lines\n\n/register alice --password-file pw\n/createAlbum trip\n/addImage a.bmp\n\
         /addImage later.jpg {hash} 1000\n/rate-image a.bmp 5\nhello there\n/getImages\n/getImages --json\n/filters\n"
    );
    let run = home.run(&[], &script);
    assert_eq!(run.code, 0, "{run:?}");
    for one_shot in [
        home.ok(&["get-images"]),
        home.ok(&["get-images", "--json"]),
        home.ok(&["filters"]),
    ] {
        assert!(run.out.contains(&one_shot), "{one_shot}\nis not in\n{}", run.out);
    }
    assert!(home.ok(&["chat"]).ends_with("alice: hello there\n"));
    assert_eq!(home.json(&["get-images"])["images"][1]["hash"], hash);
}

#[test]
fn a_script_ends_with_its_first_error() {
    let world = World::new();
    let home = world.home("alice");
    home.ok(&["register", "alice", "--password-file", "pw"]);
    home.ok(&["create-album", "trip"]);
    let check = |args: &[&str], script: &str, code: i32, out: &str| {
        let run = home.run(args, script);
        assert_eq!((run.code, run.out.as_str()), (code, out), "{script}: {run:?}");
    };
    let hello = "/getImages\n";
    check(&[], hello, 0, "");
    check(&[], "/addImage nowhere.jpg\n/createAlbum two\n", 4, "");
    check(&[], "/rateImage x 6\n/createAlbum two\n", 2, "");
    check(&[], "/removeImage x\n/createAlbum two\n", 4, "");
    check(&[], "/register bob\n", 3, "");
    check(&[], "/register bob --password-stdin\n", 3, "");
    check(&[], "/bogus\n", 2, "");
    check(&[], "/quit\n/bogus\n", 0, "");
    check(
        &["--keep-going"],
        "/bogus\n/createAlbum two\n/removeImage x\n",
        2,
        "created two and entered it; you are its owner\n",
    );
}

#[test]
fn every_error_has_its_exit_code_and_its_json() {
    let world = World::new();
    let home = world.home("alice");
    let check = |args: &[&str], code: i32, name: &str| {
        let run = home.run(args, "");
        assert_eq!(run.code, code, "{args:?}: {run:?}");
        assert!(
            run.err.starts_with("error: ") && run.out.is_empty(),
            "{args:?}: {run:?}"
        );
        let json = home.run(&[args, &["--json"]].concat(), "");
        assert_eq!(json.code, code, "{args:?}: {json:?}");
        let parsed: Value =
            serde_json::from_str(&json.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {json:?}"));
        assert_eq!(
            (&parsed["schema"], &parsed["error"]["code"]),
            (&Value::from(1), &Value::from(name)),
            "{args:?}"
        );
        assert!(
            parsed["error"]["hint"].is_string() && !parsed["error"]["message"].as_str().unwrap().is_empty()
        );
    };
    check(&["bogus"], 2, "usage");
    check(&["list", "--bogus"], 2, "usage");
    check(&["rate-image", "a"], 2, "usage");
    check(&["filter", "a", "blurr:2"], 2, "usage");
    check(&["create-album", "a/b"], 2, "usage");
    check(&["--central", "nowhere", "list"], 2, "usage");
    check(&["register", "alice"], 3, "auth");
    check(
        &["register", "alice", "--password-file", "nowhere"],
        4,
        "not_found",
    );
    check(&["create-album", "trip"], 3, "auth");
    home.ok(&["register", "alice", "--password-file", "pw"]);
    home.ok(&["create-album", "trip"]);
    std::fs::write(world.path("notes.txt"), "no picture").unwrap();
    std::fs::write(world.path("empty.jpg"), "").unwrap();
    world.image("a.bmp", 1);
    home.ok(&["add-image", "a.bmp"]);
    check(&["add-image", "nowhere.jpg"], 4, "not_found");
    check(&["add-image", "*.gif"], 4, "not_found");
    check(&["add-image", "notes.txt"], 1, "not_an_image");
    check(&["rate-image", "nowhere.jpg", "3"], 4, "not_found");
    check(&["enter-album", "nowhere"], 4, "not_found");
    check(&["get-images", "--album", "nowhere"], 4, "not_found");
    check(&["add-user", "nobody"], 4, "not_found");
    check(&["save", "a.bmp", "a.bmp"], 1, "exists");
    let partly = home.run(&["add-image", "--json", "a.bmp", "notes.txt", "empty.jpg"], "");
    assert_eq!(partly.code, 7, "{partly:?}");
    let parsed: Value = serde_json::from_str(&partly.out).unwrap();
    assert_eq!(
        (&parsed["error"]["code"], &parsed["failed"][0]["code"]),
        (&"partial".into(), &"not_an_image".into())
    );
}

/// A recipe goes from file to file, and makes nothing else: no home, no rest of a file. Whatever goes wrong, what was there
/// stays; Ctrl-C too.
#[test]
fn a_recipe_from_file_to_file() {
    let world = World::new();
    let home = world.home("nobody");
    world.image("in.bmp", 1);
    let done = home.json(&["apply", "in.bmp", "out.png", "Invert + invert"]);
    assert_eq!(
        (
            &done["recipe"],
            &done["width"],
            &done["height"],
            &done["megapixels"]
        ),
        (&"invert+invert".into(), &4.into(), &2.into(), &0.000_008.into())
    );
    assert!(done["decode_ms"].is_number() && done["filter_ms"].is_number() && done["encode_ms"].is_number());
    // Threads and tiles do not show in the pixels, odd as they may be.
    let soft = ["apply", "in.bmp", "soft.png", "blur:3+resize:31x17+edges"];
    let plain = home.json(&soft);
    for more in [
        &["--threads", "1"][..],
        &["--tile", "1"],
        &["--threads", "3", "--tile", "7"],
    ] {
        assert_eq!(
            home.json(&[&soft[..], more].concat())["pixel_hash"],
            plain["pixel_hash"],
            "{more:?}"
        );
    }
    for (flag, most) in [("--threads", 256), ("--tile", 1_000_000)] {
        let code = |n: u32| home.run(&[&soft[..], &[flag, &n.to_string()]].concat(), "").code;
        assert_eq!([0, 1, most, most + 1].map(code), [2, 0, 0, 2], "{flag}");
    }
    let same = home.json(&["apply", "out.png", "again.webp", "rotate:180+rotate:180"]);
    assert_eq!(same["pixel_hash"], done["pixel_hash"], "lossless there and back");
    let flat = home.json(&["apply", "in.bmp", "OUT.JPG", "sepia"]);
    let bytes = std::fs::read(world.path("OUT.JPG")).unwrap();
    assert!(bytes.starts_with(&[0xff, 0xd8]) && bytes.len() as u64 == flat["size"]);

    // One's own file may be replaced; what fails replaces nothing.
    let before = std::fs::read(world.path("out.png")).unwrap();
    assert_eq!(
        home.run(&["apply", "out.png", "out.png", "crop:3,0,9,9"], "")
            .code,
        2
    );
    std::fs::write(world.path("notes.png"), "no picture").unwrap();
    assert_eq!(home.run(&["apply", "notes.png", "out.png", "sepia"], "").code, 1);
    assert_eq!(home.run(&["apply", "gone.png", "out.png", "sepia"], "").code, 4);
    assert_eq!(home.run(&["apply", "in.bmp", "out.gif", "sepia"], "").code, 2);
    assert_eq!(
        home.run(&["apply", "in.bmp", "nowhere/out.png", "sepia"], "")
            .code,
        4
    );
    std::fs::write(world.path("large.bmp"), world::bitmap(2000, 2000)).unwrap();
    let slow = ["median:20"; 8].join("+");
    let mut child = home
        .command(&["apply", "large.bmp", "out.png", &slow])
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(std::fs::read(world.path("out.png")).unwrap(), before);
    home.ok(&["apply", "out.png", "out.png", "crop:0,0,1,1"]);
    assert_ne!(std::fs::read(world.path("out.png")).unwrap(), before);
    let strays = std::fs::read_dir(world.path(".")).unwrap().flatten();
    let strays: Vec<_> = strays
        .filter(|file| file.file_name().to_string_lossy().starts_with(".calotype-"))
        .collect();
    assert!(strays.is_empty() && !world.path("nobody").exists(), "{strays:?}");
}

#[test]
fn settings_are_told_with_their_origin() {
    let world = World::new();
    let home = world.home("alice");
    let text = home.ok(&["config", "show", "--origin"]);
    assert!(
        text.contains("environment CALOTYPE_CENTRAL_DIR") && text.contains("flag --home"),
        "{text}"
    );
    assert_eq!(home.json(&["config", "show"])["settings"][0]["key"], "home");
    assert!(!world.path("alice").exists(), "nothing is made by looking");
}

#[test]
fn help_is_quick_and_makes_nothing() {
    let world = World::new();
    let home = world.home("alice");
    assert!(home.ok(&["--help"]).contains("Commands:"));
    assert!(home.ok(&["add-image", "--help"]).contains("Example:"));
    assert!(home.ok(&["--version"]).starts_with("calotype "));
    assert!(home.ok(&["filters"]).contains("grayscale"));
    assert!(!world.path("alice").exists() && !world.path("central").exists());
}

#[test]
fn up_serves_until_it_is_told_to_end() {
    let world = World::new();
    let home = world.home("alice");
    let up = home.up(&["--user", "alice", "--password-file", "pw", "--register"]);
    assert_eq!(
        (&up.ready["user"], &up.ready["album"]),
        (&"alice".into(), &Value::Null)
    );
    assert_eq!(up.ready["pid"], up.pid());
    assert!(up.ready["control"].is_string() && up.ready["peer_address"].is_string());
    home.ok(&["create-album", "trip"]);
    let second = home.run(&["up"], "");
    assert_eq!(second.code, 1);
    assert!(second.err.contains(&up.pid().to_string()), "{second:?}");

    let mut watch = home
        .command(&["watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut news = BufReader::new(watch.stdout.take().unwrap());
    let mut line = String::new();
    // The first chat lines may be said before `watch` listens.
    let heard = std::thread::spawn(move || {
        while news.read_line(&mut line).unwrap() > 0 {
            let notice: Value = serde_json::from_str(&line).unwrap();
            if notice["kind"] == "chat" {
                return notice;
            }
            line.clear();
        }
        Value::Null
    });
    while !heard.is_finished() {
        home.ok(&["say", "hello"]);
    }
    let notice = heard.join().unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(
        (&notice["schema"], &notice["album"], &notice["text"]),
        (&1.into(), &"trip".into(), &"hello".into())
    );

    assert_eq!(up.end(), 0);
    assert!(!world.path("alice.ready").exists());
    let again = home.up(&["--user", "alice", "--album", "trip"]);
    assert_eq!(
        (&again.ready["user"], &again.ready["album"]),
        (&"alice".into(), &"trip".into())
    );
    assert_eq!(again.end(), 0);
}

#[test]
fn two_people_share_an_album() {
    let world = World::new();
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let up = alice.up(&["--user", "alice", "--password-file", "pw", "--register"]);
    alice.ok(&["create-album", "trip"]);
    world.image("a.bmp", 1);
    alice.ok(&["add-image", "a.bmp"]);
    bob.ok(&["register", "bob", "--password-file", "pw"]);
    let member = alice.json(&["add-user", "bob"]);
    assert_eq!(
        (&member["role"], &member["announced"]),
        (&"contributor".into(), &true.into())
    );
    // Entering waits for the first connection to the central.
    let bob_up = bob.up(&["--album", "trip"]);
    let synced = bob.json(&["sync", "--timeout", "20s"]);
    assert_eq!(
        (&synced["synced"], &synced["compared"][0]),
        (&true.into(), &"alice".into())
    );
    bob.ok(&["save", "a.bmp", "bobs.bmp"]);
    assert_eq!(std::fs::read(world.path("bobs.bmp")).unwrap(), bmp(1));
    bob.ok(&["rate-image", "a.bmp", "5"]);
    bob.ok(&["sync", "--timeout", "20s"]);
    assert_eq!(alice.json(&["get-images"])["images"][0]["rating"]["mean"], 5.0);
    let digest = |home: &world::Home<'_>| home.json(&["get-or-set"])["digest"].clone();
    assert_eq!(digest(&alice), digest(&bob));
    assert_eq!((up.end(), bob_up.end()), (0, 0));
}
