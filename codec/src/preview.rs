//! A small JPEG to look at while the picture itself is far away.
//!
//! Made once, by whoever adds the picture, and then an ordinary blob: nobody makes it again and compares, so
//! the fast resampler with its floating-point tables may be used here, and only here.

use std::borrow::Cow;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{PixelTrait, Resizer};
use filters::{Channels, Raster, Samples};

use crate::decode::Metadata;
use crate::encode::{self, EncodeError};
use crate::flat;

/// Longest side of a preview, in pixels.
pub const PREVIEW_SIDE_MAX: u32 = 512;
/// Quality of a preview, of 100.
const QUALITY: u8 = 80;
/// What errors call it.
const RESIZER: &str = "preview";

/// A JPEG whose long side is at most [`PREVIEW_SIDE_MAX`]; small pictures keep their size. 16 bits become 8,
/// alpha is blended on white.
///
/// # Errors
/// [`EncodeError`], if the raster contradicts itself.
pub fn preview(raster: &Raster) -> Result<Vec<u8>, EncodeError> {
    preview_within(raster, PREVIEW_SIDE_MAX)
}

/// The same with a long side of at most so many pixels.
///
/// # Errors
/// As [`preview`].
pub fn preview_within(raster: &Raster, side_max: u32) -> Result<Vec<u8>, EncodeError> {
    let opaque = flat::opaque(raster);
    let (width, height) = size(raster.width, raster.height, side_max);
    let gray = raster.channels.colors() == 1;
    let small = if (width, height) == (raster.width, raster.height) {
        opaque
    } else if gray {
        Cow::Owned(shrunk::<U8>(raster, &opaque, width, height)?)
    } else {
        Cow::Owned(shrunk::<U8x3>(raster, &opaque, width, height)?)
    };
    let flat = Raster {
        width,
        height,
        channels: if gray { Channels::Gray } else { Channels::Rgb },
        samples: Samples::U8(Vec::new()),
    };
    Ok(encode::jpeg(&flat, &small, QUALITY, &Metadata::default())?.bytes)
}

/// Resampled by Lanczos with three lobes. The kind of pixel is fixed, as the resampler is large code for each.
fn shrunk<P: PixelTrait>(
    raster: &Raster,
    samples: &[u8],
    width: u32,
    height: u32,
) -> Result<Vec<u8>, EncodeError> {
    let failed = EncodeError::of(RESIZER);
    let source = TypedImageRef::<P>::from_buffer(raster.width, raster.height, samples)
        .map_err(|error| failed(&error))?;
    let mut small = vec![0; width as usize * height as usize * P::size()];
    let mut target =
        TypedImage::<P>::from_buffer(width, height, &mut small).map_err(|error| failed(&error))?;
    Resizer::new()
        .resize_typed(&source, &mut target, None)
        .map_err(|error| failed(&error))?;
    Ok(small)
}

/// The size of the preview: never larger, never 0.
fn size(width: u32, height: u32, side_max: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= side_max {
        return (width, height);
    }
    let scaled = |side: u32| {
        let (side, long, to) = (u64::from(side), u64::from(long), u64::from(side_max));
        ((2 * side * to + long) / (2 * long)).max(1) as u32
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(512, 1, 512), (512, 1));
        assert_eq!(size(513, 1, 512), (512, 1));
        assert_eq!(size(4000, 3000, 512), (512, 384));
        assert_eq!(size(1, 20_000, 512), (1, 512));
        assert_eq!(size(4000, 3000, 2048), (2048, 1536));
    }
}
