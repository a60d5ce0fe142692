//! An album as those who study it see it: its ops, its live facts in one order, and what was removed by which ops.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::album::{Album, FactId};
use crate::graph::FactAt;
use crate::id::{ActorId, HeaderHash, PublicKey, UserId};
use crate::op::Op;

/// A received op without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpView {
    /// Its header's hash.
    pub hash: HeaderHash,
    /// Its author.
    pub actor: ActorId,
    /// The first seq it takes.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Its lamport clock.
    pub lamport: u64,
    /// Number of its facts.
    pub facts: u16,
    /// Whether it counts; held otherwise.
    pub valid: bool,
    /// Whether it is valid or in the past of one that is: what digests cover and `state` sends.
    pub needed: bool,
}

/// Who writes under an actor id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorView {
    /// The id.
    pub actor: ActorId,
    /// Whose it is.
    pub user: UserId,
    /// The device's key.
    pub device: PublicKey,
}

/// A fact that was in the set and is no more: a tombstone, whose text stays in its op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The fact.
    pub id: FactId,
    /// The valid ops that remove it, as (actor, last seq), sorted. More than one where they did not see each other.
    pub by: Vec<(ActorId, u64)>,
}

impl Album {
    /// All received ops in the order of receipt.
    pub fn op_views(&self) -> impl Iterator<Item = OpView> + '_ {
        self.graph.numbers().map(|at| {
            let node = self.graph.node(at);
            OpView {
                hash: node.hash,
                actor: self.graph.actor_id(at),
                first: node.first,
                last: node.last_seq(),
                lamport: node.lamport,
                facts: node.count,
                valid: node.valid,
                needed: node.needed > 0,
            }
        })
    }

    /// All actors that an op was received of, by id.
    pub fn actor_views(&self) -> Vec<ActorView> {
        let actors = self.graph.actors.iter().map(|actor| ActorView {
            actor: actor.id,
            user: self.graph.users[actor.user as usize],
            device: actor.intro.device,
        });
        let mut actors: Vec<ActorView> = actors.collect();
        actors.sort_unstable_by_key(|view| view.actor);
        actors
    }

    /// The ops received after so many others, in the order of receipt; each written when it is taken, and not kept.
    pub fn ops_after(&self, received: usize) -> impl Iterator<Item = Arc<Op>> + '_ {
        self.graph.numbers().skip(received).map(|at| self.graph.op(at))
    }

    /// The live facts in the total order: the same list on every replica that has them.
    pub fn live_facts(&self) -> Vec<FactId> {
        let mut facts: Vec<FactAt> = self.live.tree.all().collect();
        facts.sort_unstable_by_key(|at| self.graph.order(*at));
        facts.into_iter().map(|at| self.fact_id(at)).collect()
    }

    /// What was removed, in the total order: facts of valid ops that a valid op's remove names.
    pub fn tombstones(&self) -> Vec<Tombstone> {
        let mut killers: BTreeMap<FactAt, Vec<(ActorId, u64)>> = BTreeMap::new();
        for at in self.graph.numbers().filter(|at| self.graph.node(*at).valid) {
            let node = self.graph.node(at);
            for fact in node
                .kills()
                .iter()
                .filter(|fact| self.graph.node(fact.node).valid)
            {
                let by = (self.graph.actor_id(at), node.last_seq());
                killers.entry(*fact).or_default().push(by);
            }
        }
        let mut facts: Vec<(FactAt, Vec<(ActorId, u64)>)> = killers.into_iter().collect();
        facts.sort_unstable_by_key(|(at, _)| self.graph.order(*at));
        let tombstone = |(at, mut by): (FactAt, Vec<(ActorId, u64)>)| {
            by.sort_unstable();
            let id = self.fact_id(at);
            Tombstone { id, by }
        };
        facts.into_iter().map(tombstone).collect()
    }
}
