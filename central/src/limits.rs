//! Every limit of the central, with its unit. What happens at each is tested at the limit and one past it.

use std::time::Duration;

/// Longest frame either way, bytes, without its length.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest OPAQUE message, bytes. The longest real one has 320.
pub const OPAQUE_BYTES_MAX: usize = 1024;
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
/// Devices of one account that were revoked.
pub const REVOKED_PER_ACCOUNT_MAX: usize = 256;

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
/// Pages a client reads before it calls a listing endless: 16 MiB of a lying central, or some 40,000 devices.
pub const CLIENT_PAGES_MAX: usize = 256;

/// Sessions in all.
pub const SESSIONS_MAX: usize = 10_000;
/// Sessions of one device; a newer one ends the oldest.
pub const SESSIONS_PER_DEVICE_MAX: usize = 4;
/// Connections before `hello` in all; a newer one ends the oldest.
pub const HALF_OPEN_MAX: usize = 64;
/// Connections before `hello` from one address; a newer one ends that address's oldest.
pub const HALF_OPEN_PER_ADDRESS_MAX: usize = 16;
/// Connections after `hello` without a session; a newer one ends the oldest.
pub const GUESTS_MAX: usize = 1_024;
/// TLS and `hello` take no longer.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// A connection that sends no whole frame for so long is dropped (three keep-alives of a client).
pub const IDLE_DEADLINE: Duration = Duration::from_secs(95);
/// A frame that the other end does not take for so long ends the connection.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Frames that wait for one connection to take them; one more ends it. Only one of them is an answer, the
/// others are pushes of about 1 KiB.
pub const OUTGOING_FRAMES_MAX: usize = 1_024;
/// Bytes that wait for all connections together; beyond, those with more than their fair part are ended.
pub const OUTGOING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Frames that may wait for one connection whatever waits for others.
pub const OUTGOING_FRAMES_FAIR: usize = 64;
/// How long a stopping central lets requests under way end.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(3);
/// Changes that wait for the disk.
pub const CHANGES_WAITING_MAX: usize = 256;

/// Requests of one connection at once, in units of cost.
pub const REQUESTS_BURST: u64 = 256;
/// One more unit after each of these, milliseconds. A connection that asks faster is read more slowly.
pub const REQUESTS_INTERVAL_MS: u64 = 20;
/// A device of an album or a push costs this part of a request.
pub const COST_DIVISOR: u64 = 16;
/// Pushes that one announcement or list may cause.
pub const PUSHES_PER_REQUEST_MAX: usize = 4_096;

/// Failed logins at once, per account and address.
pub const ATTEMPTS_BURST: u64 = 3;
/// One more attempt after each of these, milliseconds (0.17/s).
pub const ATTEMPTS_INTERVAL_MS: u64 = 5_900;
/// Accounts and addresses under which attempts are counted.
pub const ATTEMPTS_KEYS_MAX: usize = 65_536;
/// New accounts at once from one address that is not loopback.
pub const REGISTRATIONS_BURST: u64 = 20;
/// One more new account after each of these, milliseconds.
pub const REGISTRATIONS_INTERVAL_MS: u64 = 10_000;

/// How long a code may be good, milliseconds: a day.
pub const MAILBOX_TTL_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// How long a mailbox is remembered after its time, milliseconds: whoever types an old code must not meet another's.
pub const MAILBOX_REST_MS: u64 = MAILBOX_TTL_MS_MAX;
/// Mailboxes remembered in all.
pub const MAILBOXES_MAX: usize = 10_000;
/// Mailboxes remembered of one user.
pub const MAILBOXES_PER_USER_MAX: usize = 128;
/// Mailboxes of one album that may still be used.
pub const MAILBOXES_PER_ALBUM_MAX: usize = 64;
/// Devices that may answer for one mailbox.
pub const BOXES_MAX: usize = 32;
/// Longest box, bytes. The longest real one has about 800.
pub const BOX_BYTES_MAX: usize = 1_024;
/// All boxes together, bytes. They are kept in memory while their mailboxes may be used.
pub const BOXES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Exchanges under way; they are kept in memory only.
pub const EXCHANGES_MAX: usize = 1_024;
/// Longest message of an exchange, bytes.
pub const MAIL_BYTES_MAX: usize = 4_096;
/// Messages of one exchange after its first; more are refused.
pub const MAILS_PER_EXCHANGE_MAX: u32 = 16;
/// A device that was asked to answer has this long, milliseconds, before the next one is asked.
pub const ANSWER_WAIT_MS: u64 = 5_000;
/// An exchange that was answered ends within this, milliseconds, or its code is burnt.
pub const EXCHANGE_MS: u64 = 60_000;
/// Knocks at once of one device.
pub const KNOCKS_BURST: u64 = 5;
/// One more knock after each of these, milliseconds.
pub const KNOCKS_INTERVAL_MS: u64 = 60_000;
/// Knocks at once from one address that is not loopback.
pub const KNOCKS_PER_ADDRESS_BURST: u64 = 20;
/// One more knock from there after each of these, milliseconds.
pub const KNOCKS_PER_ADDRESS_INTERVAL_MS: u64 = 15_000;
