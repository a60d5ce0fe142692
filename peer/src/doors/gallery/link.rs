//! The way to the node, whoever holds it: this process, or another one that may end.

use std::sync::PoisonError;

use tokio::sync::{Mutex, Notify, RwLock};

use super::super::control::Control;
use super::super::host::Host;
use crate::api::{Code, Failure, Reply, Request};
use crate::cmd::settings::Settings;

/// The node of this home.
pub struct Link {
    settings: Settings,
    control: std::sync::RwLock<Control>,
    /// None once the page was let go.
    host: RwLock<Option<Host>>,
    /// Whoever looks for another node; the others wait for what comes of it.
    looking: Mutex<()>,
    /// There is another one.
    changed: Notify,
}

impl Link {
    /// Attaches to the running node, else starts one.
    ///
    /// # Errors
    /// As [`Host::open`].
    pub async fn open(settings: Settings) -> Result<Self, Failure> {
        let host = Host::open(&settings).await?;
        Ok(Link {
            settings,
            control: std::sync::RwLock::new(host.control.clone()),
            host: RwLock::new(Some(host)),
            looking: Mutex::new(()),
            changed: Notify::new(),
        })
    }

    /// How the node is reached now.
    pub fn control(&self) -> Control {
        let control = self.control.read();
        control.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for something that takes no time; where the node had ended, the one that took its place, or a new one of ours.
    ///
    /// # Errors
    /// The node's failure; what [`Host::open`] says where there is none.
    pub async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let answer = self.control().quick(request.clone()).await;
        let lost = matches!(&answer, Err(failure) if failure.code == Code::Unreachable);
        if lost && self.again().await? {
            return self.control().quick(request).await;
        }
        answer
    }

    /// Sees to it that a node is there; whether it is another one than before.
    ///
    /// # Errors
    /// As [`Host::open`].
    pub async fn again(&self) -> Result<bool, Failure> {
        let _alone = self.looking.lock().await;
        // One of ours that ends takes the page with it.
        let stays = self.host.read().await.as_ref().is_none_or(Host::is_own);
        if stays || self.control().answers().await {
            return Ok(false);
        }
        let other = Host::open(&self.settings).await?;
        *self.control.write().unwrap_or_else(PoisonError::into_inner) = other.control.clone();
        *self.host.write().await = Some(other);
        self.changed.notify_one();
        Ok(true)
    }

    /// Completes when a node of ours ends by itself.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&self) -> Result<(), Failure> {
        loop {
            let host = self.host.read().await;
            match host.as_ref() {
                // It stays ours, so nobody waits to replace it.
                Some(own) if own.is_own() => return own.ended().await,
                _ => drop(host),
            }
            self.changed.notified().await;
        }
    }

    /// Lets go; a node of ours drains and ends.
    pub async fn close(&self) {
        if let Some(host) = self.host.write().await.take() {
            host.close().await;
        }
    }
}
