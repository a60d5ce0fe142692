//! Album lists: who may replace one, who may read one, who is told.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::id::{AlbumId, PublicKey, UserId};
use crdt::keys::{Certificate, user_id};

use super::{Change, Delivery, Registry, SessionId};
use crate::limits::{ALBUMS_PER_OWNER_MAX, LISTS_BYTES_MAX, PAGE_BYTES_MAX, PUSHES_PER_REQUEST_MAX};
use crate::proto::{
    AlbumEntry, AlbumList, AlbumPeersOk, AlbumsOk, Code, Failure, Genesis, PeerEntry, Push, Role,
};

/// A list whose text, signature and certificate were checked, and the genesis that came with it.
#[derive(Debug)]
pub struct VerifiedList {
    list: AlbumList,
    text: String,
    sig: crdt::id::Signature,
    cert: Certificate,
    pub(super) genesis: Option<crdt::op::Genesis>,
}

/// What becomes of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListPlan {
    /// It is the newest: store it.
    Store(Change),
    /// It is held already.
    Held,
    /// A newer one is held.
    Stale,
}

/// An album as kept in memory.
#[derive(Debug)]
pub(super) struct Album {
    pub(super) members: BTreeMap<UserId, Role>,
    rank: Rank,
    wire_bytes: usize,
    entry: Arc<AlbumEntry>,
}

/// The highest wins: lamport, then the text's BLAKE3.
type Rank = (u64, [u8; 32]);

fn rank(list: &AlbumList, text: &str) -> Rank {
    (list.lamport, *blake3::hash(text.as_bytes()).as_bytes())
}

impl VerifiedList {
    /// Does the costly part of `album-put`, which needs nothing that the registry knows.
    pub fn check(
        text: String,
        sig: crdt::id::Signature,
        cert: Certificate,
        genesis: Option<&Genesis>,
    ) -> Result<Self, Failure> {
        let list = crate::lists::verify(&text, &sig, &cert)
            .map_err(|error| Failure::new(Code::Usage, error.to_string(), ""))?;
        let genesis = genesis
            .map(|genesis| crdt::op::check_genesis(&genesis.header, &genesis.sig))
            .transpose()
            .map_err(|error| Failure::new(Code::Usage, format!("the genesis is wrong: {error}"), ""))?;
        if genesis
            .as_ref()
            .is_some_and(|genesis| genesis.album != list.album)
        {
            return Err(Failure::new(Code::Usage, "the genesis is another album's", ""));
        }
        Ok(Self {
            list,
            text,
            sig,
            cert,
            genesis,
        })
    }
}

impl Registry {
    /// Whether a list replaces what is held.
    pub fn plan_list(&self, session: SessionId, put: VerifiedList) -> Result<ListPlan, Failure> {
        let VerifiedList {
            list,
            text,
            sig,
            cert,
            genesis,
        } = put;
        let signer = self.session_user(session)?;
        if cert.user() != signer {
            return Err(denied("the list is signed by another user than this session's"));
        }
        let held = self.albums.get(&list.album);
        let owner = match (held, genesis) {
            (Some(album), _) => album.entry.owner,
            (None, Some(genesis)) => genesis.user,
            (None, None) => {
                return Err(Failure::new(
                    Code::NotFound,
                    format!("the album {} is not known here", list.name),
                    "send its genesis with the list",
                ));
            }
        };
        let is_curator = held.and_then(|album| album.members.get(&signer)) == Some(&Role::Curator);
        if signer != owner && !is_curator {
            return Err(denied("only the album's owner and curators may change its list"));
        }
        if !list
            .members
            .iter()
            .any(|member| member.user == owner && member.role == Role::Owner)
        {
            return Err(Failure::new(
                Code::Usage,
                "the list does not name the album's owner as owner",
                "",
            ));
        }
        if let Some(held) = held {
            match rank(&list, &text).cmp(&held.rank) {
                Ordering::Less => return Ok(ListPlan::Stale),
                Ordering::Equal => return Ok(ListPlan::Held),
                Ordering::Greater => {}
            }
        }
        let entry = AlbumEntry {
            album: list.album,
            name: list.name,
            owner,
            list: text,
            sig,
            cert,
        };
        self.check_list_limits(held, &entry)?;
        Ok(ListPlan::Store(Change::List(Box::new(entry))))
    }

    fn check_list_limits(&self, held: Option<&Album>, entry: &AlbumEntry) -> Result<(), Failure> {
        if held.is_none()
            && self
                .owned
                .get(&entry.owner)
                .is_some_and(|&count| count >= ALBUMS_PER_OWNER_MAX)
        {
            return Err(denied(&format!(
                "a user has at most {ALBUMS_PER_OWNER_MAX} albums at one central"
            )));
        }
        let replaced = held.map_or(0, |album| album.entry.list.len());
        if self.lists_bytes - replaced + entry.list.len() > LISTS_BYTES_MAX {
            return Err(Failure::new(
                Code::Busy,
                "this central takes no more lists",
                "use another central",
            ));
        }
        // What is taken must fit into an answer.
        if wire_bytes(entry) > PAGE_BYTES_MAX {
            return Err(Failure::new(
                Code::Usage,
                "the album list is too long once it is escaped",
                "",
            ));
        }
        Ok(())
    }

    pub(super) fn insert_album(&mut self, entry: AlbumEntry, list: &AlbumList) {
        let album = Album {
            members: list
                .members
                .iter()
                .map(|member| (member.user, member.role))
                .collect(),
            rank: rank(list, &entry.list),
            wire_bytes: wire_bytes(&entry),
            entry: Arc::new(entry),
        };
        let id = album.entry.album;
        self.lists_bytes += album.entry.list.len();
        for user in album.members.keys() {
            self.listings.entry(*user).or_default().insert(id);
        }
        let owner = album.entry.owner;
        match self.albums.insert(id, album) {
            None => *self.owned.entry(owner).or_default() += 1,
            Some(old) => {
                self.lists_bytes -= old.entry.list.len();
                let now = &self.albums[&id].members;
                for user in old.members.keys().filter(|user| !now.contains_key(*user)) {
                    if let Some(albums) = self.listings.get_mut(user) {
                        albums.remove(&id);
                        if albums.is_empty() {
                            self.listings.remove(user);
                        }
                    }
                }
            }
        }
    }

    /// Takes a planned list over and says who is to be told: whom it names newly, whom no longer, and the
    /// members where the new ones are.
    pub(super) fn apply_list(&mut self, entry: AlbumEntry, by: SessionId, now_ms: u64) -> Vec<Delivery> {
        let Ok(list) = crate::lists::read(&entry.list) else {
            return Vec::new();
        };
        let (album, name, signer) = (entry.album, entry.name.clone(), entry.cert.user());
        let before = self
            .albums
            .get(&album)
            .map(|album| album.members.clone())
            .unwrap_or_default();
        self.insert_album(entry, &list);
        let by_name = self.name_of(&signer).unwrap_or_default().to_owned();
        let now = &self.albums[&album].members;
        let joined: Vec<UserId> = now
            .keys()
            .filter(|user| !before.contains_key(*user))
            .copied()
            .collect();
        let left_it: Vec<UserId> = before
            .keys()
            .filter(|user| !now.contains_key(*user))
            .copied()
            .collect();
        let mut left = PUSHES_PER_REQUEST_MAX;
        let mut deliveries = Vec::new();
        for (users, removed) in [(&joined, false), (&left_it, true)] {
            let to: Vec<SessionId> = users
                .iter()
                .flat_map(|user| self.online.get(user).into_iter().flatten().copied())
                .filter(|&id| id != by)
                .take(left)
                .collect();
            left -= to.len();
            let push = Push::Album {
                album,
                name: name.clone(),
                by: by_name.clone(),
                removed,
            };
            if !to.is_empty() {
                deliveries.push(Delivery { to, push });
            }
        }
        for user in &joined {
            let devices = self
                .presence
                .range((*user, PublicKey([0; 32]))..=(*user, PublicKey([255; 32])));
            for (key, presence) in devices.filter(|(_, presence)| presence.is_live(now_ms)) {
                if let Some(session) = self.sessions.get(&presence.session) {
                    deliveries.extend(self.peer_push(&album, key, &session.cert, by, &mut left));
                }
            }
        }
        deliveries
    }

    /// A page of the lists that name the session's user.
    pub fn albums(&self, session: SessionId, after: Option<AlbumId>) -> Result<AlbumsOk, Failure> {
        let user = self.session_user(session)?;
        let mut page = AlbumsOk {
            albums: Vec::new(),
            more: false,
        };
        let mut bytes = 0;
        let listed = self.listings.get(&user).into_iter().flatten();
        for id in listed.filter(|id| after.is_none_or(|after| **id > after)) {
            let album = &self.albums[id];
            bytes += album.wire_bytes + 1;
            if bytes > PAGE_BYTES_MAX + 1 {
                page.more = true;
                break;
            }
            page.albums.push(AlbumEntry::clone(&album.entry));
        }
        Ok(page)
    }

    /// A page of the devices of an album's members, and how many there are (what it cost).
    pub fn album_peers(
        &self,
        session: SessionId,
        album: &AlbumId,
        after: Option<PublicKey>,
        now_ms: u64,
    ) -> Result<(AlbumPeersOk, usize), Failure> {
        let user = self.session_user(session)?;
        let listed = self
            .albums
            .get(album)
            .filter(|album| album.members.contains_key(&user));
        let Some(listed) = listed else {
            // The same for an album that does not exist: strangers learn nothing.
            return Err(Failure::new(
                Code::NotFound,
                "no album of this id names you here",
                "ask its owner to add you",
            ));
        };
        let mut devices: Vec<(PublicKey, UserId)> = Vec::new();
        for member in listed.members.keys() {
            let account = self.account_of(member);
            devices.extend(
                account
                    .into_iter()
                    .flat_map(|account| {
                        let revoked = &account.revoked;
                        account.devices.keys().filter(|key| !revoked.contains_key(*key))
                    })
                    .map(|key| (*key, *member)),
            );
        }
        let all = devices.len();
        devices.retain(|(device, _)| after.is_none_or(|after| *device > after));
        devices.sort_unstable();
        let mut page = AlbumPeersOk {
            peers: Vec::new(),
            more: false,
        };
        let mut bytes = 0;
        for (device, user) in devices {
            let Some(peer) = self.peer_entry(user, device, now_ms) else {
                continue;
            };
            bytes += serde_json::to_vec(&peer).map_or(0, |bytes| bytes.len()) + 1;
            if bytes > PAGE_BYTES_MAX + 1 {
                page.more = true;
                break;
            }
            page.peers.push(peer);
        }
        Ok((page, all))
    }

    fn peer_entry(&self, user: UserId, device: PublicKey, now_ms: u64) -> Option<PeerEntry> {
        let name = self.names.get(&user)?.clone();
        let account = self.accounts.get(&name)?;
        let cert = Certificate {
            root: account.root,
            device,
            sig: account.devices.get(&device)?.sig,
        };
        let live = self
            .presence
            .get(&(user, device))
            .filter(|presence| presence.is_live(now_ms));
        Some(PeerEntry {
            name,
            user: user_id(&account.root),
            cert,
            addresses: live
                .map(|presence| presence.addresses.clone())
                .unwrap_or_default(),
            seen_ms: live.map(|presence| now_ms.saturating_sub(presence.at_ms)),
        })
    }
}

fn wire_bytes(entry: &AlbumEntry) -> usize {
    serde_json::to_vec(entry).map_or(usize::MAX, |bytes| bytes.len())
}

fn denied(message: &str) -> Failure {
    Failure::new(Code::Denied, message, "")
}
