//! `register`: a new account.

use clap::Args;

use super::{Act, Context, Guarded};
use crate::api::Failure;

/// Make an account on the central and log in
///
/// The password is asked for twice without echo; scripts give --password-file or --password-stdin. The 24 recovery words
/// that it prints bring the account back on a new machine when all others are lost: write them down.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype register alice
  /register alice")]
pub struct Register {
    /// Account name
    pub user: String,
}

impl Register {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let user = super::check::user(&self.user)?;
        let from = at.password("/register", &user)?;
        Ok(Act::Guarded {
            what: Guarded::Register(user),
            from,
        })
    }
}
