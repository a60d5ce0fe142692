//! The laws, through the field's own traits: ops commute, states join, both tell the same; and differentially against
//! plain maps of unique tags and against `crdts::Orswot` where that is right (no forks, no rights, no lost state).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::op::Op;
use crdt::replica::{Replica, Unfit};
use crdt::{Album, Draft, FactId};
use crdts::{CmRDT, CvRDT, Orswot, VClock};
use proptest::prelude::*;

use crate::world::{Peer, chat, fact_id, grant, image, peers, pull, rating, role};

/// What one of the peers does.
#[derive(Debug, Clone)]
pub enum Do {
    Add(u8),
    /// Removes the n-th entry that is shown.
    Kill(u8),
    Rate(u8, u8),
    Say,
    Rename(u8),
    Role(u8, u8),
    Pull(u8),
    /// Writes again what an old copy of this device would have written: a fork.
    Fork(u8),
}

pub fn script(rights: bool) -> impl Strategy<Value = Vec<(u8, Do)>> {
    let act = prop_oneof![
        4 => (0..6u8).prop_map(Do::Add),
        3 => any::<u8>().prop_map(Do::Kill),
        1 => (0..6u8, 0..6u8).prop_map(|(image, stars)| Do::Rate(image, stars)),
        1 => Just(Do::Say),
        1 => any::<u8>().prop_map(Do::Rename),
        3 => (0..3u8, 0..5u8).prop_map(|(who, role)| Do::Role(who, role)),
        4 => any::<u8>().prop_map(Do::Pull),
        1 => any::<u8>().prop_map(Do::Fork),
    ];
    let allowed =
        move |act: &(u8, Do)| rights || !matches!(act.1, Do::Role(..) | Do::Fork(_) | Do::Rename(_));
    proptest::collection::vec((0..4u8, act).prop_filter("rights", allowed), 1..30)
}

const PEOPLE: [u8; 3] = [b'A', b'B', b'C'];

fn start() -> Vec<Peer> {
    peers(&[
        (b'A', Role::Contributor),
        (b'B', Role::Contributor),
        (b'C', Role::Curator),
    ])
}

/// Plays a script; what a peer may not do, he does not.
pub fn play(script: &[(u8, Do)]) -> Vec<Peer> {
    let mut all = start();
    for (who, act) in script {
        let who = usize::from(*who) % all.len();
        let facts = match act {
            Do::Add(n) => vec![image(&n.to_string())],
            Do::Rate(n, stars) => vec![rating(&n.to_string(), *stars)],
            Do::Say => vec![chat("hello")],
            Do::Rename(n) => vec![Fact::Album {
                name: format!("album {n}"),
                at: 1,
            }],
            Do::Role(of, 4) => vec![grant(PEOPLE[usize::from(*of)], Role::Contributor)],
            Do::Role(of, to) => {
                let roles = [Role::None, Role::Viewer, Role::Contributor, Role::Curator];
                vec![role(PEOPLE[usize::from(*of)], roles[usize::from(*to)])]
            }
            Do::Fork(n) => {
                // An old copy of the device, unaware of its last op, writes beside it.
                let mut old = Peer {
                    album: Album::empty(all[who].album.id()),
                    ..all[who].clone()
                };
                let last = all[who]
                    .album
                    .ops()
                    .filter(|op| op.header.actor == old.author.actor())
                    .last()
                    .cloned();
                for op in all[who]
                    .album
                    .ops()
                    .filter(|op| Some(op.hash) != last.as_ref().map(|last| last.hash))
                {
                    old.album.receive(op.clone(), crdt::Trust::Stored);
                }
                if old
                    .ask(Draft {
                        facts: vec![image(&n.to_string())],
                        removes: vec![],
                    })
                    .is_ok()
                {
                    all[who].pull(&old);
                }
                continue;
            }
            Do::Kill(_) => vec![],
            Do::Pull(from) => {
                let from = usize::from(*from) % all.len();
                pull(&mut all, who, from);
                continue;
            }
        };
        let ids: Vec<FactId> = all[who].album.images().map(|view| view.id).collect();
        let removes = match act {
            Do::Kill(n) if !ids.is_empty() => vec![ids[usize::from(*n) % ids.len()]],
            Do::Rename(_) => all[who].album.setting_ids(),
            _ => vec![],
        };
        drop(all[who].ask(Draft { facts, removes }));
    }
    all
}

pub fn ops_of(all: &[Peer]) -> Vec<Arc<Op>> {
    let ops: BTreeMap<_, _> = all
        .iter()
        .flat_map(|peer| peer.album.ops())
        .map(|op| (op.order(), op.clone()))
        .collect();
    ops.into_values().collect()
}

fn empty(all: &[Peer]) -> Replica {
    Replica(Album::empty(all[0].album.id()))
}

/// What must be equal where the same ops arrived.
fn state(replica: &Replica) -> impl PartialEq + std::fmt::Debug + use<> {
    let album = &replica.0;
    let lines: Vec<String> = album.chat().map(|line| line.id.header.hex()).collect();
    let images: Vec<(String, FactId)> = album.images().map(|view| (view.name, view.id)).collect();
    let counts = (album.op_count(), album.held_count(), album.waiting_count());
    (
        album.digest(),
        counts,
        album.roles(),
        album.name().to_owned(),
        images,
        lines,
        album.forks(),
    )
}

fn joined(left: &Replica, right: &Replica) -> Replica {
    let mut joint = left.clone();
    assert!(joint.validate_merge(right).is_ok());
    joint.merge(right.clone());
    joint
}

/// A replica that got those of the ops whose bit is set, in that order; what lacks its past waits.
fn part(all: &[Peer], ops: &[Arc<Op>], mask: u64) -> Replica {
    let mut replica = empty(all);
    let got = ops
        .iter()
        .enumerate()
        .filter(|(place, _)| mask & (1 << (place % 64)) != 0);
    got.for_each(|(_, op)| replica.apply(op.clone()));
    replica
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joins_commute_associate_and_repeat(script in script(true), masks in any::<[u64; 3]>()) {
        let all = play(&script);
        let ops = ops_of(&all);
        let [a, b, c] = masks.map(|mask| part(&all, &ops, mask));
        prop_assert_eq!(state(&joined(&a, &b)), state(&joined(&b, &a)));
        prop_assert_eq!(state(&joined(&joined(&a, &b), &c)), state(&joined(&a, &joined(&b, &c))));
        prop_assert_eq!(state(&joined(&a, &a)), state(&a));
        prop_assert_eq!(state(&joined(&joined(&a, &b), &b)), state(&joined(&a, &b)));
        joined(&a, &b).0.check_invariants().unwrap();
    }

    #[test]
    fn ops_commute_and_repeat(script in script(true), swaps in proptest::collection::vec(any::<(u16, u16)>(), 0..60)) {
        let all = play(&script);
        let mut ops = ops_of(&all);
        let mut in_order = empty(&all);
        for op in &ops {
            prop_assert_eq!(in_order.validate_op(op), Ok(()));
            in_order.apply(op.clone());
            in_order.apply(op.clone());
        }
        in_order.0.check_invariants().unwrap();
        let len = ops.len();
        swaps.iter().for_each(|(a, b)| ops.swap(usize::from(*a) % len, usize::from(*b) % len));
        let mut shuffled = empty(&all);
        for op in ops.iter().chain(&ops) {
            let fit = shuffled.validate_op(op);
            prop_assert!(matches!(fit, Ok(()) | Err(Unfit::Early(_))), "{:?}", fit);
            shuffled.apply(op.clone());
        }
        prop_assert_eq!(state(&shuffled), state(&in_order));
        shuffled.0.check_invariants().unwrap();
    }

    #[test]
    fn op_delta_and_state_tell_the_same(script in script(true), cuts in any::<u64>(), mixed in any::<u64>()) {
        let all = play(&script);
        let ops = ops_of(&all);
        let by_op = part(&all, &ops, u64::MAX);
        let by_state = all.iter().fold(empty(&all), |sum, peer| joined(&sum, &Replica(peer.album.clone())));
        // A delta: the ops between two cuts, joined as a state of its own; its past waits to be joined.
        let mut by_delta = empty(&all);
        let mut delta = empty(&all);
        let mut by_mix = empty(&all);
        for (place, op) in ops.iter().enumerate() {
            delta.apply(op.clone());
            if mixed & (1 << (place % 64)) != 0 {
                by_mix.apply(op.clone());
            }
            if cuts & (1 << (place % 64)) != 0 {
                by_delta.merge(std::mem::replace(&mut delta, empty(&all)));
            }
        }
        by_delta.merge(delta);
        by_mix.merge(by_delta.clone());
        let expect = state(&by_op);
        prop_assert_eq!(&state(&by_state), &expect);
        prop_assert_eq!(&state(&by_delta), &expect);
        prop_assert_eq!(&state(&by_mix), &expect);
        let clock = VClock::from(&by_op);
        prop_assert_eq!(clock.dots.len(), by_op.0.clock().len());
        prop_assert_eq!(clock, VClock::from(&by_state));
    }

    /// Without rights and forks a name is in the album exactly when the OR-set of `crdts` has it, and the entries are
    /// those of unique tags, added and not removed.
    #[test]
    fn like_orswot_and_like_plain_tags(script in script(false)) {
        let mut all = start();
        let mut sets = vec![Orswot::<String, crdt::id::ActorId>::new(); all.len()];
        let mut tags = vec![(BTreeSet::<(String, FactId)>::new(), BTreeSet::<FactId>::new()); all.len()];
        for (who, act) in &script {
            let who = usize::from(*who) % all.len();
            match act {
                Do::Add(n) => {
                    let (name, actor) = (n.to_string(), all[who].author.actor());
                    let op = all[who].say(image(&name));
                    let context = sets[who].read_ctx().derive_add_ctx(actor);
                    let add = sets[who].add(name.clone(), context);
                    sets[who].apply(add);
                    tags[who].0.insert((name, fact_id(&op, 0)));
                }
                Do::Kill(n) => {
                    // Only the curator and the owner may remove what others added.
                    let who = if all[who].album.may(&all[who].author.user(), Role::Curator) { who } else { 0 };
                    let name = (n % 6).to_string();
                    let named = |view: &crdt::ImageView| view.image.name == name;
                    let ids: Vec<FactId> = all[who].album.images().filter(named).map(|view| view.id).collect();
                    if ids.is_empty() {
                        continue;
                    }
                    all[who].write(&[], &ids);
                    let context = sets[who].contains(&name).derive_rm_ctx();
                    let remove = sets[who].rm(name, context);
                    sets[who].apply(remove);
                    tags[who].1.extend(ids);
                }
                Do::Pull(from) => {
                    let from = usize::from(*from) % all.len();
                    pull(&mut all, who, from);
                    let (other, (added, removed)) = (sets[from].clone(), tags[from].clone());
                    sets[who].merge(other);
                    tags[who].0.extend(added);
                    tags[who].1.extend(removed);
                }
                _ => {}
            }
            let shown: BTreeSet<(String, FactId)> =
                all[who].album.images().map(|view| (view.image.name.clone(), view.id)).collect();
            let names: BTreeSet<String> = shown.iter().map(|(name, _)| name.clone()).collect();
            prop_assert_eq!(&names, &sets[who].read().val.into_iter().collect());
            let live = tags[who].0.iter().filter(|(_, tag)| !tags[who].1.contains(tag)).cloned();
            prop_assert_eq!(shown, live.collect::<BTreeSet<_>>());
        }
    }
}

#[test]
fn states_of_two_albums_do_not_join() {
    let one = empty(&start());
    let other = Replica(Album::empty(crdt::id::AlbumId([1; 32])));
    assert_eq!(one.validate_merge(&other), Err(Unfit::Album(other.0.id())));
    let mut joint = other.clone();
    joint.merge(Replica(start()[0].album.clone()));
    assert_eq!((joint.0.op_count(), joint.0.refused()["op_album"]), (0, 4));
}
