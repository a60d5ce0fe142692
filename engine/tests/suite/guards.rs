//! What an engine does not say before its time, nor to the wrong one, nor believe. Each test holds one line of the
//! engine; proptests/mutants takes those lines out.

use std::sync::Arc;

use crdt::Draft;
use crdt::fact::{Fact, Role};
use crdt::id::{Digest, Incarnation};
use crdt::op::Op;
use engine::wire::{
    Answer, Call, Epoch, RefusalCode, decode_answer, decode_call, encode_answer, encode_call, encode_message,
};
use engine::{Action, CallId, Event, Outcome};

use proptests::world::lone::{Lone, asks, bob};
use proptests::world::people;

const OTHER: Digest = Digest([77; 32]);

/// Alice writes, and before her disk is done Bob asks how she stands: he is answered, the edit is published and told of
/// once the write is through.
#[test]
fn nothing_is_said_of_a_write_under_way() {
    let mut lone = Lone::new();
    let (album, now) = (lone.album, lone.now);
    let facts = vec![people::image("a.jpg")];
    let token = lone.engine.edit(now, album, facts, vec![]).unwrap();
    let call = Call::Hello {
        album,
        heads: OTHER,
        facts: OTHER,
    };
    let asked = Event::Called {
        call: CallId(77),
        peer: bob(),
        body: encode_call(&call),
    };
    lone.engine.handle(now, asked);
    let says = |action: &Action| match action {
        Action::Publish { .. } => Some("gossip"),
        Action::Changed { .. } | Action::Arrived { .. } => Some("news"),
        Action::Answer { .. } => Some("answer"),
        _ => None,
    };
    let before: Vec<Action> = std::iter::from_fn(|| lone.engine.poll()).collect();
    assert!(
        before
            .iter()
            .any(|action| matches!(action, Action::Persist { .. }))
    );
    assert_eq!(before.iter().find_map(says), None);
    let mut said: Vec<&str> = lone
        .feed(Event::Persisted { token })
        .iter()
        .filter_map(says)
        .collect();
    said.sort_unstable();
    assert_eq!(said, ["answer", "gossip", "news"]);
}

/// Bob's image comes, bytes and all, while his op is still on its way to the disk: who watches hears of the image first.
#[test]
fn bytes_are_told_of_behind_the_op_that_names_them() {
    let mut lone = Lone::new();
    let now = lone.now;
    let mut copy = lone.engine.album(&lone.album).unwrap().clone();
    let draft = Draft {
        facts: vec![people::image("a.jpg")],
        removes: vec![],
    };
    let ops = copy
        .author(&people::device(b'b', Incarnation([2; 16])), draft)
        .unwrap();
    let payload = encode_message(Epoch([9; 8]), 1, &copy.heads_root(), &ops);
    let (album, from) = (lone.album, bob());
    lone.engine.handle(now, Event::Gossip { album, from, payload });
    let mut actions: Vec<Action> = std::iter::from_fn(|| lone.engine.poll()).collect();
    let token = actions.iter().find_map(|action| match action {
        Action::Persist { token, .. } => Some(*token),
        _ => None,
    });
    let mut next = 0;
    while next < actions.len() {
        let event = match &actions[next] {
            Action::Ask { ask, body, .. } => match decode_call(body).unwrap() {
                Call::Have { blobs, .. } => {
                    let frame = encode_answer::have(&vec![true; blobs.len()]);
                    lone.engine.handle(now, Event::Frame { ask: *ask, frame });
                    Some(Event::Ended {
                        ask: *ask,
                        whole: true,
                    })
                }
                _ => None,
            },
            Action::Fetch { fetch, .. } => Some(Event::Fetched {
                fetch: *fetch,
                outcome: Outcome::Done,
            }),
            _ => None,
        };
        event.into_iter().for_each(|event| lone.engine.handle(now, event));
        actions.extend(std::iter::from_fn(|| lone.engine.poll()));
        next += 1;
    }
    let told = |actions: &[Action]| -> Vec<&str> {
        let kinds = actions.iter().filter_map(|action| match action {
            Action::Changed { .. } => Some("added"),
            Action::Arrived { .. } => Some("here"),
            _ => None,
        });
        kinds.collect()
    };
    assert_eq!(told(&actions), [""; 0]);
    let token = token.expect("an op is written");
    let actions = lone.feed(Event::Persisted { token });
    assert_eq!(told(&actions), ["added", "here", "here"], "preview and image");
}

/// Bytes of an album that Bob is no member of, asked for under one that he is: they are not here, whatever he knows.
#[test]
fn bytes_are_served_where_they_are_named() {
    let mut lone = Lone::new();
    let (trip, blob) = (lone.album, people::blob("secret.jpg"));
    let (private, _) = lone.engine.create("private", people::AT).unwrap();
    let facts = vec![people::image("secret.jpg")];
    lone.engine.edit(lone.now, private, facts, vec![]).unwrap();
    lone.feed(Event::BlobsHere { blobs: vec![blob] });
    let chunks = Call::Chunks { album: trip, blob };
    let bytes = Call::Blob {
        album: trip,
        blob,
        chunks: vec![(0, 1)],
    };
    for call in [&chunks, &bytes] {
        let answer = lone.call(call);
        let refused = decode_answer(&answer[0]);
        assert!(
            matches!(&refused, Ok(Answer::Refused(why)) if why.code == RefusalCode::NotFound),
            "{refused:?}"
        );
    }
    let have = lone.call(&Call::Have {
        album: trip,
        blobs: vec![blob],
    });
    assert!(matches!(decode_answer(&have[0]), Ok(Answer::Have(has)) if has == [false]));
    // Named there too, they are served.
    let facts = vec![people::image("secret.jpg")];
    lone.engine.edit(lone.now, trip, facts, vec![]).unwrap();
    lone.drain();
    assert!(
        lone.call(&chunks).is_empty(),
        "no refusal: the shell serves the list"
    );
}

/// Bob's link is replaced before its end was noticed. What was asked over the old one is answered by nobody, and an
/// answer that still comes is not taken for one on the new link.
#[test]
fn what_was_asked_over_an_old_link_ends_with_it() {
    let mut lone = Lone::new();
    let mut actions = lone.gossip(OTHER, &[]);
    actions.extend(lone.wait(400));
    let (old, _) = asks(&actions).pop().unwrap();
    let (new, _) = asks(&lone.link(b'b')).pop().unwrap();
    let differs = || vec![encode_answer::roots(OTHER, OTHER)];
    assert!(lone.answer(old, differs(), true).is_empty());
    assert!(
        !asks(&lone.answer(new, differs(), true)).is_empty(),
        "the round goes on"
    );
}

/// An op with another's signature arrives live: it is refused and counted, and nothing is written.
#[test]
fn a_forged_op_is_not_taken_in() {
    let mut lone = Lone::new();
    let mut copy = lone.engine.album(&lone.album).unwrap().clone();
    let author = people::device(b'b', Incarnation([2; 16]));
    let draft = Draft {
        facts: vec![people::chat("x")],
        removes: vec![],
    };
    let good = copy.author(&author, draft).unwrap().pop().unwrap();
    let text = good.bytes().replacen(&good.sig.to_string(), &"A".repeat(86), 1);
    let forged = Arc::new(Op::decode(&text).unwrap());
    let is_write = |action: &Action| matches!(action, Action::Persist { .. });
    assert!(!lone.gossip(OTHER, &[forged]).iter().any(is_write));
    assert_eq!(lone.engine.refused().get("op_signature"), Some(&1));
    assert!(lone.gossip(OTHER, &[good]).iter().any(is_write));
}

/// Bob's root key revokes his device: it may read and link no more, and neither may a member who was removed.
#[test]
fn access_ends_with_membership_and_with_a_device() {
    let mut lone = Lone::new();
    let album = lone.album;
    let (bobs, carols) = (people::certificate(b'b'), people::certificate(b'c'));
    let may = |lone: &Lone, certificate| {
        let access = lone.engine.access();
        assert_eq!(access.may_read(&album, certificate), access.may_link(certificate));
        access.may_link(certificate)
    };
    assert!(may(&lone, &bobs) && !may(&lone, &carols));
    for (role, linked) in [(Role::Viewer, true), (Role::None, false)] {
        let facts = vec![people::role(b'c', role)];
        lone.engine.edit(lone.now, album, facts, vec![]).unwrap();
        assert_eq!(may(&lone, &carols), linked);
    }
    let mut copy = lone.engine.album(&album).unwrap().clone();
    let root = people::Who::first(b'b').root_author(Incarnation([3; 16]));
    let revoke = Draft {
        facts: vec![Fact::Revoke {
            device: bob(),
            at: people::AT,
        }],
        removes: vec![],
    };
    let ops = copy.author(&root, revoke).unwrap();
    lone.gossip(OTHER, &ops);
    assert!(!may(&lone, &bobs));
}
