//! Floods at the program, from inside: a member's key in hostile hands, and readers that do not read.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use crdt::id::{AlbumId, BlobHash};
use engine::wire::{Call, encode_call};
use peer::api::{Ask, Request};

use crate::liar::{Liar, device_of, forge, message};
use crate::world::{Control, Home, Up, World, number, wait_for};

/// What a flood may cost the one who is flooded.
const MEMORY: u64 = 32 << 20;

fn album(home: &Home<'_>) -> AlbumId {
    let list = home.json(&["list"]);
    AlbumId::from_hex(list["albums"][0]["album_id"].as_str().unwrap()).unwrap()
}

/// Watches one process's memory from here on.
struct Scales<'a> {
    up: &'a Up,
    before: u64,
}

impl<'a> Scales<'a> {
    fn new(up: &'a Up) -> Self {
        up.forget_peak();
        Self {
            up,
            before: up.memory().0,
        }
    }

    /// Bytes that were needed at most meanwhile.
    fn grown(&self) -> u64 {
        self.up.memory().1.saturating_sub(self.before)
    }
}

/// The others' edits go on.
fn works(from: &Control, to: &Control, name: &str) {
    from.add(name).unwrap();
    wait_for(name, || to.names().contains(&name.to_owned()).then_some(()));
}

/// Bob's laptop is stolen while he is a member. Its new owner sends alice, over a real link, `PEER_FLOOD` (100,000) replays
/// of an old op; then ops that he forged in her name, ops of another album, and garbage, until he is cut, and again until
/// he is banned. Alice needs at most 32 MiB for it, works with carol all the time, names what she refused and from whom, and
/// her album is what it was.
#[test]
fn a_member_who_floods_is_cut_and_costs_little() {
    let flood = usize::try_from(number("PEER_FLOOD", 100_000)).unwrap();
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob", "carol"]);
    let album = album(&world.home("bob"));
    assert_eq!(peers.remove(1).end(), 0);
    let (alice, carol) = (peers[0].control(), peers[1].control());
    let mut bob = Liar::with_keys_of(&world, "bob", 1 << 16);
    let her = device_of(&world, "alice");
    let is_banned = || alice.status().refused.contains_key("banned_link");
    assert!(bob.link(her, &peers[0].address(), album, is_banned));
    works(&alice, &carol, "heard.jpg");
    let (op, keys) = (bob.hear_op(), bob.keys.clone());

    let scales = Scales::new(&peers[0]);
    let sent = bob.pour(album, flood, |number| message(number, &op));
    wait_for("all of them to arrive", || {
        let refused = alice.status().refused;
        let over = refused.get("gossip_over").copied().unwrap_or(0);
        let heard = world.home("alice").json(&["net"])["counters"]["gossip_messages_in"].as_u64();
        (refused.contains_key("gossip_flood") || heard.unwrap_or(0) + over >= sent as u64).then_some(())
    });
    works(&carol, &alice, "replays.jpg");
    println!("{sent} replays: +{} KiB", scales.grown() >> 10);

    let mut cuts = 0;
    // A flood of replays may have been cut before.
    while cuts == 0 && sent == flood || bob.link(her, &peers[0].address(), album, is_banned) {
        let poured = bob.pour(album, flood, |number| match number % 3 {
            0 => message(number, &forge(&keys, &op, number, None)),
            1 => message(number, &forge(&keys, &op, number, Some(AlbumId([9; 32])))),
            _ => vec![b'{'; 1 + number % 1000],
        });
        if poured == flood {
            bob.is_cut();
        }
        cuts += 1;
        assert!(cuts <= 3);
        works(&carol, &alice, &format!("cut-{cuts}.jpg"));
    }
    let status = alice.status();
    println!("{cuts} cuts: +{} KiB, {:?}", scales.grown() >> 10, status.refused);
    for kind in ["op_signature", "op_album", "gossip_form", "faulty_peer", "banned"] {
        assert!(status.refused.contains_key(kind), "{kind}: {:?}", status.refused);
    }
    assert_eq!(status.refused_from[0].user, "bob");
    assert!(scales.grown() <= MEMORY, "{} bytes", scales.grown());
    assert!(alice.names().iter().all(|name| !name.starts_with("forged")));
}

/// Readers that do not read: a device that asks for a large image a hundred times and takes nothing of it, and a
/// program that wants all news and hears none. Both wait in their own streams; alice needs at most 32 MiB, and carol
/// gets her image and her news.
#[test]
fn readers_that_do_not_read_cost_little() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob", "carol"]);
    let album = album(&world.home("bob"));
    assert_eq!(peers.remove(1).end(), 0);
    let (alice, carol) = (peers[0].control(), peers[1].control());
    std::fs::write(world.path("large.bmp"), crate::world::bitmap(2000, 2000)).unwrap();
    let added = world.home("alice").json(&["add-image", "large.bmp"]);
    let hash = added["added"][0]["hash"].as_str().unwrap().to_owned();
    world.sync(&["alice", "carol"]);

    let mut bob = Liar::with_keys_of(&world, "bob", 1 << 16);
    let her = device_of(&world, "alice");
    let scales = Scales::new(&peers[0]);
    assert!(bob.link(her, &peers[0].address(), album, || false));
    let call = Call::Blob {
        album,
        blob: BlobHash::from_hex(&hash).unwrap(),
        chunks: vec![(0, 45); 64],
    };
    let mut deaf = Vec::new();
    for _ in 0..net::limits::REQUESTS_AT_ONCE_MAX {
        let asked = bob.runtime.block_on(bob.net.request(her, encode_call(&call)));
        deaf.push(asked.unwrap());
    }
    let socket = std::path::PathBuf::from(peers[0].ready["control"].as_str().unwrap());
    let mut watcher = UnixStream::connect(socket).unwrap();
    let ask = serde_json::to_string(&Ask {
        request: Request::Watch,
    })
    .unwrap();
    writeln!(watcher, "{ask}").unwrap();
    for number in 0..300 {
        alice.add(&format!("{number}.jpg")).unwrap();
    }
    works(&alice, &carol, "last.jpg");
    println!("readers that do not read: +{} KiB", scales.grown() >> 10);
    assert!(scales.grown() <= MEMORY, "{} bytes", scales.grown());
}

/// Bob claims to hold an image and sends other bytes. They are refused by their hash, he is named, and not asked for that
/// image again; as soon as somebody else has it, it comes.
#[test]
fn false_bytes_are_refused_and_come_from_another() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob", "carol"]);
    let album = album(&world.home("bob"));
    assert_eq!(peers.remove(1).end(), 0);
    let alice = peers[0].control();
    let mut bob = Liar::with_keys_of(&world, "bob", 1 << 16);
    assert!(bob.link(device_of(&world, "alice"), &peers[0].address(), album, || false));
    world.image("harbour.jpg", 1);
    let bytes = std::fs::read(world.path("harbour.jpg")).unwrap();
    let (hash, size) = (blake3::hash(&bytes).to_hex().to_string(), bytes.len());
    world
        .home("alice")
        .ok(&["add-image", "harbour.jpg", &hash, &size.to_string()]);
    bob.serve_wrong(size, || alice.status().refused.contains_key("blob_wrong"));
    let status = alice.status();
    assert_eq!(status.refused_from[0].user, "bob");
    assert_eq!(status.pending_images, 1);
    world.home("carol").ok(&["add-image", "harbour.jpg"]);
    wait_for("the true bytes", || {
        (alice.status().pending_images == 0).then_some(())
    });
    world.home("alice").ok(&["save", "harbour.jpg", "saved.jpg"]);
    assert_eq!(std::fs::read(world.path("saved.jpg")).unwrap(), bytes);
    assert_eq!(alice.status().refused["blob_wrong"], 1, "asked once");
}
