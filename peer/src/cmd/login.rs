//! `login`: a session with the central.

use clap::Args;

use super::{Act, Context, Guarded};
use crate::api::Failure;

/// Log in on the central
///
/// Works in the home that holds this account's device key. The password is asked for without echo.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype login alice
  /login alice")]
pub struct Login {
    /// Account name
    pub user: String,
}

impl Login {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let from = at.password("/login", &self.user)?;
        Ok(Act::Guarded {
            what: Guarded::Login(self.user),
            from,
        })
    }
}
