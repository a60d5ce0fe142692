//! `config`: what is set, and where.

use clap::{Args, Subcommand};

use super::{Act, Context, Local};
use crate::api::Failure;

/// Show the settings and where each comes from
///
/// A flag beats the environment, which beats the file config.toml, which beats the default.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype config show --origin
  /config show --origin")]
pub struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the settings
    Show {
        /// Tell where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

impl Config {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let What::Show { origin } = self.what;
        Ok(Act::Local(Local::Config {
            settings: at.settings.list(),
            origin,
        }))
    }
}
