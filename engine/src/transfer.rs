//! Which bytes are wanted, who holds them, and whom to take them from. Moving and verifying them is the shell's work.

use std::collections::{BTreeMap, BTreeSet};

use crdt::fact::{Fact, Image};
use crdt::id::{AlbumId, BlobHash, PublicKey};
use crdt::{Album, FactId};

use crate::event::{FetchId, Outcome};
use crate::holder::{Holder, State};
use crate::limits::{FETCH_RETRY_MS, FETCHES_MAX, FETCHES_PER_PEER};
use crate::links::Purpose;
use crate::wire::{Answer, Call, decode_answer};
use crate::{Action, Engine};

/// A blob that a fact names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Which.
    pub(crate) blob: BlobHash,
    /// Its size as the fact says.
    pub(crate) size: u64,
    /// Previews go first.
    pub(crate) preview: bool,
}

/// The blobs an image fact names.
pub(crate) fn blobs_of(image: &Image) -> impl Iterator<Item = Wanted> + use<> {
    let original = Wanted {
        blob: image.hash,
        size: image.size,
        preview: false,
    };
    let preview = image.preview.map(|preview| Wanted {
        blob: preview.hash,
        size: preview.size,
        preview: true,
    });
    preview.into_iter().chain([original])
}

/// The blobs that a fact names.
pub(crate) fn blobs_of_fact(album: &Album, id: &FactId) -> Vec<Wanted> {
    match album.fact(id).map(|element| element.fact) {
        Some(Fact::Image(image)) => blobs_of(&image).collect(),
        _ => Vec::new(),
    }
}

/// The blobs that an album names.
pub(crate) fn blobs_of_album(album: &Album) -> Vec<Wanted> {
    album.images().flat_map(|view| blobs_of(&view.image)).collect()
}

/// A blob that is wanted and not here.
pub(crate) struct Want {
    size: u64,
    preview: bool,
    /// Those that name it; never empty.
    pub(crate) albums: BTreeSet<AlbumId>,
    fetching: Option<FetchId>,
}

/// A blob on its way.
struct Fetch {
    peer: PublicKey,
    blob: BlobHash,
    /// The link it was begun on is gone; the shell has still to say how it ended.
    orphan: bool,
}

/// The state of all transfers.
#[derive(Default)]
pub(crate) struct Transfer {
    here: BTreeSet<BlobHash>,
    wants: BTreeMap<BlobHash, Want>,
    /// Sum of the wants' sizes. Facts may state any, so this is wide enough for all of them.
    pending_bytes: u128,
    holders: BTreeMap<PublicKey, Holder>,
    fetches: BTreeMap<FetchId, Fetch>,
    last_fetch: u64,
    /// Named blobs of ours that devices linked in this life are known to hold.
    copies: BTreeMap<BlobHash, BTreeSet<PublicKey>>,
    /// No room on this disk until then; 0 if there is.
    paused_until: u64,
}

impl Transfer {
    pub(crate) fn is_here(&self, blob: &BlobHash) -> bool {
        self.here.contains(blob)
    }

    pub(crate) fn is_fetching(&self, blob: &BlobHash) -> bool {
        self.wants.get(blob).is_some_and(|want| want.fetching.is_some())
    }

    /// Whether a linked peer holds it, or has not said yet, or it is on its way.
    pub(crate) fn may_come(&self, blob: &BlobHash) -> bool {
        self.is_fetching(blob) || self.holders.values().any(|holder| holder.may_hold(blob))
    }

    pub(crate) fn pending(&self) -> (u64, u64) {
        (
            self.wants.len() as u64,
            u64::try_from(self.pending_bytes).unwrap_or(u64::MAX),
        )
    }

    /// Wanted blobs that a linked peer holds, those on their way included.
    pub(crate) fn coming(&self) -> u64 {
        let held = self.holders.values().flat_map(Holder::held);
        let under_way = self.fetches.values().map(|fetch| fetch.blob);
        let coming: BTreeSet<BlobHash> = held
            .chain(under_way)
            .filter(|blob| self.wants.contains_key(blob))
            .collect();
        coming.len() as u64
    }

    pub(crate) fn held_elsewhere(&self, blob: &BlobHash) -> bool {
        self.copies
            .get(blob)
            .is_some_and(|holders| holders.iter().any(|peer| self.holders.contains_key(peer)))
    }

    /// These bytes are here now.
    pub(crate) fn here(&mut self, blobs: Vec<BlobHash>) {
        for blob in blobs {
            self.here.insert(blob);
            self.unwant(&blob);
        }
    }

    pub(crate) fn gone(&mut self, blob: BlobHash) {
        self.here.remove(&blob);
        self.copies.remove(&blob);
    }

    fn unwant(&mut self, blob: &BlobHash) {
        let Some(want) = self.wants.remove(blob) else {
            return;
        };
        self.pending_bytes -= u128::from(want.size);
        for holder in self.holders.values_mut() {
            holder.forget(blob);
        }
    }

    /// Adds what is not here to the wants.
    pub(crate) fn want(&mut self, now: u64, album: AlbumId, blobs: impl IntoIterator<Item = Wanted>) {
        for Wanted { blob, size, preview } in blobs {
            if self.here.contains(&blob) {
                continue;
            }
            if !self.wants.contains_key(&blob) {
                self.pending_bytes += u128::from(size);
                // It may be on its way still, wanted before and then not.
                let under_way = self.fetches.iter().find(|(_, fetch)| fetch.blob == blob);
                let fetching = under_way.map(|(id, _)| *id);
                if let Some(fetch) = under_way.map(|(_, fetch)| fetch).filter(|fetch| !fetch.orphan)
                    && let Some(holder) = self.holders.get_mut(&fetch.peer)
                {
                    holder.set(blob, State::Taking);
                }
                self.wants.insert(
                    blob,
                    Want {
                        size,
                        preview,
                        albums: BTreeSet::new(),
                        fetching,
                    },
                );
            }
            let Some(want) = self.wants.get_mut(&blob) else {
                continue;
            };
            if want.albums.insert(album) {
                for holder in self.holders.values_mut() {
                    holder.ask_about(now, blob, want);
                }
            }
        }
    }

    /// An album names this blob no more.
    pub(crate) fn drop_unnamed(&mut self, now: u64, album: AlbumId, blob: &BlobHash) {
        self.copies.remove(blob);
        let Some(want) = self.wants.get_mut(blob) else {
            return;
        };
        want.albums.remove(&album);
        if want.albums.is_empty() {
            return self.unwant(blob);
        }
        for holder in self.holders.values_mut() {
            holder.rethink(now, *blob, want);
        }
    }

    pub(crate) fn forget_album(&mut self, now: u64, album: AlbumId) {
        for holder in self.holders.values_mut() {
            holder.asking.remove(&album);
            holder.to_check.remove(&album);
        }
        for blob in self.wanted_of(album) {
            self.drop_unnamed(now, album, &blob);
        }
        for holder in self.holders.values_mut() {
            holder.albums.remove(&album);
        }
    }

    fn wanted_of(&self, album: AlbumId) -> Vec<BlobHash> {
        let named = self.wants.iter().filter(|(_, want)| want.albums.contains(&album));
        named.map(|(blob, _)| *blob).collect()
    }

    /// A linked member of this album: ask about everything that is wanted of it. `false` if that was known.
    pub(crate) fn share(&mut self, now: u64, peer: PublicKey, album: AlbumId) -> bool {
        let holder = self.holders.entry(peer).or_default();
        if !holder.albums.insert(album) {
            return false;
        }
        for (blob, want) in self.wants.iter().filter(|(_, want)| want.albums.contains(&album)) {
            holder.ask_about(now, *blob, want);
        }
        true
    }

    /// Asks a linked member, when nothing wanted is to be asked, which originals of an album it holds as well.
    pub(crate) fn check_copies(&mut self, peer: PublicKey, album: AlbumId, named: Vec<Wanted>) {
        let Some(holder) = self.holders.get_mut(&peer) else {
            return;
        };
        let originals = named
            .into_iter()
            .filter(|wanted| !wanted.preview)
            .map(|wanted| wanted.blob);
        let here: BTreeSet<BlobHash> = originals.filter(|blob| self.here.contains(blob)).collect();
        if !here.is_empty() {
            holder.to_check.insert(album, here);
        }
    }

    /// A linked device is no member of this album, or no longer: nothing is asked of it about this album.
    pub(crate) fn unshare(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let wanted = self.wanted_of(album);
        let Some(holder) = self.holders.get_mut(&peer) else {
            return;
        };
        holder.to_check.remove(&album);
        if holder.albums.remove(&album) {
            for blob in wanted {
                if let Some(want) = self.wants.get(&blob) {
                    holder.rethink(now, blob, want);
                }
            }
        }
    }

    pub(crate) fn link_down(&mut self, peer: PublicKey) {
        self.holders.remove(&peer);
        for fetch in self.fetches.values_mut().filter(|fetch| fetch.peer == peer) {
            fetch.orphan = true;
        }
    }

    /// Forgets what peers lacked, so that they are asked now.
    pub(crate) fn ask_again(&mut self, now: u64, album: AlbumId) {
        for blob in self.wanted_of(album) {
            let Some(want) = self.wants.get(&blob) else {
                continue;
            };
            for holder in self.holders.values_mut().filter(|holder| holder.is_to_ask(&blob)) {
                holder.forget(&blob);
                holder.ask_about(now, blob, want);
            }
        }
    }

    /// Blobs of an album that a linked peer holds, or has not said yet whether it holds.
    pub(crate) fn obtainable(&self, album: &AlbumId) -> usize {
        let of_album = self.wants.iter().filter(|(_, want)| want.albums.contains(album));
        of_album.filter(|(blob, _)| self.may_come(blob)).count()
    }

    pub(crate) fn have_ended(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let Some(holder) = self.holders.get_mut(&peer) else {
            return;
        };
        // Whatever was not answered is asked again later.
        for blob in holder.asking.remove(&album).unwrap_or_default() {
            if let Some(want) = self.wants.get(&blob).filter(|_| holder.is_asked(&blob)) {
                holder.lacks(now, blob, want);
            }
        }
    }

    /// The blob, if it came whole, and the albums that wait for it.
    pub(crate) fn on_fetched(
        &mut self,
        now: u64,
        id: FetchId,
        outcome: Outcome,
    ) -> Option<(BlobHash, Vec<AlbumId>)> {
        let Fetch { peer, blob, orphan } = self.fetches.remove(&id)?;
        if outcome == Outcome::NoRoom {
            self.paused_until = now + FETCH_RETRY_MS;
        }
        let holder = self.holders.get_mut(&peer).filter(|_| !orphan);
        let want = self.wants.get_mut(&blob);
        if let Some(holder) = holder {
            holder.fetches -= 1;
            if outcome == Outcome::Done {
                self.copies.entry(blob).or_default().insert(peer);
            }
            if let Some(want) = &want {
                match outcome {
                    Outcome::Done => {}
                    Outcome::NotThere => holder.lacks(now, blob, want),
                    Outcome::Wrong => holder.set(blob, State::Banned),
                    Outcome::Broken | Outcome::NoRoom => holder.ask_at(now + FETCH_RETRY_MS, blob, want),
                }
            }
        }
        if let Some(want) = want {
            want.fetching = None;
        }
        if outcome != Outcome::Done {
            return None;
        }
        let waiting = self
            .wants
            .get(&blob)
            .map(|want| want.albums.iter().copied().collect());
        self.here(vec![blob]);
        waiting.map(|albums| (blob, albums))
    }

    /// A peer took a whole blob from us.
    pub(crate) fn on_served(&mut self, peer: PublicKey, blob: BlobHash) {
        if self.here.contains(&blob) && self.holders.contains_key(&peer) {
            self.copies.entry(blob).or_default().insert(peer);
        }
    }

    pub(crate) fn next_due(&self) -> Option<u64> {
        let asks = self.holders.values().filter_map(Holder::next_due).min();
        let held = self.holders.values().any(|holder| holder.held().next().is_some());
        let pause = (self.paused_until > 0 && held).then_some(self.paused_until);
        asks.into_iter().chain(pause).min()
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(
            self.pending_bytes,
            self.wants
                .values()
                .map(|want| u128::from(want.size))
                .sum::<u128>()
        );
        assert!(
            self.wants.keys().all(|blob| !self.here.contains(blob)),
            "a blob is wanted and here"
        );
        assert!(
            self.wants.values().all(|want| !want.albums.is_empty()),
            "a blob is wanted for no album"
        );
        assert!(self.fetches.len() <= FETCHES_MAX);
        for want in self.wants.values() {
            assert!(
                want.fetching.is_none_or(|id| self.fetches.contains_key(&id)),
                "waits for no transfer"
            );
        }
        let mut coming = BTreeSet::new();
        for (id, fetch) in &self.fetches {
            assert!(
                fetch.orphan || self.holders.contains_key(&fetch.peer),
                "{id:?} is from nobody linked"
            );
            assert!(coming.insert(fetch.blob), "a blob comes twice");
            let want = self.wants.get(&fetch.blob);
            assert!(
                want.is_none_or(|want| want.fetching == Some(*id)),
                "{id:?} is nobody's"
            );
        }
        for (peer, holder) in &self.holders {
            let mine = self
                .fetches
                .values()
                .filter(|fetch| fetch.peer == *peer && !fetch.orphan);
            assert_eq!(holder.fetches, mine.count());
            assert!(holder.fetches <= FETCHES_PER_PEER);
            holder.check_invariants(&self.wants);
        }
    }
}

impl Engine {
    /// Asks peers what they hold and takes what they do, as far as the limits allow.
    pub(crate) fn fetch_due(&mut self, now: u64) {
        if now >= self.transfer.paused_until {
            self.transfer.paused_until = 0;
        }
        let peers: Vec<PublicKey> = self.transfer.holders.keys().copied().collect();
        for peer in peers {
            self.ask_holdings(now, peer);
            if self.transfer.paused_until == 0 {
                self.take_from(peer);
            }
        }
    }

    fn ask_holdings(&mut self, now: u64, peer: PublicKey) {
        let Some(holder) = self.transfer.holders.get_mut(&peer) else {
            return;
        };
        let mut questions = holder.questions(now);
        questions.extend(holder.checks());
        for (album, blobs) in questions {
            self.ask(peer, Purpose::Have, &Call::Have { album, blobs });
        }
    }

    pub(crate) fn on_have_frame(&mut self, now: u64, peer: PublicKey, album: AlbumId, frame: &[u8]) {
        let Some(holder) = self.transfer.holders.get_mut(&peer) else {
            return;
        };
        let have = match decode_answer(frame) {
            Ok(Answer::Have(have)) => have,
            // The end of the answer finds the question open.
            Ok(Answer::Refused(_)) => return self.tally("asked_in_vain", 1),
            _ => return self.count("answer_form", Some(peer)),
        };
        let asked = holder.asking.remove(&album).unwrap_or_default();
        for (blob, has) in asked
            .into_iter()
            .zip(have.into_iter().chain(std::iter::repeat(false)))
        {
            let want = self.transfer.wants.get(&blob).filter(|_| holder.is_asked(&blob));
            let Some(want) = want else {
                if has && self.transfer.here.contains(&blob) {
                    self.transfer.copies.entry(blob).or_default().insert(peer);
                }
                continue;
            };
            if has {
                holder.set(
                    blob,
                    State::Holds {
                        original: !want.preview,
                    },
                );
            } else {
                holder.lacks(now, blob, want);
            }
        }
    }

    fn take_from(&mut self, peer: PublicKey) {
        let transfer = &mut self.transfer;
        let Some(holder) = transfer.holders.get_mut(&peer) else {
            return;
        };
        while holder.fetches < FETCHES_PER_PEER && transfer.fetches.len() < FETCHES_MAX {
            let free = holder.held().find(|blob| {
                transfer
                    .wants
                    .get(blob)
                    .is_some_and(|want| want.fetching.is_none())
            });
            let Some((blob, want)) = free.and_then(|blob| Some((blob, transfer.wants.get_mut(&blob)?)))
            else {
                return;
            };
            let Some(album) = holder.common(want) else { return };
            holder.set(blob, State::Taking);
            transfer.last_fetch += 1;
            let fetch = FetchId(transfer.last_fetch);
            want.fetching = Some(fetch);
            holder.fetches += 1;
            transfer.fetches.insert(
                fetch,
                Fetch {
                    peer,
                    blob,
                    orphan: false,
                },
            );
            self.out.push(Action::Fetch {
                fetch,
                peer,
                album,
                blob,
                size: want.size,
            });
        }
    }
}
