//! What is in the album: adds, removes, members, ratings, names.

use std::collections::BTreeSet;
use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::op::Op;
use crdt::{Album, AuthorError, Change, Draft, Found, Receipt, Trust};

use crate::world::{
    AT, Peer, Pen, blob, chat, device, fact_id, grant, image, meet, peers, pull, rating, role, user,
};

use Role::{Contributor, Curator, Viewer};

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

/// Bob and the curator remove one image without seeing each other: one tombstone with both, the same list for everybody,
/// and the order of what lives does not depend on who came first.
#[test]
fn tombstones_name_who_removed_and_all_replicas_list_alike() {
    let mut all = peers(&[(b'B', Contributor), (b'C', Curator)]);
    let image_of_bob = all[1].say(image("gone"));
    all[2].say(image("stays"));
    meet(&mut all);
    let id = fact_id(&image_of_bob, 0);
    let kills = [all[1].kill(id), all[2].kill(id)];
    meet(&mut all);
    let mut by: Vec<_> = kills.iter().map(|op| (op.header.actor, op.last_seq())).collect();
    by.sort_unstable();
    for peer in &all {
        let tombstones = peer.album.tombstones();
        assert_eq!((tombstones.len(), tombstones[0].id), (1, id));
        assert_eq!(tombstones[0].by, by);
        assert_eq!(peer.album.live_facts(), all[0].album.live_facts());
        assert_eq!(peer.album.live_facts().len(), peer.album.element_count());
        let views: Vec<_> = peer.album.op_views().collect();
        let texts: Vec<_> = peer.album.ops_after(2).collect();
        assert_eq!(
            (views.len(), texts.len()),
            (peer.album.op_count(), views.len() - 2)
        );
        assert!(
            views[2..]
                .iter()
                .zip(&texts)
                .all(|(view, op)| view.hash == op.hash)
        );
        assert!(views.iter().all(|view| view.valid && view.needed));
    }
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
