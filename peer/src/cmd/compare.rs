//! `compare`: how much two images differ.

use std::ffi::OsString;

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Tell and show how much two images differ
///
/// Both are drawn side by side, with what differs beside them, as bright as it can be. PSNR (in decibels; none where nothing
/// differs) is of the red, green and blue samples; SSIM (1 where nothing differs; Wang et al., 2004) and the histograms are of the luma.
/// Both images are taken as they are shown: 8 bits, transparency on white.
///
/// Without B a version is compared with the image that it was made of. Where one is larger and has the same
/// proportions, it is made as small as the other before.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype compare dusk.jpg --json
  /compare dusk.jpg
  /compare sunset.jpg dusk.jpg -o difference.png")]
pub struct Compare {
    /// Name of an image
    #[arg(value_name = "A")]
    pub name: String,
    /// Name of the other (default: what A was made of)
    #[arg(value_name = "B")]
    pub other: Option<String>,
    /// Also write what differs to this file: .png, .jpg or .webp; one that is there is replaced
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<OsString>,
    /// Columns to use (default: the terminal's)
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub width: Option<u16>,
}

impl Compare {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let out = self.output.map(|path| super::paths::one(&path, at)).transpose()?;
        Ok(Act::Compare {
            request: Request::Picture {
                album: at.album(),
                name: self.name,
                source: self.other.is_none(),
                beside: self.other,
                whole: true,
                recipe: None,
            },
            out,
            width: self.width,
        })
    }
}
