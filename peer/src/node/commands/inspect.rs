//! `get-or-set`, `net`: an album's inner state, and what passed between peers.

use std::collections::BTreeMap;

use crdt::id::{ActorId, PublicKey};
use crdt::{Album, FactId};
use engine::{Kind, Sizes, Strategy};

use super::super::counted::Snapshot;
use super::super::run::{Handle, Node, clock_ms, rfc3339};
use super::super::strategy_word;
use crate::api::{
    Actor, Cost, Element, Failure, Flow, HeldOp, Net, OrSet, PeerFlows, Published, RawDot, Reply, Sends,
    Tombstone,
};

/// Digits of a device's key in an actor's name, where they tell the user's devices apart.
const DEVICE_DIGITS: usize = 4;

/// Which elements: the newest `limit` before the newest `skip`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) limit: Option<usize>,
    pub(super) skip: usize,
}

impl Page {
    fn of<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let end = all.len().saturating_sub(self.skip);
        let start = self.limit.map_or(0, |limit| end.saturating_sub(limit));
        &all[start..end]
    }
}

pub(super) async fn or_set(
    handle: &Handle,
    label: Option<String>,
    page: Page,
    behind: usize,
) -> Result<Reply, Failure> {
    let look = move |node: &mut Node| {
        let id = node.album(label.as_deref())?.id();
        let sizes = node.engine.sizes(&id);
        let album = node.album(label.as_deref())?;
        Ok(Reply::OrSet(state(node, album, page, behind, sizes.as_ref())))
    };
    handle.with(look).await?
}

fn state(node: &Node, album: &Album, page: Page, behind: usize, sizes: Option<&Sizes>) -> OrSet {
    let me = node.engine.me().map(|me| me.author.actor());
    let live = album.live_facts();
    let elements = page.of(&live).iter().map(|id| {
        let (kind, value) = fact(album, id);
        Element {
            dot: dot(id.actor, id.seq),
            kind,
            value,
        }
    });
    let tombstones = album.tombstones();
    // The same number of each, and of these the newest.
    let newest = Page { skip: 0, ..page };
    let removed = newest.of(&tombstones).iter().map(|gone| {
        let (kind, value) = fact(album, &gone.id);
        Tombstone {
            dot: dot(gone.id.actor, gone.id.seq),
            kind,
            value,
            by: gone.by.iter().map(|(actor, seq)| dot(*actor, *seq)).collect(),
        }
    });
    let held: Vec<HeldOp> = album
        .op_views()
        .filter(|op| !op.valid)
        .map(|op| HeldOp {
            dot: dot(op.actor, op.first),
            facts: u64::from(op.facts),
        })
        .collect();
    OrSet {
        album: album.name().to_owned(),
        replica: me
            .filter(|actor| album.last_seq(actor).0 > 0)
            .map(|actor| actor.to_string()),
        clock: album
            .clock()
            .into_iter()
            .map(|(actor, seq)| (actor.to_string(), seq))
            .collect(),
        elements: elements.collect(),
        total: live.len() as u64,
        skipped: live.len().min(page.skip) as u64,
        actors: actors(node, album),
        removed: removed.collect(),
        removed_total: tombstones.len() as u64,
        held: album.held_count() as u64,
        held_ops: newest.of(&held).to_vec(),
        waiting: album.waiting_count() as u64,
        ops: album.op_count() as u64,
        sends: sizes.map_or_else(Vec::new, |sizes| sends(sizes, behind)),
        digest: album.digest().hex(),
    }
}

fn dot(actor: ActorId, seq: u64) -> RawDot {
    (actor.to_string(), seq)
}

/// A fact's kind and what it says.
fn fact(album: &Album, id: &FactId) -> (String, serde_json::Value) {
    let text = album.fact(id).map(|element| element.text).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let kind = value.get("kind").and_then(|kind| kind.as_str());
    (kind.unwrap_or_default().to_owned(), value)
}

/// Who is behind each actor: `user/device`, with as many digits as tell the devices apart; an actor that is not the
/// first of its device, by id, has its number.
fn actors(node: &Node, album: &Album) -> Vec<Actor> {
    let views = album.actor_views();
    let mut devices: BTreeMap<PublicKey, u64> = BTreeMap::new();
    let tells = |digits: usize| {
        let mut cut: Vec<String> = views.iter().map(|view| view.device.hex()).collect();
        cut.sort();
        cut.dedup();
        cut.windows(2).all(|pair| pair[0][..digits] != pair[1][..digits])
    };
    let digits = (DEVICE_DIGITS..64).find(|digits| tells(*digits)).unwrap_or(64);
    let actors = views.iter().map(|view| {
        let (user, device) = (node.name_of(&view.user), view.device.hex());
        let life = devices.entry(view.device).or_default();
        *life += 1;
        let mut name = format!("{user}/{}", &device[..digits]);
        if *life > 1 {
            name.push_str(&format!("/{life}"));
        }
        Actor {
            actor: view.actor.to_string(),
            name,
            user,
            device,
        }
    });
    actors.collect()
}

fn sends(sizes: &Sizes, behind: usize) -> Vec<Sends> {
    let each = [Strategy::Op, Strategy::Delta, Strategy::State];
    let sends = each.map(|strategy| {
        let cost = |edits: usize| {
            let edits = edits.min(sizes.ops());
            let cost = match edits {
                0 => engine::Cost::default(),
                edits => sizes.cost(strategy, edits),
            };
            Cost {
                edits: edits as u64,
                ops: cost.ops,
                messages: cost.messages,
                bytes: cost.bytes,
            }
        };
        Sends {
            strategy: strategy_word(strategy).to_owned(),
            edit: cost(1),
            behind: cost(behind),
            empty: cost(usize::MAX),
        }
    });
    sends.to_vec()
}

pub(super) async fn net(handle: &Handle, reset: bool) -> Result<Reply, Failure> {
    let look = move |node: &mut Node| {
        let now = snapshot(node);
        if reset {
            node.counted.since = clock_ms();
            node.counted.then = now.clone();
        }
        Reply::Net(counted(node, &now))
    };
    handle.with(look).await
}

fn snapshot(node: &Node) -> Snapshot {
    let mut traffic = node.engine.traffic().clone();
    node.handle.moved.add_to(&mut traffic);
    let counter = |name: &str| node.engine.counters().get(name).copied().unwrap_or(0);
    let carried = node.net.as_ref().map(net::Net::carried).unwrap_or_default();
    Snapshot {
        traffic,
        carried: node.counted.carried(carried),
        written: counter("ops_written"),
        published: Published {
            edits: counter("edits_spread"),
            ops: counter("gossip_ops_out"),
            messages: counter("edit_messages_out"),
            bytes: counter("edit_bytes_out"),
        },
    }
}

fn counted(node: &Node, now: &Snapshot) -> Net {
    let then = &node.counted.then;
    let mut kinds: BTreeMap<Kind, engine::Flow> = BTreeMap::new();
    let mut by_peer: BTreeMap<Option<PublicKey>, BTreeMap<Kind, engine::Flow>> = BTreeMap::new();
    for (peer, kind, flow) in now.traffic.since(&then.traffic).flows() {
        *kinds.entry(kind).or_default() += flow;
        if flow != engine::Flow::default() {
            *by_peer.entry(peer).or_default().entry(kind).or_default() += flow;
        }
    }
    let flows = |kinds: &BTreeMap<Kind, engine::Flow>| -> Vec<Flow> {
        let flow = |(kind, flow): (&Kind, &engine::Flow)| Flow {
            kind: kind.word().to_owned(),
            messages_in: flow.messages_in,
            bytes_in: flow.bytes_in,
            messages_out: flow.messages_out,
            bytes_out: flow.bytes_out,
        };
        kinds.iter().map(flow).collect()
    };
    let sum = |flows: &[Flow]| {
        let bytes_in: u64 = flows.iter().map(|flow| flow.bytes_in).sum();
        let bytes_out: u64 = flows.iter().map(|flow| flow.bytes_out).sum();
        (bytes_in, bytes_out)
    };
    let linked: std::collections::BTreeSet<PublicKey> = node.engine.linked().map(|(peer, _)| peer).collect();
    let peers = by_peer.iter().map(|(peer, kinds)| {
        let kinds = flows(kinds);
        let (bytes_in, bytes_out) = sum(&kinds);
        let known = peer.and_then(|peer| node.known.get(&peer));
        PeerFlows {
            user: known.map_or_else(String::new, |known| node.name_of(&known.certificate.user())),
            device: peer.map_or_else(String::new, |peer| peer.hex()),
            linked: peer.is_some_and(|peer| linked.contains(&peer)),
            bytes_in,
            bytes_out,
            kinds,
        }
    });
    let mut peers: Vec<PeerFlows> = peers.collect();
    peers.sort_by(|a, b| {
        (a.device.is_empty(), &a.user, &a.device).cmp(&(b.device.is_empty(), &b.user, &b.device))
    });
    let none = engine::Flow::default();
    let all: BTreeMap<Kind, engine::Flow> = Kind::ALL
        .map(|kind| (kind, kinds.get(&kind).copied().unwrap_or(none)))
        .into();
    let kinds = flows(&all);
    let (bytes_in, bytes_out) = sum(&kinds);
    let links = node.net.as_ref().map(net::Net::counters).unwrap_or_default();
    let links = net::ORDINARY_KINDS.map(|kind| (kind, links.get(kind).copied().unwrap_or(0)));
    let counters = node.engine.counters().iter().map(|(name, count)| (*name, *count));
    let counters = counters.chain(links.into_iter().filter(|(_, count)| *count > 0));
    Net {
        replication: strategy_word(node.config.replication).into(),
        since: rfc3339(node.counted.since),
        ops_written: now.written - then.written,
        published: Published {
            edits: now.published.edits - then.published.edits,
            ops: now.published.ops - then.published.ops,
            messages: now.published.messages - then.published.messages,
            bytes: now.published.bytes - then.published.bytes,
        },
        kinds,
        peers,
        bytes_in,
        bytes_out,
        link_bytes_in: now.carried.0.saturating_sub(then.carried.0),
        link_bytes_out: now.carried.1.saturating_sub(then.carried.1),
        counters: counters.map(|(name, count)| (name.to_owned(), count)).collect(),
    }
}
