//! What the central knows, as a pure state machine: accounts, certificates, sessions, presence, album lists,
//! mailboxes.
//!
//! Durable changes go in two steps: a `plan_…` says what to write or why not, [`Registry::apply`] takes it over
//! once it is written. Between the two nothing else is planned. Time comes in as milliseconds of any clock
//! that only runs forward.

mod albums;
mod devices;
mod mailboxes;
mod presence;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crdt::id::{AlbumId, PublicKey, Signature, UserId};
use crdt::keys::{Certificate, Revocation, user_id};

use self::albums::Album;
pub use self::albums::{ListPlan, VerifiedList};
use self::mailboxes::Mailboxes;
pub use self::mailboxes::{Letter, MailboxRow, Taken};
use self::presence::Presence;
pub use self::presence::check_addresses;
use crate::bucket::{Buckets, Rate};
use crate::limits::{
    ACCOUNTS_MAX, ATTEMPTS_BURST, ATTEMPTS_INTERVAL_MS, ATTEMPTS_KEYS_MAX, DEVICES_PER_ACCOUNT_MAX,
    REGISTRATIONS_BURST, REGISTRATIONS_INTERVAL_MS, SESSIONS_MAX, SESSIONS_PER_DEVICE_MAX,
};
use crate::proto::{AlbumEntry, Code, Failure, LookupOk, MailboxState, Push};

/// One connection, numbered by the server.
pub type SessionId = u64;
/// No connection: what the central does of itself.
pub const NOBODY: SessionId = 0;

/// A durable change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new account with its first device. Without a password it was reclaimed by its root, see
    /// [`Registry::plan_reclaim`].
    Account {
        /// Its name.
        name: String,
        /// OPAQUE record.
        password: Option<Vec<u8>>,
        /// Root and first device.
        cert: Certificate,
    },
    /// A new password, or the first of an account that had none. What was in escrow goes: the old password sealed it.
    Password {
        /// The account.
        name: String,
        /// OPAQUE record.
        password: Vec<u8>,
    },
    /// One more device.
    Device {
        /// Of an account's root.
        cert: Certificate,
    },
    /// What a device is called.
    Label {
        /// The device.
        cert: Certificate,
        /// Its name.
        label: String,
    },
    /// A device is its user's no longer.
    Revoke(Revocation),
    /// A sealed root key to keep, or none any more.
    Escrow {
        /// The account.
        name: String,
        /// As the user sealed it.
        sealed: Option<Vec<u8>>,
    },
    /// A new album or a newer list of one.
    List(Box<AlbumEntry>),
    /// A new mailbox.
    MailboxOpen(Box<MailboxRow>),
    /// The first knock.
    MailboxTake {
        /// At this one.
        number: u32,
        /// Whose.
        taken: Taken,
    },
    /// The first answer to who knocked.
    MailboxAnswer {
        /// At this one.
        number: u32,
    },
    /// A mailbox is used, burnt or closed; its boxes go.
    MailboxEnd {
        /// This one.
        number: u32,
        /// How.
        state: MailboxState,
    },
    /// Mailboxes whose numbers are free again.
    MailboxForget {
        /// These.
        numbers: Vec<u32>,
    },
}

/// One account as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its name.
    pub name: String,
    /// Its root key.
    pub root: PublicKey,
    /// OPAQUE record.
    pub password: Option<Vec<u8>>,
    /// The root key, sealed by its user.
    pub escrow: Option<Vec<u8>>,
}

/// A device as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its root's word for it.
    pub cert: Certificate,
    /// What it is called.
    pub label: Option<String>,
}

/// All that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// Accounts.
    pub accounts: Vec<AccountRow>,
    /// Devices of them.
    pub devices: Vec<DeviceRow>,
    /// Those that were revoked, known or not.
    pub revoked: Vec<Revocation>,
    /// Lists.
    pub albums: Vec<AlbumEntry>,
    /// Mailboxes.
    pub mailboxes: Vec<MailboxRow>,
}

/// A push and the connections it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To these.
    pub to: Vec<SessionId>,
    /// This.
    pub push: Push,
}

#[derive(Debug)]
struct Account {
    root: PublicKey,
    password: Option<Vec<u8>>,
    escrow: Option<Vec<u8>>,
    devices: BTreeMap<PublicKey, Device>,
    /// Devices that are the user's no longer, with the root's signature.
    revoked: BTreeMap<PublicKey, Signature>,
}

#[derive(Debug)]
struct Device {
    /// Of its certificate.
    sig: Signature,
    label: Option<String>,
}

#[derive(Debug)]
struct Session {
    user: UserId,
    cert: Certificate,
}

/// Everything the central knows.
#[derive(Debug)]
pub struct Registry {
    accounts: BTreeMap<String, Account>,
    names: BTreeMap<UserId, String>,
    albums: BTreeMap<AlbumId, Album>,
    /// Which lists name a user.
    listings: BTreeMap<UserId, BTreeSet<AlbumId>>,
    /// How many albums a user owns.
    owned: BTreeMap<UserId, usize>,
    lists_bytes: usize,
    sessions: BTreeMap<SessionId, Session>,
    online: BTreeMap<UserId, BTreeSet<SessionId>>,
    by_device: BTreeMap<PublicKey, BTreeSet<SessionId>>,
    presence: BTreeMap<(UserId, PublicKey), Presence>,
    attempts: Buckets<(String, Option<IpAddr>)>,
    registrations: Buckets<IpAddr>,
    mailboxes: Mailboxes,
}

impl Registry {
    /// With what was stored. Rows that make no sense together are left out, and counted.
    pub fn load(rows: Rows) -> (Self, usize) {
        let mut registry = Self {
            accounts: BTreeMap::new(),
            names: BTreeMap::new(),
            albums: BTreeMap::new(),
            listings: BTreeMap::new(),
            owned: BTreeMap::new(),
            lists_bytes: 0,
            sessions: BTreeMap::new(),
            online: BTreeMap::new(),
            by_device: BTreeMap::new(),
            presence: BTreeMap::new(),
            attempts: Buckets::new(
                Rate {
                    burst: ATTEMPTS_BURST,
                    interval_ms: ATTEMPTS_INTERVAL_MS,
                },
                ATTEMPTS_KEYS_MAX,
            ),
            registrations: Buckets::new(
                Rate {
                    burst: REGISTRATIONS_BURST,
                    interval_ms: REGISTRATIONS_INTERVAL_MS,
                },
                ATTEMPTS_KEYS_MAX,
            ),
            mailboxes: Mailboxes::new(rows.mailboxes),
        };
        let mut left_out = 0;
        for AccountRow {
            name,
            root,
            password,
            escrow,
        } in rows.accounts
        {
            registry.names.insert(user_id(&root), name.clone());
            registry.accounts.insert(
                name,
                Account {
                    root,
                    password,
                    escrow,
                    devices: BTreeMap::new(),
                    revoked: BTreeMap::new(),
                },
            );
        }
        for DeviceRow { cert, label } in rows.devices {
            let device = Device { sig: cert.sig, label };
            match registry.account_of_mut(&cert.user()) {
                Some(account) => drop(account.devices.insert(cert.device, device)),
                None => left_out += 1,
            }
        }
        for revocation in rows.revoked {
            match registry.account_of_mut(&revocation.user()) {
                Some(account) => drop(account.revoked.insert(revocation.device, revocation.sig)),
                None => left_out += 1,
            }
        }
        for entry in rows.albums {
            match crate::lists::read(&entry.list) {
                Ok(list) => registry.insert_album(entry, &list),
                Err(_) => left_out += 1,
            }
        }
        (registry, left_out)
    }

    fn account_of(&self, user: &UserId) -> Option<&Account> {
        self.accounts.get(self.names.get(user)?)
    }

    fn account_of_mut(&mut self, user: &UserId) -> Option<&mut Account> {
        self.accounts.get_mut(self.names.get(user)?)
    }

    /// Whether `name` can be registered: free, or without a password and `by` its own session.
    pub fn check_name(&self, name: &str, by: Option<SessionId>) -> Result<(), Failure> {
        match (self.accounts.get(name), by.and_then(|by| self.sessions.get(&by))) {
            (None, _) => Ok(()),
            (Some(account), Some(session))
                if account.password.is_none() && session.cert.root == account.root =>
            {
                Ok(())
            }
            _ => Err(Failure::new(
                Code::Exists,
                format!("there is an account {name} already"),
                "log in, if it is yours; else choose another name",
            )),
        }
    }

    /// Counts a new account of `address`.
    pub fn count_registration(&mut self, address: IpAddr, now_ms: u64) -> Result<(), Failure> {
        if address.is_loopback() {
            return Ok(());
        }
        self.registrations
            .take(address, now_ms)
            .map_err(|after| busy("too many new accounts from here", after))
    }

    /// A new account, or the missing password of one.
    pub fn plan_register(
        &self,
        name: &str,
        cert: &Certificate,
        password: Vec<u8>,
        by: Option<SessionId>,
    ) -> Result<Change, Failure> {
        self.check_name(name, by)?;
        if let Some(account) = self.accounts.get(name) {
            // Never the password of one root by the session of another.
            return match account.root == cert.root {
                true => Ok(Change::Password {
                    name: name.to_owned(),
                    password,
                }),
                false => Err(unknown_device(name)),
            };
        }
        self.plan_account(name, cert, Some(password))
    }

    /// An account without a password: how a user of a central that lost its database comes back unasked. It
    /// takes a free name, as registering does, and the albums' members recognise his root.
    pub fn plan_reclaim(&self, name: &str, cert: &Certificate) -> Result<Change, Failure> {
        self.check_name(name, None)?;
        self.plan_account(name, cert, None)
    }

    fn plan_account(
        &self,
        name: &str,
        cert: &Certificate,
        password: Option<Vec<u8>>,
    ) -> Result<Change, Failure> {
        if let Some(other) = self.names.get(&cert.user()) {
            return Err(Failure::new(
                Code::Exists,
                format!("this root key has the account {other} already"),
                format!("log in as {other}, or register from another home"),
            ));
        }
        if self.accounts.len() >= ACCOUNTS_MAX {
            return Err(Failure::new(
                Code::Busy,
                "this central takes no more accounts",
                "use another central",
            ));
        }
        Ok(Change::Account {
            name: name.to_owned(),
            password,
            cert: cert.clone(),
        })
    }

    /// Whether `cert` (valid in itself) opens the account `name`; `Some` if its device is new and to be stored.
    pub fn plan_device(&self, name: &str, cert: &Certificate) -> Result<Option<Change>, Failure> {
        let account = self
            .accounts
            .get(name)
            .filter(|account| account.root == cert.root);
        let Some(account) = account else {
            return Err(unknown_device(name));
        };
        account.check_device(&cert.device)?;
        if account.devices.contains_key(&cert.device) {
            return Ok(None);
        }
        if account.devices_in_use() >= DEVICES_PER_ACCOUNT_MAX {
            return Err(Failure::new(
                Code::Denied,
                format!("the account {name} has {DEVICES_PER_ACCOUNT_MAX} devices already"),
                "use one of them",
            ));
        }
        Ok(Some(Change::Device { cert: cert.clone() }))
    }

    /// Takes over what is durable now.
    pub fn apply(&mut self, change: Change, by: SessionId, now_ms: u64) -> Vec<Delivery> {
        match change {
            Change::Account { name, password, cert } => {
                let device = Device {
                    sig: cert.sig,
                    label: None,
                };
                self.names.insert(cert.user(), name.clone());
                self.accounts.insert(
                    name,
                    Account {
                        root: cert.root,
                        password,
                        escrow: None,
                        devices: BTreeMap::from([(cert.device, device)]),
                        revoked: BTreeMap::new(),
                    },
                );
                Vec::new()
            }
            Change::Password { name, password } => {
                if let Some(account) = self.accounts.get_mut(&name) {
                    account.password = Some(password);
                    account.escrow = None;
                }
                Vec::new()
            }
            Change::Device { cert } => {
                let device = Device {
                    sig: cert.sig,
                    label: None,
                };
                if let Some(account) = self.account_of_mut(&cert.user()) {
                    account.devices.insert(cert.device, device);
                }
                Vec::new()
            }
            Change::Label { cert, label } => {
                let account = self.account_of_mut(&cert.user());
                if let Some(device) = account.and_then(|account| account.devices.get_mut(&cert.device)) {
                    device.label = Some(label);
                }
                Vec::new()
            }
            Change::Revoke(revocation) => {
                if let Some(account) = self.account_of_mut(&revocation.user()) {
                    account.revoked.insert(revocation.device, revocation.sig);
                }
                Vec::new()
            }
            Change::Escrow { name, sealed } => {
                if let Some(account) = self.accounts.get_mut(&name) {
                    account.escrow = sealed;
                }
                Vec::new()
            }
            Change::List(entry) => self.apply_list(*entry, by, now_ms),
            Change::MailboxOpen(row) => {
                self.mailboxes.insert(*row);
                Vec::new()
            }
            Change::MailboxTake { number, taken } => self.apply_take(number, taken),
            Change::MailboxAnswer { number } => {
                self.apply_answer(number);
                Vec::new()
            }
            Change::MailboxEnd { number, state } => self.apply_end(number, state),
            Change::MailboxForget { numbers } => {
                self.mailboxes.forget(&numbers);
                Vec::new()
            }
        }
    }

    /// The OPAQUE record to challenge with. `None` for an unknown name: it is challenged all the same. An
    /// account that lost its password says so.
    pub fn password(&self, name: &str) -> Result<Option<&[u8]>, Failure> {
        match self.accounts.get(name).map(|account| account.password.as_deref()) {
            Some(None) => Err(Failure::new(
                Code::Auth,
                format!("this central has lost the password of {name}"),
                "register once more in the home that has the account: that sets a new password",
            )),
            Some(Some(record)) => Ok(Some(record)),
            None => Ok(None),
        }
    }

    /// Counts an attempt at a password; each starts as a failure until [`Registry::attempt_succeeded`], since
    /// the guesser learns the outcome first. Free for a session of that account (its device is known); whether it
    /// was counted is returned.
    pub fn attempt(
        &mut self,
        name: &str,
        address: IpAddr,
        by: SessionId,
        now_ms: u64,
    ) -> Result<bool, Failure> {
        let own = self
            .sessions
            .get(&by)
            .and_then(|session| self.names.get(&session.user));
        if own.is_some_and(|own| own == name) {
            return Ok(false);
        }
        self.attempts
            .take(attempt_key(name, address), now_ms)
            .map(|()| true)
            .map_err(|after| busy(&format!("too many failed logins to {name}"), after))
    }

    /// The last attempt was right.
    pub fn attempt_succeeded(&mut self, name: &str, address: IpAddr, now_ms: u64) {
        self.attempts.give_back(&attempt_key(name, address), now_ms);
    }

    /// Name of the account of a root.
    pub fn name_of(&self, user: &UserId) -> Option<&str> {
        self.names.get(user).map(String::as_str)
    }

    /// Who has a name.
    pub fn lookup(&self, name: &str) -> Result<LookupOk, Failure> {
        let account = self.accounts.get(name).ok_or_else(|| {
            Failure::new(
                Code::NotFound,
                format!("there is no account {name}"),
                "names are case-sensitive; the other must have registered at this central",
            )
        })?;
        Ok(LookupOk {
            name: name.to_owned(),
            root: account.root,
            user: user_id(&account.root),
        })
    }

    /// Whether there is room for one more session.
    pub fn check_room(&self) -> Result<(), Failure> {
        match self.sessions.len() < SESSIONS_MAX {
            true => Ok(()),
            false => Err(busy("this central has all the sessions it can have", 10_000)),
        }
    }

    /// Whether `session` is that of this device already.
    pub fn is_of(&self, session: SessionId, cert: &Certificate) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|now| now.cert.root == cert.root && now.cert.device == cert.device)
    }

    /// Makes `session` that of a device whose certificate was checked; returns those it ends (the device's
    /// oldest beyond its limit). Where it is that device's already, what it announced and its exchanges go on.
    pub fn begin(&mut self, session: SessionId, cert: Certificate) -> Result<Vec<SessionId>, Failure> {
        if self.is_of(session, &cert) {
            return Ok(Vec::new());
        }
        self.end(session);
        self.check_room()?;
        let user = cert.user();
        if let Some(account) = self.account_of(&user) {
            // It may have been revoked since its certificate was looked at.
            account.check_device(&cert.device)?;
        }
        let online = self.online.entry(user).or_default();
        let same_device: Vec<SessionId> = online
            .iter()
            .copied()
            .filter(|id| {
                self.sessions
                    .get(id)
                    .is_some_and(|other| other.cert.device == cert.device)
            })
            .collect();
        online.insert(session);
        self.by_device.entry(cert.device).or_default().insert(session);
        self.sessions.insert(session, Session { user, cert });
        let too_many = (same_device.len() + 1).saturating_sub(SESSIONS_PER_DEVICE_MAX);
        let ended = same_device[..too_many].to_vec();
        for id in &ended {
            self.end(*id);
        }
        Ok(ended)
    }

    /// Ends a session, and what it announced with it.
    pub fn end(&mut self, session: SessionId) {
        self.leave_exchanges(session);
        let Some(Session { user, cert }) = self.sessions.remove(&session) else {
            return;
        };
        if let Some(sessions) = self.by_device.get_mut(&cert.device) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.by_device.remove(&cert.device);
            }
        }
        if let Some(online) = self.online.get_mut(&user) {
            online.remove(&session);
            if online.is_empty() {
                self.online.remove(&user);
            }
        }
        self.forget_presence(session, (user, cert.device));
    }

    /// The user of a session.
    pub fn session_user(&self, session: SessionId) -> Result<UserId, Failure> {
        self.sessions
            .get(&session)
            .map(|session| session.user)
            .ok_or_else(|| {
                Failure::new(
                    Code::Auth,
                    "this connection has no session",
                    "register, log in or resume first",
                )
            })
    }

    /// Live sessions.
    pub fn sessions_len(&self) -> usize {
        self.sessions.len()
    }
}

fn attempt_key(name: &str, address: IpAddr) -> (String, Option<IpAddr>) {
    // Everybody on this machine has one address, which says nothing.
    (name.to_owned(), (!address.is_loopback()).then_some(address))
}

fn unknown_device(name: &str) -> Failure {
    Failure::new(
        Code::Auth,
        format!("the password is right, but this device is not known to the account {name}"),
        format!("run this in the home where {name} was registered; its key is needed besides the password"),
    )
}

fn busy(message: &str, retry_after_ms: u64) -> Failure {
    let seconds = retry_after_ms.div_ceil(1_000);
    Failure {
        retry_after_ms: Some(retry_after_ms),
        ..Failure::new(Code::Busy, message, format!("try again in {seconds} s"))
    }
}

#[cfg(test)]
mod tests;
