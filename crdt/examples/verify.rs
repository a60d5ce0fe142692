//! What receiving signed ops costs beside Ed25519 alone, on one thread:
//! `cargo run --release -p crdt --example verify`. Wall clock; rounds in turn, their median.

#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crdt::fact::Fact;
use crdt::id::{AlbumSeed, Incarnation};
use crdt::keys::{Certificate, KeyPair};
use crdt::op::Op;
use crdt::{Album, Author, Draft, Receipt, Trust};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Ops that are in the album before, and ops of a round.
const BEFORE: usize = 20_000;
const OPS: usize = 1_000;
const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let (root, device) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
    let key = SigningKey::from_bytes(&device.seed());
    let me = Author {
        certificate: Certificate::issue(&root, &device.public()),
        device,
        incarnation: Incarnation([3; 16]),
    };
    let (mut album, _) = Album::create(&me, AlbumSeed([4; 16]), "trip", "alice", 0)?;
    write(&mut album, &me, BEFORE)?;

    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut other = album.clone();
        let start = Instant::now();
        let texts = write(&mut album, &me, OPS)?;
        let writing = start.elapsed();

        let messages: Vec<Vec<u8>> = texts
            .iter()
            .map(|text| Op::decode(text).map(|op| [b"calotype 1 op\n", op.header_text().as_bytes()].concat()))
            .collect::<Result<_, _>>()?;
        let start = Instant::now();
        let signatures: Vec<Signature> = messages.iter().map(|message| key.sign(message)).collect();
        let signing = start.elapsed();

        let start = Instant::now();
        for text in &texts {
            let receipt = other.receive(Arc::new(Op::decode(text)?), Trust::Verify);
            if !matches!(receipt, Receipt::Received(_)) {
                return Err(format!("{receipt:?}").into());
            }
            other.drain_changes();
        }
        let receiving = start.elapsed();

        let start = Instant::now();
        for (message, signature) in messages.iter().zip(&signatures) {
            // As each op brings its author's key: from its bytes.
            VerifyingKey::from_bytes(&me.device.public().0)?.verify_strict(message, signature)?;
        }
        rounds.push([writing, signing, receiving, start.elapsed()]);
    }

    let median = |column: usize| {
        let mut times: Vec<Duration> = rounds.iter().map(|round| round[column]).collect();
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e6 / OPS as f64
    };
    let [writing, signing, receiving, verifying] = [0, 1, 2, 3].map(median);
    println!("writing an op    {writing:6.1} µs, of which Ed25519 {signing:.1} µs");
    println!("receiving one    {receiving:6.1} µs, of which Ed25519 {verifying:.1} µs (verify_strict)");
    println!(
        "receiving at     {:6.2} of the speed of Ed25519 alone",
        verifying / receiving
    );
    println!(
        "both ways at     {:6.2}",
        (signing + verifying) / (writing + receiving)
    );
    Ok(())
}

/// So many more chat lines, one an op; their envelopes.
fn write(album: &mut Album, me: &Author, ops: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let mut texts = Vec::new();
    for n in 0..ops {
        let facts = vec![Fact::Chat {
            text: format!("line {n}"),
            at: 1,
        }];
        let removes = Vec::new();
        let written = album.author(me, Draft { facts, removes })?;
        texts.extend(written.iter().map(|op| op.bytes().to_owned()));
        album.drain_changes();
    }
    Ok(texts)
}
