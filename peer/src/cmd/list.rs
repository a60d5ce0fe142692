//! `list`: albums that I may enter.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// List the albums you may enter
///
/// The current album is marked; albums kept in this home say how many images they hold.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype list
  /list")]
pub struct List {}

impl List {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::List))
    }
}
