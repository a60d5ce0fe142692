//! Replies for those who look inside: an album's OR-set, and what passed between peers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// See [`super::Reply::OrSet`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OrSet {
    /// Album name.
    pub album: String,
    /// This replica's actor, base64url; `null` before its first op.
    pub replica: Option<String>,
    /// The version vector: last needed seq of each actor.
    pub clock: BTreeMap<String, u64>,
    /// Live facts with their dots in the total order, or the page of them that was asked for.
    pub elements: Vec<Element>,
    /// Live facts in all.
    pub total: u64,
    /// Live facts newer than this page.
    pub skipped: u64,
    /// Who is behind each actor of the clock.
    pub actors: Vec<Actor>,
    /// Removed facts in the total order, no more than the page has elements.
    pub removed: Vec<Tombstone>,
    /// Removed facts in all.
    pub removed_total: u64,
    /// Ops held for missing rights.
    pub held: u64,
    /// The held ops, no more than the page has elements.
    pub held_ops: Vec<HeldOp>,
    /// Ops that wait for their past.
    pub waiting: u64,
    /// Ops received, held ones included.
    pub ops: u64,
    /// What each strategy would publish now: `op`, `delta`, `state`.
    pub sends: Vec<Sends>,
    /// Hash of the replicated state, hex.
    pub digest: String,
}

/// One live fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Element {
    /// (actor, seq).
    pub dot: RawDot,
    /// Fact kind.
    pub kind: String,
    /// The fact as signed.
    pub value: serde_json::Value,
}

/// (actor, seq): what tells one add from every other.
pub type RawDot = (String, u64);

/// A device of a user in one of its lives: what writes ops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Actor {
    /// Its id, base64url.
    pub actor: String,
    /// `user/device`, with the first digits of the device's key; `user/device/2` for its second life.
    pub name: String,
    /// User name.
    pub user: String,
    /// Device key, hex.
    pub device: String,
}

/// A fact that was live and is removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Its dot.
    pub dot: RawDot,
    /// Fact kind.
    pub kind: String,
    /// The fact as signed; its op still has it.
    pub value: serde_json::Value,
    /// The ops that remove it, as (actor, last seq).
    pub by: Vec<RawDot>,
}

/// An op that does not count, since its author lacks the right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOp {
    /// (actor, first seq).
    pub dot: RawDot,
    /// Its facts.
    pub facts: u64,
}

/// What one strategy would publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sends {
    /// `op`, `delta`, `state`.
    pub strategy: String,
    /// For one more edit, as large as the last op.
    pub edit: Cost,
    /// For a peer that lacks the last `behind.edits` ops.
    pub behind: Cost,
    /// For a peer that has nothing.
    pub empty: Cost,
}

/// Messages and bytes of something that would be published, once; each linked member gets a copy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Ops that are news to the peer.
    pub edits: u64,
    /// Ops in the messages.
    pub ops: u64,
    /// Gossip messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// See [`super::Reply::Net`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Net {
    /// Strategy now.
    pub replication: String,
    /// When counting began, RFC 3339 UTC.
    pub since: String,
    /// Edits written here since then.
    pub ops_written: u64,
    /// What was published in the form of the strategy, counted once however many members got a copy.
    pub published: Published,
    /// What passed, by kind, of all peers.
    pub kinds: Vec<Flow>,
    /// The same by peer.
    pub peers: Vec<PeerFlows>,
    /// Bytes of all kinds received.
    pub bytes_in: u64,
    /// Bytes of all kinds sent.
    pub bytes_out: u64,
    /// Bytes that the links received inside TLS: those above and what frames, heartbeats and handshakes add.
    pub link_bytes_in: u64,
    /// Bytes that the links sent inside TLS.
    pub link_bytes_out: u64,
    /// Counters by name since the start (`gossip_bytes_out`, `ops_in`, …).
    pub counters: BTreeMap<String, u64>,
}

/// See [`Net::published`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Edits that were to be sent: written here, or new here by gossip and passed on.
    pub edits: u64,
    /// Ops in the messages; with `state` the same ones many times.
    pub ops: u64,
    /// Gossip messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Messages and bytes of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// `edits`, `hints`, `compare`, `pull`, `have`, `blobs`, `refused`.
    pub kind: String,
    /// Messages received.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
}

/// What passed between this node and one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerFlows {
    /// User name; empty for the sum of those without a place of their own.
    pub user: String,
    /// Device key, hex.
    pub device: String,
    /// Whether it is linked now.
    pub linked: bool,
    /// Bytes received in all.
    pub bytes_in: u64,
    /// Bytes sent in all.
    pub bytes_out: u64,
    /// By kind.
    pub kinds: Vec<Flow>,
}
