//! The command `calotype-central`, also `calotype central`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::embedded::{JoinError, default_dir};
use crate::folder::{FolderError, write_whole};
use crate::lan::{Announcement, Lan};
use crate::server::{Config, ServeError, Server, serve};

/// Run a central server: it introduces peers to each other and keeps no album.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where to listen, ADDRESS:PORT; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Data folder: accounts, identity, lock [default: that of the embedded central]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Write {"address","pid","key","words"} into this file once the central serves
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Say nothing in the local network; a central on loopback never does
    #[arg(long)]
    pub no_mdns: bool,
    /// Say more on stderr (-vv: everything); CALOTYPE_LOG takes precedence
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Why the command ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// No data folder.
    #[error(transparent)]
    Folder(#[from] JoinError),
    /// The listening address has no meaning.
    #[error("cannot listen on {listen}: {reason}")]
    Listen {
        /// As given.
        listen: String,
        /// Why.
        reason: String,
    },
    /// The ready file cannot be written.
    #[error("ready file: {0}")]
    ReadyFile(FolderError),
    /// The system would not.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The disk failed while serving.
    #[error("the central has stopped: {0}")]
    Broken(String),
}

/// Content of the ready file.
#[derive(Debug, Serialize)]
struct Ready {
    address: SocketAddr,
    pid: u32,
    key: String,
    words: String,
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(args: Args) -> Result<(), RunError> {
    // Before anything else, so that no signal finds us unprepared.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    if let Some(file) = &args.ready_file {
        // One that is left of an earlier run would speak of a dead process.
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    raise_descriptor_limit();
    let data_dir = args.data.map_or_else(default_dir, Ok)?;
    let server = serve(Config {
        listen: resolve(&args.listen).await?,
        data_dir,
    })
    .await?;
    let (address, key, words) = (
        server.local_addr(),
        blake3::Hash::from_bytes(server.fingerprint()),
        crate::words::fingerprint(&server.fingerprint()),
    );
    if let Some(file) = &args.ready_file {
        let ready = Ready {
            address,
            pid: std::process::id(),
            key: key.to_string(),
            words: words.clone(),
        };
        let json = serde_json::to_vec(&ready).map_err(io::Error::from)?;
        write_whole(file, &json).map_err(RunError::ReadyFile)?;
    }
    eprintln!("central listening on {address}, key {key}\nin words: {words}");
    let lan = announce(&server, args.no_mdns);
    let result = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        reason = server.broken() => Err(RunError::Broken(reason)),
    };
    drop(lan);
    server.shutdown().await;
    result
}

/// Lets the local network know, where others there can reach the central. One that cannot goes on without.
fn announce(server: &Server, silent: bool) -> Option<Lan> {
    let listens = server.local_addr();
    if silent || listens.ip().is_loopback() {
        return None;
    }
    let announcement = Announcement::central(listens, &server.fingerprint());
    Lan::start(Some(&announcement), None)
        .inspect_err(|error| tracing::warn!(%error, "not announced"))
        .ok()
}

/// Sends log lines to stderr: warnings, with `-v` more, or what CALOTYPE_LOG says. Does nothing the second time.
pub fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = std::env::var("CALOTYPE_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .try_init();
}

async fn resolve(listen: &str) -> Result<SocketAddr, RunError> {
    let error = |reason: String| RunError::Listen {
        listen: listen.to_owned(),
        reason,
    };
    let mut found = tokio::net::lookup_host(listen)
        .await
        .map_err(|source| error(source.to_string()))?;
    found
        .next()
        .ok_or_else(|| error("it names no address".to_owned()))
}

/// Each session is a descriptor; the default limit is often a tenth of what we allow.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    ) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}
