//! `chat`: the newest chat lines.

use clap::Args;

use super::select::count;
use super::{Act, Context, when};
use crate::api::{Failure, Request};

/// Show the newest chat lines, oldest first
///
/// A line never stands above one that its author had read, whatever the clocks say; times are UTC, by the authors' clocks.
/// At the prompt as many lines as fit.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype chat --limit 20
  calotype chat --since yesterday
  /chat")]
pub struct Chat {
    /// At most so many lines (default: all; at the prompt: a page)
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub limit: Option<usize>,
    /// Only those said since: 2026-01-31 (UTC), today, yesterday, 3d
    #[arg(long, value_name = "WHEN", value_parser = when::since)]
    pub since: Option<u64>,
}

impl Chat {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Chat {
            album: at.album(),
            limit: self.limit.or(at.page()),
            since: self.since,
        }))
    }
}
