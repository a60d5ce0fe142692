//! `central`: the central server, the same as the program `calotype-central`.

use clap::Args;

/// Run a central server: it introduces peers to each other and keeps no album
///
/// Serves until SIGTERM or Ctrl-C. The ready file holds address and pid; peers name that address with --central.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype central --listen 127.0.0.1:7400 --data ~/central --ready-file central.json")]
pub struct Central {
    /// The server's own flags.
    #[command(flatten)]
    pub args: central::cli::Args,
}
