//! Random worlds: 100 seeds of 7–30 peers with a fifth of the gossip lost, bits flipped, partitions, crashes, full disks,
//! wrong clocks and cheats. Whatever happens, once it is quiet all honest members show the same album, and all that
//! `world::audit` lists holds. More of them, and longer: `cargo run --release -p proptests --bin sim -- --help`.

use std::sync::atomic::{AtomicU64, Ordering};

use proptests::generate;
use proptests::run::run;

const SEEDS: u64 = 100;

fn peers_of(seed: u64) -> usize {
    7 + (seed % 24) as usize
}

#[test]
fn a_hundred_random_worlds_converge() {
    let (next, delivered) = (AtomicU64::new(1), AtomicU64::new(0));
    let failed = std::sync::Mutex::new(Vec::new());
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed > SEEDS {
            return;
        }
        match run(&generate::scenario(seed, peers_of(seed))) {
            Ok(report) => drop(delivered.fetch_add(report.delivered, Ordering::Relaxed)),
            Err(why) => failed.lock().unwrap().push((seed, why)),
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    for (seed, why) in failed.lock().unwrap().iter() {
        let peers = peers_of(*seed);
        eprintln!("SEED {seed}\n{why}");
        eprintln!("cargo run --release -p proptests --bin sim -- --peers {peers} --seeds 1 --seed {seed}");
    }
    assert_eq!(failed.lock().unwrap().len(), 0, "see above");
    println!("{SEEDS} seeds, {} messages", delivered.into_inner());
}

/// A run is a function of its scenario: no clock, no address, no order of a hash map gets into it.
#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [7, 8] {
        let scenario = generate::scenario(seed, 7);
        assert_eq!(run(&scenario).unwrap(), run(&scenario).unwrap());
    }
    let traces = [7, 8].map(|seed| run(&generate::scenario(seed, 7)).unwrap().trace);
    assert_ne!(traces[0], traces[1]);
}
