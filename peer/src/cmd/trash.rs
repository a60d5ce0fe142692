//! `trash`: what was removed and can be brought back.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the removed images, which /restore brings back
///
/// The last removed first. Nothing leaves the trash by itself: ops and bytes are kept as long as this home.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype trash --json
  /trash --limit 20")]
pub struct Trash {
    /// At most so many (default: all; at the prompt: a page)
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Leave out the first so many
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub offset: usize,
}

impl Trash {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Trash {
            album: at.album(),
            limit: self.limit.map(|limit| limit as usize).or(at.page()),
            offset: self.offset,
        }))
    }
}
