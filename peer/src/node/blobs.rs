//! Moving image bytes: bringing a blob from a peer, and serving one. Disk work runs on the blocking pool.

use std::time::Duration;

use crdt::id::{AlbumId, BlobHash, PublicKey};
use engine::Outcome;
use engine::wire::{Answer, Call, decode_answer, encode_answer, encode_call};
use net::{Net, Replies, Responder};
use store::{BlobError, Blobs, CHUNK_BYTES, PartError};

use super::counted::Moved;
use super::run::{Handle, Input};

/// No byte for so long, and the blob is taken from somebody else.
const STALLED: Duration = Duration::from_secs(10);
/// Chunks asked for in one request: 16 MiB.
const CHUNKS_PER_REQUEST: u32 = 64;

/// Brings one blob from one peer. What was verified stays on disk, whatever the outcome.
pub(super) async fn fetch(
    net: Net,
    handle: &Handle,
    peer: PublicKey,
    album: AlbumId,
    blob: BlobHash,
    size: u64,
) -> Outcome {
    let from = Source {
        net,
        peer,
        moved: handle.moved.clone(),
    };
    match try_fetch(&from, &handle.blobs, album, blob, size).await {
        Ok(()) => Outcome::Done,
        Err(_) if handle.blobs.has(&blob.0) => Outcome::Done,
        Err(outcome) => outcome,
    }
}

/// Who brings a blob, and where that is counted.
struct Source {
    net: Net,
    peer: PublicKey,
    moved: Moved,
}

impl Source {
    async fn ask(&self, call: &Call) -> Result<Replies, Outcome> {
        let body = encode_call(call);
        self.moved.sent(self.peer, body.len());
        let replies = self.net.request(self.peer, body).await;
        replies.map_err(|_| Outcome::Broken)
    }

    async fn next(&self, replies: &mut Replies) -> Result<Option<Vec<u8>>, Outcome> {
        match tokio::time::timeout(STALLED, replies.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(frame))) => {
                self.moved.received(self.peer, frame.len());
                Ok(Some(frame))
            }
            Ok(Some(Err(_))) | Err(_) => Err(Outcome::Broken),
        }
    }
}

async fn try_fetch(
    from: &Source,
    blobs: &Blobs,
    album: AlbumId,
    blob: BlobHash,
    size: u64,
) -> Result<(), Outcome> {
    let part = {
        let blobs = blobs.clone();
        blocking(move || blobs.part_begin(&blob.0, size))
            .await
            .map_err(|error| disk_outcome(&error))?
    };
    if part.needs_list() {
        let mut replies = from.ask(&Call::Chunks { album, blob }).await?;
        let head = from.next(&mut replies).await?.ok_or(Outcome::Broken)?;
        match decode_answer(&head) {
            Ok(Answer::Size(told)) if told == size => {}
            Ok(Answer::Refused(_)) => return Err(Outcome::NotThere),
            _ => return Err(Outcome::Wrong),
        }
        let list = from.next(&mut replies).await?.ok_or(Outcome::Broken)?;
        let list: Vec<[u8; 32]> = list
            .chunks_exact(32)
            .map(|value| value.try_into().unwrap_or([0; 32]))
            .collect();
        let part = part.clone();
        blocking(move || part.set_list(&list))
            .await
            .map_err(|error| disk_outcome(&error))?;
    }
    loop {
        let missing = part.missing();
        let Some(first) = missing.first() else { break };
        let runs: Vec<(u32, u32)> = runs_of(&missing);
        let mut replies = from
            .ask(&Call::Blob {
                album,
                blob,
                chunks: runs,
            })
            .await?;
        let mut came = 0;
        while let Some(frame) = from.next(&mut replies).await? {
            let Some((index, bytes)) = frame.split_first_chunk::<4>() else {
                return Err(Outcome::Wrong);
            };
            let index = u32::from_le_bytes(*index);
            if bytes.len() > CHUNK_BYTES || frame.first() == Some(&b'{') && decode_answer(&frame).is_ok() {
                return Err(Outcome::NotThere);
            }
            let (part, bytes) = (part.clone(), bytes.to_vec());
            blocking(move || part.write_chunk(index, &bytes))
                .await
                .map_err(|error| disk_outcome(&error))?;
            came += 1;
        }
        if came == 0 || part.missing().first() == Some(first) && part.missing() == missing {
            return Err(Outcome::Broken);
        }
    }
    let last = part.clone();
    blocking(move || last.finish())
        .await
        .map_err(|error| disk_outcome(&error))?;
    Ok(())
}

/// The first chunks of what is missing, as runs of (first, n).
fn runs_of(missing: &[std::ops::Range<u32>]) -> Vec<(u32, u32)> {
    let mut left = CHUNKS_PER_REQUEST;
    let mut runs = Vec::new();
    for range in missing {
        let n = (range.end - range.start).min(left);
        if n == 0 {
            break;
        }
        runs.push((range.start, n));
        left -= n;
    }
    runs
}

fn disk_outcome(error: &PartError) -> Outcome {
    match error {
        PartError::WrongChunk { .. }
        | PartError::WrongList { .. }
        | PartError::NoSuchChunk { .. }
        | PartError::FalseSize { .. } => Outcome::Wrong,
        PartError::DiskFull { .. } => Outcome::NoRoom,
        error => {
            tracing::warn!("blob: {error}");
            Outcome::Broken
        }
    }
}

/// Answers with a blob's size and chunk list; `count` is told the bytes of each frame.
pub(super) async fn serve_list(
    blobs: Blobs,
    blob: BlobHash,
    mut reply: Responder,
    count: impl Fn(usize),
) -> Result<(), BlobError> {
    let of = blobs.clone();
    let list = blocking(move || of.chunk_list(&blob.0)).await?;
    let size = blobs.size(&blob.0).unwrap_or(0);
    let sent = async {
        for frame in [encode_answer::size(size), list.concat()] {
            reply.send(&frame).await?;
            count(frame.len());
        }
        reply.finish().await
    };
    sent.await
        .unwrap_or_else(|error| tracing::debug!("chunk list: {error}"));
    Ok(())
}

/// Answers with chunks; `true` if the blob's last chunk went out. `count` is told the bytes of each frame.
pub(super) async fn serve_chunks(
    blobs: Blobs,
    blob: BlobHash,
    chunks: Vec<(u32, u32)>,
    mut reply: Responder,
    count: impl Fn(usize),
) -> Result<bool, BlobError> {
    let all = blobs.size(&blob.0).map_or(0, store::chunk_count);
    let mut whole = false;
    for index in chunks
        .iter()
        .flat_map(|(first, n)| *first..first.saturating_add(*n).min(all))
    {
        let of = blobs.clone();
        let bytes = blocking(move || of.read_chunk(&blob.0, index)).await?;
        let frame = [&index.to_le_bytes()[..], &bytes].concat();
        if let Err(error) = reply.send(&frame).await {
            tracing::debug!("chunk {index}: {error}");
            return Ok(false);
        }
        count(frame.len());
        whole |= index + 1 == all;
    }
    Ok(reply.finish().await.is_ok() && whole)
}

/// A blob could not be read, or is about to be shown: damaged, it is set aside; not here any more, it is wanted again.
/// An error of the system says nothing about the bytes, which stay. Returns whether they are gone.
pub(super) async fn doubt(handle: &Handle, blob: BlobHash) -> bool {
    let blobs = handle.blobs.clone();
    let gone = match blocking(move || blobs.set_aside(&blob.0)).await {
        Ok(damaged) => damaged,
        Err(BlobError::Missing { .. }) => true,
        Err(error) => {
            tracing::warn!("checking a blob: {error}");
            false
        }
    };
    if gone {
        handle.send(Input::BlobGone(blob));
    }
    gone
}

/// Runs disk work where it may block.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down; nobody waits for the value.
        Err(_) => std::future::pending().await,
    }
}
