//! One connection's requests: what each needs, does and answers (docs/protocol.md §8).

use std::net::IpAddr;
use std::time::SystemTime;

use crdt::id::{AlbumId, Signature};
use crdt::keys::{Certificate, Domain, Revocation, verify};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::hub::Hub;
use crate::limits::{COST_DIVISOR, PRESENCE_MS};
use crate::password::{self, Challenge, PasswordError};
use crate::proto::{
    AlbumPutOk, AnnounceOk, Answer, Ask, Bytes, Code, End, EscrowOk, ExchangeId, Failure, Genesis, HelloOk,
    MailboxKind, MailboxLookOk, MailboxOpenOk, Nonce, Request, SealedBox, SessionOk, StartOk, VERSION,
};
use crate::registry::{Change, Letter, ListPlan, Registry, SessionId, VerifiedList, check_addresses};

/// A two-part exchange whose first part is done.
enum Pending {
    Register {
        name: String,
    },
    Login {
        challenge: Box<Challenge>,
        counted: bool,
    },
    Password {
        name: String,
        root: Certificate,
    },
}

/// The server's end of one connection.
pub(crate) struct Session {
    hub: Hub,
    id: SessionId,
    address: IpAddr,
    nonce: Nonce,
    pending: Option<Pending>,
    /// What the last request cost beyond itself.
    extra_cost: u64,
}

type Done = Result<Box<RawValue>, Failure>;

impl Session {
    pub(crate) fn new(hub: Hub, id: SessionId, address: IpAddr, nonce: Nonce) -> Self {
        Self {
            hub,
            id,
            address,
            nonce,
            pending: None,
            extra_cost: 0,
        }
    }

    /// Answers one frame, and says what it cost; `None` for one that cannot be answered.
    pub(crate) async fn on_frame(&mut self, bytes: &[u8]) -> Option<(Answer, u64)> {
        self.extra_cost = 0;
        let (id, result) = match decode(bytes) {
            Ok(request) => (request.id, self.on_ask(request.ask).await),
            Err((id, failure)) => (id?, Err(failure)),
        };
        Some((Answer::new(id, result), 1 + self.extra_cost))
    }

    async fn on_ask(&mut self, ask: Ask) -> Done {
        // An exchange has two parts, one right after the other.
        let pending = self.pending.take();
        match ask {
            Ask::Hello { v } => hello(v, self.nonce),
            Ask::RegisterStart { name, request } => self.on_register_start(name, &request),
            Ask::RegisterFinish {
                name,
                upload,
                cert,
                sig,
            } => match pending {
                Some(Pending::Register { name: started }) if started == name => {
                    self.on_register_finish(name, &upload, cert, &sig).await
                }
                _ => Err(out_of_turn("register-start")),
            },
            Ask::LoginStart { name, request } => self.on_login_start(name, &request),
            Ask::LoginFinish {
                finalization,
                cert,
                sig,
            } => match pending {
                Some(Pending::Login { challenge, counted }) => {
                    self.on_login_finish(*challenge, counted, &finalization, (cert, sig))
                        .await
                }
                _ => Err(out_of_turn("login-start")),
            },
            Ask::Resume { cert, sig, name } => self.on_resume(cert, &sig, name).await,
            Ask::Logout => {
                self.hub.core.lock().is_guest(self.id);
                ok(&serde_json::Map::new())
            }
            Ask::Lookup { name } => {
                let state = self.hub.core.lock();
                state.registry.session_user(self.id)?;
                ok(&state.registry.lookup(&name)?)
            }
            Ask::Announce { addresses, label } => self.on_announce(addresses, label).await,
            Ask::AlbumPut {
                list,
                sig,
                cert,
                genesis,
            } => self.on_album_put(list, sig, cert, genesis).await,
            Ask::Albums { after } => {
                let page = self.hub.core.lock().registry.albums(self.id, after)?;
                self.extra_cost = page.albums.len() as u64 / COST_DIVISOR;
                ok(&page)
            }
            Ask::AlbumPeers { album, after } => {
                let now = self.hub.core.now_ms();
                let (page, devices) = self
                    .hub
                    .core
                    .lock()
                    .registry
                    .album_peers(self.id, &album, after, now)?;
                self.extra_cost = devices as u64 / COST_DIVISOR;
                ok(&page)
            }
            Ask::Devices => {
                let now = self.hub.core.now_ms();
                ok(&self.hub.core.lock().registry.devices(self.id, now)?)
            }
            Ask::DeviceRevoke { revocation } => self.on_device_revoke(revocation).await,
            Ask::PasswordStart {
                name,
                request,
                cert,
                sig,
            } => self.on_password_start(name, &request, cert, &sig),
            Ask::PasswordFinish { upload } => match pending {
                Some(Pending::Password { name, root }) => self.on_password_finish(name, root, &upload).await,
                _ => Err(out_of_turn("password-start")),
            },
            Ask::EscrowPut { sealed } => {
                let (id, sealed) = (self.id, sealed.map(|sealed| sealed.0));
                let plan = move |registry: &Registry| Ok((registry.plan_escrow(id, sealed)?, true));
                self.hub.change(id, plan).await?;
                ok(&serde_json::Map::new())
            }
            Ask::EscrowOpen { finalization } => match pending {
                Some(Pending::Login { challenge, counted }) => {
                    let name = self.prove(*challenge, counted, &finalization)?;
                    let sealed = Bytes(self.hub.core.lock().registry.escrow(&name)?);
                    ok(&EscrowOk { sealed })
                }
                _ => Err(out_of_turn("login-start")),
            },
            Ask::MailboxOpen {
                kind,
                album,
                boxes,
                ttl_ms,
            } => self.on_mailbox_open((kind, album), boxes, ttl_ms).await,
            Ask::MailboxClose { number } => {
                let (id, now) = (self.id, self.hub.core.now_ms());
                let plan = move |registry: &Registry| Ok((registry.plan_close(id, number, now)?, true));
                self.hub.change(id, plan).await?;
                ok(&serde_json::Map::new())
            }
            Ask::Mailboxes => {
                let now = self.hub.core.now_ms();
                ok(&self.hub.core.lock().registry.mailboxes(self.id, now)?)
            }
            Ask::MailboxLook { number } => {
                let now = self.hub.core.now_ms();
                let kind = self.hub.core.lock().registry.look(self.address, number, now)?;
                ok(&MailboxLookOk { kind })
            }
            Ask::Knock { number, body } => self.on_knock(number, body).await,
            Ask::Mail { exchange, body, end } => self.on_mail(exchange, body, end).await,
        }
    }

    /// The proof comes before the answer: with as many answers as they like, and one response to a login, guessers could
    /// try passwords at home.
    fn on_password_start(
        &mut self,
        name: String,
        request: &Bytes,
        cert: Certificate,
        sig: &Signature,
    ) -> Done {
        check_name(&name)?;
        self.check_device(&cert, sig)?;
        self.hub.core.lock().registry.check_root(&name, &cert)?;
        let response = self.hub.setup.register(&name, &request.0).map_err(malformed)?;
        self.pending = Some(Pending::Password { name, root: cert });
        ok(&StartOk {
            response: Bytes(response),
        })
    }

    async fn on_password_finish(&mut self, name: String, root: Certificate, upload: &Bytes) -> Done {
        let record = password::record(&upload.0).map_err(malformed)?;
        let plan = move |registry: &Registry| Ok((Some(registry.plan_password(&name, &root, record)?), true));
        self.hub.change(self.id, plan).await?;
        ok(&serde_json::Map::new())
    }

    async fn on_device_revoke(&mut self, revocation: Revocation) -> Done {
        let (id, planned) = (self.id, revocation.clone());
        let plan = move |registry: &Registry| Ok((registry.plan_revoke(id, &planned)?, true));
        self.hub.change(id, plan).await?;
        self.hub.core.lock().end_device(&revocation);
        ok(&serde_json::Map::new())
    }

    async fn on_mailbox_open(
        &mut self,
        what: (MailboxKind, Option<AlbumId>),
        boxes: Vec<SealedBox>,
        ttl_ms: u64,
    ) -> Done {
        let (id, now) = (self.id, self.hub.core.now_ms());
        let (tell, told) = tokio::sync::oneshot::channel();
        let plan = move |registry: &Registry| {
            let change = registry.plan_mailbox(id, what, boxes, ttl_ms, now)?;
            if let Change::MailboxOpen(row) = &change {
                let _ = tell.send(row.number);
            }
            Ok((Some(change), true))
        };
        self.hub.change(id, plan).await?;
        let number = told
            .await
            .map_err(|_| Failure::new(Code::Internal, "the mailbox has no number", ""))?;
        ok(&MailboxOpenOk { number })
    }

    async fn on_knock(&mut self, number: u32, body: Bytes) -> Done {
        let (id, now) = (self.id, self.hub.core.now_ms());
        self.hub
            .core
            .lock()
            .registry
            .count_knock(id, self.address, (number, &body), now)?;
        let planned = body.clone();
        // Taken for good before anybody is asked.
        self.hub
            .change(id, move |registry| {
                Ok((registry.plan_knock(id, number, &planned, now)?, true))
            })
            .await?;
        let exchange = ExchangeId(rand::random());
        let now = self.hub.core.now_ms();
        let mut state = self.hub.core.lock();
        let (answer, deliveries) = state
            .registry
            .knock(id, self.address, (number, body), exchange, now)?;
        state.deliver(&deliveries);
        state.timers_moved();
        ok(&answer)
    }

    async fn on_mail(&mut self, exchange: ExchangeId, body: Bytes, end: Option<End>) -> Done {
        let letter = {
            let now = self.hub.core.now_ms();
            let mut state = self.hub.core.lock();
            let letter = state.registry.mail(self.id, exchange, body, end, now)?;
            state.timers_moved();
            letter
        };
        let deliveries = match letter {
            Letter::Pass(deliveries) => deliveries,
            // Whoever has it has had his guess, whatever becomes of this central.
            Letter::Answer { number, deliveries } => {
                let plan = move |registry: &Registry| Ok((registry.plan_answer(number), true));
                self.hub.change(self.id, plan).await?;
                deliveries
            }
            Letter::Last {
                number,
                state,
                deliveries,
            } => {
                let plan = move |registry: &Registry| Ok((registry.plan_end(number, state), true));
                self.hub.change(self.id, plan).await?;
                deliveries
            }
        };
        self.hub.core.lock().deliver(&deliveries);
        ok(&serde_json::Map::new())
    }

    fn on_register_start(&mut self, name: String, request: &Bytes) -> Done {
        check_name(&name)?;
        self.hub.core.lock().registry.check_name(&name, Some(self.id))?;
        let response = self.hub.setup.register(&name, &request.0).map_err(malformed)?;
        self.pending = Some(Pending::Register { name });
        ok(&StartOk {
            response: Bytes(response),
        })
    }

    async fn on_register_finish(
        &mut self,
        name: String,
        upload: &Bytes,
        cert: Certificate,
        sig: &Signature,
    ) -> Done {
        let record = password::record(&upload.0).map_err(malformed)?;
        self.check_device(&cert, sig)?;
        {
            let now = self.hub.core.now_ms();
            let mut state = self.hub.core.lock();
            state.registry.check_room()?;
            state.registry.count_registration(self.address, now)?;
        }
        let (id, planned_name, planned_cert) = (self.id, name.clone(), cert.clone());
        self.hub
            .change(id, move |registry| {
                let change = registry.plan_register(&planned_name, &planned_cert, record, Some(id))?;
                Ok((Some(change), true))
            })
            .await?;
        self.begin(name, cert)
    }

    fn on_login_start(&mut self, name: String, request: &Bytes) -> Done {
        check_name(&name)?;
        let (record, counted) = {
            let now = self.hub.core.now_ms();
            let mut state = self.hub.core.lock();
            let record = state.registry.password(&name)?.map(<[u8]>::to_vec);
            (record, state.registry.attempt(&name, self.address, self.id, now)?)
        };
        let (challenge, response) = self
            .hub
            .setup
            .challenge(&name, self.nonce, record.as_deref(), &request.0)
            .map_err(malformed)?;
        self.pending = Some(Pending::Login {
            challenge: Box::new(challenge),
            counted,
        });
        ok(&StartOk {
            response: Bytes(response),
        })
    }

    async fn on_login_finish(
        &mut self,
        challenge: Challenge,
        counted: bool,
        finalization: &Bytes,
        (cert, sig): (Certificate, Signature),
    ) -> Done {
        let name = self.prove(challenge, counted, finalization)?;
        self.check_device(&cert, &sig)?;
        self.admit(name, cert).await
    }

    /// The account whose password was proved. A right one does not count as an attempt.
    fn prove(&self, challenge: Challenge, counted: bool, finalization: &Bytes) -> Result<String, Failure> {
        let name = challenge.name().to_owned();
        challenge.finish(&finalization.0).map_err(|error| match error {
            PasswordError::Wrong => Failure::new(
                Code::Auth,
                error.to_string(),
                "check both; names are case-sensitive",
            ),
            other => malformed(other),
        })?;
        if counted {
            let now = self.hub.core.now_ms();
            self.hub
                .core
                .lock()
                .registry
                .attempt_succeeded(&name, self.address, now);
        }
        Ok(name)
    }

    async fn on_resume(&mut self, cert: Certificate, sig: &Signature, name: Option<String>) -> Done {
        self.check_device(&cert, sig)?;
        let known = self
            .hub
            .core
            .lock()
            .registry
            .name_of(&cert.user())
            .map(str::to_owned);
        match (known, name) {
            (Some(known), _) => self.admit(known, cert).await,
            (None, Some(name)) => self.reclaim(name, cert).await,
            (None, None) => Err(Failure::new(
                Code::Auth,
                "this central knows no account of this device's root key",
                "register at this central, or use the one where the account is",
            )),
        }
    }

    async fn reclaim(&mut self, name: String, cert: Certificate) -> Done {
        check_name(&name)?;
        {
            let now = self.hub.core.now_ms();
            let mut state = self.hub.core.lock();
            state.registry.check_room()?;
            state.registry.count_registration(self.address, now)?;
        }
        let (planned_name, planned_cert) = (name.clone(), cert.clone());
        self.hub
            .change(self.id, move |registry| {
                Ok((Some(registry.plan_reclaim(&planned_name, &planned_cert)?), true))
            })
            .await?;
        self.begin(name, cert)
    }

    /// Opens the session of an account for a device that proved itself, storing it if it is new.
    async fn admit(&mut self, name: String, cert: Certificate) -> Done {
        let change = self.hub.core.lock().registry.plan_device(&name, &cert)?;
        if change.is_some() {
            let (planned_name, planned_cert) = (name.clone(), cert.clone());
            let plan =
                move |registry: &Registry| Ok((registry.plan_device(&planned_name, &planned_cert)?, true));
            self.hub.change(self.id, plan).await?;
        }
        self.begin(name, cert)
    }

    fn begin(&mut self, name: String, cert: Certificate) -> Done {
        let now = self.hub.core.now_ms();
        self.hub.core.lock().begin(self.id, cert, now)?;
        ok(&SessionOk { name })
    }

    async fn on_announce(&mut self, addresses: Vec<String>, label: Option<String>) -> Done {
        check_addresses(&addresses)?;
        if let Some(label) = label {
            let renamed = self.hub.core.lock().registry.plan_label(self.id, &label)?;
            if renamed.is_some() {
                let id = self.id;
                let plan = move |registry: &Registry| Ok((registry.plan_label(id, &label)?, true));
                self.hub.change(id, plan).await?;
            }
        }
        let now = self.hub.core.now_ms();
        let mut state = self.hub.core.lock();
        let deliveries = state.registry.announce(self.id, addresses, now)?;
        self.extra_cost = state.deliver(&deliveries) as u64 / COST_DIVISOR;
        ok(&AnnounceOk {
            expires_ms: PRESENCE_MS,
        })
    }

    async fn on_album_put(
        &mut self,
        list: String,
        sig: Signature,
        cert: Certificate,
        genesis: Option<Genesis>,
    ) -> Done {
        let id = self.id;
        self.hub.core.lock().registry.session_user(id)?;
        let put = VerifiedList::check(list, sig, cert, genesis.as_ref())?;
        let changed = self
            .hub
            .change(id, move |registry| {
                Ok(match registry.plan_list(id, put)? {
                    ListPlan::Store(change) => (Some(change), true),
                    ListPlan::Held => (None, true),
                    ListPlan::Stale => (None, false),
                })
            })
            .await?;
        self.extra_cost = changed.pushes as u64 / COST_DIVISOR;
        ok(&AlbumPutOk {
            stored: changed.answer,
        })
    }

    /// Whether the other end holds the device key that a root vouches for.
    fn check_device(&self, cert: &Certificate, sig: &Signature) -> Result<(), Failure> {
        if !cert.is_valid() {
            return Err(Failure::new(
                Code::Auth,
                "the certificate is not signed by its root",
                "",
            ));
        }
        let bytes = [self.nonce.0, cert.device.0].concat();
        if !verify(&cert.device, Domain::Session, &bytes, sig) {
            return Err(Failure::new(
                Code::Auth,
                "the device key did not sign this connection's nonce",
                "",
            ));
        }
        Ok(())
    }
}

fn decode(bytes: &[u8]) -> Result<Request, (Option<u64>, Failure)> {
    let usage = |message: String| Failure::new(Code::Usage, message, "");
    let request = Request::decode(bytes).map_err(|(id, error)| (id, usage(error.to_string())))?;
    // The decoder is laxer than the rule for messages (docs/protocol.md §1).
    match std::str::from_utf8(bytes)
        .map_err(|error| error.to_string())
        .and_then(|text| crdt::text::check(text).map_err(|error| error.to_string()))
    {
        Ok(()) => Ok(request),
        Err(error) => Err((Some(request.id), usage(error))),
    }
}

/// `hello`, the only request that a connection may open with.
pub(crate) fn hello(v: u64, nonce: Nonce) -> Done {
    if v != VERSION {
        return Err(Failure::new(
            Code::Usage,
            format!("this central speaks version {VERSION}, not {v}"),
            "use programs of the same version",
        ));
    }
    let server = concat!("calotype-central ", env!("CARGO_PKG_VERSION")).to_owned();
    ok(&HelloOk {
        v: VERSION,
        server,
        nonce,
        now_ms: wall_clock_ms(),
    })
}

/// What this machine's clock shows; none before 1970.
pub(crate) fn wall_clock_ms() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

fn ok<T: Serialize>(value: &T) -> Done {
    serde_json::value::to_raw_value(value).map_err(|error| {
        Failure::new(
            Code::Internal,
            format!("the answer cannot be written: {error}"),
            "",
        )
    })
}

/// Names are compared byte by byte, so they come in their one spelling.
fn check_name(name: &str) -> Result<(), Failure> {
    let failure = |message| Err(Failure::new(Code::Usage, message, "choose another name"));
    match crdt::name::user_name(name) {
        Ok(normal) if normal == name => Ok(()),
        Ok(_) => failure("the name is not in normal form (NFC)".to_owned()),
        Err(error) => failure(error.to_string()),
    }
}

fn malformed(error: PasswordError) -> Failure {
    Failure::new(Code::Usage, error.to_string(), "")
}

fn out_of_turn(before: &str) -> Failure {
    Failure::new(Code::Usage, format!("this comes right after {before}"), "")
}
