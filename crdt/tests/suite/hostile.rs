//! Bytes of enemies: whatever is thrown at the decoder and at an album, nothing panics, nothing is allocated by a
//! claimed number, and the invariants hold.

use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::id::Signature;
use crdt::keys::Domain;
use crdt::op::Op;
use crdt::{Album, Trust};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{Peer, chat, device, fact_id, grant, image, peers, rating, role};

/// A small album, and an op that it has not received.
fn scene() -> (Album, Arc<Op>, Peer) {
    let mut all = peers(&[(b'A', Role::Curator)]);
    let added = all[0].say(image("a"));
    all[0].say(rating("a", 3));
    let owner = all[0].clone();
    all[1].pull(&owner);
    all[1].say(role(b'B', Role::Viewer));
    let facts = [image("b"), chat("x"), grant(b'B', Role::Contributor)];
    let op = all[1].write(&facts, &[fact_id(&added, 0)]).pop().unwrap();
    let alice = all.remove(1);
    let before = alice
        .album
        .ops()
        .filter(|other| other.hash != op.hash)
        .cloned()
        .collect::<Vec<_>>();
    let mut album = Album::empty(alice.album.id());
    before
        .into_iter()
        .for_each(|op| drop(album.receive(op, Trust::Stored)));
    (album, op, alice)
}

fn feed(album: &Album, text: &str) {
    if let Ok(op) = Op::decode(text) {
        let mut album = album.clone();
        // Trusted: so that what no signature covers is reached as well.
        album.receive(Arc::new(op), Trust::Stored);
        album.check_invariants().unwrap();
    }
}

/// Values that a reader may stumble over.
fn nasty() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!([])),
        Just(json!({})),
        Just(json!("")),
        Just(json!("AAAAAAAAAAAAAAAAAAAAAA")),
        Just(json!([[
            "AAAAAAAAAAAAAAAAAAAAAA",
            9_007_199_254_740_991_u64,
            9_007_199_254_740_991_u64
        ]])),
        Just(json!([[
            "AAAAAAAAAAAAAAAAAAAAAA",
            1,
            "AAAAAAAAAAAAAAAAAAAAAA",
            65_536
        ]])),
        prop_oneof![
            Just(0),
            Just(1),
            Just(2),
            Just(255),
            Just(256),
            Just((1u64 << 53) - 1),
            Just(1 << 53),
            any::<u64>()
        ]
        .prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        ".{0,40}".prop_map(|text| json!(text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Op::decode(&text).is_err());
        prop_assert!(Op::decode(&String::from_utf8_lossy(&bytes)).is_err());
        drop(Fact::read(&text));
        drop(crdt::op::check_genesis(&text, &Signature([0; 64])));
    }

    #[test]
    fn damaged_envelopes(edits in proptest::collection::vec((any::<usize>(), 0..4u8, any::<u8>()), 1..5)) {
        let (album, op, _) = scene();
        let mut bytes = op.bytes().as_bytes().to_vec();
        for (place, edit, byte) in edits {
            let place = place % bytes.len();
            match edit {
                0 => bytes[place] = byte,
                1 => bytes[place] ^= 1 << (byte % 8),
                2 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        feed(&album, &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn headers_with_nasty_values(key in 0..12usize, value in nasty(), second in proptest::option::of((0..12usize, nasty()))) {
        const KEYS: [&str; 12] =
            ["v", "album", "actor", "first", "count", "lamport", "prev", "deps", "root", "removes", "batch", "intro"];
        let (album, op, alice) = scene();
        let mut header: Value = serde_json::from_str(op.header_text()).unwrap();
        for (key, value) in std::iter::once((key, value)).chain(second) {
            header[KEYS[key]] = value;
        }
        let header = header.to_string();
        let sig = alice.author.device.sign(Domain::Op, header.as_bytes());
        let facts = op.bytes().split_once(r#""facts":"#).unwrap().1;
        feed(&album, &format!(r#"{{"header":{header},"sig":"{sig}","facts":{facts}"#));
    }

    #[test]
    fn facts_with_nasty_values(which in 0..10usize, key in any::<usize>(), value in nasty()) {
        let kinds = [
            r#"{"kind":"genesis","rules":1,"random":"AAAAAAAAAAAAAAAAAAAAAA","name":"n","by":"b","at":1}"#.to_owned(),
            grant(b'A', Role::Viewer).to_text(),
            role(b'A', Role::None).to_text(),
            r#"{"kind":"accept","ops":[["AAAAAAAAAAAAAAAAAAAAAA",1,"AAAAAAAAAAAAAAAAAAAAAA",1]],"at":1}"#.to_owned(),
            Fact::Revoke { device: device(b'A', 1).device.public(), at: 1 }.to_text(),
            Fact::Album { name: "x".to_owned(), at: 1 }.to_text(),
            image("x").to_text(),
            rating("x", 1).to_text(),
            chat("x").to_text(),
            r#"{"kind":"other","x":1}"#.to_owned(),
        ];
        let mut fact: Value = serde_json::from_str(&kinds[which]).unwrap();
        let keys: Vec<String> = fact.as_object().unwrap().keys().cloned().collect();
        fact[keys[key % keys.len()].as_str()] = value;
        let text = fact.to_string();
        // What is read is read the same again from its canonical text; opaque facts keep their kind.
        if crdt::text::check(&text).is_ok() && let Ok(read) = Fact::read(&text) {
            let again = Fact::read(&read.to_text()).unwrap_or(Fact::Opaque { kind: read.kind().to_owned() });
            prop_assert_eq!(again.kind(), read.kind());
        }
    }
}

#[test]
fn structs_written_as_arrays_and_enums_as_objects_are_refused() {
    let (_, op, _) = scene();
    let intro_as_array = r#"{"kind":"grant","user":"x","role":{"viewer":null},"name":"a","at":1}"#;
    assert!(Fact::read(intro_as_array).is_err());
    let role = grant(b'A', Role::Viewer).to_text();
    assert!(Fact::read(&role).is_ok());
    assert!(Fact::read(&role.replace(r#""viewer""#, r#"{"viewer":null}"#)).is_err());
    assert!(Fact::read(&role.replace(r#""viewer""#, r#""owner""#)).is_err());
    assert!(Fact::read(&role.replace(r#""viewer""#, r#""none""#)).is_err());
    assert!(Fact::read(r#"["grant"]"#).is_err());
    let (header, sig) = (op.header_text(), op.sig);
    assert!(Op::decode(&format!(r#"[{header},"{sig}",[]]"#)).is_err());
    let fields: Value = serde_json::from_str(header).unwrap();
    let values = Value::Array(fields.as_object().unwrap().values().cloned().collect());
    assert!(Op::decode(&op.bytes().replace(header, &values.to_string())).is_err());
}

#[test]
fn keys_of_an_op_are_exactly_those() {
    let (_, op, _) = scene();
    let text = op.bytes();
    assert!(Op::decode(text).is_ok());
    let refused = |changed: String| {
        assert_ne!(changed, text);
        assert!(Op::decode(&changed).is_err(), "{changed}");
    };
    refused(text.replacen('{', r#"{"more":1,"#, 1));
    refused(text.replacen(r#""v":1"#, r#""v":2"#, 1));
    refused(text.replacen(r#""v":1"#, r#""v":1,"w":1"#, 1));
    refused(text.replacen(r#""v":1,"#, "", 1));
    refused(text.replacen(r#""v":1"#, r#""v":1,"batch":null"#, 1));
    refused(text.replacen(r#""v":1"#, r#""v":1,"v":1"#, 1));
    refused(text.replacen(r#""v":1"#, r#""v":1.0"#, 1));
    refused(text.replacen(r#""count":3"#, r#""count":2"#, 1));
    refused(format!("{text} x"));
    refused(text.replacen(r#""sig":""#, r#""sig":"A"#, 1));
    // Any order of keys is accepted, and is another header.
    let header = op
        .header_text()
        .replacen(r#"{"v":1,"#, "{", 1)
        .replacen('}', r#","v":1}"#, 1);
    let reordered = text.replace(op.header_text(), &header);
    assert!(Op::decode(&reordered).is_ok_and(|other| other.hash != op.hash && other.header == op.header));
}

#[test]
fn brackets_without_end() {
    for text in [
        "[".repeat(200_000),
        r#"{"a":"#.repeat(40_000),
        r#"{"header":"#.repeat(20_000),
    ] {
        assert!(Op::decode(&text).is_err());
        assert!(crdt::text::check(&text).is_err());
    }
    // A fact may nest as deep as any signed text, within the envelope's own two levels.
    let fact = |depth: usize| format!(r#"{{"kind":"x","y":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let (album, _, alice) = scene();
    let nested = |depth| {
        let prev = alice.album.op(&alice
            .album
            .heads()
            .iter()
            .find(|h| h.actor == alice.author.actor())
            .unwrap()
            .hash);
        let mut header =
            crate::world::Pen::new(&alice.author, album.id(), prev.map(|op| &**op), &[]).header();
        header.count = 1;
        header.root = Some(crdt::op::facts_root(std::iter::once(crdt::op::fact_hash(&fact(
            depth,
        )))));
        Op::sign(&header, &[fact(depth)], &alice.author.device)
    };
    assert!(nested(crdt::limits::DEPTH_MAX - 1).is_ok());
    assert!(nested(crdt::limits::DEPTH_MAX).is_err());
}
