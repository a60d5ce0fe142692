//! `invite`: a code that lets somebody in.

use clap::Args;

use super::{Act, Context};
use crate::api::{Code, Failure, Request};

/// Make a code that lets one person into the album
///
/// The code is good once, for a day: tell it to the one you mean, who types /join CODE. A wrong guess uses it up. It also
/// works while you are away, if another curator or the owner is online; a code for a curator waits for the owner.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype invite trip
  calotype invite trip --role viewer
  /invite --cancel 7")]
pub struct Invite {
    /// Album to let somebody into (default: the current one)
    #[arg(value_name = "ALBUM")]
    pub into: Option<String>,
    /// What they may do
    #[arg(long, value_name = "ROLE", default_value = "contributor", value_parser = ["viewer", "contributor", "curator"])]
    pub role: String,
    /// End the code of this number instead
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["into", "role"])]
    pub cancel: Option<u32>,
}

impl Invite {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        if let Some(number) = self.cancel {
            return Ok(Act::Ask(Request::CancelInvite { number }));
        }
        let album = match (self.into, at.album()) {
            (Some(_), Some(_)) => {
                return Err(Failure::new(
                    Code::Usage,
                    "the album is named twice",
                    "give it as a word or with --album",
                ));
            }
            (into, album) => into.or(album),
        };
        Ok(Act::Ask(Request::Invite {
            album,
            role: self.role,
        }))
    }
}
