//! Prints the store's figures on this machine's disk: `cargo run -p store --example measure [FOLDER]`.
#![allow(
    clippy::unwrap_used,
    reason = "a figure that cannot be taken should say why and end"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use store::{Blobs, CHUNK_BYTES, Db, Hash, Home, Write, chunk_list_of, verify_list};

/// Bytes of an op, as measured for an op that adds an image.
const OP_BYTES: usize = 900;
/// Ops of the album that is opened.
const ALBUM_OPS: u64 = 100_000;
/// Commits timed one by one.
const COMMITS: u64 = 2_000;
/// Commits under way at once.
const IN_FLIGHT: usize = 64;

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn name(n: u64) -> Hash {
    *blake3::hash(&n.to_le_bytes()).as_bytes()
}

fn op(album: u64, n: u64) -> Write {
    Write::Op {
        album: name(album),
        hash: name(n),
        bytes: noise(n, OP_BYTES),
    }
}

fn spread(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000];
    println!("{what}: p50 {:?}, p99 {:?}, max {:?}", at(500), at(990), at(1000));
    at(990)
}

fn timed<T>(mut work: impl FnMut() -> T) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// Memory of this process, in MiB: now and at most.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |key: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(key));
        line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
            / 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

fn commits(home: &Home) {
    let mut raw = File::create(home.path().join("tmp/raw")).unwrap();
    let page = vec![1; 4096];
    let raw_times = (0..COMMITS).map(|_| {
        timed(|| {
            raw.write_all(&page).unwrap();
            raw.sync_data().unwrap();
        })
    });
    let raw_p99 = spread("raw append of 4 KiB and fdatasync", raw_times.collect());
    let db = Db::open(home).unwrap().0;
    let times = (0..COMMITS).map(|n| {
        let batch = vec![op(0, n)];
        timed(|| db.commit_wait(batch.clone()).unwrap())
    });
    let p99 = spread("durable commit of one op, one by one", times.collect());
    println!(
        "  p99 is {:.2} of the raw one",
        p99.as_secs_f64() / raw_p99.as_secs_f64()
    );

    let flight = Arc::new((Mutex::new(0), Condvar::new()));
    let begin = Instant::now();
    let mut times = Vec::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    for n in COMMITS..COMMITS * 6 {
        *flight
            .1
            .wait_while(flight.0.lock().unwrap(), |count| *count >= IN_FLIGHT)
            .unwrap() += 1;
        let (flight, told, asked) = (Arc::clone(&flight), Arc::clone(&told), Instant::now());
        let done = move |outcome: Result<(), _>| {
            outcome.unwrap();
            told.lock().unwrap().push(asked.elapsed());
            *flight.0.lock().unwrap() -= 1;
            flight.1.notify_one();
        };
        db.commit(vec![op(0, n)], Box::new(done));
    }
    drop(
        flight
            .1
            .wait_while(flight.0.lock().unwrap(), |count| *count > 0)
            .unwrap(),
    );
    println!(
        "{IN_FLIGHT} commits under way: {:.0}/s",
        COMMITS as f64 * 5.0 / begin.elapsed().as_secs_f64()
    );
    times.append(&mut told.lock().unwrap());
    spread("  durable commit of one op", times);
}

fn load(home: &Home) {
    let db = Db::open(home).unwrap().0;
    let begin = Instant::now();
    for base in (0..ALBUM_OPS).step_by(1000) {
        db.commit_wait((base..base + 1000).map(|n| op(1, n)).collect())
            .unwrap();
    }
    println!(
        "{ALBUM_OPS} ops stored in batches of 1,000: {:?}",
        begin.elapsed()
    );
    drop(db);
    let bytes = std::fs::metadata(home.path().join("calotype.db")).unwrap().len();
    println!("  database {} MiB", bytes >> 20);
    let (before, _) = memory();
    let begin = Instant::now();
    let db = Db::open(home).unwrap().0;
    let opened = begin.elapsed();
    let mut sum = 0;
    let loaded = db
        .ops(&name(1), 0, &mut |_, _, bytes| sum += bytes.len())
        .unwrap();
    let all = begin.elapsed();
    let (now, peak) = memory();
    println!(
        "opened in {opened:?}, {} ops ({} MiB) read and checked in {all:?}",
        loaded.ops,
        sum >> 20
    );
    println!(
        "  {:.0} ops/s; memory {before} MiB before, {now} after, {peak} at most",
        ALBUM_OPS as f64 / all.as_secs_f64()
    );
    println!("verify: {:?}", timed(|| assert!(db.verify().unwrap().is_clean())));
}

fn blobs(home: &Home) {
    let blobs = Blobs::open(home);
    let images = |seed: u64| -> Vec<Vec<u8>> { (0..100).map(|n| noise(seed + n, 40_000)).collect() };
    // The folders are made once in a home's life.
    assert!(
        blobs
            .import_many((0..1000).map(|n| noise(n, 9)).collect())
            .iter()
            .all(Result::is_ok)
    );
    let group = images(0);
    println!(
        "100 previews of 40 kB imported as a group: {:?}",
        timed(|| blobs.import_many(group.clone()))
    );
    let single = images(1000);
    println!(
        "  one by one: {:?}",
        timed(|| single.iter().for_each(|b| assert!(blobs.import(b).is_ok())))
    );
    let image = noise(7, 64 << 20);
    let hash = *blake3::hash(&image).as_bytes();
    let plain = timed(|| blake3::hash(&image));
    let listed = timed(|| chunk_list_of(&image));
    let list = chunk_list_of(&image);
    println!(
        "64 MiB: blake3 {plain:?}, as a chunk list {listed:?}, ratio {:.2}",
        plain.as_secs_f64() / listed.as_secs_f64()
    );
    println!(
        "  list of {} verified in {:?}",
        list.len(),
        timed(|| assert!(verify_list(&hash, 64 << 20, &list)))
    );
    let long = vec![[7; 32]; 1024];
    println!(
        "  list of 1,024 refused in {:?}",
        timed(|| assert!(!verify_list(&hash, 256 << 20, &long)))
    );
    let part = blobs.part_begin(&hash, image.len() as u64).unwrap();
    part.set_list(&list).unwrap();
    let fetch = || {
        (0..)
            .zip(image.chunks(CHUNK_BYTES))
            .for_each(|(i, c)| assert!(part.write_chunk(i, c).is_ok()))
    };
    let fetched = timed(fetch);
    drop(part);
    let mut again = None;
    println!(
        "  chunks taken in {fetched:?}, found again in {:?}",
        timed(|| again = blobs.part_begin(&hash, 64 << 20).ok())
    );
    println!(
        "  finished in {:?}",
        timed(|| again.take().unwrap().finish().unwrap())
    );
    println!(
        "  chunk list read in {:?}",
        timed(|| blobs.chunk_list(&hash).unwrap())
    );
    println!(
        "  a chunk served in {:?}",
        timed(|| blobs.read_chunk(&hash, 100).unwrap())
    );
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let dir = tempfile::tempdir_in(Path::new(&folder)).unwrap();
    let home = Home::open(&dir.path().join("home"), Duration::ZERO).unwrap();
    commits(&home);
    let other = Home::open(&dir.path().join("album"), Duration::ZERO).unwrap();
    load(&other);
    blobs(&other);
}
