//! `transfer:L,A,B,DL,DA,DB`: the colours of another picture, by their means and deviations.
//!
//! Erik Reinhard and others, "Color Transfer between Images" (2001): each of lightness and the two opponents is moved
//! to the other picture's mean and stretched to its standard deviation; here in [Oklab](crate::oklab). What is taken of
//! the other picture are those six numbers, in percent, and they stand in the recipe: so a version can be made again
//! where the other picture is not known. Nothing is stretched more than [`STRETCH_MAX`] times. Gray pictures become
//! Rgb, alpha is kept, and what is wholly transparent does not count.

use std::fmt;

use crate::decimal::Thousandths;
use crate::error::FilterError;
use crate::limits::STRETCH_MAX;
use crate::oklab::{Lab, ONE, Space};
use crate::raster::{Channels, Raster, Samples};
use crate::sample::Sample;

/// 100 %, in thousandths of a percent.
const WHOLE: i64 = 100_000;

/// Means and standard deviations of lightness, a and b of Oklab, in thousandths of a percent of white's lightness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Where the colours are.
    pub mean: [i32; 3],
    /// How far they spread.
    pub deviation: [u32; 3],
}

impl Palette {
    /// That of a picture. One in which nothing can be seen counts as black.
    ///
    /// # Errors
    /// The raster contradicts itself or is too large, as in [`Raster::new`].
    pub fn of(raster: &Raster) -> Result<Palette, FilterError> {
        raster.check()?;
        let mut moments = Moments::default();
        match &raster.samples {
            Samples::U8(samples) => moments.add(raster.channels, samples),
            Samples::U16(samples) => moments.add(raster.channels, samples),
        }
        let one = i64::from(ONE);
        Ok(Palette {
            mean: moments
                .mean()
                .map(|mean| rounded(i64::from(mean) * WHOLE, one) as i32),
            deviation: moments
                .deviation()
                .map(|fine| rounded(fine * WHOLE, one << FINE) as u32),
        })
    }
}

/// The parameters of the step.
impl fmt::Display for Palette {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mean in self.mean {
            let sign = if mean < 0 { "-" } else { "" };
            write!(f, "{sign}{},", Thousandths(mean.unsigned_abs()))?;
        }
        let [l, a, b] = self.deviation.map(Thousandths);
        write!(f, "{l},{a},{b}")
    }
}

/// a / b to the nearest, halves up, for `b > 0`.
fn rounded(a: i64, b: i64) -> i64 {
    (2 * a + b).div_euclid(2 * b)
}

/// Bits after the point of a deviation.
const FINE: u32 = 8;

/// Sums over the colours seen so far. Those of parts add up to those of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moments {
    count: u64,
    sums: [i64; 3],
    squares: [u64; 3],
}

impl Moments {
    /// Counts more pixels.
    pub fn add<T: Sample>(&mut self, channels: Channels, samples: &[T]) {
        let space = Space::of::<T>();
        for pixel in samples.chunks_exact(channels.count()) {
            if channels.has_alpha() && Into::<u32>::into(pixel[channels.colors()]) == 0 {
                continue;
            }
            self.count += 1;
            for (i, value) in space.lab(rgb(channels, pixel)).into_iter().enumerate() {
                self.sums[i] += i64::from(value);
                self.squares[i] += u64::from(value.unsigned_abs()).pow(2);
            }
        }
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        for i in 0..3 {
            self.sums[i] += other.sums[i];
            self.squares[i] += other.squares[i];
        }
    }

    fn mean(&self) -> Lab {
        let count = self.count.max(1) as i64;
        self.sums.map(|sum| rounded(sum, count) as i32)
    }

    /// The standard deviations, with [`FINE`] bits after the point, rounded down: √(n·Σx² − (Σx)²) / n.
    fn deviation(&self) -> [i64; 3] {
        let count = u128::from(self.count.max(1));
        std::array::from_fn(|i| {
            let spread = count * u128::from(self.squares[i]) - u128::from(self.sums[i].unsigned_abs()).pow(2);
            ((spread << (2 * FINE)).isqrt() / count) as i64
        })
    }

    /// What moves the colours that were counted to those of `wanted`.
    pub fn mapping(&self, wanted: Palette) -> Mapping {
        let (from, spread, one) = (self.mean(), self.deviation(), i64::from(ONE));
        Mapping {
            from,
            to: wanted
                .mean
                .map(|mean| rounded(i64::from(mean) * one, WHOLE) as i32),
            stretch: std::array::from_fn(|i| {
                let target = i64::from(wanted.deviation[i]) * (one << FINE);
                // Times 2¹⁶.
                ((target << 16) / (WHOLE * spread[i].max(1))).min(STRETCH_MAX << 16)
            }),
        }
    }
}

/// Red, green and blue of a pixel that may be gray.
#[inline(always)]
fn rgb<T: Sample>(channels: Channels, pixel: &[T]) -> [T; 3] {
    if channels.colors() == 3 {
        [pixel[0], pixel[1], pixel[2]]
    } else {
        [pixel[0]; 3]
    }
}

/// Where each colour goes.
pub(crate) struct Mapping {
    from: Lab,
    to: Lab,
    /// Times 2¹⁶.
    stretch: [i64; 3],
}

impl Mapping {
    /// Pixels of `channels` to pixels of `channels.to_rgb()`.
    #[inline(always)]
    pub fn apply<T: Sample>(&self, channels: Channels, source: &[T], out: &mut [T]) {
        let space = Space::of::<T>();
        let pixels = source.chunks_exact(channels.count());
        for (to, from) in out.chunks_exact_mut(channels.to_rgb().count()).zip(pixels) {
            let lab = space.lab(rgb(channels, from));
            let moved = std::array::from_fn(|i| {
                let away = i64::from(lab[i] - self.from[i]) * self.stretch[i];
                self.to[i] + ((away + (1 << 15)) >> 16) as i32
            });
            to[..3].copy_from_slice(&space.rgb(moved));
            if channels.has_alpha() {
                to[3] = from[channels.colors()];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(channels: Channels, samples: Vec<u8>) -> Raster {
        let width = (samples.len() / channels.count()) as u32;
        Raster::new(width, 1, channels, Samples::U8(samples)).unwrap()
    }

    fn noise(seed: u32, len: usize, range: std::ops::Range<u32>) -> Vec<u8> {
        let value = |i: u32| (i.wrapping_add(seed)).wrapping_mul(2_654_435_761) >> 8;
        (0..len as u32)
            .map(|i| (range.start + value(i) % range.len() as u32) as u8)
            .collect()
    }

    fn moved(source: &[u8], wanted: Palette) -> Vec<u8> {
        let mut moments = Moments::default();
        moments.add(Channels::Rgb, source);
        let mut out = vec![0; source.len()];
        moments.mapping(wanted).apply(Channels::Rgb, source, &mut out);
        out
    }

    #[test]
    fn known_palettes() {
        let of = |channels, samples| Palette::of(&raster(channels, samples)).unwrap();
        let flat = Palette {
            mean: [100_000, 0, 0],
            deviation: [0; 3],
        };
        assert_eq!(of(Channels::Gray, vec![255; 3]), flat);
        assert_eq!(flat.to_string(), "100,0,0,0,0,0");
        // Black and white: the mean is half, and so is the deviation.
        let half = of(Channels::Rgb, vec![0, 0, 0, 255, 255, 255]);
        assert_eq!((half.mean, half.deviation), ([50_001, 0, 0], [50_000, 0, 0]));
        assert_eq!(
            of(Channels::GrayAlpha, vec![255, 9, 0, 0]),
            flat,
            "what is invisible does not count"
        );
        assert_eq!(of(Channels::GrayAlpha, vec![255, 0]).mean, [0; 3]);
        // The published Oklab of red is 0.62796, 0.22486, 0.12585; of blue 0.45201, −0.03246, −0.31153.
        assert_eq!(
            of(Channels::Rgb, vec![255, 0, 0]).to_string(),
            "62.795,22.484,12.584,0,0,0"
        );
        assert_eq!(
            of(Channels::Rgb, vec![0, 0, 255]).to_string(),
            "45.203,-3.246,-31.151,0,0,0"
        );
    }

    #[test]
    fn the_result_has_the_palette_that_was_asked_for() {
        let source = noise(1, 3000, 90..150);
        let style = noise(7, 3000, 60..160);
        let wanted = Palette::of(&raster(Channels::Rgb, style)).unwrap();
        let found = Palette::of(&raster(Channels::Rgb, moved(&source, wanted))).unwrap();
        let near = |a: i32, b: i32| a.abs_diff(b) < 400;
        assert!(
            wanted.mean.iter().zip(found.mean).all(|(a, b)| near(*a, b)),
            "{wanted:?} {found:?}"
        );
        let spread = wanted.deviation.iter().zip(found.deviation);
        assert!(
            spread.clone().all(|(a, b)| near(*a as i32, b as i32)),
            "{wanted:?} {found:?}"
        );
    }

    #[test]
    fn a_pictures_own_palette_leaves_it_as_it_is() {
        let source = noise(3, 3000, 0..256);
        let own = Palette::of(&raster(Channels::Rgb, source.clone())).unwrap();
        let back = moved(&source, own);
        assert!(source.iter().zip(&back).all(|(a, b)| a.abs_diff(*b) <= 3));
    }

    /// The noise of a picture of one colour is not taken for colours.
    #[test]
    fn a_flat_picture_is_stretched_so_far_and_no_further() {
        let source = [120_u8, 120, 120, 121, 121, 121].repeat(50);
        let wanted = Palette {
            mean: [50_000, 0, 0],
            deviation: [50_000; 3],
        };
        let mut moments = Moments::default();
        moments.add(Channels::Rgb, &source);
        assert_eq!(moments.mapping(wanted).stretch[0], STRETCH_MAX << 16);
        let levels: std::collections::BTreeSet<u8> = moved(&source, wanted).into_iter().collect();
        assert!(
            levels.last().unwrap() - levels.first().unwrap() <= 5,
            "{levels:?}"
        );
    }
}
