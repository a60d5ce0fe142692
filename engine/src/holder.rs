//! What one linked peer is known to hold of what is wanted here, and what it is to be asked.

use std::collections::{BTreeMap, BTreeSet};

use crdt::id::{AlbumId, BlobHash};

use crate::limits::{HAVE_MAX, HAVE_RETRY_MAX_MS, HAVE_RETRY_MS};
use crate::transfer::Want;

/// What is known of one peer.
#[derive(Default)]
pub(crate) struct Holder {
    /// Albums here that it may read.
    pub(crate) albums: BTreeSet<AlbumId>,
    known: BTreeMap<BlobHash, Known>,
    /// Index of [`State::Holds`]: previews (`false`) first.
    holds: BTreeSet<(bool, BlobHash)>,
    /// Index of [`State::ToAsk`], by the album it is asked under and the time to ask.
    to_ask: BTreeMap<AlbumId, BTreeSet<(u64, BlobHash)>>,
    /// Blobs here that it may hold too, asked about when nothing wanted is: for the warning before an only copy goes.
    pub(crate) to_check: BTreeMap<AlbumId, BTreeSet<BlobHash>>,
    /// Questions under way, by album.
    pub(crate) asking: BTreeMap<AlbumId, Vec<BlobHash>>,
    /// Transfers from it.
    pub(crate) fetches: usize,
}

/// What is known of one peer about one wanted blob.
#[derive(Clone, Copy)]
struct Known {
    state: State,
    /// Milliseconds to wait before it is asked again; 0 as long as it never lacked the blob.
    wait: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// To be asked under that album at that time.
    ToAsk(AlbumId, u64),
    /// A question is under way.
    Asking,
    /// It holds the blob. The flag sorts previews first.
    Holds { original: bool },
    /// The blob comes from it.
    Taking,
    /// It sent wrong bytes: never again over this link.
    Banned,
}

impl Holder {
    pub(crate) fn set(&mut self, blob: BlobHash, state: State) {
        let wait = self.known.get(&blob).map_or(0, |known| known.wait);
        self.forget(&blob);
        self.known.insert(blob, Known { state, wait });
        match state {
            State::ToAsk(album, at) => drop(self.to_ask.entry(album).or_default().insert((at, blob))),
            State::Holds { original } => drop(self.holds.insert((original, blob))),
            State::Asking | State::Taking | State::Banned => {}
        }
    }

    pub(crate) fn forget(&mut self, blob: &BlobHash) {
        match self.known.remove(blob).map(|known| known.state) {
            Some(State::ToAsk(album, at)) => {
                if let Some(queue) = self.to_ask.get_mut(&album) {
                    queue.remove(&(at, *blob));
                    if queue.is_empty() {
                        self.to_ask.remove(&album);
                    }
                }
            }
            Some(State::Holds { original }) => drop(self.holds.remove(&(original, *blob))),
            Some(State::Asking | State::Taking | State::Banned) | None => {}
        }
    }

    /// An album that names the blob and that the peer may read.
    pub(crate) fn common(&self, want: &Want) -> Option<AlbumId> {
        want.albums
            .iter()
            .find(|album| self.albums.contains(album))
            .copied()
    }

    /// To be asked then, if it may know.
    pub(crate) fn ask_at(&mut self, at: u64, blob: BlobHash, want: &Want) {
        match self.common(want) {
            Some(album) => self.set(blob, State::ToAsk(album, at)),
            None => self.forget(&blob),
        }
    }

    /// Asks about a blob unless something is known or under way.
    pub(crate) fn ask_about(&mut self, now: u64, blob: BlobHash, want: &Want) {
        if !self.known.contains_key(&blob) {
            self.ask_at(now, blob, want);
        }
    }

    /// The albums that name a blob, or those that the peer may read, are fewer now.
    pub(crate) fn rethink(&mut self, now: u64, blob: BlobHash, want: &Want) {
        match self.known.get(&blob).map(|known| known.state) {
            Some(State::Taking | State::Banned) | None => {}
            Some(State::ToAsk(album, at)) => {
                if !(want.albums.contains(&album) && self.albums.contains(&album)) {
                    self.ask_at(at, blob, want);
                }
            }
            Some(State::Asking | State::Holds { .. }) if self.common(want).is_none() => self.forget(&blob),
            // The question may have been under the album that fell away.
            Some(State::Asking) if !self.asking.values().flatten().any(|asked| *asked == blob) => {
                self.ask_at(now, blob, want);
            }
            Some(State::Asking | State::Holds { .. }) => {}
        }
    }

    /// It does not hold the blob: ask again, less and less often.
    pub(crate) fn lacks(&mut self, now: u64, blob: BlobHash, want: &Want) {
        let wait = self.known.get(&blob).map_or(0, |known| known.wait);
        let wait = (wait * 2).clamp(HAVE_RETRY_MS, HAVE_RETRY_MAX_MS);
        self.ask_at(now + wait, blob, want);
        if let Some(known) = self.known.get_mut(&blob) {
            known.wait = wait;
        }
    }

    /// What it says that it holds, previews first.
    pub(crate) fn held(&self) -> impl Iterator<Item = BlobHash> {
        self.holds.iter().map(|(_, blob)| *blob)
    }

    /// Whether it holds the blob or has not said yet.
    pub(crate) fn may_hold(&self, blob: &BlobHash) -> bool {
        self.known.get(blob).is_some_and(|known| match known.state {
            State::ToAsk(..) => known.wait == 0,
            State::Asking | State::Holds { .. } | State::Taking => true,
            State::Banned => false,
        })
    }

    pub(crate) fn is_to_ask(&self, blob: &BlobHash) -> bool {
        self.known
            .get(blob)
            .is_some_and(|known| matches!(known.state, State::ToAsk(..)))
    }

    /// Whether a question about it is under way.
    pub(crate) fn is_asked(&self, blob: &BlobHash) -> bool {
        self.known
            .get(blob)
            .is_some_and(|known| known.state == State::Asking)
    }

    /// When the next question is due; an album whose question is under way waits for its answer.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let free = self
            .to_ask
            .iter()
            .filter(|(album, _)| !self.asking.contains_key(album));
        free.filter_map(|(_, queue)| Some(queue.first()?.0)).min()
    }

    /// Takes the questions that are due, one for each album that has none under way.
    pub(crate) fn questions(&mut self, now: u64) -> Vec<(AlbumId, Vec<BlobHash>)> {
        let free = self
            .to_ask
            .iter()
            .filter(|(album, _)| !self.asking.contains_key(album));
        let questions = free.map(|(album, queue)| {
            let due = queue.iter().take_while(|(at, _)| *at <= now).take(HAVE_MAX);
            (*album, due.map(|(_, blob)| *blob).collect::<Vec<_>>())
        });
        let questions: Vec<_> = questions.filter(|(_, blobs)| !blobs.is_empty()).collect();
        for (album, blobs) in &questions {
            for blob in blobs {
                self.set(*blob, State::Asking);
            }
            self.asking.insert(*album, blobs.clone());
        }
        questions
    }

    /// Takes questions about copies, one for each album that has no question under way.
    pub(crate) fn checks(&mut self) -> Vec<(AlbumId, Vec<BlobHash>)> {
        let free = self
            .to_check
            .keys()
            .filter(|album| !self.asking.contains_key(album));
        let free: Vec<AlbumId> = free.copied().collect();
        let mut checks = Vec::new();
        for album in free {
            let Some(queue) = self.to_check.get_mut(&album) else {
                continue;
            };
            let blobs: Vec<BlobHash> = queue.iter().take(HAVE_MAX).copied().collect();
            queue.retain(|blob| blobs.last() < Some(blob));
            if queue.is_empty() {
                self.to_check.remove(&album);
            }
            self.asking.insert(album, blobs.clone());
            checks.push((album, blobs));
        }
        checks
    }

    pub(crate) fn check_invariants(&self, wants: &BTreeMap<BlobHash, Want>) {
        for (blob, known) in &self.known {
            assert!(
                wants.contains_key(blob),
                "something is known of a blob that nobody wants"
            );
            match known.state {
                State::ToAsk(album, at) => assert!(self.to_ask[&album].contains(&(at, *blob))),
                State::Holds { original } => assert!(self.holds.contains(&(original, *blob))),
                State::Asking => assert!(self.asking.values().flatten().any(|asked| asked == blob)),
                State::Taking | State::Banned => {}
            }
        }
        let indexed = self.holds.len() + self.to_ask.values().map(BTreeSet::len).sum::<usize>();
        let states = self.known.values().map(|known| known.state);
        let expected = states
            .filter(|state| matches!(state, State::ToAsk(..) | State::Holds { .. }))
            .count();
        assert_eq!(indexed, expected);
        assert!(
            self.to_ask.keys().all(|album| self.albums.contains(album)),
            "asked about an album it may not read"
        );
        assert!(self.asking.values().all(|asked| asked.len() <= HAVE_MAX));
    }
}
