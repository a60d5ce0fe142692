//! The causal graph of received ops: interned nodes, branches, pasts (docs/protocol.md §2, Receipt).
//!
//! A *branch* is a run of one actor's ops along `prev`; a second op with the same `prev` opens another one, so a
//! forked actor is as many branches. A node's past is a clock over branches, its own branch left out: a chain
//! without new deps shares one clock. Ops of a branch are counted by *depth*, the op's number along `prev`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Clock;
use crate::fact::{Fact, Role};
use crate::header::{Intro, OpRef};
use crate::id::{ActorId, HeaderHash, UserId};
use crate::limits::FACTS_PER_OP_MAX;
use crate::op::{FactText, Op};
use crate::rights::Standing;

/// A fact of an interned op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FactAt {
    pub(crate) node: u32,
    pub(crate) place: u16,
}

/// A received op.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) op: Arc<Op>,
    pub(crate) actor: u32,
    pub(crate) branch: u32,
    /// Its number along `prev`, from 1.
    pub(crate) depth: u32,
    pub(crate) prev: Option<u32>,
    pub(crate) deps: Box<[u32]>,
    past: Clock,
    /// The role that its facts and removes ask for.
    pub(crate) need: Role,
    /// The facts that its removes name, each once.
    pub(crate) kills: Box<[FactAt]>,
    pub(crate) valid: bool,
    pub(crate) standing: Standing,
    /// 1 if valid, and 1 for each needed op that has it as `prev` or dep. Needed while above 0.
    pub(crate) needed: u32,
    /// Needed ops that have it as `prev`.
    pub(crate) needed_next: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) user: u32,
    pub(crate) intro: Intro,
    pub(crate) branches: Vec<u32>,
    /// (first seq, node) of all its ops.
    by_first: BTreeSet<(u64, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Branch {
    /// The branch and depth it left, none at the actor's beginning.
    left: Option<(u32, u32)>,
    tip: u32,
}

/// The past of an op that is being received: a clock, and how far its own branch reaches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    clock: Clock,
    own: Option<(u32, u32)>,
}

impl Past {
    pub(crate) fn has(&self, node: &Node) -> bool {
        self.own
            .is_some_and(|(branch, depth)| branch == node.branch && node.depth <= depth)
            || self.clock.get(node.branch) >= node.depth
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    by_hash: BTreeMap<HeaderHash, u32>,
    pub(crate) actors: Vec<Actor>,
    by_actor: BTreeMap<ActorId, u32>,
    branches: Vec<Branch>,
    pub(crate) users: Vec<UserId>,
    by_user: BTreeMap<UserId, u32>,
    /// Ops that no other op has as `prev` or dep.
    pub(crate) tips: BTreeSet<u32>,
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A node by number; numbers come from this graph only.
    pub(crate) fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    pub(crate) fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize]
    }

    pub(crate) fn numbers(&self) -> std::ops::Range<u32> {
        0..self.nodes.len() as u32
    }

    pub(crate) fn find(&self, hash: &HeaderHash) -> Option<u32> {
        self.by_hash.get(hash).copied()
    }

    /// The op that a reference names.
    pub(crate) fn resolve(&self, reference: &OpRef) -> Option<u32> {
        let (mut low, mut high) = ([0; 32], [0xff; 32]);
        low[..16].copy_from_slice(&reference.header.0);
        high[..16].copy_from_slice(&reference.header.0);
        self.by_hash
            .range(HeaderHash(low)..=HeaderHash(high))
            .map(|(_, at)| *at)
            .find(|at| {
                let op = &self.node(*at).op;
                op.header.actor == reference.actor && op.last_seq() == reference.seq
            })
    }

    pub(crate) fn actor(&self, id: &ActorId) -> Option<u32> {
        self.by_actor.get(id).copied()
    }

    pub(crate) fn user(&self, id: &UserId) -> Option<u32> {
        self.by_user.get(id).copied()
    }

    pub(crate) fn intern_user(&mut self, id: &UserId) -> u32 {
        *self.by_user.entry(*id).or_insert_with(|| {
            self.users.push(*id);
            (self.users.len() - 1) as u32
        })
    }

    /// The author's user.
    pub(crate) fn user_of(&self, at: u32) -> u32 {
        self.actors[self.node(at).actor as usize].user
    }

    /// Whether `earlier` is in the past of `later`; no op is in its own.
    pub(crate) fn sees(&self, later: u32, earlier: u32) -> bool {
        let (later, earlier) = (self.node(later), self.node(earlier));
        later.branch == earlier.branch && later.depth > earlier.depth
            || later.past.get(earlier.branch) >= earlier.depth
    }

    /// Whether `earlier` is `later` or before it along `prev`.
    pub(crate) fn on_chain(&self, later: u32, earlier: u32) -> bool {
        let (later, earlier) = (self.node(later), self.node(earlier));
        let (mut branch, mut depth) = (later.branch, later.depth);
        while branch != earlier.branch {
            match self.branches[branch as usize].left {
                Some(left) if left.1 >= earlier.depth => (branch, depth) = left,
                _ => return false,
            }
        }
        depth >= earlier.depth
    }

    /// The past of an op with these parents.
    pub(crate) fn past(&self, prev: Option<u32>, deps: &[u32]) -> Past {
        let mut past = Past::default();
        if let Some(prev) = prev {
            let prev = self.node(prev);
            past.clock = prev.past.clone();
            past.own = Some((prev.branch, prev.depth));
        }
        for dep in deps {
            let dep = self.node(*dep);
            past.clock.merge(&dep.past);
            past.clock.raise(dep.branch, dep.depth);
        }
        past
    }

    /// The facts that have this dot, more than one only after a fork.
    pub(crate) fn facts_at(&self, actor: &ActorId, seq: u64) -> impl Iterator<Item = FactAt> + '_ {
        let first = seq.saturating_sub(FACTS_PER_OP_MAX as u64 - 1);
        let actor = self.actor(actor).map(|at| &self.actors[at as usize]);
        let near = actor
            .into_iter()
            .flat_map(move |actor| actor.by_first.range((first, 0)..=(seq, u32::MAX)));
        near.filter_map(move |(first, node)| {
            let place = seq - first;
            (place < self.node(*node).op.header.count).then_some(FactAt {
                node: *node,
                place: place as u16,
            })
        })
    }

    pub(crate) fn fact_text(&self, at: FactAt) -> &FactText {
        &self.node(at.node).op.facts[usize::from(at.place)]
    }

    pub(crate) fn fact(&self, at: FactAt) -> &Fact {
        &self.fact_text(at).fact
    }

    /// The seq of a fact's dot.
    pub(crate) fn seq(&self, at: FactAt) -> u64 {
        self.node(at.node).op.header.first + u64::from(at.place)
    }

    /// A fact's place in the total order: (lamport, actor, header hash, place).
    pub(crate) fn order(&self, at: FactAt) -> (u64, ActorId, HeaderHash, u16) {
        let (lamport, actor, hash) = self.node(at.node).op.order();
        (lamport, actor, hash, at.place)
    }

    /// Adds an op whose parents are here; returns its number.
    pub(crate) fn intern(&mut self, op: Arc<Op>, parents: Parents, need: Role, kills: Box<[FactAt]>) -> u32 {
        let at = self.nodes.len() as u32;
        let Parents { prev, deps, past } = parents;
        let actor = self.intern_actor(&op, prev);
        let depth = prev.map_or(1, |prev| self.node(prev).depth + 1);
        let mut clock = past.clock;
        let branch = match prev.map(|prev| (prev, self.node(prev).branch)) {
            Some((prev, branch)) if self.branches[branch as usize].tip == prev => branch,
            fork => {
                let left = fork.map(|(prev, branch)| (branch, self.node(prev).depth));
                if let Some((branch, depth)) = left {
                    clock.raise(branch, depth);
                }
                self.branches.push(Branch { left, tip: at });
                (self.branches.len() - 1) as u32
            }
        };
        self.branches[branch as usize].tip = at;
        let known = &mut self.actors[actor as usize];
        if known.branches.last() != Some(&branch) && !known.branches.contains(&branch) {
            known.branches.push(branch);
        }
        known.by_first.insert((op.header.first, at));
        for parent in prev.iter().chain(&*deps) {
            self.tips.remove(parent);
        }
        self.tips.insert(at);
        self.by_hash.insert(op.hash, at);
        let standing = Standing::Member;
        let (valid, needed, needed_next) = (false, 0, 0);
        self.nodes.push(Node {
            op,
            actor,
            branch,
            depth,
            prev,
            deps,
            past: clock,
            need,
            kills,
            valid,
            standing,
            needed,
            needed_next,
        });
        at
    }

    /// An op's actor; the first op tells who it is, the others' is their `prev`'s.
    fn intern_actor(&mut self, op: &Op, prev: Option<u32>) -> u32 {
        if let Some(prev) = prev {
            return self.node(prev).actor;
        }
        let intro = op
            .header
            .intro
            .expect("an op without prev has an intro, Header::read checked it");
        let user = self.intern_user(&intro.user());
        *self.by_actor.entry(op.header.actor).or_insert_with(|| {
            self.actors.push(Actor {
                user,
                intro,
                branches: Vec::new(),
                by_first: BTreeSet::new(),
            });
            (self.actors.len() - 1) as u32
        })
    }

    /// The last op of each branch of an actor.
    pub(crate) fn branch_tips(&self, actor: u32) -> impl Iterator<Item = u32> + '_ {
        self.actors[actor as usize]
            .branches
            .iter()
            .map(|branch| self.branches[*branch as usize].tip)
    }

    /// Pairs of headers of one actor with the same `prev`, the proofs of forks, in no order that arrival decides.
    pub(crate) fn forks(&self) -> Vec<(HeaderHash, HeaderHash)> {
        let mut siblings: BTreeMap<(u32, Option<u32>), BTreeSet<HeaderHash>> = BTreeMap::new();
        let forked = self
            .actors
            .iter()
            .enumerate()
            .filter(|(_, actor)| actor.branches.len() > 1);
        for (number, actor) in forked {
            for (_, at) in &actor.by_first {
                let node = self.node(*at);
                siblings
                    .entry((number as u32, node.prev))
                    .or_default()
                    .insert(node.op.hash);
            }
        }
        let mut pairs = Vec::new();
        for hashes in siblings.values() {
            pairs.extend(hashes.iter().zip(hashes.iter().skip(1)).map(|(a, b)| (*a, *b)));
        }
        pairs.sort_unstable();
        pairs
    }
}

/// Where an op hangs in the graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parents {
    pub(crate) prev: Option<u32>,
    pub(crate) deps: Box<[u32]>,
    pub(crate) past: Past,
}
