//! Opening the file: version of the library, settings of each connection, migrations.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::Home;
use crate::db::{OpenError, Recovered};
use crate::files::{self, FILE_MODE};

/// Oldest SQLite accepted: 3.51.3 mends a WAL reset that could corrupt the file.
const SQLITE_MIN: i32 = 3_051_003;
/// `PRAGMA application_id` of our files: "clty".
const APPLICATION_ID: i32 = 0x636c_7479;
/// How long a connection waits for another one's lock.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 8 * 1024;
/// Page cache of one reader, in KiB.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// The index by which an op is known, as the first step makes it.
pub(super) const OPS_BY_HASH: &str = "CREATE UNIQUE INDEX ops_by_hash ON ops(a, hash)";

/// Step `i` leads from schema `i` to `i + 1`. Steps are never changed, only appended.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE albums(
        a     INTEGER PRIMARY KEY AUTOINCREMENT,
        album BLOB NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE ops(
        n     INTEGER PRIMARY KEY AUTOINCREMENT,
        a     INTEGER NOT NULL REFERENCES albums(a),
        hash  BLOB NOT NULL,
        bytes BLOB NOT NULL,
        chk   BLOB NOT NULL
    ) STRICT;
    CREATE INDEX ops_in_order ON ops(a);
    CREATE UNIQUE INDEX ops_by_hash ON ops(a, hash);
    CREATE TABLE kv(
        space TEXT NOT NULL,
        key   BLOB NOT NULL,
        value BLOB NOT NULL,
        chk   BLOB NOT NULL,
        PRIMARY KEY (space, key)
    ) STRICT, WITHOUT ROWID;
"];

/// Opens the writer's connection, creating or migrating the file.
pub(super) fn open_writer(home: &Home) -> Result<(Connection, Recovered), OpenError> {
    accept_library(rusqlite::version_number())?;
    let path = home.database();
    let sqlite = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => OpenError::DiskFull { path: path.clone() },
        Some(ErrorCode::NotADatabase) => OpenError::NotOurs { path: path.clone() },
        _ => OpenError::Sqlite {
            path: path.clone(),
            source,
        },
    };
    let io = |source: io::Error| match files::is_full(&source) {
        true => OpenError::DiskFull { path: path.clone() },
        false => OpenError::Io {
            path: path.clone(),
            source,
        },
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(&path);
    let created = file.and_then(|f| f.metadata()).map_err(io)?.len() == 0;
    let wal_bytes = std::fs::metadata(path.with_extension("db-wal")).map_or(0, |m| m.len());
    let mut db = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(sqlite)?;
    settle(&db, WRITER_CACHE_KIB).map_err(sqlite)?;
    let schema = accept_file(&db, &path, created).map_err(sqlite)??;
    switch_to_wal(&db).map_err(sqlite)?;
    migrate(&mut db, schema).map_err(sqlite)?;
    files::sync_dir(home.path()).map_err(io)?;
    let schema = if created { MIGRATIONS.len() as u32 } else { schema };
    Ok((
        db,
        Recovered {
            created,
            wal_bytes,
            schema,
        },
    ))
}

/// A new file with our schema and nothing in it, without a log. It is written at once or not at all, so a name in
/// `tmp/` is the place for it.
pub(super) fn create(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = Connection::open(path)?;
    settle(&db, WRITER_CACHE_KIB)?;
    migrate(&mut db, 0)?;
    Ok(db)
}

/// Opens a copy of a file that may be damaged anywhere.
pub(super) fn open_damaged(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    settle(&db, WRITER_CACHE_KIB)?;
    Ok(db)
}

/// Opens one more connection, for reading.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    settle(&db, READER_CACHE_KIB)?;
    Ok(db)
}

fn accept_library(found: i32) -> Result<(), OpenError> {
    match found < SQLITE_MIN {
        true => Err(OpenError::OldSqlite {
            found,
            wanted: SQLITE_MIN,
        }),
        false => Ok(()),
    }
}

/// What every connection needs, before anything is read of a file that may be hostile.
fn settle(db: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_WAIT)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -cache_kib)?;
    // These two answer with a row.
    db.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))
        .or_else(no_row_is_fine)?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))
        .or_else(no_row_is_fine)
}

fn no_row_is_fine(e: rusqlite::Error) -> rusqlite::Result<()> {
    match e {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}

/// The file's schema version, if the file is ours or new.
fn accept_file(db: &Connection, path: &Path, created: bool) -> rusqlite::Result<Result<u32, OpenError>> {
    let application: i32 = db.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let found: u32 = db.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let objects: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    // A process that was killed before its first migration leaves an empty database.
    let blank = application == 0 && found == 0 && objects == 0;
    let known = MIGRATIONS.len() as u32;
    Ok(match () {
        () if !created && !blank && application != APPLICATION_ID => {
            Err(OpenError::NotOurs { path: path.into() })
        }
        () if found > known => Err(OpenError::Newer {
            path: path.into(),
            found,
            known,
        }),
        () => Ok(found),
    })
}

fn switch_to_wal(db: &Connection) -> rusqlite::Result<()> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |r| r.get(0))?;
    match mode.eq_ignore_ascii_case("wal") {
        true => Ok(()),
        // A file system without shared memory or locks.
        false => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(format!(
                "journal mode stays {mode}: this file system cannot hold a WAL database"
            )),
        )),
    }
}

/// Runs the missing steps in one transaction: a crash leaves the old schema or the new one.
fn migrate(db: &mut Connection, from: u32) -> rusqlite::Result<()> {
    let missing = &MIGRATIONS[from as usize..];
    if missing.is_empty() {
        return Ok(());
    }
    let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in missing {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    change.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("h"), Duration::ZERO).unwrap();
        (dir, home)
    }

    #[test]
    fn a_library_one_patch_too_old_is_refused() {
        assert!(accept_library(SQLITE_MIN).is_ok());
        let refused = accept_library(SQLITE_MIN - 1).unwrap_err();
        assert_eq!(refused.to_string(), "SQLite 3051002 is older than 3051003");
    }

    #[test]
    fn connections_are_set_as_the_design_says() {
        let (_dir, home) = home();
        let (writer, recovered) = open_writer(&home).unwrap();
        assert_eq!(
            recovered,
            Recovered {
                created: true,
                wal_bytes: 0,
                schema: 1
            }
        );
        for db in [&writer, &open_reader(&home.database()).unwrap()] {
            let is = |name: &str| -> i64 { db.pragma_query_value(None, name, |r| r.get(0)).unwrap() };
            assert_eq!(is("synchronous"), 2, "FULL");
            assert_eq!(is("trusted_schema"), 0);
            assert_eq!(is("foreign_keys"), 1);
            assert_eq!(is("busy_timeout"), 5000);
            assert_eq!(is("wal_autocheckpoint"), 0);
            let mmap: Option<i64> = db.pragma_query_value(None, "mmap_size", |r| r.get(0)).ok();
            assert_eq!(mmap.unwrap_or(0), 0);
            let mode: String = db.pragma_query_value(None, "journal_mode", |r| r.get(0)).unwrap();
            assert_eq!(mode, "wal");
        }
    }

    #[test]
    fn another_programs_or_a_newer_file_is_refused_unchanged() {
        let (_dir, home) = home();
        let foreign = Connection::open(home.database()).unwrap();
        foreign.execute_batch("CREATE TABLE theirs(x)").unwrap();
        drop(foreign);
        let before = std::fs::read(home.database()).unwrap();
        assert!(matches!(open_writer(&home), Err(OpenError::NotOurs { .. })));
        assert_eq!(std::fs::read(home.database()).unwrap(), before);

        std::fs::remove_file(home.database()).unwrap();
        let (db, _) = open_writer(&home).unwrap();
        db.pragma_update(None, "user_version", MIGRATIONS.len() as u32 + 1)
            .unwrap();
        drop(db);
        assert!(matches!(
            open_writer(&home),
            Err(OpenError::Newer {
                found: 2,
                known: 1,
                ..
            })
        ));

        std::fs::write(home.database(), vec![7; 8192]).unwrap();
        assert!(matches!(open_writer(&home), Err(OpenError::NotOurs { .. })));
    }

    #[test]
    fn a_migration_that_fails_halfway_leaves_the_old_schema() {
        let (_dir, home) = home();
        let mut db = Connection::open(home.database()).unwrap();
        // The step's last table is there already, so its last statement fails.
        db.execute_batch("CREATE TABLE kv(x)").unwrap();
        assert!(migrate(&mut db, 0).is_err());
        let tables: Vec<String> = db
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .unwrap()
            .query_map([], |r| r.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(tables, ["kv"]);
        assert_eq!(
            db.pragma_query_value(None, "user_version", |r| r.get::<_, u32>(0))
                .unwrap(),
            0
        );
    }
}
