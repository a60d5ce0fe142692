//! Space held back for a full disk: leaving an album and deleting must still work then.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::files::{self, FILE_MODE};

/// Bytes held back: some hundred small commits, each of about five pages of log.
pub(super) const BALLAST_BYTES: u64 = 4 * 1024 * 1024;
/// The ballast is made only where this many times its size is free.
const ROOM_FACTOR: u64 = 4;

/// The file that can be given up.
pub(super) struct Ballast {
    pub path: PathBuf,
    /// Whether the file is there at its full size.
    pub held: bool,
}

impl Ballast {
    /// Finds or makes the ballast. Doing without it is no error.
    pub fn open(path: PathBuf) -> Ballast {
        let held = fs::metadata(&path).is_ok_and(|m| m.len() == BALLAST_BYTES);
        let mut ballast = Ballast { path, held };
        ballast.restore();
        ballast
    }

    /// Gives the space up. `false` if there was none to give.
    pub fn release(&mut self) -> bool {
        let gone = self.held && files::remove_if_there(&self.path).unwrap_or(false);
        self.held = false;
        if gone {
            tracing::warn!(path = %self.path.display(), "disk full: the reserve was given up for a last change");
        }
        gone
    }

    /// Makes the ballast again if there is plenty of room.
    pub fn restore(&mut self) {
        if self.held || !self.has_room() {
            return;
        }
        match self.fill() {
            Ok(()) => self.held = true,
            Err(e) => {
                tracing::debug!(path = %self.path.display(), %e, "no reserve");
                let _ = files::remove_if_there(&self.path);
            }
        }
    }

    fn has_room(&self) -> bool {
        let folder = self.path.parent().unwrap_or(&self.path);
        rustix::fs::statvfs(folder)
            .is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) > BALLAST_BYTES * ROOM_FACTOR)
    }

    fn fill(&self) -> io::Result<()> {
        let mut file: File = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&self.path)?;
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BALLAST_BYTES) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let zeros = [0; 64 * 1024];
                (0..BALLAST_BYTES / zeros.len() as u64).try_for_each(|_| file.write_all(&zeros))
            }
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_held_given_up_once_and_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ballast");
        let mut ballast = Ballast::open(path.clone());
        assert!(ballast.held, "the machine that tests has 16 MiB free");
        assert_eq!(fs::metadata(&path).unwrap().len(), BALLAST_BYTES);
        assert!(Ballast::open(path.clone()).held);
        assert!(ballast.release());
        assert!(!path.exists());
        assert!(!ballast.release());
        ballast.restore();
        assert!(ballast.held && path.exists());
    }
}
