//! Pictures for the browser. It never sees a byte of a peer's file: what is shown was decoded by a decoder's process, within
//! limits, and encoded anew here. Made when asked for, and kept as long as there is room.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use tokio::sync::Semaphore;

use super::limits::{DECODES_MAX, PICTURE_SIDE_MAX, PICTURES_BYTES_MAX};
use super::link::Link;
use crate::api::{Code, Failure, Reply, Request};
use crate::decoder::Decoder;
use crate::explain::{self, Explained as _};

/// How large a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// For a tile: as large as a preview, and made of it where it is here.
    Small,
    /// To fill the window.
    Large,
}

type Key = (String, Size);

/// Pictures that were made.
pub struct Pictures {
    kept: Mutex<Kept>,
    decoder: Decoder,
    decoding: Semaphore,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    /// Counts uses.
    now: u64,
    pictures: HashMap<Key, (u64, Bytes)>,
    by_use: BTreeMap<u64, Key>,
}

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Bytes> {
        let (used, bytes) = self.pictures.get_mut(key)?;
        self.now += 1;
        self.by_use.remove(used);
        self.by_use.insert(self.now, key.clone());
        *used = self.now;
        Some(bytes.clone())
    }

    fn put(&mut self, key: Key, picture: Bytes, most: usize) {
        if picture.len() > most || self.get(&key).is_some() {
            return;
        }
        self.now += 1;
        self.bytes += picture.len();
        self.by_use.insert(self.now, key.clone());
        self.pictures.insert(key, (self.now, picture));
        while self.bytes > most
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            let gone = self.pictures.remove(&oldest);
            self.bytes -= gone.map_or(0, |(_, picture)| picture.len());
        }
    }
}

impl Pictures {
    /// None yet.
    pub fn new() -> Self {
        Pictures {
            kept: Mutex::default(),
            decoder: Decoder::own(),
            decoding: Semaphore::new(DECODES_MAX),
        }
    }

    /// A JPEG of an image of the album.
    ///
    /// # Errors
    /// `not_found` where its bytes are not here; what the decoder says.
    pub async fn of(&self, link: &Link, album: &str, hash: &str, size: Size) -> Result<Bytes, Failure> {
        let key = (hash.to_owned(), size);
        if let Some(picture) = self.kept().get(&key) {
            return Ok(picture);
        }
        let _turn = self.decoding.acquire().await;
        // Somebody else may have waited for the same.
        if let Some(picture) = self.kept().get(&key) {
            return Ok(picture);
        }
        let small = size == Size::Small;
        let (path, preview) = path_of(link, album, hash, !small).await?;
        let made = match self.make(path, size).await {
            // A preview is what its author says it is; the image itself may be good.
            Err(_) if small && preview => {
                let (path, _) = path_of(link, album, hash, true).await?;
                self.make(path, size).await
            }
            made => made,
        };
        let picture = Bytes::from(made?);
        // A preview stands in for an image on its way, but not longer.
        if small || !preview {
            self.kept().put(key, picture.clone(), PICTURES_BYTES_MAX);
        }
        Ok(picture)
    }

    /// Decoded by a process of its own, encoded here: whatever the file made of its decoder, a browser gets our JPEG.
    async fn make(&self, path: String, size: Size) -> Result<Vec<u8>, Failure> {
        let most = self.decoder.limits().codec.file_bytes_max;
        let bytes = blocking(move || explain::read(Path::new(&path), most)).await??;
        let picture = self.decoder.pixels(&bytes).await;
        let picture = picture.map_err(|error| error.failure())?;
        let side = match size {
            Size::Small => codec::PREVIEW_SIDE_MAX,
            Size::Large => PICTURE_SIDE_MAX,
        };
        let made = blocking(move || codec::preview_within(&picture.decoded.raster, side)).await?;
        made.map_err(|error| error.failure())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the picture's bytes are, and whether they are a preview's.
async fn path_of(link: &Link, album: &str, hash: &str, whole: bool) -> Result<(String, bool), Failure> {
    let request = Request::PictureOf {
        album: Some(album.to_owned()),
        hash: hash.to_owned(),
        whole,
    };
    match link.ask(request).await? {
        Reply::Shown(shown) => Ok((shown.image.path, shown.image.preview)),
        _ => Err(super::another_answer()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let failed = |_| Failure::new(Code::Internal, "making the picture failed", "please report this");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was looked at last stays; no more is kept than there is room for.
    #[test]
    fn the_longest_unused_goes_first() {
        let key = |name: &str| (name.to_owned(), Size::Small);
        let picture = |len| Bytes::from(vec![0; len]);
        let mut kept = Kept::default();
        for name in ["a", "b", "c"] {
            kept.put(key(name), picture(10), 30);
        }
        assert_eq!(kept.bytes, 30);
        assert!(kept.get(&key("a")).is_some());
        kept.put(key("d"), picture(1), 30);
        let has = |kept: &Kept, name: &str| kept.pictures.contains_key(&key(name));
        assert!(!has(&kept, "b") && has(&kept, "a") && has(&kept, "c") && has(&kept, "d"));
        assert_eq!((kept.bytes, kept.by_use.len()), (21, 3));
        // The same again takes no more room; what alone is too large is not kept.
        kept.put(key("d"), picture(1), 30);
        kept.put(key("e"), picture(31), 30);
        assert_eq!((kept.bytes, kept.pictures.len()), (21, 3));
        kept.put(key("f"), picture(30), 30);
        assert_eq!((kept.bytes, kept.pictures.len(), kept.by_use.len()), (30, 1, 1));
    }
}
