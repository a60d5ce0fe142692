//! `devices`: the machines of this account.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List your devices: names, keys, which is here, which are online or revoked
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype devices
  /devices")]
pub struct Devices {}

impl Devices {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Devices))
    }
}
