//! Samples for files that hold less than a raster: 8 bits, no alpha.

use std::borrow::Cow;

use filters::{Raster, Samples};

/// The samples with 8 bits, rounded half up.
pub(crate) fn eight(raster: &Raster) -> Cow<'_, [u8]> {
    match &raster.samples {
        Samples::U8(samples) => Cow::Borrowed(samples.as_slice()),
        Samples::U16(samples) => {
            let eight = |sample: &u16| ((u32::from(*sample) * 255 + 32_767) / 65_535) as u8;
            Cow::Owned(samples.iter().map(eight).collect())
        }
    }
}

/// The samples with 8 bits and without alpha, which is blended on white.
pub(crate) fn opaque(raster: &Raster) -> Cow<'_, [u8]> {
    let samples = eight(raster);
    if raster.channels.has_alpha() {
        Cow::Owned(on_white(&samples, raster.channels.colors() + 1))
    } else {
        samples
    }
}

fn on_white(samples: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len() / count * (count - 1));
    for pixel in samples.chunks_exact(count) {
        let alpha = u32::from(pixel[count - 1]);
        let over = |color: &u8| ((u32::from(*color) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        out.extend(pixel[..count - 1].iter().map(over));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_is_blended_on_white() {
        assert_eq!(
            on_white(&[10, 20, 30, 0, 10, 20, 30, 255], 4),
            [255, 255, 255, 10, 20, 30]
        );
        assert_eq!(on_white(&[0, 128], 2), [127]);
    }
}
