//! Colour weighted by alpha, for the filters that mix neighbours: what is invisible must not bleed.
//!
//! Rows with alpha are mixed as 16-bit samples whatever their depth, then divided by the mixed alpha. An
//! 8-bit product is exact; a 16-bit one is rounded, so the colour of nearly transparent 16-bit pixels gets
//! coarser. Where the mixed alpha is 0 the colour is 0.

use crate::sample::Sample;

/// Full scale of the premultiplied samples: 255 · 255 or 65535.
const fn scale<T: Sample>() -> u32 {
    if T::MAX == 255 { 255 * 255 } else { T::MAX }
}

/// Pixels of `count` samples, the last of which is alpha, to premultiplied ones.
pub(crate) fn premultiply<T: Sample>(count: usize, source: &[T], out: &mut [u16]) {
    let unit = scale::<T>() / T::MAX;
    for (to, from) in out.chunks_exact_mut(count).zip(source.chunks_exact(count)) {
        let alpha: u32 = from[count - 1].into();
        for (to, from) in to[..count - 1].iter_mut().zip(from) {
            let product = alpha * Into::<u32>::into(*from);
            *to = if unit == 255 {
                product
            } else {
                (product + T::MAX / 2) / T::MAX
            } as u16;
        }
        to[count - 1] = (alpha * unit) as u16;
    }
}

/// The way back, rounding half up; samples above full scale (an overshoot) are saturated.
pub(crate) fn unpremultiply<T: Sample>(count: usize, source: &[u16], out: &mut [T]) {
    let unit = scale::<T>() / T::MAX;
    for (to, from) in out.chunks_exact_mut(count).zip(source.chunks_exact(count)) {
        let alpha = u32::from(from[count - 1]).min(scale::<T>());
        for (to, from) in to[..count - 1].iter_mut().zip(from) {
            let color = (u32::from(*from) * T::MAX + alpha / 2).checked_div(alpha);
            *to = T::saturate(i64::from(color.unwrap_or(0)));
        }
        to[count - 1] = T::saturate(i64::from((alpha + unit / 2) / unit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_come_back_exactly_unless_invisible() {
        for alpha in 0..=255_u8 {
            for color in [0, 1, 77, 254, 255_u8] {
                let (mut mid, mut back) = ([0; 2], [9; 2]);
                premultiply(2, &[color, alpha], &mut mid);
                unpremultiply(2, &mid, &mut back);
                assert_eq!(back, if alpha == 0 { [0, 0] } else { [color, alpha] });
            }
        }
    }

    #[test]
    fn opaque_sixteen_bits_come_back_exactly() {
        for color in [0, 1, 777, 65534, 65535_u16] {
            let (mut mid, mut back) = ([0; 2], [9; 2]);
            premultiply(2, &[color, 65535], &mut mid);
            unpremultiply(2, &mid, &mut back);
            assert_eq!(back, [color, 65535]);
        }
    }

    #[test]
    fn an_overshoot_is_saturated() {
        let mut back = [0_u8; 2];
        unpremultiply(2, &[65535, 65535], &mut back);
        assert_eq!(back, [255, 255]);
    }
}
