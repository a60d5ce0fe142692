//! Progress of long work, for people only: after 100 ms, with rate and time left, gone when it is done.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::human;
use crate::api::Progress;

const AFTER: Duration = Duration::from_millis(100);
const EVERY: Duration = Duration::from_millis(100);

/// Whether a meter stands on the terminal's last line.
static STANDS: AtomicBool = AtomicBool::new(false);

/// What wipes the meter away, for a line that is printed in its place; the meter comes back by itself.
pub fn room() -> &'static str {
    if STANDS.load(Ordering::Relaxed) {
        "\r\x1b[K"
    } else {
        ""
    }
}

/// A line on stderr that is redrawn in place.
pub struct Meter {
    started: Instant,
    drawn: Option<Instant>,
    last: Option<Progress>,
    shows: bool,
}

impl Meter {
    /// Shows nothing unless a person sees stderr.
    pub fn new(ui: &super::Ui) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let shows = ui.person && !ui.json && !dumb && std::io::stderr().is_terminal();
        Meter {
            started: Instant::now(),
            drawn: None,
            last: None,
            shows,
        }
    }

    /// Hears how far it is.
    pub fn update(&mut self, progress: &Progress) {
        self.last = Some(progress.clone());
        self.tick();
    }

    /// Draws how far it is, where it is time to; steps may be rarer than a person's patience.
    pub fn tick(&mut self) {
        let Some(progress) = &self.last else { return };
        let now = Instant::now();
        let early = now - self.started < AFTER || self.drawn.is_some_and(|at| now - at < EVERY);
        if !self.shows || early {
            return;
        }
        self.drawn = Some(now);
        STANDS.store(true, Ordering::Relaxed);
        // A line as wide as the terminal would wrap, and could not be wiped away.
        let columns = super::fold::columns(std::io::stderr())
            .unwrap_or(80)
            .saturating_sub(1);
        draw(&format!(
            "\r\x1b[K{}",
            line(progress, now - self.started, columns)
        ));
    }

    /// Makes room for other lines.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            STANDS.store(false, Ordering::Relaxed);
            draw("\r\x1b[K");
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.clear();
    }
}

fn draw(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// `importing 12 of 300 images  24/s  12 s left`
fn line(progress: &Progress, elapsed: Duration, columns: usize) -> String {
    let Progress {
        doing,
        done,
        total,
        unit,
    } = progress;
    if unit == "nothing" {
        return super::shorten(doing, columns);
    }
    if unit == "share" {
        return super::shorten(&share(doing, *done, *total, elapsed), columns);
    }
    let rate = *done as f64 / elapsed.as_secs_f64().max(0.001);
    let left = total.saturating_sub(*done);
    let (amount, speed) = if unit == "bytes" {
        (
            format!("{} of {}", human::bytes(*done), human::bytes(*total)),
            format!("{}/s", human::bytes(rate as u64)),
        )
    } else {
        (
            format!("{done} of {total} {}", super::clean(unit)),
            format!("{rate:.0}/s"),
        )
    };
    let mut text = format!("{} {amount}", super::clean(doing));
    if rate >= 0.5 {
        text.push_str(&format!(
            "  {speed}  {} left",
            human::seconds((left as f64 / rate).ceil() as u64)
        ));
    }
    super::shorten(&text, columns)
}

/// `filtering 12 of 40 images  31 %  2 min left`
fn share(doing: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let part = (done as f64 / total.max(1) as f64).min(1.0);
    let mut text = format!("{}  {:.0} %", super::clean(doing), part * 100.0);
    // What the first moments say of the rest is a guess.
    if part > 0.01 {
        let left = elapsed.as_secs_f64() * (1.0 - part) / part;
        text.push_str(&format!("  {} left", human::seconds(left.ceil() as u64)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let check = |done, total, unit: &str, ms, expect: &str| {
            let progress = Progress {
                doing: "importing".into(),
                done,
                total,
                unit: unit.into(),
            };
            assert_eq!(line(&progress, Duration::from_millis(ms), 79), expect);
        };
        check(
            12,
            300,
            "images",
            500,
            "importing 12 of 300 images  24/s  12 s left",
        );
        check(0, 300, "images", 500, "importing 0 of 300 images");
        check(
            5_000_000,
            20_000_000,
            "bytes",
            1000,
            "importing 5.0 MB of 20.0 MB  5.0 MB/s  3 s left",
        );
        check(
            10,
            100_000,
            "images",
            1000,
            "importing 10 of 100000 images  10/s  3 h left",
        );
        check(310, 1000, "share", 31_000, "importing  31 %  69 s left");
        check(0, 1000, "share", 9000, "importing  0 %");
        check(9, 7, "share", 9000, "importing  100 %  0 s left");
        check(7, 5, "steps", 1000, "importing 7 of 5 steps  7/s  0 s left");
        let progress = Progress {
            doing: "importing".into(),
            done: 12,
            total: 300,
            unit: "images".into(),
        };
        assert_eq!(
            line(&progress, Duration::from_millis(500), 19),
            "importing 12 of 30…"
        );
    }
}
