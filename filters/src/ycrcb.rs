//! Luma apart from chroma, for the filters that change luma alone.
//!
//! The conversion is that of OpenCV's `COLOR_RGB2YCrCb` and `COLOR_YCrCb2RGB` for 8- and 16-bit samples: BT.601
//! in 14-bit fixed point, chroma around half of the full scale, every value rounded half up and saturated.
//! There and back is not exact: a pixel whose luma stays may change by 1.

use crate::planes::{LANES, join, split};
use crate::raster::Channels;
use crate::sample::Sample;

/// Y = (R·4899 + G·9617 + B·1868) / 2¹⁴.
#[inline(always)]
pub(crate) fn luma<T: Sample>(r: T, g: T, b: T) -> T {
    T::clamp(descaled(
        r.signed() * 4899 + g.signed() * 9617 + b.signed() * 1868,
    ))
}

/// Luma of one pixel of `channels`, which is the sample itself if it has no colour.
#[inline(always)]
pub(crate) fn pixel_luma<T: Sample>(channels: Channels, pixel: &[T]) -> T {
    if channels.colors() == 1 {
        pixel[0]
    } else {
        luma(pixel[0], pixel[1], pixel[2])
    }
}

/// Copies pixels with luma Y of pixel `i` replaced by `curve(i, Y)`; chroma and alpha are kept.
#[inline(always)]
pub(crate) fn map_luma<T: Sample>(
    channels: Channels,
    source: &[T],
    out: &mut [T],
    curve: impl Fn(usize, T) -> T,
) {
    match channels {
        Channels::Gray => map_gray::<T, 1>(source, out, curve),
        Channels::GrayAlpha => map_gray::<T, 2>(source, out, curve),
        Channels::Rgb => map_colors::<T, 3>(source, out, curve),
        Channels::Rgba => map_colors::<T, 4>(source, out, curve),
    }
}

#[inline(always)]
fn map_gray<T: Sample, const N: usize>(source: &[T], out: &mut [T], curve: impl Fn(usize, T) -> T) {
    let pixels = out
        .as_chunks_mut::<N>()
        .0
        .iter_mut()
        .zip(source.as_chunks::<N>().0);
    for (i, (to, from)) in pixels.enumerate() {
        *to = *from;
        to[0] = curve(i, from[0]);
    }
}

#[inline(always)]
fn map_colors<T: Sample, const N: usize>(source: &[T], out: &mut [T], curve: impl Fn(usize, T) -> T) {
    let (from, from_rest) = source.as_chunks::<N>().0.as_chunks::<LANES>();
    let (to, to_rest) = out.as_chunks_mut::<N>().0.as_chunks_mut::<LANES>();
    for (start, (to, from)) in (0..).step_by(LANES).zip(to.iter_mut().zip(from)) {
        let mut planes = split(from);
        let (mut old, mut new) = ([T::default(); LANES], [T::default(); LANES]);
        for i in 0..LANES {
            old[i] = luma(planes[0][i], planes[1][i], planes[2][i]);
        }
        for i in 0..LANES {
            new[i] = curve(start + i, old[i]);
        }
        for i in 0..LANES {
            let color = recolored(planes[0][i], planes[2][i], old[i], new[i]);
            [planes[0][i], planes[1][i], planes[2][i]] = color;
        }
        join(&planes, to);
    }
    let start = from.len() * LANES;
    for (i, (to, from)) in (start..).zip(to_rest.iter_mut().zip(from_rest)) {
        let y = luma(from[0], from[1], from[2]);
        *to = *from;
        to[..3].copy_from_slice(&recolored(from[0], from[2], y, curve(i, y)));
    }
}

/// The pixel with red `r`, blue `b` and luma `old`, given the luma `new`.
#[inline(always)]
fn recolored<T: Sample>(r: T, b: T, old: T, new: T) -> [T; 3] {
    let half = (T::MAX / 2 + 1) as i32;
    let chroma = |color: T, weight: i32| {
        let value = descaled((color.signed() - old.signed()) * weight + (half << SHIFT));
        T::clamp(value).signed() - half
    };
    let (cr, cb) = (chroma(r, 11_682), chroma(b, 9241));
    let color = |difference: i32| T::clamp(new.signed() + descaled(difference));
    [
        color(cr * 22_987),
        color(cb * -5636 + cr * -11_698),
        color(cb * 29_049),
    ]
}

/// Bits after the point of the weights.
const SHIFT: u32 = 14;

/// OpenCV's `CV_DESCALE`: without those bits, rounded half up.
#[inline(always)]
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
