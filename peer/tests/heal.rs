//! Bit rot: whatever flipped on a member's disk is found, set aside and fetched again from another member.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use world::{World, wait_for};

/// Flips in one run; the nightly run asks for more.
fn flips() -> u64 {
    std::env::var("HEAL_FLIPS").map_or(3, |n| n.parse().unwrap())
}

/// A number that is the same each time.
fn drawn(seed: u64, below: usize) -> usize {
    let hash = blake3::hash(&seed.to_le_bytes());
    let number = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
    (number % below as u64) as usize
}

/// Every image file of a home with its bytes.
fn images(home: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folders = std::fs::read_dir(home.join("blobs")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn flip(path: &Path, at: usize, bit: u32) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
}

/// An album with images, ratings and chat at two members.
fn album(world: &World) -> Vec<world::Up> {
    let peers = world.trip(&["alice", "bob"]);
    for seed in 0..4 {
        let name = format!("image{seed}.bmp");
        world.image(&name, seed);
        world.home("alice").ok(&["add-image", &name]);
        world.home("bob").ok(&["rate-image", &name, "4"]);
    }
    world.home("bob").ok(&["say", "what a trip"]);
    world.sync(&["alice", "bob"]);
    peers
}

/// Bob's disk flips a bit, at times in an image, at times in the database. `fsck` tells, and once he is back he has
/// every op and every byte that he had.
#[test]
fn flipped_bits_are_found_and_healed_from_a_peer() {
    let world = World::new();
    let mut peers = album(&world);
    let bob = world.home("bob");
    assert_eq!(peers.pop().unwrap().end(), 0);
    let home = world.path("bob");
    let wanted = images(&home);
    assert!(wanted.len() >= 8, "originals and previews");
    let (mut found, mut in_images) = (0, 0);
    for round in 0..flips() {
        let in_image = round % 3 == 1;
        let path = match in_image {
            true => wanted.keys().nth(drawn(round, wanted.len())).unwrap().clone(),
            false => home.join("calotype.db"),
        };
        let len = std::fs::metadata(&path).unwrap().len() as usize;
        let at = drawn(round + 1_000_000, len);
        flip(&path, at, (round % 8) as u32);
        let run = bob.run(&["fsck", "--json"], "");
        let told: Value = serde_json::from_str(&run.out).unwrap();
        let place = format!("round {round}, {} at {at}: {run:?}", path.display());
        match run.code {
            // Space of the database that nothing uses.
            0 => assert!(!in_image && told["rebuilt"] == false, "{place}"),
            _ => {
                assert!(run.code == 1 && told["error"]["code"] == "damaged", "{place}");
                found += 1;
            }
        }
        if in_image {
            let hash = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(told["bad_images"], serde_json::json!([hash]), "{place}");
            assert!(home.join("bad").join(hash).exists());
            in_images += 1;
        }
        assert_eq!(bob.run(&["fsck"], "").code, 0, "it is clean now; {place}");
        let up = world.up("bob", &[]);
        bob.ok(&["enter-album", "trip"]);
        world.sync(&["alice", "bob"]);
        wait_for("the bytes", || (images(&home) == wanted).then_some(()));
        assert_eq!(bob.names(), world.home("alice").names(), "{place}");
        assert_eq!(up.end(), 0);
    }
    assert!(found > 0 && in_images > 0, "{found} found, {in_images} in images");
    println!("{} flips, {found} damaged something, all healed", flips());
}

/// Nobody runs `fsck`: the peer itself notices what it reads. A rotten op is left out at the start and comes again; a
/// rotten image is not handed out, and comes again too.
#[test]
fn what_rots_is_noticed_where_it_is_read() {
    let world = World::new();
    let mut peers = album(&world);
    let bob = world.home("bob");
    let busy = bob.run(&["fsck"], "");
    assert!(
        busy.code == 1 && busy.err.contains(&peers[1].pid().to_string()),
        "a node uses the home: {busy:?}"
    );
    assert_eq!(peers.pop().unwrap().end(), 0);
    let db = world.path("bob/calotype.db");
    let bytes = std::fs::read(&db).unwrap();
    let at = bytes.windows(10).position(|name| name == b"image2.bmp").unwrap();
    flip(&db, at, 0);
    // Without it, the ops are read at the start; with it, soon after (`node::checkpoint`).
    std::fs::remove_dir_all(world.path("bob/checkpoints")).unwrap();
    let up = world.up("bob", &[]);
    world.sync(&["alice", "bob"]);
    assert_eq!(bob.names(), world.home("alice").names());

    let hash = blake3::hash(&world::bmp(1)).to_hex().to_string();
    flip(&world.path("bob/blobs").join(&hash[..2]).join(&hash), 17, 3);
    let out = world.path("out.bmp");
    let save = ["save", "image1.bmp", out.to_str().unwrap()];
    let refused = bob.run(&save, "");
    assert!(refused.code == 1 && !out.exists(), "{refused:?}");
    wait_for("the image to come again", || {
        (bob.run(&save, "").code == 0).then_some(())
    });
    assert_eq!(std::fs::read(&out).unwrap(), world::bmp(1));
    assert_eq!(up.end(), 0);
    assert_eq!(bob.run(&["fsck"], "").code, 0, "all of it was healed");
}
