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
  /trash")]
pub struct Trash {}

impl Trash {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Trash { album: at.album() }))
    }
}
