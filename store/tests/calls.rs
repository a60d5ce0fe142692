//! A store killed in the n-th of a drawn sequence of calls: that call is done or not, all before it are there.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use common::{Helper, child_home, name, new_home, noise, reopen};
use store::{Blobs, CHUNK_BYTES, Db, Hash, Home, PartError, Write, chunk_list_of};

/// Space of the values.
const SPACE: &str = "calls";
/// Numbers of blobs that are imported, and of those that come chunk by chunk.
const SMALL: std::ops::Range<u64> = 0..6;
const LARGE: std::ops::Range<u64> = 6..9;
/// Chunks of a large blob.
const CHUNKS: u64 = 4;

/// Kills in one run; the nightly run asks for more.
fn kills() -> u64 {
    std::env::var("STORE_KILLS").map_or(20, |n| n.parse().unwrap())
}

/// A number below `below`, the same for the same seed.
fn drawn(seed: u64, below: u64) -> u64 {
    u64::from_le_bytes(noise(seed, 8).try_into().unwrap()) % below
}

fn bytes_of(blob: u64) -> Vec<u8> {
    match LARGE.contains(&blob) {
        true => noise(blob, (CHUNKS as usize - 1) * CHUNK_BYTES + 5),
        false => noise(blob, 2000),
    }
}

fn id_of(blob: u64) -> Hash {
    *blake3::hash(&bytes_of(blob)).as_bytes()
}

#[derive(Debug)]
enum Call {
    Commit {
        album: u64,
        ops: u64,
        key: u8,
        delete: bool,
    },
    DropAlbum(u64),
    Import(Vec<u64>),
    Chunk(u64, u32),
    Finish(u64),
    GiveUp(u64),
    Remove(u64),
    Private,
}

/// The n-th call.
fn call(n: u64) -> Call {
    let of = |what: u64, below: u64| drawn(n * 16 + what, below);
    let large = LARGE.start + of(1, LARGE.end - LARGE.start);
    match of(0, 20) {
        0..=6 => Call::Commit {
            album: of(1, 3),
            ops: 1 + of(2, 6),
            key: of(3, 8) as u8,
            delete: of(4, 4) == 0,
        },
        7 => Call::DropAlbum(of(1, 3)),
        8..=10 => Call::Import((0..=of(1, 3)).map(|i| (of(2, 6) + i) % SMALL.end).collect()),
        11..=15 => Call::Chunk(large, of(2, CHUNKS) as u32),
        16..=17 => Call::Finish(large),
        18 if of(2, 3) == 0 => Call::GiveUp(large),
        18 => Call::Remove(of(2, LARGE.end)),
        _ => Call::Private,
    }
}

fn op(n: u64, i: u64) -> (Hash, Vec<u8>) {
    let seed = n * 100 + i;
    (name(seed), noise(seed, 200 + drawn(seed, 3000) as usize))
}

/// Makes the n-th call; returns once it is acknowledged.
fn make(n: u64, home: &Home, db: &Db, blobs: &Blobs) {
    let part = |blob: u64| {
        let part = match blobs.part_begin(&id_of(blob), bytes_of(blob).len() as u64) {
            Err(PartError::Here { .. }) => return None,
            other => other.unwrap(),
        };
        part.set_list(&chunk_list_of(&bytes_of(blob))).unwrap();
        Some(part)
    };
    match call(n) {
        Call::Commit {
            album,
            ops,
            key,
            delete,
        } => {
            let write = |i| {
                let (hash, bytes) = op(n, i);
                let album = name(album);
                Write::Op { album, hash, bytes }
            };
            let (space, key) = (SPACE, vec![key]);
            let value = n.to_be_bytes().to_vec();
            let last = match delete {
                true => Write::Delete { space, key },
                false => Write::Put { space, key, value },
            };
            db.commit_wait((0..ops).map(write).chain([last]).collect())
                .unwrap();
        }
        Call::DropAlbum(album) => db
            .commit_wait(vec![Write::DropAlbum { album: name(album) }])
            .unwrap(),
        Call::Import(group) => {
            let stored = blobs.import_many(group.into_iter().map(bytes_of).collect());
            assert!(stored.iter().all(Result::is_ok));
        }
        Call::Chunk(blob, index) => {
            if let Some(part) = part(blob) {
                let bytes = bytes_of(blob);
                part.write_chunk(index, bytes.chunks(CHUNK_BYTES).nth(index as usize).unwrap())
                    .unwrap();
            }
        }
        Call::Finish(blob) => match part(blob).map(|part| part.finish()) {
            None | Some(Ok(_) | Err(PartError::Incomplete { .. })) => {}
            Some(Err(e)) => panic!("{e}"),
        },
        Call::GiveUp(blob) => drop(blobs.remove_part(&id_of(blob)).unwrap()),
        Call::Remove(blob) => drop(blobs.remove(&id_of(blob)).unwrap()),
        Call::Private => home.write_private("calls", &noise(n, 3000)).unwrap(),
    }
}

/// Albums with their ops in order, and values.
type Rows = (BTreeMap<u64, Vec<(Hash, Vec<u8>)>>, BTreeMap<Vec<u8>, Vec<u8>>);

/// What a home holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    rows: Rows,
    blobs: BTreeSet<u64>,
    parts: BTreeMap<u64, BTreeSet<u32>>,
    private: Option<Vec<u8>>,
}

impl Model {
    fn apply(&mut self, n: u64) {
        match call(n) {
            Call::Commit {
                album,
                ops,
                key,
                delete,
            } => {
                let album = self.rows.0.entry(album).or_default();
                album.extend((0..ops).map(|i| op(n, i)));
                match delete {
                    true => drop(self.rows.1.remove(&vec![key])),
                    false => drop(self.rows.1.insert(vec![key], n.to_be_bytes().into())),
                }
            }
            Call::DropAlbum(album) => drop(self.rows.0.remove(&album)),
            Call::Import(group) => self.blobs.extend(group),
            Call::Chunk(blob, index) if !self.blobs.contains(&blob) => {
                self.parts.entry(blob).or_default().insert(index);
            }
            Call::Finish(blob) if !self.blobs.contains(&blob) => {
                if self.parts.entry(blob).or_default().len() as u64 == CHUNKS {
                    self.parts.remove(&blob);
                    self.blobs.insert(blob);
                }
            }
            Call::Chunk(..) | Call::Finish(_) => {}
            Call::GiveUp(blob) => drop(self.parts.remove(&blob)),
            Call::Remove(blob) => drop(self.blobs.remove(&blob)),
            Call::Private => self.private = Some(noise(n, 3000)),
        }
    }

    /// Reads a home, every byte of it, and finds nothing there that is of no use.
    fn of(path: &Path) -> Model {
        let home = reopen(path);
        let (db, blobs) = (Db::open(&home).unwrap().0, Blobs::open(&home));
        assert!(db.verify().unwrap().is_clean());
        let report = blobs.fsck(&mut |_| true).unwrap();
        assert!(report.bad.is_empty() && report.unreadable.is_empty() && report.strays.is_empty());
        assert_eq!(std::fs::read_dir(path.join("tmp")).unwrap().count(), 0);
        let mut model = Model {
            private: home.read_private("calls").unwrap(),
            ..Model::default()
        };
        for album in 0..3 {
            let mut ops = Vec::new();
            let loaded = db
                .ops(&name(album), 0, &mut |_, hash, bytes| {
                    ops.push((hash, bytes.to_vec()))
                })
                .unwrap();
            assert_eq!(loaded.missing(), 0);
            if !ops.is_empty() {
                model.rows.0.insert(album, ops);
            }
        }
        model.rows.1 = db.scan(SPACE, b"").unwrap().into_iter().collect();
        let number = |hash: &Hash| (0..LARGE.end).find(|blob| id_of(*blob) == *hash).unwrap();
        model.blobs = blobs
            .list()
            .unwrap()
            .iter()
            .map(|(hash, _)| number(hash))
            .collect();
        for info in blobs.parts().unwrap() {
            let blob = number(&info.hash);
            let part = blobs.part_begin(&info.hash, bytes_of(blob).len() as u64).unwrap();
            part.set_list(&chunk_list_of(&bytes_of(blob))).unwrap();
            let missing: BTreeSet<u32> = part.missing().into_iter().flatten().collect();
            let have = (0..CHUNKS as u32).filter(|i| !missing.contains(i)).collect();
            model.parts.insert(blob, have);
        }
        let files = std::fs::read_dir(path.join("parts")).unwrap();
        assert!(
            files.count() <= 2 * model.parts.len(),
            "a list without its download"
        );
        model
    }
}

/// Whether a set is between two others, whichever of them is the larger one.
fn between<T: Ord + Clone>(found: &BTreeSet<T>, old: &BTreeSet<T>, new: &BTreeSet<T>) -> bool {
    found.is_superset(&(old & new)) && found.is_subset(&(old | new))
}

fn assert_between(found: &Model, old: &Model, new: &Model, place: &str) {
    assert!(
        found.rows == old.rows || found.rows == new.rows,
        "{place}: a batch in part, or lost"
    );
    assert!(
        found.private == old.private || found.private == new.private,
        "{place}: a private file in part"
    );
    assert!(between(&found.blobs, &old.blobs, &new.blobs), "{place}: blobs");
    let names = |model: &Model| model.parts.keys().copied().collect::<BTreeSet<_>>();
    assert!(
        between(&names(found), &names(old), &names(new)),
        "{place}: downloads {:?}, {:?}, {:?}",
        found.parts,
        old.parts,
        new.parts
    );
    for (blob, have) in &found.parts {
        let of = |model: &Model| model.parts.get(blob).cloned().unwrap_or_default();
        // Given up in part, a download keeps what it had.
        assert!(
            between(have, &of(old), &of(new)),
            "{place}: chunks of download {blob}"
        );
    }
}

/// Not a test of its own: makes calls from one number on and dies in another one, or when it is killed.
#[test]
fn child_makes_calls_until_killed() {
    let Some(path) = child_home() else { return };
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let told: Vec<u64> = line
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let [begin, last, spins] = told[..] else {
        panic!("{line}")
    };
    let home = reopen(&path);
    let (db, blobs) = (Db::open(&home).unwrap().0, Blobs::open(&home));
    for n in begin.. {
        if n == last {
            std::thread::spawn(move || {
                (0..spins).for_each(|_| std::hint::spin_loop());
                let me = rustix::process::getpid();
                rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
            });
        }
        make(n, &home, &db, &blobs);
        // One write, so that a kill leaves a whole line or none.
        std::io::stdout().write_all(format!("@{n}\n").as_bytes()).unwrap();
    }
}

/// In one half of the rounds the process kills itself in a drawn call, at a drawn moment of it; in the other half it is
/// killed from outside. Whatever it had acknowledged is there, the call under way is done or not, and the next process
/// goes on where this one ended, downloads too.
#[test]
fn a_store_killed_in_any_call_has_all_before_it() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    let mut model = Model::default();
    let (mut next, mut done) = (0, 0);
    for round in 0..kills() {
        let calls = drawn(round + 1_000_000, 30);
        let from_outside = round % 2 == 1;
        // A call takes up to some milliseconds, a spin about a nanosecond or some.
        let spins = 1 << drawn(round + 2_000_000, 22);
        let last = if from_outside { u64::MAX } else { next + calls };
        let mut child = Helper::start("child_makes_calls_until_killed", &path, "");
        let words = format!("{next} {last} {spins}\n");
        child
            .child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(words.as_bytes())
            .unwrap();
        let mut acknowledged: Vec<String> = Vec::new();
        if from_outside {
            acknowledged.extend((0..calls).map(|_| child.line().unwrap()));
            child.kill();
        }
        acknowledged.extend(child.line_all());
        let place = format!("round {round}, from call {next}");
        for line in &acknowledged {
            assert_eq!(line.parse(), Ok(next), "{place}");
            model.apply(next);
            next += 1;
        }
        let mut after = model.clone();
        after.apply(next);
        let found = Model::of(&path);
        assert_between(
            &found,
            &model,
            &after,
            &format!("{place}, in {next}, {:?}", call(next)),
        );
        done += u64::from(found != model && found == after);
        model = found;
        next += 1;
    }
    println!(
        "{} kills in {next} calls, {done} of them in a call that was done",
        kills()
    );
}
