//! Prints what the album costs: `cargo run --release -p crdt --example figures`.

// A measurement needs a clock; the crate itself has none.
#![allow(clippy::disallowed_methods)]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crdt::fact::{Fact, Image, Shape};
use crdt::id::{AlbumId, AlbumSeed, BlobHash, Incarnation};
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

/// Writes the ops of an album to a fresh process of this program, one a line, and prints what that measures: its memory
/// holds nothing else.
fn measure(n: usize, batch: usize) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .arg(n.to_string())
        .stdin(Stdio::piped())
        .spawn()
        .expect("this program runs");
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    let ops = build(n, batch);
    let bytes: usize = ops.iter().map(|op| op.bytes().len()).sum();
    println!("{n} images, {batch} an op, {} B an entry on the wire", bytes / n);
    for op in ops {
        writeln!(pipe, "{}", op.bytes()).expect("it reads");
    }
    drop(pipe);
    child.wait().expect("it ends");
}

fn load(n: usize) {
    let (mut decoding, mut receiving) = (Duration::ZERO, Duration::ZERO);
    let mut album: Option<Album> = None;
    let before = resident();
    for line in std::io::stdin().lines() {
        let line = line.expect("text");
        let start = Instant::now();
        let op = Arc::new(Op::decode(&line).expect("our own op"));
        decoding += start.elapsed();
        let start = Instant::now();
        let album = album.get_or_insert_with(|| Album::empty(AlbumId(op.hash.0)));
        album.receive(op, Trust::Stored);
        album.drain_changes();
        receiving += start.elapsed();
    }
    let mut album = album.expect("a genesis came");
    let start = Instant::now();
    let digest = album.digest();
    let hashing = start.elapsed();
    let heap = resident().saturating_sub(before);
    println!(
        "  decode {decoding:?}, receive {receiving:?}, digest {hashing:?}; {} B resident an entry",
        heap / n
    );
    one_edit(&mut album);
    assert_ne!(album.digest(), digest);
}

/// One add at the size reached: received, with and without its signature, and the digest after it.
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
    if let Some(n) = std::env::args().nth(1) {
        return load(n.parse().expect("a number of images"));
    }
    for (n, batch) in [(1_000, 1), (10_000, 1), (100_000, 1), (100_000, 250)] {
        measure(n, batch);
    }
}
