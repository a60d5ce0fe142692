//! `resize:LONGSIDE` or `resize:WxH`: to the largest size that fits inside, keeping the proportions.
//!
//! Resampled by [Lanczos with three lobes](crate::lanczos): first down the columns, to numbers that keep 6 bits
//! after the point, then along the rows, both rounding half up. Columns first, because adding rows needs nothing
//! rearranged and takes away most samples. A band needs no row of another. Pictures with alpha are resampled
//! [premultiplied](crate::premultiply).

use std::ops::{AddAssign, Mul, Range};

use crate::error::FilterError;
use crate::lanczos::Axis;
use crate::premultiply::{premultiply, unpremultiply};
use crate::raster::{Channels, Shape};
use crate::sample::Sample;
use crate::view::View;

/// The box the result must fit into, in pixels; both sides at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// At most this many pixels per row.
    pub width: u32,
    /// At most this many rows.
    pub height: u32,
}

impl Fit {
    /// The shape of the result: one side exactly as asked, the other rounded half up and never 0.
    ///
    /// Small pictures are enlarged; the limits on a result stop that from getting out of hand.
    pub(crate) fn shape(self, source: Shape) -> Result<Shape, FilterError> {
        let (w, h) = (u64::from(source.width), u64::from(source.height));
        let (fit_w, fit_h) = (u64::from(self.width), u64::from(self.height));
        let scaled = |side: u64, to: u64, from: u64| ((2 * side * to + from) / (2 * from)).max(1) as u32;
        let (width, height) = if fit_w * h <= fit_h * w {
            (self.width, scaled(h, fit_w, w))
        } else {
            (scaled(w, fit_h, h), self.height)
        };
        let shape = Shape {
            width,
            height,
            ..source
        };
        shape.check().map(|()| shape)
    }
}

/// Bits after the point of what the columns give.
const FRACTION: u32 = 6;

/// A sample with the numbers that it is resampled by.
pub(crate) trait Depth: Sample {
    /// Holds a weight, or a sample with its overshoot and [`FRACTION`] bits after the point.
    type Word: Copy + Default + Into<Self::Sum>;
    /// Holds the sum of their products.
    type Sum: Copy + Default + Into<i64> + Mul<Output = Self::Sum> + AddAssign;
    /// Of a number that is known to fit.
    fn word(value: i32) -> Self::Word;
    /// Of one that is known to fit.
    fn sum(value: i64) -> Self::Sum;
    /// A sample.
    fn wide(self) -> Self::Sum;
    /// The sum without its last `bits`, as a word.
    fn shift(sum: Self::Sum, bits: u32) -> Self::Word;
    /// The sum without its last `bits`, as a sample.
    fn narrow(sum: Self::Sum, bits: u32) -> Self;
}

impl Depth for u8 {
    type Word = i16;
    type Sum = i32;
    #[inline(always)]
    fn word(value: i32) -> i16 {
        value as i16
    }
    #[inline(always)]
    fn sum(value: i64) -> i32 {
        value as i32
    }
    #[inline(always)]
    fn wide(self) -> i32 {
        i32::from(self)
    }
    #[inline(always)]
    fn shift(sum: i32, bits: u32) -> i16 {
        (sum >> bits) as i16
    }
    #[inline(always)]
    fn narrow(sum: i32, bits: u32) -> u8 {
        <u8 as Sample>::clamp(sum >> bits)
    }
}

impl Depth for u16 {
    type Word = i32;
    type Sum = i64;
    #[inline(always)]
    fn word(value: i32) -> i32 {
        value
    }
    #[inline(always)]
    fn sum(value: i64) -> i64 {
        value
    }
    #[inline(always)]
    fn wide(self) -> i64 {
        i64::from(self)
    }
    #[inline(always)]
    fn shift(sum: i64, bits: u32) -> i32 {
        (sum >> bits) as i32
    }
    #[inline(always)]
    fn narrow(sum: i64, bits: u32) -> u16 {
        u16::saturate(sum >> bits)
    }
}

/// Across and down, for samples of `bits`.
///
/// Plain 8-bit samples have weights that fit 16 bits: the largest is 1.3, less what shrinking takes away. The sums
/// along the rows fit 32 bits: samples up to 255 · 1.3 with [`FRACTION`] bits more, times weights with at most 16
/// whose sizes sum to 1.6. A test tries all kinds of sides.
pub(crate) fn axes(source: Shape, result: Shape, bits: u8) -> [Axis; 2] {
    let deep = bits > 8 || source.channels.has_alpha();
    let axis = |from: u32, to: u32| {
        let bits = if deep {
            22
        } else {
            14 + (from / to).max(1).ilog2().min(2)
        };
        Axis::new(from, to, bits)
    };
    [
        axis(source.width, result.width),
        axis(source.height, result.height),
    ]
}

/// Result rows `rows` of a result whose sides are `axes`.
#[inline(always)]
pub(crate) fn apply<T: Depth>(axes: &[Axis; 2], source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    // A vector along the rows is 64 or 96 samples: so many that the compiler keeps the loop, and has registers.
    match source.shape.channels {
        Channels::Gray => plain::<T, 1, 64>(axes, source, rows, out),
        Channels::GrayAlpha => premultiplied::<T, 2, 32>(axes, source, rows, out),
        Channels::Rgb => plain::<T, 3, 32>(axes, source, rows, out),
        Channels::Rgba => premultiplied::<T, 4, 16>(axes, source, rows, out),
    }
}

#[inline(always)]
fn plain<T: Depth, const N: usize, const ROWS: usize>(
    axes: &[Axis; 2],
    source: &View<T>,
    rows: Range<u32>,
    out: &mut [T],
) {
    let add = |weight: T::Sum, from: &[T; LANES], sums: &mut [T::Sum; LANES]| {
        sums.iter_mut()
            .zip(from)
            .for_each(|(sum, sample)| *sum += weight * sample.wide());
    };
    let store = |from: &[T], to: &mut [T]| to.copy_from_slice(from);
    resample::<T, T, N, ROWS>(axes, source, rows, out, add, store);
}

#[inline(always)]
fn premultiplied<T: Depth, const N: usize, const ROWS: usize>(
    axes: &[Axis; 2],
    source: &View<T>,
    rows: Range<u32>,
    out: &mut [T],
) {
    let add = |weight: i64, from: &[T; LANES], sums: &mut [i64; LANES]| {
        let mut samples = [0_u16; LANES];
        premultiply(N, from, &mut samples);
        sums.iter_mut()
            .zip(&samples)
            .for_each(|(sum, sample)| *sum += weight * sample.wide());
    };
    let store = |from: &[u16], to: &mut [T]| unpremultiply(N, from, to);
    resample::<T, u16, N, ROWS>(axes, source, rows, out, add, store);
}

/// Samples of a row worked on at once: their sums stay in registers. Whole pixels where there is alpha.
const LANES: usize = 64;
/// Samples of a row in a tile: so few that the source rows under it stay in a second cache. Odd, so that the rows of
/// a tile do not fall on one another in the first.
const TILE: usize = 33 * LANES;

/// `ROWS` result rows at once, pixels of `N` samples: down the columns in tiles, then along the rows, where a vector
/// is one pixel of each row, so that both passes are alike. `add` adds a weight times samples to their sums;
/// `store` takes a row as it was added.
#[inline(always)]
fn resample<T: Sample, D: Depth, const N: usize, const ROWS: usize>(
    [across, down]: &[Axis; 2],
    source: &View<T>,
    rows: Range<u32>,
    out: &mut [T],
    add: impl Fn(D::Sum, &[T; LANES], &mut [D::Sum; LANES]),
    store: impl Fn(&[D], &mut [T]),
) {
    let len = across.len() * N;
    let mut tile = vec![[D::Word::default(); TILE]; ROWS];
    let mut mids = vec![[D::Word::default(); ROWS]; source.shape.row_len()];
    let mut results = vec![D::default(); len * ROWS];
    for (first, out) in rows.clone().step_by(ROWS).zip(out.chunks_mut(len * ROWS)) {
        let batch = first..rows.end.min(first + ROWS as u32);
        for (at, mids) in mids.chunks_mut(TILE).enumerate() {
            for (y, tile) in batch.clone().zip(&mut tile) {
                let tile = &mut tile[..mids.len()];
                reduce::<T, D>(down, source, y, at * TILE, &add, tile);
            }
            for (i, mid) in mids.iter_mut().enumerate() {
                for (mid, tile) in mid.iter_mut().zip(&tile) {
                    *mid = tile[i];
                }
            }
        }
        along::<D, N, ROWS>(across, &mids, &mut results);
        for (out, row) in out.chunks_exact_mut(len).zip(results.chunks_exact(len)) {
            store(row, out);
        }
    }
}

/// A piece of row `y` of the columns' results, from sample `start` on.
#[inline(always)]
fn reduce<T: Sample, D: Depth>(
    down: &Axis,
    source: &View<T>,
    y: u32,
    start: usize,
    add: impl Fn(D::Sum, &[T; LANES], &mut [D::Sum; LANES]),
    mids: &mut [D::Word],
) {
    let (first, weights) = down.taps(y);
    let (len, bits) = (source.shape.row_len(), down.bits - FRACTION);
    let rows = source.rows(first..first + weights.len() as u32);
    for (chunk, mids) in mids.chunks_mut(LANES).enumerate() {
        let start = start + chunk * LANES;
        let mut sums = [D::sum(1 << (bits - 1)); LANES];
        if start + LANES <= len {
            for (weight, row) in weights.iter().zip(rows.chunks_exact(len)) {
                let samples = row[start..].first_chunk().expect("they are there");
                add(D::word(*weight).into(), samples, &mut sums);
            }
        } else {
            let mut samples = [T::default(); LANES];
            for (weight, row) in weights.iter().zip(rows.chunks_exact(len)) {
                samples[..mids.len()].copy_from_slice(&row[start..]);
                add(D::word(*weight).into(), &samples, &mut sums);
            }
        }
        for (mid, sum) in mids.iter_mut().zip(sums) {
            *mid = D::shift(sum, bits);
        }
    }
}

/// All rows of `mids`, pixels of `N` samples, to those of `out`.
#[inline(always)]
fn along<D: Depth, const N: usize, const ROWS: usize>(
    across: &Axis,
    mids: &[[D::Word; ROWS]],
    out: &mut [D],
) {
    let (pixels, _) = mids.as_chunks::<N>();
    let (len, bits) = (across.len() * N, across.bits + FRACTION);
    for x in 0..across.len() {
        let (first, weights) = across.taps(x as u32);
        let mut sums = [[D::sum(1 << (bits - 1)); ROWS]; N];
        for (weight, pixel) in weights.iter().zip(&pixels[first as usize..]) {
            let weight: D::Sum = D::word(*weight).into();
            for (sum, mid) in sums.as_flattened_mut().iter_mut().zip(pixel.as_flattened()) {
                *sum += weight * (*mid).into();
            }
        }
        for (channel, sums) in sums.iter().enumerate() {
            for (row, sum) in sums.iter().enumerate() {
                out[row * len + x * N + channel] = D::narrow(*sum, bits);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fit(width: u32, height: u32, from: (u32, u32)) -> Result<(u32, u32), FilterError> {
        let source = Shape {
            width: from.0,
            height: from.1,
            channels: Channels::Gray,
        };
        Fit { width, height }
            .shape(source)
            .map(|shape| (shape.width, shape.height))
    }

    #[test]
    fn the_size_fits_inside_and_is_never_zero() {
        assert_eq!(fit(512, 512, (4000, 3000)), Ok((512, 384)));
        assert_eq!(fit(512, 512, (3000, 4000)), Ok((384, 512)));
        assert_eq!(fit(800, 300, (4000, 3000)), Ok((400, 300)));
        assert_eq!(fit(100, 100, (20_000, 1)), Ok((100, 1)));
        assert_eq!(fit(3, 3, (2, 1)), Ok((3, 2)));
        assert_eq!(fit(10_000, 10_000, (1, 1)), Ok((10_000, 10_000)));
        assert_eq!(
            fit(10_001, 10_001, (1, 1)),
            Err(FilterError::TooLarge {
                width: 10_001,
                height: 10_001
            })
        );
        assert_eq!(fit(1_000_000, 1_000_000, (20_000, 1)), Ok((1_000_000, 50)));
    }

    /// The formula, one result sample after the other.
    fn formula<T: Sample>(axes: &[Axis; 2], source: Shape, samples: &[T]) -> Vec<T> {
        let [across, down] = axes;
        let (count, width) = (source.channels.count(), source.width as usize);
        let deep = T::MAX > 255 || source.channels.has_alpha();
        let mut loaded: Vec<i64> = samples.iter().map(|sample| sample.signed().into()).collect();
        if source.channels.has_alpha() {
            let mut to = vec![0; samples.len()];
            premultiply(count, samples, &mut to);
            loaded = to.into_iter().map(i64::from).collect();
        }
        let most = if deep { 65_535 } else { 255 };
        let mut out = Vec::new();
        for (y, x) in (0..down.len()).flat_map(|y| (0..across.len()).map(move |x| (y, x))) {
            let pixel = (0..count).map(|c| {
                let (left, along) = across.taps(x as u32);
                let (top, weights) = down.taps(y as u32);
                let column = |x: usize| {
                    let at = |k: usize| loaded[((top as usize + k) * width + x) * count + c];
                    let sum: i64 = weights
                        .iter()
                        .enumerate()
                        .map(|(k, w)| i64::from(*w) * at(k))
                        .sum();
                    (sum + (1 << (down.bits - 7))) >> (down.bits - 6)
                };
                let mids = along.iter().enumerate();
                let sum: i64 = mids.map(|(k, w)| i64::from(*w) * column(left as usize + k)).sum();
                ((sum + (1 << (across.bits + 5))) >> (across.bits + 6)).clamp(0, most) as u16
            });
            let pixel: Vec<u16> = pixel.collect();
            let mut to = vec![T::default(); count];
            if source.channels.has_alpha() {
                unpremultiply(count, &pixel, &mut to);
            } else {
                to = pixel.iter().map(|sample| T::saturate((*sample).into())).collect();
            }
            out.extend(to);
        }
        out
    }

    fn is_the_formula<T: Depth + PartialEq + std::fmt::Debug>(source: Shape, to: (u32, u32), samples: &[T]) {
        let result = Shape {
            width: to.0,
            height: to.1,
            ..source
        };
        let axes = axes(source, result, (size_of::<T>() * 8) as u8);
        let mut out = vec![T::default(); result.row_len() * to.1 as usize];
        apply(&axes, &View::new(source, 0, samples), 0..to.1, &mut out);
        assert_eq!(out, formula(&axes, source, samples), "{source:?} to {to:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        // Shrunk, enlarged, one pixel wide or high: what is computed in rows, planes and groups is what the
        // formula gives for each sample alone. Full and empty samples in stripes make it overshoot most.
        #[test]
        fn any_size_gives_the_formula_s_bytes(
            (width, height) in prop_oneof![(1..60_u32, 1..40_u32), (1..300_u32, 1..3_u32), (1..3_u32, 1..300_u32)],
            to in prop_oneof![(1..50_u32, 1..50_u32), (1..4_u32, 1..4_u32), (1..200_u32, 1..3_u32)],
            channels in prop::sample::select(vec![
                Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba,
            ]),
            stripes in 0..6_u64,
            seed in any::<u64>(),
        ) {
            let shape = Shape { width, height, channels };
            let len = (shape.row_len() * height as usize) as u64;
            let noise = |i: u64| match stripes {
                0..3 => (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40,
                wide => 0_u64.wrapping_sub(((i / channels.count() as u64) >> (wide - 3)) & 1),
            };
            is_the_formula(shape, to, &(0..len).map(|i| noise(i) as u8).collect::<Vec<_>>());
            is_the_formula(shape, to, &(0..len).map(|i| noise(i) as u16).collect::<Vec<_>>());
        }
    }

    #[test]
    fn weights_fit_their_words_and_sums_do() {
        let gray = |width, height| Shape {
            width,
            height,
            channels: Channels::Gray,
        };
        let sides: Vec<u32> = (1..40).chain([64, 100, 1001, 20_000]).collect();
        for from in &sides {
            for to in sides.iter().filter(|to| **to < 200) {
                let [axis, _] = axes(gray(*from, 1), gray(*to, 1), 8);
                for at in 0..*to {
                    let (_, weights) = axis.taps(at);
                    assert!(
                        weights.iter().all(|w| i16::try_from(*w).is_ok()),
                        "{from} to {to}"
                    );
                    let up: i64 = weights.iter().map(|w| i64::from(*w).max(0)).sum();
                    let down = up - (1 << axis.bits);
                    // The largest and the smallest mid, and the largest sum they can make.
                    let (most, least) = (
                        (255 * 64 * up) >> axis.bits,
                        -((255 * 64 * down) >> axis.bits) - 1,
                    );
                    assert!(most < i16::MAX.into(), "{from} to {to}: {most}");
                    assert!(
                        most * up - least * down < i64::from(i32::MAX) - (1 << 21),
                        "{from} to {to}"
                    );
                }
            }
        }
    }

    #[test]
    fn known_answers() {
        let resized = |row: &[u8], to: u32| {
            let shape = |width| Shape {
                width,
                height: 1,
                channels: Channels::Gray,
            };
            let from = shape(row.len() as u32);
            let mut out = vec![0; to as usize];
            apply(
                &axes(from, shape(to), 8),
                &View::new(from, 0, row),
                0..1,
                &mut out,
            );
            out
        };
        let row = [0, 0, 0, 0, 200, 200, 200, 200_u8];
        assert_eq!(resized(&row, 8), row);
        assert_eq!(resized(&row, 1), [100]);
        assert_eq!(resized(&[7], 3), [7, 7, 7]);
    }

    // On noise, which has every frequency, so that a wrong weight would show.
    #[test]
    fn it_is_lanczos_in_real_numbers() {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
            }
        };
        let kernel = |d: f64| {
            if d.abs() < 3.0 {
                sinc(d) * sinc(d / 3.0)
            } else {
                0.0
            }
        };
        let weights = |from: u32, to: u32| -> Vec<Vec<f64>> {
            let scale = f64::from(from) / f64::from(to);
            let row = |i: u32| {
                let centre = (f64::from(i) + 0.5) * scale - 0.5;
                let row: Vec<f64> = (0..from)
                    .map(|j| kernel((f64::from(j) - centre) / scale.max(1.0)))
                    .collect();
                let total: f64 = row.iter().sum();
                row.into_iter().map(|w| w / total).collect()
            };
            (0..to).map(row).collect()
        };
        let source = Shape {
            width: 90,
            height: 70,
            channels: Channels::Gray,
        };
        let samples: Vec<u8> = (0..90 * 70_u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        for (width, height) in [(13, 10), (45, 35), (89, 69), (200, 150), (1, 1)] {
            let result = Shape {
                width,
                height,
                ..source
            };
            let mut out = vec![0; (width * height) as usize];
            apply(
                &axes(source, result, 8),
                &View::new(source, 0, &samples),
                0..height,
                &mut out,
            );
            let [across, down] = [weights(90, width), weights(70, height)];
            for (i, found) in out.iter().enumerate() {
                let (x, y) = (i % width as usize, i / width as usize);
                let sum: f64 = (0..90 * 70)
                    .map(|j| across[x][j % 90] * down[y][j / 90] * f64::from(samples[j]))
                    .sum();
                let error = (sum.clamp(0.0, 255.0) - f64::from(*found)).abs();
                // Half a step is rounding; the rest is what integers add.
                assert!(error < 0.52, "{width}x{height} {i}: {error}");
            }
        }
    }
}
