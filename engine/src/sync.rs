//! Anti-entropy: one round with one peer about one album (docs/protocol.md §6).
//!
//! hello → where the heads differ: tree, its differing nodes, heads of the differing leaves, ops back from the heads
//! that are unknown here, refs for what those still lack → hello again until nothing new comes. A round pulls only; the
//! peer, told by the hello that something differs, pulls for itself.
//!
//! A round ends whatever the peer says: each step takes what it asked for and no more, an answer is cut at
//! [`ANSWER_BYTES_MAX`], a round at [`STEPS_PER_ROUND_MAX`] requests, and a peer whose rounds bring nothing, or fail, is
//! left alone for a while.

use std::collections::{BTreeMap, BTreeSet};

use crdt::id::{ActorId, AlbumId, Digest, HeaderHash, HeaderRef, PublicKey};

use crate::Engine;
use crate::event::AskId;
use crate::limits::{
    ANSWER_BYTES_MAX, FREE_ROUNDS, HEADS_PER_ROUND_MAX, LEAVES_MAX, RETRY_MS, ROUND_MS, SETTLE_MS,
    STEPS_PER_ROUND_MAX, WANTS_MAX,
};
use crate::links::{Purpose, Terms};
use crate::wire::{Answer, Call, Head, decode_answer};

/// Where anti-entropy with one peer about one album stands.
#[derive(Default)]
pub(crate) struct Round {
    due: Option<u64>,
    /// The request under way and what it is for.
    step: Option<(AskId, Step)>,
    /// Bytes of its answer so far.
    answer_bytes: usize,
    /// Their roots as they last told them.
    theirs: Option<(Digest, Digest)>,
    /// Both sides' heads roots when the last round ended.
    settled: Option<(Digest, Digest)>,
    /// New ops in the running round.
    gained: usize,
    /// Requests of the running round.
    steps: usize,
    /// What the last look at differing heads showed.
    lag: Option<Lag>,
    /// A comparison that somebody waits for has not been made yet.
    unsure: bool,
    /// Rounds in a row that found a difference and brought nothing.
    barren: u32,
    /// Rounds in a row that failed.
    failed: u32,
    /// No round before that.
    rest_until: u64,
}

impl Round {
    /// When the next round is due; nothing while one is running.
    pub(crate) fn due(&self) -> Option<u64> {
        if self.step.is_some() { None } else { self.due }
    }

    /// The request under way.
    pub(crate) fn running(&self) -> Option<AskId> {
        self.step.as_ref().map(|(ask, _)| *ask)
    }
}

/// How far two replicas were apart when their heads were last compared, in changes: the facts of ops, or an op that has
/// none. What the peer says of itself; a liar may say anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// The peer has them, this replica has not.
    pub missing_here: u64,
    /// This replica has them, the peer has not.
    pub missing_there: u64,
}

/// Where a replica stands with a linked peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Roots equal when last told, nothing under way.
    Equal,
    /// Roots differ, a round is under way, or one was asked for and not yet answered.
    Unsure,
}

/// A head to be pulled.
#[derive(Clone, Copy)]
struct Pull {
    actor: ActorId,
    hash: HeaderHash,
    /// Ops up to this seq are not needed.
    after: u64,
    /// What came joins what is here: no reason to ask for what lies below `after`.
    joined: bool,
}

/// How far an actor's ops came in an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reach {
    /// The highest seq.
    pub(crate) last: u64,
    /// One of them follows an op that was here.
    pub(crate) joined: bool,
}

/// What the running request of a round asked, what came of it, and what is left to ask.
enum Step {
    Hello {
        told: bool,
    },
    Tree {
        nodes: Option<Vec<u8>>,
    },
    Node {
        at: u8,
        told: bool,
        nodes: Vec<u8>,
        leaves: Vec<u16>,
    },
    Heads {
        left: Vec<u16>,
        found: Vec<Head>,
        apart: Apart,
    },
    Ops {
        asked: Vec<Pull>,
        left: Vec<Pull>,
        reached: BTreeMap<ActorId, Reach>,
        more: Option<bool>,
    },
    Refs {
        asked: BTreeSet<(ActorId, u64, HeaderRef)>,
        ended: bool,
    },
}

/// The last seqs in the leaves that differ, ours and theirs.
#[derive(Default)]
struct Apart {
    ours: BTreeMap<ActorId, u64>,
    theirs: BTreeMap<ActorId, u64>,
}

impl Apart {
    fn add(seqs: &mut BTreeMap<ActorId, u64>, actor: ActorId, seq: u64) {
        if seqs.len() < HEADS_PER_ROUND_MAX || seqs.contains_key(&actor) {
            let last = seqs.entry(actor).or_default();
            *last = seq.max(*last);
        }
    }

    /// What `seqs` has beyond what `others` has; `known` tells what else they have of an actor.
    fn beyond(
        seqs: &BTreeMap<ActorId, u64>,
        others: &BTreeMap<ActorId, u64>,
        known: impl Fn(&ActorId) -> u64,
    ) -> u64 {
        let missing = seqs.iter().map(|(actor, seq)| {
            let has = others.get(actor).copied().unwrap_or(0).max(known(actor));
            seq.saturating_sub(has)
        });
        missing.fold(0, u64::saturating_add)
    }
}

impl Engine {
    /// A round with this peer within `wait` milliseconds.
    pub(crate) fn sync_soon(&mut self, now: u64, album: AlbumId, peer: PublicKey, wait: u64) {
        if !self.config.anti_entropy {
            return;
        }
        if let Some(round) = self.links.begin_round(&peer, album) {
            let at = (now + wait).max(round.rest_until);
            round.due = Some(round.due.map_or(at, |due| due.min(at)));
        }
    }

    /// A round with every linked member.
    pub(crate) fn sync_everywhere(&mut self, now: u64, album: AlbumId) {
        for peer in self.sharers(&album) {
            self.sync_soon(now, album, peer, 0);
            self.share(now, peer, album);
        }
    }

    /// Compares with every linked member anew; [`Engine::standing`] tells how it goes.
    pub fn compare(&mut self, now: u64, album: AlbumId) {
        for peer in self.sharers(&album) {
            if let Some(round) = self.links.round(&peer, album) {
                round.rest_until = 0;
            }
            self.sync_soon(now, album, peer, 0);
            if let Some(round) = self.links.round(&peer, album) {
                round.unsure = true;
            }
            self.share(now, peer, album);
        }
        self.transfer.ask_again(now, album);
        self.sync_due(now);
        self.fetch_due(now);
    }

    /// Where this replica stands with each linked member of an album.
    pub fn standing(&self, id: &AlbumId) -> Vec<(PublicKey, Standing)> {
        let Some(replica) = self.albums.get(id) else {
            return Vec::new();
        };
        let mine = (replica.album.heads_root(), replica.album.facts_root());
        let standing = self.sharers(id).into_iter().map(|peer| {
            let round = self.links.standing(&peer, id);
            let equal = round
                .is_some_and(|round| !round.unsure && round.step.is_none() && round.theirs == Some(mine));
            (peer, if equal { Standing::Equal } else { Standing::Unsure })
        });
        standing.collect()
    }

    /// Whether a linked member answers what this replica asks about an album: it told its roots, and has not refused since.
    pub fn is_answered(&self, id: &AlbumId) -> bool {
        let rounds = self.sharers(id).into_iter();
        let mut rounds = rounds.filter_map(|peer| self.links.standing(&peer, id));
        rounds.any(|round| round.theirs.is_some())
    }

    /// How far apart this replica and a linked peer were when last compared, where they did not stand equal; none before
    /// their heads were first compared.
    pub fn lag(&self, album: &AlbumId, peer: &PublicKey) -> Option<Lag> {
        self.links.standing(peer, album)?.lag
    }

    /// Blobs of an album that some linked member holds, or has not said yet whether it holds them.
    pub fn obtainable(&self, album: &AlbumId) -> usize {
        self.transfer.obtainable(album)
    }

    /// Starts the rounds that are due.
    pub(crate) fn sync_due(&mut self, now: u64) {
        for (peer, album) in self.links.due(now) {
            match self.terms(&peer, &album) {
                Some(Terms::Member | Terms::Unknown) => self.say_hello(now, peer, album),
                Some(Terms::Former) | None => self.links.forget_round(&peer, album),
            }
        }
    }

    fn say_hello(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let Some(replica) = self.albums.get(&album) else {
            return;
        };
        let call = Call::Hello {
            album,
            heads: replica.album.heads_root(),
            facts: replica.album.facts_root(),
        };
        if let Some(round) = self.links.round(&peer, album) {
            (round.due, round.gained, round.steps) = (None, 0, 0);
        }
        self.step(now, peer, Step::Hello { told: false }, &call);
    }

    fn step(&mut self, now: u64, peer: PublicKey, step: Step, call: &Call) {
        let album = call.album();
        let Some(round) = self.links.round(&peer, album) else {
            return;
        };
        round.steps += 1;
        if round.steps > STEPS_PER_ROUND_MAX {
            return self.round_over(now, peer, album);
        }
        let ask = self.ask(peer, Purpose::Round, call);
        if let Some(round) = self.links.round(&peer, album) {
            round.answer_bytes = 0;
            round.step = Some((ask, step));
        }
    }

    /// A peer speaks of an album: if it refused us before, it may have learned meanwhile who we are.
    pub(crate) fn hope(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        if let Some(round) = self.links.round(&peer, album).filter(|round| round.failed > 0) {
            round.rest_until = round.rest_until.min(now + SETTLE_MS);
            round.due = round.due.map(|due| due.min(round.rest_until));
        }
    }

    /// A peer said hello: if we differ, pull, unless this very difference was looked at already.
    pub(crate) fn heard_hello(
        &mut self,
        now: u64,
        peer: PublicKey,
        album: AlbumId,
        theirs: (Digest, Digest),
    ) {
        let Some(replica) = self.albums.get(&album) else {
            return;
        };
        let mine = (replica.album.heads_root(), replica.album.facts_root());
        if !self.config.anti_entropy {
            return;
        }
        self.hope(now, peer, album);
        let Some(round) = self.links.begin_round(&peer, album) else {
            return;
        };
        round.theirs = Some(theirs);
        if mine == theirs {
            (round.barren, round.rest_until) = (0, 0);
            return;
        }
        if round.settled != Some((mine.0, theirs.0)) {
            self.sync_soon(now, album, peer, 0);
        }
    }

    pub(crate) fn on_round_frame(
        &mut self,
        now: u64,
        ask: AskId,
        peer: PublicKey,
        album: AlbumId,
        frame: &[u8],
    ) {
        if let Err(why) = self.take_frame(now, peer, album, frame) {
            if let Some(kind) = why {
                self.count(kind, Some(peer));
            }
            self.links.end(ask);
            self.round_failed(now, peer, album);
        }
    }

    /// Takes in one frame of the running step's answer; `Err` ends the round, and names what to count.
    fn take_frame(
        &mut self,
        now: u64,
        peer: PublicKey,
        album: AlbumId,
        frame: &[u8],
    ) -> Result<(), Option<&'static str>> {
        let Some(replica) = self.albums.get(&album) else {
            return Err(None);
        };
        let replica = &replica.album;
        let round = self.links.round(&peer, album).ok_or(None)?;
        round.answer_bytes += frame.len();
        if round.answer_bytes > ANSWER_BYTES_MAX {
            return Err(Some("answer_too_long"));
        }
        let answer = decode_answer(frame).map_err(|_| Some("answer_form"))?;
        let (_, step) = round.step.as_mut().ok_or(None)?;
        match (step, answer) {
            (_, Answer::Refused(_)) => {
                // A member who does not know us as one yet, or no longer: a later round will tell.
                round.theirs = None;
                self.tally("asked_in_vain", 1);
                return Err(None);
            }
            (Step::Hello { told: told @ false }, Answer::Roots { heads, facts }) => {
                *told = true;
                round.theirs = Some((heads, facts));
            }
            (Step::Tree { nodes: nodes @ None }, Answer::Hashes(theirs)) => {
                *nodes = Some(differing(&replica.tree_hashes(None), &theirs));
            }
            (
                Step::Node {
                    at,
                    told: told @ false,
                    leaves,
                    ..
                },
                Answer::Hashes(theirs),
            ) => {
                *told = true;
                let differing = differing(&replica.tree_hashes(Some(*at)), &theirs);
                leaves.extend(
                    differing
                        .into_iter()
                        .map(|leaf| u16::from(*at) * 64 + u16::from(leaf)),
                );
            }
            (Step::Heads { found, apart, .. }, Answer::Heads(heads)) => {
                for (actor, seq, _) in &heads {
                    Apart::add(&mut apart.theirs, *actor, *seq);
                }
                let room = HEADS_PER_ROUND_MAX.saturating_sub(found.len());
                found.extend(
                    heads
                        .into_iter()
                        .filter(|(_, _, hash)| !replica.knows(hash))
                        .take(room),
                );
            }
            (
                Step::Ops {
                    more: more @ None, ..
                },
                Answer::End { more: cut },
            ) => *more = Some(cut),
            (
                Step::Refs {
                    ended: ended @ false, ..
                },
                Answer::End { .. },
            ) => *ended = true,
            (Step::Ops { more: None, .. } | Step::Refs { ended: false, .. }, Answer::Ops(ops)) => {
                let taken = self.take_ops(now, album, peer, ops, false);
                // Gone if these ops say that the peer is no member any more.
                let Some(round) = self.links.round(&peer, album) else {
                    return Ok(());
                };
                round.gained += taken.new;
                if let Some((_, Step::Ops { asked, reached, .. })) = &mut round.step {
                    for pull in asked {
                        let Some(reach) = taken.reached.get(&pull.actor) else {
                            continue;
                        };
                        let sum = reached.entry(pull.actor).or_default();
                        sum.last = sum.last.max(reach.last);
                        sum.joined |= reach.joined;
                    }
                }
            }
            _ => return Err(Some("answer_misplaced")),
        }
        Ok(())
    }

    /// The answer of the running step is complete: on to the next.
    pub(crate) fn on_round_ended(&mut self, now: u64, peer: PublicKey, album: AlbumId, whole: bool) {
        let Some(replica) = self.albums.get(&album) else {
            return;
        };
        let mine = replica.album.heads_root();
        let Some(round) = self.links.round(&peer, album) else {
            return;
        };
        let Some((_, step)) = round.step.take().filter(|_| whole) else {
            return self.round_failed(now, peer, album);
        };
        match step {
            Step::Hello { told: true } if round.theirs.is_some_and(|theirs| theirs.0 == mine) => {
                self.round_over(now, peer, album);
            }
            Step::Hello { told: true } => {
                self.step(
                    now,
                    peer,
                    Step::Tree { nodes: None },
                    &Call::Tree { album, node: None },
                );
            }
            Step::Tree { nodes: Some(nodes) } => self.ask_nodes(now, peer, album, nodes, Vec::new()),
            Step::Node {
                told: true,
                nodes,
                leaves,
                ..
            } => self.ask_nodes(now, peer, album, nodes, leaves),
            Step::Heads { left, found, apart } => self.ask_heads(now, peer, album, left, found, apart),
            Step::Ops {
                asked,
                left,
                reached,
                more: Some(more),
            } => {
                let next = self.after_ops(album, asked, left, &reached, more);
                self.ask_ops(now, peer, album, next);
            }
            Step::Refs { asked, ended: true } => self.ask_refs(now, peer, album, asked),
            Step::Hello { .. }
            | Step::Tree { .. }
            | Step::Node { .. }
            | Step::Ops { .. }
            | Step::Refs { .. } => {
                self.round_failed(now, peer, album);
            }
        }
    }

    fn ask_nodes(&mut self, now: u64, peer: PublicKey, album: AlbumId, mut nodes: Vec<u8>, leaves: Vec<u16>) {
        match nodes.pop() {
            Some(at) => {
                let step = Step::Node {
                    at,
                    told: false,
                    nodes,
                    leaves,
                };
                self.step(
                    now,
                    peer,
                    step,
                    &Call::Tree {
                        album,
                        node: Some(at),
                    },
                );
            }
            None => self.ask_heads(now, peer, album, leaves, Vec::new(), Apart::default()),
        }
    }

    fn ask_heads(
        &mut self,
        now: u64,
        peer: PublicKey,
        album: AlbumId,
        mut leaves: Vec<u16>,
        found: Vec<Head>,
        mut apart: Apart,
    ) {
        let Some(replica) = self.albums.get(&album) else {
            return;
        };
        if leaves.is_empty() || found.len() >= HEADS_PER_ROUND_MAX {
            let here = |actor: &ActorId| replica.album.last_seq(actor).0;
            let lag = Lag {
                missing_here: Apart::beyond(&apart.theirs, &apart.ours, here),
                missing_there: Apart::beyond(&apart.ours, &apart.theirs, |_| 0),
            };
            if let Some(round) = self.links.round(&peer, album) {
                round.lag = Some(lag);
            }
            let pulls = found.into_iter().map(|(actor, _, hash)| {
                let (after, _) = replica.album.last_seq(&actor);
                Pull {
                    actor,
                    hash,
                    after,
                    joined: false,
                }
            });
            let pulls = pulls.collect();
            return self.ask_ops(now, peer, album, pulls);
        }
        let left = leaves.split_off(leaves.len().min(LEAVES_MAX));
        for head in leaves.iter().flat_map(|leaf| replica.album.heads_in_leaf(*leaf)) {
            Apart::add(&mut apart.ours, head.actor, head.seq);
        }
        self.step(
            now,
            peer,
            Step::Heads { left, found, apart },
            &Call::Heads { album, leaves },
        );
    }

    /// Asks for ops back from heads: of each actor one head at a time, so that what came tells where to go on.
    fn ask_ops(&mut self, now: u64, peer: PublicKey, album: AlbumId, pulls: Vec<Pull>) {
        if pulls.is_empty() {
            return self.ask_refs(now, peer, album, BTreeSet::new());
        }
        let mut actors = BTreeSet::new();
        let (mut asked, mut left) = (Vec::new(), Vec::new());
        for pull in pulls {
            if asked.len() < WANTS_MAX && actors.insert(pull.actor) {
                asked.push(pull);
            } else {
                left.push(pull);
            }
        }
        let want = asked
            .iter()
            .map(|pull| (pull.actor, pull.hash, pull.after))
            .collect();
        let step = Step::Ops {
            asked,
            left,
            reached: BTreeMap::new(),
            more: None,
        };
        self.step(now, peer, step, &Call::Ops { album, want });
    }

    /// After an answer with ops, what to pull next: what was cut off, from where it was cut; once more from the start
    /// heads whose branch leaves ours below `after`; then the rest.
    fn after_ops(
        &self,
        album: AlbumId,
        asked: Vec<Pull>,
        left: Vec<Pull>,
        reached: &BTreeMap<ActorId, Reach>,
        more: bool,
    ) -> Vec<Pull> {
        let Some(replica) = self.albums.get(&album) else {
            return Vec::new();
        };
        let reach = |pull: &Pull| reached.get(&pull.actor).copied().unwrap_or_default();
        let moved = asked.iter().any(|pull| reach(pull).last > pull.after);
        let mut next = Vec::new();
        for pull in asked {
            let Reach { last, joined } = reach(&pull);
            let joined = pull.joined || joined;
            if replica.album.knows(&pull.hash) {
                continue;
            }
            if more && moved && (joined || last <= pull.after) {
                next.push(Pull {
                    after: pull.after.max(last),
                    joined,
                    ..pull
                });
            } else if pull.after > 0 && !joined {
                next.push(Pull {
                    after: 0,
                    joined: true,
                    ..pull
                });
            }
        }
        next.extend(left);
        next
    }

    /// Asks by name for deps of waiting ops, each once in a round.
    fn ask_refs(
        &mut self,
        now: u64,
        peer: PublicKey,
        album: AlbumId,
        mut asked: BTreeSet<(ActorId, u64, HeaderRef)>,
    ) {
        let Some(replica) = self.albums.get(&album) else {
            return;
        };
        let missing = replica
            .album
            .missing()
            .into_iter()
            .map(|op| (op.actor, op.seq, op.header));
        let refs: Vec<_> = missing.filter(|op| !asked.contains(op)).take(WANTS_MAX).collect();
        if refs.is_empty() {
            return self.round_over(now, peer, album);
        }
        asked.extend(refs.iter().copied());
        self.step(
            now,
            peer,
            Step::Refs { asked, ended: false },
            &Call::Refs { album, refs },
        );
    }

    fn round_over(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let again = now + self.jitter(ROUND_MS);
        let goes_on = self.may_tell(&peer, &album);
        let Some(replica) = self.albums.get(&album) else {
            return;
        };
        let mine = replica.album.heads_root();
        let Some(round) = self.links.round(&peer, album) else {
            return;
        };
        round.step = None;
        round.unsure = false;
        round.failed = 0;
        round.settled = round.theirs.map(|theirs| (mine, theirs.0));
        let equal = round.theirs.is_some_and(|theirs| theirs.0 == mine);
        round.barren = if equal || round.gained > 0 {
            0
        } else {
            round.barren + 1
        };
        round.rest_until = if round.barren > FREE_ROUNDS {
            now + RETRY_MS
        } else {
            0
        };
        if round.gained > 0 {
            round.due = Some(now);
            // Others may lack it too, who would else find out by their timers only.
            self.publish(album, &[]);
        } else if goes_on {
            let asked_meanwhile = round.due.map(|due| due.max(round.rest_until));
            round.due = Some(asked_meanwhile.map_or(again, |due| due.min(again)));
        } else {
            self.links.forget_round(&peer, album);
        }
    }

    fn round_failed(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let goes_on = self.may_tell(&peer, &album);
        let failed = self.links.standing(&peer, &album).map_or(0, |round| round.failed);
        // 2, 4, 8, 16 s, then as often as any round.
        let wait = self.jitter((RETRY_MS << failed.min(8)).min(ROUND_MS));
        if !goes_on {
            return self.links.forget_round(&peer, album);
        }
        if let Some(round) = self.links.round(&peer, album) {
            round.step = None;
            round.failed = failed + 1;
            round.rest_until = now + wait;
            round.due = Some(round.rest_until);
        }
    }
}

/// Where two sets of 64 hashes differ.
fn differing(mine: &[Digest; 64], theirs: &[Digest]) -> Vec<u8> {
    (0..64)
        .zip(mine.iter().zip(theirs))
        .filter(|(_, (mine, theirs))| mine != theirs)
        .map(|(at, _)| at)
        .collect()
}
