//! `preview`: what a recipe makes of an image, before anything is added.

use std::ffi::OsString;

use clap::Args;

use super::{Act, Context};
use crate::api::{Code, Failure, Request};

/// Show what a recipe makes of an image; nothing is added to the album
///
/// It is drawn as /show does. The whole image is filtered, and what comes out is made as small as the terminal is; only
/// where every step changes single pixels in a smooth way (grayscale, sepia, invert, brightness, contrast, gamma, levels) its
/// small preview is filtered, which shows the same sooner.
///
/// -o writes what comes out into a file, in its full size: the file that /filter would add if the ending is the same.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype preview sunset.jpg sepia
  calotype preview sunset.jpg grayscale+blur:2 -o dusk.jpg
  /preview sunset.jpg oil:4 --source")]
pub struct Preview {
    /// Name of the image
    pub name: String,
    /// What to do with it
    pub recipe: String,
    /// Write it to this file instead: .png, .jpg or .webp; one that is there is replaced
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["width", "source"])]
    pub output: Option<OsString>,
    /// Columns to use (default: the terminal's)
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub width: Option<u16>,
    /// Show beside it the image as it is
    #[arg(long)]
    pub source: bool,
}

impl Preview {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let draft = self
            .recipe
            .parse::<filters::Draft>()
            .map_err(|wrong| Failure::new(Code::Usage, wrong.to_string(), wrong.hint()))?;
        let out = self.output.map(|path| super::paths::one(&path, at)).transpose()?;
        Ok(Act::Preview {
            request: Request::Picture {
                album: at.album(),
                name: self.name,
                source: false,
                beside: None,
                whole: out.is_some() || !draft.shows_small(),
                recipe: Some(self.recipe),
            },
            out,
            width: self.width,
            beside: self.source,
        })
    }
}
