//! `remove-user`: ends a membership.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// End a user's membership
///
/// What they added and you have seen stays; what they add from now on does not count.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype remove-user bob
  /removeUser bob")]
pub struct RemoveUser {
    /// Account name
    pub user: String,
}

impl RemoveUser {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::RemoveUser {
            album: at.album(),
            user: self.user,
        }))
    }
}
