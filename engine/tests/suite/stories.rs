//! Stories: what people live through, one test each.

use std::collections::BTreeSet;
use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, Incarnation};
use crdt::{Draft, Receipt, Trust};
use engine::limits::OPS_ANSWER_BYTES;
use engine::wire::{Call, encode_call};
use engine::{Config, Event, Lag, Standing, Strategy};

use proptests::world::{Disk, World, Write, people};

const ALL: [Strategy; 3] = [Strategy::Op, Strategy::Delta, Strategy::State];

/// Live edits only: no anti-entropy behind them.
fn without_anti_entropy(people: usize, strategy: Strategy) -> (World, AlbumId) {
    let mut world = World::of(1, people, strategy);
    let album = world.shared_album(Role::Contributor);
    for at in 0..people {
        world.crash(at);
        world.peers[at].config.anti_entropy = false;
        world.start(at);
    }
    world.run(1_000);
    (world, album)
}

#[test]
fn a_live_edit_travels_by_gossip_alone() {
    for strategy in ALL {
        let (mut world, album) = without_anti_entropy(3, strategy);
        let calls = world.calls_made;
        world.write(1, album, people::chat("hello"));
        assert!(
            world.run_until(2_000, |world| world.is_settled(album)),
            "{strategy:?}"
        );
        assert_eq!(world.calls_made, calls, "nobody asked anything");
    }
}

/// A is linked with B and B with C: what A says reaches C because B says it again.
#[test]
fn a_line_of_three_converges_by_publishing_on() {
    for strategy in ALL {
        let (mut world, album) = without_anti_entropy(3, strategy);
        world.part(0, 2);
        world.write(0, album, people::chat("from one end"));
        world.write(2, album, people::chat("from the other"));
        assert!(
            world.run_until(3_000, |world| world.is_settled(album)),
            "{strategy:?}"
        );
    }
}

/// What B learned by asking, he tells C by a hint, so that nobody waits for a timer.
#[test]
fn what_was_pulled_is_hinted_on() {
    let mut world = World::of(2, 3, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.part(0, 2);
    world.part(0, 1);
    world.write(0, album, people::chat("said alone"));
    world.run(100);
    world.heal();
    world.part(0, 2);
    assert!(world.run_until(2_000, |world| world.is_settled(album)));
}

#[test]
fn a_lost_message_does_not_stop_its_senders_later_ones() {
    let (mut world, album) = without_anti_entropy(2, Strategy::Op);
    world.write(0, album, people::chat("one"));
    world.run(1_000);
    // Bob's own line follows nothing of what comes next.
    world.net.mute = true;
    world.write(0, album, people::chat("lost"));
    world.run(1_000);
    world.net.mute = false;
    world.write(0, album, people::chat("later"));
    world.run(1_000);
    let bobs = world.album(1, album);
    assert_eq!(bobs.chat().count(), 1, "what was lost is not made up");
    assert_eq!(bobs.waiting_count(), 1, "but what came later is kept until then");
}

#[test]
fn a_gap_is_healed_by_anti_entropy() {
    for strategy in ALL {
        let mut world = World::of(3, 2, strategy);
        let album = world.shared_album(Role::Contributor);
        world.net.mute = true;
        world.write(0, album, people::chat("lost"));
        world.run(1_000);
        world.net.mute = false;
        world.write(0, album, people::chat("later"));
        assert!(
            world.run_until(2_000, |world| world.is_settled(album)),
            "{strategy:?}: long before the timer"
        );
        assert_eq!(world.album(1, album).chat().count(), 2);
    }
}

/// A and B write apart. When they meet, each sees how far they are apart before it pulls; then they stand equal.
#[test]
fn how_far_apart_two_are() {
    let mut world = World::of(6, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.settle(album);
    let (a, b) = (world.peers[0].key(), world.peers[1].key());
    world.part(0, 1);
    for number in 0..8 {
        world.write(usize::from(number < 5), album, people::chat(&number.to_string()));
    }
    world.run(100);
    assert_eq!(world.engine(0).lag(&album, &b), None, "no link, no lag");
    world.heal();
    let apart = Lag {
        missing_here: 5,
        missing_there: 3,
    };
    assert!(world.run_until(2_000, |world| world.engine(0).lag(&album, &b) == Some(apart)));
    let lacks = |world: &World| {
        world
            .engine(1)
            .lag(&album, &a)
            .is_some_and(|lag| lag.missing_here == 3)
    };
    assert!(world.run_until(2_000, lacks));
    world.settle(album);
    assert!(world.run_until(40_000, |world| world.engine(0).standing(&album)
        == [(b, Standing::Equal)]));
}

#[test]
fn without_any_gossip_the_timer_heals() {
    let mut world = World::of(4, 3, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.net.mute = true;
    world.write(0, album, people::chat("lost"));
    assert!(world.run_until(40_000, |world| world.is_settled(album)));
}

#[test]
fn a_late_joiner_gets_everything() {
    let mut world = World::of(5, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    for number in 0..30 {
        world.add_image(number % 2, album, &format!("{number}.jpg"));
    }
    world.settle(album);
    let carol = world.add_peer(Config {
        strategy: Strategy::Op,
        anti_entropy: true,
    });
    world.write(0, album, people::grant(b'c', Role::Viewer));
    world.open(carol, album);
    world.settle(album);
    assert_eq!(world.album(carol, album).image_count(), 30);
    assert_eq!(world.peers[carol].disk.blobs.len(), 60, "images and previews");
}

/// Carol joins 5,000 ops: a few requests, each answered within its limit.
#[test]
fn a_joiner_of_five_thousand_ops_needs_few_requests() {
    let mut world = World::of(6, 1, Strategy::Op);
    let album = world.create(0, "trip");
    for number in 0..5_000 {
        world.write(0, album, people::chat(&format!("line {number}")));
    }
    world.run(30_000);
    let bob = world.add_peer(Config {
        strategy: Strategy::Op,
        anti_entropy: true,
    });
    world.write(0, album, people::grant(b'b', Role::Viewer));
    world.open(bob, album);
    let calls = world.calls_made;
    world.settle(album);
    let pulled = world.calls_made - calls;
    assert!(pulled < 40, "{pulled} requests");
    assert!(
        world.answer_max <= OPS_ANSWER_BYTES + 64,
        "{} bytes",
        world.answer_max
    );
    assert_eq!(world.album(bob, album).op_count(), 5_002);
}

/// The write is durable, the process dies before it says a word. Nothing is lost, nothing is used twice.
#[test]
fn a_crash_between_persist_and_publish() {
    for kept in [0, 1] {
        let mut world = World::of(7, 2, Strategy::Op);
        let album = world.shared_album(Role::Contributor);
        let before = world.published;
        world.write(1, album, people::chat("last words"));
        assert_eq!(world.published, before, "nothing is said before it is durable");
        world.crash_after(1, kept);
        world.run(500);
        world.start(1);
        world.write(1, album, people::chat("and again"));
        world.settle(album);
        assert_eq!(world.album(0, album).chat().count(), 1 + kept);
        assert!(world.album(0, album).forks().is_empty(), "a dot was used again");
    }
}

/// Bob puts back last week's copy of his home, and meets Alice before he writes: her copy of his later ops tells him.
#[test]
fn a_restored_copy_goes_on_as_a_new_life() {
    let mut world = World::of(8, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.write(1, album, people::chat("before the backup"));
    world.settle(album);
    let backup = world.peers[1].disk.copy();
    world.write(1, album, people::chat("after the backup"));
    world.settle(album);
    world.crash(1);
    world.peers[1].disk.restore(backup);
    let old = world.peers[1].disk.incarnation;
    world.start(1);
    world.run(2_000);
    assert_ne!(world.peers[1].disk.incarnation, old, "remembered durably");
    world.write(1, album, people::chat("in the new life"));
    world.settle(album);
    let alices = world.album(0, album);
    assert_eq!(alices.chat().count(), 3);
    assert!(alices.forks().is_empty());
}

/// The same, but Bob writes before he meets anyone: two ops with one seq. Both count, the fork shows, he goes on anew.
#[test]
fn a_restored_copy_that_wrote_alone_shows_as_a_fork() {
    let mut world = World::of(9, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.write(1, album, people::chat("before the backup"));
    world.settle(album);
    let backup = world.peers[1].disk.copy();
    world.write(1, album, people::chat("after the backup"));
    world.settle(album);
    world.crash(1);
    world.peers[1].disk.restore(backup);
    world.partition(&[1]);
    world.start(1);
    world.write(1, album, people::chat("written alone"));
    world.run(100);
    world.heal();
    world.settle(album);
    world.write(1, album, people::chat("after the meeting"));
    world.settle(album);
    for at in 0..2 {
        let here = world.album(at, album);
        assert_eq!(here.chat().count(), 4);
        assert_eq!(here.forks().len(), 1, "it shows, and there is no second one");
    }
}

#[test]
fn a_removed_member_gets_nothing_new() {
    let mut world = World::of(10, 3, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.write(0, album, people::role(b'b', Role::None));
    world.settle(album);
    let had = world.album(1, album).op_count();
    let blobs = world.peers[1].disk.blobs.len();
    world.add_image(0, album, "secret.jpg");
    world.add_image(2, album, "another.jpg");
    world.run(100_000);
    assert!(
        world.album(1, album).op_count() <= had + 1,
        "at most the removal itself"
    );
    assert_eq!(world.peers[1].disk.blobs.len(), blobs);
    assert!(world.is_settled(album), "the others go on");
}

/// They still share another album, so the link stays: only rounds about this one stop.
#[test]
fn a_former_member_of_one_album_is_asked_about_the_other_only() {
    let mut world = World::of(11, 2, Strategy::Op);
    let (trip, home) = (
        world.shared_album(Role::Contributor),
        world.shared_album(Role::Contributor),
    );
    world.write(0, trip, people::role(b'b', Role::None));
    world.run(100);
    assert!(world.engine(0).standing(&trip).is_empty());
    let calls = world.calls_made;
    world.run(60_000);
    assert!(
        world.calls_made - calls < 40,
        "{} requests in a minute",
        world.calls_made - calls
    );
    world.add_image(1, home, "still.jpg");
    world.settle(home);
}

/// Bob is linked for one album when Alice lets him into another, which he has open: rounds and bytes begin at once.
#[test]
fn a_member_who_is_linked_already_is_noticed() {
    let mut world = World::of(12, 2, Strategy::Op);
    let home = world.shared_album(Role::Contributor);
    let trip = world.create(0, "second trip");
    world.add_image(0, trip, "early.jpg");
    world.open(1, trip);
    world.run(5_000);
    assert!(!world.album(1, trip).has_genesis(), "not yet");
    world.write(0, trip, people::grant(b'b', Role::Contributor));
    assert!(world.run_until(1_000, |world| world.is_settled(trip)));
    world.add_image(1, trip, "from bob.jpg");
    world.settle(trip);
    assert!(world.is_settled(home));
}

#[test]
fn two_albums_at_once() {
    let mut world = World::of(13, 3, Strategy::Delta);
    let (one, two) = (
        world.shared_album(Role::Contributor),
        world.shared_album(Role::Contributor),
    );
    for number in 0..10 {
        world.add_image(
            number % 3,
            if number % 2 == 0 { one } else { two },
            &format!("{number}.jpg"),
        );
    }
    world.settle(one);
    world.settle(two);
    assert_eq!(
        (
            world.album(0, one).image_count(),
            world.album(0, two).image_count()
        ),
        (5, 5)
    );
}

#[test]
fn strategies_mix_in_one_album() {
    let mut world = World::new(14);
    for strategy in ALL {
        world.add_peer(Config {
            strategy,
            anti_entropy: true,
        });
    }
    let album = world.shared_album(Role::Contributor);
    for at in 0..3 {
        world.add_image(at, album, &format!("{at}.jpg"));
    }
    assert!(world.run_until(5_000, |world| world.is_settled(album)));
}

/// The disk is full for a while: the command fails, nothing half-done stays, and its seq is free again. What was handed
/// in behind it fails too, and the album is read once, after the last of them.
#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let mut world = World::of(15, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.write(1, album, people::chat("good"));
    world.settle(album);
    world.peers[1].disk.is_full = true;
    for line in ["too much", "and more", "and more"] {
        world.write(1, album, people::chat(line));
    }
    world.run(1_000);
    world.peers[1].disk.is_full = false;
    world.write(1, album, people::chat("good again"));
    world.settle(album);
    assert_eq!(world.album(0, album).chat().count(), 2);
    assert!(world.album(0, album).forks().is_empty());
}

/// A write behind the failed one comes through late. Read before that, the album would lack it, and its author would
/// use its seq again.
#[test]
fn an_album_is_read_again_only_when_its_writes_are_told() {
    let mut world = World::of(16, 1, Strategy::Op);
    world.net.sync_ms = 1_000..=1_000;
    let album = world.create(0, "trip");
    world.run(2_000);
    let first = world.edit(0, album, vec![people::chat("one")], vec![]).unwrap();
    let second = world.edit(0, album, vec![people::chat("two")], vec![]).unwrap();
    // The world would panic at a Reload while its disk has a write of this album under way.
    world.feed(0, Event::NotPersisted { token: first, album });
    assert!(world.engine(0).album(&album).is_none());
    assert!(
        world.edit(0, album, vec![people::chat("three")], vec![]).is_err(),
        "nothing is written meanwhile"
    );
    world.peers[0].disk.lose_unsynced();
    world.feed(0, Event::NotPersisted { token: second, album });
    world.run(2_000);
    assert_eq!(world.album(0, album).chat().count(), 0);
}

/// Ten thousand actors, lives of one device, wrote here: a hello does not grow with them.
#[test]
fn ten_thousand_past_actors_and_a_hello_of_a_kilobyte() {
    let mut world = World::of(17, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    let mut copy = world.album(0, album).clone();
    let ops = many_lives(&mut copy, 10_000);
    let payloads = ops.chunks(500);
    for run in payloads {
        let epoch = engine::wire::Epoch([1; 8]);
        let payload = engine::wire::encode_message(epoch, 1, &copy.heads_root(), run);
        let from = people::device_key(b'b');
        world.feed(0, Event::Gossip { album, from, payload });
    }
    let here = world.album(0, album);
    assert!(here.head_count() >= 10_000);
    let hello = Call::Hello {
        album,
        heads: here.heads_root(),
        facts: here.facts_root(),
    };
    assert!(encode_call(&hello).len() <= 1_024);
    assert!(encode_call(&Call::Tree { album, node: None }).len() <= 1_024);
    world.settle(album);
}

/// Ops by so many lives of Alice's device, one each.
fn many_lives(album: &mut crdt::Album, count: u32) -> Vec<Arc<crdt::op::Op>> {
    let lives = (0..count).map(|life| {
        let mut incarnation = [7; 16];
        incarnation[..4].copy_from_slice(&life.to_le_bytes());
        let author = people::device(b'a', Incarnation(incarnation));
        let facts = vec![people::rating(people::blob("x"), (life % 6) as u8)];
        album
            .author(
                &author,
                Draft {
                    facts,
                    removes: vec![],
                },
            )
            .expect("the owner may")
    });
    lives.flatten().collect()
}

/// A device's home was copied, and both copies wrote more than fits one answer before they met. One who has one branch
/// must get past the part of the other that he has already.
#[test]
fn a_fork_longer_than_an_answer_arrives() {
    let mut world = World::of(18, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    let author = people::device(b'a', Incarnation([99; 16]));
    let mut trunk = world.album(0, album).clone();
    let long = |number: usize| Fact::Chat {
        text: format!("{number} {}", "x".repeat(1_900)),
        at: people::AT,
    };
    let mut ops = Vec::new();
    for number in 0..60 {
        let facts = (0..40).map(|line| long(number * 40 + line)).collect();
        ops.extend(
            trunk
                .author(
                    &author,
                    Draft {
                        facts,
                        removes: vec![],
                    },
                )
                .unwrap(),
        );
    }
    let mut left = trunk.clone();
    let branch = |album: &mut crdt::Album, text: &str| {
        let facts = vec![people::chat(text)];
        album
            .author(
                &author,
                Draft {
                    facts,
                    removes: vec![],
                },
            )
            .unwrap()
    };
    let (mut right_ops, mut left_ops) = (Vec::new(), Vec::new());
    for number in 0..3 {
        left_ops.extend(branch(&mut left, &format!("left {number}")));
    }
    right_ops.extend(branch(&mut trunk, "right"));
    world.partition(&[0]);
    for (at, more) in [(0, &left_ops), (1, &right_ops)] {
        for op in ops.iter().chain(more) {
            let disk = &mut world.peers[at].disk;
            disk.begin(Write::Ops {
                token: engine::Token(0),
                album,
                ops: vec![op.clone()],
            });
            disk.sync_one();
        }
        world.crash(at);
        world.start(at);
    }
    let right = right_ops[0].hash;
    assert!(world.album(1, album).knows(&right) && !world.album(0, album).knows(&right));
    world.heal();
    world.settle(album);
    assert!(world.album(0, album).knows(&right));
    assert_eq!(world.album(0, album).forks().len(), 1);
}

/// Whom nobody here knows yet is asked when he speaks: his own grant comes with his words.
#[test]
fn a_member_unknown_here_brings_his_own_grant() {
    let mut world = World::of(19, 3, Strategy::Op);
    let home = world.shared_album(Role::Contributor);
    let trip = world.create(0, "trip");
    for person in [b'b', b'c'] {
        world.write(0, trip, people::grant(person, Role::Contributor));
        world.open(usize::from(person - b'a'), trip);
        if person == b'b' {
            world.settle(trip);
            // From now on Alice and Bob do not meet: Bob does not hear of Carol.
            world.part(0, 1);
        }
    }
    world.run(1_000);
    assert!(world.album(2, trip).has_genesis());
    world.write(2, trip, people::chat("hello, I am new"));
    assert!(world.run_until(5_000, |world| world.album(1, trip).chat().count() == 1));
    assert!(world.album(1, home).has_genesis());
}

/// Bob's process died while he joined, when nothing but the genesis had reached his disk. Alice, the only one whom it
/// names, is away; Carol, whom it does not name, knows him for a member. She brings the rest, though nobody says a word.
#[test]
fn a_joiner_with_nothing_but_the_genesis_is_helped_by_any_member() {
    let mut world = World::of(22, 3, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    let genesis = world.album(0, album).genesis_op().unwrap().clone();
    world.crash(1);
    let mut disk = Disk::new(world.peers[1].disk.incarnation);
    disk.entered.insert(album);
    disk.begin(Write::Ops {
        token: engine::Token(0),
        album,
        ops: vec![genesis],
    });
    disk.sync_one();
    world.peers[1].disk = disk;
    world.crash(0);
    world.start(1);
    assert_eq!(world.album(1, album).op_count(), 1);
    assert!(world.run_until(60_000, |world| world.album(1, album).op_count() == 3));
}

#[test]
fn comparing_tells_when_all_are_equal() {
    let mut world = World::of(20, 3, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    let (now, engine) = (world.now, world.peers[0].engine.as_mut().unwrap());
    engine.compare(now, album);
    let standing: BTreeSet<_> = engine
        .standing(&album)
        .into_iter()
        .map(|(_, standing)| standing == Standing::Equal)
        .collect();
    assert_eq!(standing, BTreeSet::from([false]));
    world.feed(0, Event::Tick);
    assert!(world.run_until(1_000, |world| {
        let standing = world.engine(0).standing(&album);
        standing.len() == 2 && standing.iter().all(|(_, standing)| *standing == Standing::Equal)
    }));
}

/// An op that only its author's own clone could refuse again: the helper above must make ops that all take.
#[test]
fn many_lives_are_received_by_all() {
    let world = {
        let mut world = World::of(21, 1, Strategy::Op);
        world.create(0, "trip");
        world
    };
    let album = world.engine(0).albums().next().unwrap();
    let (mut copy, mut other) = (album.clone(), album.clone());
    for op in many_lives(&mut copy, 10) {
        assert!(matches!(other.receive(op, Trust::Verify), Receipt::Received(_)));
    }
}
