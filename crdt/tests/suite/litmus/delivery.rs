//! How ops arrive, and what is asked of peers: orders, gaps, waits, restarts, forks.

use std::collections::BTreeSet;
use std::sync::Arc;

use crdt::fact::Role;
use crdt::header::{DotRun, OpRef};
use crdt::id::{HeaderRef, Incarnation};
use crdt::limits::{ADD_OVERHEAD_BYTES_MAX, DEPS_INTRO_MAX, DEPS_MAX};
use crdt::op::{Op, Refusal};
use crdt::{Album, Author, AuthorError, Draft, Receipt, Trust};

use super::refusal;
use crate::world::{
    Peer, Pen, album, chat, device, dot, fact_id, image, meet, peers, permutations, pull, rating, role, user,
};

use Role::{Contributor, Curator};

/// Reorder, loss and duplication: whatever the order of 7 ops, and each twice, one state.
#[test]
fn all_5040_orders_of_seven_ops_give_one_state() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Curator)]);
    let base = all[0].album.clone();
    let a1 = all[1].say(image("one"));
    all[1].say(image("two"));
    all[2].say(image("one"));
    meet(&mut all);
    all[0].kill(fact_id(&a1, 0));
    all[1].write(&[image("one")], &[fact_id(&a1, 0)]);
    all[2].say(rating("one", 5));
    meet(&mut all);
    all[0].say(chat("done"));
    let ops: Vec<Arc<Op>> = all[0]
        .album
        .ops()
        .filter(|op| !base.knows(&op.hash))
        .cloned()
        .collect();
    assert_eq!(ops.len(), 7);
    let mut orders = 0;
    permutations(7, &mut |order| {
        let mut album = base.clone();
        for place in order {
            album.receive(ops[*place].clone(), Trust::Stored);
            album.receive(ops[*place].clone(), Trust::Stored);
        }
        orders += 1;
        assert_eq!(album.digest(), all[0].album.digest(), "{order:?}");
        assert_eq!(
            (album.waiting_count(), album.op_count()),
            (0, all[0].album.op_count())
        );
    });
    assert_eq!(orders, 5040);
}

/// A vector clock rebuilt as a maximum would count op 2 as received when op 3 comes, and never ask for it.
#[test]
fn a_gap_is_never_swallowed() {
    let mut all = peers(&[(b'A', Contributor)]);
    let ops: Vec<Arc<Op>> = ["a", "b", "c"]
        .iter()
        .map(|name| all[1].say(image(name)))
        .collect();
    let actor = all[1].author.actor();
    let owner = &mut all[0].album;
    owner.receive(ops[0].clone(), Trust::Verify);
    let missing = vec![ops[1].reference()];
    assert_eq!(
        owner.receive(ops[2].clone(), Trust::Verify),
        Receipt::Early {
            missing: missing.clone()
        }
    );
    assert_eq!(
        owner.receive(ops[2].clone(), Trust::Verify),
        Receipt::Early {
            missing: missing.clone()
        }
    );
    assert_eq!((owner.last_seq(&actor), owner.waiting_count()), ((1, false), 1));
    assert_eq!(owner.clock()[&actor], 1);
    assert_eq!(owner.missing(), BTreeSet::from_iter(missing));
    assert_eq!(
        owner.receive(ops[1].clone(), Trust::Verify),
        Receipt::Received(vec![ops[1].clone(), ops[2].clone()])
    );
    assert_eq!((owner.last_seq(&actor), owner.waiting_count()), ((3, false), 0));
    assert!(owner.missing().is_empty());
}

/// An op claims a past that nobody has: it waits, and nothing it removes disappears.
#[test]
fn a_vector_claimed_without_ops_removes_nothing() {
    let mut all = peers(&[(b'B', Curator)]);
    let a = all[0].say(image("kept"));
    let curator = all[1].author.clone();
    let pen = Pen::new(&curator, all[0].album.id(), None, &[&a]).removes(&[dot(&a)]);
    let mut header = pen.header();
    header.deps.push(OpRef {
        actor: a.header.actor,
        seq: 900,
        header: HeaderRef([7; 16]),
    });
    header.deps.sort_unstable();
    header.lamport = 901;
    let receipt = all[0].album.receive(pen.sign_as(&header), Trust::Verify);
    assert!(matches!(receipt, Receipt::Early { missing } if missing.len() == 1));
    assert_eq!(all[0].names(), ["kept"]);
    // The bytes of a real op under another seq fit no op either.
    header.deps = vec![OpRef {
        actor: a.header.actor,
        seq: 900,
        header: a.hash.short(),
    }];
    assert!(matches!(
        all[0].album.receive(pen.sign_as(&header), Trust::Verify),
        Receipt::Early { .. }
    ));
    assert_eq!((all[0].album.waiting_count(), all[0].names().len()), (2, 1));
}

fn overhead(op: &Op) -> usize {
    op.bytes().len() - op.fact_text(0).unwrap().len()
}

/// `n` lives of the owner's device, each an actor that sees the one before.
fn with_past_actors(n: u64) -> Peer {
    let mut author = device(b'O', 1);
    let (mut album, genesis) = album(&author);
    let mut last = genesis;
    for life in 0..n {
        let mut incarnation = [0; 16];
        incarnation[..8].copy_from_slice(&life.to_le_bytes());
        author.incarnation = Incarnation(incarnation);
        last = Pen::new(&author, album.id(), None, &[&last])
            .facts(&[chat("hello")])
            .unsigned();
        assert!(matches!(
            album.receive(last.clone(), Trust::Stored),
            Receipt::Received(_)
        ));
    }
    Peer { author, album }
}

/// A vector clock in the header would cost 40 bytes an actor; heads cost what is concurrent.
#[test]
fn an_add_costs_the_same_with_8_and_with_10_000_past_actors() {
    let mut sizes = Vec::new();
    for actors in [8, 10_000] {
        let mut peer = with_past_actors(actors);
        // As many concurrent heads as an op may name, at high seqs.
        for number in 0..DEPS_MAX as u8 {
            let other = Author {
                incarnation: Incarnation([100 + number; 16]),
                ..peer.author.clone()
            };
            let seen = peer.album.ops().nth(actors as usize).unwrap().clone();
            let op = Pen::new(&other, peer.album.id(), None, &[&seen])
                .facts(&[chat("hello")])
                .unsigned();
            peer.album.receive(op, Trust::Stored);
        }
        let before = peer.clone();
        let op = peer
            .album
            .author(
                &peer.author,
                Draft {
                    facts: vec![image("a")],
                    removes: vec![],
                },
            )
            .unwrap();
        assert_eq!((op.len(), op[0].header.deps.len()), (1, DEPS_MAX));
        sizes.push(overhead(&op[0]));
        // A new life of the device: too many heads for a first op with facts, so an empty one comes before.
        let mut newborn = before.clone();
        newborn.author.incarnation = Incarnation([200; 16]);
        let first = newborn.write(&[image("a")], &[]);
        let deps: Vec<usize> = first.iter().map(|op| op.header.deps.len()).collect();
        assert_eq!(deps, [DEPS_MAX, 0]);
        sizes.push(overhead(&first[1]));
        let next = peer
            .album
            .author(
                &peer.author,
                Draft {
                    facts: vec![image("b")],
                    removes: vec![],
                },
            )
            .unwrap();
        sizes.push(overhead(&next[0]));
        assert_eq!(peer.album.clock().len() as u64, actors + 1 + DEPS_MAX as u64);
    }
    println!(
        "header, signature, envelope of an add: {sizes:?} B (4 heads, new actor, 1 head; 8 actors, then 10,000)"
    );
    assert!(
        sizes.iter().all(|size| *size <= ADD_OVERHEAD_BYTES_MAX),
        "{sizes:?}"
    );
    // Only digits of seqs and lamports differ.
    assert!(
        sizes
            .iter()
            .zip(&sizes[3..])
            .all(|(few, many)| many.abs_diff(*few) <= 20),
        "{sizes:?}"
    );
    // The first op of an actor itself, with as many heads as it names.
    let mut peer = with_past_actors(1);
    peer.author.incarnation = Incarnation([200; 16]);
    let seen = peer.album.ops().next().unwrap().clone();
    let other = Author {
        incarnation: Incarnation([201; 16]),
        ..peer.author.clone()
    };
    let head = Pen::new(&other, peer.album.id(), None, &[&seen])
        .facts(&[chat("hello")])
        .unsigned();
    peer.album.receive(head, Trust::Stored);
    let first = peer.write(&[image("a")], &[]);
    assert_eq!((first.len(), first[0].header.deps.len()), (1, DEPS_INTRO_MAX));
    assert!(
        overhead(&first[0]) <= ADD_OVERHEAD_BYTES_MAX,
        "{}",
        overhead(&first[0])
    );
}

/// Seqs and clocks at the end of the range: refused by arithmetic, with nothing allocated by the number.
#[test]
fn huge_seqs_and_clocks_are_refused() {
    let mut all = peers(&[(b'A', Contributor)]);
    let a1 = all[1].say(image("a"));
    let mut owner = all[0].clone();
    owner.album.receive(a1.clone(), Trust::Verify);
    let pen = Pen::new(&all[1].author, owner.album.id(), Some(&a1), &[]).facts(&[image("b")]);
    let max = crdt::limits::INTEGER_MAX;
    let mut lamport = pen.header();
    lamport.lamport = max;
    assert_eq!(
        refusal(&mut owner.album, pen.sign_as(&lamport)),
        Refusal::Lamport {
            found: max,
            expected: 4
        }
    );
    let mut seq = pen.header();
    seq.first = max;
    assert_eq!(
        refusal(&mut owner.album, pen.sign_as(&seq)),
        Refusal::Prev { first: max }
    );
    for number in [max + 1, u64::MAX] {
        let (mut lamport, mut seq, mut run) = (pen.header(), pen.header(), pen.header());
        lamport.lamport = number;
        seq.first = number;
        run.removes = vec![DotRun {
            actor: a1.header.actor,
            first: 1,
            count: number,
        }];
        for header in [lamport, seq, run] {
            assert!(matches!(pen.try_sign(&header), Err(Refusal::Text(_))));
        }
    }
    // Two facts at the last seq there is.
    let two = pen.clone().facts(&[image("b"), image("c")]);
    let mut seq = two.header();
    seq.first = max;
    assert!(matches!(two.try_sign(&seq), Err(Refusal::Form(_))));
    let mut run = pen.header();
    run.removes = vec![DotRun {
        actor: a1.header.actor,
        first: max,
        count: 2,
    }];
    assert!(matches!(pen.try_sign(&run), Err(Refusal::Form(_))));
}

/// Restart with state: the ops read back, in the order of the store or any other, give the same album.
#[test]
fn restart_with_state() {
    let mut all = peers(&[(b'A', Contributor), (b'C', Curator)]);
    let a = all[1].say(image("a"));
    meet(&mut all);
    all[2].kill(fact_id(&a, 0));
    all[0].say(role(b'C', Role::None));
    meet(&mut all);
    let stored: Vec<Arc<Op>> = all[0].album.ops().cloned().collect();
    for reversed in [false, true] {
        let mut album = Album::empty(all[0].album.id());
        assert!(!album.has_genesis() && album.name().is_empty());
        let read = |op: &Arc<Op>| Arc::new(Op::decode(op.bytes()).unwrap());
        let ops: Vec<Arc<Op>> = stored.iter().map(read).collect();
        let order: Vec<&Arc<Op>> = if reversed {
            ops.iter().rev().collect()
        } else {
            ops.iter().collect()
        };
        order
            .into_iter()
            .for_each(|op| drop(album.receive(op.clone(), Trust::Stored)));
        assert_eq!((album.digest(), album.held_count()), (all[0].album.digest(), 1));
        assert_eq!(album.elements().count(), all[0].album.elements().count());
        album.check_invariants().unwrap();
    }
}

/// Restart without state, or with an old copy: the actor forks. Both branches live, the two headers prove it, and the
/// author's own program goes on with a new incarnation.
#[test]
fn restart_without_state_forks_the_actor() {
    let mut all = peers(&[(b'A', Contributor)]);
    all[1].say(image("before"));
    meet(&mut all);
    let mut copy = all[1].clone();
    let one = all[1].say(image("one"));
    let other = copy.say(image("other"));
    assert_eq!(one.header.first, other.header.first);
    all[1].pull(&copy);
    pull(&mut all, 0, 1);
    assert_eq!(all[0].names(), ["before", "one", "other"]);
    let mut proof = [one.hash, other.hash];
    proof.sort();
    assert_eq!(all[0].album.forks(), [(proof[0], proof[1])]);
    assert_eq!(all[0].album.last_seq(&all[1].author.actor()), (2, true));
    let author = all[1].author.clone();
    let draft = Draft {
        facts: vec![image("on")],
        removes: vec![],
    };
    assert_eq!(all[1].album.author(&author, draft), Err(AuthorError::Forked));
    all[1].author.incarnation = Incarnation([77; 16]);
    all[1].say(image("on"));
    meet(&mut all);
    assert_eq!(all[0].names().len(), 4);
    // One dot, two facts: a remove that saw both kills both, one that saw one kills one.
    all[0].kill(fact_id(&one, 0));
    assert_eq!(all[0].names(), ["before", "on"]);
    copy.kill(fact_id(&other, 0));
    all[0].pull(&copy);
    assert_eq!(all[0].names(), ["before", "on"]);
}

/// A device is copied, and each copy talks to another peer only. No one of them sees a fork; it shows where the two
/// peers meet, and the device hears of its own through them: both branches live, all show the same two headers, and
/// who removes the image of one branch without having seen the other leaves the other's.
#[test]
fn a_fork_comes_together_through_third_peers() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Contributor), (b'C', Curator)]);
    let mut copy = all[1].clone();
    let one = all[1].say(image("one"));
    let other = copy.say(image("other"));
    pull(&mut all, 2, 1);
    all[3].pull(&copy);
    assert!(all.iter().all(|peer| peer.album.forks().is_empty()));
    all[2].say(rating("one", 4));
    pull(&mut all, 0, 2);
    pull(&mut all, 0, 3);
    let mut proof = [one.hash, other.hash];
    proof.sort();
    assert_eq!(all[0].album.forks(), [(proof[0], proof[1])]);
    assert_eq!(all[0].names(), ["one", "other"]);
    pull(&mut all, 1, 0);
    copy.pull(&all[0].clone());
    let draft = Draft {
        facts: vec![image("on")],
        removes: vec![],
    };
    for forked in [&mut all[1], &mut copy] {
        let author = forked.author.clone();
        assert_eq!(forked.album.forks(), [(proof[0], proof[1])]);
        assert_eq!(
            forked.album.author(&author, draft.clone()),
            Err(AuthorError::Forked)
        );
    }
    all[3].kill(fact_id(&other, 0));
    pull(&mut all, 0, 3);
    // The curator had not seen the first branch: its image stays.
    assert_eq!(all[0].names(), ["one"]);
    pull(&mut all, 3, 0);
    all[3].kill(fact_id(&one, 0));
    meet(&mut all);
    assert_eq!(all[2].names(), Vec::<String>::new());
}

/// Three in a ring, each hears from one neighbour only.
#[test]
fn a_ring_of_three() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Contributor)]);
    for round in 0..3 {
        for place in 0..3 {
            all[place].say(image(&format!("{place}-{round}")));
            let neighbour = all[(place + 1) % 3].clone();
            all[place].pull(&neighbour);
        }
    }
    for _ in 0..2 {
        for place in 0..3 {
            let neighbour = all[(place + 1) % 3].clone();
            all[place].pull(&neighbour);
        }
    }
    assert!(
        all.iter()
            .all(|peer| peer.album.digest() == all[0].album.digest())
    );
    assert_eq!(all[0].names().len(), 9);
}

/// A newcomer is sent the needed ops only, or everything: he shows the same.
#[test]
fn a_late_joiner() {
    let mut all = peers(&[(b'A', Contributor)]);
    all[0].say(image("seen"));
    all[1].say(image("late"));
    all[0].say(role(b'A', Role::None));
    // Only A's last op is held and unseen; it is in no digest.
    let owner = &mut all.clone()[0];
    owner.pull(&all[1]);
    assert_eq!(owner.album.digest(), all[0].album.digest());
    assert_eq!(
        (owner.album.held_count(), owner.album.needed_ops().count() + 1),
        (1, owner.album.op_count())
    );
    let mut joiner = Album::empty(owner.album.id());
    for op in owner.album.needed_ops() {
        assert!(matches!(
            joiner.receive(op.clone(), Trust::Verify),
            Receipt::Received(_)
        ));
    }
    assert_eq!(joiner.digest(), owner.album.digest());
    assert_eq!(
        (joiner.name(), joiner.image_count(), joiner.owner()),
        ("trip", 1, Some(user(b'O')))
    );
}

/// A chain of thousands that came in the wrong order is freed by one op, without deep calls.
#[test]
fn a_long_wait_is_freed_at_once() {
    let mut all = peers(&[(b'A', Contributor)]);
    let author = all[1].author.clone();
    let mut ops = Vec::new();
    for line in 0..4_000 {
        let draft = Draft {
            facts: vec![chat(&line.to_string())],
            removes: vec![],
        };
        ops.extend(all[1].album.author(&author, draft).unwrap());
    }
    let owner = &mut all[0].album;
    for op in ops[1..].iter().rev() {
        assert!(matches!(
            owner.receive(op.clone(), Trust::Stored),
            Receipt::Early { .. }
        ));
    }
    assert_eq!(owner.waiting_count(), 3_999);
    let Receipt::Received(received) = owner.receive(ops[0].clone(), Trust::Stored) else {
        panic!()
    };
    assert_eq!(received, ops);
    assert_eq!(owner.waiting_count(), 0);
}

/// Anti-entropy's questions: differing leaves, their heads, the ops behind them.
#[test]
fn what_a_peer_lacks_is_found_through_the_tree() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Contributor)]);
    for line in 0..10 {
        all[1].say(chat(&line.to_string()));
    }
    let (ahead, behind) = (&all[1].album, &all[2].album);
    assert_ne!(ahead.heads_root(), behind.heads_root());
    let differing = |node: Option<u8>| {
        let (left, right) = (ahead.tree_hashes(node), behind.tree_hashes(node));
        (0..64)
            .filter(|place| left[*place] != right[*place])
            .map(|place| place as u8)
            .collect::<Vec<_>>()
    };
    let mut wanted = Vec::new();
    for node in differing(None) {
        for leaf in differing(Some(node)) {
            let heads = ahead.heads_in_leaf(u16::from(node) * 64 + u16::from(leaf));
            wanted.extend(heads.into_iter().filter(|head| !behind.knows(&head.hash)));
        }
    }
    assert_eq!(wanted.len(), 1);
    let head = wanted[0];
    assert_eq!((head.actor, head.seq), (all[1].author.actor(), 10));
    assert_eq!(ahead.heads().iter().filter(|other| **other == head).count(), 1);
    assert_eq!(ahead.head_count(), ahead.heads().len());
    let seqs = |after| {
        ahead
            .ops_back(&head.actor, &head.hash, after)
            .iter()
            .map(|op| op.last_seq())
            .collect::<Vec<_>>()
    };
    assert_eq!(seqs(7), [8, 9, 10]);
    assert_eq!(seqs(0), (1..=10).collect::<Vec<u64>>());
    // The head itself always comes: to an asker with another branch its seq says nothing.
    assert_eq!(seqs(10), [10]);
    assert_eq!((behind.after(&head), ahead.after(&head)), (0, 0));
    assert!(behind.ops_back(&head.actor, &head.hash, 0).is_empty());
    assert!(ahead.ops_back(&all[2].author.actor(), &head.hash, 0).is_empty());
    let reference = ahead.op(&head.hash).unwrap().reference();
    assert_eq!(ahead.ops_by_refs(&[reference, reference]).len(), 1);
    assert!(behind.ops_by_refs(&[reference]).is_empty());
    let ops = ahead.ops_back(&head.actor, &head.hash, 0);
    let mut album = behind.clone();
    ops.into_iter()
        .for_each(|op| drop(album.receive(op, Trust::Verify)));
    assert_eq!(album.digest(), ahead.digest());
    // Nothing of a tree that has no such node or leaf.
    assert_eq!(ahead.tree_hashes(Some(200)), [crdt::id::Digest([0; 32]); 64]);
    assert!(ahead.heads_in_leaf(5_000).is_empty());
}

/// Two replicas know one branch each of a forked actor, and neither knows that there are two. The asker's seq is higher
/// than the head he lacks: asked with that, he would never get it.
#[test]
fn the_shorter_branch_of_a_fork_is_found() {
    let mut all = peers(&[(b'A', Contributor)]);
    let mut copy = all[1].clone();
    for line in 0..5 {
        all[1].say(chat(&line.to_string()));
    }
    copy.say(chat("other"));
    let head = copy
        .album
        .heads()
        .into_iter()
        .find(|head| head.actor == copy.author.actor())
        .unwrap();
    let asker = &mut all[1].album;
    assert!(!asker.knows(&head.hash));
    assert_eq!(
        (asker.last_seq(&head.actor), head.seq, asker.after(&head)),
        ((5, false), 1, 0)
    );
    for op in copy.album.ops_back(&head.actor, &head.hash, asker.after(&head)) {
        assert!(matches!(asker.receive(op, Trust::Verify), Receipt::Received(_)));
    }
    assert_eq!(asker.last_seq(&head.actor), (5, true));
    copy.pull(&all[1]);
    assert_eq!(copy.album.digest(), all[1].album.digest());
    // A longer head of an unforked actor is asked for above what is here.
    all[0].pull(&copy);
    let mut ahead = all[0].clone();
    ahead.say(chat("more"));
    let head = ahead
        .album
        .heads()
        .into_iter()
        .find(|head| head.actor == ahead.author.actor())
        .unwrap();
    assert_eq!(all[0].album.after(&head), head.seq - 1);
}
