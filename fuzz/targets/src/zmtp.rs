//! The guard's filter: what may pass between a local ZeroMQ socket and a peer, in both directions.
//!
//! First byte: direction and whether a proper handshake goes before the rest; second: how the bytes are cut.

use net::fuzzing::{Heard, downstream, message, probe_topic, subscription, upstream};
use rand::{Rng as _, SeedableRng as _};

use crate::{Seed, seed};

/// The only publisher that the guard lets through.
const FROM: [u8; 32] = [9; 32];

pub fn run(data: &[u8]) {
    let [how, cut, bytes @ ..] = data else { return };
    let (down, greeted) = (how & 1 == 1, how & 2 == 2);
    let bytes = match greeted {
        true => [&shake(if down { b"PUB" } else { b"SUB" })[..], bytes].concat(),
        false => bytes.to_vec(),
    };
    let hear = |pieces: Vec<&[u8]>| match down {
        true => downstream(FROM, pieces),
        false => upstream(pieces),
    };
    let whole = hear(vec![&bytes]);
    assert_eq!(hear(bytes.chunks(1).collect()), whole, "byte by byte");
    assert_eq!(hear(pieces(&bytes, *cut)), whole, "cut by {cut}");
    check(&whole, down, bytes.len());
}

fn check(heard: &Heard, down: bool, bytes: usize) {
    assert!(heard.out.len() <= bytes, "more goes out than came in");
    assert!(heard.wishes.len() <= bytes / 35 && heard.probes.len() <= bytes / 70);
    if heard.cut.is_none() {
        let again = match down {
            true => downstream(FROM, [&heard.out[..]]),
            false => upstream([&heard.out[..]]),
        };
        assert_eq!(
            (again.cut, &again.out),
            (None, &heard.out),
            "what passed does not pass again"
        );
        assert_eq!(again.probes, [], "a probe passed");
    }
}

/// Cut at places drawn from `cut`, some of them the same.
fn pieces(mut bytes: &[u8], cut: u8) -> Vec<&[u8]> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(cut.into());
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let longest = if rng.gen_bool(0.5) { 12 } else { 100 };
        let (piece, rest) = bytes.split_at(rng.gen_range(0..=longest).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Greeting and READY of a socket of this kind.
fn shake(kind: &[u8; 3]) -> Vec<u8> {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    let ready = [&b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03"[..], kind].concat();
    [&greeting[..], &ready].concat()
}

pub fn seeds() -> Vec<Seed> {
    let with = |how: u8, cut: u8, rest: &[&[u8]]| [&[how, cut], &rest.concat()[..]].concat();
    let long = [&[2, 0, 0, 0, 0, 0, 0, 0, 33, 1][..], &[7; 32]].concat();
    let identity = b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x03SUB\x08Identity\0\0\0\0";
    let (ours, others) = (
        message(&[1; 32], &FROM, b"payload"),
        message(&[2; 32], &FROM, &[0; 300]),
    );
    let probe = message(&probe_topic(7), &FROM, &5u64.to_be_bytes());
    vec![
        seed(
            "up",
            with(
                2,
                1,
                &[&subscription(true, &[1; 32]), &subscription(false, &[1; 32])],
            ),
        ),
        seed(
            "up-greeting",
            with(0, 2, &[&shake(b"SUB"), &subscription(true, &[1; 32])]),
        ),
        seed("up-long", with(2, 3, &[&long])),
        seed(
            "up-identity",
            with(
                0,
                4,
                &[&shake(b"SUB")[..64], identity, &subscription(true, &[3; 32])],
            ),
        ),
        seed("up-command", with(2, 5, &[b"\x04\x07\x04PING\0\0"])),
        seed("down", with(3, 1, &[&ours, &others, &ours])),
        seed("down-greeting", with(1, 2, &[&shake(b"PUB"), &ours])),
        seed("down-empty", with(3, 3, &[&message(&[1; 32], &FROM, b""), &ours])),
        seed(
            "down-probe",
            with(
                3,
                4,
                &[&probe, &message(&probe_topic(u64::MAX), &FROM, b""), &ours],
            ),
        ),
        seed(
            "down-forged",
            with(3, 5, &[&message(&[1; 32], &[8; 32], b"payload")]),
        ),
        seed(
            "down-huge",
            with(3, 6, &[&ours[..68], b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"]),
        ),
    ]
}

pub fn large() -> Vec<Vec<u8>> {
    let many = |how: u8, frame: &[u8]| [&[how, 9], &frame.repeat((1 << 20) / frame.len())[..]].concat();
    vec![
        many(2, &subscription(true, &[1; 32])),
        many(3, &message(&[1; 32], &FROM, b"")),
        many(3, &message(&probe_topic(1), &FROM, b"")),
        [&[3, 9], &message(&[1; 32], &FROM, &vec![5; 1 << 20])[..]].concat(),
    ]
}
