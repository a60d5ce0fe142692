//! A full disk and a failing one: errors name path and need, nothing half is left, the rest goes on working.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::{Helper, child_home, name, new_home, noise, reopen};
use store::{BlobError, Blobs, CHUNK_BYTES, CommitError, Db, PartError, PrivateError, Write, chunk_list_of};

/// Tests of this file run one after the other. A child that one of them starts has the open files of the others
/// until it becomes its program, and the space of an unlinked file that is open anywhere is not free.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A small file system of its own, gone again at the end.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, with the reason printed, where this process may not mount.
    fn mount(mebibytes: u32) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m,mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "store-test"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => return Some(SmallDisk { dir }),
            Ok(output) => println!("skipped: {}", String::from_utf8_lossy(&output.stderr).trim()),
            Err(e) => println!("skipped: mount: {e}"),
        }
        None
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Takes all that is left, but for some bytes.
    fn fill(&self, but: usize) -> PathBuf {
        let path = self.dir.path().join("filler");
        let mut file = fs::File::create(&path).unwrap();
        let block = vec![1; 64 * 1024];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&block[..512]).is_ok() {}
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(but as u64)).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazy: a failed test may still hold files open.
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

fn put(n: u64, len: usize) -> Vec<Write> {
    vec![Write::Put {
        space: "test",
        key: n.to_be_bytes().into(),
        value: noise(n, len),
    }]
}

/// Commits values of 64 KiB until one does not fit.
fn fill_database(db: &Db, mut n: u64) -> (u64, CommitError) {
    loop {
        match db.commit_wait(put(n, 64 * 1024)) {
            Ok(()) => n += 1,
            Err(e) => return (n, e),
        }
        assert!(n < 10_000, "the disk never fills");
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn blobs_on_a_full_disk() {
    let _alone = alone();
    let Some(disk) = SmallDisk::mount(6) else { return };
    let home = reopen(&disk.home());
    let blobs = Blobs::open(&home);
    let small = noise(1, 100_000);
    let kept = blobs.import(&small).unwrap().hash;
    disk.fill(700_000);

    let large = noise(2, 1_000_000);
    let refused = blobs.import(&large).unwrap_err();
    let place = home.path().join("blobs");
    assert!(
        matches!(&refused, BlobError::DiskFull { path, needed: 1_000_000 } if path.starts_with(&place)),
        "{refused}"
    );
    assert!(refused.to_string().ends_with("needs 1000000 bytes"), "{refused}");
    assert!(is_empty(&home.path().join("tmp")));
    let source = disk.dir.path().join("filler");
    let refused = blobs.import_file(&source).unwrap_err();
    assert!(
        matches!(refused, BlobError::DiskFull { needed, .. } if needed > 1_000_000),
        "{refused}"
    );
    assert!(is_empty(&home.path().join("tmp")));

    // In a group, what fits is stored.
    let group = blobs.import_many(vec![noise(3, 200_000), large.clone(), noise(4, 200_000)]);
    assert!(group[0].is_ok() && group[2].is_ok());
    assert!(matches!(group[1], Err(BlobError::DiskFull { .. })));

    // An export leaves nothing.
    let out = disk.dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("pad"), vec![1; 200_000]).unwrap();
    let refused = blobs.export(&kept, &out.join("x.jpg"), false).unwrap_err();
    assert!(
        matches!(refused, BlobError::DiskFull { needed: 100_000, .. }),
        "{refused}"
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);

    // Reading and removing work, and so does storing once there is room.
    assert_eq!(blobs.read(&kept).unwrap(), small);
    assert!(blobs.remove(&kept).unwrap());
    fs::remove_file(source).unwrap();
    assert!(blobs.import(&large).is_ok());
    assert!(blobs.fsck(&mut |_| true).unwrap().bad.is_empty());
}

#[test]
fn a_download_on_a_full_disk_goes_on_later() {
    let _alone = alone();
    let Some(disk) = SmallDisk::mount(4) else { return };
    let home = reopen(&disk.home());
    let blobs = Blobs::open(&home);
    let bytes = noise(1, 4 * CHUNK_BYTES);
    let part = blobs
        .part_begin(blake3::hash(&bytes).as_bytes(), bytes.len() as u64)
        .unwrap();
    part.set_list(&chunk_list_of(&bytes)).unwrap();
    let filler = disk.fill(2 * CHUNK_BYTES + 8192);
    let mut chunks = (0..).zip(bytes.chunks(CHUNK_BYTES));
    let refused = chunks
        .by_ref()
        .find_map(|(i, chunk)| part.write_chunk(i, chunk).err())
        .unwrap();
    let left = 2 * CHUNK_BYTES as u64;
    assert!(
        matches!(refused, PartError::DiskFull { needed, .. } if needed == left),
        "{refused}"
    );
    assert!(part.missing().into_iter().flatten().eq(2..4));
    fs::remove_file(filler).unwrap();
    for index in 2..4 {
        part.write_chunk(index, bytes.chunks(CHUNK_BYTES).nth(index as usize).unwrap())
            .unwrap();
    }
    let blob = part.finish().unwrap();
    assert_eq!(blobs.read(&blob.hash).unwrap(), bytes);
}

#[test]
fn the_database_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let _alone = alone();
    let Some(disk) = SmallDisk::mount(8) else { return };
    let home = reopen(&disk.home());
    home.write_private("device.key", b"old").unwrap();
    let db = Db::open(&home).unwrap().0;
    let filler = disk.fill(3_000_000);
    let (stored, refused) = fill_database(&db, 0);
    assert!(stored > 5, "{stored}");
    let path = home.path().join("calotype.db");
    assert_eq!(
        refused,
        CommitError::DiskFull {
            path: path.clone(),
            needed: 64 * 1024 + 8
        }
    );
    assert!(refused.to_string().contains(path.to_str().unwrap()));
    // What is refused is not there, what was acknowledged is, and it can be read.
    assert_eq!(db.scan("test", b"").unwrap().len() as u64, stored);
    assert_eq!(db.get("test", &stored.to_be_bytes()).unwrap(), None);
    let key = noise(1, 64 * 1024);
    assert!(matches!(
        home.write_private("device.key", &key),
        Err(PrivateError::DiskFull { needed: 65_536, .. })
    ));
    assert_eq!(home.read_private("device.key").unwrap(), Some(b"old".into()));
    // Not sticky.
    fs::remove_file(filler).unwrap();
    db.commit_wait(put(stored, 64 * 1024)).unwrap();
    drop(db);
    let db = Db::open(&home).unwrap().0;
    assert!(db.verify().unwrap().is_clean());
    assert_eq!(db.scan("test", b"").unwrap().len() as u64, stored + 1);
}

#[test]
fn leaving_and_deleting_work_on_a_full_disk() {
    let _alone = alone();
    let Some(disk) = SmallDisk::mount(32) else { return };
    let home = reopen(&disk.home());
    let db = Db::open(&home).unwrap().0;
    let ballast = home.path().join("ballast");
    assert!(ballast.exists());
    let op = |n: u64| Write::Op {
        album: name(n % 2),
        hash: name(n),
        bytes: noise(n, 3000),
    };
    db.commit_wait((0..200).map(op).collect()).unwrap();
    let filler = disk.fill(0);
    let (_, refused) = fill_database(&db, 0);
    assert!(matches!(refused, CommitError::DiskFull { .. }), "{refused}");
    // Small changes find room left in the log; fill that too.
    let mut n = 1_000_000;
    while db.commit_wait(put(n, 1)).is_ok() {
        n += 1;
        assert!(n < 1_010_000, "the disk never fills");
    }
    assert!(ballast.exists(), "an ordinary change does not take the reserve");
    let (tell, told) = std::sync::mpsc::channel();
    db.commit_urgent(
        vec![op(1_000)],
        Box::new(move |outcome| tell.send(outcome).unwrap()),
    );
    told.recv().unwrap().unwrap();
    db.commit_wait(vec![Write::DropAlbum { album: name(1) }]).unwrap();
    assert_eq!(db.albums().unwrap(), [name(0)]);
    assert!(!ballast.exists());
    drop(db);
    // Opening works on the full disk, and the reserve is there again once there is room.
    let db = Db::open(&home).unwrap().0;
    assert_eq!(db.op_count(&name(0)).unwrap(), 101);
    fs::remove_file(filler).unwrap();
    drop(db);
    let db = Db::open(&home).unwrap().0;
    assert!(ballast.exists() && db.verify().unwrap().is_clean());
}

#[test]
fn a_batch_that_does_not_fit_takes_those_behind_it_along() {
    let _alone = alone();
    let Some(disk) = SmallDisk::mount(8) else { return };
    let home = reopen(&disk.home());
    let db = Arc::new(Db::open(&home).unwrap().0);
    disk.fill(2_000_000);
    // Held back by the first callback, the others become one group.
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    db.commit(
        put(0, 1),
        Box::new(move |_| gone.recv().unwrap_err().to_string().clear()),
    );
    let large = (0..8).flat_map(|n| put(100 + n, 1024 * 1024)).collect();
    for (n, batch) in [(1, put(1, 10)), (2, large), (3, put(3, 10))] {
        let (tell, again) = (tell.clone(), Arc::downgrade(&db));
        let done = move |outcome: Result<(), CommitError>| {
            tell.send((n, outcome.is_ok())).unwrap();
            if n == 2 {
                // Handed in after the failure was told, so not concerned by it.
                let done = move |outcome: Result<(), _>| tell.send((4, outcome.is_ok())).unwrap();
                again.upgrade().unwrap().commit(put(4, 10), Box::new(done));
            }
        };
        db.commit(batch, Box::new(done));
    }
    drop(go);
    assert!(
        told.iter()
            .take(4)
            .eq([(1, true), (2, false), (3, false), (4, true)])
    );
    let there: Vec<_> = db
        .scan("test", b"")
        .unwrap()
        .into_iter()
        .map(|(key, _)| key[7])
        .collect();
    assert_eq!(there, [0, 1, 4]);
}

fn ops_of(album: u64, n: u64) -> Vec<Write> {
    vec![Write::Op {
        album: name(album),
        hash: name(n),
        bytes: noise(n, 200_000),
    }]
}

fn hashes(db: &Db, album: u64) -> Vec<store::Hash> {
    let mut hashes = Vec::new();
    db.ops(&name(album), 0, &mut |_, hash, _| hashes.push(hash))
        .unwrap();
    hashes
}

/// An op stands on those before it. Its author hands the second one in before it hears that the first was lost, and
/// just then there is room again: acknowledged, it would wait for a past that nobody has. So it is refused, and so
/// is everything of the album until the author has read again what is there.
#[test]
fn an_op_behind_a_lost_one_is_refused_until_its_album_is_read_again() {
    let (_dir, home) = new_home();
    let db = Db::open(&home).unwrap().0;
    let full = |outcome| matches!(outcome, Err(CommitError::DiskFull { .. }));
    for album in [1, 2, 3] {
        db.commit_wait(ops_of(album, album)).unwrap();
    }
    db.limit_pages(1).unwrap();
    assert!(full(db.commit_wait(ops_of(1, 11))));
    db.limit_pages(u32::MAX).unwrap();
    // Room again, and nobody has heard of the failure yet.
    assert!(full(db.commit_wait(ops_of(1, 12))));
    assert!(
        full(db.commit_wait([ops_of(2, 21), ops_of(1, 13)].concat())),
        "all or nothing, whichever album is behind"
    );
    assert!(
        full(db.commit_wait(ops_of(2, 22))),
        "what was refused is lost for its other album too"
    );
    db.commit_wait(put(1, 10)).unwrap();
    db.commit_wait(ops_of(3, 31)).unwrap();
    assert_eq!(hashes(&db, 1), [name(1)]);
    assert!(
        full(db.commit_wait(ops_of(1, 14))),
        "reading alone may be anybody's"
    );
    db.readmit(&name(1));
    db.commit_wait(ops_of(1, 15)).unwrap();
    assert_eq!(hashes(&db, 1), [name(1), name(15)]);
    // What comes after a drop stands on nothing.
    db.commit_wait(vec![Write::DropAlbum { album: name(2) }]).unwrap();
    db.commit_wait(ops_of(2, 23)).unwrap();
    assert_eq!(hashes(&db, 2), [name(23)]);
    assert_eq!(hashes(&db, 3), [name(3), name(31)]);
}

/// The same for one beyond a limit, which is a lost op like any other, and for those that waited in the queue.
#[test]
fn whatever_loses_an_op_its_album_is_refused() {
    let (_dir, home) = new_home();
    let db = Arc::new(Db::open(&home).unwrap().0);
    let large = vec![Write::Op {
        album: name(1),
        hash: name(9),
        bytes: vec![0; store::OP_BYTES_MAX + 1],
    }];
    assert!(matches!(db.commit_wait(large), Err(CommitError::TooLarge { .. })));
    assert!(matches!(
        db.commit_wait(ops_of(1, 10)),
        Err(CommitError::DiskFull { .. })
    ));
    db.readmit(&name(1));
    db.limit_pages(1).unwrap();
    // Held back by the first callback, the others wait in the queue when the first of them fails.
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    db.commit(Vec::new(), Box::new(move |_| assert!(gone.recv().is_err())));
    for n in [1, 2] {
        let tell = tell.clone();
        let done = move |outcome: Result<(), CommitError>| tell.send((n, outcome.is_ok())).unwrap();
        db.commit(ops_of(n, n), Box::new(done));
    }
    drop(go);
    assert!(told.iter().take(2).eq([(1, false), (2, false)]));
    db.limit_pages(u32::MAX).unwrap();
    for album in [1, 2] {
        assert!(
            db.commit_wait(ops_of(album, 30)).is_err(),
            "album {album} lost one"
        );
        db.readmit(&name(album));
        db.commit_wait(ops_of(album, 31)).unwrap();
    }
}

/// Not a test of its own: writes where files may not grow beyond a limit, which is no full disk.
#[test]
fn child_writes_until_writing_fails() {
    let Some(path) = child_home() else { return };
    let home = reopen(&path);
    let db = Db::open(&home).unwrap().0;
    let (stored, first) = fill_database(&db, 0);
    let again = db.commit_wait(put(1_000_000, 1)).unwrap_err();
    let sticky = matches!(first, CommitError::Stopped { .. }) && first == again;
    let readable = db.scan("test", b"").unwrap().len() as u64 == stored;
    println!("@{stored} {sticky} {readable}");
}

#[test]
fn after_a_failed_write_nothing_is_written_any_more() {
    let _alone = alone();
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    let mut child = Helper::start(
        "child_writes_until_writing_fails",
        &path,
        "trap '' XFSZ; ulimit -f 2000;",
    );
    let said = child.line().expect("the child reports");
    assert!(child.child.wait().unwrap().success());
    let [stored, sticky, readable] = said.split(' ').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((sticky, readable), ("true", "true"));
    let home = reopen(&path);
    let db = Db::open(&home).unwrap().0;
    let there = db.scan("test", b"").unwrap().len() as u64;
    assert!(
        there >= stored.parse().unwrap() && there > 3,
        "{there} of {stored}"
    );
    assert!(db.verify().unwrap().is_clean());
}
