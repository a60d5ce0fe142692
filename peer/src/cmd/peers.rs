//! `peers`: who is here.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the other members' devices: linked, connecting, away or blocked
///
/// With their addresses; for linked ones the round trip, whether they are in step with this node or how many changes are
/// still to come or to go, and the bytes exchanged; for others when they were last here (UTC).
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype peers
  /peers")]
pub struct Peers {}

impl Peers {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Peers))
    }
}
