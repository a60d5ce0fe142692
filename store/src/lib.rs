//! What a home keeps: ops and small values in SQLite, image bytes as files named by their hash.
//!
//! The store knows nothing of what an op means: bytes in, bytes out. It is synchronous: one writer thread
//! of its own for the database, everything else on the caller's thread. Async callers hand [`Db::commit`] a
//! callback and run the blob calls on their blocking pool.
//!
//! ```text
//! HOME/            0700
//!   lock           flock held by the living process, its pid inside
//!   calotype.db    SQLite, WAL, synchronous=FULL
//!   blobs/xx/HASH  image bytes, HASH = 64 hex digits of BLAKE3, xx = its first two
//!   parts/HASH.part + HASH.list   a download under way; the sparse file is the progress
//!   checkpoints/ALBUM  stands for the first ops of an album, can be thrown away at any time
//!   bad/           what `fsck` found rotten: HASH, calotype.db
//!   tmp/           emptied at each open
//! ```
//!
//! The order that makes a crash harmless: bytes first ([`Blobs::import_many`]), then the op that names them
//! ([`Db::commit`]), then the acknowledgement. A crash in between leaves a blob that nothing names.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

pub mod blobs;
pub mod checkpoints;
pub mod db;
mod files;
pub mod home;

pub use blobs::{
    BLOB_BYTES_MAX, Blob, BlobError, Blobs, CHUNK_BYTES, FsckProgress, FsckReport, ListError, Part,
    PartError, PartInfo, Progress, chunk_count, chunk_list_of, verify_list,
};
pub use checkpoints::CHECKPOINT_BYTES_MAX;
pub use db::{
    BATCH_BYTES_MAX, BATCH_WRITES_MAX, BadOp, BadValue, CommitError, Db, Done, KEY_BYTES_MAX, KeyValue,
    Loaded, OP_BYTES_MAX, OpenError, ReadError, Rebuilt, Recovered, VALUE_BYTES_MAX, VerifyReport, Write,
};
pub use files::{hex, unhex};
pub use home::{Home, HomeError, PRIVATE_BYTES_MAX, PrivateError};

/// 32 bytes of BLAKE3: the name of an album, an op's header or a blob.
pub type Hash = [u8; 32];
