//! `restore`: brings removed images back.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Bring removed images back into the album, for all members
///
/// As they were, under your name now; their ratings show again. All of them or none.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype restore sunset.jpg
  /restore sunset.jpg moon.jpg")]
pub struct Restore {
    /// Names of the images, as /trash shows them
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

impl Restore {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Restore {
            album: at.album(),
            names: self.names,
        }))
    }
}
