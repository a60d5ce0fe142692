//! What goes beyond a role is held alike everywhere, and what people are told of it: whose, how much, why, and which
//! accept would help.

use crdt::fact::{Fact, Role};
use crdt::history::HeldReason;
use crdt::{Draft, HeldCommand};

use crate::world::{AT, Peer, Pen, chat, dot, grant, image, meet, peers, pull, rating, role, user};

/// Members of every role do everything that a command can ask for, with a pen that asks nobody: exactly what goes beyond
/// the role is held, by all alike, and an honest program would have refused exactly that.
#[test]
fn a_table_of_roles_and_acts() {
    type Act = (&'static str, Role, fn() -> Vec<Fact>);
    let acts: [Act; 8] = [
        ("chat", Role::Viewer, || vec![chat("hello")]),
        ("rate", Role::Viewer, || vec![rating("old", 3)]),
        ("add", Role::Contributor, || vec![image("new")]),
        ("let in", Role::Curator, || vec![grant(b'N', Role::Contributor)]),
        ("lower", Role::Curator, || vec![role(b'B', Role::Viewer)]),
        ("remove a member", Role::Curator, || vec![role(b'B', Role::None)]),
        ("make a curator", Role::Owner, || vec![grant(b'B', Role::Curator)]),
        ("rename", Role::Owner, || {
            let name = "tour".to_owned();
            vec![Fact::Album { name, at: AT }]
        }),
    ];
    let roles = [Role::Viewer, Role::Contributor, Role::Curator];
    for has in roles {
        for (what, need, facts) in acts {
            let mut all = peers(&[(b'A', has), (b'B', Role::Contributor)]);
            let draft = Draft {
                facts: facts(),
                removes: vec![],
            };
            let mut honest = all[1].clone();
            assert_eq!(honest.ask(draft).is_ok(), has >= need, "{has} wants to {what}");
            check(&mut all, has, need, what, &facts(), &[]);
        }
        // A removal of another's image, and of one's own, which a viewer has where he was more before.
        let mut all = peers(&[(b'A', has), (b'B', Role::Contributor)]);
        let theirs = all[2].say(image("theirs"));
        pull(&mut all, 1, 2);
        check(
            &mut all,
            has,
            Role::Curator,
            "remove another's",
            &[],
            &[dot(&theirs)],
        );
    }
    let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Contributor)]);
    let mine = all[1].say(image("mine"));
    pull(&mut all, 0, 1);
    all[0].say(role(b'A', Role::Viewer));
    pull(&mut all, 1, 0);
    check(
        &mut all,
        Role::Viewer,
        Role::Contributor,
        "remove one's own",
        &[],
        &[dot(&mine)],
    );
}

/// A writes it, whatever A's program says.
fn check(
    all: &mut [Peer],
    has: Role,
    need: Role,
    what: &str,
    facts: &[Fact],
    removes: &[crdt::header::DotRun],
) {
    let author = all[1].author.clone();
    let ops: Vec<_> = all[1].album.ops().cloned().collect();
    let prev = ops.iter().rev().find(|op| op.header.actor == author.actor());
    let last = ops
        .last()
        .filter(|op| Some(&op.hash) != prev.map(|prev| &prev.hash));
    let deps: Vec<_> = last.into_iter().map(|op| &**op).collect();
    let pen = Pen::new(&author, all[1].album.id(), prev.map(|op| &**op), &deps);
    let op = pen.facts(facts).removes(removes).sign();
    let receipt = all[1].album.receive(op.clone(), crdt::Trust::Verify);
    assert!(matches!(receipt, crdt::Receipt::Received(_)), "{receipt:?}");
    meet(all);
    for peer in &*all {
        let held = peer.album.held();
        let is_held = held.iter().any(|it| it.id == op.hash);
        assert_eq!(is_held, has < need, "{has} did {what}");
        assert_eq!(held, all[0].album.held(), "{has} did {what}");
    }
}

fn one(peer: &Peer) -> HeldCommand {
    let held = peer.album.held();
    let [one] = &held[..] else { panic!("{held:?}") };
    one.clone()
}

/// B is removed while he adds, rates and chats. A curator sees how much of it is held and why, accepts all but the chat
/// line in one fact, and it is there for everybody.
#[test]
fn what_a_removed_member_did_is_counted_and_accepted() {
    let mut all = peers(&[(b'A', Role::Curator), (b'B', Role::Contributor)]);
    all[2].write(&[image("x"), image("y")], &[]);
    all[2].say(rating("x", 4));
    all[2].say(chat("hello"));
    assert_eq!(all[2].album.lowered(&user(b'B')), None);
    all[0].say(role(b'B', Role::None));
    meet(&mut all);
    assert_eq!(
        all[2].album.lowered(&user(b'B')),
        Some((user(b'O'), Role::None, AT))
    );
    let held = all[1].album.held();
    let sums: Vec<_> = held
        .iter()
        .map(|it| (it.sums.chat, it.sums.ratings, it.sums.images))
        .collect();
    assert_eq!(sums, [(1, 0, 0), (0, 1, 0), (0, 0, 2)], "the newest first");
    assert_eq!(
        (held[2].names.clone(), held[2].at),
        (vec!["x".to_owned(), "y".to_owned()], Some(AT))
    );
    assert_eq!(all[1].album.held_images(), 2);
    for it in &held {
        let HeldReason::Role { limit, .. } = it.reason else {
            panic!("{it:?}")
        };
        assert_eq!(
            (limit, it.accept),
            (Some((user(b'O'), Role::None)), Some(Role::Curator))
        );
    }

    let one_of = all[1].album.accepts(&held[1..2], AT);
    let [Fact::Accept { ops, .. }] = &one_of[..] else {
        panic!("{one_of:?}")
    };
    assert_eq!(
        ops.iter().map(|run| run.count).collect::<Vec<_>>(),
        [1],
        "what was chosen and no more"
    );
    let facts = all[1].album.accepts(&held[1..], AT);
    let [Fact::Accept { ops, .. }] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(
        ops.iter().map(|run| run.count).collect::<Vec<_>>(),
        [2],
        "one run"
    );
    all[1].write(&facts, &[]);
    let freed = all[1].album.freed(&held);
    assert_eq!(freed, [held[1].id, held[2].id]);
    meet(&mut all);
    for peer in &all {
        assert_eq!(
            (peer.names(), one(peer).id),
            (vec!["x".into(), "y".into()], held[0].id)
        );
        assert_eq!(peer.album.held_images(), 0);
    }
    // Let in again, nobody is told of the removal any more.
    all[0].say(grant(b'B', Role::Viewer));
    assert_eq!(all[0].album.lowered(&user(b'B')), None);
}

/// No accept gives what its author never had, and a curator's accept gives nothing that takes a curator.
#[test]
fn which_accept_would_help() {
    let mut all = peers(&[(b'A', Role::Curator), (b'B', Role::Viewer), (b'C', Role::Curator)]);
    let author = all[2].author.clone();
    let deps: Vec<_> = all[2].album.ops().last().cloned().into_iter().collect();
    let pen = Pen::new(&author, all[2].album.id(), None, &[&deps[0]]);
    let beyond = pen.facts(&[image("beyond")]).sign();
    all[2].album.receive(beyond.clone(), crdt::Trust::Verify);
    meet(&mut all);
    assert_eq!((one(&all[0]).id, one(&all[0]).accept), (beyond.hash, None));

    all[3].say(grant(b'E', Role::Viewer));
    all[0].say(role(b'C', Role::None));
    meet(&mut all);
    let held = all[1].album.held();
    let of_c = held.iter().find(|it| it.user == user(b'C')).unwrap();
    assert_eq!((of_c.sums.members, of_c.accept), (1, Some(Role::Owner)));
    let facts = all[1].album.accepts([of_c], AT);
    let mut curator = all[1].clone();
    curator.write(&facts, &[]);
    assert_eq!(curator.album.freed([of_c]), [], "his word does not reach so far");
    all[0].write(&facts, &[]);
    assert_eq!(all[0].album.freed([of_c]), [of_c.id]);
}

/// 32 entries fit an accept; one more and there are two facts, in one command.
#[test]
fn many_runs_become_several_facts() {
    let most = crdt::limits::ACCEPT_ENTRIES_MAX;
    for (devices, facts) in [(most, 1), (most + 1, 2)] {
        let mut all = peers(&[(b'B', Role::Contributor)]);
        let base = all[1].clone();
        all[0].say(role(b'B', Role::None));
        for number in 0..devices {
            let mut device = base.clone();
            device.author = crate::world::device(b'B', 1 + number as u8);
            device.say(image(&number.to_string()));
            all[0].pull(&device);
        }
        let held = all[0].album.held();
        assert_eq!(held.len(), devices);
        let accepts = all[0].album.accepts(&held, AT);
        assert_eq!(accepts.len(), facts);
        all[0].write(&accepts, &[]);
        assert_eq!(all[0].album.held(), []);
        assert_eq!(all[0].names().len(), devices);
    }
}
