//! The four messages of a code (docs/protocol.md §11), both sides. SPAKE2 turns the code, said or typed, into a key that
//! only two who have the same one share; everything after it is sealed under that key.
//!
//! The joiner's first message stands for one guess, whoever answers it and how often: it can be repeated after a lost
//! connection, so it is made from a seed that the joiner keeps.

use central::proto::{Bytes, MailboxKind};
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use crdt::fact::Role;
use crdt::id::{AlbumId, Digest, PublicKey, Signature};
use crdt::keys::{Certificate, Domain, KeyPair, verify};
use rand::{CryptoRng, RngCore, SeedableRng as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::Fault;
use super::words::Code;

/// Version of the sealed texts.
const VERSION: u64 = 1;
/// What each side is called, in SPAKE2 and in front of what it signs.
const JOINER: &str = "calotype 1 joiner";
const RESPONDER: &str = "calotype 1 responder";
/// In front of what the transcript hashes.
const TRANSCRIPT: &[u8] = b"calotype 1 transcript\n";
/// What each sealed part's key is for.
const OFFER: &str = "calotype 1 code offer";
const CLAIM: &str = "calotype 1 code claim";
const ANSWER: &str = "calotype 1 code answer";

/// A person: name, as a label, and root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Person {
    /// As the album or account says.
    pub(in crate::node) name: String,
    /// The root key.
    pub(in crate::node) root: PublicKey,
}

/// The album that a code leads into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct AlbumOffer {
    /// The album.
    pub(in crate::node) id: AlbumId,
    /// Its name.
    pub(in crate::node) name: String,
    /// Whose it is.
    pub(in crate::node) owner: Person,
    /// What the joiner will be.
    pub(in crate::node) role: Role,
    /// Who invited.
    pub(in crate::node) by: Person,
}

/// The second message: what the code is good for, by whoever answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Offer {
    v: u64,
    /// The central's key as the one who answers sees it.
    pub(in crate::node) central: Digest,
    /// Who answers.
    pub(in crate::node) cert: Certificate,
    sig: Signature,
    /// For kind `album`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) album: Option<AlbumOffer>,
    /// For kind `device`: whose account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) account: Option<Person>,
}

/// What an offer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum About {
    /// An album.
    Album(AlbumOffer),
    /// An account.
    Account(Person),
}

/// The third message: who joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Claim {
    v: u64,
    /// The central's key as the joiner sees it.
    pub(in crate::node) central: Digest,
    /// For kind `album`: the joiner's device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) cert: Option<Certificate>,
    /// For kind `device`: the key to be certified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) device: Option<PublicKey>,
    /// The account's, or the machine's.
    pub(in crate::node) name: String,
    sig: Signature,
}

/// Why the answer is no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Refused {
    /// A word of docs/errors.md.
    pub(in crate::node) code: String,
    /// For people.
    pub(in crate::node) message: String,
}

/// The fourth message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Answer {
    v: u64,
    /// For kind `album`: where who answers can be reached; the grant is durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) addresses: Option<Vec<String>>,
    /// For kind `device`: the new device's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) cert: Option<Certificate>,
    /// For kind `device`: the root's seed, sealed under the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) sealed_root: Option<Bytes>,
    /// No, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::node) refused: Option<Refused>,
}

impl Answer {
    /// The grant is durable.
    pub(in crate::node) fn granted(addresses: Vec<String>) -> Self {
        Self {
            v: VERSION,
            addresses: Some(addresses),
            ..Self::default()
        }
    }

    /// The device is certified.
    pub(in crate::node) fn certified(cert: Certificate, sealed_root: Option<Bytes>) -> Self {
        Self {
            v: VERSION,
            cert: Some(cert),
            sealed_root,
            ..Self::default()
        }
    }

    /// No.
    pub(in crate::node) fn refused(code: &str, message: &str) -> Self {
        Self {
            v: VERSION,
            refused: Some(Refused {
                code: code.to_owned(),
                message: message.to_owned(),
            }),
            ..Self::default()
        }
    }
}

#[derive(Serialize, Deserialize)]
struct SecondBody {
    pake: Bytes,
    #[serde(rename = "box")]
    sealed: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(rename = "box")]
    sealed: Bytes,
}

/// What both sides have after the first two messages, if they began with the same code.
struct Shared {
    key: Zeroizing<Vec<u8>>,
    transcript: [u8; 32],
}

impl Shared {
    fn new(code: &Code, key: Vec<u8>, joiner: &[u8], responder: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [TRANSCRIPT, code.to_string().as_bytes(), joiner, responder] {
            hasher.update(part);
        }
        Self {
            key: Zeroizing::new(key),
            transcript: *hasher.finalize().as_bytes(),
        }
    }

    /// Each key seals one message only, so the nonce may be the same.
    fn cipher(&self, part: &str) -> XChaCha20Poly1305 {
        let material = Zeroizing::new([&self.key[..], &self.transcript].concat());
        XChaCha20Poly1305::new(&blake3::derive_key(part, &material).into())
    }

    fn seal<T: Serialize>(&self, part: &str, value: &T) -> Bytes {
        let text = serde_json::to_vec(value).expect("plain data has a JSON text");
        let sealed = self.cipher(part).encrypt(&XNonce::default(), &text[..]);
        Bytes(sealed.expect("a message far below the cipher's limit"))
    }

    fn open<T: DeserializeOwned>(&self, part: &str, sealed: &Bytes) -> Result<T, Fault> {
        let text = self.cipher(part).decrypt(&XNonce::default(), &sealed.0[..]);
        let text = text.map_err(|_| Fault::Words)?;
        serde_json::from_slice(&text).map_err(|_| Fault::Form)
    }

    /// A side's name in front: neither can show the other's signature as its own.
    fn signed(&self, side: &str) -> Vec<u8> {
        [side.as_bytes(), &self.transcript].concat()
    }

    fn sign(&self, side: &str, device: &KeyPair) -> Signature {
        device.sign(Domain::Code, &self.signed(side))
    }

    fn check(&self, side: &str, device: &PublicKey, sig: &Signature) -> Result<(), Fault> {
        match verify(device, Domain::Code, &self.signed(side), sig) {
            true => Ok(()),
            false => Err(Fault::Signature),
        }
    }
}

fn password(code: &Code) -> Password {
    Password::new(code.to_string())
}

fn sides() -> (Identity, Identity) {
    (
        Identity::new(JOINER.as_bytes()),
        Identity::new(RESPONDER.as_bytes()),
    )
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data has a JSON text")
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|_| Fault::Form)
}

/// Who typed a code.
pub(in crate::node) struct Joiner {
    code: Code,
    seed: Zeroizing<[u8; 32]>,
}

/// A joiner who has met the one who answers.
pub(in crate::node) struct Met {
    shared: Shared,
    kind: MailboxKind,
    /// Who answers.
    pub(in crate::node) cert: Certificate,
    /// The central's key as he sees it.
    pub(in crate::node) central: Digest,
    /// What the code leads to.
    pub(in crate::node) about: About,
}

impl Joiner {
    /// With the seed that the first message is made of: the same one for the same try.
    pub(in crate::node) fn new(code: Code, seed: [u8; 32]) -> Self {
        Self {
            code,
            seed: Zeroizing::new(seed),
        }
    }

    fn start(&self) -> (Spake2<Ed25519Group>, Vec<u8>) {
        let ((a, b), rng) = (sides(), rand_chacha::ChaCha20Rng::from_seed(*self.seed));
        Spake2::start_a_with_rng(&password(&self.code), &a, &b, rng)
    }

    /// The first message.
    pub(in crate::node) fn first(&self) -> Vec<u8> {
        self.start().1
    }

    /// Reads the second message of a code of this kind.
    ///
    /// # Errors
    /// [`Fault::Words`] where the code is another one there; whatever a central in between made of it.
    pub(in crate::node) fn meet(&self, kind: MailboxKind, second: &[u8]) -> Result<Met, Fault> {
        let body: SecondBody = from_json(second)?;
        let (state, first) = self.start();
        let key = state.finish(&body.pake.0).map_err(|_| Fault::Words)?;
        let shared = Shared::new(&self.code, key, &first, &body.pake.0);
        let offer: Offer = shared.open(OFFER, &body.sealed)?;
        if offer.v != VERSION {
            return Err(Fault::Form);
        }
        if !offer.cert.is_valid() {
            return Err(Fault::Signature);
        }
        shared.check(RESPONDER, &offer.cert.device, &offer.sig)?;
        let about = match (kind, offer.album, offer.account) {
            (MailboxKind::Album, Some(album), None) => About::Album(album),
            (MailboxKind::Device, None, Some(account)) => About::Account(account),
            _ => return Err(Fault::Kind),
        };
        Ok(Met {
            shared,
            kind,
            cert: offer.cert,
            central: offer.central,
            about,
        })
    }
}

impl Met {
    /// The third message, by the joiner's device: its certificate for an album, its key alone for an account.
    pub(in crate::node) fn claim(
        &self,
        central: Digest,
        name: &str,
        device: &KeyPair,
        cert: Option<Certificate>,
    ) -> Vec<u8> {
        let claim = Claim {
            v: VERSION,
            central,
            device: cert.is_none().then(|| device.public()),
            cert,
            name: name.to_owned(),
            sig: self.shared.sign(JOINER, device),
        };
        let sealed = self.shared.seal(CLAIM, &claim);
        to_json(&Body { sealed })
    }

    /// Reads the fourth message.
    pub(in crate::node) fn answer(&self, fourth: &[u8]) -> Result<Answer, Fault> {
        let body: Body = from_json(fourth)?;
        let answer: Answer = self.shared.open(ANSWER, &body.sealed)?;
        let fits = match self.kind {
            MailboxKind::Album => answer.addresses.is_some(),
            MailboxKind::Device => answer.cert.is_some(),
        };
        match answer.v == VERSION && fits != answer.refused.is_some() {
            true => Ok(answer),
            false => Err(Fault::Form),
        }
    }
}

/// Who answers for a code, after the first message.
pub(in crate::node) struct Responder {
    shared: Shared,
    kind: MailboxKind,
}

impl Responder {
    /// Takes the first message and makes the second, signed by `device`.
    ///
    /// # Errors
    /// [`Fault::Words`] where the first message is none.
    pub(in crate::node) fn new<R: RngCore + CryptoRng>(
        code: &Code,
        first: &[u8],
        (about, central): (About, Digest),
        (device, cert): (&KeyPair, Certificate),
        rng: R,
    ) -> Result<(Self, Vec<u8>), Fault> {
        let (a, b) = sides();
        let (state, pake) = Spake2::<Ed25519Group>::start_b_with_rng(&password(code), &a, &b, rng);
        let key = state.finish(first).map_err(|_| Fault::Words)?;
        let shared = Shared::new(code, key, first, &pake);
        let (kind, album, account) = match about {
            About::Album(album) => (MailboxKind::Album, Some(album), None),
            About::Account(account) => (MailboxKind::Device, None, Some(account)),
        };
        let offer = Offer {
            v: VERSION,
            central,
            sig: shared.sign(RESPONDER, device),
            cert,
            album,
            account,
        };
        let second = SecondBody {
            pake: Bytes(pake),
            sealed: shared.seal(OFFER, &offer),
        };
        Ok((Self { shared, kind }, to_json(&second)))
    }

    /// Reads the third message.
    ///
    /// # Errors
    /// [`Fault::Words`] where the joiner had another code: the code is burnt then.
    pub(in crate::node) fn claim(&self, third: &[u8]) -> Result<Claim, Fault> {
        let body: Body = from_json(third)?;
        let claim: Claim = self.shared.open(CLAIM, &body.sealed)?;
        if claim.v != VERSION {
            return Err(Fault::Form);
        }
        let device = match (self.kind, &claim.cert, claim.device) {
            (MailboxKind::Album, Some(cert), None) if cert.is_valid() => cert.device,
            (MailboxKind::Album, Some(_), None) => return Err(Fault::Signature),
            (MailboxKind::Device, None, Some(device)) => device,
            _ => return Err(Fault::Kind),
        };
        self.shared.check(JOINER, &device, &claim.sig)?;
        Ok(claim)
    }

    /// The fourth message. One per exchange, as its key seals one: whoever asks again is sent the same bytes.
    pub(in crate::node) fn answer(self, answer: &Answer) -> Vec<u8> {
        let sealed = self.shared.seal(ANSWER, answer);
        to_json(&Body { sealed })
    }
}

#[cfg(test)]
mod tests;
