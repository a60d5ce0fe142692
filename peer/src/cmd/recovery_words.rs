//! `recovery-words`: the words that bring the account back, once more.

use clap::Args;

use super::{Act, Context, Guarded};
use crate::api::Failure;

/// Show the 24 words that bring this account back when all its devices are lost
///
/// Whoever has them is you. Write them down on paper and keep them where nobody else looks. Asks for the password.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype recovery-words
  /recoveryWords")]
pub struct RecoveryWords {}

impl RecoveryWords {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let from = at.own_password("/recoveryWords")?;
        let what = Guarded::RecoveryWords;
        Ok(Act::Guarded { what, from })
    }
}
