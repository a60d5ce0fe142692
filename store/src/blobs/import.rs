//! Blobs coming in as a group: written one after the other, then synced and named together.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::Hash;
use crate::blobs::list::Lister;
use crate::blobs::place::{Place, sync_all, write_error};
use crate::blobs::serve::read_through;
use crate::blobs::{BLOB_BYTES_MAX, Blob, BlobError, CHUNK_BYTES};

/// One blob of the group.
enum State {
    /// In `tmp/`, whole, not synced.
    Written(Blob, NamedTempFile),
    /// In its place; what is left is the sync of its folder.
    Named(Blob),
    Failed(BlobError),
}

/// A group under way. What is not renamed when it is dropped is removed.
pub(super) struct Entering<'a> {
    place: &'a Place,
    states: Vec<State>,
}

impl<'a> Entering<'a> {
    pub fn new(place: &'a Place, len: usize) -> Entering<'a> {
        Entering {
            place,
            states: Vec::with_capacity(len),
        }
    }

    /// Takes bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        let state = self.try_write(bytes).unwrap_or_else(State::Failed);
        self.states.push(state);
    }

    /// Takes a file.
    pub fn copy(&mut self, path: &Path) {
        let state = self.try_copy(path).unwrap_or_else(State::Failed);
        self.states.push(state);
    }

    /// Whether the blob is here and good. A file of the right size may have rotted, and these bytes may be the last
    /// good ones: it is read through, and what is not good is replaced. Costs a read where somebody imports twice.
    fn is_here(&self, hash: &Hash, size: u64) -> bool {
        self.place.size(hash) == Some(size)
            && read_through(&self.place.blob(hash), hash, &mut |_| Ok(())).is_ok()
    }

    fn try_write(&self, bytes: &[u8]) -> Result<State, BlobError> {
        let (hash, size) = (*blake3::hash(bytes).as_bytes(), bytes.len() as u64);
        let path = self.place.blob(&hash);
        if size > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge { path, bytes: size });
        }
        if self.is_here(&hash, size) {
            return Ok(State::Named(Blob {
                hash,
                size,
                was_here: true,
            }));
        }
        let temp = self.place.temp_with(bytes).map_err(write_error(&path, size))?;
        Ok(State::Written(
            Blob {
                hash,
                size,
                was_here: false,
            },
            temp,
        ))
    }

    fn try_copy(&self, path: &Path) -> Result<State, BlobError> {
        let io = |source| BlobError::Io {
            path: path.into(),
            source,
        };
        // Asked before opening: opening a pipe would wait for its writer.
        if !fs::metadata(path).map_err(io)?.is_file() {
            return Err(BlobError::NotAFile { path: path.into() });
        }
        let mut source = File::open(path).map_err(io)?;
        let meta = source.metadata().map_err(io)?;
        if meta.len() > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge {
                path: path.into(),
                bytes: meta.len(),
            });
        }
        let full = write_error(&self.place.tmp(), meta.len());
        let mut temp = self.place.temp().map_err(&full)?;
        let mut lister = Lister::new();
        let mut piece = vec![0; CHUNK_BYTES];
        loop {
            let len = match source.read(&mut piece) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(io)?,
            };
            if len == 0 {
                break;
            }
            lister.update(&piece[..len]);
            // The file may grow while it is read.
            if lister.size() > BLOB_BYTES_MAX {
                return Err(BlobError::TooLarge {
                    path: path.into(),
                    bytes: lister.size(),
                });
            }
            temp.write_all(&piece[..len]).map_err(&full)?;
        }
        let size = lister.size();
        let (hash, _) = lister.finish();
        Ok(match self.is_here(&hash, size) {
            true => State::Named(Blob {
                hash,
                size,
                was_here: true,
            }),
            false => State::Written(
                Blob {
                    hash,
                    size,
                    was_here: false,
                },
                temp,
            ),
        })
    }

    /// Syncs the files, gives them their names, syncs the folders; results in the order they came.
    pub fn finish(mut self) -> Vec<Result<Blob, BlobError>> {
        self.sync_files();
        for state in &mut self.states {
            // A failure drops the temporary file, which removes it.
            if let State::Written(blob, temp) = state {
                *state = match self.place.enter(temp.path(), &blob.hash) {
                    Ok(()) => State::Named(*blob),
                    Err(e) => State::Failed(write_error(&self.place.blob(&blob.hash), blob.size)(e)),
                };
            }
        }
        let named = || {
            self.states.iter().filter_map(|s| {
                if let State::Named(b) = s {
                    Some(&b.hash)
                } else {
                    None
                }
            })
        };
        // A blob that was here may have been named by another thread whose folder sync is still to come.
        let synced = self.place.sync_folders(named());
        self.states
            .into_iter()
            .map(|state| match (state, &synced) {
                (State::Failed(e), _) => Err(e),
                (State::Named(blob) | State::Written(blob, _), Ok(())) => Ok(blob),
                (State::Named(blob) | State::Written(blob, _), Err(e)) => {
                    let again = io::Error::new(e.kind(), e.to_string());
                    Err(write_error(&self.place.blob(&blob.hash), blob.size)(again))
                }
            })
            .collect()
    }

    fn sync_files(&mut self) {
        let written = |s: &State| matches!(s, State::Written(..));
        let files: Vec<&File> = self
            .states
            .iter()
            .filter_map(|s| {
                if let State::Written(_, temp) = s {
                    Some(temp.as_file())
                } else {
                    None
                }
            })
            .collect();
        let synced = sync_all(&files);
        for (state, synced) in self.states.iter_mut().filter(|s| written(s)).zip(synced) {
            if let (State::Written(blob, _), Err(e)) = (&*state, synced) {
                *state = State::Failed(write_error(&self.place.blob(&blob.hash), blob.size)(e));
            }
        }
    }
}
