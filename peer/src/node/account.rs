//! The account of a home: who it is, its device key, and the user's root key sealed under the password.
//!
//! `account.json` (0600) holds the device's secret seed in the clear, as any program that works unattended must, and
//! the root's seed encrypted: Argon2id over the password gives the key, XChaCha20-Poly1305 seals. Only approving or
//! revoking devices needs the root.

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use crdt::id::{Incarnation, PublicKey};
use crdt::keys::{Certificate, KeyPair};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use store::Home;
use zeroize::Zeroizing;

use crate::api::{Code, Failure};

/// Name of the file in the home.
const FILE: &str = "account.json";
/// Argon2id (RFC 9106): memory in KiB, passes, lanes.
const ARGON2: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Who this home is.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    v: u32,
    /// Account name.
    pub(super) name: String,
    /// Whether the central has it: false only between writing this file and the central's answer.
    pub(super) confirmed: bool,
    device_seed: String,
    /// The root's word for the device.
    pub(super) certificate: Certificate,
    sealed_root: Sealed,
}

#[derive(Clone, Serialize, Deserialize)]
struct Sealed {
    salt: String,
    nonce: String,
    text: String,
}

impl Account {
    /// A new user with a new root, and this device as its first.
    pub(super) fn create(name: &str, password: &str) -> Result<Self, Failure> {
        let mut root_seed = Zeroizing::new([0; 32]);
        rand::rngs::OsRng.fill_bytes(&mut *root_seed);
        Self::of_root(name, &KeyPair::from_seed(&root_seed), password)
    }

    /// A new device of the user whose root this is.
    pub(super) fn of_root(name: &str, root: &KeyPair, password: &str) -> Result<Self, Failure> {
        let mut device_seed = Zeroizing::new([0; 32]);
        rand::rngs::OsRng.fill_bytes(&mut *device_seed);
        let device = KeyPair::from_seed(&device_seed).public();
        Ok(Self {
            v: 1,
            name: name.into(),
            confirmed: false,
            device_seed: store_hex(&*device_seed),
            certificate: Certificate::issue(root, &device),
            sealed_root: Sealed::new(root, password)?,
        })
    }

    /// A new device that another one certified, with the sealed root that it sent ([`Account::sealed_root`]).
    ///
    /// # Errors
    /// `auth` where the certificate is not this device's, or the sealed root none.
    pub(super) fn approved(
        name: &str,
        device: &KeyPair,
        certificate: Certificate,
        sealed_root: &[u8],
    ) -> Result<Self, Failure> {
        let wrong = |message: &str| Failure::new(Code::Auth, message, "make a new code: /approveDevice");
        if certificate.device != device.public() || !certificate.is_valid() {
            return Err(wrong("the other machine's certificate is not for this one"));
        }
        let name = crdt::name::user_name(name).map_err(|_| wrong("the account's name is none"))?;
        Ok(Self {
            v: 1,
            name,
            confirmed: false,
            device_seed: store_hex(&*device.seed()),
            certificate,
            sealed_root: serde_json::from_slice(sealed_root)
                .map_err(|_| wrong("the other machine sent no sealed root key"))?,
        })
    }

    /// The root key under the password, as another device keeps it (docs/protocol.md §11).
    pub(super) fn sealed_root(&self) -> Vec<u8> {
        serde_json::to_vec(&self.sealed_root).expect("plain data has a JSON text")
    }

    /// Reads the home's account, if it has one.
    pub(super) fn load(home: &Home) -> Result<Option<Self>, Failure> {
        let damaged = |why: String| {
            let message = format!("{} is damaged: {why}", home.path().join(FILE).display());
            Failure::new(
                Code::Damaged,
                message,
                "restore it from a backup, or use another --home and register anew",
            )
        };
        let bytes = home
            .read_private(FILE)
            .map_err(|error| damaged(error.to_string()))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let account: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let device = account
            .try_device()
            .ok_or_else(|| damaged("no device key".into()))?;
        if account.v != 1 || account.certificate.device != device.public() || !account.certificate.is_valid()
        {
            return Err(damaged("its keys do not belong together".into()));
        }
        Ok(Some(account))
    }

    /// Writes it durably, 0600.
    pub(super) fn save(&self, home: &Home) -> Result<(), Failure> {
        let bytes = serde_json::to_vec_pretty(self).expect("plain data has a JSON text");
        home.write_private(FILE, &bytes).map_err(|error| {
            Failure::new(
                Code::Internal,
                error.to_string(),
                "free some space or check the folder's permissions",
            )
        })
    }

    /// Takes back an account that the central refused.
    pub(super) fn forget(home: &Home) -> Result<(), Failure> {
        let removed = home.remove_private(FILE);
        removed
            .map(drop)
            .map_err(|error| Failure::new(Code::Internal, error.to_string(), ""))
    }

    fn try_device(&self) -> Option<KeyPair> {
        PublicKey::from_hex(&self.device_seed).map(|seed| KeyPair::from_seed(&seed.0))
    }

    /// This device's key pair.
    pub(super) fn device(&self) -> KeyPair {
        self.try_device().expect("checked when it was loaded or made")
    }

    /// Who writes, in this life of the database.
    pub(super) fn author(&self, incarnation: Incarnation) -> crdt::Author {
        crdt::Author {
            device: self.device(),
            certificate: self.certificate.clone(),
            incarnation,
        }
    }

    /// Whether this password opens the sealed root: what signs in when the central cannot be asked.
    pub(super) fn password_fits(&self, password: &str) -> bool {
        self.root(password).is_ok()
    }

    /// The root key, for as long as the caller keeps it. Takes Argon2's time.
    ///
    /// # Errors
    /// `auth`: another password.
    pub(super) fn root(&self, password: &str) -> Result<KeyPair, Failure> {
        let root = self.sealed_root.open(password);
        root.filter(|root| root.public() == self.certificate.root)
            .ok_or_else(|| {
                Failure::new(
                    Code::Auth,
                    "wrong password: it does not open the root key of this home",
                    "it is the password that was set when this home got the account",
                )
            })
    }
}

impl Sealed {
    fn new(root: &KeyPair, password: &str) -> Result<Self, Failure> {
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        rand::rngs::OsRng.fill_bytes(&mut salt);
        rand::rngs::OsRng.fill_bytes(&mut nonce);
        let key = seal_key(password, &salt)?;
        let text = XChaCha20Poly1305::new((&*key).into())
            .encrypt(XNonce::from_slice(&nonce), &root.seed()[..])
            .map_err(|_| Failure::new(Code::Internal, "cannot seal the root key", ""))?;
        Ok(Self {
            salt: store_hex(&salt),
            nonce: store_hex(&nonce),
            text: store_hex(&text),
        })
    }

    fn open(&self, password: &str) -> Option<KeyPair> {
        let (salt, nonce, text) = (
            from_hex(&self.salt)?,
            from_hex(&self.nonce)?,
            from_hex(&self.text)?,
        );
        if nonce.len() != 24 {
            return None;
        }
        let key = seal_key(password, &salt).ok()?;
        let seed = XChaCha20Poly1305::new((&*key).into())
            .decrypt(XNonce::from_slice(&nonce), &text[..])
            .ok()?;
        let seed = Zeroizing::new(seed);
        Some(KeyPair::from_seed(&Zeroizing::new(seed[..].try_into().ok()?)))
    }
}

/// The root key as it stands at the central for who has only the password: XChaCha20-Poly1305 under a key that OPAQUE gives
/// to the user alone, the nonce in front (docs/protocol.md §12).
pub(super) mod escrow {
    use super::*;

    const CONTEXT: &str = "calotype 1 escrow";
    const NONCE_BYTES: usize = 24;

    fn cipher(export_key: &[u8]) -> XChaCha20Poly1305 {
        let key = Zeroizing::new(blake3::derive_key(CONTEXT, export_key));
        XChaCha20Poly1305::new((&*key).into())
    }

    /// Seals it.
    ///
    /// # Errors
    /// `internal`, which does not happen.
    pub(in super::super) fn seal(root: &KeyPair, export_key: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut nonce = [0; NONCE_BYTES];
        rand::rngs::OsRng.fill_bytes(&mut nonce);
        let text = cipher(export_key)
            .encrypt(XNonce::from_slice(&nonce), &root.seed()[..])
            .map_err(|_| Failure::new(Code::Internal, "cannot seal the root key", ""))?;
        Ok([&nonce[..], &text].concat())
    }

    /// Opens it; none where it is not what that key sealed.
    pub(in super::super) fn open(sealed: &[u8], export_key: &[u8]) -> Option<KeyPair> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES)?;
        let seed = cipher(export_key).decrypt(XNonce::from_slice(nonce), text).ok()?;
        let seed = Zeroizing::new(seed);
        Some(KeyPair::from_seed(&Zeroizing::new(seed[..].try_into().ok()?)))
    }
}

fn seal_key(password: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let (memory, passes, lanes) = ARGON2;
    let mut key = Zeroizing::new([0; 32]);
    argon2::Params::new(memory, passes, lanes, Some(32))
        .map(|params| argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params))
        .and_then(|argon| argon.hash_password_into(password.as_bytes(), salt, &mut *key))
        .map_err(|error| Failure::new(Code::Internal, format!("cannot derive a key: {error}"), ""))?;
    Ok(key)
}

fn store_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] * 16 + pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_account_survives_the_disk_and_its_password_opens_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("home"), Duration::ZERO).unwrap();
        assert!(Account::load(&home).unwrap().is_none());
        let made = Account::create("alice", "correct horse").unwrap();
        made.save(&home).unwrap();
        let read = Account::load(&home).unwrap().unwrap();
        assert_eq!(read.device().public(), made.device().public());
        assert!(read.password_fits("correct horse"));
        assert!(!read.password_fits("correct horse "));
        assert_eq!(
            read.root("correct horse").unwrap().public(),
            made.certificate.root
        );
        let root = read.root("correct horse").unwrap();
        let second = Account::of_root("alice", &root, "another").unwrap();
        assert_eq!(second.certificate.user(), read.certificate.user());
        assert_ne!(second.device().public(), read.device().public());
        assert_eq!(second.root("another").unwrap().public(), root.public());
        let text = String::from_utf8(home.read_private(FILE).unwrap().unwrap()).unwrap();
        assert!(!text.contains("correct horse"));
    }

    /// Another device's certificate, a name that nobody can have, what is no sealed key: none of it becomes an account.
    #[test]
    fn what_another_device_approved_is_this_one() {
        let old = Account::create("alice", "a").unwrap();
        let root = old.root("a").unwrap();
        let device = KeyPair::from_seed(&[3; 32]);
        let certificate = Certificate::issue(&root, &device.public());
        let sealed = old.sealed_root();
        let made = Account::approved("alice", &device, certificate.clone(), &sealed).unwrap();
        assert_eq!(made.root("a").unwrap().public(), root.public());
        assert_eq!(made.device().public(), device.public());
        for (name, certificate, sealed) in [
            ("alice", old.certificate.clone(), &sealed[..]),
            ("al\u{1b}ice", certificate.clone(), &sealed[..]),
            ("alice", certificate, b"{}"),
        ] {
            let refused = Account::approved(name, &device, certificate, sealed);
            assert_eq!(refused.err().unwrap().code, Code::Auth);
        }
    }

    /// Another key opens nothing, nor does what a central has cut or changed.
    #[test]
    fn what_is_in_escrow_opens_for_its_key() {
        let root = KeyPair::from_seed(&[7; 32]);
        let sealed = escrow::seal(&root, &[1; 64]).unwrap();
        assert_eq!(sealed.len(), 24 + 32 + 16);
        assert_eq!(escrow::open(&sealed, &[1; 64]).unwrap().public(), root.public());
        assert!(escrow::open(&sealed, &[2; 64]).is_none());
        for cut in [0, 23, 24, sealed.len() - 1] {
            assert!(escrow::open(&sealed[..cut], &[1; 64]).is_none());
        }
        let mut flipped = sealed;
        flipped[30] ^= 1;
        assert!(escrow::open(&flipped, &[1; 64]).is_none());
    }

    #[test]
    fn a_swapped_key_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("home"), Duration::ZERO).unwrap();
        let mut made = Account::create("alice", "a").unwrap();
        made.device_seed = "11".repeat(32);
        made.save(&home).unwrap();
        assert_eq!(Account::load(&home).err().unwrap().code, Code::Damaged);
    }
}
