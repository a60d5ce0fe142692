//! Ops: decoded, and received into an album with a history.

use std::sync::Arc;

use crdt::limits::OP_BYTES_MAX;
use crdt::op::Op;
use crdt::{Album, FactId, Receipt, Trust};

use crate::album::scene;
use crate::{Seed, seed};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    crdt::fact::Fact::read(text).ok();
    take(text);
    if text.len() <= OP_BYTES_MAX
        && let Some(signed) = scene().signed_again(text)
    {
        take(&signed);
    }
}

pub fn seeds() -> Vec<Seed> {
    let scene = scene();
    let all = scene.ops.iter().chain(&scene.news).zip(0..);
    all.map(|(op, number)| seed(&format!("{number:02}"), op.bytes()))
        .collect()
}

pub fn large() -> Vec<Vec<u8>> {
    let op = scene().ops[0].bytes();
    let (head, _) = op.split_once(r#""facts":["#).unwrap();
    let facts = |fact: &str| {
        format!(
            r#"{head}"facts":[{}{fact}]}}"#,
            format!("{fact},").repeat(100_000)
        )
    };
    let keys: String = (0..20_000).map(|key| format!(r#""{key}":0,"#)).collect();
    [
        facts("0"),
        facts("{}"),
        facts(r#"{"kind":"x"}"#),
        format!(r#"{{{keys}"header":0}}"#),
        "[".repeat(220_000),
        format!(r#"{{"header":{}"#, "[".repeat(200_000)),
        format!(r#"{{"kind":"x",{keys}"z":0}}"#),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}

/// What a refused op must leave as it was.
fn state(album: &Album) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        album.digest(),
        (
            album.op_count(),
            album.held_count(),
            album.waiting_count(),
            album.waiting_bytes(),
        ),
        (
            album.element_count(),
            album.heads(),
            album.roles(),
            album.name().to_owned(),
        ),
    )
}

fn take(text: &str) {
    let op = match Op::decode(text) {
        Ok(op) => Arc::new(op),
        Err(refusal) => return assert!(!refusal.kind().is_empty() && !refusal.to_string().is_empty()),
    };
    assert_eq!(op.bytes(), text, "kept as received");
    assert_eq!(Op::decode(op.bytes()).as_ref(), Ok(&*op), "read the same again");
    for trust in [Trust::Verify, Trust::Stored] {
        let mut album = scene().album.clone();
        let before = state(&album);
        match album.receive(op.clone(), trust) {
            Receipt::Refused(_) => {
                assert_eq!(state(&album), before, "refused, yet something changed");
                assert!(album.drain_changes().is_empty(), "refused, yet there is news");
            }
            Receipt::Duplicate => assert_eq!(state(&album), before, "known, yet something changed"),
            Receipt::Early { .. } => assert!(!album.knows(&op.hash), "waits and is here"),
            Receipt::Received(ops) => {
                assert!(ops.iter().any(|other| other.hash == op.hash) && album.knows(&op.hash));
                assert!(
                    trust == Trust::Stored || !scene().is_forged(&op),
                    "received with a wrong signature"
                );
                let lent = album.op(&op.hash).unwrap().clone();
                assert_eq!(
                    lent.header_text(),
                    op.header_text(),
                    "signed text was written anew"
                );
                let texts = |op: &Op| {
                    (0..op.facts.len())
                        .map(|at| op.fact_text(at).map(str::to_owned))
                        .collect::<Vec<_>>()
                };
                assert_eq!(texts(&lent), texts(&op), "a fact was written anew");
                let after = state(&album);
                assert_eq!(album.receive(op.clone(), trust), Receipt::Duplicate);
                assert_eq!(state(&album), after, "a repetition changed something");
                same_elsewhere(&album);
            }
        }
        album.check_invariants().unwrap();
        look(&mut album);
    }
}

/// Another replica that receives the same ops, in another order of arrival, shows the same.
pub(crate) fn same_elsewhere(album: &Album) {
    let mut other = Album::empty(album.id());
    let ops: Vec<Arc<Op>> = album.ops().cloned().collect();
    let (late, early): (Vec<_>, Vec<_>) = ops.into_iter().enumerate().partition(|(at, _)| at % 3 == 1);
    for (_, op) in early.into_iter().rev().chain(late) {
        other.receive(op, Trust::Stored);
    }
    assert_eq!(other.digest(), album.digest(), "two replicas differ");
    assert_eq!(other.op_count(), album.op_count());
    assert_eq!(other.held_count(), album.held_count());
    assert_eq!(other.roles(), album.roles());
}

/// Every view of an album.
pub(crate) fn look(album: &mut Album) {
    let mut names = Vec::new();
    for image in album.images() {
        album.image(&image.id).unwrap();
        names.push(image.name.to_string());
        album.rating(&image.image.hash);
        album.ratings(&image.image.hash).count();
        album.images_of_blob(&image.image.hash);
    }
    for name in &names {
        album.image_named(name);
    }
    names.sort();
    assert!(
        names.windows(2).all(|pair| pair[0] != pair[1]),
        "two images show under one name"
    );
    let ids: Vec<FactId> = album.elements().map(|element| element.id).collect();
    assert_eq!(ids.len(), album.element_count());
    assert!(
        ids.iter()
            .all(|id| album.is_fact_live(id) && album.fact(id).is_some())
    );
    album.chat().count();
    for member in album.members() {
        album.name_of(&member.user);
    }
    album.revoked_devices().count();
    album.missing();
    album.forks();
    album.blobs().count();
    for head in album.heads() {
        album.ops_back(&head.actor, &head.hash, 0);
    }
    for node in 0..64 {
        album.tree_hashes(Some(node));
    }
    album.drain_changes();
}
