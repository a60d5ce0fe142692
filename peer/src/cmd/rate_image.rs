//! `rate-image`: stars of mine.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Rate an image with 0 to 5 stars
///
/// One rating per member and image, the latest counts; none (or --clear) takes yours back.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype rate-image sunset.jpg 5
  /rateImage sunset.jpg 5")]
pub struct RateImage {
    /// Name of the image
    pub name: String,
    /// 0 to 5, or none
    #[arg(value_parser = stars, allow_hyphen_values = true)]
    pub stars: Stars,
}

impl RateImage {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        Ok(Act::Ask(Request::RateImage {
            album: at.album(),
            name: self.name,
            stars: self.stars.0,
        }))
    }
}

/// Stars given, or taken back.
#[derive(Debug, Clone, Copy)]
pub struct Stars(Option<u8>);

fn stars(text: &str) -> Result<Stars, String> {
    match text.parse::<u8>() {
        Ok(n) if n <= 5 => Ok(Stars(Some(n))),
        _ if matches!(text, "none" | "--clear") => Ok(Stars(None)),
        _ => Err("stars are a whole number from 0 to 5, or none".to_owned()),
    }
}
