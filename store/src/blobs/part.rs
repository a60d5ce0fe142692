//! A download under way: chunks of any order and source, each verified alone; the sparse file is the progress.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Hash;
use crate::blobs::list::{chaining_value, chunk_begin, chunk_count, chunk_len, verify_list};
use crate::blobs::parts::finish;
use crate::blobs::place::Place;
use crate::blobs::{Blob, CHUNK_BYTES, ListError, PartError};
use crate::files::{self, FILE_MODE};

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Chunks here.
    pub have: u32,
    /// Chunks of the blob.
    pub chunks: u32,
    /// Bytes here.
    pub have_bytes: u64,
    /// Bytes of the blob.
    pub size: u64,
}

impl Progress {
    /// Whether every chunk is here, so that [`Part::finish`] can be called.
    pub fn is_complete(&self) -> bool {
        self.have == self.chunks
    }
}

/// A download under way. Clones share it, so that several sources can feed it from several threads.
#[derive(Clone)]
pub struct Part {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    place: Place,
    pub hash: Hash,
    pub size: u64,
    pub file: File,
    state: Mutex<State>,
}

/// What changes; bytes are hashed and written outside of its lock.
pub(super) struct State {
    /// `None` while a blob of several chunks has no list.
    list: Option<Arc<[Hash]>>,
    have: Vec<bool>,
    pub ended: bool,
}

impl Part {
    /// The blob.
    pub fn hash(&self) -> Hash {
        self.inner.hash
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.inner.size
    }

    /// Whether [`Part::set_list`] must come before the first chunk: true for a blob of several chunks whose list
    /// was not stored by an earlier process.
    pub fn needs_list(&self) -> bool {
        self.inner.lock().list.is_none()
    }

    /// Takes the chunk list from any peer, if it is the true one, and stores it. Setting it again does nothing.
    ///
    /// # Errors
    /// [`PartError::WrongList`], [`PartError::DiskFull`], [`PartError::Io`], [`PartError::Ended`].
    pub fn set_list(&self, list: &[Hash]) -> Result<(), PartError> {
        let inner = &self.inner;
        if !verify_list(&inner.hash, inner.size, list) {
            return Err(ListError { hash: inner.hash }.into());
        }
        let mut state = inner.lock_open()?;
        if state.list.is_none() {
            let path = inner.place.part_list(&inner.hash);
            let store = || {
                inner
                    .place
                    .temp_with(list.as_flattened())?
                    .persist(&path)
                    .map_err(|e| e.error)
            };
            store().map_err(inner.write_error(&path, inner.size))?;
            state.list = Some(list.into());
            // An earlier process may have left chunks and lost their list.
            inner
                .scan(&mut state)
                .map_err(inner.write_error(&path, inner.size))?;
        }
        Ok(())
    }

    /// Numbers of the chunks that are not here, as ascending ranges.
    pub fn missing(&self) -> Vec<Range<u32>> {
        let state = self.inner.lock();
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for (i, _) in (0..).zip(&state.have).filter(|(_, have)| !**have) {
            match ranges.last_mut() {
                Some(last) if last.end == i => last.end = i + 1,
                _ => ranges.push(i..i + 1),
            }
        }
        ranges
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.inner.progress(&self.inner.lock())
    }

    /// Takes one chunk, verified alone. One that is here already is taken without writing it again.
    /// It survives a kill at once; a power cut may lose it, which the next [`crate::Blobs::part_begin`] finds.
    ///
    /// # Errors
    /// [`PartError::WrongChunk`] (judge the sender), [`PartError::FalseSize`] (judge who named the size), others.
    pub fn write_chunk(&self, index: u32, bytes: &[u8]) -> Result<Progress, PartError> {
        let inner = &self.inner;
        let list = {
            let state = inner.lock_open()?;
            match state.have.get(index as usize) {
                None => {
                    return Err(PartError::NoSuchChunk {
                        hash: inner.hash,
                        index,
                    });
                }
                Some(true) => return Ok(inner.progress(&state)),
                Some(false) => state.list.clone().ok_or(PartError::NoList { hash: inner.hash })?,
            }
        };
        inner.verify(&list, index, bytes)?;
        let path = inner.place.part(&inner.hash);
        inner.file.write_all_at(bytes, chunk_begin(index)).map_err(|e| {
            let progress = self.progress();
            inner.write_error(&path, progress.size - progress.have_bytes)(e)
        })?;
        let mut state = inner.lock_open()?;
        state.have[index as usize] = true;
        Ok(inner.progress(&state))
    }

    /// Makes the complete download a blob, durably.
    ///
    /// # Errors
    /// [`PartError::Incomplete`] and others; then the download stays.
    pub fn finish(&self) -> Result<Blob, PartError> {
        finish(&self.inner.place, std::slice::from_ref(self)).swap_remove(0)
    }
}

impl Inner {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_open(&self) -> Result<MutexGuard<'_, State>, PartError> {
        let state = self.lock();
        match state.ended {
            true => Err(PartError::Ended { hash: self.hash }),
            false => Ok(state),
        }
    }

    pub fn progress(&self, state: &State) -> Progress {
        let here = (0..)
            .zip(&state.have)
            .filter(|(_, have)| **have)
            .map(|(i, _)| chunk_len(self.size, i));
        let (have, have_bytes) = here.fold((0, 0), |(n, bytes), len| (n + 1, bytes + len as u64));
        Progress {
            have,
            chunks: chunk_count(self.size),
            have_bytes,
            size: self.size,
        }
    }

    fn verify(&self, list: &[Hash], index: u32, bytes: &[u8]) -> Result<(), PartError> {
        let wrong = PartError::WrongChunk {
            hash: self.hash,
            index,
        };
        if bytes.is_empty() || bytes.len() > CHUNK_BYTES {
            return Err(wrong);
        }
        let good = match list {
            [] => *blake3::hash(bytes).as_bytes() == self.hash,
            _ => list.get(index as usize) == Some(&chaining_value(index, bytes)),
        };
        match good {
            false => Err(wrong),
            true if bytes.len() == chunk_len(self.size, index) => Ok(()),
            true => Err(PartError::FalseSize {
                hash: self.hash,
                size: self.size,
                actual: chunk_begin(index) + bytes.len() as u64,
            }),
        }
    }

    fn write_error(&self, path: &Path, needed: u64) -> impl Fn(io::Error) -> PartError + use<> {
        let path = path.to_path_buf();
        move |source| match files::is_full(&source) {
            true => PartError::DiskFull {
                path: path.clone(),
                needed,
            },
            false => PartError::Io {
                path: path.clone(),
                source,
            },
        }
    }

    /// Opens the files of a download, making them or finding out what they hold.
    pub fn open(place: &Place, hash: &Hash, size: u64) -> Result<Inner, PartError> {
        let path = place.part(hash);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE);
        let file = options
            .open(&path)
            .map_err(|source| match files::is_full(&source) {
                true => PartError::DiskFull {
                    path: path.clone(),
                    needed: size,
                },
                false => PartError::Io {
                    path: path.clone(),
                    source,
                },
            })?;
        let chunks = chunk_count(size) as usize;
        let list = (chunks <= 1).then(|| Vec::new().into());
        let state = State {
            list,
            have: vec![false; chunks],
            ended: false,
        };
        let inner = Inner {
            place: place.clone(),
            hash: *hash,
            size,
            file,
            state: Mutex::new(state),
        };
        let resumed = inner.resume().map_err(inner.write_error(&path, size))?;
        if resumed > 0 {
            tracing::debug!(blob = %files::hex(hash), resumed, "download resumed");
        }
        Ok(inner)
    }

    /// Hashes what an earlier process left against the list it left. Returns the number of chunks found.
    fn resume(&self) -> io::Result<usize> {
        let list_path = self.place.part_list(&self.hash);
        if self.file.metadata()?.len() != self.size {
            // New, or begun with a false size: then nothing that it holds can be trusted to lie where it belongs.
            self.file.set_len(0)?;
            self.file.set_len(self.size)?;
            files::remove_if_there(&list_path)?;
            return Ok(0);
        }
        let mut state = self.lock();
        if state.list.is_none() {
            state.list = read_list(&list_path, &self.hash, self.size)?;
        }
        self.scan(&mut state)
    }

    /// Finds the chunks that the file holds. Returns their number.
    fn scan(&self, state: &mut State) -> io::Result<usize> {
        let Some(list) = state.list.clone() else {
            return Ok(0);
        };
        let mut bytes = Vec::new();
        for (i, have) in (0..).zip(&mut state.have) {
            let (begin, len) = (chunk_begin(i), chunk_len(self.size, i));
            if has_data(&self.file, begin, len) {
                bytes.resize(len, 0);
                self.file.read_exact_at(&mut bytes, begin)?;
                *have = self.verify(&list, i, &bytes).is_ok();
            }
        }
        Ok(state.have.iter().filter(|have| **have).count())
    }
}

/// Whether anything was ever written there; holes need not be hashed. In doubt, yes.
fn has_data(file: &File, begin: u64, len: usize) -> bool {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(begin)) {
        Ok(data) => data < begin + len as u64,
        Err(rustix::io::Errno::NXIO) => false,
        Err(_) => true,
    }
}

/// The stored chunk list; `None` if there is none or it is damaged.
fn read_list(path: &Path, hash: &Hash, size: u64) -> io::Result<Option<Arc<[Hash]>>> {
    let bytes = match std::fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let (list, _) = bytes.as_chunks::<32>();
    Ok(verify_list(hash, size, list).then(|| list.into()))
}

impl Part {
    pub(super) fn failed(&self, e: io::Error) -> PartError {
        self.inner
            .write_error(&self.inner.place.blob(&self.inner.hash), self.inner.size)(e)
    }
}

pub(super) fn ready(inner: &Inner) -> Result<Blob, PartError> {
    let state = inner.lock_open()?;
    match state.have.iter().filter(|have| !**have).count() {
        0 => Ok(Blob {
            hash: inner.hash,
            size: inner.size,
            was_here: false,
        }),
        n => Err(PartError::Incomplete {
            hash: inner.hash,
            missing: n as u32,
        }),
    }
}

/// Gives a synced download its blob's name and ends it.
pub(super) fn name(inner: &Inner) -> io::Result<()> {
    let mut state = inner.lock();
    if state.ended {
        return Ok(());
    }
    inner.place.enter(&inner.place.part(&inner.hash), &inner.hash)?;
    state.ended = true;
    files::remove_if_there(&inner.place.part_list(&inner.hash)).map(drop)
}
