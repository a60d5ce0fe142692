//! Ctrl-C for doors that do one command after the other: heard all the time, so that none is lost between two commands.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::{Code, Failure};

/// Ctrl-C, from now on.
pub struct Interrupt(Signal);

impl Interrupt {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system takes no handler.
    pub fn listen() -> Result<Self, Failure> {
        let no_signals =
            |error| Failure::new(Code::Internal, format!("cannot listen for signals: {error}"), "");
        signal(SignalKind::interrupt()).map(Interrupt).map_err(no_signals)
    }

    /// Waits for one; at once, if it has come already.
    pub async fn pressed(&mut self) {
        self.0.recv().await;
    }

    /// Forgets one that came when nothing ran.
    pub async fn forget(&mut self) {
        tokio::select! {
            biased;
            _ = self.0.recv() => {}
            () = std::future::ready(()) => {}
        }
    }
}
