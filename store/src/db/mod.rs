//! Ops and small values in one SQLite file: one writer thread, group commit, checked rows.
//!
//! ```text
//! albums (a INTEGER PRIMARY KEY, album BLOB UNIQUE)                 32 bytes once, not once a row
//! ops    (n INTEGER PRIMARY KEY, a, hash, bytes, chk)               n = arrival number, never used twice
//!        index (a) = (a, n) in order; unique index (a, hash)
//! kv     (space, key, value, chk, PRIMARY KEY (space, key))
//! ```
//! `chk` is the first 16 bytes of BLAKE3 over everything else that the row means: SQLite has no page checksums.

mod ballast;
mod queue;
mod read;
mod rows;
mod schema;
mod writer;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use crate::{Hash, Home};

use ballast::Ballast;
use queue::{Job, Queue, Task};
use read::Reader;
use writer::Writer;

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
    /// The disk is full. Nothing of the batch is stored, nor of any that was queued behind it; later ones may
    /// be.
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

/// What [`Db::ops`] went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Ops handed over.
    pub ops: u64,
    /// Arrival number to begin with the next time: 1 + the last one seen.
    pub next: u64,
    /// Ops that were skipped.
    pub bad: Vec<BadOp>,
}

/// What [`Db::verify`] found.
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
    /// What `PRAGMA integrity_check` says, at most 100 lines. Not healed by [`Db::delete_bad`].
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.bad_ops.is_empty() && self.bad_values.is_empty() && self.problems.is_empty()
    }
}

/// Called once on the writer thread; it must be quick and must not wait for the store.
pub type Done = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

/// An open database. Share it in an `Arc`; dropping it finishes what is queued and closes the file cleanly.
pub struct Db {
    identity: (u64, u64),
    queue: Arc<Queue>,
    reader: Reader,
    writer: Option<JoinHandle<()>>,
}

impl Db {
    /// Opens the database of a home, creating or migrating it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(home: &Home) -> Result<(Db, Recovered), OpenError> {
        let path = home.database();
        let io = |source| OpenError::Io {
            path: path.clone(),
            source,
        };
        let mut ballast = Ballast::open(home.path().join("ballast"));
        let (db, recovered) = match schema::open_writer(home) {
            // Reading must work on a full disk too, and opening needs a page or two.
            Err(OpenError::DiskFull { .. }) if ballast.release() => schema::open_writer(home),
            other => other,
        }?;
        let file = std::fs::metadata(&path).map_err(io)?;
        let queue = Arc::new(Queue::default());
        let writer = Writer {
            _home: home.clone(),
            db,
            path: path.clone(),
            queue: Arc::clone(&queue),
            ballast,
            stopped: None,
            logged: usize::try_from(recovered.wal_bytes).unwrap_or(usize::MAX / 2),
        };
        let thread = std::thread::Builder::new().name("store-writer".into());
        let writer = Some(thread.spawn(|| writer.run()).map_err(io)?);
        let identity = (file.dev(), file.ino());
        let reader = Reader::new(path);
        Ok((
            Db {
                identity,
                queue,
                reader,
                writer,
            },
            recovered,
        ))
    }

    /// Queues a batch; `done` is called once it is durable, or failed. Batches are stored in the order of the
    /// calls. Waits while the queue is full (1,024 batches or 16 MiB), which is at most a few commits long.
    pub fn commit(&self, batch: Vec<Write>, done: Done) {
        let shrinks = batch
            .iter()
            .all(|w| matches!(w, Write::Delete { .. } | Write::DropAlbum { .. }));
        self.submit(batch, shrinks, done);
    }

    /// [`Db::commit`] for what must work on a full disk: leaving and deleting. It may use a reserve of 4 MiB,
    /// which is made again once there is room. Batches of deletions only may use it anyway.
    pub fn commit_urgent(&self, batch: Vec<Write>, done: Done) {
        self.submit(batch, true, done);
    }

    /// [`Db::commit`] for callers that may block: returns once the batch is durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn commit_wait(&self, batch: Vec<Write>) -> Result<(), CommitError> {
        let (tell, told) = mpsc::channel();
        self.commit(batch, Box::new(move |outcome| drop(tell.send(outcome))));
        told.recv().expect("the writer answers every job before it ends")
    }

    fn submit(&self, batch: Vec<Write>, urgent: bool, done: Done) {
        match measure(&batch) {
            Ok(bytes) => self.push(Job {
                task: Task::Batch(batch),
                bytes,
                urgent,
                done,
            }),
            Err(e) => done(Err(e)),
        }
    }

    fn push(&self, job: Job) {
        self.queue.push(job, !self.on_writer());
    }

    fn on_writer(&self) -> bool {
        self.writer
            .as_ref()
            .is_some_and(|w| w.thread().id() == std::thread::current().id())
    }

    /// Hands over an album's ops from arrival number `from` on, in order of arrival: `each(n, hash, bytes)`.
    /// Arrival numbers grow but have gaps (they are counted over all albums). Damaged rows are skipped and
    /// listed. `each` may call the store; ops committed meanwhile are seen too.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`]; what was handed over before it is good.
    pub fn ops(
        &self,
        album: &Hash,
        from: u64,
        each: &mut dyn FnMut(u64, Hash, &[u8]),
    ) -> Result<Loaded, ReadError> {
        self.reader.ops(album, from, each)
    }

    /// One op by its header hash.
    ///
    /// # Errors
    /// [`ReadError`]; a damaged op is `None`, as if it had to be fetched. Storing it again mends it.
    pub fn op(&self, album: &Hash, hash: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
        self.reader.op(album, hash)
    }

    /// Ids of all albums that have had an op and were not dropped, in order of their first.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn albums(&self) -> Result<Vec<Hash>, ReadError> {
        self.reader.albums()
    }

    /// Number of an album's ops.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn op_count(&self, album: &Hash) -> Result<u64, ReadError> {
        self.reader.op_count(album)
    }

    /// A value.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.reader.get(space, key)
    }

    /// All values of a space whose key begins with `prefix`, in order of keys.
    ///
    /// # Errors
    /// [`ReadError`]; one damaged value fails the scan and is named.
    pub fn scan(&self, space: &str, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ReadError> {
        self.reader.scan(space, prefix)
    }

    /// Checks every row and the file's structure. Reads all of it; minutes for gigabytes.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`] if not even the check can run.
    pub fn verify(&self) -> Result<VerifyReport, ReadError> {
        self.reader.verify()
    }

    /// Deletes the rows that a report names, if they are still damaged.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn delete_bad(&self, report: &VerifyReport) -> Result<(), CommitError> {
        let ops = report.bad_ops.iter().map(|bad| bad.n).collect();
        let (tell, told) = mpsc::channel();
        self.push(Job {
            task: Task::Forget(ops, report.bad_values.clone()),
            bytes: 0,
            urgent: true,
            done: Box::new(move |outcome| drop(tell.send(outcome))),
        });
        told.recv().expect("the writer answers every job before it ends")
    }

    /// Device and inode of the database file: they differ from those stored in it if the home was copied.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        // First, so that the writer's connection is the last and leaves no log behind.
        self.reader.close();
        self.queue.close();
        let on_writer = self.on_writer();
        if let Some(writer) = self.writer.take().filter(|_| !on_writer)
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

/// Bytes of a batch, if it is within the limits.
fn measure(batch: &[Write]) -> Result<usize, CommitError> {
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
