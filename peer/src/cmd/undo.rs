//! `undo`: takes back one's own last command.

use clap::Args;

use super::{Act, Context};
use crate::api::{Code, Failure, Request};

/// Take back your last command in this album
///
/// A whole import, a removal, a rating, a version. Only what you did is taken back: what others added, removed or rated meanwhile
/// stays. Again goes one command further back; by its digits in /log any command of yours is taken back, an undo too. Who may
/// do what is not undone: /addUser and /removeUser are each other's remedy.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype undo
  /undo
  /undo 3f2a9c1b")]
pub struct Undo {
    /// Command to take back, by the first digits that /log shows (default: your last one here)
    pub command: Option<String>,
}

impl Undo {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        if let Some(digits) = &self.command {
            let is_id =
                (6..=64).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            if !is_id {
                let message = format!("{digits:?} is no id of a command");
                return Err(Failure::new(
                    Code::Usage,
                    message,
                    "/log shows them, as in /undo 3f2a9c1b",
                ));
            }
        }
        Ok(Act::Ask(Request::Undo {
            album: at.album(),
            command: self.command,
        }))
    }
}
