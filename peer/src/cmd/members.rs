//! `members`: who is in the album.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the album's members: roles, who let them in and when, who is online
///
/// With the number of images that each has added. Times are UTC, by the clock of whoever let them in.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype members
  /members")]
pub struct Members {}

impl Members {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Members { album: at.album() }))
    }
}
