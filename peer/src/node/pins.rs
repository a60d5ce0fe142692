//! Whose key a name stands for, as this home learnt it first.
//!
//! Names are labels, keys are identities. The central says who a name is, and so does whoever grants a role under it; both
//! may lie or be wrong. So a name is bound to a key when it is first used here, and another key under it is a question to
//! the person, never a silent swap.

use std::collections::BTreeSet;

use crdt::id::UserId;

use store::{CommitError, Write};
use tokio::sync::oneshot;

use super::run::{Durable, Node, clock_ms};
use crate::api::{Code, Failure};

/// Where this home notes them, by name.
const PINS: &str = "names";

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Pin {
    /// The user.
    pub(super) user: UserId,
    /// Whether a person compared the safety words.
    pub(super) verified: bool,
    /// Since when, ms since 1970.
    pub(super) at: u64,
}

impl Node {
    /// What is noted of a name.
    pub(super) fn pin(&self, name: &str) -> Option<Pin> {
        let value = self.db().get(PINS, name.as_bytes()).ok().flatten()?;
        serde_json::from_slice(&value).ok()
    }

    /// From now on the name stands for this user.
    pub(super) fn set_pin(&self, name: &str, user: UserId, verified: bool) -> Durable {
        let pin = Pin {
            user,
            verified,
            at: clock_ms(),
        };
        let value = serde_json::to_vec(&pin).expect("plain data has a JSON text");
        self.keep_all(vec![Write::Put {
            space: PINS,
            key: name.as_bytes().to_vec(),
            value,
        }])
    }

    /// Stores small values for somebody who waits for them.
    pub(super) fn keep_all(&self, writes: Vec<Write>) -> Durable {
        let (tell, told) = oneshot::channel();
        let done = move |result: Result<(), CommitError>| {
            let full = |error: CommitError| {
                Failure::new(Code::DiskFull, error.to_string(), "free some space and try again")
            };
            // Fails only where nobody waits.
            let _ = tell.send(result.map_err(full));
        };
        self.db().commit(writes, Box::new(done));
        told
    }

    /// Users whose words a person compared.
    pub(super) fn verified_users(&self) -> BTreeSet<UserId> {
        let all = self.db().scan(PINS, b"").unwrap_or_default().into_iter();
        let pins = all.filter_map(|(_, value)| serde_json::from_slice::<Pin>(&value).ok());
        pins.filter(|pin| pin.verified).map(|pin| pin.user).collect()
    }

    /// Whom this home knows under a name: me, whom it is bound to, else the members of albums here, former ones too.
    pub(super) fn known_as(&self, name: &str) -> BTreeSet<UserId> {
        let mine = self.account.as_ref().filter(|account| account.name == name);
        let bound = self.pin(name).map(|pin| pin.user);
        if let Some(user) = mine.map(|account| account.certificate.user()).or(bound) {
            return BTreeSet::from([user]);
        }
        let members = self.engine.albums().flat_map(|album| album.members());
        let named = members.filter(|member| member.name == name);
        named.map(|member| member.user).collect()
    }

    /// Somebody says that the name stands for this user. The first time it is bound to him.
    ///
    /// # Errors
    /// `denied`: this home knows the name with another key.
    pub(super) fn claim(&self, name: &str, user: UserId) -> Result<(), Failure> {
        let known = self.known_as(name);
        if !known.is_empty() && !known.contains(&user) {
            return Err(key_changed(name));
        }
        if self.pin(name).is_none() {
            drop(self.set_pin(name, user, false));
        }
        Ok(())
    }
}

/// Another key behind a name: loud, and nothing is done.
pub(super) fn key_changed(name: &str) -> Failure {
    let message = format!(
        "the key behind the name {name} is not the one that this home knows: a new account, or somebody who poses as {name}"
    );
    let hint = format!(
        "ask {name} in person and compare words: /verifyUser {name} shows them; if the new key is right, \
         /verifyUser {name} --accept-new-key"
    );
    Failure::new(Code::Denied, message, hint)
}
