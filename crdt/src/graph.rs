//! The causal graph of received ops: interned nodes, branches, pasts (docs/protocol.md §2, Receipt).
//!
//! A *branch* is a run of one actor's ops along `prev`; a second op with the same `prev` opens another one, so a
//! forked actor is as many branches. A node's past is a clock over branches, its own branch left out: a chain
//! without new deps shares one clock. Ops of a branch are counted by *depth*, the op's number along `prev`.
//!
//! A node keeps an op's values, not its text: the text of an op in the usual spelling is written again when it is asked
//! for (`canon`), that of any other op is kept beside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::clock::Clock;
use crate::deps::Deps;
use crate::fact::{Fact, Role};
use crate::header::{DotRun, Header, Intro, OpRef};
use crate::id::{ActorId, AlbumId, FactHash, HeaderHash, HeaderRef, Signature, UserId};
use crate::limits::FACTS_PER_OP_MAX;
use crate::op::{Op, facts_root};
use crate::packed::{self, Packed};
use crate::rights::Standing;
use crate::tree::bucket;

/// A fact of an interned op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FactAt {
    pub(crate) node: u32,
    pub(crate) place: u16,
}

/// A received op.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) hash: HeaderHash,
    /// First seq, and number of facts.
    pub(crate) first: u64,
    pub(crate) count: u16,
    pub(crate) lamport: u64,
    pub(crate) actor: u32,
    pub(crate) branch: u32,
    /// Its number along `prev`, from 1.
    pub(crate) depth: u32,
    pub(crate) prev: Option<u32>,
    pub(crate) deps: Deps,
    past: Clock,
    /// The role that its facts and removes ask for.
    pub(crate) need: Role,
    more: Option<Arc<More>>,
    data: Data,
    pub(crate) valid: bool,
    pub(crate) standing: Standing,
    /// 1 if valid, and 1 for each needed op that has it as `prev` or dep. Needed while above 0.
    pub(crate) needed: u32,
    /// Needed ops that have it as `prev`.
    pub(crate) needed_next: u32,
}

/// Signature ‖ hash of each fact ‖ where each but the first begins, u32 LE ‖ the facts, packed.
#[derive(Debug, Clone)]
enum Data {
    Own(Box<[u8]>),
    /// A stretch of [`Graph::base`].
    Base {
        from: u32,
        to: u32,
    },
}

/// What few ops have.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct More {
    /// The facts that its removes name, each once.
    pub(crate) kills: Box<[FactAt]>,
    pub(crate) removes: Box<[DotRun]>,
    pub(crate) batch: Option<HeaderRef>,
    /// Its member facts with their places, read.
    pub(crate) members: Arc<[(u16, Fact)]>,
}

impl Node {
    /// The last seq it takes.
    pub(crate) fn last_seq(&self) -> u64 {
        self.first + u64::from(self.count.max(1)) - 1
    }

    /// The facts that its removes name, each once.
    pub(crate) fn kills(&self) -> &[FactAt] {
        self.more.as_ref().map_or(&[], |more| &more.kills)
    }

    /// Its member facts with their places.
    pub(crate) fn members(&self) -> &[(u16, Fact)] {
        self.more.as_ref().map_or(&[], |more| &more.members)
    }

    /// The same, to be kept while the graph changes.
    pub(crate) fn shared_members(&self) -> Arc<[(u16, Fact)]> {
        self.more
            .as_ref()
            .map_or_else(Default::default, |more| more.members.clone())
    }

    /// The first op of its command, or what its command takes back.
    pub(crate) fn batch(&self) -> Option<HeaderRef> {
        self.more.as_ref().and_then(|more| more.batch)
    }

    pub(crate) fn is_revoke(&self) -> bool {
        self.members()
            .iter()
            .any(|(_, fact)| matches!(fact, Fact::Revoke { .. }))
    }

    /// What few ops have, where this one has it.
    pub(crate) fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }
}

/// Fact `place` of `count` in an op's data.
fn packed_in(data: &[u8], count: u16, place: u16) -> Packed<'_> {
    let count = usize::from(count);
    let table = Signature::LEN + FactHash::LEN * count;
    let facts = table + 4 * count.saturating_sub(1);
    let begin = |place: usize| match place {
        0 => facts,
        _ if place == count => data.len(),
        _ => {
            let entry = data.get(table + 4 * (place - 1)..).and_then(<[u8]>::first_chunk);
            facts + u32::from_le_bytes(entry.copied().unwrap_or_default()) as usize
        }
    };
    let place = usize::from(place);
    Packed(data.get(begin(place)..begin(place + 1)).unwrap_or_default())
}

fn data_of(op: &Op) -> Box<[u8]> {
    let table = Signature::LEN + FactHash::LEN * op.facts.len();
    let facts = table + 4 * op.facts.len().saturating_sub(1);
    // Values are shorter than their text.
    let mut data = Vec::with_capacity(facts + op.bytes().len());
    data.extend(op.sig.0);
    op.facts.iter().for_each(|text| data.extend(text.hash.0));
    data.resize(facts, 0);
    for (place, text) in op.facts.iter().enumerate() {
        if place > 0 {
            let begin = (data.len() - facts) as u32;
            data[table + 4 * (place - 1)..][..4].copy_from_slice(&begin.to_le_bytes());
        }
        packed::write(
            &mut data,
            &text.fact,
            text.usual,
            op.fact_text(place).unwrap_or_default(),
        );
    }
    data.into_boxed_slice()
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Actor {
    pub(crate) id: ActorId,
    pub(crate) user: u32,
    /// Where its heads lie in the digest's tree.
    pub(crate) bucket: u16,
    pub(crate) intro: Intro,
    pub(crate) branches: Vec<u32>,
    /// All its ops, by first seq and then number.
    ops: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
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

/// How many of the last ops are looked at before the order of hashes is asked.
const NEWEST: u32 = 16;

/// Nodes of one allocation.
const BLOCK: usize = 128;

#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    album: Option<AlbumId>,
    /// Full but for the last: no node moves, and no room is kept that would hold as many again.
    nodes: Vec<Vec<Node>>,
    len: u32,
    /// What the data of ops from a checkpoint are stretches of.
    pub(crate) base: Arc<Vec<u8>>,
    /// The first 8 bytes of each hash. An order, not a table of buckets: nobody can make a slow one by choosing hashes.
    pub(crate) by_hash: BTreeSet<(u64, u32)>,
    /// Envelopes that are not what writing their node gives.
    pub(crate) odd: BTreeMap<u32, Box<str>>,
    written: Written,
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
        self.len as usize
    }

    pub(crate) fn odd_count(&self) -> usize {
        self.odd.len()
    }

    /// A node by number; numbers come from this graph only.
    pub(crate) fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize / BLOCK][at as usize % BLOCK]
    }

    pub(crate) fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize / BLOCK][at as usize % BLOCK]
    }

    pub(crate) fn numbers(&self) -> std::ops::Range<u32> {
        0..self.len
    }

    pub(crate) fn find(&self, hash: &HeaderHash) -> Option<u32> {
        let is_it = |at: &u32| self.node(*at).hash == *hash;
        self.newest()
            .find(is_it)
            .or_else(|| self.near(&hash.0).find(is_it))
    }

    /// The last received: what comes next mostly hangs on them.
    fn newest(&self) -> impl Iterator<Item = u32> + '_ {
        (self.len.saturating_sub(NEWEST)..self.len).rev()
    }

    /// The ops whose hashes begin as this one does.
    pub(crate) fn near(&self, hash: &[u8]) -> impl Iterator<Item = u32> + '_ {
        let prefix = prefix(hash);
        self.by_hash
            .range((prefix, 0)..=(prefix, u32::MAX))
            .map(|(_, at)| *at)
    }

    /// The ops whose hashes are not below this one, by their first 8 bytes, as long as the first 3 are its own.
    pub(crate) fn hashes_from(&self, hash: &[u8]) -> impl Iterator<Item = u32> + '_ {
        let low = prefix(hash);
        self.by_hash
            .range((low, 0)..=(low | u64::MAX >> 24, u32::MAX))
            .map(|(_, at)| *at)
    }

    /// The op that a reference names.
    pub(crate) fn resolve(&self, reference: &OpRef) -> Option<u32> {
        let fits = |at: &u32| {
            let node = self.node(*at);
            node.hash.0.starts_with(&reference.header.0) && self.reference(*at) == *reference
        };
        self.newest()
            .find(fits)
            .or_else(|| self.near(&reference.header.0).find(fits))
    }

    /// How others name an op in `deps`.
    pub(crate) fn reference(&self, at: u32) -> OpRef {
        let node = self.node(at);
        OpRef {
            actor: self.actor_id(at),
            seq: node.last_seq(),
            header: node.hash.short(),
        }
    }

    /// The author's actor.
    pub(crate) fn actor_id(&self, at: u32) -> ActorId {
        self.actors[self.node(at).actor as usize].id
    }

    /// An op's place in the total order: (lamport, actor, header hash).
    pub(crate) fn op_order(&self, at: u32) -> (u64, ActorId, HeaderHash) {
        let node = self.node(at);
        (node.lamport, self.actor_id(at), node.hash)
    }

    /// The header of an op in the usual spelling.
    fn header(&self, at: u32) -> Header {
        let node = self.node(at);
        let more = node.more.as_deref();
        let hashes = (0..node.count).map(|place| self.fact_hash(FactAt { node: at, place }));
        Header {
            album: self.album.filter(|_| at > 0),
            actor: self.actor_id(at),
            first: node.first,
            count: u64::from(node.count),
            lamport: node.lamport,
            prev: node.prev.map(|prev| self.node(prev).hash),
            deps: node.deps.iter().map(|dep| self.reference(*dep)).collect(),
            root: (node.count > 0).then(|| facts_root(hashes)),
            removes: more.map_or(vec![], |more| more.removes.to_vec()),
            batch: more.and_then(|more| more.batch),
            intro: node
                .prev
                .is_none()
                .then(|| self.actors[node.actor as usize].intro),
        }
    }

    /// An op as it was received, written again.
    pub(crate) fn op(&self, at: u32) -> Arc<Op> {
        if let Some(op) = self.odd.get(&at).and_then(|text| Op::decode(text).ok()) {
            return Arc::new(op);
        }
        let node = self.node(at);
        let facts = (0..node.count).map(|place| {
            let place = FactAt { node: at, place };
            let packed = self.packed(place);
            (
                self.fact_hash(place),
                packed.fact(),
                packed.is_short(),
                packed.text().into_owned(),
            )
        });
        Arc::new(Op::from_parts(
            self.header(at),
            node.hash,
            self.sig(at),
            facts.collect(),
        ))
    }

    /// The same, kept until the next op comes.
    pub(crate) fn op_ref(&self, at: u32) -> &Arc<Op> {
        let blocks = self
            .written
            .0
            .get_or_init(|| (0..self.nodes.len()).map(|_| OnceLock::new()).collect());
        let block = blocks[at as usize / BLOCK].get_or_init(|| (0..BLOCK).map(|_| OnceLock::new()).collect());
        block[at as usize % BLOCK].get_or_init(|| self.op(at))
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
        let mut deps = deps.iter();
        if let Some(at) = prev {
            let prev = self.node(at);
            past.own = Some((prev.branch, prev.depth));
            // Mostly the newest op of others is a dep, and has seen one's own last: then its past is the larger one.
            let first = deps.as_slice().first().filter(|dep| self.sees(**dep, at));
            past.clock = first.map_or(prev, |dep| self.node(*dep)).past.clone();
            if let Some(dep) = first {
                let dep = self.node(*dep);
                past.clock.raise(dep.branch, dep.depth);
                deps.next();
            }
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
        let near = actor.into_iter().flat_map(move |actor| {
            let from = actor.ops.partition_point(|op| self.node(*op).first < first);
            actor.ops[from..]
                .iter()
                .take_while(move |op| self.node(**op).first <= seq)
        });
        near.filter_map(move |node| {
            let place = seq - self.node(*node).first;
            (place < u64::from(self.node(*node).count)).then_some(FactAt {
                node: *node,
                place: place as u16,
            })
        })
    }

    /// The facts of an op.
    pub(crate) fn facts_of(&self, node: u32) -> impl Iterator<Item = FactAt> + use<> {
        (0..self.node(node).count).map(move |place| FactAt { node, place })
    }

    /// An op's signature, fact hashes and facts, as the album keeps them.
    pub(crate) fn data(&self, at: u32) -> &[u8] {
        match &self.node(at).data {
            Data::Own(data) => data,
            Data::Base { from, to } => self.base.get(*from as usize..*to as usize).unwrap_or_default(),
        }
    }

    fn sig(&self, at: u32) -> Signature {
        Signature(
            self.data(at)
                .first_chunk()
                .copied()
                .unwrap_or([0; Signature::LEN]),
        )
    }

    pub(crate) fn fact_hash(&self, at: FactAt) -> FactHash {
        let from = Signature::LEN + FactHash::LEN * usize::from(at.place);
        let hash = self.data(at.node).get(from..).and_then(<[u8]>::first_chunk);
        FactHash(hash.copied().unwrap_or_default())
    }

    pub(crate) fn packed(&self, at: FactAt) -> Packed<'_> {
        packed_in(self.data(at.node), self.node(at.node).count, at.place)
    }

    pub(crate) fn fact(&self, at: FactAt) -> Fact {
        self.packed(at).fact()
    }

    /// The seq of a fact's dot.
    pub(crate) fn seq(&self, at: FactAt) -> u64 {
        self.node(at.node).first + u64::from(at.place)
    }

    /// A fact's place in the total order: (lamport, actor, header hash, place).
    pub(crate) fn order(&self, at: FactAt) -> (u64, ActorId, HeaderHash, u16) {
        let (lamport, actor, hash) = self.op_order(at.node);
        (lamport, actor, hash, at.place)
    }

    /// Adds an op whose parents are here; returns its number.
    pub(crate) fn intern(&mut self, op: &Op, parents: Parents, need: Role, kills: Box<[FactAt]>) -> u32 {
        let at = self.len;
        let Parents { prev, deps, past } = parents;
        self.written.0.take();
        if at == 0 {
            self.album = Some(AlbumId(op.hash.0));
        }
        let actor = self.intern_actor(op, prev);
        // Of two first ops of an actor, the intros may differ in the certificate's signature.
        let intro_fits = prev.is_some() || op.header.intro == Some(self.actors[actor as usize].intro);
        if !(op.usual && intro_fits) {
            self.odd.insert(at, op.bytes().into());
        }
        for parent in prev.iter().chain(&*deps) {
            self.tips.remove(parent);
        }
        self.tips.insert(at);
        self.by_hash.insert((prefix(&op.hash.0), at));
        let members = op.facts.iter().zip(0..).filter(|(text, _)| text.fact.is_member());
        let has_more =
            !op.header.removes.is_empty() || op.header.batch.is_some() || members.clone().next().is_some();
        let more = has_more.then(|| More {
            kills,
            removes: op.header.removes.as_slice().into(),
            batch: op.header.batch,
            members: members.map(|(text, place)| (place, text.fact.clone())).collect(),
        });
        let judged = (false, Standing::Member);
        let own = Own {
            hash: op.hash,
            first: op.header.first,
            count: op.header.count as u16,
            actor,
            need,
            judged,
            needed: (0, 0),
            more,
        };
        self.hang(own, prev, deps, past.clock, Data::Own(data_of(op)));
        at
    }

    /// Adds a node: its branch, depth, lamport and past from its parents.
    fn hang(&mut self, own: Own, prev: Option<u32>, deps: Deps, mut clock: Clock, data: Data) {
        let at = self.len;
        let parent = prev.map(|prev| self.node(prev));
        let depth = parent.map_or(1, |prev| prev.depth + 1);
        let lamports = deps.iter().map(|dep| self.node(*dep).lamport);
        let lamport = 1 + lamports.chain(parent.map(|prev| prev.lamport)).max().unwrap_or(0);
        let branch = match prev.zip(parent) {
            Some((prev, node)) if self.branches[node.branch as usize].tip == prev => node.branch,
            fork => {
                let left = fork.map(|(_, node)| (node.branch, node.depth));
                if let Some((branch, depth)) = left {
                    clock.raise(branch, depth);
                }
                self.branches.push(Branch { left, tip: at });
                (self.branches.len() - 1) as u32
            }
        };
        self.branches[branch as usize].tip = at;
        let known = &mut self.actors[own.actor as usize];
        if known.branches.last() != Some(&branch) && !known.branches.contains(&branch) {
            known.branches.push(branch);
        }
        let place = match known.ops.last() {
            Some(last) if at_block(&self.nodes, *last).first > own.first => known
                .ops
                .partition_point(|other| at_block(&self.nodes, *other).first <= own.first),
            _ => known.ops.len(),
        };
        known.ops.insert(place, at);
        if self.nodes.last().is_none_or(|block| block.len() == BLOCK) {
            self.nodes.push(Vec::with_capacity(BLOCK));
        }
        let block = self.nodes.last_mut().expect("a block with room is there");
        self.len += 1;
        block.push(Node {
            hash: own.hash,
            first: own.first,
            count: own.count,
            lamport,
            actor: own.actor,
            branch,
            depth,
            prev,
            deps,
            past: clock,
            need: own.need,
            more: own.more.map(Arc::new),
            data,
            valid: own.judged.0,
            standing: own.judged.1,
            needed: own.needed.0,
            needed_next: own.needed.1,
        });
    }

    /// Before the first op.
    pub(crate) fn begin(&mut self, album: AlbumId) {
        self.album = Some(album);
    }

    /// Adds a node from a checkpoint: its data are `from..to` of [`Graph::base`]. Order of
    /// hashes and tips are the caller's.
    pub(crate) fn hang_again(&mut self, own: Own, prev: Option<u32>, deps: Deps, (from, to): (u32, u32)) {
        let clock = self.past(prev, &deps).clock;
        self.hang(own, prev, deps, clock, Data::Base { from, to });
    }

    /// The first thing in which two graphs differ, wherever their data lie.
    pub(crate) fn differs(&self, other: &Graph) -> Option<String> {
        let branches = 0..self.branches.len().max(other.branches.len()) as u32;
        let one = |graph: &Graph, at: u32| {
            let node = graph.node(at).clone();
            let clock: Vec<u32> = branches.clone().map(|branch| node.past.get(branch)).collect();
            let judged = (
                node.need,
                node.valid,
                node.standing,
                node.needed,
                node.needed_next,
            );
            let place = (
                node.first,
                node.count,
                node.lamport,
                node.actor,
                node.branch,
                node.depth,
            );
            let parents = (node.prev, &*node.deps, clock);
            format!(
                "{:?} {place:?} {parents:?} {judged:?} {:?} {:?}",
                node.hash.hex(),
                node.more,
                graph.data(at)
            )
        };
        if self.len != other.len {
            return Some(format!("{} and {} ops", self.len, other.len));
        }
        if let Some(at) = self.numbers().find(|at| one(self, *at) != one(other, *at)) {
            return Some(format!("op {at}: {} and {}", one(self, at), one(other, at)));
        }
        let parts = [
            ("album", self.album == other.album),
            ("order of hashes", self.by_hash == other.by_hash),
            ("odd texts", self.odd == other.odd),
            (
                "actors",
                self.actors == other.actors && self.by_actor == other.by_actor,
            ),
            ("branches", self.branches == other.branches),
            (
                "users",
                self.users == other.users && self.by_user == other.by_user,
            ),
            ("tips", self.tips == other.tips),
        ];
        parts
            .iter()
            .find(|(_, same)| !same)
            .map(|(what, _)| (*what).to_owned())
    }

    pub(crate) fn set_more(&mut self, at: u32, more: More) {
        self.node_mut(at).more = Some(Arc::new(more));
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
        self.known_actor(op.header.actor, user, intro)
    }

    pub(crate) fn known_actor(&mut self, id: ActorId, user: u32, intro: Intro) -> u32 {
        *self.by_actor.entry(id).or_insert_with(|| {
            self.actors.push(Actor {
                id,
                user,
                bucket: bucket(&id.0),
                intro,
                branches: Vec::new(),
                ops: Vec::new(),
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
            for at in &actor.ops {
                let node = self.node(*at);
                siblings
                    .entry((number as u32, node.prev))
                    .or_default()
                    .insert(node.hash);
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

fn at_block(nodes: &[Vec<Node>], at: u32) -> &Node {
    &nodes[at as usize / BLOCK][at as usize % BLOCK]
}

/// The first 8 bytes of a hash, in the hashes' order.
pub(crate) fn prefix(hash: &[u8]) -> u64 {
    u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default())
}

type WrittenBlock = OnceLock<Box<[OnceLock<Arc<Op>>]>>;

/// Ops that were written again for those who look at many of them; gone with the next edit.
#[derive(Debug, Default)]
struct Written(OnceLock<Box<[WrittenBlock]>>);

impl Clone for Written {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What a node does not take from its parents.
pub(crate) struct Own {
    pub(crate) hash: HeaderHash,
    pub(crate) first: u64,
    pub(crate) count: u16,
    pub(crate) actor: u32,
    pub(crate) need: Role,
    /// Whether it is valid, and whose it is.
    pub(crate) judged: (bool, Standing),
    /// [`Node::needed`] and [`Node::needed_next`].
    pub(crate) needed: (u32, u32),
    pub(crate) more: Option<More>,
}

/// Where an op hangs in the graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parents {
    pub(crate) prev: Option<u32>,
    pub(crate) deps: Deps,
    pub(crate) past: Past,
}
