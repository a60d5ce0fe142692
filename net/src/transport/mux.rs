//! yamux over TLS: one task per link owns the connection, everyone else holds streams and an [`Opener`].

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crdt::id::PublicKey;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};
use tokio_util::sync::CancellationToken;
use yamux::{Connection, Mode};

use super::meter::{Meter, Metered};
use crate::limits;

/// What carries a link, with its buffer and meter.
type Carrier<T> = Compat<BufWriter<Metered<T>>>;

/// yamux writes a frame's head and body apart; together they are one TLS record.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Wishes for streams waiting for the link's task.
const OPEN_QUEUE_MAX: usize = 16;
/// How long a closing link may take to flush.
const CLOSE: Duration = Duration::from_millis(500);

/// Who dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialling,
    Answering,
}

/// The budget of receive windows of all links together ([`limits::WINDOWS_BYTES_MAX`]).
#[derive(Debug, Clone)]
pub(crate) struct Windows(Arc<Semaphore>);

impl Windows {
    /// The whole budget.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(
            limits::WINDOWS_BYTES_MAX / limits::WINDOW_BYTES,
        )))
    }

    fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_owned().ok()
    }
}

/// A byte pipe inside a link. Reading 0 bytes means the peer ended *or* reset it: what matters has its own
/// end mark. Dropped without shutdown it resets.
pub(crate) struct Stream {
    io: Compat<yamux::Stream>,
    _window: OwnedSemaphorePermit,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// An authenticated link; dropping it closes it.
pub(crate) struct Link {
    /// The device proved by TLS.
    pub(crate) remote: PublicKey,
    /// Opens streams.
    pub(crate) opener: Opener,
    /// Streams opened by the peer; `None` once the link is gone.
    pub(crate) incoming: mpsc::Receiver<Stream>,
    /// What was carried.
    pub(crate) meter: Arc<Meter>,
    close: CancellationToken,
    gone: CancellationToken,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close.cancel();
    }
}

/// Opens streams on a link; outlives it harmlessly.
#[derive(Debug, Clone)]
pub(crate) struct Opener(mpsc::Sender<oneshot::Sender<Stream>>);

impl Opener {
    /// A new stream; `None` when the link is gone or has no room for one.
    pub(crate) async fn open(&self) -> Option<Stream> {
        let (sender, receiver) = oneshot::channel();
        self.0.send(sender).await.ok()?;
        receiver.await.ok()
    }

    /// Of a link that is gone.
    #[cfg(test)]
    pub(crate) fn dead() -> Self {
        Self(mpsc::channel(1).0)
    }
}

impl Link {
    /// The answering side of a link over any carrier: what hostile bytes meet behind TLS.
    pub(crate) fn answering(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        remote: PublicKey,
        windows: &Windows,
    ) -> Self {
        Self::new(io, Role::Answering, remote, windows)
    }

    /// Starts the link's task.
    pub(super) fn new(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        role: Role,
        remote: PublicKey,
        windows: &Windows,
    ) -> Self {
        let meter = Arc::new(Meter::default());
        let carrier = BufWriter::with_capacity(WRITE_BUFFER_BYTES, Metered::new(io, meter.clone()));
        let mut config = yamux::Config::default();
        // The total is streams × window exactly: less freezes a link with stalled streams, more lets windows grow.
        config.set_max_num_streams(limits::STREAMS_MAX);
        config.set_max_connection_receive_window(Some(limits::STREAMS_MAX * limits::WINDOW_BYTES));
        let mode = match role {
            Role::Dialling => Mode::Client,
            Role::Answering => Mode::Server,
        };
        let (open, wishes) = mpsc::channel(OPEN_QUEUE_MAX);
        let (arrived, incoming) = mpsc::channel(limits::STREAMS_INCOMING_MAX);
        let (close, gone) = (CancellationToken::new(), CancellationToken::new());
        let driver = Driver {
            connection: Connection::new(carrier.compat(), config, mode),
            wishes,
            parked: None,
            windows: windows.clone(),
            meter: meter.clone(),
        };
        tokio::spawn(driver.run(arrived, close.clone(), gone.clone()));
        Self {
            remote,
            opener: Opener(open),
            incoming,
            meter,
            close,
            gone,
        }
    }

    /// Sends what streams have queued, says so to the peer, and ends the connection (500 ms at most).
    pub(crate) async fn close(self) {
        self.close.cancel();
        self.gone.cancelled().await;
    }
}

struct Driver<T> {
    connection: Connection<Carrier<T>>,
    wishes: mpsc::Receiver<oneshot::Sender<Stream>>,
    parked: Option<oneshot::Sender<Stream>>,
    windows: Windows,
    meter: Arc<Meter>,
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Driver<T> {
    async fn run(mut self, arrived: mpsc::Sender<Stream>, close: CancellationToken, gone: CancellationToken) {
        // Even a panic below must not leave others waiting.
        let _gone = gone.drop_guard();
        let places = Arc::new(Semaphore::new(limits::STREAMS_INCOMING_MAX));
        loop {
            let stream = tokio::select! {
                () = close.cancelled() => break,
                stream = poll_fn(|cx| self.poll(cx)) => stream,
            };
            let Some(stream) = stream else { return };
            // Over budget, or nobody takes streams: dropped, which resets it.
            let Some(window) = self.windows.take() else {
                continue;
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                continue;
            };
            let _ = arrived.try_send(Stream {
                io: stream.compat(),
                _window: window,
                _place: Some(place),
            });
        }
        let closing = poll_fn(|cx| self.connection.poll_close(cx));
        let _ = tokio::time::timeout(CLOSE, closing).await;
    }

    /// Serves wishes and drives the connection; a stream of the peer's, or `None` when the link is gone.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<yamux::Stream>> {
        loop {
            let wish = match self.parked.take() {
                Some(wish) => wish,
                None => match self.wishes.poll_recv(cx) {
                    Poll::Ready(Some(wish)) => wish,
                    Poll::Ready(None) | Poll::Pending => break,
                },
            };
            let Some(window) = self.windows.take() else {
                continue;
            };
            match self.connection.poll_new_outbound(cx) {
                Poll::Ready(Ok(stream)) => {
                    self.meter.on_opened();
                    let _ = wish.send(Stream {
                        io: stream.compat(),
                        _window: window,
                        _place: None,
                    });
                }
                // yamux ends the connection here, also for one stream too many, which cannot happen: the
                // peer has at most half of the streams, and ours are counted by their makers.
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Pending => {
                    self.parked = Some(wish);
                    break;
                }
            }
        }
        match self.connection.poll_next_inbound(cx) {
            Poll::Ready(Some(Ok(stream))) => Poll::Ready(Some(stream)),
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "link lost");
                Poll::Ready(None)
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_all_links_have_one_budget() {
        let windows = Windows::new();
        let most = limits::WINDOWS_BYTES_MAX / limits::WINDOW_BYTES;
        let mut taken: Vec<_> = (0..most).map(|_| windows.take().unwrap()).collect();
        assert!(windows.clone().take().is_none());
        taken.pop();
        assert!(windows.take().is_some());
    }
}
