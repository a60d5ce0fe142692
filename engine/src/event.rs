//! What comes into the engine and what leaves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::id::{AlbumId, BlobHash, Incarnation, PublicKey, UserId};
use crdt::keys::Certificate;
use crdt::op::Op;
use crdt::{Album, Author, Change};

/// Who this replica writes as.
#[derive(Clone)]
pub struct Me {
    /// Device key, certificate, incarnation.
    pub author: Author,
    /// Account name, a label.
    pub name: String,
}

/// A request of ours to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// A request of a peer to us; the shell's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// A blob transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchId(pub u64);

/// A write to the store. Tokens complete in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// What happened.
pub enum Event {
    /// An album's ops as the store has them, in arrival order: at start, and after a write that failed.
    Loaded {
        /// Which album.
        album: AlbumId,
        /// Its ops.
        ops: Vec<Arc<Op>>,
    },
    /// The same with a checkpoint: the album as it was after the first ops of the store, and the others.
    Resumed {
        /// That album.
        start: Box<Album>,
        /// The ops that came after it.
        ops: Vec<Arc<Op>>,
    },
    /// A device proved its key and certificate on a link.
    LinkUp {
        /// The device.
        peer: PublicKey,
        /// Its certificate, checked.
        certificate: Certificate,
    },
    /// That link ended.
    LinkDown {
        /// The device.
        peer: PublicKey,
    },
    /// A gossip message; the link vouches for `from`.
    Gossip {
        /// Its topic.
        album: AlbumId,
        /// Its publisher.
        from: PublicKey,
        /// JSON.
        payload: Vec<u8>,
    },
    /// A peer asks.
    Called {
        /// Number for the answer.
        call: CallId,
        /// The device.
        peer: PublicKey,
        /// JSON.
        body: Vec<u8>,
    },
    /// A frame of the answer to our request.
    Frame {
        /// Which request.
        ask: AskId,
        /// JSON.
        frame: Vec<u8>,
    },
    /// No more frames; not `whole` if the link or the peer broke off.
    Ended {
        /// Which request.
        ask: AskId,
        /// Whether it ended as it should.
        whole: bool,
    },
    /// A write is durable.
    Persisted {
        /// Which.
        token: Token,
    },
    /// A write failed and left nothing, and so did those handed in behind it. Once all of the album's writes are told,
    /// [`Action::Reload`] asks for it anew.
    NotPersisted {
        /// Which.
        token: Token,
        /// Its album.
        album: AlbumId,
    },
    /// These bytes are here (at start, after an import or a fetch).
    BlobsHere {
        /// Their hashes.
        blobs: Vec<BlobHash>,
    },
    /// These bytes are gone from here (rot, eviction).
    BlobGone {
        /// Their hash.
        blob: BlobHash,
    },
    /// A transfer ended.
    Fetched {
        /// Which.
        fetch: FetchId,
        /// How. Success comes after the bytes are durable.
        outcome: Outcome,
    },
    /// A peer took the last chunk of a blob from us.
    Served {
        /// The device.
        peer: PublicKey,
        /// What it has now.
        blob: BlobHash,
    },
    /// Time passed.
    Tick,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Verified and durable.
    Done,
    /// The peer does not hold it.
    NotThere,
    /// The peer sent bytes that are not the blob's.
    Wrong,
    /// The link broke or stalled; what came is kept.
    Broken,
    /// This disk could not take it.
    NoRoom,
}

/// What the shell must do.
#[derive(Debug)]
pub enum Action {
    /// Write ops durably, then hand back [`Event::Persisted`].
    Persist {
        /// For the answer.
        token: Token,
        /// Which album.
        album: AlbumId,
        /// In this order.
        ops: Vec<Arc<Op>>,
    },
    /// Remember this device's incarnation durably before the next [`Action::Persist`].
    Remember {
        /// The new one.
        incarnation: Incarnation,
    },
    /// Read the album again from the store and hand it back as [`Event::Loaded`].
    Reload {
        /// Which album.
        album: AlbumId,
    },
    /// Send to the album's topic.
    Publish {
        /// The topic.
        album: AlbumId,
        /// JSON.
        payload: Vec<u8>,
    },
    /// Send a request to a peer.
    Ask {
        /// For the frames that come back.
        ask: AskId,
        /// The device.
        peer: PublicKey,
        /// JSON.
        body: Vec<u8>,
    },
    /// Answer a peer's request with these frames and end it.
    Answer {
        /// Which.
        call: CallId,
        /// JSON frames.
        frames: Vec<Vec<u8>>,
    },
    /// Answer with a blob's size and chunk list.
    ServeList {
        /// Which request.
        call: CallId,
        /// Who asks.
        peer: PublicKey,
        /// Which blob.
        blob: BlobHash,
    },
    /// Answer with a blob's chunks.
    ServeChunks {
        /// Which request.
        call: CallId,
        /// Who asks.
        peer: PublicKey,
        /// Which blob.
        blob: BlobHash,
        /// Runs of (first, n).
        chunks: Vec<(u32, u32)>,
    },
    /// Bring a blob from a peer, then hand back [`Event::Fetched`].
    Fetch {
        /// For the outcome.
        fetch: FetchId,
        /// From whom.
        peer: PublicKey,
        /// An album that names it.
        album: AlbumId,
        /// Which blob.
        blob: BlobHash,
        /// Its size as the fact says.
        size: u64,
    },
    /// Tell people (and indices) what changed. Durable by the time this is handed out.
    Changed {
        /// Which album.
        album: AlbumId,
        /// What.
        changes: Vec<Change>,
        /// Whether this replica's own command did it.
        mine: bool,
    },
    /// Tell people that a fetched blob is here. Behind the news of the ops that name it.
    Arrived {
        /// An album that names it.
        album: AlbumId,
        /// Which blob.
        blob: BlobHash,
    },
    /// Membership moved: read [`crate::Engine::access`] again and recheck links.
    Access,
}

/// Who may link and read, as the albums here say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Present viewers and above, by album.
    pub readers: BTreeMap<AlbumId, BTreeSet<UserId>>,
    /// Revoked devices.
    pub revoked: BTreeSet<(UserId, PublicKey)>,
    /// Former members, by album.
    pub former: BTreeMap<AlbumId, BTreeSet<UserId>>,
}

impl Access {
    /// Whether a device of this user may read this album's ops and bytes now.
    pub fn may_read(&self, album: &AlbumId, certificate: &Certificate) -> bool {
        let user = certificate.user();
        self.readers.get(album).is_some_and(|users| users.contains(&user)) && !self.is_revoked(certificate)
    }

    /// Whether its user's root has revoked it, in any album here.
    pub fn is_revoked(&self, certificate: &Certificate) -> bool {
        self.revoked.contains(&(certificate.user(), certificate.device))
    }

    /// Whether it may read any.
    pub fn may_link(&self, certificate: &Certificate) -> bool {
        self.readers.keys().any(|album| self.may_read(album, certificate))
    }

    /// Whether this album's ops say that its user was a member, and is none now.
    pub fn is_former(&self, album: &AlbumId, certificate: &Certificate) -> bool {
        let former = self.former.get(album);
        former.is_some_and(|users| users.contains(&certificate.user()))
    }
}
