//! A download under way: chunks of any order and source, each verified alone; the sparse file is the progress.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use crate::Hash;
use crate::blobs::{BLOB_BYTES_MAX, Blob, ListError};

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Chunks here.
    pub have: u32,
    /// Chunks of the blob.
    pub chunks: u32,
    /// Bytes here.
    pub have_bytes: u64,
    /// Bytes of the blob.
    pub size: u64,
}

impl Progress {
    /// Whether every chunk is here, so that [`Part::finish`] can be called.
    pub fn is_complete(&self) -> bool {
        self.have == self.chunks
    }
}

/// A download, as [`crate::Blobs::parts`] lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// The blob.
    pub hash: Hash,
    /// Its bytes.
    pub size: u64,
    /// Bytes here: verified ones if the download is open in this process, else bytes allocated on the disk.
    pub have_bytes: u64,
}

/// Why a download cannot begin, go on or end.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The blob is here.
    #[error("blob {} is here already", crate::hex(.hash))]
    Here {
        /// The blob.
        hash: Hash,
    },
    /// Longer than [`BLOB_BYTES_MAX`].
    #[error("a blob of {size} bytes is more than {BLOB_BYTES_MAX}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// The download was begun with another size: one of the two is false.
    #[error("blob {} was begun with {begun} bytes, not {size}", crate::hex(.hash))]
    OtherSize {
        /// The blob.
        hash: Hash,
        /// The size asked for now.
        size: u64,
        /// The size asked for first.
        begun: u64,
    },
    /// The list is not the blob's. Whoever sent it lies, or the size is false.
    #[error(transparent)]
    WrongList(#[from] ListError),
    /// The bytes are not the chunk's. Whoever sent them lies or has a damaged copy.
    #[error("chunk {index} of blob {} is wrong", crate::hex(.hash))]
    WrongChunk {
        /// The blob.
        hash: Hash,
        /// The chunk.
        index: u32,
    },
    /// The bytes are the chunk's, but it is not as long as the size demands: the size is a lie, the sender not.
    #[error("blob {} does not have {size} bytes, but {actual}", crate::hex(.hash))]
    FalseSize {
        /// The blob.
        hash: Hash,
        /// The size that the download was begun with.
        size: u64,
        /// The true one.
        actual: u64,
    },
    /// No chunk of a blob of several can be judged before [`Part::set_list`].
    #[error("blob {} has no chunk list yet", crate::hex(.hash))]
    NoList {
        /// The blob.
        hash: Hash,
    },
    /// A chunk number at or beyond the blob's end.
    #[error("blob {} has no chunk {index}", crate::hex(.hash))]
    NoSuchChunk {
        /// The blob.
        hash: Hash,
        /// The number.
        index: u32,
    },
    /// [`Part::finish`] before every chunk is here.
    #[error("blob {} lacks {missing} chunks", crate::hex(.hash))]
    Incomplete {
        /// The blob.
        hash: Hash,
        /// Chunks that are not here.
        missing: u32,
    },
    /// The download was given up or finished elsewhere.
    #[error("the download of blob {} has ended", crate::hex(.hash))]
    Ended {
        /// The blob.
        hash: Hash,
    },
    /// The disk is full; what is here stays and the download can go on later.
    #[error("disk full: {} needs {needed} bytes", .path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Bytes that the download still needs.
        needed: u64,
    },
    /// Anything else that the system says.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A download under way. Clones share it, so that several sources can feed it from several threads.
#[derive(Clone)]
pub struct Part {
    hash: Hash,
    size: u64,
}

impl Part {
    /// The blob.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether [`Part::set_list`] must come before the first chunk: true for a blob of several chunks whose list
    /// was not stored by an earlier process.
    pub fn needs_list(&self) -> bool {
        unimplemented!()
    }

    /// Takes the chunk list from any peer, if it is the true one, and stores it. Setting it again does nothing.
    ///
    /// # Errors
    /// [`PartError::WrongList`], [`PartError::DiskFull`], [`PartError::Io`], [`PartError::Ended`].
    pub fn set_list(&self, list: &[Hash]) -> Result<(), PartError> {
        let _ = list;
        unimplemented!()
    }

    /// Numbers of the chunks that are not here, as ascending ranges.
    pub fn missing(&self) -> Vec<Range<u32>> {
        unimplemented!()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        unimplemented!()
    }

    /// Takes one chunk, verified alone. One that is here already is taken without writing it again.
    /// It survives a kill at once; a power cut may lose it, which the next [`crate::Blobs::part_begin`] finds.
    ///
    /// # Errors
    /// [`PartError::WrongChunk`] (judge the sender), [`PartError::FalseSize`] (judge who named the size), others.
    pub fn write_chunk(&self, index: u32, bytes: &[u8]) -> Result<Progress, PartError> {
        let _ = (index, bytes);
        unimplemented!()
    }

    /// Makes the complete download a blob, durably.
    ///
    /// # Errors
    /// [`PartError::Incomplete`] and others; then the download stays.
    pub fn finish(&self) -> Result<Blob, PartError> {
        unimplemented!()
    }
}
