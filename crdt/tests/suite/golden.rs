//! Golden bytes: one op of each kind, signed by fixed keys. The files freeze the format; `CRDT_GOLDEN=write` writes them
//! anew, which a change of docs/protocol.md's version must justify.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crdt::fact::{AcceptRun, Fact, Image, Preview, Role, Shape, Version};
use crdt::id::{AlbumSeed, Digest};
use crdt::op::{Genesis, Op, check_genesis};
use crdt::{Album, Receipt, Trust};

use crate::world::{AT, Pen, blob, device, dot, grant, image, role, root, user};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// Compares with the file, or writes it.
fn golden(name: &str, text: &str) {
    if std::env::var_os("CRDT_GOLDEN").is_some_and(|mode| mode == "write") {
        fs::write(path(name), text).unwrap();
    }
    let kept = fs::read_to_string(path(name)).unwrap_or_default();
    assert_eq!(kept, text, "golden file {name}");
}

fn photo() -> Image {
    Image {
        name: "sunset.jpg".to_owned(),
        hash: blob("sunset"),
        size: 2_345_678,
        at: AT,
        shape: Some(Shape {
            media: "image/jpeg".to_owned(),
            width: 4000,
            height: 3000,
        }),
        taken: Some("2024-07-01T20:15:00".to_owned()),
        damaged: false,
        preview: Some(Preview {
            hash: blob("preview"),
            size: 34_567,
        }),
        version: None,
    }
}

fn version() -> Image {
    let version = Version {
        source: blob("sunset"),
        recipe: "grayscale+blur:2".to_owned(),
        pixel_engine: "calotype-pixels 1".to_owned(),
        encoder: "calotype-jpeg 1".to_owned(),
        pixels: Digest(blob("pixels").0),
    };
    let shape = Some(Shape {
        media: "image/png".to_owned(),
        width: 40,
        height: 30,
    });
    Image {
        name: "grey \u{e9}.png".to_owned(),
        damaged: true,
        shape,
        version: Some(Box::new(version)),
        ..photo()
    }
}

/// One op of each kind, by name, in causal order.
fn ops() -> Vec<(&'static str, Arc<Op>)> {
    let (owner, phone) = (device(b'O', 1), device(b'O', 2));
    let (alice, root_of_o) = (device(b'A', 1), device(b'O', 0));
    let (_, genesis) = Album::create(&owner, AlbumSeed([9; 16]), "trip", "olga", AT).unwrap();
    let id = crdt::id::AlbumId(genesis.hash.0);
    let pen = |author, prev, deps: &[&Op], fact: Fact| Pen::new(author, id, prev, deps).facts(&[fact]).sign();
    let granted = pen(&owner, Some(&genesis), &[], grant(b'A', Role::Contributor));
    let changed = pen(&owner, Some(&granted), &[], role(b'A', Role::Curator));
    let album = pen(
        &owner,
        Some(&changed),
        &[],
        Fact::Album {
            name: "Sommer \u{1f305}".to_owned(),
            at: AT,
        },
    );
    let first = pen(&alice, None, &[&album], Fact::Image(photo()));
    let made = pen(&alice, Some(&first), &[], Fact::Image(version()));
    let classic = pen(&alice, Some(&made), &[], image("classic.png"));
    let rated = pen(
        &owner,
        Some(&album),
        &[&made],
        Fact::Rating {
            image: blob("sunset"),
            stars: 5,
            at: AT,
        },
    );
    let chat = pen(
        &phone,
        None,
        &[&rated, &classic],
        Fact::Chat {
            text: "hello \"you\"\n".to_owned(),
            at: AT,
        },
    );
    let mut removal = Pen::new(&owner, id, Some(&rated), &[&chat])
        .removes(&[dot(&classic)])
        .header();
    removal.batch = Some(rated.hash.short());
    let removal = Pen::new(&owner, id, Some(&rated), &[&chat])
        .removes(&[dot(&classic)])
        .sign_as(&removal);
    let run = AcceptRun {
        actor: alice.actor(),
        seq: made.last_seq(),
        header: made.hash.short(),
        count: 2,
    };
    let accept = pen(
        &owner,
        Some(&removal),
        &[],
        Fact::Accept {
            ops: vec![run],
            at: AT,
        },
    );
    let lost = Fact::Revoke {
        device: phone.device.public(),
        at: AT,
    };
    let revoke = pen(&root_of_o, None, &[&accept], lost);
    let empty = Pen::new(&alice, id, Some(&classic), &[&revoke, &chat]).sign();
    vec![
        ("genesis", genesis),
        ("grant", granted),
        ("role", changed),
        ("album", album),
        ("first-header-image", first),
        ("version", made),
        ("classic", classic),
        ("rating", rated),
        ("chat", chat),
        ("removal", removal),
        ("accept", accept),
        ("revoke", revoke),
        ("empty", empty),
    ]
}

#[test]
fn every_kind_of_op() {
    let mut hashes = String::new();
    for (name, op) in ops() {
        golden(&format!("{name}.json"), &format!("{}\n", op.bytes()));
        let facts: Vec<String> = op.facts.iter().map(|fact| fact.hash.hex()).collect();
        writeln!(hashes, "{name} {} {}", op.hash.hex(), facts.join(" ")).unwrap();
    }
    golden("hashes.txt", &hashes);
}

#[test]
fn the_digest_of_a_small_album() {
    let ops = ops();
    let mut album = Album::empty(crdt::id::AlbumId(ops[0].1.hash.0));
    for (name, op) in &ops {
        assert!(
            matches!(album.receive(op.clone(), Trust::Verify), Receipt::Received(_)),
            "{name}"
        );
    }
    album.check_invariants().unwrap();
    let mut text = String::new();
    writeln!(text, "album {}", album.id().hex()).unwrap();
    writeln!(text, "heads {}", album.heads_root().hex()).unwrap();
    writeln!(text, "facts {}", album.facts_root().hex()).unwrap();
    writeln!(text, "digest {}", album.digest().hex()).unwrap();
    for (letter, person) in [("owner", b'O'), ("alice", b'A')] {
        writeln!(text, "user {letter} {}", user(person).hex()).unwrap();
        writeln!(text, "actor {letter} {}", device(person, 1).actor().hex()).unwrap();
    }
    golden("digest.txt", &text);
    // The phone's line of chat was seen by its revoke and stays.
    assert_eq!(
        (album.held_count(), album.image_count(), album.chat().count()),
        (0, 2, 1)
    );
}

/// What is in the files is read back as written, key by key.
#[test]
fn golden_ops_are_read_back() {
    for (name, op) in ops() {
        let kept = fs::read_to_string(path(&format!("{name}.json"))).unwrap();
        let read = Op::decode(kept.trim_end()).unwrap();
        assert_eq!(read, *op, "{name}");
        assert_eq!(read.header.to_text(), read.header_text(), "{name}");
        for (place, fact) in read.facts.iter().enumerate() {
            assert_eq!(
                Some(fact.fact.to_text().as_str()),
                read.fact_text(place),
                "{name}"
            );
            assert!(!matches!(fact.fact, Fact::Opaque { .. }), "{name}");
        }
    }
}

#[test]
fn a_genesis_header_alone_proves_the_owner() {
    let ops = ops();
    let genesis = &ops[0].1;
    let proved = check_genesis(genesis.header_text(), &genesis.sig).unwrap();
    let album = crdt::id::AlbumId(genesis.hash.0);
    assert_eq!(
        proved,
        Genesis {
            album,
            root: root(b'O').public(),
            user: user(b'O')
        }
    );
    let other = &ops[1].1;
    assert!(check_genesis(other.header_text(), &other.sig).is_err());
    assert!(check_genesis(genesis.header_text(), &other.sig).is_err());
}
