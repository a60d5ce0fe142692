//! `show`: an image in the terminal.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Show an image in the terminal
///
/// With pixels where the terminal knows Kitty's graphics, else with half blocks in colour; with plain characters where there
/// is no colour, or no terminal. --json tells where the picture's file is.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype show sunset.jpg
  /show dusk.jpg --source --width 60")]
pub struct Show {
    /// Name of the image
    pub name: String,
    /// Columns to use (default: the terminal's)
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub width: Option<u16>,
    /// Show beside it the image that it was made of
    #[arg(long)]
    pub source: bool,
}

impl Show {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Show {
            request: Request::Picture {
                album: at.album(),
                name: self.name,
                source: self.source,
                beside: None,
                whole: false,
                recipe: None,
            },
            width: self.width,
        })
    }
}
