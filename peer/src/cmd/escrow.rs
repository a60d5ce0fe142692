//! `escrow`: whether name and password alone open the account on a new machine.

use clap::{Args, ValueEnum};

use super::{Act, Context, Guarded};
use crate::api::{Failure, Request};

/// Let name and password alone bring your account to a new machine, or no longer
///
/// Off unless you turn it on: then the central keeps your root key, sealed under your password, and /login NAME works in
/// any new home. Whoever runs the central, or steals its database, can try passwords against it at home, as many as they
/// like, and who finds yours is you. Choose a long one. Without it the 24 recovery words do the same.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype escrow status
  calotype escrow on --password-file pw
  /escrow off")]
pub struct Escrow {
    /// on, off or status
    #[arg(value_name = "on|off|status")]
    pub what: What,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Keep the sealed key at the central
    On,
    /// Have the central forget it
    Off,
    /// Tell which it is
    Status,
}

impl Escrow {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(match self.what {
            What::On => Act::Guarded {
                from: at.own_password("/escrow on")?,
                what: Guarded::EscrowOn,
            },
            What::Off => Act::Ask(Request::Escrow { off: true }),
            What::Status => Act::Ask(Request::Escrow { off: false }),
        })
    }
}
