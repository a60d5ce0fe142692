//! The local network: this node announces itself there, and dials members that it recognises, so that two peers in one
//! network meet without a central. It is silent while the guard listens on loopback only.

use std::net::SocketAddr;
use std::time::Duration;

pub use central::lan::centrals;
use central::lan::{self, Announcement, FoundPeer, Heard, Lan, PEERS};
use crdt::id::PublicKey;
use tokio::time::Instant;

use super::known::ADDRESSES_MAX;
use super::run::{Handle, Node};

/// How often it is looked whether there is something to announce.
const LOOK: Duration = Duration::from_secs(1);
/// How long the network is left alone where it is flooded, or cannot be used.
const PAUSE: Duration = Duration::from_secs(600);
/// After this long the announcement gets another salt, so that strangers do not follow a device over the days.
const RENEW: Duration = Duration::from_secs(24 * 3600);
/// What the network says of a device is taken once in so many milliseconds: who repeats an announcement with other
/// addresses has us dial no more often.
const TAKEN_EVERY_MS: u64 = 3_000;

/// Announces and listens while the node runs.
pub(super) async fn run(handle: Handle) {
    loop {
        let Ok(wanted) = handle.with(|node| wanted(node)).await else {
            return;
        };
        let Some((listens, device)) = wanted else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let announcement = Announcement::peer(listens, &device);
        let served = match Lan::start(Some(&announcement), Some(PEERS)) {
            Ok(lan) => attend(&handle, lan, (listens, device)).await,
            Err(error) => {
                tracing::info!("{error}");
                false
            }
        };
        if !served {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Where others in the network reach this node, if they do.
fn wanted(node: &Node) -> Option<(SocketAddr, PublicKey)> {
    let listens = node.net.as_ref()?.local_addr();
    let device = node.account.as_ref()?.certificate.device;
    announces(node.config.mdns, listens).then_some((listens, device))
}

/// Nobody in the network reaches who listens on loopback, so nobody hears of him.
fn announces(mdns: bool, listens: SocketAddr) -> bool {
    mdns && !listens.ip().is_loopback()
}

/// Takes what is heard, until there is something else to announce; `false` where the network is to be left alone.
async fn attend(handle: &Handle, mut lan: Lan, announced: (SocketAddr, PublicKey)) -> bool {
    let until = Instant::now() + RENEW;
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            heard = lan.next() => match heard {
                Some(Heard::Peer(found)) => {
                    if handle.with(move |node| node.found_near(&found)).await.is_err() {
                        return true;
                    }
                }
                Some(Heard::Central(_)) => {}
                None => return false,
            },
            _ = look.tick() => {
                let wanted = handle.with(|node| wanted(node)).await;
                if wanted.ok().flatten() != Some(announced) || Instant::now() >= until {
                    return true;
                }
            }
        }
    }
}

impl Node {
    /// Somebody in the network says that he is a device; if it is one of a member, it is dialled there. TLS tells whether
    /// it was true.
    pub(super) fn found_near(&mut self, found: &FoundPeer) {
        let known = self.known.iter().find(|(device, known)| {
            lan::mark(&found.salt, device) == found.mark && self.gate.admits(&known.certificate)
        });
        let Some(device) = known.map(|(device, _)| *device) else {
            return;
        };
        let now = self.now();
        if let Some(known) = self.known.get_mut(&device)
            && known.near(&found.addresses, now)
        {
            self.dial_known();
        }
    }
}

impl super::known::Known {
    /// Takes addresses of the local network; whether there is something new to try.
    fn near(&mut self, addresses: &[SocketAddr], now_ms: u64) -> bool {
        if addresses.iter().all(|address| self.local.contains(address))
            || self
                .local_ms
                .is_some_and(|before| now_ms < before + TAKEN_EVERY_MS)
        {
            return false;
        }
        // The newest first, and the former behind: nobody pushes an address out by repeating another.
        let former = std::mem::take(&mut self.local);
        for address in addresses.iter().chain(&former) {
            if self.local.len() < ADDRESSES_MAX && !self.local.contains(address) {
                self.local.push(*address);
            }
        }
        self.local_ms = Some(now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use crdt::keys::{Certificate, KeyPair};

    use super::super::known::Known;
    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 7))
    }

    fn known() -> Known {
        let (root, device) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        Known::new(Certificate::issue(&root, &device.public()))
    }

    #[test]
    fn who_is_on_loopback_or_told_to_be_silent_says_nothing() {
        let listens = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(announces(true, listens("0.0.0.0:7")) && announces(true, listens("10.0.0.1:7")));
        for loopback in ["127.0.0.1:7", "127.9.9.9:7", "[::1]:7"] {
            assert!(!announces(true, listens(loopback)), "{loopback}");
        }
        assert!(!announces(false, listens("0.0.0.0:7")));
    }

    #[test]
    fn a_new_address_is_tried_and_a_repeated_one_is_not() {
        let mut bob = known();
        let mut now = 0;
        assert!(bob.near(&[at(1)], now));
        assert!(!bob.near(&[at(1)], now + 10 * TAKEN_EVERY_MS));
        // Others at once, and again and again: one of them each three seconds.
        assert!(!bob.near(&[at(2)], now + TAKEN_EVERY_MS - 1));
        now += TAKEN_EVERY_MS;
        assert!(bob.near(&[at(2)], now));
        assert_eq!(bob.ways(), [at(2), at(1)]);
    }

    #[test]
    fn so_many_addresses_are_kept_and_no_more() {
        let mut bob = known();
        let addresses = |from: u8, count: usize| (from..from + count as u8).map(at).collect::<Vec<_>>();
        assert!(bob.near(&addresses(1, ADDRESSES_MAX), 0));
        assert_eq!(bob.ways(), addresses(1, ADDRESSES_MAX));
        assert!(bob.near(&[at(100)], TAKEN_EVERY_MS));
        assert_eq!(
            bob.ways(),
            [vec![at(100)], addresses(1, ADDRESSES_MAX - 1)].concat()
        );
    }
}
