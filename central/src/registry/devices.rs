//! Devices of an account: what they are called, which are revoked; and what their root alone may do: set a password.

use crdt::id::PublicKey;
use crdt::keys::{Certificate, Revocation};

use super::{Account, Change, Registry, SessionId};
use crate::limits::{DEVICES_PER_ACCOUNT_MAX, REVOKED_PER_ACCOUNT_MAX};
use crate::proto::{Code, DeviceEntry, DevicesOk, Failure};

impl Account {
    /// Whether a device may still act for the user.
    pub(super) fn check_device(&self, device: &PublicKey) -> Result<(), Failure> {
        let Some(sig) = self.revoked.get(device) else {
            return Ok(());
        };
        let revocation = Revocation {
            root: self.root,
            device: *device,
            sig: *sig,
        };
        Err(Failure {
            revocation: Some(Box::new(revocation)),
            ..Failure::new(
                Code::Revoked,
                "this device was revoked",
                "use another of your devices, or recover the account by its 24 words in a new home",
            )
        })
    }

    /// Devices that may act for the user.
    pub(super) fn devices_in_use(&self) -> usize {
        let revoked = |device: &&PublicKey| self.revoked.contains_key(device);
        self.devices.keys().filter(|device| !revoked(device)).count()
    }
}

impl Registry {
    /// All devices of the session's user, the revoked ones too.
    pub fn devices(&self, session: SessionId, now_ms: u64) -> Result<DevicesOk, Failure> {
        let user = self.session_user(session)?;
        let Some(account) = self.account_of(&user) else {
            return Ok(DevicesOk {
                devices: Vec::new(),
                escrow: false,
            });
        };
        let devices = account.devices.iter().map(|(key, device)| {
            let live = self
                .presence
                .get(&(user, *key))
                .filter(|presence| presence.is_live(now_ms));
            DeviceEntry {
                cert: Certificate {
                    root: account.root,
                    device: *key,
                    sig: device.sig,
                },
                label: device.label.clone(),
                revoked: account.revoked.get(key).copied(),
                seen_ms: live.map(|presence| now_ms.saturating_sub(presence.at_ms)),
                addresses: live
                    .map(|presence| presence.addresses.clone())
                    .unwrap_or_default(),
            }
        });
        // Those in use first, so that what does not fit into a frame is old.
        let (revoked, in_use): (Vec<_>, Vec<_>) = devices.partition(|entry| entry.revoked.is_some());
        let all = in_use.into_iter().chain(revoked);
        Ok(DevicesOk {
            devices: all.take(2 * DEVICES_PER_ACCOUNT_MAX).collect(),
            escrow: account.escrow.is_some(),
        })
    }

    /// The new name of the session's device; nothing if it is called that already.
    pub fn plan_label(&self, session: SessionId, label: &str) -> Result<Option<Change>, Failure> {
        let normal = crdt::name::album_name(label).ok();
        if normal.as_deref() != Some(label) {
            return Err(Failure::new(
                Code::Usage,
                "this is no name for a device",
                "it has at most 64 bytes, in normal form, without control characters",
            ));
        }
        let user = self.session_user(session)?;
        let cert = &self.sessions[&session].cert;
        let device = self
            .account_of(&user)
            .and_then(|account| account.devices.get(&cert.device));
        let renamed = device.filter(|device| device.label.as_deref() != Some(label));
        Ok(renamed.map(|_| Change::Label {
            cert: cert.clone(),
            label: label.to_owned(),
        }))
    }

    /// Ends a device of the session's user; nothing if it is revoked already. The device need not be known: then it
    /// never will be.
    pub fn plan_revoke(
        &self,
        session: SessionId,
        revocation: &Revocation,
    ) -> Result<Option<Change>, Failure> {
        let user = self.session_user(session)?;
        if !revocation.is_valid() || revocation.user() != user {
            return Err(Failure::new(
                Code::Denied,
                "the revocation is not signed by this account's root key",
                "",
            ));
        }
        let Some(account) = self.account_of(&user) else {
            return Ok(None);
        };
        if account.revoked.contains_key(&revocation.device) {
            return Ok(None);
        }
        if account.revoked.len() >= REVOKED_PER_ACCOUNT_MAX {
            return Err(Failure::new(
                Code::Denied,
                format!("{REVOKED_PER_ACCOUNT_MAX} devices of this account are revoked already"),
                "make a new account",
            ));
        }
        Ok(Some(Change::Revoke(revocation.clone())))
    }

    /// The sessions of a device, which are over now.
    pub fn end_device(&mut self, revocation: &Revocation) -> Vec<SessionId> {
        let online = self.online.get(&revocation.user()).into_iter().flatten();
        let of_device = |id: &&SessionId| {
            self.sessions
                .get(id)
                .is_some_and(|session| session.cert.device == revocation.device)
        };
        let ended: Vec<SessionId> = online.filter(of_device).copied().collect();
        for id in &ended {
            self.end(*id);
        }
        ended
    }

    /// Whether `cert` (valid in itself, its key proved) is the root of the account `name` speaking for itself.
    pub fn check_root(&self, name: &str, cert: &Certificate) -> Result<(), Failure> {
        let account = self.accounts.get(name);
        match account.is_some_and(|account| account.root == cert.root) && cert.device == cert.root {
            true => Ok(()),
            false => Err(Failure::new(
                Code::Auth,
                format!("only the root key of {name} sets a password"),
                "it is in the 24 recovery words",
            )),
        }
    }

    /// A new password, said by the root: whoever asks was checked by [`Registry::check_root`].
    pub fn plan_password(
        &self,
        name: &str,
        cert: &Certificate,
        password: Vec<u8>,
    ) -> Result<Change, Failure> {
        self.check_root(name, cert)?;
        Ok(Change::Password {
            name: name.to_owned(),
            password,
        })
    }

    /// Keeps or forgets the sealed root of the session's user.
    pub fn plan_escrow(
        &self,
        session: SessionId,
        sealed: Option<Vec<u8>>,
    ) -> Result<Option<Change>, Failure> {
        let user = self.session_user(session)?;
        let Some(name) = self.name_of(&user) else {
            return Ok(None);
        };
        let held = self.account_of(&user).and_then(|account| account.escrow.as_ref());
        Ok((held != sealed.as_ref()).then(|| Change::Escrow {
            name: name.to_owned(),
            sealed,
        }))
    }

    /// What is in escrow for an account whose password was just proved.
    pub fn escrow(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let account = self.accounts.get(name);
        account.and_then(|account| account.escrow.clone()).ok_or_else(|| {
            Failure::new(
                Code::NotFound,
                format!("the password is right, and no key of {name} is in escrow here"),
                "approve this machine from another device, or recover by the 24 words",
            )
        })
    }
}
