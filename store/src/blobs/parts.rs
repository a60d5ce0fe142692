//! All downloads of a home: who holds which, which were left, and finishing many at once.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::Hash;
use crate::blobs::list::verify_list;
use crate::blobs::part::{Inner, Part, name, ready};
use crate::blobs::place::{Place, sync_all};
use crate::blobs::{BLOB_BYTES_MAX, Blob, BlobError, ListError, PartError};
use crate::files::{self, unhex};

/// Unit of `st_blocks`, in bytes, whatever the file system.
const BLOCK_BYTES: u64 = 512;

/// A download, as [`crate::Blobs::parts`] lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// The blob.
    pub hash: Hash,
    /// Its bytes.
    pub size: u64,
    /// Bytes here: verified ones if the download is open in this process, else bytes allocated on the disk.
    pub have_bytes: u64,
}

/// Downloads that somebody in this process holds.
#[derive(Default)]
pub(super) struct OpenParts {
    open: Mutex<HashMap<Hash, Weak<Inner>>>,
}

impl OpenParts {
    /// Removes lists whose download is gone: a kill between the last two steps of finishing leaves one.
    pub fn sweep(place: &Place) {
        let lists = std::fs::read_dir(place.parts()).into_iter().flatten().flatten();
        for list in lists
            .map(|entry| entry.path())
            .filter(|p| p.extension().is_some_and(|e| e == "list"))
        {
            if !list.with_extension("part").exists() {
                // Nothing reads it; the next sweep tries again.
                let _ = files::remove_if_there(&list);
            }
        }
    }

    pub fn begin(&self, place: &Place, hash: &Hash, size: u64) -> Result<Part, PartError> {
        if size > BLOB_BYTES_MAX {
            return Err(PartError::TooLarge { size });
        }
        if size == 0 && !verify_list(hash, size, &[]) {
            return Err(ListError { hash: *hash }.into());
        }
        // Held to the end: two callers must not open the same files.
        let mut open = self.lock();
        if place.size(hash).is_some() {
            return Err(PartError::Here { hash: *hash });
        }
        if let Some(inner) = open
            .get(hash)
            .and_then(Weak::upgrade)
            .filter(|inner| !inner.lock().ended)
        {
            return match inner.size == size {
                true => Ok(Part { inner }),
                false => Err(PartError::OtherSize {
                    hash: *hash,
                    size,
                    begun: inner.size,
                }),
            };
        }
        let inner = Arc::new(Inner::open(place, hash, size)?);
        open.retain(|_, held| held.strong_count() > 0);
        open.insert(*hash, Arc::downgrade(&inner));
        Ok(Part { inner })
    }

    pub fn list(&self, place: &Place) -> Result<Vec<PartInfo>, BlobError> {
        let folder = place.parts();
        let open = self.lock();
        let list = || -> io::Result<Vec<PartInfo>> {
            let mut infos = Vec::new();
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let Some(hash) = name.to_str().and_then(|n| unhex(n.strip_suffix(".part")?)) else {
                    continue;
                };
                let meta = match entry.metadata() {
                    // Finished or given up meanwhile.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    other => other?,
                };
                let have_bytes = match open.get(&hash).and_then(Weak::upgrade) {
                    Some(inner) => inner.progress(&inner.lock()).have_bytes,
                    None => meta.len().min(meta.blocks() * BLOCK_BYTES),
                };
                infos.push(PartInfo {
                    hash,
                    size: meta.len(),
                    have_bytes,
                });
            }
            infos.sort_unstable_by_key(|info| info.hash);
            Ok(infos)
        };
        list().map_err(|source| BlobError::Io {
            path: folder.clone(),
            source,
        })
    }

    pub fn remove(&self, place: &Place, hash: &Hash) -> Result<bool, BlobError> {
        let mut open = self.lock();
        if let Some(inner) = open.remove(hash).and_then(|held| held.upgrade()) {
            inner.lock().ended = true;
        }
        let remove = |path: PathBuf| {
            files::remove_if_there(&path).map_err(|source| BlobError::Io {
                path: path.clone(),
                source,
            })
        };
        remove(place.part_list(hash))?;
        remove(place.part(hash))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Weak<Inner>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes complete downloads blobs: all synced, then named, then the folders synced.
pub(super) fn finish(place: &Place, parts: &[Part]) -> Vec<Result<Blob, PartError>> {
    let mut results: Vec<Result<Blob, PartError>> = parts.iter().map(|part| ready(&part.inner)).collect();
    let good = |results: &[Result<Blob, PartError>]| -> Vec<usize> {
        results
            .iter()
            .enumerate()
            .filter(|(_, r)| r.is_ok())
            .map(|(i, _)| i)
            .collect()
    };
    let syncing = good(&results);
    let files: Vec<&File> = syncing.iter().map(|&i| &parts[i].inner.file).collect();
    for (i, synced) in syncing.into_iter().zip(sync_all(&files)) {
        if let Err(e) = synced.and_then(|()| name(&parts[i].inner)) {
            results[i] = Err(parts[i].failed(e));
        }
    }
    let named = good(&results);
    if let Err(e) = place.sync_folders(named.iter().map(|&i| &parts[i].inner.hash)) {
        for i in named {
            results[i] = Err(parts[i].failed(io::Error::new(e.kind(), e.to_string())));
        }
    }
    results
}
