//! Between TLS and yamux: counts bytes and looks at the peer's yamux frames first.
//!
//! yamux 0.13 keeps a window per stream, but three things escape it, each checked here (yamux's
//! `connection.rs` and `frame/io.rs`): data frames without a body cost memory and no window; a SYN that
//! announces a window of nearly 2³² overflows (a panic in debug builds); a byte per frame makes 256 KiB of
//! window cost 16 MiB of memory. The first two end the link; small frames are slowed down.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::limits;
use crate::rate::Bucket;

const HEADER_BYTES: usize = 12;
const TYPE_DATA: u8 = 0;
const TYPE_WINDOW: u8 = 1;
const SYN: u16 = 1;
const FIN: u16 = 4;
const RST: u16 = 8;
/// Streams whose FIN is still owed, at most; honest peers owe one per open stream.
const FINS_OWED_MAX: u32 = 1024;

/// Bytes carried, readable by others.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// Streams opened by us and not yet known to [`Frames`].
    opened: AtomicU32,
}

impl Meter {
    /// Bytes received inside TLS.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    /// Bytes sent inside TLS.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    /// We opened a stream, which the peer may end.
    pub(super) fn on_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the peer's frames add up to. Pure; see the module's head.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER_BYTES],
    have: usize,
    body_left: usize,
    fins_owed: u32,
    /// Small frames seen since last asked.
    small: u32,
}

impl Frames {
    /// So many streams were opened, by either side; each may be ended once.
    fn opened(&mut self, streams: u32) {
        self.fins_owed = self.fins_owed.saturating_add(streams).min(FINS_OWED_MAX);
    }

    /// Looks at the next bytes.
    fn push(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            if self.body_left > 0 {
                let n = self.body_left.min(bytes.len());
                self.body_left -= n;
                bytes = &bytes[n..];
                continue;
            }
            let n = (HEADER_BYTES - self.have).min(bytes.len());
            self.header[self.have..self.have + n].copy_from_slice(&bytes[..n]);
            self.have += n;
            bytes = &bytes[n..];
            if self.have == HEADER_BYTES {
                self.have = 0;
                self.on_header()?;
            }
        }
        Ok(())
    }

    fn on_header(&mut self) -> Result<(), &'static str> {
        let [_, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = self.header;
        let flags = u16::from_be_bytes([f0, f1]);
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let carries = kind == TYPE_DATA || kind == TYPE_WINDOW;
        if carries && stream == 0 {
            return Err("a frame for stream 0");
        }
        if carries && flags & SYN != 0 {
            self.opened(1);
            if kind == TYPE_WINDOW && length > u32::MAX / 2 {
                return Err("a window too wide");
            }
        }
        if kind == TYPE_DATA {
            self.body_left = usize::try_from(length).map_err(|_| "a frame too long")?;
            if self.body_left > limits::WINDOW_BYTES {
                return Err("a frame longer than a window");
            }
        }
        if flags & FIN != 0 && flags & RST == 0 {
            self.fins_owed = self.fins_owed.checked_sub(1).ok_or("more ends than streams")?;
        } else if kind == TYPE_DATA && length == 0 && flags & (SYN | RST) == 0 {
            return Err("an empty frame");
        }
        if kind != TYPE_DATA || self.body_left < limits::SMALL_FRAME_BYTES {
            self.small += 1;
        }
        Ok(())
    }
}

/// A byte stream whose traffic is counted and whose incoming frames are checked and paced.
pub(super) struct Metered<T> {
    io: T,
    meter: Arc<Meter>,
    frames: Frames,
    small: Bucket,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<T> Metered<T> {
    pub(super) fn new(io: T, meter: Arc<Meter>) -> Self {
        Self {
            io,
            meter,
            frames: Frames::default(),
            small: Bucket::new(limits::SMALL_FRAMES_BURST, limits::SMALL_FRAMES_PER_S),
            pause: None,
        }
    }

    /// Takes what was read into account; a peer in debt is read again only after a pause.
    fn on_read(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.meter
            .bytes_in
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.frames.opened(self.meter.opened.swap(0, Ordering::Relaxed));
        self.frames
            .push(bytes)
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        let small = std::mem::take(&mut self.frames.small);
        if small > 0 {
            // A frame that costs more than it carries is a debt; nothing is read until it is paid.
            self.pause = self
                .small
                .owe(small)
                .map(|until| Box::pin(tokio::time::sleep_until(until)));
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        Poll::Ready(self.on_read(&buf.filled()[before..]))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.meter.bytes_out.fetch_add(n as u64, Ordering::Relaxed);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn frame(kind: u8, flags: u16, stream: u32, length: u32, body: usize) -> Vec<u8> {
        let mut out = vec![0, kind];
        out.extend(flags.to_be_bytes());
        out.extend(stream.to_be_bytes());
        out.extend(length.to_be_bytes());
        out.resize(out.len() + body, 7);
        out
    }

    fn check(frames: &[Vec<u8>], expect: Result<(), &'static str>) {
        let bytes = frames.concat();
        assert_eq!(Frames::default().push(&bytes), expect);
        let mut single = Frames::default();
        let got = bytes.iter().try_for_each(|byte| single.push(&[*byte]));
        assert_eq!(got, expect, "byte by byte");
    }

    #[test]
    fn frames_that_cost_no_window_are_refused() {
        let open = || frame(TYPE_WINDOW, SYN, 1, 0, 0);
        let window = limits::WINDOW_BYTES;
        check(
            &[
                open(),
                frame(TYPE_DATA, 0, 1, 5, 5),
                frame(TYPE_DATA, FIN, 1, 0, 0),
            ],
            Ok(()),
        );
        check(&[frame(TYPE_DATA, SYN, 1, window as u32, window)], Ok(()));
        check(
            &[frame(TYPE_DATA, SYN, 1, window as u32 + 1, window)],
            Err("a frame longer than a window"),
        );
        check(&[open(), frame(TYPE_DATA, 0, 1, 0, 0)], Err("an empty frame"));
        let end = || frame(TYPE_DATA, FIN, 1, 0, 0);
        check(&[open(), end(), end()], Err("more ends than streams"));
        check(&[open(), frame(TYPE_DATA, RST, 1, 0, 0)], Ok(()));
        check(
            &[frame(TYPE_WINDOW, SYN, 1, u32::MAX, 0)],
            Err("a window too wide"),
        );
        check(&[frame(TYPE_DATA, SYN, 0, 1, 1)], Err("a frame for stream 0"));
        check(&[frame(2, 0, 0, 77, 0), frame(3, 0, 0, 1, 0)], Ok(()));
    }

    #[test]
    fn a_frame_of_256_bytes_is_not_small() {
        let least = limits::SMALL_FRAME_BYTES;
        for (bytes, small) in [(least, 0), (least - 1, 1), (1, 1)] {
            let mut frames = Frames::default();
            frames.push(&frame(TYPE_DATA, 0, 1, bytes as u32, bytes)).unwrap();
            assert_eq!(frames.small, small, "{bytes} bytes");
        }
        // Those that carry nothing are.
        let mut frames = Frames::default();
        frames.push(&frame(TYPE_WINDOW, SYN, 1, u32::MAX / 2, 0)).unwrap();
        frames.push(&frame(2, 0, 0, 77, 0)).unwrap();
        assert_eq!(frames.small, 2);
    }

    #[test]
    fn ends_of_our_own_streams_are_owed_too() {
        let mut frames = Frames::default();
        frames.opened(1);
        assert_eq!(frames.push(&frame(TYPE_DATA, FIN, 2, 0, 0)), Ok(()));
        assert!(frames.push(&frame(TYPE_DATA, FIN, 2, 0, 0)).is_err());
        frames.opened(u32::MAX);
        assert_eq!(frames.fins_owed, FINS_OWED_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn small_frames_beyond_the_burst_are_slowed_down() {
        use tokio::io::AsyncReadExt as _;
        let one = frame(TYPE_DATA, SYN, 1, 1, 1);
        let burst = one.repeat(limits::SMALL_FRAMES_BURST as usize);
        let mut at = Metered::new(&burst[..], Arc::default());
        let start = Instant::now();
        at.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(start.elapsed().as_millis(), 0, "at the limit");
        let more = one.repeat((limits::SMALL_FRAMES_BURST + limits::SMALL_FRAMES_PER_S) as usize);
        let mut past = Metered::new(&more[..], Arc::default());
        let start = Instant::now();
        past.read_to_end(&mut Vec::new()).await.unwrap();
        let ms = start.elapsed().as_millis();
        assert!((900..=1100).contains(&ms), "{ms} ms");
    }
}
