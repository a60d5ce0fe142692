//! What happened in an album, for people: commands, the newest first, what each did, what it took back and whether it
//! was taken back itself.
//!
//! A *command* is what an author wrote at once: an op, and those behind it along `prev` whose `batch` names it
//! (docs/protocol.md §2). All of this is read from the ops, so every replica tells the same; nothing of it decides
//! anything. Ops without a word for people (merges of heads, chat) are no commands.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::OnceLock;

use crate::album::{Album, FactId};
use crate::fact::{Fact, Role};
use crate::graph::{FactAt, Graph};
use crate::id::{ActorId, BlobHash, HeaderHash, HeaderRef, PublicKey, UserId};
use crate::limits::{HASH_DIGITS_MIN, HISTORY_NAMES_MAX};
use crate::packed::Class;
use crate::rights::Standing;

/// What a command takes back, as the `batch` of its first op tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The author's own command that begins with this op.
    Undo(HeaderHash),
    /// The removal of images, the first of which came in this op.
    Restore(HeaderHash),
}

impl Mark {
    /// The header's `batch`: the op's short hash under a mask that can be taken off again.
    pub(crate) fn batch(&self) -> HeaderRef {
        match self {
            Mark::Undo(header) => masked(header.short(), 0),
            Mark::Restore(header) => masked(header.short(), 1),
        }
    }
}

fn masked(short: HeaderRef, mask: usize) -> HeaderRef {
    static MASKS: OnceLock<[[u8; 32]; 2]> = OnceLock::new();
    let masks = MASKS
        .get_or_init(|| ["calotype 1 undo", "calotype 1 restore"].map(|what| blake3::derive_key(what, b"")));
    let mut out = short.0;
    out.iter_mut()
        .zip(masks[mask])
        .for_each(|(byte, mask)| *byte ^= mask);
    HeaderRef(out)
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its first op, which names it.
    pub id: HeaderHash,
    /// Who gave it.
    pub user: UserId,
    /// On which device.
    pub device: PublicKey,
    /// The actor that wrote it.
    pub actor: ActorId,
    /// Its first op's lamport clock.
    pub lamport: u64,
    /// The author's clock, ms since 1970; none where nothing new was said (removals, what was said again).
    pub at: Option<u64>,
    /// The command of the same user that it takes back.
    pub undoes: Option<HeaderHash>,
    /// The command of the same user that takes it back, and stands itself.
    pub undone_by: Option<HeaderHash>,
    /// Those of its ops that are held, and why the first of them is.
    pub held: Option<Held>,
    /// Its ops.
    pub(crate) ops: Vec<u32>,
    /// Whether its images were in the album before.
    restores: bool,
}

impl Command {
    /// Number of its ops.
    pub fn op_count(&self) -> usize {
        self.ops.len()
    }

    /// Whether none of it has any effect.
    pub fn is_held(&self) -> bool {
        self.held.is_some_and(|held| held.ops == self.ops.len())
    }
}

/// That ops are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub ops: usize,
    /// Why.
    pub reason: HeldReason,
}

/// Why an op is held (docs/protocol.md §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldReason {
    /// Its device was revoked by one who had not seen it.
    Revoked,
    /// Its author's role does not reach.
    Role {
        /// What it takes.
        need: Role,
        /// What the author had.
        have: Role,
        /// Who limited the role without having seen the op, and to what.
        limit: Option<(UserId, Role)>,
    },
}

/// An entry of the album, as a command names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its identity.
    pub id: FactId,
    /// The name it was added under.
    pub name: String,
    /// Its file.
    pub hash: BlobHash,
    /// Of a version: what it was made from and how.
    pub version: Option<(BlobHash, String)>,
}

/// One thing that a command did. Lists have at most [`HISTORY_NAMES_MAX`] entries, `count` tells of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Began the album.
    Created {
        /// Its first name.
        name: String,
    },
    /// Added images.
    Added {
        /// The first ones.
        images: Vec<Entry>,
        /// How many in all.
        count: usize,
    },
    /// Brought images back.
    Restored {
        /// The first ones.
        images: Vec<Entry>,
        /// How many in all.
        count: usize,
    },
    /// Removed images.
    Removed {
        /// The first ones.
        images: Vec<Entry>,
        /// How many in all.
        count: usize,
    },
    /// Rated a file, or withdrew a rating.
    Rated {
        /// The file.
        image: BlobHash,
        /// Now; none: withdrawn.
        stars: Option<u8>,
        /// As the command found it.
        before: Option<u8>,
    },
    /// Named the album; none: took a name back.
    Renamed {
        /// The name.
        name: Option<String>,
    },
    /// Let a user in.
    Granted {
        /// Whom.
        user: UserId,
        /// As what.
        role: Role,
        /// The label given.
        name: String,
    },
    /// Changed a user's role, or ended a membership.
    Limited {
        /// Whose.
        user: UserId,
        /// To what.
        role: Role,
    },
    /// Accepted ops that were held.
    Accepted {
        /// How many, at most.
        ops: u64,
    },
    /// Ended a device.
    Revoked {
        /// Which.
        device: PublicKey,
    },
    /// Said or removed something that this program does not read.
    Other {
        /// How many facts.
        count: usize,
    },
}

/// The ops of a graph, the highest in the total order first. Parents are lower than their children, so a heap of what
/// hangs on the ops taken gives that order without sorting all of them.
struct Newest<'a> {
    graph: &'a Graph,
    heap: BinaryHeap<((u64, ActorId, HeaderHash), u32)>,
    seen: Vec<u64>,
}

impl<'a> Newest<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut all = Newest {
            graph,
            heap: BinaryHeap::new(),
            seen: vec![0; graph.len().div_ceil(64)],
        };
        graph.tips.iter().for_each(|tip| all.push(*tip));
        all
    }

    fn push(&mut self, at: u32) {
        let (word, bit) = (at as usize / 64, 1 << (at % 64));
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.heap.push((self.graph.op_order(at), at));
        }
    }
}

impl Iterator for Newest<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (_, at) = self.heap.pop()?;
        let node = self.graph.node(at);
        node.prev
            .iter()
            .chain(&*node.deps)
            .for_each(|parent| self.push(*parent));
        Some(at)
    }
}

/// The commands of an album, the newest first: by the total order of their first ops, which is a causal one.
pub struct History<'a> {
    album: &'a Album,
    newest: Newest<'a>,
    /// The later ops that were met, with the first op of their command.
    later: BTreeMap<u32, u32>,
    /// Of commands whose first op was not met yet: their later ops, the newest first.
    open: BTreeMap<u32, Vec<u32>>,
    /// First ops of commands that are undone, with those of the undos. Whatever undoes a command is above it in the
    /// order, so it was met before.
    undone: BTreeMap<u32, HeaderHash>,
}

impl Iterator for History<'_> {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        loop {
            let at = self.newest.next()?;
            let first = first_of(&self.album.graph, at, &mut self.later);
            if first != at {
                self.open.entry(first).or_default().push(at);
                continue;
            }
            let mut ops = self.open.remove(&at).unwrap_or_default();
            ops.push(at);
            ops.reverse();
            let mark = self.album.mark(at, &mut self.later);
            if let Some(command) = self.album.command(ops, mark, &self.undone) {
                let stands = command.undone_by.is_none() && self.album.graph.node(at).valid;
                let target = command.undoes.filter(|_| stands);
                if let Some(target) = target.and_then(|target| self.album.graph.find(&target)) {
                    self.undone.entry(target).or_insert(command.id);
                }
                return Some(command);
            }
        }
    }
}

/// The first op of an op's command: down along `prev` while each op's `batch` is that of the one before, or names it.
/// `known` remembers what was found, so that no chain is walked twice.
pub(crate) fn first_of(graph: &Graph, at: u32, known: &mut BTreeMap<u32, u32>) -> u32 {
    let (mut top, mut run) = (at, Vec::new());
    // `top` is settled so far; `run` are the ops between it and the one that the batch may name.
    'settled: loop {
        if let Some(first) = known.get(&top) {
            top = *first;
            break;
        }
        let Some(batch) = graph.node(top).batch() else {
            break;
        };
        let mut below = graph.node(top).prev;
        let from = run.len();
        run.push(top);
        while let Some(next) = below {
            let node = graph.node(next);
            if node.hash.short() == batch {
                top = next;
                continue 'settled;
            }
            if node.batch() != Some(batch) || known.get(&next) == Some(&next) {
                break;
            }
            run.push(next);
            below = node.prev;
        }
        // The batch names nothing near: each of these is a command of its own.
        known.extend(run.drain(from..).map(|alone| (alone, alone)));
        break;
    }
    known.extend(run.into_iter().map(|later| (later, top)));
    top
}

impl Album {
    /// What happened here, the newest first. Walks as far as it is asked.
    pub fn history(&self) -> History<'_> {
        History {
            album: self,
            newest: Newest::new(&self.graph),
            later: BTreeMap::new(),
            open: BTreeMap::new(),
            undone: BTreeMap::new(),
        }
    }

    /// The ops whose hash begins with these hex digits, 6 or more.
    pub fn ops_named(&self, digits: &str) -> Vec<HeaderHash> {
        let digits = digits.to_ascii_lowercase();
        if digits.len() < HASH_DIGITS_MIN {
            return Vec::new();
        }
        let Some(low) = HeaderHash::from_hex(&format!("{digits:0<64}")) else {
            return Vec::new();
        };
        let near = self.graph.hashes_from(&low.0);
        near.map(|at| self.graph.node(at).hash)
            .filter(|hash| hash.hex().starts_with(&digits))
            .collect()
    }

    /// The command of these ops; none where they say nothing that people would miss.
    fn command(
        &self,
        ops: Vec<u32>,
        mark: Option<Mark>,
        undone: &BTreeMap<u32, HeaderHash>,
    ) -> Option<Command> {
        let first = *ops.first()?;
        let speaks = |at: &u32| {
            let node = self.graph.node(*at);
            let said = self
                .graph
                .facts_of(*at)
                .map(|fact| self.graph.packed(fact).class());
            let removed = node.kills().iter().map(|fact| self.graph.packed(*fact).class());
            said.chain(removed).any(|class| class != Class::Chat)
        };
        if mark.is_none() && !ops.iter().any(speaks) {
            return None;
        }
        let node = self.graph.node(first);
        let actor = &self.graph.actors[node.actor as usize];
        let mut held = ops.iter().filter(|at| !self.graph.node(**at).valid);
        let held = held.next().map(|at| Held {
            ops: 1 + held.count(),
            reason: self.reason(*at),
        });
        Some(Command {
            id: node.hash,
            user: self.graph.users[actor.user as usize],
            device: actor.intro.device,
            actor: self.graph.actor_id(first),
            lamport: node.lamport,
            at: match mark {
                None => ops
                    .iter()
                    .flat_map(|at| self.graph.facts_of(*at))
                    .find_map(|at| clock(&self.graph.fact(at))),
                Some(_) => None,
            },
            undoes: match mark {
                Some(Mark::Undo(target)) => Some(target),
                _ => None,
            },
            undone_by: undone.get(&first).copied(),
            held,
            restores: mark.is_some(),
            ops,
        })
    }

    /// Whether an op's command takes something back, or brings it back.
    pub(crate) fn marks(&self, at: u32) -> bool {
        let mut known = BTreeMap::new();
        let first = first_of(&self.graph, at, &mut known);
        self.mark(first, &mut known).is_some()
    }

    /// What a first op's `batch` says, where what it names fits: an undo's command is the same user's and was seen.
    fn mark(&self, at: u32, later: &mut BTreeMap<u32, u32>) -> Option<Mark> {
        let batch = self.graph.node(at).batch()?;
        let near = |mask| {
            let short = masked(batch, mask);
            let seen = self
                .graph
                .near(&short.0)
                .find(|other| self.graph.node(*other).hash.short() == short && self.graph.sees(at, *other));
            seen.map(|other| (other, self.graph.node(other).hash))
        };
        if let Some((target, hash)) = near(0) {
            let own = self.graph.user_of(at) == self.graph.user_of(target);
            let is_first = first_of(&self.graph, target, later) == target;
            return (own && is_first).then_some(Mark::Undo(hash));
        }
        near(1).map(|(_, hash)| Mark::Restore(hash))
    }

    /// Why an op is held.
    pub(crate) fn reason(&self, at: u32) -> HeldReason {
        let user = self.graph.user_of(at);
        if self.rights.is_held_by_revoke(&self.graph, user, at) {
            return HeldReason::Revoked;
        }
        let node = self.graph.node(at);
        let limit = self.rights.limit_on(&self.graph, at);
        HeldReason::Role {
            need: node.need,
            have: match node.standing {
                Standing::Curator => Role::Curator,
                _ => self.rights.role_at(&self.graph, at),
            },
            limit: limit.map(|(op, role)| (self.graph.users[self.graph.user_of(op) as usize], role)),
        }
    }

    /// What a command did.
    pub fn deeds(&self, command: &Command) -> Vec<Deed> {
        let mut deeds = Vec::new();
        let (mut added, mut removed, mut other) = ((Vec::new(), 0), (Vec::new(), 0), 0);
        let mut votes: BTreeMap<BlobHash, (Option<u8>, Option<u8>)> = BTreeMap::new();
        let mut names = None;
        let entry = |at: FactAt, (images, count): &mut (Vec<Entry>, usize)| {
            *count += 1;
            if images.len() < HISTORY_NAMES_MAX {
                images.extend(self.entry(at));
            }
        };
        for node in &command.ops {
            for fact in self.graph.node(*node).kills() {
                match self.graph.packed(*fact).class() {
                    Class::Image => entry(*fact, &mut removed),
                    Class::Rating => match self.graph.fact(*fact) {
                        Fact::Rating { image, stars, .. } => votes.entry(image).or_default().0 = Some(stars),
                        _ => other += 1,
                    },
                    Class::Album => drop(names.get_or_insert(None)),
                    Class::Chat => {}
                    Class::Member | Class::Other => other += 1,
                }
            }
            for at in self.graph.facts_of(*node) {
                if self.graph.packed(at).class() == Class::Image {
                    entry(at, &mut added);
                    continue;
                }
                match self.graph.fact(at) {
                    Fact::Rating { image, stars, .. } => votes.entry(image).or_default().1 = Some(stars),
                    Fact::Album { name, .. } => names = Some(Some(name)),
                    Fact::Genesis { name, .. } => deeds.push(Deed::Created { name }),
                    Fact::Grant { user, role, name, .. } => deeds.push(match self.was_in(&user, *node) {
                        true => Deed::Limited { user, role },
                        false => Deed::Granted { user, role, name },
                    }),
                    Fact::Role { user, role, .. } => deeds.push(Deed::Limited { user, role }),
                    Fact::Revoke { device, .. } => deeds.push(Deed::Revoked { device }),
                    Fact::Accept { ops, .. } => deeds.push(Deed::Accepted {
                        ops: ops.iter().map(|run| run.count).sum(),
                    }),
                    Fact::Chat { .. } => {}
                    Fact::Image(_) | Fact::Opaque { .. } => other += 1,
                }
            }
        }
        let (images, count) = added;
        match count {
            0 => {}
            _ if command.restores => deeds.push(Deed::Restored { images, count }),
            _ => deeds.push(Deed::Added { images, count }),
        }
        let (images, count) = removed;
        if count > 0 {
            deeds.push(Deed::Removed { images, count });
        }
        deeds.extend(names.map(|name| Deed::Renamed { name }));
        let votes = votes.into_iter();
        deeds.extend(votes.map(|(image, (before, stars))| Deed::Rated { image, stars, before }));
        if other > 0 {
            deeds.push(Deed::Other { count: other });
        }
        deeds
    }

    fn was_in(&self, user: &UserId, op: u32) -> bool {
        let user = self.graph.user(user);
        user.is_some_and(|user| self.rights.was_member(&self.graph, user, op))
    }

    /// Whether a command added, removed or rated one of these files.
    pub fn concerns(&self, command: &Command, files: &[BlobHash]) -> bool {
        let is_one = |at: FactAt| self.file_of(at).is_some_and(|file| files.contains(&file));
        command.ops.iter().any(|node| {
            let op = self.graph.node(*node);
            op.kills().iter().any(|at| is_one(*at)) || self.graph.facts_of(*node).any(is_one)
        })
    }

    /// The file that an image or a rating speaks of.
    pub(crate) fn file_of(&self, at: FactAt) -> Option<BlobHash> {
        let packed = self.graph.packed(at);
        match packed.class() {
            Class::Image => packed.image_keys().map(|keys| keys.hash),
            Class::Rating => packed.rated(),
            _ => None,
        }
    }

    pub(crate) fn entry(&self, at: FactAt) -> Option<Entry> {
        let Fact::Image(image) = self.graph.fact(at) else {
            return None;
        };
        Some(Entry {
            id: self.fact_id(at),
            name: image.name,
            hash: image.hash,
            version: image.version.map(|version| (version.source, version.recipe)),
        })
    }
}

/// The author's clock in a fact.
pub(crate) fn clock(fact: &Fact) -> Option<u64> {
    match fact {
        Fact::Genesis { at, .. }
        | Fact::Grant { at, .. }
        | Fact::Role { at, .. }
        | Fact::Accept { at, .. }
        | Fact::Revoke { at, .. }
        | Fact::Album { at, .. }
        | Fact::Rating { at, .. }
        | Fact::Chat { at, .. } => Some(*at),
        Fact::Image(image) => Some(image.at),
        Fact::Opaque { .. } => None,
    }
}
