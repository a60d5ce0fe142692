//! `held`: what is held, and accepting it or setting it aside.

use clap::{Args, Subcommand};

use super::{Act, Context};
use crate::api::{Failure, HeldAct, Request};

/// List what is held: work of members who were removed or had not the role
///
/// Held work is kept by everybody and shown to nobody. A curator or the owner may accept it, then it counts for
/// everybody; whoever does not want to see it here drops it, which changes nothing for others and can be taken back by
/// an accept.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype held
  /held accept bob
  /held drop 1a2b3c4d")]
pub struct Held {
    /// Also list what was dropped here
    #[arg(long)]
    pub all: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum What {
    /// Make it count, for everybody
    Accept(Which),
    /// Set it aside in this home; nothing is lost
    Drop(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Whose, by name, or which, by the first digits of its id
    #[arg(required = true, value_name = "USER|ID")]
    which: Vec<String>,
}

impl Held {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let (act, which) = match self.what {
            None => (HeldAct::List, Vec::new()),
            Some(What::Accept(it)) => (HeldAct::Accept, it.which),
            Some(What::Drop(it)) => (HeldAct::Drop, it.which),
        };
        Ok(Act::Ask(Request::Held {
            album: at.album(),
            act,
            which,
            all: self.all,
        }))
    }
}
