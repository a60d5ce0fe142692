//! The other end of a central: one connection, many requests at once, pushes beside them.
//!
//! ```no_run
//! # use central::{Client, Pin}; use crdt::keys::{Certificate, KeyPair};
//! # async fn f(root: KeyPair, device: KeyPair) -> Result<(), central::ClientError> {
//! let (client, key) = Client::connect("127.0.0.1:7000", Pin::FirstUse).await?; // remember `key`
//! let mut pushes = client.pushes().expect("taken once");
//! let cert = Certificate::issue(&root, &device.public());
//! client.register("alice", "a password", &cert, &device).await?;
//! client.announce(&["127.0.0.1:7001".to_owned()]).await?;
//! while let Some(push) = pushes.recv().await { println!("{push:?}"); }
//! # Ok(()) }
//! ```
//! A client does not reconnect: when [`Client::closed`] resolves, connect again and [`Client::resume`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use crdt::id::{AlbumId, Signature};
use crdt::keys::{Certificate, Domain, KeyPair, Revocation};
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{RwLock, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::frame;
use crate::limits::{
    CLIENT_ANSWER_DEADLINE, CLIENT_CONNECT_DEADLINE, CLIENT_KEEPALIVE, CLIENT_PAGES_MAX, CLIENT_PUSHES_MAX,
    CLIENT_REQUESTS_MAX, INTEGER_MAX,
};
use crate::password::{ExportKey, LoggingIn, PasswordError, Registering};
use crate::proto::{
    AlbumEntry, AlbumPeersOk, AlbumPutOk, AlbumsOk, AnnounceOk, Answer, Ask, Bytes, Code, DevicesOk, End,
    EscrowOk, ExchangeId, Failure, FromCentral, Genesis, HelloOk, KnockOk, LookupOk, MailboxEntry,
    MailboxKind, MailboxLookOk, MailboxOpenOk, MailboxesOk, Nonce, PeerEntry, Push, Request, SealedBox,
    SessionOk, StartOk, VERSION,
};
use crate::session::wall_clock_ms;
pub use crate::tls::{Fingerprint, Pin};

/// What can go wrong with a central, sorted by who acts on it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody there, or the connection broke: try again later.
    #[error("the central at {address} cannot be reached: {reason}")]
    Unreachable {
        /// As given to `connect`.
        address: String,
        /// Why.
        reason: String,
    },
    /// No answer in time: try again later.
    #[error("the central at {address} did not answer in time")]
    Timeout {
        /// As given to `connect`.
        address: String,
    },
    /// Another key than the pinned one: a person decides.
    #[error("the central at {address} has another key than before")]
    KeyChanged {
        /// As given to `connect`.
        address: String,
        /// The pinned key.
        expected: Fingerprint,
        /// The key it showed.
        found: Fingerprint,
    },
    /// It answered no: the person who asked acts, by the failure's hint.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// It speaks another protocol, or has a bug.
    #[error("the central at {address} broke the protocol: {reason}")]
    Protocol {
        /// As given to `connect`.
        address: String,
        /// How.
        reason: String,
    },
}

impl ClientError {
    /// The refusal's code, if this is one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(failure) => Some(failure.code),
            _ => None,
        }
    }
}

/// Of an exchange of two parts.
enum Part {
    First,
    Second,
}

type Waiting = BTreeMap<u64, oneshot::Sender<Answer>>;

/// A connection to a central. Clones share it; it ends with the last clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    address: String,
    server: String,
    nonce: Nonce,
    clock_ahead_ms: Option<i64>,
    requests: Semaphore,
    /// Held alone by an exchange of two parts: the central takes the second only right after the first.
    turn: RwLock<()>,
    next_id: AtomicU64,
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Vec<u8>>,
    pushes: Mutex<Option<mpsc::Receiver<Push>>>,
    tasks: Vec<tokio::task::AbortHandle>,
}

/// What the connection's tasks and the callers both touch.
struct Shared {
    waiting: Mutex<Waiting>,
    pushes_missed: AtomicU64,
    closed: watch::Sender<Option<String>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.0.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Client {
    /// Connects to `HOST:PORT` and says hello; returns the key that the central showed, too.
    pub async fn connect(address: &str, pin: Pin) -> Result<(Self, Fingerprint), ClientError> {
        let (config, pinned) = crate::tls::client_config(pin).map_err(|error| ClientError::Protocol {
            address: address.to_owned(),
            reason: error.to_string(),
        })?;
        let opened = timeout(CLIENT_CONNECT_DEADLINE, open(address, config)).await;
        let stream = match (opened, pin, pinned.met()) {
            (Ok(Ok(stream)), _, _) => stream,
            (_, Pin::Key(expected), Some(found)) if expected != found => {
                return Err(ClientError::KeyChanged {
                    address: address.to_owned(),
                    expected,
                    found,
                });
            }
            (Ok(Err(error)), _, _) => {
                return Err(ClientError::Unreachable {
                    address: address.to_owned(),
                    reason: error.to_string(),
                });
            }
            (Err(_), _, _) => {
                return Err(ClientError::Timeout {
                    address: address.to_owned(),
                });
            }
        };
        let key = pinned.met().ok_or_else(|| ClientError::Protocol {
            address: address.to_owned(),
            reason: "it showed no key".to_owned(),
        })?;
        Ok((Self::start(address, stream).await?, key))
    }

    /// Starts the connection's tasks and says hello.
    async fn start<S>(address: &str, stream: S) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (read, write) = tokio::io::split(stream);
        let (outgoing, to_send) = mpsc::channel(CLIENT_REQUESTS_MAX);
        let (push_out, pushes) = mpsc::channel(CLIENT_PUSHES_MAX);
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            pushes_missed: AtomicU64::new(0),
            closed: watch::Sender::new(None),
        });
        let tasks = vec![
            tokio::spawn(read_all(read, shared.clone(), push_out)).abort_handle(),
            tokio::spawn(write_all(write, shared.clone(), to_send)).abort_handle(),
        ];
        let mut inner = Inner {
            address: address.to_owned(),
            server: String::new(),
            nonce: Nonce([0; 32]),
            clock_ahead_ms: None,
            requests: Semaphore::new(CLIENT_REQUESTS_MAX),
            turn: RwLock::new(()),
            next_id: AtomicU64::new(1),
            shared,
            outgoing,
            pushes: Mutex::new(Some(pushes)),
            tasks,
        };
        let before = wall_clock_ms();
        let hello: HelloOk = inner.ask(Ask::Hello { v: VERSION }).await?;
        inner.clock_ahead_ms = ahead_ms(hello.now_ms, before, wall_clock_ms());
        if hello.v != VERSION {
            return Err(inner.broken(format!("version {}, not {VERSION}", hello.v)));
        }
        (inner.server, inner.nonce) = (hello.server, hello.nonce);
        let inner = Arc::new(inner);
        tokio::spawn(keep_alive(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// The central's program and version, for people.
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// How far the central's clock was ahead of this machine's when it said hello, milliseconds, give or take half of
    /// that round trip; `None` where it did not say.
    pub fn clock_ahead_ms(&self) -> Option<i64> {
        self.0.clock_ahead_ms
    }

    /// The pushes of this connection; `None` when they were taken already. They are hints: what does not fit
    /// into the channel is dropped and counted by [`Client::pushes_missed`].
    pub fn pushes(&self) -> Option<mpsc::Receiver<Push>> {
        lock(&self.0.pushes).take()
    }

    /// How many pushes were dropped because nobody read them.
    pub fn pushes_missed(&self) -> u64 {
        self.0.shared.pushes_missed.load(Ordering::Relaxed)
    }

    /// Resolves when the connection is lost, with the reason.
    pub async fn closed(&self) -> String {
        let mut closed = self.0.shared.closed.subscribe();
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the client has ended".to_owned(),
        }
    }

    /// Whether the connection is lost.
    pub fn is_closed(&self) -> bool {
        self.0.shared.closed.borrow().is_some()
    }

    /// Creates the account `name` for the root of `cert` and makes this connection `device`'s session.
    pub async fn register(
        &self,
        name: &str,
        password: &str,
        cert: &Certificate,
        device: &KeyPair,
    ) -> Result<(), ClientError> {
        let name = user_name(name)?;
        let (state, request) = Registering::start(&name, password).map_err(password_failure)?;
        let ask = Ask::RegisterStart {
            name: name.clone(),
            request: Bytes(request),
        };
        let _alone = self.0.turn.write().await;
        let start: StartOk = self.0.ask_in_turn(ask).await?;
        let upload = self.0.stretch(move || state.finish(&start.response.0)).await?;
        let (cert, sig) = (cert.clone(), self.0.sign(device));
        let ask = Ask::RegisterFinish {
            name,
            upload: Bytes(upload),
            cert,
            sig,
        };
        self.0.ask_in_turn::<SessionOk>(ask).await.map(drop)
    }

    /// Proves the account's password and makes this connection `device`'s session. A wrong password or an
    /// unknown name is [`Code::Auth`], too many failures [`Code::Busy`] with `retry_after_ms`; a device that
    /// the account knows is not held up by the failures of others.
    pub async fn login(
        &self,
        name: &str,
        password: &str,
        cert: &Certificate,
        device: &KeyPair,
    ) -> Result<(), ClientError> {
        let name = &user_name(name)?;
        match self.login_once(name, password, cert, device).await.map(drop) {
            Err(ClientError::Refused(failure)) if failure.code == Code::Busy => {
                // Somebody is guessing. The device key shows that it is not us.
                match self.resume(cert, device).await {
                    Ok(known) if known == *name => {}
                    _ => return Err(failure.into()),
                }
                let result = self.login_once(name, password, cert, device).await.map(drop);
                if result.is_err() {
                    self.logout().await?;
                }
                result
            }
            result => result,
        }
    }

    async fn login_once(
        &self,
        name: &str,
        password: &str,
        cert: &Certificate,
        device: &KeyPair,
    ) -> Result<ExportKey, ClientError> {
        self.log_in_in_two(name, password, cert, device)
            .await
            .map_err(|(_, error)| error)
    }

    /// The same, and which part failed: the first is about the password, the second about the device.
    async fn log_in_in_two(
        &self,
        name: &str,
        password: &str,
        cert: &Certificate,
        device: &KeyPair,
    ) -> Result<ExportKey, (Part, ClientError)> {
        let first = |error| (Part::First, error);
        let (state, request) =
            LoggingIn::start(name, password, self.0.nonce).map_err(|error| first(password_failure(error)))?;
        let ask = Ask::LoginStart {
            name: name.to_owned(),
            request: Bytes(request),
        };
        let _alone = self.0.turn.write().await;
        let start: StartOk = self.0.ask_in_turn(ask).await.map_err(first)?;
        let stretched = self.0.stretch(move || state.finish(&start.response.0)).await;
        let (finalization, key) = stretched.map_err(first)?;
        let (cert, sig) = (cert.clone(), self.0.sign(device));
        let ask = Ask::LoginFinish {
            finalization: Bytes(finalization),
            cert,
            sig,
        };
        let finished = self.0.ask_in_turn::<SessionOk>(ask).await;
        finished.map(|_| key).map_err(|error| (Part::Second, error))
    }

    /// Whether `password` is that of the account `name`, for a machine that has no device of the account: nothing
    /// follows from a right one here. Wrong ones are refused and limited as in [`Client::login`].
    pub async fn check_password(&self, name: &str, password: &str) -> Result<(), ClientError> {
        let name = &user_name(name)?;
        // A device that nobody knows: the central looks at it after the password only.
        let root = KeyPair::from_seed(&rand::random());
        let device = KeyPair::from_seed(&rand::random());
        let cert = Certificate::issue(&root, &device.public());
        match self.log_in_in_two(name, password, &cert, &device).await {
            Err((Part::Second, ClientError::Refused(failure))) if failure.code == Code::Auth => Ok(()),
            Err((_, error)) => Err(error),
            Ok(_) => Err(self.0.broken("it let a device in that nobody knows".to_owned())),
        }
    }

    /// Makes this connection `device`'s session by its key alone; returns the account's name. A central that
    /// does not know the root answers [`Code::Auth`].
    pub async fn resume(&self, cert: &Certificate, device: &KeyPair) -> Result<String, ClientError> {
        let ask = Ask::Resume {
            cert: cert.clone(),
            sig: self.0.sign(device),
            name: None,
        };
        Ok(self.0.ask::<SessionOk>(ask).await?.name)
    }

    /// As [`Client::resume`], but at a central that has lost its database the account is made again under
    /// `name`, without a password until [`Client::register`] is called on this connection.
    pub async fn resume_or_reclaim(
        &self,
        name: &str,
        cert: &Certificate,
        device: &KeyPair,
    ) -> Result<String, ClientError> {
        let name = Some(user_name(name)?);
        let ask = Ask::Resume {
            cert: cert.clone(),
            sig: self.0.sign(device),
            name,
        };
        Ok(self.0.ask::<SessionOk>(ask).await?.name)
    }

    /// Ends the session; the connection stays for another.
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.0.ask::<serde_json::Value>(Ask::Logout).await.map(drop)
    }

    /// Root and id of the account `name`. Needs a session, as all that follows.
    pub async fn lookup(&self, name: &str) -> Result<LookupOk, ClientError> {
        let name = user_name(name)?;
        self.0.ask(Ask::Lookup { name }).await
    }

    /// Tells where this device can be reached; returns for how many milliseconds that counts.
    pub async fn announce(&self, addresses: &[String]) -> Result<u64, ClientError> {
        let ok: AnnounceOk = self
            .0
            .ask(Ask::Announce {
                addresses: addresses.to_vec(),
                label: None,
            })
            .await?;
        Ok(ok.expires_ms)
    }

    /// As [`Client::announce`], with the name of this device for its user's other ones.
    pub async fn announce_as(&self, addresses: &[String], label: &str) -> Result<u64, ClientError> {
        let ask = Ask::Announce {
            addresses: addresses.to_vec(),
            label: Some(label.to_owned()),
        };
        Ok(self.0.ask::<AnnounceOk>(ask).await?.expires_ms)
    }

    /// The devices of this session's user. What it says of them is as good as their certificates and revocations.
    pub async fn devices(&self) -> Result<DevicesOk, ClientError> {
        self.0.ask(Ask::Devices).await
    }

    /// Ends what a device of this session's user may do at the central.
    pub async fn revoke_device(&self, revocation: &Revocation) -> Result<(), ClientError> {
        let revocation = revocation.clone();
        let ask = Ask::DeviceRevoke { revocation };
        self.0.ask::<serde_json::Value>(ask).await.map(drop)
    }

    /// Sets the password of the account `name`, whose root key this is. What was in escrow goes.
    pub async fn set_password(&self, name: &str, password: &str, root: &KeyPair) -> Result<(), ClientError> {
        let name = user_name(name)?;
        let (state, request) = Registering::start(&name, password).map_err(password_failure)?;
        let ask = Ask::PasswordStart {
            name,
            request: Bytes(request),
            cert: Certificate::issue(root, &root.public()),
            sig: self.0.sign(root),
        };
        let _alone = self.0.turn.write().await;
        let start: StartOk = self.0.ask_in_turn(ask).await?;
        let upload = self.0.stretch(move || state.finish(&start.response.0)).await?;
        let ask = Ask::PasswordFinish {
            upload: Bytes(upload),
        };
        self.0.ask_in_turn::<serde_json::Value>(ask).await.map(drop)
    }

    /// Proves the password as [`Client::login`] does, and returns the key that it gives its user alone.
    pub async fn export_key(
        &self,
        name: &str,
        password: &str,
        cert: &Certificate,
        device: &KeyPair,
    ) -> Result<ExportKey, ClientError> {
        self.login_once(&user_name(name)?, password, cert, device).await
    }

    /// Has the central keep a sealed root key, or forget it.
    pub async fn escrow_put(&self, sealed: Option<Vec<u8>>) -> Result<(), ClientError> {
        let sealed = sealed.map(Bytes);
        let ask = Ask::EscrowPut { sealed };
        self.0.ask::<serde_json::Value>(ask).await.map(drop)
    }

    /// The sealed root key of the account `name` and the key that the password gives, for a machine that has no more
    /// than the password. [`Code::NotFound`]: the password is right, and nothing is in escrow.
    pub async fn escrow_open(&self, name: &str, password: &str) -> Result<(Vec<u8>, ExportKey), ClientError> {
        let name = user_name(name)?;
        let (state, request) = LoggingIn::start(&name, password, self.0.nonce).map_err(password_failure)?;
        let ask = Ask::LoginStart {
            name,
            request: Bytes(request),
        };
        let _alone = self.0.turn.write().await;
        let start: StartOk = self.0.ask_in_turn(ask).await?;
        let (finalization, key) = self.0.stretch(move || state.finish(&start.response.0)).await?;
        let ask = Ask::EscrowOpen {
            finalization: Bytes(finalization),
        };
        let ok: EscrowOk = self.0.ask_in_turn(ask).await?;
        Ok((ok.sealed.0, key))
    }

    /// Hands over a signed album list (see [`crate::proto::AlbumList`]); false where the central holds a newer
    /// one. Without `genesis` an album that the central does not know is [`Code::NotFound`].
    pub async fn album_put(
        &self,
        list: &str,
        sig: &Signature,
        cert: &Certificate,
        genesis: Option<&Genesis>,
    ) -> Result<bool, ClientError> {
        let ask = Ask::AlbumPut {
            list: list.to_owned(),
            sig: *sig,
            cert: cert.clone(),
            genesis: genesis.cloned(),
        };
        Ok(self.0.ask::<AlbumPutOk>(ask).await?.stored)
    }

    /// All lists that name this session's user. What they say is only as good as [`crate::lists::verify`].
    pub async fn albums(&self) -> Result<Vec<AlbumEntry>, ClientError> {
        let (mut albums, mut after) = (Vec::new(), None);
        for _ in 0..CLIENT_PAGES_MAX {
            let page: AlbumsOk = self.0.ask(Ask::Albums { after }).await?;
            let last = page.albums.last().map(|entry| entry.album);
            albums.extend(page.albums);
            match (page.more, last) {
                (true, last) if last > after => after = last,
                _ => return Ok(albums),
            }
        }
        Err(self.0.broken("its albums do not end".to_owned()))
    }

    /// All devices of an album's members that the central knows; those that are live have addresses.
    pub async fn album_peers(&self, album: &AlbumId) -> Result<Vec<PeerEntry>, ClientError> {
        let (mut peers, mut after) = (Vec::new(), None);
        for _ in 0..CLIENT_PAGES_MAX {
            let page: AlbumPeersOk = self.0.ask(Ask::AlbumPeers { album: *album, after }).await?;
            let last = page.peers.last().map(|entry| entry.cert.device);
            peers.extend(page.peers);
            match (page.more, last) {
                (true, last) if last > after => after = last,
                _ => return Ok(peers),
            }
        }
        Err(self.0.broken("its peers do not end".to_owned()))
    }

    /// Opens a mailbox (docs/protocol.md §11) for `ttl_ms` milliseconds; returns its number. [`Code::Denied`] where
    /// the album's list does not call this user owner or curator, [`Code::Busy`] where there are too many.
    pub async fn mailbox_open(
        &self,
        kind: MailboxKind,
        album: Option<AlbumId>,
        boxes: Vec<SealedBox>,
        ttl_ms: u64,
    ) -> Result<u32, ClientError> {
        let ask = Ask::MailboxOpen {
            kind,
            album,
            boxes,
            ttl_ms,
        };
        Ok(self.0.ask::<MailboxOpenOk>(ask).await?.number)
    }

    /// Ends a mailbox of this user; [`Code::NotFound`] if it is none.
    pub async fn mailbox_close(&self, number: u32) -> Result<(), ClientError> {
        let ask = Ask::MailboxClose { number };
        self.0.ask::<serde_json::Value>(ask).await.map(drop)
    }

    /// This user's mailboxes, also those that have ended, for a day after their time.
    pub async fn mailboxes(&self) -> Result<Vec<MailboxEntry>, ClientError> {
        Ok(self.0.ask::<MailboxesOk>(Ask::Mailboxes).await?.mailboxes)
    }

    /// What the code with this number is for; [`Code::NotFound`] where none is open. Needs no session.
    pub async fn mailbox_look(&self, number: u32) -> Result<MailboxKind, ClientError> {
        Ok(self
            .0
            .ask::<MailboxLookOk>(Ask::MailboxLook { number })
            .await?
            .kind)
    }

    /// Knocks at a mailbox with the first message of an exchange; for a device's needs no session. The answers come as
    /// [`Push::Mail`]. [`Code::NotFound`] for whatever is not open, [`Code::Busy`] with `retry_after_ms` after too many.
    pub async fn knock(&self, number: u32, body: Vec<u8>) -> Result<KnockOk, ClientError> {
        let body = Bytes(body);
        self.0.ask(Ask::Knock { number, body }).await
    }

    /// Sends a further message of an exchange, with how it ended if it is the last. [`Code::NotFound`] where the
    /// exchange is over or another device answers.
    pub async fn mail(
        &self,
        exchange: ExchangeId,
        body: Vec<u8>,
        end: Option<End>,
    ) -> Result<(), ClientError> {
        let body = Bytes(body);
        self.0
            .ask::<serde_json::Value>(Ask::Mail { exchange, body, end })
            .await
            .map(drop)
    }
}

impl Inner {
    /// One request and its answer, between the exchanges of two parts.
    async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ClientError> {
        let _among_others = self.turn.read().await;
        self.ask_in_turn(ask).await
    }

    /// The same for who has the turn: one request and its answer, within the deadline.
    async fn ask_in_turn<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ClientError> {
        let answer = timeout(CLIENT_ANSWER_DEADLINE, self.exchange(ask))
            .await
            .map_err(|_| ClientError::Timeout {
                address: self.address.clone(),
            })??;
        answer
            .into_result()
            .map_err(|error| self.broken(error.to_string()))?
            .map_err(ClientError::Refused)
    }

    async fn exchange(&self, ask: Ask) -> Result<Answer, ClientError> {
        let _permit = self.requests.acquire().await.map_err(|_| self.lost())?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let bytes = Request { id, ask }.encode();
        if bytes.len() > crate::limits::FRAME_BYTES_MAX {
            let message = format!("a request of {} bytes is too long for the central", bytes.len());
            return Err(Failure::new(Code::Usage, message, "").into());
        }
        let (sender, receiver) = oneshot::channel();
        lock(&self.shared.waiting).insert(id, sender);
        // However this ends (answer, loss, deadline, caller gone), nobody waits under this id any more.
        let _forget = Forget {
            shared: &self.shared,
            id,
        };
        if self.shared.closed.borrow().is_some() {
            return Err(self.lost());
        }
        self.outgoing.send(bytes).await.map_err(|_| self.lost())?;
        receiver.await.map_err(|_| self.lost())
    }

    fn sign(&self, device: &KeyPair) -> Signature {
        device.sign(Domain::Session, &session_bytes(&self.nonce, device))
    }

    /// Argon2 on a thread that may block.
    async fn stretch<T, F>(&self, work: F) -> Result<T, ClientError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, PasswordError> + Send + 'static,
    {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(password_failure),
            Err(_) => Err(self.broken("the password step was interrupted".to_owned())),
        }
    }

    fn lost(&self) -> ClientError {
        let reason = self.shared.closed.borrow().clone();
        let reason = reason.unwrap_or_else(|| "the connection was lost".to_owned());
        ClientError::Unreachable {
            address: self.address.clone(),
            reason,
        }
    }

    fn broken(&self, reason: String) -> ClientError {
        ClientError::Protocol {
            address: self.address.clone(),
            reason,
        }
    }
}

struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(&self.shared.waiting).remove(&self.id);
    }
}

impl Shared {
    /// The first reason counts; everybody who waits is told.
    fn close(&self, reason: String) {
        self.closed
            .send_if_modified(|closed| closed.is_none() && closed.replace(reason).is_none());
        lock(&self.waiting).clear();
    }
}

async fn open(address: &str, config: rustls::ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    // No name is checked: the key is the identity. This one is never sent (no SNI).
    let name = ServerName::try_from("central.invalid").map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

async fn read_all(mut stream: ReadHalf<impl AsyncRead>, shared: Arc<Shared>, pushes: mpsc::Sender<Push>) {
    loop {
        let message = match frame::read(&mut stream).await {
            Ok(bytes) => FromCentral::decode(&bytes),
            Err(error) => return shared.close(format!("the connection was lost: {error}")),
        };
        match message {
            Ok(FromCentral::Answer(answer)) => {
                // An answer that nobody waits for came after its deadline.
                if let Some(waiting) = lock(&shared.waiting).remove(&answer.id) {
                    let _ = waiting.send(answer);
                }
            }
            Ok(FromCentral::Push(Some(push))) => {
                if pushes.try_send(push).is_err() {
                    shared.pushes_missed.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(FromCentral::Push(None)) => {}
            Err(error) => return shared.close(error.to_string()),
        }
    }
}

async fn write_all(
    mut stream: WriteHalf<impl AsyncWrite>,
    shared: Arc<Shared>,
    mut to_send: mpsc::Receiver<Vec<u8>>,
) {
    while let Some(bytes) = to_send.recv().await {
        if let Err(error) = frame::write(&mut stream, &bytes).await {
            return shared.close(format!("the connection was lost: {error}"));
        }
    }
}

/// Says hello from time to time; a central that does not answer is lost.
async fn keep_alive(inner: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(CLIENT_KEEPALIVE).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.ask::<HelloOk>(Ask::Hello { v: VERSION }).await {
            inner.shared.close(error.to_string());
        }
        if inner.shared.closed.borrow().is_some() {
            return;
        }
    }
}

/// How far a clock is ahead that showed `theirs` between two looks at ours, milliseconds.
fn ahead_ms(theirs: Option<u64>, before: Option<u64>, after: Option<u64>) -> Option<i64> {
    let ms = |clock: Option<u64>| i64::try_from(clock.filter(|ms| *ms <= INTEGER_MAX)?).ok();
    let (theirs, before, after) = (ms(theirs)?, ms(before)?, ms(after)?);
    Some(theirs - (before + after) / 2)
}

/// What a session signature covers: the central's nonce ‖ the device key.
pub(crate) fn session_bytes(nonce: &Nonce, device: &KeyPair) -> Vec<u8> {
    [nonce.0, device.public().0].concat()
}

/// The one spelling of a name (NFC), or why it is none.
fn user_name(name: &str) -> Result<String, Failure> {
    crdt::name::user_name(name)
        .map_err(|error| Failure::new(Code::Usage, error.to_string(), "choose another name"))
}

fn password_failure(error: PasswordError) -> ClientError {
    let (code, hint) = match error {
        PasswordError::Wrong => (Code::Auth, "check both; names are case-sensitive"),
        PasswordError::Length => (Code::Usage, "choose another password"),
        PasswordError::Malformed => (Code::Internal, "the central may be of another version"),
    };
    Failure::new(code, error.to_string(), hint).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
