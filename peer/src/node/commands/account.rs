//! `register`, `login`, `logout`.

use std::time::Duration;

use super::super::account::Account;
use super::super::run::{Handle, Node};
use super::super::{blobs::blocking, central, sign_in};
use super::done;
use crate::api::{Code, Failure, Reply, Secret, Session};

/// How long a command waits for the central to answer at all.
const CENTRAL_WAIT: Duration = Duration::from_secs(5);
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
            Ok(_) => return confirm(handle, account).await,
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
    confirm(handle, account).await
}

/// The central has this account: keep it and go online.
async fn confirm(handle: &Handle, mut account: Account) -> Result<Reply, Failure> {
    account.confirmed = true;
    handle
        .with(move |node| {
            account.save(&node.home)?;
            node.account = Some(account);
            Ok::<_, Failure>(())
        })
        .await??;
    sign_in(handle).await?;
    session(handle, true).await
}

pub(super) async fn login(handle: &Handle, user: String, password: Secret) -> Result<Reply, Failure> {
    let account = handle.with(|node| node.account.clone()).await?;
    let Some(account) = account.filter(|account| account.name == user) else {
        let holder = handle
            .with(|node| node.account.as_ref().map(|account| account.name.clone()))
            .await?;
        let message = match holder {
            Some(holder) => format!("this home holds the device key of {holder}, not of {user}"),
            None => format!("this home holds no device key of {user}"),
        };
        let hint = format!(
            "log in in the home that registered {user} (calotype --home DIR), or /register a new name"
        );
        return Err(Failure::new(Code::Auth, message, hint));
    };
    match central::client(handle, CENTRAL_WAIT).await {
        Ok(client) => client
            .login(&user, &password.0, &account.certificate, &account.device())
            .await
            .map_err(central::failure)?,
        // The central is away: the password that seals the root key here tells as well who it is.
        Err(_) => {
            let fits = blocking(move || account.password_fits(&password.0)).await;
            if !fits {
                return Err(Failure::new(Code::Auth, "wrong password", "try again"));
            }
        }
    }
    sign_in(handle).await?;
    session(handle, false).await
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

async fn session(handle: &Handle, registered: bool) -> Result<Reply, Failure> {
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
                registered,
            }))
        })
        .await?
}
