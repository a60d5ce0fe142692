//! `log`: what happened in an album.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show what happened, the newest first
///
/// One line for each command, an import of 300 images included: when, who, what, and the digits by which /undo takes it. An
/// entry never stands below one that its author had seen; the times are the authors' clocks, and with a ~ when it came here,
/// where it carries none. Chat is in /chat.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype log --limit 20
  calotype log --by bob --image sunset.jpg
  /log")]
pub struct Log {
    /// At most so many (default: all; at the prompt: a page)
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Leave out the first so many
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub offset: usize,
    /// Only what this member did
    #[arg(long, value_name = "MEMBER")]
    pub by: Option<String>,
    /// Only what was done about this image, here or gone
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
}

impl Log {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Log {
            album: at.album(),
            limit: self.limit.map(|limit| limit as usize).or(at.page()),
            offset: self.offset,
            by: self.by,
            image: self.image,
        }))
    }
}
