//! The statements that change rows, and their check columns.

use rusqlite::{Connection, OptionalExtension, params};

use crate::Hash;
use crate::db::schema::OPS_BY_HASH;
use crate::db::{BadValue, Write};

/// Bytes of a check column: the first of a BLAKE3.
pub(super) const CHK_BYTES: usize = 16;
pub(super) type Chk = [u8; CHK_BYTES];

/// Check of an op: over album, hash and bytes, so that a row that moved is found too.
pub(super) fn op_chk(album: &Hash, hash: &[u8], bytes: &[u8]) -> Chk {
    first(blake3::Hasher::new().update(album).update(hash).update(bytes))
}

/// Check of a value: over space, key and value, with the lengths that keep them apart.
pub(super) fn value_chk(space: &str, key: &[u8], value: &[u8]) -> Chk {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&(space.len() as u64).to_le_bytes())
        .update(&(key.len() as u64).to_le_bytes());
    first(hasher.update(space.as_bytes()).update(key).update(value))
}

fn first(hasher: &blake3::Hasher) -> Chk {
    let mut chk = [0; CHK_BYTES];
    chk.copy_from_slice(&hasher.finalize().as_bytes()[..CHK_BYTES]);
    chk
}

/// Does one write inside the caller's transaction.
pub(super) fn apply(db: &Connection, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Op { album, hash, bytes } => insert_op(db, album, hash, bytes),
        Write::Put { space, key, value } => put_value(db, space, key, value),
        Write::Delete { space, key } => delete_value(db, space, key),
        Write::DropAlbum { album } => {
            if let Some(a) = album_number(db, album)? {
                db.prepare_cached("DELETE FROM ops WHERE a = ?1")?.execute([a])?;
                db.prepare_cached("DELETE FROM albums WHERE a = ?1")?
                    .execute([a])?;
            }
            Ok(())
        }
    }
}

fn insert_op(db: &Connection, album: &Hash, hash: &Hash, bytes: &[u8]) -> rusqlite::Result<()> {
    let a = match album_number(db, album)? {
        Some(a) => a,
        None => {
            db.prepare_cached("INSERT INTO albums(album) VALUES (?1)")?
                .execute([album])?;
            db.last_insert_rowid()
        }
    };
    let chk = op_chk(album, hash, bytes);
    let inserted = db
        .prepare_cached(
            "INSERT INTO ops(a, hash, bytes, chk) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![a, hash, bytes, chk])?;
    match inserted {
        0 => heal_op(db, a, album, hash, bytes),
        _ => Ok(()),
    }
}

/// A duplicate is left alone, unless the row that is there is damaged: then this is its good copy.
fn heal_op(db: &Connection, a: i64, album: &Hash, hash: &Hash, bytes: &[u8]) -> rusqlite::Result<()> {
    let n: i64 = db
        .prepare_cached("SELECT n FROM ops WHERE a = ?1 AND hash = ?2")?
        .query_row(params![a, hash], |row| row.get(0))?;
    // The index named the row; what counts is what the row itself says.
    let (stored, good) = db
        .prepare_cached("SELECT hash, bytes, chk FROM ops NOT INDEXED WHERE n = ?1")?
        .query_row([n], |row| {
            let stored = row.get::<_, Hash>(0).ok();
            Ok((stored, op_is_good(album, hash, row, 1)))
        })?;
    let named = stored == Some(*hash);
    if good && named {
        return Ok(());
    }
    // SQLite refuses to change a name that its index does not know; an index made anew knows it.
    if !named {
        db.execute_batch("DROP INDEX ops_by_hash")?;
    }
    db.prepare_cached("UPDATE ops SET hash = ?2, bytes = ?3, chk = ?4 WHERE n = ?1")?
        .execute(params![n, hash, bytes, op_chk(album, hash, bytes)])?;
    if !named {
        db.execute_batch(OPS_BY_HASH)?;
    }
    tracing::warn!(n, "a damaged op was replaced by a good copy");
    Ok(())
}

/// Whether columns `at` (bytes) and `at + 1` (check) of a row belong to this op.
pub(super) fn op_is_good(album: &Hash, hash: &[u8], row: &rusqlite::Row<'_>, at: usize) -> bool {
    match (
        row.get_ref(at).map(|v| v.as_blob()),
        row.get_ref(at + 1).map(|v| v.as_blob()),
    ) {
        (Ok(Ok(bytes)), Ok(Ok(chk))) => op_chk(album, hash, bytes) == *chk,
        _ => false,
    }
}

/// Whether columns `at` (value) and `at + 1` (check) of a row belong to this key.
pub(super) fn value_is_good(space: &str, key: &[u8], row: &rusqlite::Row<'_>, at: usize) -> bool {
    match (
        row.get_ref(at).map(|v| v.as_blob()),
        row.get_ref(at + 1).map(|v| v.as_blob()),
    ) {
        (Ok(Ok(value)), Ok(Ok(chk))) => value_chk(space, key, value) == *chk,
        _ => false,
    }
}

/// An arrival number as SQLite has it; one beyond its range is behind every row.
pub(super) fn to_sql(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// An arrival number from SQLite, which counts from 1.
pub(super) fn from_sql(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// The short number that stands for an album in its rows.
pub(super) fn album_number(db: &Connection, album: &Hash) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT a FROM albums WHERE album = ?1")?
        .query_row([album], |r| r.get(0))
        .optional()
}

/// Sets a value.
pub(super) fn put_value(db: &Connection, space: &str, key: &[u8], value: &[u8]) -> rusqlite::Result<()> {
    let chk = value_chk(space, key, value);
    db.prepare_cached("INSERT OR REPLACE INTO kv(space, key, value, chk) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![space, key, value, chk])?;
    Ok(())
}

fn delete_value(db: &Connection, space: &str, key: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM kv WHERE space = ?1 AND key = ?2")?
        .execute(params![space, key])?;
    Ok(())
}

/// Deletes an op if it is still damaged. Returns whether it did.
pub(super) fn forget_op(db: &Connection, n: u64) -> rusqlite::Result<bool> {
    let n = to_sql(n);
    let bad = db
        .prepare_cached("SELECT hash, bytes, chk, album FROM ops LEFT JOIN albums USING (a) WHERE n = ?1")?
        .query_row([n], |row| {
            Ok(match (row.get_ref(0)?.as_blob(), row.get::<_, Hash>(3)) {
                (Ok(hash), Ok(album)) => !op_is_good(&album, hash, row, 1),
                _ => true,
            })
        })
        .optional()?;
    if bad == Some(true) {
        db.prepare_cached("DELETE FROM ops WHERE n = ?1")?.execute([n])?;
    }
    Ok(bad == Some(true))
}

/// Deletes a value if it is still damaged. Returns whether it did.
pub(super) fn forget_value(db: &Connection, bad: &BadValue) -> rusqlite::Result<bool> {
    let is_bad = db
        .prepare_cached("SELECT value, chk FROM kv WHERE space = ?1 AND key = ?2")?
        .query_row(params![bad.space, bad.key], |row| {
            Ok(!value_is_good(&bad.space, &bad.key, row, 0))
        })
        .optional()?;
    if is_bad == Some(true) {
        delete_value(db, &bad.space, &bad.key)?;
    }
    Ok(is_bad == Some(true))
}
