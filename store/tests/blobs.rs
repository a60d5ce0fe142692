//! Blobs: imported, served in chunks, fetched in chunks, checked.
#![allow(
    clippy::unwrap_used,
    clippy::single_range_in_vec_init,
    reason = "tests; a list of one range is meant"
)]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use common::{Helper, child_home, new_home, noise, reopen};
use store::{
    BLOB_BYTES_MAX, Blob, BlobError, Blobs, CHUNK_BYTES, Hash, Home, Part, PartError, chunk_count,
    chunk_list_of,
};

fn id(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

fn chunk(bytes: &[u8], index: u32) -> &[u8] {
    bytes.chunks(CHUNK_BYTES).nth(index as usize).unwrap()
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

/// A blob that one home has and another one begins to fetch.
struct Fetch {
    _dir: tempfile::TempDir,
    home: Home,
    blobs: Blobs,
    bytes: Vec<u8>,
    part: Part,
}

fn fetch(len: usize) -> Fetch {
    let (dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let bytes = noise(len as u64, len);
    let part = blobs.part_begin(&id(&bytes), len as u64).unwrap();
    Fetch {
        _dir: dir,
        home,
        blobs,
        bytes,
        part,
    }
}

#[test]
fn what_is_imported_is_read_back() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let mut contents: Vec<Vec<u8>> = (0..40).map(|n| noise(n, n as usize * 9_000)).collect();
    contents.push(contents[3].clone());
    let imported = blobs.import_many(contents.clone());
    for (bytes, blob) in contents.iter().zip(imported) {
        let blob = blob.unwrap();
        assert_eq!((blob.hash, blob.size), (id(bytes), bytes.len() as u64));
        assert_eq!(&blobs.read(&blob.hash).unwrap(), bytes);
        let path = blobs.path(&blob.hash).unwrap();
        let name = store::hex(&blob.hash);
        assert_eq!(path, home.path().join("blobs").join(&name[..2]).join(&name));
    }
    assert!(blobs.import(&contents[5]).unwrap().was_here);
    assert_eq!(blobs.list().unwrap().len(), 40);
    assert_eq!(
        blobs.total_bytes().unwrap(),
        (0..40).map(|n| n * 9_000).sum::<u64>()
    );
    assert!(is_empty(&home.path().join("tmp")));
    assert!(blobs.import_many(Vec::new()).is_empty());
}

#[test]
fn files_are_imported_each_on_its_own() {
    let (dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let at = |name: &str| dir.path().join(name);
    let content = noise(1, 2 * CHUNK_BYTES + 77);
    fs::write(at("a.jpg"), &content).unwrap();
    fs::write(at("empty"), b"").unwrap();
    fs::File::create(at("long"))
        .unwrap()
        .set_len(BLOB_BYTES_MAX + 1)
        .unwrap();
    let paths = [
        at("a.jpg"),
        at("none"),
        dir.path().into(),
        at("long"),
        at("empty"),
        "/dev/zero".into(),
    ];
    let paths: Vec<&Path> = paths.iter().map(|p| p.as_path()).collect();
    let [a, none, folder, long, empty, device] = blobs.import_files(&paths).try_into().unwrap();
    let a = a.unwrap();
    assert_eq!(
        a,
        Blob {
            hash: id(&content),
            size: content.len() as u64,
            was_here: false
        }
    );
    assert_eq!(blobs.read(&a.hash).unwrap(), content);
    assert!(
        matches!(none, Err(BlobError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound)
    );
    assert!(matches!(folder, Err(BlobError::NotAFile { .. })));
    assert!(matches!(long, Err(BlobError::TooLarge { bytes, .. }) if bytes == BLOB_BYTES_MAX + 1));
    assert_eq!(empty.unwrap().hash, id(b""));
    assert!(matches!(device, Err(BlobError::NotAFile { .. })));
    assert!(blobs.import_file(&at("a.jpg")).unwrap().was_here);
    assert_eq!(blobs.list().unwrap().len(), 2);
    assert!(is_empty(&home.path().join("tmp")));
}

#[test]
fn the_longest_blob_is_imported_and_one_byte_more_is_not() {
    let (dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let path = dir.path().join("long");
    fs::File::create(&path).unwrap().set_len(BLOB_BYTES_MAX).unwrap();
    let blob = blobs.import_file(&path).unwrap();
    assert_eq!(blob.size, BLOB_BYTES_MAX);
    assert_eq!(blobs.chunk_list(&blob.hash).unwrap().len(), 1024);
    assert!(blobs.remove(&blob.hash).unwrap());
    assert!(matches!(
        blobs.import(&vec![0; BLOB_BYTES_MAX as usize + 1]),
        Err(BlobError::TooLarge { bytes, .. }) if bytes == BLOB_BYTES_MAX + 1
    ));
    let (begin, limit) = (|size| blobs.part_begin(&common::name(1), size), BLOB_BYTES_MAX);
    assert!(begin(limit).is_ok());
    assert!(matches!(begin(limit + 1), Err(PartError::TooLarge { .. })));
    assert!(matches!(begin(u64::MAX), Err(PartError::TooLarge { .. })));
}

#[test]
fn an_export_appears_whole_and_replaces_nothing_unasked() {
    let (dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let content = noise(1, CHUNK_BYTES + 5);
    let hash = blobs.import(&content).unwrap().hash;
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let dest = out.join("sunset.jpg");
    assert_eq!(blobs.export(&hash, &dest, false).unwrap(), content.len() as u64);
    assert_eq!(fs::read(&dest).unwrap(), content);
    fs::write(&dest, b"mine").unwrap();
    assert!(matches!(
        blobs.export(&hash, &dest, false),
        Err(BlobError::Exists { .. })
    ));
    assert_eq!(fs::read(&dest).unwrap(), b"mine");
    blobs.export(&hash, &dest, true).unwrap();
    assert_eq!(fs::read(&dest).unwrap(), content);
    // A damaged blob, a missing one and a missing folder leave nothing.
    fs::remove_file(&dest).unwrap();
    let path = blobs.path(&hash).unwrap();
    let mut rotten = content.clone();
    rotten[CHUNK_BYTES + 1] ^= 1;
    fs::write(&path, rotten).unwrap();
    assert!(matches!(
        blobs.export(&hash, &dest, false),
        Err(BlobError::Corrupt { .. })
    ));
    assert!(matches!(
        blobs.export(&common::name(9), &dest, false),
        Err(BlobError::Missing { .. })
    ));
    let nowhere = out.join("no/such/folder");
    assert!(
        matches!(blobs.export(&hash, &nowhere, false), Err(BlobError::Io { path, .. }) if path == nowhere)
    );
    assert!(is_empty(&out));
}

#[test]
fn chunks_are_served_and_each_is_verified() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    for len in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES - 1] {
        let bytes = noise(3, len);
        let hash = blobs.import(&bytes).unwrap().hash;
        assert_eq!(blobs.chunk_list(&hash).unwrap(), chunk_list_of(&bytes));
        let chunks = chunk_count(len as u64);
        for index in 0..chunks {
            assert_eq!(
                blobs.read_chunk(&hash, index).unwrap(),
                chunk(&bytes, index),
                "{index} of {len} bytes"
            );
        }
        for index in [chunks, u32::MAX] {
            assert!(matches!(
                blobs.read_chunk(&hash, index),
                Err(BlobError::NoSuchChunk { .. })
            ));
        }
    }
    // One rots after its list was made: the other chunks are still served, this one is not.
    let bytes = noise(3, 5 * CHUNK_BYTES - 1);
    let mut rotten = bytes.clone();
    rotten[3 * CHUNK_BYTES] ^= 0x80;
    fs::write(blobs.path(&id(&bytes)).unwrap(), &rotten).unwrap();
    assert_eq!(blobs.read_chunk(&id(&bytes), 2).unwrap(), chunk(&bytes, 2));
    assert!(matches!(
        blobs.read_chunk(&id(&bytes), 3),
        Err(BlobError::Corrupt { .. })
    ));
    assert!(matches!(blobs.read(&id(&bytes)), Err(BlobError::Corrupt { .. })));
    let fresh = Blobs::open(&home);
    assert!(matches!(
        fresh.chunk_list(&id(&bytes)),
        Err(BlobError::Corrupt { .. })
    ));
    assert!(matches!(
        fresh.read_chunk(&common::name(1), 0),
        Err(BlobError::Missing { .. })
    ));
}

#[test]
fn chunks_arrive_in_any_order_and_become_the_blob() {
    for len in [
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        6 * CHUNK_BYTES + 9,
    ] {
        let Fetch {
            blobs,
            bytes,
            part,
            home,
            ..
        } = &fetch(len);
        let chunks = chunk_count(len as u64);
        assert_eq!(part.missing(), [0..chunks]);
        assert_eq!(part.needs_list(), chunks > 1);
        if chunks > 1 {
            assert!(matches!(
                part.write_chunk(0, chunk(bytes, 0)),
                Err(PartError::NoList { .. })
            ));
        }
        part.set_list(&chunk_list_of(bytes)).unwrap();
        assert!(matches!(part.finish(), Err(PartError::Incomplete { missing, .. }) if missing == chunks));
        for (done, index) in (0..chunks).rev().enumerate() {
            let progress = part.write_chunk(index, chunk(bytes, index)).unwrap();
            assert_eq!(progress.have as usize, done + 1);
            assert_eq!(
                part.write_chunk(index, chunk(bytes, index)).unwrap(),
                progress,
                "twice is once"
            );
        }
        assert!(part.progress().is_complete() && part.missing().is_empty());
        assert!(!blobs.has(&id(bytes)));
        let blob = part.finish().unwrap();
        assert_eq!(
            blob,
            Blob {
                hash: id(bytes),
                size: len as u64,
                was_here: false
            }
        );
        assert_eq!(&blobs.read(&blob.hash).unwrap(), bytes);
        assert!(is_empty(&home.path().join("parts")));
        assert!(matches!(part.finish(), Err(PartError::Ended { .. })));
        assert!(matches!(
            part.write_chunk(0, chunk(bytes, 0)),
            Err(PartError::Ended { .. })
        ));
        assert!(matches!(
            blobs.part_begin(&id(bytes), len as u64),
            Err(PartError::Here { .. })
        ));
    }
}

#[test]
fn the_empty_blob_has_no_chunks() {
    let Fetch { blobs, part, .. } = &fetch(0);
    assert!(part.progress().is_complete());
    assert!(matches!(
        part.write_chunk(0, b"x"),
        Err(PartError::NoSuchChunk { .. })
    ));
    part.finish().unwrap();
    assert_eq!(blobs.read(&id(b"")).unwrap(), b"");
    // Nothing else has 0 bytes, whatever somebody says.
    assert!(matches!(
        blobs.part_begin(&common::name(1), 0),
        Err(PartError::WrongList(_))
    ));
}

#[test]
fn wrong_chunks_and_lists_are_refused_and_change_nothing() {
    let Fetch { part, bytes, .. } = &fetch(3 * CHUNK_BYTES + 100);
    let list = chunk_list_of(bytes);
    let mut wrong_list = list.clone();
    wrong_list[1][0] ^= 1;
    for wrong in [&wrong_list[..], &list[..3], &[]] {
        assert!(matches!(part.set_list(wrong), Err(PartError::WrongList(_))));
    }
    assert!(part.needs_list());
    part.set_list(&list).unwrap();
    let mut flipped = chunk(bytes, 1).to_vec();
    flipped[CHUNK_BYTES - 1] ^= 1;
    let short = &chunk(bytes, 1)[..CHUNK_BYTES - 1];
    let long = [chunk(bytes, 3), b"x"].concat();
    let too_long = vec![0; CHUNK_BYTES + 1];
    for (index, wrong) in [
        (1, &flipped[..]),
        (1, short),
        (1, b""),
        (1, chunk(bytes, 0)),
        (3, &long),
        (3, &too_long),
        (0, &too_long),
    ] {
        let refused = part.write_chunk(index, wrong).unwrap_err();
        assert!(
            matches!(refused, PartError::WrongChunk { index: i, .. } if i == index),
            "{refused}"
        );
    }
    for index in [4, u32::MAX] {
        assert!(matches!(
            part.write_chunk(index, chunk(bytes, 0)),
            Err(PartError::NoSuchChunk { .. })
        ));
    }
    assert_eq!(part.missing(), [0..4]);
    part.write_chunk(1, chunk(bytes, 1)).unwrap();
    part.write_chunk(1, &flipped).unwrap();
    assert_eq!(part.missing(), [0..1, 2..4]);
}

#[test]
fn a_false_size_is_not_blamed_on_the_sender() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let bytes = noise(1, CHUNK_BYTES + 100);
    let part = blobs.part_begin(&id(&bytes), CHUNK_BYTES as u64 + 99).unwrap();
    part.set_list(&chunk_list_of(&bytes)).unwrap();
    part.write_chunk(0, chunk(&bytes, 0)).unwrap();
    let refused = part.write_chunk(1, chunk(&bytes, 1)).unwrap_err();
    assert!(
        matches!(refused, PartError::FalseSize { actual, .. } if actual == bytes.len() as u64),
        "{refused}"
    );
    // Somebody knows the true size while the false one is under way, and when it is not any more.
    let other = blobs.part_begin(&id(&bytes), bytes.len() as u64);
    assert!(matches!(other, Err(PartError::OtherSize { .. })));
    drop(part);
    let part = blobs.part_begin(&id(&bytes), bytes.len() as u64).unwrap();
    part.set_list(&chunk_list_of(&bytes)).unwrap();
    for index in 0..2 {
        part.write_chunk(index, chunk(&bytes, index)).unwrap();
    }
    part.finish().unwrap();
    assert_eq!(blobs.read(&id(&bytes)).unwrap(), bytes);
}

#[test]
fn a_download_goes_on_where_it_was_after_a_restart() {
    let Fetch {
        _dir,
        home,
        blobs,
        bytes,
        part,
    } = fetch(5 * CHUNK_BYTES + 1);
    let list = chunk_list_of(&bytes);
    part.set_list(&list).unwrap();
    for index in [0, 3, 5] {
        part.write_chunk(index, chunk(&bytes, index)).unwrap();
    }
    let (hash, size, path) = (id(&bytes), bytes.len() as u64, home.path().to_path_buf());
    drop((part, blobs, home));
    // A power cut tore one of them.
    let file = path.join("parts").join(format!("{}.part", store::hex(&hash)));
    let mut torn = fs::OpenOptions::new().write(true).open(&file).unwrap();
    torn.write_all(&[0; 4096]).unwrap();

    let home = reopen(&path);
    let blobs = Blobs::open(&home);
    let listed = blobs.parts().unwrap();
    assert!(matches!(&listed[..], [info] if info.hash == hash && info.size == size && info.have_bytes > 0));
    let part = blobs.part_begin(&hash, size).unwrap();
    assert!(!part.needs_list());
    assert_eq!(part.missing(), [0..3, 4..5]);
    assert_eq!(part.progress().have_bytes, CHUNK_BYTES as u64 + 1);
    assert_eq!(blobs.parts().unwrap()[0].have_bytes, CHUNK_BYTES as u64 + 1);
    drop(part);

    // The list was lost or damaged: the chunks are found once it is there again.
    let list_file = file.with_extension("list");
    for damage in [None, Some(&b"short"[..]), Some(&[0; 6 * 32])] {
        match damage {
            None => fs::remove_file(&list_file).unwrap(),
            Some(bytes) => fs::write(&list_file, bytes).unwrap(),
        }
        let part = blobs.part_begin(&hash, size).unwrap();
        assert!(part.needs_list());
        part.set_list(&list).unwrap();
        assert_eq!(part.missing(), [0..3, 4..5]);
    }
    let part = blobs.part_begin(&hash, size).unwrap();
    for index in [0, 1, 2, 4] {
        part.write_chunk(index, chunk(&bytes, index)).unwrap();
    }
    part.finish().unwrap();
    assert_eq!(blobs.read(&hash).unwrap(), bytes);
}

#[test]
fn two_sources_feed_one_download_from_two_threads() {
    let Fetch {
        blobs, bytes, part, ..
    } = &fetch(16 * CHUNK_BYTES + 3);
    let same = blobs.part_begin(&id(bytes), bytes.len() as u64).unwrap();
    std::thread::scope(|scope| {
        for (source, part) in [part, &same].into_iter().enumerate() {
            scope.spawn(move || {
                part.set_list(&chunk_list_of(bytes)).unwrap();
                // They overlap in every third chunk; the second source lies about it first.
                for index in (0..17).filter(|i| i % 2 == source as u32 || i % 3 == 0) {
                    if source == 1 && index % 3 == 0 && part.missing().iter().any(|r| r.contains(&index)) {
                        let lie = part.write_chunk(index, &vec![0; chunk(bytes, index).len()]);
                        assert!(!matches!(lie, Ok(p) if p.have == 0));
                    }
                    part.write_chunk(index, chunk(bytes, index)).unwrap();
                }
            });
        }
    });
    assert!(part.progress().is_complete() && same.progress().is_complete());
    part.finish().unwrap();
    assert!(matches!(same.finish(), Err(PartError::Ended { .. })));
    assert_eq!(&blobs.read(&id(bytes)).unwrap(), bytes);
}

#[test]
fn downloads_finish_as_a_group_each_on_its_own() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let contents: Vec<_> = (1..20).map(|n| noise(n, n as usize * 1000)).collect();
    let parts: Vec<_> = contents
        .iter()
        .map(|c| blobs.part_begin(&id(c), c.len() as u64).unwrap())
        .collect();
    for (part, bytes) in parts.iter().zip(&contents).skip(1) {
        part.write_chunk(0, bytes).unwrap();
    }
    let finished = blobs.finish_many(&parts);
    assert!(matches!(
        finished[0],
        Err(PartError::Incomplete { missing: 1, .. })
    ));
    assert!(finished[1..].iter().all(|blob| blob.is_ok()));
    assert_eq!(blobs.list().unwrap().len(), 18);
    assert_eq!(blobs.parts().unwrap().len(), 1);
}

#[test]
fn a_download_given_up_is_gone_also_for_who_holds_it() {
    let Fetch {
        home,
        blobs,
        bytes,
        part,
        ..
    } = &fetch(2 * CHUNK_BYTES);
    part.set_list(&chunk_list_of(bytes)).unwrap();
    part.write_chunk(0, chunk(bytes, 0)).unwrap();
    assert!(blobs.remove_part(&id(bytes)).unwrap());
    assert!(!blobs.remove_part(&id(bytes)).unwrap());
    assert!(is_empty(&home.path().join("parts")));
    assert!(matches!(
        part.write_chunk(1, chunk(bytes, 1)),
        Err(PartError::Ended { .. })
    ));
    // Beginning again begins at nothing, and the old handle does not disturb it.
    let again = blobs.part_begin(&id(bytes), bytes.len() as u64).unwrap();
    assert!(again.needs_list());
    assert_eq!(again.missing(), [0..2]);
}

#[test]
fn a_list_without_its_download_is_swept() {
    let (_dir, home) = new_home();
    let list = home
        .path()
        .join("parts")
        .join(format!("{}.list", store::hex(&common::name(1))));
    fs::write(&list, [0; 64]).unwrap();
    Blobs::open(&home);
    assert!(!list.exists());
}

#[test]
fn fsck_finds_every_flipped_byte_and_moves_the_blob_aside() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let contents: Vec<_> = (0..30).map(|n| noise(n, 1 + n as usize * 20_011)).collect();
    let hashes: Vec<_> = blobs
        .import_many(contents.clone())
        .into_iter()
        .map(|b| b.unwrap().hash)
        .collect();
    let mut wanted = Vec::new();
    for (n, hash) in hashes.iter().enumerate().filter(|(n, _)| n % 3 == 0) {
        let path = blobs.path(hash).unwrap();
        let mut rotten = contents[n].clone();
        match n % 9 {
            0 => rotten[n * 20_011 / 2] ^= 1 << (n % 8),
            3 => rotten.truncate(n * 20_011),
            _ => rotten.push(0),
        }
        fs::write(path, rotten).unwrap();
        wanted.push(*hash);
    }
    wanted.sort_unstable();
    fs::write(home.path().join("blobs/readme.txt"), b"?").unwrap();
    fs::create_dir_all(home.path().join("blobs/zz/deep")).unwrap();
    let mut told = Vec::new();
    let report = blobs
        .fsck(&mut |progress| {
            told.push(progress);
            true
        })
        .unwrap();
    assert_eq!(report.bad, wanted);
    assert_eq!(
        (report.checked, report.strays.len(), report.stopped),
        (30, 2, false)
    );
    assert!(told.iter().map(|p| p.checked).eq(1..=30) && told.iter().all(|p| p.total == 30));
    for hash in &wanted {
        assert!(!blobs.has(hash) && home.path().join("bad").join(store::hex(hash)).is_file());
    }
    // They can be fetched or imported again; then nothing is wrong any more.
    assert!(blobs.import_many(contents).into_iter().all(|b| b.is_ok()));
    assert!(blobs.fsck(&mut |_| true).unwrap().bad.is_empty());
    let stopped = blobs.fsck(&mut |progress| progress.checked < 4).unwrap();
    assert!(stopped.stopped && stopped.checked == 4);
}

#[test]
fn many_threads_import_the_same_and_different_blobs() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let blobs = blobs.clone();
            scope.spawn(move || {
                for n in 0..10 {
                    let own = noise(1000 * (thread + 1) + n, 3000);
                    let shared = noise(n, 3000);
                    let done = blobs.import_many(vec![own.clone(), shared.clone()]);
                    assert!(done.into_iter().all(|b| b.is_ok()));
                    assert_eq!(blobs.read(&id(&own)).unwrap(), own);
                    assert_eq!(blobs.read(&id(&shared)).unwrap(), shared);
                }
            });
        }
    });
    assert_eq!(blobs.list().unwrap().len(), 50);
    assert!(is_empty(&home.path().join("tmp")));
}

#[test]
fn a_removed_blob_is_gone() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let bytes = noise(1, 2 * CHUNK_BYTES);
    let hash = blobs.import(&bytes).unwrap().hash;
    blobs.chunk_list(&hash).unwrap();
    assert!(blobs.remove(&hash).unwrap());
    assert!(!blobs.remove(&hash).unwrap());
    assert!(!blobs.has(&hash) && blobs.path(&hash).is_none() && blobs.size(&hash).is_none());
    assert!(matches!(blobs.chunk_list(&hash), Err(BlobError::Missing { .. })));
    assert_eq!(blobs.total_bytes().unwrap(), 0);
}

/// A picture rotted on the disk and somebody adds the same file again: the bytes in hand are good, so they are stored.
#[test]
fn importing_again_replaces_a_copy_that_rotted() {
    let (dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let bytes = noise(1, 300_000);
    let hash = blobs.import(&bytes).unwrap().hash;
    let file = dir.path().join("again.jpg");
    fs::write(&file, &bytes).unwrap();
    let rot = || {
        let mut rotten = bytes.clone();
        rotten[123_456] ^= 4;
        fs::write(blobs.path(&hash).unwrap(), rotten).unwrap();
    };
    for again in 0..2 {
        rot();
        assert!(matches!(blobs.read(&hash), Err(BlobError::Corrupt { .. })));
        let blob = match again {
            0 => blobs.import(&bytes),
            _ => blobs.import_file(&file),
        };
        assert!(!blob.unwrap().was_here, "those bytes were not");
        assert_eq!(blobs.read(&hash).unwrap(), bytes);
    }
    assert!(blobs.import(&bytes).unwrap().was_here);
}

/// What a read calls damaged must get out of the way, or it would pass for here for ever.
#[test]
fn a_damaged_blob_is_set_aside_and_fetched_again_and_a_good_one_stays() {
    let (_dir, home) = new_home();
    let blobs = Blobs::open(&home);
    let bytes = noise(1, 2 * CHUNK_BYTES);
    let hash = blobs.import(&bytes).unwrap().hash;
    assert!(!blobs.set_aside(&hash).unwrap(), "good");
    fs::write(blobs.path(&hash).unwrap(), &bytes[1..]).unwrap();
    assert!(blobs.set_aside(&hash).unwrap());
    assert!(!blobs.has(&hash) && home.path().join("bad").join(store::hex(&hash)).exists());
    assert!(matches!(blobs.set_aside(&hash), Err(BlobError::Missing { .. })));
    let part = blobs.part_begin(&hash, bytes.len() as u64).unwrap();
    part.set_list(&chunk_list_of(&bytes)).unwrap();
    for (i, chunk) in (0..).zip(bytes.chunks(CHUNK_BYTES)) {
        part.write_chunk(i, chunk).unwrap();
    }
    part.finish().unwrap();
    assert_eq!(blobs.read(&hash).unwrap(), bytes);
}

/// Not a test of its own: checks blobs while this process has no file to spare, then with some.
#[test]
fn child_checks_without_files_to_spare() {
    let Some(path) = child_home() else { return };
    let blobs = Blobs::open(&reopen(&path));
    let mut files = Vec::new();
    let report = blobs
        .fsck(&mut |_| {
            files.extend(std::iter::from_fn(|| fs::File::open("/dev/null").ok()));
            true
        })
        .unwrap();
    drop(files);
    let again = blobs.fsck(&mut |_| true).unwrap();
    println!(
        "@{} {} {} {}",
        report.bad.len(),
        report.unreadable.len(),
        again.bad.len(),
        again.unreadable.len()
    );
}

/// An error of the system says nothing about the bytes. Here the process runs out of open files after the first blob:
/// the others are not bad for that.
#[test]
fn a_blob_that_cannot_be_read_is_not_a_bad_one() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    for n in 0..5 {
        Blobs::open(&home).import(&noise(n, 1000)).unwrap();
    }
    drop(home);
    let mut child = Helper::start("child_checks_without_files_to_spare", &path, "ulimit -n 64;");
    assert_eq!(child.line().as_deref(), Some("0 4 0 0"));
    assert_eq!(Blobs::open(&reopen(&path)).list().unwrap().len(), 5);
}
