//! What goes into the database and what comes out of it: writes, their limits, reports.

use crate::Hash;
use crate::db::CommitError;

/// Longest op, in bytes: an op has ≤ 200 KiB of facts, and its header and signature.
pub const OP_BYTES_MAX: usize = 256 * 1024;
/// Longest value of [`Write::Put`], in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Longest key of [`Write::Put`], in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Most writes in one batch: the longest batch is one chunk of anti-entropy or one large command.
pub const BATCH_WRITES_MAX: usize = 65_536;
/// Most bytes (ops, keys and values) in one batch.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One change. A batch of them is done wholly or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Appends an op to an album; one that is there already (same album and hash) is left alone.
    Op {
        /// Album id.
        album: Hash,
        /// Header hash, the op's name.
        hash: Hash,
        /// The op as received.
        bytes: Vec<u8>,
    },
    /// Sets a value.
    Put {
        /// Kind of value, a word of the program.
        space: &'static str,
        /// Key in that space.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// Removes a value; one that is not there is as good as removed.
    Delete {
        /// Kind of value.
        space: &'static str,
        /// Key in that space.
        key: Vec<u8>,
    },
    /// Forgets an album's ops. Values about it are the caller's to delete.
    DropAlbum {
        /// Album id.
        album: Hash,
    },
}

/// What was found when a database was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Made by this call.
    pub created: bool,
    /// Bytes of log that the last process left: 0 after a clean end.
    pub wal_bytes: u64,
    /// Schema version before migration; equal to the present one if nothing had to change.
    pub schema: u32,
}

/// An op whose check column does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOp {
    /// Arrival number.
    pub n: u64,
    /// Album, if that is readable.
    pub album: Option<Hash>,
    /// Header hash as stored, if that is readable; it may be what is damaged.
    pub hash: Option<Hash>,
}

/// A value whose check column does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// Kind of value.
    pub space: String,
    /// Its key.
    pub key: Vec<u8>,
}

/// What [`crate::Db::ops`] went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Ops handed over, each in its turn.
    pub ops: u64,
    /// Arrival number to begin with the next time: 1 + the last one seen.
    pub next: u64,
    /// Ops that were skipped.
    pub bad: Vec<BadOp>,
    /// Ops that are there but were not found, at least: an index is damaged.
    pub hidden: u64,
}

impl Loaded {
    /// Ops that should have been handed over and were not.
    pub fn missing(&self) -> u64 {
        self.bad.len() as u64 + self.hidden
    }
}

/// What [`crate::Db::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Ops checked.
    pub ops: u64,
    /// Values checked.
    pub values: u64,
    /// Damaged ops: delete and fetch again.
    pub bad_ops: Vec<BadOp>,
    /// Damaged values: delete, they are rebuilt or lost.
    pub bad_values: Vec<BadValue>,
    /// What `PRAGMA integrity_check` says, at most 100 lines. Healed by [`crate::Db::rebuild`] only.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.bad_ops.is_empty() && self.bad_values.is_empty() && self.problems.is_empty()
    }
}

/// What [`crate::Db::rebuild`] could carry over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Ops that are good.
    pub ops: u64,
    /// Ops that something still names and that are not: fetch them again.
    pub lost_ops: u64,
    /// Values that are good.
    pub values: u64,
    /// Values that are not, as far as their keys can be read.
    pub lost_values: Vec<BadValue>,
}

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// Called once, on the writer thread or, for a batch that is not even tried, on the caller's; it must be quick and
/// must not wait for the store.
pub type Done = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

/// Bytes of a batch, if it is within the limits.
pub(super) fn measure(batch: &[Write]) -> Result<usize, CommitError> {
    let check = |what, found, max| match found > max {
        true => Err(CommitError::TooLarge { what, found, max }),
        false => Ok(found),
    };
    check("number of writes", batch.len(), BATCH_WRITES_MAX)?;
    let mut bytes = 0;
    for write in batch {
        bytes += match write {
            Write::Op { bytes, .. } => check("op bytes", bytes.len(), OP_BYTES_MAX)?,
            Write::Put { key, value, .. } => {
                check("key bytes", key.len(), KEY_BYTES_MAX)?
                    + check("value bytes", value.len(), VALUE_BYTES_MAX)?
            }
            Write::Delete { key, .. } => check("key bytes", key.len(), KEY_BYTES_MAX)?,
            Write::DropAlbum { .. } => 0,
        };
    }
    check("bytes", bytes, BATCH_BYTES_MAX)
}
