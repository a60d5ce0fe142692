//! Frames: a length (u32, big-endian, at most [`FRAME_BYTES_MAX`]), then that many bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits::FRAME_BYTES_MAX;

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other end claims more than it may send.
    #[error("a frame of {0} bytes, more than {FRAME_BYTES_MAX}")]
    TooLong(u64),
    /// The stream ended or broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads one frame. Memory grows with the bytes that came, not with the length that was claimed.
/// Not cancel-safe: a dropped read loses its place in the stream.
pub async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Vec<u8>, FrameError> {
    let claimed = u64::from(stream.read_u32().await?);
    if claimed > FRAME_BYTES_MAX as u64 {
        return Err(FrameError::TooLong(claimed));
    }
    let mut bytes = Vec::new();
    stream.take(claimed).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 != claimed {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

/// Writes one frame and flushes it.
pub async fn write<W: AsyncWrite + Unpin>(stream: &mut W, bytes: &[u8]) -> Result<(), FrameError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(bytes.len() as u64));
    }
    let mut frame = Vec::with_capacity(4 + bytes.len());
    frame.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    frame.extend_from_slice(bytes);
    stream.write_all(&frame).await?;
    stream.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn at_the_limit_and_one_past() {
        for length in [0, 1, FRAME_BYTES_MAX] {
            let (sent, mut out) = (vec![7; length], Vec::new());
            write(&mut out, &sent).await.unwrap();
            assert_eq!(read(&mut &out[..]).await.unwrap(), sent);
        }
        let mut out = Vec::new();
        let long = vec![7; FRAME_BYTES_MAX + 1];
        assert!(matches!(
            write(&mut out, &long).await,
            Err(FrameError::TooLong(65_537))
        ));
        let claim = (FRAME_BYTES_MAX as u32 + 1).to_be_bytes();
        assert!(matches!(
            read(&mut &claim[..]).await,
            Err(FrameError::TooLong(65_537))
        ));
        assert!(matches!(
            read(&mut &[0xff; 9][..]).await,
            Err(FrameError::TooLong(_))
        ));
    }

    #[tokio::test]
    async fn a_cut_frame_is_an_error() {
        let mut out = Vec::new();
        write(&mut out, b"{}").await.unwrap();
        for cut in 0..out.len() {
            assert!(
                matches!(read(&mut &out[..cut]).await, Err(FrameError::Io(_))),
                "cut at {cut}"
            );
        }
    }
}
