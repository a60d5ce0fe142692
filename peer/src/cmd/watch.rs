//! `watch`: news as it happens.

use clap::Args;

use super::{Act, Context};
use crate::api::Failure;

/// Show news as it happens, until stopped
///
/// With --json one object a line: at, kind, album and what belongs to the kind.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype watch --json
  /watch")]
pub struct Watch {}

impl Watch {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Watch)
    }
}
