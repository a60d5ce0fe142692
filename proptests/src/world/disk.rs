//! The store's twin: it keeps what was synced, loses the rest, and fills.
//!
//! Its contract when a write of ops fails: every later write of ops of that album fails too, until the engine has read the
//! album again. An op must never be durable, let alone acknowledged, that stands on one that was lost; and writes are handed
//! in before the engine can know of a failure.

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
    /// So many more writes of ops fit before it is full.
    pub room_for: Option<u32>,
    under_way: VecDeque<Write>,
    /// Albums with a failed write that have not been read again.
    failed: BTreeSet<AlbumId>,
    last_sync: u64,
    last_told: u64,
}

/// A copy of what a disk held at some time.
#[derive(Clone)]
pub struct Copy {
    ops: BTreeMap<AlbumId, Vec<Arc<Op>>>,
    hashes: BTreeSet<(AlbumId, HeaderHash)>,
    pub incarnation: Incarnation,
}

impl Disk {
    pub fn new(incarnation: Incarnation) -> Disk {
        Disk {
            ops: BTreeMap::new(),
            hashes: BTreeSet::new(),
            entered: BTreeSet::new(),
            blobs: BTreeSet::new(),
            incarnation,
            is_full: false,
            room_for: None,
            under_way: VecDeque::new(),
            failed: BTreeSet::new(),
            last_sync: 0,
            last_told: 0,
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

    /// When the engine may hear of a completed write: in their order.
    pub fn next_told(&mut self, time: u64) -> u64 {
        self.last_told = self.last_told.max(time);
        self.last_told
    }

    pub fn unsynced(&self) -> usize {
        self.under_way.len()
    }

    /// The oldest write under way completes: durable, or failed (`false`) with nothing left of it. Small values always
    /// find room.
    pub fn sync_one(&mut self) -> Option<(Write, bool)> {
        let write = self.under_way.pop_front()?;
        match &write {
            Write::Ops { album, .. } if !self.fits(*album) => return Some((write, false)),
            Write::Ops { album, ops, .. } => {
                for op in ops {
                    assert!(self.hashes.insert((*album, op.hash)), "an op is written twice");
                }
                self.ops.entry(*album).or_default().extend(ops.iter().cloned());
            }
            Write::Incarnation(incarnation) => self.incarnation = *incarnation,
        }
        Some((write, true))
    }

    fn fits(&mut self, album: AlbumId) -> bool {
        match &mut self.room_for {
            Some(0) => (self.is_full, self.room_for) = (true, None),
            Some(room) => *room -= 1,
            None => {}
        }
        if self.is_full {
            self.failed.insert(album);
        }
        !self.failed.contains(&album)
    }

    /// The engine reads the album again.
    pub fn reload(&mut self, album: AlbumId) {
        assert!(!self.writes(album), "read while writing");
        self.failed.remove(&album);
    }

    /// The process ended.
    pub fn lose_unsynced(&mut self) {
        self.under_way.clear();
        self.failed.clear();
        (self.last_sync, self.last_told) = (0, 0);
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
