//! `/watch 2s /status`: a command that only looks, asked again and again. On a terminal each answer takes the place of the
//! one before, on a screen of its own, until q or Ctrl-C; elsewhere each is printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::control::Control;
use super::perform::Trouble;
use crate::api::{Failure, Request};
use crate::ui::{Screen, Ui};

/// A read that brings nothing sooner than this has come to the terminal's end.
const AT_ONCE: Duration = Duration::from_millis(20);

/// Asks until it is stopped; the future may be dropped at any time.
///
/// # Errors
/// The first failure.
pub async fn run(
    every: Duration,
    line: &str,
    request: &Request,
    control: &Control,
    ui: &Ui,
) -> Result<(), Trouble> {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Some(screen) = Screen::open(ui) else {
        loop {
            ticks.tick().await;
            ui.reply(&control.quick(request.clone()).await?)?;
        }
    };
    let mut keys = Keys::listen();
    let mut resized = signal(SignalKind::window_change()).map_err(|e| failure(&e))?;
    let mut reply = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => reply = Some(control.quick(request.clone()).await?),
            _ = resized.recv() => {}
            key = keys.next() => match key {
                Some(b'q' | b'Q' | 3 | 4) | None => return Ok(()),
                Some(_) => continue,
            },
        }
        if let Some(reply) = &reply {
            screen.show(line, every, reply)?;
        }
    }
}

fn failure(error: &std::io::Error) -> Failure {
    Failure::new(
        crate::api::Code::Internal,
        format!("the terminal cannot be watched: {error}"),
        "",
    )
}

/// Single keys of the terminal, without echo, until dropped.
struct Keys {
    keys: mpsc::UnboundedReceiver<u8>,
    enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    before: Option<Termios>,
}

impl Keys {
    fn listen() -> Self {
        let (to, keys) = mpsc::unbounded_channel();
        let enough = Arc::new(AtomicBool::new(false));
        let before = termios::tcgetattr(std::io::stdin()).ok();
        let thread = before.clone().and_then(|mut silent| {
            silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
            // A read waits for a tenth of a second at most, so that the thread can end.
            silent.special_codes[SpecialCodeIndex::VMIN] = 0;
            silent.special_codes[SpecialCodeIndex::VTIME] = 1;
            termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &silent).ok()?;
            let enough = enough.clone();
            Some(std::thread::spawn(move || read(&to, &enough)))
        });
        Keys {
            keys,
            enough,
            thread,
            before,
        }
    }

    /// The next key; none where the terminal is gone. Without a terminal no key ever comes.
    async fn next(&mut self) -> Option<u8> {
        if self.thread.is_none() {
            return std::future::pending().await;
        }
        self.keys.recv().await
    }
}

fn read(to: &mpsc::UnboundedSender<u8>, enough: &AtomicBool) {
    let mut key = [0];
    while !enough.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match rustix::io::read(std::io::stdin(), &mut key) {
            Ok(0) if begun.elapsed() > AT_ONCE => {}
            Ok(1..) if to.send(key[0]).is_ok() => {}
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // First the thread, or it would take the next line from readline.
        self.enough.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
        if let Some(before) = &self.before {
            let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
