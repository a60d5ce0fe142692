//! Length-prefixed frames: u32 big-endian, then so many bytes. Never reserves what the other side claims.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// Length that means "the end" where an end is expected: no frame is as long.
pub(crate) const END: u32 = u32::MAX;
/// Room made ahead of the bytes that arrive.
const STEP_BYTES: usize = 16 * 1024;

/// Why a frame was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the stream ended")]
    Ended,
    #[error("a frame of {0} bytes")]
    Oversized(u32),
    #[error("no progress")]
    Stalled,
}

impl From<io::Error> for FrameError {
    fn from(_: io::Error) -> Self {
        Self::Ended
    }
}

/// What stands at the front of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Frame(Vec<u8>),
    End,
}

/// Reads a frame of at most `max` bytes, or the end mark; `progress` limits the wait for each piece.
pub(crate) async fn read(
    io: &mut (impl AsyncRead + Unpin),
    max: usize,
    progress: Duration,
) -> Result<Read, FrameError> {
    let mut length = [0; 4];
    let mut have = 0;
    while have < length.len() {
        let got = timeout(progress, io.read(&mut length[have..]))
            .await
            .map_err(|_| FrameError::Stalled)??;
        if got == 0 {
            return Err(FrameError::Ended);
        }
        have += got;
    }
    let claimed = u32::from_be_bytes(length);
    if claimed == END {
        return Ok(Read::End);
    }
    let wanted = usize::try_from(claimed).unwrap_or(usize::MAX);
    if wanted > max {
        return Err(FrameError::Oversized(claimed));
    }
    let mut frame = Vec::new();
    while frame.len() < wanted {
        let left = wanted - frame.len();
        if frame.capacity() == frame.len() {
            // Doubles what has arrived, so that a claim alone costs one step.
            frame.reserve_exact(left.min(STEP_BYTES.max(frame.len())));
        }
        let mut piece = (&mut *io).take(left as u64);
        let got = timeout(progress, piece.read_buf(&mut frame))
            .await
            .map_err(|_| FrameError::Stalled)??;
        if got == 0 {
            return Err(FrameError::Ended);
        }
    }
    Ok(Read::Frame(frame))
}

/// Writes all bytes; `progress` limits the wait for each piece.
pub(crate) async fn write_all(
    io: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    progress: Duration,
) -> Result<(), FrameError> {
    while !bytes.is_empty() {
        let n = timeout(progress, io.write(bytes))
            .await
            .map_err(|_| FrameError::Stalled)??;
        if n == 0 {
            return Err(FrameError::Ended);
        }
        bytes = &bytes[n..];
    }
    timeout(progress, io.flush())
        .await
        .map_err(|_| FrameError::Stalled)??;
    Ok(())
}

/// Writes a frame; the caller has checked its length.
pub(crate) async fn write(
    io: &mut (impl AsyncWrite + Unpin),
    frame: &[u8],
    progress: Duration,
) -> Result<(), FrameError> {
    let length = u32::try_from(frame.len()).map_err(|_| FrameError::Oversized(u32::MAX))?;
    let head = length.to_be_bytes();
    if frame.len() <= STEP_BYTES {
        // One piece, one packet.
        return write_all(io, &[&head[..], frame].concat(), progress).await;
    }
    write_all(io, &head, progress).await?;
    write_all(io, frame, progress).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn frames_at_the_limit_pass_and_one_byte_more_does_not() {
        for (length, fits) in [
            (0, true),
            (1, true),
            (99_999, true),
            (100_000, true),
            (100_001, false),
        ] {
            let mut wire = Vec::new();
            write(&mut wire, &vec![5; length], SOON).await.unwrap();
            let got = read(&mut &wire[..], 100_000, SOON).await;
            match got {
                Ok(Read::Frame(frame)) => assert!(fits && frame == vec![5; length]),
                Err(FrameError::Oversized(n)) => assert!(!fits && n == 100_001),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(
            read(&mut &END.to_be_bytes()[..], 10, SOON).await,
            Ok(Read::End)
        ));
        assert!(matches!(
            read(&mut &[0, 0, 0, 2, 1][..], 10, SOON).await,
            Err(FrameError::Ended)
        ));
        assert!(matches!(
            read(&mut &[0, 0][..], 10, SOON).await,
            Err(FrameError::Ended)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_side_is_noticed() {
        let (mut near, mut far) = tokio::io::duplex(8);
        far.write_all(&[0, 0, 1, 0, 9]).await.unwrap();
        assert!(matches!(
            read(&mut near, 1000, SOON).await,
            Err(FrameError::Stalled)
        ));
        assert!(matches!(
            write(&mut near, &[1; 9], SOON).await,
            Err(FrameError::Stalled)
        ));
    }
}
