//! Requests: one question, a run of reply frames, an end mark, on a stream of their own.
//!
//! A stream that ends without the mark has failed: yamux shows a reset as an end.

use std::fmt;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::frame::{self, FrameError};
use crate::link::STREAM_REQUEST;
use crate::state::LinkHandle;
use crate::transport::Stream;
use crate::{ReplyError, RequestError, limits};

/// Where the answer to a request goes. Dropped unfinished, the asker gets [`RequestError::BrokenOff`].
pub struct Responder {
    stream: Stream,
    progress: Duration,
    _place: OwnedSemaphorePermit,
}

impl Responder {
    pub(crate) fn new(stream: Stream, progress: Duration, place: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            progress,
            _place: place,
        }
    }

    /// Sends one reply frame (at most [`limits::REQUEST_FRAME_BYTES_MAX`] bytes, may be empty); waits while
    /// the asker's window is full, at most 30 s for each piece.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), ReplyError> {
        let bytes = frame.len();
        if bytes > limits::REQUEST_FRAME_BYTES_MAX {
            return Err(ReplyError::TooLong { bytes });
        }
        Ok(frame::write(&mut self.stream, frame, self.progress).await?)
    }

    /// Ends the answer. `Ok` means that all of it is on its way.
    pub async fn finish(mut self) -> Result<(), ReplyError> {
        frame::write_all(&mut self.stream, &frame::END.to_be_bytes(), self.progress).await?;
        let ended = timeout(self.progress, self.stream.shutdown())
            .await
            .map_err(|_| ReplyError::Stalled)?;
        ended.map_err(|_| ReplyError::Gone)
    }
}

impl From<FrameError> for ReplyError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Ended | FrameError::Oversized(_) => Self::Gone,
            FrameError::Stalled => Self::Stalled,
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}

/// The answer to a request, frame by frame. Dropping it tells the peer to stop.
pub struct Replies {
    /// `None` once ended.
    open: Option<(Stream, OwnedSemaphorePermit)>,
    progress: Duration,
}

impl Replies {
    /// The next reply frame; `None` after the peer's end mark. After an error there is nothing more. Not
    /// reading holds the peer back (256 KiB wait in our memory), which it bears for 30 s; so does a peer that
    /// sends nothing for 30 s end the answer with [`RequestError::Stalled`].
    ///
    /// Not cancel-safe: a frame given up half-way spoils the rest.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, RequestError>> {
        let (stream, _) = self.open.as_mut()?;
        match frame::read(stream, limits::REQUEST_FRAME_BYTES_MAX, self.progress).await {
            Ok(frame::Read::Frame(frame)) => Some(Ok(frame)),
            Ok(frame::Read::End) => {
                let (mut stream, _) = self.open.take()?;
                // Returns the end to the peer; it has nothing more to say.
                let _ = timeout(self.progress, stream.shutdown()).await;
                None
            }
            Err(error) => {
                self.open = None;
                Some(Err(error.into()))
            }
        }
    }
}

impl From<FrameError> for RequestError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Ended => Self::BrokenOff,
            FrameError::Oversized(bytes) => Self::Oversized { bytes },
            FrameError::Stalled => Self::Stalled,
        }
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("open", &self.open.is_some())
            .finish()
    }
}

/// Asks on a link.
pub(crate) async fn ask(link: LinkHandle, body: &[u8], progress: Duration) -> Result<Replies, RequestError> {
    let bytes = body.len();
    if bytes > limits::REQUEST_FRAME_BYTES_MAX {
        return Err(RequestError::TooLong { bytes });
    }
    let place = link
        .asking
        .clone()
        .acquire_owned()
        .await
        .map_err(|_| RequestError::NotLinked)?;
    let opened = timeout(progress, link.opener().open())
        .await
        .map_err(|_| RequestError::Stalled)?;
    let mut stream = opened.ok_or(RequestError::NotLinked)?;
    frame::write_all(&mut stream, &[STREAM_REQUEST], progress).await?;
    frame::write(&mut stream, body, progress).await?;
    Ok(Replies {
        open: Some((stream, place)),
        progress,
    })
}
