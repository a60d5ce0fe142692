//! Golden bytes: every message, request and answer of docs/protocol.md §5 and §6. The files freeze the format;
//! `ENGINE_GOLDEN=write` writes them anew, which a change of the protocol's version must justify.

use std::path::PathBuf;
use std::sync::Arc;

use crdt::fact::Role;
use crdt::id::{AlbumSeed, BlobHash, Digest, Incarnation};
use crdt::op::Op;
use crdt::{Album, Draft};
use engine::wire::{
    Answer, Call, Epoch, RefusalCode, decode_answer, decode_call, decode_message, encode_answer, encode_call,
    encode_message,
};

use proptests::world::people;

fn golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("ENGINE_GOLDEN").is_some_and(|mode| mode == "write") {
        std::fs::write(&path, bytes).unwrap();
    }
    let kept = std::fs::read(&path).unwrap_or_default();
    assert_eq!(
        String::from_utf8_lossy(&kept),
        String::from_utf8_lossy(bytes),
        "golden file {name}"
    );
}

/// Alice's album: a genesis, a grant, an image.
fn album() -> (Album, Vec<Arc<Op>>) {
    let alice = people::device(b'a', Incarnation([1; 16]));
    let (mut album, genesis) =
        Album::create(&alice, AlbumSeed([9; 16]), "trip", "alice", people::AT).unwrap();
    let mut ops = vec![genesis];
    for fact in [
        people::grant(b'b', Role::Contributor),
        people::image("sunset.jpg"),
    ] {
        ops.extend(
            album
                .author(
                    &alice,
                    Draft {
                        facts: vec![fact],
                        removes: vec![],
                    },
                )
                .unwrap(),
        );
    }
    (album, ops)
}

#[test]
fn gossip() {
    let (album, ops) = album();
    let heads = album.heads_root();
    let message = encode_message(Epoch([7; 8]), 12, &heads, &ops[1..]);
    golden("gossip-ops.json", &message);
    let read = decode_message(&message).unwrap();
    assert_eq!(
        (read.epoch, read.seq, read.heads, read.ops.len()),
        (Epoch([7; 8]), 12, heads, 2)
    );
    assert_eq!(read.ops[0].get(), ops[1].bytes(), "ops travel as they stand");
    let hint = encode_message::<Arc<Op>>(Epoch([7; 8]), 13, &heads, &[]);
    golden("gossip-digest.json", &hint);
    assert!(decode_message(&hint).unwrap().ops.is_empty());
}

#[test]
fn requests() {
    let (here, ops) = album();
    let (album, op) = (here.id(), &ops[2]);
    let (blob, actor) = (BlobHash([5; 32]), op.header.actor);
    let calls = [
        (
            "hello",
            Call::Hello {
                album,
                heads: here.heads_root(),
                facts: here.facts_root(),
            },
        ),
        ("tree", Call::Tree { album, node: None }),
        (
            "tree-node",
            Call::Tree {
                album,
                node: Some(63),
            },
        ),
        (
            "heads",
            Call::Heads {
                album,
                leaves: vec![0, 77, 4095],
            },
        ),
        (
            "ops",
            Call::Ops {
                album,
                want: vec![(actor, op.hash, 1)],
            },
        ),
        (
            "refs",
            Call::Refs {
                album,
                refs: vec![(actor, op.last_seq(), op.hash.short())],
            },
        ),
        (
            "have",
            Call::Have {
                album,
                blobs: vec![blob, BlobHash([6; 32])],
            },
        ),
        ("chunks", Call::Chunks { album, blob }),
        (
            "blob",
            Call::Blob {
                album,
                blob,
                chunks: vec![(0, 4), (9, 1)],
            },
        ),
    ];
    for (name, call) in calls {
        let body = encode_call(&call);
        golden(&format!("request-{name}.json"), &body);
        assert_eq!(decode_call(&body), Ok(call));
    }
}

#[test]
fn answers() {
    let (here, ops) = album();
    let heads: Vec<_> = here
        .heads()
        .iter()
        .map(|head| (head.actor, head.seq, head.hash))
        .collect();
    let frames = [
        (
            "hello",
            encode_answer::roots(here.heads_root(), here.facts_root()),
        ),
        ("tree", encode_answer::hashes(&here.tree_hashes(None))),
        ("heads", encode_answer::heads(&heads)),
        ("ops", encode_answer::ops(&ops)),
        ("end", encode_answer::end(false)),
        ("end-more", encode_answer::end(true)),
        ("have", encode_answer::have(&[true, false])),
        ("chunks", encode_answer::size(2_345_678)),
        (
            "denied",
            encode_answer::refused(RefusalCode::Denied, "not an album that you may read here"),
        ),
        (
            "not-found",
            encode_answer::refused(RefusalCode::NotFound, "those bytes are not here"),
        ),
        (
            "unknown",
            encode_answer::refused(RefusalCode::Unknown, "unknown request"),
        ),
        (
            "busy",
            encode_answer::refused(RefusalCode::Busy, "request past a limit"),
        ),
    ];
    for (name, frame) in &frames {
        golden(&format!("answer-{name}.json"), frame);
    }
    let read = |name: &str| {
        let frame = &frames.iter().find(|(of, _)| *of == name).unwrap().1;
        decode_answer(frame).unwrap()
    };
    assert!(matches!(read("hello"), Answer::Roots { heads, .. } if heads == here.heads_root()));
    assert!(matches!(read("tree"), Answer::Hashes(hashes) if hashes == here.tree_hashes(None)));
    assert!(matches!(read("heads"), Answer::Heads(list) if list == heads));
    assert!(matches!(read("ops"), Answer::Ops(list) if list[2].get() == ops[2].bytes()));
    assert!(matches!(read("end"), Answer::End { more: false }));
    assert!(matches!(read("end-more"), Answer::End { more: true }));
    assert!(matches!(read("have"), Answer::Have(list) if list == [true, false]));
    assert!(matches!(read("chunks"), Answer::Size(2_345_678)));
    assert!(matches!(read("denied"), Answer::Refused(refused) if refused.code == RefusalCode::Denied));
}

/// An equality check is about a hundred bytes each way beside the three hashes.
#[test]
fn a_hello_is_small() {
    let roots = Digest([1; 32]);
    let hello = Call::Hello {
        album: crdt::id::AlbumId([1; 32]),
        heads: roots,
        facts: roots,
    };
    assert!(encode_call(&hello).len() <= 200);
    assert!(encode_answer::roots(roots, roots).len() <= 120);
}
