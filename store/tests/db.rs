//! The database: order, duplicates, limits, damage.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use common::{name, new_home, noise, reopen};
use proptest::prelude::*;
use store::{
    BATCH_BYTES_MAX, BATCH_WRITES_MAX, CommitError, Db, Hash, KEY_BYTES_MAX, OP_BYTES_MAX, OpenError,
    ReadError, VALUE_BYTES_MAX, Write,
};

fn op(album: u64, n: u64) -> Write {
    Write::Op {
        album: name(album),
        hash: name(n),
        bytes: noise(n, 100 + n as usize % 900),
    }
}

fn put(key: &[u8], value: &[u8]) -> Write {
    Write::Put {
        space: "test",
        key: key.into(),
        value: value.into(),
    }
}

fn all(db: &Db, album: u64, from: u64) -> (Vec<(u64, Hash, Vec<u8>)>, store::Loaded) {
    let mut ops = Vec::new();
    let loaded = db
        .ops(&name(album), from, &mut |n, hash, bytes| {
            ops.push((n, hash, bytes.to_vec()))
        })
        .unwrap();
    assert_eq!(loaded.ops, ops.len() as u64);
    (ops, loaded)
}

fn raw(home: &store::Home) -> rusqlite::Connection {
    let raw = rusqlite::Connection::open(home.path().join("calotype.db")).unwrap();
    raw.pragma_update(None, "foreign_keys", false).unwrap();
    raw
}

#[test]
fn ops_come_back_in_the_order_they_came() {
    let (_dir, home) = new_home();
    let (db, recovered) = Db::open(&home).unwrap();
    assert!(recovered.created);
    // More than two slices of the reader, over two albums in turn.
    for base in (0..2400).step_by(100) {
        db.commit_wait((base..base + 100).map(|n| op(n % 2, n)).collect())
            .unwrap();
    }
    for album in [0, 1] {
        let (ops, loaded) = all(&db, album, 0);
        let wanted: Vec<_> = (0..2400).filter(|n| n % 2 == album).collect();
        assert!(ops.iter().map(|o| o.1).eq(wanted.iter().map(|&n| name(n))));
        assert!(
            ops.iter()
                .zip(&wanted)
                .all(|(o, &n)| o.2 == noise(n, 100 + n as usize % 900))
        );
        assert!(ops.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(db.op_count(&name(album)).unwrap(), 1200);
        assert!(loaded.bad.is_empty());
        // Going on from the middle and from the end.
        assert_eq!(all(&db, album, ops[700].0).0, ops[700..]);
        assert_eq!(
            all(&db, album, loaded.next),
            (
                vec![],
                store::Loaded {
                    next: loaded.next,
                    ..Default::default()
                }
            )
        );
        assert!(all(&db, album, u64::MAX).0.is_empty());
    }
    assert_eq!(db.albums().unwrap(), [name(0), name(1)]);
    assert_eq!(db.op(&name(1), &name(7)).unwrap(), Some(noise(7, 107)));
    assert_eq!(db.op(&name(0), &name(7)).unwrap(), None);
    assert_eq!(db.op_count(&name(9)).unwrap(), 0);
    assert!(all(&db, 9, 0).0.is_empty());
}

#[test]
fn a_duplicate_op_changes_nothing() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    db.commit_wait(vec![op(1, 1), op(1, 2), op(1, 1)]).unwrap();
    let before = all(&db, 1, 0);
    let other_bytes = Write::Op {
        album: name(1),
        hash: name(1),
        bytes: b"other".into(),
    };
    db.commit_wait(vec![op(1, 2), other_bytes]).unwrap();
    assert_eq!(all(&db, 1, 0), before);
    // The same op in another album is another op.
    db.commit_wait(vec![op(2, 1)]).unwrap();
    assert_eq!(db.op_count(&name(2)).unwrap(), 1);
}

#[test]
fn what_was_committed_is_there_after_a_clean_end_without_a_log() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    for n in 0..50 {
        db.commit(
            vec![op(1, n), put(b"last", &[n as u8])],
            Box::new(|outcome| outcome.unwrap()),
        );
    }
    let ops = |db: &Db| all(db, 1, 0).0;
    // Dropping finishes what is queued.
    drop(db);
    assert!(!home.path().join("calotype.db-wal").exists());
    let (db, recovered) = Db::open(&home).unwrap();
    assert_eq!(
        recovered,
        store::Recovered {
            created: false,
            wal_bytes: 0,
            schema: 1
        }
    );
    assert_eq!(ops(&db).len(), 50);
    assert_eq!(db.get("test", b"last").unwrap(), Some(vec![49]));
}

#[test]
fn a_dropped_album_is_gone_and_its_numbers_are_not_used_again() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    db.commit_wait((0..10).map(|n| op(1, n)).chain([op(2, 100)]).collect())
        .unwrap();
    db.commit_wait((10..20).map(|n| op(1, n)).collect()).unwrap();
    let last = all(&db, 1, 0).0.last().unwrap().0;
    db.commit_wait(vec![
        Write::DropAlbum { album: name(1) },
        Write::DropAlbum { album: name(3) },
    ])
    .unwrap();
    assert_eq!(db.albums().unwrap(), [name(2)]);
    assert!(all(&db, 1, 0).0.is_empty());
    assert_eq!(all(&db, 2, 0).0.len(), 1);
    drop(db);
    let (db, _) = Db::open(&home).unwrap();
    db.commit_wait(vec![op(1, 3)]).unwrap();
    assert!(all(&db, 1, 0).0[0].0 > last);
}

#[test]
fn done_is_called_in_order_and_the_store_may_be_called_from_it() {
    let (_dir, home) = new_home();
    let db = Arc::new(Db::open(&home).unwrap().0);
    let (tell, told) = mpsc::channel();
    for n in 0..300u64 {
        let (tell, inner) = (tell.clone(), Arc::downgrade(&db));
        let done = move |outcome: Result<(), CommitError>| {
            outcome.unwrap();
            tell.send(n).unwrap();
            // Durable means readable, also from the callback, which may commit more.
            let db = inner.upgrade().unwrap();
            assert!(db.get("test", &n.to_be_bytes()).unwrap().is_some());
            if n == 299 {
                db.commit(
                    vec![put(b"again", b"")],
                    Box::new(move |_| tell.send(1000).unwrap()),
                );
            }
        };
        db.commit(vec![put(&n.to_be_bytes(), b"x")], Box::new(done));
    }
    assert!(told.iter().take(301).eq((0..300).chain([1000])));
}

#[test]
fn a_callback_that_panics_hurts_nobody_else() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    db.commit(
        vec![put(b"a", b"1")],
        Box::new(|_| panic!("a bug of the caller, meant by this test")),
    );
    db.commit_wait(vec![put(b"b", b"2")]).unwrap();
    assert_eq!(db.scan("test", b"").unwrap().len(), 2);
}

#[test]
fn the_last_owner_may_be_a_callback() {
    let (_dir, home) = new_home();
    let db = Arc::new(Db::open(&home).unwrap().0);
    let (tell, told) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let mine = Arc::clone(&db);
    db.commit(
        vec![put(b"a", b"1")],
        Box::new(move |outcome| {
            gone.recv().unwrap_err();
            drop(mine);
            tell.send(outcome).unwrap();
        }),
    );
    drop(db);
    drop(go);
    told.recv().unwrap().unwrap();
    let path = home.path().to_path_buf();
    drop(home);
    assert_eq!(
        Db::open(&reopen(&path)).unwrap().0.get("test", b"a").unwrap(),
        Some(b"1".into())
    );
}

/// The disk fills in the middle of a batch: what came before in it is not there either.
#[test]
fn a_batch_is_stored_whole_or_not_at_all() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    db.commit_wait(vec![put(b"kept", b"1")]).unwrap();
    db.limit_pages(1).unwrap();
    let batch = vec![put(b"small", b"2"), put(b"large", &[3; 64 * 1024])];
    let full = db.commit_wait(batch);
    assert!(matches!(full, Err(CommitError::DiskFull { .. })), "{full:?}");
    assert_eq!(db.get("test", b"small").unwrap(), None);
    db.limit_pages(u32::MAX).unwrap();
    db.commit_wait(vec![put(b"after", b"4")]).unwrap();
    let keys: Vec<_> = db
        .scan("test", b"")
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, [b"after".to_vec(), b"kept".to_vec()]);
}

#[test]
fn batches_beyond_a_limit_are_refused_whole() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    let big_op = |len| Write::Op {
        album: name(1),
        hash: name(len as u64),
        bytes: vec![1; len],
    };
    db.commit_wait(vec![
        big_op(OP_BYTES_MAX),
        put(&[1; KEY_BYTES_MAX], &[2; VALUE_BYTES_MAX]),
    ])
    .unwrap();
    let delete = |len| Write::Delete {
        space: "test",
        key: vec![1; len],
    };
    db.commit_wait(vec![delete(KEY_BYTES_MAX)]).unwrap();
    let refused = |batch: Vec<Write>| match db.commit_wait(batch).unwrap_err() {
        CommitError::TooLarge { what, found, max } if found == max + 1 => what,
        other => panic!("{other}"),
    };
    for (wrong, what) in [
        (big_op(OP_BYTES_MAX + 1), "op bytes"),
        (put(&[1; KEY_BYTES_MAX + 1], b""), "key bytes"),
        (put(b"", &[2; VALUE_BYTES_MAX + 1]), "value bytes"),
        (delete(KEY_BYTES_MAX + 1), "key bytes"),
    ] {
        assert_eq!(refused(vec![put(b"before", b""), wrong]), what);
    }
    assert_eq!(db.get("test", b"before").unwrap(), None);
    assert_eq!(refused(vec![delete(1); BATCH_WRITES_MAX + 1]), "number of writes");
    db.commit_wait(vec![delete(1); BATCH_WRITES_MAX]).unwrap();
    let mebibyte = || put(b"", &vec![0; VALUE_BYTES_MAX]);
    let full = BATCH_BYTES_MAX / VALUE_BYTES_MAX;
    let mut batch: Vec<_> = (0..full).map(|_| mebibyte()).collect();
    batch.push(put(b"", b"1"));
    assert_eq!(refused(batch), "bytes");
}

#[test]
fn values_are_set_replaced_removed_and_scanned_by_prefix() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    let keys: [&[u8]; 6] = [b"", b"a", b"a\xff", b"a\xff\xff1", b"b", b"\xff\xff"];
    db.commit_wait(keys.iter().map(|key| put(key, key)).collect())
        .unwrap();
    db.commit_wait(vec![Write::Put {
        space: "other",
        key: b"a".into(),
        value: b"!".into(),
    }])
    .unwrap();
    let scan = |prefix: &[u8]| {
        db.scan("test", prefix)
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect::<Vec<_>>()
    };
    assert_eq!(scan(b""), keys);
    assert_eq!(scan(b"a"), keys[1..4]);
    assert_eq!(scan(b"a\xff"), keys[2..4]);
    assert_eq!(scan(b"\xff"), keys[5..]);
    assert_eq!(scan(b"c"), Vec::<Vec<u8>>::new());
    db.commit_wait(vec![
        put(b"a", b"new"),
        Write::Delete {
            space: "test",
            key: b"b".into(),
        },
    ])
    .unwrap();
    assert_eq!(db.get("test", b"a").unwrap(), Some(b"new".into()));
    assert_eq!(db.get("test", b"b").unwrap(), None);
    assert_eq!(db.get("other", b"a").unwrap(), Some(b"!".into()));
    assert_eq!(db.get("none", b"a").unwrap(), None);
}

#[test]
fn damaged_rows_are_skipped_named_deleted_and_mended() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    db.commit_wait(
        (1..=20)
            .map(|n| op(1, n))
            .chain([put(b"k", b"v"), put(b"l", b"w")])
            .collect(),
    )
    .unwrap();
    assert!(db.verify().unwrap().is_clean());
    let raw = raw(&home);
    raw.execute_batch(
        "UPDATE ops SET bytes = zeroblob(length(bytes)) WHERE n = 3;
         UPDATE ops SET chk = zeroblob(16) WHERE n = 5;
         UPDATE ops SET hash = zeroblob(32) WHERE n = 7;
         UPDATE ops SET hash = x'00' WHERE n = 8;
         UPDATE ops SET a = 99 WHERE n = 9;
         UPDATE kv SET value = x'00' WHERE key = x'6b';",
    )
    .unwrap();
    let (ops, loaded) = all(&db, 1, 0);
    assert_eq!(ops.len(), 15);
    assert_eq!(
        loaded.bad.iter().map(|b| b.n).collect::<Vec<_>>(),
        [3, 5, 7, 8],
        "9 is not in this album any more"
    );
    assert_eq!(loaded.next, 21);
    assert_eq!(db.op(&name(1), &name(3)).unwrap(), None);
    assert!(matches!(db.get("test", b"k"), Err(ReadError::BadValue { .. })));
    assert!(matches!(db.scan("test", b""), Err(ReadError::BadValue { key, .. }) if key == b"k"));
    let report = db.verify().unwrap();
    assert_eq!((report.ops, report.values), (20, 2));
    assert_eq!(
        report.bad_ops.iter().map(|b| b.n).collect::<Vec<_>>(),
        [3, 5, 7, 8, 9]
    );
    assert_eq!(
        report.bad_values,
        [store::BadValue {
            space: "test".into(),
            key: b"k".into()
        }]
    );

    // Storing the good copy again mends a row in its place.
    db.commit_wait(vec![op(1, 3)]).unwrap();
    assert_eq!(all(&db, 1, 0).0[2].2, noise(3, 103));
    // The report is older than that: deleting leaves the mended row alone.
    db.delete_bad(&report).unwrap();
    let clean = db.verify().unwrap();
    assert!(clean.is_clean(), "{clean:?}");
    assert_eq!((clean.ops, clean.values), (16, 1));
    db.commit_wait(vec![op(1, 5), op(1, 7), op(1, 8), op(1, 9)])
        .unwrap();
    assert_eq!(db.op_count(&name(1)).unwrap(), 20);
}

/// All that a program reads at its start: every album and its ops. `Err` or `missing` is how it hears of damage.
fn load(db: &Db, seen: &mut BTreeMap<Hash, Vec<u8>>) -> Result<u64, ReadError> {
    let mut missing = 0;
    for album in db.albums()? {
        let each = &mut |_, hash, bytes: &[u8]| drop(seen.insert(hash, bytes.to_vec()));
        missing += db.ops(&album, 0, each)?.missing();
    }
    Ok(missing)
}

/// Whatever bit of the file rots: no op is ever handed over that was not stored, whoever loads the albums hears of it
/// or has them all, and a rebuild ends with a clean database that takes the lost ones again.
#[test]
fn a_flipped_bit_anywhere_is_found_and_healed() {
    let (dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    let ops = || (0..200).map(|n| op(n % 3, n)).collect::<Vec<_>>();
    db.commit_wait(ops()).unwrap();
    db.commit_wait((0..20).map(|n| put(&[n], b"a setting")).collect())
        .unwrap();
    let mut wanted = BTreeMap::new();
    assert_eq!(load(&db, &mut wanted).unwrap(), 0);
    drop(db);
    let file = std::fs::read(home.path().join("calotype.db")).unwrap();
    let (mut found, mut harmless, mut lost) = (0, 0, 0);
    for round in 0..flips() {
        let at = noise(round, 8)
            .iter()
            .fold(0usize, |sum, &b| sum << 8 | usize::from(b))
            % file.len();
        let mut rotten = file.clone();
        rotten[at] ^= 1 << (round % 8);
        let home = reopen(&dir.path().join(format!("rot{round}")));
        std::fs::write(home.path().join("calotype.db"), rotten).unwrap();
        let mut seen = BTreeMap::new();
        let (loaded, clean) = match Db::open(&home) {
            Err(_) => (None, false),
            Ok((db, _)) => (
                load(&db, &mut seen).ok(),
                db.verify().is_ok_and(|report| report.is_clean()),
            ),
        };
        assert!(
            seen.iter().all(|(hash, bytes)| wanted.get(hash) == Some(bytes)),
            "byte {at}: a false op"
        );
        if loaded == Some(0) {
            assert!(seen == wanted, "byte {at}: an op is missing and nobody says so");
        }
        if clean {
            assert_eq!(loaded, Some(0), "byte {at}: a check that finds nothing");
            harmless += 1;
            continue;
        }
        found += 1;
        let rebuilt = Db::rebuild(&home).unwrap();
        lost += 200 - rebuilt.ops;
        assert!(
            rebuilt.ops + rebuilt.lost_ops + 100 > 200,
            "byte {at}: {rebuilt:?}"
        );
        let (db, _) = Db::open(&home).unwrap();
        assert!(db.verify().unwrap().is_clean(), "byte {at}");
        let mut kept = BTreeMap::new();
        assert_eq!(load(&db, &mut kept).unwrap(), 0);
        assert_eq!(kept.len() as u64, rebuilt.ops);
        assert!(kept.iter().all(|(hash, bytes)| wanted.get(hash) == Some(bytes)));
        assert!(
            kept.len() >= seen.len(),
            "byte {at}: a rebuild keeps what a load sees"
        );
        assert!(home.path().join("bad/calotype.db").exists());
        db.commit_wait(ops()).unwrap();
        let mut healed = BTreeMap::new();
        assert_eq!(load(&db, &mut healed).unwrap(), 0);
        assert!(healed == wanted, "byte {at}");
        drop(db);
        drop(home);
        std::fs::remove_dir_all(dir.path().join(format!("rot{round}"))).unwrap();
    }
    println!("{found} found, {harmless} in free space, {lost} ops to fetch again");
    assert!(
        found > flips() / 2 && harmless > 0,
        "{found} found, {harmless} in free space"
    );
    assert!(lost < 20 * found, "{lost} ops lost by {found} flips");
}

/// Flips in one run; more by `STORE_FLIPS=N`.
fn flips() -> u64 {
    std::env::var("STORE_FLIPS").map_or(60, |n| n.parse().unwrap())
}

#[test]
fn a_database_of_another_program_is_refused() {
    let (_dir, home) = new_home();
    rusqlite::Connection::open(home.path().join("calotype.db"))
        .unwrap()
        .execute_batch("CREATE TABLE t(x)")
        .unwrap();
    assert!(matches!(Db::open(&home), Err(OpenError::NotOurs { .. })));
}

#[test]
fn identity_is_that_of_the_file() {
    use std::os::unix::fs::MetadataExt;
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    let file = std::fs::metadata(home.path().join("calotype.db")).unwrap();
    assert_eq!(db.identity(), (file.dev(), file.ino()));
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Write>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || (0..6u8).prop_map(|k| vec![k]);
    let write = prop_oneof![
        4 => (0..3u64, 0..40u64).prop_map(|(album, n)| op(album, n)),
        2 => (key(), any::<[u8; 3]>()).prop_map(|(key, value)| put(&key, &value)),
        1 => key().prop_map(|key| Write::Delete { space: "test", key }),
        1 => (0..3u64).prop_map(|album| Write::DropAlbum { album: name(album) }),
    ];
    let step =
        prop_oneof![9 => prop::collection::vec(write, 0..8).prop_map(Step::Write), 1 => Just(Step::Reopen)];
    prop::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    /// The database does what plain maps do.
    #[test]
    fn the_database_is_like_maps(steps in steps()) {
        let (_dir, home) = new_home();
        let mut db = Db::open(&home).unwrap().0;
        let mut ops: BTreeMap<Hash, Vec<(Hash, Vec<u8>)>> = BTreeMap::new();
        let mut values = BTreeMap::new();
        for step in steps {
            let Step::Write(batch) = step else {
                drop(db);
                db = Db::open(&home).unwrap().0;
                continue;
            };
            db.commit_wait(batch.clone()).unwrap();
            for write in batch {
                match write {
                    Write::Op { album, hash, bytes } => {
                        let list = ops.entry(album).or_default();
                        if list.iter().all(|(other, _)| *other != hash) {
                            list.push((hash, bytes));
                        }
                    }
                    Write::Put { key, value, .. } => drop(values.insert(key, value)),
                    Write::Delete { key, .. } => drop(values.remove(&key)),
                    Write::DropAlbum { album } => drop(ops.remove(&album)),
                }
            }
            for album in 0..3 {
                let found: Vec<_> = all(&db, album, 0).0.into_iter().map(|(_, hash, bytes)| (hash, bytes)).collect();
                prop_assert_eq!(found, ops.get(&name(album)).cloned().unwrap_or_default());
            }
            prop_assert!(db.scan("test", b"").unwrap().into_iter().eq(values.clone()));
        }
        prop_assert!(db.verify().unwrap().is_clean());
    }
}

/// Something stands for the first ops of an album. It fits while the store's first ops are just these, whatever comes after
/// them and in whatever order they are named; after one is lost, replaced or another's, it does not.
#[test]
fn what_stands_for_the_first_ops_names_just_these() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    for n in 0..30 {
        db.commit_wait(vec![op(n % 2, n)]).unwrap();
    }
    let fits = |names: &[u64]| {
        let mut hashes = names.iter().rev().map(|n| name(*n));
        db.stands_for(&name(0), &mut hashes).unwrap()
    };
    let first: Vec<u64> = (0..10).map(|n| 2 * n).collect();
    let next = fits(&first).unwrap();
    let after = all(&db, 0, next).0;
    assert!(after.iter().map(|op| op.1).eq((10..15).map(|n| name(2 * n))));
    assert_eq!(fits(&[]), None, "nothing stands for nothing");
    assert_eq!(fits(&first[1..]), None);
    assert_eq!(
        fits(&[&first[..9], &[22]].concat()),
        None,
        "of as many ops one is another"
    );
    assert_eq!(fits(&[&first[..], &[1]].concat()), None, "another album's");
    let more: Vec<u64> = (0..16).map(|n| 2 * n).collect();
    assert_eq!(fits(&more), None, "more than there are");
    assert!(fits(&more[..15]).is_some());
    assert_eq!(db.stands_for(&name(7), &mut [name(0)].into_iter()).unwrap(), None);

    // A check of the same ops, slice by slice, names those that are whole.
    raw(&home)
        .execute("UPDATE ops SET bytes = x'00' WHERE hash = ?1", [name(4)])
        .unwrap();
    let (loaded, good) = db.check_some(&name(0), 0).unwrap();
    assert_eq!((good.len(), loaded.bad.len()), (14, 1));
    assert!(!good.contains(&name(4)));
    let (loaded, good) = db.check_some(&name(0), loaded.next).unwrap();
    assert!(good.is_empty() && loaded.bad.is_empty());
    assert_eq!(
        fits(&first),
        Some(next),
        "names are whole, which is all that it asks"
    );
}
