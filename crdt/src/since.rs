//! What came after a point of receipt: for who was away and wants to know what happened meanwhile.

use crate::album::{Album, FactId};
use crate::fact::Fact;
use crate::graph::FactAt;
use crate::id::UserId;
use crate::packed::Class;
use crate::view::Element;

impl Album {
    /// Number of ops received, valid or held. It only grows, and ops stored in their order of receipt give the same again.
    pub fn received(&self) -> u64 {
        self.graph.len() as u64
    }

    /// The live facts of ops received after the first `count`, with their users, in the order of receipt.
    pub fn live_after(&self, count: u64) -> impl Iterator<Item = (UserId, Element)> + '_ {
        let new = move |at: &FactAt| u64::from(at.node) >= count;
        let mut facts: Vec<FactAt> = self.live.tree.all().filter(new).collect();
        facts.sort_unstable();
        facts.into_iter().map(|at| (self.user_of(at), self.element(at)))
    }

    /// Images of the first `count` ops that a later op removed, with the user who did, in the order of receipt; each
    /// once.
    pub fn images_removed_after(&self, count: u64) -> impl Iterator<Item = (UserId, FactId)> + '_ {
        let mut seen = std::collections::BTreeSet::new();
        let later = self.graph.numbers().filter(move |at| u64::from(*at) >= count);
        let kills = later.filter(|at| self.graph.node(*at).valid).flat_map(|at| {
            let user = self.graph.users[self.graph.user_of(at) as usize];
            self.graph
                .node(at)
                .kills()
                .iter()
                .map(move |killed| (user, *killed))
        });
        kills.filter_map(move |(user, at)| {
            let was_here = u64::from(at.node) < count && self.graph.node(at.node).valid;
            let gone = self.graph.packed(at).class() == Class::Image && !self.is_live(at);
            (was_here && gone && seen.insert(at)).then(|| (user, self.fact_id(at)))
        })
    }

    /// Who let a member in, and when by that clock (ms since 1970): of the grants in force the oldest; the owner himself
    /// with the album's beginning. None where only a change of role names the user.
    pub fn admission(&self, user: &UserId) -> Option<(UserId, u64)> {
        let number = self.graph.user(user)?;
        if self.rights.owner() == Some(number) {
            let Fact::Genesis { at, .. } = self.graph.fact(FactAt {
                node: self.genesis?,
                place: 0,
            }) else {
                return None;
            };
            return Some((*user, at));
        }
        let grants = self
            .rights
            .grants(number)
            .map(|(node, place)| FactAt { node, place });
        let oldest = grants.min_by_key(|grant| self.graph.order(*grant))?;
        match self.graph.fact(oldest) {
            Fact::Grant { at, .. } => Some((self.user_of(oldest), at)),
            _ => None,
        }
    }
}
