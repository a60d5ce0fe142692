//! Requests: one question, a run of reply frames, an end mark, on a stream of their own.

use crate::{ReplyError, RequestError};

/// Where the answer to a request goes. Dropped unfinished, the asker gets [`RequestError::BrokenOff`].
#[derive(Debug)]
pub struct Responder {}

impl Responder {
    /// Sends one reply frame (at most [`crate::limits::REQUEST_FRAME_BYTES_MAX`] bytes, may be empty);
    /// waits while the asker's window is full.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), ReplyError> {
        let _ = frame;
        Err(ReplyError::Gone)
    }

    /// Ends the answer.
    pub async fn finish(self) -> Result<(), ReplyError> {
        Err(ReplyError::Gone)
    }
}

/// The answer to a request, frame by frame. Dropping it tells the peer to stop.
#[derive(Debug)]
pub struct Replies {}

impl Replies {
    /// The next reply frame; `None` after the peer's end mark. After an error there is nothing more.
    /// Not reading holds the peer back (256 KiB wait in our memory), for at most 30 s.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, RequestError>> {
        None
    }
}
