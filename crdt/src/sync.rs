//! What replicas compare and ask of each other: digests, heads, ops (docs/protocol.md §4 and §6).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::album::{Album, HEAD_ENTRY};
use crate::graph::Graph;
use crate::header::OpRef;
use crate::id::{ActorId, Digest, HeaderHash};
use crate::live;
use crate::op::Op;
use crate::tree::WIDTH;

/// A needed op without a needed successor of the same actor along `prev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Its author.
    pub actor: ActorId,
    /// The last seq it takes.
    pub seq: u64,
    /// Its header's hash.
    pub hash: HeaderHash,
}

fn head_entry(graph: &Graph, at: u32) -> [u8; HEAD_ENTRY] {
    let node = graph.node(at);
    let mut out = [0; HEAD_ENTRY];
    out[..16].copy_from_slice(&graph.actor_id(at).0);
    out[16..24].copy_from_slice(&node.last_seq().to_le_bytes());
    out[24..].copy_from_slice(&node.hash.0);
    out
}

impl Album {
    /// The album's digest: two replicas with the same show the same album.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"calotype 1 digest\n");
        hasher.update(&self.id().0);
        hasher.update(&self.heads_root().0);
        hasher.update(&self.facts_root().0);
        Digest(*hasher.finalize().as_bytes())
    }

    /// Root of the tree of heads.
    pub fn heads_root(&self) -> Digest {
        self.heads.root(|at| head_entry(&self.graph, at))
    }

    /// Root of the tree of live facts.
    pub fn facts_root(&self) -> Digest {
        self.live.tree.root(|at| live::entry(&self.graph, at))
    }

    /// Of the tree of heads: the hashes of its 64 nodes, or of the 64 leaves of one node.
    pub fn tree_hashes(&self, node: Option<u8>) -> [Digest; WIDTH] {
        let entry = |at| head_entry(&self.graph, at);
        match node {
            None => self.heads.node_hashes(entry),
            Some(node) => self.heads.leaf_hashes(node, entry),
        }
    }

    /// The heads in leaf 0–4095 of the tree, sorted.
    pub fn heads_in_leaf(&self, leaf: u16) -> Vec<Head> {
        let mut heads: Vec<Head> = self.heads.handles(leaf).iter().map(|at| self.head(*at)).collect();
        heads.sort_unstable();
        heads
    }

    /// All heads, sorted.
    pub fn heads(&self) -> Vec<Head> {
        let mut heads: Vec<Head> = self.heads.all().map(|at| self.head(at)).collect();
        heads.sort_unstable();
        heads
    }

    /// Number of heads.
    pub fn head_count(&self) -> usize {
        self.heads.len()
    }

    /// The needed ops as a vector: each actor's last seq.
    pub fn clock(&self) -> BTreeMap<ActorId, u64> {
        let mut clock = BTreeMap::new();
        for head in self.heads.all().map(|at| self.head(at)) {
            let seq = clock.entry(head.actor).or_default();
            *seq = head.seq.max(*seq);
        }
        clock
    }

    fn head(&self, at: u32) -> Head {
        let node = self.graph.node(at);
        Head {
            actor: self.graph.actor_id(at),
            seq: node.last_seq(),
            hash: node.hash,
        }
    }

    /// Whether an op is received, valid or held.
    pub fn knows(&self, hash: &HeaderHash) -> bool {
        self.graph.find(hash).is_some()
    }

    /// A received op, as it was received: here, and from the other methods that lend ops, written again from its values
    /// and kept until the next op comes.
    pub fn op(&self, hash: &HeaderHash) -> Option<&Arc<Op>> {
        self.graph.find(hash).map(|at| self.graph.op_ref(at))
    }

    /// The album's first op, once it is here.
    pub fn genesis_op(&self) -> Option<&Arc<Op>> {
        self.genesis.map(|at| self.graph.op_ref(at))
    }

    /// The highest lamport received; 0 before the genesis.
    pub fn lamport(&self) -> u64 {
        self.graph
            .tips
            .iter()
            .map(|at| self.graph.node(*at).lamport)
            .max()
            .unwrap_or(0)
    }

    /// Whether a received op is valid; none if it is not received.
    pub fn is_valid(&self, hash: &HeaderHash) -> Option<bool> {
        self.graph.find(hash).map(|at| self.graph.node(at).valid)
    }

    /// The last seq received of an actor, 0 for none, and whether the actor is forked.
    pub fn last_seq(&self, actor: &ActorId) -> (u64, bool) {
        let Some(at) = self.graph.actor(actor) else {
            return (0, false);
        };
        let tips = self
            .graph
            .branch_tips(at)
            .map(|tip| self.graph.node(tip).last_seq());
        (
            tips.max().unwrap_or(0),
            self.graph.actors[at as usize].branches.len() > 1,
        )
    }

    /// What to ask for with a head that this replica does not know: only ops above this seq. 0 where the actor is
    /// forked, which also shows by a head that is no higher than what is here already.
    pub fn after(&self, head: &Head) -> u64 {
        match self.last_seq(&head.actor) {
            (last, false) if last < head.seq => last,
            _ => 0,
        }
    }

    /// The op `head` of `actor`, and those before it along `prev` whose last seq is above `after`, in the total order;
    /// nothing if this replica does not have it.
    pub fn ops_back(&self, actor: &ActorId, head: &HeaderHash, after: u64) -> Vec<Arc<Op>> {
        let mut ops = self.back(actor, head, after);
        // Along prev the lamport falls, so this is the total order.
        ops.reverse();
        ops.into_iter().map(|at| self.graph.op(at)).collect()
    }

    fn back(&self, actor: &ActorId, head: &HeaderHash, after: u64) -> Vec<u32> {
        let mut ops = Vec::new();
        let mut next = self.graph.find(head);
        while let Some(at) = next {
            let node = self.graph.node(at);
            if self.graph.actor_id(at) != *actor || (node.last_seq() <= after && !ops.is_empty()) {
                break;
            }
            ops.push(at);
            next = node.prev;
        }
        ops
    }

    /// The ops that [`Album::ops_back`] gives for each of these, each once, in the total order; written one by one, for
    /// those who take only the first. A wanted op whose last seq is not above its `after` is left out.
    pub fn ops_wanted(&self, wants: &[(ActorId, HeaderHash, u64)]) -> impl Iterator<Item = Arc<Op>> + '_ {
        // A chain is left where another has passed. The one that goes further back goes first, so that nothing is lost.
        let mut wants: Vec<_> = wants.iter().collect();
        wants.sort_by_key(|(_, _, after)| *after);
        let mut seen = BTreeSet::new();
        for (actor, head, after) in wants {
            let mut next = self.graph.find(head);
            while let Some(at) = next {
                let node = self.graph.node(at);
                if self.graph.actor_id(at) != *actor || node.last_seq() <= *after || !seen.insert(at) {
                    break;
                }
                next = node.prev;
            }
        }
        let mut ops: Vec<u32> = seen.into_iter().collect();
        ops.sort_unstable_by_key(|at| self.graph.op_order(*at));
        ops.into_iter().map(|at| self.graph.op(at))
    }

    /// Those of the named ops that are here, in the total order.
    pub fn ops_by_refs(&self, refs: &[OpRef]) -> Vec<Arc<Op>> {
        let found = refs.iter().filter_map(|reference| self.graph.resolve(reference));
        let mut ops: Vec<Arc<Op>> = found.map(|at| self.graph.op(at)).collect();
        ops.sort_unstable_by_key(|op| op.order());
        ops.dedup_by_key(|op| op.hash);
        ops
    }

    /// The needed ops, valid ones and their past, in the total order.
    pub fn needed_ops(&self) -> impl Iterator<Item = &Arc<Op>> {
        let mut needed: Vec<u32> = self
            .graph
            .numbers()
            .filter(|at| self.graph.node(*at).needed > 0)
            .collect();
        needed.sort_unstable_by_key(|at| self.graph.op_order(*at));
        needed.into_iter().map(|at| self.graph.op_ref(at))
    }

    /// All received ops, valid or held, in the order of receipt, which is a causal one.
    pub fn ops(&self) -> impl Iterator<Item = &Arc<Op>> {
        self.graph.numbers().map(|at| self.graph.op_ref(at))
    }
}
