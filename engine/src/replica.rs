//! One album here: its CRDT and what gossip knows about its topic.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crdt::Album;
use crdt::id::PublicKey;
use crdt::op::Op;

use crate::limits::{HEARD_MAX, STATE_MS, STATE_PACE_MS};
use crate::wire::Epoch;

/// One album's replica.
pub(crate) struct Replica {
    /// The CRDT.
    pub(crate) album: Album,
    /// This publisher's life on the topic.
    pub(crate) epoch: Epoch,
    /// Messages published.
    pub(crate) published: u64,
    /// Ops gathered for messages, and when the next goes.
    gathered: Vec<Arc<Op>>,
    flush_at: Option<u64>,
    /// What is left of a state that goes out piece by piece.
    pub(crate) pouring: VecDeque<Arc<Op>>,
    /// Something was gathered since it began.
    stale: bool,
    /// Where each publisher is.
    heard: BTreeMap<PublicKey, (Epoch, u64)>,
    /// Bytes of the ops' texts in the order of receipt, as far as somebody asked.
    pub(crate) texts: Vec<usize>,
}

impl Replica {
    pub(crate) fn new(album: Album, epoch: Epoch) -> Self {
        Self {
            album,
            epoch,
            published: 0,
            gathered: Vec::new(),
            flush_at: None,
            pouring: VecDeque::new(),
            stale: false,
            heard: BTreeMap::new(),
            texts: Vec::new(),
        }
    }

    /// Gathers ops for a message at `flush_at`, or earlier if one is due already.
    pub(crate) fn gather(&mut self, ops: Vec<Arc<Op>>, flush_at: u64) {
        self.gathered.extend(ops);
        self.stale = true;
        self.flush_at = Some(self.flush_at.map_or(flush_at, |at| at.min(flush_at)));
    }

    /// After a piece of a state: the next one, or the newer state if there is one, or nothing.
    pub(crate) fn pour_on(&mut self, now: u64) {
        self.flush_at = match (self.pouring.is_empty(), self.stale) {
            (false, _) => Some(now + STATE_PACE_MS),
            (true, true) => Some(now + STATE_MS),
            (true, false) => None,
        };
    }

    /// When something goes out.
    pub(crate) fn flush_due(&self) -> Option<u64> {
        self.flush_at
    }

    /// Whether something goes out now.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.flush_at.is_some_and(|at| at <= now)
    }

    /// Takes the gathered ops.
    pub(crate) fn take_gathered(&mut self) -> Vec<Arc<Op>> {
        (self.flush_at, self.stale) = (None, false);
        std::mem::take(&mut self.gathered)
    }

    /// Notes a publisher's place; `false` if something of it was missed.
    pub(crate) fn hear(&mut self, from: PublicKey, epoch: Epoch, seq: u64) -> bool {
        if self.heard.len() >= HEARD_MAX && !self.heard.contains_key(&from) {
            self.heard.pop_first();
        }
        match self.heard.get_mut(&from) {
            Some((before, last)) if *before == epoch => {
                let complete = seq <= last.saturating_add(1);
                *last = seq.max(*last);
                complete
            }
            _ => {
                self.heard.insert(from, (epoch, seq));
                seq == 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crdt::id::AlbumId;

    #[test]
    fn a_gap_a_new_life_and_a_late_start_are_noticed() {
        let mut replica = Replica::new(Album::empty(AlbumId([1; 32])), Epoch([0; 8]));
        let (peer, first, second) = (PublicKey([2; 32]), Epoch([1; 8]), Epoch([2; 8]));
        assert!(replica.hear(peer, first, 1));
        assert!(replica.hear(peer, first, 2));
        assert!(replica.hear(peer, first, 2), "a repetition misses nothing");
        assert!(replica.hear(peer, first, 1), "nor does a late one");
        assert!(
            replica.hear(peer, first, 3),
            "which does not move its publisher back"
        );
        assert!(replica.hear(peer, first, 2));
        assert!(!replica.hear(peer, first, 5), "4 was lost");
        assert!(replica.hear(peer, first, 6), "which does not stop what follows");
        assert!(!replica.hear(peer, second, 9), "a new life, joined late");
        assert!(replica.hear(peer, first, 1), "and back");
        assert!(!replica.hear(PublicKey([3; 32]), first, u64::MAX));
        assert!(replica.hear(PublicKey([3; 32]), first, u64::MAX), "no overflow");
    }

    #[test]
    fn strangers_do_not_fill_the_table() {
        let mut replica = Replica::new(Album::empty(AlbumId([1; 32])), Epoch([0; 8]));
        for number in 0..=HEARD_MAX {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(number as u64).to_be_bytes());
            replica.hear(PublicKey(key), Epoch([1; 8]), 1);
        }
        assert_eq!(replica.heard.len(), HEARD_MAX);
    }
}
