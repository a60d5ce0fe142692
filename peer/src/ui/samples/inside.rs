//! Samples of what those see who look inside: an OR-set with everything in it, and traffic.

use super::{EVIL, HASH, SOURCE};
use crate::api::*;

const ALICE: &str = "q83vEjRWeJCrze8SNFZ4kA";
const BOB: &str = "zzzzEjRWeJCrze8SNFZ4kA";
const FILE: &str = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";

pub(super) fn or_set() -> OrSet {
    let dot = |actor: &str, seq| (actor.to_owned(), seq);
    let actor = |actor: &str, user: &str, device: &str| Actor {
        actor: actor.into(),
        name: format!("{user}/{}", &device[..4]),
        user: user.into(),
        device: device.into(),
    };
    let element = |at, value: serde_json::Value| Element {
        dot: at,
        kind: value["kind"].as_str().unwrap_or_default().to_owned(),
        value,
    };
    let image = |name: &str| serde_json::json!({"kind": "image", "name": name, "hash": FILE, "size": 736_000, "width": 768, "height": 512});
    let cost = |edits, ops, messages, bytes| Cost {
        edits,
        ops,
        messages,
        bytes,
    };
    let sends = |strategy: &str, edit, behind, empty| Sends {
        strategy: strategy.into(),
        edit,
        behind,
        empty,
    };
    let all = cost(14, 14, 1, 9_800);
    OrSet {
        album: "trip".into(),
        replica: Some(ALICE.into()),
        clock: [(ALICE.to_owned(), 11), (BOB.to_owned(), 3)].into(),
        elements: vec![
            element(
                dot(ALICE, 1),
                serde_json::json!({"kind": "genesis", "name": "trip", "by": "alice"}),
            ),
            element(
                dot(ALICE, 2),
                serde_json::json!({"kind": "grant", "name": EVIL, "role": "contributor"}),
            ),
            element(dot(ALICE, 3), image("kodim01.png")),
            element(dot(BOB, 1), image(&format!("写真 {}.png", "x".repeat(10_000)))),
            element(
                dot(BOB, 2),
                serde_json::json!({"kind": "rating", "image": FILE, "stars": 5}),
            ),
            element(dot(BOB, 3), serde_json::json!({"kind": "hologram", "depth": 3})),
        ],
        total: 9,
        skipped: 0,
        actors: vec![actor(ALICE, "alice", HASH), actor(BOB, EVIL, SOURCE)],
        removed: vec![Tombstone {
            dot: dot(ALICE, 4),
            kind: "image".into(),
            value: image("kodim02.png"),
            by: vec![dot(ALICE, 7), dot(BOB, 1)],
        }],
        removed_total: 1,
        held: 1,
        held_ops: vec![HeldOp {
            dot: dot(BOB, 9),
            facts: 2,
        }],
        waiting: 1,
        ops: 15,
        sends: vec![
            sends(
                "op",
                cost(1, 1, 1, 712),
                cost(10, 10, 10, 7_120),
                cost(14, 14, 14, 10_500),
            ),
            sends("delta", cost(1, 1, 1, 712), cost(10, 10, 1, 6_300), all),
            sends("state", Cost { edits: 1, ..all }, Cost { edits: 10, ..all }, all),
        ],
        digest: HASH.into(),
    }
}

pub(super) fn net() -> Net {
    let flow = |kind: &str, messages_in, bytes_in, messages_out, bytes_out| Flow {
        kind: kind.into(),
        messages_in,
        bytes_in,
        messages_out,
        bytes_out,
    };
    let kinds = vec![
        flow("edits", 12, 9_100, 24, 18_200),
        flow("hints", 1, 180, 0, 0),
        flow("compare", 4, 5_600, 4, 5_600),
        flow("pull", 0, 0, 0, 0),
        flow("have", 2, 120, 2, 130),
        flow("blobs", 3, 300, 40, 4_000_000),
        flow("refused", 0, 0, 0, 0),
    ];
    let peer = |user: &str, device: &str, linked| PeerFlows {
        user: user.into(),
        device: device.into(),
        linked,
        bytes_in: 15_300,
        bytes_out: 4_023_930,
        kinds: kinds.clone(),
    };
    Net {
        replication: "delta".into(),
        since: "2026-11-21T08:30:00.000Z".into(),
        ops_written: 12,
        published: Published {
            edits: 14,
            ops: 14,
            messages: 12,
            bytes: 9_100,
        },
        peers: vec![
            peer("bob", HASH, true),
            peer(EVIL, SOURCE, false),
            peer("", "", false),
        ],
        kinds,
        bytes_in: 15_300,
        bytes_out: 4_023_930,
        link_bytes_in: 17_000,
        link_bytes_out: 4_052_000,
        counters: [("gossip_bytes_out".to_owned(), 34_567), ("ops_in".to_owned(), 12)].into(),
    }
}

/// A node with something of everything, and what fails in its self-test.
pub(super) fn status(inexact: Vec<String>) -> Reply {
    Reply::Status(Box::new(Status {
        user: Some("alice".into()),
        album: Some("trip".into()),
        role: Some("owner".into()),
        peers: 2,
        pending_bytes: 34_000_000,
        pending_images: 12,
        disk_bytes: 1_250_000_000,
        only_copies: 1,
        versions: Versions {
            verified: 12,
            not_as_stated: 1,
            unverified: 3,
            not_verifiable: 2,
            rebuilt: 4,
        },
        inexact,
        central: "connected".into(),
        central_address: Some("127.0.0.1:7400".into()),
        peer_address: "127.0.0.1:4000".into(),
        revoked: false,
        home: "/home/alice/.local/share/calotype/home".into(),
        pid: 4711,
        replication: "op".into(),
        refused: [("op_signature".to_owned(), 12), ("hello".to_owned(), 3)].into(),
        refused_from: vec![RefusedFrom {
            user: "bob".into(),
            device: SOURCE.into(),
            kinds: [("op_signature".to_owned(), 12)].into(),
        }],
    }))
}
