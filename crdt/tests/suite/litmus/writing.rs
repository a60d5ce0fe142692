//! Commands: split by the limits, done whole or not at all.

use crdt::fact::{Fact, Role};
use crdt::header::OpRef;
use crdt::id::Incarnation;
use crdt::op::Op;
use crdt::{Album, Author, AuthorError, Draft, Trust};

use crate::world::{AT, Peer, Pen, chat, device, fact_id, grant, image, meet, peers};

use Role::{Contributor, Curator, Viewer};

/// More than an op holds becomes several, joined by `batch`; more heads than it names are merged first.
#[test]
fn commands_are_split_and_heads_merged() {
    let mut all = peers(&[(b'C', Curator)]);
    let id = all[0].album.id();
    let base = all[0].album.ops().last().unwrap().clone();
    let facts: Vec<Fact> = (0..600).map(|line| chat(&line.to_string())).collect();
    let ops = all[0].write(&facts, &[]);
    let counts: Vec<u64> = ops.iter().map(|op| op.header.count).collect();
    assert_eq!(counts, [256, 256, 88]);
    let first = ops[0].hash.short();
    assert_eq!(
        ops.iter().map(|op| op.header.batch).collect::<Vec<_>>(),
        [None, Some(first), Some(first)]
    );
    // 200 KiB: 100 lines of 2,000 bytes are 2,037 a piece.
    let long: Vec<Fact> = (0..150).map(|_| chat(&"x".repeat(2_000))).collect();
    let ops = all[0].write(&long, &[]);
    assert_eq!(ops.len(), 2);
    let texts = |op: &Op| {
        (0..op.facts.len())
            .map(|place| op.fact_text(place).unwrap().len())
            .sum::<usize>()
    };
    assert!(ops.iter().all(|op| texts(op) <= crdt::limits::OP_FACTS_BYTES_MAX));
    // 40 heads: 32 in an empty op, 4 beside the 8 left... as few ops as the limits allow.
    for number in 0..40 {
        let other = Author {
            incarnation: Incarnation([100 + number; 16]),
            ..all[0].author.clone()
        };
        let op = Pen::new(&other, id, None, &[&base]).facts(&[chat("head")]).sign();
        all[0].album.receive(op, Trust::Verify);
    }
    let ops = all[0].write(&[chat("merged")], &[]);
    let shape: Vec<(u64, usize)> = ops
        .iter()
        .map(|op| (op.header.count, op.header.deps.len()))
        .collect();
    assert_eq!(shape, [(0, 32), (0, 8), (1, 0)]);
    assert!(ops.iter().all(|op| op.header.batch.is_none()));
    // Everything is removed again: 600 + 150 + 41 dots of many actors.
    let ids: Vec<_> = all[0].album.chat().map(|line| line.id).collect();
    assert_eq!(ids.len(), 791);
    all[0].write(&[], &ids);
    assert_eq!(all[0].album.chat().count(), 0);
    meet(&mut all);
}

/// All or nothing: one bad part and no op is written.
#[test]
fn a_command_is_done_whole_or_not_at_all() {
    let mut all = peers(&[(b'A', Contributor), (b'V', Viewer)]);
    let added = all[0].say(image("a"));
    meet(&mut all);
    let check = |peer: &Peer, draft: Draft, expect: AuthorError| {
        let mut album = peer.album.clone();
        assert_eq!(album.author(&peer.author, draft), Err(expect));
        assert_eq!(
            (album.digest(), album.op_count()),
            (peer.album.digest(), peer.album.op_count())
        );
    };
    let long = Fact::Album {
        name: "x".repeat(65),
        at: AT,
    };
    let too_long = AuthorError::Fact {
        kind: "album".to_owned(),
        bytes: long.to_text().len(),
    };
    check(
        &all[0],
        Draft {
            facts: vec![chat("ok"), long],
            removes: vec![],
        },
        too_long,
    );
    let unknown = crdt::FactId {
        seq: 99,
        ..fact_id(&added, 0)
    };
    check(
        &all[0],
        Draft {
            facts: vec![chat("ok")],
            removes: vec![unknown],
        },
        AuthorError::Remove(unknown),
    );
    let granted = all[0].album.ops().nth(1).unwrap().clone();
    let member = fact_id(&granted, 0);
    check(
        &all[0],
        Draft {
            facts: vec![],
            removes: vec![member],
        },
        AuthorError::Remove(member),
    );
    let role = |need, have| AuthorError::Role { need, have };
    check(
        &all[2],
        Draft {
            facts: vec![chat("ok"), image("b")],
            removes: vec![],
        },
        role(Contributor, Viewer),
    );
    check(
        &all[1],
        Draft {
            facts: vec![],
            removes: vec![fact_id(&added, 0)],
        },
        role(Curator, Contributor),
    );
    check(
        &all[1],
        Draft {
            facts: vec![grant(b'X', Viewer)],
            removes: vec![],
        },
        role(Curator, Contributor),
    );
    let curator = Draft {
        facts: vec![grant(b'X', Curator)],
        removes: vec![],
    };
    check(&all[1], curator, role(Role::Owner, Contributor));
    let run = crdt::fact::AcceptRun {
        actor: added.header.actor,
        seq: 9,
        header: added.hash.short(),
        count: 1,
    };
    let accept = |run| Draft {
        facts: vec![Fact::Accept {
            ops: vec![run],
            at: AT,
        }],
        removes: vec![],
    };
    let named = OpRef {
        actor: run.actor,
        seq: run.seq,
        header: run.header,
    };
    check(&all[0], accept(run), AuthorError::Accept(named));
    let run = crdt::fact::AcceptRun {
        seq: added.last_seq(),
        count: 99,
        ..run
    };
    check(&all[0], accept(run), AuthorError::Accept(added.reference()));
    let nobody = Peer {
        author: device(b'X', 1),
        album: all[0].album.clone(),
    };
    check(
        &nobody,
        Draft {
            facts: vec![chat("x")],
            removes: vec![],
        },
        role(Viewer, Role::None),
    );
    let empty = Peer {
        author: device(b'X', 1),
        album: Album::empty(all[0].album.id()),
    };
    check(&empty, Draft::default(), AuthorError::NoGenesis);
    let root_of_x = Peer {
        author: device(b'X', 0),
        album: all[0].album.clone(),
    };
    check(&root_of_x, Draft::default(), AuthorError::Stranger);
}
