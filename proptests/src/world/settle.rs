//! When a world is quiet: who must be equal, and whether they are.

use crdt::fact::Role;
use crdt::id::{AlbumId, BlobHash};

use super::{At, World};

/// Milliseconds within which members meet: three rounds of anti-entropy at their longest.
const SETTLE_WITHIN_MS: u64 = 120_000;

impl World {
    /// The peer by whose word members are told from others: a device of the owner if one runs, else the one whom most take
    /// for a reader. One who was removed or revoked behind his back does not know, so his own word does not count for him.
    pub fn reference(&self, album: AlbumId) -> Option<At> {
        let runs = |at: &At| {
            let peer = &self.peers[*at];
            peer.is_honest()
                && peer
                    .engine
                    .as_ref()
                    .is_some_and(|engine| engine.album(&album).is_some())
        };
        let running: Vec<At> = (0..self.peers.len()).filter(runs).collect();
        let is_revoked = |at: At| {
            let device = (self.peers[at].user, self.peers[at].key());
            running
                .iter()
                .any(|by| self.peers[*by].access.revoked.contains(&device))
        };
        let trust = |at: At| {
            let user = self.peers[at].user;
            let reads = |by: &&At| self.album(**by, album).role_of(&user) > Role::None;
            let owns = self.album(at, album).owner() == Some(user);
            (owns, running.iter().filter(reads).count())
        };
        let reads = |at: &At| self.album(*at, album).role_of(&self.peers[*at].user) > Role::None;
        let known = running.iter().copied().filter(|at| reads(at) && !is_revoked(*at));
        known.max_by_key(|at| (trust(*at), std::cmp::Reverse(*at)))
    }

    /// The running honest peers that have entered the album and may read it now, as `of` sees it.
    pub fn readers(&self, of: At, album: AlbumId) -> Vec<At> {
        let here = self.album(of, album);
        // Guards let a device that its root has revoked in any album into none.
        let revoked = &self.peers[of].access.revoked;
        let reads = |at: &At| {
            let peer = &self.peers[*at];
            peer.engine.is_some()
                && peer.is_honest()
                && peer.disk.entered.contains(&album)
                && here.role_of(&peer.user) > Role::None
                && !revoked.contains(&(peer.user, peer.key()))
        };
        (0..self.peers.len()).filter(reads).collect()
    }

    fn members(&self, album: AlbumId) -> Vec<At> {
        self.reference(album)
            .map_or_else(Vec::new, |of| self.readers(of, album))
    }

    /// Whether all running honest members show the same album and hold all bytes that any of them holds.
    pub fn is_settled(&self, album: AlbumId) -> bool {
        let Some(reference) = self.reference(album) else {
            return true;
        };
        let mine = self.digest(reference, album);
        let equal = |at: At| {
            let other = self.engine(at).album(&album);
            other.is_some_and(|other| other.digest() == mine) && !self.peers[at].disk.writes(album)
        };
        self.readers(reference, album).into_iter().all(equal) && self.lacking(album).is_empty()
    }

    /// Bytes that some member holds and another lacks.
    pub fn lacking(&self, album: AlbumId) -> Vec<(At, BlobHash)> {
        let readers = self.members(album);
        let Some(first) = readers.first() else {
            return Vec::new();
        };
        let mut lacking = Vec::new();
        for (blob, _) in self.album(*first, album).blobs() {
            let here = |at: &At| self.peers[*at].disk.blobs.contains(&blob);
            if readers.iter().any(here) {
                lacking.extend(readers.iter().filter(|at| !here(at)).map(|at| (*at, blob)));
            }
        }
        lacking
    }

    /// Runs until the album is settled; fails if that takes more than three rounds.
    pub fn settle(&mut self, album: AlbumId) {
        self.run_until(SETTLE_WITHIN_MS, |world| world.is_settled(album));
        self.must_be_settled(album);
    }

    /// The same, with a way from each honest member to the next, so that no liar stands between them. Who they are may
    /// come out meanwhile.
    pub fn settle_whole(&mut self, album: AlbumId) {
        let until = self.now + SETTLE_WITHIN_MS;
        while !self.is_settled(album) && self.now < until {
            let members = self.members(album);
            self.bridge(&members);
            self.run_until(5_000, |world| world.is_settled(album));
            // Some of them may take others for former members: only the owner is let in by all.
            for (owner, member) in self
                .reference(album)
                .into_iter()
                .flat_map(|of| members.iter().map(move |at| (of, *at)))
            {
                self.bridge(&[owner, member]);
            }
        }
        self.must_be_settled(album);
    }

    fn must_be_settled(&mut self, album: AlbumId) {
        assert!(self.is_settled(album), "{}", self.story(album));
        // What was taken in last is still on its way to the disk.
        self.run(200);
    }

    /// Faults end: all ways open, disks have room, requests come whole. Loss, repetition and flipped bits stay.
    pub fn calm(&mut self) {
        self.heal();
        self.net.mute = false;
        (self.net.broken_requests, self.net.broken_fetches) = (0.0, 0.0);
        for peer in &mut self.peers {
            peer.crash_in = None;
            (peer.disk.is_full, peer.disk.room_for) = (false, None);
        }
    }

    fn story(&self, album: AlbumId) -> String {
        let state = self.members(album).into_iter().map(|at| {
            let peer = &self.peers[at];
            let who = format!("  peer {at} ({})", super::people::name(peer.person));
            match self.engine(at).album(&album) {
                Some(album) => format!(
                    "{who}: {} ops, {} held, {} wait, digest {}\n",
                    album.op_count(),
                    album.held_count(),
                    album.waiting_count(),
                    &album.digest().hex()[..8]
                ),
                None => format!("{who}: no album\n"),
            }
        });
        format!(
            "seed {} did not settle at {} ms\n{}  lacking {:?}",
            self.seed,
            self.now,
            state.collect::<String>(),
            self.lacking(album)
        )
    }
}
