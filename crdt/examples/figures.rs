//! Prints what the album costs: `cargo run --release -p crdt --example figures`.

// A measurement needs a clock; the crate itself has none.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::Instant;

use crdt::fact::{Fact, Image, Shape};
use crdt::id::{AlbumSeed, BlobHash, Incarnation};
use crdt::keys::{Certificate, KeyPair};
use crdt::op::Op;
use crdt::{Album, Author, Draft, Trust};

fn author(incarnation: u8) -> Author {
    let (root, device) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
    let certificate = Certificate::issue(&root, &device.public());
    Author {
        device,
        certificate,
        incarnation: Incarnation([incarnation; 16]),
    }
}

fn image(n: usize) -> Fact {
    Fact::Image(Image {
        name: format!("image {n}.jpg"),
        hash: BlobHash(*blake3::hash(&n.to_le_bytes()).as_bytes()),
        size: 2_000_000,
        at: 1_700_000_000_000,
        shape: Some(Shape {
            media: "image/jpeg".to_owned(),
            width: 4000,
            height: 3000,
        }),
        taken: None,
        damaged: false,
        preview: None,
        version: None,
    })
}

/// Resident memory in bytes; 0 where /proc is not.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .unwrap_or(0)
        * 4096
}

/// An album of `n` images, `batch` an op, by three actors in turn; its ops.
fn build(n: usize, batch: usize) -> Vec<Arc<Op>> {
    let authors = [author(1), author(2), author(3)];
    let (mut album, _) =
        Album::create(&authors[0], AlbumSeed([0; 16]), "trip", "me", 0).expect("a genesis can be written");
    for (turn, from) in (0..n).step_by(batch).enumerate() {
        let facts = (from..(from + batch).min(n)).map(image).collect();
        let draft = Draft {
            facts,
            removes: vec![],
        };
        album
            .author(&authors[turn % 3], draft)
            .expect("the owner may write");
    }
    album.ops().cloned().collect()
}

fn measure(n: usize, batch: usize) {
    let texts: Vec<String> = build(n, batch).iter().map(|op| op.bytes().to_owned()).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let before = resident();
    let start = Instant::now();
    let ops: Vec<Arc<Op>> = texts
        .iter()
        .map(|text| Arc::new(Op::decode(text).expect("our own op")))
        .collect();
    let decoded = start.elapsed();
    let id = crdt::id::AlbumId(ops[0].hash.0);
    let mut album = Album::empty(id);
    let start = Instant::now();
    for op in ops {
        album.receive(op, Trust::Stored);
        album.drain_changes();
    }
    let digest = album.digest();
    let received = start.elapsed();
    let heap = resident().saturating_sub(before);
    println!(
        "{n} images, {batch} an op ({} B an entry on the wire): decode {decoded:?}, receive and digest {received:?}, \
         {} B resident an entry",
        bytes / n,
        heap / n
    );
    one_edit(&mut album);
    assert_ne!(album.digest(), digest);
}

/// One add and one remove at the size reached, with what follows of each: verified, received, digest.
fn one_edit(album: &mut Album) {
    let rounds = 200;
    let mut other = album.clone();
    let writer = author(4);
    let mut ops = Vec::new();
    for n in 0..rounds {
        let facts = vec![image(1_000_000_000 + n)];
        ops.extend(
            other
                .author(
                    &writer,
                    Draft {
                        facts,
                        removes: vec![],
                    },
                )
                .expect("the owner may write"),
        );
    }
    for trust in [Trust::Stored, Trust::Verify] {
        let mut album = album.clone();
        let start = Instant::now();
        for op in &ops {
            album.receive(op.clone(), trust);
            album.digest();
        }
        println!(
            "  one remote add with digest, {trust:?}: {:?}",
            start.elapsed() / rounds as u32
        );
    }
    let start = Instant::now();
    let equal = (0..1000)
        .filter(|_| album.heads_root() == other.heads_root())
        .count();
    println!("  equality: {:?} ({equal} equal)", start.elapsed() / 1000);
    *album = other;
}

fn main() {
    for (n, batch) in [(1_000, 1), (10_000, 1), (100_000, 1), (100_000, 250)] {
        measure(n, batch);
    }
}
