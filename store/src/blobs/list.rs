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
/// the longest blob. For a blob of one chunk only the empty list is right, and says nothing yet.
pub fn verify_list(hash: &Hash, size: u64, list: &[Hash]) -> bool {
    if size > BLOB_BYTES_MAX {
        return false;
    }
    match chunk_count(size) {
        0 => list.is_empty() && blake3::hash(&[]).as_bytes() == hash,
        1 => list.is_empty(),
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

/// Hashes bytes that come in pieces and keeps the chunk list that falls out of it.
pub(crate) struct Lister {
    chunk: Hasher,
    in_chunk: usize,
    list: Vec<Hash>,
    size: u64,
}

impl Lister {
    pub fn new() -> Lister {
        Lister {
            chunk: Hasher::new(),
            in_chunk: 0,
            list: Vec::new(),
            size: 0,
        }
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.in_chunk == CHUNK_BYTES {
                self.end_chunk();
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.in_chunk));
            self.chunk.update(now);
            self.in_chunk += now.len();
            self.size += now.len() as u64;
            bytes = later;
        }
    }

    /// The id and the chunk list.
    pub fn finish(mut self) -> (Hash, Vec<Hash>) {
        if self.list.is_empty() {
            return (*self.chunk.finalize().as_bytes(), Vec::new());
        }
        self.end_chunk();
        (merge(&self.list), self.list)
    }

    fn end_chunk(&mut self) {
        self.list.push(self.chunk.finalize_non_root());
        self.chunk = Hasher::new();
        self.chunk
            .set_input_offset(self.list.len() as u64 * CHUNK_BYTES as u64);
        self.in_chunk = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(len: usize, seed: u8) -> Vec<u8> {
        let mut bytes = vec![0; len];
        Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn check(bytes: &[u8], piece: usize) {
        let id = *blake3::hash(bytes).as_bytes();
        let list = chunk_list_of(bytes);
        let size = bytes.len() as u64;
        assert_eq!(
            list.len(),
            if bytes.len() <= CHUNK_BYTES {
                0
            } else {
                chunk_count(size) as usize
            }
        );
        assert!(verify_list(&id, size, &list), "{size} bytes");
        let mut lister = Lister::new();
        bytes.chunks(piece).for_each(|piece| lister.update(piece));
        assert_eq!(lister.size(), size);
        assert_eq!(lister.finish(), (id, list), "{size} bytes in pieces of {piece}");
        assert_eq!(
            (0..chunk_count(size)).map(|i| chunk_len(size, i)).sum::<usize>(),
            bytes.len()
        );
    }

    #[test]
    fn lists_merge_to_the_hash_at_every_edge() {
        let at = |chunks: usize| {
            [
                chunks * CHUNK_BYTES - 1,
                chunks * CHUNK_BYTES,
                chunks * CHUNK_BYTES + 1,
            ]
        };
        for len in [0, 1, 1023, 1024, 1025]
            .into_iter()
            .chain([1, 2, 3, 4, 5, 7, 8, 9].into_iter().flat_map(at))
        {
            check(&bytes(len, 1), CHUNK_BYTES);
        }
    }

    #[test]
    fn a_wrong_list_is_refused() {
        let blob = bytes(3 * CHUNK_BYTES + 5, 2);
        let (id, size, list) = (
            *blake3::hash(&blob).as_bytes(),
            blob.len() as u64,
            chunk_list_of(&blob),
        );
        let mut bit = list.clone();
        bit[2][31] ^= 1;
        let mut swapped = list.clone();
        swapped.swap(0, 1);
        let longer = [&list[..], &list[..1]].concat();
        for wrong in [&bit, &swapped, &longer, &list[..3].to_vec(), &vec![]] {
            assert!(!verify_list(&id, size, wrong));
        }
        assert!(
            !verify_list(&id, size + CHUNK_BYTES as u64, &list),
            "a size of other chunks"
        );
        assert!(!verify_list(&id, BLOB_BYTES_MAX + 1, &list));
        assert!(!verify_list(&id, u64::MAX, &list));
        assert!(
            !verify_list(&id, 1, &[id]),
            "one chunk is verified by the id, not by a list"
        );
        // Two nodes of the true tree must not pass for the whole of a smaller blob.
        let halves = vec![subtree(&list[..2]), subtree(&list[2..])];
        assert_eq!(merge(&halves), id);
        assert!(!verify_list(&id, size, &halves));
    }

    #[test]
    fn the_longest_blob_has_1024_chunks() {
        assert_eq!(chunk_count(BLOB_BYTES_MAX), 1024);
        assert_eq!(chunk_count(BLOB_BYTES_MAX + 1), 1025);
        assert_eq!(chunk_count(u64::MAX), u32::MAX);
        assert_eq!(chunk_len(BLOB_BYTES_MAX, 1024), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn lists_merge_to_the_hash_at_any_length(len in 0..3 * 1024 * 1024usize, seed: u8, piece in 1..700_000usize) {
            check(&bytes(len, seed), piece.max(len / 64));
        }
    }
}
