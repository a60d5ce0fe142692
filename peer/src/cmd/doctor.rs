//! `doctor`: why two peers do not meet.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Say why this node and the other members do not meet
///
/// Looks at the account, the disk, where this node listens, the central, its key and its clock, and tries the way to each
/// member once. Each finding says what, why, and what to do. Ends with 0 if there is none, else with 7; within 10 s.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype doctor
  calotype doctor --json | jq -r '.findings[].next'
  /doctor")]
pub struct Doctor {}

impl Doctor {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Doctor))
    }
}
