//! `say`: a chat line.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Say something to the album
///
/// At the prompt any line without a slash does the same. Words that begin with a hyphen come after --.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype say \"who took this?\"
  /say who took this?")]
pub struct Say {
    /// What to say
    #[arg(required = true, value_name = "TEXT")]
    pub text: Vec<String>,
}

impl Say {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Say {
            album: at.album(),
            text: self.text.join(" "),
        }))
    }
}
