//! Chunk lists: the chaining values of a blob's 256 KiB subtrees, which merge to its BLAKE3.
//!
//! A blob of more than one chunk has one value a chunk; a blob of one chunk or of no bytes has the empty list,
//! because its only node is the root, which is the id itself. Any peer may send a list: only the true one
//! merges to the id. (BLAKE3 paper, section 2.1; `blake3::hazmat`.)

use blake3::Hasher;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::Hash;
use crate::blobs::{BLOB_BYTES_MAX, CHUNK_BYTES};

/// Chunks of a blob of `size` bytes: 0 for 0 bytes.
///
/// ```
/// # use store::{CHUNK_BYTES, chunk_count};
/// assert_eq!(chunk_count(CHUNK_BYTES as u64), 1);
/// assert_eq!(chunk_count(CHUNK_BYTES as u64 + 1), 2);
/// ```
pub fn chunk_count(size: u64) -> u32 {
    u32::try_from(size.div_ceil(CHUNK_BYTES as u64)).unwrap_or(u32::MAX)
}

/// Bytes of chunk `index` of a blob of `size` bytes; 0 beyond its end.
pub(crate) fn chunk_len(size: u64, index: u32) -> usize {
    let begin = chunk_begin(index);
    usize::try_from(size.saturating_sub(begin)).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES))
}

/// Where chunk `index` begins, in bytes.
pub(crate) fn chunk_begin(index: u32) -> u64 {
    u64::from(index) * CHUNK_BYTES as u64
}

/// Chaining value of one chunk of a blob of several. The bytes must not be empty nor more than a chunk.
pub(crate) fn chaining_value(index: u32, chunk: &[u8]) -> Hash {
    debug_assert!(
        (1..=CHUNK_BYTES).contains(&chunk.len()),
        "a chunk of {} bytes",
        chunk.len()
    );
    Hasher::new()
        .set_input_offset(chunk_begin(index))
        .update(chunk)
        .finalize_non_root()
}

/// The chunk list of bytes in memory.
pub fn chunk_list_of(bytes: &[u8]) -> Vec<Hash> {
    match bytes.len() <= CHUNK_BYTES {
        true => Vec::new(),
        false => (0..)
            .zip(bytes.chunks(CHUNK_BYTES))
            .map(|(i, chunk)| chaining_value(i, chunk))
            .collect(),
    }
}

/// Whether `list` is the chunk list of blob `hash` of `size` bytes. One compression a chunk: below 0.2 ms for
/// the longest blob. For a blob of one chunk or none only the empty list is right, and says nothing yet.
pub fn verify_list(hash: &Hash, size: u64, list: &[Hash]) -> bool {
    if size > BLOB_BYTES_MAX {
        return false;
    }
    match chunk_count(size) {
        0 | 1 => list.is_empty(),
        n => list.len() == n as usize && merge(list) == *hash,
    }
}

/// The id that a list of two or more chaining values merges to.
pub(crate) fn merge(list: &[Hash]) -> Hash {
    let (left, right) = list.split_at(left_chunks(list.len()));
    *merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes()
}

fn subtree(list: &[Hash]) -> Hash {
    match list {
        [one] => *one,
        _ => {
            let (left, right) = list.split_at(left_chunks(list.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// The largest power of two below `n`: left subtrees of BLAKE3 are full and at least as large as the right.
fn left_chunks(n: usize) -> usize {
    debug_assert!(n >= 2, "a subtree of {n} chunks has no children");
    n.div_ceil(2).next_power_of_two()
}
