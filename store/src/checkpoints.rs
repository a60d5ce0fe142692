//! Files that stand for the first ops of an album and can be thrown away at any time: `checkpoints/ALBUM`. What is in
//! them is the caller's; so is finding out whether it is whole ([`crate::Db::stands_for`] tells whether it fits).
//!
//! They are written beside and renamed, without a sync: after a power cut one may be short or empty, which its reader
//! sees, and then reads the ops.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};

use crate::files::{hex, remove_if_there, unhex};
use crate::{Hash, Home};

/// Longest checkpoint that is read or written, in bytes.
pub const CHECKPOINT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Their folder.
pub(crate) const FOLDER: &str = "checkpoints";

impl Home {
    /// An album's checkpoint; `None` if there is none that can be read, which is no more than slow.
    pub fn checkpoint(&self, album: &Hash) -> Option<Vec<u8>> {
        let path = self.path().join(FOLDER).join(hex(album));
        let read = || -> io::Result<Vec<u8>> {
            let file = File::open(&path)?;
            let length = file.metadata()?.len();
            if length > CHECKPOINT_BYTES_MAX {
                return Err(io::Error::other(format!("{length} bytes are too many")));
            }
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            file.take(CHECKPOINT_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                tracing::info!(path = %path.display(), "checkpoint not read: {e}");
                None
            }
        }
    }

    /// Puts an album's checkpoint in the place of the one before.
    ///
    /// # Errors
    /// What the system says; then the one before stays.
    pub fn keep_checkpoint(&self, album: &Hash, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > CHECKPOINT_BYTES_MAX {
            return Err(io::Error::other(format!("{} bytes are too many", bytes.len())));
        }
        let mut temp = tempfile::NamedTempFile::new_in(self.tmp())?;
        temp.write_all(bytes)?;
        let place = self.path().join(FOLDER).join(hex(album));
        temp.persist(place).map_err(|e| e.error)?;
        Ok(())
    }

    /// Removes the checkpoints of all other albums.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep_checkpoints_of(&self, albums: &[Hash]) -> io::Result<()> {
        for entry in fs::read_dir(self.path().join(FOLDER))? {
            let entry = entry?;
            let album = entry.file_name().to_str().and_then(unhex);
            if album.is_none_or(|album| !albums.contains(&album)) {
                remove_if_there(&entry.path())?;
            }
        }
        Ok(())
    }
}
