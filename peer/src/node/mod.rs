//! The node: the one owner of the engine, with the sockets, files, threads and clock around it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::Failure;

/// Which central this node talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CentralChoice {
    /// The embedded one of this user account, in this folder; started here if nobody runs it.
    Embedded {
        /// Its data folder.
        dir: PathBuf,
    },
    /// A central elsewhere, `HOST:PORT`.
    Address(String),
}

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The home folder; made if absent.
    pub home: PathBuf,
    /// Which central.
    pub central: CentralChoice,
    /// The guard's address; `None`: 127.0.0.1, or all interfaces where the central is not on loopback, with the
    /// port kept in the home.
    pub listen: Option<SocketAddr>,
    /// Live replication: op, delta or state.
    pub replication: engine::Strategy,
    /// How long to wait for another process's lock on the home.
    pub lock_wait: Duration,
    /// Off only in tests of live gossip.
    pub anti_entropy: bool,
}

/// A node at work in this process, reachable through its control socket.
pub struct Running {}

/// Opens the home, starts the node, returns once it can serve.
///
/// # Errors
/// `busy` (another node, naming its pid), `disk_full`, `unreachable` is never one: a node works without a central.
pub async fn start(config: Config) -> Result<Running, Failure> {
    let _ = config;
    unreachable!("being written")
}

impl Running {
    /// The control socket.
    pub fn control(&self) -> &Path {
        unreachable!("being written")
    }

    /// The guard's address.
    pub fn peer_address(&self) -> SocketAddr {
        unreachable!("being written")
    }

    /// Completes when the node has ended by itself (`Request::Shutdown`, a fatal disk error).
    pub async fn ended(&self) -> Result<(), Failure> {
        unreachable!("being written")
    }

    /// Drains and ends within 5 s.
    pub async fn stop(self) {
        unreachable!("being written")
    }
}

/// Where the control socket of this home's node is, whether or not one runs: a 0700 folder of ours, in
/// `$XDG_RUNTIME_DIR`, else under `/tmp`, named after the home's canonical path.
pub fn control_path(home: &Path) -> PathBuf {
    let _ = home;
    unreachable!("being written")
}
