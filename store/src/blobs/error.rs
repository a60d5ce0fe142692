//! Why a blob or a download failed: one type for each.

use std::io;
use std::path::PathBuf;

use crate::Hash;
use crate::blobs::BLOB_BYTES_MAX;

/// Why a blob could not be stored, read or exported.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such blob here.
    #[error("blob {} is not here", crate::hex(.hash))]
    Missing {
        /// Its id.
        hash: Hash,
    },
    /// The bytes do not have this hash any more: fsck, then fetch it again.
    #[error("blob {} is damaged; run fsck", crate::hex(.hash))]
    Corrupt {
        /// Its id.
        hash: Hash,
    },
    /// Longer than [`BLOB_BYTES_MAX`].
    #[error("{} has {bytes} bytes, more than {BLOB_BYTES_MAX}", .path.display())]
    TooLarge {
        /// The file, or the blob's place if it came from memory.
        path: PathBuf,
        /// Its size, at least.
        bytes: u64,
    },
    /// A folder, a pipe or a device.
    #[error("{} is not a plain file", .path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// A chunk number at or beyond the blob's end.
    #[error("blob {} has {chunks} chunks, no chunk {index}", crate::hex(.hash))]
    NoSuchChunk {
        /// Its id.
        hash: Hash,
        /// The number asked for.
        index: u32,
        /// How many it has.
        chunks: u32,
    },
    /// The file to be written exists.
    #[error("{} exists", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full; nothing half-written is left.
    #[error("disk full: {} needs {needed} bytes", .path.display())]
    DiskFull {
        /// The file to be written.
        path: PathBuf,
        /// Its size in bytes, as far as known.
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

/// Why a list of chaining values is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunk list does not merge to blob {}", crate::hex(.hash))]
pub struct ListError {
    /// The blob.
    pub hash: Hash,
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
    /// The list is not the blob's: whoever sent it lies, or the size is false. Also at the beginning, for a
    /// size of 0 that is not the empty blob's.
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
    /// No chunk of a blob of several can be judged before [`crate::Part::set_list`].
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
    /// [`crate::Part::finish`] before every chunk is here.
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
