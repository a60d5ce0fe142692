//! Links with devices: who is linked, and where anti-entropy with each of them stands, album by album.

use std::collections::BTreeMap;

use crdt::Album;
use crdt::fact::Role;
use crdt::id::{AlbumId, PublicKey, UserId};
use crdt::keys::Certificate;

use crate::event::AskId;
use crate::replica::Replica;
use crate::sync::Round;
use crate::{Action, Engine};

/// One linked device.
pub(crate) struct Link {
    /// Its user.
    pub(crate) user: UserId,
    /// Anti-entropy, by album.
    pub(crate) rounds: BTreeMap<AlbumId, Round>,
}

/// All links, and which request belongs to which of them.
#[derive(Default)]
pub(crate) struct Links {
    by_device: BTreeMap<PublicKey, Link>,
    asks: BTreeMap<AskId, (PublicKey, AlbumId, Purpose)>,
    last_ask: u64,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A step of anti-entropy.
    Round,
    /// Which blobs a peer holds.
    Have,
}

impl Links {
    pub(crate) fn get(&self, peer: &PublicKey) -> Option<&Link> {
        self.by_device.get(peer)
    }

    pub(crate) fn round(&mut self, peer: &PublicKey, album: AlbumId) -> Option<&mut Round> {
        self.by_device.get_mut(peer).map(|link| link.rounds.entry(album).or_default())
    }

    pub(crate) fn standing(&self, peer: &PublicKey, album: &AlbumId) -> Option<&Round> {
        self.by_device.get(peer)?.rounds.get(album)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (PublicKey, UserId)> {
        self.by_device.iter().map(|(peer, link)| (*peer, link.user))
    }

    pub(crate) fn insert(&mut self, peer: PublicKey, user: UserId) {
        self.by_device.insert(peer, Link { user, rounds: BTreeMap::new() });
    }

    pub(crate) fn remove(&mut self, peer: &PublicKey) {
        self.by_device.remove(peer);
        self.asks.retain(|_, (asked, _, _)| asked != peer);
    }

    pub(crate) fn forget_album(&mut self, album: AlbumId) {
        for link in self.by_device.values_mut() {
            link.rounds.remove(&album);
        }
        self.asks.retain(|_, (_, of, _)| *of != album);
    }

    /// A number for a request.
    pub(crate) fn next_ask(&mut self, peer: PublicKey, album: AlbumId, purpose: Purpose) -> AskId {
        self.last_ask += 1;
        let ask = AskId(self.last_ask);
        self.asks.insert(ask, (peer, album, purpose));
        ask
    }

    pub(crate) fn whose(&self, ask: AskId) -> Option<(PublicKey, AlbumId, Purpose)> {
        self.asks.get(&ask).copied()
    }

    pub(crate) fn end(&mut self, ask: AskId) -> Option<(PublicKey, AlbumId, Purpose)> {
        self.asks.remove(&ask)
    }

    /// When the earliest round is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.by_device.values().flat_map(|link| link.rounds.values()).filter_map(Round::due).min()
    }

    /// Rounds that are due: (peer, album).
    pub(crate) fn due(&self, now: u64) -> Vec<(PublicKey, AlbumId)> {
        let rounds = self.by_device.iter().flat_map(|(peer, link)| link.rounds.iter().map(move |round| (peer, round)));
        let due = rounds.filter(|(_, (_, round))| round.due().is_some_and(|at| at <= now));
        due.map(|(peer, (album, _))| (*peer, *album)).collect()
    }

    pub(crate) fn check_invariants(&self, albums: &BTreeMap<AlbumId, Replica>) {
        for (ask, (peer, album, _)) in &self.asks {
            assert!(self.by_device.contains_key(peer), "{ask:?} belongs to no link");
            assert!(albums.contains_key(album), "{ask:?} belongs to no album");
        }
    }
}

/// Whether two replicas of this album may speak of it: the user may read it, or nobody here can tell yet.
pub(crate) fn shared(album: &Album, user: &UserId) -> bool {
    album.owner().is_none() || album.role_of(user) >= Role::Viewer
}

impl Engine {
    pub(crate) fn on_link_up(&mut self, now: u64, peer: PublicKey, certificate: Certificate) {
        let user = certificate.user();
        self.links.insert(peer, user);
        let albums: Vec<AlbumId> =
            self.albums.iter().filter(|(_, replica)| shared(&replica.album, &user)).map(|(id, _)| *id).collect();
        for album in albums {
            self.sync_soon(now, album, peer, 0);
            self.transfer.link_up(now, peer, album);
        }
    }

    pub(crate) fn on_link_down(&mut self, now: u64, peer: PublicKey) {
        self.links.remove(&peer);
        self.transfer.link_down(now, peer);
    }

    /// Sends a request to a peer.
    pub(crate) fn ask(&mut self, peer: PublicKey, purpose: Purpose, call: &crate::wire::Call) -> AskId {
        let ask = self.links.next_ask(peer, call.album(), purpose);
        self.tally("requests_out", 1);
        self.out.push(Action::Ask { ask, peer, body: crate::wire::encode_call(call) });
        ask
    }

    pub(crate) fn on_frame(&mut self, now: u64, ask: AskId, frame: &[u8]) {
        self.tally("answer_bytes_in", frame.len());
        match self.links.whose(ask) {
            Some((peer, album, Purpose::Round)) => self.on_round_frame(now, ask, peer, album, frame),
            Some((peer, album, Purpose::Have)) => self.on_have_frame(now, peer, album, frame),
            None => {}
        }
    }

    pub(crate) fn on_ended(&mut self, now: u64, ask: AskId, whole: bool) {
        match self.links.end(ask) {
            Some((peer, album, Purpose::Round)) => self.on_round_ended(now, peer, album, whole),
            Some((peer, album, Purpose::Have)) => self.transfer.have_ended(now, peer, album),
            None => {}
        }
    }
}
