//! Every limit of this crate, with its unit. What happens at a limit is tested at it and one past it.

use std::time::Duration;

/// Extra bytes of ours inside a hello, before base64.
pub const HELLO_EXTRA_BYTES_MAX: usize = 1024;
/// A frame on the control stream: hello, bye or heartbeat, JSON.
pub const CONTROL_FRAME_BYTES_MAX: usize = 2 * 1024;
/// Length of a reason given in a bye; longer ones are cut by the sender.
pub const BYE_REASON_BYTES_MAX: usize = 256;

/// One request or reply frame: a chunk of 256 KiB and room for what names it.
pub const REQUEST_FRAME_BYTES_MAX: usize = 256 * 1024 + 64;
/// Requests of one peer answered at once; further ones wait, unread, in their streams. Also the number we
/// have open towards one peer at once, so that honest peers never wait in each other's streams.
pub const REQUESTS_AT_ONCE_MAX: usize = 8;

/// Payload of one gossip message.
pub const GOSSIP_PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Gossip messages a peer may send at once; see [`GOSSIP_MESSAGES_PER_S`].
pub const GOSSIP_MESSAGES_BURST: u32 = 20_000;
/// Gossip messages a peer may send per second once the burst is used; further ones are dropped, which anti-entropy
/// mends. A peer that makes each message durable sends about a thousand.
pub const GOSSIP_MESSAGES_PER_S: u32 = 5_000;
/// Messages of a peer that may be dropped so at once; one more closes the link. As many as
/// [`GOSSIP_MESSAGES_PER_S`] of them are forgiven per second.
pub const GOSSIP_DROPPED_BURST: u32 = 20_000;
/// Topics one peer may want from our PUB, and we from a peer's.
pub const SUBSCRIPTIONS_MAX: usize = 64;
/// Subscription frames a peer may send at once; see [`SUBSCRIPTION_FRAMES_PER_S`].
pub const SUBSCRIPTION_FRAMES_BURST: u32 = 256;
/// Subscription frames a peer may send per second once the burst is used.
pub const SUBSCRIPTION_FRAMES_PER_S: u32 = 4;
/// A READY command's frame; the one `zeromq` sends has 26 bytes.
pub const READY_BYTES_MAX: usize = 255;
/// Bytes from our PUB that may wait for one link; one more closes the link.
pub const GOSSIP_WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes towards a peer's PUB (subscriptions only) that may wait; one more closes the link.
pub const UPSTREAM_WAITING_BYTES_MAX: usize = 64 * 1024;

/// Published messages waiting for the PUB actor.
pub const PUBLISH_QUEUE_MAX: usize = 256;
/// Bytes of published messages waiting for the PUB actor; `publish` waits at it.
pub const PUBLISH_QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Messages the PUB actor sends before it waits until the links have carried them. `zeromq` drops silently
/// at 100,000.
pub const PACE_MESSAGES_MAX: usize = 512;
/// Bytes the PUB actor sends before it waits until the links have carried them.
pub const PACE_BYTES_MAX: usize = 1024 * 1024;

/// Connections between accept and the end of hello, in all; the oldest goes when one more comes.
pub const HALF_OPEN_MAX: usize = 64;
/// The same, from one address.
pub const HALF_OPEN_PER_ADDRESS_MAX: usize = 4;
/// The same, from one loopback address.
pub const HALF_OPEN_ON_LOOPBACK_MAX: usize = 16;
/// Live links.
pub const LINKS_MAX: usize = 100;
/// Streams of one link, both sides' together.
pub const STREAMS_MAX: usize = 64;
/// Streams of one link opened by the peer; one more is reset. Ours need the other half.
pub const STREAMS_INCOMING_MAX: usize = 32;
/// Receive window of a stream, bytes. Fixed: yamux cannot start lower, and we let it grow no further.
pub const WINDOW_BYTES: usize = 256 * 1024;
/// Receive windows of all links together, bytes (1,024 streams); a stream more is reset.
pub const WINDOWS_BYTES_MAX: usize = 256 * 1024 * 1024;
/// A yamux data frame below this many bytes is "small": it costs more memory than it carries.
pub const SMALL_FRAME_BYTES: usize = 256;
/// Small yamux frames a peer may send at once; reading pauses until [`SMALL_FRAMES_PER_S`] allows more.
pub const SMALL_FRAMES_BURST: u32 = 20_000;
/// Small yamux frames a peer may send per second once the burst is used.
pub const SMALL_FRAMES_PER_S: u32 = 10_000;

/// Peers we keep dialling.
pub const DIALS_MAX: usize = 512;
/// Addresses kept per peer; the first ones given stay.
pub const ADDRESSES_MAX: usize = 16;
/// Dials under way at once.
pub const DIALS_AT_ONCE_MAX: usize = 16;

/// Cuts after which a peer is dropped for [`BAN`], if they fall within [`STRIKES_WITHIN`].
pub const STRIKES_MAX: usize = 3;
/// How long a cut counts.
pub const STRIKES_WITHIN: Duration = Duration::from_secs(10 * 60);
/// How long a peer with too many cuts stays away.
pub const BAN: Duration = Duration::from_secs(60 * 60);
/// Peers whose cuts are remembered; the one with the oldest cut is forgotten first.
pub const STRIKE_PEERS_MAX: usize = 1024;
/// `Event::Refused` events per second; what is refused beyond is counted only.
pub const REFUSED_EVENTS_PER_S: u32 = 20;

/// Length of an ipc socket's path, bytes, the final NUL included (`sun_path` on the BSDs and macOS).
pub const IPC_PATH_BYTES_MAX: usize = 104;
/// File descriptors we ask the system for when the soft limit is lower.
pub const FILES_WANTED: u64 = 4096;

/// The times, as one value so that tests can shorten them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// TLS and hello together, and each dial.
    pub handshake: Duration,
    /// From hello until gossip runs both ways.
    pub gossip_setup: Duration,
    /// The first byte of a stream.
    pub stream_kind: Duration,
    /// Between heartbeats.
    pub heartbeat: Duration,
    /// Without a byte from the peer.
    pub dead: Duration,
    /// Without a byte read or written on a stream that has some to carry.
    pub progress: Duration,
    /// Unacknowledged bytes in the kernel (TCP_USER_TIMEOUT).
    pub tcp_user: Duration,
    /// First wait before a redial; doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest wait before a redial.
    pub backoff_max: Duration,
    /// How long the PUB actor waits for a link that does not keep up.
    pub pace: Duration,
    /// How long a closing link may take to say so.
    pub goodbye: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            gossip_setup: Duration::from_secs(10),
            stream_kind: Duration::from_secs(5),
            heartbeat: Duration::from_secs(10),
            dead: Duration::from_secs(30),
            progress: Duration::from_secs(30),
            tcp_user: Duration::from_secs(15),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            pace: Duration::from_secs(1),
            goodbye: Duration::from_millis(300),
        }
    }
}
