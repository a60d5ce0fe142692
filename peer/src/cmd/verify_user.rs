//! `verify-user`: whether a user's key is theirs, by words that both see.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Compare safety words with a user, to know that the key is theirs
///
/// Both type it, each with the other's name, and read the words to each other by voice or in person. Where they are the
/// same, nobody sits in between: say so with --yes, and /members shows it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype verify-user bob
  /verifyUser bob --yes")]
pub struct VerifyUser {
    /// Account name
    pub user: String,
    /// The name has another key than before, and you know that it is right
    #[arg(long)]
    pub accept_new_key: bool,
}

impl VerifyUser {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::VerifyUser {
            user: super::check::user(&self.user)?,
            confirm: at.each.yes,
            accept_new_key: self.accept_new_key,
        }))
    }
}
