//! TLS 1.3 between peer and central: no certificate authorities, the server's key is pinned.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, ServerConfig,
    SignatureScheme,
};

/// What clients pin: BLAKE3 of the public key (SubjectPublicKeyInfo, DER). The certificate around it may be
/// issued anew.
pub type Fingerprint = [u8; 32];

/// Which key a client takes for the central's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// This one only.
    Key(Fingerprint),
    /// Any; the caller remembers what `connect` returns.
    FirstUse,
}

/// The fingerprint of the key in a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Result<Fingerprint, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(*blake3::hash(&parsed.subject_public_key_info()).as_bytes())
}

/// The server's side.
pub fn server_config(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    // Resumed handshakes would save little and cost memory for each session.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

/// The client's side, and the place where the key it met will stand.
pub fn client_config(pin: Pin) -> Result<(ClientConfig, Arc<Pinned>), Error> {
    let provider = Arc::new(ring::default_provider());
    let pinned = Arc::new(Pinned {
        pin,
        met: Mutex::new(None),
        provider: provider.clone(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(pinned.clone())
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    Ok((config, pinned))
}

/// Accepts exactly the pinned key, whatever the certificate says about names and dates.
#[derive(Debug)]
pub struct Pinned {
    pin: Pin,
    met: Mutex<Option<Fingerprint>>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    /// The key that the server showed.
    pub fn met(&self) -> Option<Fingerprint> {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = fingerprint(end_entity)?;
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        match self.pin {
            Pin::Key(expected) if expected != found => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
