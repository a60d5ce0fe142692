//! A deterministic world for 3–7 engines: virtual time, links with latency, loss, duplication and reorder, partitions,
//! disks that lose what was not synced, transfers by size. The same seed gives the same trace.
//!
//! After every event it checks what must hold always: the engine's tables agree ([`Engine::check_invariants`]), no timer
//! is due already (that would be a hot loop), and nothing that left a peer speaks of an op its disk does not have.

mod disk;
pub mod lone;
mod net;
pub mod people;

use std::collections::{BTreeMap, BTreeSet};

use crdt::Album;
use crdt::fact::Fact;
use crdt::id::{AlbumId, BlobHash, Digest};
use engine::wire::decode_message;
use engine::{
    Access, Action, AskId, CallId, Config, EditError, Engine, Event, FetchId, Me, Outcome, Strategy, Token,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use serde_json::value::RawValue;

pub use disk::{Disk, Write};
pub use net::Net;

/// A peer's number.
pub type At = usize;

/// What will happen, and when.
enum Input {
    /// The oldest write of a peer reaches its disk.
    Synced {
        at: At,
        life: u64,
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

/// One peer: an engine while it runs, a disk for ever.
pub struct Peer {
    pub person: u8,
    pub config: Config,
    pub engine: Option<Engine>,
    pub disk: Disk,
    access: Access,
    life: u64,
    tick_at: Option<u64>,
    calls: BTreeMap<CallId, (At, u64, AskId)>,
    /// Ops whose author was told that they are durable.
    pub acknowledged: BTreeSet<(AlbumId, crdt::id::HeaderHash)>,
    /// Facts that came to life while it watched, by its own word.
    pub news: u64,
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

    /// One more person with one device.
    pub fn add_peer(&mut self, config: Config) -> At {
        let at = self.peers.len();
        let person = b'a' + at as u8;
        let disk = Disk::new(person);
        self.peers.push(Peer {
            person,
            config,
            engine: None,
            disk,
            access: Access::default(),
            life: 0,
            tick_at: None,
            calls: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            news: 0,
        });
        self.start(at);
        at
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

    /// Starts a peer from its disk.
    pub fn start(&mut self, at: At) {
        let seed = self.rng.r#gen();
        let peer = &mut self.peers[at];
        peer.life += 1;
        let mut engine = Engine::new(peer.config, seed);
        let author = people::device(peer.person, peer.disk.incarnation);
        engine.sign_in(Some(Me {
            author,
            name: char::from(peer.person).to_string(),
        }));
        peer.engine = Some(engine);
        let blobs = peer.disk.blobs.iter().copied().collect();
        let entered: Vec<_> = peer.disk.entered.iter().copied().collect();
        self.feed(at, Event::BlobsHere { blobs });
        for album in entered {
            let ops = self.peers[at].disk.ops(album);
            self.feed(at, Event::Loaded { album, ops });
        }
        self.look_at_links();
    }

    /// Ends a peer without a word. Of the writes under way any first part may have reached the disk.
    pub fn crash(&mut self, at: At) {
        let kept = self.rng.gen_range(0..=self.peers[at].disk.unsynced());
        self.crash_after(at, kept);
    }

    /// Ends a peer; so many of the writes under way have reached the disk.
    pub fn crash_after(&mut self, at: At, kept: usize) {
        self.break_links_of(at);
        let peer = &mut self.peers[at];
        for _ in 0..kept {
            peer.disk.sync_one();
        }
        peer.disk.lose_unsynced();
        peer.engine = None;
        peer.access = Access::default();
        peer.tick_at = None;
        peer.calls.clear();
        peer.life += 1;
    }

    /// A command that writes. Returns the token of its write.
    pub fn edit(
        &mut self,
        at: At,
        album: AlbumId,
        facts: Vec<Fact>,
        removes: Vec<crdt::FactId>,
    ) -> Result<Token, EditError> {
        let now = self.now;
        let engine = self.peers[at].engine.as_mut().expect("that peer runs");
        let token = engine.edit(now, album, facts, removes);
        self.drain(at);
        token
    }

    /// As [`Self::edit`], of facts only, that must work.
    pub fn write(&mut self, at: At, album: AlbumId, fact: Fact) {
        self.edit(at, album, vec![fact], vec![])
            .expect("the command works");
    }

    /// An image whose bytes are at `at`.
    pub fn add_image(&mut self, at: At, album: AlbumId, name: &str) {
        let fact = people::image(name);
        let Fact::Image(image) = &fact else { unreachable!() };
        let mut blobs = vec![image.hash];
        blobs.extend(image.preview.map(|preview| preview.hash));
        self.peers[at].disk.blobs.extend(blobs.iter().copied());
        self.feed(at, Event::BlobsHere { blobs });
        self.write(at, album, fact);
    }

    pub fn create(&mut self, at: At, name: &str) -> AlbumId {
        let engine = self.peers[at].engine.as_mut().expect("that peer runs");
        let (album, _) = engine.create(name, people::AT).expect("the album can be made");
        self.peers[at].disk.entered.insert(album);
        self.drain(at);
        album
    }

    /// Opens an album that is not here yet.
    pub fn open(&mut self, at: At, album: AlbumId) {
        let now = self.now;
        self.peers[at].disk.entered.insert(album);
        self.peers[at]
            .engine
            .as_mut()
            .expect("that peer runs")
            .open(now, album);
        self.drain(at);
        self.look_at_links();
    }

    /// An album of peer 0 with all others as members of this role, all of whom have it.
    pub fn shared_album(&mut self, role: crdt::fact::Role) -> AlbumId {
        let album = self.create(0, "trip");
        for at in 1..self.peers.len() {
            let fact = people::grant(self.peers[at].person, role);
            self.write(0, album, fact);
            self.open(at, album);
        }
        self.settle(album);
        album
    }

    /// Hands an event to a peer's engine and does what it says.
    pub fn feed(&mut self, at: At, event: Event) {
        let now = self.now;
        let Some(engine) = self.peers[at].engine.as_mut() else {
            return;
        };
        engine.handle(now, event);
        let next = engine.next_timer();
        assert!(
            next.is_none_or(|due| due > now),
            "seed {}: peer {at} is due at {next:?}, it is {now}",
            self.seed
        );
        self.drain(at);
    }

    fn drain(&mut self, at: At) {
        while let Some(action) = self.peers[at].engine.as_mut().and_then(Engine::poll) {
            self.carry_out(at, action);
        }
        let Some(engine) = &self.peers[at].engine else {
            return;
        };
        engine.check_invariants();
        let Some(due) = engine.next_timer().map(|due| due.max(self.now)) else {
            return;
        };
        if self.peers[at].tick_at.is_none_or(|tick| due < tick) {
            self.peers[at].tick_at = Some(due);
            let life = self.peers[at].life;
            self.schedule(due, Input::Tick { at, life });
        }
    }

    fn carry_out(&mut self, at: At, action: Action) {
        match action {
            Action::Persist { token, album, ops } => {
                self.begin_write(at, disk::Write::Ops { token, album, ops })
            }
            Action::Remember { incarnation } => self.begin_write(at, disk::Write::Incarnation(incarnation)),
            Action::Reload { album } => {
                assert!(!self.peers[at].disk.writes(album), "read while writing");
                let ops = self.peers[at].disk.ops(album);
                self.feed(at, Event::Loaded { album, ops });
            }
            Action::Publish { album, payload } => {
                let message = decode_message(&payload).expect("an engine writes what it reads");
                self.must_be_durable(at, album, &message.ops);
                self.publish(at, album, &payload);
            }
            Action::Ask { ask, peer, body } => self.call(at, peer, ask, body),
            Action::Answer { call, frames } => self.answer(at, call, frames),
            Action::ServeList { .. } | Action::ServeChunks { .. } => {}
            Action::Fetch {
                fetch,
                peer,
                album,
                blob,
                size,
            } => {
                let from = self.peer_of(peer);
                let (may, life, link) = (
                    self.peers[from].engine.is_some(),
                    self.peers[at].life,
                    self.net.link(at, from),
                );
                assert!(may || link.is_none());
                let _ = album;
                let time = self.now + self.net.latency(&mut self.rng) + size / 10_000;
                self.schedule(
                    time,
                    Input::Fetched {
                        at,
                        life,
                        from,
                        link: link.unwrap_or(0),
                        fetch,
                        blob,
                    },
                );
            }
            Action::Changed { album, changes, .. } => {
                for change in changes {
                    if let crdt::Change::Live { id } = change {
                        assert!(
                            self.peers[at].disk.has(album, &id.header),
                            "news of an op that is not durable"
                        );
                        self.peers[at].news += 1;
                    }
                }
            }
            Action::Access => {
                self.peers[at].access = self.engine(at).access();
                self.look_at_links();
            }
        }
    }

    fn begin_write(&mut self, at: At, write: disk::Write) {
        self.peers[at].disk.begin(write);
        let (life, wait) = (self.peers[at].life, self.rng.gen_range(self.net.sync_ms.clone()));
        // Writes complete in order.
        let time = self.peers[at].disk.next_sync(self.now + wait);
        self.schedule(time, Input::Synced { at, life });
    }

    fn on_synced(&mut self, at: At, life: u64) {
        if self.peers[at].life != life {
            return;
        }
        if self.peers[at].disk.is_full {
            // What is behind a write that does not fit fails with it.
            for (token, album) in self.peers[at].disk.fail_all() {
                self.feed(at, Event::NotPersisted { token, album });
            }
        } else if let Some(disk::Write::Ops { token, album, ops }) = self.peers[at].disk.sync_one() {
            self.peers[at]
                .acknowledged
                .extend(ops.iter().map(|op| (album, op.hash)));
            self.feed(at, Event::Persisted { token });
        }
    }

    fn on_fetched(&mut self, at: At, from: At, link: u64, fetch: FetchId, blob: BlobHash) {
        let broken = self.net.link(at, from) != Some(link) || self.rng.gen_bool(self.net.broken_fetches);
        let there = self.peers[from].disk.blobs.contains(&blob);
        let outcome = match (broken, there) {
            (true, _) => Outcome::Broken,
            (false, false) => Outcome::NotThere,
            (false, true) => Outcome::Done,
        };
        if outcome == Outcome::Done {
            self.peers[at].disk.blobs.insert(blob);
            let peer = people::device_key(self.peers[at].person);
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
            Input::Synced { at, life } => self.on_synced(at, life),
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
                let from = people::device_key(self.peers[from].person);
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
                self.calls += 1;
                let call = CallId(self.calls);
                self.peers[to].calls.insert(call, (from, link, ask));
                let peer = people::device_key(self.peers[from].person);
                self.feed(to, Event::Called { call, peer, body });
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

    fn note(&mut self, input: &Input) {
        let (kind, who, what): (u8, At, &[u8]) = match input {
            Input::Synced { at, .. } => (1, *at, &[]),
            Input::Tick { at, .. } => (2, *at, &[]),
            Input::Gossip { to, payload, .. } => (3, *to, payload),
            Input::Call { to, body, .. } => (4, *to, body),
            Input::Frame { to, frame, .. } => (5, *to, frame),
            Input::Ended { to, whole, .. } => (6, *to, if *whole { &[1] } else { &[0] }),
            Input::Fetched { at, blob, .. } => (7, *at, &blob.0),
            Input::Links => (8, 0, &[]),
        };
        self.trace.update(&self.now.to_le_bytes());
        self.trace.update(&[kind, who as u8]);
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

    /// The running peers whose user may read the album now, as `of` sees it.
    pub fn readers(&self, of: At, album: AlbumId) -> Vec<At> {
        let members = self.album(of, album);
        let running = (0..self.peers.len()).filter(|at| self.peers[*at].engine.is_some());
        running
            .filter(|at| members.role_of(&people::user(self.peers[*at].person)) > crdt::fact::Role::None)
            .collect()
    }

    /// Whether all running members show the same album and hold all bytes that any of them holds.
    pub fn is_settled(&self, album: AlbumId) -> bool {
        let readers = self.readers(0, album);
        let mine = self.digest(0, album);
        let equal = readers.iter().all(|at| {
            self.engine(*at)
                .album(&album)
                .is_some_and(|other| other.digest() == mine)
        });
        equal && self.lacking(album).is_empty()
    }

    /// Bytes that some member holds and another lacks.
    pub fn lacking(&self, album: AlbumId) -> Vec<(At, BlobHash)> {
        let readers = self.readers(0, album);
        let mut lacking = Vec::new();
        for (blob, _) in self.album(0, album).blobs() {
            let here = |at: &At| self.peers[*at].disk.blobs.contains(&blob);
            if readers.iter().any(here) {
                lacking.extend(readers.iter().filter(|at| !here(at)).map(|at| (*at, blob)));
            }
        }
        lacking
    }

    /// Runs until the album is settled; fails, with how to replay, if that takes more than three rounds.
    pub fn settle(&mut self, album: AlbumId) {
        let settled = self.run_until(120_000, |world| world.is_settled(album));
        assert!(settled, "{}", self.story(album));
        // What was taken in last is still on its way to the disk.
        self.run(200);
    }

    fn story(&self, album: AlbumId) -> String {
        let readers = self.readers(0, album);
        let state = readers.iter().map(|at| match self.engine(*at).album(&album) {
            Some(album) => format!(
                "  peer {at}: {} ops, {} held, {} wait, digest {}\n",
                album.op_count(),
                album.held_count(),
                album.waiting_count(),
                &album.digest().hex()[..8]
            ),
            None => format!("  peer {at}: no album\n"),
        });
        let seed = self.seed;
        format!(
            "SEED {seed} did not settle at {} ms; replay: ENGINE_SEED={seed} cargo test -p engine random\n{}  lacking {:?}",
            self.now,
            state.collect::<String>(),
            self.lacking(album)
        )
    }

    /// What leaves a peer in these texts of ops is on its disk.
    fn must_be_durable(&self, at: At, album: AlbumId, texts: &[Box<RawValue>]) {
        for text in texts {
            let op = crdt::op::Op::decode(text.get()).expect("an engine sends what it received");
            let stored = self.peers[at].disk.has(album, &op.hash);
            assert!(
                stored,
                "seed {}: peer {at} spoke of an op that its disk does not have",
                self.seed
            );
        }
    }
}
