//! Going through all blobs: what is here, and what has rotted.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::Hash;
use crate::blobs::place::{Place, write_error};
use crate::blobs::serve::{Lists, read_through};
use crate::blobs::{BlobError, FsckProgress, FsckReport};
use crate::files::{sync_dir, unhex};

/// What lies in `blobs/`.
pub(super) struct Found {
    /// Blobs with their sizes, in order of hashes.
    pub blobs: Vec<(Hash, u64)>,
    /// Anything else.
    pub strays: Vec<PathBuf>,
}

/// Looks at every file in `blobs/`.
pub(super) fn walk(place: &Place) -> Result<Found, BlobError> {
    let mut found = Found {
        blobs: Vec::new(),
        strays: Vec::new(),
    };
    for folder in entries(place.blobs())? {
        if !folder.is_dir() {
            found.strays.push(folder);
            continue;
        }
        for file in entries(folder)? {
            let hash = file.file_name().and_then(|name| unhex(name.to_str()?));
            match (hash, fs::symlink_metadata(&file)) {
                (Some(hash), Ok(meta)) if meta.is_file() && place.blob(&hash) == file => {
                    found.blobs.push((hash, meta.len()));
                }
                // Removed meanwhile.
                (_, Err(e)) if e.kind() == io::ErrorKind::NotFound => {}
                _ => found.strays.push(file),
            }
        }
    }
    found.blobs.sort_unstable();
    found.strays.sort_unstable();
    Ok(found)
}

fn entries(folder: PathBuf) -> Result<Vec<PathBuf>, BlobError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(&folder)?
            .map(|entry| entry.map(|e| e.path()))
            .collect()
    };
    list().map_err(|source| BlobError::Io {
        path: folder.clone(),
        source,
    })
}

/// Reads every blob; what does not have its hash any more is moved aside.
pub(super) fn fsck(
    place: &Place,
    lists: &Lists,
    progress: &mut dyn FnMut(FsckProgress) -> bool,
) -> Result<FsckReport, BlobError> {
    let Found { blobs, strays } = walk(place)?;
    let total = blobs.len() as u64;
    let mut report = FsckReport {
        strays,
        ..FsckReport::default()
    };
    for (hash, _) in blobs {
        let mut bytes = 0;
        let read = read_through(&place.blob(&hash), &hash, &mut |piece| {
            bytes += piece.len() as u64;
            Ok(())
        });
        match read {
            Ok(_) => {}
            // Removed since it was listed.
            Err(BlobError::Missing { .. }) => continue,
            Err(BlobError::Corrupt { .. }) => {
                move_aside(place, lists, &hash)?;
                report.bad.push(hash);
            }
            // Too many open files, a cable, permissions: nothing is known of the bytes.
            Err(BlobError::Io { source, .. }) => report.unreadable.push((hash, source.to_string())),
            Err(other) => return Err(other),
        }
        report.checked += 1;
        report.bytes += bytes;
        if !progress(FsckProgress {
            checked: report.checked,
            bytes: report.bytes,
            total,
        }) {
            report.stopped = true;
            break;
        }
    }
    Ok(report)
}

/// Moves a blob aside if it is damaged. Returns whether it was.
pub(super) fn set_aside(place: &Place, lists: &Lists, hash: &Hash) -> Result<bool, BlobError> {
    match read_through(&place.blob(hash), hash, &mut |_| Ok(())) {
        Err(BlobError::Corrupt { .. }) => move_aside(place, lists, hash).map(|()| true),
        other => other.map(|_| false),
    }
}

fn move_aside(place: &Place, lists: &Lists, hash: &Hash) -> Result<(), BlobError> {
    lists.forget(hash);
    let (from, to) = (place.blob(hash), place.bad(hash));
    let moved = fs::rename(&from, &to).and_then(|()| sync_dir(&place.folder(hash)));
    moved.map_err(write_error(&to, 0))
}
