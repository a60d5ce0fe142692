//! `recover`, `recovery-words`, `escrow`, `devices`, `revoke-device`; and `login` by what is in escrow.

use std::time::Duration;

use crdt::id::{AlbumId, Incarnation, PublicKey};
use crdt::keys::{KeyPair, Revocation};
use rand::RngCore as _;

use super::super::account::{Account, escrow};
use super::super::run::{Handle, Node, clock_ms, rfc3339};
use super::super::{blobs::blocking, central, sign_in};
use super::account::not_let_in;
use super::{album, refused, settled};
use crate::api::{
    Code, Device, Devices, Escrow, Failure, Recovered, RecoveryWords, Reply, RevokedDevice, Secret,
};
use crate::recovery;

/// How long a command waits for the central to answer at all.
const CENTRAL_WAIT: Duration = Duration::from_secs(5);
/// How long a new device waits for the histories of its albums.
const ARRIVE_WAIT: Duration = Duration::from_secs(5);
/// How long `devices` waits for it: what is known here is an answer too.
const LIST_WAIT: Duration = Duration::from_millis(500);
/// Digits of a device key that may stand for it.
const PREFIX_MIN: usize = 6;

/// The account whose 24 words these are, in this new home: a new device, and a new password.
pub(super) async fn recover(
    handle: &Handle,
    user: String,
    words: Secret,
    password: Secret,
    anew: bool,
) -> Result<Reply, Failure> {
    let seed = recovery::seed_of(&words.0)?;
    let root = KeyPair::from_seed(&seed);
    is_new_home(handle, &root).await?;
    let client = central::client(handle, CENTRAL_WAIT).await?;
    let (name, secret, of) = (user.clone(), password.clone(), root.clone());
    let account = blocking(move || Account::of_root(&name, &of, &secret.0)).await?;
    // The root proves itself before a device of its is known there: words of another account leave nothing behind.
    let refused = match client.set_password(&user, &password.0, &root).await {
        Ok(()) => None,
        Err(error) if anew && error.code() == Some(::central::proto::Code::Auth) => {
            let (certificate, device) = (&account.certificate, account.device());
            let made = client.resume_or_reclaim(&user, certificate, &device);
            made.await.map_err(central::failure)?;
            client.set_password(&user, &password.0, &root).await.err()
        }
        Err(error) => Some(error),
    };
    if let Some(error) = refused {
        let mut failure = central::failure(error);
        if failure.code == Code::Auth {
            failure.message = format!("the central knows no account {user} of these words");
            failure.hint = "check the name, the words, and which central it is (--central); --yes makes the account anew at a \
                            central that has lost it"
                .to_owned();
        }
        return Err(failure);
    }
    client
        .resume(&account.certificate, &account.device())
        .await
        .map_err(central::failure)?;
    move_in(handle, account).await
}

/// Whether this home may become a device of the user with that root.
async fn is_new_home(handle: &Handle, root: &KeyPair) -> Result<(), Failure> {
    let Some(account) = handle.with(|node| node.account.clone()).await? else {
        return Ok(());
    };
    let (message, hint) = match account.certificate.root == root.public() {
        true => (
            format!("this home is a device of {} already", account.name),
            format!("/login {}", account.name),
        ),
        false => (
            format!("this home belongs to {} already", account.name),
            "use another home: calotype --home DIR".to_owned(),
        ),
    };
    Err(Failure::new(Code::Exists, message, hint))
}

/// The central has this device: keep it, go online, and enter all albums that name its user.
pub(super) async fn move_in(handle: &Handle, mut account: Account) -> Result<Reply, Failure> {
    account.confirmed = true;
    let user = account.certificate.user();
    handle
        .with(move |node| {
            account.save(&node.home)?;
            node.account = Some(account);
            Ok::<_, Failure>(())
        })
        .await??;
    sign_in(handle).await?;
    // What cannot be listed now is entered by name later.
    let client = central::client(handle, CENTRAL_WAIT).await.ok();
    let listed = match &client {
        Some(client) => central::listed(client, &user).await.unwrap_or_default().0,
        None => Vec::new(),
    };
    let albums: Vec<AlbumId> = listed.iter().map(|album| album.album).collect();
    let names = listed.iter().map(|album| album.name.clone()).collect();
    let entering = albums.clone();
    handle
        .with(move |node| {
            let now = node.now();
            for album in &entering {
                node.entered.insert(*album);
                node.put("entered", &album.0, Vec::new());
                node.engine.open(now, *album);
            }
            if let [only] = entering[..] {
                node.set_current(Some(only));
            }
            node.carry_out();
            node.access_changed();
        })
        .await?;
    arrive(handle, client, albums).await?;
    handle
        .with(move |node| {
            let account = node.account.as_ref();
            let account = account.ok_or_else(|| Failure::new(Code::Auth, "nobody is logged in", ""))?;
            Ok(Reply::Recovered(Recovered {
                user: account.name.clone(),
                user_id: user.hex(),
                device: account.certificate.device.hex(),
                label: node.config.device_name.clone(),
                central: node.central.address.clone().unwrap_or_default(),
                albums: names,
            }))
        })
        .await?
}

/// Waits a while until the albums' histories are here, so that they can be used at once where a member is on.
async fn arrive(
    handle: &Handle,
    client: Option<::central::Client>,
    albums: Vec<AlbumId>,
) -> Result<(), Failure> {
    let until = tokio::time::Instant::now() + ARRIVE_WAIT;
    loop {
        let wanted = albums.clone();
        let missing = handle.with(move |node| {
            let here = |id: &AlbumId| {
                node.engine
                    .album(id)
                    .is_some_and(|album| album::is_in(node, album))
            };
            wanted.into_iter().filter(|id| !here(id)).collect::<Vec<_>>()
        });
        let missing = missing.await?;
        if missing.is_empty() || tokio::time::Instant::now() >= until {
            return Ok(());
        }
        for album in missing {
            if let Some(client) = &client {
                // A refusal or a lost connection is not the end: a member may come by itself.
                let _ = central::find_members(handle, client, album).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn recovery_words(handle: &Handle, password: Secret) -> Result<Reply, Failure> {
    let account = own_account(handle).await?;
    let user = account.name.clone();
    let root = blocking(move || account.root(&password.0)).await?;
    Ok(Reply::RecoveryWords(RecoveryWords {
        user,
        recovery_words: recovery::words_of(&root.seed()).to_string(),
    }))
}

/// The account in this new home by its password alone, if its root key is in escrow; none if it is not.
///
/// # Errors
/// Those of a login: a wrong password, too many of them.
pub(super) async fn from_escrow(
    handle: &Handle,
    user: &str,
    password: &Secret,
) -> Result<Option<Reply>, Failure> {
    let Ok(client) = central::client(handle, CENTRAL_WAIT).await else {
        return Ok(None);
    };
    let (sealed, key) = match client.escrow_open(user, &password.0).await {
        Err(error) if error.code() == Some(::central::proto::Code::NotFound) => return Ok(None),
        opened => opened.map_err(not_let_in)?,
    };
    // Who cannot open what he gets has no key there, whatever the central calls it.
    let Some(root) = escrow::open(&sealed, &key) else {
        return Ok(None);
    };
    let (name, secret) = (user.to_owned(), password.clone());
    let account = blocking(move || Account::of_root(&name, &root, &secret.0)).await?;
    client
        .resume(&account.certificate, &account.device())
        .await
        .map_err(not_let_in)?;
    move_in(handle, account).await.map(Some)
}

pub(super) async fn escrow_on(handle: &Handle, password: Secret) -> Result<Reply, Failure> {
    let account = own_account(handle).await?;
    let client = central::client(handle, CENTRAL_WAIT).await?;
    let (of, secret) = (account.clone(), password.clone());
    let root = blocking(move || of.root(&secret.0)).await?;
    let key = client
        .export_key(
            &account.name,
            &password.0,
            &account.certificate,
            &account.device(),
        )
        .await
        .map_err(central::failure)?;
    let sealed = escrow::seal(&root, &key)?;
    client.escrow_put(Some(sealed)).await.map_err(central::failure)?;
    escrow(handle, false).await
}

/// Whether the central keeps the sealed key; with `off` it forgets it first.
pub(super) async fn escrow(handle: &Handle, off: bool) -> Result<Reply, Failure> {
    let account = own_account(handle).await?;
    let client = central::client(handle, CENTRAL_WAIT).await?;
    // The node's own session may still be on its way.
    client
        .resume(&account.certificate, &account.device())
        .await
        .map_err(central::failure)?;
    if off {
        client.escrow_put(None).await.map_err(central::failure)?;
    }
    let told = client.devices().await.map_err(central::failure)?;
    Ok(Reply::Escrow(Escrow {
        user: account.name,
        escrow: told.escrow,
    }))
}

pub(super) async fn own_account(handle: &Handle) -> Result<Account, Failure> {
    let account = handle.with(|node| node.account.clone()).await?;
    account.ok_or_else(|| refused(engine::EditError::NoUser))
}

pub(super) async fn list(handle: &Handle) -> Result<Reply, Failure> {
    let account = own_account(handle).await?;
    let told = match central::client(handle, LIST_WAIT).await {
        Ok(client) => {
            // A session may still be on its way.
            let _ = central::compare_devices(handle, &client).await;
            client.devices().await.ok()
        }
        Err(_) => None,
    };
    let online: Vec<PublicKey> = told
        .iter()
        .flat_map(|told| &told.devices)
        .filter(|entry| entry.seen_ms.is_some() && entry.revoked.is_none())
        .map(|entry| entry.cert.device)
        .collect();
    let complete = told.is_some();
    handle
        .with(move |node| {
            let linked: Vec<PublicKey> = node.engine.linked().map(|(device, _)| device).collect();
            let here = Device {
                label: Some(node.config.device_name.clone()),
                device: account.certificate.device.hex(),
                here: true,
                online: node.net.is_some(),
                last_seen: None,
                revoked: node.is_revoked(),
                unaware: Vec::new(),
            };
            let user = account.certificate.user();
            let others = node.my_devices().map(|(device, known)| {
                let revoked = is_revoked(node, device);
                let unaware = match revoked {
                    true => node.unaware_albums(&user, device),
                    false => Vec::new(),
                };
                let unaware = unaware.iter().filter_map(|id| node.engine.album(id));
                Device {
                    label: known.label.clone(),
                    device: device.hex(),
                    here: false,
                    online: !revoked && (linked.contains(device) || online.contains(device)),
                    last_seen: known.seen.map(rfc3339),
                    revoked,
                    unaware: unaware.map(|album| album.name().to_owned()).collect(),
                }
            });
            let mut others: Vec<Device> = others.collect();
            others.sort_by(|a, b| (a.revoked, &a.label, &a.device).cmp(&(b.revoked, &b.label, &b.device)));
            Ok(Reply::Devices(Devices {
                user: account.name,
                devices: std::iter::once(here).chain(others).collect(),
                complete,
            }))
        })
        .await?
}

/// Whether one of my devices is that no longer, as this home or an album here knows.
fn is_revoked(node: &Node, device: &PublicKey) -> bool {
    let Some(user) = node.user() else { return false };
    node.revoked.contains_key(device)
        || node
            .engine
            .albums()
            .any(|album| album.device_revoked(&user, device))
}

pub(super) async fn revoke(handle: &Handle, wanted: String, password: Secret) -> Result<Reply, Failure> {
    let account = own_account(handle).await?;
    if let Ok(client) = central::client(handle, LIST_WAIT).await {
        // Devices that this one never met are known there.
        let _ = central::compare_devices(handle, &client).await;
    }
    let device = handle.with(move |node| pick(node, &wanted)).await??;
    let of = account.clone();
    let root = blocking(move || of.root(&password.0)).await?;
    let revocation = Revocation::issue(&root, &device);
    let said = revocation.clone();
    let step = move |node: &mut Node| {
        node.learn_revocation(&said);
        let user = account.certificate.user();
        let mut written = Vec::new();
        for album in node.unaware_albums(&user, &device) {
            let mut incarnation = [0; 16];
            rand::rngs::OsRng.fill_bytes(&mut incarnation);
            let author = crdt::Author::root(root.clone(), Incarnation(incarnation));
            let now = node.now();
            let token = node.engine.revoke_device(now, album, &author, device, clock_ms());
            written.push(node.durable(token.map_err(refused)?));
        }
        Ok::<_, Failure>(written)
    };
    for durable in handle.with(step).await?? {
        settled(durable).await?;
    }
    let announced = match central::client(handle, CENTRAL_WAIT).await {
        Ok(client) => client.revoke_device(&revocation).await.is_ok(),
        Err(_) => false,
    };
    handle
        .with(move |node| {
            let user = node.user();
            let aware = node
                .engine
                .albums()
                .filter(|album| user.is_some_and(|user| album.device_revoked(&user, &device)));
            Reply::Revoked(RevokedDevice {
                label: node.known.get(&device).and_then(|known| known.label.clone()),
                device: device.hex(),
                albums: aware.map(|album| album.name().to_owned()).collect(),
                announced,
            })
        })
        .await
}

/// The one of my other devices that a label or the first digits of a key mean.
fn pick(node: &Node, wanted: &str) -> Result<PublicKey, Failure> {
    let prefix = wanted.to_ascii_lowercase();
    let fits = |device: &PublicKey, label: Option<&str>| {
        label == Some(wanted) || (prefix.len() >= PREFIX_MIN && device.hex().starts_with(&prefix))
    };
    let found: Vec<PublicKey> = node
        .my_devices()
        .filter(|(device, known)| fits(device, known.label.as_deref()))
        .map(|(device, _)| *device)
        .collect();
    let here = node.device();
    match found[..] {
        [device] => Ok(device),
        [] if here.is_some_and(|here| fits(&here, Some(&node.config.device_name))) => Err(Failure::new(
            Code::Usage,
            format!("{wanted} is the device that you are using"),
            "revoke it on another of your devices; delete the home here if you give the machine away",
        )),
        [] => Err(Failure::new(
            Code::NotFound,
            format!("you have no other device {wanted:?}"),
            "/devices lists them",
        )),
        _ => {
            let keys: Vec<String> = found.iter().map(|device| device.hex()[..8].to_owned()).collect();
            Err(Failure::new(
                Code::Ambiguous,
                format!(
                    "{} of your devices are called {wanted:?}: {}",
                    found.len(),
                    keys.join(", ")
                ),
                "name one by the first digits of its key",
            ))
        }
    }
}
