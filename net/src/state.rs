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
use crate::{Event, LinkInfo, Policy};

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
    cancel: CancellationToken,
}

#[derive(Default)]
struct Table {
    links: BTreeMap<PublicKey, LinkHandle>,
    /// Links gone from `links` whose end has not yet been told.
    ending: BTreeMap<PublicKey, (u64, CancellationToken)>,
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

    pub(crate) fn block(&self, peer: PublicKey) {
        self.change(|table| {
            table.blocked.insert(peer);
            if let Some(link) = table.links.get(&peer) {
                link.close("blocked");
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
        });
        self.done.cancel();
    }
}
