//! Taking back a command: what it added and is still there goes, what it removed and nobody wanted away or brought back
//! meanwhile comes again, under a new dot.
//!
//! What an undo says again *stands for* what it had been, so that an older command finds its own through the undos
//! of later ones: the same text in an undo, of a fact that the undone command removed.

use std::collections::{BTreeMap, BTreeSet};

use crate::album::{Album, FactId};
use crate::author::Revision;
use crate::graph::FactAt;
use crate::history::{Command, Entry, Mark};
use crate::id::{BlobHash, FactHash, HeaderHash, PublicKey, UserId};
use crate::live;
use crate::packed::Class;

/// How a command is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// What is to be written; empty but for its mark where nothing is left of the command.
    pub revision: Revision,
    /// The command.
    pub command: Command,
    /// What of it is left as it is, and why.
    pub left: Vec<(Entry, Left)>,
}

/// Why a part of a command is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It added an image that is gone already.
    Gone,
    /// It removed an image that somebody added again.
    Here,
    /// It removed an image that somebody else removed too.
    Unwanted,
}

/// Why a command is not taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoError {
    /// The user gave no command on this device that is left to be undone.
    #[error("there is nothing to undo")]
    Nothing,
    /// No command begins with this op, or it says nothing that people would miss.
    #[error("there is no such command")]
    Unknown,
    /// Another user's.
    #[error("it is another's")]
    NotYours(Box<Command>),
    /// Undone before.
    #[error("it is undone already")]
    Undone(Box<Command>),
    /// None of it is valid.
    #[error("it is held")]
    Held(Box<Command>),
    /// It says who may do what. Such facts are never removed, and none is the opposite of another: a removal also holds
    /// what its subject does meanwhile.
    #[error("it changed who may do what")]
    Membership(Box<Command>),
}

impl Album {
    /// How to take back a user's command: that of this op, or the last one of a device that is not undone and no undo
    /// itself. Commands that are held as a whole are passed over, and so is the beginning of the album.
    pub fn undo(
        &self,
        user: &UserId,
        device: &PublicKey,
        which: Option<&HeaderHash>,
    ) -> Result<Undo, UndoError> {
        let wanted = which.map(|hash| self.graph.find(hash).ok_or(UndoError::Unknown));
        let wanted = wanted.transpose()?;
        // What the user did after the command: there his own later undos are.
        let mut since = Vec::new();
        for command in self.history() {
            let is_it = match wanted {
                Some(op) => command.ops.contains(&op),
                None => {
                    command.user == *user
                        && command.device == *device
                        && command.undoes.is_none()
                        && command.undone_by.is_none()
                        && !command.is_held()
                        && self.genesis != command.ops.first().copied()
                }
            };
            if is_it {
                since.reverse();
                return self.undo_command(user, command, &since);
            }
            if command.user == *user {
                since.push(command);
            }
        }
        Err(which.map_or(UndoError::Nothing, |_| UndoError::Unknown))
    }

    /// `since`: the user's later commands, the oldest first.
    fn undo_command(&self, user: &UserId, command: Command, since: &[Command]) -> Result<Undo, UndoError> {
        let all = |node: &u32| self.graph.facts_of(*node);
        let boxed = Box::new(command.clone());
        let is_membership = |at: FactAt| self.graph.packed(at).is_member();
        if command.user != *user {
            return Err(UndoError::NotYours(boxed));
        } else if command.undone_by.is_some() {
            return Err(UndoError::Undone(boxed));
        } else if command.is_held() {
            return Err(UndoError::Held(boxed));
        } else if command.ops.iter().flat_map(all).any(is_membership) {
            return Err(UndoError::Membership(boxed));
        }
        let valid = command.ops.iter().filter(|op| self.graph.node(**op).valid);
        let added: Vec<FactAt> = valid.clone().flat_map(all).collect();
        let removed: BTreeSet<FactAt> = valid
            .flat_map(|op| self.graph.node(*op).kills())
            .copied()
            .collect();
        let origins = self.origins(since);
        let mut stand_ins: BTreeMap<FactAt, Vec<FactAt>> = BTreeMap::new();
        for (at, origin) in &origins {
            stand_ins.entry(*origin).or_default().push(*at);
        }
        let mut removes = BTreeSet::new();
        let mut left = Vec::new();
        for at in added {
            let of_it: Vec<FactAt> = std::iter::once(at)
                .chain(stand_ins.get(&at).into_iter().flatten().copied())
                .filter(|at| self.is_live(*at))
                .collect();
            if of_it.is_empty() {
                left.extend(self.entry(at).map(|entry| (entry, Left::Gone)));
            }
            removes.extend(of_it);
        }
        // What came since, and is not to go: it is what the person has instead now.
        let came = |at: FactAt| {
            let origin = origins.get(&at).unwrap_or(&at).node;
            !removes.contains(&at) && !self.graph.sees(command.ops[0], origin)
        };
        let mut again = Vec::new();
        let mut votes: BTreeMap<BlobHash, FactAt> = BTreeMap::new();
        let mut name = None;
        let mut entries = BTreeSet::new();
        let highest = |one: Option<FactAt>, other: FactAt| match one {
            Some(one) if self.graph.order(one) > self.graph.order(other) => one,
            _ => other,
        };
        for at in removed {
            let own = self.graph.users[self.graph.user_of(at.node) as usize] == *user;
            // Dead through this command alone: what another removed too, he did not want.
            let others = self.killers_of(at) > self.killers_in(at, &command);
            if self.is_live(at) || !self.graph.node(at.node).valid {
                continue;
            }
            match self.graph.packed(at).class() {
                Class::Image => {
                    let keys = live::keys(&self.graph, at);
                    let here = self.live.of_file(&self.graph, &keys.hash).into_iter();
                    let here = here
                        .filter(|other| live::keys(&self.graph, *other).name == keys.name)
                        .any(&came);
                    let why = match (here, others) {
                        (true, _) => Some(Left::Here),
                        (false, true) => Some(Left::Unwanted),
                        _ => None,
                    };
                    match why {
                        Some(why) => left.extend(self.entry(at).map(|entry| (entry, why))),
                        None if entries.insert((keys.name, keys.hash)) => again.push(at),
                        None => {}
                    }
                }
                Class::Rating if own && !others => {
                    if let Some(file) = self.file_of(at) {
                        let vote = votes.remove(&file);
                        votes.insert(file, highest(vote, at));
                    }
                }
                Class::Album if !others => name = Some(highest(name, at)),
                _ => {}
            }
        }
        let came_as = |id: &FactId| self.find_fact(id).is_some_and(&came);
        votes.retain(|file, _| !self.rating_ids(user, file).iter().any(came_as));
        again.extend(votes.into_values());
        again.extend(name.filter(|_| !self.setting_ids().iter().any(came_as)));
        Ok(Undo {
            revision: Revision {
                again: again.into_iter().map(|at| self.fact_id(at)).collect(),
                removes: removes.into_iter().map(|at| self.fact_id(at)).collect(),
                mark: Mark::Undo(command.id),
            },
            command,
            left,
        })
    }

    /// What the undos among the user's later commands said again, with what each of it stands for.
    fn origins(&self, since: &[Command]) -> BTreeMap<FactAt, FactAt> {
        let mut origins: BTreeMap<FactAt, FactAt> = BTreeMap::new();
        let later: BTreeMap<HeaderHash, &Command> =
            since.iter().map(|command| (command.id, command)).collect();
        for command in since {
            let Some(undone) = command.undoes.and_then(|id| later.get(&id)) else {
                continue;
            };
            let hash = |at: FactAt| self.graph.fact_hash(at);
            let mut texts: BTreeMap<FactHash, Vec<FactAt>> = BTreeMap::new();
            for at in undone.ops.iter().flat_map(|op| self.graph.node(*op).kills()) {
                texts.entry(hash(*at)).or_default().push(*at);
            }
            for at in command.ops.iter().flat_map(|node| self.graph.facts_of(*node)) {
                if let Some(said) = texts.get_mut(&hash(at)).and_then(Vec::pop) {
                    let origin = origins.get(&said).copied();
                    origins.insert(at, origin.unwrap_or(said));
                }
            }
        }
        origins
    }

    fn killers_in(&self, at: FactAt, command: &Command) -> u32 {
        let ops = command.ops.iter().map(|op| self.graph.node(*op));
        ops.filter(|op| op.valid && op.kills().contains(&at)).count() as u32
    }

    /// How to bring back images that are gone.
    pub fn restore(&self, images: &[FactId]) -> Option<Revision> {
        Some(Revision {
            again: images.to_vec(),
            removes: Vec::new(),
            mark: Mark::Restore(images.first()?.header),
        })
    }
}
