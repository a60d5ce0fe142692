//! Bytes: who is asked, who is taken from, and what is forgotten.

use crdt::Draft;
use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, BlobHash, Incarnation};
use engine::limits::{FETCH_RETRY_MS, FETCHES_MAX, FETCHES_PER_PEER, HAVE_MAX, HAVE_RETRY_MS};
use engine::wire::{Call, encode_answer};
use engine::{Action, Event, FetchId, Outcome, Strategy};

use proptests::world::lone::{Lone, asks, bob, fetches};
use proptests::world::{World, people};

/// Bob's images arrive here; what the engine does about them.
fn bob_adds(lone: &mut Lone, names: &[&str]) -> Vec<Action> {
    let mut copy = lone.engine.album(&lone.album).unwrap().clone();
    let author = people::device(b'b', Incarnation([2; 16]));
    let facts = names.iter().map(|name| people::image(name)).collect();
    let ops = copy
        .author(
            &author,
            Draft {
                facts,
                removes: vec![],
            },
        )
        .unwrap();
    lone.gossip(copy.heads_root(), &ops)
}

/// Answers the questions among these with `has`; what follows.
fn have(lone: &mut Lone, actions: &[Action], has: bool) -> Vec<Action> {
    let mut next = Vec::new();
    for (ask, call) in asks(actions) {
        if let Call::Have { blobs, .. } = call {
            next.extend(lone.answer(ask, vec![encode_answer::have(&vec![has; blobs.len()])], true));
        }
    }
    next
}

fn questions(actions: &[Action]) -> usize {
    asks(actions)
        .iter()
        .filter(|(_, call)| matches!(call, Call::Have { .. }))
        .count()
}

fn end(lone: &mut Lone, fetch: FetchId, outcome: Outcome) -> Vec<Action> {
    lone.feed(Event::Fetched { fetch, outcome })
}

#[test]
fn previews_come_first_and_few_at_once() {
    let mut lone = Lone::new();
    let names: Vec<String> = (0..10).map(|number| format!("{number}.jpg")).collect();
    let actions = bob_adds(&mut lone, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut actions = have(&mut lone, &actions, true);
    let previews: Vec<BlobHash> = names
        .iter()
        .map(|name| people::blob(&format!("{name} small")))
        .collect();
    let mut order = Vec::new();
    while let Some((fetch, _, blob, _)) = fetches(&actions).first().copied() {
        assert!(fetches(&actions).len() <= FETCHES_PER_PEER);
        order.push(blob);
        actions.remove(0);
        actions.retain(|action| matches!(action, Action::Fetch { .. }));
        actions.retain(|action| !matches!(action, Action::Fetch { fetch: other, .. } if *other == fetch));
        actions.extend(end(&mut lone, fetch, Outcome::Done));
    }
    assert_eq!(order.len(), 20);
    assert!(order[..10].iter().all(|blob| previews.contains(blob)));
    assert_eq!(lone.engine.pending(), (0, 0));
}

/// Five members hold everything: no more than the limit comes at once.
#[test]
fn many_holders_do_not_raise_the_limit() {
    let mut lone = Lone::new();
    let names: Vec<String> = (0..30).map(|number| format!("{number}.jpg")).collect();
    let mut all = bob_adds(&mut lone, &names.iter().map(String::as_str).collect::<Vec<_>>());
    for person in b'c'..=b'g' {
        lone.engine
            .edit(
                lone.now,
                lone.album,
                vec![people::grant(person, Role::Viewer)],
                vec![],
            )
            .unwrap();
        all.extend(lone.drain());
        all.extend(lone.link(person));
    }
    let coming = fetches(&have(&mut lone, &all, true)).len();
    assert_eq!(coming, FETCHES_MAX);
}

/// 300 blobs and a question takes 256: until it is answered the engine sleeps. (It once span, since the rest was due.)
#[test]
fn the_rest_waits_for_the_answer_without_a_hot_loop() {
    let mut lone = Lone::new();
    let names: Vec<String> = (0..150).map(|number| format!("{number}.jpg")).collect();
    let actions = bob_adds(&mut lone, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let first: Vec<_> = asks(&actions)
        .into_iter()
        .filter(|(_, call)| matches!(call, Call::Have { .. }))
        .collect();
    let [(ask, Call::Have { blobs, .. })] = &first[..] else {
        panic!("{first:?}")
    };
    assert_eq!(blobs.len(), HAVE_MAX);
    assert!(questions(&lone.wait(1_000)) == 0, "one question at a time");
    let actions = lone.answer(*ask, vec![encode_answer::have(&vec![false; HAVE_MAX])], true);
    let rest = asks(&actions).into_iter().filter_map(|(_, call)| match call {
        Call::Have { blobs, .. } => Some(blobs.len()),
        _ => None,
    });
    assert_eq!(rest.collect::<Vec<_>>(), [300 - HAVE_MAX]);
}

/// A linked peer that shares another album only is not asked, and nobody waits for its word.
#[test]
fn who_may_not_read_an_album_is_not_asked_about_its_bytes() {
    let mut lone = Lone::new();
    lone.engine
        .edit(0, lone.album, vec![people::role(b'b', Role::None)], vec![])
        .unwrap();
    let (other, _) = lone.engine.create("other", people::AT).unwrap();
    lone.engine
        .edit(0, other, vec![people::grant(b'b', Role::Viewer)], vec![])
        .unwrap();
    let trip = lone.album;
    lone.engine
        .edit(0, trip, vec![people::image("gone.jpg")], vec![])
        .unwrap();
    let mut actions = lone.drain();
    actions.extend(lone.wait(10_000));
    assert_eq!(questions(&actions), 0);
    assert_eq!((lone.engine.obtainable(&trip), lone.engine.pending().0), (0, 2));
}

/// A blob of two albums is asked for, and taken, under the one that the peer may read.
#[test]
fn a_blob_of_two_albums_is_asked_under_the_shared_one() {
    let mut lone = Lone::new();
    let private = loop {
        let (album, _) = lone.engine.create("private", people::AT).unwrap();
        if album < lone.album {
            break album;
        }
    };
    lone.engine
        .edit(0, private, vec![people::image("both.jpg")], vec![])
        .unwrap();
    lone.drain();
    let actions = bob_adds(&mut lone, &["both.jpg"]);
    let actions = have(&mut lone, &actions, true);
    let albums: Vec<AlbumId> = fetches(&actions)
        .into_iter()
        .map(|(_, _, _, album)| album)
        .collect();
    assert_eq!(albums, [lone.album; 2]);
}

/// Removed while it comes, added again before it is here: it comes once.
#[test]
fn an_image_removed_and_added_again_comes_once() {
    let mut lone = Lone::new();
    let actions = bob_adds(&mut lone, &["a.jpg"]);
    let actions = have(&mut lone, &actions, true);
    let under_way = fetches(&actions);
    assert_eq!(under_way.len(), 2);
    let album = lone.album;
    let id = lone.engine.album(&album).unwrap().images().next().unwrap().id;
    lone.engine.edit(0, album, vec![], vec![id]).unwrap();
    lone.drain();
    assert_eq!(lone.engine.pending(), (0, 0), "nobody names it");
    let mut actions = {
        lone.engine
            .edit(0, album, vec![people::image("a.jpg")], vec![])
            .unwrap();
        lone.drain()
    };
    actions.extend(lone.wait(5_000));
    assert!(fetches(&actions).is_empty());
    for (fetch, ..) in under_way {
        end(&mut lone, fetch, Outcome::Done);
    }
    assert_eq!(lone.engine.pending(), (0, 0));
    assert!(lone.engine.is_here(&people::blob("a.jpg")));
}

/// The link went down while the last bytes were written: they are here all the same.
#[test]
fn what_was_fetched_as_the_link_fell_counts() {
    let mut lone = Lone::new();
    let actions = bob_adds(&mut lone, &["a.jpg"]);
    let actions = have(&mut lone, &actions, true);
    let under_way = fetches(&actions);
    lone.feed(Event::LinkDown { peer: bob() });
    // Linked again before the shell has told the end.
    let again = lone.link(b'b');
    assert!(
        fetches(&have(&mut lone, &again, true)).is_empty(),
        "not twice at once"
    );
    end(&mut lone, under_way[0].0, Outcome::Done);
    let retried = end(&mut lone, under_way[1].0, Outcome::Broken);
    assert!(lone.engine.is_here(&under_way[0].2));
    assert_eq!(fetches(&retried).len(), 1);
}

#[test]
fn each_end_has_its_wait() {
    for (outcome, wait) in [
        (Outcome::NotThere, HAVE_RETRY_MS),
        (Outcome::Broken, FETCH_RETRY_MS),
        (Outcome::NoRoom, FETCH_RETRY_MS),
    ] {
        let mut lone = Lone::new();
        let actions = bob_adds(&mut lone, &["a.jpg"]);
        let actions = have(&mut lone, &actions, true);
        for (fetch, ..) in fetches(&actions) {
            end(&mut lone, fetch, outcome);
        }
        assert_eq!(questions(&lone.wait(wait - 1)), 0, "{outcome:?} too early");
        assert_eq!(questions(&lone.wait(1)), 1, "{outcome:?}");
    }
}

/// No room: what others hold waits too, and goes on by itself.
#[test]
fn a_full_disk_pauses_all_transfers_and_then_goes_on() {
    let mut lone = Lone::new();
    let actions = bob_adds(&mut lone, &["a.jpg", "b.jpg", "c.jpg"]);
    let actions = have(&mut lone, &actions, true);
    let (first, ..) = fetches(&actions)[0];
    assert!(fetches(&end(&mut lone, first, Outcome::NoRoom)).is_empty());
    assert!(fetches(&lone.wait(FETCH_RETRY_MS - 1)).is_empty());
    assert_eq!(fetches(&lone.wait(1)).len(), 1, "without any other event");
}

/// Wrong bytes: never again from him over this link, and nobody waits for him.
#[test]
fn a_liar_is_banned_for_that_blob() {
    let mut lone = Lone::new();
    let actions = bob_adds(&mut lone, &["a.jpg"]);
    let actions = have(&mut lone, &actions, true);
    for (fetch, ..) in fetches(&actions) {
        end(&mut lone, fetch, Outcome::Wrong);
    }
    let mut later = lone.wait(300_000);
    lone.engine.compare(lone.now, lone.album);
    later.extend(lone.drain());
    assert_eq!(questions(&later), 0);
    assert_eq!(lone.engine.obtainable(&lone.album), 0);
    let again = lone.link(b'b');
    assert_eq!(questions(&again), 1, "a new link is a new chance");
}

/// He answers `have` too short, too long, never ending, or not at all.
#[test]
fn wrong_answers_to_have() {
    let answers: [Vec<Vec<u8>>; 5] = [
        vec![encode_answer::have(&[true])],
        vec![encode_answer::have(&[true; HAVE_MAX])],
        vec![encode_answer::have(&[true; 2]); 50],
        vec![encode_answer::end(false)],
        vec![],
    ];
    for frames in answers {
        let mut lone = Lone::new();
        let actions = bob_adds(&mut lone, &["a.jpg"]);
        for (ask, call) in asks(&actions) {
            if matches!(call, Call::Have { .. }) {
                for frame in &frames {
                    lone.feed(Event::Frame {
                        ask,
                        frame: frame.clone(),
                    });
                }
                lone.feed(Event::Ended {
                    ask,
                    whole: !frames.is_empty(),
                });
            }
        }
        assert!(questions(&lone.wait(120_000)) < 12, "asked less and less often");
    }
}

/// Rot: the bytes are gone, and wanted again.
#[test]
fn what_rots_is_fetched_again() {
    let mut lone = Lone::new();
    let Fact::Image(image) = people::image("a.jpg") else {
        unreachable!()
    };
    lone.feed(Event::BlobsHere {
        blobs: vec![image.hash, image.preview.unwrap().hash],
    });
    lone.engine
        .edit(0, lone.album, vec![Fact::Image(image.clone())], vec![])
        .unwrap();
    lone.drain();
    let actions = lone.feed(Event::BlobGone { blob: image.hash });
    let coming = fetches(&have(&mut lone, &actions, true));
    assert_eq!(coming.len(), 1);
    assert_eq!(coming[0].2, image.hash);
    assert!(
        lone.feed(Event::BlobGone {
            blob: people::blob("nobody's")
        })
        .is_empty()
    );
}

/// Who took a blob is remembered while somebody names it and he is linked.
#[test]
fn copies_are_known_while_they_matter() {
    let mut lone = Lone::new();
    let Fact::Image(image) = people::image("a.jpg") else {
        unreachable!()
    };
    lone.feed(Event::BlobsHere {
        blobs: vec![image.hash],
    });
    lone.engine
        .edit(0, lone.album, vec![Fact::Image(image.clone())], vec![])
        .unwrap();
    lone.feed(Event::Served {
        peer: bob(),
        blob: image.hash,
    });
    lone.feed(Event::Served {
        peer: bob(),
        blob: people::blob("not here"),
    });
    assert!(lone.engine.held_elsewhere(&image.hash));
    assert!(!lone.engine.held_elsewhere(&people::blob("not here")));
    let id = lone
        .engine
        .album(&lone.album)
        .unwrap()
        .images()
        .next()
        .unwrap()
        .id;
    lone.engine.edit(0, lone.album, vec![], vec![id]).unwrap();
    assert!(
        !lone.engine.held_elsewhere(&image.hash),
        "nobody names it any more"
    );
}

/// Two members who have everything meet again after both were restarted: nothing travels, yet each learns that the other
/// holds a copy, so that neither calls his the only one.
#[test]
fn copies_of_old_images_are_known_after_a_restart() {
    let mut world = World::of(7, 2, Strategy::Op);
    let album = world.shared_album(Role::Contributor);
    world.add_image(0, album, "one.jpg");
    world.settle(album);
    let blob = people::blob("one.jpg");
    for at in [0, 1] {
        world.crash(at);
    }
    for at in [0, 1] {
        world.start(at);
    }
    assert!(!world.engine(0).held_elsewhere(&blob), "nobody was asked yet");
    let known = |world: &World| {
        [0, 1]
            .into_iter()
            .all(|at| world.engine(at).held_elsewhere(&blob))
    };
    assert!(world.run_until(60_000, known));
    // A copy that went is no copy.
    world.crash(1);
    assert!(world.run_until(60_000, |world| !world.engine(0).held_elsewhere(&blob)));
}
