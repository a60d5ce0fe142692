//! What completion knows of the living album: asked of the node at each Tab.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::Here;
use super::super::control::Control;
use crate::api::{NameKind, Reply, Request};

/// How long a key press may wait for an answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// Asks. Used on the readline thread only, which is none of the runtime's.
pub struct Facts {
    runtime: tokio::runtime::Handle,
    control: Mutex<Control>,
    cwd: PathBuf,
    user_home: Option<PathBuf>,
    album: Option<String>,
}

impl Facts {
    /// Asks this node.
    pub fn new(control: Control, here: &Here) -> Self {
        Facts {
            runtime: tokio::runtime::Handle::current(),
            control: Mutex::new(control),
            cwd: here.cwd.clone(),
            user_home: here.user_home.clone(),
            album: here.each.album.clone(),
        }
    }

    /// Asks another node from now on.
    pub fn follow(&self, control: Control) {
        *self.control.lock().unwrap_or_else(PoisonError::into_inner) = control;
    }

    /// Where relative paths start, and what `~` is.
    pub fn folders(&self) -> (&Path, Option<&Path>) {
        (&self.cwd, self.user_home.as_deref())
    }

    /// Names of a kind that begin so, in the album named in the line or else the current one; none where the node does
    /// not answer soon.
    pub fn names(&self, kind: NameKind, album: Option<String>, begin: String) -> Vec<String> {
        let control = self
            .control
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let album = album.or_else(|| self.album.clone());
        let request = Request::Names { album, kind, begin };
        let asked = async { tokio::time::timeout(PATIENCE, control.quick(request)).await };
        match self.runtime.block_on(asked) {
            Ok(Ok(Reply::Names(it))) => it.names,
            _ => Vec::new(),
        }
    }
}
