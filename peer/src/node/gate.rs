//! Who may link and read, for the guard's tasks: the engine's access rules, plus devices that this node itself looks for
//! because it enters an album whose ops it does not have yet, less those that their users' roots have revoked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crdt::id::{AlbumId, PublicKey};
use crdt::keys::Certificate;
use engine::Access;

/// Devices that are expected for albums that have not arrived. A central that lies has no end of them.
const EXPECTED_MAX: usize = 1_024;

/// The guard's policy, shared between the node and the links' tasks.
#[derive(Default)]
pub(super) struct Gate(Mutex<Rules>);

#[derive(Default)]
struct Rules {
    access: Access,
    /// Devices that are looked for, with the albums that they may bring.
    expected: BTreeMap<PublicKey, BTreeSet<AlbumId>>,
    /// Devices whose revocation by their root was seen, in whatever way it came. No album's ops need to tell of it.
    revoked: BTreeSet<PublicKey>,
    /// Certificates of the devices that asked for a link, newest answer of `may_link` true.
    certificates: BTreeMap<PublicKey, Certificate>,
}

impl Gate {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in new rules; the caller then has the guard recheck its links.
    pub(super) fn set_access(&self, access: Access) {
        self.rules().access = access;
    }

    /// From now on this device may not link, whatever the albums here say; the caller then has the guard recheck.
    pub(super) fn revoke(&self, device: PublicKey) {
        self.rules().revoked.insert(device);
    }

    /// From now on this device may link, as it may bring this album, until the album says that its user was removed; `false`
    /// where too many are expected already.
    pub(super) fn expect(&self, device: PublicKey, album: AlbumId) -> bool {
        let expected = &mut self.rules().expected;
        if expected.len() < EXPECTED_MAX || expected.contains_key(&device) {
            expected.entry(device).or_default().insert(album);
        }
        expected.contains_key(&device)
    }

    /// Whether the albums here let a device with this certificate in.
    pub(super) fn admits(&self, certificate: &Certificate) -> bool {
        let rules = self.rules();
        !rules.revoked.contains(&certificate.device) && rules.access.may_link(certificate)
    }
}

impl net::Policy for Gate {
    fn may_link(&self, device: &PublicKey, certificate: &Certificate) -> bool {
        let mut rules = self.rules();
        let is_revoked = rules.revoked.contains(device) || rules.access.is_revoked(certificate);
        let mut expected = rules.expected.get(device).into_iter().flatten();
        let may = !is_revoked
            && (rules.access.may_link(certificate)
                || expected.any(|album| !rules.access.is_former(album, certificate)));
        if may {
            rules.certificates.insert(*device, certificate.clone());
        } else {
            rules.certificates.remove(device);
        }
        may
    }

    fn may_read(&self, device: &PublicKey, topic: &AlbumId) -> bool {
        let rules = self.rules();
        let certificate = rules.certificates.get(device);
        certificate
            .filter(|_| !rules.revoked.contains(device))
            .is_some_and(|certificate| rules.access.may_read(topic, certificate))
    }
}

#[cfg(test)]
mod tests {
    use crdt::keys::KeyPair;
    use net::Policy as _;

    use super::*;

    /// The root's word counts more than an album that does not know of it yet, and more than one that this node looks for.
    #[test]
    fn a_revoked_device_is_let_in_by_nothing() {
        let (root, device) = (
            KeyPair::from_seed(&[1; 32]),
            KeyPair::from_seed(&[2; 32]).public(),
        );
        let certificate = Certificate::issue(&root, &device);
        let album = AlbumId([3; 32]);
        let mut access = Access::default();
        access.readers.insert(album, [certificate.user()].into());
        let gate = Gate::default();
        gate.set_access(access);
        gate.expect(device, album);
        assert!(gate.may_link(&device, &certificate) && gate.may_read(&device, &album));
        gate.revoke(device);
        assert!(!gate.may_read(&device, &album));
        assert!(!gate.may_link(&device, &certificate) && !gate.admits(&certificate));
    }

    #[test]
    fn so_many_devices_are_expected_and_no_more() {
        let gate = Gate::default();
        let device = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            PublicKey(key)
        };
        assert!((0..EXPECTED_MAX).all(|n| gate.expect(device(n), AlbumId([1; 32]))));
        assert!(!gate.expect(device(EXPECTED_MAX), AlbumId([1; 32])), "one past");
        assert!(
            gate.expect(device(7), AlbumId([1; 32])),
            "who is expected stays so"
        );
    }
}
