//! Finding images again: what is selected, in what order, and how much of it is shown; and who the others are.

#![allow(clippy::unwrap_used, missing_docs)]

mod world;

use serde_json::Value;
use world::terminal::Person;
use world::{World, wait_for};

/// Two people fill an album; whoever looks for something names it by what he remembers: who, when, how good, what name.
#[test]
fn images_are_found_by_what_people_remember() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let hash = |name: &str| blake3::hash(name.as_bytes()).to_hex().to_string();
    let classic = |name: &str, size: u32| format!("/addImage {name} {} {size}\n", hash(name));
    world.image("b.bmp", 1);
    let script = [
        &classic("IMG_2.jpg", 300),
        "/addImage b.bmp\n",
        &classic("img_1.jpg", 900),
    ]
    .concat();
    assert_eq!(alice.run(&[], &script).code, 0);
    world.sync(&["alice", "bob"]);
    let script = [
        &classic("Zebra.jpg", 300),
        "/filter b.bmp sepia+blur:2 --as brown.webp\n/filter b.bmp invert --as negative.webp\n",
        "/rateImage Zebra.jpg 5\n/rateImage IMG_2.jpg 4\n/rateImage b.bmp 0\n",
    ]
    .concat();
    assert_eq!(bob.run(&[], &script).code, 0);
    world.sync(&["alice", "bob"]);
    alice.ok(&["rate-image", "IMG_2.jpg", "5"]);
    alice.ok(&["rate-image", "Zebra.jpg", "3"]);

    let names = |args: &[&str]| {
        let found = alice.json(&[&["get-images"], args].concat());
        let images = found["images"].as_array().unwrap();
        let names: Vec<&str> = images
            .iter()
            .map(|image| image["name"].as_str().unwrap())
            .collect();
        names.join(" ")
    };
    let check = |args: &[&str], expect: &str| assert_eq!(names(args), expect, "{args:?}");
    let all = "IMG_2.jpg b.bmp img_1.jpg Zebra.jpg brown.webp negative.webp";
    check(&[], all);
    check(&["--sort", "date"], all);
    check(
        &["--reverse"],
        "negative.webp brown.webp Zebra.jpg img_1.jpg b.bmp IMG_2.jpg",
    );
    check(
        &["--sort", "name"],
        "b.bmp brown.webp img_1.jpg IMG_2.jpg negative.webp Zebra.jpg",
    );
    // Means of 4.5, 4 and 0; the unrated ones come last, whichever way.
    check(
        &["--sort", "rating"],
        "IMG_2.jpg Zebra.jpg b.bmp img_1.jpg brown.webp negative.webp",
    );
    check(
        &["--sort", "rating", "--reverse"],
        "b.bmp Zebra.jpg IMG_2.jpg img_1.jpg brown.webp negative.webp",
    );
    check(&["--sort", "member", "-n", "3"], "IMG_2.jpg b.bmp img_1.jpg");
    check(
        &["--sort", "member", "--reverse", "-n", "3"],
        "Zebra.jpg brown.webp negative.webp",
    );
    check(
        &["--name", "*.jpg", "--sort", "size"],
        "img_1.jpg IMG_2.jpg Zebra.jpg",
    );
    check(&["--sort", "taken"], all);
    check(&["--min-rating", "4"], "IMG_2.jpg Zebra.jpg");
    check(&["--min-rating", "4.25"], "IMG_2.jpg");
    check(&["--min-rating", "0"], "IMG_2.jpg b.bmp Zebra.jpg");
    check(&["--by", "bob"], "Zebra.jpg brown.webp negative.webp");
    check(&["--by", "bob", "--min-rating", "1"], "Zebra.jpg");
    check(&["--name", "img*"], "IMG_2.jpg img_1.jpg");
    check(&["--name", "IMG*"], "IMG_2.jpg");
    check(&["--filter", "sepia"], "brown.webp");
    check(&["--filter", "blur"], "brown.webp");
    check(&["--filter", "any"], "brown.webp negative.webp");
    check(&["--filter", "none"], "IMG_2.jpg b.bmp img_1.jpg Zebra.jpg");
    check(&["--since", "yesterday"], all);
    check(&["--since", "2999-01-01"], "");
    check(&["--limit", "2"], "IMG_2.jpg b.bmp");
    check(&["--limit", "2", "--offset", "5"], "negative.webp");
    check(&["--offset", "6"], "");

    // What belongs to the page is said beside it; who asks for none gets all.
    let page = alice.json(&["get-images", "--name", "*.jpg", "--limit", "1", "--offset", "1"]);
    assert_eq!(
        (&page["total"], &page["offset"], &page["in_album"]),
        (&3.into(), &1.into(), &6.into())
    );
    let run = alice.run(&["get-images", "--limit", "2"], "");
    assert_eq!(run.err, "1–2 of 6; --offset 2 goes on\n");
    assert_eq!(alice.run(&["get-images"], "").err, "");
    let run = alice.run(&[], "/getImages --limit 1 --sort name\n/more\n");
    assert_eq!(run.code, 2, "{run:?}");

    // A version names its source also where that is on another page.
    let text = alice.ok(&["get-images", "--filter", "sepia"]);
    assert!(text.contains("sepia+blur:2 of b.bmp"), "{text}");

    let about = alice.json(&["get-metadata", "--by", "bob", "-n", "1"]);
    assert_eq!(
        (about["images"].as_array().unwrap().len(), &about["total"]),
        (1, &3.into())
    );
    assert_eq!(about["members"].as_array().unwrap().len(), 2);
    alice.ok(&["export", "made", "--filter", "any"]);
    let mut files: Vec<String> = std::fs::read_dir(world.path("made"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["brown.webp", "negative.webp"]);

    let wrong = |args: &[&str], code: i32, says: &str| {
        let run = alice.run(&[&["get-images"], args].concat(), "");
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{args:?}: {run:?}");
        assert!(run.err.contains(says), "{args:?}: {run:?}");
    };
    wrong(
        &["--sort", "beauty"],
        2,
        "name, date, rating, member, size, taken",
    );
    wrong(&["--min-rating", "6"], 2, "from 0 to 5");
    wrong(&["--min-rating", "NaN"], 2, "from 0 to 5");
    wrong(&["--min-rating", "-1"], 2, "from 0 to 5");
    wrong(&["--by", "bobb"], 4, "did you mean bob?");
    wrong(&["--name", "["], 2, "[ab] for one of these");
    wrong(&["--since", "soon"], 2, "2026-01-31");
    wrong(&["--filter", "sepa"], 2, "did you mean sepia?");
    wrong(&["--filter", "\x1b[2J"], 2, "any, none");
    wrong(&["--limit", "0"], 2, "from 1");
    wrong(&["--limit", "-1"], 2, "from 1");
    wrong(&["--offset", "x"], 2, "from 0");
}

/// Bob sees where alice is and that they are in step; when she is gone, that she is away, and since when. He blocks her,
/// and that is what stands there. Who let whom in is told to both alike.
#[test]
fn people_are_seen_with_where_they_stand() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let bob = world.home("bob");
    world.image("b.bmp", 1);
    bob.ok(&["add-image", "b.bmp"]);
    world.sync(&["alice", "bob"]);
    let about = || bob.json(&["peers"])["peers"][0].clone();
    let seen = about();
    assert_eq!(
        (&seen["user"], &seen["state"]),
        (&"alice".into(), &"linked".into())
    );
    let in_step =
        serde_json::json!([{"album": "trip", "state": "in-step", "missing_here": 0, "missing_there": 0}]);
    assert_eq!(seen["lag"], in_step);
    assert!(
        seen["rtt_ms"].as_f64().unwrap() > 0.0 && seen["last_seen"].is_string(),
        "{seen}"
    );

    let members = bob.json(&["members"]);
    let told = |place: usize, key: &str| members["members"][place][key].clone();
    assert_eq!(
        (told(0, "user"), told(0, "role"), told(0, "added_by")),
        ("alice".into(), "owner".into(), Value::Null)
    );
    assert_eq!(
        (told(1, "user"), told(1, "added_by"), told(1, "images")),
        ("bob".into(), "alice".into(), 1.into())
    );
    assert!(told(1, "added").as_str().unwrap() >= told(0, "added").as_str().unwrap());
    assert_eq!((told(0, "online"), told(1, "online")), (true.into(), true.into()));
    let text = bob.ok(&["members"]);
    assert!(
        text.lines().nth(1).unwrap().contains("added by alice 20"),
        "{text}"
    );

    peers.remove(0).end();
    let gone = wait_for("alice is away", || {
        Some(about()).filter(|seen| seen["state"] != "linked")
    });
    assert!(
        gone["rtt_ms"].is_null() && gone["lag"] == serde_json::json!([]),
        "{gone}"
    );
    assert!(gone["last_seen"].as_str().unwrap() >= seen["last_seen"].as_str().unwrap());
    let text = bob.ok(&["peers"]);
    assert!(text.contains("  seen 20"), "{text}");
    bob.ok(&["block", "alice"]);
    assert_eq!(about()["state"], "blocked");
    // The last time is kept.
    peers.remove(0).end();
    assert_eq!(about()["last_seen"], gone["last_seen"]);
}

/// What was said is read in an order that makes sense, as much of it as was asked for.
#[test]
fn chat_is_read_as_far_back_as_one_likes() {
    let world = World::new();
    let alice = world.home("alice");
    let script = "/register alice --password-file pw\n/createAlbum trip\none\ntwo\nthree\n";
    assert_eq!(alice.run(&[], script).code, 0);
    let lines = |args: &[&str]| {
        let chat = alice.json(&[&["chat"], args].concat());
        let lines = chat["lines"].as_array().unwrap();
        let texts: Vec<&str> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
        (texts.join(" "), chat["total"].as_u64().unwrap())
    };
    assert_eq!(lines(&[]), ("one two three".to_owned(), 3));
    assert_eq!(lines(&["--limit", "2"]), ("two three".to_owned(), 3));
    assert_eq!(lines(&["--since", "1h"]), ("one two three".to_owned(), 3));
    assert_eq!(lines(&["--since", "2999-01-01"]), (String::new(), 0));
    let run = alice.run(&["chat", "-n", "1"], "");
    assert_eq!(run.err, "the newest 1 of 3 lines; --limit shows more\n");
    assert!(run.out.ends_with("alice: three\n"), "{run:?}");
    assert_eq!(alice.run(&["chat", "--limit", "0"], "").code, 2);
}

/// Alice's node runs on while she is away. When she is back at a prompt one line says what bob did meanwhile, and never
/// again; what she saw come in above her line is no news, nor is what she did herself in another way. Her list is as
/// long as her screen, and goes on.
#[test]
fn who_comes_back_is_told_what_happened_and_reads_a_page_at_a_time() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let add = |names: std::ops::Range<u32>| {
        let line = |n: u32| {
            format!(
                "/addImage {n:03}.jpg {} 1\n",
                blake3::hash(&n.to_be_bytes()).to_hex()
            )
        };
        names.map(line).collect::<String>()
    };
    assert_eq!(alice.run(&[], &add(0..2)).code, 0);
    world.sync(&["alice", "bob"]);

    let mut person = Person::sit(&world, "alice");
    person.line("");
    bob.ok(&["say", "are you there?"]);
    person.above("are you there?");
    person.types("/quit\r");
    assert_eq!(person.ends(), 0);

    let script = [
        &add(2..50),
        "/rateImage 000.jpg 5\n/rateImage 001.jpg 4\n/removeImage 001.jpg\nwhere are you?\n",
    ]
    .concat();
    assert_eq!(alice.run(&[], "/addUser carol\n").code, 4);
    let run = bob.run(&["--keep-going"], &script);
    assert_eq!(run.code, 5, "bob may not remove what alice added: {run:?}");
    alice.ok(&["rate-image", "003.jpg", "1"]);
    world.sync(&["alice", "bob"]);
    // A script of hers hears nothing of it.
    assert_eq!(
        alice
            .run(&[], "/chat -n 1\n")
            .out
            .matches("since you left")
            .count(),
        0
    );

    let mut person = Person::sit(&world, "alice");
    person.above("since you left: 48 images by bob, 2 ratings, 1 chat line");
    person.line("");
    person.types("/getImages --sort name\r");
    person.above("1–36 of 50; --offset 36 goes on");
    person.line("");
    person.until("the page", |screen| {
        screen.has("035.jpg") && !screen.has("036.jpg")
    });
    person.types("/rateImage 000.jpg 3\r");
    person.above("rated 000.jpg 3");
    person.line("");
    person.types("/more\r");
    person.above("37–50 of 50");
    person.until("the rest", |screen| {
        screen.has("036.jpg") && screen.has("049.jpg")
    });
    person.line("");
    person.types("/more\r");
    person.above("there is no next page");
    person.line("");
    person.types("/log --limit 2\r");
    person.above("there is more; --offset 2 goes on");
    person.line("");
    person.types("/more\r");
    person.above("there is more; --offset 4 goes on");
    // Killed, she left when she typed her last line.
    drop(person);
    bob.ok(&["say", "gone again?"]);
    world.sync(&["alice", "bob"]);
    // Over a restart of her node as well.
    assert_eq!(peers.remove(0).end(), 0);
    let mut person = Person::sit(&world, "alice");
    person.above("since you left: 1 chat line");
    person.line("");
    person.types("\x04");
    assert_eq!(person.ends(), 0);
    let mut person = Person::sit(&world, "alice");
    person.line("");
    assert!(!person.screen.has("since you left"));
}
