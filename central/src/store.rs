//! What of the registry is durable: accounts, certificates, album lists and mailboxes, in SQLite.
//!
//! WAL with synchronous=FULL: when [`Store::commit`] returns, a power cut takes nothing back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crdt::id::{AlbumId, PublicKey, Signature, UserId};
use crdt::keys::{Certificate, Revocation};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::password::Setup;
use crate::proto::{AlbumEntry, MailboxState};
use crate::registry::{AccountRow, Change, DeviceRow, MailboxRow, Rows, Taken};

/// Oldest SQLite whose WAL we trust (3.51.3).
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How long a commit waits for another process that reads.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One step of the schema each; `user_version` counts those done.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE account (name TEXT PRIMARY KEY, root BLOB NOT NULL UNIQUE, password BLOB) STRICT;
    CREATE TABLE device (
        root BLOB NOT NULL REFERENCES account (root), device BLOB NOT NULL, sig BLOB NOT NULL,
        PRIMARY KEY (root, device)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE album (
        album BLOB PRIMARY KEY, owner BLOB NOT NULL, name TEXT NOT NULL, list TEXT NOT NULL, sig BLOB NOT NULL,
        root BLOB NOT NULL, device BLOB NOT NULL, cert BLOB NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE account ADD COLUMN escrow BLOB;
    ALTER TABLE device ADD COLUMN label TEXT;
    CREATE TABLE revoked (
        root BLOB NOT NULL, device BLOB NOT NULL, sig BLOB NOT NULL,
        PRIMARY KEY (root, device)
    ) STRICT, WITHOUT ROWID;
",
    // `boxes` is JSON, as they came; `device` and `body` say who knocked first.
    "
    CREATE TABLE mailbox (
        number INTEGER PRIMARY KEY, opener BLOB NOT NULL, kind TEXT NOT NULL, album BLOB, boxes TEXT NOT NULL,
        state TEXT NOT NULL, device BLOB, body BLOB, until_ms INTEGER NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE mailbox ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
",
];

/// Why the database cannot be used, sorted by who acts.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No place: the operator makes some; nothing was changed.
    #[error("the disk of {path} is full")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// Another program's, a later version's, or damaged: the operator decides.
    #[error("{path} cannot be used: {reason}")]
    Unusable {
        /// The database.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What was written may not be there. The central stops; trying again could hide the loss.
    #[error("{path} could not be written: {source}")]
    Broken {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
}

/// The open database. One thread owns it.
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens or creates it and reads everything.
    pub fn open(path: &Path) -> Result<(Self, Setup, Rows), StoreError> {
        refuse_lost_database(path)?;
        if rusqlite::version_number() < SQLITE_VERSION_MIN {
            return Err(unusable(
                path,
                format!("SQLite {} is too old", rusqlite::version()),
            ));
        }
        let sql = |error: rusqlite::Error| classify(path, error);
        let mut connection = Connection::open(path).map_err(sql)?;
        configure(&connection).map_err(sql)?;
        migrate(&mut connection, path)?;
        let setup = load_setup(&mut connection, path)?;
        let rows = load(&connection).map_err(sql)?;
        Ok((
            Self {
                path: path.to_owned(),
                connection,
            },
            setup,
            rows,
        ))
    }

    /// One that is lost with the process, for hostile bytes that come by the thousand.
    pub(crate) fn in_memory() -> Result<(Self, Setup, Rows), StoreError> {
        let path = Path::new(":memory:");
        let mut connection = Connection::open_in_memory().map_err(|error| classify(path, error))?;
        migrate(&mut connection, path)?;
        let setup = load_setup(&mut connection, path)?;
        let rows = load(&connection).map_err(|error| classify(path, error))?;
        Ok((
            Self {
                path: path.to_owned(),
                connection,
            },
            setup,
            rows,
        ))
    }

    /// As if the disk had no more pages than these.
    #[cfg(test)]
    pub(crate) fn limit_to(&self, pages: u32) {
        self.connection
            .pragma_update(None, "max_page_count", pages)
            .expect("a limit above what is there");
    }

    /// Makes one change durable.
    pub fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            apply(&transaction, change)?;
            transaction.commit()
        };
        write(&mut self.connection).map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full {
                path: self.path.clone(),
            },
            _ => StoreError::Broken {
                path: self.path.clone(),
                source: error,
            },
        })
    }
}

/// A database of no bytes beside a WAL has lost its beginning; SQLite would silently start a new one.
fn refuse_lost_database(path: &Path) -> Result<(), StoreError> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    match (length(path), length(Path::new(&wal))) {
        (0, 1..) => Err(unusable(
            path,
            "it is empty beside a write-ahead log: restore it".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "journal mode {mode}"
        )));
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON;",
    )
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let sql = |error| classify(path, error);
    let transaction = connection.transaction().map_err(sql)?;
    let done: i64 = transaction
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(sql)?;
    let Some(rest) = usize::try_from(done).ok().and_then(|done| MIGRATIONS.get(done..)) else {
        return Err(unusable(
            path,
            format!("it is of version {done}, this program knows {}", MIGRATIONS.len()),
        ));
    };
    for step in rest {
        transaction.execute_batch(step).map_err(sql)?;
    }
    transaction
        .pragma_update(None, "user_version", MIGRATIONS.len() as i64)
        .map_err(sql)?;
    transaction.commit().map_err(sql)
}

fn load_setup(connection: &mut Connection, path: &Path) -> Result<Setup, StoreError> {
    let sql = |error| classify(path, error);
    let stored: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM secret WHERE name = 'opaque'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(sql)?;
    if let Some(bytes) = stored {
        return Setup::from_bytes(&bytes)
            .map_err(|_| unusable(path, "its password secret is damaged".to_owned()));
    }
    let setup = Setup::generate();
    connection
        .execute(
            "INSERT INTO secret (name, value) VALUES ('opaque', ?1)",
            params![&setup.to_bytes()[..]],
        )
        .map_err(sql)?;
    Ok(setup)
}

fn load(connection: &Connection) -> rusqlite::Result<Rows> {
    let accounts = connection
        .prepare("SELECT name, root, password, escrow FROM account")?
        .query_map([], |row| {
            Ok(AccountRow {
                name: row.get(0)?,
                root: PublicKey(row.get(1)?),
                password: row.get(2)?,
                escrow: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let devices = connection
        .prepare("SELECT root, device, sig, label FROM device")?
        .query_map([], |row| {
            Ok(DeviceRow {
                cert: certificate(row, 0)?,
                label: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let revoked = connection
        .prepare("SELECT root, device, sig FROM revoked")?
        .query_map([], |row| {
            Ok(Revocation {
                root: PublicKey(row.get(0)?),
                device: PublicKey(row.get(1)?),
                sig: Signature(row.get(2)?),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let albums = connection
        .prepare("SELECT album, owner, name, list, sig, root, device, cert FROM album")?
        .query_map([], |row| {
            Ok(AlbumEntry {
                album: AlbumId(row.get(0)?),
                owner: UserId(row.get(1)?),
                name: row.get(2)?,
                list: row.get(3)?,
                sig: Signature(row.get(4)?),
                cert: certificate(row, 5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mailboxes = connection
        .prepare(
            "SELECT number, opener, kind, album, boxes, state, device, body, until_ms, answered FROM mailbox",
        )?
        .query_map([], mailbox)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Rows {
        accounts,
        devices,
        revoked,
        albums,
        mailboxes,
    })
}

fn mailbox(row: &Row<'_>) -> rusqlite::Result<MailboxRow> {
    let device: Option<[u8; 32]> = row.get(6)?;
    let body: Option<[u8; 32]> = row.get(7)?;
    Ok(MailboxRow {
        number: row.get(0)?,
        opener: UserId(row.get(1)?),
        kind: from_word(row, 2)?,
        album: row.get::<_, Option<[u8; 32]>>(3)?.map(AlbumId),
        boxes: from_json(row, 4)?,
        state: from_word(row, 5)?,
        taken: body.map(|body| Taken {
            device: device.map(PublicKey),
            body,
        }),
        until_ms: row.get::<_, i64>(8)?.unsigned_abs(),
        answered: row.get(9)?,
    })
}

/// A column that holds one of an enum's words.
fn from_word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let word: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| unreadable(column, error))
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(column, error))
}

fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

/// An enum's word, as it travels.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => unreachable!("these enums are words"),
    }
}

fn certificate(row: &Row<'_>, first: usize) -> rusqlite::Result<Certificate> {
    Ok(Certificate {
        root: PublicKey(row.get(first)?),
        device: PublicKey(row.get(first + 1)?),
        sig: Signature(row.get(first + 2)?),
    })
}

fn apply(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Account { name, password, cert } => {
            transaction
                .prepare_cached("INSERT INTO account (name, root, password) VALUES (?1, ?2, ?3)")?
                .execute(params![name, &cert.root.0[..], password])?;
            insert_device(transaction, cert)
        }
        Change::Password { name, password } => transaction
            .prepare_cached("UPDATE account SET password = ?2, escrow = NULL WHERE name = ?1")?
            .execute(params![name, password])
            .map(drop),
        Change::Device { cert } => insert_device(transaction, cert),
        Change::Label { cert, label } => transaction
            .prepare_cached("UPDATE device SET label = ?3 WHERE root = ?1 AND device = ?2")?
            .execute(params![&cert.root.0[..], &cert.device.0[..], label])
            .map(drop),
        Change::Revoke(Revocation { root, device, sig }) => transaction
            .prepare_cached("INSERT INTO revoked (root, device, sig) VALUES (?1, ?2, ?3)")?
            .execute(params![&root.0[..], &device.0[..], &sig.0[..]])
            .map(drop),
        Change::Escrow { name, sealed } => transaction
            .prepare_cached("UPDATE account SET escrow = ?2 WHERE name = ?1")?
            .execute(params![name, sealed])
            .map(drop),
        Change::List(entry) => transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO album (album, owner, name, list, sig, root, device, cert)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                &entry.album.0[..],
                &entry.owner.0[..],
                entry.name,
                entry.list,
                &entry.sig.0[..],
                &entry.cert.root.0[..],
                &entry.cert.device.0[..],
                &entry.cert.sig.0[..],
            ])
            .map(drop),
        Change::MailboxOpen(row) => transaction
            .prepare_cached(
                "INSERT INTO mailbox (number, opener, kind, album, boxes, state, until_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                row.number,
                &row.opener.0[..],
                word(&row.kind),
                row.album.as_ref().map(|album| &album.0[..]),
                serde_json::to_string(&row.boxes).expect("our types always serialise"),
                word(&row.state),
                i64::try_from(row.until_ms).unwrap_or(i64::MAX),
            ])
            .map(drop),
        Change::MailboxTake { number, taken } => transaction
            .prepare_cached("UPDATE mailbox SET state = ?2, device = ?3, body = ?4 WHERE number = ?1")?
            .execute(params![
                number,
                word(&MailboxState::Taken),
                taken.device.as_ref().map(|device| &device.0[..]),
                &taken.body[..],
            ])
            .map(drop),
        Change::MailboxAnswer { number } => transaction
            .prepare_cached("UPDATE mailbox SET answered = 1 WHERE number = ?1")?
            .execute(params![number])
            .map(drop),
        Change::MailboxEnd { number, state } => transaction
            .prepare_cached("UPDATE mailbox SET state = ?2, boxes = '[]' WHERE number = ?1")?
            .execute(params![number, word(state)])
            .map(drop),
        Change::MailboxForget { numbers } => {
            let mut statement = transaction.prepare_cached("DELETE FROM mailbox WHERE number = ?1")?;
            numbers
                .iter()
                .try_for_each(|number| statement.execute(params![number]).map(drop))
        }
    }
}

fn insert_device(transaction: &Transaction<'_>, cert: &Certificate) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO device (root, device, sig) VALUES (?1, ?2, ?3)")?
        .execute(params![&cert.root.0[..], &cert.device.0[..], &cert.sig.0[..]])
        .map(drop)
}

fn unusable(path: &Path, reason: String) -> StoreError {
    StoreError::Unusable {
        path: path.to_owned(),
        reason,
    }
}

fn classify(path: &Path, error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DiskFull, SystemIoFailure};
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(DiskFull) => StoreError::Full { path },
        Some(SystemIoFailure) => StoreError::Broken { path, source: error },
        _ => StoreError::Unusable {
            path,
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use crdt::keys::KeyPair;

    use super::*;
    use crate::proto::{Bytes, MailboxKind, SealedBox};

    fn change(seed: u8) -> Change {
        let (root, device) = (
            KeyPair::from_seed(&[seed; 32]),
            KeyPair::from_seed(&[seed + 1; 32]),
        );
        let cert = Certificate::issue(&root, &device.public());
        Change::Account {
            name: format!("u{seed}"),
            password: Some(vec![seed; 192]),
            cert,
        }
    }

    fn mailbox(number: u32) -> MailboxRow {
        MailboxRow {
            number,
            opener: UserId([7; 32]),
            kind: MailboxKind::Album,
            album: Some(AlbumId([1; 32])),
            boxes: vec![SealedBox {
                device: PublicKey([4; 32]),
                sealed: Bytes(vec![0, 255, 7]),
            }],
            state: MailboxState::Open,
            taken: None,
            until_ms: 1_800_000_000_000 + u64::from(number),
            answered: false,
        }
    }

    #[test]
    fn what_is_committed_is_read_again() {
        let taken = Taken {
            device: Some(PublicKey([6; 32])),
            body: [9; 32],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("central.db");
        let (mut store, setup, rows) = Store::open(&path).unwrap();
        assert_eq!(rows, Rows::default());
        let Change::Account { name, password, cert } = change(1) else {
            unreachable!()
        };
        let entry = AlbumEntry {
            album: AlbumId([1; 32]),
            name: "trip".to_owned(),
            owner: cert.user(),
            list: "{}".to_owned(),
            sig: Signature([2; 64]),
            cert: cert.clone(),
        };
        let second = Certificate::issue(
            &KeyPair::from_seed(&[1; 32]),
            &KeyPair::from_seed(&[9; 32]).public(),
        );
        let revocation = Revocation::issue(&KeyPair::from_seed(&[1; 32]), &second.device);
        for change in [
            change(1),
            Change::Device { cert: second.clone() },
            Change::List(Box::new(AlbumEntry {
                name: "old".to_owned(),
                ..entry.clone()
            })),
            Change::List(Box::new(entry.clone())),
            Change::Label {
                cert: second.clone(),
                label: "laptop".to_owned(),
            },
            Change::Revoke(revocation.clone()),
            Change::Escrow {
                name: name.clone(),
                sealed: Some(vec![7; 72]),
            },
            change(3),
            Change::Escrow {
                name: "u3".to_owned(),
                sealed: Some(vec![9; 72]),
            },
            Change::Password {
                name: "u3".to_owned(),
                password: vec![8; 192],
            },
            Change::MailboxOpen(Box::new(mailbox(1))),
            Change::MailboxOpen(Box::new(mailbox(2))),
            Change::MailboxOpen(Box::new(mailbox(3))),
            Change::MailboxTake {
                number: 2,
                taken: taken.clone(),
            },
            Change::MailboxAnswer { number: 2 },
            Change::MailboxEnd {
                number: 2,
                state: MailboxState::Burnt,
            },
            Change::MailboxForget { numbers: vec![3] },
        ] {
            store.commit(&change).unwrap();
        }
        drop(store);
        let (_, again, rows) = Store::open(&path).unwrap();
        let burnt = MailboxRow {
            state: MailboxState::Burnt,
            boxes: Vec::new(),
            taken: Some(taken),
            answered: true,
            ..mailbox(2)
        };
        assert_eq!(rows.mailboxes, [mailbox(1), burnt]);
        assert_eq!(*setup.to_bytes(), *again.to_bytes());
        assert_eq!(rows.albums, [entry]);
        assert_eq!(rows.devices.len(), 3);
        let device = |cert: &Certificate, label: Option<&str>| DeviceRow {
            cert: cert.clone(),
            label: label.map(str::to_owned),
        };
        assert!(rows.devices.contains(&device(&cert, None)));
        assert!(rows.devices.contains(&device(&second, Some("laptop"))));
        assert_eq!(rows.revoked, [revocation]);
        assert_eq!(rows.accounts.len(), 2);
        assert_eq!(
            rows.accounts[0],
            AccountRow {
                name,
                root: cert.root,
                password,
                escrow: Some(vec![7; 72]),
            }
        );
        // What the old password sealed went with it.
        assert_eq!(rows.accounts[1].password, Some(vec![8; 192]));
        assert_eq!(rows.accounts[1].escrow, None);
    }

    #[test]
    fn a_change_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("central.db");
        let (mut store, ..) = Store::open(&path).unwrap();
        store.commit(&change(1)).unwrap();
        // The same root under another name breaks a constraint in its first half.
        let Change::Account { password, cert, .. } = change(1) else {
            unreachable!()
        };
        let twice = Change::Account {
            name: "other".to_owned(),
            password,
            cert,
        };
        assert!(matches!(store.commit(&twice), Err(StoreError::Broken { .. })));
        drop(store);
        assert_eq!(Store::open(&path).unwrap().2.accounts.len(), 1);
    }

    #[test]
    fn settings_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ..) = Store::open(&folder.path().join("central.db")).unwrap();
        let pragma = |name: &str| -> i64 {
            store
                .connection
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!(pragma("synchronous"), 2);
        assert_eq!(pragma("mmap_size"), 0);
        assert_eq!(pragma("trusted_schema"), 0);
        assert_eq!(pragma("busy_timeout"), 5_000);
        assert_eq!(pragma("user_version"), MIGRATIONS.len() as i64);
    }

    #[test]
    fn a_later_version_and_a_lost_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("central.db");
        drop(Store::open(&path).unwrap());
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1)
            .unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Unusable { .. })));
        let path = folder.path().join("lost.db");
        std::fs::write(&path, b"").unwrap();
        std::fs::write(folder.path().join("lost.db-wal"), b"x").unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Unusable { .. })));
        let path = folder.path().join("text.db");
        std::fs::write(&path, "not a database ".repeat(100)).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Unusable { .. })));
    }
}
