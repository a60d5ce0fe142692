//! Requests: a peer's calls, and his answers to an engine that asks him. Lines as in `talk.rs`.

use crdt::id::{BlobHash, Digest};
use engine::wire::{Call, decode_answer, decode_call, encode_answer, encode_call};

use crate::album::{ALICE, BOB, author, scene};
use crate::talk::Talk;
use crate::{Seed, seed};

pub fn run(data: &[u8]) {
    let mut sound = false;
    for line in data.split(|byte| *byte == b'\n') {
        sound |= match line.split_first() {
            Some((b'?', call)) => match decode_call(call) {
                Ok(call) => {
                    assert_eq!(
                        decode_call(&encode_call(&call)),
                        Ok(call),
                        "a call changed on its way"
                    );
                    true
                }
                Err(_) => false,
            },
            Some((b'!', frame)) => decode_answer(frame).is_ok(),
            _ => false,
        };
    }
    // An engine costs much more than a look.
    if sound {
        let mut talk = Talk::new();
        talk.hear(data);
        talk.check();
    }
}

pub fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = calls()
        .iter()
        .map(|(name, call)| seed(name, line(b'?', &encode_call(call))))
        .collect();
    let all: Vec<Vec<u8>> = calls()
        .iter()
        .map(|(_, call)| line(b'?', &encode_call(call)))
        .collect();
    seeds.push(seed("calls", all.concat()));
    seeds.push(seed("round", round(|frames| frames)));
    seeds.push(seed(
        "round-cut",
        round(|frames| frames.into_iter().take(1).collect()),
    ));
    for (name, frame) in [
        (
            "refused",
            encode_answer::refused(engine::wire::RefusalCode::Denied, "no"),
        ),
        ("hashes", encode_answer::hashes(&[Digest([3; 32]); 64])),
        ("size", encode_answer::size(7)),
        ("have", encode_answer::have(&[true, false])),
    ] {
        seeds.push(seed(name, [line(b'!', &frame), b".\n~\n".to_vec()].concat()));
    }
    seeds
}

pub fn large() -> Vec<Vec<u8>> {
    let album = scene().album.id();
    let frame = |key: &str, item: &str, most: usize| {
        let items = format!("{item},").repeat((most - 64) / (item.len() + 1));
        line(b'!', format!(r#"{{"{key}":[{items}{item}]}}"#).as_bytes())
    };
    let most = engine::limits::FRAME_BYTES_MAX;
    let call = |item: &str| {
        let items = format!("{item},").repeat((engine::limits::REQUEST_BYTES_MAX - 256) / (item.len() + 1));
        line(
            b'?',
            format!(r#"{{"v":1,"do":"heads","album":"{album}","leaves":[{items}0]}}"#).as_bytes(),
        )
    };
    let mut large = vec![
        frame("ops", "0", most),
        frame("ops", "{}", most),
        frame("have", "true", most),
        frame("heads", "0", most),
        frame("hashes", r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#, most),
        frame("more", "[]", most),
        call("0"),
        call("[]"),
    ];
    // The engine listens only to one whose call or frame can be read.
    let sound = line(b'?', &encode_call(&calls()[0].1));
    large.iter_mut().for_each(|input| input.extend_from_slice(&sound));
    large
}

fn line(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], body, b"\n"].concat()
}

fn calls() -> Vec<(&'static str, Call)> {
    let here = &scene().album;
    let album = here.id();
    let head = here.heads()[0];
    let blob = here.blobs().next().unwrap().0;
    vec![
        (
            "hello",
            Call::Hello {
                album,
                heads: Digest([3; 32]),
                facts: here.facts_root(),
            },
        ),
        ("tree", Call::Tree { album, node: None }),
        (
            "node",
            Call::Tree {
                album,
                node: Some(63),
            },
        ),
        (
            "heads",
            Call::Heads {
                album,
                leaves: (0..64).map(|leaf| leaf * 64).chain([4095]).take(64).collect(),
            },
        ),
        (
            "ops",
            Call::Ops {
                album,
                want: here
                    .heads()
                    .iter()
                    .map(|head| (head.actor, head.hash, 0))
                    .collect(),
            },
        ),
        (
            "refs",
            Call::Refs {
                album,
                refs: vec![(head.actor, head.seq, head.hash.short())],
            },
        ),
        (
            "have-what",
            Call::Have {
                album,
                blobs: vec![blob, BlobHash([1; 32])],
            },
        ),
        ("chunks", Call::Chunks { album, blob }),
        (
            "blob",
            Call::Blob {
                album,
                blob,
                chunks: vec![(0, 1), (7, u32::MAX)],
            },
        ),
    ]
}

/// A round of anti-entropy with an honest Bob who has the news, as lines.
fn round(says: impl Fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> Vec<u8> {
    let mut theirs = scene().album.clone();
    for op in &scene().news {
        theirs.receive(op.clone(), crdt::Trust::Stored);
    }
    assert_ne!(author(ALICE).actor(), author(BOB).actor());
    let (mut talk, mut lines) = (Talk::new(), Vec::new());
    for _ in 0..200 {
        let answer = match talk.question() {
            None => b"~\n".to_vec(),
            Some(call) => {
                let frames = says(answer(&theirs, call));
                let frames = frames.iter().map(|frame| line(b'!', frame)).collect::<Vec<_>>();
                [frames.concat(), b".\n".to_vec()].concat()
            }
        };
        if lines.len() + answer.len() > 24 * 1024 {
            break;
        }
        talk.hear(&answer);
        lines.extend(answer);
    }
    lines
}

fn answer(theirs: &crdt::Album, call: &Call) -> Vec<Vec<u8>> {
    let with_end =
        |ops: Vec<std::sync::Arc<crdt::op::Op>>| vec![encode_answer::ops(&ops), encode_answer::end(false)];
    match call {
        Call::Hello { .. } => vec![encode_answer::roots(theirs.heads_root(), theirs.facts_root())],
        Call::Tree { node, .. } => vec![encode_answer::hashes(&theirs.tree_hashes(*node))],
        Call::Heads { leaves, .. } => {
            let heads = leaves.iter().flat_map(|leaf| theirs.heads_in_leaf(*leaf));
            let heads: Vec<_> = heads.map(|head| (head.actor, head.seq, head.hash)).collect();
            vec![encode_answer::heads(&heads)]
        }
        Call::Ops { want, .. } => {
            let back = want
                .iter()
                .flat_map(|(actor, hash, after)| theirs.ops_back(actor, hash, *after));
            let mut ops: Vec<_> = back.collect();
            ops.sort_by_key(|op| op.order());
            with_end(ops)
        }
        Call::Refs { refs, .. } => {
            let refs = refs.iter().map(|(actor, seq, header)| crdt::header::OpRef {
                actor: *actor,
                seq: *seq,
                header: *header,
            });
            with_end(theirs.ops_by_refs(&refs.collect::<Vec<_>>()))
        }
        Call::Have { blobs, .. } => vec![encode_answer::have(&vec![true; blobs.len()])],
        Call::Chunks { .. } | Call::Blob { .. } => vec![encode_answer::size(1)],
    }
}
