//! `add-user`: makes a user contributor.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Let a user into the album
///
/// They may see, add, filter and rate. They are told, and enter with /enterAlbum.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype add-user bob
  /addUser bob")]
pub struct AddUser {
    /// Account name
    pub user: String,
}

impl AddUser {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::AddUser {
            album: at.album(),
            user: super::check::user(&self.user)?,
        }))
    }
}
