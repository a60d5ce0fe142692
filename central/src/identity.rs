//! The central's identity: an Ed25519 key made at the first start (`identity.key`, 0600) and a certificate signed
//! by itself around it (`identity.cert`). Clients pin the key; the certificate can be made anew.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::folder::{Folder, FolderError, read_small, write_whole};
use crate::tls::{Fingerprint, fingerprint};

/// The key's file (PEM, PKCS #8).
pub const KEY: &str = "identity.key";
/// The certificate's file (PEM).
pub const CERTIFICATE: &str = "identity.cert";

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is damaged: restore it, or remove it and have all clients trust a new one.
    #[error("{0} is damaged: {1}")]
    Damaged(&'static str, String),
    /// It cannot be written or read.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Key and certificate, ready for TLS.
pub struct Identity {
    /// For the handshake.
    pub key: PrivateKeyDer<'static>,
    /// For the handshake.
    pub certificate: CertificateDer<'static>,
    /// What clients pin.
    pub fingerprint: Fingerprint,
}

impl Identity {
    /// The folder's identity, made if there is none.
    pub fn load_or_create(folder: &Folder) -> Result<Self, IdentityError> {
        let key = load_or_create_key(&folder.file(KEY))?;
        let path = folder.file(CERTIFICATE);
        // The certificate follows from the key: whatever stands there and does not fit is replaced.
        let stored = read_certificate(&path)
            .ok()
            .filter(|stored| is_certificate_of(stored, &key));
        let certificate = match stored {
            Some(certificate) => certificate,
            None => {
                let certificate = issue(&key)?;
                write_whole(&path, pem("CERTIFICATE", &certificate).as_bytes())?;
                certificate
            }
        };
        let fingerprint = fingerprint(&certificate).map_err(|error| damaged(CERTIFICATE, error))?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Ok(Self {
            key,
            certificate,
            fingerprint,
        })
    }
}

/// The fingerprint of a folder's identity, for a process of the same user.
pub fn read_fingerprint(folder: &Path) -> Result<Fingerprint, IdentityError> {
    let certificate = read_certificate(&folder.join(CERTIFICATE))?;
    fingerprint(&certificate).map_err(|error| damaged(CERTIFICATE, error))
}

fn load_or_create_key(path: &Path) -> Result<KeyPair, IdentityError> {
    match read_small(path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let der = PrivatePkcs8KeyDer::from_pem_slice(&bytes).map_err(|error| damaged(KEY, error))?;
            KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).map_err(|error| damaged(KEY, error))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = KeyPair::generate_for(&PKCS_ED25519).map_err(|error| damaged(KEY, error))?;
            let text = Zeroizing::new(pem("PRIVATE KEY", &Zeroizing::new(key.serialize_der())));
            write_whole(path, text.as_bytes())?;
            Ok(key)
        }
        Err(source) => Err(FolderError::Io {
            path: path.to_owned(),
            source,
        }
        .into()),
    }
}

fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, IdentityError> {
    let bytes = read_small(path).map_err(|source| FolderError::Io {
        path: path.to_owned(),
        source,
    })?;
    CertificateDer::from_pem_slice(&bytes).map_err(|error| damaged(CERTIFICATE, error))
}

fn is_certificate_of(certificate: &CertificateDer<'_>, key: &KeyPair) -> bool {
    use rcgen::PublicKeyData as _;
    fingerprint(certificate)
        .is_ok_and(|found| found == *blake3::hash(&key.subject_public_key_info()).as_bytes())
}

fn issue(key: &KeyPair) -> Result<CertificateDer<'static>, IdentityError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "calotype central");
    params.distinguished_name = name;
    let certificate = params
        .self_signed(key)
        .map_err(|error| damaged(CERTIFICATE, error))?;
    Ok(certificate.der().clone())
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().map(|&byte| char::from(byte)));
        out.push('\n');
    }
    out + "-----END " + label + "-----\n"
}

fn damaged(file: &'static str, error: impl ToString) -> IdentityError {
    IdentityError::Damaged(file, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn made_once_and_kept() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::take(temp.path()).unwrap();
        let first = Identity::load_or_create(&folder).unwrap();
        for file in [KEY, CERTIFICATE] {
            let mode = std::fs::metadata(folder.file(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let again = Identity::load_or_create(&folder).unwrap();
        assert_eq!(again.certificate, first.certificate);
        assert_eq!(read_fingerprint(temp.path()).unwrap(), first.fingerprint);
        // Without its certificate the key stays the same identity.
        std::fs::remove_file(folder.file(CERTIFICATE)).unwrap();
        assert_eq!(
            Identity::load_or_create(&folder).unwrap().fingerprint,
            first.fingerprint
        );
        // Another key's certificate is replaced.
        std::fs::remove_file(folder.file(KEY)).unwrap();
        let other = Identity::load_or_create(&folder).unwrap();
        assert_ne!(other.fingerprint, first.fingerprint);
        assert_eq!(read_fingerprint(temp.path()).unwrap(), other.fingerprint);
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::take(temp.path()).unwrap();
        std::fs::write(folder.file(KEY), "garbage").unwrap();
        assert!(matches!(
            Identity::load_or_create(&folder),
            Err(IdentityError::Damaged(..))
        ));
        assert_eq!(std::fs::read(folder.file(KEY)).unwrap(), b"garbage");
    }
}
