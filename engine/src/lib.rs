//! The album engine: what a peer does, without the peer. Events go in, actions come out.
//!
//! It has no clock, socket, file, thread or random source of its own: time is an argument in milliseconds since some
//! start, randomness a ChaCha generator from a seed, everything that takes long leaves as an [`Action`] with an id and
//! comes back as an [`Event`] with it. So the same engine runs in a peer and, many times over, in a test's world.
//!
//! How to drive it: call [`Engine::handle`] (or one of the edits) and then [`Engine::poll`] until it is empty; hand
//! back [`Event::Tick`] when [`Engine::next_timer`] is due. Actions must be started in the order they come.
//!
//! Invariants, checked in tests by [`Engine::check_invariants`]:
//! * nothing leaves this replica (gossip, answers, news) before every op it speaks of is durable: such actions wait
//!   behind a fence until the last write begun before them has been handed back as [`Event::Persisted`];
//! * one request at a time per peer and album for ops, one for blobs; every table is bounded by links × albums or wants.

mod cost;
mod event;
mod gossip;
mod holder;
pub mod limits;
mod links;
mod outbox;
mod replica;
mod serve;
mod sync;
mod traffic;
mod transfer;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, AlbumSeed, BlobHash, PublicKey, UserId};
use crdt::op::Op;
use crdt::{Album, Author, AuthorError, Change, Draft, FactId, Revision, Trust};
use rand::{Rng as _, SeedableRng as _};

pub use cost::{Cost, Sizes};
pub use event::{Access, Action, AskId, CallId, Event, FetchId, Me, Outcome, Token};
use links::Links;
use outbox::Outbox;
use replica::Replica;
pub use sync::{Lag, Standing};
pub use traffic::{Flow, Kind, Traffic};
use transfer::Transfer;

/// Which form live edits go out in (docs/protocol.md §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Each op by itself.
    #[default]
    Op,
    /// The ops of a short interval together.
    Delta,
    /// The whole album's ops.
    State,
}

/// How an engine behaves.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Form of live edits.
    pub strategy: Strategy,
    /// Off only where a test shows that live edits travel by gossip alone.
    pub anti_entropy: bool,
}

/// Why an edit was not made. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    NoUser,
    /// The album is not here, or its genesis has not arrived yet.
    #[error("album is not here yet")]
    NoAlbum,
    /// The CRDT refused it.
    #[error(transparent)]
    Author(#[from] AuthorError),
}

/// What the engine itself refuses; kinds of ops are [`crdt::op::Refusal::KINDS`].
pub const REFUSED_KINDS: [&str; 9] = [
    "gossip_unknown",
    "gossip_form",
    "gossip_foreign_album",
    "gossip_denied",
    "request_form",
    "request_denied",
    "answer_form",
    "answer_misplaced",
    "answer_too_long",
];

/// One replica of all of a home's albums.
pub struct Engine {
    config: Config,
    rng: rand_chacha::ChaCha12Rng,
    me: Option<Me>,
    albums: BTreeMap<AlbumId, Replica>,
    /// Albums whose last write failed, to be read again once no write of theirs is under way.
    failed: BTreeSet<AlbumId>,
    links: Links,
    transfer: Transfer,
    out: Outbox,
    /// What was refused, by kind.
    refused: BTreeMap<&'static str, u64>,
    /// What of it the shell has not taken yet, by kind and sender.
    fresh_refusals: BTreeMap<(&'static str, Option<PublicKey>), u64>,
    /// Messages and bytes, by name.
    counters: BTreeMap<&'static str, u64>,
    /// Messages and bytes, by peer.
    traffic: Traffic,
}

impl Engine {
    /// An engine without user or albums.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            rng: rand_chacha::ChaCha12Rng::from_seed(seed),
            me: None,
            albums: BTreeMap::new(),
            failed: BTreeSet::new(),
            links: Links::default(),
            transfer: Transfer::default(),
            out: Outbox::default(),
            refused: BTreeMap::new(),
            fresh_refusals: BTreeMap::new(),
            counters: BTreeMap::new(),
            traffic: Traffic::default(),
        }
    }

    /// From now on edits are this author's. `None` signs out; albums stay.
    pub fn sign_in(&mut self, me: Option<Me>) {
        self.me = me;
    }

    /// Who edits.
    pub fn me(&self) -> Option<&Me> {
        self.me.as_ref()
    }

    /// Starts to replicate an album of which nothing is here yet.
    pub fn open(&mut self, now: u64, album: AlbumId) {
        if !self.albums.contains_key(&album) && !self.failed.contains(&album) {
            let replica = self.new_replica(Album::empty(album));
            self.albums.insert(album, replica);
            self.sync_everywhere(now, album);
        }
    }

    /// Forgets an album here. Its ops and bytes are the shell's to keep or drop.
    pub fn close(&mut self, now: u64, album: AlbumId) {
        self.albums.remove(&album);
        self.failed.remove(&album);
        self.links.forget_album(album);
        self.transfer.forget_album(now, album);
        self.out.push(Action::Access);
    }

    /// Makes a new album owned by this user.
    ///
    /// # Errors
    /// [`EditError::NoUser`], or a name that is not allowed.
    pub fn create(&mut self, name: &str, at_ms: u64) -> Result<(AlbumId, Token), EditError> {
        let me = self.me.as_ref().ok_or(EditError::NoUser)?;
        let (album, genesis) = Album::create(&me.author, AlbumSeed(self.rng.r#gen()), name, &me.name, at_ms)?;
        let id = album.id();
        let replica = self.new_replica(album);
        self.albums.insert(id, replica);
        let token = self.persist(id, vec![genesis.clone()]);
        // Nobody is linked over it and it names no bytes: no time is needed.
        self.follow_changes(0, id, &[genesis], true);
        Ok((id, token))
    }

    /// Adds facts and removes those that they supersede (or that the person removed), as one command: all or nothing,
    /// durable once the token comes back.
    ///
    /// # Errors
    /// See [`EditError`]; nothing changed.
    pub fn edit(
        &mut self,
        now: u64,
        album: AlbumId,
        facts: Vec<Fact>,
        removes: Vec<FactId>,
    ) -> Result<Token, EditError> {
        let draft = Draft { facts, removes };
        self.write(now, album, |album, author| album.author(author, draft.clone()))
    }

    /// Takes a command back, or brings images back from the trash, as one command.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn revise(&mut self, now: u64, album: AlbumId, revision: &Revision) -> Result<Token, EditError> {
        self.write(now, album, |album, author| {
            album.author_revision(author, revision)
        })
    }

    /// Writes, with the root key itself, that a device of its user is that no longer.
    ///
    /// # Errors
    /// [`EditError::NoAlbum`], or the user was never a member.
    pub fn revoke_device(
        &mut self,
        now: u64,
        album: AlbumId,
        root: &Author,
        device: PublicKey,
        at_ms: u64,
    ) -> Result<Token, EditError> {
        let replica = self
            .albums
            .get_mut(&album)
            .filter(|replica| replica.album.has_genesis());
        let replica = replica.ok_or(EditError::NoAlbum)?;
        let draft = Draft {
            facts: vec![Fact::Revoke { device, at: at_ms }],
            removes: Vec::new(),
        };
        let ops = replica.album.author(root, draft)?;
        Ok(self.wrote(now, album, ops))
    }

    fn write(
        &mut self,
        now: u64,
        album: AlbumId,
        written_by: impl Fn(&mut Album, &Author) -> Result<Vec<Arc<Op>>, AuthorError>,
    ) -> Result<Token, EditError> {
        let me = self.me.as_ref().ok_or(EditError::NoUser)?;
        let replica = self
            .albums
            .get_mut(&album)
            .filter(|replica| replica.album.has_genesis());
        let replica = replica.ok_or(EditError::NoAlbum)?;
        let ops = match written_by(&mut replica.album, &me.author) {
            // A copy of this device wrote too: go on as another actor.
            Err(AuthorError::Forked) => {
                self.start_new_life();
                let me = self.me.as_ref().ok_or(EditError::NoUser)?;
                let replica = self.albums.get_mut(&album).ok_or(EditError::NoAlbum)?;
                written_by(&mut replica.album, &me.author)?
            }
            written => written?,
        };
        Ok(self.wrote(now, album, ops))
    }

    /// Ops of this replica's own are in the album: they go to disk, and out.
    fn wrote(&mut self, now: u64, album: AlbumId, ops: Vec<Arc<Op>>) -> Token {
        let token = self.persist(album, ops.clone());
        self.tally("ops_written", ops.len());
        self.follow_changes(now, album, &ops, true);
        self.spread(now, album, ops);
        token
    }

    /// A chat line; my own lines beyond the newest [`limits::CHAT_KEPT`] go with it.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn say(&mut self, now: u64, album: AlbumId, text: String, at_ms: u64) -> Result<Token, EditError> {
        let user = self.me.as_ref().ok_or(EditError::NoUser)?.author.user();
        let replica = self.albums.get(&album).ok_or(EditError::NoAlbum)?;
        let mine: Vec<FactId> = replica
            .album
            .chat()
            .filter(|line| line.user == user)
            .map(|line| line.id)
            .collect();
        let excess = (mine.len() + 1).saturating_sub(limits::CHAT_KEPT);
        let removes = mine.into_iter().take(excess).collect();
        self.edit(now, album, vec![Fact::Chat { text, at: at_ms }], removes)
    }

    /// One album's replica, to be read.
    pub fn album(&self, album: &AlbumId) -> Option<&Album> {
        self.albums.get(album).map(|replica| &replica.album)
    }

    /// All albums here, those whose genesis has not arrived included.
    pub fn albums(&self) -> impl Iterator<Item = &Album> {
        self.albums.values().map(|replica| &replica.album)
    }

    /// Who may link and read now.
    pub fn access(&self) -> Access {
        let mut access = Access::default();
        for (id, replica) in &self.albums {
            let album = &replica.album;
            for member in album.members() {
                let users = match member.role >= Role::Viewer {
                    true => &mut access.readers,
                    false => &mut access.former,
                };
                users.entry(*id).or_default().insert(member.user);
            }
            access.revoked.extend(album.revoked_devices());
        }
        access
    }

    /// Whether these bytes are here.
    pub fn is_here(&self, blob: &BlobHash) -> bool {
        self.transfer.is_here(blob)
    }

    /// Whether these bytes are on their way.
    pub fn is_fetching(&self, blob: &BlobHash) -> bool {
        self.transfer.is_fetching(blob)
    }

    /// Whether these bytes, wanted and not here, are on their way or may be at a linked peer.
    pub fn may_come(&self, blob: &BlobHash) -> bool {
        self.transfer.may_come(blob)
    }

    /// Bytes wanted and not here: (blobs, bytes).
    pub fn pending(&self) -> (u64, u64) {
        self.transfer.pending()
    }

    /// Wanted blobs that come now, or could: some linked peer holds them.
    pub fn pending_obtainable(&self) -> u64 {
        self.transfer.coming()
    }

    /// Whether any linked peer is known to hold these bytes.
    pub fn held_elsewhere(&self, blob: &BlobHash) -> bool {
        self.transfer.held_elsewhere(blob)
    }

    /// Linked devices with their users.
    pub fn linked(&self) -> impl Iterator<Item = (PublicKey, UserId)> {
        self.links.all()
    }

    /// What was refused, by kind: one of [`REFUSED_KINDS`] or of [`crdt::op::Refusal::KINDS`].
    pub fn refused(&self) -> &BTreeMap<&'static str, u64> {
        &self.refused
    }

    /// What was refused since this was last called, by kind and by the device that sent it. Without a device where an
    /// op had waited for its past: who brought the past did not bring the op.
    pub fn take_refused(&mut self) -> BTreeMap<(&'static str, Option<PublicKey>), u64> {
        std::mem::take(&mut self.fresh_refusals)
    }

    /// Messages and bytes, by name: what was published counts once, however many linked members get a copy.
    pub fn counters(&self) -> &BTreeMap<&'static str, u64> {
        &self.counters
    }

    /// Messages and bytes by peer and kind. Image bytes are moved by the shell, which counts them.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The next thing to do, if it may be done now.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }

    /// When [`Event::Tick`] is due, in the milliseconds of `handle`.
    pub fn next_timer(&self) -> Option<u64> {
        let gossip = self.albums.values().filter_map(Replica::flush_due).min();
        [gossip, self.links.next_due(), self.transfer.next_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes in what happened. Total: nothing that a peer sends makes it fail.
    pub fn handle(&mut self, now: u64, event: Event) {
        match event {
            Event::Loaded { album, ops } => self.on_loaded(now, Album::empty(album), ops),
            Event::Resumed { start, ops } => self.on_loaded(now, *start, ops),
            Event::LinkUp { peer, certificate } => self.on_link_up(now, peer, &certificate),
            Event::LinkDown { peer } => self.on_link_down(peer),
            Event::Gossip { album, from, payload } => self.on_gossip(now, album, from, &payload),
            Event::Called { call, peer, body } => self.on_called(now, call, peer, &body),
            Event::Frame { ask, frame } => self.on_frame(now, ask, &frame),
            Event::Ended { ask, whole } => self.on_ended(now, ask, whole),
            Event::Persisted { token } => self.on_persisted(token),
            Event::NotPersisted { token, album } => self.on_not_persisted(now, token, album),
            Event::BlobsHere { blobs } => self.transfer.here(blobs),
            Event::BlobGone { blob } => self.on_blob_gone(now, blob),
            Event::Fetched { fetch, outcome } => {
                let came = self.transfer.on_fetched(now, fetch, outcome);
                for (blob, album) in came
                    .iter()
                    .flat_map(|(blob, albums)| albums.iter().map(move |album| (*blob, *album)))
                {
                    self.out.push_fenced(Action::Arrived { album, blob });
                }
            }
            Event::Served { peer, blob } => self.transfer.on_served(peer, blob),
            Event::Tick => {}
        }
        self.flush_due(now);
        self.sync_due(now);
        self.fetch_due(now);
    }

    /// Panics where a table of the engine contradicts another; for tests.
    pub fn check_invariants(&self) {
        self.transfer.check_invariants();
        self.links.check_invariants(&self.albums);
    }

    fn new_replica(&mut self, album: Album) -> Replica {
        Replica::new(album, wire::Epoch(self.rng.r#gen()))
    }

    fn on_loaded(&mut self, now: u64, start: Album, ops: Vec<Arc<Op>>) {
        let id = start.id();
        let mut replica = self.new_replica(start);
        for op in ops {
            replica.album.receive(op, Trust::Stored);
        }
        replica.album.drain_changes();
        self.failed.remove(&id);
        self.links.forget_album(id);
        self.transfer.forget_album(now, id);
        let wants = transfer::blobs_of_album(&replica.album);
        self.albums.insert(id, replica);
        self.transfer.want(now, id, wants);
        self.out.push(Action::Access);
        self.sync_everywhere(now, id);
    }

    fn on_persisted(&mut self, token: Token) {
        if let Some(album) = self.out.persisted(token) {
            self.reload_if_settled(album);
        }
    }

    /// What was taken in since that write began stands on lost ops: the album is read again.
    fn on_not_persisted(&mut self, now: u64, token: Token, album: AlbumId) {
        self.out.dropped(token, album);
        if self.albums.remove(&album).is_some() {
            self.links.forget_album(album);
            self.transfer.forget_album(now, album);
            self.failed.insert(album);
        }
        self.reload_if_settled(album);
    }

    /// Read too early, the album would lack a write that comes through afterwards, and its author would use the same
    /// seqs again.
    fn reload_if_settled(&mut self, album: AlbumId) {
        if self.failed.contains(&album) && !self.out.is_writing(album) {
            self.out.push(Action::Reload { album });
        }
    }

    fn on_blob_gone(&mut self, now: u64, blob: BlobHash) {
        self.transfer.gone(blob);
        for (id, replica) in self
            .albums
            .iter()
            .filter(|(_, replica)| replica.album.names_blob(&blob))
        {
            let named = transfer::blobs_of_album(&replica.album)
                .into_iter()
                .filter(|wanted| wanted.blob == blob);
            self.transfer.want(now, *id, named);
        }
    }

    /// Ops that were taken in, in an order that a store may keep: begins the write.
    fn persist(&mut self, album: AlbumId, ops: Vec<Arc<Op>>) -> Token {
        let token = self.out.next_token(album);
        self.out.push(Action::Persist { token, album, ops });
        token
    }

    /// What the last ops changed: bytes that are wanted now or no longer, and, once durable, news.
    fn follow_changes(&mut self, now: u64, id: AlbumId, fresh: &[Arc<Op>], mine: bool) {
        let Some(replica) = self.albums.get_mut(&id) else {
            return;
        };
        let changes = replica.album.drain_changes();
        for change in &changes {
            match change {
                Change::Live { id: fact } => {
                    let wanted = transfer::blobs_of_fact(&replica.album, fact);
                    self.transfer.want(now, id, wanted);
                }
                Change::Dead { id: fact } => {
                    for wanted in transfer::blobs_of_fact(&replica.album, fact) {
                        if !replica.album.names_blob(&wanted.blob) {
                            self.transfer.drop_unnamed(now, id, &wanted.blob);
                        }
                    }
                }
                _ => {}
            }
        }
        if fresh
            .iter()
            .any(|op| op.facts.iter().any(|fact| fact.fact.is_member()))
        {
            self.regroup(now, id);
            self.out.push_fenced(Action::Access);
        }
        if !changes.is_empty() {
            self.out.push_fenced(Action::Changed {
                album: id,
                changes,
                mine,
            });
        }
    }

    fn count(&mut self, kind: &'static str, from: Option<PublicKey>) {
        debug_assert!(REFUSED_KINDS.contains(&kind) || crdt::op::Refusal::KINDS.contains(&kind));
        *self.refused.entry(kind).or_default() += 1;
        *self.fresh_refusals.entry((kind, from)).or_default() += 1;
    }

    fn tally(&mut self, name: &'static str, amount: usize) {
        *self.counters.entry(name).or_default() += amount as u64;
    }

    /// `base` ± a quarter, so that peers do not march in step.
    fn jitter(&mut self, base: u64) -> u64 {
        base - base / 4 + self.rng.gen_range(0..=base / 2)
    }
}
