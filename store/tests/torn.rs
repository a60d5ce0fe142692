//! Power cuts: the log's unsynced tail is cut or zeroed at any 512-byte step; what was acknowledged is there.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;

use common::{name, new_home, noise, reopen};
use store::{Db, Write};

/// Images of the disk that are tried.
const IMAGES: u64 = 48;
/// A disk's sector, in bytes: what a power cut leaves whole.
const SECTOR_BYTES: usize = 512;
/// Ops in one batch.
const OPS_A_BATCH: u64 = 3;
/// Batches written.
const BATCHES: u64 = 40;

fn random(seed: u64, below: usize) -> usize {
    noise(seed, 4)
        .iter()
        .fold(0usize, |sum, &b| sum << 8 | usize::from(b))
        % below.max(1)
}

fn batch_of(batch: u64) -> Vec<Write> {
    let op = |i| {
        let n = batch * OPS_A_BATCH + i;
        Write::Op {
            album: name(1),
            hash: name(n),
            bytes: noise(n, 200 + random(n, 6000)),
        }
    };
    (0..OPS_A_BATCH).map(op).collect()
}

/// The log's length after each batch was acknowledged, and database and log while it is open.
fn write_batches(home: &store::Home) -> (Vec<usize>, Vec<u8>, Vec<u8>) {
    let (db_path, wal_path) = (
        home.path().join("calotype.db"),
        home.path().join("calotype.db-wal"),
    );
    let db = Db::open(home).unwrap().0;
    let acknowledged = (0..BATCHES).map(|batch| {
        db.commit_wait(batch_of(batch)).unwrap();
        fs::metadata(&wal_path).unwrap().len() as usize
    });
    let acknowledged: Vec<_> = acknowledged.collect();
    (
        acknowledged,
        fs::read(db_path).unwrap(),
        fs::read(wal_path).unwrap(),
    )
}

/// Opens an image and returns how many batches it holds: the first ones, each of them whole.
fn batches_in(path: &Path) -> u64 {
    let home = reopen(path);
    let db = Db::open(&home).unwrap().0;
    let mut ops = Vec::new();
    let loaded = db
        .ops(&name(1), 0, &mut |_, hash, bytes| {
            ops.push((hash, bytes.to_vec()))
        })
        .unwrap();
    assert!(loaded.bad.is_empty());
    assert_eq!(ops.len() as u64 % OPS_A_BATCH, 0, "a batch is there in part");
    for (n, (hash, bytes)) in (0..).zip(&ops) {
        assert_eq!((*hash, bytes.len()), (name(n), 200 + random(n, 6000)));
    }
    assert!(db.verify().unwrap().is_clean());
    ops.len() as u64 / OPS_A_BATCH
}

#[test]
fn a_log_torn_behind_the_last_acknowledgement_opens() {
    let (dir, home) = new_home();
    let (acknowledged, db, wal) = write_batches(&home);
    assert!(
        acknowledged.is_sorted() && *acknowledged.last().unwrap() == wal.len(),
        "the log only grew"
    );
    let mut torn_inside = 0;
    for seed in 0..IMAGES {
        let last = random(seed, BATCHES as usize - 1);
        let safe = acknowledged[last];
        let steps = (wal.len() - safe) / SECTOR_BYTES;
        // Often within the next batch, sometimes anywhere behind.
        let reach = if seed % 3 == 0 {
            steps
        } else {
            (acknowledged[last + 1] - safe) / SECTOR_BYTES
        };
        let cut = safe + random(seed + 1000, reach) * SECTOR_BYTES;
        let mut torn = wal.clone();
        match seed % 2 {
            0 => torn.truncate(cut),
            _ => torn[cut..].fill(0),
        }
        let image = dir.path().join(format!("image{seed}"));
        drop(reopen(&image));
        fs::write(image.join("calotype.db"), &db).unwrap();
        fs::write(image.join("calotype.db-wal"), torn).unwrap();
        let found = batches_in(&image);
        let wanted = acknowledged.iter().filter(|&&end| end <= cut).count() as u64;
        assert!(
            found > last as u64,
            "seed {seed}: batch {last} was acknowledged, {found} are there"
        );
        assert_eq!(found, wanted, "seed {seed}");
        torn_inside += u64::from(!acknowledged.contains(&cut));
        fs::remove_dir_all(&image).unwrap();
    }
    assert!(
        torn_inside > IMAGES / 2,
        "{torn_inside} images were cut within a batch"
    );
}
