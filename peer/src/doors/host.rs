//! The node a door talks to: the one that runs in this home, or one started here for as long as the door is open.

use std::time::{Duration, Instant};

use super::control::Control;
use crate::api::{Code, Failure};
use crate::cmd::settings::Settings;
use crate::node::{self, Running};

/// How long another process may keep the home before we give up.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How long one try waits, before looking again whether there is a node to attach to.
const LOCK_TRY: Duration = Duration::from_millis(100);

/// A node, ours or not.
pub struct Host {
    /// How to reach it.
    pub control: Control,
    own: Option<Running>,
}

impl Host {
    /// Attaches to the running node, else starts one.
    ///
    /// # Errors
    /// What the node says when it cannot start.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            if let Some(control) = Control::attach(&settings.home.value).await {
                return Ok(Host { control, own: None });
            }
            match node::start(settings.node(LOCK_TRY)).await {
                Ok(running) => {
                    return Ok(Host {
                        control: Control::at(running.control()),
                        own: Some(running),
                    });
                }
                // Somebody opens or closes the home right now.
                Err(failure) if failure.code == Code::Busy && Instant::now() < deadline => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Whether the node lives in this process.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Completes when a node of ours ends by itself; never for somebody else's.
    pub async fn ended(&self) -> Result<(), Failure> {
        match &self.own {
            Some(running) => running.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Lets go; a node of ours drains and ends.
    pub async fn close(self) {
        if let Some(running) = self.own {
            running.stop().await;
        }
    }
}
