//! `why`: the ops that made an image so.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Tell why an image is here, or why it is gone
///
/// Who added it and from which device, who rated it, what was made of it, who removed it and which adds that removal saw. What was
/// added while somebody removed stays. With --json the dots and header hashes.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype why sunset.jpg --json
  /why sunset.jpg")]
pub struct Why {
    /// Name of the image, in the album or in the trash
    pub name: String,
}

impl Why {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Why {
            album: at.album(),
            name: self.name,
        }))
    }
}
