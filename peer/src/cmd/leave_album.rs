//! `leave-album`: no current album.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Leave the current album
///
/// You stay a member and its images stay in this home; /enterAlbum goes back.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype leave-album
  /leaveAlbum")]
pub struct LeaveAlbum {}

impl LeaveAlbum {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::LeaveAlbum))
    }
}
