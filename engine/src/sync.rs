//! Anti-entropy: one round with one peer about one album (docs/protocol.md §6).
//!
//! hello → where the heads differ: tree, its differing nodes, heads of the differing leaves, ops back from the heads
//! that are unknown here, refs for what those still lack → hello again until nothing new comes. A round pulls only; the
//! peer, told by the hello that something differs, pulls for itself.

use std::collections::BTreeSet;

use crdt::id::{ActorId, AlbumId, Digest, HeaderRef, PublicKey};

use crate::event::AskId;
use crate::limits::{LEAVES_MAX, RETRY_MS, ROUND_MS, WANTS_MAX};
use crate::links::{Purpose, shared};
use crate::wire::{Answer, Call, Head, Want, decode_answer};
use crate::Engine;

/// Where anti-entropy with one peer about one album stands.
#[derive(Default)]
pub(crate) struct Round {
    due: Option<u64>,
    step: Option<Step>,
    /// Their roots as they last told them.
    theirs: Option<(Digest, Digest)>,
    /// Both sides' roots when the last round ended without anything new.
    settled: Option<(Digest, Digest)>,
    /// New ops in the running round.
    gained: usize,
    /// A comparison that somebody waits for has not been made yet.
    unsure: bool,
}

impl Round {
    /// When the next round is due; nothing while one is running.
    pub(crate) fn due(&self) -> Option<u64> {
        if self.step.is_some() { None } else { self.due }
    }
}

/// Where a replica stands with a linked peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Roots equal when last told, nothing under way.
    Equal,
    /// Roots differ, a round is under way, or one was asked for and not yet answered.
    Unsure,
}

/// What the running request of a round asked, and what is left to ask.
enum Step {
    Hello,
    Tree,
    Node { at: u8, nodes: Vec<u8>, leaves: Vec<u16> },
    Heads { left: Vec<u16>, found: Vec<Head> },
    Ops { asked: Vec<Want>, left: Vec<Want>, more: bool, before: usize },
    Refs { asked: BTreeSet<(ActorId, u64, HeaderRef)> },
}

impl Engine {
    /// A round with this peer within `wait` milliseconds.
    pub(crate) fn sync_soon(&mut self, now: u64, album: AlbumId, peer: PublicKey, wait: u64) {
        if !self.config.anti_entropy {
            return;
        }
        if let Some(round) = self.links.round(&peer, album) {
            round.due = Some(round.due.map_or(now + wait, |due| due.min(now + wait)));
        }
    }

    /// A round with every linked member.
    pub(crate) fn sync_everywhere(&mut self, now: u64, album: AlbumId) {
        let Some(replica) = self.albums.get(&album) else { return };
        let peers: Vec<_> =
            self.links.all().filter(|(_, user)| shared(&replica.album, user)).map(|(peer, _)| peer).collect();
        for peer in peers {
            self.sync_soon(now, album, peer, 0);
            self.transfer.link_up(now, peer, album);
        }
    }

    /// Compares with every linked member anew; [`Engine::standing`] tells how it goes.
    pub fn compare(&mut self, now: u64, album: AlbumId) {
        self.sync_everywhere(now, album);
        for (peer, _) in self.links.all().collect::<Vec<_>>() {
            if let Some(round) = self.links.round(&peer, album).filter(|round| round.due.is_some()) {
                round.unsure = true;
            }
        }
        self.transfer.ask_again(now, album);
        self.sync_due(now);
        self.fetch_due(now);
    }

    /// Where this replica stands with each linked member of an album.
    pub fn standing(&self, id: &AlbumId) -> Vec<(PublicKey, Standing)> {
        let Some(replica) = self.albums.get(id) else { return Vec::new() };
        let mine = (replica.album.heads_root(), replica.album.facts_root());
        let members = self.links.all().filter(|(_, user)| shared(&replica.album, user));
        let standing = members.map(|(peer, _)| {
            let round = self.links.standing(&peer, id);
            let equal = round.is_some_and(|round| !round.unsure && round.step.is_none() && round.theirs == Some(mine));
            (peer, if equal { Standing::Equal } else { Standing::Unsure })
        });
        standing.collect()
    }

    /// Blobs of an album that some linked member holds, or has not said yet whether it holds them.
    pub fn obtainable(&self, album: &AlbumId) -> usize {
        self.transfer.obtainable(album)
    }

    /// Starts the rounds that are due.
    pub(crate) fn sync_due(&mut self, now: u64) {
        for (peer, album) in self.links.due(now) {
            self.say_hello(peer, album);
        }
    }

    fn say_hello(&mut self, peer: PublicKey, album: AlbumId) {
        let Some(replica) = self.albums.get(&album) else { return };
        let call = Call::Hello { album, heads: replica.album.heads_root(), facts: replica.album.facts_root() };
        if let Some(round) = self.links.round(&peer, album) {
            round.due = None;
            round.gained = 0;
        }
        self.step(peer, Step::Hello, &call);
    }

    fn step(&mut self, peer: PublicKey, step: Step, call: &Call) {
        self.ask(peer, Purpose::Round, call);
        if let Some(round) = self.links.round(&peer, call.album()) {
            round.step = Some(step);
        }
    }

    /// A peer said hello: if we differ, pull, unless this very difference was looked at already.
    pub(crate) fn heard_hello(&mut self, now: u64, peer: PublicKey, album: AlbumId, theirs: (Digest, Digest)) {
        let Some(replica) = self.albums.get(&album) else { return };
        let mine = (replica.album.heads_root(), replica.album.facts_root());
        let Some(round) = self.links.round(&peer, album) else { return };
        round.theirs = Some(theirs);
        let looked_at = round.settled == Some((mine.0, theirs.0));
        if mine != theirs && !looked_at {
            self.sync_soon(now, album, peer, 0);
        }
    }

    pub(crate) fn on_round_frame(&mut self, now: u64, ask: AskId, peer: PublicKey, album: AlbumId, frame: &[u8]) {
        let Ok(answer) = decode_answer(frame) else {
            self.count("answer_form");
            self.links.end(ask);
            return self.round_failed(now, peer, album);
        };
        let Some(replica) = self.albums.get(&album) else { return };
        let replica = &replica.album;
        let Some(round) = self.links.round(&peer, album) else { return };
        let misplaced = match (&mut round.step, answer) {
            (_, Answer::Refused(_)) => {
                // A member who does not know us as one yet, or no longer: the next round will tell.
                round.theirs = None;
                true
            }
            (Some(Step::Hello), Answer::Roots { heads, facts }) => {
                round.theirs = Some((heads, facts));
                false
            }
            (Some(Step::Tree), Answer::Hashes(theirs)) => {
                let nodes = differing(&replica.tree_hashes(None), &theirs);
                round.step = Some(Step::Node { at: u8::MAX, nodes, leaves: Vec::new() });
                false
            }
            (Some(Step::Node { at, leaves, .. }), Answer::Hashes(theirs)) if *at < 64 => {
                let differing = differing(&replica.tree_hashes(Some(*at)), &theirs);
                leaves.extend(differing.into_iter().map(|leaf| u16::from(*at) * 64 + u16::from(leaf)));
                false
            }
            (Some(Step::Heads { found, .. }), Answer::Heads(heads)) => {
                found.extend(heads.into_iter().filter(|(_, _, hash)| !replica.knows(hash)));
                false
            }
            (Some(Step::Ops { more, .. }), Answer::End { more: cut }) => {
                *more = cut;
                false
            }
            (Some(Step::Refs { .. }), Answer::End { .. }) => false,
            (Some(Step::Ops { .. } | Step::Refs { .. }), Answer::Ops(ops)) => {
                let taken = self.take_ops(now, album, ops, false);
                if let Some(round) = self.links.round(&peer, album) {
                    round.gained += taken.new;
                }
                false
            }
            _ => {
                self.count("answer_misplaced");
                true
            }
        };
        if misplaced {
            self.links.end(ask);
            self.round_failed(now, peer, album);
        }
    }

    /// The answer of the running step is complete: on to the next.
    pub(crate) fn on_round_ended(&mut self, now: u64, peer: PublicKey, album: AlbumId, whole: bool) {
        let Some(replica) = self.albums.get(&album) else { return };
        let replica = &replica.album;
        let mine = (replica.heads_root(), replica.facts_root());
        let Some(round) = self.links.round(&peer, album) else { return };
        let Some(step) = round.step.take().filter(|_| whole) else { return self.round_failed(now, peer, album) };
        match step {
            Step::Hello => match round.theirs {
                Some(theirs) if theirs.0 == mine.0 => self.round_over(now, peer, album),
                Some(_) => self.step(peer, Step::Tree, &Call::Tree { album, node: None }),
                None => self.round_failed(now, peer, album),
            },
            Step::Tree => self.round_failed(now, peer, album),
            Step::Node { mut nodes, leaves, .. } => match nodes.pop() {
                Some(at) => self.step(peer, Step::Node { at, nodes, leaves }, &Call::Tree { album, node: Some(at) }),
                None => self.ask_heads(now, peer, album, leaves, Vec::new()),
            },
            Step::Heads { left, found } => self.ask_heads(now, peer, album, left, found),
            Step::Ops { asked, left, more, before } => {
                let went_on = more && round.gained > before;
                self.after_ops(now, peer, album, asked, left, went_on);
            }
            Step::Refs { asked } => self.ask_refs(now, peer, album, &asked),
        }
    }

    fn ask_heads(&mut self, now: u64, peer: PublicKey, album: AlbumId, mut leaves: Vec<u16>, found: Vec<Head>) {
        if leaves.is_empty() {
            let Some(replica) = self.albums.get(&album) else { return };
            let wants = found.into_iter().map(|(actor, _, hash)| {
                let (last, forked) = replica.album.last_seq(&actor);
                (actor, hash, if forked { 0 } else { last })
            });
            let wants = wants.collect();
            return self.ask_ops(now, peer, album, wants);
        }
        let left = leaves.split_off(leaves.len().min(LEAVES_MAX));
        self.step(peer, Step::Heads { left, found }, &Call::Heads { album, leaves });
    }

    fn ask_ops(&mut self, now: u64, peer: PublicKey, album: AlbumId, mut wants: Vec<Want>) {
        if wants.is_empty() {
            return self.ask_refs(now, peer, album, &BTreeSet::new());
        }
        let left = wants.split_off(wants.len().min(WANTS_MAX));
        let before = self.links.standing(&peer, &album).map_or(0, |round| round.gained);
        let call = Call::Ops { album, want: wants.clone() };
        self.step(peer, Step::Ops { asked: wants, left, more: false, before }, &call);
    }

    /// After an answer with ops: on with what was cut off, then once more from the start for heads that stayed unknown
    /// because their branch leaves ours below `after`, then with the rest.
    fn after_ops(
        &mut self,
        now: u64,
        peer: PublicKey,
        album: AlbumId,
        asked: Vec<Want>,
        mut left: Vec<Want>,
        went_on: bool,
    ) {
        let Some(replica) = self.albums.get(&album) else { return };
        for (actor, hash, after) in asked {
            if replica.album.knows(&hash) {
                continue;
            }
            let (last, forked) = replica.album.last_seq(&actor);
            if went_on {
                left.push((actor, hash, if forked { after } else { last.max(after) }));
            } else if after > 0 {
                left.push((actor, hash, 0));
            }
        }
        self.ask_ops(now, peer, album, left);
    }

    /// Asks for deps of waiting ops by name, unless that was just done in vain.
    fn ask_refs(
        &mut self,
        now: u64,
        peer: PublicKey,
        album: AlbumId,
        before: &BTreeSet<(ActorId, u64, HeaderRef)>,
    ) {
        let Some(replica) = self.albums.get(&album) else { return };
        let missing = replica.album.missing().into_iter().take(WANTS_MAX);
        let missing: BTreeSet<_> = missing.map(|op| (op.actor, op.seq, op.header)).collect();
        if missing.is_empty() || missing == *before {
            return self.round_over(now, peer, album);
        }
        let call = Call::Refs { album, refs: missing.iter().copied().collect() };
        self.step(peer, Step::Refs { asked: missing }, &call);
    }

    fn round_over(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let again = self.jitter(ROUND_MS);
        let Some(replica) = self.albums.get(&album) else { return };
        let mine = replica.album.heads_root();
        let Some(round) = self.links.round(&peer, album) else { return };
        round.step = None;
        round.unsure = false;
        round.settled = round.theirs.map(|theirs| (mine, theirs.0));
        let wait = if round.gained > 0 { 0 } else { again };
        round.due = Some(round.due.map_or(now + wait, |due| due.min(now + wait)));
    }

    fn round_failed(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let again = self.jitter(RETRY_MS);
        if let Some(round) = self.links.round(&peer, album) {
            round.step = None;
            round.due = Some(now + again);
        }
    }

}

/// Where two sets of 64 hashes differ.
fn differing(mine: &[Digest; 64], theirs: &[Digest]) -> Vec<u8> {
    (0..64).zip(mine.iter().zip(theirs)).filter(|(_, (mine, theirs))| mine != theirs).map(|(at, _)| at).collect()
}

