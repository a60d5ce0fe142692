//! `sepia`: the tone of an old print. Gray pictures become Rgb, alpha is kept.

use crate::planes;
use crate::raster::Channels;
use crate::sample::Sample;

/// Rows give red, green, blue of the result. The matrix usual since Microsoft's .NET samples and the W3C
/// filter effects (0.393 0.769 0.189 / 0.349 0.686 0.168 / 0.272 0.534 0.131), times 32768.
const MATRIX: [[u32; 3]; 3] = [[12878, 25199, 6193], [11436, 22479, 5505], [8913, 17498, 4293]];

/// Pixels of `channels` to pixels of `channels.to_rgb()`: each row of the matrix times the pixel, plus
/// half, shifted right by 15, saturated.
#[inline(always)]
pub(crate) fn apply<T: Sample>(channels: Channels, source: &[T], out: &mut [T]) {
    match channels {
        Channels::Gray => planes::map(source, out, |[luma]| toned(luma, luma, luma)),
        Channels::GrayAlpha => planes::map(source, out, |[luma, alpha]| {
            let [r, g, b] = toned(luma, luma, luma);
            [r, g, b, alpha]
        }),
        Channels::Rgb => planes::map(source, out, |[r, g, b]| toned(r, g, b)),
        Channels::Rgba => planes::map(source, out, |[r, g, b, alpha]| {
            let [r, g, b] = toned(r, g, b);
            [r, g, b, alpha]
        }),
    }
}

#[inline(always)]
fn toned<T: Sample>(r: T, g: T, b: T) -> [T; 3] {
    let (r, g, b): (u32, u32, u32) = (r.into(), g.into(), b.into());
    let tone = |row| {
        T::clamp(if T::MAX == u32::from(u8::MAX) {
            tone_in_16_bits(row, [r as u16, g as u16, b as u16])
        } else {
            tone_in_32_bits(row, [r, g, b])
        })
    };
    [tone(MATRIX[0]), tone(MATRIX[1]), tone(MATRIX[2])]
}

/// A row of the matrix times a pixel. The heaviest row weighs 44,270: 16-bit samples give less than 2³².
#[inline(always)]
fn tone_in_32_bits([of_r, of_g, of_b]: [u32; 3], [r, g, b]: [u32; 3]) -> i32 {
    ((r * of_r + g * of_g + b * of_b + 16384) >> 15) as i32
}

/// The same for 8-bit samples, at most 255: half as wide is twice as many at once. The low 7 bits of the weights are
/// summed apart and their carry added to the sum of the high ones, in units of 2⁷. What saturates is white
/// anyway: from 255·2⁸ on.
#[inline(always)]
fn tone_in_16_bits(row: [u32; 3], [r, g, b]: [u16; 3]) -> i32 {
    let [low_r, low_g, low_b] = row.map(|weight| (weight % 128) as u16);
    let [of_r, of_g, of_b] = row.map(|weight| (weight / 128) as u16);
    let low = r * low_r + g * low_g + b * low_b;
    let high = (low / 128 + 128 + b * of_b)
        .saturating_add(r * of_r)
        .saturating_add(g * of_g);
    i32::from(high / 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_enough_for_every_8_bit_pixel() {
        for pixel in 0..1_u32 << 24 {
            let samples = [pixel >> 16, pixel >> 8 & 255, pixel & 255];
            for row in MATRIX {
                let narrow = tone_in_16_bits(row, samples.map(|sample| sample as u16));
                assert_eq!(narrow, tone_in_32_bits(row, samples).min(255), "{samples:?}");
            }
        }
    }

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
