//! The node's side of the central: one task that connects, resumes the session, announces this node, keeps the lists of
//! albums up to date and brings the members' addresses. Albums go on without it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use central::client::Fingerprint;
use central::embedded::{self, Embedded};
use central::proto::{AlbumList, Genesis, Member, PeerEntry};
use central::{Client, ClientError, Pin, Push};
use crdt::Album;
use crdt::fact::Role;
use crdt::id::{AlbumId, Signature, UserId};
use crdt::keys::{Certificate, Domain, KeyPair, Revocation};
use tokio::sync::Notify;

use super::code::answer;
use super::code::mine;
use super::run::{Handle, Node};
use super::{CentralChoice, news};
use crate::api::{Code, Failure, News};

/// First and longest wait before connecting again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));
/// How often the lists are asked for even if nothing was pushed.
const REFRESH: Duration = Duration::from_secs(20);

/// What the node knows of its central.
#[derive(Default)]
pub(super) struct CentralState {
    /// The live connection.
    pub(super) client: Option<Client>,
    /// Where it is, or was last.
    pub(super) address: Option<String>,
    /// Its key.
    pub(super) key: Option<Fingerprint>,
    /// Albums that the central says I may enter, from lists whose signatures hold.
    pub(super) listed: Vec<Listed>,
    /// Why the last attempt failed.
    pub(super) trouble: Option<String>,
    /// Why there is a connection and no session.
    pub(super) refused: Option<String>,
    /// Albums from which the central says that I was removed, with by whom. Its word alone: see [`Node::uninvited`].
    uninvited: BTreeMap<AlbumId, String>,
    wake: Arc<Notify>,
    /// Connect at once, whatever failed before.
    retry: Arc<Notify>,
    /// Told when the node is to use another central.
    moved: Arc<Notify>,
}

/// An album as a signed list describes it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) album: AlbumId,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) role: String,
}

impl CentralState {
    /// Membership, account or albums moved: the task looks at its lists again.
    pub(super) fn albums_changed(&self) {
        self.wake.notify_one();
    }

    /// What kept it away may be gone: no more waiting.
    pub(super) fn try_again(&self) {
        self.retry.notify_one();
    }

    /// Another central was chosen: the task leaves the one it has.
    pub(super) fn chosen_anew(&mut self) {
        self.client = None;
        self.trouble = None;
        self.moved.notify_one();
    }

    /// `connected`, `down` or `none` (nobody is logged in).
    pub(super) fn word(&self, signed_in: bool) -> &'static str {
        match (&self.client, signed_in) {
            (Some(client), true) if !client.is_closed() => "connected",
            (_, false) => "none",
            _ => "down",
        }
    }
}

/// Where a home notes what the central said of removals.
const UNINVITED: &str = "uninvited";

impl Node {
    /// Who removed me from an album, as the central says. The op that did it does not come to me any more, and who is cut
    /// off has nobody else to ask; but the central may lie, so a linked member who answers me about the album counts more,
    /// and my place in it is never changed by this.
    pub(super) fn uninvited(&self, album: &Album) -> Option<&str> {
        let id = album.id();
        let by = self.central.uninvited.get(&id)?;
        (!self.engine.is_answered(&id)).then_some(by)
    }

    /// The central says that I was removed: told once.
    fn note_uninvited(&mut self, album: AlbumId, name: String, by: String) {
        let is_known = match self.engine.album(&album).filter(|here| here.has_genesis()) {
            Some(here) => self.my_role(here) == Role::None,
            None => false,
        };
        if is_known || self.central.uninvited.contains_key(&album) {
            return;
        }
        self.put(UNINVITED, &album.0, by.clone().into_bytes());
        self.central.uninvited.insert(album, by.clone());
        news::tell(self, Some(name), News::Uninvited { by });
    }

    /// It is not so, or an op says it now. Returns whether it had been told.
    pub(super) fn forget_uninvited(&mut self, album: &AlbumId) -> bool {
        let was = self.central.uninvited.remove(album).is_some();
        if was {
            self.delete(UNINVITED, &album.0);
        }
        was
    }

    /// Reads what an earlier life noted.
    pub(super) fn load_uninvited(&mut self) -> Result<(), store::ReadError> {
        for (key, by) in self.db().scan(UNINVITED, b"")? {
            if let (Ok(album), Ok(by)) = (key.try_into(), String::from_utf8(by)) {
                self.central.uninvited.insert(AlbumId(album), by);
            }
        }
        Ok(())
    }
}

/// Who this node is to the central.
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) certificate: Certificate,
    pub(super) device: KeyPair,
}

impl Node {
    pub(super) fn identity(&self) -> Option<Identity> {
        let account = self.account.as_ref()?;
        Some(Identity {
            name: account.name.clone(),
            certificate: account.certificate.clone(),
            device: account.device(),
        })
    }
}

/// Connects and stays connected until the node ends.
pub(super) async fn run(handle: Handle) {
    // Held as long as this node is the one that serves this user account's embedded central.
    let mut serving = None;
    let mut wait = BACKOFF.0;
    let Ok(retry) = handle.with(|node| node.central.retry.clone()).await else {
        return;
    };
    loop {
        let chosen = handle.with(|node| (node.config.central.clone(), node.central.moved.clone()));
        let Ok((choice, moved)) = chosen.await else { break };
        match connect(&handle, &choice, &mut serving).await {
            Ok((client, address, key)) => {
                wait = BACKOFF.0;
                let up = client.clone();
                let told = handle
                    .with(move |node| came_up(node, up, (address, key), &choice))
                    .await;
                let reason = match told {
                    Ok(true) => tokio::select! {
                        reason = attend(&handle, &client) => reason,
                        () = moved.notified() => continue,
                    },
                    // Chosen anew meanwhile.
                    Ok(false) => continue,
                    Err(_) => break,
                };
                if handle.with(move |node| went_down(node, reason)).await.is_err() {
                    break;
                }
            }
            Err(reason) => {
                if handle
                    .with(move |node| node.central.trouble = Some(reason))
                    .await
                    .is_err()
                {
                    break;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(BACKOFF.1),
            () = retry.notified() => wait = BACKOFF.0,
            () = moved.notified() => wait = BACKOFF.0,
        }
    }
}

/// Takes a connection over, unless it is to a central that is not the chosen one any more.
fn came_up(
    node: &mut Node,
    client: Client,
    (address, key): (String, Fingerprint),
    choice: &CentralChoice,
) -> bool {
    if node.config.central != *choice {
        return false;
    }
    let again = node.central.trouble.take().is_some() && node.signed_in;
    node.central.client = Some(client);
    node.central.address = Some(address.clone());
    node.central.key = Some(key);
    if again {
        news::tell(node, None, News::CentralUp { address });
    }
    true
}

fn went_down(node: &mut Node, reason: String) {
    node.central.client = None;
    node.central.trouble = Some(reason.clone());
    if node.signed_in {
        news::tell(node, None, News::CentralDown { reason });
    }
}

async fn connect(
    handle: &Handle,
    choice: &CentralChoice,
    serving: &mut Option<Embedded>,
) -> Result<(Client, String, Fingerprint), String> {
    let (address, pin) = match choice {
        CentralChoice::Embedded { dir } => embedded_central(dir, serving).await?,
        CentralChoice::Address(address) => {
            let key = address.clone();
            let pinned = handle
                .with(move |node| pinned_key(node, &key))
                .await
                .map_err(|failure| failure.message)?;
            (address.clone(), pinned.map_or(Pin::FirstUse, Pin::Key))
        }
    };
    let (client, fingerprint) = match Client::connect(&address, pin).await {
        Ok(connected) => connected,
        Err(error) => {
            distrust(handle, &error).await;
            return Err(error.to_string());
        }
    };
    if pin == Pin::FirstUse {
        let key = address.clone();
        // Meanwhile a person may have said which key it is.
        let pin = move |node: &mut Node| match pinned_key(node, &key) {
            Some(pinned) => pinned == fingerprint,
            None => {
                pin_key(node, &key, fingerprint);
                true
            }
        };
        if !handle.with(pin).await.map_err(|failure| failure.message)? {
            return Err(format!(
                "the central at {address} has another key than the trusted one"
            ));
        }
    }
    Ok((client, address, fingerprint))
}

/// Notes what only a broken or a false central does. Another key is said aloud: a person decides.
async fn distrust(handle: &Handle, error: &ClientError) {
    let kind = match error {
        ClientError::KeyChanged { .. } => "central_key",
        ClientError::Protocol { .. } => "central_protocol",
        ClientError::Unreachable { .. } | ClientError::Timeout { .. } | ClientError::Refused(_) => return,
    };
    let (detail, is_key) = (error.to_string(), kind == "central_key");
    let step = move |node: &mut Node| {
        if is_key && node.central.trouble.as_ref() != Some(&detail) {
            news::warn(
                node,
                format!(
                    "{detail}; it is not used, your albums go on without it. Is it meant to be? Whoever runs it can read \
                     out the six words of its key: /central trust WORDS"
                ),
            );
        }
        node.refused(kind, None, 1, &detail);
    };
    // Fails only when the node is ending.
    let _ = handle.with(step).await;
}

/// The key that the central at this address has to show.
pub(super) fn pinned_key(node: &Node, address: &str) -> Option<Fingerprint> {
    let stored = node.db().get("central-keys", address.as_bytes()).ok().flatten()?;
    stored.try_into().ok()
}

/// From now on the central at this address has to show this key.
pub(super) fn pin_key(node: &Node, address: &str, key: Fingerprint) {
    node.put("central-keys", address.as_bytes(), key.to_vec());
}

async fn embedded_central(dir: &Path, serving: &mut Option<Embedded>) -> Result<(String, Pin), String> {
    if serving.is_none() {
        match embedded::join(dir).await.map_err(|error| error.to_string())? {
            Embedded::Found { address, key } => return Ok((address.to_string(), Pin::Key(key))),
            ours @ Embedded::Serving(_) => *serving = Some(ours),
        }
    }
    match serving {
        Some(Embedded::Serving(server)) => {
            Ok((server.local_addr().to_string(), Pin::Key(server.fingerprint())))
        }
        _ => Err("no central".into()),
    }
}

/// Serves one connection until it is lost; returns why.
async fn attend(handle: &Handle, client: &Client) -> String {
    let Some(mut pushes) = client.pushes() else {
        return "no pushes".into();
    };
    let Ok(wake) = handle.with(|node| node.central.wake.clone()).await else {
        return "the node is ending".into();
    };
    let mut refresh = Duration::ZERO;
    let mut in_session = false;
    loop {
        tokio::select! {
            reason = client.closed() => return reason,
            () = tokio::time::sleep(refresh) => {}
            () = wake.notified() => {}
            Some(push) = pushes.recv() => take_push(handle, client, push).await,
        }
        let refreshed = refresh_session(handle, client, &mut in_session).await;
        let refused = match &refreshed {
            Err(ClientError::Refused(failure)) if !in_session => Some(failure.message.clone()),
            _ => None,
        };
        // Fails only when the node is ending.
        let _ = handle.with(move |node| node.central.refused = refused).await;
        match refreshed {
            Ok(()) => refresh = REFRESH,
            Err(ClientError::Refused(failure)) => {
                tracing::warn!("central: {failure}");
                if let Some(revocation) = failure.revocation {
                    // Fails only when the node is ending.
                    let _ = handle.with(move |node| node.was_revoked(&revocation)).await;
                }
                refresh = REFRESH;
            }
            Err(error) => {
                distrust(handle, &error).await;
                if client.is_closed() {
                    return error.to_string();
                }
                tracing::debug!("central: {error}");
                refresh = Duration::from_secs(1);
            }
        }
    }
}

async fn take_push(handle: &Handle, client: &Client, push: Push) {
    let Some(push) = answer::heard(handle, client, push).await else {
        return;
    };
    let step = move |node: &mut Node| match push {
        Push::Album {
            album,
            name,
            by,
            removed,
        } => {
            let known = node.engine.album(&album).is_some_and(Album::has_genesis);
            if removed {
                node.central.listed.retain(|listed| listed.album != album);
                node.note_uninvited(album, name, by);
            } else if !known {
                news::tell(
                    node,
                    Some(name),
                    News::Invited {
                        owner: by.clone(),
                        by,
                    },
                );
            }
        }
        Push::Peer {
            album,
            cert,
            addresses,
        } => {
            let entry = PeerEntry {
                name: String::new(),
                user: cert.user(),
                cert,
                addresses,
                seen_ms: None,
            };
            meet(node, album, vec![entry]);
        }
        Push::Knock { .. } | Push::Mail { .. } | Push::Mailbox { .. } => {}
    };
    let _ = handle.with(step).await;
}

/// Session, announcement, lists, peers: whatever of it is out of date.
async fn refresh_session(handle: &Handle, client: &Client, in_session: &mut bool) -> Result<(), ClientError> {
    let wanted = handle
        .with(|node| if node.signed_in { node.identity() } else { None })
        .await;
    let Ok(Some(identity)) = wanted else {
        *in_session = false;
        return Ok(());
    };
    let begins = !*in_session;
    if begins {
        // A central whose database was wiped takes the name back from the device that proves it.
        client
            .resume_or_reclaim(&identity.name, &identity.certificate, &identity.device)
            .await?;
        *in_session = true;
        let _ = handle.with(|node| answer::forget_old(node)).await;
    }
    // A refusal costs only that nothing is told of codes.
    let _ = mine::look(handle, client).await;
    let address = handle
        .with(|node| node.net.as_ref().map(net::Net::local_addr))
        .await
        .ok()
        .flatten();
    if let Some(address) = address {
        let label = handle.with(|node| node.config.device_name.clone()).await;
        client
            .announce_as(&reachable(address), &label.unwrap_or_default())
            .await?;
    }
    if begins {
        compare_devices(handle, client).await?;
    }
    put_lists(handle, client, &identity).await?;
    let (listed, unsigned) = listed(client, &identity.certificate.user()).await?;
    let albums = handle.with(move |node| {
        for entry in &listed {
            if node.forget_uninvited(&entry.album) {
                let (by, owner) = (entry.owner.clone(), entry.owner.clone());
                news::tell(node, Some(entry.name.clone()), News::Invited { by, owner });
            }
        }
        node.central.listed = listed;
        if unsigned > 0 {
            node.refused(
                "central_list",
                None,
                unsigned,
                "an album's list that nobody signed",
            );
        }
        node.entered.iter().copied().collect::<Vec<_>>()
    });
    for album in albums.await.unwrap_or_default() {
        find_members(handle, client, album).await?;
    }
    Ok(())
}

/// The albums that signed lists at the central let this user enter, and how many lists nobody signed.
pub(super) async fn listed(client: &Client, me: &UserId) -> Result<(Vec<Listed>, u64), ClientError> {
    let entries = client.albums().await?;
    let mut unsigned = 0;
    let listed = entries.iter().filter_map(|entry| {
        let verified = central::lists::verify(&entry.list, &entry.sig, &entry.cert).ok();
        let Some(list) = verified.filter(|list| list.album == entry.album) else {
            unsigned += 1;
            return None;
        };
        let mine = list.members.iter().find(|member| member.user == *me)?;
        let owner = list
            .members
            .iter()
            .find(|member| member.role == central::proto::Role::Owner)?;
        Some(Listed {
            album: list.album,
            name: list.name.clone(),
            owner: owner.name.clone(),
            role: role_word(mine.role).into(),
        })
    });
    Ok((listed.collect(), unsigned))
}

/// What this home and the central know of my devices, brought together: names and places of the others come here, and
/// revocations go both ways, as a central may have lost what it was told. It is believed in nothing that the root did not
/// sign.
pub(super) async fn compare_devices(handle: &Handle, client: &Client) -> Result<(), ClientError> {
    let told = client.devices().await?;
    let step = move |node: &mut Node| {
        let root = node.account.as_ref()?.certificate.root;
        let mut known_there = Vec::new();
        for entry in told.devices {
            let certificate = entry.cert;
            let device = certificate.device;
            if certificate.root != root || !certificate.is_valid() {
                node.refused("central_peer", None, 1, "a device that its user did not certify");
                continue;
            }
            if let Some(sig) = entry.revoked {
                let revocation = Revocation { root, device, sig };
                if node.learn_revocation(&revocation) {
                    let name = entry.label.as_deref().unwrap_or("a device of yours");
                    news::warn(node, format!("{name} was revoked; it is your device no longer"));
                }
                match node.revoked.contains_key(&device) {
                    true => known_there.push(device),
                    false => node.refused("central_peer", None, 1, "a revocation that no root signed"),
                }
            }
            if Some(device) != node.device() {
                let addresses = entry.addresses.iter().filter_map(|text| text.parse().ok());
                node.learn(device, certificate, None, addresses.collect());
                if let Some(label) = entry.label {
                    node.learn_label(device, &label);
                }
            }
        }
        node.dial_known();
        let mine = node.revoked.values().filter(|revocation| revocation.root == root);
        let missing = mine.filter(|revocation| !known_there.contains(&revocation.device));
        Some(missing.cloned().collect::<Vec<_>>())
    };
    for revocation in handle.with(step).await.ok().flatten().unwrap_or_default() {
        client.revoke_device(&revocation).await?;
    }
    Ok(())
}

/// Asks where the members of an album are, and dials them.
pub(super) async fn find_members(
    handle: &Handle,
    client: &Client,
    album: AlbumId,
) -> Result<(), ClientError> {
    match client.album_peers(&album).await {
        Ok(peers) => {
            let _ = handle.with(move |node| meet(node, album, peers)).await;
            Ok(())
        }
        // The central may not list me (yet): then it has no addresses for me, and that is all.
        Err(ClientError::Refused(refused)) => {
            tracing::debug!("members of {}: {refused}", album.hex());
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Notes devices of members and dials those that may link. A central may lie here: what it says opens a link only for an
/// album that has not arrived, and then to nothing but its signed history.
pub(super) fn meet(node: &mut Node, album: AlbumId, peers: Vec<PeerEntry>) {
    let me = node.account.as_ref().map(|account| account.certificate.user());
    let waiting = node.entered.contains(&album) && !has_arrived(node.engine.album(&album), me.as_ref());
    for peer in peers {
        if !peer.cert.is_valid() || peer.cert.user() != peer.user {
            node.refused("central_peer", None, 1, "a device that its user did not certify");
            continue;
        }
        if Some(peer.cert.device) == node.device() {
            continue;
        }
        // Whoever may not link here is of no use, and a central that lies could name such without end.
        let is_welcome = waiting && node.gate.expect(peer.cert.device, album) || node.gate.admits(&peer.cert);
        if !is_welcome {
            continue;
        }
        let addresses: Vec<SocketAddr> = peer
            .addresses
            .iter()
            .filter_map(|address| address.parse().ok())
            .collect();
        let name = Some(peer.name).filter(|name| !name.is_empty());
        node.learn(peer.cert.device, peer.cert, name, addresses);
    }
    node.dial_known();
}

/// Whether the ops here give me a place in the album. With the genesis alone they do not: then a guard that asked them
/// would let in the owner's devices only, and those may be away for good.
fn has_arrived(album: Option<&Album>, me: Option<&UserId>) -> bool {
    album
        .zip(me)
        .is_some_and(|(album, me)| album.role_of(me) > Role::None)
}

/// Addresses under which others can reach a guard that listens here.
pub(super) fn reachable(address: SocketAddr) -> Vec<String> {
    if !address.ip().is_unspecified() {
        return vec![address.to_string()];
    }
    // Which of this machine's addresses leads to others: the one the system would send from.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        // Connecting a UDP socket sends nothing; it only picks a route.
        socket.connect("192.0.2.1:9").map(|()| socket)
    });
    let chosen = probe
        .and_then(|socket| socket.local_addr())
        .map(|local| local.ip());
    let ips = chosen.into_iter().chain([std::net::Ipv4Addr::LOCALHOST.into()]);
    ips.map(|ip| SocketAddr::new(ip, address.port()).to_string())
        .collect()
}

/// A list of an album's members, ready for the central.
struct SignedList {
    text: String,
    signature: Signature,
    genesis: Option<Genesis>,
}

/// Hands over the lists of all albums that this user may speak for.
async fn put_lists(handle: &Handle, client: &Client, identity: &Identity) -> Result<(), ClientError> {
    let device = identity.device.clone();
    let lists = handle.with(move |node| {
        let me = node.account.as_ref().map(|account| account.certificate.user());
        let albums = node
            .engine
            .albums()
            .filter(|album| me.is_some_and(|me| album.role_of(&me) >= Role::Curator));
        albums.map(|album| sign_list(album, &device)).collect::<Vec<_>>()
    });
    for list in lists.await.unwrap_or_default() {
        put(client, &list, identity).await?;
    }
    Ok(())
}

/// Hands over one album's list now; `true` once the central has it or a newer one.
pub(super) async fn announce_members(handle: &Handle, album: AlbumId) -> bool {
    let parts = handle.with(move |node| {
        let identity = node.identity()?;
        let list = sign_list(node.engine.album(&album)?, &identity.device);
        Some((node.central.client.clone()?, identity, list))
    });
    match parts.await {
        Ok(Some((client, identity, list))) => put(&client, &list, &identity).await.is_ok(),
        _ => false,
    }
}

async fn put(client: &Client, list: &SignedList, identity: &Identity) -> Result<(), ClientError> {
    let put = client.album_put(
        &list.text,
        &list.signature,
        &identity.certificate,
        list.genesis.as_ref(),
    );
    match put.await {
        Ok(_) => Ok(()),
        Err(ClientError::Refused(refused)) => {
            tracing::warn!("the central refused an album's list: {refused}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn sign_list(album: &Album, device: &KeyPair) -> SignedList {
    let members = album.members().filter_map(|member| {
        let role = match member.role {
            Role::Owner => central::proto::Role::Owner,
            Role::Curator => central::proto::Role::Curator,
            Role::Contributor => central::proto::Role::Contributor,
            Role::Viewer => central::proto::Role::Viewer,
            Role::None => return None,
        };
        Some(Member {
            user: member.user,
            name: member.name,
            role,
        })
    });
    let list = AlbumList {
        v: central::proto::VERSION,
        album: album.id(),
        name: album.name().to_owned(),
        lamport: album.lamport(),
        members: members.collect(),
    };
    let text = serde_json::to_string(&list).expect("plain data has a JSON text");
    let signature = device.sign(Domain::AlbumList, text.as_bytes());
    let genesis = album.genesis_op().map(|op| Genesis {
        header: op.header_text().to_owned(),
        sig: op.sig,
    });
    SignedList {
        text,
        signature,
        genesis,
    }
}

fn role_word(role: central::proto::Role) -> &'static str {
    match role {
        central::proto::Role::Viewer => "viewer",
        central::proto::Role::Contributor => "contributor",
        central::proto::Role::Curator => "curator",
        central::proto::Role::Owner => "owner",
    }
}

/// Waits up to `deadline` for a connection.
///
/// # Errors
/// `unreachable`, with what the last attempt said.
pub(super) async fn client(handle: &Handle, deadline: Duration) -> Result<Client, Failure> {
    let until = tokio::time::Instant::now() + deadline;
    loop {
        let state = handle
            .with(|node| (node.central.client.clone(), node.central.trouble.clone()))
            .await?;
        match state {
            (Some(client), _) if !client.is_closed() => return Ok(client),
            (_, trouble) if tokio::time::Instant::now() >= until => {
                let why = trouble.unwrap_or_else(|| "no answer yet".into());
                let hint =
                    "is the central running? `calotype status` shows its address; albums go on without it";
                return Err(Failure::new(
                    Code::Unreachable,
                    format!("the central cannot be reached: {why}"),
                    hint,
                ));
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A central's refusal as ours.
pub(super) fn failure(error: ClientError) -> Failure {
    let ClientError::Refused(refused) = error else {
        return Failure::new(
            Code::Unreachable,
            error.to_string(),
            "try again; albums go on without it",
        );
    };
    let code = match refused.code {
        central::proto::Code::Auth => Code::Auth,
        central::proto::Code::NotFound => Code::NotFound,
        central::proto::Code::Denied | central::proto::Code::Revoked => Code::Denied,
        central::proto::Code::Exists => Code::Exists,
        central::proto::Code::Usage => Code::Usage,
        central::proto::Code::Busy => Code::Busy,
        central::proto::Code::Internal => Code::Internal,
    };
    Failure {
        retry_after_ms: refused.retry_after_ms,
        ..Failure::new(code, refused.message, refused.hint)
    }
}

#[cfg(test)]
mod tests;
