//! Reading: connections of its own, rows checked before anybody sees them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use crate::Hash;
use crate::db::rows::{album_number, from_sql, op_is_good, to_sql, value_chk};
use crate::db::{BadOp, BadValue, KeyValue, Loaded, ReadError, VerifyReport, schema};

/// Connections kept for the next reader.
const IDLE_MAX: usize = 4;
/// Ops read under one snapshot: a slow caller must not keep the log from being emptied.
const SLICE_OPS: u32 = 1024;
/// Lines of `PRAGMA integrity_check` that a report keeps.
const PROBLEMS_MAX: usize = 100;

/// The reading connections of a database.
pub(super) struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    pub fn new(path: PathBuf) -> Reader {
        Reader {
            path,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes what is idle.
    pub fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let run = || {
            let db = idle.map_or_else(|| schema::open_reader(&self.path), Ok)?;
            let found = read(&db)?;
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_MAX {
                idle.push(db);
            }
            Ok(found)
        };
        run().map_err(|source| ReadError::Sqlite {
            path: self.path.clone(),
            source,
        })
    }

    pub fn ops(
        &self,
        album: &Hash,
        from: u64,
        each: &mut dyn FnMut(u64, Hash, &[u8]),
    ) -> Result<Loaded, ReadError> {
        self.with(|db| {
            let mut loaded = Loaded {
                next: from,
                ..Loaded::default()
            };
            // By the rows themselves: an index that is damaged must not hide an album.
            let a: Option<i64> = db
                .prepare_cached("SELECT a FROM albums NOT INDEXED WHERE album = ?1")?
                .query_row([album], |row| row.get(0))
                .optional()?;
            let Some(a) = a else { return Ok(loaded) };
            // One flipped bit in an index can hide rows without any error. The other index knows them.
            let wanted = db
                .prepare_cached("SELECT count(*) FROM ops INDEXED BY ops_by_hash WHERE a = ?1 AND n >= ?2")?
                .query_row(params![a, to_sql(from)], |row| row.get(0).map(from_sql))?;
            let mut begin = from;
            while ops_slice(db, a, album, &mut loaded, each)? == SLICE_OPS && loaded.next > begin {
                begin = loaded.next;
            }
            // More is no surprise: ops are committed meanwhile.
            loaded.hidden = wanted.saturating_sub(loaded.ops + loaded.bad.len() as u64);
            Ok(loaded)
        })
    }

    pub fn stands_for(
        &self,
        album: &Hash,
        hashes: &mut dyn Iterator<Item = Hash>,
    ) -> Result<Option<u64>, ReadError> {
        let (mut wanted, mut count) = (Sum::default(), 0u64);
        for hash in hashes {
            wanted.add(&hash);
            count += 1;
        }
        self.with(|db| {
            let Some(a) = album_number(db, album)? else {
                return Ok(None);
            };
            let last: Option<i64> = db
                .prepare_cached(
                    "SELECT n FROM ops INDEXED BY ops_in_order WHERE a = ?1 ORDER BY n LIMIT 1 OFFSET ?2",
                )?
                .query_row(params![a, to_sql(count) - 1], |row| row.get(0))
                .optional()?;
            let Some(last) = last.filter(|_| count > 0) else {
                return Ok(None);
            };
            let (mut found, mut seen) = (Sum::default(), 0);
            let mut rows =
                db.prepare_cached("SELECT hash FROM ops INDEXED BY ops_by_hash WHERE a = ?1 AND n <= ?2")?;
            let mut rows = rows.query([a, last])?;
            while let Some(row) = rows.next()? {
                // A name of another length is no name of ours.
                if let Ok(hash) = row
                    .get_ref(0)?
                    .as_blob()
                    .map_or(Err(()), |hash| hash.try_into().map_err(drop))
                {
                    found.add(&hash);
                }
                seen += 1;
            }
            Ok((seen == count && found == wanted).then(|| from_sql(last) + 1))
        })
    }

    pub fn check_some(&self, album: &Hash, from: u64) -> Result<(Loaded, Vec<Hash>), ReadError> {
        self.with(|db| {
            let mut loaded = Loaded {
                next: from,
                ..Loaded::default()
            };
            let mut good = Vec::new();
            if let Some(a) = album_number(db, album)? {
                ops_slice(db, a, album, &mut loaded, &mut |_, hash, _| good.push(hash))?;
            }
            Ok((loaded, good))
        })
    }

    pub fn op(&self, album: &Hash, hash: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
        self.with(|db| {
            let Some(a) = album_number(db, album)? else {
                return Ok(None);
            };
            let found = db
                .prepare_cached("SELECT bytes, chk FROM ops WHERE a = ?1 AND hash = ?2")?
                .query_row(params![a, hash], |row| match op_is_good(album, hash, row, 0) {
                    true => row.get(0).map(Some),
                    false => Ok(None),
                })
                .optional()?;
            Ok(found.flatten())
        })
    }

    pub fn albums(&self) -> Result<Vec<Hash>, ReadError> {
        let found: Vec<(i64, Option<Hash>)> = self.with(|db| {
            db.prepare_cached("SELECT a, album FROM albums NOT INDEXED ORDER BY a")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1).ok())))?
                .collect()
        })?;
        // An id of another length is damage, and must not pass for an album that is not here.
        let named = |(a, album): (i64, Option<Hash>)| {
            album.ok_or_else(|| ReadError::BadValue {
                space: "albums".into(),
                key: a.to_be_bytes().into(),
            })
        };
        found.into_iter().map(named).collect()
    }

    pub fn op_count(&self, album: &Hash) -> Result<u64, ReadError> {
        self.with(|db| match album_number(db, album)? {
            Some(a) => db
                .prepare_cached("SELECT count(*) FROM ops WHERE a = ?1")?
                .query_row([a], |row| row.get(0).map(from_sql)),
            None => Ok(0),
        })
    }

    pub fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let found: Option<(Vec<u8>, Vec<u8>)> = self.with(|db| {
            db.prepare_cached("SELECT value, chk FROM kv WHERE space = ?1 AND key = ?2")?
                .query_row(params![space, key], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })?;
        found
            .map(|(value, chk)| checked(space, key, value, &chk))
            .transpose()
    }

    pub fn scan(&self, space: &str, prefix: &[u8]) -> Result<Vec<KeyValue>, ReadError> {
        let end = past_prefix(prefix);
        let found: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> =
            self.with(|db| {
                db.prepare_cached(
                "SELECT key, value, chk FROM kv WHERE space = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) \
                 ORDER BY key",
            )?
            .query_map(params![space, prefix, end], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect()
            })?;
        found
            .into_iter()
            .map(|(key, value, chk)| checked(space, &key, value, &chk).map(|value| (key, value)))
            .collect()
    }

    pub fn verify(&self) -> Result<VerifyReport, ReadError> {
        self.with(|db| {
            let mut report = VerifyReport::default();
            // Damage to the file's structure ends a scan early; `integrity_check` then says where it is.
            if let Err(e) = verify_ops(db, &mut report) {
                report.problems.push(format!("ops: {e}"));
            }
            if let Err(e) = verify_values(db, &mut report) {
                report.problems.push(format!("values: {e}"));
            }
            let mut check = db.prepare(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"))?;
            for line in check.query_map([], |row| row.get::<_, String>(0))? {
                report.problems.extend(Some(line?).filter(|line| line != "ok"));
            }
            report.problems.truncate(PROBLEMS_MAX);
            Ok(report)
        })
    }
}

/// A set of hashes as a number, by whatever order it is made: hashes are drawn like numbers at random, so two sets that
/// differ have the same sum only if somebody makes them so, and then he could write the file itself.
#[derive(Default, PartialEq)]
struct Sum([u64; 4]);

impl Sum {
    fn add(&mut self, hash: &Hash) {
        for (lane, part) in self.0.iter_mut().zip(hash.as_chunks::<8>().0) {
            *lane = lane.wrapping_add(u64::from_le_bytes(*part));
        }
    }
}

/// One slice of [`Reader::ops`]; returns how many rows it saw.
fn ops_slice(
    db: &Connection,
    a: i64,
    album: &Hash,
    loaded: &mut Loaded,
    each: &mut dyn FnMut(u64, Hash, &[u8]),
) -> rusqlite::Result<u32> {
    let mut slice = db.prepare_cached(
        "SELECT n, hash, bytes, chk FROM ops INDEXED BY ops_in_order \
             WHERE a = ?1 AND n >= ?2 ORDER BY n LIMIT ?3",
    )?;
    let mut rows = slice.query(params![a, to_sql(loaded.next), SLICE_OPS])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let n = from_sql(row.get(0)?);
        match (row.get::<_, Hash>(1), row.get_ref(2)?.as_blob()) {
            (Ok(hash), Ok(bytes)) if op_is_good(album, &hash, row, 2) => {
                // A damaged index may go backwards and name a row twice in place of another one.
                loaded.ops += u64::from(n >= loaded.next);
                each(n, hash, bytes);
            }
            (hash, _) => loaded.bad.push(BadOp {
                n,
                album: Some(*album),
                hash: hash.ok(),
            }),
        }
        loaded.next = loaded.next.max(n + 1);
        seen += 1;
    }
    Ok(seen)
}

fn verify_ops(db: &Connection, report: &mut VerifyReport) -> rusqlite::Result<()> {
    let mut all =
        db.prepare("SELECT n, hash, bytes, chk, album FROM ops LEFT JOIN albums USING (a) ORDER BY n")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        report.ops += 1;
        let (hash, album) = (row.get::<_, Hash>(1).ok(), row.get::<_, Hash>(4).ok());
        let good = matches!((&album, &hash), (Some(album), Some(hash)) if op_is_good(album, hash, row, 2));
        if !good {
            report.bad_ops.push(BadOp {
                n: from_sql(row.get(0)?),
                album,
                hash,
            });
        }
    }
    Ok(())
}

fn verify_values(db: &Connection, report: &mut VerifyReport) -> rusqlite::Result<()> {
    let mut all = db.prepare("SELECT space, key, value, chk FROM kv")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        report.values += 1;
        let space = String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?);
        let key = row.get_ref(1)?.as_bytes()?;
        if value_chk(&space, key, row.get_ref(2)?.as_bytes()?) != *row.get_ref(3)?.as_bytes()? {
            report.bad_values.push(BadValue {
                space: space.into(),
                key: key.into(),
            });
        }
    }
    Ok(())
}

fn checked(space: &str, key: &[u8], value: Vec<u8>, chk: &[u8]) -> Result<Vec<u8>, ReadError> {
    match value_chk(space, key, &value) == *chk {
        true => Ok(value),
        false => Err(ReadError::BadValue {
            space: space.into(),
            key: key.into(),
        }),
    }
}

/// The first key behind all that begin with `prefix`; `None` if there is no such key.
fn past_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|&b| b != u8::MAX)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_found_even_behind_ff() {
        for (prefix, end) in [
            (&b"ab"[..], Some(b"ac".to_vec())),
            (&b"a\xff\xff"[..], Some(b"b".to_vec())),
            (&b"\xff\xff"[..], None),
            (&b""[..], None),
        ] {
            assert_eq!(past_prefix(prefix), end, "{prefix:?}");
        }
    }
}
