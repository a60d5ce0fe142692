//! Who may do what (docs/protocol.md §3), as pure functions of the graph and of the member facts in force.
//!
//! Rights look at pasts only. A removal wins over what it did not see and keeps what it saw, so the answer for an op
//! changes only when a member fact, an accept or a revoke arrives or loses its own validity. The order that makes
//! this no circle: revocations, the owner's facts, who is curator by them, all others.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::{Fact, Role};
use crate::graph::Graph;
use crate::header::OpRef;
use crate::id::PublicKey;

/// Whose op it is, for rule 4: facts of owners and curators are in force while their op is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Member,
    Curator,
    Owner,
}

/// A grant, a limit or both, in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct MemberFact {
    op: u32,
    place: u16,
    role: Role,
    /// A `role` fact; a `grant` limits nothing.
    limit: bool,
    by_owner: bool,
}

/// A run of accepted ops, in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Accepted {
    op: u32,
    /// The newest op named.
    head: u32,
    /// Depth of the oldest op named.
    floor: u32,
    by_owner: bool,
}

/// What is in force about one user, and his ops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Member {
    facts: BTreeSet<MemberFact>,
    revokes: Vec<(PublicKey, u32)>,
    pub(crate) ops: Vec<u32>,
}

/// Whom a change of facts in force concerns.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Users whose ops must be judged again.
    pub(crate) ops: BTreeSet<u32>,
    /// Users whose present role may differ.
    pub(crate) present: BTreeSet<u32>,
}

/// The member facts in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rights {
    owner: Option<u32>,
    members: Vec<Member>,
    /// By actor.
    accepted: BTreeMap<u32, BTreeSet<Accepted>>,
}

impl Rights {
    pub(crate) fn set_owner(&mut self, user: u32) {
        self.owner = Some(user);
    }

    pub(crate) fn owner(&self) -> Option<u32> {
        self.owner
    }

    pub(crate) fn member(&mut self, user: u32) -> &mut Member {
        let user = user as usize;
        if self.members.len() <= user {
            self.members.resize_with(user + 1, Member::default);
        }
        &mut self.members[user]
    }

    /// Whether both hold the same; a user or an actor of whom nothing is in force is as good as none.
    pub(crate) fn same(&self, other: &Rights) -> bool {
        let user = |rights: &Rights, user: usize| rights.members.get(user).cloned().unwrap_or_default();
        let users = self.members.len().max(other.members.len());
        let accepted = |rights: &Rights| {
            let filled = rights
                .accepted
                .clone()
                .into_iter()
                .filter(|(_, runs)| !runs.is_empty());
            filled.collect::<Vec<_>>()
        };
        self.owner == other.owner
            && (0..users).all(|at| user(self, at) == user(other, at))
            && accepted(self) == accepted(other)
    }

    pub(crate) fn ops_of(&self, user: u32) -> &[u32] {
        self.members.get(user as usize).map_or(&[], |member| &member.ops)
    }

    pub(crate) fn is_revoked(&self, user: u32, device: &PublicKey) -> bool {
        self.revokes(user, device).next().is_some()
    }

    /// Revoked devices with their users.
    pub(crate) fn revoked(&self) -> impl Iterator<Item = (u32, PublicKey)> + '_ {
        (0u32..)
            .zip(&self.members)
            .flat_map(|(user, member)| member.revokes.iter().map(move |(device, _)| (user, *device)))
    }

    pub(crate) fn add_revoke(&mut self, user: u32, device: PublicKey, op: u32) {
        self.member(user).revokes.push((device, op));
    }

    /// Puts the member facts of `op` in force (`on`), or out of it. `fresh`: nothing has it in its past yet.
    pub(crate) fn set_force(&mut self, graph: &mut Graph, op: u32, on: bool, fresh: bool) -> Touched {
        let mut touched = Touched::default();
        let by_owner = self.owner == Some(graph.user_of(op));
        let members = graph.node(op).shared_members();
        for (place, fact) in &*members {
            let (user, role, limit) = match fact {
                Fact::Grant { user, role, .. } => (user, *role, false),
                Fact::Role { user, role, .. } => (user, *role, true),
                Fact::Accept { ops, .. } => {
                    for run in ops {
                        let reference = OpRef {
                            actor: run.actor,
                            seq: run.seq,
                            header: run.header,
                        };
                        let Some(head) = graph.resolve(&reference) else {
                            continue;
                        };
                        let floor = (graph.node(head).depth + 1).saturating_sub(run.count as u32);
                        let accepted = Accepted {
                            op,
                            head,
                            floor,
                            by_owner,
                        };
                        toggle(
                            self.accepted.entry(graph.node(head).actor).or_default(),
                            accepted,
                            on,
                        );
                        touched.ops.insert(graph.user_of(head));
                    }
                    continue;
                }
                _ => continue,
            };
            let user = graph.intern_user(user);
            if self.owner == Some(user) {
                continue; // The owner is owner, whatever anybody says.
            }
            let fact = MemberFact {
                op,
                place: *place,
                role,
                limit,
                by_owner,
            };
            toggle(&mut self.member(user).facts, fact, on);
            touched.present.insert(user);
            // A new grant speaks only for ops that see it, and none does yet.
            if limit || !fresh {
                touched.ops.insert(user);
            }
        }
        touched
    }

    /// Rule 4: whose op it is, by the owner's facts alone.
    pub(crate) fn standing(&self, graph: &Graph, op: u32) -> Standing {
        let user = graph.user_of(op);
        if self.owner == Some(user) {
            Standing::Owner
        } else if self.reaches(graph, user, Some(op), Role::Curator, true) {
            Standing::Curator
        } else {
            Standing::Member
        }
    }

    /// Rule 5, given the standing.
    pub(crate) fn is_valid(&self, graph: &Graph, op: u32, standing: Standing) -> bool {
        let node = graph.node(op);
        if node.is_revoke() {
            return true;
        }
        let user = graph.user_of(op);
        let enough = match standing {
            Standing::Owner => true,
            Standing::Curator => node.need <= Role::Curator,
            Standing::Member => {
                node.need <= Role::Contributor && self.reaches(graph, user, Some(op), node.need, false)
            }
        };
        enough && !self.is_held_by_revoke(graph, user, op)
    }

    /// Rule 3 for people: the role that an op of a member has.
    pub(crate) fn role_at(&self, graph: &Graph, op: u32) -> Role {
        let user = graph.user_of(op);
        [Role::Contributor, Role::Viewer]
            .into_iter()
            .find(|role| self.reaches(graph, user, Some(op), *role, false))
            .unwrap_or(Role::None)
    }

    /// The op and the role of the lowest limit below an op's need that it had not seen; of several, the first in the
    /// total order.
    pub(crate) fn limit_on(&self, graph: &Graph, op: u32) -> Option<(u32, Role)> {
        let need = graph.node(op).need;
        let facts = &self.members.get(graph.user_of(op) as usize)?.facts;
        let cuts = |fact: &&MemberFact| {
            fact.limit && fact.role < need && !graph.sees(fact.op, op) && !graph.sees(op, fact.op)
        };
        let limits = facts.iter().filter(cuts);
        let first = limits.min_by_key(|fact| (fact.role, graph.op_order(fact.op)))?;
        Some((first.op, first.role))
    }

    /// The role of a next op that sees everything.
    pub(crate) fn present(&self, graph: &Graph, user: u32) -> Role {
        if self.owner == Some(user) {
            return Role::Owner;
        }
        let reaches = |role, owner_only| self.reaches(graph, user, None, role, owner_only);
        if reaches(Role::Curator, true) {
            return Role::Curator;
        }
        [Role::Contributor, Role::Viewer]
            .into_iter()
            .find(|role| reaches(*role, false))
            .unwrap_or(Role::None)
    }

    /// The ops and places of the grants of a user that are in force, in order of receipt.
    pub(crate) fn grants(&self, user: u32) -> impl Iterator<Item = (u32, u16)> + '_ {
        let facts = self
            .members
            .get(user as usize)
            .into_iter()
            .flat_map(|member| &member.facts);
        facts.filter(|fact| !fact.limit).map(|fact| (fact.op, fact.place))
    }

    /// Whether a user was a member for one who saw what `op` saw: a grant of his there was not ended there.
    pub(crate) fn was_member(&self, graph: &Graph, user: u32, op: u32) -> bool {
        let Some(member) = self.members.get(user as usize) else {
            return false;
        };
        let seen = || member.facts.iter().filter(|fact| graph.sees(op, fact.op));
        let ends =
            |grant: &MemberFact| seen().any(|it| it.role == Role::None && !graph.sees(grant.op, it.op));
        seen().any(|grant| grant.role > Role::None && !ends(grant))
    }

    /// The op and place of the last limit on a user in force, in the total order, that no grant of his in force saw.
    pub(crate) fn last_limit(&self, graph: &Graph, user: u32) -> Option<(u32, u16)> {
        let facts = &self.members.get(user as usize)?.facts;
        let lifted = |limit: &MemberFact| {
            facts
                .iter()
                .any(|it| it.role > Role::None && graph.sees(it.op, limit.op))
        };
        let limits = facts.iter().filter(|fact| fact.limit && !lifted(fact));
        let last = limits.max_by_key(|fact| graph.op_order(fact.op))?;
        Some((last.op, last.place))
    }

    /// Users that any fact in force is about.
    pub(crate) fn named(&self) -> impl Iterator<Item = u32> + '_ {
        let named = |(user, member): (usize, &Member)| (!member.facts.is_empty()).then_some(user as u32);
        self.members.iter().enumerate().filter_map(named)
    }

    /// Rule 3 as a question: has `op` (or an imagined next one) at least this role? That is: is there a grant of that
    /// much in its past which no lower limit cuts?
    fn reaches(&self, graph: &Graph, user: u32, op: Option<u32>, role: Role, owner_only: bool) -> bool {
        let Some(member) = self.members.get(user as usize) else {
            return false;
        };
        let in_force = |fact: &&MemberFact| fact.by_owner || !owner_only;
        // The newest first: it is the one that mostly decides.
        member.facts.iter().rev().filter(in_force).any(|grant| {
            grant.role >= role
                && op.is_none_or(|op| graph.sees(op, grant.op))
                && !member.facts.iter().filter(in_force).any(|limit| {
                    limit.limit && limit.role < role && self.cuts(graph, limit, grant, op, owner_only)
                })
        })
    }

    fn cuts(
        &self,
        graph: &Graph,
        limit: &MemberFact,
        grant: &MemberFact,
        op: Option<u32>,
        owner_only: bool,
    ) -> bool {
        let same = limit.op == grant.op && limit.place == grant.place;
        !same
            && !graph.sees(grant.op, limit.op)
            && op.is_none_or(|op| {
                !graph.sees(limit.op, op)
                    && !self
                        .accepts_of(graph, op)
                        .any(|accept| (accept.by_owner || !owner_only) && graph.sees(accept.op, limit.op))
            })
    }

    /// The accepts in force that name `op`.
    fn accepts_of<'a>(&'a self, graph: &'a Graph, op: u32) -> impl Iterator<Item = &'a Accepted> + 'a {
        let node = graph.node(op);
        let runs = self.accepted.get(&node.actor).into_iter().flatten();
        runs.filter(move |run| run.floor <= node.depth && graph.on_chain(run.head, op))
    }

    fn revokes(&self, user: u32, device: &PublicKey) -> impl Iterator<Item = u32> + '_ {
        let device = *device;
        let all = self
            .members
            .get(user as usize)
            .into_iter()
            .flat_map(|member| &member.revokes);
        all.filter(move |(revoked, _)| *revoked == device)
            .map(|(_, op)| *op)
    }

    /// Rules 1 and 2. No revoke reaches a root actor: it is the root key that revokes.
    pub(crate) fn is_held_by_revoke(&self, graph: &Graph, user: u32, op: u32) -> bool {
        let intro = &graph.actors[graph.node(op).actor as usize].intro;
        if intro.is_root() || !self.is_revoked(user, &intro.device) {
            return false;
        }
        let unseen = |revoke: u32| !graph.sees(revoke, op);
        if self.owner == Some(user) {
            return self.revokes(user, &intro.device).any(unseen);
        }
        if self.accepts_of(graph, op).any(|accept| accept.by_owner) {
            return false;
        }
        let facts = self
            .members
            .get(user as usize)
            .into_iter()
            .flat_map(|member| &member.facts);
        let limits: BTreeSet<u32> = facts
            .filter(|fact| fact.limit && fact.by_owner && graph.sees(fact.op, op))
            .map(|fact| fact.op)
            .collect();
        if limits.is_empty() {
            return self.revokes(user, &intro.device).any(unseen);
        }
        // The text asks the minimal limits only. The others answer alike: their pasts hold those revokes too.
        let holds = |limit: &u32| {
            self.revokes(user, &intro.device)
                .any(|revoke| graph.sees(*limit, revoke) && unseen(revoke))
        };
        limits.iter().all(holds)
    }
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, item: T, on: bool) {
    if on {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}
