//! The wire contract of docs/protocol.md §8: requests, answers, pushes and error codes as serde types.
//!
//! A request is `{"id":n,"do":…,…}`; its answer `{"id":n,"ok":{…}}` or `{"id":n,"error":{…}}`; a push has no id.
//! Binary values are unpadded base64url. Keys that this version does not know are skipped. Mailboxes: §11.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crdt::id::{AlbumId, Incarnation, PublicKey, Signature, UserId};
use crdt::keys::{Certificate, Revocation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Version of this contract.
pub const VERSION: u64 = 1;

/// What one connection's session signatures answer to: 32 random bytes of the central.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 32]);

/// One conversation through a mailbox: 16 random bytes of the central.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExchangeId(pub [u8; 16]);

/// Bytes whose length the format does not fix: OPAQUE messages, boxes, what goes through a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// One request with the number its answer carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the asker; the answer repeats it.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Ask {
    /// Opens a connection; may be repeated to keep it alive (the nonce stays).
    Hello {
        /// [`VERSION`].
        v: u64,
    },
    /// First half of creating an account.
    RegisterStart {
        /// The account's name.
        name: String,
        /// OPAQUE registration request.
        request: Bytes,
    },
    /// Second half; the connection is then the device's session.
    RegisterFinish {
        /// The same name.
        name: String,
        /// OPAQUE registration upload.
        upload: Bytes,
        /// The root's word for this device.
        cert: Certificate,
        /// The device's over nonce ‖ device.
        sig: Signature,
    },
    /// First half of logging in with the password.
    LoginStart {
        /// The account's name.
        name: String,
        /// OPAQUE credential request.
        request: Bytes,
    },
    /// Second half; the connection is then the device's session.
    LoginFinish {
        /// OPAQUE credential finalization.
        finalization: Bytes,
        /// The root's word for this device.
        cert: Certificate,
        /// The device's over nonce ‖ device.
        sig: Signature,
    },
    /// A session by device key alone, no password.
    Resume {
        /// The root's word for this device.
        cert: Certificate,
        /// The device's over nonce ‖ device.
        sig: Signature,
        /// Take this name if the central knows neither it nor the root: it has lost its database.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Ends the session; the connection stays.
    Logout,
    /// Who has this name?
    Lookup {
        /// The account's name.
        name: String,
    },
    /// Where this device can be reached; repeat it before it expires.
    Announce {
        /// `IP:PORT`, the best first.
        addresses: Vec<String>,
        /// What its user calls this device.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// Hands over an album's member list.
    AlbumPut {
        /// The list's text, as signed.
        list: String,
        /// The signing device's.
        sig: Signature,
        /// The signing device's certificate.
        cert: Certificate,
        /// The album's genesis op without its fact; needed while the central does not know the album.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        genesis: Option<Genesis>,
    },
    /// The lists that name this session's user.
    Albums {
        /// Page after this album, for the next page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<AlbumId>,
    },
    /// Certificates and addresses of an album's members.
    AlbumPeers {
        /// The album; a list must name this session's user.
        album: AlbumId,
        /// Page after this device, for the next page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<PublicKey>,
    },
    /// The devices of this session's user.
    Devices,
    /// Ends what a device of this session's user may do here, for good.
    DeviceRevoke {
        /// The root's word.
        revocation: Revocation,
    },
    /// First half of setting a new password. Who has the root needs no old one, and no session; the proof comes first
    /// since the answer helps a guesser.
    PasswordStart {
        /// The account's name.
        name: String,
        /// OPAQUE registration request.
        request: Bytes,
        /// The root's word for itself.
        cert: Certificate,
        /// The root's over nonce ‖ root.
        sig: Signature,
    },
    /// Second half.
    PasswordFinish {
        /// OPAQUE registration upload.
        upload: Bytes,
    },
    /// Keeps a sealed root key for this session's user, or forgets it.
    EscrowPut {
        /// Sealed by the user under the password; absent: forget it.
        #[serde(rename = "box", default, skip_serializing_if = "Option::is_none")]
        sealed: Option<Bytes>,
    },
    /// Asks for it with the password alone, right after `login-start`.
    EscrowOpen {
        /// OPAQUE credential finalization.
        finalization: Bytes,
    },
    /// Opens a mailbox for a code.
    MailboxOpen {
        /// What the code is for.
        kind: MailboxKind,
        /// The album, for [`MailboxKind::Album`]; the list here must call this user owner or curator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        album: Option<AlbumId>,
        /// Who may answer, in the order in which they are asked.
        boxes: Vec<SealedBox>,
        /// How long the code is good.
        ttl_ms: u64,
    },
    /// Ends a mailbox that this user opened.
    MailboxClose {
        /// Its number.
        number: u32,
    },
    /// The mailboxes that this user opened.
    Mailboxes,
    /// What an open code is for, by its number: the right central is found, and the right way to use a code, before it is
    /// used up. Needs no session.
    MailboxLook {
        /// The code's.
        number: u32,
    },
    /// Takes a mailbox with the first message of an exchange.
    Knock {
        /// The code's.
        number: u32,
        /// The first message.
        body: Bytes,
    },
    /// A further message of an exchange.
    Mail {
        /// Which.
        exchange: ExchangeId,
        /// The message.
        body: Bytes,
        /// The exchange is over, and how; said by who answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<End>,
    },
}

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxKind {
    /// A newcomer joins an album. Who knocks needs a session.
    Album,
    /// A machine joins an account. Who knocks has none yet.
    Device,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The code did its work.
    Used,
    /// The words were wrong, or the answer was no.
    Burnt,
}

/// Where a mailbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxState {
    /// Nobody knocked yet.
    Open,
    /// Somebody knocked; nobody else may.
    Taken,
    /// The code did its work.
    Used,
    /// Somebody knew the number and not the words.
    Burnt,
    /// Who opened it closed it.
    Closed,
    /// Its time is over.
    Expired,
}

/// What one device needs to answer, sealed for it (docs/protocol.md §11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedBox {
    /// The device.
    pub device: PublicKey,
    /// For its eyes.
    #[serde(rename = "box")]
    pub sealed: Bytes,
}

/// A genesis op as the central sees it: who owns the album, not what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// The header's text, as signed.
    pub header: String,
    /// The signature over it.
    pub sig: Signature,
}

/// The text of an album list, signed by a device under [`crdt::keys::Domain::AlbumList`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlbumList {
    /// [`VERSION`].
    pub v: u64,
    /// The album.
    pub album: AlbumId,
    /// Its name now.
    pub name: String,
    /// Largest lamport of what the list was made from; the highest list wins.
    pub lamport: u64,
    /// All members, the owner included.
    pub members: Vec<Member>,
}

/// One line of an [`AlbumList`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The member.
    pub user: UserId,
    /// What the album calls him; a label.
    pub name: String,
    /// What he may do.
    pub role: Role,
}

/// A member's role, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees, rates, chats.
    Viewer,
    /// Adds images.
    Contributor,
    /// Changes others' images and roles; may sign lists.
    Curator,
    /// Made the album.
    Owner,
}

/// `ok` of `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloOk {
    /// [`VERSION`].
    pub v: u64,
    /// Program and version, for people.
    pub server: String,
    /// What session signatures on this connection answer to.
    pub nonce: Nonce,
    /// The central's wall clock, milliseconds since 1970. Nothing is decided by it; people are told where clocks differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now_ms: Option<u64>,
}

/// `ok` of `register-start` and `login-start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOk {
    /// OPAQUE registration or credential response.
    pub response: Bytes,
}

/// `ok` of `register-finish`, `login-finish` and `resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOk {
    /// The account's name.
    pub name: String,
}

/// `ok` of `lookup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupOk {
    /// The account's name.
    pub name: String,
    /// Its root key.
    pub root: PublicKey,
    /// The root's user id.
    pub user: UserId,
}

/// `ok` of `announce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceOk {
    /// The announcement counts for this long.
    pub expires_ms: u64,
}

/// `ok` of `album-put`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlbumPutOk {
    /// False where a newer list is held.
    pub stored: bool,
}

/// `ok` of `albums`: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlbumsOk {
    /// By album id.
    pub albums: Vec<AlbumEntry>,
    /// There is another page, after the last album of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// One album list as the central holds it. Check it with [`crate::lists::verify`] before use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlbumEntry {
    /// The album.
    pub album: AlbumId,
    /// Its name in the list.
    pub name: String,
    /// Whose album it is.
    pub owner: UserId,
    /// The list's text, as signed.
    pub list: String,
    /// The signing device's.
    pub sig: Signature,
    /// The signing device's certificate.
    pub cert: Certificate,
}

/// `ok` of `album-peers`: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlbumPeersOk {
    /// By device key.
    pub peers: Vec<PeerEntry>,
    /// There is another page, after the last device of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// `ok` of `devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicesOk {
    /// By device key.
    pub devices: Vec<DeviceEntry>,
    /// Whether a sealed root key is kept here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escrow: bool,
}

/// One device of the session's user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEntry {
    /// The root's word for it.
    pub cert: Certificate,
    /// What it was called when it announced itself last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The root's signature of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Signature>,
    /// Milliseconds since it last announced itself; absent when it is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<u64>,
    /// Where it can be reached; empty when it is not live.
    pub addresses: Vec<String>,
}

/// `ok` of `escrow-open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscrowOk {
    /// As it was put.
    #[serde(rename = "box")]
    pub sealed: Bytes,
}

/// One device of an album's member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// The account's name.
    pub name: String,
    /// The member.
    pub user: UserId,
    /// The device's certificate.
    pub cert: Certificate,
    /// Where it can be reached; empty when it is not live.
    pub addresses: Vec<String>,
    /// Milliseconds since it last announced itself; absent when it is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<u64>,
}

/// `ok` of `mailbox-open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxOpenOk {
    /// The code's first part.
    pub number: u32,
}

/// `ok` of `mailboxes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxesOk {
    /// By number.
    pub mailboxes: Vec<MailboxEntry>,
}

/// A mailbox as its opener sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxEntry {
    /// Its number.
    pub number: u32,
    /// What it is for.
    pub kind: MailboxKind,
    /// The album, if it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<AlbumId>,
    /// Where it stands.
    pub state: MailboxState,
    /// Milliseconds until it expires.
    pub left_ms: u64,
}

/// `ok` of `mailbox-look`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxLookOk {
    /// What the code is for.
    pub kind: MailboxKind,
}

/// `ok` of `knock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnockOk {
    /// What the following messages name.
    pub exchange: ExchangeId,
    /// What the code is for.
    pub kind: MailboxKind,
    /// How many devices that may answer are here now.
    pub online: u32,
}

/// What the central says unasked. A hint: what it tells can be asked for too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "push", rename_all = "kebab-case")]
pub enum Push {
    /// A list now names you, or no longer.
    Album {
        /// The album.
        album: AlbumId,
        /// Its name in the list.
        name: String,
        /// Name of the account whose device signed the list.
        by: String,
        /// True: you are no longer listed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        removed: bool,
    },
    /// A member of one of your albums can be reached here now.
    Peer {
        /// The album.
        album: AlbumId,
        /// The member's device.
        cert: Certificate,
        /// Where.
        addresses: Vec<String>,
    },
    /// Somebody knocked at a mailbox that this device may answer for.
    Knock {
        /// What the answer names.
        exchange: ExchangeId,
        /// The mailbox.
        number: u32,
        /// What it is for.
        kind: MailboxKind,
        /// The album, if it is for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        album: Option<AlbumId>,
        /// This device's.
        #[serde(rename = "box")]
        sealed: Bytes,
        /// The first message.
        body: Bytes,
    },
    /// A message of an exchange.
    Mail {
        /// Which.
        exchange: ExchangeId,
        /// The message.
        body: Bytes,
        /// The exchange is over, and how.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<End>,
    },
    /// A mailbox that this user opened moved.
    Mailbox {
        /// Its number.
        number: u32,
        /// Where it stands now.
        state: MailboxState,
    },
}

/// Kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Who you are is not proved.
    Auth,
    /// Nobody and nothing of that name or id (that you may see).
    NotFound,
    /// You may not.
    Denied,
    /// This device was revoked by its user's root key.
    Revoked,
    /// It is there already.
    Exists,
    /// The request is wrong.
    Usage,
    /// Later: see `retry_after_ms`.
    Busy,
    /// The central's own trouble, or a code of a later version.
    #[serde(other)]
    Internal,
}

/// Why a request was refused and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub code: Code,
    /// What and why, for people.
    pub message: String,
    /// What to do next, for people.
    #[serde(default)]
    pub hint: String,
    /// Asking again is of use after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Of [`Code::Revoked`]: the root's word for it, since no central decides that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Box<Revocation>>,
}

impl Failure {
    /// A refusal without a time to wait.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            retry_after_ms: None,
            revocation: None,
        }
    }
}

/// An answer as it travels: exactly one of `ok` and `error`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The request's.
    pub id: u64,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<Box<RawValue>>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// What a client receives.
#[derive(Debug)]
pub enum FromCentral {
    /// To a request.
    Answer(Answer),
    /// Unasked; `None` for a kind of a later version.
    Push(Option<Push>),
}

/// Bytes that are no message of this contract.
#[derive(Debug, thiserror::Error)]
#[error("not a message of protocol version 1: {0}")]
pub struct ProtoError(String);

impl From<serde_json::Error> for ProtoError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl Request {
    /// As JSON.
    pub fn encode(&self) -> Vec<u8> {
        to_json(self)
    }

    /// From JSON; `Err` carries the id where at least that can be read, so that the refusal can name it.
    pub fn decode(bytes: &[u8]) -> Result<Self, (Option<u64>, ProtoError)> {
        #[derive(Deserialize)]
        struct Head {
            id: u64,
        }
        serde_json::from_slice(bytes).map_err(|error| {
            let id = serde_json::from_slice::<Head>(bytes).ok().map(|head| head.id);
            (id, error.into())
        })
    }
}

impl Answer {
    /// A grant or refusal of request `id`.
    pub fn new<T: Serialize>(id: u64, result: Result<T, Failure>) -> Self {
        match result {
            Ok(value) => Self {
                id,
                ok: Some(serde_json::value::to_raw_value(&value).expect("our types always serialise")),
                error: None,
            },
            Err(failure) => Self {
                id,
                ok: None,
                error: Some(failure),
            },
        }
    }

    /// As JSON.
    pub fn encode(&self) -> Vec<u8> {
        to_json(self)
    }

    /// The `ok` as the type that belongs to the request.
    pub fn into_result<T: DeserializeOwned>(self) -> Result<Result<T, Failure>, ProtoError> {
        match (self.ok, self.error) {
            (Some(ok), None) => Ok(Ok(serde_json::from_str(ok.get())?)),
            (None, Some(failure)) => Ok(Err(failure)),
            _ => Err(ProtoError("an answer has either `ok` or `error`".to_owned())),
        }
    }
}

impl Push {
    /// As JSON.
    pub fn encode(&self) -> Vec<u8> {
        to_json(self)
    }
}

impl FromCentral {
    /// From JSON.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtoError> {
        #[derive(Deserialize)]
        struct Head {
            push: Option<String>,
        }
        match serde_json::from_slice::<Head>(bytes)?.push.as_deref() {
            Some("album" | "peer" | "knock" | "mail" | "mailbox") => {
                Ok(Self::Push(Some(serde_json::from_slice(bytes)?)))
            }
            Some(_) => Ok(Self::Push(None)),
            None => Ok(Self::Answer(serde_json::from_slice(bytes)?)),
        }
    }
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("our types always serialise")
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A 32-byte id of its own kind; the spelling is that of all keys.
        PublicKey(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(PublicKey::deserialize(deserializer)?.0))
    }
}

impl Serialize for ExchangeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A 16-byte id of its own kind; the spelling is that of all of them.
        Incarnation(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExchangeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Incarnation::deserialize(deserializer)?.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)?;
        if bytes.len() > crate::limits::OPAQUE_BYTES_MAX {
            return Err(D::Error::custom(format_args!(
                "{} bytes are too many",
                bytes.len()
            )));
        }
        Ok(Self(bytes))
    }
}
