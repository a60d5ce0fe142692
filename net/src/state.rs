//! What all tasks share: the live links, who is blocked or banned, whom we dial, and counters.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crdt::id::{AlbumId, PublicKey};
use crdt::keys::Certificate;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::limits::{self, Times};
use crate::rate::Bucket;
use crate::transport::{Meter, Opener, Secure, Windows};
use crate::{Event, LinkInfo, ORDINARY_KINDS, Policy, REFUSED_KINDS};

/// Everything a task may need.
pub(crate) struct Shared {
    pub(crate) me: PublicKey,
    pub(crate) certificate: Certificate,
    pub(crate) hello: Vec<u8>,
    /// Random per start, see [`crate::hello::Hello::run`].
    pub(crate) run: u32,
    pub(crate) times: Times,
    pub(crate) secure: Secure,
    pub(crate) windows: Windows,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) bus: Bus,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) topics: watch::Sender<Arc<BTreeSet<AlbumId>>>,
    /// Moves when topics or the policy's mind change.
    pub(crate) rights: watch::Sender<u64>,
    pub(crate) peers: Peers,
    pub(crate) dials: Semaphore,
    pub(crate) tally: Tally,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    /// Sends an event, unless we stop first.
    pub(crate) async fn tell(&self, event: Event) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = self.events.send(event) => {}
        }
    }

    /// Counts something refused and says so, if there is room.
    pub(crate) fn refuse(&self, kind: &'static str, peer: Option<PublicKey>, detail: impl Into<String>) {
        let detail = detail.into();
        debug_assert!(
            REFUSED_KINDS.contains(&kind) || ORDINARY_KINDS.contains(&kind),
            "{kind}"
        );
        tracing::debug!(kind, ?peer, detail, "refused");
        if self.tally.count(kind) && !self.stop.is_cancelled() {
            let _ = self.events.try_send(Event::Refused { kind, peer, detail });
        }
    }

    /// A peer broke the rules of gossip.
    pub(crate) fn strike(&self, peer: PublicKey, kind: &'static str, detail: impl Into<String>) {
        self.refuse(kind, Some(peer), detail);
        if self.peers.strike(peer) {
            self.refuse(
                "banned",
                Some(peer),
                format!("{} cuts; away for an hour", limits::STRIKES_MAX),
            );
        }
    }
}

/// Counters by name.
pub(crate) struct Tally {
    counts: Mutex<(BTreeMap<&'static str, u64>, Bucket)>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let bucket = Bucket::new(limits::REFUSED_EVENTS_PER_S, limits::REFUSED_EVENTS_PER_S);
        Self {
            counts: Mutex::new((BTreeMap::new(), bucket)),
        }
    }

    /// Counts, and says whether an event may be sent about it.
    fn count(&self, kind: &'static str) -> bool {
        let mut counts = lock(&self.counts);
        *counts.0.entry(kind).or_default() += 1;
        counts.1.take()
    }

    /// Counts what is not worth an event.
    pub(crate) fn add(&self, kind: &'static str) {
        *lock(&self.counts).0.entry(kind).or_default() += 1;
    }

    pub(crate) fn all(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).0.clone()
    }
}

/// A poisoned lock is still right: no code of ours can panic half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A live link as others see it.
#[derive(Clone)]
pub(crate) struct LinkHandle {
    id: u64,
    address: SocketAddr,
    dialled: bool,
    run: u32,
    since: SystemTime,
    opener: Opener,
    meter: Arc<Meter>,
    close: Arc<watch::Sender<Option<String>>>,
    done: CancellationToken,
    /// Places for requests of ours.
    pub(crate) asking: Arc<Semaphore>,
}

impl LinkHandle {
    pub(crate) fn opener(&self) -> &Opener {
        &self.opener
    }

    fn close(&self, reason: &str) {
        self.close.send_replace(Some(reason.to_owned()));
    }
}

/// What a link brings to be registered.
pub(crate) struct Candidate {
    pub(crate) peer: PublicKey,
    pub(crate) address: SocketAddr,
    pub(crate) dialled: bool,
    pub(crate) run: u32,
    pub(crate) opener: Opener,
    pub(crate) meter: Arc<Meter>,
}

/// A registered link's place; leaves it when dropped.
pub(crate) struct Registration {
    peers: Peers,
    peer: PublicKey,
    /// Unique among all links of this start.
    pub(crate) id: u64,
    /// Why to close, once somebody wants it.
    pub(crate) close: watch::Receiver<Option<String>>,
    /// The link this one replaces; its end comes first.
    pub(crate) predecessor: Option<CancellationToken>,
    done: CancellationToken,
}

/// Why a link may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("blocked")]
    Blocked,
    #[error("banned for an hour")]
    Banned,
    #[error("too many links")]
    Full,
    #[error("already linked")]
    Duplicate,
    #[error("that is me")]
    Myself,
}

impl Refusal {
    /// The counter's name.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Refusal::Blocked => "blocked",
            Refusal::Banned => "banned_link",
            Refusal::Full => "links_full",
            Refusal::Duplicate => "duplicate",
            Refusal::Myself => "myself",
        }
    }
}

/// Whom a dialling task cares for.
pub(crate) struct DialState {
    pub(crate) addresses: Vec<SocketAddr>,
    /// Moves with the addresses.
    pub(crate) version: u64,
    /// Whether a link came up since this was last asked.
    pub(crate) worked: bool,
    /// Whether one of the addresses is being tried right now.
    trying: bool,
    cancel: CancellationToken,
}

#[derive(Default)]
struct Table {
    links: BTreeMap<PublicKey, LinkHandle>,
    /// Links gone from `links` whose end has not yet been told.
    ending: BTreeMap<PublicKey, (u64, CancellationToken)>,
    /// The meters of all links that are not dropped yet, and the sums of those that are: bytes in, bytes out.
    meters: BTreeMap<u64, Arc<Meter>>,
    ended: (u64, u64),
    blocked: BTreeSet<PublicKey>,
    strikes: BTreeMap<PublicKey, VecDeque<Instant>>,
    banned: BTreeMap<PublicKey, Instant>,
    dials: BTreeMap<PublicKey, DialState>,
}

/// What is known of peers.
#[derive(Clone)]
pub(crate) struct Peers(Arc<Inner>);

struct Inner {
    me: PublicKey,
    table: Mutex<Table>,
    changed: watch::Sender<u64>,
    next: AtomicU64,
}

/// What a dialling task should do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Try these; the number is the version of the list.
    Dial(Vec<SocketAddr>, u64),
    /// Linked, blocked or without addresses: wait for a change.
    Wait,
    /// Wait for a change or this moment.
    WaitUntil(Instant),
}

impl Peers {
    pub(crate) fn new(me: PublicKey) -> Self {
        let inner = Inner {
            me,
            table: Mutex::default(),
            changed: watch::Sender::new(0),
            next: AtomicU64::new(1),
        };
        Self(Arc::new(inner))
    }

    fn change<R>(&self, f: impl FnOnce(&mut Table) -> R) -> R {
        let result = f(&mut lock(&self.0.table));
        self.0
            .changed
            .send_modify(|version| *version = version.wrapping_add(1));
        result
    }

    fn look<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        f(&lock(&self.0.table))
    }

    /// Moves with every change of links, blocks and dials.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// A number never given before.
    pub(crate) fn number(&self) -> u64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a link with this peer is out of the question, whatever it says.
    pub(crate) fn refusal(&self, peer: &PublicKey) -> Option<Refusal> {
        if *peer == self.0.me {
            return Some(Refusal::Myself);
        }
        self.look(|table| {
            if table.blocked.contains(peer) {
                return Some(Refusal::Blocked);
            }
            table
                .banned
                .get(peer)
                .filter(|until| **until > Instant::now())
                .map(|_| Refusal::Banned)
        })
    }

    /// Makes a link the peer's one link, or says why not. Of two, the one dialled by the lower key stays,
    /// both ends judging alike; but one from a peer's earlier run, or dialled by the same side before, is
    /// dead to its other end and gives way.
    pub(crate) fn register(&self, new: Candidate) -> Result<Registration, Refusal> {
        if let Some(refusal) = self.refusal(&new.peer) {
            return Err(refusal);
        }
        let by_lower = |dialled: bool| dialled == (self.0.me < new.peer);
        let id = self.number();
        self.change(|table| {
            let old = table.links.get(&new.peer);
            match old {
                Some(old) if old.run == new.run && old.dialled != new.dialled && !by_lower(new.dialled) => {
                    return Err(Refusal::Duplicate);
                }
                None if table.links.len() >= limits::LINKS_MAX => return Err(Refusal::Full),
                _ => {}
            }
            let predecessor = old.map(|old| {
                old.close("replaced by another link");
                old.done.clone()
            });
            let predecessor = predecessor.or_else(|| Some(table.ending.get(&new.peer)?.1.clone()));
            let (close, closing) = watch::channel(None);
            let done = CancellationToken::new();
            table.meters.insert(id, new.meter.clone());
            let handle = LinkHandle {
                id,
                address: new.address,
                dialled: new.dialled,
                run: new.run,
                since: SystemTime::now(),
                opener: new.opener,
                meter: new.meter,
                close: Arc::new(close),
                done: done.clone(),
                asking: Arc::new(Semaphore::new(limits::REQUESTS_AT_ONCE_MAX)),
            };
            table.links.insert(new.peer, handle);
            Ok(Registration {
                peers: self.clone(),
                peer: new.peer,
                id,
                close: closing,
                predecessor,
                done,
            })
        })
    }

    pub(crate) fn link(&self, peer: &PublicKey) -> Option<LinkHandle> {
        self.look(|table| table.links.get(peer).cloned())
    }

    pub(crate) fn infos(&self) -> Vec<LinkInfo> {
        let info = |(peer, link): (&PublicKey, &LinkHandle)| LinkInfo {
            peer: *peer,
            address: link.address,
            dialled: link.dialled,
            since: link.since,
            bytes_in: link.meter.bytes_in(),
            bytes_out: link.meter.bytes_out(),
        };
        self.look(|table| table.links.iter().map(info).collect())
    }

    /// Bytes that all links carried, those that are gone included: in, out.
    pub(crate) fn carried(&self) -> (u64, u64) {
        self.look(|table| {
            let meters = table.meters.values();
            meters.fold(table.ended, |(bytes_in, bytes_out), meter| {
                (bytes_in + meter.bytes_in(), bytes_out + meter.bytes_out())
            })
        })
    }

    pub(crate) fn block(&self, peer: PublicKey) {
        self.change(|table| {
            table.blocked.insert(peer);
            if let Some(link) = table.links.get(&peer) {
                link.close("blocked");
            }
        });
    }

    /// Ends a peer's link; it may come again.
    pub(crate) fn close(&self, peer: &PublicKey, reason: &str) {
        self.look(|table| {
            if let Some(link) = table.links.get(peer) {
                link.close(reason);
            }
        });
    }

    pub(crate) fn unblock(&self, peer: &PublicKey) {
        self.change(|table| table.blocked.remove(peer));
    }

    /// Counts a cut against a peer; `true` when it is one too many and the peer now stays away.
    fn strike(&self, peer: PublicKey) -> bool {
        let now = Instant::now();
        self.change(|table| {
            table.banned.retain(|_, until| *until > now);
            table.strikes.retain(|_, cuts| {
                cuts.retain(|cut| now.duration_since(*cut) < limits::STRIKES_WITHIN);
                !cuts.is_empty()
            });
            if table.strikes.len() >= limits::STRIKE_PEERS_MAX && !table.strikes.contains_key(&peer) {
                let oldest = table
                    .strikes
                    .iter()
                    .min_by_key(|(_, cuts)| cuts.back())
                    .map(|(peer, _)| *peer);
                oldest.and_then(|peer| table.strikes.remove(&peer));
            }
            let cuts = table.strikes.entry(peer).or_default();
            cuts.push_back(now);
            if cuts.len() < limits::STRIKES_MAX {
                return false;
            }
            table.strikes.remove(&peer);
            table.banned.insert(peer, now + limits::BAN);
            if let Some(link) = table.links.get(&peer) {
                link.close("too many cuts");
            }
            true
        })
    }

    /// Wants a link to this peer; a token when a task has to be started for it.
    pub(crate) fn dial(&self, peer: PublicKey, mut addresses: Vec<SocketAddr>) -> Option<CancellationToken> {
        addresses.truncate(limits::ADDRESSES_MAX);
        if peer == self.0.me {
            return None;
        }
        let version = self.number();
        self.change(|table| {
            if let Some(dial) = table.dials.get_mut(&peer) {
                if dial.addresses != addresses {
                    dial.addresses = addresses;
                    dial.version = version;
                }
                return None;
            }
            if table.dials.len() >= limits::DIALS_MAX {
                return None;
            }
            let cancel = CancellationToken::new();
            let dial = DialState {
                addresses,
                version,
                worked: false,
                trying: false,
                cancel: cancel.clone(),
            };
            table.dials.insert(peer, dial);
            Some(cancel)
        })
    }

    pub(crate) fn forget(&self, peer: &PublicKey) {
        self.change(|table| {
            if let Some(dial) = table.dials.remove(peer) {
                dial.cancel.cancel();
            }
            if let Some(link) = table.links.get(peer) {
                link.close("no longer wanted");
            }
        });
    }

    /// What to do about a dialled peer.
    pub(crate) fn advice(&self, peer: &PublicKey) -> Advice {
        self.look(|table| {
            let Some(dial) = table.dials.get(peer) else {
                return Advice::Wait;
            };
            if table.links.contains_key(peer) || table.blocked.contains(peer) || dial.addresses.is_empty() {
                return Advice::Wait;
            }
            match table.banned.get(peer) {
                Some(until) if *until > Instant::now() => Advice::WaitUntil(*until),
                _ => Advice::Dial(dial.addresses.clone(), dial.version),
            }
        })
    }

    /// Whether a link to a dialled peer came up since this was last asked.
    pub(crate) fn worked(&self, peer: &PublicKey) -> bool {
        lock(&self.0.table)
            .dials
            .get_mut(peer)
            .is_some_and(|dial| std::mem::take(&mut dial.worked))
    }

    /// A dialling task begins to try addresses, or ends.
    pub(crate) fn set_trying(&self, peer: &PublicKey, trying: bool) {
        if let Some(dial) = lock(&self.0.table).dials.get_mut(peer) {
            dial.trying = trying;
        }
    }

    /// Peers without a link whose addresses are being tried right now.
    pub(crate) fn connecting(&self) -> Vec<PublicKey> {
        self.look(|table| {
            let trying = table.dials.iter().filter(|(_, dial)| dial.trying);
            trying
                .map(|(peer, _)| *peer)
                .filter(|peer| !table.links.contains_key(peer))
                .collect()
        })
    }

    /// A link is up.
    pub(crate) fn on_up(&self, peer: &PublicKey) {
        if let Some(dial) = lock(&self.0.table).dials.get_mut(peer) {
            dial.worked = true;
        }
    }
}

impl Registration {
    /// Gives up the peer's place for another link, whose `LinkUp` still waits until this value is dropped.
    pub(crate) fn leave(&self) {
        self.peers.change(|table| {
            if table.links.get(&self.peer).is_some_and(|link| link.id == self.id) {
                table.links.remove(&self.peer);
                table.ending.insert(self.peer, (self.id, self.done.clone()));
            }
        });
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.peers.change(|table| {
            if table.links.get(&self.peer).is_some_and(|link| link.id == self.id) {
                table.links.remove(&self.peer);
            }
            if table.ending.get(&self.peer).is_some_and(|(id, _)| *id == self.id) {
                table.ending.remove(&self.peer);
            }
            if let Some(meter) = table.meters.remove(&self.id) {
                table.ended.0 += meter.bytes_in();
                table.ended.1 += meter.bytes_out();
            }
        });
        self.done.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn candidate(peer: PublicKey, dialled: bool, run: u32) -> Candidate {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        Candidate {
            peer,
            address,
            dialled,
            run,
            opener: Opener::dead(),
            meter: Arc::default(),
        }
    }

    /// The old link and the new one, and whether the new one takes the place.
    #[tokio::test]
    async fn of_two_links_the_one_dialled_by_the_lower_key_stays() {
        for (me, old, new, replaces) in [
            // (dialled by us, run); the peer's key is 5.
            (4, (true, 1), (false, 1), false),
            (4, (false, 1), (true, 1), true),
            (6, (true, 1), (false, 1), true),
            (6, (false, 1), (true, 1), false),
            // The same side again: it knows that the old one is dead.
            (4, (false, 1), (false, 1), true),
            (4, (true, 1), (true, 1), true),
            // The peer was started anew.
            (4, (true, 1), (false, 2), true),
            (6, (false, 1), (true, 2), true),
        ] {
            let peers = Peers::new(key(me));
            let first = peers.register(candidate(key(5), old.0, old.1)).ok().unwrap();
            let second = peers.register(candidate(key(5), new.0, new.1));
            assert_eq!(second.is_ok(), replaces, "{me} {old:?} {new:?}");
            assert_eq!(first.close.borrow().is_some(), replaces);
            match second {
                Ok(second) => {
                    // The new one is not up before the old one's end is told.
                    let predecessor = second.predecessor.clone().unwrap();
                    first.leave();
                    assert!(!predecessor.is_cancelled());
                    assert_eq!(first.close.borrow().as_deref(), Some("replaced by another link"));
                    drop(first);
                    assert!(predecessor.is_cancelled());
                    assert_eq!(peers.infos().len(), 1);
                    drop(second);
                }
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::Duplicate);
                    drop(first);
                }
            }
            assert!(peers.infos().is_empty());
        }
    }

    #[tokio::test]
    async fn a_link_that_left_is_still_waited_for() {
        let peers = Peers::new(key(1));
        let first = peers.register(candidate(key(5), true, 1)).ok().unwrap();
        first.leave();
        let second = peers.register(candidate(key(5), true, 1)).ok().unwrap();
        let predecessor = second.predecessor.clone().unwrap();
        assert!(!predecessor.is_cancelled());
        drop(first);
        assert!(predecessor.is_cancelled() && peers.infos().len() == 1);
    }

    #[tokio::test]
    async fn there_are_a_hundred_links_and_not_one_more() {
        let peers = Peers::new(key(200));
        let most = limits::LINKS_MAX as u8;
        let mut links: Vec<Registration> = (0..most)
            .map(|n| peers.register(candidate(key(n), true, 1)).ok().unwrap())
            .collect();
        let register = |peer| peers.register(candidate(peer, true, 1));
        assert_eq!(register(key(most)).err(), Some(Refusal::Full));
        // One that replaces another takes no place.
        links.push(register(key(0)).ok().unwrap());
        links.remove(1);
        assert!(register(key(most)).is_ok());
        assert_eq!(register(key(200)).err(), Some(Refusal::Myself));
    }

    #[tokio::test(start_paused = true)]
    async fn three_cuts_in_ten_minutes_are_an_hour_away() {
        let peers = Peers::new(key(1));
        let link = peers.register(candidate(key(5), true, 1)).ok().unwrap();
        let minute = Duration::from_secs(60);
        assert!(!peers.strike(key(5)));
        tokio::time::advance(5 * minute).await;
        assert!(!peers.strike(key(5)));
        tokio::time::advance(5 * minute).await;
        // The first no longer counts.
        assert!(!peers.strike(key(5)));
        assert_eq!(peers.refusal(&key(5)), None);
        tokio::time::advance(5 * minute - Duration::from_millis(1)).await;
        assert!(peers.strike(key(5)));
        assert_eq!(link.close.borrow().as_deref(), Some("too many cuts"));
        assert_eq!(peers.refusal(&key(5)), Some(Refusal::Banned));
        assert_eq!(peers.refusal(&key(6)), None);
        tokio::time::advance(limits::BAN).await;
        assert_eq!(peers.refusal(&key(5)), None);
        assert!(!peers.strike(key(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn cuts_of_a_thousand_peers_are_remembered() {
        let peers = Peers::new(key(1));
        let peer = |n: usize| {
            let mut key = [7; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            PublicKey(key)
        };
        for n in 0..=limits::STRIKE_PEERS_MAX {
            peers.look(|table| assert!(n == 0 || table.strikes.contains_key(&peer(0))));
            peers.strike(peer(n));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        peers.look(|table| {
            assert_eq!(table.strikes.len(), limits::STRIKE_PEERS_MAX);
            assert!(!table.strikes.contains_key(&peer(0)) && table.strikes.contains_key(&peer(1)));
        });
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_all_counted_and_a_few_told() {
        let tally = Tally::new();
        let told = (0..100).filter(|_| tally.count("x")).count();
        assert_eq!(told, limits::REFUSED_EVENTS_PER_S as usize);
        assert_eq!(tally.all()["x"], 100);
    }
}
