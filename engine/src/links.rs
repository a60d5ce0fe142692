//! Links with devices: who is linked, and where anti-entropy with each of them stands, album by album.

use std::collections::BTreeMap;

use crdt::Album;
use crdt::fact::Role;
use crdt::id::{AlbumId, PublicKey, UserId};
use crdt::keys::Certificate;

use crate::event::AskId;
use crate::replica::Replica;
use crate::sync::Round;
use crate::traffic::Kind;
use crate::{Action, Engine};

/// One linked device.
struct Link {
    /// Its user.
    user: UserId,
    /// Anti-entropy, by album.
    rounds: BTreeMap<AlbumId, Round>,
}

/// All links, and which request belongs to which of them.
#[derive(Default)]
pub(crate) struct Links {
    by_device: BTreeMap<PublicKey, Link>,
    asks: BTreeMap<AskId, (PublicKey, AlbumId, Purpose, Kind)>,
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
    pub(crate) fn user(&self, peer: &PublicKey) -> Option<UserId> {
        self.by_device.get(peer).map(|link| link.user)
    }

    /// Where anti-entropy stands, begun if it was not.
    pub(crate) fn begin_round(&mut self, peer: &PublicKey, album: AlbumId) -> Option<&mut Round> {
        self.by_device
            .get_mut(peer)
            .map(|link| link.rounds.entry(album).or_default())
    }

    pub(crate) fn round(&mut self, peer: &PublicKey, album: AlbumId) -> Option<&mut Round> {
        self.by_device.get_mut(peer)?.rounds.get_mut(&album)
    }

    pub(crate) fn standing(&self, peer: &PublicKey, album: &AlbumId) -> Option<&Round> {
        self.by_device.get(peer)?.rounds.get(album)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (PublicKey, UserId)> {
        self.by_device.iter().map(|(peer, link)| (*peer, link.user))
    }

    fn insert(&mut self, peer: PublicKey, user: UserId) {
        self.by_device.insert(
            peer,
            Link {
                user,
                rounds: BTreeMap::new(),
            },
        );
    }

    fn remove(&mut self, peer: &PublicKey) {
        self.by_device.remove(peer);
        self.asks.retain(|_, ask| ask.0 != *peer);
    }

    pub(crate) fn forget_album(&mut self, album: AlbumId) {
        for link in self.by_device.values_mut() {
            link.rounds.remove(&album);
        }
        self.asks.retain(|_, ask| ask.1 != album);
    }

    /// No more anti-entropy with this peer about this album.
    pub(crate) fn forget_round(&mut self, peer: &PublicKey, album: AlbumId) {
        if let Some(link) = self.by_device.get_mut(peer) {
            link.rounds.remove(&album);
        }
        self.asks.retain(|_, (asked, of, purpose, _)| {
            !(asked == peer && *of == album && *purpose == Purpose::Round)
        });
    }

    /// A number for a request.
    fn next_ask(&mut self, peer: PublicKey, album: AlbumId, purpose: Purpose, kind: Kind) -> AskId {
        self.last_ask += 1;
        let ask = AskId(self.last_ask);
        self.asks.insert(ask, (peer, album, purpose, kind));
        ask
    }

    fn whose(&self, ask: AskId) -> Option<(PublicKey, AlbumId, Purpose, Kind)> {
        self.asks.get(&ask).copied()
    }

    /// From now on frames of this request are ignored.
    pub(crate) fn end(&mut self, ask: AskId) -> Option<(PublicKey, AlbumId, Purpose)> {
        let (peer, album, purpose, _) = self.asks.remove(&ask)?;
        Some((peer, album, purpose))
    }

    /// When the earliest round is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.by_device
            .values()
            .flat_map(|link| link.rounds.values())
            .filter_map(Round::due)
            .min()
    }

    /// Rounds that are due: (peer, album).
    pub(crate) fn due(&self, now: u64) -> Vec<(PublicKey, AlbumId)> {
        let rounds = self
            .by_device
            .iter()
            .flat_map(|(peer, link)| link.rounds.iter().map(move |round| (peer, round)));
        let due = rounds.filter(|(_, (_, round))| round.due().is_some_and(|at| at <= now));
        due.map(|(peer, (album, _))| (*peer, *album)).collect()
    }

    pub(crate) fn check_invariants(&self, albums: &BTreeMap<AlbumId, Replica>) {
        for (ask, (peer, album, purpose, _)) in &self.asks {
            assert!(albums.contains_key(album), "{ask:?} belongs to no album");
            let link = self.by_device.get(peer).expect("a request belongs to a link");
            if *purpose == Purpose::Round {
                let round = link.rounds.get(album).expect("a request belongs to a round");
                assert_eq!(round.running(), Some(*ask), "a round waits for one request");
            }
        }
        for (peer, link) in &self.by_device {
            for (album, round) in &link.rounds {
                assert!(albums.contains_key(album), "a round of no album");
                let running = round.running().is_none_or(|ask| self.asks.contains_key(&ask));
                assert!(running, "the round with {peer:?} waits for nothing");
            }
        }
        // One round and one question per link and album.
        assert!(self.asks.len() <= 2 * self.by_device.len() * albums.len());
    }
}

/// What a linked device is to an album.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terms {
    /// Its user may read the album, or nobody here can tell yet.
    Member,
    /// No op here names its user: perhaps a member whose grant has not arrived.
    Unknown,
    /// Its user was a member, or has revoked it.
    Former,
}

/// What this device of this user is to this album.
pub(crate) fn terms(album: &Album, user: &UserId, device: &PublicKey) -> Terms {
    if album.owner().is_none() {
        Terms::Member
    } else if album.device_revoked(user, device) {
        Terms::Former
    } else if album.role_of(user) >= Role::Viewer {
        Terms::Member
    } else if album.members().any(|member| member.user == *user) {
        Terms::Former
    } else {
        Terms::Unknown
    }
}

impl Engine {
    /// What a linked device is to an album here; none if either is not.
    pub(crate) fn terms(&self, peer: &PublicKey, album: &AlbumId) -> Option<Terms> {
        let user = self.links.user(peer)?;
        self.albums
            .get(album)
            .map(|replica| terms(&replica.album, &user, peer))
    }

    /// Whether anti-entropy with a linked device goes on: it is a member's, or nobody's that is known here and no op here
    /// names this replica's own user either. Then the album has arrived in part only, and whoever links with us knows more.
    pub(crate) fn may_tell(&self, peer: &PublicKey, id: &AlbumId) -> bool {
        let is_new_here = || {
            let (replica, author) = (self.albums.get(id)?, &self.me.as_ref()?.author);
            let mine = terms(&replica.album, &author.user(), &author.certificate.device);
            Some(mine == Terms::Unknown)
        };
        match self.terms(peer, id) {
            Some(Terms::Member) => true,
            Some(Terms::Unknown) => is_new_here().unwrap_or(false),
            Some(Terms::Former) | None => false,
        }
    }

    /// The linked devices that share an album.
    pub(crate) fn sharers(&self, album: &AlbumId) -> Vec<PublicKey> {
        let peers = self.links.all().map(|(peer, _)| peer);
        peers
            .filter(|peer| self.terms(peer, album) == Some(Terms::Member))
            .collect()
    }

    /// A linked member of an album: bytes are asked for, and which of ours it holds. `false` if that was known.
    pub(crate) fn share(&mut self, now: u64, peer: PublicKey, album: AlbumId) -> bool {
        let new = self.transfer.share(now, peer, album);
        if let Some(replica) = self.albums.get(&album).filter(|_| new) {
            let named = crate::transfer::blobs_of_album(&replica.album);
            self.transfer.check_copies(peer, album, named);
        }
        new
    }

    pub(crate) fn on_link_up(&mut self, now: u64, peer: PublicKey, certificate: &Certificate) {
        // A new link in the place of an old one: nothing asked over that will be answered.
        self.on_link_down(peer);
        self.links.insert(peer, certificate.user());
        let albums: Vec<AlbumId> = self.albums.keys().copied().collect();
        for album in albums {
            if self.may_tell(&peer, &album) {
                self.sync_soon(now, album, peer, 0);
            }
            if self.terms(&peer, &album) == Some(Terms::Member) {
                self.share(now, peer, album);
            }
        }
    }

    pub(crate) fn on_link_down(&mut self, peer: PublicKey) {
        self.links.remove(&peer);
        self.transfer.link_down(peer);
    }

    /// Membership moved: rounds and transfers with new members begin, those with former ones stop.
    pub(crate) fn regroup(&mut self, now: u64, album: AlbumId) {
        for (peer, _) in self.links.all().collect::<Vec<_>>() {
            match self.terms(&peer, &album) {
                Some(Terms::Member) => {
                    if self.share(now, peer, album) {
                        self.sync_soon(now, album, peer, 0);
                    }
                }
                // A round under way may bring the grant that names it.
                Some(Terms::Unknown) => self.transfer.unshare(now, peer, album),
                Some(Terms::Former) | None => {
                    self.links.forget_round(&peer, album);
                    self.transfer.unshare(now, peer, album);
                }
            }
        }
    }

    /// Sends a request to a peer.
    pub(crate) fn ask(&mut self, peer: PublicKey, purpose: Purpose, call: &crate::wire::Call) -> AskId {
        let kind = Kind::from(call);
        let ask = self.links.next_ask(peer, call.album(), purpose, kind);
        let body = crate::wire::encode_call(call);
        self.tally("requests_out", 1);
        self.traffic.sent(peer, kind, body.len());
        self.out.push(Action::Ask { ask, peer, body });
        ask
    }

    pub(crate) fn on_frame(&mut self, now: u64, ask: AskId, frame: &[u8]) {
        self.tally("answer_bytes_in", frame.len());
        let whose = self.links.whose(ask);
        if let Some((peer, _, _, kind)) = whose {
            self.traffic.received(peer, kind, frame.len());
        }
        match whose {
            Some((peer, album, Purpose::Round, _)) => self.on_round_frame(now, ask, peer, album, frame),
            Some((peer, album, Purpose::Have, _)) => {
                // One frame is the whole answer: who never ends it does not keep the request open.
                self.links.end(ask);
                self.on_have_frame(now, peer, album, frame);
                self.transfer.have_ended(now, peer, album);
            }
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
