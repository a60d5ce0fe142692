//! The bounded queue in front of the writer thread, and how it gathers a group.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Hash;
use crate::db::{BadValue, Done, Write};

/// Most batches waiting.
pub(super) const QUEUE_BATCHES_MAX: usize = 1024;
/// Most bytes waiting; one batch alone may be longer.
pub(super) const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most batches in one transaction.
pub(super) const GROUP_BATCHES_MAX: usize = 256;
/// Most bytes in one transaction; one batch alone may be longer. Bounds the log and the page cache.
pub(super) const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest wait for a group to fill.
pub(super) const GATHER_MAX: Duration = Duration::from_millis(2);

/// What the writer does in one piece.
pub(super) enum Task {
    /// A caller's batch.
    Batch(Vec<Write>),
    /// Rows to delete if they are still damaged: arrival numbers, values.
    Forget(Vec<u64>, Vec<BadValue>),
    /// The most pages that the file may have from now on.
    Limit(u32),
}

/// One entry of the queue.
pub(super) struct Job {
    pub task: Task,
    /// Bytes of the batch.
    pub bytes: usize,
    /// May use the ballast when the disk is full.
    pub urgent: bool,
    pub done: Done,
}

impl Job {
    fn writes(&self) -> &[Write] {
        match &self.task {
            Task::Batch(batch) => batch,
            Task::Forget(..) | Task::Limit(_) => &[],
        }
    }

    /// Albums whose ops it writes.
    fn albums(&self) -> impl Iterator<Item = &Hash> {
        self.writes().iter().filter_map(|write| match write {
            Write::Op { album, .. } => Some(album),
            _ => None,
        })
    }

    /// Albums that it drops.
    pub fn dropped(&self) -> impl Iterator<Item = &Hash> {
        self.writes().iter().filter_map(|write| match write {
            Write::DropAlbum { album } => Some(album),
            _ => None,
        })
    }
}

/// Why a job was not taken.
pub(super) enum Refused {
    /// An earlier write of ops of its album failed, and the album was not read again since.
    Behind(Job),
    /// There is no writer any more.
    Ended(Job),
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Albums that lost a write of ops.
    lossy: BTreeSet<Hash>,
    closed: bool,
    /// Nobody takes jobs any more.
    ended: bool,
}

impl State {
    fn has_room_for(&self, bytes: usize) -> bool {
        self.jobs.is_empty() || (self.jobs.len() < QUEUE_BATCHES_MAX && self.bytes + bytes <= QUEUE_BYTES_MAX)
    }

    fn is_behind(&self, job: &Job) -> bool {
        !self.lossy.is_empty() && job.albums().any(|album| self.lossy.contains(album))
    }

    fn lose(&mut self, job: &Job) {
        self.lossy.extend(job.albums());
    }

    fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.bytes -= job.bytes;
        Some(job)
    }
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

impl Queue {
    /// Appends a job, waiting for room if `may_wait`. The writer's own callbacks may not wait for themselves.
    pub fn push(&self, job: Job, may_wait: bool) -> Result<(), Refused> {
        let mut state = self.lock();
        while may_wait && !state.ended && !state.has_room_for(job.bytes) {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Looked at last: the writer may have failed while this one waited.
        match () {
            () if state.ended => return Err(Refused::Ended(job)),
            () if state.is_behind(&job) => {
                state.lose(&job);
                return Err(Refused::Behind(job));
            }
            () => {}
        }
        state.bytes += job.bytes;
        state.jobs.push_back(job);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Jobs failed. Takes everything that waits, which may build on them; from now on ops of all their albums are
    /// refused, until [`Queue::readmit`].
    pub fn lose(&self, failed: &[Job]) -> Vec<Job> {
        let mut state = self.lock();
        let waiting: Vec<Job> = std::iter::from_fn(|| state.pop()).collect();
        failed.iter().chain(&waiting).for_each(|job| state.lose(job));
        drop(state);
        self.emptied.notify_all();
        waiting
    }

    /// One job, which was never taken, failed.
    pub fn lose_untried(&self, job: &Job) {
        self.lock().lose(job);
    }

    /// Takes ops of an album again.
    pub fn readmit(&self, album: &Hash) {
        self.lock().lossy.remove(album);
    }

    /// The next group: waits for a first job, then up to [`GATHER_MAX`] for `expected` of them. A lone caller
    /// (`expected` ≤ 1) never waits: what arrives during a sync is gathered by the sync itself.
    /// `None` once the queue is closed and empty.
    pub fn take_group(&self, expected: usize) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let deadline = Instant::now() + GATHER_MAX;
        while state.jobs.len() < expected.min(GROUP_BATCHES_MAX)
            && state.bytes < GROUP_BYTES_MAX
            && !state.closed
        {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self
                .filled
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(next) = state.jobs.front() {
            let fits = group.len() < GROUP_BATCHES_MAX && bytes + next.bytes <= GROUP_BYTES_MAX;
            if !group.is_empty() && !fits {
                break;
            }
            bytes += next.bytes;
            group.extend(state.pop());
        }
        drop(state);
        self.emptied.notify_all();
        Some(group)
    }

    /// Whether nothing comes for a while.
    pub fn is_idle_for(&self, pause: Duration) -> bool {
        let state = self.lock();
        let quiet = |state: &mut State| state.jobs.is_empty() && !state.closed;
        let waited = self
            .filled
            .wait_timeout_while(state, pause, quiet)
            .unwrap_or_else(PoisonError::into_inner)
            .1;
        waited.timed_out()
    }

    /// Takes what waits and refuses everything from now on.
    pub fn end(&self) -> Vec<Job> {
        self.lock().ended = true;
        self.lose(&[])
    }

    /// Lets the writer end once it has done what waits.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock can panic halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;

    fn job(bytes: usize) -> Job {
        Job {
            task: Task::Batch(Vec::new()),
            bytes,
            urgent: false,
            done: Box::new(|_| ()),
        }
    }

    #[test]
    fn a_group_ends_at_its_limits() {
        let queue = Queue::default();
        (0..GROUP_BATCHES_MAX + 1).for_each(|_| assert!(queue.push(job(1), true).is_ok()));
        assert_eq!(queue.take_group(1).unwrap().len(), GROUP_BATCHES_MAX);
        assert_eq!(queue.take_group(1).unwrap().len(), 1);
        for (sizes, groups) in [
            (vec![GROUP_BYTES_MAX - 1, 1, 1], vec![2, 1]),
            (vec![GROUP_BYTES_MAX + 1, 1], vec![1, 1]),
            (vec![1, GROUP_BYTES_MAX], vec![1, 1]),
        ] {
            sizes
                .iter()
                .for_each(|&bytes| assert!(queue.push(job(bytes), true).is_ok()));
            let found: Vec<_> = groups
                .iter()
                .map(|_| queue.take_group(1).unwrap().len())
                .collect();
            assert_eq!(found, groups, "{sizes:?}");
        }
    }

    #[test]
    fn a_full_queue_makes_callers_wait_until_it_is_taken() {
        for (sizes, last) in [(vec![0; QUEUE_BATCHES_MAX], 0), (vec![QUEUE_BYTES_MAX], 1)] {
            let queue = Arc::new(Queue::default());
            sizes
                .iter()
                .for_each(|&bytes| assert!(queue.push(job(bytes), true).is_ok()));
            let (tell, told) = mpsc::channel();
            let other = Arc::clone(&queue);
            let caller = std::thread::spawn(move || {
                tell.send("pushing").unwrap();
                drop(other.push(job(last), true));
                tell.send("pushed").unwrap();
            });
            assert_eq!(told.recv().unwrap(), "pushing");
            assert!(told.try_recv().is_err());
            drop(queue.push(job(last), false));
            assert!(told.try_recv().is_err(), "only the writer's own push goes beyond");
            queue.take_group(1).unwrap();
            queue.lose(&[]);
            assert_eq!(told.recv().unwrap(), "pushed");
            caller.join().unwrap();
        }
    }

    #[test]
    fn a_queue_is_idle_only_while_nothing_comes() {
        let queue = Queue::default();
        assert!(queue.is_idle_for(Duration::from_millis(1)));
        drop(queue.push(job(1), true));
        assert!(!queue.is_idle_for(Duration::from_secs(60)));
        queue.lose(&[]);
        queue.close();
        assert!(!queue.is_idle_for(Duration::from_secs(60)), "it is ending");
    }

    #[test]
    fn nobody_waits_for_a_writer_that_ended() {
        let queue = Queue::default();
        (0..QUEUE_BATCHES_MAX).for_each(|_| assert!(queue.push(job(1), true).is_ok()));
        assert_eq!(queue.end().len(), QUEUE_BATCHES_MAX);
        (0..=QUEUE_BATCHES_MAX).for_each(|_| assert!(queue.push(job(1), true).is_err()));
    }

    #[test]
    fn closing_lets_what_waits_be_taken_first() {
        let queue = Queue::default();
        drop(queue.push(job(1), true));
        queue.close();
        assert_eq!(queue.take_group(9).unwrap().len(), 1);
        assert!(queue.take_group(9).is_none());
    }
}
