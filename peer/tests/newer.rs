//! An album with a peer of a newer program in it: what this one does not understand is kept, shown and handed on, not run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::sync::Arc;
use std::time::Duration;

use crdt::fact::{Fact, Image, Version};
use crdt::id::{AlbumId, BlobHash, Digest, Incarnation, PublicKey};
use crdt::keys::KeyPair;
use crdt::op::Op;
use crdt::{Album, Author, Draft, Trust};
use store::{Blobs, Db, Write};
use world::{World, bmp, wait_for};

/// Recipe and engine of a program that is to come. Its parameters hold what terminals obey.
const RECIPE: &str = "sepia+hologram:3,\u{1b}[2J\u{202e}";
const ENGINE: &str = "image-9.9.9/calotype-77";

/// Adds a version to the album of a home, as the newer program does whose home it is. Nobody else runs there.
fn add_version(world: &World, home: &str, source: &str, name: &str, bytes: Vec<u8>) {
    let path = world.path(home);
    let account: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path.join("account.json")).unwrap()).unwrap();
    let seed = PublicKey::from_hex(account["device_seed"].as_str().unwrap()).unwrap();
    let home = store::Home::open(&path, Duration::from_secs(10)).unwrap();
    let (db, _) = Db::open(&home).unwrap();
    let incarnation = db.get("node", b"incarnation").unwrap().unwrap();
    let author = Author {
        device: KeyPair::from_seed(&seed.0),
        certificate: serde_json::from_value(account["certificate"].clone()).unwrap(),
        incarnation: Incarnation(incarnation.try_into().unwrap()),
    };
    let id = db.albums().unwrap()[0];
    let mut album = Album::empty(AlbumId(id));
    let mut read = |_, _, bytes: &[u8]| {
        let op = Op::decode(std::str::from_utf8(bytes).unwrap()).unwrap();
        album.receive(Arc::new(op), Trust::Stored);
    };
    db.ops(&id, 0, &mut read).unwrap();
    let source = album.images().find(|view| view.name == source).unwrap().image;
    let blob = Blobs::open(&home).import(&bytes).unwrap();
    let version = Version {
        source: source.hash,
        recipe: RECIPE.into(),
        pixel_engine: ENGINE.into(),
        encoder: "jpeg-xxl-1".into(),
        pixels: Digest([7; 32]),
    };
    let image = Image {
        name: name.into(),
        hash: BlobHash(blob.hash),
        size: blob.size,
        preview: None,
        version: Some(Box::new(version)),
        ..source
    };
    let draft = Draft {
        facts: vec![Fact::Image(image)],
        removes: Vec::new(),
    };
    let ops = album.author(&author, draft).unwrap();
    let write = |op: &Arc<Op>| Write::Op {
        album: id,
        hash: op.hash.0,
        bytes: op.bytes().as_bytes().to_vec(),
    };
    db.commit_wait(ops.iter().map(write).collect()).unwrap();
}

/// Bob has the newer program and makes a version with it. Alice sees it with its recipe and its bytes, can show, save, rate
/// and filter it; `verify` says that it cannot be judged here, neither that it is right nor that it is wrong. Carol gets it from Alice.
#[test]
fn a_recipe_with_an_unknown_filter_is_kept_and_shown_and_not_run() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob", "carol"]);
    let (alice, carol) = (world.home("alice"), world.home("carol"));
    world.image("a.bmp", 1);
    alice.ok(&["add-image", "a.bmp"]);
    world.sync(&["alice", "bob", "carol"]);
    // Carol is away while bob shows it to alice.
    assert_eq!(peers.remove(2).end(), 0);
    assert_eq!(peers.remove(1).end(), 0);
    add_version(&world, "bob", "a.bmp", "new.bmp", bmp(9));
    let bob = world.up("bob", &[]);
    world.sync(&["alice", "bob"]);
    assert_eq!(bob.end(), 0);

    let images = alice.json(&["get-images"]);
    let entry = &images["images"][1];
    assert_eq!(
        (
            &entry["name"],
            &entry["recipe"],
            &entry["source"],
            &entry["state"]
        ),
        (
            &"new.bmp".into(),
            &RECIPE.into(),
            &"a.bmp".into(),
            &"ready".into()
        )
    );
    for line in [
        &["get-images"][..],
        &["get-metadata"],
        &["log"],
        &["why", "new.bmp"],
        &["show", "new.bmp"],
    ] {
        let text = alice.ok(line);
        let harmless = |text: &str| !text.contains("\u{1b}[2J") && !text.contains('\u{202e}');
        assert!(text.contains("hologram") && harmless(&text), "{line:?}: {text}");
    }
    assert!(alice.json(&["get-metadata"]).to_string().contains("hologram"));
    assert_eq!(alice.json(&["get-images", "--filter", "any"])["total"], 1);

    let judged = alice.run(&["verify", "new.bmp", "--json"], "");
    let reply: serde_json::Value = serde_json::from_str(&judged.out).unwrap();
    assert_eq!(
        (judged.code, &reply["verified"]),
        (7, &serde_json::Value::Null),
        "{judged:?}"
    );
    assert!(reply.to_string().contains("is not known here"), "{reply}");
    assert_eq!(
        alice.json(&["get-images"])["images"][1]["verified"],
        serde_json::Value::Null
    );

    // What it gave is a picture like any other.
    alice.ok(&["rate-image", "new.bmp", "5"]);
    alice.ok(&["save", "new.bmp", "saved.bmp"]);
    assert_eq!(std::fs::read(world.path("saved.bmp")).unwrap(), bmp(9));
    let made = alice.json(&["filter", "new.bmp", "invert", "--as", "more.webp"]);
    assert_eq!(made["image"]["recipe"], "invert");
    alice.ok(&["verify", "more.webp"]);
    // Nobody runs it by hand either.
    let run = alice.run(&["filter", "a.bmp", "hologram:3"], "");
    assert!(
        run.code == 2 && run.err.contains("unknown filter \"hologram\""),
        "{run:?}"
    );

    let _carol = world.up("carol", &[]);
    world.sync(&["alice", "carol"]);
    wait_for("the version's bytes", || {
        (carol.json(&["get-images"])["images"][1]["state"] == "ready").then_some(())
    });
    assert_eq!(carol.json(&["get-images"])["images"][1]["recipe"], RECIPE);
}
