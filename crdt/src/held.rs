//! What is held, for people: commands that have no effect, whose they are, why, and what would accept them.
//!
//! Nothing here decides anything: an accept is judged like every op (docs/protocol.md §3).

use std::collections::{BTreeMap, BTreeSet};

use crate::album::Album;
use crate::fact::{AcceptRun, Fact, Role};
use crate::graph::FactAt;
use crate::history::{HeldReason, clock, first_of};
use crate::id::{HeaderHash, PublicKey, UserId};
use crate::limits::{ACCEPT_ENTRIES_MAX, ACCEPT_RUN_MAX, HISTORY_NAMES_MAX};
use crate::packed::Class;

/// The held ops of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCommand {
    /// The command's first op, which names it.
    pub id: HeaderHash,
    /// Whose.
    pub user: UserId,
    /// On which device.
    pub device: PublicKey,
    /// The author's clock, ms since 1970; none where nothing new was said.
    pub at: Option<u64>,
    /// Why the first of them is held.
    pub reason: HeldReason,
    /// The role that an accept of it takes; none where no accept helps: the author never had the role, or it is the
    /// owner's.
    pub accept: Option<Role>,
    /// What is in it.
    pub sums: HeldSums,
    /// Names of its images, at most [`HISTORY_NAMES_MAX`].
    pub names: Vec<String>,
    /// Its held ops, in the order of receipt.
    ops: Vec<u32>,
}

impl HeldCommand {
    /// Number of its ops that are held.
    pub fn op_count(&self) -> u64 {
        self.ops.len() as u64
    }
}

/// How much of what is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeldSums {
    /// Images and versions.
    pub images: u64,
    /// Ratings.
    pub ratings: u64,
    /// Chat lines.
    pub chat: u64,
    /// Facts that it would remove.
    pub removals: u64,
    /// Grants, changes of role, accepts.
    pub members: u64,
    /// Anything else.
    pub other: u64,
}

impl HeldSums {
    fn count(&mut self, class: Class) {
        let sum = match class {
            Class::Image => &mut self.images,
            Class::Rating => &mut self.ratings,
            Class::Chat => &mut self.chat,
            Class::Member => &mut self.members,
            Class::Album | Class::Other => &mut self.other,
        };
        *sum += 1;
    }
}

impl Album {
    /// What is held here, the newest in the total order first. Ops that say nothing (merges) are left out.
    pub fn held(&self) -> Vec<HeldCommand> {
        if self.held_count() == 0 {
            return Vec::new();
        }
        let held = self.graph.numbers().filter(|at| !self.graph.node(*at).valid);
        let (mut known, mut groups) = (BTreeMap::new(), BTreeMap::<u32, Vec<u32>>::new());
        for at in held {
            let first = first_of(&self.graph, at, &mut known);
            groups.entry(first).or_default().push(at);
        }
        self.held_commands(groups)
    }

    /// Those of these ops that are held, by command, the newest first.
    pub fn held_among(&self, ops: &BTreeSet<HeaderHash>) -> Vec<HeldCommand> {
        let (mut known, mut groups) = (BTreeMap::new(), BTreeMap::<u32, Vec<u32>>::new());
        let found = ops.iter().filter_map(|op| self.graph.find(op));
        let held: BTreeSet<u32> = found.filter(|at| !self.graph.node(*at).valid).collect();
        for at in held {
            let first = first_of(&self.graph, at, &mut known);
            groups.entry(first).or_default().push(at);
        }
        self.held_commands(groups)
    }

    fn held_commands(&self, groups: BTreeMap<u32, Vec<u32>>) -> Vec<HeldCommand> {
        let mut held: Vec<_> = groups
            .into_iter()
            .filter_map(|(first, ops)| Some((self.graph.op_order(first), self.held_command(first, ops)?)))
            .collect();
        held.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        held.into_iter().map(|(_, command)| command).collect()
    }

    fn held_command(&self, first: u32, ops: Vec<u32>) -> Option<HeldCommand> {
        let (mut sums, mut names, mut said) = (HeldSums::default(), Vec::new(), None);
        for at in &ops {
            sums.removals += self.graph.node(*at).kills().len() as u64;
            for fact in self.graph.facts_of(*at) {
                sums.count(self.graph.packed(fact).class());
                if names.len() < HISTORY_NAMES_MAX {
                    names.extend(self.entry(fact).map(|entry| entry.name));
                }
                said = said.or_else(|| self.clock_of(fact));
            }
        }
        if sums == HeldSums::default() {
            return None;
        }
        let actor = &self.graph.actors[self.graph.node(first).actor as usize];
        let (user, device) = (self.graph.users[actor.user as usize], actor.intro.device);
        let reason = self.reason(*ops.first()?);
        let need = ops.iter().map(|at| self.graph.node(*at).need).max();
        let is_owner = self.rights.owner() == Some(actor.user);
        let accept = match reason {
            HeldReason::Revoked if is_owner => None,
            HeldReason::Revoked => Some(Role::Owner),
            HeldReason::Role { limit: None, .. } => None,
            // A curator's accept gives nothing back that takes a curator.
            HeldReason::Role { .. } => match need {
                Some(Role::Owner) => None,
                Some(Role::Curator) => Some(Role::Owner),
                _ => Some(Role::Curator),
            },
        };
        Some(HeldCommand {
            id: self.graph.node(first).hash,
            user,
            device,
            at: said,
            reason,
            accept,
            sums,
            names,
            ops,
        })
    }

    /// The author's clock in a fact, unless its op says again what was said before.
    fn clock_of(&self, at: FactAt) -> Option<u64> {
        clock(&self.graph.fact(at)).filter(|_| !self.marks(at.node))
    }

    /// The facts that accept these commands: runs along each author's chain, as few as there are.
    pub fn accepts<'a>(&self, commands: impl IntoIterator<Item = &'a HeldCommand>, at_ms: u64) -> Vec<Fact> {
        let ops: BTreeSet<u32> = commands
            .into_iter()
            .flat_map(|it| it.ops.iter().copied())
            .collect();
        let prev = |at: u32| self.graph.node(at).prev.filter(|prev| ops.contains(prev));
        let inner: BTreeSet<u32> = ops.iter().filter_map(|at| prev(*at)).collect();
        let mut runs = Vec::new();
        for head in ops.difference(&inner) {
            let (mut head, mut next, mut count) = (*head, prev(*head), 1);
            while let Some(at) = next {
                if count == ACCEPT_RUN_MAX {
                    runs.push(self.run(head, count));
                    (head, count) = (at, 0);
                }
                (next, count) = (prev(at), count + 1);
            }
            runs.push(self.run(head, count));
        }
        let facts = runs.chunks(ACCEPT_ENTRIES_MAX).map(|some| Fact::Accept {
            ops: some.to_vec(),
            at: at_ms,
        });
        facts.collect()
    }

    fn run(&self, head: u32, count: u64) -> AcceptRun {
        let it = self.graph.reference(head);
        AcceptRun {
            actor: it.actor,
            seq: it.seq,
            header: it.header,
            count,
        }
    }

    /// How many images of held ops the album does not show.
    pub fn held_images(&self) -> u64 {
        if self.held_count() == 0 {
            return 0;
        }
        let held = self.graph.numbers().filter(|at| !self.graph.node(*at).valid);
        let facts = held.flat_map(|at| self.graph.facts_of(at));
        facts
            .filter(|at| self.graph.packed(*at).class() == Class::Image)
            .count() as u64
    }

    /// Of these commands, those that are held no more.
    pub fn freed<'a>(&self, commands: impl IntoIterator<Item = &'a HeldCommand>) -> Vec<HeaderHash> {
        let valid = |it: &&HeldCommand| it.ops.iter().all(|at| self.graph.node(*at).valid);
        commands.into_iter().filter(valid).map(|it| it.id).collect()
    }

    /// Who lowered a user's present role last, to what, and when by that clock (ms since 1970): of the limits in force
    /// that no grant of his saw.
    pub fn lowered(&self, user: &UserId) -> Option<(UserId, Role, u64)> {
        let number = self.graph.user(user)?;
        let (node, place) = self.rights.last_limit(&self.graph, number)?;
        match self.graph.fact(FactAt { node, place }) {
            Fact::Role { role, at, .. } => {
                Some((self.graph.users[self.graph.user_of(node) as usize], role, at))
            }
            _ => None,
        }
    }
}
