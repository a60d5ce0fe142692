//! `doctor`: looks at everything that two peers need to meet, tries each address once, and says what follows.
//! It takes ten seconds at most: nothing here waits for another longer than the two stages below.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use ::central::client::Fingerprint;
use ::central::proto::{Code as Refused, PeerEntry};
use ::central::{Client, ClientError, Pin};
use crdt::fact::Role;
use crdt::id::{AlbumId, PublicKey, UserId};
use net::DialError;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::super::CentralChoice;
use super::super::central;
use super::super::diagnose::{Central, Facts, Meets, Member, Who, diagnose};
use super::super::run::{Handle, Node};
use super::Steps;
use crate::api::{Failure, Progress, Reply};

/// What the central, and the ways to this node's own guard, may take.
const CENTRAL_WAIT: Duration = Duration::from_millis(4_000);
/// What the ways to the members may take after that: a handshake has 5 s.
const MEMBERS_WAIT: Duration = Duration::from_millis(5_300);
/// How long the node's own attempt to reach the central is waited for.
const CONNECT_WAIT: Duration = Duration::from_millis(1_500);
/// How long its session is waited for.
const SESSION_WAIT: Duration = Duration::from_millis(1_500);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// Addresses that are tried; an album of so many members away is not looked at whole.
const TRIES_MAX: usize = 64;

pub(super) async fn doctor(handle: &Handle, steps: &Steps) -> Result<Reply, Failure> {
    let tell = |doing: &str, done| {
        let _ = steps.try_send(Progress {
            doing: doing.into(),
            done,
            total: 3,
            unit: "steps".into(),
        });
    };
    let begun = Instant::now();
    tell("asking the central", 0);
    let (mut facts, here) = handle.with(look).await?;
    let asked = ask_central(handle, &here);
    let own = try_own(&here);
    let until = begun + CENTRAL_WAIT;
    let (asked, own) = tokio::join!(timeout_at(until, asked), timeout_at(until, own));
    let asked = asked.unwrap_or_else(|_| Asked {
        central: Central::Away {
            address: here.address.clone().unwrap_or_default(),
            why: "it did not answer in time".into(),
        },
        ..Asked::default()
    });
    facts.own = own.unwrap_or_default();
    facts.central = asked.central;
    facts.elsewhere = asked.elsewhere;

    tell("trying the ways to the members", 1);
    let (peers, announced) = (asked.peers, asked.announced);
    let ways = handle.with(move |node| {
        for (album, peers) in peers {
            central::meet(node, album, peers);
        }
        ways(node)
    });
    let mut ways = ways.await?;
    let came = try_all(&here, &ways, begun + CENTRAL_WAIT + MEMBERS_WAIT).await;
    tell("looking at what came", 2);
    let links: BTreeSet<PublicKey> = here
        .net
        .iter()
        .flat_map(net::Net::links)
        .map(|link| link.peer)
        .collect();
    for way in &mut ways {
        way.member.announced = announced
            .as_ref()
            .map(|announced| way.devices.iter().any(|(device, _)| announced.contains(device)));
        if way.devices.iter().any(|(device, _)| links.contains(device)) {
            way.member.meets = Meets::Linked;
        } else if let Meets::Tried(tried) = &mut way.member.meets {
            let of = way
                .devices
                .iter()
                .flat_map(|(device, _)| came.get(device).into_iter().flatten());
            tried.extend(of.cloned());
        }
    }
    facts.members = ways.into_iter().map(|way| way.member).collect();
    Ok(Reply::Diagnosis(diagnose(&facts)))
}

/// What the tries need of the node.
#[derive(Clone)]
struct Here {
    net: Option<net::Net>,
    me: Option<PublicKey>,
    user: Option<UserId>,
    name: Option<String>,
    choice: CentralChoice,
    pinned: Option<Fingerprint>,
    /// Where the central is, or was last.
    address: Option<String>,
    announces: Vec<String>,
    entered: Vec<AlbumId>,
}

fn look(node: &mut Node) -> (Facts, Here) {
    let account = node.account.as_ref();
    let listens = node.net.as_ref().map(net::Net::local_addr);
    let (_, wanted) = node.engine.pending();
    let name = account.map(|account| account.name.clone());
    let free = rustix::fs::statvfs(node.home.path())
        .ok()
        .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    let counters = node.net.as_ref().map(net::Net::counters).unwrap_or_default();
    let totals = node.refusals.totals(&counters);
    let unsigned = ["central_list", "central_peer"]
        .iter()
        .filter_map(|kind| totals.get(*kind));
    let facts = Facts {
        account: match (name.clone(), node.signed_in) {
            (None, _) => Who::Nobody,
            (Some(name), false) => Who::Out(name),
            (Some(name), true) => Who::In(name),
        },
        disk: free.map(|free| (free, wanted)),
        files: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        listens,
        unsigned: unsigned.sum(),
        ..Facts::default()
    };
    let address = match &node.config.central {
        CentralChoice::Address(address) => Some(address.clone()),
        CentralChoice::Embedded { .. } => node.central.address.clone(),
    };
    let here = Here {
        net: node.net.clone(),
        me: account.map(|account| account.certificate.device),
        user: node.user(),
        name: name.filter(|_| node.signed_in),
        pinned: address
            .as_ref()
            .and_then(|address| central::pinned_key(node, address)),
        choice: node.config.central.clone(),
        address,
        announces: listens.map(central::reachable).unwrap_or_default(),
        entered: node.entered.iter().copied().collect(),
    };
    (facts, here)
}

/// What the central had to say.
#[derive(Default)]
struct Asked {
    central: Central,
    elsewhere: Vec<String>,
    peers: Vec<(AlbumId, Vec<PeerEntry>)>,
    /// Devices that it knows an address of now; none where it was not asked.
    announced: Option<BTreeSet<PublicKey>>,
}

async fn ask_central(handle: &Handle, here: &Here) -> Asked {
    let away = |central| Asked {
        central,
        ..Asked::default()
    };
    let client = match central::client(handle, CONNECT_WAIT).await {
        Ok(client) => client,
        Err(failure) => match connect(here).await {
            Some(Ok(client)) => client,
            Some(Err(central)) => return away(central),
            None => {
                let address = here.address.clone().unwrap_or_else(|| "this account".into());
                return away(Central::Away {
                    address,
                    why: failure.message,
                });
            }
        },
    };
    let mut asked = Asked::default();
    let (refused, another) = session(handle, here, &client).await;
    if refused.is_none() && here.name.is_some() {
        let mut announced = BTreeSet::new();
        for album in &here.entered {
            let Ok(peers) = client.album_peers(album).await else {
                continue;
            };
            let live = peers.iter().filter(|peer| !peer.addresses.is_empty());
            announced.extend(live.map(|peer| peer.cert.device));
            let mine = peers.iter().find(|peer| Some(peer.cert.device) == here.me);
            let foreign = mine.into_iter().flat_map(|mine| &mine.addresses);
            asked.elsewhere = foreign
                .filter(|address| !here.announces.contains(address))
                .cloned()
                .collect();
            asked.peers.push((*album, peers));
        }
        asked.announced = Some(announced);
    }
    let address = handle.with(|node| node.central.address.clone()).await;
    asked.central = Central::Up {
        address: address
            .ok()
            .flatten()
            .or_else(|| here.address.clone())
            .unwrap_or_default(),
        server: client.server().to_owned(),
        ahead_ms: client.clock_ahead_ms(),
        refused,
        another,
    };
    asked
}

/// Why there is no session, and whether the account's name is another's there.
async fn session(handle: &Handle, here: &Here, client: &Client) -> (Option<String>, bool) {
    let (Some(name), Some(user)) = (&here.name, here.user) else {
        return (None, false);
    };
    // The node may be about to open it.
    let until = Instant::now() + SESSION_WAIT;
    loop {
        let none = match client.lookup(name).await {
            Ok(found) => return (None, found.user != user),
            Err(ClientError::Refused(failure)) if failure.code == Refused::NotFound => return (None, true),
            Err(error) => error.to_string(),
        };
        let told = handle.with(|node| node.central.refused.clone()).await;
        match told {
            Ok(None) if Instant::now() < until => tokio::time::sleep(LOOK).await,
            Ok(told) => return (Some(told.unwrap_or(none)), false),
            Err(failure) => return (Some(failure.message), false),
        }
    }
}

/// A connection of our own, to learn what is wrong with the node's; none where the node serves the central itself.
async fn connect(here: &Here) -> Option<Result<Client, Central>> {
    let CentralChoice::Address(address) = &here.choice else {
        return None;
    };
    let pin = here.pinned.map_or(Pin::FirstUse, Pin::Key);
    let address = address.clone();
    Some(match Client::connect(&address, pin).await {
        Ok((client, _)) => Ok(client),
        Err(ClientError::KeyChanged { .. }) => Err(Central::Key { address }),
        Err(ClientError::Unreachable { reason: why, .. }) => Err(Central::Away { address, why }),
        Err(error @ ClientError::Timeout { .. }) => Err(Central::Away {
            address,
            why: error.to_string(),
        }),
        Err(error @ (ClientError::Protocol { .. } | ClientError::Refused(_))) => Err(Central::Strange {
            address,
            why: error.to_string(),
        }),
    })
}

/// The guard, by the addresses that others are given: whether this machine at least comes through.
async fn try_own(here: &Here) -> Vec<(SocketAddr, Result<(), DialError>)> {
    let (Some(net), Some(me)) = (&here.net, here.me) else {
        return Vec::new();
    };
    let mut own = Vec::new();
    let addresses = here
        .announces
        .iter()
        .filter_map(|address| address.parse::<SocketAddr>().ok());
    for address in addresses.filter(|address| !address.ip().is_loopback()) {
        own.push((address, net.try_once(me, address).await));
    }
    own
}

/// A member, and the devices by which he is reached.
struct Way {
    member: Member,
    devices: Vec<(PublicKey, Vec<SocketAddr>)>,
}

/// The other members of all albums here.
fn ways(node: &mut Node) -> Vec<Way> {
    let me = node.user();
    let users: BTreeSet<UserId> = node
        .engine
        .albums()
        .flat_map(|album| album.members())
        .filter(|member| member.role > Role::None && Some(member.user) != me)
        .map(|member| member.user)
        .collect();
    let refused = node.refused_from();
    let ways = users.into_iter().map(|user| {
        let known = || {
            node.known
                .iter()
                .filter(|(_, known)| known.certificate.user() == user)
        };
        let devices: Vec<_> = known().map(|(device, known)| (*device, known.ways())).collect();
        let mut kinds = BTreeMap::new();
        for (device, _) in &devices {
            let of = refused.iter().filter(|from| from.device == device.hex());
            for (kind, count) in of.flat_map(|from| &from.kinds) {
                *kinds.entry(kind.clone()).or_insert(0) += count;
            }
        }
        let meets = match &devices[..] {
            [] => Meets::Unknown,
            all if all.iter().all(|(device, _)| node.blocked.contains(device)) => Meets::Blocked,
            all if all.iter().all(|(_, addresses)| addresses.is_empty()) => Meets::Nowhere,
            _ => Meets::Tried(Vec::new()),
        };
        Way {
            member: Member {
                name: node.name_of(&user),
                meets,
                seen: known().filter_map(|(_, known)| known.seen).max(),
                announced: None,
                refused: kinds,
            },
            devices,
        }
    });
    ways.collect()
}

type Came = BTreeMap<PublicKey, Vec<(SocketAddr, DialError)>>;

/// Tries the addresses of all members without a link, all at once.
async fn try_all(here: &Here, ways: &[Way], until: Instant) -> Came {
    let mut came = Came::new();
    let Some(net) = &here.net else { return came };
    let tried = ways
        .iter()
        .filter(|way| matches!(way.member.meets, Meets::Tried(_)));
    let all = tried
        .flat_map(|way| &way.devices)
        .flat_map(|(device, addresses)| addresses.iter().map(|address| (*device, *address)));
    let mut tries = JoinSet::new();
    for (device, address) in all.take(TRIES_MAX) {
        let net = net.clone();
        tries.spawn(async move {
            let came = timeout_at(until, net.try_once(device, address)).await;
            (device, address, came.unwrap_or(Err(DialError::Silent)))
        });
    }
    while let Some(ended) = tries.join_next().await {
        if let Ok((device, address, Err(error))) = ended {
            came.entry(device).or_default().push((address, error));
        }
    }
    came
}
