//! `export`: originals and versions into a folder.

use clap::Args;

use super::select::Which;
use super::{Act, Context};
use crate::api::{Failure, Request};

/// Write all images into a folder, byte for byte
///
/// The folder is made if absent; files that are there with the same bytes are left alone. Flags write only some of the
/// images; get-images --help explains them.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype export ~/trip-backup
  calotype export ~/best --sort rating --limit 20
  /export ~/trip-backup")]
pub struct Export {
    /// Folder to write into
    pub dir: std::ffi::OsString,
    /// Which images.
    #[command(flatten)]
    pub which: Which,
}

impl Export {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Export {
            album: at.album(),
            dir: super::paths::one(&self.dir, at)?,
            select: self.which.select(None),
        }))
    }
}
