//! `link`: this machine becomes one of an account, by a code.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Make this machine one of your own, by the code of another
///
/// /approveDevice on a machine that has the account makes the code. This home must have no account; it becomes the same
/// member then, with the same albums and the same password. Name the central (CODE@HOST) where your machine does not find
/// it by itself.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype link 7-carpet-monkey-lamp
  calotype link 7-carpet-monkey-lamp@server:7440
  /link 7 carpet monkey lamp")]
pub struct Link {
    /// The code: a number and three words; four letters of a word will do
    #[arg(required = true, value_name = "CODE[@HOST[:PORT]]")]
    pub code: Vec<String>,
}

impl Link {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        let (code, host) = super::join::code_and_host(&self.code)?;
        Ok(Act::Ask(Request::Link { code, host }))
    }
}
