//! Whether commands are at work, for those that wait until none is.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Quiet is when no command was at work for so long,
const QUIET: Duration = Duration::from_millis(500);
/// or the first gap after so long, where there is always one soon.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many commands are at work.
#[derive(Clone, Default)]
pub(super) struct Busy(watch::Sender<usize>);

/// A command at work, until it is dropped.
pub(super) struct AtWork(watch::Sender<usize>);

impl Busy {
    pub(super) fn enter(&self) -> AtWork {
        self.0.send_modify(|n| *n += 1);
        AtWork(self.0.clone())
    }

    pub(super) fn is_busy(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Returns when no command is at work, and none has been for a while unless they follow each other without end.
    pub(super) async fn quiet(&self) {
        let (begun, mut at_work) = (Instant::now(), self.0.subscribe());
        loop {
            // Fails only when all senders are gone, and this is one.
            let _ = at_work.wait_for(|n| *n == 0).await;
            let stays = tokio::time::timeout(QUIET, at_work.changed()).await.is_err();
            if stays || begun.elapsed() > PATIENCE && !self.is_busy() {
                return;
            }
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}
