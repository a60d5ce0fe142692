//! Image bytes as files named by their hash: imported durably, served and fetched in verified chunks.

mod error;
mod fsck;
mod import;
mod list;
mod part;
mod parts;
mod place;
mod serve;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Hash, Home, files};

use parts::OpenParts;
use place::{Place, read_error};
use serve::Lists;

pub use error::{BlobError, ListError, PartError};
pub use list::{chunk_count, chunk_list_of, verify_list};
pub use part::{Part, Progress};
pub use parts::PartInfo;

/// Bytes of one chunk; the last one of a blob is shorter. A power of two of BLAKE3's 1 KiB chunks, so that
/// every chunk is one subtree of the hash.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Longest blob, in bytes (256 MiB).
pub const BLOB_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A stored blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// BLAKE3 of the bytes: the id.
    pub hash: Hash,
    /// Bytes.
    pub size: u64,
    /// Whether the same bytes were here before.
    pub was_here: bool,
}

/// How far [`Blobs::fsck`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FsckProgress {
    /// Blobs checked.
    pub checked: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Blobs in all, counted at the start.
    pub total: u64,
}

/// What [`Blobs::fsck`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// Blobs checked.
    pub checked: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Damaged blobs, moved to `bad/`: fetch them again.
    pub bad: Vec<Hash>,
    /// Blobs that could not be read, and what the system said; left where they are.
    pub unreadable: Vec<(Hash, String)>,
    /// Files in `blobs/` that are no blobs; left alone.
    pub strays: Vec<PathBuf>,
    /// Ended early because `progress` said so.
    pub stopped: bool,
}

/// The blobs of a home. Clones share it; any thread may call anything.
#[derive(Clone)]
pub struct Blobs {
    place: Place,
    lists: Arc<Lists>,
    open_parts: Arc<OpenParts>,
}

impl Blobs {
    /// The blobs of a home. Open them once a home: downloads are shared among the clones only.
    pub fn open(home: &Home) -> Blobs {
        let place = Place::new(home);
        OpenParts::sweep(&place);
        Blobs {
            place,
            lists: Arc::default(),
            open_parts: Arc::default(),
        }
    }

    /// Stores many blobs durably for the price of few syncs: all written, all synced, renamed, folders synced.
    /// One result for each, in order; one that fails does not hinder the others.
    pub fn import_many(&self, blobs: Vec<Vec<u8>>) -> Vec<Result<Blob, BlobError>> {
        let mut entering = import::Entering::new(&self.place, blobs.len());
        blobs.into_iter().for_each(|bytes| entering.write(&bytes));
        entering.finish()
    }

    /// Stores one blob durably.
    ///
    /// # Errors
    /// [`BlobError`]; nothing is left of it.
    pub fn import(&self, bytes: &[u8]) -> Result<Blob, BlobError> {
        let mut entering = import::Entering::new(&self.place, 1);
        entering.write(bytes);
        entering.finish().swap_remove(0)
    }

    /// Stores a file durably, reading it once in pieces of [`CHUNK_BYTES`].
    ///
    /// # Errors
    /// [`BlobError`]; nothing is left of it.
    pub fn import_file(&self, path: &Path) -> Result<Blob, BlobError> {
        let mut entering = import::Entering::new(&self.place, 1);
        entering.copy(path);
        entering.finish().swap_remove(0)
    }

    /// [`Blobs::import_file`] for many, for the price of few syncs.
    pub fn import_files(&self, paths: &[&Path]) -> Vec<Result<Blob, BlobError>> {
        let mut entering = import::Entering::new(&self.place, paths.len());
        paths.iter().for_each(|path| entering.copy(path));
        entering.finish()
    }

    /// Whether the blob is here (not whether its bytes are still good: see [`Blobs::read`]).
    pub fn has(&self, hash: &Hash) -> bool {
        self.size(hash).is_some()
    }

    /// Bytes of a blob that is here.
    pub fn size(&self, hash: &Hash) -> Option<u64> {
        self.place.size(hash)
    }

    /// The file of a blob that is here. Its bytes are not verified; it must not be written to.
    pub fn path(&self, hash: &Hash) -> Option<PathBuf> {
        self.has(hash).then(|| self.place.blob(hash))
    }

    /// The bytes, verified.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::Corrupt`], [`BlobError::Io`].
    pub fn read(&self, hash: &Hash) -> Result<Vec<u8>, BlobError> {
        let path = self.place.blob(hash);
        let bytes = fs::read(&path).map_err(read_error(&path, hash))?;
        match blake3::hash(&bytes).as_bytes() == hash {
            true => Ok(bytes),
            false => Err(BlobError::Corrupt { hash: *hash }),
        }
    }

    /// Copies a blob, verified, to a file of the user's: it appears whole or not at all.
    /// Returns its size in bytes.
    ///
    /// # Errors
    /// [`BlobError::Exists`] unless `overwrite`; others as [`Blobs::read`].
    pub fn export(&self, hash: &Hash, dest: &Path, overwrite: bool) -> Result<u64, BlobError> {
        serve::export(&self.place, hash, dest, overwrite)
    }

    /// Chaining values of a blob's chunks, for peers that fetch it; empty for a blob of one chunk or none,
    /// which its id alone verifies. Reads the whole blob the first time, then answers from memory.
    ///
    /// # Errors
    /// As [`Blobs::read`].
    pub fn chunk_list(&self, hash: &Hash) -> Result<Vec<Hash>, BlobError> {
        self.lists.of(&self.place, hash).map(|list| list.to_vec())
    }

    /// One chunk, verified: at most [`CHUNK_BYTES`]. A blob of 0 bytes has no chunks.
    ///
    /// # Errors
    /// [`BlobError::NoSuchChunk`]; others as [`Blobs::read`].
    pub fn read_chunk(&self, hash: &Hash, index: u32) -> Result<Vec<u8>, BlobError> {
        serve::read_chunk(&self.place, &self.lists, hash, index)
    }

    /// Begins or resumes a download. Several callers for one blob share one [`Part`].
    ///
    /// # Errors
    /// [`PartError`].
    pub fn part_begin(&self, hash: &Hash, size: u64) -> Result<Part, PartError> {
        self.open_parts.begin(&self.place, hash, size)
    }

    /// Finishes several downloads for the price of few syncs; one result for each, in order.
    pub fn finish_many(&self, parts: &[Part]) -> Vec<Result<Blob, PartError>> {
        parts::finish(&self.place, parts)
    }

    /// Downloads under way, in this process or left by an earlier one.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn parts(&self) -> Result<Vec<PartInfo>, BlobError> {
        self.open_parts.list(&self.place)
    }

    /// Gives up a download; a [`Part`] of it that is still held refuses everything. `false` if there was none.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn remove_part(&self, hash: &Hash) -> Result<bool, BlobError> {
        self.open_parts.remove(&self.place, hash)
    }

    /// Removes a blob; `false` if it was not here. That nothing names it is the caller's to know.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn remove(&self, hash: &Hash) -> Result<bool, BlobError> {
        self.lists.forget(hash);
        let path = self.place.blob(hash);
        files::remove_if_there(&path).map_err(|source| BlobError::Io { path, source })
    }

    /// All blobs with their sizes in bytes, in order of hashes.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn list(&self) -> Result<Vec<(Hash, u64)>, BlobError> {
        fsck::walk(&self.place).map(|found| found.blobs)
    }

    /// Bytes of all blobs. Looks at every file, some microseconds each.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn total_bytes(&self) -> Result<u64, BlobError> {
        Ok(self.list()?.iter().map(|(_, size)| size).sum())
    }

    /// Moves a blob that a read called damaged to `bad/`, so that it can be fetched again. Reads it once more:
    /// `false` if it is good by now.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::Io`].
    pub fn set_aside(&self, hash: &Hash) -> Result<bool, BlobError> {
        fsck::set_aside(&self.place, &self.lists, hash)
    }

    /// Reads every blob and moves damaged ones to `bad/`. `progress` is told after each and may say `false`
    /// to stop.
    ///
    /// # Errors
    /// [`BlobError`]: a disk that cannot be read or renamed on.
    pub fn fsck(&self, progress: &mut dyn FnMut(FsckProgress) -> bool) -> Result<FsckReport, BlobError> {
        fsck::fsck(&self.place, &self.lists, progress)
    }
}
