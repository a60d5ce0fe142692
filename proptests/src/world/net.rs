//! What lies between peers: links, which the guard allows, with latency, loss, duplicates, partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crdt::id::{AlbumId, PublicKey};
use engine::wire::{Answer, decode_answer};
use engine::{AskId, CallId, Event};
use rand::Rng as _;
use rand_chacha::ChaCha12Rng;

use super::{At, Input, World, people};

/// How the net behaves. Chances are 0–1.
pub struct Net {
    pub latency_ms: RangeInclusive<u64>,
    /// How long a write takes to be durable.
    pub sync_ms: RangeInclusive<u64>,
    /// Of gossip only: requests come whole or break.
    pub loss: f64,
    pub duplicates: f64,
    pub broken_requests: f64,
    pub broken_fetches: f64,
    /// Pairs that have no way to each other.
    apart: BTreeSet<(At, At)>,
    /// Links that are up, each with its number.
    up: BTreeMap<(At, At), u64>,
    numbers: u64,
    /// Gossip that a test wants to fall silent.
    pub mute: bool,
}

impl Default for Net {
    fn default() -> Net {
        Net {
            latency_ms: 1..=20,
            sync_ms: 1..=5,
            loss: 0.0,
            duplicates: 0.0,
            broken_requests: 0.0,
            broken_fetches: 0.0,
            apart: BTreeSet::new(),
            up: BTreeMap::new(),
            numbers: 0,
            mute: false,
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
}

impl World {
    /// No way between these two from now on.
    pub fn part(&mut self, a: At, b: At) {
        self.net.apart.insert(pair(a, b));
        self.set_links();
    }

    /// No way between the first group and all others.
    pub fn partition(&mut self, group: &[At]) {
        for a in group {
            for b in (0..self.peers.len()).filter(|b| !group.contains(b)) {
                self.net.apart.insert(pair(*a, b));
            }
        }
        self.set_links();
    }

    /// All ways open again.
    pub fn heal(&mut self) {
        self.net.apart.clear();
        self.look_at_links();
    }

    pub(super) fn look_at_links(&mut self) {
        self.schedule(self.now + 2, Input::Links);
    }

    pub(super) fn break_links_of(&mut self, at: At) {
        for other in (0..self.peers.len()).filter(|other| *other != at) {
            self.take_down(at, other);
        }
    }

    /// What the guard of `at` says of a device: a reader of any album here, or nobody here can tell yet.
    fn guard_lets(&self, at: At, other: At) -> bool {
        let Some(engine) = &self.peers[at].engine else {
            return false;
        };
        let certificate = people::certificate(self.peers[other].person);
        let joins = engine.albums().any(|album| !album.has_genesis());
        joins || self.peers[at].access.may_link(&certificate)
    }

    /// Brings links up and down as guards and partitions say.
    pub(super) fn set_links(&mut self) {
        for a in 0..self.peers.len() {
            for b in a + 1..self.peers.len() {
                let open = !self.net.apart.contains(&(a, b));
                let wanted = open && self.guard_lets(a, b) && self.guard_lets(b, a);
                match (wanted, self.net.link(a, b)) {
                    (true, None) => self.bring_up(a, b),
                    (false, Some(_)) => self.take_down(a, b),
                    _ => {}
                }
            }
        }
    }

    fn bring_up(&mut self, a: At, b: At) {
        self.net.numbers += 1;
        self.net.up.insert((a, b), self.net.numbers);
        for (at, other) in [(a, b), (b, a)] {
            let certificate = people::certificate(self.peers[other].person);
            self.feed(
                at,
                Event::LinkUp {
                    peer: certificate.device,
                    certificate,
                },
            );
        }
    }

    pub fn take_down(&mut self, a: At, b: At) {
        if self.net.up.remove(&pair(a, b)).is_some() {
            for (at, other) in [(a, b), (b, a)] {
                let peer = people::device_key(self.peers[other].person);
                self.feed(at, Event::LinkDown { peer });
            }
        }
    }

    pub(super) fn peer_of(&self, key: PublicKey) -> At {
        let found = self
            .peers
            .iter()
            .position(|peer| people::device_key(peer.person) == key);
        found.expect("that device is in this world")
    }

    pub(super) fn publish(&mut self, at: At, album: AlbumId, payload: &[u8]) {
        self.published += 1;
        for to in (0..self.peers.len()).filter(|to| *to != at) {
            let Some(link) = self.net.link(at, to) else {
                continue;
            };
            let reader = self.peers[at]
                .access
                .may_read(&album, &people::certificate(self.peers[to].person));
            if !reader || self.net.mute || self.rng.gen_bool(self.net.loss) {
                continue;
            }
            let copies = 1 + u64::from(self.rng.gen_bool(self.net.duplicates));
            for _ in 0..copies {
                let time = self.now + self.net.latency(&mut self.rng);
                self.schedule(
                    time,
                    Input::Gossip {
                        to,
                        from: at,
                        link,
                        album,
                        payload: payload.to_vec(),
                    },
                );
            }
        }
    }

    pub(super) fn call(&mut self, at: At, peer: PublicKey, ask: AskId, body: Vec<u8>) {
        self.calls_made += 1;
        let to = self.peer_of(peer);
        // A request over a link that is gone fails without a word; the engine heard of the link's end.
        let Some(link) = self.net.link(at, to) else { return };
        let time = self.now + self.net.latency(&mut self.rng);
        if self.rng.gen_bool(self.net.broken_requests) {
            self.schedule(
                time,
                Input::Ended {
                    to: at,
                    from: to,
                    link,
                    ask,
                    whole: false,
                },
            );
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

    pub(super) fn answer(&mut self, at: At, call: CallId, frames: Vec<Vec<u8>>) {
        let Some((to, link, ask)) = self.peers[at].calls.remove(&call) else {
            return;
        };
        let time = self.now + self.net.latency(&mut self.rng);
        let mut bytes = 0;
        let breaks = self.rng.gen_bool(self.net.broken_requests);
        let sent = if breaks {
            self.rng.gen_range(0..=frames.len())
        } else {
            frames.len()
        };
        let whole = !breaks && !frames.is_empty();
        for frame in frames.into_iter().take(sent) {
            bytes += frame.len();
            if let Ok(Answer::Ops(ops)) = decode_answer(&frame) {
                for op in ops {
                    let op = crdt::op::Op::decode(op.get()).expect("an engine sends what it received");
                    let album = op.header.album.unwrap_or(AlbumId(op.hash.0));
                    assert!(
                        self.peers[at].disk.has(album, &op.hash),
                        "an answer spoke of what is not durable"
                    );
                }
            }
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
        self.answer_max = self.answer_max.max(bytes);
        self.schedule(
            time,
            Input::Ended {
                to,
                from: at,
                link,
                ask,
                whole,
            },
        );
    }
}
