//! Where blobs lie, and the one way in: written to `tmp/`, synced, renamed, folder synced.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::blobs::BlobError;
use crate::files::{self, hex, private_dir};
use crate::{Hash, Home};

/// Threads that sync files of one group: the disk joins their flushes.
const SYNC_THREADS: usize = 4;

/// The folders of a home's blobs.
#[derive(Clone)]
pub(super) struct Place {
    home: Home,
}

impl Place {
    pub fn new(home: &Home) -> Place {
        Place { home: home.clone() }
    }

    pub fn blobs(&self) -> PathBuf {
        self.home.path().join("blobs")
    }

    pub fn parts(&self) -> PathBuf {
        self.home.path().join("parts")
    }

    pub fn tmp(&self) -> PathBuf {
        self.home.tmp()
    }

    /// The folder of a blob.
    pub fn folder(&self, hash: &Hash) -> PathBuf {
        self.blobs().join(&hex(hash)[..2])
    }

    /// The file of a blob, whether it is there or not.
    pub fn blob(&self, hash: &Hash) -> PathBuf {
        self.folder(hash).join(hex(hash))
    }

    /// Where a damaged blob is moved to.
    pub fn bad(&self, hash: &Hash) -> PathBuf {
        self.home.path().join("bad").join(hex(hash))
    }

    /// The bytes of a download.
    pub fn part(&self, hash: &Hash) -> PathBuf {
        self.parts().join(format!("{}.part", hex(hash)))
    }

    /// The chunk list of a download.
    pub fn part_list(&self, hash: &Hash) -> PathBuf {
        self.parts().join(format!("{}.list", hex(hash)))
    }

    /// Size of a blob that is here.
    pub fn size(&self, hash: &Hash) -> Option<u64> {
        fs::metadata(self.blob(hash))
            .ok()
            .filter(fs::Metadata::is_file)
            .map(|m| m.len())
    }

    /// An open file in `tmp/`, mode 0600, removed again unless it is renamed.
    pub fn temp(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.tmp())
    }

    /// Writes bytes to a new file in `tmp/`, not synced.
    pub fn temp_with(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let mut temp = self.temp()?;
        temp.write_all(bytes)?;
        Ok(temp)
    }

    /// Gives a synced file its blob's name. Durable only after [`Place::sync_folders`].
    pub fn enter(&self, from: &Path, hash: &Hash) -> io::Result<()> {
        let folder = self.folder(hash);
        if !folder.exists() {
            private_dir(&folder)?;
        }
        fs::rename(from, self.blob(hash))
    }

    /// Makes the names of these blobs durable, and those of their folders, which may be new.
    pub fn sync_folders<'a>(&self, hashes: impl Iterator<Item = &'a Hash>) -> io::Result<()> {
        let folders: BTreeSet<PathBuf> = hashes.map(|hash| self.folder(hash)).collect();
        if folders.is_empty() {
            return Ok(());
        }
        let open = [self.blobs()]
            .iter()
            .chain(&folders)
            .map(File::open)
            .collect::<io::Result<Vec<_>>>()?;
        sync_all(&open.iter().collect::<Vec<_>>()).into_iter().collect()
    }
}

/// Syncs many files, one result for each in order.
pub(super) fn sync_all(files: &[&File]) -> Vec<io::Result<()>> {
    let share = files.len().div_ceil(SYNC_THREADS).max(1);
    if files.len() == 1 {
        return vec![files[0].sync_all()];
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = files
            .chunks(share)
            .map(|mine| scope.spawn(move || mine.iter().map(|f| f.sync_all()).collect::<Vec<_>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().expect("syncing does not panic"))
            .collect()
    })
}

/// What went wrong while a file of `needed` bytes was written.
pub(super) fn write_error(path: &Path, needed: u64) -> impl Fn(io::Error) -> BlobError + use<> {
    let path = path.to_path_buf();
    move |source| match files::is_full(&source) {
        true => BlobError::DiskFull {
            path: path.clone(),
            needed,
        },
        false => BlobError::Io {
            path: path.clone(),
            source,
        },
    }
}

/// What went wrong while a blob was read.
pub(super) fn read_error(path: &Path, hash: &Hash) -> impl Fn(io::Error) -> BlobError + use<> {
    let (path, hash) = (path.to_path_buf(), *hash);
    move |source| match source.kind() {
        io::ErrorKind::NotFound => BlobError::Missing { hash },
        _ => BlobError::Io {
            path: path.clone(),
            source,
        },
    }
}
