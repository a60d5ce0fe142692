//! Luma apart from chroma, for the filters that change luma alone.
//!
//! The conversion is that of OpenCV's `COLOR_RGB2YCrCb` and `COLOR_YCrCb2RGB` for 8- and 16-bit samples: BT.601
//! in 14-bit fixed point, chroma around half of the full scale, every value rounded half up and saturated.
//! There and back is not exact: a pixel whose luma stays may change by 1.

use crate::raster::Channels;
use crate::sample::Sample;

/// Y = (R·4899 + G·9617 + B·1868) / 2¹⁴.
pub(crate) fn luma<T: Sample>(r: T, g: T, b: T) -> T {
    T::saturate(i64::from(descaled(
        r.signed() * 4899 + g.signed() * 9617 + b.signed() * 1868,
    )))
}

/// Luma of one pixel of `channels`, which is the sample itself if it has no colour.
pub(crate) fn pixel_luma<T: Sample>(channels: Channels, pixel: &[T]) -> T {
    if channels.colors() == 1 {
        pixel[0]
    } else {
        luma(pixel[0], pixel[1], pixel[2])
    }
}

/// Copies pixels with luma Y of pixel `i` replaced by `curve(i, Y)`; chroma and alpha are kept.
pub(crate) fn map_luma<T: Sample>(
    channels: Channels,
    source: &[T],
    out: &mut [T],
    curve: impl Fn(usize, T) -> T,
) {
    let (count, colors) = (channels.count(), channels.colors());
    let pixels = out.chunks_exact_mut(count).zip(source.chunks_exact(count));
    for (i, (to, from)) in pixels.enumerate() {
        if colors == 1 {
            to[0] = curve(i, from[0]);
        } else {
            let y = luma(from[0], from[1], from[2]);
            let colored = recolored(from[0].signed(), from[2].signed(), y, curve(i, y));
            to[..3].copy_from_slice(&colored);
        }
        if channels.has_alpha() {
            to[colors] = from[colors];
        }
    }
}

/// The pixel with red `r`, blue `b` and luma `old`, given the luma `new`.
fn recolored<T: Sample>(r: i32, b: i32, old: T, new: T) -> [T; 3] {
    let half = (T::MAX / 2 + 1) as i32;
    let chroma = |color: i32, weight: i32| {
        let value = descaled((color - old.signed()) * weight + (half << SHIFT));
        T::saturate(i64::from(value)).signed() - half
    };
    let (cr, cb) = (chroma(r, 11_682), chroma(b, 9241));
    let color = |difference: i32| T::saturate(i64::from(new.signed() + descaled(difference)));
    [
        color(cr * 22_987),
        color(cb * -5636 + cr * -11_698),
        color(cb * 29_049),
    ]
}

/// Bits after the point of the weights.
const SHIFT: u32 = 14;

/// OpenCV's `CV_DESCALE`: without those bits, rounded half up.
fn descaled(value: i32) -> i32 {
    (value + (1 << (SHIFT - 1))) >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_that_stays_leaves_colours_nearly_alone() {
        let same = |pixel: [u8; 3]| {
            let mut out = [0; 3];
            map_luma(Channels::Rgb, &pixel, &mut out, |_, y| y);
            out
        };
        for i in 0..=255_u8 {
            assert_eq!(same([i; 3]), [i; 3]);
            for other in [0, 60, 128, 255] {
                let pixel = [i, other, 255 - i];
                let back = same(pixel);
                assert!(
                    pixel.iter().zip(back).all(|(a, b)| a.abs_diff(b) <= 1),
                    "{pixel:?} {back:?}"
                );
            }
        }
    }

    #[test]
    fn known_answers() {
        // From OpenCV 5.0: Y of red, and the same pixel with Y set to 0 and to full scale.
        assert_eq!((luma(255_u8, 0, 0), luma(65_535_u16, 0, 0)), (76, 19_596));
        let with = |y: u8| {
            let mut out = [0; 4];
            map_luma(Channels::Rgba, &[200, 100, 50, 7], &mut out, |_, _| y);
            out
        };
        assert_eq!(with(0), [76, 0, 0, 7]);
        assert_eq!(with(255), [255, 231, 181, 7]);
        let mut out = [0_u16; 3];
        map_luma(Channels::Rgb, &[60_000, 1000, 30_000], &mut out, |_, _| 30_000);
        assert_eq!(out, [65_535, 9066, 38_053]);
    }
}
