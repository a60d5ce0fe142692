//! `unblock`: allows links with a peer again.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Allow links with a member or a device again
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype unblock bob
  /unblock bob")]
pub struct Unblock {
    /// Account name, or the first digits of a device key
    pub peer: String,
}

impl Unblock {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Unblock { peer: self.peer }))
    }
}
