//! Every limit of the engine, with its unit. What happens at each is tested.

/// Bytes of one gossip payload.
pub const GOSSIP_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of ops in one gossip message or answer frame.
pub const OPS_CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of ops in one answer; the asker goes on from there.
pub const OPS_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Ops in one gossip message or answer frame.
pub const OPS_PER_CHUNK_MAX: usize = 1024;
/// `want` or `refs` entries in one request.
pub const WANTS_MAX: usize = 64;
/// `leaves` in one request.
pub const LEAVES_MAX: usize = 64;
/// Blobs in one `have` request.
pub const HAVE_MAX: usize = 256;
/// Chunk runs in one `blob` request.
pub const CHUNK_RUNS_MAX: usize = 64;
/// Bytes of a request's first frame.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one answer frame: a chunk and its header (docs/protocol.md §6).
pub const FRAME_BYTES_MAX: usize = 256 * 1024 + 64;

/// Milliseconds over which `delta` gathers ops.
pub const DELTA_MS: u64 = 50;
/// Milliseconds over which `state` gathers changes before it sends everything.
pub const STATE_MS: u64 = 200;
/// Milliseconds to let live ops in flight arrive before a difference starts anti-entropy.
pub const SETTLE_MS: u64 = 300;
/// Milliseconds between rounds of anti-entropy with one peer, ± a quarter.
pub const ROUND_MS: u64 = 30_000;
/// Milliseconds until a round that failed is tried again, ± a quarter.
pub const RETRY_MS: u64 = 2_000;

/// Blobs fetched from one peer at once.
pub const FETCHES_PER_PEER: usize = 4;
/// Blobs fetched at once.
pub const FETCHES_MAX: usize = 16;
/// Milliseconds until a peer that lacked a blob is asked again; doubles up to [`HAVE_RETRY_MAX_MS`].
pub const HAVE_RETRY_MS: u64 = 2_000;
/// Upper end of the above.
pub const HAVE_RETRY_MAX_MS: u64 = 60_000;
/// Milliseconds a peer is left alone for a blob after it failed to deliver it.
pub const FETCH_RETRY_MS: u64 = 10_000;

/// Publishers whose epoch and seq are remembered per album.
pub const HEARD_MAX: usize = 1024;
/// Chat lines of one member that stay live.
pub const CHAT_KEPT: usize = 500;
/// Bytes of a chat line.
pub const CHAT_BYTES_MAX: usize = 2000;
