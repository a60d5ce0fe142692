//! A damaged database made new: what is still good is carried over, the old file is set aside.
//!
//! SQLite can lose its way at any page. So nothing is mended in place: every row that any of the trees still names is
//! looked at by itself, its check column says whether it is good, and the good ones go into a new file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rusqlite::{Connection, Row};

use crate::db::rows::{self, op_is_good, value_is_good};
use crate::db::{BadValue, OpenError, Rebuilt, Write, schema};
use crate::files::{self, remove_if_there, sync_dir};
use crate::{Hash, Home};

/// Bytes of SQLite's page, and where its first one says how many pages the file has.
const PAGE_BYTES: usize = 4096;
const FILE_PAGES_AT: std::ops::Range<usize> = 28..32;
/// Space whose keys are the ids of albums that somebody entered.
const ENTERED: &str = "entered";

/// What could be read.
#[derive(Default)]
struct Good {
    /// By arrival number: album, hash, bytes.
    ops: BTreeMap<i64, (Hash, Hash, Vec<u8>)>,
    values: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    lost_ops: BTreeSet<i64>,
    lost_values: BTreeSet<(String, Vec<u8>)>,
}

/// [`crate::Db::rebuild`].
pub(super) fn rebuild(home: &Home) -> Result<Rebuilt, OpenError> {
    let path = home.database();
    let work = home.tmp();
    let io = |source: io::Error| match files::is_full(&source) {
        true => OpenError::DiskFull { path: path.clone() },
        false => OpenError::Io {
            path: path.clone(),
            source,
        },
    };
    let sqlite = |source| OpenError::Sqlite {
        path: path.clone(),
        source,
    };
    let (copy, new) = (work.join("damaged.db"), work.join("new.db"));
    for old in [&copy, &new] {
        clear(old).map_err(io)?;
    }
    let good = salvage(&path, &copy, &new).map_err(io)?;
    clear(&copy).map_err(io)?;
    clear(&new).map_err(io)?;
    write(&new, &good).map_err(sqlite)?;
    set_aside(home, &path).map_err(io)?;
    // The log is gone and the old file is not, should the process end here: both are in `bad/` too.
    fs::rename(&new, &path)
        .and_then(|()| sync_dir(home.path()))
        .map_err(io)?;
    let lost_values = good.lost_values.into_iter();
    Ok(Rebuilt {
        ops: good.ops.len() as u64,
        lost_ops: good.lost_ops.len() as u64,
        values: good.values.len() as u64,
        lost_values: lost_values.map(|(space, key)| BadValue { space, key }).collect(),
    })
}

/// Reads all that is good from a copy of the file and its log. Where even the first page is no page of ours, it is
/// replaced by that of a new file: it is the same in every home, but for the file's length.
fn salvage(path: &Path, copy: &Path, new: &Path) -> io::Result<Good> {
    copy_with_log(path, copy)?;
    let mut good = schema::open_damaged(copy).map_or_else(|_| Good::default(), |db| read(&db));
    if good.ops.is_empty() && good.values.is_empty() && fs::metadata(copy)?.len() > PAGE_BYTES as u64 {
        clear(copy)?;
        copy_with_log(path, copy)?;
        let _ = remove_if_there(&copy.with_extension("db-wal"));
        drop(schema::create(new).map_err(io::Error::other)?);
        let mut first = vec![0; PAGE_BYTES];
        File::open(new)?.read_exact(&mut first)?;
        let pages = fs::metadata(copy)?.len() / PAGE_BYTES as u64;
        first[FILE_PAGES_AT].copy_from_slice(&u32::try_from(pages).unwrap_or(u32::MAX).to_be_bytes());
        fs::OpenOptions::new().write(true).open(copy)?.write_all(&first)?;
        if let Ok(db) = schema::open_damaged(copy) {
            good = read(&db);
        }
    }
    Ok(good)
}

/// A file and its log, which SQLite applies to the copy when it is opened.
fn copy_with_log(path: &Path, copy: &Path) -> io::Result<()> {
    let log = |path: &Path| path.with_extension("db-wal");
    fs::copy(path, copy)?;
    match fs::copy(log(path), log(copy)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn clear(path: &Path) -> io::Result<()> {
    for ending in ["db", "db-wal", "db-shm", "db-journal"] {
        remove_if_there(&path.with_extension(ending))?;
    }
    Ok(())
}

/// Every row of a query as far as it can be read; what SQLite cannot read ends it.
fn each(db: &Connection, query: &str, row: &mut dyn FnMut(&Row<'_>)) {
    let Ok(mut statement) = db.prepare(query) else {
        return;
    };
    let Ok(mut rows) = statement.query([]) else { return };
    while let Ok(Some(found)) = rows.next() {
        row(found);
    }
}

fn read(db: &Connection) -> Good {
    let mut good = Good::default();
    for order in ["ASC", "DESC"] {
        let query = format!("SELECT space, key, value, chk FROM kv ORDER BY space {order}, key {order}");
        each(db, &query, &mut |row| {
            let (Ok(space), Ok(key)) = (row.get::<_, String>(0), row.get::<_, Vec<u8>>(1)) else {
                return;
            };
            match (value_is_good(&space, &key, row, 2), row.get(2)) {
                (true, Ok(value)) => drop(good.values.insert((space, key), value)),
                _ => drop(good.lost_values.insert((space, key))),
            }
        });
    }
    // An op's check says to which album it belongs, so an id is good if it is one that anything still names.
    let mut albums: BTreeSet<Hash> = BTreeSet::new();
    for query in [
        "SELECT album FROM albums NOT INDEXED",
        "SELECT album FROM albums ORDER BY album",
    ] {
        each(db, query, &mut |row| albums.extend(row.get::<_, Hash>(0).ok()));
    }
    let entered = good.values.keys().filter(|(space, _)| space == ENTERED);
    albums.extend(entered.filter_map(|(_, key)| Hash::try_from(&key[..]).ok()));
    // Three trees name the rows, each from both its ends.
    let mut numbers: BTreeSet<i64> = BTreeSet::new();
    for (tree, order) in [
        ("NOT INDEXED", "n"),
        ("INDEXED BY ops_in_order", "a"),
        ("INDEXED BY ops_by_hash", "a"),
    ] {
        for way in ["ASC", "DESC"] {
            let query = format!("SELECT n FROM ops {tree} ORDER BY {order} {way}");
            each(db, &query, &mut |row| numbers.extend(row.get::<_, i64>(0).ok()));
        }
    }
    let mut seen = BTreeSet::new();
    for n in numbers {
        let query = format!("SELECT hash, bytes, chk FROM ops NOT INDEXED WHERE n = {n}");
        let mut op = None;
        each(db, &query, &mut |row| {
            let Ok(hash) = row.get::<_, Hash>(0) else { return };
            let album = albums.iter().find(|album| op_is_good(album, &hash, row, 1));
            op = album.and_then(|album| Some((*album, hash, row.get(1).ok()?)));
        });
        match op {
            Some(op) if !seen.insert((op.0, op.1)) => {}
            Some(op) => drop(good.ops.insert(n, op)),
            None => drop(good.lost_ops.insert(n)),
        }
    }
    good
}

/// One transaction, synced when this returns.
fn write(path: &Path, good: &Good) -> rusqlite::Result<()> {
    let mut db = schema::create(path)?;
    let change = db.transaction()?;
    for (album, hash, bytes) in good.ops.values() {
        let (album, hash, bytes) = (*album, *hash, bytes.clone());
        rows::apply(&change, &Write::Op { album, hash, bytes })?;
    }
    for ((space, key), value) in &good.values {
        rows::put_value(&change, space, key, value)?;
    }
    change.commit()?;
    db.close().map_err(|(_, e)| e)
}

/// Leaves the old file and its log in `bad/`, where the next rebuild replaces them.
fn set_aside(home: &Home, path: &Path) -> io::Result<()> {
    let bad = home.path().join("bad");
    for file in [path.to_path_buf(), path.with_extension("db-wal")] {
        let to = bad.join(file.file_name().unwrap_or_default());
        remove_if_there(&to)?;
        match fs::hard_link(&file, &to) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(_) => drop(fs::copy(&file, &to)?),
            Ok(()) => {}
        }
    }
    sync_dir(&bad)?;
    for ending in ["db-wal", "db-shm"] {
        remove_if_there(&path.with_extension(ending))?;
    }
    sync_dir(home.path())
}
