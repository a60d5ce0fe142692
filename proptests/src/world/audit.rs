//! What must hold once a world is quiet, and, replica by replica, at any time: the judge is the plain model, and sentences
//! of docs/protocol.md that can be checked without judging.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, HeaderHash, PublicKey, UserId};
use crdt::op::Op;
use crdt::{Album, FactId};

use super::{At, World};
use crate::model::Model;

/// More ops than this are not judged by the plain model, which is slow.
const MODEL_OPS_MAX: usize = 700;
/// Different sets of received ops that are judged at the end of a run.
const MODELS_MAX: usize = 6;

impl World {
    /// A replica shows what the plain model says of the ops that it has received.
    pub fn judge(&self, at: At, album: AlbumId) {
        if let Some(here) = self.engine(at).album(&album).filter(|here| here.has_genesis()) {
            compare(at, here, &Model::of(here.ops()));
        }
    }

    /// After [`World::settle`]: all that a run must not have broken.
    pub fn audit(&self, album: AlbumId) {
        let running = (0..self.peers.len()).filter(|at| self.peers[*at].is_honest());
        let here: Vec<(At, &Album)> = running
            .filter_map(|at| Some((at, self.peers[at].engine.as_ref()?.album(&album)?)))
            .filter(|(_, here)| here.has_genesis())
            .collect();
        let mut judged: BTreeMap<Vec<HeaderHash>, Model> = BTreeMap::new();
        for (at, here) in &here {
            self.nothing_is_lost(*at, here);
            self.nothing_is_forged(*at, here);
            self.no_seq_is_used_twice(*at, here);
            within_bounds(*at, here);
            let mut received: Vec<HeaderHash> = here.ops().map(|op| op.hash).collect();
            received.sort_unstable();
            if received.len() > MODEL_OPS_MAX || judged.len() >= MODELS_MAX && !judged.contains_key(&received)
            {
                continue;
            }
            let model = judged.entry(received).or_insert_with(|| Model::of(here.ops()));
            compare(*at, here, model);
        }
        judged.values().for_each(removals_hold);
        judged.values().for_each(nobody_extends_his_own_rights);
        self.what_all_had_seen_stays(album, &here);
    }

    fn nothing_is_lost(&self, at: At, here: &Album) {
        let told = self.peers[at].acknowledged.iter();
        let mut of_album = told.filter(|(album, _)| *album == here.id());
        assert!(
            of_album.all(|(_, hash)| here.knows(hash)),
            "peer {at} lost what it acknowledged"
        );
    }

    /// What bears an honest device's name was written by it.
    fn nothing_is_forged(&self, at: At, here: &Album) {
        let devices = actors(here);
        for op in here.ops() {
            let Some(author) = devices
                .get(&op.header.actor)
                .and_then(|device| self.at_of.get(device))
            else {
                continue;
            };
            assert!(
                here.user_of_actor(&op.header.actor) == Some(self.peers[*author].user),
                "peer {at} takes a device of peer {author} for another user's"
            );
            assert!(
                !self.peers[*author].is_honest() || self.authored.contains(&(here.id(), op.hash)),
                "peer {at} took in an op that bears the name of peer {author}, who did not write it"
            );
        }
    }

    fn no_seq_is_used_twice(&self, at: At, here: &Album) {
        let devices = actors(here);
        for (one, _) in here.forks() {
            let Some(op) = here.op(&one) else { continue };
            let device = devices.get(&op.header.actor);
            let author = device.and_then(|device| self.at_of.get(device));
            let excused = author.is_none_or(|author| !self.peers[*author].is_honest())
                || self.restored.contains(&op.header.actor);
            assert!(
                excused,
                "peer {at} sees that honest peer {author:?} used a seq twice"
            );
        }
    }

    /// To be called when all is settled: remembers what every honest peer that has ever entered the album has on its disk
    /// and holds for valid. No honest person can remove its author without having seen it.
    pub fn note_seen_by_all(&mut self, album: AlbumId) {
        let Some(reference) = self.reference(album) else {
            return;
        };
        let here = self.album(reference, album);
        let cheats: BTreeSet<UserId> = self.cheats().collect();
        let witnesses: Vec<At> = (0..self.peers.len())
            .filter(|at| {
                let peer = &self.peers[*at];
                peer.is_honest() && !peer.has_left && peer.disk.entered.contains(&album)
            })
            .collect();
        let seen = here.ops().filter(|op| {
            here.is_valid(&op.hash) == Some(true)
                && here
                    .author_of(&op.hash)
                    .is_some_and(|user| !cheats.contains(&user))
                && witnesses
                    .iter()
                    .all(|at| self.peers[*at].disk.has(album, &op.hash))
        });
        let seen: BTreeSet<HeaderHash> = seen.map(|op| op.hash).collect();
        self.seen_by_all.entry(album).or_default().extend(seen);
    }

    fn cheats(&self) -> impl Iterator<Item = UserId> + '_ {
        let cheats = self.peers.iter().filter(|peer| !peer.is_honest());
        cheats.map(|peer| peer.user)
    }

    fn what_all_had_seen_stays(&self, album: AlbumId, replicas: &[(At, &Album)]) {
        let cheats: BTreeSet<UserId> = self.cheats().collect();
        for (at, here) in replicas {
            // A curator who pretends not to have seen a member's ops hides them by removing him: a known limit.
            let curators = named_curators(here.ops());
            if here.owner().is_none_or(|owner| cheats.contains(&owner)) || !curators.is_disjoint(&cheats) {
                continue;
            }
            for hash in self.seen_by_all.get(&album).into_iter().flatten() {
                assert_ne!(
                    here.is_valid(hash),
                    Some(false),
                    "peer {at} holds op {hash:?}, which all had seen"
                );
            }
        }
    }
}

/// Each actor's device key, as its first op tells.
fn actors(here: &Album) -> BTreeMap<crdt::id::ActorId, PublicKey> {
    let intros = here
        .ops()
        .filter_map(|op| op.header.intro.map(|intro| (op, intro)));
    intros
        // A root key is on every device of its user: who used it does not show.
        .filter(|(_, intro)| !intro.is_root())
        .map(|(op, intro)| (op.header.actor, intro.device))
        .collect()
}

fn named_curators<'a>(ops: impl Iterator<Item = &'a Arc<Op>>) -> BTreeSet<UserId> {
    let facts = ops.flat_map(|op| &op.facts);
    let curators = facts.filter_map(|text| match &text.fact {
        Fact::Grant { user, role, .. } | Fact::Role { user, role, .. } if *role == Role::Curator => {
            Some(*user)
        }
        _ => None,
    });
    curators.collect()
}

fn compare(at: At, here: &Album, model: &Model) {
    let valid: BTreeSet<HeaderHash> = here
        .ops()
        .map(|op| op.hash)
        .filter(|hash| here.is_valid(hash) == Some(true))
        .collect();
    assert!(
        valid == model.valid,
        "peer {at} holds other ops valid than the model"
    );
    let live: BTreeSet<FactId> = here.elements().map(|element| element.id).collect();
    assert!(live == model.live, "peer {at} shows other facts than the model");
    let needed: BTreeSet<HeaderHash> = here.needed_ops().map(|op| op.hash).collect();
    assert!(
        needed == model.needed(),
        "peer {at} needs other ops than the model"
    );
    for member in here.members() {
        let expected = model.role_of(&member.user);
        assert!(
            member.role == expected,
            "peer {at} calls {:?} {}, the model {expected}",
            member.user,
            member.role
        );
    }
}

/// No op of a removed member that neither saw the removal nor was seen by it shows, unless an accept names it.
fn removals_hold(model: &Model) {
    let accepted = model.accepted();
    for removal in model
        .ops()
        .filter(|op| model.valid.contains(&op.hash) && model.user(&op.hash) == model.owner())
    {
        let gone = removal.facts.iter().filter_map(|text| match &text.fact {
            Fact::Role {
                user,
                role: Role::None,
                ..
            } if *user != model.owner() => Some(*user),
            _ => None,
        });
        for user in gone {
            for op in model.ops().filter(|op| model.user(&op.hash) == user) {
                let apart = !model.sees(&op.hash, &removal.hash) && !model.sees(&removal.hash, &op.hash);
                let is_revoke = op
                    .facts
                    .iter()
                    .any(|text| matches!(text.fact, Fact::Revoke { .. }));
                let shows = model.valid.contains(&op.hash);
                assert!(
                    !(apart && shows) || is_revoke || accepted.contains(&op.hash),
                    "an op of a removed member shows that the remover had not seen"
                );
            }
        }
    }
}

/// A role comes from another's word: curator from the owner's, less from a valid op of somebody else.
fn nobody_extends_his_own_rights(model: &Model) {
    let mut named: BTreeMap<UserId, Role> = BTreeMap::new();
    for op in model.ops().filter(|op| model.valid.contains(&op.hash)) {
        let author = model.user(&op.hash);
        for text in &op.facts {
            let (Fact::Grant { user, role, .. } | Fact::Role { user, role, .. }) = &text.fact else {
                continue;
            };
            assert!(
                *role < Role::Curator || author == model.owner(),
                "somebody but the owner made a curator"
            );
            if author != *user {
                let highest = named.entry(*user).or_insert(Role::None);
                *highest = (*highest).max(*role);
            }
        }
    }
    let users: BTreeSet<UserId> = model.ops().map(|op| model.user(&op.hash)).collect();
    for user in users.iter().filter(|user| **user != model.owner()) {
        let most = named.get(user).copied().unwrap_or(Role::None);
        assert!(
            model.role_of(user) <= most,
            "{user:?} has a role that nobody gave"
        );
    }
}

fn within_bounds(at: At, here: &Album) {
    use crdt::limits::{WAITING_BYTES_MAX, WAITING_OPS_MAX};
    let (ops, bytes) = (here.waiting_count(), here.waiting_bytes());
    assert!(
        ops <= WAITING_OPS_MAX && bytes <= WAITING_BYTES_MAX,
        "peer {at} keeps {ops} early ops of {bytes} bytes"
    );
}
