//! Who may link and read, for the guard's tasks: the engine's access rules, plus devices that this node itself looks for
//! because it enters an album whose ops it does not have yet.

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
    expected: BTreeSet<PublicKey>,
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

    /// From now on this device may link, whatever the albums here say; `false` where too many are expected already.
    pub(super) fn expect(&self, device: PublicKey) -> bool {
        let expected = &mut self.rules().expected;
        if expected.len() < EXPECTED_MAX {
            expected.insert(device);
        }
        expected.contains(&device)
    }

    /// Whether the albums here let a device with this certificate in.
    pub(super) fn admits(&self, certificate: &Certificate) -> bool {
        self.rules().access.may_link(certificate)
    }
}

impl net::Policy for Gate {
    fn may_link(&self, device: &PublicKey, certificate: &Certificate) -> bool {
        let mut rules = self.rules();
        let may = rules.access.may_link(certificate) || rules.expected.contains(device);
        if may {
            rules.certificates.insert(*device, certificate.clone());
        } else {
            rules.certificates.remove(device);
        }
        may
    }

    fn may_read(&self, device: &PublicKey, topic: &AlbumId) -> bool {
        let rules = self.rules();
        rules
            .certificates
            .get(device)
            .is_some_and(|certificate| rules.access.may_read(topic, certificate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_devices_are_expected_and_no_more() {
        let gate = Gate::default();
        let device = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            PublicKey(key)
        };
        assert!((0..EXPECTED_MAX).all(|n| gate.expect(device(n))));
        assert!(!gate.expect(device(EXPECTED_MAX)), "one past");
        assert!(gate.expect(device(7)), "who is expected stays so");
    }
}
