//! `get-metadata`: members, images, hashes, versions.

use clap::Args;

use super::select::Which;
use super::{Act, Context};
use crate::api::{Failure, Request};

/// Lines that an image takes here.
const LINES_PER_IMAGE: usize = 6;

/// Show the album's members and all it knows of each image
///
/// Sizes, hashes, authors, ratings, which image is a version of which and by what recipe. /help getImages explains the
/// flags that select images.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype get-metadata --json
  /getMetadata
  /getMetadata --name 'IMG*' --by bob")]
pub struct GetMetadata {
    /// Which images.
    #[command(flatten)]
    pub which: Which,
}

impl GetMetadata {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let page = at.page().map(|lines| (lines / LINES_PER_IMAGE).max(1));
        Ok(Act::Ask(Request::GetMetadata {
            album: at.album(),
            select: self.which.select(page),
        }))
    }
}
