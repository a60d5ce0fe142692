//! Every limit of the engine, with its unit. What happens at each is tested.

/// Bytes of one gossip payload.
pub const GOSSIP_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of ops in one gossip message or answer frame.
pub const OPS_CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of ops in one answer; the asker goes on from there.
pub const OPS_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that a peer may answer one request of anti-entropy with; past them it lies.
pub const ANSWER_BYTES_MAX: usize = 2 * OPS_ANSWER_BYTES;
/// Ops in one gossip message or answer frame.
pub const OPS_PER_CHUNK_MAX: usize = 1024;
/// `want` or `refs` entries in one request.
pub const WANTS_MAX: usize = 64;
/// `leaves` in one request.
pub const LEAVES_MAX: usize = 64;
/// Heads in one answer frame: about 85 bytes each.
pub const HEADS_PER_FRAME: usize = 2_048;
/// Unknown heads that one round pulls; the next goes on.
pub const HEADS_PER_ROUND_MAX: usize = 16_384;
/// Requests of one round; the next goes on if this one brought anything.
pub const STEPS_PER_ROUND_MAX: usize = 1_024;
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
/// Milliseconds between the chunks of one `state`: 12 MB/s, below what a slow link may queue.
pub const STATE_PACE_MS: u64 = 20;
/// Milliseconds to let live ops in flight arrive before a difference starts anti-entropy.
pub const SETTLE_MS: u64 = 300;
/// Milliseconds between rounds of anti-entropy with one peer, ± a quarter.
pub const ROUND_MS: u64 = 30_000;
/// Milliseconds until a round that failed is tried again, ± a quarter; doubles with each failure up to [`ROUND_MS`].
pub const RETRY_MS: u64 = 2_000;
/// Rounds in a row that find a difference and bring nothing before the peer is left alone for [`RETRY_MS`] after each.
pub const FREE_ROUNDS: u32 = 3;

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
/// Peers whose messages and bytes are counted apart.
pub const TRAFFIC_PEERS_MAX: usize = 256;
/// Chat lines of one member that stay live.
pub const CHAT_KEPT: usize = 500;
/// Bytes of a chat line.
pub const CHAT_BYTES_MAX: usize = crdt::limits::CHAT_BYTES_MAX;
