//! `get-metadata`: members, images, hashes, versions.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show the album's members and all it knows of each image
///
/// Sizes, hashes, authors, ratings, which image is a version of which and by what recipe.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype get-metadata --json
  /getMetadata")]
pub struct GetMetadata {}

impl GetMetadata {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::GetMetadata { album: at.album() }))
    }
}
