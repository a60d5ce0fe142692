//! `create-album`: a new album, mine.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Create an album and enter it
///
/// You are its owner; /addUser lets others in.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype create-album trip
  /createAlbum trip")]
pub struct CreateAlbum {
    /// Its name
    pub name: String,
}

impl CreateAlbum {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::CreateAlbum {
            name: super::check::album(&self.name)?,
        }))
    }
}
