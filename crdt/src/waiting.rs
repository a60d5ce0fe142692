//! Ops that came before their past: a bounded buffer (docs/protocol.md §2). When it is full the op with the highest
//! lamport goes first, since anti-entropy brings ops in that order again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::header::OpRef;
use crate::id::{ActorId, HeaderHash, HeaderRef};
use crate::limits::{WAITING_BYTES_MAX, WAITING_OPS_MAX};
use crate::op::Op;

type Order = (u64, ActorId, HeaderHash);

#[derive(Debug, Clone)]
struct Waiter {
    op: Arc<Op>,
    checked: bool,
    watched: Option<HeaderRef>,
}

/// The buffer of one album.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    ops: BTreeMap<Order, Waiter>,
    hashes: BTreeSet<HeaderHash>,
    /// One missing parent of each op; `None`: the album's genesis.
    watched: BTreeMap<Option<HeaderRef>, BTreeSet<Order>>,
    bytes: usize,
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn contains(&self, hash: &HeaderHash) -> bool {
        self.hashes.contains(hash)
    }

    pub(crate) fn ops(&self) -> impl Iterator<Item = &Arc<Op>> {
        self.ops.values().map(|waiter| &waiter.op)
    }

    /// Keeps `op` until `watched` is received; `checked` tells whether its signature is verified.
    pub(crate) fn insert(&mut self, op: Arc<Op>, checked: bool, watched: Option<&OpRef>) {
        let order = op.order();
        let watched = watched.map(|reference| reference.header);
        self.bytes += op.bytes().len();
        self.hashes.insert(op.hash);
        self.watched.entry(watched).or_default().insert(order);
        self.ops.insert(order, Waiter { op, checked, watched });
        while self.ops.len() > WAITING_OPS_MAX || self.bytes > WAITING_BYTES_MAX {
            let Some(last) = self.ops.last_key_value().map(|(order, _)| *order) else {
                break;
            };
            self.remove(&last);
        }
    }

    /// Takes the ops that watch for this one, with whether their signatures are verified, the lowest last.
    pub(crate) fn freed_by(&mut self, received: &Op) -> Vec<(Arc<Op>, bool)> {
        let mut freed = Vec::new();
        let genesis = received.is_genesis().then_some(None);
        for watched in genesis.into_iter().chain([Some(received.hash.short())]) {
            let orders = self.watched.get(&watched).cloned().unwrap_or_default();
            freed.extend(orders.iter().rev().filter_map(|order| self.remove(order)));
        }
        freed
    }

    fn remove(&mut self, order: &Order) -> Option<(Arc<Op>, bool)> {
        let Waiter { op, checked, watched } = self.ops.remove(order)?;
        self.bytes -= op.bytes().len();
        self.hashes.remove(&op.hash);
        if let Some(orders) = self.watched.get_mut(&watched) {
            orders.remove(order);
            if orders.is_empty() {
                self.watched.remove(&watched);
            }
        }
        Some((op, checked))
    }
}
