//! The central as a service: one folder, one listener, a task per connection.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::connection;
use crate::folder::{Folder, FolderError};
use crate::hub::{Core, Hub, Run, keep_time, stop, stopped};
use crate::identity::{Identity, IdentityError};
use crate::limits::DRAIN_DEADLINE;
use crate::registry::Registry;
use crate::store::{Store, StoreError};
use crate::tls::{Fingerprint, server_config};

/// The database's file in the data folder.
pub const DATABASE: &str = "central.db";
/// How often what has expired is dropped.
const SWEEP: Duration = Duration::from_secs(15);
/// Pause after the system refused a connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What to serve and where.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The data folder.
    pub data_dir: PathBuf,
}

/// Why a central did not start, sorted by who acts.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another central holds the folder, or the folder is no good.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its identity is damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// TLS or the system would not.
    #[error("the central cannot start: {0}")]
    System(String),
}

/// A running central. Dropped, it stops in the background; [`Server::shutdown`] waits for that.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    fingerprint: Fingerprint,
    run: watch::Sender<Run>,
    task: JoinHandle<()>,
}

struct Opened {
    folder: Folder,
    identity: Identity,
    hub: Hub,
    writer: std::thread::JoinHandle<()>,
}

/// Takes the folder and serves. On return clients can connect, and the folder's address file says where.
pub async fn serve(config: Config) -> Result<Server, ServeError> {
    let Config { listen, data_dir } = config;
    let opened = tokio::task::spawn_blocking(move || open(data_dir)).await;
    let Opened {
        folder,
        identity,
        hub,
        writer,
    } = opened.map_err(|error| ServeError::System(error.to_string()))??;
    let started = listen_at(listen, identity, &folder).await;
    let close = move || {
        // The database is closed before the folder is anybody else's.
        let _ = writer.join();
        if let Err(error) = folder.remove_address() {
            tracing::warn!(%error, "the address file stays");
        }
        drop(folder);
    };
    let (listener, acceptor, local_addr, fingerprint) = match started {
        Ok(started) => started,
        Err(error) => {
            drop(hub);
            let _ = tokio::task::spawn_blocking(close).await;
            return Err(error);
        }
    };
    let run = hub.core.run.clone();
    let task = tokio::spawn(async move {
        accept_all(&listener, acceptor, hub).await;
        drop(listener);
        let _ = tokio::task::spawn_blocking(close).await;
    });
    tracing::info!(address = %local_addr, "serving");
    Ok(Server {
        local_addr,
        fingerprint,
        run,
        task,
    })
}

/// Listens, and says so in the folder.
async fn listen_at(
    listen: SocketAddr,
    identity: Identity,
    folder: &Folder,
) -> Result<(TcpListener, TlsAcceptor, SocketAddr, Fingerprint), ServeError> {
    let failed = |source| ServeError::Listen {
        address: listen,
        source,
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let local_addr = listener.local_addr().map_err(failed)?;
    let tls = server_config(identity.certificate, identity.key)
        .map_err(|error| ServeError::System(error.to_string()))?;
    folder.write_address(local_addr)?;
    Ok((
        listener,
        TlsAcceptor::from(Arc::new(tls)),
        local_addr,
        identity.fingerprint,
    ))
}

fn open(data_dir: PathBuf) -> Result<Opened, ServeError> {
    let folder = Folder::take(&data_dir)?;
    let identity = Identity::load_or_create(&folder)?;
    let (store, setup, rows) = Store::open(&folder.file(DATABASE))?;
    let (mut registry, left_out) = Registry::load(rows);
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    registry.set_clock(since_1970.as_millis() as u64);
    if left_out > 0 {
        tracing::warn!(left_out, "rows of the database make no sense and are ignored");
    }
    let (hub, writer) = Hub::start(Core::new(registry), setup, store)
        .map_err(|error| ServeError::System(error.to_string()))?;
    Ok(Opened {
        folder,
        identity,
        hub,
        writer,
    })
}

impl Server {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its key, as clients pin it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Lets requests under way end (for a few seconds at most), closes the database and frees the folder.
    pub async fn shutdown(mut self) {
        stop(&self.run, Run::Stop);
        let _ = (&mut self.task).await;
    }

    /// Resolves when the central has stopped serving of itself because its disk failed, with the reason.
    pub async fn broken(&self) -> String {
        let mut run = self.run.subscribe();
        let reason = match run.wait_for(|run| matches!(run, Run::Broken(_))).await.as_deref() {
            Ok(Run::Broken(reason)) => Some(reason.clone()),
            _ => None,
        };
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&self.run, Run::Stop);
    }
}

async fn accept_all(listener: &TcpListener, acceptor: TlsAcceptor, hub: Hub) {
    let mut run = hub.core.run.subscribe();
    let mut connections = JoinSet::new();
    connections.spawn(keep_time(hub.clone()));
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut run) => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            _ = sweep.tick() => {
                let hub = hub.clone();
                connections.spawn(async move { hub.sweep().await });
            }
            accepted = listener.accept() => match accepted {
                Ok((tcp, from)) => {
                    // IPv4 seen through an IPv6 socket is the same address.
                    let address = from.ip().to_canonical();
                    connections.spawn(connection::run(tcp, address, acceptor.clone(), hub.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    let drained = tokio::time::timeout(DRAIN_DEADLINE, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        tracing::warn!(left = connections.len(), "connections did not end in time");
        connections.shutdown().await;
    }
}
