//! What people are told of an album's past: commands in causal order, why ops are held, the story of an image, the
//! trash; and that nobody's `batch` makes it slow or false.

use std::collections::BTreeSet;

use crdt::fact::Role;
use crdt::history::{Command, Deed, HeldReason};
use crdt::story::{SceneAct, gone_named};
use crdt::{FactId, Found, Revision};

use crate::world::{AT, Peer, Pen, blob, device, image, meet, peers, pull, rating, role, user};

fn told(peer: &Peer) -> Vec<Command> {
    peer.album.history().collect()
}

fn named(peer: &Peer, name: &str) -> FactId {
    let mut found = peer.album.images().filter(|view| view.image.name == name);
    found.next().unwrap().id
}

fn restore(peer: &mut Peer, name: &str) {
    let gone = peer.album.gone();
    let Found::One(view) = gone_named(&gone, name) else {
        panic!("{name} is not in the trash: {gone:?}")
    };
    let revision: Revision = peer.album.restore(&[view.id]).unwrap();
    peer.album.author_revision(&peer.author, &revision).unwrap();
}

/// The order of a history is the total order, whatever the order of arrival; a walk that stops early sees the same.
#[test]
fn commands_come_in_the_total_order() {
    let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Contributor)]);
    for n in 0..40 {
        let who = 1 + n % 2;
        all[who].say(image(&n.to_string()));
        if n % 5 == 0 {
            pull(&mut all, who, 3 - who);
        }
    }
    meet(&mut all);
    let newest_first: Vec<_> = told(&all[0]).iter().map(|command| command.id).collect();
    let mut ordered: Vec<_> = all[1]
        .album
        .ops()
        .filter(|op| !op.header.is_empty())
        .map(|op| (op.order(), op.hash))
        .collect();
    ordered.sort();
    ordered.reverse();
    assert_eq!(
        newest_first,
        ordered.iter().map(|(_, hash)| *hash).collect::<Vec<_>>()
    );
    let few: Vec<_> = all[2].album.history().take(3).map(|command| command.id).collect();
    assert_eq!(few, newest_first[..3]);
}

/// A command names so many images and no more; it counts all of them.
#[test]
fn a_command_names_so_many_images() {
    let most = crdt::limits::HISTORY_NAMES_MAX;
    for (n, named) in [(most, most), (most + 1, most)] {
        let mut all = peers(&[]);
        let facts: Vec<_> = (0..n).map(|n| image(&n.to_string())).collect();
        all[0].write(&facts, &[]);
        let deeds = all[0].album.deeds(&told(&all[0])[0]);
        let [Deed::Added { images, count }] = &deeds[..] else {
            panic!("{deeds:?}")
        };
        assert_eq!((images.len(), *count), (named, n));
    }
}

/// B is removed while he adds: his op is held, and who asks hears by whom.
#[test]
fn held_commands_say_why() {
    let mut all = peers(&[(b'A', Role::Curator), (b'B', Role::Contributor)]);
    all[1].say(role(b'B', Role::Viewer));
    all[2].say(image("x"));
    meet(&mut all);
    let held: Vec<Command> = told(&all[0]).into_iter().filter(Command::is_held).collect();
    let [one] = &held[..] else { panic!("{held:?}") };
    let reason = HeldReason::Role {
        need: Role::Contributor,
        have: Role::Viewer,
        limit: Some((user(b'A'), Role::Viewer)),
    };
    assert_eq!(one.held.unwrap().reason, reason);
    let story = all[2].album.story(&blob("x"));
    assert_eq!((story.scenes.len(), story.scenes[0].held), (1, Some(reason)));
    assert!(
        all[0].album.gone().is_empty(),
        "what never was in the album is not in the trash"
    );
    // He knows of it now, and does it all the same: nobody limits what he writes, he has no right to it.

    let root = crdt::Author::root(crate::world::root(b'B'), crdt::id::Incarnation([3; 16]));
    let revoke = crdt::fact::Fact::Revoke {
        device: all[2].author.device.public(),
        at: AT,
    };
    all[0]
        .album
        .author(
            &root,
            crdt::Draft {
                facts: vec![revoke],
                removes: vec![],
            },
        )
        .unwrap();
    all[2].say(rating("x", 3));
    meet(&mut all);
    let rated = told(&all[0])
        .into_iter()
        .find(|it| matches!(all[0].album.deeds(it)[..], [Deed::Rated { .. }]));
    assert_eq!(rated.unwrap().held.unwrap().reason, HeldReason::Revoked);
}

/// A adds, C removes what he saw while B adds the same bytes again: the image is here, and the story tells whose.
#[test]
fn a_story_tells_what_a_removal_saw() {
    let mut all = peers(&[
        (b'A', Role::Contributor),
        (b'B', Role::Contributor),
        (b'C', Role::Curator),
    ]);
    let first = crate::world::fact_id(&all[1].say(image("x")), 0);
    meet(&mut all);
    let removal = all[3].kill(first).hash;
    let second = crate::world::fact_id(&all[2].say(image("x")), 0);
    all[2].say(rating("x", 4));
    meet(&mut all);
    for peer in &all {
        let story = peer.album.story(&blob("x"));
        let lives = |id: FactId| {
            story.scenes.iter().find_map(|scene| match &scene.act {
                SceneAct::Added { id: of, live, .. } if *of == id => Some(*live),
                _ => None,
            })
        };
        assert_eq!((lives(first), lives(second)), (Some(false), Some(true)));
        let scene = story.scenes.iter().find(|scene| scene.header == removal).unwrap();
        assert_eq!(
            scene.act,
            SceneAct::Removed {
                saw: vec![first],
                missed: vec![second]
            }
        );
        assert_eq!(
            (scene.user, scene.at),
            (user(b'C'), None),
            "a removal has no clock"
        );
        assert!(story.scenes.iter().any(|scene| matches!(
            scene.act,
            SceneAct::Rated {
                stars: 4,
                live: true,
                ..
            }
        )));
    }
    // Both gone: one entry in the trash, removed by him who did it last, and back with its stars.
    all[0].kill(second);
    let gone = all[0].album.gone();
    assert_eq!(
        (gone.len(), gone[0].id, gone[0].removed_by),
        (1, second, user(b'O'))
    );
    restore(&mut all[0], "x");
    assert_eq!(all[0].album.rating(&blob("x")).unwrap().stars, 4);
    assert!(all[0].album.gone().is_empty());
    let story = all[0].album.story(&blob("x"));
    assert!(matches!(
        story.scenes.last().unwrap().act,
        SceneAct::Added {
            live: true,
            again: true,
            ..
        }
    ));
    assert!(matches!(
        all[0].album.deeds(&told(&all[0])[0])[..],
        [Deed::Restored { count: 1, .. }]
    ));
    // Withdrawn stars and versions are scenes too.
    let me = all[2].author.user();
    let votes = all[2].album.rating_ids(&me, &blob("x"));
    all[2].write(&[], &votes);
    let last = all[2].album.story(&blob("x")).scenes.pop().unwrap();
    assert!(matches!(last.act, SceneAct::Unrated { saw } if saw == votes));
}

/// Images of one name in the trash show as images of one name in the album do; the last removed comes first.
#[test]
fn the_trash_tells_equal_names_apart() {
    let mut all = peers(&[]);
    let o = &mut all[0];
    let other = |bytes: &str| match image("x") {
        crdt::fact::Fact::Image(it) => crdt::fact::Fact::Image(crdt::fact::Image {
            hash: blob(bytes),
            ..it
        }),
        _ => unreachable!(),
    };
    for bytes in ["one", "two"] {
        o.say(other(bytes));
        o.kill(named(o, "x"));
    }
    let names: Vec<String> = o.album.gone().into_iter().map(|view| view.name).collect();
    let second = format!("x~{}", &blob("two").hex()[..6]);
    assert_eq!(names, [second.clone(), "x".to_owned()]);
    let gone = o.album.gone();
    let find = |text: &str| match gone_named(&gone, text) {
        Found::One(view) => Some(view.image.hash),
        _ => None,
    };
    assert_eq!((find("x"), find(&second)), (Some(blob("one")), Some(blob("two"))));
    assert_eq!(
        (
            find(&blob("two").hex()[..6]),
            find("x~"),
            find(&blob("two").hex()[..5])
        ),
        (Some(blob("two")), None, None)
    );
    assert_eq!(
        o.album.files_named("x"),
        BTreeSet::from([blob("one"), blob("two")])
    );
    // The same name and bytes in the album: not in the trash any more. Other bytes: still there.
    o.say(other("one"));
    assert_eq!(
        o.album
            .gone()
            .iter()
            .map(|view| view.image.hash)
            .collect::<Vec<_>>(),
        [blob("two")]
    );
}

/// `batch` is any 16 bytes: what names nothing near is a command of its own, in linear time, and an undo of what is not
/// one's own undoes nothing.
#[test]
fn a_false_batch_joins_and_undoes_nothing() {
    let all = peers(&[(b'A', Role::Contributor)]);
    let (album, owner) = (&all[0].album, &all[0].author);
    let last: Vec<_> = album.ops().cloned().collect();
    let author = device(b'A', 1);
    let mut peer = all[1].clone();
    let mut prev: Option<std::sync::Arc<crdt::op::Op>> = None;
    let grant = last.last().unwrap();
    let batch_of = |text: &str| text.parse().unwrap();
    // 2,000 ops under one batch that names none of them, then one that names the owner's grant.
    for n in 0..2_000 {
        let fact = [image(&n.to_string())];
        let seen: Vec<&crdt::op::Op> = if n == 0 { vec![grant] } else { vec![] };
        let pen = Pen::new(&author, album.id(), prev.as_deref(), &seen).facts(&fact);
        let mut header = pen.header();
        header.batch = Some(batch_of("AAAAAAAAAAAAAAAAAAAAAA"));
        if n == 1_999 {
            header.batch = Some(grant.hash.short());
        }
        let op = pen.sign_as(&header);
        assert!(matches!(
            peer.album.receive(op.clone(), crdt::Trust::Stored),
            crdt::Receipt::Received(_)
        ));
        prev = Some(op);
    }
    let commands = told(&peer);
    assert_eq!(commands.len(), 2_000 + 2);
    assert!(
        commands
            .iter()
            .all(|command| command.op_count() == 1 && command.undoes.is_none())
    );
    // A says that he undid what the owner did: nobody believes it.
    let theirs = Revision {
        again: vec![],
        removes: vec![],
        mark: crdt::history::Mark::Undo(grant.hash),
    };
    let mut liar = all[1].clone();
    liar.album.author_revision(&liar.author, &theirs).unwrap();
    assert!(told(&liar).iter().all(|command| command.undone_by.is_none()));
    assert_eq!(told(&liar).last().unwrap().user, owner.user());
    // An op's hash names its command from six digits on.
    let digits = grant.hash.hex();
    assert_eq!(liar.album.ops_named(&digits[..6]), [grant.hash]);
    assert_eq!(liar.album.ops_named(&digits[..5]), []);
    assert_eq!(liar.album.ops_named("nothex"), []);
}
