//! `add-user`: lets a user in.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, GivenRole, Request};

/// Let a user into the album
///
/// They are told, and enter with /enterAlbum. What a role may do: /members shows who has which, /setRole changes it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype add-user bob
  /addUser carol --role viewer")]
pub struct AddUser {
    /// Account name
    pub user: String,
    /// What they may do (default: contributor)
    #[arg(long, value_name = "ROLE")]
    pub role: Option<GivenRole>,
}

impl AddUser {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::AddUser {
            album: at.album(),
            user: super::check::user(&self.user)?,
            role: self.role,
        }))
    }
}
