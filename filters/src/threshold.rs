//! `threshold:T`: black and white. A pixel whose luma is above T becomes white, any other black, as OpenCV's
//! `THRESH_BINARY` and ImageMagick's `-threshold` have it. The result is gray; alpha is kept.

use crate::grayscale;
use crate::raster::Channels;
use crate::sample::Sample;

/// Pixels of `channels` to pixels of `channels.to_gray()`, with `threshold` in steps of an 8-bit sample.
pub(crate) fn apply<T: Sample>(channels: Channels, threshold: u32, source: &[T], out: &mut [T]) {
    grayscale::apply(channels, source, out);
    let threshold = threshold as i32 * T::STEP;
    for pixel in out.chunks_exact_mut(channels.to_gray().count()) {
        let white = pixel[0].signed() > threshold;
        pixel[0] = T::saturate(if white { i64::from(T::MAX) } else { 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let mut out = [0_u8; 4];
        // The luma of pure green is 150.
        apply(Channels::Rgba, 149, &[0, 255, 0, 7, 149, 149, 149, 8], &mut out);
        assert_eq!(out, [255, 7, 0, 8]);
        apply(Channels::Rgba, 150, &[0, 255, 0, 7, 149, 149, 149, 8], &mut out);
        assert_eq!(out, [0, 7, 0, 8]);
        let mut out = [9_u16; 3];
        apply(Channels::Gray, 255, &[0, 65_534, 65_535], &mut out);
        assert_eq!(out, [0; 3]);
        apply(Channels::Gray, 100, &[0, 25_700, 25_701], &mut out);
        assert_eq!(out, [0, 0, 65_535]);
    }
}
