//! `chat`: the newest chat lines.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show the newest chat lines, oldest first
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype chat --limit 20
  /chat")]
pub struct Chat {
    /// At most so many lines (default: all)
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<usize>,
}

impl Chat {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Chat {
            album: at.album(),
            limit: self.limit,
        }))
    }
}
