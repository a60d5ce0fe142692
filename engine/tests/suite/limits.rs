//! Each limit of `engine::limits` at it and one past it. Times and counts of transfers are in `transfers`, of rounds with
//! a liar in `liar`, of publishers heard in `replica`.

use std::sync::Arc;

use crdt::Draft;
use crdt::id::{AlbumId, BlobHash, Digest, HeaderHash, Incarnation};
use crdt::op::Op;
use engine::limits::*;
use engine::wire::{
    Call, Epoch, RefusalCode, Unreadable, chunks, decode_answer, decode_call, decode_message, encode_answer,
    encode_call, encode_message,
};
use engine::{Action, Event, Strategy};

use proptests::world::lone::{Lone, asks};
use proptests::world::people;

const ALBUM: AlbumId = AlbumId([1; 32]);
const ROOT: Digest = Digest([2; 32]);

fn chats(count: usize) -> Vec<Arc<Op>> {
    let author = people::device(b'a', Incarnation([1; 16]));
    let seed = crdt::id::AlbumSeed([3; 16]);
    let (mut album, genesis) = crdt::Album::create(&author, seed, "trip", "alice", 0).unwrap();
    let mut ops = vec![genesis];
    for number in 1..count {
        let facts = vec![people::chat(&number.to_string())];
        ops.extend(
            album
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
    ops
}

/// Padded with spaces inside the object, which any reader skips.
fn padded(mut text: Vec<u8>, length: usize) -> Vec<u8> {
    text.pop();
    text.resize(length - 1, b' ');
    text.push(b'}');
    text
}

#[test]
fn bytes_of_messages() {
    let gossip = encode_message::<Arc<Op>>(Epoch([1; 8]), 1, &ROOT, &[]);
    assert!(decode_message(&padded(gossip.clone(), GOSSIP_BYTES_MAX)).is_ok());
    assert_eq!(
        decode_message(&padded(gossip, GOSSIP_BYTES_MAX + 1)).map(drop),
        Err(Unreadable::TooLong)
    );
    let call = encode_call(&Call::Tree {
        album: ALBUM,
        node: None,
    });
    assert!(decode_call(&padded(call.clone(), REQUEST_BYTES_MAX)).is_ok());
    let past = decode_call(&padded(call, REQUEST_BYTES_MAX + 1));
    assert_eq!(past.map_err(|refused| refused.code), Err(RefusalCode::Busy));
    let frame = encode_answer::end(false);
    assert!(decode_answer(&padded(frame.clone(), FRAME_BYTES_MAX)).is_ok());
    assert_eq!(
        decode_answer(&padded(frame, FRAME_BYTES_MAX + 1)).map(drop),
        Err(Unreadable::TooLong)
    );
}

#[test]
fn entries_of_requests() {
    fn check(at: &Call, past: &Call) {
        assert!(encode_call(at).len() <= REQUEST_BYTES_MAX);
        assert_eq!(decode_call(&encode_call(at)).as_ref(), Ok(at));
        assert_eq!(
            decode_call(&encode_call(past)).map_err(|refused| refused.code),
            Err(RefusalCode::Busy)
        );
    }
    let actor = crdt::id::ActorId([1; 16]);
    let (album, blob, hash) = (ALBUM, BlobHash([1; 32]), HeaderHash([1; 32]));
    let heads = |n| Call::Heads {
        album,
        leaves: vec![4095; n],
    };
    check(&heads(LEAVES_MAX), &heads(LEAVES_MAX + 1));
    let ops = |n| Call::Ops {
        album,
        want: vec![(actor, hash, 1); n],
    };
    check(&ops(WANTS_MAX), &ops(WANTS_MAX + 1));
    let refs = |n| Call::Refs {
        album,
        refs: vec![(actor, 1, hash.short()); n],
    };
    check(&refs(WANTS_MAX), &refs(WANTS_MAX + 1));
    let have = |n| Call::Have {
        album,
        blobs: vec![blob; n],
    };
    check(&have(HAVE_MAX), &have(HAVE_MAX + 1));
    let runs = |n| Call::Blob {
        album,
        blob,
        chunks: vec![(0, 1); n],
    };
    check(&runs(CHUNK_RUNS_MAX), &runs(CHUNK_RUNS_MAX + 1));
}

#[test]
fn entries_of_answers() {
    assert!(decode_answer(&encode_answer::have(&[true; HAVE_MAX])).is_ok());
    assert_eq!(
        decode_answer(&encode_answer::have(&[true; HAVE_MAX + 1])).map(drop),
        Err(Unreadable::TooLong)
    );
    let ops = |n: usize| format!(r#"{{"ops":[{}]}}"#, vec!["{}"; n].join(","));
    assert!(decode_answer(ops(OPS_PER_CHUNK_MAX).as_bytes()).is_ok());
    assert_eq!(
        decode_answer(ops(OPS_PER_CHUNK_MAX + 1).as_bytes()).map(drop),
        Err(Unreadable::TooLong)
    );
    let head = (
        crdt::id::ActorId([255; 16]),
        crdt::limits::INTEGER_MAX,
        HeaderHash([255; 32]),
    );
    assert!(encode_answer::heads(&[head; HEADS_PER_FRAME]).len() <= FRAME_BYTES_MAX);
}

#[test]
fn chunks_of_ops() {
    let ops = chats(OPS_PER_CHUNK_MAX + 1);
    let counts = |bytes| chunks(&ops, bytes).map(<[Arc<Op>]>::len).collect::<Vec<_>>();
    assert_eq!(counts(usize::MAX), [OPS_PER_CHUNK_MAX, 1]);
    for run in chunks(&ops, OPS_CHUNK_BYTES) {
        assert!(encode_answer::ops(run).len() <= FRAME_BYTES_MAX);
        assert!(encode_message(Epoch([1; 8]), 1, &ROOT, run).len() <= GOSSIP_BYTES_MAX);
    }
    let two = ops[0].bytes().len() + ops[1].bytes().len() + 2;
    assert_eq!((counts(two)[0], counts(two - 1)[0]), (2, 1));
    assert!(
        counts(1).iter().all(|count| *count == 1),
        "an op longer than the limit goes alone"
    );
    // The largest op there can be fits one frame.
    assert!(crdt::limits::OP_BYTES_MAX + r#"{"ops":[]}"#.len() <= FRAME_BYTES_MAX);
}

#[test]
fn chat_lines_of_one_member() {
    let mut lone = Lone::new();
    for number in 0..=CHAT_KEPT {
        lone.engine.say(0, lone.album, number.to_string(), 0).unwrap();
        let lines = lone.engine.album(&lone.album).unwrap().chat().count();
        assert_eq!(lines, (number + 1).min(CHAT_KEPT));
    }
    let first = lone
        .engine
        .album(&lone.album)
        .unwrap()
        .chat()
        .next()
        .unwrap()
        .text
        .to_owned();
    assert_eq!(first, "1", "the oldest went");
    assert!(
        lone.engine
            .say(0, lone.album, "x".repeat(CHAT_BYTES_MAX), 0)
            .is_ok()
    );
    assert!(
        lone.engine
            .say(0, lone.album, "x".repeat(CHAT_BYTES_MAX + 1), 0)
            .is_err()
    );
    lone.drain();
}

fn published(actions: &[Action]) -> usize {
    actions
        .iter()
        .filter(|action| matches!(action, Action::Publish { .. }))
        .count()
}

/// What the strategies gather, and for how long.
#[test]
fn times_of_strategies() {
    for (strategy, wait, messages) in [(Strategy::Delta, DELTA_MS, 1), (Strategy::State, STATE_MS, 1)] {
        let mut lone = Lone::with(strategy);
        lone.wait(10_000);
        for line in ["one", "two"] {
            lone.engine
                .edit(lone.now, lone.album, vec![people::chat(line)], vec![])
                .unwrap();
            assert_eq!(published(&lone.drain()), 0);
        }
        assert_eq!(published(&lone.wait(wait - 1)), 0, "{strategy:?}");
        assert_eq!(published(&lone.wait(1)), messages, "{strategy:?}");
    }
}

/// A large state goes out piece by piece, and one that is asked for meanwhile after it.
#[test]
fn a_state_is_paced() {
    let mut lone = Lone::with(Strategy::State);
    for number in 0..20 {
        let lines = (0..40).map(|line| people::chat(&format!("{number} {line} {}", "x".repeat(1_900))));
        lone.engine
            .edit(lone.now, lone.album, lines.collect(), vec![])
            .unwrap();
    }
    lone.drain();
    assert_eq!(published(&lone.wait(STATE_MS)), 1, "1.6 MB, not at once");
    lone.engine
        .edit(lone.now, lone.album, vec![people::chat("meanwhile")], vec![])
        .unwrap();
    lone.drain();
    assert_eq!(published(&lone.wait(STATE_PACE_MS - 1)), 0);
    assert_eq!(published(&lone.wait(1)), 1);
    let pieces = 2 + published(&lone.wait(STATE_MS - 2 * STATE_PACE_MS));
    let again = published(&lone.wait(10 * STATE_MS));
    assert!(
        (5..=9).contains(&pieces) && again >= pieces,
        "{pieces}, then {again}"
    );
    assert_eq!(published(&lone.wait(60_000)), 0);
}

fn hellos(actions: &[Action]) -> usize {
    asks(actions)
        .iter()
        .filter(|(_, call)| matches!(call, Call::Hello { .. }))
        .count()
}

/// A difference waits for live ops in flight; an op whose past is not here does not.
#[test]
fn time_to_settle() {
    let mut lone = Lone::new();
    assert_eq!(hellos(&lone.gossip(ROOT, &[])), 0);
    assert_eq!(hellos(&lone.wait(SETTLE_MS - 1)), 0);
    assert_eq!(hellos(&lone.wait(1)), 1);
    let mut lone = Lone::new();
    let mut copy = lone.engine.album(&lone.album).unwrap().clone();
    let author = people::device(b'b', Incarnation([2; 16]));
    let mut write = || {
        copy.author(
            &author,
            Draft {
                facts: vec![people::chat("x")],
                removes: vec![],
            },
        )
        .unwrap()
    };
    let (_, later) = (write(), write());
    assert_eq!(hellos(&lone.gossip(ROOT, &later)), 1);
}

#[test]
fn time_between_rounds() {
    let mut lone = Lone::new();
    assert_eq!(hellos(&lone.wait(ROUND_MS * 3 / 4 - 1)), 0);
    let actions = lone.wait(ROUND_MS / 2 + 1);
    assert_eq!(hellos(&actions), 1);
    // One that fails is tried again soon.
    let (ask, _) = asks(&actions)[0];
    lone.feed(Event::Ended { ask, whole: false });
    assert_eq!(hellos(&lone.wait(RETRY_MS * 3 / 4 - 1)), 0);
    assert_eq!(hellos(&lone.wait(RETRY_MS / 2 + 1)), 1);
}

/// Rounds that bring nothing are free a few times, then rare.
#[test]
fn free_rounds() {
    let mut lone = Lone::new();
    for round in 0..=FREE_ROUNDS + 1 {
        let mut open = asks(&lone.gossip(Digest([round as u8; 32]), &[]));
        open.extend(asks(&lone.wait(SETTLE_MS)));
        let expected = usize::from(round <= FREE_ROUNDS);
        assert_eq!(open.len(), expected, "round {round}");
        while let Some((ask, call)) = open.pop() {
            let frames = match call {
                Call::Hello { .. } => vec![encode_answer::roots(ROOT, ROOT)],
                Call::Tree { .. } => vec![encode_answer::hashes(&[Digest([0; 32]); 64])],
                Call::Heads { .. } => vec![encode_answer::heads(&[])],
                _ => vec![encode_answer::end(false)],
            };
            open.extend(asks(&lone.answer(ask, frames, true)));
        }
    }
    assert_eq!(hellos(&lone.wait(RETRY_MS)), 1);
}

/// More heads than one round takes: the rest is left to the next.
#[test]
fn heads_of_a_round() {
    let mut lone = Lone::new();
    let mut number = 0u64;
    let mut wanted = 0;
    let first = lone.gossip(ROOT, &[]);
    let counts = lone.talk(SETTLE_MS + 1_000, first, |call| match call {
        Call::Hello { .. } => vec![encode_answer::roots(ROOT, ROOT)],
        Call::Tree { node: None, .. } => vec![encode_answer::hashes(&[Digest([9; 32]); 64])],
        Call::Tree { .. } => vec![encode_answer::hashes(&[Digest([0; 32]); 64])],
        Call::Heads { .. } => {
            let heads = (0..=HEADS_PER_ROUND_MAX).map(|_| {
                number += 1;
                let mut id = [0; 32];
                id[..8].copy_from_slice(&number.to_be_bytes());
                (crdt::id::ActorId(id[..16].try_into().unwrap()), 1, HeaderHash(id))
            });
            let heads: Vec<_> = heads.collect();
            heads.chunks(HEADS_PER_FRAME).map(encode_answer::heads).collect()
        }
        Call::Ops { want, .. } => {
            wanted += want.len();
            vec![encode_answer::end(false)]
        }
        _ => vec![encode_answer::end(false)],
    });
    assert_eq!(
        (counts["hello"], counts["ops"]),
        (1, HEADS_PER_ROUND_MAX.div_ceil(WANTS_MAX))
    );
    assert_eq!(wanted, HEADS_PER_ROUND_MAX);
}

/// An op that waits for one that waits for one, and so on, invented as they are asked for: the round ends all the same.
#[test]
fn steps_of_a_round() {
    let mut lone = Lone::new();
    let album = lone.album;
    let key = people::device(b'b', Incarnation([2; 16])).device;
    let mut number = 0u64;
    let mut invent = || {
        number += 1;
        let header = crdt::header::Header {
            album: Some(album),
            actor: crdt::id::ActorId([6; 16]),
            first: 1_000_000 - number,
            count: 0,
            lamport: 1_000_000 - number,
            prev: Some(HeaderHash(*blake3::hash(&number.to_le_bytes()).as_bytes())),
            deps: vec![],
            root: None,
            removes: vec![],
            batch: None,
            intro: None,
        };
        vec![
            encode_answer::ops(&[Arc::new(Op::sign(&header, &[], &key).unwrap())]),
            encode_answer::end(false),
        ]
    };
    let first = lone.gossip(ROOT, &[]);
    let counts = lone.talk(SETTLE_MS + 3_000, first, |call| match call {
        Call::Hello { .. } => vec![encode_answer::roots(ROOT, ROOT)],
        Call::Tree { .. } => vec![encode_answer::hashes(&[Digest([0; 32]); 64])],
        Call::Heads { .. } => vec![encode_answer::heads(&[(
            crdt::id::ActorId([6; 16]),
            9,
            HeaderHash([8; 32]),
        )])],
        _ => invent(),
    });
    assert_eq!(counts["hello"], 1);
    assert_eq!(counts.values().sum::<usize>(), STEPS_PER_ROUND_MAX);
}

/// Past the limit nobody listens: see `liar::he_sends_too_much`. Whoever answers keeps far from it.
#[test]
fn answers_fit_their_limit_twice() {
    assert_eq!(ANSWER_BYTES_MAX, 2 * OPS_ANSWER_BYTES);
}
