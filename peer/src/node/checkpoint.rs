//! Checkpoints of albums: taken up at a start, written at a clean end and now and then, relied on for nothing. One that
//! is rotten, old or of other ops than the store's is passed over, and the ops are read.
//!
//! A start with a checkpoint does not read the ops that it stands for, so what rotted among them is looked for afterwards,
//! by a thread that yields to everything else; what it finds is written anew, since the album has it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crdt::Album;
use crdt::id::AlbumId;
use store::{CommitError, Db, Hash, ReadError, Write};

use super::news;
use super::run::{Handle, Input, Node};

/// So many ops, or a quarter of what the last one covers, and a running node writes one: its cost is spread over them.
const CHECKPOINT_OPS: usize = 4096;
/// Ops in one batch that mends.
const MEND_OPS: usize = 256;

/// What a node knows of its checkpoints.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// Ops that each album's newest one covers.
    covered: BTreeMap<AlbumId, usize>,
    /// Albums whose first ops were not read at the start: how many, and the arrival number after them.
    unread: Vec<(AlbumId, usize, u64)>,
    writing: bool,
}

impl Node {
    /// An album as its checkpoint has it, and the arrival number of the first op after it.
    pub(super) fn resume(&mut self, id: AlbumId) -> Option<(Album, u64)> {
        let bytes = self.home.checkpoint(&id.0)?;
        let passed_over = |why: &dyn std::fmt::Display| {
            tracing::info!(album = id.hex(), "checkpoint passed over: {why}");
        };
        let album = Album::from_checkpoint(id, bytes)
            .map_err(|error| passed_over(&error))
            .ok()?;
        let fits = self
            .db()
            .stands_for(&id.0, &mut album.hashes().map(|hash| hash.0));
        let next = match fits {
            Ok(Some(next)) => next,
            Ok(None) => {
                passed_over(&"the store has other ops");
                return None;
            }
            Err(error) => {
                passed_over(&error);
                return None;
            }
        };
        self.checkpoints.covered.insert(id, album.op_count());
        self.checkpoints.unread.push((id, album.op_count(), next));
        Some((album, next))
    }

    /// After a write of this album: a checkpoint, if much has come since the last one.
    pub(super) fn checkpoint_if_due(&mut self, id: AlbumId) {
        let covered = self.checkpoints.covered.get(&id).copied().unwrap_or(0);
        let Some(album) = self.engine.album(&id).filter(|_| !self.checkpoints.writing) else {
            return;
        };
        let ops = album.op_count();
        if ops < covered + CHECKPOINT_OPS.max(covered / 4) {
            return;
        }
        // It may cover ops that are not durable yet. Should they be lost, the store has other ops than it says.
        let Some(bytes) = album.to_checkpoint() else {
            return;
        };
        self.checkpoints.covered.insert(id, ops);
        self.checkpoints.writing = true;
        let (home, handle) = (self.home.clone(), self.handle.clone());
        tokio::task::spawn_blocking(move || {
            keep(&home, id, &bytes);
            handle.send(Input::Do(Box::new(|node| node.checkpoints.writing = false)));
        });
    }

    /// At a clean end: of every album that has more ops than its checkpoint.
    pub(super) fn keep_checkpoints(&self) {
        for album in self.engine.albums() {
            let covered = self.checkpoints.covered.get(&album.id()).copied();
            if covered != Some(album.op_count())
                && let Some(bytes) = album.to_checkpoint()
            {
                keep(&self.home, album.id(), &bytes);
            }
        }
    }

    /// Begins to read the ops that the start did not read.
    pub(super) fn scrub(&mut self) {
        let unread = std::mem::take(&mut self.checkpoints.unread);
        if unread.is_empty() {
            return;
        }
        // The node may end meanwhile: nothing that holds the home is kept longer than a slice of ops takes.
        let (db, handle) = (Arc::downgrade(self.db()), self.handle.clone());
        let work = move || {
            // Last of all, where the system grants it.
            let _ = rustix::process::nice(19);
            for (album, covered, until) in unread {
                match good_ops(&db, album, until) {
                    None => return,
                    Some(Ok(good)) if good.len() >= covered => {}
                    Some(Ok(good)) => {
                        handle.send(Input::Do(Box::new(move |node| node.mend(album, covered, &good))));
                    }
                    Some(Err(error)) => tell_unreadable(&handle, album, &error),
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("scrub".into()).spawn(work) {
            tracing::warn!("no thread to look for damage: {error}");
        }
    }

    /// Writes anew what the album has and the store has lost. `good`: names of the ops that are whole, sorted.
    fn mend(&mut self, id: AlbumId, covered: usize, good: &[Hash]) {
        let Some(album) = self.engine.album(&id) else {
            return;
        };
        let lost = album
            .hashes()
            .take(covered)
            .filter(|hash| good.binary_search(&hash.0).is_err());
        let writes = lost.filter_map(|hash| {
            let bytes = album.op(&hash)?.bytes().as_bytes().to_vec();
            Some(Write::Op {
                album: id.0,
                hash: hash.0,
                bytes,
            })
        });
        let writes: Vec<Write> = writes.collect();
        let text = format!(
            "{} damaged entries of an album on disk were written anew; `calotype fsck` mends the rest",
            writes.len()
        );
        for batch in writes.chunks(MEND_OPS) {
            let done = |result: Result<(), CommitError>| {
                if let Err(error) = result {
                    tracing::error!("cannot mend an album: {error}");
                }
            };
            self.db().commit(batch.to_vec(), Box::new(done));
        }
        news::warn(self, text);
    }
}

fn keep(home: &store::Home, album: AlbumId, bytes: &[u8]) {
    match home.keep_checkpoint(&album.0, bytes) {
        Ok(()) => tracing::debug!(album = album.hex(), bytes = bytes.len(), "checkpoint written"),
        Err(error) => tracing::info!(album = album.hex(), "checkpoint not written: {error}"),
    }
}

/// Names of an album's whole ops below arrival number `until`, sorted; none if the node has ended.
fn good_ops(db: &Weak<Db>, album: AlbumId, until: u64) -> Option<Result<Vec<Hash>, ReadError>> {
    let (mut good, mut from) = (Vec::new(), 0);
    while from < until {
        let slice = db.upgrade()?.check_some(&album.0, from);
        let (loaded, some) = match slice {
            Ok(slice) => slice,
            Err(error) => return Some(Err(error)),
        };
        if loaded.next == from {
            break;
        }
        from = loaded.next;
        good.extend(some);
    }
    good.sort_unstable();
    good.dedup();
    Some(Ok(good))
}

fn tell_unreadable(handle: &Handle, album: AlbumId, error: &ReadError) {
    let text = format!(
        "cannot read album {} on disk: {error}; end calotype and run `calotype fsck`",
        album.hex()
    );
    handle.send(Input::Do(Box::new(move |node| news::warn(node, text))));
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use crdt::id::AlbumId;
    use store::Db;

    use super::super::lost::{say, start, words};
    use super::super::run::{Handle, Input};
    use crate::api::{News, Notice};

    type Running = tokio::task::JoinHandle<Result<(), crate::api::Failure>>;

    async fn stop((handle, running): (Handle, Running)) {
        handle.send(Input::Stop);
        running.await.unwrap().unwrap();
    }

    async fn add(handle: &Handle, album: AlbumId, word: &'static str) {
        let said = handle.with(move |node| say(node, album, word)).await.unwrap();
        said.await.unwrap().unwrap();
    }

    /// An album with these lines, its node ended; the album's checkpoint.
    async fn album(dir: &Path, lines: &[&'static str]) -> (AlbumId, PathBuf) {
        let (handle, running) = start(dir);
        let made = handle.with(|node| {
            let (album, token) = node.engine.create("trip", 1).unwrap();
            (album, node.durable(token))
        });
        let (album, durable) = made.await.unwrap();
        durable.await.unwrap().unwrap();
        for word in lines {
            add(&handle, album, word).await;
        }
        stop((handle, running)).await;
        (album, dir.join("home/checkpoints").join(album.hex()))
    }

    /// What a start shows, and whether it read the ops.
    async fn seen(dir: &Path, album: AlbumId) -> (Vec<String>, bool) {
        let (handle, running) = start(dir);
        let seen = handle.with(move |node| (words(node, album), node.checkpoints.unread.is_empty()));
        let seen = seen.await.unwrap();
        stop((handle, running)).await;
        seen
    }

    fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    }

    /// Alice ends her node and starts it again: it goes on from the checkpoint. Killed after one more line, which the
    /// checkpoint does not have, it has that line all the same.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_start_takes_up_the_checkpoint_and_the_ops_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let (id, file) = album(dir.path(), &["one", "two"]).await;
        let old = std::fs::read(&file).unwrap();
        let (handle, running) = start(dir.path());
        add(&handle, id, "new").await;
        stop((handle, running)).await;
        assert_ne!(std::fs::read(&file).unwrap(), old, "a clean end writes it");
        std::fs::write(&file, &old).unwrap();
        let all = ["one", "two", "new"].map(str::to_owned).to_vec();
        assert_eq!(seen(dir.path(), id).await, (all.clone(), false));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(
            seen(dir.path(), id).await,
            (all, true),
            "it is no more than quick"
        );
    }

    /// The file rots, is cut off, or is another album's: the ops are read, and the end writes a good one again.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_checkpoint_that_is_none_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (id, file) = album(dir.path(), &["one"]).await;
        let one = vec!["one".to_owned()];
        let damages: [fn(&mut Vec<u8>); 4] = [
            |bytes| *bytes.last_mut().unwrap() ^= 1,
            |bytes| bytes.truncate(100),
            Vec::clear,
            |bytes| bytes[..24].copy_from_slice(b"calotype checkpoint 999\n"),
        ];
        for damage in damages {
            edit(&file, damage);
            assert_eq!(seen(dir.path(), id).await, (one.clone(), true));
            assert_eq!(
                seen(dir.path(), id).await,
                (one.clone(), false),
                "it was written anew"
            );
        }
        let stranger = file.with_file_name("f".repeat(64));
        std::fs::copy(&file, &stranger).unwrap();
        seen(dir.path(), id).await;
        assert!(!stranger.exists(), "of an album that is not here");
    }

    /// Somebody puts back yesterday's database beside today's checkpoint: the album is yesterday's, and so it is when it
    /// has grown to as many ops as the checkpoint speaks of.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_older_database_brings_nothing_to_life() {
        let dir = tempfile::tempdir().unwrap();
        let (id, file) = album(dir.path(), &["one"]).await;
        let db = dir.path().join("home/calotype.db");
        let yesterday = std::fs::read(&db).unwrap();
        let (handle, running) = start(dir.path());
        add(&handle, id, "two").await;
        stop((handle, running)).await;
        let today = std::fs::read(&file).unwrap();
        std::fs::write(&db, &yesterday).unwrap();
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(seen(dir.path(), id).await, (words(&["one"]), true));
        let (handle, running) = start(dir.path());
        add(&handle, id, "else").await;
        stop((handle, running)).await;
        std::fs::write(&file, &today).unwrap();
        assert_eq!(seen(dir.path(), id).await, (words(&["one", "els"]), true));
    }

    /// An op rots on the disk under a checkpoint that has it. The start does not see it; the thread that reads on does,
    /// says so, and writes the op anew. Nothing is lost, so the device goes on as the one it was.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_rots_under_a_checkpoint_is_mended_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let (id, file) = album(dir.path(), &["one", "two"]).await;
        let db = dir.path().join("home/calotype.db");
        edit(&db, |bytes| {
            // Wherever it stands: a page that was divided keeps a copy that nobody reads.
            for at in 0..bytes.len() - 6 {
                bytes[at] ^= u8::from(&bytes[at..at + 6] == b"oneone");
            }
        });
        let (handle, running) = start(dir.path());
        let mut notices = handle.notices();
        let life = handle
            .with(|node| {
                node.scrub();
                node.incarnation
            })
            .await
            .unwrap();
        let told = tokio::time::timeout(std::time::Duration::from_secs(60), notices.recv()).await;
        let Notice { news, .. } = told.expect("nobody looked").unwrap();
        assert!(
            matches!(&news, News::Warning { text } if text.starts_with("1 damaged")),
            "{news:?}"
        );
        stop((handle, running)).await;
        let home = store::Home::open(&dir.path().join("home"), std::time::Duration::from_secs(10)).unwrap();
        assert!(Db::open(&home).unwrap().0.verify().unwrap().is_clean());
        drop(home);
        std::fs::remove_file(&file).unwrap();
        let (handle, running) = start(dir.path());
        let same = handle
            .with(move |node| (words(node, id), node.incarnation))
            .await
            .unwrap();
        assert_eq!(same, (vec!["one".to_owned(), "two".to_owned()], life));
        stop((handle, running)).await;
    }
}
