//! `export`: originals and versions into a folder.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Write all images into a folder, byte for byte
///
/// The folder is made if absent; files that are there with the same bytes are left alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype export ~/trip-backup
  /export ~/trip-backup")]
pub struct Export {
    /// Folder to write into
    pub dir: std::ffi::OsString,
}

impl Export {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Export {
            album: at.album(),
            dir: super::paths::one(&self.dir, at)?,
        }))
    }
}
