//! `invites`: the codes that this home made.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the codes that you made and what became of them
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype invites
  /invites")]
pub struct Invites {}

impl Invites {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Invites))
    }
}
