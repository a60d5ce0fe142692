//! The traps and litmus tests of the design, each a small story.

use std::collections::BTreeSet;
use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::header::{DotRun, OpRef};
use crdt::id::{AlbumId, HeaderRef, Incarnation};
use crdt::limits::{ADD_OVERHEAD_BYTES_MAX, DEPS_MAX};
use crdt::op::{Op, Refusal};
use crdt::{Album, Author, AuthorError, Change, Draft, Found, Receipt, Trust};

use crate::world::{
    AT, Peer, Pen, album, blob, chat, device, dot, fact_id, grant, image, meet, peers, permutations, pull,
    rating, role, root, user,
};

use Role::{Contributor, Curator, Viewer};

fn refusal(album: &mut Album, op: Arc<Op>) -> Refusal {
    let before = (album.digest(), album.op_count(), album.waiting_count());
    let receipt = album.receive(op, Trust::Verify);
    assert_eq!(
        before,
        (album.digest(), album.op_count(), album.waiting_count()),
        "a refused op changes nothing"
    );
    match receipt {
        Receipt::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

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

/// An OR-set that keeps tags of removed elements grows with every re-add; this one's live state does not.
#[test]
fn one_key_added_again_a_thousand_times_stays_one_entry() {
    let mut all = peers(&[]);
    let mut last = all[0].say(image("same"));
    let size = all[0].album.element_count();
    let draft = |op: &Op| Draft {
        facts: vec![image("same")],
        removes: vec![fact_id(op, 0)],
    };
    for _ in 0..1000 {
        last = all[0].ask(draft(&last)).unwrap().pop().unwrap();
    }
    all[0].album.check_invariants().unwrap();
    assert_eq!(
        (all[0].album.element_count(), all[0].names()),
        (size, vec!["same".to_owned()])
    );
    assert_eq!(all[0].album.op_count(), 1002);
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
        "header, signature, envelope of an add: {sizes:?} B (8 actors: 4 heads, 1 head; 10,000: 4 heads, 1 head)"
    );
    assert!(
        sizes.iter().all(|size| *size <= ADD_OVERHEAD_BYTES_MAX),
        "{sizes:?}"
    );
    // Only digits of seqs and lamports differ.
    assert!(sizes[2] - sizes[0] <= 20 && sizes[3] - sizes[1] <= 8, "{sizes:?}");
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

/// A curator removes an image; he was removed himself without that being seen: his removal is held, the image is back
/// everywhere, and an accept takes it away again.
#[test]
fn a_killer_that_becomes_held_gives_the_image_back() {
    let mut all = peers(&[(b'C', Curator), (b'B', Viewer)]);
    let added = all[0].say(image("disputed"));
    let id = fact_id(&added, 0);
    let owner = all[0].clone();
    all[1].pull(&owner);
    let killer = all[1].kill(id);
    all[0].say(role(b'C', Role::None));
    meet(&mut all);
    assert_eq!(all[2].names(), ["disputed"]);
    assert_eq!(all[2].album.held_count(), 1);
    let run = crdt::fact::AcceptRun {
        actor: killer.header.actor,
        seq: killer.last_seq(),
        header: killer.hash.short(),
        count: 1,
    };
    all[2].album.drain_changes();
    all[0].say(Fact::Accept {
        ops: vec![run],
        at: AT,
    });
    meet(&mut all);
    let changes = all[2].album.drain_changes();
    assert!(all[2].names().is_empty());
    assert!(
        changes.contains(&Change::Dead { id }) && changes.contains(&Change::Valid { header: killer.hash })
    );
}

/// A stolen or shared device key that two roots certify writes as two actors of two users; one user's revoke of it
/// leaves the other's alone.
#[test]
fn one_device_key_certified_by_two_roots_is_two_actors() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Contributor)]);
    let shared = all[1].author.device.clone();
    let certificate = crdt::keys::Certificate::issue(&root(b'B'), &shared.public());
    let as_b = Author {
        device: shared.clone(),
        certificate,
        incarnation: all[1].author.incarnation,
    };
    assert_ne!(as_b.actor(), all[1].author.actor());
    all[1].say(image("by a"));
    all[2].author = as_b;
    all[2].say(image("by b"));
    meet(&mut all);
    let authors: BTreeSet<_> = all[0].album.images().map(|view| view.user).collect();
    assert_eq!(authors, BTreeSet::from([user(b'A'), user(b'B')]));
    let root_of_a = device(b'A', 0);
    let revoke = Draft {
        facts: vec![Fact::Revoke {
            device: shared.public(),
            at: AT,
        }],
        removes: vec![],
    };
    all[0].album.author(&root_of_a, revoke).unwrap();
    meet(&mut all);
    assert!(all[0].album.device_revoked(&user(b'A'), &shared.public()));
    assert!(!all[0].album.device_revoked(&user(b'B'), &shared.public()));
    assert_eq!(
        all[1].ask(Draft {
            facts: vec![chat("me?")],
            removes: vec![]
        }),
        Err(AuthorError::Revoked)
    );
    all[2].say(chat("still here"));
    meet(&mut all);
    assert_eq!((all[0].names().len(), all[0].album.chat().count()), (2, 1));
}

/// Dots outside the past, dots never used, seqs that carry no fact, member facts: refused, alike everywhere.
#[test]
fn removes_name_only_facts_of_the_past() {
    let mut all = peers(&[(b'B', Curator)]);
    let id = all[0].album.id();
    let member = all[0].album.ops().nth(1).unwrap().clone();
    let a = all[0].say(image("a"));
    let unseen = all[0].say(image("unseen"));
    let empty = all[0].write(&[], &[]).pop().unwrap();
    let curator = all[1].author.clone();
    let owner = &mut all[0].album;
    let remove = |run: DotRun| Pen::new(&curator, id, None, &[&a]).removes(&[run]).sign();
    let unseen_seq = Refusal::RemovesUnseen {
        actor: unseen.header.actor,
        seq: unseen.header.first,
    };
    assert_eq!(refusal(owner, remove(dot(&unseen))), unseen_seq);
    assert!(matches!(
        refusal(owner, remove(DotRun { first: 77, ..dot(&a) })),
        Refusal::RemovesUnseen { .. }
    ));
    let of_nobody = DotRun {
        actor: curator.actor(),
        first: 1,
        count: 1,
    };
    assert!(matches!(
        refusal(owner, remove(of_nobody)),
        Refusal::RemovesUnseen { .. }
    ));
    assert!(matches!(
        refusal(owner, remove(dot(&member))),
        Refusal::RemovesMember { .. }
    ));
    let of_empty = Pen::new(&curator, id, None, &[&empty])
        .removes(&[dot(&empty)])
        .sign();
    assert!(matches!(refusal(owner, of_empty), Refusal::RemovesUnseen { .. }));
    // A run of which only the first dot has a fact in the past.
    assert!(matches!(
        refusal(owner, remove(DotRun { count: 2, ..dot(&a) })),
        Refusal::RemovesUnseen { .. }
    ));
    assert_eq!(owner.refused()["removes-unseen"], 5);
    // Its own facts are not in its past.
    let own = Pen::new(&curator, id, None, &[&a])
        .facts(&[image("x")])
        .removes(&[of_nobody])
        .sign();
    assert!(matches!(refusal(owner, own), Refusal::RemovesUnseen { .. }));
    assert!(matches!(
        owner.receive(remove(dot(&a)), Trust::Verify),
        Receipt::Received(_)
    ));
    // What is dead already may be named again.
    let author = all[0].author.clone();
    let again = Draft {
        facts: vec![],
        removes: vec![fact_id(&a, 0)],
    };
    assert!(all[0].album.author(&author, again).is_ok());
    all[0].album.check_invariants().unwrap();
}

/// A known weakness of the format, reported: a forked actor gives one dot an image in one branch and a member fact in
/// the other. Whoever has received both cannot remove the image, since a dot with a member fact in the past refuses
/// the op. The member fact need not even be valid.
#[test]
fn a_forked_dot_with_a_member_fact_shields_the_image() {
    let mut all = peers(&[(b'A', Contributor)]);
    let id = all[0].album.id();
    let base = all[0].album.ops().last().unwrap().clone();
    let shown = Pen::new(&all[1].author, id, None, &[&base])
        .facts(&[image("nasty")])
        .sign();
    let shield = Pen::new(&all[1].author, id, None, &[&base])
        .facts(&[grant(b'A', Curator)])
        .sign();
    all[0].album.receive(shown.clone(), Trust::Verify);
    let before = all[0].clone().album.author(
        &all[0].author.clone(),
        Draft {
            facts: vec![],
            removes: vec![fact_id(&shown, 0)],
        },
    );
    assert!(before.is_ok());
    all[0].album.receive(shield, Trust::Verify);
    let author = all[0].author.clone();
    let after = all[0].album.author(
        &author,
        Draft {
            facts: vec![],
            removes: vec![fact_id(&shown, 0)],
        },
    );
    assert!(
        matches!(after, Err(AuthorError::Refused(Refusal::RemovesMember { .. }))),
        "{after:?}"
    );
    assert_eq!(
        (all[0].names(), all[0].album.held_count()),
        (vec!["nasty".to_owned()], 1)
    );
}

/// Add wins: a removal kills what it saw, not what was added beside it.
#[test]
fn an_add_beside_a_remove_wins() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Curator)]);
    let first = all[1].say(image("sunset"));
    meet(&mut all);
    all[2].kill(fact_id(&first, 0));
    all[1].say(image("sunset"));
    meet(&mut all);
    assert_eq!(all[0].names(), ["sunset"]);
    assert!(!all[0].album.is_fact_live(&fact_id(&first, 0)));
}

/// Removed, then added again by one who saw the removal: a new dot, alive.
#[test]
fn remove_then_add_again() {
    let mut all = peers(&[(b'A', Contributor)]);
    let first = all[1].say(image("sunset"));
    meet(&mut all);
    all[0].kill(fact_id(&first, 0));
    meet(&mut all);
    assert!(all[1].names().is_empty());
    let second = all[1].say(image("sunset"));
    meet(&mut all);
    assert!(all[0].album.is_fact_live(&fact_id(&second, 0)));
    assert_eq!(all[0].names(), ["sunset"]);
}

/// Two add one name at once, each on his own; one of the two is removed: the other keeps the name.
#[test]
fn concurrent_re_adds_and_one_removed() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Contributor)]);
    let a = all[1].say(image("sunset"));
    let b = all[2].say(image("sunset"));
    meet(&mut all);
    let names = all[0].names();
    assert_eq!((names.len(), names[0].as_str()), (2, "sunset"));
    assert!(names[1].starts_with("sunset~"));
    all[0].kill(fact_id(&a, 0));
    meet(&mut all);
    assert_eq!(all[2].names(), ["sunset"]);
    assert!(all[2].album.is_fact_live(&fact_id(&b, 0)));
}

/// Two remove one image at once: both name it, it is dead once, and stays dead when one of them is held.
#[test]
fn two_removals_at_once() {
    let mut all = peers(&[(b'A', Contributor), (b'C', Curator)]);
    let a = all[1].say(image("sunset"));
    meet(&mut all);
    all[1].kill(fact_id(&a, 0));
    all[2].kill(fact_id(&a, 0));
    all[0].say(role(b'C', Role::None));
    meet(&mut all);
    assert_eq!(all[0].album.held_count(), 1);
    assert!(all[0].names().is_empty());
}

/// A member is removed while he adds: his add is held; two removals at once change nothing; after the re-grant what he
/// writes shows, the old op waits for an accept.
#[test]
fn a_member_removed_while_adding_and_granted_again() {
    let mut all = peers(&[(b'A', Contributor), (b'C', Curator)]);
    let late = all[1].say(image("late"));
    all[0].say(role(b'A', Role::None));
    all[2].say(role(b'A', Role::None));
    meet(&mut all);
    assert!(all[0].names().is_empty());
    assert_eq!(all[0].album.role_of(&user(b'A')), Role::None);
    let denied = all[1].ask(Draft {
        facts: vec![image("no")],
        removes: vec![],
    });
    assert_eq!(
        denied,
        Err(AuthorError::Role {
            need: Contributor,
            have: Role::None
        })
    );
    all[0].album.drain_changes();
    all[0].say(grant(b'A', Viewer));
    let changed = Change::Role {
        user: user(b'A'),
        before: Role::None,
        after: Viewer,
    };
    assert!(all[0].album.drain_changes().contains(&changed));
    all[0].say(role(b'A', Contributor));
    meet(&mut all);
    all[1].say(image("welcome back"));
    meet(&mut all);
    assert_eq!(all[2].names(), ["welcome back"]);
    assert_eq!(all[2].album.is_valid(&late.hash), Some(false));
}

/// Ratings hang on the file: they outlive its removal and show when it is back.
#[test]
fn an_image_removed_while_it_is_rated() {
    let mut all = peers(&[(b'A', Viewer), (b'B', Viewer)]);
    let added = all[0].say(image("sunset"));
    meet(&mut all);
    all[0].kill(fact_id(&added, 0));
    let four = all[1].say(rating("sunset", 4));
    all[2].say(rating("sunset", 0));
    meet(&mut all);
    let sunset = blob("sunset");
    assert_eq!(all[0].album.rating(&sunset), None);
    all[0].say(image("sunset again"));
    let again = Fact::Image(match image("sunset") {
        Fact::Image(image) => crdt::fact::Image {
            name: "other name".to_owned(),
            ..image
        },
        _ => unreachable!(),
    });
    all[0].say(again);
    meet(&mut all);
    let votes = all[1].album.rating(&sunset).unwrap();
    assert_eq!((votes.stars, votes.count, votes.mean()), (4, 2, Some(2.0)));
    // The next vote removes those it saw; of two beside each other the later counts.
    assert_eq!(all[1].album.rating_ids(&user(b'A'), &sunset), [fact_id(&four, 0)]);
    let mut twin = Peer {
        author: device(b'A', 2),
        album: all[1].album.clone(),
    };
    all[1].write(&[rating("sunset", 1)], &[fact_id(&four, 0)]);
    twin.say(chat("later"));
    twin.write(&[rating("sunset", 5)], &[fact_id(&four, 0)]);
    all[1].pull(&twin);
    assert_eq!(
        all[1]
            .album
            .ratings(&sunset)
            .find(|(who, _)| *who == user(b'A'))
            .unwrap()
            .1,
        5
    );
    assert_eq!(all[1].album.rating_ids(&user(b'A'), &sunset).len(), 2);
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

/// Long churn: what is dead leaves the live state, whatever the log holds.
#[test]
fn long_churn_leaves_the_live_state_small() {
    let mut all = peers(&[]);
    let author = all[0].author.clone();
    let mut live: Vec<crdt::FactId> = Vec::new();
    for round in 0..2_000 {
        let removes = if live.len() < 20 {
            vec![]
        } else {
            vec![live.remove(round * 7 % 20)]
        };
        let facts = vec![image(&format!("image {}", round % 50))];
        let op = all[0]
            .album
            .author(&author, Draft { facts, removes })
            .unwrap()
            .pop()
            .unwrap();
        live.push(fact_id(&op, 0));
    }
    all[0].album.check_invariants().unwrap();
    assert_eq!(
        (all[0].album.image_count(), all[0].album.element_count()),
        (20, 21)
    );
    let mut fresh = Album::empty(all[0].album.id());
    all[0]
        .album
        .ops()
        .for_each(|op| drop(fresh.receive(op.clone(), Trust::Stored)));
    assert_eq!(fresh.facts_root(), all[0].album.facts_root());
}

/// The sum of a receipt is told: an image that is added and removed by ops that waited together never shows.
#[test]
fn changes_tell_the_sum_of_what_happened() {
    let mut all = peers(&[(b'A', Contributor)]);
    let a = all[1].say(image("a"));
    meet(&mut all);
    all[0].album.drain_changes();
    let renamed = all[0].say(Fact::Album {
        name: "voyage".to_owned(),
        at: AT,
    });
    let changes = all[0].album.drain_changes();
    assert!(changes.contains(&Change::Renamed {
        before: "trip".to_owned(),
        after: "voyage".to_owned()
    }));
    assert_eq!(all[0].album.name(), "voyage");
    assert_eq!(all[0].album.setting_ids(), [fact_id(&renamed, 0)]);
    all[0].kill(fact_id(&renamed, 0));
    assert_eq!(all[0].album.name(), "trip");
    all[0].album.drain_changes();
    let op = all[0].kill(fact_id(&a, 0));
    let changes = all[0].album.drain_changes();
    assert_eq!(
        changes,
        [
            Change::Valid { header: op.hash },
            Change::Dead { id: fact_id(&a, 0) }
        ]
    );
}

/// Names: the lowest keeps it, the others add digits; a hash prefix finds an entry; twins are told apart to the end.
#[test]
fn names_among_equals() {
    let mut all = peers(&[(b'A', Contributor)]);
    let named = |hash: &str| match image("n") {
        Fact::Image(image) => Fact::Image(crdt::fact::Image {
            hash: blob(hash),
            ..image
        }),
        _ => unreachable!(),
    };
    all[0].say(named("first"));
    all[0].write(&[named("second"), named("third"), named("third")], &[]);
    all[0].say(named("third"));
    let hex = |text: &str| blob(text).hex();
    let names = all[0].names();
    assert_eq!(names[0], "n");
    assert_eq!(names[1], format!("n~{}", &hex("second")[..6]));
    let third = format!("n~{}~", &hex("third")[..6]);
    assert!(
        names[2..].iter().all(|name| name.starts_with(&third)),
        "{names:?}"
    );
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 5);
    for (place, name) in names.iter().enumerate() {
        let Found::One(found) = all[0].album.image_named(name) else {
            panic!("{name}")
        };
        assert_eq!(Some(found), all[0].album.images().nth(place));
    }
    let album = &all[0].album;
    assert!(matches!(album.image_named(&hex("second")[..6]), Found::One(view) if view.name == names[1]));
    assert!(matches!(
        album.image_named(&hex("second").to_uppercase()),
        Found::One(_)
    ));
    assert!(matches!(album.image_named(&hex("third")[..6]), Found::Ambiguous(list) if list.len() == 3));
    for nothing in [
        "",
        "m",
        &hex("second")[..5],
        "n~",
        "n~zzzzzz",
        &format!("{}0", hex("second")),
        "ffffff",
    ] {
        assert!(matches!(album.image_named(nothing), Found::None), "{nothing}");
    }
    // An entry whose literal name is another's resolved one.
    let literal = names[1].clone();
    pull(&mut all, 1, 0);
    let op = all[1].say(image(&literal));
    let Found::One(found) = all[1].album.image_named(&literal) else {
        panic!("{literal}")
    };
    assert_eq!(found.id, fact_id(&op, 0));
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

/// A device of nobody, of one named only beside the op, of a person named in the past but removed: the first two are
/// refused, the third held.
#[test]
fn strangers_are_refused_and_members_held() {
    let mut all = peers(&[(b'A', Contributor)]);
    let id = all[0].album.id();
    let genesis = all[0].album.ops().next().unwrap().clone();
    let stranger = device(b'X', 1);
    let op = Pen::new(&stranger, id, None, &[&genesis])
        .facts(&[chat("hi")])
        .sign();
    assert_eq!(refusal(&mut all[0].album, op), Refusal::Stranger);
    let back_dated = Pen::new(&all[1].author, id, None, &[&genesis])
        .facts(&[chat("hi")])
        .sign();
    assert_eq!(refusal(&mut all[0].album, back_dated), Refusal::Stranger);
    let granted = all[0].album.ops().nth(1).unwrap().clone();
    let removed = all[0].say(role(b'A', Role::None));
    for deps in [[&*granted], [&*removed]] {
        let op = Pen::new(&all[1].author, id, None, &deps)
            .facts(&[chat("hi")])
            .sign();
        assert!(matches!(
            all[0].album.receive(op.clone(), Trust::Verify),
            Receipt::Received(_)
        ));
        assert_eq!(all[0].album.is_valid(&op.hash), Some(false));
    }
}

/// Wrong in form, key or place: refused, and nothing changes.
#[test]
fn forged_ops_are_refused() {
    let mut all = peers(&[(b'A', Contributor), (b'B', Contributor)]);
    let album_id = all[0].album.id();
    let base = all[0].album.ops().last().unwrap().clone();
    let a1 = all[1].say(image("a"));
    let b1 = all[2].say(image("b"));
    pull(&mut all, 0, 1);
    pull(&mut all, 0, 2);
    let (a, b) = (all[1].author.clone(), all[2].author.clone());
    let owner = &mut all[0].album;
    let pen = |author| Pen {
        author,
        ..Pen::new(&a, album_id, Some(&a1), &[]).facts(&[chat("x")])
    };
    // B's key under A's actor.
    let mut as_a = pen(&b).header();
    as_a.actor = a.actor();
    assert_eq!(refusal(owner, pen(&b).sign_as(&as_a)), Refusal::Signature);
    // After another's op.
    let mut after_b = pen(&a).header();
    after_b.prev = Some(b1.hash);
    assert_eq!(
        refusal(owner, pen(&a).sign_as(&after_b)),
        Refusal::Prev { first: 2 }
    );
    let mut gap = pen(&a).header();
    gap.first = 3;
    assert_eq!(refusal(owner, pen(&a).sign_as(&gap)), Refusal::Prev { first: 3 });
    let mut elsewhere = pen(&a).header();
    elsewhere.album = Some(AlbumId([1; 32]));
    assert_eq!(refusal(owner, pen(&a).sign_as(&elsewhere)), Refusal::Album);
    for lamport in [1, 4, 6] {
        let mut clock = pen(&a).header();
        clock.lamport = lamport;
        assert_eq!(
            refusal(owner, pen(&a).sign_as(&clock)),
            Refusal::Lamport {
                found: lamport,
                expected: 5
            }
        );
    }
    // An intro that makes another actor, and a certificate by another root.
    let first = Pen::new(&a, album_id, None, &[&base]).facts(&[chat("x")]);
    let mut header = first.header();
    header.actor = b.actor();
    assert_eq!(first.try_sign(&header), Err(Refusal::Actor));
    let mut fake = device(b'A', 3);
    fake.certificate.sig = b.certificate.sig;
    let op = Pen::new(&fake, album_id, None, &[&base])
        .facts(&[chat("x")])
        .sign();
    assert_eq!(refusal(owner, op), Refusal::Certificate);
    // Another fact under the same header.
    let good = first.sign();
    let swapped = good.bytes().replace(r#""text":"x""#, r#""text":"y""#);
    assert_eq!(Op::decode(&swapped), Err(Refusal::Root));
    // A second genesis.
    let (_, other) = Album::create(&a, crdt::id::AlbumSeed([1; 16]), "trip", "x", AT).unwrap();
    assert_eq!(refusal(owner, other), Refusal::Album);
    let genesis = owner.ops().next().unwrap();
    let genesis_fact = genesis.facts[0].fact.clone();
    let again = Pen::new(&a, album_id, Some(&a1), &[]).facts(&[genesis_fact]);
    assert!(matches!(again.try_sign(&again.header()), Err(Refusal::Form(_))));
}

/// A root key revokes and does nothing else; no other key revokes; two signatures over one header are one op.
#[test]
fn root_keys_revoke_and_nothing_else() {
    let mut all = peers(&[(b'A', Contributor)]);
    let id = all[0].album.id();
    let base = all[0].album.ops().last().unwrap().clone();
    let root_of_a = device(b'A', 0);
    let revoke = |device| Fact::Revoke { device, at: AT };
    let lost = all[1].author.device.public();
    let pen = |facts: &[Fact]| Pen::new(&root_of_a, id, None, &[&base]).facts(facts);
    for facts in [
        vec![chat("x")],
        vec![revoke(lost), revoke(lost)],
        vec![grant(b'A', Curator)],
    ] {
        let pen = pen(&facts);
        assert_eq!(pen.try_sign(&pen.header()), Err(Refusal::RootActor));
    }
    // A later op of the root has no intro to be known by: its first op tells.
    let empty = pen(&[]).sign();
    assert!(matches!(
        all[0].album.receive(empty.clone(), Trust::Verify),
        Receipt::Received(_)
    ));
    let talk = Pen::new(&root_of_a, id, Some(&empty), &[])
        .facts(&[chat("x")])
        .sign();
    assert_eq!(refusal(&mut all[0].album, talk), Refusal::RootActor);
    let by_device = Pen::new(&all[1].author, id, None, &[&base]).facts(&[revoke(lost)]);
    assert_eq!(by_device.try_sign(&by_device.header()), Err(Refusal::RootActor));
    let later = all[1].say(chat("before"));
    all[0].album.receive(later.clone(), Trust::Verify);
    let by_device = Pen::new(&all[1].author, id, Some(&later), &[])
        .facts(&[revoke(lost)])
        .sign();
    assert_eq!(refusal(&mut all[0].album, by_device), Refusal::RootActor);
    // A's own root holds what it has not seen, and no more.
    let unseen = all[1].say(chat("after"));
    let op = Pen::new(&root_of_a, id, Some(&empty), &[&later])
        .facts(&[revoke(lost)])
        .sign();
    assert!(matches!(
        all[0].album.receive(op, Trust::Verify),
        Receipt::Received(_)
    ));
    all[0].album.receive(unseen.clone(), Trust::Verify);
    assert_eq!(all[0].album.is_valid(&later.hash), Some(true));
    assert_eq!(all[0].album.is_valid(&unseen.hash), Some(false));
    // A revoke of the root key itself reaches nothing.
    let self_revoke = Draft {
        facts: vec![revoke(root(b'A').public())],
        removes: vec![],
    };
    all[0].album.author(&root_of_a, self_revoke).unwrap();
    assert_eq!(all[0].album.is_valid(&empty.hash), Some(true));
    let drafts = [
        Draft {
            facts: vec![chat("x")],
            removes: vec![],
        },
        Draft {
            facts: vec![],
            removes: vec![fact_id(&later, 0)],
        },
    ];
    for draft in drafts {
        assert_eq!(all[0].album.author(&root_of_a, draft), Err(AuthorError::RootKey));
    }
    all[0].album.check_invariants().unwrap();
}

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

/// A kind of a later version, and a known kind with keys of a later version: kept, digested, forwarded, removable.
#[test]
fn unknown_facts_are_kept_and_removable() {
    let mut all = peers(&[(b'A', Contributor)]);
    let id = all[0].album.id();
    let base = all[0].album.ops().last().unwrap().clone();
    let texts = [
        r#"{"kind":"vote","for":"x"}"#.to_owned(),
        r#"{"kind":"rating","image":7,"stars":9}"#.to_owned(),
        r#"{"kind":"image","name":"../x"}"#.to_owned(),
        r#"{"kind":"chat","text":"x","at":1,"mood":"good"}"#.to_owned(),
    ];
    let header = {
        let mut header = Pen::new(&all[1].author, id, None, &[&base]).header();
        header.count = 4;
        header.root = Some(crdt::op::facts_root(
            texts.iter().map(|text| crdt::op::fact_hash(text)),
        ));
        header
    };
    let op = Arc::new(Op::sign(&header, &texts, &all[1].author.device).unwrap());
    assert!(matches!(
        all[0].album.receive(op.clone(), Trust::Verify),
        Receipt::Received(_)
    ));
    let kinds: Vec<&str> = op.facts.iter().map(|text| text.fact.kind()).collect();
    assert_eq!(kinds, ["vote", "rating", "image", "chat"]);
    let album = &all[0].album;
    assert_eq!(
        (album.image_count(), album.chat().count(), album.element_count()),
        (0, 1, 6)
    );
    assert!(album.elements().any(|element| element.text == texts[0]));
    let root = album.facts_root();
    all[0].kill(fact_id(&op, 0));
    assert_ne!(all[0].album.facts_root(), root);
    assert_eq!(all[0].album.element_count(), 5);
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
    assert!(seqs(10).is_empty());
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
