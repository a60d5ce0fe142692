//! Power cuts: the log's unsynced tail is cut or zeroed at any 512-byte step; what was acknowledged is there.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{name, new_home, noise, reopen};
use store::{Blobs, Db, Write};

/// Images of the disk that are tried; the nightly run asks for more.
fn images() -> u64 {
    std::env::var("STORE_CUTS").map_or(48, |n| n.parse().unwrap())
}

/// A disk's sector, in bytes: what a power cut leaves whole.
const SECTOR_BYTES: usize = 512;
/// Ops in one batch.
const OPS_A_BATCH: u64 = 3;
/// Bytes of the disk that is copied at each acknowledgement, and how often.
const DISK_BYTES: u64 = 24 * 1024 * 1024;
const POWER_CUTS: u64 = 6;
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

/// Batches after which the database is closed and opened again, which copies the log in and begins a new one.
const BATCHES_A_LOG: u64 = 10;

/// Database and log as files are when a batch is acknowledged: all of it is taken to be on the disk.
struct Acknowledged {
    db: Vec<u8>,
    wal: Vec<u8>,
}

fn write_batches(home: &store::Home) -> Vec<Acknowledged> {
    let path = home.path().join("calotype.db");
    let mut all = Vec::new();
    for log in 0..BATCHES / BATCHES_A_LOG {
        let db = Db::open(home).unwrap().0;
        for batch in log * BATCHES_A_LOG..(log + 1) * BATCHES_A_LOG {
            db.commit_wait(batch_of(batch)).unwrap();
            all.push(Acknowledged {
                db: fs::read(&path).unwrap(),
                wal: fs::read(path.with_extension("db-wal")).unwrap(),
            });
        }
    }
    all
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

/// The power goes between two acknowledgements: of what the second one's batch wrote to the log, a part is on the disk,
/// cut off or followed by zeros. The first batches are there up to the first acknowledgement, whole ones only.
#[test]
fn a_log_torn_behind_the_last_acknowledgement_opens() {
    let (dir, home) = new_home();
    let acknowledged = write_batches(&home);
    let (mut torn_inside, mut whole) = (0, 0);
    for seed in 0..images() {
        let last = random(seed, BATCHES as usize - 1);
        let (before, after) = (&acknowledged[last], &acknowledged[last + 1]);
        // A new log has nothing of the old one.
        let safe = match after.wal.starts_with(&before.wal) {
            true => before.wal.len(),
            false => 0,
        };
        let steps = (after.wal.len() - safe) / SECTOR_BYTES;
        let cut = (safe + random(seed + 1000, steps + 1) * SECTOR_BYTES).min(after.wal.len());
        let mut torn = after.wal.clone();
        match seed % 2 {
            0 => torn.truncate(cut),
            _ => torn[cut..].fill(0),
        }
        let image = dir.path().join(format!("image{seed}"));
        drop(reopen(&image));
        fs::write(image.join("calotype.db"), &after.db).unwrap();
        fs::write(image.join("calotype.db-wal"), torn).unwrap();
        let found = batches_in(&image);
        let is_whole = cut == after.wal.len();
        assert_eq!(
            found,
            last as u64 + 1 + u64::from(is_whole),
            "seed {seed}, cut at {cut} of {safe} to {}",
            after.wal.len()
        );
        torn_inside += u64::from(cut > safe && !is_whole);
        whole += u64::from(is_whole);
        fs::remove_dir_all(&image).unwrap();
    }
    assert!(
        torn_inside > images() / 2,
        "{torn_inside} images were cut within a batch"
    );
    println!(
        "{} images, {torn_inside} cut within a batch, {whole} whole",
        images()
    );
}

/// A file system of its own whose disk is a file: what is in that file is on the disk, and nothing else is.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn file(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// `None`, with the reason printed, where this process may not mount.
    fn mount(&self) -> Option<Mounted> {
        let at = tempfile::tempdir_in(self.dir.path()).unwrap();
        let disk = self.file();
        run("mount", &["-o", "loop", disk.to_str()?, at.path().to_str()?]).then_some(Mounted { at: Some(at) })
    }
}

struct Mounted {
    at: Option<tempfile::TempDir>,
}

impl Mounted {
    fn home(&self) -> PathBuf {
        self.at.as_ref().unwrap().path().join("home")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let at = self.at.take().unwrap();
        run("umount", &["-l", at.path().to_str().unwrap()]);
    }
}

fn run(program: &str, args: &[&str]) -> bool {
    let output = match Command::new(program).args(args).output() {
        Ok(output) => output,
        Err(e) => {
            println!("skipped: {program}: {e}");
            return false;
        }
    };
    if !output.status.success() {
        println!(
            "skipped: {program}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    output.status.success()
}

/// The power goes right after an acknowledgement: the disk is copied at that moment, below the kernel's cache. A batch
/// or an image that was acknowledged before it was synced is not in the copy.
#[test]
fn what_is_acknowledged_is_on_the_disk_itself() {
    let disk = Disk {
        dir: tempfile::tempdir().unwrap(),
    };
    fs::File::create(disk.file())
        .unwrap()
        .set_len(DISK_BYTES)
        .unwrap();
    if !run(
        "mke2fs",
        &["-q", "-F", "-t", "ext4", disk.file().to_str().unwrap()],
    ) {
        return;
    }
    let Some(mounted) = disk.mount() else { return };
    let image = |batch: u64| noise(batch + 1_000_000, 5000);
    let mut copies = Vec::new();
    {
        let home = reopen(&mounted.home());
        let (db, blobs) = (Db::open(&home).unwrap().0, Blobs::open(&home));
        for batch in 0..POWER_CUTS {
            blobs.import(&image(batch)).unwrap();
            db.commit_wait(batch_of(batch)).unwrap();
            let copy = Disk {
                dir: tempfile::tempdir().unwrap(),
            };
            fs::copy(disk.file(), copy.file()).unwrap();
            copies.push(copy);
        }
    }
    for (batch, copy) in (0..).zip(copies) {
        let mounted = copy.mount().expect("the first one could be mounted");
        let found = batches_in(&mounted.home());
        assert!(
            found > batch,
            "batch {batch} was acknowledged, {found} are on the disk"
        );
        let blobs = Blobs::open(&reopen(&mounted.home()));
        for batch in 0..=batch {
            let hash = *blake3::hash(&image(batch)).as_bytes();
            assert_eq!(blobs.read(&hash).unwrap(), image(batch), "image {batch}");
        }
    }
}
