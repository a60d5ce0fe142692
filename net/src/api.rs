//! What the node and this crate say to each other: configuration, policy, events, errors.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use crdt::id::{AlbumId, PublicKey};
use crdt::keys::{Certificate, KeyPair};

use crate::limits;
pub use crate::request::{Replies, Responder};

/// What a [`crate::Net`] needs to start.
pub struct Config {
    /// Where the guard listens; port 0 lets the system choose, see [`crate::Net::local_addr`].
    pub listen: SocketAddr,
    /// Folder for the two ipc sockets, ours alone: created with mode 0700 when missing, refused when it
    /// belongs to another or is open to others. Left-over sockets in it are removed. One process at a time:
    /// the caller holds the home's lock.
    pub ipc_dir: PathBuf,
    /// The device's key pair: the identity of our end of every link.
    pub keys: KeyPair,
    /// The root's word for that device; sent in hello.
    pub certificate: Certificate,
    /// Opaque to this crate, at most [`limits::HELLO_EXTRA_BYTES_MAX`] bytes; the peer gets it in its
    /// [`Event::LinkUp`].
    pub hello: Vec<u8>,
}

/// Decides who may be here. Called from the links' tasks, often (once per gossip message), so answers must
/// come from memory. After a change of mind call [`crate::Net::recheck`].
pub trait Policy: Send + Sync + 'static {
    /// Whether a device with this certificate, already found valid, may have a link. Asked right after its
    /// hello and at every recheck; `false` closes the link politely.
    fn may_link(&self, device: &PublicKey, certificate: &Certificate) -> bool;

    /// Whether gossip about this album may pass between us and that device, in either direction.
    fn may_read(&self, device: &PublicKey, topic: &AlbumId) -> bool;
}

/// What happened. The channel is bounded by the caller; a full one holds back gossip and requests (flow
/// control reaches the sender), never heartbeats.
#[derive(Debug)]
pub enum Event {
    /// A link is up: hello is exchanged and our subscriptions are active in the peer's PUB, so that from now
    /// on nothing it publishes is lost before the link is. Per peer, `LinkUp` and `LinkDown` alternate.
    /// No [`Event::Request`] of a link comes before its `LinkUp`.
    LinkUp {
        /// The device at the other end, proved by TLS.
        peer: PublicKey,
        /// Its certificate, found valid and for that device.
        certificate: Certificate,
        /// Its address; the port is its listening port only when we dialled.
        address: SocketAddr,
        /// Whether we dialled.
        dialled: bool,
        /// The peer's [`Config::hello`].
        hello: Vec<u8>,
    },
    /// A link that was up is gone. Its open requests end with an error.
    LinkDown {
        /// The device at the other end.
        peer: PublicKey,
        /// Why, for people and logs.
        reason: String,
    },
    /// Something was refused; counted by kind in [`crate::Net::counters`]. At most
    /// [`limits::REFUSED_EVENTS_PER_S`] such events a second are sent, the rest is only counted.
    Refused {
        /// The counter's name, see [`crate::Net::counters`].
        kind: &'static str,
        /// The device, once known.
        peer: Option<PublicKey>,
        /// More, for people and logs.
        detail: String,
    },
    /// A gossip message from a linked peer, about a topic we subscribe to and the policy allows.
    Gossip {
        /// The album.
        topic: AlbumId,
        /// The publishing device: always the peer of the link it came on.
        from: PublicKey,
        /// At most [`limits::GOSSIP_PAYLOAD_BYTES_MAX`] bytes.
        payload: Vec<u8>,
    },
    /// A peer asks something.
    Request {
        /// Who asks.
        peer: PublicKey,
        /// The request frame, at most [`limits::REQUEST_FRAME_BYTES_MAX`] bytes.
        body: Vec<u8>,
        /// Where the answer goes; dropping it unfinished tells the asker that it failed.
        reply: Responder,
    },
}

/// One live link, for `/net` and `status`.
#[derive(Debug, Clone)]
pub struct LinkInfo {
    /// The device at the other end.
    pub peer: PublicKey,
    /// Its address; the port is its listening port only when we dialled.
    pub address: SocketAddr,
    /// Whether we dialled.
    pub dialled: bool,
    /// When hello was exchanged.
    pub since: SystemTime,
    /// Bytes received inside TLS.
    pub bytes_in: u64,
    /// Bytes sent inside TLS.
    pub bytes_out: u64,
}

/// Why a [`crate::Net`] did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port could not be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// The folder for ipc sockets cannot be used.
    #[error("cannot use {} for local sockets: {why}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// ZeroMQ refused a socket.
    #[error("cannot start the bus: {0}")]
    Bus(String),
    /// The certificate is not one for our device key.
    #[error("the certificate is not one for this device's key")]
    Certificate,
    /// The hello is too long.
    #[error("hello of {bytes} bytes, at most {} allowed", limits::HELLO_EXTRA_BYTES_MAX)]
    Hello {
        /// Its length.
        bytes: usize,
    },
    /// The TLS library refused our key.
    #[error("cannot set up tls: {0}")]
    Tls(String),
}

/// Why an address did not lead to a link, sorted by what a person does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// A machine answers there, and nothing listens on that port.
    #[error("connection refused")]
    Refused,
    /// Nothing came back: the machine is off or elsewhere, or a firewall drops what is sent there.
    #[error("no answer")]
    Silent,
    /// The system knows no way there.
    #[error("no way there: {0}")]
    NoWay(String),
    /// Something listens there that did not prove the peer's key.
    #[error("somebody else answers: {0}")]
    Another(String),
    /// Something listens there and does not go on.
    #[error("it answers and then hangs")]
    Stuck,
    /// The peer is there and does not want the link; its words, in which a log may show them, or none.
    #[error("the peer does not want the link: {0}")]
    Unwelcome(String),
    /// It is there, and we do not want the link: one of [`crate::REFUSED_KINDS`] or [`crate::ORDINARY_KINDS`].
    #[error("not wanted here: {0}")]
    Unwanted(&'static str),
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The payload is too long.
    #[error(
        "payload of {bytes} bytes, at most {} allowed",
        limits::GOSSIP_PAYLOAD_BYTES_MAX
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The net is shutting down.
    #[error("the net is shut down")]
    Closed,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no link to that peer.
    #[error("no link to this peer")]
    NotLinked,
    /// The request is too long.
    #[error(
        "request of {bytes} bytes, at most {} allowed",
        limits::REQUEST_FRAME_BYTES_MAX
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The peer ended the exchange before its end mark, or the link was lost.
    #[error("the answer broke off")]
    BrokenOff,
    /// Nothing moved for 30 s.
    #[error("no progress")]
    Stalled,
    /// The peer announced a frame longer than allowed.
    #[error(
        "the peer sent a frame of {bytes} bytes, at most {} allowed",
        limits::REQUEST_FRAME_BYTES_MAX
    )]
    Oversized {
        /// The length it announced.
        bytes: u32,
    },
}

/// Why a reply could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The frame is too long.
    #[error("reply of {bytes} bytes, at most {} allowed", limits::REQUEST_FRAME_BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The asker is gone.
    #[error("the asker is gone")]
    Gone,
    /// The asker read nothing for 30 s.
    #[error("no progress")]
    Stalled,
}
