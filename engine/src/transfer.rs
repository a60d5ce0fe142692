//! Which bytes are wanted, who holds them, and whom to take them from. Moving and verifying them is the shell's work.

use std::collections::{BTreeMap, BTreeSet};

use crdt::fact::{Fact, Image};
use crdt::id::{AlbumId, BlobHash, PublicKey};
use crdt::{Album, FactId};

use crate::event::{FetchId, Outcome};
use crate::limits::{
    FETCH_RETRY_MS, FETCHES_MAX, FETCHES_PER_PEER, HAVE_MAX, HAVE_RETRY_MAX_MS, HAVE_RETRY_MS,
};
use crate::links::{Purpose, shared};
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
    let original = Wanted { blob: image.hash, size: image.size, preview: false };
    let preview = image.preview.map(|preview| Wanted { blob: preview.hash, size: preview.size, preview: true });
    preview.into_iter().chain([original])
}

/// The blobs that a fact names.
pub(crate) fn blobs_of_fact(album: &Album, id: &FactId) -> Vec<Wanted> {
    match album.fact(id).map(|element| element.fact) {
        Some(Fact::Image(image)) => blobs_of(image).collect(),
        _ => Vec::new(),
    }
}

/// The blobs that an album names.
pub(crate) fn blobs_of_album(album: &Album) -> Vec<Wanted> {
    album.images().flat_map(|view| blobs_of(view.image)).collect()
}

/// A blob that is wanted and not here.
struct Want {
    size: u64,
    preview: bool,
    albums: BTreeSet<AlbumId>,
    fetching: Option<FetchId>,
}

/// What is known of one peer.
#[derive(Default)]
struct Holder {
    known: BTreeMap<BlobHash, Known>,
    /// Index of [`State::Holds`]: previews (`false`) first.
    holds: BTreeSet<(bool, BlobHash)>,
    /// Index of [`State::ToAsk`], by the time to ask.
    to_ask: BTreeSet<(u64, BlobHash)>,
    /// Questions under way, by album.
    asking: BTreeMap<AlbumId, Vec<BlobHash>>,
    fetches: usize,
}

/// What is known of one peer about one wanted blob.
#[derive(Clone, Copy)]
struct Known {
    state: State,
    /// Milliseconds to wait before it is asked again; 0 as long as it never lacked the blob.
    wait: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be asked at that time.
    ToAsk(u64),
    /// A question is under way.
    Asking,
    /// It holds the blob. The flag sorts previews first.
    Holds { original: bool },
    /// The blob comes from it.
    Taking,
    /// It sent wrong bytes: never again over this link.
    Banned,
}

/// The state of all transfers.
#[derive(Default)]
pub(crate) struct Transfer {
    here: BTreeSet<BlobHash>,
    wants: BTreeMap<BlobHash, Want>,
    pending_bytes: u64,
    holders: BTreeMap<PublicKey, Holder>,
    fetches: BTreeMap<FetchId, (PublicKey, BlobHash)>,
    last_fetch: u64,
    /// Blobs of ours that linked peers are known to hold.
    copies: BTreeMap<BlobHash, BTreeSet<PublicKey>>,
    /// No room on this disk until then.
    paused_until: u64,
}

impl Transfer {
    pub(crate) fn is_here(&self, blob: &BlobHash) -> bool {
        self.here.contains(blob)
    }

    pub(crate) fn is_fetching(&self, blob: &BlobHash) -> bool {
        self.wants.get(blob).is_some_and(|want| want.fetching.is_some())
    }

    pub(crate) fn pending(&self) -> (u64, u64) {
        (self.wants.len() as u64, self.pending_bytes)
    }

    /// Wanted blobs that a linked peer holds, those on their way included.
    pub(crate) fn coming(&self) -> u64 {
        let held: BTreeSet<BlobHash> =
            self.holders.values().flat_map(|holder| holder.holds.iter().map(|(_, blob)| *blob)).collect();
        let under_way = self.fetches.values().filter(|(_, blob)| !held.contains(blob)).count();
        (held.len() + under_way) as u64
    }

    pub(crate) fn held_elsewhere(&self, blob: &BlobHash) -> bool {
        self.copies.get(blob).is_some_and(|holders| holders.iter().any(|peer| self.holders.contains_key(peer)))
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
    }

    fn unwant(&mut self, blob: &BlobHash) {
        let Some(want) = self.wants.remove(blob) else { return };
        self.pending_bytes -= want.size;
        for holder in self.holders.values_mut() {
            holder.forget(blob);
        }
    }

    /// Adds what is not here to the wants.
    pub(crate) fn want(
        &mut self,
        now: u64,
        album: AlbumId,
        blobs: impl IntoIterator<Item = Wanted>,
    ) {
        for Wanted { blob, size, preview } in blobs {
            if self.here.contains(&blob) {
                continue;
            }
            let want = self.wants.entry(blob).or_insert_with(|| {
                self.pending_bytes += size;
                Want { size, preview, albums: BTreeSet::new(), fetching: None }
            });
            if want.albums.insert(album) {
                for holder in self.holders.values_mut() {
                    holder.ask_about(now, blob);
                }
            }
        }
    }

    /// Drops wants that no album names any more.
    pub(crate) fn drop_unnamed(&mut self, album: AlbumId, blob: &BlobHash) {
        let Some(want) = self.wants.get_mut(blob) else { return };
        want.albums.remove(&album);
        if want.albums.is_empty() {
            self.unwant(blob);
        }
    }

    pub(crate) fn forget_album(&mut self, album: AlbumId) {
        let named: Vec<_> =
            self.wants.iter().filter(|(_, want)| want.albums.contains(&album)).map(|(blob, _)| *blob).collect();
        for blob in named {
            self.drop_unnamed(album, &blob);
        }
    }

    /// A member of this album is linked: ask about everything that is wanted of it.
    pub(crate) fn link_up(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let holder = self.holders.entry(peer).or_default();
        for (blob, _) in self.wants.iter().filter(|(_, want)| want.albums.contains(&album)) {
            holder.ask_about(now, *blob);
        }
    }

    pub(crate) fn link_down(&mut self, _now: u64, peer: PublicKey) {
        self.holders.remove(&peer);
        self.fetches.retain(|_, (from, blob)| {
            if *from == peer && let Some(want) = self.wants.get_mut(blob) {
                want.fetching = None;
            }
            *from != peer
        });
    }

    /// Forgets what peers lacked, so that they are asked now.
    pub(crate) fn ask_again(&mut self, now: u64, album: AlbumId) {
        for holder in self.holders.values_mut() {
            let of_album = |blob: &BlobHash| self.wants.get(blob).is_some_and(|want| want.albums.contains(&album));
            let later: Vec<_> = holder.to_ask.iter().map(|(_, blob)| *blob).filter(of_album).collect();
            for blob in later {
                holder.forget(&blob);
                holder.set(blob, State::ToAsk(now));
            }
        }
    }

    /// Blobs of an album that a linked peer holds, or has not said yet whether it holds.
    pub(crate) fn obtainable(&self, album: &AlbumId) -> usize {
        let of_album = self.wants.iter().filter(|(_, want)| want.albums.contains(album));
        let obtainable = of_album.filter(|(blob, want)| {
            want.fetching.is_some() || self.holders.values().any(|holder| holder.may_hold(blob))
        });
        obtainable.count()
    }

    pub(crate) fn have_ended(&mut self, now: u64, peer: PublicKey, album: AlbumId) {
        let Some(holder) = self.holders.get_mut(&peer) else { return };
        // Whatever was not answered is asked again later.
        for blob in holder.asking.remove(&album).unwrap_or_default() {
            if self.wants.contains_key(&blob) {
                holder.lacks(now, blob);
            }
        }
    }

    pub(crate) fn on_fetched(&mut self, now: u64, fetch: FetchId, outcome: Outcome) {
        let Some((peer, blob)) = self.fetches.remove(&fetch) else { return };
        if let Some(want) = self.wants.get_mut(&blob) {
            want.fetching = None;
        }
        if let Some(holder) = self.holders.get_mut(&peer) {
            holder.fetches -= 1;
            match outcome {
                Outcome::Done => {
                    self.copies.entry(blob).or_default().insert(peer);
                }
                Outcome::NotThere => holder.lacks(now, blob),
                Outcome::Wrong => holder.set(blob, State::Banned),
                Outcome::Broken => holder.set(blob, State::ToAsk(now + FETCH_RETRY_MS)),
                Outcome::NoRoom => {
                    self.paused_until = now + FETCH_RETRY_MS;
                    holder.set(blob, State::ToAsk(now + FETCH_RETRY_MS));
                }
            }
        }
        if outcome == Outcome::Done {
            self.here(vec![blob]);
        } else if !self.wants.contains_key(&blob) {
            // Nobody names it any more.
            self.holders.values_mut().for_each(|holder| holder.forget(&blob));
        }
    }

    /// A peer took a whole blob from us.
    pub(crate) fn on_served(&mut self, peer: PublicKey, blob: BlobHash) {
        self.copies.entry(blob).or_default().insert(peer);
    }

    pub(crate) fn next_due(&self) -> Option<u64> {
        let asks = self.holders.values().filter_map(|holder| Some(holder.to_ask.first()?.0)).min();
        asks.map(|at| at.max(self.paused_until))
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.pending_bytes, self.wants.values().map(|want| want.size).sum::<u64>());
        assert!(self.wants.keys().all(|blob| !self.here.contains(blob)), "a blob is wanted and here");
        for (fetch, (peer, blob)) in &self.fetches {
            assert!(self.holders.contains_key(peer), "{fetch:?} is from nobody linked");
            let want = self.wants.get(blob);
            assert!(want.is_none_or(|want| want.fetching == Some(*fetch)), "{fetch:?} is nobody's");
        }
        for (peer, holder) in &self.holders {
            assert_eq!(holder.fetches, self.fetches.values().filter(|(from, _)| from == peer).count());
            let indexed = holder.holds.iter().map(|(_, blob)| blob).chain(holder.to_ask.iter().map(|(_, blob)| blob));
            assert!(indexed.clone().all(|blob| self.wants.contains_key(blob) && holder.known.contains_key(blob)));
        }
    }
}

impl Holder {
    fn set(&mut self, blob: BlobHash, state: State) {
        let wait = self.known.get(&blob).map_or(0, |known| known.wait);
        self.forget(&blob);
        self.known.insert(blob, Known { state, wait });
        match state {
            State::ToAsk(at) => drop(self.to_ask.insert((at, blob))),
            State::Holds { original } => drop(self.holds.insert((original, blob))),
            State::Asking | State::Taking | State::Banned => {}
        }
    }

    fn forget(&mut self, blob: &BlobHash) {
        match self.known.remove(blob).map(|known| known.state) {
            Some(State::ToAsk(at)) => drop(self.to_ask.remove(&(at, *blob))),
            Some(State::Holds { original }) => drop(self.holds.remove(&(original, *blob))),
            Some(State::Asking | State::Taking | State::Banned) | None => {}
        }
    }

    /// Asks about a blob unless something is known or under way.
    fn ask_about(&mut self, now: u64, blob: BlobHash) {
        if !self.known.contains_key(&blob) {
            self.set(blob, State::ToAsk(now));
        }
    }

    /// It does not hold the blob: ask again, less and less often.
    fn lacks(&mut self, now: u64, blob: BlobHash) {
        let wait = self.known.get(&blob).map_or(0, |known| known.wait);
        let wait = (wait * 2).clamp(HAVE_RETRY_MS, HAVE_RETRY_MAX_MS);
        self.set(blob, State::ToAsk(now + wait));
        if let Some(known) = self.known.get_mut(&blob) {
            known.wait = wait;
        }
    }

    /// Whether it holds the blob or has not said yet.
    fn may_hold(&self, blob: &BlobHash) -> bool {
        self.known.get(blob).is_some_and(|known| match known.state {
            State::ToAsk(_) => known.wait == 0,
            State::Asking | State::Holds { .. } | State::Taking => true,
            State::Banned => false,
        })
    }
}

impl Engine {
    /// Asks peers what they hold and takes what they do, as far as the limits allow.
    pub(crate) fn fetch_due(&mut self, now: u64) {
        let peers: Vec<PublicKey> = self.transfer.holders.keys().copied().collect();
        for peer in peers {
            self.ask_holdings(now, peer);
            if now >= self.transfer.paused_until {
                self.take_from(peer);
            }
        }
    }

    fn ask_holdings(&mut self, now: u64, peer: PublicKey) {
        let Some(user) = self.links.get(&peer).map(|link| link.user) else { return };
        let Some(holder) = self.transfer.holders.get_mut(&peer) else { return };
        let mut questions: BTreeMap<AlbumId, Vec<BlobHash>> = BTreeMap::new();
        let mut picked = Vec::new();
        for (_, blob) in holder.to_ask.iter().take_while(|(at, _)| *at <= now) {
            let Some(want) = self.transfer.wants.get(blob) else { continue };
            let mut albums = want.albums.iter().filter(|id| {
                let replica = self.albums.get(id);
                replica.is_some_and(|replica| shared(&replica.album, &user)) && !holder.asking.contains_key(id)
            });
            let Some(album) = albums.next() else { continue };
            let question = questions.entry(*album).or_default();
            if question.len() < HAVE_MAX {
                question.push(*blob);
                picked.push(*blob);
            }
        }
        for blob in picked {
            holder.set(blob, State::Asking);
        }
        for (album, blobs) in questions {
            if let Some(holder) = self.transfer.holders.get_mut(&peer) {
                holder.asking.insert(album, blobs.clone());
            }
            self.ask(peer, Purpose::Have, &Call::Have { album, blobs });
        }
    }

    pub(crate) fn on_have_frame(&mut self, now: u64, peer: PublicKey, album: AlbumId, frame: &[u8]) {
        let Some(holder) = self.transfer.holders.get_mut(&peer) else { return };
        let Ok(Answer::Have(have)) = decode_answer(frame) else { return self.count("answer_form") };
        let asked = holder.asking.remove(&album).unwrap_or_default();
        for (blob, has) in asked.into_iter().zip(have.into_iter().chain(std::iter::repeat(false))) {
            let Some(want) = self.transfer.wants.get(&blob) else { continue };
            if has {
                holder.set(blob, State::Holds { original: !want.preview });
            } else {
                holder.lacks(now, blob);
            }
        }
    }

    fn take_from(&mut self, peer: PublicKey) {
        let transfer = &mut self.transfer;
        let Some(holder) = transfer.holders.get_mut(&peer) else { return };
        while holder.fetches < FETCHES_PER_PEER && transfer.fetches.len() < FETCHES_MAX {
            let free = holder.holds.iter().find(|(_, blob)| {
                transfer.wants.get(blob).is_some_and(|want| want.fetching.is_none())
            });
            let Some(entry) = free.copied() else { return };
            let (_, blob) = entry;
            holder.set(blob, State::Taking);
            let Some(want) = transfer.wants.get_mut(&blob) else { return };
            let Some(album) = want.albums.first().copied() else { return };
            transfer.last_fetch += 1;
            let fetch = FetchId(transfer.last_fetch);
            want.fetching = Some(fetch);
            holder.fetches += 1;
            transfer.fetches.insert(fetch, (peer, blob));
            self.out.push(Action::Fetch { fetch, peer, album, blob, size: want.size });
        }
    }
}
