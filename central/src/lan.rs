//! Who is in the local network: what centrals and peers announce by multicast DNS (RFC 6762, 6763; crate `mdns-sd`), and
//! what is heard of them (docs/protocol.md §13).
//!
//! Whatever is heard is hostile: anybody in the network can say anything, without end. Nothing is believed; an address is
//! only tried, and TLS shows whose it is. A central is known by its pinned key, a peer by its device's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crdt::id::PublicKey;
use mdns_sd::{IfKind, Receiver, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::time::{Instant, timeout, timeout_at};

use crate::tls::Fingerprint;

/// Service type of centrals; fifteen letters are the most (RFC 6335).
pub const CENTRALS: &str = "_calotypecentral._tcp.local.";
/// Service type of peers.
pub const PEERS: &str = "_calotype._tcp.local.";

/// Addresses of one service that are looked at.
pub const ADDRESSES_MAX: usize = 6;
/// Longest value in a TXT record that is looked at, bytes: 32 bytes in base64url.
pub const VALUE_BYTES_MAX: usize = 43;
/// Values in a TXT record; one with more is not ours.
pub const VALUES_MAX: usize = 8;
/// Centrals that one search finds.
pub const CENTRALS_MAX: usize = 16;
/// Records that the resolver may hold for us. A network where more come has somebody who floods it.
pub const RECORDS_MAX: i64 = 4_096;
/// How often the resolver is asked how many it holds.
const RECORDS_LOOK: Duration = Duration::from_millis(250);
/// How long it may take to answer that.
const RECORDS_WAIT: Duration = Duration::from_secs(5);

/// What domain-separates a peer's mark.
const MARK_CONTEXT: &str = "calotype 1 mark in the local network";

/// Multicast DNS cannot be used here.
#[derive(Debug, thiserror::Error)]
#[error("multicast dns: {0}")]
pub struct LanError(String);

impl From<mdns_sd::Error> for LanError {
    fn from(error: mdns_sd::Error) -> Self {
        Self(error.to_string())
    }
}

/// A central that somebody says is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCentral {
    /// Where it listens.
    pub address: SocketAddr,
    /// The key it says it has; it is the caller's matter to know which is right.
    pub pin: Fingerprint,
}

/// A peer that somebody says is there: whoever knows the device's key knows it by its mark, nobody else does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPeer {
    /// Drawn anew at each start and each day.
    pub salt: [u8; 16],
    /// See [`mark`].
    pub mark: [u8; 16],
    /// Where it listens: at least one, addresses of private networks only.
    pub addresses: Vec<SocketAddr>,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Of a central; one for each of its addresses.
    Central(Vec<FoundCentral>),
    /// Of a peer.
    Peer(FoundPeer),
}

/// How a device is recognised by those who know its key. To others it is random, and on another day another one.
pub fn mark(salt: &[u8; 16], device: &PublicKey) -> [u8; 16] {
    let key = blake3::derive_key(MARK_CONTEXT, salt);
    let hash = blake3::keyed_hash(&key, &device.0);
    let mut mark = [0; 16];
    mark.copy_from_slice(&hash.as_bytes()[..16]);
    mark
}

/// What to say of ourselves.
#[derive(Debug, Clone)]
pub struct Announcement {
    kind: &'static str,
    listens: SocketAddr,
    values: Vec<(&'static str, String)>,
}

impl Announcement {
    /// A central that listens there, with this key.
    pub fn central(listens: SocketAddr, key: &Fingerprint) -> Self {
        Self {
            kind: CENTRALS,
            listens,
            values: vec![("v", "1".into()), ("pin", URL_SAFE_NO_PAD.encode(key))],
        }
    }

    /// A peer that listens there, with this device.
    pub fn peer(listens: SocketAddr, device: &PublicKey) -> Self {
        let salt: [u8; 16] = rand::random();
        Self {
            kind: PEERS,
            listens,
            values: vec![
                ("v", "1".into()),
                ("s", URL_SAFE_NO_PAD.encode(salt)),
                ("d", URL_SAFE_NO_PAD.encode(mark(&salt, device))),
            ],
        }
    }
}

/// The local network: announced to and listened to until it is dropped.
pub struct Lan {
    daemon: ServiceDaemon,
    events: Option<Receiver<ServiceEvent>>,
    look: Instant,
}

impl Lan {
    /// Announces, or listens for services of a type, or both. Sends packets from now on.
    ///
    /// # Errors
    /// No socket, or no network that takes multicast.
    pub fn start(announcement: Option<&Announcement>, listen_for: Option<&str>) -> Result<Self, LanError> {
        let daemon = ServiceDaemon::new()?;
        let mut lan = Self {
            daemon,
            events: None,
            look: Instant::now(),
        };
        // What listens on 0.0.0.0 is not reached by IPv6.
        lan.daemon
            .disable_interface(vec![IfKind::IPv6, IfKind::LoopbackV4])?;
        if let Some(announcement) = announcement {
            lan.announce(announcement)?;
        }
        lan.events = listen_for.map(|kind| lan.daemon.browse(kind)).transpose()?;
        Ok(lan)
    }

    fn announce(&self, it: &Announcement) -> Result<(), LanError> {
        // No name of a machine or a person.
        let instance = format!("{:016x}", rand::random::<u64>());
        let host = format!("calotype-{instance}.local.");
        let values: Vec<(&str, &str)> = it
            .values
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let (ip, port) = (it.listens.ip(), it.listens.port());
        let service = match ip.is_unspecified() {
            true => ServiceInfo::new(it.kind, &instance, &host, (), port, &values[..])?.enable_addr_auto(),
            false => ServiceInfo::new(it.kind, &instance, &host, ip, port, &values[..])?,
        };
        Ok(self.daemon.register(service)?)
    }

    /// What is heard next; none where the network is flooded or the resolver has ended: drop it then, and leave the network
    /// alone for a while. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        let events = self.events.clone()?;
        loop {
            // First, as in a flood there is always something to hear.
            if Instant::now() >= self.look {
                if self.records().await? > RECORDS_MAX {
                    tracing::warn!("the local network is flooded with announcements");
                    return None;
                }
                self.look = Instant::now() + RECORDS_LOOK;
            }
            match timeout_at(self.look, events.recv_async()).await {
                Ok(Ok(ServiceEvent::ServiceResolved(service))) => {
                    if let Some(heard) = heard(&Said::from(&*service)) {
                        return Some(heard);
                    }
                }
                Ok(Ok(_)) | Err(_) => {}
                // It closes the channel of who does not keep up.
                Ok(Err(_)) => return None,
            }
        }
    }

    /// How many records the resolver holds.
    async fn records(&self) -> Option<i64> {
        let metrics = self.daemon.get_metrics().ok()?;
        let metrics = timeout(RECORDS_WAIT, metrics.recv_async()).await.ok()?.ok()?;
        let held = metrics.iter().filter(|(name, _)| name.starts_with("cached-"));
        Some(held.map(|(_, count)| count).sum())
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // Says goodbye for what was announced.
        if let Err(error) = self.daemon.shutdown() {
            tracing::debug!(%error, "multicast dns");
        }
    }
}

/// Centrals that announce themselves in the local network within `wait`, each once.
///
/// # Errors
/// As [`Lan::start`].
pub async fn centrals(wait: Duration) -> Result<Vec<FoundCentral>, LanError> {
    let mut lan = Lan::start(None, Some(CENTRALS))?;
    let until = Instant::now() + wait;
    let mut found: Vec<FoundCentral> = Vec::new();
    while let Ok(Some(heard)) = timeout_at(until, lan.next()).await {
        let Heard::Central(centrals) = heard else { continue };
        for central in centrals {
            if !found.contains(&central) && found.len() < CENTRALS_MAX {
                found.push(central);
            }
        }
    }
    Ok(found)
}

/// A service as it was said.
struct Said<'a> {
    kind: &'a str,
    addresses: Vec<IpAddr>,
    port: u16,
    values: Vec<(&'a str, &'a [u8])>,
}

impl<'a> From<&'a ResolvedService> for Said<'a> {
    fn from(service: &'a ResolvedService) -> Self {
        let values = service.txt_properties.iter().take(VALUES_MAX + 1);
        Self {
            kind: &service.ty_domain,
            addresses: service.addresses.iter().map(|ip| ip.to_ip_addr()).collect(),
            port: service.port,
            values: values
                .map(|value| (value.key(), value.val().unwrap_or_default()))
                .collect(),
        }
    }
}

/// What of it has a form that ours have.
fn heard(said: &Said<'_>) -> Option<Heard> {
    if said.values.len() > VALUES_MAX || said.port == 0 || value(said, "v")? != b"1" {
        return None;
    }
    // In an order of their own: the resolver has none.
    let mut near: Vec<Ipv4Addr> = said.addresses.iter().copied().filter_map(near).collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(ADDRESSES_MAX);
    if near.is_empty() {
        return None;
    }
    let addresses = near.into_iter().map(|ip| SocketAddr::from((ip, said.port)));
    match said.kind {
        CENTRALS => {
            let pin = bytes(said, "pin")?;
            Some(Heard::Central(
                addresses.map(|address| FoundCentral { address, pin }).collect(),
            ))
        }
        PEERS => Some(Heard::Peer(FoundPeer {
            salt: bytes(said, "s")?,
            mark: bytes(said, "d")?,
            addresses: addresses.collect(),
        })),
        _ => None,
    }
}

/// An address of a private network (RFC 1918, RFC 3927, RFC 6598): whoever says another one has us knock at strangers' doors.
fn near(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V4(ip) = ip else { return None };
    let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
    (ip.is_private() || ip.is_link_local() || shared).then_some(ip)
}

fn value<'a>(said: &Said<'a>, key: &str) -> Option<&'a [u8]> {
    let mut all = said.values.iter().filter(|(name, _)| *name == key);
    let (_, value) = all.next()?;
    (value.len() <= VALUE_BYTES_MAX && all.next().is_none()).then_some(*value)
}

fn bytes<const N: usize>(said: &Said<'_>, key: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(value(said, key)?).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn device(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    /// What an announcement of ours sounds like to another.
    fn said(it: &Announcement, addresses: &[&str]) -> Option<Heard> {
        heard(&Said {
            kind: it.kind,
            addresses: addresses.iter().map(|text| ip(text)).collect(),
            port: it.listens.port(),
            values: it
                .values
                .iter()
                .map(|(key, value)| (*key, value.as_bytes()))
                .collect(),
        })
    }

    fn listens() -> SocketAddr {
        "0.0.0.0:7440".parse().unwrap()
    }

    #[test]
    fn what_we_announce_is_understood() {
        let key = [9; 32];
        let central = Announcement::central(listens(), &key);
        let found = |text: &str| FoundCentral {
            address: SocketAddr::new(ip(text), 7440),
            pin: key,
        };
        assert_eq!(
            said(&central, &["192.168.1.5", "10.0.0.5"]),
            Some(Heard::Central(vec![found("10.0.0.5"), found("192.168.1.5")]))
        );
        let peer = Announcement::peer(listens(), &device(1));
        let Some(Heard::Peer(heard)) = said(&peer, &["10.0.0.5"]) else {
            panic!("{peer:?}")
        };
        assert_eq!(heard.addresses, ["10.0.0.5:7440".parse().unwrap()]);
        // Who knows the device recognises it; another device, or another day, looks different.
        assert_eq!(heard.mark, mark(&heard.salt, &device(1)));
        assert_ne!(heard.mark, mark(&heard.salt, &device(2)));
        let Some(Heard::Peer(again)) = said(&Announcement::peer(listens(), &device(1)), &["10.0.0.5"]) else {
            panic!()
        };
        assert_ne!(heard.mark, again.mark);
    }

    /// Nothing of the device, the user or the machine is in what is said.
    #[test]
    fn an_announcement_names_nobody() {
        let peer = Announcement::peer(listens(), &device(7));
        let keys: Vec<&str> = peer.values.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["v", "s", "d"]);
        let key = URL_SAFE_NO_PAD.encode(device(7).0);
        assert!(
            peer.values
                .iter()
                .all(|(_, value)| value.len() <= 22 && !key.contains(value.as_str()) || value == "1")
        );
    }

    /// Only addresses that a local network has are tried: an announcement must not send us elsewhere.
    #[test]
    fn addresses_elsewhere_are_not_taken() {
        let central = Announcement::central(listens(), &[9; 32]);
        for text in [
            "8.8.8.8",
            "127.0.0.1",
            "0.0.0.0",
            "224.0.0.251",
            "255.255.255.255",
            "192.0.2.1",
            "100.128.0.1",
            "172.32.0.1",
            "::1",
            "fe80::1",
            "2001:db8::1",
        ] {
            assert_eq!(said(&central, &[text]), None, "{text}");
        }
        for text in [
            "10.255.0.1",
            "172.16.0.1",
            "192.168.255.254",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
        ] {
            assert!(said(&central, &[text]).is_some(), "{text}");
        }
    }

    #[test]
    fn limits_are_at_their_names() {
        let key = URL_SAFE_NO_PAD.encode([9; 32]);
        assert_eq!(key.len(), VALUE_BYTES_MAX);
        let of = |values: Vec<(&str, &[u8])>, addresses: usize| {
            let addresses = (0..addresses)
                .map(|n| IpAddr::from([10, 0, 0, n as u8]))
                .collect();
            heard(&Said {
                kind: CENTRALS,
                addresses,
                port: 7,
                values,
            })
        };
        let ours = || vec![("v", &b"1"[..]), ("pin", key.as_bytes())];
        let count = |heard: Option<Heard>| match heard {
            Some(Heard::Central(all)) => all.len(),
            _ => 0,
        };
        assert_eq!(count(of(ours(), ADDRESSES_MAX)), ADDRESSES_MAX);
        assert_eq!(
            count(of(ours(), ADDRESSES_MAX + 1)),
            ADDRESSES_MAX,
            "one past is not looked at"
        );
        let with = |more: usize| [ours(), vec![("x", &b"y"[..]); more]].concat();
        assert!(of(with(VALUES_MAX - 2), 1).is_some());
        assert_eq!(of(with(VALUES_MAX - 1), 1), None);
        let long = [key.as_bytes(), b"A"].concat();
        assert_eq!(of(vec![("v", b"1"), ("pin", &long)], 1), None);
    }

    #[test]
    fn what_has_another_form_is_nothing() {
        let key = URL_SAFE_NO_PAD.encode([9; 32]);
        let key = key.as_bytes();
        let of = |kind: &str, port: u16, values: &[(&str, &[u8])]| {
            let (addresses, values) = (vec![ip("10.0.0.1")], values.to_vec());
            heard(&Said {
                kind,
                addresses,
                port,
                values,
            })
        };
        assert!(of(CENTRALS, 7, &[("v", b"1"), ("pin", key)]).is_some());
        for (kind, port, values) in [
            (CENTRALS, 0, &[("v", &b"1"[..]), ("pin", key)][..]),
            (CENTRALS, 7, &[("v", b"2"), ("pin", key)]),
            (CENTRALS, 7, &[("pin", key)]),
            (CENTRALS, 7, &[("v", b"1")]),
            (CENTRALS, 7, &[("v", b"1"), ("pin", b"\xff\xfe")]),
            (CENTRALS, 7, &[("v", b"1"), ("pin", &key[1..])]),
            (CENTRALS, 7, &[("v", b"1"), ("pin", key), ("pin", key)]),
            (PEERS, 7, &[("v", b"1"), ("s", key), ("d", key)]),
            ("_ipp._tcp.local.", 7, &[("v", b"1"), ("pin", key)]),
        ] {
            assert_eq!(of(kind, port, values), None, "{kind} {port} {values:?}");
        }
    }
}
