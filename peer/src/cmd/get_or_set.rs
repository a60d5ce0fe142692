//! `get-or-set`: the CRDT's inner state.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show the album's inner state: elements, dots, clock, digest
///
/// Digests are equal exactly where replicas have converged.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype get-or-set --json
  /getOrSet")]
pub struct GetOrSet {}

impl GetOrSet {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::GetOrSet { album: at.album() }))
    }
}
