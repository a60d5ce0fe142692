//! `register`, `login`, `logout`, `central trust`.

use std::time::Duration;

use ::central::{Client, ClientError, Pin, words};

use super::super::account::Account;
use super::super::run::{Handle, Node};
use super::super::{CentralChoice, blobs::blocking, central, sign_in};
use super::{devices, done};
use crate::api::{Code, Failure, Reply, Secret, Session, Trusted};
use crate::recovery;

/// How long a command waits for the central to answer at all.
pub(super) const CENTRAL_WAIT: Duration = Duration::from_secs(5);
/// Shortest password taken.
const PASSWORD_CHARS_MIN: usize = 1;

pub(super) async fn register(handle: &Handle, user: String, password: Secret) -> Result<Reply, Failure> {
    let user = crdt::name::user_name(&user).map_err(|error| {
        Failure::new(
            Code::Usage,
            format!("{user:?} cannot be a user name: {error}"),
            "for example: /register alice",
        )
    })?;
    if password.0.chars().count() < PASSWORD_CHARS_MIN {
        return Err(Failure::new(
            Code::Usage,
            "the password is empty",
            "type at least one character",
        ));
    }
    let taken = handle.with(|node| node.account.clone()).await?;
    if let Some(account) = taken
        .as_ref()
        .filter(|account| account.name != user || account.confirmed)
    {
        let message = format!("this home belongs to {} already", account.name);
        let hint = format!(
            "/login {}, or use another home: calotype --home DIR",
            account.name
        );
        return Err(Failure::new(Code::Exists, message, hint));
    }
    let client = central::client(handle, CENTRAL_WAIT).await?;
    if let Some(account) = taken {
        // Killed between asking and being answered: the central may know these keys, and must not lose them.
        match client.resume(&account.certificate, &account.device()).await {
            Ok(_) => return confirm(handle, account, password).await,
            Err(error) if error.code().is_none() => return Err(central::failure(error)),
            Err(_) => {}
        }
    }
    let (name, secret) = (user.clone(), password.clone());
    let account = blocking(move || Account::create(&name, &secret.0)).await?;
    // Written first: an account that the central has and this home forgot would be lost with its name.
    let kept = account.clone();
    handle.with(move |node| kept.save(&node.home)).await??;
    let registered = client
        .register(&user, &password.0, &account.certificate, &account.device())
        .await;
    if let Err(error) = registered {
        handle.with(|node| Account::forget(&node.home)).await??;
        let mut failure = central::failure(error);
        if failure.code == Code::Exists {
            failure.hint = format!("choose another name, or /login {user} in the home that registered it");
        }
        return Err(failure);
    }
    confirm(handle, account, password).await
}

/// The central has this account: keep it and go online.
async fn confirm(handle: &Handle, mut account: Account, password: Secret) -> Result<Reply, Failure> {
    account.confirmed = true;
    let of = account.clone();
    let root = blocking(move || of.root(&password.0)).await?;
    let words = recovery::words_of(&root.seed()).to_string();
    handle
        .with(move |node| {
            account.save(&node.home)?;
            node.account = Some(account);
            Ok::<_, Failure>(())
        })
        .await??;
    sign_in(handle).await?;
    session(handle, Some(words)).await
}

pub(super) async fn login(handle: &Handle, user: String, password: Secret) -> Result<Reply, Failure> {
    let account = handle.with(|node| node.account.clone()).await?;
    let holder = account.as_ref().map(|account| account.name.clone());
    let Some(account) = account.filter(|account| account.name == user) else {
        if holder.is_none()
            && let Some(reply) = devices::from_escrow(handle, &user, &password).await?
        {
            return Ok(reply);
        }
        return Err(unknown_here(handle, &user, &password, holder).await);
    };
    match central::client(handle, CENTRAL_WAIT).await {
        Ok(client) => client
            .login(&user, &password.0, &account.certificate, &account.device())
            .await
            .map_err(not_let_in)?,
        // The central is away: the password that seals the root key here tells as well who it is.
        Err(_) => {
            let fits = blocking(move || account.password_fits(&password.0)).await;
            if !fits {
                return Err(Failure::new(Code::Auth, "wrong password", "try again"));
            }
        }
    }
    sign_in(handle).await?;
    session(handle, None).await
}

/// Why nobody is logged in in a home without a device of the account. The password comes first: what is to do besides
/// is told to who has it, and guessing it here is as slow as anywhere.
async fn unknown_here(handle: &Handle, user: &str, password: &Secret, holder: Option<String>) -> Failure {
    let (here, hint) = match holder {
        Some(holder) => (
            format!("this home holds the device key of {holder}, not of {user}"),
            format!("log in in a home of {user}'s (calotype --home DIR), or /register a new name"),
        ),
        None => (
            format!("this home holds no device key of {user}"),
            format!(
                "approve it: /approveDevice on a machine of {user}'s, then /link CODE here; or /recover {user} with the 24 words"
            ),
        ),
    };
    let client = match central::client(handle, CENTRAL_WAIT).await {
        Ok(client) => client,
        Err(away) => {
            let message = format!("{here}, and nobody can check the password: {}", away.message);
            return Failure::new(Code::Unreachable, message, hint);
        }
    };
    match client.check_password(user, &password.0).await {
        Ok(()) => Failure::new(Code::Auth, format!("the password is right, but {here}"), hint),
        Err(error) => not_let_in(error),
    }
}

/// A login that failed. Too many wrong ones are about who one is, as one wrong one is.
pub(super) fn not_let_in(error: ClientError) -> Failure {
    let failure = central::failure(error);
    match failure.retry_after_ms {
        Some(_) => Failure {
            code: Code::Auth,
            ..failure
        },
        None => failure,
    }
}

/// Takes the key that the central shows now for its own, if these are the words of it.
pub(super) async fn trust(handle: &Handle, words: String) -> Result<Reply, Failure> {
    let usage = |message: String| {
        let hint = "its log and `calotype central words` on its machine show them: six words, in their order";
        Failure::new(Code::Usage, message, hint)
    };
    let typed = words::read(&words).map_err(|error| usage(error.to_string()))?;
    let count = typed.split_whitespace().count();
    if count != words::FINGERPRINT_WORDS {
        return Err(usage(format!("a central's key has six words, these are {count}")));
    }
    let address = match handle.with(|node| node.config.central.clone()).await? {
        CentralChoice::Address(address) => address,
        CentralChoice::Embedded { dir } => {
            let message = format!(
                "this home uses this account's own central, whose key it reads in {}",
                dir.display()
            );
            let hint = "nothing is to be trusted; another central is named with --central HOST:PORT";
            return Err(Failure::new(Code::Usage, message, hint));
        }
    };
    let (client, shown) = Client::connect(&address, Pin::FirstUse)
        .await
        .map_err(central::failure)?;
    drop(client);
    if words::fingerprint(&shown) != typed {
        let message = format!("the key that the central at {address} shows has other words");
        let hint = "ask again who runs it; if the words are right, somebody else answers at this address";
        return Err(Failure::new(Code::Auth, message, hint));
    }
    let at = address.clone();
    let pin = move |node: &mut Node| {
        let changed = central::pinned_key(node, &at) != Some(shown);
        if changed {
            central::pin_key(node, &at, shown);
        }
        node.central.try_again();
        changed
    };
    let changed = handle.with(pin).await?;
    Ok(Reply::Trusted(Trusted {
        address,
        words: typed,
        changed,
        connected: central::client(handle, CENTRAL_WAIT).await.is_ok(),
    }))
}

pub(super) async fn logout(handle: &Handle) -> Result<Reply, Failure> {
    let (net, client, name) = handle
        .with(|node| {
            let name = node
                .account
                .as_ref()
                .filter(|_| node.signed_in)
                .map(|account| account.name.clone());
            node.signed_in = false;
            node.engine.sign_in(None);
            node.put("node", b"logged-out", vec![1]);
            (node.disconnect_bus(), node.central.client.clone(), name)
        })
        .await?;
    if let Some(net) = net {
        net.shutdown().await;
    }
    if let Some(client) = client {
        // The session ends with the connection at the latest.
        let _ = client.logout().await;
    }
    handle.with(|node| node.central.albums_changed()).await?;
    match name {
        Some(name) => done(format!("{name} is logged out; albums and keys stay in this home")),
        None => done("nobody was logged in"),
    }
}

async fn session(handle: &Handle, recovery_words: Option<String>) -> Result<Reply, Failure> {
    handle
        .with(move |node: &mut Node| {
            let account = node
                .account
                .as_ref()
                .ok_or_else(|| Failure::new(Code::Auth, "nobody is logged in", ""))?;
            Ok(Reply::Session(Session {
                user: account.name.clone(),
                user_id: account.certificate.user().hex(),
                device: account.certificate.device.hex(),
                central: node.central.address.clone().unwrap_or_default(),
                registered: recovery_words.is_some(),
                recovery_words,
            }))
        })
        .await?
}
