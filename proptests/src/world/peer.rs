//! One peer of the world: its life, its disk, its clock, and what its person does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::FactId;
use crdt::fact::{Fact, Role};
use crdt::header::DotRun;
use crdt::id::{AlbumId, HeaderHash, Incarnation, PublicKey, UserId};
use crdt::keys::Certificate;
use crdt::op::Op;
use engine::{Access, AskId, CallId, Config, EditError, Engine, Event, Me, Token};
use rand::Rng as _;

use super::people::{self, Who, YEAR_MS};
use super::{At, Disk, Mood, World};

/// One peer: an engine while it runs, a disk for ever.
pub struct Peer {
    pub who: Who,
    pub person: u8,
    pub config: Config,
    pub engine: Option<Engine>,
    pub disk: Disk,
    /// Its people's clock is wrong by so many milliseconds.
    pub skew: i64,
    /// What its engine calls now, less what the world calls now.
    pub(super) base: u64,
    /// How it lies, if it does.
    pub(super) villain: Option<Mood>,
    /// It dies at the call of its store after so many more.
    pub crash_in: Option<u32>,
    /// It will not come back.
    pub has_left: bool,
    pub(super) certificate: Certificate,
    pub(super) user: UserId,
    pub(super) access: Access,
    pub(super) life: u64,
    pub(super) tick_at: Option<u64>,
    pub(super) calls: BTreeMap<CallId, (At, u64, AskId)>,
    /// Ops whose author was told that they are durable.
    pub acknowledged: BTreeSet<(AlbumId, HeaderHash)>,
    /// Facts that came to life while it watched, by its own word.
    pub news: u64,
}

impl Peer {
    pub fn key(&self) -> PublicKey {
        self.certificate.device
    }

    pub fn user(&self) -> UserId {
        self.user
    }

    pub fn is_honest(&self) -> bool {
        self.villain.is_none()
    }

    pub(super) fn mood(&self) -> Option<Mood> {
        self.villain
    }

    /// Whether it may read the album, as its own access says of another user's device.
    pub(super) fn lets_read(&self, album: &AlbumId, other: &Peer) -> bool {
        let reads = self
            .access
            .readers
            .get(album)
            .is_some_and(|users| users.contains(&other.user));
        reads && !self.access.revoked.contains(&(other.user, other.key()))
    }
}

impl World {
    /// One more person with one device.
    pub fn add_peer(&mut self, config: Config) -> At {
        let persons: BTreeSet<u8> = self.peers.iter().map(|peer| peer.person).collect();
        let person = (0..=u8::MAX)
            .map(|number| b'a'.wrapping_add(number))
            .find(|person| !persons.contains(person))
            .expect("there are letters left");
        self.add_device(Who::first(person), config)
    }

    /// One more device of a peer's person, certified by his root.
    pub fn add_device_of(&mut self, at: At) -> At {
        let (person, config) = (self.peers[at].person, self.peers[at].config);
        let devices = self.peers.iter().filter(|peer| peer.person == person).count();
        let device = u8::try_from(devices).expect("few devices");
        self.add_device(Who { person, device }, config)
    }

    fn add_device(&mut self, who: Who, config: Config) -> At {
        let at = self.peers.len();
        let mut incarnation = [who.person; 16];
        incarnation[15] ^= who.device;
        let certificate = who.certificate();
        self.at_of.insert(certificate.device, at);
        self.peers.push(Peer {
            who,
            person: who.person,
            config,
            engine: None,
            disk: Disk::new(Incarnation(incarnation)),
            skew: 0,
            base: 0,
            villain: None,
            crash_in: None,
            has_left: false,
            user: certificate.user(),
            certificate,
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

    /// Starts a peer from its disk.
    pub fn start(&mut self, at: At) {
        let seed = self.rng.r#gen();
        let peer = &mut self.peers[at];
        peer.life += 1;
        // Some start or other, as wrong as the clock.
        peer.base = if peer.skew == 0 {
            0
        } else {
            (2 * YEAR_MS + peer.skew).max(0).unsigned_abs()
        };
        let mut engine = Engine::new(peer.config, seed);
        engine.sign_in(Some(Me {
            author: peer.who.author(peer.disk.incarnation),
            name: people::name(peer.person),
        }));
        peer.engine = Some(engine);
        let blobs = peer.disk.blobs.iter().copied().collect();
        let entered: Vec<_> = peer.disk.entered.iter().copied().collect();
        self.feed(at, Event::BlobsHere { blobs });
        for album in entered {
            let ops = self.peers[at].disk.ops(album);
            self.feed(at, Event::Loaded { album, ops });
        }
        self.recheck_links_of(at);
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

    /// Ends a peer and puts an old copy of its disk in the place of what is there: what was acknowledged since is lost by
    /// its person's own doing, and what it writes before it meets anyone forks.
    pub fn restore(&mut self, at: At, copy: super::Copy) {
        self.crash_after(at, 0);
        let peer = &mut self.peers[at];
        let (device, root) = (
            peer.who.author(copy.incarnation),
            peer.who.root_author(copy.incarnation),
        );
        self.restored.extend([device.actor(), root.actor()]);
        peer.disk.restore(copy);
        let disk = &peer.disk;
        peer.acknowledged.retain(|(album, hash)| disk.has(*album, hash));
        self.seen_by_all.clear();
    }

    /// Sets the clock that a peer's facts state, and, from its next start on, the engine's.
    pub fn set_clock(&mut self, at: At, skew_ms: i64) {
        self.peers[at].skew = skew_ms;
        if self.peers[at].disk.entered.is_empty() && self.peers[at].engine.is_some() {
            self.crash_after(at, self.peers[at].disk.unsynced());
            self.start(at);
        }
    }

    /// What a peer's clock shows.
    pub fn clock(&self, at: At) -> u64 {
        (people::AT + self.now).saturating_add_signed(self.peers[at].skew)
    }

    /// A command that writes. Returns the token of its write.
    pub fn edit(
        &mut self,
        at: At,
        album: AlbumId,
        facts: Vec<Fact>,
        removes: Vec<FactId>,
    ) -> Result<Token, EditError> {
        let now = self.now + self.peers[at].base;
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

    /// A user's root revokes one of his devices, on the device `at`.
    pub fn revoke(&mut self, at: At, album: AlbumId, device: PublicKey) -> Result<Token, EditError> {
        let fact = people::dated(Fact::Revoke { device, at: 0 }, self.clock(at));
        let now = self.now + self.peers[at].base;
        let peer = &mut self.peers[at];
        let root = peer.who.root_author(peer.disk.incarnation);
        let engine = peer.engine.as_mut().expect("that peer runs");
        let me = engine.me().cloned();
        engine.sign_in(Some(Me {
            author: root,
            name: people::name(peer.person),
        }));
        let done = engine.edit(now, album, vec![fact], vec![]);
        engine.sign_in(me);
        self.drain(at);
        done
    }

    /// An image whose bytes are at `at`.
    pub fn add_image(&mut self, at: At, album: AlbumId, name: &str) {
        self.add_bytes(at, &people::image(name));
        self.write(at, album, people::image(name));
    }

    /// The bytes that an image fact names are at `at` now.
    pub fn add_bytes(&mut self, at: At, fact: &Fact) {
        let Fact::Image(image) = fact else { return };
        let mut blobs = vec![image.hash];
        blobs.extend(image.preview.map(|preview| preview.hash));
        self.peers[at].disk.blobs.extend(blobs.iter().copied());
        self.feed(at, Event::BlobsHere { blobs });
    }

    pub fn create(&mut self, at: At, name: &str) -> AlbumId {
        let clock = self.clock(at);
        let engine = self.peers[at].engine.as_mut().expect("that peer runs");
        let (album, _) = engine.create(name, clock).expect("the album can be made");
        self.peers[at].disk.entered.insert(album);
        self.drain(at);
        album
    }

    /// Opens an album that is not here yet.
    pub fn open(&mut self, at: At, album: AlbumId) {
        let now = self.now + self.peers[at].base;
        if self.peers[at].disk.entered.insert(album) {
            // Whoever comes has not seen what the others have.
            self.seen_by_all.remove(&album);
        }
        let engine = self.peers[at].engine.as_mut().expect("that peer runs");
        engine.open(now, album);
        self.drain(at);
        self.recheck_links_of(at);
    }

    /// An album of peer 0 with all others as members of this role, all of whom have it.
    pub fn shared_album(&mut self, role: Role) -> AlbumId {
        let album = self.create(0, "trip");
        for at in 1..self.peers.len() {
            let fact = people::grant(self.peers[at].person, role);
            self.write(0, album, fact);
            self.open(at, album);
        }
        self.settle(album);
        album
    }

    /// Remembers which ops honest peers wrote themselves.
    pub(super) fn note_authored(&mut self, at: At, album: AlbumId, ops: &[Arc<Op>]) {
        let peer = &self.peers[at];
        let Some(me) = peer
            .engine
            .as_ref()
            .and_then(Engine::me)
            .filter(|_| peer.is_honest())
        else {
            return;
        };
        let actors = [
            me.author.actor(),
            peer.who.root_author(peer.disk.incarnation).actor(),
        ];
        let mine = ops.iter().filter(|op| actors.contains(&op.header.actor));
        self.authored.extend(mine.map(|op| (album, op.hash)));
    }
}

/// The dot of an op's first fact.
pub(super) fn dot(op: &Op) -> DotRun {
    DotRun {
        actor: op.header.actor,
        first: op.header.first,
        count: 1,
    }
}
