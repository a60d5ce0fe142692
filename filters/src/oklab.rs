//! Colours as the eye compares them: sRGB to Oklab and back, in integers.
//!
//! Björn Ottosson, "A perceptual color space for image processing" (2020): linear light, weighted to the three
//! cones, their cube roots weighted to lightness L and the opponents a (green to red) and b (blue to yellow). The
//! transfer curve is that of IEC 61966-2-1. Linear light and cones are 16 bits of full scale, L, a and b parts of
//! [`ONE`]; matrices are the published ones times 2¹⁶, rounded so that gray stays gray to the last bit.

use std::sync::LazyLock;

use crate::gamma;
use crate::sample::Sample;

/// Lightness of white.
pub(crate) const ONE: i32 = 65_535;

/// L, a and b.
pub(crate) type Lab = [i32; 3];

type Matrix = [[i64; 3]; 3];

const RGB_TO_CONES: Matrix = [
    [27_015, 35_149, 3372],
    [13_887, 44_610, 7039],
    [5787, 18_463, 41_286],
];
const ROOTS_TO_LAB: Matrix = [
    [13_792, 52_011, -267],
    [129_630, -159_160, 29_530],
    [1697, 51_300, -52_997],
];
const LAB_TO_ROOTS: Matrix = [
    [65_536, 25_974, 14_143],
    [65_536, -6918, -4185],
    [65_536, -5864, -84_639],
];
const CONES_TO_RGB: Matrix = [
    [267_173, -216_774, 15_137],
    [-83_128, 171_033, -22_369],
    [-275, -46_099, 111_910],
];

#[inline(always)]
fn times(matrix: &Matrix, v: [i64; 3]) -> [i64; 3] {
    matrix.map(|row| (row[0] * v[0] + row[1] * v[1] + row[2] * v[2] + (1 << 15)) >> 16)
}

/// The curves of samples with one depth.
pub(crate) struct Space {
    /// Linear light of each sample.
    linear: Vec<u16>,
    /// The sample of each linear light.
    sample: Vec<u16>,
    /// The cube root of each cone.
    root: Vec<u16>,
}

impl Space {
    /// That of samples of `T`'s depth; made once.
    pub fn of<T: Sample>() -> &'static Space {
        static EIGHT: LazyLock<Space> = LazyLock::new(|| Space::new(255));
        static SIXTEEN: LazyLock<Space> = LazyLock::new(|| Space::new(65_535));
        if T::MAX == 255 { &EIGHT } else { &SIXTEEN }
    }

    fn new(max: u32) -> Space {
        let linear: Vec<u16> = (0..=max).map(|sample| linear(sample, max)).collect();
        let mut above = 0;
        let nearest = |light: u16| {
            // `above` is the first sample that is as light or lighter.
            while linear[above] < light {
                above += 1;
            }
            let below = above.saturating_sub(1);
            let is_below = light - linear[below].min(light) < linear[above] - light;
            (if is_below { below } else { above }) as u16
        };
        let sample = (0..=u16::MAX).map(nearest).collect();
        let mut root = 0_u64;
        let cube_root = |cone: u64| {
            // The nearest: (2n + 1)³ / (2 · 65535)³ is the middle between n and the next.
            while (2 * root + 1).pow(3) <= cone * 8 * 65_535 * 65_535 {
                root += 1;
            }
            root as u16
        };
        Space {
            sample,
            root: (0..=65_535).map(cube_root).collect(),
            linear,
        }
    }

    /// The colour of red, green and blue.
    #[inline(always)]
    pub fn lab<T: Sample>(&self, rgb: [T; 3]) -> Lab {
        let light = rgb.map(|sample| i64::from(self.linear[Into::<u32>::into(sample) as usize]));
        let roots = times(&RGB_TO_CONES, light).map(|cone| i64::from(self.root[cone as usize]));
        times(&ROOTS_TO_LAB, roots).map(|value| value as i32)
    }

    /// Red, green and blue of a colour; what sRGB does not have is cut off at black and full scale.
    #[inline(always)]
    pub fn rgb<T: Sample>(&self, lab: Lab) -> [T; 3] {
        let one = i64::from(ONE);
        // No cone of a colour that can be shown is beyond full scale; twice that is cut off by the samples.
        let roots = times(&LAB_TO_ROOTS, lab.map(i64::from)).map(|root| root.clamp(0, 2 * one));
        let cones = roots.map(|root| (root * root * root + one * one / 2) / (one * one));
        times(&CONES_TO_RGB, cones).map(|light| {
            let sample = self.sample[light.clamp(0, one) as usize];
            T::saturate(i64::from(sample))
        })
    }
}

/// Linear light of a sample of full scale `max`: v / 12.92 up to 0.04045, ((v + 0.055) / 1.055)^2.4 beyond.
fn linear(sample: u32, max: u32) -> u16 {
    let (sample, max) = (u64::from(sample), u64::from(max));
    if sample * 100_000 <= 4045 * max {
        let (up, down) = (sample * 65_535 * 100, 1292 * max);
        return ((2 * up + down) / (2 * down)) as u16;
    }
    gamma::raised(1000 * sample + 55 * max, 1055 * max, (12, 5), 65_535)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published formulae in floats: L, a, b as parts of 1.
    fn plain(rgb: [f64; 3]) -> [f64; 3] {
        let [r, g, b] = rgb.map(|v| match v {
            _ if v <= 0.04045 => v / 12.92,
            _ => ((v + 0.055) / 1.055).powf(2.4),
        });
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        [
            0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
            1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
            0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
        ]
    }

    #[test]
    fn colours_agree_with_the_published_formulae() {
        let (mut worst, space) = (0.0_f64, Space::of::<u8>());
        for r in (0..=255_u8).step_by(5) {
            for g in (0..=255).step_by(5) {
                for b in (0..=255).step_by(5) {
                    let expected = plain([r, g, b].map(|v| f64::from(v) / 255.0));
                    let found = space.lab([r, g, b]).map(|v| f64::from(v) / 65_535.0);
                    let off = expected.iter().zip(found).map(|(e, f)| (e - f).abs());
                    worst = off.fold(worst, f64::max);
                }
            }
        }
        // Worst near black, where half a step in 65535 of a cone moves its cube root most.
        assert!(worst < 0.0025, "{worst}");
        let red = space.lab([255_u8, 0, 0]).map(|v| f64::from(v) / 65_535.0);
        let known = [0.627_96, 0.224_86, 0.125_85];
        assert!(
            red.iter().zip(known).all(|(a, b)| (a - b).abs() < 1e-4),
            "{red:?}"
        );
    }

    #[test]
    fn colours_come_back() {
        let space = Space::of::<u8>();
        for r in (0..=255_u8).step_by(3) {
            for g in (0..=255).step_by(3) {
                for b in (0..=255).step_by(3) {
                    let back: [u8; 3] = space.rgb(space.lab([r, g, b]));
                    let off = [r, g, b].iter().zip(back).map(|(a, b)| a.abs_diff(b)).max();
                    assert!(off.unwrap() <= 2, "{:?} {back:?}", [r, g, b]);
                }
            }
        }
    }

    #[test]
    fn gray_is_without_colour_and_comes_back_exactly() {
        let (eight, sixteen) = (Space::of::<u8>(), Space::of::<u16>());
        for v in 0..=255_u8 {
            let lab = eight.lab([v; 3]);
            assert_eq!((lab[1], lab[2]), (0, 0), "{v}");
            assert_eq!(eight.rgb::<u8>(lab), [v; 3]);
            // The dark samples of 16 bits share a light, 13 of them at most.
            let deep = u16::from(v) * 257;
            let back: [u16; 3] = sixteen.rgb(sixteen.lab([deep; 3]));
            assert!(back[0].abs_diff(deep) <= 20, "{deep} {back:?}");
        }
        assert_eq!(eight.lab([255_u8; 3]), [ONE, 0, 0]);
    }
}
