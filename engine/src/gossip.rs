//! Live edits: publishing mine, taking in others', noticing what was missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::id::{ActorId, AlbumId, Incarnation, PublicKey};
use crdt::keys::{Domain, verify};
use crdt::op::Op;
use crdt::{Receipt, Trust};
use rand::Rng as _;
use serde_json::value::RawValue;

use crate::limits::{DELTA_MS, OPS_CHUNK_BYTES, SETTLE_MS, STATE_MS};
use crate::links::Terms;
use crate::sync::Reach;
use crate::traffic::Kind;
use crate::wire::{self, Unreadable};
use crate::{Action, Engine, Strategy};

impl Engine {
    /// Sends ops that are new here to the album's topic, in the form this engine was told to use.
    pub(crate) fn spread(&mut self, now: u64, album: AlbumId, ops: Vec<Arc<Op>>) {
        let Some(replica) = self.albums.get_mut(&album) else {
            return;
        };
        let edits = ops.len();
        match self.config.strategy {
            Strategy::Op => {
                for op in ops {
                    self.publish(album, &[op]);
                }
            }
            Strategy::Delta => replica.gather(ops, now + DELTA_MS),
            // The ops themselves are not kept: everything goes.
            Strategy::State => replica.gather(Vec::new(), now + STATE_MS),
        }
        self.tally("edits_spread", edits);
    }

    /// Publishes what was gathered long enough.
    pub(crate) fn flush_due(&mut self, now: u64) {
        let due = self.albums.iter().filter(|(_, replica)| replica.is_due(now));
        for album in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            if self.config.strategy == Strategy::State {
                self.pour(now, album);
            } else if let Some(replica) = self.albums.get_mut(&album) {
                let ops = replica.take_gathered();
                for run in wire::chunks(&ops, OPS_CHUNK_BYTES) {
                    self.publish(album, run);
                }
            }
        }
    }

    /// The next piece of an album's state. One that is asked for meanwhile begins when this one is out.
    fn pour(&mut self, now: u64, album: AlbumId) {
        let Some(replica) = self.albums.get_mut(&album) else {
            return;
        };
        if replica.pouring.is_empty() {
            replica.take_gathered();
            replica.pouring = replica.album.needed_ops().cloned().collect();
        }
        let run = wire::chunks(replica.pouring.make_contiguous(), OPS_CHUNK_BYTES)
            .next()
            .unwrap_or_default()
            .to_vec();
        replica.pouring.drain(..run.len());
        replica.pour_on(now);
        self.publish(album, &run);
    }

    pub(crate) fn publish(&mut self, album: AlbumId, ops: &[Arc<Op>]) {
        let Some(replica) = self.albums.get_mut(&album) else {
            return;
        };
        replica.published += 1;
        let heads = replica.album.heads_root();
        let payload = wire::encode_message(replica.epoch, replica.published, &heads, ops);
        self.tally("gossip_messages_out", 1);
        self.tally("gossip_bytes_out", payload.len());
        self.tally("gossip_ops_out", ops.len());
        let kind = if ops.is_empty() { Kind::Hints } else { Kind::Edits };
        if kind == Kind::Edits {
            self.tally("edit_messages_out", 1);
            self.tally("edit_bytes_out", payload.len());
        }
        for peer in self.sharers(&album) {
            self.traffic.sent(peer, kind, payload.len());
        }
        self.out.push_fenced(Action::Publish { album, payload });
    }

    /// A gossip message arrived.
    pub(crate) fn on_gossip(&mut self, now: u64, album: AlbumId, from: PublicKey, payload: &[u8]) {
        self.tally("gossip_messages_in", 1);
        self.tally("gossip_bytes_in", payload.len());
        let read = wire::decode_message(payload);
        let kind = match &read {
            Ok(message) if message.ops.is_empty() => Kind::Hints,
            Ok(_) => Kind::Edits,
            Err(_) => Kind::Refused,
        };
        self.traffic.received(from, kind, payload.len());
        let message = match read {
            Ok(message) => message,
            Err(error) => {
                let kind = match error {
                    Unreadable::Unknown => "gossip_unknown",
                    Unreadable::Form | Unreadable::TooLong => "gossip_form",
                };
                return self.count(kind, Some(from));
            }
        };
        match self.terms(&from, &album) {
            None => return self.count("gossip_foreign_album", Some(from)),
            Some(Terms::Former) => return self.count("gossip_denied", Some(from)),
            Some(Terms::Member | Terms::Unknown) => {}
        }
        self.hope(now, from, album);
        let Some(replica) = self.albums.get_mut(&album) else {
            return;
        };
        let complete = replica.hear(from, message.epoch, message.seq);
        let taken = self.take_ops(now, album, from, message.ops, true);
        let Some(replica) = self.albums.get(&album) else {
            return;
        };
        let equal = replica.album.heads_root() == message.heads;
        if taken.early {
            self.sync_soon(now, album, from, 0);
        } else if !complete || !equal {
            // What is in flight may close the difference by itself.
            self.sync_soon(now, album, from, SETTLE_MS);
        }
    }

    /// Takes in ops from a peer: decodes, verifies, persists, tells, wants their bytes, and, if `live`, sends on
    /// what was new here.
    pub(crate) fn take_ops(
        &mut self,
        now: u64,
        id: AlbumId,
        from: PublicKey,
        texts: Vec<Box<RawValue>>,
        live: bool,
    ) -> Taken {
        let mut taken = Taken::default();
        let mut fresh: Vec<Arc<Op>> = Vec::new();
        let mut lives_on = false;
        for text in texts {
            let op = match Op::decode(text.get()) {
                Ok(op) => Arc::new(op),
                Err(refusal) => {
                    self.count(refusal.kind(), Some(from));
                    continue;
                }
            };
            let Some(replica) = self.albums.get_mut(&id) else {
                return taken;
            };
            let reach = taken.reached.entry(op.header.actor).or_default();
            reach.last = reach.last.max(op.last_seq());
            reach.joined |= op.header.prev.is_none_or(|prev| replica.album.knows(&prev));
            let before = replica.album.refused().clone();
            match replica.album.receive(op.clone(), Trust::Verify) {
                Receipt::Received(ops) => {
                    fresh.extend(ops);
                    self.count_freed(id, before);
                }
                Receipt::Early { .. } => taken.early = true,
                Receipt::Duplicate => continue,
                Receipt::Refused(refusal) => {
                    self.count(refusal.kind(), Some(from));
                    continue;
                }
            }
            lives_on |= self.is_mine(&op);
        }
        if lives_on {
            self.start_new_life();
        }
        if fresh.is_empty() {
            return taken;
        }
        taken.new = fresh.len();
        self.tally("ops_in", fresh.len());
        self.persist(id, fresh.clone());
        self.follow_changes(now, id, &fresh, false);
        if live {
            self.spread(now, id, fresh);
        }
        taken
    }

    /// Counts ops that had waited and were refused once their past was here.
    fn count_freed(&mut self, id: AlbumId, before: BTreeMap<&'static str, u64>) {
        let Some(replica) = self.albums.get(&id) else {
            return;
        };
        let more = |(kind, count): (&&'static str, &u64)| {
            let old = before.get(kind).copied().unwrap_or(0);
            std::iter::repeat_n(*kind, usize::try_from(count.saturating_sub(old)).unwrap_or(0))
        };
        let freed: Vec<&'static str> = replica.album.refused().iter().flat_map(more).collect();
        freed.into_iter().for_each(|kind| self.count(kind, None));
    }

    /// Whether this device signed it in its present life. An op that waits for its past is not verified yet, and a
    /// forged one must not drive this device from life to life.
    fn is_mine(&self, op: &Op) -> bool {
        let Some(me) = &self.me else { return false };
        let (author, text) = (&me.author, op.header_text().as_bytes());
        author.actor() == op.header.actor && verify(&author.certificate.device, Domain::Op, text, &op.sig)
    }

    /// A peer showed an op by my actor that I do not have: this database is an older copy of one that lived on. To
    /// write on under the same actor would reuse its dots, so this replica goes on as a new one.
    pub(crate) fn start_new_life(&mut self) {
        let incarnation = Incarnation(self.rng.r#gen());
        if let Some(me) = &mut self.me {
            me.author.incarnation = incarnation;
            self.out.push(Action::Remember { incarnation });
            self.tally("own_actor_elsewhere", 1);
        }
    }
}

/// What came of some ops.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// New here.
    pub(crate) new: usize,
    /// Some of them wait for others.
    pub(crate) early: bool,
    /// How far they go, by actor.
    pub(crate) reached: BTreeMap<ActorId, Reach>,
}
