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
//! Do long answers in a task of their own: whoever reads the events must not wait for a peer.

mod api;
pub mod limits;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crdt::id::{AlbumId, PublicKey};
use tokio::sync::mpsc;

pub use api::{
    Config, Event, LinkInfo, Policy, PublishError, Replies, ReplyError, RequestError, Responder, StartError,
};

/// The handle. Clones share one net; it stops when the last is dropped or at [`Net::shutdown`].
#[derive(Clone)]
pub struct Net {
    address: SocketAddr,
}

impl Net {
    /// Opens the listener and the bus. The caller's tokio runtime carries all tasks.
    pub async fn start(
        config: Config,
        policy: Arc<dyn Policy>,
        events: mpsc::Sender<Event>,
    ) -> Result<Net, StartError> {
        let _ = (policy, events);
        Ok(Net {
            address: config.listen,
        })
    }

    /// Where the guard listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Keeps a link to this peer: dials the addresses in turn, again and again with a wait of 1 to 60 s and
    /// jitter, whenever there is no link (of either side's making). Fresh addresses replace the old ones and
    /// are tried at once; the same ones again change nothing. At most 16 addresses are kept.
    pub fn dial(&self, peer: PublicKey, addresses: Vec<SocketAddr>) {
        let _ = (peer, addresses);
    }

    /// Stops dialling this peer and closes its link. The peer may dial us again.
    pub fn forget(&self, peer: PublicKey) {
        let _ = peer;
    }

    /// Closes this peer's link and refuses every other until [`Net::unblock`]. Not kept on disk.
    pub fn block(&self, peer: PublicKey) {
        let _ = peer;
    }

    /// Ends a [`Net::block`]; a dialled peer is dialled again at once.
    pub fn unblock(&self, peer: PublicKey) {
        let _ = peer;
    }

    /// Asks all linked peers that may read this album for its gossip, now and later. On a live link the first
    /// messages after this call may be missed (about a round trip): start anti-entropy afterwards.
    pub fn subscribe(&self, topic: AlbumId) {
        let _ = topic;
    }

    /// Ends a [`Net::subscribe`]; at once for [`Event::Gossip`].
    pub fn unsubscribe(&self, topic: AlbumId) {
        let _ = topic;
    }

    /// Membership changed: asks the [`Policy`] again about every link and subscription.
    pub fn recheck(&self) {}

    /// Publishes to all linked peers that want this topic and may read it. Waits while more than
    /// [`limits::PUBLISH_QUEUE_BYTES_MAX`] wait, and up to a second for a slow link. `Ok` means on its way, no more.
    pub async fn publish(&self, topic: AlbumId, payload: Vec<u8>) -> Result<(), PublishError> {
        let _ = (topic, payload);
        Err(PublishError::Closed)
    }

    /// Asks a linked peer. At most [`limits::REQUESTS_AT_ONCE_MAX`] per peer are open at once; others wait here
    /// until an earlier one's [`Replies`] has ended or is dropped.
    pub async fn request(&self, peer: PublicKey, body: Vec<u8>) -> Result<Replies, RequestError> {
        let _ = (peer, body);
        Err(RequestError::NotLinked)
    }

    /// The live links, by peer key.
    pub fn links(&self) -> Vec<LinkInfo> {
        Vec::new()
    }

    /// What was counted since the start, by name.
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }

    /// Says goodbye on all links and stops; waits until everything has stopped (about a second at most).
    /// No event is sent afterwards.
    pub async fn shutdown(self) {}
}
