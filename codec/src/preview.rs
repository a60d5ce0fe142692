//! A small JPEG to look at while the picture itself is far away.
//!
//! Made once, by whoever adds the picture, and then an ordinary blob: nobody makes it again and compares, so
//! the fast resampler with its floating-point tables may be used here, and only here.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, Resizer};
use filters::{Channels, Raster, Samples};

use crate::decode::Metadata;
use crate::encode::{self, EncodeError};

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
    let failed = EncodeError::of(RESIZER);
    let pixels = match raster.channels {
        Channels::Gray => PixelType::U8,
        Channels::GrayAlpha => PixelType::U8x2,
        Channels::Rgb => PixelType::U8x3,
        Channels::Rgba => PixelType::U8x4,
    };
    let deep: Vec<u8>;
    let samples = match &raster.samples {
        Samples::U8(samples) => samples,
        Samples::U16(samples) => {
            deep = samples
                .iter()
                .map(|sample| ((u32::from(*sample) * 255 + 32_767) / 65_535) as u8)
                .collect();
            &deep
        }
    };
    let source =
        ImageRef::new(raster.width, raster.height, samples, pixels).map_err(|error| failed(&error))?;
    let (width, height) = size(raster.width, raster.height);
    let small = if (width, height) == (raster.width, raster.height) {
        samples.clone()
    } else {
        let mut small = Image::new(width, height, pixels);
        Resizer::new()
            .resize(&source, &mut small, None)
            .map_err(|error| failed(&error))?;
        small.into_vec()
    };
    let colors = raster.channels.colors();
    let opaque = if raster.channels.has_alpha() {
        on_white(&small, colors + 1)
    } else {
        small
    };
    let channels = if colors == 1 {
        Channels::Gray
    } else {
        Channels::Rgb
    };
    let flat = Raster {
        width,
        height,
        channels,
        samples: Samples::U8(Vec::new()),
    };
    Ok(encode::jpeg(&flat, &opaque, QUALITY, &Metadata::default())?.bytes)
}

/// The size of the preview: never larger, never 0.
fn size(width: u32, height: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= PREVIEW_SIDE_MAX {
        return (width, height);
    }
    let scaled = |side: u32| {
        let (side, long, to) = (u64::from(side), u64::from(long), u64::from(PREVIEW_SIDE_MAX));
        ((2 * side * to + long) / (2 * long)).max(1) as u32
    };
    (scaled(width), scaled(height))
}

fn on_white(samples: &[u8], count: usize) -> Vec<u8> {
    let pixels = samples.chunks_exact(count);
    let blend = |pixel: &[u8]| {
        let alpha = u32::from(pixel[count - 1]);
        let over = |color: &u8| ((u32::from(*color) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        pixel[..count - 1].iter().map(over).collect::<Vec<u8>>()
    };
    pixels.flat_map(blend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(512, 1), (512, 1));
        assert_eq!(size(513, 1), (512, 1));
        assert_eq!(size(4000, 3000), (512, 384));
        assert_eq!(size(1, 20_000), (1, 512));
    }

    #[test]
    fn alpha_is_blended_on_white() {
        assert_eq!(
            on_white(&[10, 20, 30, 0, 10, 20, 30, 255], 4),
            [255, 255, 255, 10, 20, 30]
        );
        assert_eq!(on_white(&[0, 128], 2), [127]);
    }
}
