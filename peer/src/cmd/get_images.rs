//! `get-images`: images with ratings.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the images with their mean rating
///
/// Oldest first. A name that two members chose appears as NAME and NAME~1a2b3c.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype get-images --album trip
  /getImages")]
pub struct GetImages {}

impl GetImages {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::GetImages { album: at.album() }))
    }
}
