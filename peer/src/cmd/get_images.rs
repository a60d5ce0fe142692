//! `get-images`: images with ratings.

use clap::Args;

use super::select::Which;
use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the images with their mean rating
///
/// Oldest first. A name that two members chose appears as NAME and NAME~1a2b3c. At the prompt a page at a time: /more
/// shows the next one.
///
/// --sort has the best rating and the largest size first, names and members from A, dates from the oldest; images without
/// a rating or without a date come last, also with --reverse. --name fits the whole name: * is any characters, ? one,
/// [ab] one of these.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype get-images --album trip
  calotype get-images --sort rating --min-rating 4 --limit 20
  /getImages
  /getImages --by bob --name 'IMG*' --since 2026-01-01")]
pub struct GetImages {
    /// Which of them.
    #[command(flatten)]
    pub which: Which,
}

impl GetImages {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::GetImages {
            album: at.album(),
            select: self.which.select(at.page()),
        }))
    }
}
