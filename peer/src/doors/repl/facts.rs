//! What completion knows of the living album: asked of the node when needed, remembered for a moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::Here;
use super::super::control::Control;
use crate::api::{Reply, Request};

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(2);
/// How long a key press may wait for one.
const PATIENCE: Duration = Duration::from_millis(300);

/// Kinds of living names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Images of the current album.
    Image,
    /// Albums I may enter.
    Album,
    /// Members of the current album.
    Member,
}

/// Asks and remembers. Used on the readline thread only, which is none of the runtime's.
pub struct Facts {
    runtime: tokio::runtime::Handle,
    control: Mutex<Control>,
    known: Mutex<BTreeMap<Kind, (Instant, Vec<String>)>>,
    cwd: PathBuf,
    user_home: Option<PathBuf>,
    album: Option<String>,
}

impl Facts {
    /// Nothing known yet.
    pub fn new(control: Control, here: &Here) -> Self {
        Facts {
            runtime: tokio::runtime::Handle::current(),
            control: Mutex::new(control),
            known: Mutex::new(BTreeMap::new()),
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

    /// All names of a kind; none where the node does not answer soon.
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, names)) = known.get(&kind)
            && at.elapsed() < FRESH
        {
            return names.clone();
        }
        let control = self
            .control
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let album = self.album.clone();
        let request = match kind {
            Kind::Image => Request::GetImages { album },
            Kind::Album => Request::List,
            Kind::Member => Request::GetMetadata { album },
        };
        let asked = async { tokio::time::timeout(PATIENCE, control.quick(request)).await };
        let names: Vec<String> = match self.runtime.block_on(asked) {
            Ok(Ok(Reply::Images(it))) => it.images.into_iter().map(|image| image.name).collect(),
            Ok(Ok(Reply::Albums(it))) => it.albums.into_iter().map(|album| album.name).collect(),
            Ok(Ok(Reply::Metadata(it))) => it.members.into_iter().map(|member| member.user).collect(),
            _ => Vec::new(),
        };
        known.insert(kind, (Instant::now(), names.clone()));
        names
    }
}
