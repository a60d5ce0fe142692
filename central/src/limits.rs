//! Every limit of the central, with its unit. What happens at each is tested at the limit and one past it.

use std::time::Duration;

/// Longest frame either way, bytes, without its length.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest OPAQUE message, bytes. The longest real one has 320.
pub const OPAQUE_BYTES_MAX: usize = 1024;
/// Longest user or album name, bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest password, bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Addresses in one announcement.
pub const ADDRESSES_MAX: usize = 8;
/// Longest address as text, bytes.
pub const ADDRESS_BYTES_MAX: usize = 64;
/// How long an announcement counts, milliseconds.
pub const PRESENCE_MS: u64 = 60_000;

/// Longest album list, bytes of text.
pub const LIST_BYTES_MAX: usize = 48 * 1024;
/// Longest header text, bytes (docs/protocol.md §9).
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Members in one album list.
pub const MEMBERS_MAX: usize = 1_000;
/// Albums whose owner is one user.
pub const ALBUMS_PER_OWNER_MAX: usize = 256;
/// Text of all lists held together, bytes. They are kept in memory.
pub const LISTS_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Bytes of entries on one page of `albums` or `album-peers`: leaves room for the envelope in a frame.
pub const PAGE_BYTES_MAX: usize = FRAME_BYTES_MAX - 256;

/// Accounts in all.
pub const ACCOUNTS_MAX: usize = 100_000;
/// Devices of one account.
pub const DEVICES_PER_ACCOUNT_MAX: usize = 32;

/// Largest integer in a signed text or message (2^53 − 1).
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// How long a client waits for any one answer.
pub const CLIENT_ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a client waits for TCP, TLS and `hello` together.
pub const CLIENT_CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A client says `hello` again after this long, so that neither end takes the other for dead.
pub const CLIENT_KEEPALIVE: Duration = Duration::from_secs(30);
/// Requests a client may have under way on one connection.
pub const CLIENT_REQUESTS_MAX: usize = 64;
/// Pushes that wait for the client's owner; more are dropped and counted.
pub const CLIENT_PUSHES_MAX: usize = 256;
/// Pages a client reads before it calls a listing endless.
pub const CLIENT_PAGES_MAX: usize = 4_096;
