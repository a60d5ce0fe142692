//! docs/protocol.md §3 and §4 a second time, word by word, in plain sets: no branches, clocks, counters or indices, and
//! none of the crate's judging code. Slow and meant to be read beside the text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::FactId;
use crdt::fact::{Fact, Role};
use crdt::header::{Intro, OpRef};
use crdt::id::{HeaderHash, UserId};
use crdt::op::Op;

/// Identity of fact `place` of an op.
pub fn fact_id(op: &Op, place: u64) -> FactId {
    FactId {
        actor: op.header.actor,
        seq: op.header.first + place,
        header: op.hash,
    }
}

type Ops = BTreeSet<HeaderHash>;

/// What a set of received ops says, by the text of docs/protocol.md.
pub struct Model {
    ops: BTreeMap<HeaderHash, Arc<Op>>,
    past: BTreeMap<HeaderHash, Ops>,
    intro: BTreeMap<HeaderHash, Intro>,
    owner: UserId,
    /// Facts of valid owner's ops, and these with those of valid curators' ops.
    by_owner: BTreeSet<FactId>,
    in_force: BTreeSet<FactId>,
    /// The ops that count.
    pub valid: Ops,
    /// The facts that show.
    pub live: BTreeSet<FactId>,
}

impl Model {
    /// Of ops that would all be received.
    pub fn of<'a>(ops: impl IntoIterator<Item = &'a Arc<Op>>) -> Model {
        let ops: BTreeMap<HeaderHash, Arc<Op>> = ops.into_iter().map(|op| (op.hash, op.clone())).collect();
        let genesis = ops.values().find(|op| op.is_genesis()).unwrap();
        let owner = genesis.header.intro.unwrap().user();
        let (past, intro, by_owner, in_force, valid, live) = Default::default();
        let mut model = Model {
            ops,
            past,
            intro,
            owner,
            by_owner,
            in_force,
            valid,
            live,
        };
        let mut order: Vec<Arc<Op>> = model.ops.values().cloned().collect();
        order.sort_by_key(|op| op.order());
        for op in &order {
            let prev = op.header.prev.into_iter();
            let parents: Ops = prev
                .chain(op.header.deps.iter().filter_map(|dep| model.resolve(dep)))
                .collect();
            let mut past = parents.clone();
            parents.iter().for_each(|parent| past.extend(&model.past[parent]));
            model.past.insert(op.hash, past);
            let intro = op
                .header
                .intro
                .unwrap_or_else(|| model.intro[&op.header.prev.unwrap()]);
            model.intro.insert(op.hash, intro);
        }
        model.judge(&order);
        model
    }

    fn resolve(&self, reference: &OpRef) -> Option<HeaderHash> {
        self.ops
            .values()
            .map(|op| op.hash)
            .find(|hash| hash.short() == reference.header)
    }

    /// The ops, in no order that means anything.
    pub fn ops(&self) -> impl Iterator<Item = &Arc<Op>> {
        self.ops.values()
    }

    /// The user who began the album.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// The present role of a user: that of an imagined next op of his that sees everything.
    pub fn role_of(&self, user: &UserId) -> Role {
        if *user == self.owner {
            return Role::Owner;
        }
        match self.present(user, &self.by_owner) {
            Role::Curator => Role::Curator,
            _ => self.present(user, &self.in_force).min(Role::Contributor),
        }
    }

    fn present(&self, user: &UserId, in_force: &BTreeSet<FactId>) -> Role {
        let (limits, grants) = (
            self.about(in_force, user, true),
            self.about(in_force, user, false),
        );
        let cut = grants.iter().map(|(grant, role)| {
            let stands = |limit: &FactId| limit != grant && !self.sees(&grant.header, &limit.header);
            let standing = limits.iter().filter(|(limit, _)| stands(limit));
            standing
                .map(|(_, role)| *role)
                .min()
                .unwrap_or(Role::Owner)
                .min(*role)
        });
        cut.max().unwrap_or(Role::None)
    }

    /// Valid ops and their past.
    pub fn needed(&self) -> BTreeSet<HeaderHash> {
        let pasts = self.valid.iter().flat_map(|hash| &self.past[hash]);
        pasts.chain(&self.valid).copied().collect()
    }

    /// Ops that an accept in force names.
    pub fn accepted(&self) -> BTreeSet<HeaderHash> {
        let accepts = self.accepts(&self.in_force).into_iter();
        accepts.flat_map(|(_, named)| named).collect()
    }

    /// Whether an op has another in its past.
    pub fn sees(&self, later: &HeaderHash, earlier: &HeaderHash) -> bool {
        self.past[later].contains(earlier)
    }

    /// The user who wrote an op.
    pub fn user(&self, op: &HeaderHash) -> UserId {
        self.intro[op].user()
    }

    fn judge(&mut self, order: &[Arc<Op>]) {
        let owners = |model: &Model| {
            order
                .iter()
                .filter(|op| model.user(&op.hash) == model.owner)
                .cloned()
                .collect()
        };
        let owners: Vec<Arc<Op>> = owners(self);
        // Rule 1.
        let valid: Ops = owners
            .iter()
            .map(|op| op.hash)
            .filter(|x| !self.owner_is_revoked(x))
            .collect();
        let by_owner = self.facts_of(&valid);
        // Pass 1.
        let others = order.iter().filter(|op| self.user(&op.hash) != self.owner);
        let (curators, members): (Vec<_>, Vec<_>) =
            others.partition(|op| self.role(&op.hash, &by_owner) == Role::Curator);
        let good_curators: Ops = curators
            .iter()
            .filter(|op| {
                self.is_revoke(op) || !self.is_revoked(&op.hash, &by_owner) && self.need(op) <= Role::Curator
            })
            .map(|op| op.hash)
            .collect();
        // Pass 2.
        let mut in_force = by_owner.clone();
        in_force.extend(self.facts_of(&good_curators));
        let good_members: Ops = members
            .iter()
            .filter(|op| {
                let role = self.role(&op.hash, &in_force).min(Role::Contributor);
                self.is_revoke(op) || !self.is_revoked(&op.hash, &by_owner) && role >= self.need(op)
            })
            .map(|op| op.hash)
            .collect();
        self.valid = valid
            .into_iter()
            .chain(good_curators)
            .chain(good_members)
            .collect();
        (self.by_owner, self.in_force) = (by_owner, in_force);
        self.live = self.live_facts();
    }

    fn is_revoke(&self, op: &Op) -> bool {
        op.facts
            .iter()
            .any(|text| matches!(text.fact, Fact::Revoke { .. }))
    }

    /// Revokes of the device that wrote x, by its user's root.
    fn revokes(&self, x: &HeaderHash) -> Vec<HeaderHash> {
        let intro = self.intro[x];
        let speaks = |op: &&Arc<Op>| {
            self.intro[&op.hash].root == intro.root
                && op
                    .facts
                    .iter()
                    .any(|text| matches!(text.fact, Fact::Revoke { device, .. } if device == intro.device))
        };
        if intro.is_root() {
            return vec![];
        }
        self.ops.values().filter(speaks).map(|op| op.hash).collect()
    }

    fn owner_is_revoked(&self, x: &HeaderHash) -> bool {
        self.revokes(x).iter().any(|revoke| !self.sees(revoke, x))
    }

    /// Rule 2.
    fn is_revoked(&self, x: &HeaderHash, by_owner: &BTreeSet<FactId>) -> bool {
        let user = self.user(x);
        if self.accepts(by_owner).iter().any(|(_, named)| named.contains(x)) {
            return false;
        }
        let limits: Ops = self
            .about(by_owner, &user, true)
            .into_iter()
            .map(|(l, _)| l.header)
            .collect();
        let seeing: Ops = limits.into_iter().filter(|l| self.sees(l, x)).collect();
        let minimal: Ops = seeing
            .iter()
            .filter(|l| !seeing.iter().any(|other| self.sees(l, other)))
            .copied()
            .collect();
        let revokes = self.revokes(x);
        let unseen = |revoke: &&HeaderHash| !self.sees(revoke, x);
        if minimal.is_empty() {
            return revokes.iter().any(|revoke| unseen(&revoke));
        }
        minimal.iter().all(|l| {
            revokes
                .iter()
                .filter(|revoke| self.sees(l, revoke))
                .any(|revoke| unseen(&revoke))
        })
    }

    /// Rule 3.
    fn role(&self, x: &HeaderHash, in_force: &BTreeSet<FactId>) -> Role {
        let user = self.user(x);
        if user == self.owner {
            return Role::Owner;
        }
        let accepts = self.accepts(in_force);
        let limits = self.about(in_force, &user, true);
        let grants = self.about(in_force, &user, false);
        let seen = grants.iter().filter(|(g, _)| self.sees(x, &g.header));
        let cut = seen.map(|(g, role)| {
            let standing = limits.iter().filter(|(l, _)| {
                let left_out = l == g
                    || self.sees(&g.header, &l.header)
                    || self.sees(&l.header, x)
                    || accepts
                        .iter()
                        .any(|(a, named)| self.sees(a, &l.header) && named.contains(x));
                !left_out
            });
            standing
                .map(|(_, role)| *role)
                .min()
                .unwrap_or(Role::Owner)
                .min(*role)
        });
        cut.max().unwrap_or(Role::None)
    }

    fn facts_of(&self, ops: &Ops) -> BTreeSet<FactId> {
        let of = |op: &Arc<Op>| {
            (0..op.header.count)
                .map(|place| fact_id(op, place))
                .collect::<Vec<_>>()
        };
        ops.iter().flat_map(|hash| of(&self.ops[hash])).collect()
    }

    fn fact(&self, id: &FactId) -> &Fact {
        let op = &self.ops[&id.header];
        &op.facts[(id.seq - op.header.first) as usize].fact
    }

    /// Limits on, or grants of, a user among these facts.
    fn about(&self, facts: &BTreeSet<FactId>, about: &UserId, limits: bool) -> Vec<(FactId, Role)> {
        let role = |id: &FactId| match self.fact(id) {
            Fact::Role { user, role, .. } if user == about && (limits || *role > Role::None) => {
                Some((*id, *role))
            }
            Fact::Grant { user, role, .. } if user == about && !limits => Some((*id, *role)),
            _ => None,
        };
        facts.iter().filter_map(role).collect()
    }

    /// Accepts with the ops that they name.
    fn accepts(&self, facts: &BTreeSet<FactId>) -> Vec<(HeaderHash, Ops)> {
        let named = |id: &FactId| {
            let Fact::Accept { ops, .. } = self.fact(id) else {
                return None;
            };
            let mut named = Ops::new();
            for run in ops {
                let mut next = self
                    .ops
                    .values()
                    .map(|op| op.hash)
                    .find(|hash| hash.short() == run.header);
                for _ in 0..run.count {
                    named.extend(next);
                    next = next.and_then(|hash| self.ops[&hash].header.prev);
                }
            }
            Some((id.header, named))
        };
        facts.iter().filter_map(named).collect()
    }

    /// Content facts only: a member fact under a named dot is passed over.
    fn kills(&self, op: &Op) -> Vec<FactId> {
        let mut kills = Vec::new();
        for run in &op.header.removes {
            for seq in run.first..run.first + run.count {
                let past = self.past[&op.hash].iter().map(|hash| &self.ops[hash]);
                let facts = past.flat_map(|op| (0..op.header.count).map(|place| fact_id(op, place)));
                let named = facts.filter(|id| id.actor == run.actor && id.seq == seq);
                kills.extend(named.filter(|id| !self.fact(id).is_member()));
            }
        }
        kills
    }

    fn need(&self, op: &Op) -> Role {
        let facts = op.facts.iter().map(|text| match &text.fact {
            Fact::Grant {
                role: Role::Curator, ..
            }
            | Fact::Role {
                role: Role::Curator, ..
            } => Role::Owner,
            Fact::Grant { .. } | Fact::Role { .. } | Fact::Accept { .. } => Role::Curator,
            Fact::Genesis { .. } | Fact::Album { .. } => Role::Owner,
            Fact::Rating { .. } | Fact::Chat { .. } | Fact::Revoke { .. } => Role::Viewer,
            Fact::Image(_) | Fact::Opaque { .. } => Role::Contributor,
        });
        let removes = self.kills(op).into_iter().map(|id| match self.fact(&id) {
            Fact::Album { .. } => Role::Owner,
            _ if self.user(&id.header) != self.user(&op.hash) => Role::Curator,
            Fact::Rating { .. } | Fact::Chat { .. } => Role::Viewer,
            _ => Role::Contributor,
        });
        facts.chain(removes).max().unwrap_or(Role::Viewer)
    }

    fn live_facts(&self) -> BTreeSet<FactId> {
        let dead: BTreeSet<FactId> = self
            .valid
            .iter()
            .flat_map(|hash| self.kills(&self.ops[hash]))
            .collect();
        self.facts_of(&self.valid).difference(&dead).copied().collect()
    }
}
