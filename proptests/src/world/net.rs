//! What lies between peers: links, which the guard allows, with latency, loss, duplicates, flipped bits, partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crdt::fact::Role;
use crdt::id::{AlbumId, PublicKey};
use engine::wire::{Answer, decode_answer};
use engine::{AskId, CallId, Event};
use rand::Rng as _;
use rand_chacha::ChaCha12Rng;

use super::{At, Input, World};

/// Milliseconds without progress after which a shell gives a request up.
const STALLED_MS: u64 = 10_000;

/// Who may have a way to whom at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Everybody to everybody.
    #[default]
    All,
    /// Peers whose numbers differ by a power of two: few ways each, and few steps between any two.
    Chords,
    /// Neighbours in number.
    Line,
}

/// How the net behaves. Chances are 0–1.
pub struct Net {
    pub latency_ms: RangeInclusive<u64>,
    /// How long a write takes to be durable.
    pub sync_ms: RangeInclusive<u64>,
    /// How long the engine takes to hear of it.
    pub told_ms: RangeInclusive<u64>,
    /// Of gossip only: requests come whole or break.
    pub loss: f64,
    pub duplicates: f64,
    /// A bit of a gossip payload or of an answer's frame arrives flipped.
    pub flips: f64,
    pub broken_requests: f64,
    pub broken_fetches: f64,
    pub shape: Shape,
    /// Pairs that have no way to each other.
    apart: BTreeSet<(At, At)>,
    /// Pairs that have one whatever the shape.
    bridges: BTreeSet<(At, At)>,
    /// Links that are up, each with its number.
    up: BTreeMap<(At, At), u64>,
    numbers: u64,
    /// Gossip that a test wants to fall silent.
    pub mute: bool,
    /// Peers whose links are to be looked at; `None`: all.
    recheck: Option<BTreeSet<At>>,
    is_recheck_due: bool,
}

impl Default for Net {
    fn default() -> Net {
        Net {
            latency_ms: 1..=20,
            sync_ms: 1..=5,
            told_ms: 0..=2,
            loss: 0.0,
            duplicates: 0.0,
            flips: 0.0,
            broken_requests: 0.0,
            broken_fetches: 0.0,
            shape: Shape::All,
            apart: BTreeSet::new(),
            bridges: BTreeSet::new(),
            up: BTreeMap::new(),
            numbers: 0,
            mute: false,
            recheck: Some(BTreeSet::new()),
            is_recheck_due: false,
        }
    }
}

fn pair(a: At, b: At) -> (At, At) {
    (a.min(b), a.max(b))
}

impl Net {
    pub fn latency(&self, rng: &mut ChaCha12Rng) -> u64 {
        rng.gen_range(self.latency_ms.clone())
    }

    /// The number of the link between two, if it is up.
    pub fn link(&self, a: At, b: At) -> Option<u64> {
        self.up.get(&pair(a, b)).copied()
    }

    /// Links that are up.
    pub fn links(&self) -> usize {
        self.up.len()
    }

    fn is_open(&self, a: At, b: At) -> bool {
        let near = match self.shape {
            Shape::All => true,
            Shape::Chords => a.abs_diff(b).is_power_of_two(),
            Shape::Line => a.abs_diff(b) == 1,
        };
        (near || self.bridges.contains(&pair(a, b))) && !self.apart.contains(&pair(a, b))
    }
}

impl World {
    /// No way between these two from now on.
    pub fn part(&mut self, a: At, b: At) {
        self.net.apart.insert(pair(a, b));
        self.net.recheck = None;
        self.set_links();
    }

    /// No way between the first group and all others.
    pub fn partition(&mut self, group: &[At]) {
        for a in group {
            for b in (0..self.peers.len()).filter(|b| !group.contains(b)) {
                self.net.apart.insert(pair(*a, b));
            }
        }
        self.net.recheck = None;
        self.set_links();
    }

    /// All ways open again.
    pub fn heal(&mut self) {
        self.net.apart.clear();
        self.net.recheck = None;
        self.look_at_links();
    }

    /// A way between each of these and the next, whatever the shape.
    pub fn bridge(&mut self, chain: &[At]) {
        let before = self.net.bridges.len();
        let pairs = chain.windows(2).map(|two| pair(two[0], two[1]));
        self.net.bridges.extend(pairs);
        if self.net.bridges.len() > before {
            self.recheck_links();
        }
    }

    /// After the shape was changed by hand.
    pub fn recheck_links(&mut self) {
        self.net.recheck = None;
        self.look_at_links();
    }

    pub(super) fn recheck_links_of(&mut self, at: At) {
        if let Some(peers) = &mut self.net.recheck {
            peers.insert(at);
        }
        self.look_at_links();
    }

    fn look_at_links(&mut self) {
        if !std::mem::replace(&mut self.net.is_recheck_due, true) {
            self.schedule(self.now + 2, Input::Links);
        }
    }

    pub(super) fn break_links_of(&mut self, at: At) {
        for other in (0..self.peers.len()).filter(|other| *other != at) {
            self.take_down(at, other);
        }
    }

    /// What the guard of `at` says of a device: a reader of any album here, or one that the central names for an album of
    /// whose members this device's user is none yet. A cheat's lets everybody in.
    fn guard_lets(&self, at: At, other: At) -> bool {
        let (me, other) = (&self.peers[at], &self.peers[other]);
        let Some(engine) = &me.engine else {
            return false;
        };
        let joins = engine.albums().any(|album| album.role_of(&me.user) == Role::None);
        joins || !me.is_honest() || me.access.readers.keys().any(|album| me.lets_read(album, other))
    }

    /// Brings links up and down as guards and partitions say.
    pub(super) fn set_links(&mut self) {
        self.net.is_recheck_due = false;
        let recheck = self.net.recheck.replace(BTreeSet::new());
        let count = self.peers.len();
        let pairs: BTreeSet<(At, At)> = match recheck {
            None => (0..count)
                .flat_map(|a| (a + 1..count).map(move |b| (a, b)))
                .collect(),
            Some(peers) => {
                let of = |a: At| (0..count).filter(move |b| *b != a).map(move |b| pair(a, b));
                peers.into_iter().flat_map(of).collect()
            }
        };
        for (a, b) in pairs {
            let wanted = self.net.is_open(a, b) && self.guard_lets(a, b) && self.guard_lets(b, a);
            match (wanted, self.net.link(a, b)) {
                (true, None) => self.bring_up(a, b),
                (false, Some(_)) => self.take_down(a, b),
                _ => {}
            }
        }
    }

    fn bring_up(&mut self, a: At, b: At) {
        self.net.numbers += 1;
        self.net.up.insert((a, b), self.net.numbers);
        for (at, other) in [(a, b), (b, a)] {
            let certificate = self.peers[other].certificate.clone();
            let peer = certificate.device;
            self.feed(at, Event::LinkUp { peer, certificate });
        }
    }

    pub fn take_down(&mut self, a: At, b: At) {
        if self.net.up.remove(&pair(a, b)).is_some() {
            for (at, other) in [(a, b), (b, a)] {
                let peer = self.peers[other].key();
                self.feed(at, Event::LinkDown { peer });
            }
        }
    }

    pub(super) fn peer_of(&self, key: PublicKey) -> At {
        *self.at_of.get(&key).expect("that device is in this world")
    }

    /// Hands a payload to all who are linked and, as this peer sees it, may read the album.
    pub(super) fn publish(&mut self, at: At, album: AlbumId, payload: &[u8]) {
        self.published += 1;
        for to in (0..self.peers.len()).filter(|to| *to != at) {
            if self.net.link(at, to).is_some() && self.peers[at].lets_read(&album, &self.peers[to]) {
                self.send_gossip(at, to, album, payload);
            }
        }
    }

    /// One copy of a payload, or none, or two, over a link that is up.
    pub(super) fn send_gossip(&mut self, at: At, to: At, album: AlbumId, payload: &[u8]) {
        let Some(link) = self.net.link(at, to) else {
            return;
        };
        if self.net.mute || self.rng.gen_bool(self.net.loss) {
            return;
        }
        let copies = 1 + u64::from(self.rng.gen_bool(self.net.duplicates));
        for _ in 0..copies {
            let time = self.now + self.net.latency(&mut self.rng);
            let payload = self.on_the_way(payload.to_vec());
            self.schedule(
                time,
                Input::Gossip {
                    to,
                    from: at,
                    link,
                    album,
                    payload,
                },
            );
        }
    }

    /// What arrives of these bytes.
    fn on_the_way(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !bytes.is_empty() && self.net.flips > 0.0 && self.rng.gen_bool(self.net.flips) {
            let at = self.rng.gen_range(0..bytes.len());
            bytes[at] ^= 1 << self.rng.gen_range(0..8);
            self.flipped += 1;
        }
        bytes
    }

    pub(super) fn call(&mut self, at: At, peer: PublicKey, ask: AskId, body: Vec<u8>) {
        self.calls_made += 1;
        let to = self.peer_of(peer);
        // A request over a link that is gone fails without a word; the engine heard of the link's end.
        let Some(link) = self.net.link(at, to) else { return };
        let time = self.now + self.net.latency(&mut self.rng);
        if self.rng.gen_bool(self.net.broken_requests) {
            self.end(time, at, to, link, ask, false);
        } else {
            self.schedule(
                time,
                Input::Call {
                    to,
                    from: at,
                    link,
                    ask,
                    body,
                },
            );
        }
    }

    fn end(&mut self, time: u64, to: At, from: At, link: u64, ask: AskId, whole: bool) {
        self.schedule(
            time,
            Input::Ended {
                to,
                from,
                link,
                ask,
                whole,
            },
        );
    }

    pub(super) fn answer(&mut self, at: At, call: CallId, frames: Vec<Vec<u8>>) {
        let Some((to, link, ask)) = self.peers[at].calls.remove(&call) else {
            return;
        };
        let time = self.now + self.net.latency(&mut self.rng);
        let breaks = self.rng.gen_bool(self.net.broken_requests);
        let sent = if breaks {
            self.rng.gen_range(0..=frames.len())
        } else {
            frames.len()
        };
        let whole = !breaks && !frames.is_empty();
        self.send_frames(time, at, (to, link, ask), frames.into_iter().take(sent));
        self.end(time, to, at, link, ask, whole);
    }

    /// Frames after which nothing comes: the asker's shell gives up.
    pub(super) fn answer_without_end(&mut self, at: At, call: CallId, frames: Vec<Vec<u8>>) {
        let Some((to, link, ask)) = self.peers[at].calls.remove(&call) else {
            return;
        };
        let time = self.now + self.net.latency(&mut self.rng);
        self.send_frames(time, at, (to, link, ask), frames.into_iter());
        self.end(time + STALLED_MS, to, at, link, ask, false);
    }

    fn send_frames(
        &mut self,
        time: u64,
        at: At,
        (to, link, ask): (At, u64, AskId),
        frames: impl Iterator<Item = Vec<u8>>,
    ) {
        let mut bytes = 0;
        for frame in frames {
            bytes += frame.len();
            if self.peers[at].is_honest()
                && let Ok(Answer::Ops(ops)) = decode_answer(&frame)
            {
                self.must_be_durable(at, &ops);
            }
            let frame = self.on_the_way(frame);
            self.schedule(
                time,
                Input::Frame {
                    to,
                    from: at,
                    link,
                    ask,
                    frame,
                },
            );
        }
        if self.peers[at].is_honest() {
            self.answer_max = self.answer_max.max(bytes);
        }
    }
}
