//! The album's invariants, computed a second time from nothing but the received ops: for debug builds, tests and the
//! simulation. What is kept incrementally must equal it after every op.

use std::collections::{BTreeMap, BTreeSet};

use crate::album::Album;
use crate::fact::{Fact, Role};
use crate::graph::FactAt;
use crate::id::BlobHash;
use crate::op::Op;
use crate::rights::{Rights, Standing};
use crate::tree::BUCKETS;

impl Album {
    /// Computes validity, killers, needed ops, heads, live facts, indices and roles anew, O(n), and compares.
    /// Names the first thing that differs.
    pub fn check_invariants(&self) -> Result<(), String> {
        let (rights, judged) = self.judged_anew();
        for (at, (standing, valid)) in &judged {
            let node = self.graph.node(*at);
            same(&format!("standing of op {at}"), &node.standing, standing)?;
            same(&format!("validity of op {at}"), &node.valid, valid)?;
        }
        let valid = |at: u32| judged.get(&at).is_some_and(|(_, valid)| *valid);
        same(
            "held ops",
            &self.held_count(),
            &self.graph.numbers().filter(|at| !valid(*at)).count(),
        )?;
        // The others' texts were looked at when they were the newest.
        self.check_text(self.graph.numbers().next_back())?;
        self.check_needed(valid)?;
        self.check_live(valid)?;
        for user in 0..self.graph.users.len() as u32 {
            let present = rights.present(&self.graph, user);
            same(
                "present role",
                &self.role_of(&self.graph.users[user as usize]),
                &present,
            )?;
        }
        Ok(())
    }

    /// §3 over all ops at once, in its order: revocations, owner, curators, the others.
    fn judged_anew(&self) -> (Rights, BTreeMap<u32, (Standing, bool)>) {
        let mut graph = self.graph.clone();
        let mut rights = Rights::default();
        if let Some(owner) = self.rights.owner() {
            rights.set_owner(owner);
        }
        for at in graph.numbers() {
            let user = graph.user_of(at);
            for (_, fact) in graph.node(at).members() {
                if let Fact::Revoke { device, .. } = fact {
                    rights.add_revoke(user, *device, at);
                }
            }
        }
        let mut judged = BTreeMap::new();
        for wanted in [Standing::Owner, Standing::Curator, Standing::Member] {
            // The facts of one stage go in force together, after all of it is judged.
            let mut in_force = Vec::new();
            for at in graph
                .numbers()
                .filter(|at| !judged.contains_key(at))
                .collect::<Vec<_>>()
            {
                let standing = rights.standing(&graph, at);
                if standing == wanted {
                    let valid = rights.is_valid(&graph, at, standing);
                    judged.insert(at, (standing, valid));
                    in_force.extend((valid && standing > Standing::Member).then_some(at));
                }
            }
            for at in in_force {
                rights.set_force(&mut graph, at, true, false);
            }
        }
        (rights, judged)
    }

    fn check_needed(&self, valid: impl Fn(u32) -> bool) -> Result<(), String> {
        let mut needed = BTreeSet::new();
        let mut next: Vec<u32> = self.graph.numbers().filter(|at| valid(*at)).collect();
        while let Some(at) = next.pop() {
            if needed.insert(at) {
                let node = self.graph.node(at);
                next.extend(node.prev.iter().chain(&*node.deps));
            }
        }
        let kept: BTreeSet<u32> = self
            .graph
            .numbers()
            .filter(|at| self.graph.node(*at).needed > 0)
            .collect();
        same("needed ops", &kept, &needed)?;
        let followed: BTreeSet<u32> = needed.iter().filter_map(|at| self.graph.node(*at).prev).collect();
        let heads: BTreeSet<u32> = needed.difference(&followed).copied().collect();
        same("heads", &self.heads.all().collect(), &heads)
    }

    fn check_live(&self, valid: impl Fn(u32) -> bool) -> Result<(), String> {
        let killers = self
            .graph
            .numbers()
            .filter(|at| valid(*at))
            .flat_map(|at| self.graph.node(at).kills());
        let dead: BTreeSet<FactAt> = killers.copied().collect();
        let facts = self
            .graph
            .numbers()
            .filter(|at| valid(*at))
            .flat_map(|node| (0..self.graph.node(node).count).map(move |place| FactAt { node, place }));
        let live: BTreeSet<FactAt> = facts.filter(|at| !dead.contains(at)).collect();
        same("live facts", &self.live.all(), &live)?;
        self.check_indices(&live)
    }

    /// Each index holds the live facts of its kind, in its order.
    fn check_indices(&self, live: &BTreeSet<FactAt>) -> Result<(), String> {
        let (mut names, mut files, mut previews) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut ratings, mut chat, mut settings) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for at in live {
            let place = (self.graph.order(*at), *at);
            match self.graph.fact(*at) {
                Fact::Image(image) => {
                    previews.extend(image.preview.map(|preview| (preview.hash, place)));
                    files.insert((image.hash, place));
                    names.insert((image.name, place));
                }
                Fact::Rating { image, .. } => {
                    ratings.insert((image, self.graph.user_of(at.node), place));
                }
                Fact::Chat { .. } => {
                    chat.insert(place);
                }
                Fact::Album { .. } => {
                    settings.insert(place);
                }
                _ => {}
            }
        }
        let of_ratings = self.live.ratings.values().flat_map(BTreeMap::values).flatten();
        let by_hash =
            |set: BTreeSet<(BlobHash, (_, FactAt))>| set.into_iter().map(|(_, (_, at))| at).collect();
        let anew: [Vec<FactAt>; 6] = [
            names.into_iter().map(|(_, (_, at))| at).collect(),
            by_hash(files),
            by_hash(previews),
            ratings.into_iter().map(|(_, _, (_, at))| at).collect(),
            chat.into_iter().map(|(_, at)| at).collect(),
            settings.into_iter().map(|(_, at)| at).collect(),
        ];
        let kept = [
            self.live.names.iter().collect(),
            self.live.images.iter().collect(),
            self.live.previews.iter().collect(),
            of_ratings.copied().collect(),
            self.live.chat.clone(),
            self.live.settings.clone(),
        ];
        same("indices", &kept, &anew)
    }

    /// Compares all that is kept of two replicas which received the same ops in one order; what waits, what was refused
    /// and what changed are no part of it. Names the first thing that differs.
    pub fn check_same(&self, other: &Album) -> Result<(), String> {
        if let Some(what) = self.graph.differs(&other.graph) {
            return Err(what);
        }
        let roles = |album: &Album| {
            let some = album.roles.iter().filter(|(_, role)| **role > Role::None);
            some.map(|(user, role)| (*user, *role)).collect::<Vec<_>>()
        };
        let lists = |album: &Album| {
            let live = &album.live;
            let indices = [&live.names, &live.images, &live.previews];
            let indices = indices.map(|index| index.slots().collect::<Vec<_>>());
            (
                indices,
                live.ratings.clone(),
                live.chat.clone(),
                live.settings.clone(),
            )
        };
        let buckets = || 0..BUCKETS as u16;
        let facts = |album: &Album| {
            buckets()
                .map(|at| album.live.tree.handles(at).to_vec())
                .collect::<Vec<_>>()
        };
        let heads = |album: &Album| {
            buckets()
                .map(|at| album.heads.handles(at).to_vec())
                .collect::<Vec<_>>()
        };
        same("genesis", &self.genesis, &other.genesis)?;
        same("rights", &self.rights.same(&other.rights), &true)?;
        same("grants", &self.grants_received, &other.grants_received)?;
        same("killers", &self.killers, &other.killers)?;
        same("lists", &lists(self), &lists(other))?;
        same("buckets of facts", &facts(self), &facts(other))?;
        same("buckets of heads", &heads(self), &heads(other))?;
        same(
            "numbers of facts and heads",
            &(self.live.tree.len(), self.heads.len()),
            &(other.live.tree.len(), other.heads.len()),
        )?;
        same("held", &self.held, &other.held)?;
        same("roles", &roles(self), &roles(other))?;
        same("name", &self.name(), &other.name())?;
        same("digest", &self.digest(), &other.digest())
    }

    /// Every op written again is what its text reads as, and its text has its hashes: O(n), with hashing.
    pub fn check_texts(&self) -> Result<(), String> {
        self.check_text(self.graph.numbers())
    }

    fn check_text(&self, numbers: impl IntoIterator<Item = u32>) -> Result<(), String> {
        for at in numbers {
            let op = self.graph.op(at);
            same(&format!("op {at}"), &Op::decode(op.bytes()).as_ref(), &Ok(&*op))?;
            same(&format!("hash of op {at}"), &op.hash, &self.graph.node(at).hash)?;
        }
        Ok(())
    }

    /// The role of every user that any op was received of or about, for comparing replicas.
    pub fn roles(&self) -> BTreeMap<crate::id::UserId, Role> {
        self.members()
            .filter(|member| member.role > Role::None)
            .map(|member| (member.user, member.role))
            .collect()
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, kept: &T, anew: &T) -> Result<(), String> {
    if kept == anew {
        Ok(())
    } else {
        Err(format!("{what}: kept {kept:?}, computed anew {anew:?}"))
    }
}
