//! `net`: bytes and messages.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show what was sent and received, by kind
///
/// The cost of the three ways to replicate can be compared with it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype net --json
  /net")]
pub struct Net {}

impl Net {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Net))
    }
}
