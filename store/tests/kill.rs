//! Processes killed while they write: what was acknowledged is there, whole batches only, blobs before ops.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use common::{Helper, child_home, name, new_home, noise, reopen};
use store::{Blobs, Db, Hash, Write};

/// Kills in one run of the test.
const KILLS: u64 = 20;
/// Batches that the writing process has under way at most.
const IN_FLIGHT_MAX: usize = 24;
/// Blobs imported together, so that most of the time is spent committing.
const IMPORT_GROUP: usize = 32;
/// Writes of ops in one batch, over two albums.
const OPS_A_BATCH: u64 = 5;
/// Space of the counter that every batch carries.
const SPACE: &str = "batch";

/// Op `i` of a batch is 300 to 2,300 bytes long, so that batches span pages.
fn op_bytes(batch: u64, i: u64) -> Vec<u8> {
    noise(
        batch * OPS_A_BATCH + i,
        300 + (batch * 37 + i * 411) as usize % 2000,
    )
}

fn batch_of(batch: u64) -> Vec<Write> {
    let op = |i| Write::Op {
        album: name(i % 2),
        hash: name(1_000_000 + batch * OPS_A_BATCH + i),
        bytes: op_bytes(batch, i),
    };
    let mark = Write::Put {
        space: SPACE,
        key: batch.to_be_bytes().into(),
        value: blob_of(batch),
    };
    (0..OPS_A_BATCH).map(op).chain([mark]).collect()
}

/// The image that a batch is about.
fn blob_of(batch: u64) -> Vec<u8> {
    noise(!batch, 2000)
}

/// Not a test of its own: writes batches until it is killed and says which are acknowledged.
#[test]
fn child_writes_until_killed() {
    let Some(path) = child_home() else { return };
    let home = reopen(&path);
    let db = Db::open(&home).unwrap().0;
    let blobs = Blobs::open(&home);
    let begin = db
        .scan(SPACE, b"")
        .unwrap()
        .last()
        .map_or(0, |(key, _)| number(key) + 1);
    let flight = Arc::new((Mutex::new(0), Condvar::new()));
    for group in (begin..).step_by(IMPORT_GROUP) {
        let batches = group..group + IMPORT_GROUP as u64;
        assert!(
            blobs
                .import_many(batches.clone().map(blob_of).collect())
                .iter()
                .all(Result::is_ok)
        );
        for batch in batches {
            let (count, landed) = &*flight;
            *landed
                .wait_while(count.lock().unwrap(), |count| *count >= IN_FLIGHT_MAX)
                .unwrap() += 1;
            let flight = Arc::clone(&flight);
            let acknowledge = move |outcome: Result<(), _>| {
                outcome.unwrap();
                // One write, so that a kill leaves a whole line or none.
                std::io::stdout()
                    .write_all(format!("@{batch}\n").as_bytes())
                    .unwrap();
                *flight.0.lock().unwrap() -= 1;
                flight.1.notify_one();
            };
            db.commit(batch_of(batch), Box::new(acknowledge));
        }
    }
}

fn number(key: &[u8]) -> u64 {
    u64::from_be_bytes(key.try_into().unwrap())
}

/// Everything that a home holds is whole; returns the batches.
fn check_whole(home: &Path) -> Vec<u64> {
    let home = reopen(home);
    let db = Db::open(&home).unwrap().0;
    let blobs = Blobs::open(&home);
    let batches: Vec<u64> = db
        .scan(SPACE, b"")
        .unwrap()
        .iter()
        .map(|(key, _)| number(key))
        .collect();
    let mut ops: BTreeMap<Hash, Vec<u8>> = BTreeMap::new();
    for album in 0..2 {
        let each = &mut |_, hash, bytes: &[u8]| drop(ops.insert(hash, bytes.to_vec()));
        assert!(db.ops(&name(album), 0, each).unwrap().bad.is_empty());
    }
    assert_eq!(
        ops.len() as u64,
        batches.len() as u64 * OPS_A_BATCH,
        "a batch is there in part"
    );
    for &batch in &batches {
        for i in 0..OPS_A_BATCH {
            let hash = name(1_000_000 + batch * OPS_A_BATCH + i);
            assert_eq!(
                ops.get(&hash),
                Some(&op_bytes(batch, i)),
                "op {i} of batch {batch}"
            );
        }
        let blob = blake3::hash(&blob_of(batch));
        assert_eq!(
            blobs.read(blob.as_bytes()).unwrap(),
            blob_of(batch),
            "a batch names a blob that is not here"
        );
    }
    assert!(blobs.list().unwrap().len() >= batches.len());
    batches
}

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    let mut acknowledged = Vec::new();
    let mut with_log = 0;
    for round in 0..KILLS {
        let mut writer = Helper::start("child_writes_until_killed", &path, "");
        // At another place each time, from before the first acknowledgement on.
        let acks = u64::from(noise(round, 1)[0]) % 40;
        acknowledged.extend((0..acks).map(|_| writer.line().unwrap().parse::<u64>().unwrap()));
        writer.kill();
        acknowledged.extend(std::iter::from_fn(|| writer.line()).map(|line| line.parse::<u64>().unwrap()));
        with_log += u64::from(std::fs::metadata(path.join("calotype.db-wal")).is_ok_and(|m| m.len() > 0));
        // Every other time the next writer recovers by itself.
        if round % 2 == 1 {
            let there = check_whole(&path);
            let lost: Vec<_> = acknowledged
                .iter()
                .filter(|b| there.binary_search(b).is_err())
                .collect();
            assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
            assert!(
                there.iter().copied().eq(0..there.len() as u64),
                "batches are stored in their order"
            );
        }
    }
    assert!(
        acknowledged.len() as u64 > KILLS * 5,
        "{} acknowledged",
        acknowledged.len()
    );
    assert!(with_log > KILLS / 2, "the kills came while a log was open");
    let home = reopen(&path);
    assert!(Db::open(&home).unwrap().0.verify().unwrap().is_clean());
    assert!(Blobs::open(&home).fsck(&mut |_| true).unwrap().bad.is_empty());
}

/// Not a test of its own: has stored a blob and not yet the op that names it.
#[test]
fn child_stops_between_blob_and_op() {
    let Some(path) = child_home() else { return };
    let home = reopen(&path);
    let _db = Db::open(&home).unwrap();
    let blobs = Blobs::open(&home);
    std::fs::write(home.path().join("tmp/half"), b"half of the next image").unwrap();
    blobs.import(&blob_of(0)).unwrap();
    println!("@imported");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_kill_between_blob_and_op_leaves_a_blob_that_nothing_names() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    let mut child = Helper::start("child_stops_between_blob_and_op", &path, "");
    assert_eq!(child.line().as_deref(), Some("imported"));
    child.kill();
    let home = reopen(&path);
    let (db, blobs) = (Db::open(&home).unwrap().0, Blobs::open(&home));
    assert!(db.albums().unwrap().is_empty() && db.scan(SPACE, b"").unwrap().is_empty());
    assert_eq!(blobs.list().unwrap().len(), 1);
    assert!(blobs.fsck(&mut |_| true).unwrap().bad.is_empty());
    assert_eq!(std::fs::read_dir(path.join("tmp")).unwrap().count(), 0);
    assert!(blobs.import(&blob_of(0)).unwrap().was_here);
}

/// Not a test of its own: fetches a chunk for each line that it is sent, until it is killed.
#[test]
fn child_fetches_until_killed() {
    let Some(path) = child_home() else { return };
    let home = reopen(&path);
    let bytes = noise(77, 40 * store::CHUNK_BYTES + 5);
    let part = Blobs::open(&home)
        .part_begin(blake3::hash(&bytes).as_bytes(), bytes.len() as u64)
        .unwrap();
    part.set_list(&store::chunk_list_of(&bytes)).unwrap();
    for index in part.missing().into_iter().flatten() {
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let chunk = bytes.chunks(store::CHUNK_BYTES).nth(index as usize).unwrap();
        part.write_chunk(index, chunk).unwrap();
        println!("@{index}");
    }
    part.finish().unwrap();
    println!("@finished");
}

#[test]
fn a_killed_download_loses_no_chunk_that_was_acknowledged() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    let bytes = noise(77, 40 * store::CHUNK_BYTES + 5);
    let hash = *blake3::hash(&bytes).as_bytes();
    let mut fetched = Vec::new();
    for round in 0..4 {
        let mut child = Helper::start("child_fetches_until_killed", &path, "");
        // Two more than are waited for: the kill comes while those are being written.
        child.send_lines(6 + round + 2);
        fetched.extend((0..6 + round).map(|_| child.line().unwrap()));
        child.kill();
        fetched.extend(std::iter::from_fn(|| child.line()));
    }
    let mut last = Helper::start("child_fetches_until_killed", &path, "");
    last.send_lines(41);
    fetched.extend(last.line_all());
    assert!(last.child.wait().unwrap().success());
    assert_eq!(fetched.last().map(String::as_str), Some("finished"));
    fetched.retain(|line| line != "finished");
    let mut once = fetched.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(
        once.len(),
        fetched.len(),
        "a chunk was fetched twice: {fetched:?}"
    );
    assert_eq!(Blobs::open(&reopen(&path)).read(&hash).unwrap(), bytes);
}
