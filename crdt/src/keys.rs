//! Keys and what they vouch for: users, devices, actors, signatures under a domain.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::id::{ActorId, Incarnation, PublicKey, Signature, UserId};

/// What a signature is for; the text goes in front of the signed bytes, so that a signature made for one
/// purpose is worth nothing for another. Each ends in a newline and names its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// An op's header.
    Op,
    /// A device certificate, signed by the user's root.
    Certificate,
    /// Answer to a central's challenge, signed by a device.
    Session,
    /// A list of an album's members for the central, signed by a device.
    AlbumList,
    /// That a device is its user's no longer, signed by the user's root.
    Revocation,
    /// An invite's text, signed by the device that invites.
    Invite,
    /// The transcript of an exchange over a code, signed by each side's device.
    Code,
}

impl Domain {
    const fn text(self) -> &'static str {
        match self {
            Domain::Op => "calotype 1 op\n",
            Domain::Certificate => "calotype 1 device certificate\n",
            Domain::Session => "calotype 1 central session\n",
            Domain::AlbumList => "calotype 1 album list\n",
            Domain::Revocation => "calotype 1 device revocation\n",
            Domain::Invite => "calotype 1 invite\n",
            Domain::Code => "calotype 1 code\n",
        }
    }

    fn message(self, bytes: &[u8]) -> Vec<u8> {
        [self.text().as_bytes(), bytes].concat()
    }
}

/// An Ed25519 key pair; the secret half is wiped when dropped (`ed25519-dalek`'s `zeroize`).
#[derive(Clone)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// From 32 secret bytes, drawn by the caller (this crate has no random source).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 secret bytes.
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The secret half as an X25519 key, for what is sealed for [`sealing_key`] of the public one. That one key signs
    /// and opens is covered by ePrint 2021/509.
    pub fn opening_key(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_scalar_bytes())
    }

    /// Signs `domain ‖ bytes`.
    pub fn sign(&self, domain: Domain, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(&domain.message(bytes)).to_bytes())
    }
}

/// Whether `signature` over `domain ‖ bytes` is `key`'s. Always the strict rule (`verify_strict`: canonical
/// encodings, no small-order keys), never a batch, so that all peers agree on every signature.
pub fn verify(key: &PublicKey, domain: Domain, bytes: &[u8], signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(&key.0) else {
        return false;
    };
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(&domain.message(bytes), &signature).is_ok()
}

/// The X25519 form of an Ed25519 public key; `None` where the bytes are no key.
pub fn sealing_key(key: &PublicKey) -> Option<[u8; 32]> {
    let key = VerifyingKey::from_bytes(&key.0).ok()?;
    (!key.is_weak()).then(|| key.to_montgomery().to_bytes())
}

/// User id = BLAKE3(root public key), keyed for this purpose.
pub fn user_id(root: &PublicKey) -> UserId {
    UserId(blake3::derive_key("calotype 1 user id", &root.0))
}

/// Actor id = first 16 bytes of BLAKE3(user id ‖ device key ‖ incarnation), keyed for this purpose.
pub fn actor_id(user: &UserId, device: &PublicKey, incarnation: &Incarnation) -> ActorId {
    let bytes = [&user.0[..], &device.0, &incarnation.0].concat();
    let hash = blake3::derive_key("calotype 1 actor id", &bytes);
    let mut out = [0; 16];
    out.copy_from_slice(&hash[..16]);
    ActorId(out)
}

/// A root's word that a device key is its user's: a signature over `root ‖ device` (64 bytes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The user's root key.
    pub root: PublicKey,
    /// The device's key.
    pub device: PublicKey,
    /// The root's signature.
    pub sig: Signature,
}

impl Certificate {
    /// Signs `device` with `root`.
    pub fn issue(root: &KeyPair, device: &PublicKey) -> Self {
        let bytes = [root.public().0, device.0].concat();
        Self {
            root: root.public(),
            device: *device,
            sig: root.sign(Domain::Certificate, &bytes),
        }
    }

    /// Whether the root really signed this device.
    pub fn is_valid(&self) -> bool {
        let bytes = [self.root.0, self.device.0].concat();
        verify(&self.root, Domain::Certificate, &bytes, &self.sig)
    }

    /// The user it speaks of.
    pub fn user(&self) -> UserId {
        user_id(&self.root)
    }
}

/// A root's word that a device is its user's no longer: a signature over `root ‖ device` (64 bytes). It speaks to the
/// central and to the guards; what the device wrote is judged by `revoke` facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The user's root key.
    pub root: PublicKey,
    /// The device's key.
    pub device: PublicKey,
    /// The root's signature.
    pub sig: Signature,
}

impl Revocation {
    /// Signs `device` away with `root`.
    pub fn issue(root: &KeyPair, device: &PublicKey) -> Self {
        let bytes = [root.public().0, device.0].concat();
        Self {
            root: root.public(),
            device: *device,
            sig: root.sign(Domain::Revocation, &bytes),
        }
    }

    /// Whether the root really signed it, and of another key than its own.
    pub fn is_valid(&self) -> bool {
        let bytes = [self.root.0, self.device.0].concat();
        self.root != self.device && verify(&self.root, Domain::Revocation, &bytes, &self.sig)
    }

    /// The user it speaks of.
    pub fn user(&self) -> UserId {
        user_id(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_domain_only() {
        let pair = KeyPair::from_seed(&[7; 32]);
        let sig = pair.sign(Domain::Op, b"{}");
        assert!(verify(&pair.public(), Domain::Op, b"{}", &sig));
        assert!(!verify(&pair.public(), Domain::Session, b"{}", &sig));
        assert!(!verify(&pair.public(), Domain::Op, b"{} ", &sig));
        assert!(!verify(
            &KeyPair::from_seed(&[8; 32]).public(),
            Domain::Op,
            b"{}",
            &sig
        ));
    }

    #[test]
    fn nothing_is_sealed_for_a_key_that_anybody_opens() {
        assert!(sealing_key(&KeyPair::from_seed(&[7; 32]).public()).is_some());
        let mut weak = [0; 32];
        weak[0] = 1;
        assert_eq!(sealing_key(&PublicKey(weak)), None);
        assert_eq!(sealing_key(&PublicKey([2; 32])), None, "no point of the curve");
    }

    #[test]
    fn a_certificate_binds_both_keys() {
        let (root, device) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        let good = Certificate::issue(&root, &device.public());
        assert!(good.is_valid());
        assert!(
            !Certificate {
                device: root.public(),
                ..good.clone()
            }
            .is_valid()
        );
        assert!(
            !Certificate {
                root: device.public(),
                ..good
            }
            .is_valid()
        );
    }

    /// A certificate's signature revokes nothing, nobody but the root does, and the root not itself.
    #[test]
    fn a_revocation_is_the_roots_own_word() {
        let (root, device) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        let good = Revocation::issue(&root, &device.public());
        assert!(good.is_valid());
        let of_certificate = Certificate::issue(&root, &device.public()).sig;
        for wrong in [
            Revocation {
                sig: of_certificate,
                ..good.clone()
            },
            Revocation {
                device: PublicKey([3; 32]),
                ..good.clone()
            },
            Revocation {
                root: device.public(),
                ..good
            },
            Revocation::issue(&root, &root.public()),
        ] {
            assert!(!wrong.is_valid());
        }
    }

    #[test]
    fn a_weak_key_verifies_nothing() {
        // The identity point as key and as R, and s = 0: passes for any text by the lax rule of RFC 8032.
        let (mut weak, mut signature) = ([0; 32], [0; 64]);
        (weak[0], signature[0]) = (1, 1);
        let lax = ed25519_dalek::Signature::from_bytes(&signature);
        let key = VerifyingKey::from_bytes(&weak).unwrap();
        assert!(ed25519_dalek::Verifier::verify(&key, b"x", &lax).is_ok());
        assert!(!verify(&PublicKey(weak), Domain::Op, b"x", &Signature(signature)));
    }
}
