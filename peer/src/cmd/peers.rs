//! `peers`: who is here.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the other members' devices: linked, away or blocked
///
/// With their addresses and the bytes exchanged.
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
