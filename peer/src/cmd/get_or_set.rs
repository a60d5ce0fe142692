//! `get-or-set`: the CRDT's inner state.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Ops that a peer lacks in the example of what would be sent.
const BEHIND: usize = 10;

/// Show the album's inner state: elements, dots, clock, digest
///
/// An album is an observed-remove set whose adds win (OR-Set; Shapiro et al. 2011). Every add has a dot of its own: who
/// (a user's device) and a number. A removal names the dots that its author had seen, so what is added beside it stays.
/// The clock is the version vector: of each writer the last number that is here. Removed elements are listed with the
/// ops that removed them; held ops are those whose authors lacked the right. Below stands what each strategy would send:
/// op (each edit by itself), delta (the missing edits as one group; Almeida et al. 2018), state (everything). Digests
/// are equal exactly where replicas have converged.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype get-or-set --json
  calotype get-or-set --limit 20 --skip 20
  /getOrSet")]
pub struct GetOrSet {
    /// Only the newest N elements (default: all)
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<usize>,
    /// Leave out the N newest: with --limit, the page before
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: usize,
    /// Show what a peer would be sent that lacks the last N edits
    #[arg(long, value_name = "N", default_value_t = BEHIND)]
    pub behind: usize,
}

impl GetOrSet {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::GetOrSet {
            album: at.album(),
            limit: self.limit,
            skip: self.skip,
            behind: self.behind,
        }))
    }
}
