//! `remove-image`: removes what was observed under a name.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Remove an image from the album, for all members
///
/// Removes what you see under this name; one that another member adds at the same moment stays.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype remove-image sunset.jpg
  /removeImage sunset.jpg")]
pub struct RemoveImage {
    /// Name of the image
    pub name: String,
}

impl RemoveImage {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::RemoveImage {
            album: at.album(),
            name: self.name,
        }))
    }
}
