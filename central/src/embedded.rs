//! The one central of a user account: whoever takes the folder's lock serves it, all others find it there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::client::{Client, Pin};
use crate::folder::{FolderError, read_address};
use crate::identity::read_fingerprint;
use crate::server::{Config, ServeError, Server, serve};
use crate::tls::Fingerprint;

/// How long a folder that is held is given to show a central that answers.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// How one takes part in the folder's central.
#[derive(Debug)]
pub enum Embedded {
    /// We are it, until the server is shut down or dropped.
    Serving(Server),
    /// Another process is.
    Found {
        /// Where it listens.
        address: SocketAddr,
        /// Its key, for [`Pin::Key`].
        key: Fingerprint,
    },
}

/// Why there is no central.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// A process holds the folder and does not serve: end it, or wait.
    #[error("{folder} is held by process {pid}, which does not answer")]
    Silent {
        /// The folder.
        folder: PathBuf,
        /// The process, 0 if it has not said.
        pid: u32,
    },
    /// It cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Neither `CALOTYPE_CENTRAL_DIR`, `XDG_DATA_HOME` nor `HOME` is set.
    #[error("no folder for the central: set CALOTYPE_CENTRAL_DIR")]
    NoFolder,
}

impl Embedded {
    /// Where the central listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Serving(server) => server.local_addr(),
            Self::Found { address, .. } => *address,
        }
    }

    /// Its key, for [`Pin::Key`].
    pub fn key(&self) -> Fingerprint {
        match self {
            Self::Serving(server) => server.fingerprint(),
            Self::Found { key, .. } => *key,
        }
    }
}

/// The folder of this user account: `CALOTYPE_CENTRAL_DIR`, else `calotype/central` in the XDG data folder.
pub fn default_dir() -> Result<PathBuf, JoinError> {
    let path = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if let Some(own) = std::env::var_os("CALOTYPE_CENTRAL_DIR").filter(|own| !own.is_empty()) {
        return Ok(own.into());
    }
    let data = path("XDG_DATA_HOME").or_else(|| Some(path("HOME")?.join(".local/share")));
    Ok(data.ok_or(JoinError::NoFolder)?.join("calotype/central"))
}

/// Serves the folder's central on a free port of the loopback interface, or finds who does.
pub async fn join(dir: &Path) -> Result<Embedded, JoinError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: dir.to_owned(),
        };
        let pid = match serve(config).await {
            Ok(server) => return Ok(Embedded::Serving(server)),
            Err(ServeError::Folder(FolderError::Held { pid, .. })) => pid,
            Err(error) => return Err(error.into()),
        };
        if let Some(found) = find(dir).await {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(JoinError::Silent {
                folder: dir.to_owned(),
                pid,
            });
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The central that the folder names, if it answers with the folder's key.
async fn find(dir: &Path) -> Option<Embedded> {
    let address = read_address(dir)?.address;
    let key = read_fingerprint(dir).ok()?;
    Client::connect(&address.to_string(), Pin::Key(key)).await.ok()?;
    Some(Embedded::Found { address, key })
}
