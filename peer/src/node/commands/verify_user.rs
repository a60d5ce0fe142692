//! `verify-user`: safety words for me and another, and what a person says of them.

use std::time::Duration;

use crdt::id::UserId;

use super::super::central;
use super::super::pins::key_changed;
use super::super::run::{Handle, Node};
use super::{refused, settled};
use crate::api::{Code, Failure, Reply, SafetyWords};
use crate::words;

/// How long to wait for the central to tell who a name is; without it this home's own knowledge counts.
const LOOKUP_WAIT: Duration = Duration::from_secs(1);

pub(super) async fn verify_user(
    handle: &Handle,
    name: String,
    (confirm, accept_new_key): (bool, bool),
) -> Result<Reply, Failure> {
    let claimed = match central::client(handle, LOOKUP_WAIT).await {
        Ok(client) => client.lookup(&name).await.ok().map(|found| found.user),
        Err(_) => None,
    };
    let step = move |node: &mut Node| {
        let me = node.engine.me().map(|me| me.author.user());
        let me = me.ok_or_else(|| refused(engine::EditError::NoUser))?;
        let known = node.known_as(&name);
        let user = match (claimed, known.len()) {
            (Some(user), _) => user,
            (None, 1) => known.iter().copied().next().unwrap_or(me),
            (None, 0) => {
                let message = format!("nobody is known as {name:?} here, nor to the central");
                return Err(Failure::new(
                    Code::NotFound,
                    message,
                    "/members lists who is in the album",
                ));
            }
            (None, n) => {
                let message = format!("{n} members are called {name:?}, with a key each");
                return Err(Failure::new(
                    Code::Ambiguous,
                    message,
                    "try again when the central is there",
                ));
            }
        };
        if user == me {
            let message = format!("{name} is you");
            return Err(Failure::new(
                Code::Usage,
                message,
                "name somebody else: /verifyUser bob",
            ));
        }
        if let Some(before) = known.iter().next()
            && !known.contains(&user)
            && !accept_new_key
        {
            let mut failure = key_changed(&name);
            let words = safety_words(node, &me, before, &name, Some(user));
            failure.reply = Some(Box::new(Reply::SafetyWords(words)));
            return Err(failure);
        }
        let pin = node.pin(&name).filter(|pin| pin.user == user);
        let verified = confirm || pin.as_ref().is_some_and(|pin| pin.verified);
        let noted = pin.is_none_or(|pin| pin.verified != verified);
        let durable = noted.then(|| node.set_pin(&name, user, verified));
        let mut words = safety_words(node, &me, &user, &name, None);
        words.verified = verified;
        Ok((words, durable))
    };
    let (words, durable) = handle.with(step).await??;
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    Ok(Reply::SafetyWords(words))
}

fn safety_words(node: &Node, me: &UserId, user: &UserId, name: &str, changed: Option<UserId>) -> SafetyWords {
    SafetyWords {
        user: name.to_owned(),
        user_id: user.hex(),
        words: words::safety(me, user).split(' ').map(str::to_owned).collect(),
        verified: node.verified_users().contains(user),
        changed: changed.map(|user| user.hex()),
    }
}
