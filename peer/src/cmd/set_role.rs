//! `set-role`: gives a member another role.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, GivenRole, Request};

/// Give a member another role
///
/// What they did so far stays. What goes beyond a lower role is held by everybody, if you had not seen it yet.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype set-role bob viewer
  /setRole carol curator")]
pub struct SetRole {
    /// A member's name
    pub user: String,
    /// What they may do from now on
    pub role: GivenRole,
}

impl SetRole {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::SetRole {
            album: at.album(),
            user: self.user,
            role: self.role,
        }))
    }
}
