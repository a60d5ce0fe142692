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
        let mut rng = rand::rngs::OsRng;
        let (mut root_seed, mut device_seed) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut root_seed);
        rng.fill_bytes(&mut device_seed);
        let (root, device) = (KeyPair::from_seed(&root_seed), KeyPair::from_seed(&device_seed));
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut nonce);
        let cipher = XChaCha20Poly1305::new(&seal_key(password, &salt)?.into());
        let text = cipher
            .encrypt(XNonce::from_slice(&nonce), &root_seed[..])
            .map_err(|_| Failure::new(Code::Internal, "cannot seal the root key", ""))?;
        Ok(Self {
            v: 1,
            name: name.into(),
            confirmed: false,
            device_seed: store_hex(&device_seed),
            certificate: Certificate::issue(&root, &device.public()),
            sealed_root: Sealed {
                salt: store_hex(&salt),
                nonce: store_hex(&nonce),
                text: store_hex(&text),
            },
        })
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
        let sealed = &self.sealed_root;
        let parts = (
            from_hex(&sealed.salt),
            from_hex(&sealed.nonce),
            from_hex(&sealed.text),
        );
        let (Some(salt), Some(nonce), Some(text)) = parts else {
            return false;
        };
        let Ok(key) = seal_key(password, &salt) else {
            return false;
        };
        nonce.len() == 24
            && XChaCha20Poly1305::new(&key.into())
                .decrypt(XNonce::from_slice(&nonce), &text[..])
                .is_ok()
    }
}

fn seal_key(password: &str, salt: &[u8]) -> Result<[u8; 32], Failure> {
    let (memory, passes, lanes) = ARGON2;
    let mut key = [0; 32];
    argon2::Params::new(memory, passes, lanes, Some(32))
        .map(|params| argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params))
        .and_then(|argon| argon.hash_password_into(password.as_bytes(), salt, &mut key))
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
        let text = String::from_utf8(home.read_private(FILE).unwrap().unwrap()).unwrap();
        assert!(!text.contains("correct horse"));
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
