//! `sepia`: the tone of an old print. Gray pictures become Rgb, alpha is kept.

use crate::raster::Channels;
use crate::sample::Sample;

/// Rows give red, green, blue of the result. The matrix usual since Microsoft's .NET samples and the W3C
/// filter effects (0.393 0.769 0.189 / 0.349 0.686 0.168 / 0.272 0.534 0.131), times 32768.
const MATRIX: [[u32; 3]; 3] = [[12878, 25199, 6193], [11436, 22479, 5505], [8913, 17498, 4293]];

/// Pixels of `channels` to pixels of `channels.to_rgb()`: each row of the matrix times the pixel, plus
/// half, shifted right by 15, saturated.
#[inline(always)]
pub(crate) fn apply<T: Sample>(channels: Channels, source: &[T], out: &mut [T]) {
    let colors = channels.colors();
    let pixels = source.chunks_exact(channels.count());
    if channels == Channels::Rgb && T::MAX == u32::from(u8::MAX) {
        // Sums of 8-bit samples fit 32 bits, more of which fit a register.
        for (to, from) in out.chunks_exact_mut(3).zip(pixels) {
            let [r, g, b] = [from[0].signed(), from[1].signed(), from[2].signed()];
            for (sample, row) in to.iter_mut().zip(MATRIX) {
                let [of_r, of_g, of_b] = row.map(|weight| weight as i32);
                *sample = T::clamp((r * of_r + g * of_g + b * of_b + 16384) >> 15);
            }
        }
        return;
    }
    for (toned, p) in out.chunks_exact_mut(channels.to_rgb().count()).zip(pixels) {
        let (r, g, b): (u64, u64, u64) = if colors == 3 {
            (p[0].into(), p[1].into(), p[2].into())
        } else {
            ([p[0].into(); 3]).into()
        };
        for (sample, row) in toned.iter_mut().zip(MATRIX) {
            let sum = r * u64::from(row[0]) + g * u64::from(row[1]) + b * u64::from(row[2]);
            *sample = T::saturate(((sum + 16384) >> 15) as i64);
        }
        if channels.has_alpha() {
            toned[3] = p[colors];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let mut out = [0_u8; 6];
        apply(Channels::Rgb, &[100, 150, 200, 255, 255, 255], &mut out);
        assert_eq!(out, [192, 171, 134, 255, 255, 239]);
        let mut out = [0_u8; 4];
        apply(Channels::GrayAlpha, &[100, 42], &mut out);
        assert_eq!(out, [135, 120, 94, 42]);
        let mut out = [0_u16; 3];
        apply(Channels::Gray, &[1000], &mut out);
        assert_eq!(out, [1351, 1203, 937]);
    }
}
