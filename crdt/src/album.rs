//! The replica of one album: receives ops, judges them, keeps the live facts and their digests.
//!
//! Its state is a function of the set of received ops, never of their order: receipt waits for an op's past, rights
//! look at pasts, and what a late member fact changes is judged again (`settle`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::admit::{self, Admitted};
use crate::change::Change;
use crate::fact::{Fact, Role};
use crate::graph::{FactAt, Graph};
use crate::header::OpRef;
use crate::id::{ActorId, AlbumId, HeaderHash, PublicKey, UserId};
use crate::live::Live;
use crate::name::clean_for_display;
use crate::op::{Op, Refusal, check_certificate, check_signature};
use crate::packed::Class;
use crate::rights::{Rights, Standing};
use crate::tree::Tree;
use crate::waiting::Waiting;

/// Where an op comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// From a peer: its signatures are verified.
    Verify,
    /// From this replica's own store, where it was verified before it was written: signatures are not checked again.
    Stored,
}

/// What became of an op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// Received, and after it those that had waited for it, in causal order.
    Received(Vec<Arc<Op>>),
    /// It waits for these. None named: for the album's genesis alone.
    Early {
        /// The parents that are not here.
        missing: Vec<OpRef>,
    },
    /// Received before.
    Duplicate,
    /// Refused for ever.
    Refused(Refusal),
}

/// Identity of a fact: its dot, and the header that gave it, since a forked actor may use a dot twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    /// The dot's actor.
    pub actor: ActorId,
    /// The dot's seq.
    pub seq: u64,
    /// The op it came in.
    pub header: HeaderHash,
}

/// Bytes of a head in the digest: actor ‖ last seq ‖ header hash.
pub(crate) const HEAD_ENTRY: usize = 16 + 8 + 32;

/// The replica of one album.
#[derive(Debug, Clone)]
pub struct Album {
    pub(crate) id: AlbumId,
    pub(crate) genesis: Option<u32>,
    pub(crate) graph: Graph,
    pub(crate) rights: Rights,
    waiting: Waiting,
    /// Received ops with a grant that names a user, valid or held: what membership on receipt asks.
    pub(crate) grants_received: BTreeMap<UserId, Vec<u32>>,
    /// How many valid ops remove a fact; absent: none.
    pub(crate) killers: BTreeMap<FactAt, u32>,
    pub(crate) live: Live,
    pub(crate) heads: Tree<u32, HEAD_ENTRY>,
    pub(crate) held: usize,
    refused: BTreeMap<&'static str, u64>,
    changes: Vec<Change>,
    pub(crate) roles: BTreeMap<u32, Role>,
    shown_name: String,
}

/// What one receipt moved, so that each change is told once, by its sum.
#[derive(Default)]
struct Moved {
    /// Facts, with whether they were live.
    facts: BTreeMap<FactAt, bool>,
    /// Ops, with whether they were heads.
    heads: BTreeMap<u32, bool>,
    /// Ops whose validity flipped.
    flips: Vec<u32>,
    /// Users whose role may have moved.
    users: BTreeSet<u32>,
}

impl Album {
    /// A replica that has nothing yet and waits for its genesis.
    pub fn empty(id: AlbumId) -> Album {
        Album {
            id,
            genesis: None,
            graph: Graph::default(),
            rights: Rights::default(),
            waiting: Waiting::default(),
            grants_received: BTreeMap::new(),
            killers: BTreeMap::new(),
            live: Live::new(),
            heads: Tree::new(),
            held: 0,
            refused: BTreeMap::new(),
            changes: Vec::new(),
            roles: BTreeMap::new(),
            shown_name: String::new(),
        }
    }

    /// Takes an op in: at once, later when its past is here, or never.
    pub fn receive(&mut self, op: Arc<Op>, trust: Trust) -> Receipt {
        if self.graph.find(&op.hash).is_some() {
            return Receipt::Duplicate;
        }
        let receipt = self.try_receive(op, trust == Trust::Stored);
        let Receipt::Received(mut received) = receipt else {
            return receipt;
        };
        let mut next = self.freed_by(&received);
        // A stack, the lowest on top: depth of the wait is no depth of calls.
        while let Some((op, checked)) = next.pop() {
            if let Receipt::Received(more) = self.try_receive(op, checked) {
                next.extend(self.freed_by(&more));
                received.extend(more);
            }
        }
        Receipt::Received(received)
    }

    fn freed_by(&mut self, received: &[Arc<Op>]) -> Vec<(Arc<Op>, bool)> {
        received.iter().flat_map(|op| self.waiting.freed_by(op)).collect()
    }

    /// One op, without those that wait for it.
    fn try_receive(&mut self, op: Arc<Op>, checked: bool) -> Receipt {
        match self.check_alone(&op, checked) {
            Err(refusal) => self.refuse(refusal),
            Ok(_) if self.waiting.contains(&op.hash) => Receipt::Early {
                missing: admit::missing(&self.graph, &op),
            },
            Ok(checked) => {
                let missing = admit::missing(&self.graph, &op);
                let is_early = !missing.is_empty() || (self.genesis.is_none() && !op.is_genesis());
                if is_early {
                    self.waiting.insert(op, checked, missing.first());
                    return Receipt::Early { missing };
                }
                match self.admit(&op) {
                    Ok(()) => Receipt::Received(vec![op]),
                    Err(refusal) => self.refuse(refusal),
                }
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Receipt {
        debug_assert!(Refusal::KINDS.contains(&refusal.kind()), "{refusal:?}");
        *self.refused.entry(refusal.kind()).or_default() += 1;
        Receipt::Refused(refusal)
    }

    /// What needs no past: the album, and the signatures as soon as the actor is known. Returns whether they are
    /// verified.
    pub(crate) fn check_alone(&self, op: &Op, checked: bool) -> Result<bool, Refusal> {
        let album = op.header.album.unwrap_or(AlbumId(op.hash.0));
        if album != self.id {
            return Err(Refusal::Album);
        }
        if checked {
            return Ok(true);
        }
        let known = || {
            self.graph
                .actor(&op.header.actor)
                .map(|at| self.graph.actors[at as usize].intro)
        };
        let Some(intro) = op.header.intro.or_else(known) else {
            return Ok(false);
        };
        check_signature(&intro.device, op.header_text(), &op.sig)?;
        check_certificate(&op.header)?;
        Ok(true)
    }

    /// What its past must show; all its parents are here.
    pub(crate) fn check_past(&self, op: &Op) -> Result<Admitted, Refusal> {
        let grants = |user: &UserId| self.grants_received.get(user).map_or(&[][..], Vec::as_slice);
        admit::check(&self.graph, op, self.owner(), grants)
    }

    fn admit(&mut self, op: &Op) -> Result<(), Refusal> {
        let admitted = self.check_past(op)?;
        let at = self
            .graph
            .intern(op, admitted.parents, admitted.need, admitted.kills);
        let user = self.graph.user_of(at);
        if op.is_genesis() {
            self.genesis = Some(at);
            self.rights.set_owner(user);
        }
        self.rights.member(user).ops.push(at);
        for text in &op.facts {
            self.note_grant(at, &text.fact);
        }
        self.held += 1;
        self.settle(at);
        let node = self.graph.node(at);
        if !node.valid && (node.count > 0 || !node.kills().is_empty()) {
            self.changes.push(Change::Held { header: node.hash });
        }
        Ok(())
    }

    /// A fact of a received op, of which grants are noted.
    pub(crate) fn note_grant(&mut self, at: u32, fact: &Fact) {
        match fact {
            Fact::Grant { user, .. } => self.grants_received.entry(*user).or_default().push(at),
            Fact::Role { user, role, .. } if *role != Role::None => {
                self.grants_received.entry(*user).or_default().push(at);
            }
            _ => {}
        }
    }

    /// Judges a new op, and again what its member facts concern, in the order of docs/protocol.md §3: revocations,
    /// owner, curators, the others.
    fn settle(&mut self, fresh: u32) {
        let mut moved = Moved::default();
        let author = self.graph.user_of(fresh);
        // Users to be judged through all stages, and those whose role by curators' facts may differ.
        let (mut wide, mut narrow) = (BTreeSet::new(), BTreeSet::new());
        for (_, fact) in self.graph.node(fresh).members() {
            if let Fact::Revoke { device, .. } = fact {
                self.rights.add_revoke(author, *device, fresh);
                wide.insert(author);
            }
        }
        let owner = self.rights.owner();
        for at in self.again(fresh, &wide, |user| owner == Some(user)) {
            self.graph.node_mut(at).standing = Standing::Owner;
            let valid = self.rights.is_valid(&self.graph, at, Standing::Owner);
            if self.set_valid(at, valid, &mut moved) {
                wide.extend(self.force(at, valid, fresh, &mut moved));
            }
        }
        let mut others = Vec::new();
        for at in self.again(fresh, &wide, |user| owner != Some(user)) {
            let node = self.graph.node(at);
            let was_in_force = node.valid && node.standing == Standing::Curator;
            let standing = self.rights.standing(&self.graph, at);
            self.graph.node_mut(at).standing = standing;
            let valid = standing == Standing::Curator && self.rights.is_valid(&self.graph, at, standing);
            if standing == Standing::Curator {
                self.set_valid(at, valid, &mut moved);
            } else {
                others.push(at);
            }
            if valid != was_in_force {
                narrow.extend(self.force(at, valid, fresh, &mut moved));
            }
        }
        let members = narrow.iter().flat_map(|user| self.rights.ops_of(*user)).copied();
        let members = members.filter(|at| self.graph.node(*at).standing == Standing::Member);
        others.extend(members);
        for at in others {
            let valid = self.rights.is_valid(&self.graph, at, Standing::Member);
            self.set_valid(at, valid, &mut moved);
        }
        self.apply(moved);
    }

    /// The new op and all ops of the touched users, where their users pass.
    fn again(&self, fresh: u32, touched: &BTreeSet<u32>, pass: impl Fn(u32) -> bool) -> Vec<u32> {
        let old = touched
            .iter()
            .filter(|user| pass(**user))
            .flat_map(|user| self.rights.ops_of(*user));
        let fresh = pass(self.graph.user_of(fresh)).then_some(fresh);
        let mut all: Vec<u32> = old.copied().chain(fresh).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Puts an op's member facts in or out of force; returns whose ops to judge again.
    fn force(&mut self, at: u32, on: bool, fresh: u32, moved: &mut Moved) -> BTreeSet<u32> {
        let touched = self.rights.set_force(&mut self.graph, at, on, at == fresh);
        moved.users.extend(touched.present);
        touched.ops
    }

    fn set_valid(&mut self, at: u32, valid: bool, moved: &mut Moved) -> bool {
        let node = self.graph.node_mut(at);
        let flips = node.valid != valid;
        if flips {
            node.valid = valid;
            moved.flips.push(at);
        }
        flips
    }

    /// Carries flipped validity over to facts, killers, needed ops, digests and changes.
    fn apply(&mut self, mut moved: Moved) {
        let flips = std::mem::take(&mut moved.flips);
        // What was live is asked before any killer is counted: validity has flipped already, killers have not.
        for at in &flips {
            let node = self.graph.node(*at);
            for place in 0..node.count {
                let fact = FactAt { node: *at, place };
                moved
                    .facts
                    .insert(fact, !node.valid && !self.killers.contains_key(&fact));
            }
        }
        for at in flips {
            let valid = self.graph.node(at).valid;
            self.held = if valid { self.held - 1 } else { self.held + 1 };
            let header = self.graph.node(at).hash;
            self.changes.push(if valid {
                Change::Valid { header }
            } else {
                Change::Held { header }
            });
            for place in 0..self.graph.node(at).kills().len() {
                let fact = self.graph.node(at).kills()[place];
                self.count_killer(fact, valid, &mut moved);
            }
            self.count_needed(at, valid, &mut moved);
        }
        self.apply_heads(&moved);
        let renames = self.apply_facts(&moved);
        self.apply_people(&moved);
        if renames {
            self.rename();
        }
    }

    fn count_killer(&mut self, fact: FactAt, more: bool, moved: &mut Moved) {
        let was_live = self.is_live(fact);
        moved.facts.entry(fact).or_insert(was_live);
        let count = self.killers.entry(fact).or_default();
        *count = if more { *count + 1 } else { *count - 1 };
        if *count == 0 {
            self.killers.remove(&fact);
        }
    }

    /// Counts the op's own validity, and on along its parents as far as needed-ness flips.
    fn count_needed(&mut self, at: u32, more: bool, moved: &mut Moved) {
        let mut next = vec![at];
        while let Some(at) = next.pop() {
            let was_head = self.is_head(at);
            let node = self.graph.node_mut(at);
            let before = node.needed;
            node.needed = if more { before + 1 } else { before - 1 };
            if (before == 0) == (node.needed == 0) {
                continue;
            }
            let prev = node.prev;
            next.extend(prev.iter().chain(&*node.deps));
            moved.heads.entry(at).or_insert(was_head);
            if let Some(prev) = prev {
                let was_head = self.is_head(prev);
                moved.heads.entry(prev).or_insert(was_head);
                let before = &mut self.graph.node_mut(prev).needed_next;
                *before = if more { *before + 1 } else { *before - 1 };
            }
        }
    }

    fn apply_heads(&mut self, moved: &Moved) {
        for (at, was) in &moved.heads {
            let is = self.is_head(*at);
            let bucket = self.graph.actors[self.graph.node(*at).actor as usize].bucket;
            match (*was, is) {
                (false, true) => self.heads.insert(bucket, *at),
                (true, false) => self.heads.remove(bucket, *at),
                _ => {}
            }
        }
    }

    /// Returns whether the album's name may have moved.
    fn apply_facts(&mut self, moved: &Moved) -> bool {
        let mut renames = self.shown_name.is_empty();
        for (at, was) in &moved.facts {
            let is = self.is_live(*at);
            if *was != is {
                renames |= self.graph.packed(*at).class() == Class::Album;
                self.live.set(&self.graph, *at, is);
                let id = self.fact_id(*at);
                self.changes.push(if is {
                    Change::Live { id }
                } else {
                    Change::Dead { id }
                });
            }
        }
        renames
    }

    fn apply_people(&mut self, moved: &Moved) {
        for user in &moved.users {
            let before = self.roles.get(user).copied().unwrap_or(Role::None);
            let after = self.rights.present(&self.graph, *user);
            if before != after {
                self.roles.insert(*user, after);
                let user = self.graph.users[*user as usize];
                self.changes.push(Change::Role { user, before, after });
            }
        }
    }

    pub(crate) fn rename(&mut self) {
        let name = self.current_name();
        if name != self.shown_name {
            let before = std::mem::replace(&mut self.shown_name, name.clone());
            if !before.is_empty() {
                self.changes.push(Change::Renamed { before, after: name });
            }
        }
    }

    pub(crate) fn is_live(&self, at: FactAt) -> bool {
        self.graph.node(at.node).valid && !self.killers.contains_key(&at)
    }

    /// How many valid ops remove a fact.
    pub(crate) fn killers_of(&self, at: FactAt) -> u32 {
        self.killers.get(&at).copied().unwrap_or_default()
    }

    pub(crate) fn is_head(&self, at: u32) -> bool {
        let node = self.graph.node(at);
        node.needed > 0 && node.needed_next == 0
    }

    pub(crate) fn fact_id(&self, at: FactAt) -> FactId {
        FactId {
            actor: self.graph.actor_id(at.node),
            seq: self.graph.seq(at),
            header: self.graph.node(at.node).hash,
        }
    }

    /// The received fact of this identity.
    pub(crate) fn find_fact(&self, id: &FactId) -> Option<FactAt> {
        let node = self.graph.find(&id.header)?;
        let op = self.graph.node(node);
        let place = id.seq.checked_sub(op.first)?;
        let fits = self.graph.actor_id(node) == id.actor && place < u64::from(op.count);
        fits.then_some(FactAt {
            node,
            place: place as u16,
        })
    }

    fn current_name(&self) -> String {
        let set = self.live.settings.last().map(|at| self.graph.fact(*at));
        let first = self
            .genesis
            .map(|node| self.graph.fact(FactAt { node, place: 0 }));
        match set.or(first) {
            Some(Fact::Album { name, .. } | Fact::Genesis { name, .. }) => clean_for_display(&name),
            _ => String::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> AlbumId {
        self.id
    }

    /// Whether the genesis is here; nothing else is received before.
    pub fn has_genesis(&self) -> bool {
        self.genesis.is_some()
    }

    /// Its present name, fit to be shown; empty before the genesis.
    pub fn name(&self) -> &str {
        &self.shown_name
    }

    /// The owner, once the genesis is here.
    pub fn owner(&self) -> Option<UserId> {
        self.rights.owner().map(|user| self.graph.users[user as usize])
    }

    /// Number of ops received.
    pub fn op_count(&self) -> usize {
        self.graph.len()
    }

    /// Number of ops received whose text is kept, since it is not as this program spells it.
    pub fn odd_count(&self) -> usize {
        self.graph.odd_count()
    }

    /// Number of ops received and held.
    pub fn held_count(&self) -> usize {
        self.held
    }

    /// Number of ops that wait for their past.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of the ops that wait for their past.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    /// The ops that wait for their past.
    pub fn waiting_ops(&self) -> impl Iterator<Item = &Arc<Op>> {
        self.waiting.ops()
    }

    /// Parents of waiting ops that are neither here nor waiting themselves.
    pub fn missing(&self) -> BTreeSet<OpRef> {
        let waiting: BTreeSet<OpRef> = self.waiting.ops().map(|op| op.reference()).collect();
        let missing = self.waiting.ops().flat_map(|op| admit::missing(&self.graph, op));
        missing.filter(|reference| !waiting.contains(reference)).collect()
    }

    /// How many ops were refused since this replica was opened, by [`Refusal::kind`].
    pub fn refused(&self) -> &BTreeMap<&'static str, u64> {
        &self.refused
    }

    /// Pairs of headers of one actor with the same `prev`: proofs that a device's state was copied, or of a cheat.
    pub fn forks(&self) -> Vec<(HeaderHash, HeaderHash)> {
        self.graph.forks()
    }

    /// What changed since the last call.
    pub fn drain_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// A user's present role.
    pub fn role_of(&self, user: &UserId) -> Role {
        match self.graph.user(user) {
            Some(at) if self.rights.owner() == Some(at) => Role::Owner,
            Some(at) => self.roles.get(&at).copied().unwrap_or(Role::None),
            None => Role::None,
        }
    }

    /// Whether a user's present role is at least `need`.
    pub fn may(&self, user: &UserId, need: Role) -> bool {
        self.role_of(user) >= need
    }

    /// Whether an op that was received names this user a member, or he is the owner.
    pub(crate) fn was_named(&self, user: &UserId) -> bool {
        self.grants_received.contains_key(user) || self.owner() == Some(*user)
    }

    /// Whether a user's root has revoked one of his devices.
    pub fn device_revoked(&self, user: &UserId, device: &PublicKey) -> bool {
        self.graph
            .user(user)
            .is_some_and(|user| self.rights.is_revoked(user, device))
    }

    /// The role that a fact needs to be removed by `user`.
    pub fn remove_need(&self, id: &FactId, user: &UserId) -> Option<Role> {
        let at = self.find_fact(id)?;
        let author = self.graph.users[self.graph.user_of(at.node) as usize];
        Some(self.graph.packed(at).remove_need(author == *user))
    }
}
