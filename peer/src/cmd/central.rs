//! `central`: the central server, the same as the program `calotype-central`, and whom this home takes for it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Run a central server: it introduces peers to each other and keeps no album
///
/// Serves until SIGTERM or Ctrl-C. The ready file holds address and pid; peers name that address with --central.
/// A central with a lost key starts with a new one, which peers refuse until each is told: central trust.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:
  calotype central --listen 127.0.0.1:7400 --data ~/central --ready-file central.json
  calotype central words --data ~/central
  calotype central trust legal winner thank year wave sausage"
)]
pub struct Central {
    /// The server's own flags.
    #[command(flatten)]
    pub args: central::cli::Args,
    /// Instead of serving.
    #[command(subcommand)]
    pub what: Option<What>,
}

/// What there is to do besides serving.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Take the key that the central shows now for its own
    Trust(Trust),
    /// Show the words of a central's key, from its data folder
    Words {
        /// Data folder [default: that of the embedded central]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// The words of a key.
#[derive(Debug, Args)]
pub struct Trust {
    /// The six words that its machine shows (calotype central words); four letters of each do
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
}

impl Trust {
    /// What the node is asked.
    pub fn act(self) -> Act {
        Act::Ask(Request::TrustCentral {
            words: self.words.join(" "),
        })
    }
}

/// Say which key the central has
///
/// A central that lost its key shows another one, which is refused until somebody says that it is the right one: its
/// machine shows the six words of it. Nothing else has to be done; accounts come back by themselves.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  /central trust legal winner thank year wave sausage")]
pub struct AtPrompt {
    #[command(subcommand)]
    what: Inside,
}

#[derive(Debug, Subcommand)]
enum Inside {
    /// Take the key that the central shows now for its own
    Trust(Trust),
}

impl AtPrompt {
    /// What to do about it.
    ///
    /// # Errors
    /// None; as other commands have it.
    pub fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        let Inside::Trust(trust) = self.what;
        Ok(trust.act())
    }
}

/// What `central words` shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CentralKey {
    /// BLAKE3 of the public key, hex.
    pub key: String,
    /// Its first 66 bits as six words.
    pub words: String,
}
