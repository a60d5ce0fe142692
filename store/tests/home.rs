//! The home: private, locked, refused where it must be, and private files in it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use common::{Helper, LOCK_WAIT, child_home, new_home, reopen};
use store::{Blobs, Db, Home, HomeError, PRIVATE_BYTES_MAX, PrivateError, Write};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries
        .into_iter()
        .flat_map(|p| {
            if p.is_dir() {
                [vec![p.clone()], files_below(&p)].concat()
            } else {
                vec![p]
            }
        })
        .collect()
}

#[test]
fn everything_in_a_home_is_private() {
    let (_dir, home) = new_home();
    let (db, _) = Db::open(&home).unwrap();
    db.commit_wait(vec![Write::Put {
        space: "s",
        key: b"k".into(),
        value: b"v".into(),
    }])
    .unwrap();
    let blobs = Blobs::open(&home);
    blobs.import(b"image").unwrap();
    let part = blobs
        .part_begin(blake3::hash(&[7; 600_000]).as_bytes(), 600_000)
        .unwrap();
    part.set_list(&store::chunk_list_of(&[7; 600_000])).unwrap();
    home.write_private("device.key", b"secret").unwrap();
    assert_eq!(mode(home.path()), 0o700);
    let all = files_below(home.path());
    for wanted in ["lock", "calotype.db", "calotype.db-wal", "device.key"] {
        assert!(all.contains(&home.path().join(wanted)), "{wanted} of {all:?}");
    }
    assert!(all.len() > 12, "{all:?}");
    for path in all {
        assert_eq!(
            mode(&path),
            if path.is_dir() { 0o700 } else { 0o600 },
            "{}",
            path.display()
        );
    }
}

#[test]
fn an_open_home_of_ours_becomes_private() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(mode(reopen(&path).path()), 0o700);
}

#[test]
fn a_folder_with_other_files_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.path().join("photo.jpg"), b"mine").unwrap();
    let refused = Home::open(dir.path(), Duration::ZERO).unwrap_err();
    assert!(matches!(refused, HomeError::NotAHome { .. }), "{refused}");
    assert_eq!(mode(dir.path()), 0o755);
    assert_eq!(files_below(dir.path()).len(), 1);
    // An empty one, or one where only the embedded central has settled, is taken.
    fs::remove_file(dir.path().join("photo.jpg")).unwrap();
    fs::create_dir(dir.path().join("central")).unwrap();
    assert_eq!(mode(reopen(dir.path()).path()), 0o700);
}

#[test]
fn a_file_in_the_homes_place_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("home");
    fs::write(&path, b"").unwrap();
    assert!(matches!(
        Home::open(&path, Duration::ZERO),
        Err(HomeError::Io { .. })
    ));
}

#[test]
fn a_home_of_another_user_is_refused() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    if std::os::unix::fs::chown(&path, Some(12345), None).is_err() {
        println!("skipped: only root can give a folder away");
        return;
    }
    let refused = Home::open(&path, Duration::ZERO).unwrap_err();
    assert!(
        matches!(refused, HomeError::NotOurs { uid: 12345, .. }),
        "{refused}"
    );
}

#[test]
fn an_empty_or_missing_database_beside_a_log_is_refused() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    let (db, wal) = (path.join("calotype.db"), path.join("calotype.db-wal"));
    fs::write(&wal, b"frames").unwrap();
    for missing in [true, false] {
        if !missing {
            fs::write(&db, b"").unwrap();
        }
        let refused = Home::open(&path, LOCK_WAIT).unwrap_err();
        assert!(matches!(refused, HomeError::EmptyDatabase { .. }), "{refused}");
        assert_eq!(fs::read(&wal).unwrap(), b"frames");
    }
    fs::write(&wal, b"").unwrap();
    let home = reopen(&path);
    assert!(Db::open(&home).is_ok(), "an empty log holds nothing to lose");
}

/// Not a test of its own: the process that holds a home for the next one.
#[test]
fn child_holds_the_home() {
    let Some(path) = child_home() else { return };
    let _home = reopen(&path);
    println!("@held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_second_process_is_told_who_has_the_home() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    let mut first = Helper::start("child_holds_the_home", &path, "");
    assert_eq!(first.line().as_deref(), Some("held"));
    let refused = Home::open(&path, Duration::from_millis(30)).unwrap_err();
    assert!(
        matches!(refused, HomeError::Busy { pid: Some(pid), .. } if pid == first.child.id()),
        "{refused}"
    );
    assert!(refused.to_string().contains(&first.child.id().to_string()));
    first.kill();
    let again = reopen(&path);
    // One process cannot open it twice either.
    let refused = Home::open(&path, Duration::ZERO).unwrap_err();
    assert!(
        matches!(refused, HomeError::Busy { pid: Some(pid), .. } if pid == std::process::id()),
        "{refused}"
    );
    drop(again);
    reopen(&path);
}

#[test]
fn waiting_gets_a_home_whose_owner_is_just_ending() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    let (tell, told) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        tell.send(()).unwrap();
        reopen(&path).id()
    });
    told.recv().unwrap();
    let id = home.id();
    drop(home);
    assert_eq!(waiter.join().unwrap(), id);
}

#[test]
fn the_lock_is_held_as_long_as_anything_of_the_home_lives() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    let busy = || matches!(Home::open(&path, Duration::ZERO), Err(HomeError::Busy { .. }));
    let blobs = Blobs::open(&home);
    let (db, _) = Db::open(&home).unwrap();
    let part = blobs.part_begin(&common::name(1), 5).unwrap();
    drop(home);
    assert!(busy());
    drop(db);
    assert!(busy());
    drop(blobs);
    assert!(busy());
    drop(part);
    // A child that another test is just starting may hold the lock until it has become its program.
    reopen(&path);
}

#[test]
fn stale_temporary_files_go_at_the_next_open() {
    let (_dir, home) = new_home();
    let path = home.path().to_path_buf();
    drop(home);
    fs::write(path.join("tmp/half"), b"x").unwrap();
    fs::create_dir_all(path.join("tmp/dir/deeper")).unwrap();
    reopen(&path);
    assert_eq!(fs::read_dir(path.join("tmp")).unwrap().count(), 0);
}

#[test]
fn ids_tell_homes_apart_and_do_not_change() {
    let (dir, home) = new_home();
    let (_other_dir, other) = new_home();
    assert_ne!(home.id(), other.id());
    let id = home.id();
    let path = home.path().to_path_buf();
    drop(home);
    std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
    assert_eq!(
        reopen(&dir.path().join("link")).id(),
        id,
        "a link names the same home"
    );
}

#[test]
fn private_files_are_read_as_written() {
    let (_dir, home) = new_home();
    assert_eq!(home.read_private("device.key").unwrap(), None);
    for content in [&b"first"[..], b"", &[7; PRIVATE_BYTES_MAX]] {
        home.write_private("device.key", content).unwrap();
        assert_eq!(home.read_private("device.key").unwrap().as_deref(), Some(content));
    }
    let long = vec![0; PRIVATE_BYTES_MAX + 1];
    assert!(matches!(
        home.write_private("device.key", &long),
        Err(PrivateError::TooLarge { .. })
    ));
    assert_eq!(
        home.read_private("device.key").unwrap().unwrap().len(),
        PRIVATE_BYTES_MAX,
        "the old one stays"
    );
    let path = home.path().join("device.key");
    fs::write(&path, &long).unwrap();
    assert!(matches!(
        home.read_private("device.key"),
        Err(PrivateError::TooLarge { .. })
    ));
    fs::write(&path, b"copied").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    home.read_private("device.key").unwrap();
    assert_eq!(mode(&path), 0o600, "one that others could read is closed to them");
    assert!(home.remove_private("device.key").unwrap());
    assert!(!home.remove_private("device.key").unwrap());
}

#[test]
fn names_of_private_files_stay_in_the_home() {
    let (_dir, home) = new_home();
    let long = "a".repeat(65);
    for wrong in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        ".hidden",
        "Key",
        "a\0",
        "lock",
        "calotype.db",
        "tmp",
        &long,
    ] {
        assert!(
            matches!(home.write_private(wrong, b"x"), Err(PrivateError::Name { .. })),
            "{wrong:?}"
        );
        assert!(
            matches!(home.read_private(wrong), Err(PrivateError::Name { .. })),
            "{wrong:?}"
        );
    }
    home.write_private(&long[..64], b"x").unwrap();
}

/// Checkpoints: put in place of the one before, read back, and thrown away with their album. One too long is not read, and
/// none is no error.
#[test]
fn checkpoints_come_and_go() {
    let (_dir, home) = new_home();
    let (one, other) = ([1; 32], [2; 32]);
    assert_eq!(home.checkpoint(&one), None);
    home.keep_checkpoint(&one, b"old").unwrap();
    home.keep_checkpoint(&one, b"new").unwrap();
    home.keep_checkpoint(&other, b"other").unwrap();
    assert_eq!(home.checkpoint(&one).as_deref(), Some(&b"new"[..]));
    home.keep_checkpoints_of(&[other]).unwrap();
    assert_eq!(
        (home.checkpoint(&one), home.checkpoint(&other)),
        (None, Some(b"other".to_vec()))
    );
    assert_eq!(std::fs::read_dir(home.path().join("tmp")).unwrap().count(), 0);
    // A sparse file: at the limit it would be read, one byte past it it is not.
    let file = std::fs::File::create(home.path().join("checkpoints").join(store::hex(&one))).unwrap();
    file.set_len(store::CHECKPOINT_BYTES_MAX + 1).unwrap();
    assert_eq!(home.checkpoint(&one), None);
}
