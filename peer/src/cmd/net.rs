//! `net`: bytes and messages.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show what was sent and received, by kind and by peer
///
/// edits are live edits in the form of the strategy (--replication op, delta, state), hints say that something is new,
/// compare asks where two replicas differ, pull brings the ops that one of them lacks, have asks who holds which image,
/// blobs are image bytes. The links carry a little more: frames, subscriptions and heartbeats, counted inside TLS. To see
/// what one edit costs: /net --reset, the edit, /net.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype net --json
  /net --reset")]
pub struct Net {
    /// Count from now on
    #[arg(long)]
    pub reset: bool,
}

impl Net {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::Net { reset: self.reset }))
    }
}
