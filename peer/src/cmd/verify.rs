//! `verify`: whether a version is what it says.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Make a version again from its source, and compare
///
/// A version says which recipe made it of which image. This computes it anew and compares the pixels and the file, so
/// nobody has to believe its author. Ends with 0 if all is equal, with 1 if something differs, and with 7 if it cannot be
/// told here: filters or a decoder of another version of calotype.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype verify dusk.jpg --json
  /verify dusk.jpg")]
pub struct Verify {
    /// Name of the version
    pub name: String,
}

impl Verify {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Verify {
            album: at.album(),
            name: self.name,
        }))
    }
}
