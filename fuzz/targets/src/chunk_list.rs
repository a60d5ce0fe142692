//! Chunk lists and parts: a blob comes in pieces from a peer who sends what he likes.
//!
//! First byte: which blob; second: the size that its fact claims. Then steps, each a byte and its arguments: a list, a
//! chunk, a raw list, a raw frame, the end, another beginning.

use std::cell::RefCell;
use std::time::Duration;

use store::{
    BLOB_BYTES_MAX, Blobs, CHUNK_BYTES, Hash, Home, Part, PartError, chunk_count, chunk_list_of, verify_list,
};

use crate::{Seed, seed};

/// Steps of one input; more are not taken.
const STEPS_MAX: usize = 24;

thread_local! {
    /// One home a thread: what an input leaves in it is removed after it.
    static HOME: RefCell<Option<(tempfile::TempDir, Blobs)>> = const { RefCell::new(None) };
}

pub fn run(data: &[u8]) {
    let [which, claim, steps @ ..] = data else { return };
    HOME.with_borrow_mut(|home| {
        let (_, blobs) = home.get_or_insert_with(|| {
            let dir = tempfile::tempdir().unwrap();
            let home = Home::open(&dir.path().join("home"), Duration::ZERO).unwrap();
            (dir, Blobs::open(&home))
        });
        let bytes = blob(*which);
        take(blobs, &bytes, claimed(bytes.len() as u64, *claim), steps);
    });
}

/// Lengths around one chunk and around two.
fn blob(which: u8) -> Vec<u8> {
    let len = [1000, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 0][usize::from(which % 5)];
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&[which % 5])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn claimed(size: u64, claim: u8) -> u64 {
    match claim {
        1 => size + 1,
        2 => size.saturating_sub(1),
        3 => size * 2,
        4 => size + CHUNK_BYTES as u64,
        5 => BLOB_BYTES_MAX,
        6 => BLOB_BYTES_MAX + 1,
        7 => u64::MAX,
        8 => 0,
        9 => 1,
        _ => size,
    }
}

fn take(blobs: &Blobs, bytes: &[u8], size: u64, steps: &[u8]) {
    let hash = *blake3::hash(bytes).as_bytes();
    let (list, honest) = (chunk_list_of(bytes), size == bytes.len() as u64);
    assert!(verify_list(&hash, bytes.len() as u64, &list));
    let begin = || match blobs.part_begin(&hash, size) {
        Ok(part) => {
            assert!(size <= BLOB_BYTES_MAX, "a part of {size} bytes");
            Some(part)
        }
        Err(PartError::Here { .. }) => {
            assert!(blobs.has(&hash));
            None
        }
        Err(_) => {
            assert!(!honest, "an honest size is refused");
            None
        }
    };
    if let Some(mut part) = begin() {
        let mut steps = Steps(steps);
        for _ in 0..STEPS_MAX {
            match steps.byte() % 6 {
                0 => {
                    let mut list = list.clone();
                    let (at, with) = (usize::from(steps.byte()), steps.byte());
                    if let Some(value) = list.get_mut(at / 32 % 8) {
                        value[at % 32] ^= with;
                    }
                    give_list(&part, &hash, size, &list);
                }
                1 => {
                    let raw = steps.bytes();
                    let list: Vec<Hash> = raw
                        .chunks_exact(32)
                        .filter_map(|value| value.try_into().ok())
                        .collect();
                    give_list(&part, &hash, size, &list);
                }
                2 => {
                    let (index, of, at, with) = (steps.byte(), steps.byte(), steps.byte(), steps.byte());
                    let index = if index == 255 { u32::MAX } else { index.into() };
                    let mut chunk = bytes
                        .chunks(CHUNK_BYTES)
                        .nth(of.into())
                        .unwrap_or_default()
                        .to_vec();
                    if let Some(byte) = chunk.get_mut(usize::from(at) * 997) {
                        *byte ^= with;
                    }
                    match at {
                        251 => chunk.push(0),
                        252 => drop(chunk.pop()),
                        253 => chunk.clear(),
                        _ => {}
                    }
                    give_chunk(&part, bytes, index, &chunk);
                }
                3 => {
                    let frame = steps.bytes();
                    if let Some((index, chunk)) = frame.split_first_chunk::<4>() {
                        give_chunk(&part, bytes, u32::from_le_bytes(*index), chunk);
                    }
                }
                4 => match part.finish() {
                    Ok(blob) => {
                        assert!(honest && blob.hash == hash && blob.size == size);
                        assert_eq!(blobs.read(&hash).unwrap(), bytes, "finished with other bytes");
                    }
                    Err(PartError::Ended { .. }) => assert!(blobs.has(&hash)),
                    Err(_) => assert!(!part.progress().is_complete() || !honest),
                },
                _ => {
                    // As after a restart: what was left on the disk is found again.
                    let missing = part.missing();
                    drop(part);
                    part = match begin() {
                        Some(part) => part,
                        None => break,
                    };
                    assert!(
                        blobs.has(&hash) || part.needs_list() || part.missing() == missing,
                        "chunks got lost"
                    );
                }
            }
            check(&part, size);
            if steps.0.is_empty() {
                break;
            }
        }
    }
    blobs.remove_part(&hash).unwrap();
    blobs.remove(&hash).unwrap();
    assert!(blobs.list().unwrap().is_empty() && blobs.parts().unwrap().is_empty());
}

fn give_list(part: &Part, hash: &Hash, size: u64, list: &[Hash]) {
    let right = verify_list(hash, size, list);
    match part.set_list(list) {
        Ok(()) => assert!(right && !part.needs_list()),
        Err(PartError::WrongList { .. }) => assert!(!right),
        Err(PartError::Ended { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

fn give_chunk(part: &Part, bytes: &[u8], index: u32, chunk: &[u8]) {
    let true_chunk = bytes.chunks(CHUNK_BYTES).nth(index as usize);
    let had = part.progress().have;
    match part.write_chunk(index, chunk) {
        // One that is here already is not looked at again.
        Ok(progress) => assert!(
            progress.have == had || true_chunk == Some(chunk),
            "wrong bytes are taken"
        ),
        // With a false size the whole may be taken for one chunk.
        Err(PartError::WrongChunk { .. }) => {
            assert!(true_chunk != Some(chunk) || part.size() != bytes.len() as u64)
        }
        Err(PartError::NoSuchChunk { .. }) => assert!(index >= chunk_count(part.size())),
        Err(PartError::NoList { .. }) => assert!(part.needs_list()),
        Err(PartError::FalseSize { .. }) => assert!(part.size() != bytes.len() as u64),
        Err(PartError::Ended { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

fn check(part: &Part, size: u64) {
    let progress = part.progress();
    assert_eq!((progress.chunks, progress.size), (chunk_count(size), size));
    let missing: u32 = part.missing().iter().map(|range| range.end - range.start).sum();
    assert_eq!(progress.have + missing, progress.chunks);
    assert!(progress.have_bytes <= size);
    assert_eq!(progress.is_complete(), missing == 0);
}

/// The input as it is used up; zeros after its end.
struct Steps<'a>(&'a [u8]);

impl<'a> Steps<'a> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *byte
    }

    /// As many as the next byte says.
    fn bytes(&mut self) -> &'a [u8] {
        let wanted = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(wanted);
        self.0 = rest;
        bytes
    }
}

pub fn seeds() -> Vec<Seed> {
    let list = chunk_list_of(&blob(3));
    let raw = |list: &[Hash]| [&[1, (list.len() * 32) as u8][..], list.as_flattened()].concat();
    let whole = |which: u8, chunks: u8| {
        let chunks = (0..chunks).flat_map(|n| [2, n, n, 254, 0]);
        [&[which, 0, 0, 0, 0][..], &chunks.collect::<Vec<_>>(), &[4, 4]].concat()
    };
    let small = blob(0);
    let frame = [&[0, 0, 3, 204][..], &0u32.to_le_bytes(), &small[..200]].concat();
    vec![
        seed("one-chunk", whole(0, 1)),
        seed("full-chunk", whole(1, 1)),
        seed("two-chunks", whole(2, 2)),
        seed("three-chunks", whole(3, 3)),
        seed("empty", whole(4, 0)),
        seed(
            "raw-list",
            [
                &[3, 0][..],
                &raw(&list),
                &[2, 2, 2, 254, 0, 5, 2, 0, 0, 254, 0, 2, 1, 1, 254, 0, 4],
            ]
            .concat(),
        ),
        seed(
            "raw-halves",
            [&[3, 0][..], &raw(&list[..2]), &[0, 40, 1, 0, 0, 0]].concat(),
        ),
        seed(
            "resumed",
            vec![
                3, 0, 0, 0, 0, 2, 1, 1, 254, 0, 5, 2, 0, 0, 254, 0, 5, 2, 2, 2, 254, 0, 4,
            ],
        ),
        seed("no-list", vec![3, 0, 2, 0, 0, 254, 0, 4]),
        seed(
            "wrong-chunks",
            vec![
                3, 0, 0, 0, 0, 2, 0, 1, 254, 0, 2, 1, 1, 7, 1, 2, 255, 0, 0, 0, 2, 0, 0, 251, 0, 2, 0, 0,
                253, 0,
            ],
        ),
        seed("raw-frame", frame),
        seed("size-more", vec![0, 1, 2, 0, 0, 254, 0, 4]),
        seed("size-less", vec![2, 2, 0, 0, 0, 2, 0, 0, 254, 0, 4]),
        seed("size-double", vec![3, 3, 0, 0, 0, 2, 0, 0, 254, 0, 4]),
        seed("size-most", vec![1, 5, 0, 0, 0, 2, 0, 0, 254, 0, 4]),
        seed("size-too-much", vec![1, 6, 0, 0, 0]),
        seed("size-absurd", vec![1, 7, 0, 0, 0]),
        seed("size-none", vec![1, 8, 2, 0, 0, 254, 0, 4]),
    ]
}

pub fn large() -> Vec<Vec<u8>> {
    vec![[&[3, 5][..], &[0, 0, 0].repeat(STEPS_MAX)].concat()]
}
