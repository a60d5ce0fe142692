//! `levels:BLACK,WHITE[,GAMMA]`: what was BLACK becomes black, what was WHITE becomes white, and in between
//! out = ((in − BLACK) / (WHITE − BLACK))^(1/GAMMA), as ImageMagick's `-level` and the input levels of GIMP.
//! Each colour sample by itself; alpha is kept.

use crate::gamma;

/// The points, in steps of an 8-bit sample, and the exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// What becomes black.
    pub black: u32,
    /// What becomes white; more than `black`.
    pub white: u32,
    /// The gamma of the mid-tones, in thousandths.
    pub gamma: u32,
}

impl Levels {
    /// The result of every sample of full scale `max`.
    pub(crate) fn table(self, max: u32) -> Vec<u16> {
        let step = max / 255;
        table(self.black * step, self.white * step, self.gamma, max)
    }
}

/// The result of every sample `0..=max`: 0 up to `black`, `max` from `white` on, the
/// [power](gamma::power) of the proportion in between.
pub(crate) fn table(black: u32, white: u32, gamma: u32, max: u32) -> Vec<u16> {
    debug_assert!(
        black < white && white <= max,
        "whoever chose the points saw to it"
    );
    (0..=max)
        .map(|sample| match sample {
            _ if sample <= black => 0,
            _ if sample >= white => max as u16,
            _ => gamma::power(sample - black, white - black, gamma, max),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let at = |black, white, gamma, samples: [usize; 6]| {
            let table = Levels { black, white, gamma }.table(255);
            samples.map(|sample| table[sample])
        };
        // (60 − 50) / 100 · 255 = 25.5, half up.
        assert_eq!(
            at(50, 150, 1000, [0, 50, 60, 100, 150, 255]),
            [0, 0, 26, 128, 255, 255]
        );
        // The roots of 0.1 and 0.5.
        assert_eq!(
            at(50, 150, 2000, [0, 50, 60, 100, 150, 255]),
            [0, 0, 81, 180, 255, 255]
        );
        assert_eq!(
            at(254, 255, 1000, [0, 1, 253, 254, 255, 255]),
            [0, 0, 0, 0, 255, 255]
        );
    }

    #[test]
    fn sixteen_bits_agree_with_the_plain_formula() {
        let levels = Levels {
            black: 30,
            white: 200,
            gamma: 700,
        };
        for (sample, found) in levels.table(65_535).into_iter().enumerate() {
            let part = (sample as f64 / 257.0 - 30.0) / 170.0;
            let expected = part.clamp(0.0, 1.0).powf(1.0 / 0.7) * 65_535.0;
            assert!(
                (f64::from(found) - expected).abs() < 0.5001,
                "{sample}: {found} {expected}"
            );
        }
    }
}
