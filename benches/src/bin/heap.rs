//! Heap that each subject's state holds, by a counting allocator (bytes asked for), loaded from its stored form:
//! `scripts/bench_crdt.sh`. Nothing but the state is counted: texts and stored bytes were there before.

use benches::ours::{self, Writing};
use benches::{FACTS, theirs};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Bytes that what `make` returns holds.
fn held<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    let made = make();
    (made, HEAP.current_usage().saturating_sub(before))
}

/// Images of the churned album, and how often one is added and removed again.
const NAMES: usize = 100;
const PAIRS: usize = 100_000;

fn main() {
    println!("| heap per entry of {FACTS} | bytes | of crdts' |\n|---|---|---|");
    let set = {
        let stored = theirs::set_stored();
        held(|| theirs::set_load(&stored)).1
    };
    let row = |name: &str, bytes: usize| {
        println!(
            "| {name} | {} | {:.2} |",
            bytes / FACTS,
            bytes as f64 / set as f64
        );
    };
    row("crdts", set);
    for batch in [1, 250] {
        let mut writing = Writing::new();
        writing.images(0..FACTS, batch, &[0, 1, 2, 3, 4, 5, 6, 7]);
        let (id, ops) = (writing.id(), std::mem::take(&mut writing.ops));
        drop(writing);
        let (album, bytes) = held(|| ours::load(id, &ops));
        row(&format!("calotype, {batch} an op"), bytes);
        let (_, digest) = held(|| album.digest());
        let again = || ours::load_checkpoint(id, album.to_checkpoint().expect("it has its genesis"));
        let (again, from_checkpoint) = held(again);
        drop(again);
        row(
            &format!("calotype, {batch} an op, after its digest"),
            bytes + digest,
        );
        row(
            &format!("calotype, {batch} an op, from a checkpoint"),
            from_checkpoint,
        );
    }
    let stored = theirs::doc_stored();
    row("automerge", held(|| theirs::doc_load(&stored)).1);
    let stored = theirs::loro_stored();
    row("loro", held(|| theirs::loro_load(&stored)).1);
    println!();
    println!("| {NAMES} images | live state, bytes | log, bytes | ops |\n|---|---|---|---|");
    for pairs in [0, PAIRS] {
        let mut writing = Writing::new();
        writing.churn(pairs, NAMES);
        let (id, ops) = (writing.id(), std::mem::take(&mut writing.ops));
        drop(writing);
        let (album, bytes) = held(|| ours::load(id, &ops));
        assert_eq!(album.image_count(), NAMES);
        album.digest();
        let live = album.live_heap();
        let log = bytes.saturating_sub(live);
        println!(
            "| after {pairs} adds and removes | {live} | {log} | {} |",
            ops.len()
        );
    }
}
