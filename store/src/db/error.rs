//! Why the database could not be opened, written or read: one type for each operation.

use std::path::PathBuf;
use std::sync::Arc;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The linked SQLite is older than the one whose WAL bugs are fixed.
    #[error("SQLite {found} is older than {wanted}")]
    OldSqlite {
        /// `sqlite3_libversion_number` of the linked library.
        found: i32,
        /// The oldest accepted.
        wanted: i32,
    },
    /// A database of another program.
    #[error("{} is no database of calotype", .path.display())]
    NotOurs {
        /// The database.
        path: PathBuf,
    },
    /// Written by a newer calotype.
    #[error("{} has schema {found}, newer than {known}; use a newer calotype", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The disk is full.
    #[error("disk full: {} needs a few more bytes to be opened", .path.display())]
    DiskFull {
        /// The database.
        path: PathBuf,
    },
    /// Anything else that SQLite says.
    #[error("{}: {source}", .path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Anything else that the system says.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a batch is not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The disk is full. Nothing of the batch is stored, nor of any that was queued behind it, nor later ops of
    /// its albums until [`crate::Db::readmit`].
    #[error("disk full: {} needs {needed} bytes", .path.display())]
    DiskFull {
        /// The database.
        path: PathBuf,
        /// Bytes of the batch.
        needed: u64,
    },
    /// A write or sync failed: what is on the disk is unknown, so nothing is written any more. Say so and exit.
    #[error("{}: writing has stopped: {cause}", .path.display())]
    Stopped {
        /// The database.
        path: PathBuf,
        /// The first failure.
        cause: Arc<str>,
    },
    /// The batch is beyond a limit; it was not tried.
    #[error("{what} in a batch: {found}, more than {max}")]
    TooLarge {
        /// Which limit.
        what: &'static str,
        /// The size found.
        found: usize,
        /// The limit.
        max: usize,
    },
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The value's check column does not match.
    #[error("value {space}/{key:02x?} is damaged; run fsck")]
    BadValue {
        /// Kind of value.
        space: String,
        /// Its key.
        key: Vec<u8>,
    },
    /// Anything that SQLite says.
    #[error("{}: {source}", .path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}
