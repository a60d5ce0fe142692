//! `open`: shows an image in the system's viewer.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show an image in the system's viewer
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype open sunset.jpg
  /open sunset.jpg")]
pub struct Open {
    /// Name of the image
    pub name: String,
}

impl Open {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Open(Request::Locate {
            album: at.album(),
            name: self.name,
        }))
    }
}
