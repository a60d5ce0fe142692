//! `up`: the headless, always-on peer.

use std::path::PathBuf;

use clap::Args;

use super::NodeArgs;

/// Run as an always-on peer, without a prompt
///
/// Serves until SIGTERM or Ctrl-C, then drains and ends with 0. The ready file is written once it can serve: a JSON
/// object with control, peer_address, pid, user and album. A restart needs no password.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype --home ~/attic up --user attic --password-file pw --register
  calotype --home ~/attic up --album trip --ready-file ready.json")]
pub struct Up {
    /// Account to be
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Make the account if it is not there yet
    #[arg(long, requires = "user")]
    pub register: bool,
    /// Write a JSON object here once it can serve
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// The node's own flags.
    #[command(flatten)]
    pub node: NodeArgs,
}
