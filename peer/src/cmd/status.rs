//! `status`: the state of this node.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show the state of this node
///
/// Who you are, the album, peers, what is still to come, disk use, the central, what was refused.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype status --json
  /status")]
pub struct Status {}

impl Status {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Status))
    }
}
