//! Stories of several peers as real processes: what they promise each other when all goes well and when it does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use world::{World, wait_for};

const A_HASH: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

#[test]
fn images_ratings_chat_and_versions_reach_the_others() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob", "carol"]);
    world.image("sunset.jpg", 1);
    world.home("alice").ok(&["add-image", "sunset.jpg"]);
    world.sync(&["alice", "bob", "carol"]);
    let version = world
        .home("bob")
        .json(&["filter", "sunset.jpg", "grayscale+blur:2"]);
    world.home("carol").ok(&["rate-image", "sunset.jpg", "5"]);
    world.home("bob").ok(&["rate-image", "sunset.jpg", "2"]);
    world.home("bob").ok(&["say", "look at this"]);
    world.sync(&["alice", "bob", "carol"]);

    let images = world.home("alice").json(&["get-images"]);
    let [original, filtered] = &images["images"].as_array().unwrap()[..] else {
        panic!("{images}")
    };
    assert_eq!(original["rating"]["mean"], 3.5);
    assert_eq!(original["rating"]["count"], 2);
    assert_eq!(filtered["version_of"], original["hash"]);
    assert_eq!(filtered["recipe"], "grayscale+blur:2");
    assert_eq!(filtered["author"], "bob");
    assert_eq!(filtered["hash"], version["image"]["hash"]);
    assert_eq!(filtered["state"], "ready", "the version's bytes came along");
    let saved = world.path("saved.jpg");
    world
        .home("carol")
        .ok(&["save", "sunset.jpg", saved.to_str().unwrap()]);
    assert_eq!(
        std::fs::read(saved).unwrap(),
        std::fs::read(world.path("sunset.jpg")).unwrap()
    );
    assert_eq!(
        world.home("carol").json(&["chat"])["lines"][0]["text"],
        "look at this"
    );
}

/// A student looks inside: who wrote what under which dot, who removed what, and what one edit cost at both ends.
#[test]
fn the_inner_state_and_the_traffic_are_there_to_be_read() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    for home in [&alice, &bob] {
        home.ok(&["net", "--reset"]);
    }
    for digit in ["a", "b", "c"] {
        bob.ok(&["add-image", &format!("{digit}.jpg"), &digit.repeat(64), "7"]);
    }
    world.sync(&["alice", "bob"]);
    alice.ok(&["remove-image", "b.jpg"]);
    world.sync(&["alice", "bob"]);

    let it = alice.json(&["get-or-set"]);
    // Genesis, grant, and two of the three images; in one order on both sides.
    assert_eq!(
        (&it["total"], &it["removed_total"]),
        (&4.into(), &1.into()),
        "{it}"
    );
    assert_eq!(it["elements"], bob.json(&["get-or-set"])["elements"]);
    let name_of = |actor: &serde_json::Value| {
        let actors = it["actors"].as_array().unwrap();
        let found = actors.iter().find(|one| one["actor"] == *actor).unwrap();
        found["name"]
            .as_str()
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned()
    };
    let gone = &it["removed"][0];
    assert_eq!(gone["value"]["name"], "b.jpg");
    assert_eq!(
        (name_of(&gone["dot"][0]), name_of(&gone["by"][0][0])),
        ("bob".into(), "alice".into())
    );
    assert_eq!(
        gone["by"][0][1],
        it["clock"][it["replica"].as_str().unwrap()],
        "the last that alice did"
    );
    let page = alice.json(&["get-or-set", "--limit", "1", "--skip", "1"]);
    assert_eq!(page["elements"][0], it["elements"][2]);
    assert_eq!(
        (page["elements"].as_array().unwrap().len(), &page["total"]),
        (1, &it["total"])
    );
    let [op, delta, state] = &it["sends"].as_array().unwrap()[..] else {
        panic!("{it}")
    };
    assert_eq!(op["edit"], delta["edit"], "one edit alone is the same");
    assert_eq!(
        state["edit"]["bytes"], state["empty"]["bytes"],
        "a state is always all of it"
    );
    assert!(state["edit"]["bytes"].as_u64() > op["edit"]["bytes"].as_u64());
    assert_eq!(
        (&op["empty"]["messages"], &delta["empty"]["messages"]),
        (&it["ops"], &1.into())
    );

    // What bob sent is what alice got, message by message, and the links carried more than all kinds together.
    let edits = |home: &world::Home<'_>, side: &str| {
        let net = home.json(&["net"]);
        let kinds = net["kinds"].as_array().unwrap();
        let kind = kinds.iter().find(|kind| kind["kind"] == "edits").unwrap();
        let number = |of: &serde_json::Value, key: &str| of[format!("{key}_{side}")].as_u64().unwrap();
        let carried = number(&net, "link_bytes") > number(&net, "bytes");
        (number(kind, "messages"), number(kind, "bytes"), carried)
    };
    wait_for("both ends to have counted the same", || {
        let sent = edits(&bob, "out");
        (sent == edits(&alice, "in") && sent.0 >= 4 && sent.2).then_some(())
    });
    let net = bob.json(&["net"]);
    assert_eq!(
        (&net["ops_written"], &net["published"]["edits"]),
        (&3.into(), &4.into())
    );
    assert_eq!(net["peers"][0]["user"], "alice");
}

#[test]
fn live_edits_travel_by_gossip_alone() {
    let world = World::new();
    let peers = world.trip(&["alice", "bob"]);
    for peer in peers {
        assert_eq!(peer.end(), 0);
    }
    let gossip_only = [("CALOTYPE_TEST_GOSSIP_ONLY", "1")];
    let _alice = world.home("alice").up_with(&[], &gossip_only);
    let _bob = world.home("bob").up_with(&[], &gossip_only);
    // Known addresses bring them together again; nobody compares anything.
    wait_for("a link", || {
        (world.home("alice").json(&["status"])["peers"] == 1).then_some(())
    });
    wait_for("a link", || {
        (world.home("bob").json(&["status"])["peers"] == 1).then_some(())
    });
    world.home("alice").ok(&["add-image", "live.jpg", A_HASH, "0"]);
    wait_for("the live add", || {
        world
            .home("bob")
            .names()
            .contains(&"live.jpg".to_owned())
            .then_some(())
    });
}

#[test]
fn a_transfer_goes_on_where_it_was_killed() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    // 48 MB without compression: long enough to be caught on its way.
    std::fs::write(world.path("large.bmp"), world::bitmap(4000, 4000)).unwrap();
    world.home("alice").ok(&["add-image", "large.bmp"]);
    let parts = world.path("bob/parts");
    wait_for("the download to begin", || {
        let mut files = std::fs::read_dir(&parts)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|ending| ending == "part"))
    });
    peers.pop().unwrap().kill();
    let came = std::fs::read_dir(&parts).unwrap().count();
    peers.push(world.up("bob", &[]));
    world.sync(&["alice", "bob"]);
    assert!(came > 0, "what had come stayed");
    let saved = world.path("saved.bmp");
    world
        .home("bob")
        .ok(&["save", "large.bmp", saved.to_str().unwrap()]);
    let (ours, theirs) = (
        std::fs::read(saved).unwrap(),
        std::fs::read(world.path("large.bmp")).unwrap(),
    );
    assert!(ours == theirs, "byte for byte");
}

#[test]
fn edits_made_apart_without_a_central_meet_again() {
    let world = World::new();
    let peers = world.trip(&["alice", "bob"]);
    peers.into_iter().for_each(|peer| peer.kill());
    // One-shots on homes without a node, one after the other: nobody reaches anybody, the central is away too.
    world.image("same.jpg", 3);
    world.home("alice").ok(&["--no-sync", "add-image", "same.jpg"]);
    world.image("same.jpg", 4);
    world.home("bob").ok(&["--no-sync", "add-image", "same.jpg"]);
    assert_ne!(world.home("alice").digest(), world.home("bob").digest());
    let _alice = world.up("alice", &[]);
    let _bob = world.up("bob", &[]);
    world.sync(&["alice", "bob"]);
    let names = world.home("alice").names();
    assert_eq!(
        names,
        world.home("bob").names(),
        "the same names alike everywhere"
    );
    assert!(
        names.len() == 2 && names.iter().any(|name| name.starts_with("same.jpg~")),
        "{names:?}"
    );
}

#[test]
fn a_removed_member_gets_nothing_new_and_what_the_removal_saw_stays() {
    let world = World::new();
    let _peers = world.trip(&["alice", "bob", "carol"]);
    world.home("carol").ok(&["add-image", "hers.jpg", A_HASH, "0"]);
    world.sync(&["alice", "bob", "carol"]);
    world.home("alice").ok(&["remove-user", "carol"]);
    wait_for("the removal at bob's", || {
        let members = world.home("bob").json(&["get-metadata"])["members"]
            .as_array()
            .unwrap()
            .len();
        (members == 2).then_some(())
    });
    world
        .home("bob")
        .ok(&["add-image", "later.jpg", &"11".repeat(32), "5"]);
    world.sync(&["alice", "bob"]);
    assert_eq!(world.home("alice").names(), ["hers.jpg", "later.jpg"]);
    // Her own program may or may not have heard of it; either way nothing of hers reaches the others.
    let _ = world
        .home("carol")
        .run(&["add-image", "after.jpg", &"22".repeat(32), "5"], "");
    world.sync(&["alice", "bob"]);
    assert!(!world.home("alice").names().contains(&"after.jpg".to_owned()));
    assert!(!world.home("carol").names().contains(&"later.jpg".to_owned()));
}

#[test]
fn an_older_copy_of_a_home_goes_on_as_another_replica() {
    let world = World::new();
    let peers = world.trip(&["alice", "bob"]);
    world.home("bob").ok(&["add-image", "one.jpg", A_HASH, "0"]);
    world.sync(&["alice", "bob"]);
    let mut peers = peers.into_iter();
    let (_alice, bob) = (peers.next().unwrap(), peers.next().unwrap());
    assert_eq!(bob.end(), 0);
    world::copy(&world.path("bob"), &world.path("backup"));
    let bob = world.up("bob", &[]);
    world
        .home("bob")
        .ok(&["add-image", "two.jpg", &"22".repeat(32), "5"]);
    world.sync(&["alice", "bob"]);
    assert_eq!(bob.end(), 0);
    // The disk broke; the backup is what is left.
    std::fs::remove_dir_all(world.path("bob")).unwrap();
    std::fs::rename(world.path("backup"), world.path("bob")).unwrap();
    world
        .home("bob")
        .ok(&["--no-sync", "add-image", "three.jpg", &"33".repeat(32), "5"]);
    let _bob = world.up("bob", &[]);
    world.sync(&["alice", "bob"]);
    let mut names = world.home("alice").names();
    names.sort();
    assert_eq!(names, ["one.jpg", "three.jpg", "two.jpg"]);
}

#[test]
fn bytes_thrown_at_the_guard_and_the_central_end_that_link_only() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let central = world.home("alice").json(&["status"])["central_address"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut terabyte = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    terabyte.extend([0x02, 0, 0, 1, 0, 0, 0, 0, 0]);
    let volleys: [Vec<u8>; 5] = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        terabyte,
        // The head of a TLS record that promises more than comes.
        vec![0x16, 0x03, 0x01, 0x40, 0x00, 0x01],
        Vec::new(),
    ];
    for address in [peers[0].address(), central] {
        for volley in &volleys {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.set_read_timeout(Some(world::PATIENCE)).unwrap();
            let _ = stream.write_all(volley);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut rest = Vec::new();
            // An answer or none: the link ends.
            let _ = stream.read_to_end(&mut rest);
        }
    }
    assert!(peers.iter_mut().all(world::Up::is_alive));
    world.home("bob").ok(&["add-image", "still.jpg", A_HASH, "0"]);
    world.sync(&["alice", "bob"]);
    assert_eq!(world.home("alice").names(), ["still.jpg"]);
}

#[test]
fn whoever_serves_the_central_may_die() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    // Alice was first, so the embedded central lives in her process.
    peers.remove(0).kill();
    wait_for("bob to take the central over", || {
        (world.home("bob").json(&["status"])["central"] == "connected").then_some(())
    });
    let _alice = world.up("alice", &[]);
    let _carol = world.up("carol", &["--register"]);
    world.home("alice").ok(&["add-user", "carol"]);
    world.home("carol").ok(&["enter-album", "trip"]);
    world.sync(&["alice", "bob", "carol"]);
}

#[test]
fn strategies_work_together_in_one_album() {
    let world = World::new();
    let _alice = world.up("alice", &["--register", "--replication", "op"]);
    let _bob = world.up("bob", &["--register", "--replication", "delta"]);
    let _carol = world.up("carol", &["--register", "--replication", "state"]);
    world.home("alice").ok(&["create-album", "trip"]);
    for user in ["bob", "carol"] {
        world.home("alice").ok(&["add-user", user]);
        world.home(user).ok(&["enter-album", "trip"]);
    }
    for (number, user) in ["alice", "bob", "carol"].into_iter().enumerate() {
        let hash = format!("{number}{number}").repeat(32);
        world
            .home(user)
            .ok(&["add-image", &format!("{user}.jpg"), &hash, "5"]);
    }
    world.sync(&["alice", "bob", "carol"]);
    assert_eq!(world.home("carol").names().len(), 3);
}
