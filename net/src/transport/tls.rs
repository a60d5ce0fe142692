//! TLS 1.3 with raw Ed25519 public keys on both sides (RFC 7250): the device key is the identity.

use std::sync::Arc;

use crdt::id::PublicKey;
use crdt::keys::KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::TransportError;
use super::mux::{Link, Role, Windows};

/// Application protocol, also the version of everything inside.
const ALPN: &[u8] = b"calotype/1";
/// SubjectPublicKeyInfo of an Ed25519 key up to the 32 key bytes (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// PKCS #8 version 1 of an Ed25519 key up to the 32 seed bytes (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Our key, ready to make links.
pub(crate) struct Secure {
    provider: Arc<CryptoProvider>,
    key: Arc<CertifiedKey>,
    server: Arc<ServerConfig>,
}

impl Secure {
    /// Prepares both roles.
    pub(crate) fn new(keys: &KeyPair) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut pkcs8 = zeroize::Zeroizing::new(PKCS8_PREFIX.to_vec());
        pkcs8.extend_from_slice(&keys.seed()[..]);
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&pkcs8[..]));
        let signing = rustls::crypto::ring::sign::any_eddsa_type(match &private {
            PrivateKeyDer::Pkcs8(key) => key,
            _ => return Err(Error::General("not pkcs 8".into())),
        })?;
        let spki = [&SPKI_PREFIX[..], &keys.public().0].concat();
        let key = Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], signing));
        let verifier = Arc::new(Verifier {
            provider: provider.clone(),
            expect: None,
        });
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key.clone())));
        server.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would skip the proof of the key.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self {
            provider,
            key,
            server: Arc::new(server),
        })
    }

    /// The answering side: any device that proves a key, to be judged by the caller.
    pub(crate) async fn accept(&self, tcp: TcpStream, windows: &Windows) -> Result<Link, TransportError> {
        let tls = TlsAcceptor::from(self.server.clone()).accept(tcp).await?;
        let state = tls.get_ref().1;
        let remote = remote_key(state.peer_certificates()).ok_or(TransportError::Key)?;
        if state.alpn_protocol() != Some(ALPN) {
            return Err(TransportError::Protocol);
        }
        Ok(Link::answering(tls, remote, windows))
    }

    /// The dialling side: exactly the device expected, else the handshake fails.
    pub(crate) async fn dial(
        &self,
        tcp: TcpStream,
        expect: PublicKey,
        windows: &Windows,
    ) -> Result<Link, TransportError> {
        let tls = self.dial_tls(tcp, expect).await?;
        Ok(Link::new(tls, Role::Dialling, expect, windows))
    }

    /// The same without yamux.
    pub(crate) async fn dial_tls(
        &self,
        tcp: TcpStream,
        expect: PublicKey,
    ) -> Result<TlsStream<TcpStream>, TransportError> {
        let verifier = Arc::new(Verifier {
            provider: self.provider.clone(),
            expect: Some(expect),
        });
        let mut client = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(std::io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.key.clone())));
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        // Raw keys have no names; this one is never sent.
        let name = ServerName::try_from("calotype").map_err(std::io::Error::other)?;
        let tls = TlsConnector::from(Arc::new(client)).connect(name, tcp).await?;
        let state = tls.get_ref().1;
        if remote_key(state.peer_certificates()) != Some(expect) {
            return Err(TransportError::Key);
        }
        if state.alpn_protocol() != Some(ALPN) {
            return Err(TransportError::Protocol);
        }
        Ok(tls)
    }
}

fn remote_key(certificates: Option<&[CertificateDer<'_>]>) -> Option<PublicKey> {
    match certificates {
        Some([spki]) => raw_key(spki),
        _ => None,
    }
}

/// The key in a SubjectPublicKeyInfo, if it is exactly an Ed25519 one and not of small order (for such a key
/// signatures can be made without knowing a secret).
fn raw_key(spki: &[u8]) -> Option<PublicKey> {
    let key: [u8; 32] = spki.strip_prefix(&SPKI_PREFIX[..])?.try_into().ok()?;
    let point = ed25519_dalek::VerifyingKey::from_bytes(&key).ok()?;
    (!point.is_weak()).then_some(PublicKey(key))
}

/// Accepts one raw Ed25519 key, the expected one if there is one, and has rustls check the signature.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    expect: Option<PublicKey>,
}

impl Verifier {
    fn check(&self, end: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
        let key = raw_key(end).ok_or(CertificateError::BadEncoding)?;
        if !others.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        match self.expect {
            Some(expect) if expect != key => Err(CertificateError::ApplicationVerificationFailure.into()),
            _ => Ok(()),
        }
    }

    fn signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(
            message,
            &key,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end, others)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("tls 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end, others)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("tls 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_strong_ed25519_key_is_a_key() {
        let good = KeyPair::from_seed(&[3; 32]).public();
        let spki = [&SPKI_PREFIX[..], &good.0].concat();
        assert_eq!(raw_key(&spki), Some(good));
        assert_eq!(raw_key(&spki[..43]), None);
        assert_eq!(raw_key(&[&spki[..], &[0]].concat()), None);
        assert_eq!(raw_key(&[]), None);
        let mut other = spki.clone();
        other[8] = 0x71; // Ed448's object id
        assert_eq!(raw_key(&other), None);
        let mut weak = SPKI_PREFIX.to_vec();
        weak.push(1);
        weak.extend([0; 31]);
        assert_eq!(raw_key(&weak), None);
    }
}
