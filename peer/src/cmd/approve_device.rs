//! `approve-device`: a code that makes another machine one of this account.

use clap::Args;

use super::{Act, Context, Guarded};
use crate::api::Failure;

/// Make a code by which another machine becomes yours
///
/// Type it there: calotype link CODE. It is good for one guess and ten minutes, and only as long as this command waits, for
/// the root key is unsealed until then. Asks for the password, which is the other machine's too. With --json one object
/// tells the code, and one more what became of it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype approve-device
  /approveDevice")]
pub struct ApproveDevice {}

impl ApproveDevice {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let from = at.own_password("/approveDevice")?;
        let what = Guarded::ApproveDevice;
        Ok(Act::Guarded { what, from })
    }
}
