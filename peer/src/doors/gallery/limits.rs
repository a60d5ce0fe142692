//! How much a browser, or whoever else finds the port, may take.

use std::time::Duration;

/// Connections open at once, each with one request at a time; one more is closed unanswered.
pub const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request's line and headers; more is answered with 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request; more is answered with 431.
pub const HEADERS_MAX: usize = 64;
/// How long a request's head may take, and how long a connection may wait for its next one.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);
/// Streams of news open at once; one more is answered with 503.
pub const STREAMS_MAX: usize = 16;
/// News that may wait for a browser that does not read; it catches up by asking.
pub const NEWS_QUEUE: usize = 64;
/// Images told in one answer; more asked for is an error.
pub const PAGE_IMAGES_MAX: usize = 200;
/// Pictures decoded at once: as many as an import may hold.
pub const DECODES_MAX: usize = 2;
/// Longest side of a picture that fills the window, in pixels; tiles are as large as previews.
pub const PICTURE_SIDE_MAX: u32 = 2048;
/// Bytes of pictures kept to be shown again; the one not asked for the longest goes first.
pub const PICTURES_BYTES_MAX: usize = 64 * 1024 * 1024;
