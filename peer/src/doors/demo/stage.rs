//! Where the demo plays: a temporary folder, three peers in it, and how to tell whether they agree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codec::Media;

use super::cast::{Peer, until};
use super::pictures;
use crate::api::{Code, Failure, ImageEntry, Reply, Request};
use crate::ui::bytes;

/// Photos of the user's that take part; the rest of a large folder stays out, so that the demo stays short.
const PHOTOS_MAX: usize = 24;
/// Bytes of those photos together.
const PHOTOS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 8;

/// The demo's folder and peers.
pub struct Stage {
    dir: PathBuf,
    /// Owner of the album.
    pub alice: Peer,
    /// Contributor; serves the central at first.
    pub bob: Peer,
    /// Contributor, the one who is cut off.
    pub carol: Peer,
    /// What alice adds at first.
    pub photos: Vec<PathBuf>,
}

/// Names that the steps give to pictures of their own; photos called so stay out, to keep the story simple.
const OWN_NAMES: [&str; 10] = [
    "lake.jpg",
    "harbour.jpg",
    "pier.jpg",
    "island.jpg",
    "meadow.jpg",
    "panorama.bmp",
    "camp.jpg",
    "late.jpg",
    "after.jpg",
    "raft.jpg",
];

/// What two peers must show alike.
type Shown = BTreeMap<String, Row>;

/// Of one name: hash, author, source, mean, ratings.
type Row = (String, String, Option<String>, Option<f64>, u64);

impl Stage {
    /// A stage in an empty folder of ours; `photos`: the user's, else they are painted.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(dir: &Path, photos: Vec<PathBuf>) -> Result<Self, Failure> {
        let made = ["homes", "user", "run", "central", "pictures"]
            .iter()
            .try_for_each(|name| {
                use std::os::unix::fs::DirBuilderExt as _;
                std::fs::DirBuilder::new().mode(0o700).create(dir.join(name))
            });
        let password: [u8; 16] = rand::random();
        made.and_then(|()| {
            std::fs::write(
                dir.join("password"),
                format!("{:032x}\n", u128::from_ne_bytes(password)),
            )
        })
        .map_err(|e| {
            let why = format!("cannot write {}: {e}", dir.display());
            Failure::new(
                Code::DiskFull,
                why,
                "free some space, or set TMPDIR to a folder with room",
            )
        })?;
        Ok(Stage {
            alice: Peer::new("alice", dir),
            bob: Peer::new("bob", dir),
            carol: Peer::new("carol", dir),
            dir: dir.to_owned(),
            photos,
        })
    }

    /// All three.
    pub fn all(&self) -> [&Peer; 3] {
        [&self.alice, &self.bob, &self.carol]
    }

    /// The demo's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of the central.
    pub fn central(&self) -> PathBuf {
        self.dir.join("central")
    }

    /// A file that this demo painted or will paint.
    pub fn picture(&self, name: &str) -> PathBuf {
        self.dir.join("pictures").join(name)
    }

    /// Paints one more picture.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn paint(&self, name: &str, seed: u32) -> Result<PathBuf, Failure> {
        let path = self.picture(name);
        pictures::paint_one(&path, seed)?;
        Ok(path)
    }

    /// The process that serves the embedded central now.
    pub fn central_pid(&self) -> Option<u32> {
        central::folder::read_address(&self.central()).map(|address| address.pid)
    }

    /// Waits until these peers have the same digest and the bytes of every image; the digest and how many images.
    ///
    /// # Errors
    /// The deadline passed.
    pub async fn together(&self, peers: &[&Peer]) -> Result<(String, usize), Failure> {
        let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
        until(&format!("{} agree", list(&names)), async || {
            let mut digests = Vec::new();
            let mut count = 0;
            for peer in peers {
                let images = peer.images().await.map_err(|f| f.message)?;
                if let Some(image) = images.iter().find(|image| !image.local) {
                    return Err(format!(
                        "{} has no bytes of {} yet ({})",
                        peer.name, image.name, image.state
                    ));
                }
                digests.push(peer.or_set().await.map_err(|f| f.message)?.digest);
                count = images.len();
            }
            match digests.iter().all(|digest| *digest == digests[0]) {
                true => Ok((digests.swap_remove(0), count)),
                false => Err(format!(
                    "digests {}",
                    digests.iter().map(|d| short(d)).collect::<Vec<_>>().join(", ")
                )),
            }
        })
        .await
    }

    /// Whether these peers show the same names, bytes, authors, sources and ratings.
    ///
    /// # Errors
    /// A peer does not answer.
    pub async fn alike(&self, peers: &[&Peer]) -> Result<bool, Failure> {
        let mut shown: Vec<Shown> = Vec::new();
        for peer in peers {
            shown.push(peer.images().await?.into_iter().map(row).collect());
        }
        Ok(shown.windows(2).all(|pair| pair[0] == pair[1]))
    }

    /// Has a peer export its album, and hashes every file anew; how many bytes were right.
    ///
    /// # Errors
    /// A file is missing or is not what its entry says.
    pub async fn hashed(&self, peer: &Peer) -> Result<u64, Failure> {
        let name = peer.name;
        let dir = tempfile::tempdir_in(&self.dir)
            .map_err(|e| Failure::new(Code::DiskFull, format!("no folder to export into: {e}"), ""))?;
        let images = peer.images().await?;
        let export = Request::Export {
            album: None,
            dir: dir.path().to_owned(),
            select: Default::default(),
        };
        let Reply::Exported(_) = peer.ask(export).await? else {
            return Err(Failure::new(Code::Internal, format!("{name} did not export"), ""));
        };
        let mut total = 0;
        for image in images {
            let found = std::fs::read(dir.path().join(&image.name)).unwrap_or_default();
            if blake3::hash(&found).to_hex().as_str() != image.hash {
                let why = format!("the bytes of {} at {name} are not those of its hash", image.name);
                return Err(Failure::new(Code::Internal, why, ""));
            }
            total += found.len() as u64;
        }
        Ok(total)
    }

    /// Ends all peers; the names of those that did not end with 0 in time.
    pub async fn end(&mut self) -> Vec<&'static str> {
        let names = [self.alice.name, self.bob.name, self.carol.name];
        let ended = tokio::join!(self.alice.stop(), self.bob.stop(), self.carol.stop());
        for peer in self.all() {
            peer.tidy();
        }
        let ended = [ended.0, ended.1, ended.2];
        names
            .into_iter()
            .zip(ended)
            .filter(|(_, well)| !well)
            .map(|(name, _)| name)
            .collect()
    }
}

fn row(image: ImageEntry) -> (String, Row) {
    let ImageEntry {
        name,
        hash,
        author,
        version_of,
        rating,
        ..
    } = image;
    (name, (hash, author, version_of, rating.mean, rating.count))
}

/// The first digits of a hash.
pub fn short(hex: &str) -> &str {
    hex.get(..8).unwrap_or(hex)
}

/// `alice, bob and carol`.
pub fn list<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.as_ref().to_owned(),
        [init @ .., last] => {
            let init: Vec<&str> = init.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", init.join(", "), last.as_ref())
        }
    }
}

/// The user's photos: images in a folder and those below it, sorted, up to the demo's limits; and how many it left out.
///
/// # Errors
/// `not_found` for a folder that is not there or holds no image.
pub fn photos_in(dir: &Path) -> Result<(Vec<PathBuf>, usize), Failure> {
    let shown = dir.display();
    let mut found = Vec::new();
    walk(dir, 0, &mut found).map_err(|e| {
        Failure::new(
            Code::NotFound,
            format!("cannot read the folder {shown}: {e}"),
            "name a folder with photos: calotype demo --photos ~/Pictures/trip",
        )
    })?;
    if found.is_empty() {
        return Err(Failure::new(
            Code::NotFound,
            format!("no image in {shown}"),
            "JPEG, PNG, GIF, WebP, BMP and TIFF are images here; without --photos the demo paints its own",
        ));
    }
    let (all, mut room) = (found.len(), PHOTOS_BYTES_MAX);
    found.retain(|(path, _)| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| !OWN_NAMES.contains(&name))
    });
    let fits = |(path, size): (PathBuf, u64)| {
        room = room.checked_sub(size)?;
        Some(path)
    };
    let taken: Vec<PathBuf> = found.into_iter().map_while(fits).take(PHOTOS_MAX).collect();
    if taken.is_empty() {
        let why = format!(
            "the first image in {shown} is larger than {}",
            bytes(PHOTOS_BYTES_MAX)
        );
        return Err(Failure::new(
            Code::TooLarge,
            why,
            "name a folder with smaller photos",
        ));
    }
    let left = all - taken.len();
    Ok((taken, left))
}

fn walk(dir: &Path, depth: usize, found: &mut Vec<(PathBuf, u64)>) -> std::io::Result<()> {
    use std::io::Read as _;
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths {
        let Ok(about) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if about.is_dir() && depth < DEPTH_MAX {
            // A folder below that cannot be read is not what was asked for.
            let _ = walk(&path, depth + 1, found);
        } else if about.is_file() {
            let mut head = Vec::new();
            let read = std::fs::File::open(&path).and_then(|file| file.take(64).read_to_end(&mut head));
            if read.is_ok() && Media::sniff(&head).is_ok() {
                found.push((path, about.len()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_are_found_by_content() {
        let dir = tempfile::tempdir().unwrap();
        let none = photos_in(dir.path()).unwrap_err();
        assert_eq!(none.code, Code::NotFound);
        std::fs::write(dir.path().join("a.jpg"), "no picture at all").unwrap();
        assert_eq!(photos_in(dir.path()).unwrap_err().code, Code::NotFound);
        std::fs::create_dir(dir.path().join("below")).unwrap();
        pictures::paint_one(&dir.path().join("below/b"), 1).unwrap();
        let (found, left) = photos_in(dir.path()).unwrap();
        assert_eq!((found, left), (vec![dir.path().join("below/b")], 0));
        assert_eq!(
            photos_in(&dir.path().join("nowhere")).unwrap_err().code,
            Code::NotFound
        );
    }

    #[test]
    fn names_in_a_row() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list::<&str>(&[]), "nobody");
    }
}
