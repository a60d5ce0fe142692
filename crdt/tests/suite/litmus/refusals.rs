//! What is refused for ever, and who may write at all.

use std::collections::BTreeSet;

use crdt::fact::{AcceptRun, Fact, Role};
use crdt::header::DotRun;
use crdt::id::AlbumId;
use crdt::op::{Op, Refusal};
use crdt::{Album, Author, AuthorError, Draft, Receipt, Trust};

use super::refusal;
use crate::world::{AT, Pen, chat, device, dot, fact_id, grant, image, meet, peers, pull, role, root, user};

use Role::{Contributor, Curator};

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
    assert_eq!(owner.refused()["op_removes_unseen"], 5);
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

/// A forked actor gives one dot an image in one branch and a member fact in the other. Whoever has received both can
/// still remove the image: member facts are passed over, and only a dot that has nothing else is refused.
#[test]
fn a_forked_dot_with_a_member_fact_does_not_shield_the_image() {
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
    assert!(after.is_ok(), "{after:?}");
    assert_eq!(
        (all[0].names(), all[0].album.held_count()),
        (Vec::<String>::new(), 1)
    );
    all[0].album.check_invariants().unwrap();
}

/// An op is accepted by who has seen it, and of a run no more than there is: else an accept could be given in advance.
#[test]
fn accepts_name_only_ops_of_the_past() {
    let mut all = peers(&[(b'A', Contributor)]);
    let a = all[1].say(image("a"));
    pull(&mut all, 0, 1);
    let (id, author) = (all[0].album.id(), all[0].author.clone());
    let last = |op: &&std::sync::Arc<Op>| op.header.actor == author.actor();
    let last = all[0].album.ops().filter(last).last().unwrap().clone();
    let (actor, seq) = (a.header.actor, a.last_seq());
    let accept = |count, deps: &[&Op]| {
        let run = AcceptRun {
            actor,
            seq,
            header: a.hash.short(),
            count,
        };
        let fact = Fact::Accept {
            ops: vec![run],
            at: AT,
        };
        Pen::new(&author, id, Some(&last), deps).facts(&[fact]).sign()
    };
    let owner = &mut all[0].album;
    let unseen = Refusal::AcceptsUnseen { actor, seq };
    assert_eq!(refusal(owner, accept(1, &[])), unseen);
    assert_eq!(refusal(owner, accept(2, &[&a])), unseen);
    assert!(matches!(
        owner.receive(accept(1, &[&a]), Trust::Verify),
        Receipt::Received(_)
    ));
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
    let revoked = all[0].album.author(&root_of_a, self_revoke).unwrap();
    let after = Pen::new(&root_of_a, id, Some(&revoked[0]), &[]).sign();
    all[0].album.receive(after.clone(), Trust::Verify);
    for op in [&empty, &after] {
        assert_eq!(all[0].album.is_valid(&op.hash), Some(true));
    }
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
