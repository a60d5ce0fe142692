//! A deterministic world for 1–200 engines: virtual time, links with latency, loss, duplication, reorder and flipped bits,
//! partitions, disks that fill and lose what was not synced, wrong clocks, transfers by size, peers that lie. The same
//! seed gives the same trace.
//!
//! While it runs it checks what must hold always: the engine's tables agree ([`Engine::check_invariants`]), no timer is due
//! already (that would be a hot loop), and nothing that left an honest peer speaks of an op its disk does not have. What must
//! hold once it is quiet is in `audit`.

mod audit;
mod disk;
mod impostor;
pub mod lone;
mod net;
mod peer;
pub mod people;
mod settle;
mod villain;

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use crdt::Album;
use crdt::id::{AlbumId, BlobHash, Digest, HeaderHash, PublicKey};
use crdt::op::Op;
use engine::wire::decode_message;
use engine::{Action, AskId, CallId, Config, Engine, Event, FetchId, Outcome, Strategy, Token};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use serde_json::value::RawValue;

pub use disk::{Copy, Disk, Write};
pub use net::{Net, Shape};
pub use peer::Peer;
use villain::Reply;
pub use villain::{Evil, Mood};

/// A peer's number.
pub type At = usize;

/// What will happen, and when.
enum Input {
    /// The oldest write of a peer reaches its disk, or does not fit.
    Synced {
        at: At,
        life: u64,
    },
    /// A peer hears of it.
    Told {
        at: At,
        life: u64,
        token: Token,
        album: AlbumId,
        /// `None`: the write failed.
        durable: Option<Vec<Arc<Op>>>,
    },
    /// An album was read again.
    Loaded {
        at: At,
        life: u64,
        album: AlbumId,
    },
    Tick {
        at: At,
        life: u64,
    },
    Gossip {
        to: At,
        from: At,
        link: u64,
        album: AlbumId,
        payload: Vec<u8>,
    },
    Call {
        to: At,
        from: At,
        link: u64,
        ask: AskId,
        body: Vec<u8>,
    },
    Frame {
        to: At,
        from: At,
        link: u64,
        ask: AskId,
        frame: Vec<u8>,
    },
    Ended {
        to: At,
        from: At,
        link: u64,
        ask: AskId,
        whole: bool,
    },
    Fetched {
        at: At,
        life: u64,
        from: At,
        link: u64,
        fetch: FetchId,
        blob: BlobHash,
    },
    /// Look which links should be up.
    Links,
}

/// Everything there is.
pub struct World {
    pub seed: u64,
    pub now: u64,
    pub net: Net,
    pub peers: Vec<Peer>,
    rng: ChaCha12Rng,
    queue: BTreeMap<(u64, u64), Input>,
    queued: u64,
    calls: u64,
    /// Delivered gossip messages, calls and frames.
    pub delivered: u64,
    /// Gossip payloads that left peers, their sum in bytes, and the largest answer.
    pub published: u64,
    pub answer_max: usize,
    pub calls_made: u64,
    /// Messages and frames that arrived with a flipped bit.
    pub flipped: u64,
    /// The engine's tables are checked after every so many events.
    pub check_every: u64,
    fed: u64,
    /// Ops that honest peers wrote.
    authored: BTreeSet<(AlbumId, HeaderHash)>,
    /// Lives of honest devices whose home was put back from a copy: they may have forked.
    pub(crate) restored: BTreeSet<crdt::id::ActorId>,
    /// Ops that every honest peer had seen at some time: they stay.
    seen_by_all: BTreeMap<AlbumId, BTreeSet<HeaderHash>>,
    at_of: BTreeMap<PublicKey, At>,
    trace: blake3::Hasher,
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            seed,
            now: 1_000,
            net: Net::default(),
            peers: Vec::new(),
            rng: ChaCha12Rng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            queued: 0,
            calls: 0,
            delivered: 0,
            published: 0,
            answer_max: 0,
            calls_made: 0,
            flipped: 0,
            check_every: 1,
            fed: 0,
            authored: BTreeSet::new(),
            restored: BTreeSet::new(),
            seen_by_all: BTreeMap::new(),
            at_of: BTreeMap::new(),
            trace: blake3::Hasher::new(),
        }
    }

    /// Peers of so many people, all linked with all, with this strategy.
    pub fn of(seed: u64, people: usize, strategy: Strategy) -> World {
        let mut world = World::new(seed);
        for _ in 0..people {
            world.add_peer(Config {
                strategy,
                anti_entropy: true,
            });
        }
        world
    }

    pub fn rng(&mut self) -> &mut ChaCha12Rng {
        &mut self.rng
    }

    /// The trace so far.
    pub fn trace(&self) -> String {
        self.trace.finalize().to_hex().to_string()
    }

    pub fn engine(&self, at: At) -> &Engine {
        self.peers[at].engine.as_ref().expect("that peer runs")
    }

    pub fn album(&self, at: At, album: AlbumId) -> &Album {
        self.engine(at).album(&album).expect("that album is there")
    }

    pub fn digest(&self, at: At, album: AlbumId) -> Digest {
        self.album(at, album).digest()
    }

    /// Hands an event to a peer's engine and does what it says.
    pub fn feed(&mut self, at: At, event: Event) {
        let now = self.now + self.peers[at].base;
        let Some(engine) = self.peers[at].engine.as_mut() else {
            return;
        };
        engine.handle(now, event);
        let next = engine.next_timer();
        assert!(
            next.is_none_or(|due| due > now),
            "peer {at} is due at {next:?}, it is {now}: a hot loop"
        );
        self.drain(at);
    }

    pub(crate) fn drain(&mut self, at: At) {
        while let Some(action) = self.peers[at].engine.as_mut().and_then(Engine::poll) {
            self.carry_out(at, action);
        }
        let peer = &mut self.peers[at];
        let Some(engine) = &peer.engine else {
            return;
        };
        self.fed += 1;
        if self.fed.is_multiple_of(self.check_every) {
            engine.check_invariants();
        }
        let due = engine.next_timer().map(|due| due.saturating_sub(peer.base));
        let Some(due) = due.map(|due| due.max(self.now)) else {
            return;
        };
        if peer.tick_at.is_none_or(|tick| due < tick) {
            peer.tick_at = Some(due);
            let life = peer.life;
            self.schedule(due, Input::Tick { at, life });
        }
    }

    fn carry_out(&mut self, at: At, action: Action) {
        match action {
            Action::Persist { token, album, ops } => {
                self.note_authored(at, album, &ops);
                self.begin_write(at, Write::Ops { token, album, ops });
            }
            Action::Remember { incarnation } => self.begin_write(at, Write::Incarnation(incarnation)),
            Action::Reload { album } => {
                let life = self.peers[at].life;
                self.peers[at].disk.reload(album);
                let time = self.now + self.rng.gen_range(self.net.sync_ms.clone());
                self.schedule(time, Input::Loaded { at, life, album });
                self.store_call(at);
            }
            Action::Publish { album, payload } => self.on_publish(at, album, &payload),
            Action::Ask { ask, peer, body } => self.call(at, peer, ask, body),
            Action::Answer { call, frames } => self.answer(at, call, frames),
            // Bytes travel by [`Action::Fetch`] alone here.
            Action::ServeList { .. } | Action::ServeChunks { .. } => {}
            Action::Fetch {
                fetch,
                peer,
                blob,
                size,
                ..
            } => self.begin_fetch(at, peer, fetch, blob, size),
            Action::Changed { album, changes, .. } => {
                for change in changes {
                    if let crdt::Change::Live { id } = change {
                        let stored = self.peers[at].disk.has(album, &id.header);
                        assert!(stored, "peer {at} tells news of an op that is not durable");
                        self.peers[at].news += 1;
                    }
                }
            }
            Action::Arrived { .. } => {}
            Action::Access => {
                self.peers[at].access = self.engine(at).access();
                self.recheck_links_of(at);
            }
        }
    }

    fn on_publish(&mut self, at: At, album: AlbumId, payload: &[u8]) {
        if let Some(mood) = self.peers[at].mood() {
            if let Some(bent) = self.bend(mood, payload) {
                self.publish(at, album, &bent);
            }
            return;
        }
        let message = decode_message(payload).expect("an engine writes what it reads");
        self.must_be_durable(at, &message.ops);
        self.publish(at, album, payload);
    }

    fn begin_write(&mut self, at: At, write: Write) {
        self.peers[at].disk.begin(write);
        let (life, wait) = (self.peers[at].life, self.rng.gen_range(self.net.sync_ms.clone()));
        // Writes complete in order.
        let time = self.peers[at].disk.next_sync(self.now + wait);
        self.schedule(time, Input::Synced { at, life });
        self.store_call(at);
    }

    /// A call of the store at which this peer may have to die.
    fn store_call(&mut self, at: At) {
        match &mut self.peers[at].crash_in {
            Some(0) => {
                self.peers[at].crash_in = None;
                self.crash(at);
            }
            Some(left) => *left -= 1,
            None => {}
        }
    }

    fn on_synced(&mut self, at: At) {
        if let Some((Write::Ops { token, album, ops }, durable)) = self.peers[at].disk.sync_one() {
            let wait = self.rng.gen_range(self.net.told_ms.clone());
            let time = self.peers[at].disk.next_told(self.now + wait);
            let life = self.peers[at].life;
            let durable = durable.then_some(ops);
            self.schedule(
                time,
                Input::Told {
                    at,
                    life,
                    token,
                    album,
                    durable,
                },
            );
        }
    }

    fn on_told(&mut self, at: At, token: Token, album: AlbumId, durable: Option<Vec<Arc<Op>>>) {
        match durable {
            Some(ops) => {
                let told = ops.iter().map(|op| (album, op.hash));
                self.peers[at].acknowledged.extend(told);
                self.feed(at, Event::Persisted { token });
            }
            None => self.feed(at, Event::NotPersisted { token, album }),
        }
    }

    fn begin_fetch(&mut self, at: At, peer: PublicKey, fetch: FetchId, blob: BlobHash, size: u64) {
        let from = self.peer_of(peer);
        let link = self.net.link(at, from).unwrap_or(0);
        let life = self.peers[at].life;
        let time = self.now + self.net.latency(&mut self.rng) + size / 10_000;
        self.schedule(
            time,
            Input::Fetched {
                at,
                life,
                from,
                link,
                fetch,
                blob,
            },
        );
    }

    fn on_fetched(&mut self, at: At, from: At, link: u64, fetch: FetchId, blob: BlobHash) {
        let broken = self.net.link(at, from) != Some(link) || self.rng.gen_bool(self.net.broken_fetches);
        let there = self.peers[from].disk.blobs.contains(&blob);
        let outcome = match (broken, self.peers[from].mood()) {
            (true, _) => Outcome::Broken,
            (false, Some(mood)) => self.bend_bytes(mood, there),
            (false, None) if !there => Outcome::NotThere,
            (false, None) if self.peers[at].disk.is_full => Outcome::NoRoom,
            (false, None) => Outcome::Done,
        };
        if outcome == Outcome::Done {
            self.peers[at].disk.blobs.insert(blob);
            let peer = self.peers[at].key();
            self.feed(from, Event::Served { peer, blob });
        }
        self.feed(at, Event::Fetched { fetch, outcome });
    }

    fn schedule(&mut self, time: u64, input: Input) {
        self.queued += 1;
        self.queue.insert((time, self.queued), input);
    }

    /// The next thing happens. `false` if nothing will before `until`.
    pub fn step(&mut self, until: u64) -> bool {
        let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        let ((time, _), input) = entry.remove_entry();
        self.now = time;
        self.happen(input);
        true
    }

    fn happen(&mut self, input: Input) {
        self.note(&input);
        match input {
            Input::Synced { at, life } => {
                if self.peers[at].life == life {
                    self.on_synced(at);
                }
            }
            Input::Told {
                at,
                life,
                token,
                album,
                durable,
            } => {
                if self.peers[at].life == life {
                    self.on_told(at, token, album, durable);
                }
            }
            Input::Loaded { at, life, album } => {
                if self.peers[at].life == life {
                    let ops = self.peers[at].disk.ops(album);
                    self.feed(at, Event::Loaded { album, ops });
                }
            }
            Input::Tick { at, life } => {
                if self.peers[at].life == life && self.peers[at].tick_at == Some(self.now) {
                    self.peers[at].tick_at = None;
                    self.feed(at, Event::Tick);
                }
            }
            Input::Gossip {
                to,
                from,
                link,
                album,
                payload,
            } if self.net.link(to, from) == Some(link) => {
                self.delivered += 1;
                let from = self.peers[from].key();
                self.feed(to, Event::Gossip { album, from, payload });
            }
            Input::Call {
                to,
                from,
                link,
                ask,
                body,
            } if self.net.link(to, from) == Some(link) => {
                self.delivered += 1;
                self.on_call(to, from, link, ask, body);
            }
            Input::Frame {
                to,
                from,
                link,
                ask,
                frame,
            } if self.net.link(to, from) == Some(link) => {
                self.delivered += 1;
                self.feed(to, Event::Frame { ask, frame });
            }
            Input::Ended {
                to,
                from,
                link,
                ask,
                whole,
            } if self.net.link(to, from) == Some(link) => {
                self.feed(to, Event::Ended { ask, whole });
            }
            // Lost with the link.
            Input::Gossip { .. } | Input::Call { .. } | Input::Frame { .. } | Input::Ended { .. } => {}
            Input::Fetched {
                at,
                life,
                from,
                link,
                fetch,
                blob,
            } => {
                if self.peers[at].life == life {
                    self.on_fetched(at, from, link, fetch, blob);
                }
            }
            Input::Links => self.set_links(),
        }
    }

    fn on_call(&mut self, to: At, from: At, link: u64, ask: AskId, body: Vec<u8>) {
        self.calls += 1;
        let call = CallId(self.calls);
        self.peers[to].calls.insert(call, (from, link, ask));
        match self.peers[to].mood().map(|mood| self.reply(mood, &body)) {
            None | Some(Reply::AsItIs) => {
                let peer = self.peers[from].key();
                self.feed(to, Event::Called { call, peer, body });
            }
            Some(Reply::Frames(frames)) => self.answer(to, call, frames),
            Some(Reply::NoEnd(frames)) => self.answer_without_end(to, call, frames),
        }
    }

    fn note(&mut self, input: &Input) {
        let (kind, who, what): (u8, At, &[u8]) = match input {
            Input::Synced { at, .. } => (1, *at, &[]),
            Input::Tick { at, .. } => (2, *at, &[]),
            Input::Told { at, durable, .. } => (9, *at, if durable.is_some() { &[1] } else { &[0] }),
            Input::Loaded { at, album, .. } => (10, *at, &album.0),
            Input::Gossip { to, payload, .. } => (3, *to, payload),
            Input::Call { to, body, .. } => (4, *to, body),
            Input::Frame { to, frame, .. } => (5, *to, frame),
            Input::Ended { to, whole, .. } => (6, *to, if *whole { &[1] } else { &[0] }),
            Input::Fetched { at, blob, .. } => (7, *at, &blob.0),
            Input::Links => (8, 0, &[]),
        };
        self.trace.update(&self.now.to_le_bytes());
        self.trace.update(&[kind]);
        self.trace.update(&(who as u64).to_le_bytes());
        self.trace.update(&(what.len() as u64).to_le_bytes());
        self.trace.update(what);
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.step(until) {}
    }

    /// Runs until this holds, at most so long; whether it does.
    pub fn run_until(&mut self, ms: u64, mut holds: impl FnMut(&World) -> bool) -> bool {
        let until = self.now + ms;
        while !holds(self) {
            if self.now >= until {
                return false;
            }
            self.run(50.min(until - self.now));
        }
        true
    }

    /// What leaves a peer in these texts of ops is on its disk.
    fn must_be_durable(&self, at: At, texts: &[Box<RawValue>]) {
        for text in texts {
            let op = Op::decode(text.get()).expect("an engine sends what it received");
            let album = op.header.album.unwrap_or(AlbumId(op.hash.0));
            let stored = self.peers[at].disk.has(album, &op.hash);
            assert!(stored, "peer {at} spoke of an op that its disk does not have");
        }
    }
}
