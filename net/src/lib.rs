//! How peers reach each other: ZeroMQ PUB/SUB on local sockets behind an authenticating guard.
//!
//! Nothing else in the program touches sockets between peers. Inside: the *bus*, one PUB and one SUB on ipc
//! sockets, and the *guard*, the only network listener (TCP, TLS 1.3 with raw Ed25519 keys on both sides,
//! yamux), which proves device keys, asks the [`Policy`], and then carries two kinds of conversation:
//!
//! - **gossip**: [`Net::subscribe`] and [`Net::publish`]; arrives as [`Event::Gossip`]. Lossy when a link
//!   is: a hint, anti-entropy is the truth. [`Event::LinkUp`] is the moment to start anti-entropy.
//! - **requests**: [`Net::request`]; arrives as [`Event::Request`]. Bytes in, any number of frames of bytes
//!   out, with flow control. Blobs travel this way too.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn example(config: net::Config, policy: Arc<dyn net::Policy>, peer: crdt::id::PublicKey,
//! #     address: std::net::SocketAddr, album: crdt::id::AlbumId) -> Result<(), Box<dyn std::error::Error>> {
//! let (sender, mut events) = tokio::sync::mpsc::channel(256);
//! let net = net::Net::start(config, policy, sender).await?;
//! net.subscribe(album);
//! net.dial(peer, vec![address]);
//! while let Some(event) = events.recv().await {
//!     match event {
//!         net::Event::LinkUp { peer, .. } => {
//!             let mut replies = net.request(peer, b"what have you?".to_vec()).await?;
//!             while let Some(frame) = replies.next().await {
//!                 println!("{} bytes", frame?.len());
//!             }
//!         }
//!         net::Event::Gossip { topic, from, payload } => println!("{topic} {from} {}", payload.len()),
//!         net::Event::Request { mut reply, .. } => {
//!             reply.send(b"nothing").await?;
//!             reply.finish().await?;
//!         }
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! Whoever reads the events must not wait for a peer: publish, ask and answer in other tasks (the example does
//! not, to be short).

mod api;
mod bus;
mod dial;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod gossip;
mod guard;
mod hello;
pub mod limits;
mod link;
mod rate;
mod request;
mod state;
#[cfg(test)]
mod tests;
mod transport;
mod zmtp;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crdt::id::{AlbumId, PublicKey};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use bus::Bus;
use limits::Times;
use state::{Peers, Shared, Tally};
use transport::{Secure, Windows};

pub use api::{
    Config, DialError, Event, LinkInfo, Policy, PublishError, Replies, ReplyError, RequestError, Responder,
    StartError,
};

/// What is refused: strangers and their half-open connections, then what a link's peer may not do. The first
/// of a second also come as [`Event::Refused`].
pub const REFUSED_KINDS: [&str; 20] = [
    "half_open",
    "handshake",
    "hello",
    "certificate",
    "unknown_key",
    "blocked",
    "banned_link",
    "links_full",
    "gossip_frame",
    "gossip_flood",
    "gossip_over",
    "forged_from",
    "gossip_topic",
    "subscription_refused",
    "slow_peer",
    "stream_kind",
    "request_frame",
    "request_waited",
    "faulty_peer",
    "banned",
];

/// What else is counted: nobody did wrong.
pub const ORDINARY_KINDS: [&str; 8] = [
    "duplicate",
    "myself",
    "refused_by_peer",
    "dial_failed",
    "gossip_unwanted",
    "gossip_withheld",
    "subscriptions_over",
    "control_unknown",
];

/// The handle. Clones share one net; it stops when the last is dropped or at [`Net::shutdown`].
#[derive(Clone)]
pub struct Net {
    shared: Arc<Shared>,
    address: SocketAddr,
    _stop: Arc<DropGuard>,
}

impl Net {
    /// Opens the listener and the bus. The caller's tokio runtime carries all tasks.
    pub async fn start(
        config: Config,
        policy: Arc<dyn Policy>,
        events: mpsc::Sender<Event>,
    ) -> Result<Net, StartError> {
        Self::start_with(config, policy, events, Times::default()).await
    }

    pub(crate) async fn start_with(
        config: Config,
        policy: Arc<dyn Policy>,
        events: mpsc::Sender<Event>,
        times: Times,
    ) -> Result<Net, StartError> {
        let me = config.keys.public();
        if config.certificate.device != me || !config.certificate.is_valid() {
            return Err(StartError::Certificate);
        }
        if config.hello.len() > limits::HELLO_EXTRA_BYTES_MAX {
            return Err(StartError::Hello {
                bytes: config.hello.len(),
            });
        }
        let secure = Secure::new(&config.keys).map_err(|error| StartError::Tls(error.to_string()))?;
        raise_file_limit();
        let listen_error = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let stop = CancellationToken::new();
        let topics = watch::Sender::new(Arc::new(BTreeSet::new()));
        let bus = Bus::start(
            &config.ipc_dir,
            me,
            topics.subscribe(),
            events.clone(),
            times.pace,
            stop.clone(),
        )
        .await?;
        let shared = Arc::new(Shared {
            me,
            certificate: config.certificate,
            hello: config.hello,
            run: rand::random(),
            times,
            secure,
            windows: Windows::new(),
            policy,
            bus,
            events,
            topics,
            rights: watch::Sender::new(0),
            peers: Peers::new(me),
            dials: Semaphore::new(limits::DIALS_AT_ONCE_MAX),
            tally: Tally::new(),
            stop: stop.clone(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(guard::listen(shared.clone(), listener));
        Ok(Net {
            shared,
            address,
            _stop: Arc::new(stop.drop_guard()),
        })
    }

    /// Where the guard listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Keeps a link to this peer: dials the addresses in turn, again and again with a wait of 1 to 60 s and
    /// jitter, whenever there is no link (of either side's making). Fresh addresses replace the old ones and
    /// are tried at once; the same ones again change nothing. At most [`limits::ADDRESSES_MAX`] addresses are
    /// kept, for at most [`limits::DIALS_MAX`] peers; beyond that the call does nothing.
    pub fn dial(&self, peer: PublicKey, addresses: Vec<SocketAddr>) {
        if let Some(cancel) = self.shared.peers.dial(peer, addresses) {
            self.shared
                .tasks
                .spawn(dial::keep(self.shared.clone(), peer, cancel));
        }
    }

    /// Tries one address of a peer now, whatever was tried before, within the deadline of a handshake; where it leads to
    /// the peer there is a link. A peer that is linked already needs none: `Ok` without a try. Our own key at one of our
    /// own addresses is tried as far as the proof of the key.
    pub async fn try_once(&self, peer: PublicKey, address: SocketAddr) -> Result<(), DialError> {
        if peer == self.shared.me {
            return dial::myself(&self.shared, address).await;
        }
        if self.shared.peers.link(&peer).is_some() {
            return Ok(());
        }
        if let Some(refusal) = self.shared.peers.refusal(&peer) {
            return Err(DialError::Unwanted(refusal.kind()));
        }
        dial::once(&self.shared, peer, address).await
    }

    /// Stops dialling this peer and closes its link. The peer may dial us again.
    pub fn forget(&self, peer: PublicKey) {
        self.shared.peers.forget(&peer);
    }

    /// Closes this peer's link and refuses every other until [`Net::unblock`]. Not kept on disk.
    pub fn block(&self, peer: PublicKey) {
        self.shared.peers.block(peer);
    }

    /// Ends a [`Net::block`]; a dialled peer is dialled again at once.
    pub fn unblock(&self, peer: PublicKey) {
        self.shared.peers.unblock(&peer);
    }

    /// Asks all linked peers that may read this album for its gossip, now and later. On a live link the first
    /// messages after this call may be missed (about a round trip): start anti-entropy afterwards.
    pub fn subscribe(&self, topic: AlbumId) {
        let added = self
            .shared
            .topics
            .send_if_modified(|topics| Arc::make_mut(topics).insert(topic));
        if added {
            self.recheck();
        }
    }

    /// Ends a [`Net::subscribe`]; at once for what has not yet become an [`Event::Gossip`].
    pub fn unsubscribe(&self, topic: AlbumId) {
        let removed = self
            .shared
            .topics
            .send_if_modified(|topics| Arc::make_mut(topics).remove(&topic));
        if removed {
            self.recheck();
        }
    }

    /// Membership changed: asks the [`Policy`] again about every link and subscription.
    pub fn recheck(&self) {
        self.shared
            .rights
            .send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Publishes to all linked peers that want this topic and may read it. Waits while more than
    /// [`limits::PUBLISH_QUEUE_BYTES_MAX`] wait, and up to a second for a slow link. `Ok` means on its way, no more.
    /// Whoever reads the events must not wait here: two such could wait for each other. Use another task.
    pub async fn publish(&self, topic: AlbumId, payload: Vec<u8>) -> Result<(), PublishError> {
        if self.shared.stop.is_cancelled() {
            return Err(PublishError::Closed);
        }
        self.shared.bus.publish(topic, payload).await
    }

    /// Asks a linked peer. At most [`limits::REQUESTS_AT_ONCE_MAX`] per peer are open at once; others wait here
    /// until an earlier one's [`Replies`] has ended or is dropped.
    pub async fn request(&self, peer: PublicKey, body: Vec<u8>) -> Result<Replies, RequestError> {
        let link = self.shared.peers.link(&peer).ok_or(RequestError::NotLinked)?;
        request::ask(link, &body, self.shared.times.progress).await
    }

    /// The live links, by peer key. A link is listed from hello on, a moment before its [`Event::LinkUp`].
    pub fn links(&self) -> Vec<LinkInfo> {
        self.shared.peers.infos()
    }

    /// Bytes inside TLS that all links of this net carried, those that are gone included: in, out.
    pub fn carried(&self) -> (u64, u64) {
        self.shared.peers.carried()
    }

    /// Wanted peers without a link whose addresses are being tried right now; between two attempts a peer is away.
    pub fn connecting(&self) -> Vec<PublicKey> {
        self.shared.peers.connecting()
    }

    /// Cuts a peer that broke the rules of what its link carries, which only the caller can read: ends the link and
    /// counts as a broken frame does, so that after [`limits::STRIKES_MAX`] of them it stays away for [`limits::BAN`].
    pub fn cut(&self, peer: PublicKey, detail: &str) {
        self.shared.strike(peer, "faulty_peer", detail);
        self.shared.peers.close(&peer, detail);
    }

    /// What was counted since the start, by name: [`REFUSED_KINDS`] and [`ORDINARY_KINDS`].
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.shared.tally.all()
    }

    /// Says goodbye on all links and stops; waits until everything has stopped (about a second at most).
    /// No event is sent afterwards.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.bus.stopped().await;
    }
}

/// A link takes five file descriptors; the usual soft limit is made for programs with fewer.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(limits::FILES_WANTED, |most| most.min(limits::FILES_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "file descriptors");
        }
    }
}
