//! The store's twin: it keeps what was synced and loses the rest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crdt::id::{AlbumId, BlobHash, HeaderHash, Incarnation};
use crdt::op::Op;
use engine::Token;

/// A write under way.
pub enum Write {
    Ops {
        token: Token,
        album: AlbumId,
        ops: Vec<Arc<Op>>,
    },
    Incarnation(Incarnation),
}

/// A peer's disk.
pub struct Disk {
    ops: BTreeMap<AlbumId, Vec<Arc<Op>>>,
    hashes: BTreeSet<(AlbumId, HeaderHash)>,
    pub entered: BTreeSet<AlbumId>,
    pub blobs: BTreeSet<BlobHash>,
    pub incarnation: Incarnation,
    /// Writes of ops fail.
    pub is_full: bool,
    under_way: VecDeque<Write>,
    last_sync: u64,
}

/// A copy of what a disk held at some time.
pub struct Copy {
    ops: BTreeMap<AlbumId, Vec<Arc<Op>>>,
    hashes: BTreeSet<(AlbumId, HeaderHash)>,
    incarnation: Incarnation,
}

impl Disk {
    pub fn new(person: u8) -> Disk {
        Disk {
            ops: BTreeMap::new(),
            hashes: BTreeSet::new(),
            entered: BTreeSet::new(),
            blobs: BTreeSet::new(),
            incarnation: Incarnation([person; 16]),
            is_full: false,
            under_way: VecDeque::new(),
            last_sync: 0,
        }
    }

    pub fn begin(&mut self, write: Write) {
        self.under_way.push_back(write);
    }

    /// When the next write may complete: not before the ones before it.
    pub fn next_sync(&mut self, time: u64) -> u64 {
        self.last_sync = self.last_sync.max(time);
        self.last_sync
    }

    pub fn unsynced(&self) -> usize {
        self.under_way.len()
    }

    /// The oldest write under way is durable now.
    pub fn sync_one(&mut self) -> Option<Write> {
        let write = self.under_way.pop_front()?;
        match &write {
            Write::Ops { album, ops, .. } => {
                for op in ops {
                    assert!(self.hashes.insert((*album, op.hash)), "an op is written twice");
                }
                self.ops.entry(*album).or_default().extend(ops.iter().cloned());
            }
            Write::Incarnation(incarnation) => self.incarnation = *incarnation,
        }
        Some(write)
    }

    pub fn lose_unsynced(&mut self) {
        self.under_way.clear();
        self.last_sync = 0;
    }

    /// The disk is full: what is under way fails, up to the end of the queue. Small values find room.
    pub fn fail_all(&mut self) -> Vec<(Token, AlbumId)> {
        let mut failed = Vec::new();
        for write in std::mem::take(&mut self.under_way) {
            match write {
                Write::Ops { token, album, .. } => failed.push((token, album)),
                Write::Incarnation(incarnation) => self.incarnation = incarnation,
            }
        }
        failed
    }

    pub fn writes(&self, album: AlbumId) -> bool {
        self.under_way
            .iter()
            .any(|write| matches!(write, Write::Ops { album: of, .. } if *of == album))
    }

    pub fn ops(&self, album: AlbumId) -> Vec<Arc<Op>> {
        self.ops.get(&album).cloned().unwrap_or_default()
    }

    pub fn has(&self, album: AlbumId, hash: &HeaderHash) -> bool {
        self.hashes.contains(&(album, *hash))
    }

    /// A backup.
    pub fn copy(&self) -> Copy {
        Copy {
            ops: self.ops.clone(),
            hashes: self.hashes.clone(),
            incarnation: self.incarnation,
        }
    }

    /// Puts a backup in the place of what is here.
    pub fn restore(&mut self, copy: Copy) {
        (self.ops, self.hashes, self.incarnation) = (copy.ops, copy.hashes, copy.incarnation);
    }
}
