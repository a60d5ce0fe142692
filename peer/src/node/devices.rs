//! What devices are called, which are mine, and which were revoked.

use crdt::id::{PublicKey, UserId};
use crdt::keys::Revocation;
use serde::{Deserialize, Serialize};

use super::known::Known;
use super::news;
use super::run::Node;

/// What devices tell each other of themselves as a link begins (docs/protocol.md §10).
#[derive(Serialize, Deserialize)]
struct Hello {
    #[serde(default)]
    label: Option<String>,
}

/// What this device says.
pub(super) fn hello(label: &str) -> Vec<u8> {
    let label = Some(label.to_owned());
    serde_json::to_vec(&Hello { label }).expect("plain data has a JSON text")
}

impl Node {
    /// What a device told of itself as the link began.
    pub(super) fn learn_hello(&mut self, device: PublicKey, hello: &[u8]) {
        // An older program says nothing.
        if let Ok(Hello { label: Some(label) }) = serde_json::from_slice(hello) {
            self.learn_label(device, &label);
        }
    }

    /// What a device calls itself, as far as that is a name; kept over a restart.
    pub(super) fn learn_label(&mut self, device: PublicKey, label: &str) {
        let label = crdt::name::album_name(label).ok();
        let Some(known) = self.known.get_mut(&device).filter(|known| known.label != label) else {
            return;
        };
        known.label = label;
        let value = serde_json::to_vec(known).expect("plain data has a JSON text");
        self.put("devices", &device.0, value);
    }

    /// A name for a device: its own word for itself where that tells it from others, as its user has several or is mine.
    pub(super) fn label_of(&self, device: &PublicKey) -> Option<String> {
        let known = self.known.get(device)?;
        let user = known.certificate.user();
        let another =
            |(other, known): (&PublicKey, &Known)| other != device && known.certificate.user() == user;
        let several = self.user() == Some(user) || self.known.iter().any(another);
        known.label.clone().filter(|_| several)
    }

    /// My other devices that were met or heard of.
    pub(super) fn my_devices(&self) -> impl Iterator<Item = (&PublicKey, &Known)> {
        let (me, here) = (self.user(), self.device());
        self.known
            .iter()
            .filter(move |(device, known)| Some(known.certificate.user()) == me && Some(**device) != here)
    }

    /// This home's device key.
    pub(super) fn device(&self) -> Option<PublicKey> {
        self.account.as_ref().map(|account| account.certificate.device)
    }

    /// Takes in my root's word that a device is mine no longer: it gets no link any more, whoever tells of it; `false` if
    /// that was known, or is not my root's word.
    pub(super) fn learn_revocation(&mut self, revocation: &Revocation) -> bool {
        let root = self.account.as_ref().map(|account| account.certificate.root);
        let is_new = root == Some(revocation.root) && !self.revoked.contains_key(&revocation.device);
        if !is_new || !revocation.is_valid() {
            return false;
        }
        let device = revocation.device;
        let value = serde_json::to_vec(revocation).expect("plain data has a JSON text");
        self.put("revoked", &device.0, value);
        self.enforce(revocation.clone());
        if let Some(net) = &self.net {
            net.recheck();
        }
        true
    }

    /// From now on the guard knows it.
    pub(super) fn enforce(&mut self, revocation: Revocation) {
        self.gate.revoke(revocation.device);
        self.revoked.insert(revocation.device, revocation);
    }

    /// Whether this device itself was revoked, by its root's word: in albums here, or as the central handed it on.
    pub(super) fn is_revoked(&self) -> bool {
        let (Some(user), Some(device)) = (self.user(), self.device()) else {
            return false;
        };
        self.revoked.contains_key(&device)
            || self
                .engine
                .albums()
                .any(|album| album.device_revoked(&user, &device))
    }

    /// The central refuses this device, and shows its root's word: what it writes from now on, nobody takes.
    pub(super) fn was_revoked(&mut self, revocation: &Revocation) {
        if Some(revocation.device) == self.device() && self.learn_revocation(revocation) {
            news::warn(
                self,
                "this device was revoked by another of yours: what it writes now, nobody takes, and no peer links with it. Its \
                 albums stay here to be read; /export saves them"
                    .to_owned(),
            );
        }
    }

    /// Names of albums here in which a user has a place and that do not know of a device's revocation.
    pub(super) fn unaware_albums(&self, user: &UserId, device: &PublicKey) -> Vec<crdt::id::AlbumId> {
        let unaware = self.engine.albums().filter(|album| {
            album.has_genesis()
                && album.members().any(|member| member.user == *user)
                && !album.device_revoked(user, device)
        });
        unaware.map(crdt::Album::id).collect()
    }
}
