//! `sync`: waits until all are equal.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Wait until every connected member has the same album, bytes included
///
/// Ends with 0 when all are equal, 7 when time ran out, 6 when the album has other members and none was reached.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype sync --timeout 10s
  /sync")]
pub struct Sync {
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::when::span)]
    pub timeout: std::time::Duration,
}

impl Sync {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let timeout_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        Ok(Act::Ask(Request::Sync {
            album: at.album(),
            timeout_ms,
            quiet: false,
        }))
    }
}
