//! `grayscale`: colour to luma. Gray pictures pass unchanged, alpha is kept.

use crate::planes;
use crate::raster::Channels;
use crate::sample::Sample;

/// Luma of one pixel: (R·9798 + G·19235 + B·3735 + 16384) >> 15.
///
/// The weights are 0.299, 0.587 and 0.114 of ITU-R BT.601 in 15-bit fixed point, as OpenCV's
/// `COLOR_RGB2GRAY` has them; they sum to 32768, so white stays white.
#[inline(always)]
pub(crate) fn luma<T: Sample>(r: T, g: T, b: T) -> T {
    let (r, g, b): (u32, u32, u32) = (r.into(), g.into(), b.into());
    T::clamp(((r * 9798 + g * 19235 + b * 3735 + 16384) >> 15) as i32)
}

/// Pixels of `channels` to pixels of `channels.to_gray()`.
#[inline(always)]
pub(crate) fn apply<T: Sample>(channels: Channels, source: &[T], out: &mut [T]) {
    match channels {
        Channels::Gray | Channels::GrayAlpha => out.copy_from_slice(source),
        Channels::Rgb => planes::map(source, out, |[r, g, b]| [luma(r, g, b)]),
        Channels::Rgba => planes::map(source, out, |[r, g, b, alpha]| [luma(r, g, b), alpha]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(luma(255_u8, 255, 255), 255);
        assert_eq!(luma(0_u8, 0, 0), 0);
        assert_eq!(luma(255_u8, 0, 0), 76);
        assert_eq!(luma(0_u8, 255, 0), 150);
        assert_eq!(luma(0_u8, 0, 255), 29);
        assert_eq!(luma(65535_u16, 65535, 65535), 65535);
        assert_eq!(luma(65535_u16, 0, 0), 19596);
        let mut out = [0_u8; 4];
        apply(Channels::Rgba, &[255, 0, 0, 7, 9, 9, 9, 255], &mut out);
        assert_eq!(out, [76, 7, 9, 255]);
    }
}
