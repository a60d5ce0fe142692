//! `enter-album`: makes an album the current one.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Enter an album: it becomes the current one and is replicated
///
/// Waits up to 5 s for a grant that is on its way.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype enter-album trip
  /enterAlbum trip")]
pub struct EnterAlbum {
    /// Album, by name or id
    #[arg(value_name = "ALBUM")]
    pub name: String,
}

impl EnterAlbum {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::EnterAlbum { album: self.name }))
    }
}
