//! Presence: where a device can be reached, for as long as it keeps saying so.

use std::net::SocketAddr;

use crdt::id::{AlbumId, PublicKey, UserId};
use crdt::keys::Certificate;

use super::{Delivery, Registry, SessionId};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, PRESENCE_MS, PUSHES_PER_REQUEST_MAX};
use crate::proto::{Code, Failure, Push};

/// One announcement.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) addresses: Vec<String>,
    pub(super) session: SessionId,
    pub(super) at_ms: u64,
}

impl Presence {
    pub(super) fn is_live(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms) < PRESENCE_MS
    }
}

/// Checks what a device says about itself: few, short, and something one can dial.
pub fn check_addresses(addresses: &[String]) -> Result<(), Failure> {
    let usage = |message: String| Failure::new(Code::Usage, message, "announce IP:PORT of an open listener");
    if addresses.len() > ADDRESSES_MAX {
        return Err(usage(format!(
            "{} addresses, more than {ADDRESSES_MAX}",
            addresses.len()
        )));
    }
    for text in addresses {
        let parsed = text
            .parse::<SocketAddr>()
            .ok()
            .filter(|_| text.len() <= ADDRESS_BYTES_MAX);
        let dialable = parsed.is_some_and(|address| {
            address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast()
        });
        if !dialable {
            let shown: String = text.chars().take(ADDRESS_BYTES_MAX).collect();
            return Err(usage(format!("{shown:?} is no address to dial")));
        }
    }
    Ok(())
}

impl Registry {
    /// Takes addresses that were checked. The members of the user's albums are told what is new to them.
    pub fn announce(
        &mut self,
        session: SessionId,
        addresses: Vec<String>,
        now_ms: u64,
    ) -> Result<Vec<Delivery>, Failure> {
        let user = self.session_user(session)?;
        let cert = self.sessions[&session].cert.clone();
        let key = (user, cert.device);
        let known = self
            .presence
            .get(&key)
            .is_some_and(|presence| presence.is_live(now_ms) && presence.addresses == addresses);
        self.presence.insert(
            key,
            Presence {
                addresses,
                session,
                at_ms: now_ms,
            },
        );
        if known {
            return Ok(Vec::new());
        }
        let mut deliveries = Vec::new();
        let mut left = PUSHES_PER_REQUEST_MAX;
        for album in self.listings.get(&user).into_iter().flatten() {
            deliveries.extend(self.peer_push(album, &key, &cert, session, &mut left));
        }
        Ok(deliveries)
    }

    /// Tells the online members of `album` where a device is.
    pub(super) fn peer_push(
        &self,
        album: &AlbumId,
        key: &(UserId, PublicKey),
        cert: &Certificate,
        except: SessionId,
        left: &mut usize,
    ) -> Option<Delivery> {
        let presence = self.presence.get(key)?;
        let members = self.albums.get(album)?.members.keys();
        let mut to: Vec<SessionId> = members
            .flat_map(|member| self.online.get(member).into_iter().flatten().copied())
            .filter(|&id| id != except && id != presence.session)
            .take(*left)
            .collect();
        *left -= to.len();
        to.sort_unstable();
        let push = Push::Peer {
            album: *album,
            cert: cert.clone(),
            addresses: presence.addresses.clone(),
        };
        (!to.is_empty()).then_some(Delivery { to, push })
    }

    pub(super) fn forget_presence(&mut self, session: SessionId, key: (UserId, PublicKey)) {
        if self
            .presence
            .get(&key)
            .is_some_and(|presence| presence.session == session)
        {
            self.presence.remove(&key);
        }
    }

    /// Drops what has expired.
    pub fn sweep(&mut self, now_ms: u64) {
        self.presence.retain(|_, presence| presence.is_live(now_ms));
    }
}
