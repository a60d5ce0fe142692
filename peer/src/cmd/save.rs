//! `save`: one image into a file.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Save one image to a file or into a folder, byte for byte
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype save sunset.jpg ~/Desktop/
  /save sunset.jpg ~/Desktop/")]
pub struct Save {
    /// Name of the image
    pub name: String,
    /// File or folder to write to
    pub path: std::ffi::OsString,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}

impl Save {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let path = super::paths::one(&self.path, at)?;
        Ok(Act::Ask(Request::Save {
            album: at.album(),
            name: self.name,
            path,
            force: self.force,
        }))
    }
}
