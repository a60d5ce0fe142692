//! The watchdog: a thread of its own that ends the process when the runtime or the node's loop no longer beats, so that
//! a supervisor starts it again. A hung node would keep its home's lock and its peers waiting for ever.
//!
//! It counts its own ticks, not time: while a process is stopped or its machine sleeps there are none, and a tick that
//! comes much later than it should is no sign of a hung runtime but of a machine that was away, so it counts as none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Exit code of a process that hung (`EX_SOFTWARE` of sysexits.h).
pub const HUNG: u8 = 70;
/// How long the last words may take: stderr may be what hangs.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A tick that took more than so many periods counts as none.
const LATE: u32 = 2;

/// How often the watchdog looks, and how many looks in a row may find no beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two looks, and between two beats.
    pub period: Duration,
    /// Looks without a beat; at this many the process hangs.
    pub ticks: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(1),
            ticks: 60,
        }
    }
}

/// The beat of one thing that is watched. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Beat(Arc<AtomicU64>);

impl Beat {
    /// Says that it is not watched any more.
    const ENDED: u64 = u64::MAX;

    /// Still here.
    pub fn beat(&self) {
        if self.0.load(Ordering::Relaxed) != Self::ENDED {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It has ended in good order.
    pub fn end(&self) {
        self.0.store(Self::ENDED, Ordering::Relaxed);
    }
}

/// What is counted of one watched thing.
#[derive(Debug, Default)]
struct Quiet {
    seen: u64,
    ticks: u32,
}

impl Quiet {
    /// One look, `since` after the one before; whether it hangs.
    fn look(&mut self, pace: Pace, since: Duration, beats: u64) -> bool {
        let is_late = since > pace.period * LATE;
        if beats != self.seen || beats == Beat::ENDED {
            (self.seen, self.ticks) = (beats, 0);
        } else if !is_late {
            self.ticks += 1;
        }
        self.ticks >= pace.ticks
    }
}

/// A watchdog at work; it goes when dropped.
#[derive(Debug)]
pub struct Watchdog {
    gone: Arc<AtomicBool>,
    thread: Thread,
}

impl Watchdog {
    /// Watches these, by name, and calls `hung` with the name of the first that hangs, once.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(
        pace: Pace,
        watched: Vec<(&'static str, Beat)>,
        hung: impl FnOnce(&'static str) + Send + 'static,
    ) -> std::io::Result<Self> {
        let gone = Arc::new(AtomicBool::new(false));
        let is_gone = gone.clone();
        let watch = move || {
            let mut quiet: Vec<Quiet> = watched.iter().map(|_| Quiet::default()).collect();
            let mut last = Instant::now();
            while !is_gone.load(Ordering::Relaxed) {
                // May wake early; then it is no tick yet.
                std::thread::park_timeout(pace.period.saturating_sub(last.elapsed()));
                let since = last.elapsed();
                if since < pace.period {
                    continue;
                }
                last = Instant::now();
                for (quiet, (name, beat)) in quiet.iter_mut().zip(&watched) {
                    if quiet.look(pace, since, beat.0.load(Ordering::Relaxed)) {
                        return hung(name);
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self {
            gone,
            thread: thread.thread().clone(),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

/// Says what hung and ends the process, whatever else waits.
pub fn end_process(name: &'static str) {
    let (said, heard) = std::sync::mpsc::channel();
    let words = move || {
        tracing::error!("{name} hangs; this process ends");
        crate::ui::last_words(&format!(
            "calotype: {name} hangs; ended by its watchdog, start it again\n"
        ));
        let _ = said.send(());
    };
    if std::thread::Builder::new().spawn(words).is_ok() {
        let _ = heard.recv_timeout(LAST_WORDS);
    }
    std::process::exit(i32::from(HUNG));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        period: Duration::from_secs(1),
        ticks: 3,
    };
    const TICK: Duration = Duration::from_millis(1001);

    /// At the bound, not before it.
    #[test]
    fn a_loop_without_a_beat_hangs_after_so_many_ticks() {
        let mut quiet = Quiet::default();
        assert!(
            !quiet.look(PACE, TICK, 7),
            "the first look learns where it stands"
        );
        assert!(!quiet.look(PACE, TICK, 7));
        assert!(!quiet.look(PACE, TICK, 7));
        assert!(quiet.look(PACE, TICK, 7));
    }

    #[test]
    fn a_slow_loop_that_beats_does_not_hang() {
        let mut quiet = Quiet::default();
        for tick in 0..1000 {
            // A beat in every third tick only.
            assert!(!quiet.look(PACE, TICK, 1 + tick / 3), "tick {tick}");
        }
    }

    /// Stopped for a day, or on a machine that starves all threads alike: late ticks are none. A hang is found all the
    /// same once ticks come in time again.
    #[test]
    fn a_stopped_process_is_not_a_hung_one() {
        let mut quiet = Quiet::default();
        quiet.look(PACE, TICK, 7);
        quiet.look(PACE, TICK, 7);
        quiet.look(PACE, TICK, 7);
        for late in [
            2 * PACE.period + Duration::from_nanos(1),
            Duration::from_secs(86_400),
        ] {
            for _ in 0..100 {
                assert!(!quiet.look(PACE, late, 7));
            }
        }
        assert!(quiet.look(PACE, 2 * PACE.period, 7), "late, not too late");
    }

    #[test]
    fn what_has_ended_is_not_missed() {
        let beat = Beat::default();
        let mut quiet = Quiet::default();
        beat.beat();
        beat.end();
        beat.beat();
        for _ in 0..100 {
            assert!(!quiet.look(PACE, TICK, beat.0.load(Ordering::Relaxed)));
        }
    }

    /// The thread itself: of two things one stops beating, and that one is named.
    #[test]
    fn the_watchdog_names_what_hangs() {
        let pace = Pace {
            period: Duration::from_millis(2),
            ticks: 5,
        };
        let (steady, hangs) = (Beat::default(), Beat::default());
        let (tell, told) = std::sync::mpsc::channel();
        let watched = vec![("steady", steady.clone()), ("hangs", hangs.clone())];
        hangs.beat();
        let _dog = Watchdog::start(pace, watched, move |name| tell.send(name).unwrap()).unwrap();
        let name = loop {
            steady.beat();
            match told.try_recv() {
                Ok(name) => break name,
                Err(_) => std::thread::yield_now(),
            }
        };
        assert_eq!(name, "hangs");
    }
}
