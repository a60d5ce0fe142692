//! Bob is a member and lies: he wastes his own time only. No round goes on for ever, no table grows.

use std::sync::Arc;

use crdt::Draft;
use crdt::fact::Role;
use crdt::id::{ActorId, AlbumId, BlobHash, Digest, HeaderHash, Incarnation};
use crdt::op::Op;
use engine::limits::{ANSWER_BYTES_MAX, HEADS_PER_ROUND_MAX, LEAVES_MAX, OPS_ANSWER_BYTES, WANTS_MAX};
use engine::wire::{Answer, Call, decode_answer, encode_answer};
use engine::{Action, Event};
use rand::{Rng as _, SeedableRng as _};

use proptests::world::lone::{Lone, asks, bob};
use proptests::world::people;

const OTHER: Digest = Digest([77; 32]);

fn hashes(of: u8) -> Vec<u8> {
    encode_answer::hashes(&[Digest([of; 32]); 64])
}

fn head(number: u64) -> (ActorId, u64, HeaderHash) {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    (ActorId(id[..16].try_into().unwrap()), 5, HeaderHash(id))
}

/// Everything of his differs, and he has heads without end, but not one op; `more` for ever.
#[test]
fn he_promises_more_and_sends_nothing() {
    let mut lone = Lone::new();
    let mut number = 0;
    let first = lone.gossip(OTHER, &[]);
    let counts = lone.talk(60_000, first, |call| match call {
        Call::Hello { .. } => vec![encode_answer::roots(OTHER, OTHER)],
        Call::Tree { .. } => vec![hashes(3)],
        Call::Heads { leaves, .. } => {
            assert!(leaves.len() <= LEAVES_MAX);
            (0..20)
                .map(|_| {
                    let heads = (0..2_048).map(|_| {
                        number += 1;
                        head(number)
                    });
                    encode_answer::heads(&heads.collect::<Vec<_>>())
                })
                .collect()
        }
        Call::Ops { want, .. } => {
            assert!(want.len() <= WANTS_MAX);
            vec![encode_answer::end(true)]
        }
        Call::Have { blobs, .. } => vec![encode_answer::have(&vec![true; blobs.len()])],
        _ => vec![encode_answer::end(true)],
    });
    // Three rounds at once, then one every two seconds at most.
    assert!(counts["hello"] <= 35, "{counts:?}");
    let rounds = counts["hello"];
    assert!(
        counts["ops"] <= rounds * HEADS_PER_ROUND_MAX.div_ceil(WANTS_MAX),
        "{counts:?}"
    );
}

/// He greets without pause and answers nothing sensible: each kind of nonsense ends the round.
#[test]
fn he_talks_nonsense() {
    let nonsense: [Vec<Vec<u8>>; 9] = [
        vec![],
        vec![b"".to_vec()],
        vec![b"{".to_vec()],
        vec![b"[]".to_vec()],
        vec![vec![0xff; 100]],
        vec![encode_answer::have(&[true])],
        vec![
            encode_answer::roots(OTHER, OTHER),
            encode_answer::roots(OTHER, OTHER),
        ],
        vec![encode_answer::end(true)],
        vec![encode_answer::refused(engine::wire::RefusalCode::Denied, "no")],
    ];
    for frames in nonsense {
        let mut lone = Lone::new();
        let first = lone.gossip(OTHER, &[]);
        let counts = lone.talk(120_000, first, |_| frames.clone());
        // 2, 4, 8, 16, 30, 30, 30 s, and the first.
        assert!(counts["hello"] <= 10, "{counts:?} for {frames:?}");
    }
}

/// He answers a hello again and again without an end: the second answer is one too many, and nobody listens to the rest.
#[test]
fn he_never_ends_an_answer() {
    let mut lone = Lone::new();
    let mut actions = lone.gossip(OTHER, &[]);
    actions.extend(lone.wait(400));
    let (ask, _) = asks(&actions)[0];
    for _ in 0..1_000 {
        let frame = encode_answer::roots(OTHER, OTHER);
        assert!(lone.feed(Event::Frame { ask, frame }).is_empty());
    }
    assert_eq!(lone.engine.refused()["answer_misplaced"], 1);
}

/// More bytes than any honest answer has.
#[test]
fn he_sends_too_much() {
    let mut lone = Lone::new();
    let mut actions = lone.gossip(OTHER, &[]);
    actions.extend(lone.wait(400));
    let mut step = |lone: &mut Lone, frames| {
        let (ask, _) = asks(&actions).pop().unwrap();
        actions = lone.answer(ask, frames, true);
    };
    step(&mut lone, vec![encode_answer::roots(OTHER, OTHER)]);
    step(&mut lone, vec![hashes(3)]);
    for _ in 0..64 {
        step(&mut lone, vec![hashes(3)]);
    }
    let (ask, call) = asks(&actions).pop().unwrap();
    assert!(matches!(call, Call::Heads { .. }));
    let frame = encode_answer::heads(&(0..2_048).map(head).collect::<Vec<_>>());
    for _ in 0..=ANSWER_BYTES_MAX / frame.len() {
        assert!(!lone.engine.refused().contains_key("answer_too_long"));
        lone.feed(Event::Frame {
            ask,
            frame: frame.clone(),
        });
    }
    assert_eq!(lone.engine.refused()["answer_too_long"], 1);
    assert!(
        lone.feed(Event::Frame { ask, frame }).is_empty(),
        "nobody listens any more"
    );
}

/// Frames that no program of ours made, in every state.
#[test]
fn he_sends_random_bytes() {
    let mut rng = rand_chacha::ChaCha12Rng::seed_from_u64(3);
    let mut lone = Lone::new();
    let good = [
        encode_answer::roots(OTHER, OTHER),
        hashes(4),
        encode_answer::heads(&[head(1)]),
        encode_answer::end(true),
        encode_answer::have(&[true, false]),
        encode_answer::size(7),
    ];
    let first = lone.gossip(OTHER, &[]);
    lone.talk(600_000, first, |call| {
        let mut frame = match call {
            Call::Hello { .. } if rng.gen_bool(0.7) => good[0].clone(),
            Call::Tree { .. } if rng.gen_bool(0.7) => good[1].clone(),
            _ => good[rng.gen_range(0..good.len())].clone(),
        };
        if rng.gen_bool(0.3) {
            let at = rng.gen_range(0..frame.len());
            frame[at] = rng.r#gen();
        }
        vec![frame; rng.gen_range(0..3)]
    });
    for _ in 0..2_000 {
        let mut payload = good[rng.gen_range(0..good.len())].clone();
        let at = rng.gen_range(0..payload.len());
        payload[at] = rng.r#gen();
        let album = lone.album;
        lone.feed(Event::Gossip {
            album,
            from: bob(),
            payload: payload.clone(),
        });
        lone.call_raw(payload);
    }
}

/// He greets a thousand times a second with a new root each time: one round is under way at most, and after three that
/// brought nothing one every two seconds.
#[test]
fn he_greets_without_pause() {
    let mut lone = Lone::new();
    let mut hellos = 0;
    for number in 0..20_000u64 {
        lone.now += 1;
        let root = Digest(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let body = engine::wire::encode_call(&Call::Hello {
            album: lone.album,
            heads: root,
            facts: root,
        });
        let actions = lone.feed(Event::Called {
            call: engine::CallId(number),
            peer: bob(),
            body,
        });
        for (ask, call) in asks(&actions) {
            hellos += usize::from(matches!(call, Call::Hello { .. }));
            let mut open = vec![(ask, call)];
            while let Some((ask, call)) = open.pop() {
                let frames = match call {
                    Call::Hello { .. } => vec![encode_answer::roots(root, root)],
                    Call::Tree { .. } => vec![hashes(0)],
                    Call::Heads { .. } => vec![encode_answer::heads(&[])],
                    _ => vec![encode_answer::end(false)],
                };
                open.extend(asks(&lone.answer(ask, frames, true)));
            }
        }
    }
    assert!(hellos <= 15, "{hellos} rounds in 20 s");
}

/// A stranger, linked for nothing here, is answered nothing, and an album's absence looks like its refusal.
#[test]
fn who_may_not_read_learns_nothing() {
    let mut lone = Lone::new();
    let stranger = people::certificate(b'z');
    lone.link(b'z');
    let ask = |lone: &mut Lone, album| {
        let body = engine::wire::encode_call(&Call::Hello {
            album,
            heads: OTHER,
            facts: OTHER,
        });
        let actions = lone.feed(Event::Called {
            call: engine::CallId(1),
            peer: stranger.device,
            body,
        });
        assert!(asks(&actions).is_empty(), "nor is he asked");
        let Some(Action::Answer { frames, .. }) = actions.into_iter().last() else {
            panic!("no answer")
        };
        frames
    };
    let album = lone.album;
    assert_eq!(ask(&mut lone, album), ask(&mut lone, AlbumId([3; 32])));
    lone.engine
        .edit(1, album, vec![people::role(b'b', Role::None)], vec![])
        .unwrap();
    lone.drain();
    let denied = lone.call(&Call::Have { album, blobs: vec![] });
    assert!(matches!(decode_answer(&denied[0]), Ok(Answer::Refused(_))));
    let before = lone.engine.refused().get("gossip_denied").copied();
    lone.gossip(OTHER, &[]);
    assert_eq!((before, lone.engine.refused()["gossip_denied"]), (None, 1));
}

/// He asks for the same leaf and the same chain many times in one request: each is answered once.
#[test]
fn he_asks_for_the_same_many_times() {
    let mut lone = Lone::new();
    for number in 0..50 {
        lone.engine
            .edit(0, lone.album, vec![people::chat(&number.to_string())], vec![])
            .unwrap();
    }
    lone.drain();
    let album = lone.album;
    let here = lone.engine.album(&album).unwrap();
    let mine = here.heads()[0];
    let leaf = crdt::tree::bucket(&mine.actor.0);
    let chain: Vec<_> = here
        .ops()
        .map(|op| (op.header.actor, op.hash, 0))
        .take(WANTS_MAX)
        .collect();
    let frames = lone.call(&Call::Heads {
        album,
        leaves: vec![leaf; LEAVES_MAX],
    });
    let Ok(Answer::Heads(heads)) = decode_answer(&frames[0]) else {
        panic!()
    };
    assert_eq!((frames.len(), heads.len()), (1, 1));
    let frames = lone.call(&Call::Ops { album, want: chain });
    let Ok(Answer::Ops(ops)) = decode_answer(&frames[0]) else {
        panic!()
    };
    assert_eq!((frames.len(), ops.len()), (2, 52));
}

/// Heads of a leaf where nothing is: an answer with an empty list, not an answer without frames, which is none.
#[test]
fn an_empty_leaf_is_answered() {
    let mut lone = Lone::new();
    let album = lone.album;
    let empty = (0..4096).find(|leaf| lone.engine.album(&album).unwrap().heads_in_leaf(*leaf).is_empty());
    let frames = lone.call(&Call::Heads {
        album,
        leaves: vec![empty.unwrap()],
    });
    assert!(matches!(decode_answer(&frames[0]), Ok(Answer::Heads(heads)) if heads.is_empty()));
}

/// Whatever he asks, an answer of ops is no longer than its limit.
#[test]
fn answers_keep_their_limit() {
    let mut lone = Lone::new();
    for number in 0..60 {
        let lines = (0..40).map(|line| people::chat(&format!("{number} {line} {}", "x".repeat(1_900))));
        lone.engine.edit(0, lone.album, lines.collect(), vec![]).unwrap();
    }
    lone.drain();
    let album = lone.album;
    let head = lone.engine.album(&album).unwrap().heads()[0];
    let mut after = 0;
    let mut answers = 0;
    loop {
        let frames = lone.call(&Call::Ops {
            album,
            want: vec![(head.actor, head.hash, after)],
        });
        let sum: usize = frames.iter().map(Vec::len).sum();
        assert!(sum <= OPS_ANSWER_BYTES + 32, "{sum}");
        answers += 1;
        for frame in &frames {
            if let Ok(Answer::Ops(ops)) = decode_answer(frame) {
                after = Op::decode(ops.last().unwrap().get()).unwrap().last_seq();
            }
        }
        match decode_answer(frames.last().unwrap()) {
            Ok(Answer::End { more: true }) => {}
            Ok(Answer::End { more: false }) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((answers, after), (2, head.seq));
}

/// An op that waits for its past is not verified. Bob forges one in Alice's name; her device must not take him for its
/// own past and begin a new life.
#[test]
fn a_forged_op_of_mine_does_not_start_a_new_life() {
    let lone = Lone::new();
    let album = lone.album;
    let me = people::device(b'a', Incarnation([1; 16]));
    let mut copy = lone.engine.album(&album).unwrap().clone();
    let write = |album: &mut crdt::Album| -> Arc<Op> {
        album
            .author(
                &me,
                Draft {
                    facts: vec![people::chat("x")],
                    removes: vec![],
                },
            )
            .unwrap()[0]
            .clone()
    };
    let (_, later) = (write(&mut copy), write(&mut copy));
    // At Carol's the album is empty, and everything waits.
    let forged = later.bytes().replacen(&later.sig.to_string(), &"A".repeat(86), 1);
    for (text, lives) in [(forged.as_str(), 0), (later.bytes(), 1)] {
        let mut engine = engine::Engine::new(
            engine::Config {
                strategy: engine::Strategy::Op,
                anti_entropy: true,
            },
            [2; 32],
        );
        engine.sign_in(Some(engine::Me {
            author: me.clone(),
            name: "alice".to_owned(),
        }));
        engine.open(0, album);
        let certificate = people::certificate(b'b');
        engine.handle(
            0,
            Event::LinkUp {
                peer: bob(),
                certificate,
            },
        );
        let heads = serde_json::to_string(&OTHER).unwrap();
        let payload =
            format!(r#"{{"v":1,"kind":"ops","epoch":"AQEBAQEBAQE","seq":1,"heads":{heads},"ops":[{text}]}}"#);
        engine.handle(
            0,
            Event::Gossip {
                album,
                from: bob(),
                payload: payload.into_bytes(),
            },
        );
        let remembered =
            std::iter::from_fn(|| engine.poll()).filter(|action| matches!(action, Action::Remember { .. }));
        assert_eq!(remembered.count(), lives);
        assert_eq!(engine.album(&album).unwrap().waiting_count(), 1);
    }
}

/// Sizes as no file has them: their sum does not overflow.
#[test]
fn absurd_sizes_are_only_numbers() {
    let mut lone = Lone::new();
    let mut copy = lone.engine.album(&lone.album).unwrap().clone();
    let bobs = people::device(b'b', Incarnation([2; 16]));
    for op in 0..20 {
        let facts = (0..200).map(|number| {
            let crdt::fact::Fact::Image(mut image) = people::image(&format!("{op} {number}")) else {
                unreachable!()
            };
            image.size = crdt::limits::INTEGER_MAX;
            image.preview = None;
            crdt::fact::Fact::Image(image)
        });
        let ops = copy
            .author(
                &bobs,
                Draft {
                    facts: facts.collect(),
                    removes: vec![],
                },
            )
            .unwrap();
        for op in ops {
            lone.gossip(copy.heads_root(), &[op]);
        }
    }
    assert_eq!(lone.engine.pending(), (4_000, u64::MAX));
    let blobs: Vec<BlobHash> = lone
        .engine
        .album(&lone.album)
        .unwrap()
        .blobs()
        .map(|(blob, _)| blob)
        .collect();
    lone.feed(Event::BlobsHere { blobs });
    assert_eq!(lone.engine.pending(), (0, 0));
}

/// What was refused is laid at the door of who sent it, once. An op that had to wait for its past is nobody's: Bob, who
/// brings the past, did not forge it.
#[test]
fn who_sent_what_was_refused() {
    let mut lone = Lone::new();
    let mut copy = lone.engine.album(&lone.album).unwrap().clone();
    let bobs = people::device(b'b', Incarnation([2; 16]));
    let mut write = || {
        let draft = Draft {
            facts: vec![people::chat("x")],
            removes: vec![],
        };
        copy.author(&bobs, draft).unwrap().remove(0)
    };
    let forge = |op: &Op| {
        let text = op.bytes().replacen(&op.sig.to_string(), &"A".repeat(86), 1);
        Arc::new(Op::decode(&text).unwrap())
    };
    let (first, second, third) = (write(), write(), write());
    // Its author is not known yet: nothing can be said of it.
    lone.gossip(OTHER, &[forge(&second)]);
    assert!(lone.engine.take_refused().is_empty());
    lone.gossip(OTHER, &[first]);
    assert_eq!(lone.engine.take_refused(), [(("op_signature", None), 1)].into());
    lone.gossip(OTHER, &[second]);
    lone.gossip(OTHER, &[forge(&third), forge(&third)]);
    assert_eq!(
        lone.engine.take_refused(),
        [(("op_signature", Some(bob())), 2)].into()
    );
    assert!(lone.engine.take_refused().is_empty());
    assert_eq!(lone.engine.refused()["op_signature"], 3);
}
