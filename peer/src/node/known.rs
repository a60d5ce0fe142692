//! Devices of members that this node has met or was told of, where they were, and who is dialled.
//!
//! A central and whoever is in the local network may lie about addresses, so what they say stands beside the address that
//! last led to the device, and never takes its place; and only devices are kept that may link here.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crdt::id::PublicKey;
use crdt::keys::Certificate;
use net::Policy as _;
use serde::{Deserialize, Serialize};

use super::run::{Node, clock_ms};

/// Devices that are kept. A member with more of them than anybody needs cannot make it grow.
pub(super) const DEVICES_MAX: usize = 4_096;
/// Addresses of a device that are kept as the central told them, and as the local network does.
pub(super) const ADDRESSES_MAX: usize = 6;

/// What is known of a device of a member.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) certificate: Certificate,
    pub(super) name: String,
    /// Where the central last said that it is.
    pub(super) addresses: Vec<SocketAddr>,
    /// Where it was last found by dialling.
    #[serde(default)]
    pub(super) found: Option<SocketAddr>,
    /// Where it says in the local network that it is.
    #[serde(skip)]
    pub(super) local: Vec<SocketAddr>,
    /// When that was last taken, in the engine's time.
    #[serde(skip)]
    pub(super) local_ms: Option<u64>,
    /// What it calls itself.
    #[serde(default)]
    pub(super) label: Option<String>,
    /// When a link with it was last up, milliseconds since 1970.
    #[serde(default)]
    pub(super) seen: Option<u64>,
}

impl Known {
    pub(super) fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            name: String::new(),
            addresses: Vec::new(),
            found: None,
            local: Vec::new(),
            local_ms: None,
            label: None,
            seen: None,
        }
    }

    /// Where to look for it, the best first: where it was found, the local network, what the central said.
    pub(super) fn ways(&self) -> Vec<SocketAddr> {
        let mut ways: Vec<SocketAddr> = Vec::new();
        let all = self.found.iter().chain(&self.local).chain(&self.addresses);
        for address in all {
            if !ways.contains(address) {
                ways.push(*address);
            }
        }
        ways
    }
}

impl Node {
    /// Notes a device of a member; addresses that the central tells take the place of its former ones. Kept over a
    /// restart.
    pub(super) fn learn(
        &mut self,
        device: PublicKey,
        certificate: Certificate,
        name: Option<String>,
        mut addresses: Vec<SocketAddr>,
    ) {
        let user = certificate.user();
        let named = self.engine.albums().find_map(|album| album.name_of(&user));
        let before = self.known.get(&device);
        if before.is_none() && !self.room_for_a_device() {
            return;
        }
        let before = self.known.get(&device);
        let mut known = before.cloned().unwrap_or_else(|| Known::new(certificate));
        if let Some(name) = name.or(named) {
            known.name = name;
        }
        if !addresses.is_empty() {
            addresses.truncate(ADDRESSES_MAX);
            known.addresses = addresses;
        }
        if before != Some(&known) {
            self.keep(device, known);
        }
    }

    /// Whether one more device can be kept; of too many one goes that was never linked.
    fn room_for_a_device(&mut self) -> bool {
        match place(&self.known) {
            Place::Free => true,
            Place::Of(device) => {
                self.known.remove(&device);
                self.delete("devices", &device.0);
                true
            }
            Place::None => false,
        }
    }

    fn keep(&mut self, device: PublicKey, known: Known) {
        let value = serde_json::to_vec(&known).expect("plain data has a JSON text");
        self.put("devices", &device.0, value);
        self.known.insert(device, known);
    }

    /// A link is up, or was until now; `found` is the address that led to it, if we dialled.
    pub(super) fn note_link(&mut self, device: PublicKey, found: Option<SocketAddr>) {
        if let Some(mut known) = self.known.get(&device).cloned() {
            known.seen = Some(clock_ms());
            known.found = found.or(known.found);
            self.keep(device, known);
        }
    }

    /// Looks for all known devices that may link and are not blocked.
    pub(super) fn dial_known(&self) {
        let Some(net) = &self.net else { return };
        let me = self.account.as_ref().map(|account| account.certificate.device);
        for (device, known) in &self.known {
            let ways = known.ways();
            let wanted = Some(*device) != me && !self.blocked.contains(device) && !ways.is_empty();
            if wanted && self.gate.may_link(device, &known.certificate) {
                net.dial(*device, ways);
            }
        }
    }
}

/// Where one more device is kept.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Beside the others.
    Free,
    /// Instead of this one, which was never linked.
    Of(PublicKey),
    /// Nowhere: all were.
    None,
}

fn place(known: &BTreeMap<PublicKey, Known>) -> Place {
    if known.len() < DEVICES_MAX {
        return Place::Free;
    }
    let never = known.iter().find(|(_, known)| known.seen.is_none());
    never.map_or(Place::None, |(device, _)| Place::Of(*device))
}

#[cfg(test)]
mod tests {
    use crdt::keys::KeyPair;

    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// A central that says something else, or nothing, does not make us forget where bob was found; and what the net
    /// keeps for dialling is room enough for all of it.
    #[test]
    fn where_somebody_was_found_comes_first_and_stays() {
        let root = KeyPair::from_seed(&[1; 32]);
        let mut known = Known::new(Certificate::issue(&root, &KeyPair::from_seed(&[2; 32]).public()));
        assert!(known.ways().is_empty());
        known.addresses = vec![at(1), at(2)];
        known.found = Some(at(2));
        known.local = vec![at(3), at(1)];
        assert_eq!(known.ways(), [at(2), at(3), at(1)]);
        let text = serde_json::to_string(&known).unwrap();
        let again: Known = serde_json::from_str(&text).unwrap();
        assert_eq!(
            again.ways(),
            [at(2), at(1)],
            "what a local network said is not kept"
        );
        const { assert!(2 * ADDRESSES_MAX < net::limits::ADDRESSES_MAX) };
    }

    /// What an earlier version kept is read.
    /// Whoever names devices without end pushes out none that was met.
    #[test]
    fn so_many_devices_are_kept_and_no_more() {
        let root = KeyPair::from_seed(&[1; 32]);
        let certificate = Certificate::issue(&root, &KeyPair::from_seed(&[2; 32]).public());
        let device = |n: usize| PublicKey(*blake3::hash(&n.to_le_bytes()).as_bytes());
        let known = |n: usize, seen| {
            let mut known = Known::new(certificate.clone());
            known.seen = seen;
            (device(n), known)
        };
        let mut all: BTreeMap<_, _> = (1..DEVICES_MAX).map(|n| known(n, Some(1))).collect();
        assert_eq!(place(&all), Place::Free);
        all.extend([known(0, None)]);
        assert_eq!((all.len(), place(&all)), (DEVICES_MAX, Place::Of(device(0))));
        all.extend([known(0, Some(1))]);
        assert_eq!(place(&all), Place::None);
    }

    #[test]
    fn an_entry_without_newer_keys_is_read() {
        let root = KeyPair::from_seed(&[1; 32]);
        let certificate = Certificate::issue(&root, &KeyPair::from_seed(&[2; 32]).public());
        let text =
            serde_json::json!({"certificate": certificate, "name": "bob", "addresses": ["192.0.2.1:7"]});
        let known: Known = serde_json::from_value(text).unwrap();
        assert_eq!((known.ways(), known.seen), (vec![at(7)], None));
    }
}
