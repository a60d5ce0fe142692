//! `peers`, `status`, `block`, and the prompt's facts.

use std::collections::BTreeMap;
use std::time::Duration;

use crdt::fact::Role;
use crdt::id::{AlbumId, PublicKey};
use engine::Standing;

use super::super::run::{Handle, Node, clock_ms, rfc3339};
use super::super::{blobs::blocking, central, strategy_word};
use super::done;
use crate::api::{Code, Failure, Lag, PeerEntry, Peers, Prompt, Reply, Status};
use crate::exact;

/// How long `peers` waits for linked peers to say where they stand.
const COMPARE: Duration = Duration::from_millis(300);
/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(10);

pub(super) async fn peers(handle: &Handle) -> Result<Reply, Failure> {
    let until = tokio::time::Instant::now() + COMPARE;
    handle.with(compare).await?;
    while tokio::time::Instant::now() < until && !handle.with(|node| all_equal(node)).await? {
        tokio::time::sleep(LOOK).await;
    }
    let peers = handle.with(|node| peer_entries(node)).await?;
    Ok(Reply::Peers(Peers { peers }))
}

/// Asks all linked members where they stand in each album.
fn compare(node: &mut Node) {
    let albums: Vec<AlbumId> = node.engine.albums().map(crdt::Album::id).collect();
    let now = node.now();
    for album in albums {
        node.engine.compare(now, album);
    }
    node.carry_out();
}

fn all_equal(node: &Node) -> bool {
    let standing = node
        .engine
        .albums()
        .flat_map(|album| node.engine.standing(&album.id()));
    standing
        .into_iter()
        .all(|(_, standing)| standing == Standing::Equal)
}

fn peer_entries(node: &Node) -> Vec<PeerEntry> {
    let here = node.device();
    let (mut links, mut connecting) = (BTreeMap::new(), Vec::new());
    if let Some(net) = &node.net {
        links.extend(net.links().into_iter().map(|link| (link.peer, link)));
        connecting = net.connecting();
    }
    let known = node.known.iter().filter(|(device, _)| Some(**device) != here);
    let entries = known.map(|(device, known)| {
        let user = known.certificate.user();
        let link: Option<&net::LinkInfo> = links.get(device);
        let state = match (node.blocked.contains(device), link) {
            (true, _) => "blocked",
            (false, Some(_)) => "linked",
            (false, None) if connecting.contains(device) => "connecting",
            (false, None) => "away",
        };
        let shared = || {
            node.engine
                .albums()
                .filter(|album| album.role_of(&user) > Role::None)
        };
        let address = link.map(|link| link.address).or(known.ways().first().copied());
        let seen = if link.is_some() {
            Some(clock_ms())
        } else {
            known.seen
        };
        let answered = link.and(node.answered.get(device));
        let rtt = answered.and_then(|times| times.iter().min());
        PeerEntry {
            user: node.name_of(&user),
            device: device.hex(),
            label: node.label_of(device),
            address: address.map(|address| address.to_string()),
            state: state.into(),
            albums: shared().map(|album| album.name().to_owned()).collect(),
            bytes_in: link.map_or(0, |link| link.bytes_in),
            bytes_out: link.map_or(0, |link| link.bytes_out),
            last_seen: seen.map(rfc3339),
            rtt_ms: rtt.map(|rtt| (rtt.as_secs_f64() * 1e5).round() / 1e2),
            lag: shared().filter_map(|album| lag(node, album, device)).collect(),
        }
    });
    let mut peers: Vec<PeerEntry> = entries
        .filter(|peer| !peer.albums.is_empty() || matches!(&*peer.state, "linked" | "blocked"))
        .collect();
    peers.sort_by(|a, b| (&a.user, &a.device).cmp(&(&b.user, &b.device)));
    peers
}

/// How far a linked device is apart from this node in an album.
fn lag(node: &Node, album: &crdt::Album, device: &PublicKey) -> Option<Lag> {
    let standing = node.engine.standing(&album.id());
    let (_, standing) = standing.into_iter().find(|(peer, _)| peer == device)?;
    let lag = node.engine.lag(&album.id(), device);
    let (state, lag) = match (standing, lag) {
        (Standing::Equal, _) => ("in-step", Some(engine::Lag::default())),
        (Standing::Unsure, Some(lag)) => ("apart", Some(lag)),
        (Standing::Unsure, None) => ("unknown", None),
    };
    Some(Lag {
        album: album.name().to_owned(),
        state: state.into(),
        missing_here: lag.map(|lag| lag.missing_here),
        missing_there: lag.map(|lag| lag.missing_there),
    })
}

/// How long `status` waits for the first attempt to reach the central, rather than call it down.
const FIRST_CONNECT: Duration = Duration::from_millis(500);

pub(super) async fn status(handle: &Handle) -> Result<Reply, Failure> {
    let first =
        handle.with(|node| node.signed_in && node.central.client.is_none() && node.central.trouble.is_none());
    if first.await? {
        // Whatever comes of it is what the status says.
        let _ = central::client(handle, FIRST_CONNECT).await;
    }
    let blobs = handle.blobs.clone();
    let disk_bytes = blocking(move || blobs.total_bytes()).await.unwrap_or(0);
    let inexact = blocking(|| exact::here().failures()).await;
    let status = handle.with(move |node| {
        let (pending_images, pending_bytes) = node.engine.pending();
        let only_copies = node.engine.albums().flat_map(|album| {
            album.images().filter(|view| {
                node.engine.is_here(&view.image.hash) && !node.engine.held_elsewhere(&view.image.hash)
            })
        });
        let counters = node.net.as_ref().map(net::Net::counters).unwrap_or_default();
        Status {
            user: node
                .account
                .as_ref()
                .filter(|_| node.signed_in)
                .map(|account| account.name.clone()),
            album: node
                .current
                .and_then(|id| Some(node.engine.album(&id)?.name().to_owned())),
            role: node
                .current
                .and_then(|id| Some(node.my_role(node.engine.album(&id)?).to_string())),
            peers: node.engine.linked().count() as u64,
            pending_bytes,
            pending_images,
            disk_bytes,
            only_copies: only_copies.count() as u64,
            versions: node.versions(),
            inexact,
            central: node.central.word(node.signed_in).into(),
            central_address: node.central.address.clone(),
            peer_address: node
                .net
                .as_ref()
                .map(|net| net.local_addr().to_string())
                .unwrap_or_default(),
            revoked: node.is_revoked(),
            home: node.home.path().display().to_string(),
            pid: std::process::id(),
            replication: strategy_word(node.config.replication).into(),
            refused: node.refusals.totals(&counters),
            refused_from: node.refused_from(),
        }
    });
    Ok(Reply::Status(Box::new(status.await?)))
}

pub(super) async fn prompt(handle: &Handle) -> Result<Reply, Failure> {
    let prompt = handle.with(|node| {
        let album = node.current.and_then(|id| node.engine.album(&id));
        let linked = node
            .engine
            .linked()
            .filter(|(_, user)| album.is_some_and(|album| album.role_of(user) > Role::None));
        Prompt {
            user: node
                .account
                .as_ref()
                .filter(|_| node.signed_in)
                .map(|account| account.name.clone()),
            album: album.map(|album| album.name().to_owned()),
            peers: linked.count() as u64,
            fetching: node.engine.pending_obtainable(),
            central: node.central.word(node.signed_in).into(),
        }
    });
    Ok(Reply::Prompt(prompt.await?))
}

/// Refuses links with a user's devices, or one device by the first digits of its key, or allows them again.
pub(super) async fn block(handle: &Handle, peer: String, block: bool) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let prefix = peer.to_ascii_lowercase();
        let found: Vec<PublicKey> = node
            .known
            .iter()
            .filter(|(device, known)| {
                let by_key = prefix.len() >= 6 && device.hex().starts_with(&prefix);
                by_key || node.name_of(&known.certificate.user()) == peer
            })
            .map(|(device, _)| *device)
            .collect();
        if found.is_empty() {
            return Err(Failure::new(
                Code::NotFound,
                format!("no peer {peer:?}"),
                "/peers lists them",
            ));
        }
        for device in &found {
            if block {
                node.blocked.insert(*device);
                node.put("blocked", &device.0, Vec::new());
            } else {
                node.blocked.remove(device);
                node.delete("blocked", &device.0);
            }
            if let Some(net) = &node.net {
                if block {
                    net.block(*device)
                } else {
                    net.unblock(*device)
                }
            }
        }
        node.dial_known();
        Ok(peer)
    };
    let peer = handle.with(step).await??;
    match block {
        true => done(format!(
            "{peer} is blocked: no links with them until /unblock {peer}"
        )),
        false => done(format!("{peer} may link again")),
    }
}
