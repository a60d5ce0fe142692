//! A central's data folder: ours alone (0700), one owner at a time by a lock, files written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The lock; holds the owner's pid as text.
pub const LOCK: &str = "lock";
/// Where the serving central listens; see [`Address`].
pub const ADDRESS: &str = "address";
/// Longest small file that is read, bytes.
const SMALL_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Content of the address file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Where it listens.
    pub address: SocketAddr,
    /// The process.
    pub pid: u32,
}

/// Why a folder cannot be taken, sorted by who acts.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another central has it: use that one.
    #[error("{path} is held by the central of process {pid}")]
    Held {
        /// The folder.
        path: PathBuf,
        /// The owner, 0 if it has not said yet.
        pid: u32,
    },
    /// It is another user's, or holds other things: give another folder.
    #[error("{path} cannot be a central's data folder: {reason}")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// The system said no.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder that we hold. Let go when dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be and takes its lock. Never waits.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        prepare(path)?;
        let lock_path = path.join(LOCK);
        let at = |source| io_error(&lock_path, source);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(at)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::Held {
                    path: path.to_owned(),
                    pid: holder(path).unwrap_or(0),
                });
            }
            Err(TryLockError::Error(source)) => return Err(at(source)),
        }
        // Before our pid stands there: an address file beside it is then ours, not a dead owner's.
        remove(&path.join(ADDRESS))?;
        lock.set_len(0).map_err(at)?;
        lock.write_all(format!("{}\n", std::process::id()).as_bytes())
            .map_err(at)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Says where we listen.
    pub fn write_address(&self, address: SocketAddr) -> Result<(), FolderError> {
        let address = Address {
            address,
            pid: std::process::id(),
        };
        let json = serde_json::to_vec(&address).map_err(|error| io_error(&self.path, error.into()))?;
        write_whole(&self.file(ADDRESS), &json)
    }

    /// Says that we listen no more.
    pub fn remove_address(&self) -> Result<(), FolderError> {
        remove(&self.file(ADDRESS))
    }
}

/// Who holds the lock, by the pid in it.
fn holder(path: &Path) -> Option<u32> {
    String::from_utf8(read_small(&path.join(LOCK)).ok()?)
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Where the folder's owner listens; `None` while it does not, or when the file is a dead owner's.
pub fn read_address(path: &Path) -> Option<Address> {
    let address: Address = serde_json::from_slice(&read_small(&path.join(ADDRESS)).ok()?).ok()?;
    (holder(path) == Some(address.pid)).then_some(address)
}

/// Reads a file of ours that is small.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(SMALL_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file (0600) under another name, syncs it and moves it into place.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temp = path.with_file_name(name);
    let write = || {
        remove_if_there(&temp)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temp, path)?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    };
    write().map_err(|source| io_error(path, source))
}

fn remove(path: &Path) -> Result<(), FolderError> {
    remove_if_there(path).map_err(|source| io_error(path, source))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the folder and closes it to others. One that holds something else is left as it is.
fn prepare(path: &Path) -> Result<(), FolderError> {
    let at = |source| io_error(path, source);
    let not_ours = |reason| FolderError::NotOurs {
        path: path.to_owned(),
        reason,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(at)?;
    let meta = std::fs::metadata(path).map_err(at)?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(not_ours("it belongs to another user"));
    }
    if meta.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let is_empty = std::fs::read_dir(path).map_err(at)?.next().is_none();
    if !is_empty && !path.join(LOCK).exists() && !path.join(crate::identity::KEY).exists() {
        return Err(not_ours(
            "it is open to other users and holds other things; give an empty or new one",
        ));
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(at)
}

fn io_error(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn one_owner_and_closed_to_others() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/central");
        let folder = Folder::take(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(LOCK)), 0o600);
        let pid = std::process::id();
        assert!(matches!(Folder::take(&path), Err(FolderError::Held { pid: held, .. }) if held == pid));
        assert_eq!(read_address(&path), None);
        let address = "127.0.0.1:7".parse().unwrap();
        folder.write_address(address).unwrap();
        assert_eq!(mode(&path.join(ADDRESS)), 0o600);
        assert_eq!(read_address(&path), Some(Address { address, pid }));
        drop(folder);
        // Taken over: the old address goes with the old owner.
        let _folder = Folder::take(&path).unwrap();
        assert_eq!(read_address(&path), None);
    }

    #[test]
    fn an_address_of_another_process_is_a_dead_owners() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join(LOCK), "12\n").unwrap();
        std::fs::write(temp.path().join(ADDRESS), r#"{"address":"127.0.0.1:7","pid":11}"#).unwrap();
        assert_eq!(read_address(temp.path()), None);
        std::fs::write(temp.path().join(ADDRESS), r#"{"address":"127.0.0.1:7","pid":12}"#).unwrap();
        assert!(read_address(temp.path()).is_some());
    }

    #[test]
    fn a_folder_of_other_things_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("photos");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(path.join("a.jpg"), b"").unwrap();
        assert!(matches!(Folder::take(&path), Err(FolderError::NotOurs { .. })));
        assert_eq!(mode(&path), 0o755);
        std::fs::remove_file(path.join("a.jpg")).unwrap();
        drop(Folder::take(&path).unwrap());
        assert_eq!(mode(&path), 0o700);
    }
}
