//! Every limit of the format, at it and one past it; the texts' own (names, nesting, integers) are tested beside them.

use std::sync::Arc;

use crdt::fact::{AcceptRun, Fact, Role};
use crdt::header::{DotRun, OpRef};
use crdt::id::{ActorId, HeaderRef, Incarnation};
use crdt::limits::*;
use crdt::op::{Op, Refusal, check_genesis, fact_hash, facts_root};
use crdt::{Album, Author, Receipt, Trust};

use crate::world::{AT, Peer, Pen, album, blob, chat, device, grant, image, peers};

fn owner() -> (Author, Album, Arc<Op>) {
    let author = device(b'O', 1);
    let (album, genesis) = album(&author);
    (author, album, genesis)
}

fn too_large<T: std::fmt::Debug>(result: Result<T, Refusal>, of: u64) {
    match result {
        Err(Refusal::TooLarge { limit, .. }) => assert_eq!(limit, of),
        other => panic!("{other:?}"),
    }
}

/// An op whose facts are these texts.
fn with_texts(texts: &[String]) -> Result<Op, Refusal> {
    let (author, album, genesis) = owner();
    let mut header = Pen::new(&author, album.id(), Some(&genesis), &[]).header();
    header.count = texts.len() as u64;
    header.root = Some(facts_root(texts.iter().map(|text| fact_hash(text))));
    Op::sign(&header, texts, &author.device)
}

/// A fact text of exactly so many bytes.
fn text_of(bytes: usize) -> String {
    let empty = r#"{"kind":"pad","x":""}"#.len();
    format!(r#"{{"kind":"pad","x":"{}"}}"#, "x".repeat(bytes - empty))
}

#[test]
fn facts_by_number_and_size() {
    assert!(with_texts(&vec![text_of(30); FACTS_PER_OP_MAX]).is_ok());
    too_large(with_texts(&vec![text_of(30); FACTS_PER_OP_MAX + 1]), 256);
    assert!(with_texts(&[text_of(FACT_BYTES_MAX)]).is_ok());
    too_large(with_texts(&[text_of(FACT_BYTES_MAX + 1)]), 4_096);
    let full = vec![text_of(FACT_BYTES_MAX); OP_FACTS_BYTES_MAX / FACT_BYTES_MAX];
    assert!(with_texts(&full).is_ok());
    too_large(with_texts(&[full, vec![text_of(30)]].concat()), 200 * 1024);
}

#[test]
fn envelope_and_header_bytes() {
    let (author, album, genesis) = owner();
    let pen = Pen::new(&author, album.id(), Some(&genesis), &[]).facts(&[chat("x")]);
    let op = pen.sign();
    // White space between the parts is not signed and changes no hash.
    let padded = |bytes: usize| {
        op.bytes()
            .replacen(",\"sig\"", &format!("{},\"sig\"", " ".repeat(bytes)), 1)
    };
    let room = OP_BYTES_MAX - op.bytes().len();
    assert_eq!(Op::decode(&padded(room)).unwrap().hash, op.hash);
    too_large(Op::decode(&padded(room + 1)), OP_BYTES_MAX as u64);
    // Inside the header it is signed, and counted.
    let spaced = |bytes: usize| {
        let header = op
            .header_text()
            .replacen('{', &format!("{{{}", " ".repeat(bytes)), 1);
        op.bytes().replace(op.header_text(), &header)
    };
    let room = HEADER_BYTES_MAX - op.header_text().len();
    assert!(Op::decode(&spaced(room)).is_ok_and(|spaced| spaced.hash != op.hash));
    too_large(Op::decode(&spaced(room + 1)), 16 * 1024);
    let genesis_header = |bytes| {
        genesis
            .header_text()
            .replacen('{', &format!("{{{}", " ".repeat(bytes)), 1)
    };
    let room = HEADER_BYTES_MAX - genesis.header_text().len();
    assert_eq!(
        check_genesis(&genesis_header(room), &genesis.sig),
        Err(Refusal::Signature)
    );
    too_large(check_genesis(&genesis_header(room + 1), &genesis.sig), 16 * 1024);
    assert!(check_genesis(&format!(" {}", genesis.header_text()), &genesis.sig).is_err());
}

fn refs(n: usize) -> Vec<OpRef> {
    let actor = |n: usize| ActorId((n as u128).to_be_bytes());
    (0..n)
        .map(|n| OpRef {
            actor: actor(n),
            seq: 1,
            header: HeaderRef([n as u8; 16]),
        })
        .collect()
}

#[test]
fn deps_with_and_without_facts() {
    let (author, album, genesis) = owner();
    let check = |facts: &[Fact], removes: &[DotRun], limit: usize| {
        let pen = Pen::new(&author, album.id(), Some(&genesis), &[])
            .facts(facts)
            .removes(removes);
        let mut header = pen.header();
        header.deps = refs(limit);
        assert!(pen.try_sign(&header).is_ok());
        header.deps = refs(limit + 1);
        too_large(pen.try_sign(&header), limit as u64);
    };
    check(&[chat("x")], &[], DEPS_MAX);
    check(
        &[],
        &[DotRun {
            actor: author.actor(),
            first: 1,
            count: 1,
        }],
        DEPS_MAX,
    );
    check(&[], &[], DEPS_EMPTY_MAX);
    let pen = Pen::new(&author, album.id(), Some(&genesis), &[]);
    let mut header = pen.header();
    header.deps = refs(3).into_iter().rev().collect();
    assert!(matches!(pen.try_sign(&header), Err(Refusal::Form(_))));
    header.deps = vec![refs(1)[0]; 2];
    assert!(matches!(pen.try_sign(&header), Err(Refusal::Form(_))));
}

#[test]
fn remove_runs_and_dots() {
    let (author, album, genesis) = owner();
    let check = |runs: Vec<DotRun>| {
        let pen = Pen::new(&author, album.id(), Some(&genesis), &[]).removes(&runs);
        pen.try_sign(&pen.header())
    };
    let runs = |n: usize, count: u64| {
        vec![
            DotRun {
                actor: author.actor(),
                first: 1,
                count
            };
            n
        ]
    };
    assert!(check(runs(REMOVE_RUNS_MAX, 1)).is_ok());
    too_large(check(runs(REMOVE_RUNS_MAX + 1, 1)), 256);
    assert!(check(runs(1, REMOVE_DOTS_MAX)).is_ok());
    too_large(check(runs(1, REMOVE_DOTS_MAX + 1)), 4_096);
    assert!(check(runs(16, REMOVE_DOTS_MAX / 16)).is_ok());
    too_large(
        check([runs(16, REMOVE_DOTS_MAX / 16), runs(1, 1)].concat()),
        4_096,
    );
    assert!(matches!(check(runs(1, 0)), Err(Refusal::Form(_))));
    // The largest header that honest limits allow fits its own limit.
    let actor = author.actor();
    let far: Vec<DotRun> = (0..256)
        .map(|n| DotRun {
            actor,
            first: INTEGER_MAX - 10_000 + n * 20,
            count: 16,
        })
        .collect();
    let pen = Pen::new(&author, album.id(), Some(&genesis), &[])
        .facts(&[chat("x")])
        .removes(&far);
    let mut header = pen.header();
    header.deps = refs(DEPS_MAX);
    assert!(pen.sign_as(&header).header_text().len() <= HEADER_BYTES_MAX);
}

#[test]
fn accept_entries_and_runs() {
    let run = |count| AcceptRun {
        actor: ActorId([1; 16]),
        seq: 1,
        header: HeaderRef([2; 16]),
        count,
    };
    let accept = |ops: Vec<AcceptRun>| with_texts(&[Fact::Accept { ops, at: AT }.to_text()]);
    assert!(accept(vec![run(1); ACCEPT_ENTRIES_MAX]).is_ok());
    assert!(matches!(
        accept(vec![run(1); ACCEPT_ENTRIES_MAX + 1]),
        Err(Refusal::Fact(_))
    ));
    assert!(accept(vec![run(ACCEPT_RUN_MAX)]).is_ok());
    assert!(matches!(
        accept(vec![run(ACCEPT_RUN_MAX + 1)]),
        Err(Refusal::Fact(_))
    ));
    assert!(matches!(accept(vec![run(0)]), Err(Refusal::Fact(_))));
    let full: Vec<AcceptRun> = vec![
        AcceptRun {
            seq: INTEGER_MAX,
            ..run(ACCEPT_RUN_MAX)
        };
        ACCEPT_ENTRIES_MAX
    ];
    assert!(
        Fact::Accept {
            ops: full,
            at: INTEGER_MAX
        }
        .to_text()
        .len()
            <= FACT_BYTES_MAX
    );
}

/// Content past its limit is opaque, member facts past theirs refuse the op.
#[test]
fn limits_of_facts() {
    let kind_of = |fact: Fact| Fact::read(&fact.to_text());
    let is_read = |fact: Fact| kind_of(fact.clone()) == Ok(fact);
    let is_opaque = |fact: Fact| matches!(kind_of(fact), Ok(Fact::Opaque { .. }));
    assert!(is_read(chat(&"x".repeat(CHAT_BYTES_MAX))));
    assert!(is_opaque(chat(&"x".repeat(CHAT_BYTES_MAX + 1))));
    assert!(is_read(image(&"x".repeat(IMAGE_NAME_BYTES_MAX))));
    assert!(is_opaque(image(&"x".repeat(IMAGE_NAME_BYTES_MAX + 1))));
    let stars = |stars: u64| Fact::Rating {
        image: blob("x"),
        stars: stars as u8,
        at: AT,
    };
    assert!(is_read(stars(STARS_MAX)) && is_read(stars(0)));
    assert!(is_opaque(stars(STARS_MAX + 1)));
    let name = |bytes: usize| Fact::Album {
        name: "x".repeat(bytes),
        at: AT,
    };
    assert!(is_read(name(NAME_BYTES_MAX)));
    assert!(is_opaque(name(NAME_BYTES_MAX + 1)));
    let label = |bytes: usize| match grant(b'A', Role::Viewer) {
        Fact::Grant { user, role, at, .. } => Fact::Grant {
            user,
            role,
            name: "x".repeat(bytes),
            at,
            invite: None,
        },
        _ => unreachable!(),
    };
    assert!(is_read(label(NAME_BYTES_MAX)));
    assert!(kind_of(label(NAME_BYTES_MAX + 1)).is_err());
    assert!(kind_of(label(0)).is_err());
}

/// Chat lines by a device of the owner that nobody has heard of yet, the first missing.
fn early(n: usize, bytes: usize) -> (Peer, Vec<Arc<Op>>) {
    let mut peer = peers(&[]).remove(0);
    peer.author.incarnation = Incarnation([99; 16]);
    let facts: Vec<Fact> = vec![chat(&"x".repeat(1_900)); bytes / 1_950];
    let facts = if facts.is_empty() { vec![chat("x")] } else { facts };
    let genesis = peer.album.ops().next().unwrap().clone();
    let mut ops: Vec<Arc<Op>> = Vec::new();
    let first = Pen::new(&peer.author, peer.album.id(), None, &[&genesis])
        .facts(&facts)
        .unsigned();
    ops.push(first);
    for _ in 0..n {
        let next = Pen::new(&peer.author, peer.album.id(), ops.last().map(|op| &**op), &[])
            .facts(&facts)
            .unsigned();
        ops.push(next);
    }
    (peer, ops)
}

#[test]
fn waiting_ops_by_number_the_highest_lamport_goes_first() {
    let (mut peer, ops) = early(WAITING_OPS_MAX + 1, 0);
    for op in &ops[1..=WAITING_OPS_MAX] {
        assert!(matches!(
            peer.album.receive(op.clone(), Trust::Stored),
            Receipt::Early { .. }
        ));
    }
    assert_eq!(peer.album.waiting_count(), WAITING_OPS_MAX);
    peer.album
        .receive(ops[WAITING_OPS_MAX + 1].clone(), Trust::Stored);
    assert_eq!(peer.album.waiting_count(), WAITING_OPS_MAX);
    let Receipt::Received(freed) = peer.album.receive(ops[0].clone(), Trust::Stored) else {
        panic!()
    };
    // All but the one with the highest lamport.
    assert_eq!(freed, ops[..=WAITING_OPS_MAX]);
    assert_eq!((peer.album.waiting_count(), peer.album.waiting_bytes()), (0, 0));
}

#[test]
fn waiting_ops_by_bytes() {
    let (mut peer, ops) = early(90, 199 * 1024);
    let mut bytes = 0;
    let fitting = ops[1..].iter().take_while(|op| {
        bytes += op.bytes().len();
        bytes <= WAITING_BYTES_MAX
    });
    let fitting = fitting.count();
    assert!(fitting > 80 && fitting < 90);
    for (place, op) in ops[1..].iter().enumerate() {
        peer.album.receive(op.clone(), Trust::Stored);
        assert_eq!(peer.album.waiting_count(), (place + 1).min(fitting));
        assert!(peer.album.waiting_bytes() <= WAITING_BYTES_MAX);
    }
    let Receipt::Received(freed) = peer.album.receive(ops[0].clone(), Trust::Stored) else {
        panic!()
    };
    assert_eq!(freed.len(), 1 + fitting);
}
