//! The one thread that writes: a group of batches, one transaction, one sync, then the callbacks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::Home;
use crate::db::ballast::Ballast;
use crate::db::queue::{Job, Queue, Task};
use crate::db::{CommitError, rows};

/// Log bytes after which an idle writer copies the log into the database.
const CHECKPOINT_IDLE_BYTES: usize = 4 * 1024 * 1024;
/// Log bytes after which even a busy one does.
const CHECKPOINT_BUSY_BYTES: usize = 16 * 1024 * 1024;
/// A pause that is long enough to copy the log in.
const IDLE_PAUSE: Duration = Duration::from_millis(20);
/// Pages that a write is taken to touch besides its own bytes: a leaf of the hash index.
const PAGES_A_WRITE: usize = 1;
/// Pages that a transaction is taken to touch: leaves of the tables that grow at their end.
const PAGES_A_GROUP: usize = 4;
/// SQLite's page, in bytes.
const PAGE_BYTES: usize = 4096;

pub(super) struct Writer {
    /// Keeps the lock for as long as the file is open.
    pub _home: Home,
    pub db: Connection,
    pub path: PathBuf,
    pub queue: Arc<Queue>,
    pub ballast: Ballast,
    /// Set by the first failed write or sync and never cleared.
    pub stopped: Option<Arc<str>>,
    /// Log bytes since the last checkpoint, estimated from above.
    pub logged: usize,
}

impl Writer {
    /// Works until the queue is closed and empty, then closes the file cleanly.
    pub fn run(mut self) {
        let _farewell = Farewell {
            queue: Arc::clone(&self.queue),
            path: self.path.clone(),
        };
        let mut expected = 1;
        while let Some(group) = self.queue.take_group(expected) {
            expected = group.len();
            self.commit(group);
            self.checkpoint_if_due();
        }
        self.close();
    }

    fn commit(&mut self, group: Vec<Job>) {
        match self.store(&group) {
            Err(CommitError::DiskFull { .. }) => self.commit_one_by_one(group),
            outcome => group.into_iter().for_each(|job| tell(job, outcome.clone())),
        }
    }

    /// After a full disk: what comes before the batch that does not fit is stored. What comes behind it fails
    /// with it, up to the end of the queue, because it may build on it. What is handed in later is taken, but
    /// for ops of the albums that lost some: the queue refuses those from before the first failure is told.
    fn commit_one_by_one(&mut self, group: Vec<Job>) {
        let mut jobs = group.into_iter();
        for job in jobs.by_ref() {
            let mut outcome = self.store(std::slice::from_ref(&job));
            if matches!(outcome, Err(CommitError::DiskFull { .. })) && job.urgent && self.ballast.release() {
                outcome = self.store(std::slice::from_ref(&job));
            }
            if let Err(CommitError::DiskFull { .. }) = outcome {
                let mut failed: Vec<Job> = std::iter::once(job).chain(jobs).collect();
                let waiting = self.queue.lose(&failed);
                failed.extend(waiting);
                for job in failed {
                    let refused = full(&self.path, job.bytes);
                    tell(job, Err(refused));
                }
                return;
            }
            tell(job, outcome);
        }
    }

    fn store(&mut self, group: &[Job]) -> Result<(), CommitError> {
        if let Some(cause) = &self.stopped {
            return Err(CommitError::Stopped {
                path: self.path.clone(),
                cause: Arc::clone(cause),
            });
        }
        let bytes = group.iter().map(|job| job.bytes).sum();
        match transact(&mut self.db, group) {
            Ok(writes) => {
                self.logged += bytes + (writes * PAGES_A_WRITE + PAGES_A_GROUP) * PAGE_BYTES;
                // What comes after a drop stands on nothing before it.
                group
                    .iter()
                    .flat_map(Job::dropped)
                    .for_each(|album| self.queue.readmit(album));
                Ok(())
            }
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => Err(full(&self.path, bytes)),
            Err(e) => Err(self.stop(&e)),
        }
    }

    /// After a failed sync the kernel may have dropped the pages and call the next one a success
    /// (Rebello et al., "Can applications recover from fsync failures?", 2020): never try again.
    fn stop(&mut self, e: &rusqlite::Error) -> CommitError {
        let cause: Arc<str> = e.to_string().into();
        tracing::error!(path = %self.path.display(), %cause, "writing has stopped");
        self.stopped = Some(Arc::clone(&cause));
        CommitError::Stopped {
            path: self.path.clone(),
            cause,
        }
    }

    /// Copies the log into the database in a pause, so that few callers ever wait for it.
    fn checkpoint_if_due(&mut self) {
        let due = match self.logged {
            _ if self.stopped.is_some() => false,
            CHECKPOINT_BUSY_BYTES.. => true,
            CHECKPOINT_IDLE_BYTES.. => self.queue.is_idle_for(IDLE_PAUSE),
            _ => false,
        };
        if !due {
            return;
        }
        self.logged = 0;
        match self.checkpoint("PASSIVE") {
            Ok(()) => self.ballast.restore(),
            // The log keeps everything; the next round tries again.
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                tracing::warn!(path = %self.path.display(), "disk full: the log stays");
            }
            Err(e) => {
                self.stop(&e);
            }
        }
    }

    fn checkpoint(&self, mode: &str) -> rusqlite::Result<()> {
        self.db
            .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
    }

    fn close(mut self) {
        if self.stopped.is_none()
            && let Err(e) = self.checkpoint("TRUNCATE")
        {
            tracing::warn!(path = %self.path.display(), %e, "the log stays beside the database");
            self.stopped = Some(e.to_string().into());
        }
        if self.stopped.is_some()
            && let Err(e) = self
                .db
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        {
            tracing::warn!(%e, "cannot keep SQLite from a last checkpoint");
        }
        if let Err((_, e)) = self.db.close() {
            tracing::warn!(path = %self.path.display(), %e, "the database was not closed cleanly");
        }
    }
}

/// Should the writer ever panic, which would be a bug, nobody is left waiting for it.
struct Farewell {
    queue: Arc<Queue>,
    path: PathBuf,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.queue
            .end()
            .into_iter()
            .for_each(|job| tell(job, Err(ended(&self.path))));
    }
}

/// The answer to a batch of `bytes` that does not fit, or that comes behind one.
pub(super) fn full(path: &Path, bytes: usize) -> CommitError {
    CommitError::DiskFull {
        path: path.into(),
        needed: bytes.max(PAGE_BYTES) as u64,
    }
}

/// The answer to what comes after the writer.
pub(super) fn ended(path: &Path) -> CommitError {
    CommitError::Stopped {
        path: path.into(),
        cause: "the writer has ended".into(),
    }
}

/// Stores a group in one transaction; returns the number of its writes. Dropping the transaction rolls back.
fn transact(db: &mut Connection, group: &[Job]) -> rusqlite::Result<usize> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut writes = 0;
    for job in group {
        match &job.task {
            Task::Batch(batch) => {
                batch.iter().try_for_each(|write| rows::apply(&change, write))?;
                writes += batch.len();
            }
            Task::Forget(ops, values) => {
                for &n in ops {
                    writes += usize::from(rows::forget_op(&change, n)?);
                }
                for value in values {
                    writes += usize::from(rows::forget_value(&change, value)?);
                }
            }
            &Task::Limit(pages) => {
                change.query_row(&format!("PRAGMA max_page_count({pages})"), [], |_| Ok(()))?;
            }
        }
    }
    change.commit()?;
    Ok(writes)
}

/// A callback that panics must not take the writer with it: everybody else would wait for ever.
fn tell(job: Job, outcome: Result<(), CommitError>) {
    if catch_unwind(AssertUnwindSafe(|| (job.done)(outcome))).is_err() {
        tracing::error!("a commit's callback panicked");
    }
}
