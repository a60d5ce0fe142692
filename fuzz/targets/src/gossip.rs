//! Gossip: payloads decoded, and a whole engine fed with them.

use crdt::id::Digest;
use engine::wire::{Epoch, decode_message, encode_message};

use crate::album::scene;
use crate::talk::Talk;
use crate::{Seed, seed};

/// One payload a line.
pub fn run(data: &[u8]) {
    let mut talk = None;
    for payload in data.split(|byte| *byte == b'\n') {
        if let Ok(message) = decode_message(payload) {
            assert!(message.seq > 0 && message.ops.len() <= engine::limits::OPS_PER_CHUNK_MAX);
        }
        // Most mutants end here: an engine costs much more than a look.
        if payload.first() == Some(&b'{') {
            let talk = talk.get_or_insert_with(Talk::new);
            talk.hear(&[b"g", payload].concat());
        }
    }
    talk.into_iter().for_each(Talk::check);
}

pub fn seeds() -> Vec<Seed> {
    let news = &scene().news;
    let heads = scene().album.heads_root();
    let message = |seq, heads: &Digest, ops: &[_]| encode_message(Epoch([9; 8]), seq, heads, ops);
    let one_by_one: Vec<Vec<u8>> = news
        .iter()
        .zip(1..)
        .map(|(op, seq)| message(seq, &heads, std::slice::from_ref(op)))
        .collect();
    let mut seeds = vec![
        seed("digest", message(1, &heads, &news[..0])),
        seed("other-digest", message(7, &Digest([3; 32]), &news[..0])),
        seed("all", message(1, &heads, news)),
        seed("one-by-one", one_by_one.join(&b'\n')),
        seed(
            "backwards",
            one_by_one.iter().rev().cloned().collect::<Vec<_>>().join(&b'\n'),
        ),
    ];
    let each = one_by_one.into_iter().zip(0..);
    seeds.extend(each.map(|(message, at)| seed(&format!("op-{at:02}"), message)));
    seeds
}

pub fn large() -> Vec<Vec<u8>> {
    let most = engine::limits::GOSSIP_BYTES_MAX;
    let message = |item: &str| {
        let text = encode_message(Epoch([9; 8]), 1, &Digest([3; 32]), &scene().news[..1]);
        let text = String::from_utf8(text).unwrap();
        let (head, _) = text.split_once(r#""ops":["#).unwrap();
        let items = format!("{item},").repeat((most - head.len() - 64) / (item.len() + 1));
        format!(r#"{head}"ops":[{items}{item}]}}"#).into_bytes()
    };
    let keys: String = (0..70_000).map(|key| format!(r#""{key}":[],"#)).collect();
    let op = scene().news[0].bytes();
    vec![
        message("0"),
        message("[]"),
        message(r#"{"header":{},"sig":"","facts":[]}"#),
        message(op),
        format!(r#"{{{keys}"v":1}}"#).into_bytes(),
        [&b"{"[..], &vec![b'['; most - 1]].concat(),
        vec![b'{'; most],
        vec![b'\n'; most],
    ]
}
