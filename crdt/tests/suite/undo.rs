//! Taking back: one's own commands, one after the other, while others go on; what an undo may touch, and that an undo
//! undone is the state before.

use std::collections::{BTreeMap, BTreeSet};

use crdt::fact::{Fact, Role};
use crdt::history::{Command, Deed};
use crdt::id::{BlobHash, UserId};
use crdt::undo::{Left, Undo, UndoError};
use crdt::{Album, FactId};
use proptest::prelude::*;

use crate::world::{Peer, blob, chat, device, grant, image, meet, peers, pull, rating, role, user};

fn undo(peer: &mut Peer) -> Result<Undo, UndoError> {
    take_back(peer, None)
}

fn take_back(peer: &mut Peer, which: Option<&Command>) -> Result<Undo, UndoError> {
    let (me, device) = (peer.author.user(), peer.author.device.public());
    let undo = peer.album.undo(&me, &device, which.map(|command| &command.id))?;
    peer.album.author_revision(&peer.author, &undo.revision).unwrap();
    peer.album.check_invariants().unwrap();
    Ok(undo)
}

fn newest(peer: &Peer) -> Command {
    peer.album.history().next().unwrap()
}

fn named(peer: &Peer, name: &str) -> FactId {
    let mut found = peer.album.images().filter(|view| view.image.name == name);
    found.next().unwrap().id
}

fn rate(peer: &mut Peer, name: &str, stars: u8) {
    let before = peer.album.rating_ids(&peer.author.user(), &blob(name));
    peer.write(&[rating(name, stars)], &before);
}

/// Entries and votes, as people see them. Names are those given: who keeps the plain name among equals is a
/// matter of age, and what comes back is young.
type Seen = (
    BTreeSet<(String, UserId)>,
    BTreeMap<(BlobHash, UserId), u8>,
    String,
);

fn seen(album: &Album) -> Seen {
    let images = album.images().map(|view| (view.image.name, view.user));
    let files: BTreeSet<BlobHash> = (0..8).map(|n| blob(&n.to_string())).collect();
    let votes = files
        .iter()
        .flat_map(|file| album.ratings(file).map(|(user, stars)| ((*file, user), stars)));
    (images.collect(), votes.collect(), album.name().to_owned())
}

fn stars(peer: &Peer, name: &str) -> Option<u8> {
    let me = peer.author.user();
    let mut all = peer.album.ratings(&blob(name));
    all.find(|(user, _)| *user == me).map(|(_, stars)| stars)
}

/// A goes back through a rating, another, a removal and an import of 300 images, one command at a time.
#[test]
fn one_command_after_the_other() {
    let mut all = peers(&[(b'A', Role::Contributor)]);
    let a = &mut all[1];
    let many: Vec<Fact> = (0..300).map(|n| image(&n.to_string())).collect();
    assert_eq!(a.write(&many, &[]).len(), 2, "an import of two ops");
    let whole = seen(&a.album);
    a.kill(named(a, "7"));
    rate(a, "3", 2);
    rate(a, "3", 5);
    assert_eq!(stars(a, "3"), Some(5));
    undo(a).unwrap();
    assert_eq!(stars(a, "3"), Some(2));
    undo(a).unwrap();
    assert_eq!(stars(a, "3"), None);
    undo(a).unwrap();
    assert_eq!(seen(&a.album), whole, "7 is there again");
    let import = undo(a).unwrap();
    assert_eq!((import.revision.removes.len(), a.album.image_count()), (300, 0));
    assert_eq!(undo(a).unwrap_err(), UndoError::Nothing);
    // One word brings the 300 back, and one takes them away again.
    let back = newest(a);
    assert_eq!(back.undoes, Some(import.command.id));
    take_back(a, Some(&back)).unwrap();
    assert_eq!(seen(&a.album), whole);
    assert!(matches!(take_back(a, Some(&back)), Err(UndoError::Undone(_))));
    undo(a).unwrap();
    assert_eq!(a.album.image_count(), 0);
}

/// The commands of a story are told newest first, each once, with what became of it, alike on every replica.
#[test]
fn the_history_tells_what_was_undone() {
    let mut all = peers(&[(b'A', Role::Contributor)]);
    let many: Vec<Fact> = (0..300).map(|n| image(&n.to_string())).collect();
    all[1].write(&many, &[]);
    all[1].say(chat("look"));
    undo(&mut all[1]).unwrap();
    meet(&mut all);
    for peer in &all {
        let told: Vec<Command> = peer.album.history().collect();
        let [back, import, grant, genesis] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((back.undoes, import.undone_by), (Some(import.id), Some(back.id)));
        assert_eq!(
            (import.op_count(), import.user, import.at),
            (2, user(b'A'), Some(crate::world::AT))
        );
        let deeds = peer.album.deeds(import);
        let [Deed::Added { images, count: 300 }] = &deeds[..] else {
            panic!("{deeds:?}")
        };
        assert_eq!(
            (images.len(), images[0].name.as_str()),
            (crdt::limits::HISTORY_NAMES_MAX, "0")
        );
        assert!(matches!(
            peer.album.deeds(back)[..],
            [Deed::Removed { count: 300, .. }]
        ));
        assert!(matches!(peer.album.deeds(grant)[..], [Deed::Granted { .. }]));
        assert!(matches!(peer.album.deeds(genesis)[..], [Deed::Created { .. }]));
        let files = [blob("299")];
        let about: Vec<_> = peer
            .album
            .history()
            .filter(|command| peer.album.concerns(command, &files))
            .collect();
        assert_eq!(about, [back.clone(), import.clone()]);
    }
}

/// A undoes an import of which B removed one image, rated another and added a third again: B's stay as he made them.
#[test]
fn what_others_did_meanwhile_stays() {
    let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Curator)]);
    all[1].write(&["x", "y", "z"].map(image), &[]);
    meet(&mut all);
    let x = named(&all[2], "x");
    all[2].kill(x);
    rate(&mut all[2], "y", 4);
    all[2].say(image("z"));
    pull(&mut all, 1, 2);
    let done = undo(&mut all[1]).unwrap();
    assert_eq!(
        done.left
            .iter()
            .map(|(entry, why)| (entry.name.as_str(), *why))
            .collect::<Vec<_>>(),
        [("x", Left::Gone)]
    );
    meet(&mut all);
    let (images, votes, _) = seen(&all[0].album);
    assert_eq!(images, BTreeSet::from([("z".to_owned(), user(b'B'))]));
    // The undo undone brings y back, with B's stars, and z beside B's; x is B's to bring back.
    let back = newest(&all[1]);
    take_back(&mut all[1], Some(&back)).unwrap();
    meet(&mut all);
    let (images, after, _) = seen(&all[0].album);
    let names: Vec<&str> = images.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, after), (vec!["y", "z", "z"], votes));
}

/// A removes an image that B removes too, and one that B adds again: neither comes by A's undo.
#[test]
fn a_removal_that_others_wanted_too_stays() {
    let mut all = peers(&[(b'A', Role::Curator), (b'B', Role::Curator)]);
    all[0].write(&["x", "y", "z"].map(image), &[]);
    meet(&mut all);
    let ids = ["x", "y", "z"].map(|name| named(&all[1], name));
    all[1].write(&[], &ids);
    all[2].kill(ids[0]);
    meet(&mut all);
    all[2].say(image("y"));
    pull(&mut all, 1, 2);
    let done = undo(&mut all[1]).unwrap();
    let left: Vec<_> = done
        .left
        .iter()
        .map(|(entry, why)| (entry.name.as_str(), *why))
        .collect();
    assert_eq!(left, [("x", Left::Unwanted), ("y", Left::Here)]);
    meet(&mut all);
    let (images, ..) = seen(&all[0].album);
    assert_eq!(
        images,
        BTreeSet::from([("y".to_owned(), user(b'B')), ("z".to_owned(), user(b'A'))])
    );
}

/// What is nobody's to undo says so: another's work, who may do what, an undone command, a held one, an unknown one.
#[test]
fn what_cannot_be_undone_says_why() {
    let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Curator)]);
    let (o, a, b) = (0, 1, 2);
    all[a].say(image("x"));
    meet(&mut all);
    let of_a = newest(&all[b]);
    assert!(
        matches!(take_back(&mut all[b], Some(&of_a)), Err(UndoError::NotYours(command)) if command.id == of_a.id)
    );
    all[b].say(grant(b'C', Role::Viewer));
    assert!(matches!(undo(&mut all[b]), Err(UndoError::Membership(_))));
    // The beginning of the album is passed over; letting people in is not.
    assert!(matches!(undo(&mut all[o]), Err(UndoError::Membership(_))));
    assert_eq!(undo(&mut peers(&[])[0]).unwrap_err(), UndoError::Nothing);
    // B removes A, who adds without having heard of it: held, and nothing for an undo, which goes to what counts.
    all[b].say(role(b'A', Role::None));
    all[a].say(image("y"));
    pull(&mut all, a, b);
    let held = all[a]
        .album
        .history()
        .find(|command| command.user == user(b'A'))
        .unwrap();
    assert!(held.is_held());
    assert!(matches!(
        take_back(&mut all[a], Some(&held)),
        Err(UndoError::Held(_))
    ));
    let me = (all[a].author.user(), all[a].author.device.public());
    assert_eq!(all[a].album.undo(&me.0, &me.1, None).unwrap().command.id, of_a.id);
    let unknown = crdt::id::HeaderHash([7; 32]);
    assert_eq!(
        all[a].album.undo(&me.0, &me.1, Some(&unknown)).unwrap_err(),
        UndoError::Unknown
    );
}

/// On another device the last command is that device's own; the other's is undone by name.
#[test]
fn a_device_goes_back_through_its_own_commands() {
    let mut all = peers(&[(b'A', Role::Contributor)]);
    all[1].say(image("x"));
    let mut second = Peer {
        author: device(b'A', 2),
        album: all[1].album.clone(),
    };
    assert_eq!(undo(&mut second).unwrap_err(), UndoError::Nothing);
    let first = newest(&second);
    take_back(&mut second, Some(&first)).unwrap();
    assert_eq!(second.album.image_count(), 0);
    all[1].pull(&second);
    assert_eq!(
        undo(&mut all[1]).unwrap_err(),
        UndoError::Nothing,
        "it is undone already"
    );
}

/// Nothing is left of the command: the undo says so by an op without a word, and the next goes one further back.
#[test]
fn an_undo_of_nothing_is_one_too() {
    let mut all = peers(&[(b'A', Role::Contributor)]);
    all[1].say(image("x"));
    all[1].say(image("y"));
    meet(&mut all);
    let y = named(&all[0], "y");
    all[0].kill(y);
    pull(&mut all, 1, 0);
    assert_eq!(undo(&mut all[1]).unwrap().left.len(), 1);
    assert_eq!(all[1].names(), ["x"]);
    undo(&mut all[1]).unwrap();
    assert_eq!(all[1].names(), Vec::<String>::new());
}

#[derive(Debug, Clone)]
enum Do {
    Add(u8, u8),
    Kill(u8),
    Rate(u8, u8),
    Unrate(u8),
    Rename(u8),
    Undo,
    /// Undoes the n-th own command, whatever it was.
    UndoOne(u8),
    Pull(u8),
}

fn script() -> impl Strategy<Value = Vec<(u8, Do)>> {
    let act = prop_oneof![
        4 => (0..8u8, 1..4u8).prop_map(|(from, n)| Do::Add(from, n)),
        3 => any::<u8>().prop_map(Do::Kill),
        3 => (0..8u8, 0..6u8).prop_map(|(image, stars)| Do::Rate(image, stars)),
        1 => (0..8u8).prop_map(Do::Unrate),
        1 => any::<u8>().prop_map(Do::Rename),
        4 => Just(Do::Undo),
        2 => any::<u8>().prop_map(Do::UndoOne),
        4 => any::<u8>().prop_map(Do::Pull),
    ];
    proptest::collection::vec((0..3u8, act), 1..40)
}

/// One step that is no undo and no pull; what a peer may not do, he does not.
fn step(peer: &mut Peer, act: &Do) {
    let me = peer.author.user();
    let mut removes = Vec::new();
    let facts: Vec<Fact> = match act {
        Do::Add(from, n) => (*from..from + n).map(|n| image(&(n % 8).to_string())).collect(),
        Do::Kill(n) => {
            let ids: Vec<FactId> = peer.album.images().map(|view| view.id).collect();
            removes.extend(ids.get(usize::from(*n) % ids.len().max(1)));
            if removes.is_empty() {
                return;
            }
            vec![]
        }
        Do::Rate(n, stars) => {
            removes = peer.album.rating_ids(&me, &blob(&n.to_string()));
            vec![rating(&n.to_string(), *stars)]
        }
        Do::Unrate(n) => {
            removes = peer.album.rating_ids(&me, &blob(&n.to_string()));
            if removes.is_empty() {
                return;
            }
            vec![]
        }
        Do::Rename(n) => {
            removes = peer.album.setting_ids();
            vec![Fact::Album {
                name: format!("album {n}"),
                at: 1,
            }]
        }
        Do::Undo | Do::UndoOne(_) | Do::Pull(_) => return,
    };
    drop(peer.ask(crdt::Draft { facts, removes }));
}

/// Everything live that `who` did not write.
fn of_others(peer: &Peer) -> BTreeSet<FactId> {
    let me = peer.author.user();
    let foreign = |id: &FactId| peer.album.user_of_actor(&id.actor) != Some(me);
    peer.album
        .elements()
        .map(|element| element.id)
        .filter(foreign)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Three peers edit, undo and hear of each other at random. An undo touches nothing that others wrote and leaves
    /// no word of the undone command, an undo undone is the state before as people see it, and when all have met they
    /// show one album and one history.
    #[test]
    fn undos_among_others(script in script()) {
        let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Curator)]);
        for (who, act) in &script {
            let who = usize::from(*who) % all.len();
            if let Do::Pull(from) = act {
                let from = usize::from(*from) % all.len();
                pull(&mut all, who, from);
                continue;
            }
            let peer = &mut all[who];
            step(peer, act);
            let me = peer.author.user();
            let which = match act {
                Do::Undo => None,
                Do::UndoOne(n) => {
                    let own: Vec<Command> = peer.album.history().filter(|command| command.user == me).collect();
                    let Some(one) = own.get(usize::from(*n) % own.len().max(1)) else { continue };
                    Some(one.clone())
                }
                _ => continue,
            };
            let (before, foreign) = (seen(&peer.album), of_others(peer));
            let Ok(undone) = take_back(peer, which.as_ref()) else { continue };
            prop_assert!(foreign.is_subset(&of_others(peer)), "what others wrote is theirs");
            prop_assert_eq!(&foreign, &of_others(peer));
            let told = peer.album.history().find(|command| command.id == undone.command.id).unwrap();
            let back = newest(peer);
            prop_assert_eq!((told.undone_by, back.undoes), (Some(back.id), Some(told.id)));
            let now = seen(&peer.album);
            let mut copy = peer.clone();
            take_back(&mut copy, Some(&back)).unwrap();
            prop_assert_eq!(seen(&copy.album), before, "an undo undone");
            let again = newest(&copy);
            take_back(&mut copy, Some(&again)).unwrap();
            prop_assert_eq!(seen(&copy.album), now, "and undone again");
        }
        meet(&mut all);
        let told: Vec<Command> = all[0].album.history().collect();
        for peer in &all[1..] {
            let other: Vec<(HeaderOf, _)> = peer.album.history().map(|it| (it.id, it.undone_by)).collect();
            prop_assert_eq!(other, told.iter().map(|it| (it.id, it.undone_by)).collect::<Vec<_>>());
        }
    }

    /// Alone, one undo after the other walks back through every state that there was.
    #[test]
    fn back_through_every_state(script in script()) {
        let mut all = peers(&[(b'A', Role::Contributor)]);
        let a = &mut all[1];
        let mut states = vec![seen(&a.album)];
        for (_, act) in &script {
            let before = a.album.op_count();
            step(a, act);
            if a.album.op_count() > before {
                states.push(seen(&a.album));
            }
        }
        for state in states.iter().rev().skip(1) {
            undo(a).unwrap();
            prop_assert_eq!(&seen(&a.album), state);
        }
        prop_assert!(undo(a).is_err());
    }
}

type HeaderOf = crdt::id::HeaderHash;
