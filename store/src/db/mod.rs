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
mod error;
mod model;
mod queue;
mod read;
mod rebuild;
mod rows;
mod schema;
mod writer;

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use crate::{Hash, Home};

pub use error::{CommitError, OpenError, ReadError};
pub use model::{
    BATCH_BYTES_MAX, BATCH_WRITES_MAX, BadOp, BadValue, Done, KEY_BYTES_MAX, KeyValue, Loaded, OP_BYTES_MAX,
    Rebuilt, Recovered, VALUE_BYTES_MAX, VerifyReport, Write,
};

use ballast::Ballast;
use model::measure;
use queue::{Job, Queue, Refused, Task};
use read::Reader;
use writer::Writer;

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

    /// Makes the database of a home anew from what is good of it, for when [`Db::verify`] found something or when it
    /// cannot even be opened. The old file goes to `bad/`. Needs as much space again. Nobody may have it open.
    ///
    /// # Errors
    /// [`OpenError`]; then the old file stays in its place.
    pub fn rebuild(home: &Home) -> Result<Rebuilt, OpenError> {
        rebuild::rebuild(home)
    }

    /// Queues a batch; `done` is called once it is durable, or failed. Batches are stored in the order of the
    /// calls. Waits while the queue is full (1,024 batches or 16 MiB), which is at most a few commits long.
    ///
    /// Ops stand on earlier ops. So once a write of ops of an album failed, whatever the reason, every later one
    /// of that album fails too, also one handed in before anybody heard of the failure, until
    /// [`Db::readmit`] or until the album is dropped. Other albums and values go on.
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
        told.recv()
            .unwrap_or_else(|_| Err(writer::ended(self.reader.path())))
    }

    /// Takes ops of an album again after a write of them failed: to be called once the album was read again
    /// ([`Db::ops`]) and what is written from now on stands on what was read. Does nothing otherwise.
    pub fn readmit(&self, album: &Hash) {
        self.queue.readmit(album);
    }

    fn submit(&self, batch: Vec<Write>, urgent: bool, done: Done) {
        let measured = measure(&batch);
        let job = Job {
            task: Task::Batch(batch),
            bytes: *measured.as_ref().unwrap_or(&0),
            urgent,
            done,
        };
        match measured {
            Ok(_) => self.push(job),
            Err(e) => {
                self.queue.lose_untried(&job);
                (job.done)(Err(e));
            }
        }
    }

    fn push(&self, job: Job) {
        match self.queue.push(job, !self.on_writer()) {
            Ok(()) => {}
            Err(Refused::Behind(job)) => (job.done)(Err(writer::full(self.reader.path(), job.bytes))),
            Err(Refused::Ended(job)) => (job.done)(Err(writer::ended(self.reader.path()))),
        }
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

    /// Whether an album's first ops, in order of arrival, are exactly those of these hashes, in whatever order; then the
    /// arrival number to go on from with [`Db::ops`]. Asks the indices alone: it reads no op.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn stands_for(
        &self,
        album: &Hash,
        hashes: &mut dyn Iterator<Item = Hash>,
    ) -> Result<Option<u64>, ReadError> {
        self.reader.stands_for(album, hashes)
    }

    /// Reads and checks up to 1,024 ops of an album from arrival number `from` on; with the names of the good ones. An
    /// album is through where none are seen.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`].
    pub fn check_some(&self, album: &Hash, from: u64) -> Result<(Loaded, Vec<Hash>), ReadError> {
        self.reader.check_some(album, from)
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
    pub fn scan(&self, space: &str, prefix: &[u8]) -> Result<Vec<KeyValue>, ReadError> {
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
        self.task_wait(Task::Forget(ops, report.bad_values.clone()))
    }

    /// Makes the disk as good as full for this database once its file has `pages` pages of 4 KiB, or as many as it
    /// has now; `u32::MAX` ends that. For tests of what stands on the store.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn limit_pages(&self, pages: u32) -> Result<(), CommitError> {
        self.task_wait(Task::Limit(pages))
    }

    fn task_wait(&self, task: Task) -> Result<(), CommitError> {
        let (tell, told) = mpsc::channel();
        self.push(Job {
            task,
            bytes: 0,
            urgent: true,
            done: Box::new(move |outcome| drop(tell.send(outcome))),
        });
        told.recv()
            .unwrap_or_else(|_| Err(writer::ended(self.reader.path())))
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
