//! The folder of one peer: created private, locked by the one process that uses it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::checkpoints;
use crate::files::{self, FILE_MODE, private_dir, sync_dir};

/// Longest file that [`Home::write_private`] keeps, in bytes. Keys and small settings, never images.
pub const PRIVATE_BYTES_MAX: usize = 64 * 1024;
/// Longest name of such a file, in bytes.
const PRIVATE_NAME_BYTES_MAX: usize = 64;
/// How often a taken lock is tried again while waiting.
const LOCK_RETRY: Duration = Duration::from_millis(20);
/// Names in a home that belong to the store itself.
const OWN_NAMES: [&str; 11] = [
    "lock",
    "calotype.db",
    "calotype.db-wal",
    "calotype.db-shm",
    "calotype.db-journal",
    "blobs",
    "parts",
    "bad",
    checkpoints::FOLDER,
    "tmp",
    "ballast",
];

/// What may lie in a folder before it becomes a home: the embedded central's folder is made first.
const NEIGHBOURS: [&str; 1] = ["central"];

/// Why a home could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another living process holds the lock. It is left alone and nothing is repaired.
    #[error("{} is in use by process {}", .path.display(), .pid.map_or("unknown".into(), |p| p.to_string()))]
    Busy {
        /// The home.
        path: PathBuf,
        /// The process that the lock file names; `None` if it cannot be read.
        pid: Option<u32>,
    },
    /// The folder belongs to another user of this machine.
    #[error("{} belongs to user {uid} of this machine, not to you", .path.display())]
    NotOurs {
        /// The home.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A folder with other things in it: it is never made private, locked or filled.
    #[error("{} holds other files and no lock file of calotype; name an empty or new folder", .path.display())]
    NotAHome {
        /// The folder.
        path: PathBuf,
    },
    /// A database of 0 bytes, or none, beside a log that is not empty: SQLite would throw the log away.
    #[error("{} is empty or missing but its log {}-wal is not; restore the database file or move the log away", .path.display(), .path.display())]
    EmptyDatabase {
        /// The database.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("disk full: {} needs a few more bytes", .path.display())]
    DiskFull {
        /// What could not be written.
        path: PathBuf,
    },
    /// Anything else that the system says.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a private file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// Names are 1 to 64 of `a-z 0-9 . _ -`, begin with a letter and are none of the store's own.
    #[error("{name:?} cannot be the name of a private file")]
    Name {
        /// The name.
        name: String,
    },
    /// More than [`PRIVATE_BYTES_MAX`].
    #[error("{} has {bytes} bytes, more than {PRIVATE_BYTES_MAX}", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The disk is full; the old content, if any, is unchanged.
    #[error("disk full: {} needs {needed} bytes", .path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Bytes to be written.
        needed: u64,
    },
    /// Anything else that the system says.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An open home. Clones share it; the lock is let go when the last clone, [`crate::Db`] and
/// [`crate::Blobs`] of it are gone.
#[derive(Clone, Debug)]
pub struct Home {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Held for its flock, which ends when the file is closed, by us or by a kill.
    _lock: File,
}

impl Home {
    /// Opens the folder, creating it and what belongs in it, and takes its lock.
    ///
    /// Waits up to `wait` for a process that is just ending. Empties `tmp/`.
    ///
    /// # Errors
    /// [`HomeError`]; a home that was refused is unchanged.
    pub fn open(path: &Path, wait: Duration) -> Result<Home, HomeError> {
        let io = |path: &Path, source: io::Error| match files::is_full(&source) {
            true => HomeError::DiskFull { path: path.into() },
            false => HomeError::Io {
                path: path.into(),
                source,
            },
        };
        let at = |path: PathBuf| move |e| io(&path, e);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at(parent.into()))?;
        }
        if !path.exists() {
            private_dir(path).map_err(at(path.into()))?;
        }
        let path = path.canonicalize().map_err(at(path.into()))?;
        refuse_foreign(&path).map_err(at(path.clone()))??;
        let lock_path = path.join("lock");
        let lock = take_lock(&lock_path, wait).map_err(at(lock_path.clone()))?;
        let Some(lock) = lock else {
            return Err(HomeError::Busy {
                pid: holder(&lock_path),
                path,
            });
        };
        refuse_empty_database(&path)?;
        private_dir(&path).map_err(at(path.clone()))?;
        for name in ["blobs", "parts", "bad", checkpoints::FOLDER, "tmp"] {
            let dir = path.join(name);
            private_dir(&dir).map_err(at(dir.clone()))?;
        }
        empty_tmp(&path.join("tmp")).map_err(at(path.join("tmp")))?;
        sync_dir(&path).map_err(at(path.clone()))?;
        Ok(Home {
            inner: Arc::new(Inner { path, _lock: lock }),
        })
    }

    /// The folder, as an absolute path without links.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// First bytes of BLAKE3 of [`Home::path`]: tells homes of one machine apart in names of sockets.
    pub fn id(&self) -> [u8; 4] {
        use std::os::unix::ffi::OsStrExt;
        let hash = blake3::hash(self.inner.path.as_os_str().as_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        [a, b, c, d]
    }

    /// Reads a private file; `None` if there is none. One that others may read is made private first.
    ///
    /// # Errors
    /// [`PrivateError`].
    pub fn read_private(&self, name: &str) -> Result<Option<Vec<u8>>, PrivateError> {
        let path = self.private_path(name)?;
        let io = |source| PrivateError::Io {
            path: path.clone(),
            source,
        };
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io)?,
        };
        if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "private file was open to others; closing it to them");
            file.set_permissions(fs::Permissions::from_mode(FILE_MODE))
                .map_err(io)?;
        }
        let mut bytes = Vec::new();
        (&file)
            .take(PRIVATE_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(io)?;
        match bytes.len() > PRIVATE_BYTES_MAX {
            true => Err(PrivateError::TooLarge {
                bytes: file.metadata().map_err(io)?.len(),
                path,
            }),
            false => Ok(Some(bytes)),
        }
    }

    /// Writes a private file, mode 0600, durably: the old content or the new one, never half of it.
    ///
    /// # Errors
    /// [`PrivateError`]; then the old content stays.
    pub fn write_private(&self, name: &str, bytes: &[u8]) -> Result<(), PrivateError> {
        let path = self.private_path(name)?;
        if bytes.len() > PRIVATE_BYTES_MAX {
            return Err(PrivateError::TooLarge {
                path,
                bytes: bytes.len() as u64,
            });
        }
        let write = || -> io::Result<()> {
            let mut temp = tempfile::NamedTempFile::new_in(self.tmp())?;
            temp.write_all(bytes)?;
            temp.as_file().sync_all()?;
            temp.persist(&path).map_err(|e| e.error)?;
            sync_dir(self.path())
        };
        write().map_err(|source| match files::is_full(&source) {
            true => PrivateError::DiskFull {
                path: path.clone(),
                needed: bytes.len() as u64,
            },
            false => PrivateError::Io {
                path: path.clone(),
                source,
            },
        })
    }

    /// Removes a private file; `false` if there was none.
    ///
    /// # Errors
    /// [`PrivateError`].
    pub fn remove_private(&self, name: &str) -> Result<bool, PrivateError> {
        let path = self.private_path(name)?;
        let gone = files::remove_if_there(&path).and_then(|was| sync_dir(self.path()).map(|()| was));
        gone.map_err(|source| PrivateError::Io { path, source })
    }

    fn private_path(&self, name: &str) -> Result<PathBuf, PrivateError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let fits = (1..=PRIVATE_NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(plain)
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && !OWN_NAMES.contains(&name);
        match fits {
            true => Ok(self.path().join(name)),
            false => Err(PrivateError::Name { name: name.into() }),
        }
    }

    /// Where unfinished files are written; on the same file system as their place.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.inner.path.join("tmp")
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.inner.path.join("calotype.db")
    }
}

fn refuse_foreign(path: &Path) -> io::Result<Result<(), HomeError>> {
    let uid = fs::metadata(path)?.uid();
    if uid != rustix::process::geteuid().as_raw() {
        return Ok(Err(HomeError::NotOurs {
            path: path.into(),
            uid,
        }));
    }
    let ours = path.join("lock").exists() || path.join("calotype.db").exists();
    for entry in fs::read_dir(path)? {
        if !ours
            && !NEIGHBOURS
                .iter()
                .any(|n| entry.as_ref().is_ok_and(|e| e.file_name() == *n))
        {
            return Ok(Err(HomeError::NotAHome { path: path.into() }));
        }
    }
    Ok(Ok(()))
}

/// The locked file, or `None` if another process kept the lock for all of `wait`.
fn take_lock(path: &Path, wait: Duration) -> io::Result<Option<File>> {
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)?;
    let deadline = Instant::now() + wait;
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(e) => return Err(e.into()),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        std::thread::sleep(left.min(LOCK_RETRY));
    }
    // One write of constant length: a reader sees the old pid or the new one, never a part.
    lock.write_all_at(format!("{:>10}\n", std::process::id()).as_bytes(), 0)?;
    Ok(Some(lock))
}

/// The pid in a lock file.
fn holder(lock: &Path) -> Option<u32> {
    fs::read_to_string(lock).ok()?.trim().parse().ok()
}

fn refuse_empty_database(home: &Path) -> Result<(), HomeError> {
    let path = home.join("calotype.db");
    let size = |p: &Path| fs::metadata(p).map_or(0, |m| m.len());
    match size(&path) == 0 && size(&home.join("calotype.db-wal")) > 0 {
        true => Err(HomeError::EmptyDatabase { path }),
        false => Ok(()),
    }
}

fn empty_tmp(tmp: &Path) -> io::Result<()> {
    for entry in fs::read_dir(tmp)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
