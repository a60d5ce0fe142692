//! `logout`: ends the session with the central.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// End the session with the central
///
/// Keys and albums stay in the home; /login starts a session again.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype logout
  /logout")]
pub struct Logout {}

impl Logout {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Logout))
    }
}
