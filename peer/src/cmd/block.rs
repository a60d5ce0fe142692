//! `block`: refuses links with a peer.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Refuse links with a member or a device
///
/// A partition on purpose, to try what happens; /unblock ends it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype block bob
  /block bob")]
pub struct Block {
    /// Account name, or the first digits of a device key
    pub peer: String,
}

impl Block {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Block { peer: self.peer }))
    }
}
