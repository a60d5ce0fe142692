//! Blobs going out: chunks for peers, copies for people; every byte is verified before it leaves.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Hash;
use crate::blobs::list::{Lister, chaining_value, chunk_begin, chunk_count, chunk_len};
use crate::blobs::place::{Place, read_error, write_error};
use crate::blobs::{BlobError, CHUNK_BYTES};

/// Chunk lists kept in memory, in values of 32 bytes: 1 MiB, some 8 GiB of blobs.
const LIST_VALUES_MAX: usize = 32 * 1024;
/// Chunk lists kept in memory; lists of small blobs are empty.
const LISTS_MAX: usize = 4096;

/// The chunk lists asked for last.
#[derive(Default)]
pub(super) struct Lists {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lists: HashMap<Hash, Arc<[Hash]>>,
    order: VecDeque<Hash>,
    values: usize,
}

impl Lists {
    /// The list of a blob, from memory or from its bytes, which are verified by that.
    pub fn of(&self, place: &Place, hash: &Hash) -> Result<Arc<[Hash]>, BlobError> {
        if let Some(list) = self.lock().lists.get(hash) {
            return Ok(Arc::clone(list));
        }
        let list: Arc<[Hash]> = read_list(place, hash)?.into();
        self.lock().keep(*hash, Arc::clone(&list));
        Ok(list)
    }

    /// Forgets a list whose blob is removed or damaged.
    pub fn forget(&self, hash: &Hash) {
        let mut kept = self.lock();
        if let Some(list) = kept.lists.remove(hash) {
            kept.values -= list.len();
            kept.order.retain(|other| other != hash);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, hash: Hash, list: Arc<[Hash]>) {
        let len = list.len();
        if self.lists.insert(hash, list).is_some() {
            return;
        }
        self.order.push_back(hash);
        self.values += len;
        while self.values > LIST_VALUES_MAX || self.order.len() > LISTS_MAX {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.values -= self.lists.remove(&oldest).map_or(0, |list| list.len());
        }
    }
}

/// Reads a blob through in pieces; `each` sees them before they are known to be good.
pub(super) fn read_through(
    path: &Path,
    hash: &Hash,
    each: &mut dyn FnMut(&[u8]) -> Result<(), BlobError>,
) -> Result<(u64, Vec<Hash>), BlobError> {
    let io = read_error(path, hash);
    let mut file = File::open(path).map_err(&io)?;
    let mut lister = Lister::new();
    let mut piece = vec![0; CHUNK_BYTES];
    loop {
        let len = match file.read(&mut piece) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(&io)?,
        };
        if len == 0 {
            break;
        }
        lister.update(&piece[..len]);
        each(&piece[..len])?;
    }
    let size = lister.size();
    match lister.finish() {
        (found, list) if found == *hash => Ok((size, list)),
        _ => Err(BlobError::Corrupt { hash: *hash }),
    }
}

fn read_list(place: &Place, hash: &Hash) -> Result<Vec<Hash>, BlobError> {
    read_through(&place.blob(hash), hash, &mut |_| Ok(())).map(|(_, list)| list)
}

pub(super) fn read_chunk(
    place: &Place,
    lists: &Lists,
    hash: &Hash,
    index: u32,
) -> Result<Vec<u8>, BlobError> {
    let path = place.blob(hash);
    let io = read_error(&path, hash);
    let file = File::open(&path).map_err(&io)?;
    let size = file.metadata().map_err(&io)?.len();
    let chunks = chunk_count(size);
    if index >= chunks {
        return Err(BlobError::NoSuchChunk {
            hash: *hash,
            index,
            chunks,
        });
    }
    let mut bytes = vec![0; chunk_len(size, index)];
    file.read_exact_at(&mut bytes, chunk_begin(index)).map_err(&io)?;
    let good = match chunks {
        1 => blake3::hash(&bytes).as_bytes() == hash,
        _ => lists.of(place, hash)?.get(index as usize) == Some(&chaining_value(index, &bytes)),
    };
    match good {
        true => Ok(bytes),
        false => Err(BlobError::Corrupt { hash: *hash }),
    }
}

pub(super) fn export(place: &Place, hash: &Hash, dest: &Path, overwrite: bool) -> Result<u64, BlobError> {
    let Some(size) = place.size(hash) else {
        return Err(BlobError::Missing { hash: *hash });
    };
    if !overwrite && dest.symlink_metadata().is_ok() {
        return Err(BlobError::Exists { path: dest.into() });
    }
    let full = write_error(dest, size);
    let folder = dest
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // The user's file: open to others as far as the umask lets it.
    let mut temp = tempfile::Builder::new()
        .prefix(".calotype-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(&full)?;
    read_through(&place.blob(hash), hash, &mut |piece| {
        temp.write_all(piece).map_err(&full)
    })?;
    temp.as_file().sync_all().map_err(&full)?;
    let named = match overwrite {
        true => temp.persist(dest).map_err(|e| e.error),
        false => temp.persist_noclobber(dest).map_err(|e| e.error),
    };
    match named {
        Ok(_) => Ok(size),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(BlobError::Exists { path: dest.into() }),
        Err(e) => Err(full(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_in_memory_stay_within_their_limits() {
        let mut kept = Kept::default();
        let name = |i: usize| std::array::from_fn(|b| (i >> (8 * (b % 4))) as u8);
        for i in 0..=LISTS_MAX {
            kept.keep(name(i), Vec::new().into());
        }
        assert_eq!((kept.order.len(), kept.lists.len()), (LISTS_MAX, LISTS_MAX));
        assert!(!kept.lists.contains_key(&name(0)) && kept.lists.contains_key(&name(LISTS_MAX)));
        let mut kept = Kept::default();
        kept.keep(name(0), vec![[0; 32]; LIST_VALUES_MAX - 1].into());
        kept.keep(name(1), vec![[0; 32]; 1].into());
        assert_eq!((kept.values, kept.lists.len()), (LIST_VALUES_MAX, 2));
        kept.keep(name(2), vec![[0; 32]; 1].into());
        assert_eq!((kept.values, kept.lists.len()), (2, 2));
    }
}
