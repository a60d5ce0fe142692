//! Which central a code is open at. Whoever was told a code types nothing else: the central that this home has is looked
//! at first, then those that announce themselves in the local network. Looking uses nothing up.

use std::time::Duration;

use ::central::lan::FoundCentral;
use ::central::proto::{Code as CentralCode, MailboxKind};
use ::central::{Client, ClientError, Pin};

use super::super::run::{Handle, Node};
use super::super::{CentralChoice, central, lan};
use crate::api::{Code, Failure};

/// How long the local network is listened to.
const LISTEN: Duration = Duration::from_secs(3);

/// Finds the central where the code with this number is open for what is wanted, and uses it from now on; `host` is the
/// one that was named, and is forgotten again where the code is not there. `away` is how long a central may take to
/// answer at all.
pub(in super::super) async fn find(
    handle: &Handle,
    number: u32,
    host: Option<String>,
    wanted: MailboxKind,
    away: Duration,
) -> Result<(), Failure> {
    let Some(host) = host else {
        return look(handle, number, false, wanted, away).await;
    };
    let former = use_central(handle, host).await?;
    let looked = look(handle, number, true, wanted, away).await;
    if let (Some(former), Err(_)) = (former, &looked) {
        handle.with(|node| former.put_back(node)).await?;
    }
    looked
}

async fn look(
    handle: &Handle,
    number: u32,
    named: bool,
    wanted: MailboxKind,
    away: Duration,
) -> Result<(), Failure> {
    let why = match central::client(handle, away).await {
        Ok(client) => match client.mailbox_look(number).await {
            Ok(kind) => return fits(kind, wanted),
            Err(ClientError::Refused(refused)) if refused.code == CentralCode::NotFound => {
                let at = handle.with(|node| node.central.address.clone()).await?;
                nowhere(number, &format!("at {}", at.unwrap_or_default()), named)
            }
            Err(error) => return Err(central::failure(error)),
        },
        // A central that cannot be reached may be the wrong one.
        Err(failure) => failure,
    };
    if named || !handle.with(|node| may_look_around(node)).await? {
        return Err(why);
    }
    let (central, kind) = the_one(around(number).await, number)?;
    fits(kind, wanted)?;
    let address = central.address.to_string();
    let pinned = address.clone();
    handle
        .with(move |node| central::pin_key(node, &pinned, central.pin))
        .await?;
    use_central(handle, address).await.map(drop)
}

/// Whether another central may be taken than the one of this user account, and the local network be asked for it: nobody
/// said which one it is, nor that this home is to be silent.
fn may_look_around(node: &Node) -> bool {
    let silent = !node.config.mdns || node.config.listen.is_some_and(|at| at.ip().is_loopback());
    let settled = node.account.as_ref().is_some_and(|account| account.confirmed);
    matches!(node.config.central, CentralChoice::Embedded { .. }) && !silent && !settled
}

/// The centrals in the local network that have a code with this number open.
async fn around(number: u32) -> Vec<(FoundCentral, MailboxKind)> {
    let mut asked = tokio::task::JoinSet::new();
    for central in lan::centrals(LISTEN).await.unwrap_or_default() {
        asked.spawn(async move {
            // Who announces himself with another key than he has is nobody.
            let connected = Client::connect(&central.address.to_string(), Pin::Key(central.pin)).await;
            let kind = connected.ok()?.0.mailbox_look(number).await.ok()?;
            Some((central, kind))
        });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

/// The only central that knows the code: with a wrong one, somebody else's code would be used up.
fn the_one(
    mut found: Vec<(FoundCentral, MailboxKind)>,
    number: u32,
) -> Result<(FoundCentral, MailboxKind), Failure> {
    // A central with several addresses is one.
    found.sort_by_key(|(central, _)| (central.pin, central.address));
    found.dedup_by_key(|(central, _)| central.pin);
    match found.len() {
        0 => Err(nowhere(
            number,
            "on this machine, nor at a central in the local network",
            false,
        )),
        1 => Ok(found.remove(0)),
        many => {
            let places: Vec<String> = found.iter().map(|(at, _)| format!("@{}", at.address)).collect();
            Err(Failure::new(
                Code::Ambiguous,
                format!("{many} centrals in the local network have a code {number}"),
                format!(
                    "ask which one it is, and write it behind the code: {}",
                    places.join(" or ")
                ),
            ))
        }
    }
}

fn fits(kind: MailboxKind, wanted: MailboxKind) -> Result<(), Failure> {
    let (message, hint) = match (kind, wanted) {
        (MailboxKind::Album, MailboxKind::Device) => (
            "this code is for an album, not for a machine",
            "it is still good: /join CODE",
        ),
        (MailboxKind::Device, MailboxKind::Album) => (
            "this code is for a machine, not for an album",
            "it is still good: /link CODE, in a home without an account",
        ),
        _ => return Ok(()),
    };
    Err(Failure::new(Code::Usage, message, hint))
}

fn nowhere(number: u32, place: &str, named: bool) -> Failure {
    let hint = match named {
        true => "codes are used up by one use or one wrong guess, and after a day: ask for a new one",
        false => {
            "name the central of the one who told you: CODE@HOST; codes are used up by one use or one wrong guess, and after a day"
        }
    };
    Failure::new(
        Code::NotFound,
        format!("no code with the number {number} is open {place}"),
        hint,
    )
}

/// The central that a home used before.
struct Former {
    choice: CentralChoice,
    /// What of it was kept over restarts.
    kept: Option<Vec<u8>>,
}

impl Former {
    fn put_back(self, node: &mut Node) {
        match self.kept {
            Some(kept) => node.put("node", b"central", kept),
            None => node.delete("node", b"central"),
        }
        node.config.central = self.choice;
        node.central.chosen_anew();
    }
}

/// Uses another central from now on; returns the one before, if it is another. An account is at one central, so only a
/// home without one may.
async fn use_central(handle: &Handle, host: String) -> Result<Option<Former>, Failure> {
    let step = move |node: &mut Node| {
        let chosen = CentralChoice::Address(host.clone());
        let now = node.central.address.as_deref();
        if node.config.central == chosen || now == Some(&*host) {
            return Ok(None);
        }
        if let Some(account) = node.account.as_ref().filter(|account| account.confirmed) {
            let at = now.unwrap_or("another central").to_owned();
            return Err(Failure::new(
                Code::Exists,
                format!(
                    "this home's account {} is at {at}, and the code is for {host}",
                    account.name
                ),
                "join from another home: calotype --home DIR join CODE@HOST",
            ));
        }
        let kept = node.db().get("node", b"central").ok().flatten();
        node.put("node", b"central", host.into_bytes());
        let choice = std::mem::replace(&mut node.config.central, chosen);
        node.central.chosen_anew();
        Ok(Some(Former { choice, kept }))
    };
    handle.with(step).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8, pin: u8) -> (FoundCentral, MailboxKind) {
        let address = ([10, 0, 0, last], 7440).into();
        let pin = [pin; 32];
        (FoundCentral { address, pin }, MailboxKind::Album)
    }

    /// One central at two addresses is one; two are a question, for a guess at the wrong one costs a stranger's code.
    #[test]
    fn a_code_is_used_where_there_is_no_doubt() {
        let code = |found| the_one(found, 7).map_err(|failure| failure.code);
        assert_eq!(code(vec![]), Err(Code::NotFound));
        assert_eq!(code(vec![at(1, 1)]), Ok(at(1, 1)));
        assert_eq!(code(vec![at(2, 1), at(1, 1)]), Ok(at(1, 1)));
        assert_eq!(code(vec![at(1, 1), at(2, 2), at(3, 1)]), Err(Code::Ambiguous));
    }
}
