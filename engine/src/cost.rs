//! What each strategy would send now: so that people see the trade before they choose.

use crdt::id::{AlbumId, Digest};

use crate::limits::OPS_CHUNK_BYTES;
use crate::replica::Replica;
use crate::wire::{self, Epoch};
use crate::{Engine, Strategy};

/// What would be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Ops in it.
    pub ops: u64,
    /// Gossip messages.
    pub messages: u64,
    /// Their bytes, as published once; each linked member gets a copy.
    pub bytes: u64,
}

/// An album's needed ops as bytes of text, in the total order.
#[derive(Debug, Clone)]
pub struct Sizes {
    texts: Vec<usize>,
    epoch: Epoch,
    published: u64,
    heads: Digest,
}

impl Sizes {
    /// Number of ops.
    pub fn ops(&self) -> usize {
        self.texts.len()
    }

    /// Bytes of their texts.
    pub fn bytes(&self) -> u64 {
        self.texts.iter().map(|bytes| *bytes as u64).sum()
    }

    /// What a strategy would publish so that somebody gets the last `edits` ops who has all before them.
    pub fn cost(&self, strategy: Strategy, edits: usize) -> Cost {
        let texts = match strategy {
            Strategy::State => &self.texts[..],
            _ => &self.texts[self.texts.len().saturating_sub(edits)..],
        };
        let mut cost = Cost::default();
        let mut rest = texts;
        while !rest.is_empty() {
            let taken = match strategy {
                Strategy::Op => 1,
                _ => wire::run_len(rest.iter().copied(), OPS_CHUNK_BYTES),
            };
            let (run, left) = rest.split_at(taken);
            rest = left;
            cost.ops += run.len() as u64;
            cost.messages += 1;
            let seq = self.published + cost.messages;
            cost.bytes += wire::message_len(self.epoch, seq, &self.heads, run) as u64;
        }
        cost
    }
}

impl Replica {
    /// The needed ops' bytes; each op is written once for this, whenever somebody first asks.
    fn sizes(&mut self) -> Sizes {
        let new = self.album.ops_after(self.texts.len()).map(|op| op.bytes().len());
        let new: Vec<usize> = new.collect();
        self.texts.extend(new);
        let needed = self.album.op_views().zip(&self.texts).filter(|(op, _)| op.needed);
        let mut needed: Vec<_> = needed
            .map(|(op, bytes)| (op.lamport, op.actor, op.hash, *bytes))
            .collect();
        needed.sort_unstable();
        Sizes {
            texts: needed.into_iter().map(|(_, _, _, bytes)| bytes).collect(),
            epoch: self.epoch,
            published: self.published,
            heads: self.album.heads_root(),
        }
    }
}

impl Engine {
    /// The sizes of an album's ops, for [`Sizes::cost`]; none if it is not here.
    pub fn sizes(&mut self, album: &AlbumId) -> Option<Sizes> {
        self.albums.get_mut(album).map(Replica::sizes)
    }
}
