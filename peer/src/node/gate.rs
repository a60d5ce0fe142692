//! Who may link and read, for the guard's tasks: the engine's access rules, plus devices that this node itself looks for
//! because it enters an album whose ops it does not have yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crdt::id::{AlbumId, PublicKey};
use crdt::keys::Certificate;
use engine::Access;

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

    /// From now on this device may link, whatever the albums here say.
    pub(super) fn expect(&self, device: PublicKey) {
        self.rules().expected.insert(device);
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
