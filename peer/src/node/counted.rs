//! What `/net` counts beside the engine: image bytes, which tasks of the shell move, and since when.

use std::sync::{Arc, Mutex, PoisonError};

use crdt::id::PublicKey;
use engine::{Kind, Traffic};

/// Image bytes by peer, counted where they pass. Clones count together.
#[derive(Clone, Default)]
pub(super) struct Moved(Arc<Mutex<Traffic>>);

impl Moved {
    pub(super) fn received(&self, peer: PublicKey, bytes: usize) {
        self.lock().received(peer, Kind::Blobs, bytes);
    }

    pub(super) fn sent(&self, peer: PublicKey, bytes: usize) {
        self.lock().sent(peer, Kind::Blobs, bytes);
    }

    /// Adds all of it to what others counted.
    pub(super) fn add_to(&self, traffic: &mut Traffic) {
        traffic.merge(&self.lock());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Traffic> {
        // Counters are right at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where counting began, and what is no more to be asked.
pub(super) struct Counted {
    /// Milliseconds since 1970.
    pub(super) since: u64,
    /// All counters as they were then.
    pub(super) then: Snapshot,
    /// Bytes of the links of guards that are gone: each sign-in starts a new one.
    gone: (u64, u64),
}

/// The counters at one moment.
#[derive(Clone, Default)]
pub(super) struct Snapshot {
    pub(super) traffic: Traffic,
    pub(super) carried: (u64, u64),
    pub(super) written: u64,
    pub(super) published: crate::api::Published,
}

impl Counted {
    /// Counting begins now.
    pub(super) fn new() -> Self {
        Self {
            since: super::run::clock_ms(),
            then: Snapshot::default(),
            gone: (0, 0),
        }
    }

    /// A guard ends, whose links carried so many bytes: in, out.
    pub(super) fn keep(&mut self, carried: (u64, u64)) {
        self.gone = self.carried(carried);
    }

    /// Bytes of all links, given those of the present guard's.
    pub(super) fn carried(&self, now: (u64, u64)) -> (u64, u64) {
        (self.gone.0 + now.0, self.gone.1 + now.1)
    }
}
