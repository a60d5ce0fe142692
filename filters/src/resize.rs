//! `resize:LONGSIDE` or `resize:WxH`: to the largest size that fits inside, keeping the proportions.
//!
//! Resampled with the Catmull–Rom cubic (Keys 1981, a = −½), stretched by the factor when shrinking so that
//! nothing aliases, rows first and rounded to a sample, then columns, as Pillow's `BICUBIC` does. Being a
//! polynomial it is exact in integers: no table of sines. Taps outside the picture are dropped and the rest
//! is weighted up. Pictures with alpha are resampled [premultiplied](crate::premultiply).

use std::ops::{AddAssign, Mul, Range};

use crate::error::FilterError;
use crate::premultiply::{premultiply, unpremultiply};
use crate::raster::Shape;
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

/// Bits of a weight. 255 · 2²² · 1.25, the most that overshoot can make, is within an `i32`.
const WEIGHT_BITS: u32 = 22;

/// How each position along one side is made of source positions.
pub(crate) struct Axis {
    /// First source position and where its weights are, for each result position.
    taps: Vec<(u32, Range<usize>)>,
    weights: Vec<i32>,
}

impl Axis {
    /// The table from a side of `from` pixels to one of `to`: about 4 · max(from, to) weights.
    pub fn new(from: u32, to: u32) -> Axis {
        let mut axis = Axis {
            taps: Vec::with_capacity(to as usize),
            weights: Vec::new(),
        };
        let (from, to) = (i64::from(from), i64::from(to));
        // The distance of source position j from result position i, in units of the (stretched) cubic, is
        // |(2j + 1)·to − (2i + 1)·from| / unit.
        let unit = 2 * from.max(to);
        for i in 0..to {
            let centre = (2 * i + 1) * from;
            let first = ((centre - 2 * unit - to).div_euclid(2 * to)).max(0);
            let last = ((centre + 2 * unit - to).div_euclid(2 * to) + 1).min(from - 1);
            let cubics = (first..=last).map(|j| cubic(((2 * j + 1) * to - centre).abs(), unit));
            let start = axis.weights.len();
            let total: i128 = cubics.clone().sum();
            // Rounding the running sum, not each weight, makes the sum exact however many weights there are.
            let (mut sum, mut given) = (0, 0);
            for cubic in cubics {
                sum += cubic;
                let until = ((sum << (WEIGHT_BITS + 1)) + total).div_euclid(2 * total);
                axis.weights.push((until - given) as i32);
                given = until;
            }
            axis.taps.push((first as u32, start..axis.weights.len()));
        }
        axis
    }

    /// Source positions that the result positions `range` are made of.
    pub fn source(&self, range: Range<u32>) -> Range<u32> {
        let (first, _) = self.taps[range.start as usize];
        let (last, weights) = &self.taps[range.end as usize - 1];
        first..last + weights.len() as u32
    }
}

/// The cubic at the distance d = `distance / unit`, times 2⁴⁹, with d taken to 16 bits after the point:
/// 1.5d³ − 2.5d² + 1 up to 1, −0.5d³ + 2.5d² − 4d + 2 up to 2, 0 beyond.
fn cubic(distance: i64, unit: i64) -> i128 {
    let d = i128::from((distance << 16) / unit);
    match d >> 16 {
        0 => 3 * d * d * d - ((5 * d * d) << 16) + (2 << 48),
        1 => -d * d * d + ((5 * d * d) << 16) - ((8 * d) << 32) + (4 << 48),
        _ => 0,
    }
}

/// A sample with the sum that holds it times a weight.
pub(crate) trait Depth: Sample {
    /// `i32` for 8 bits, `i64` for 16.
    type Sum: Copy + From<i32> + Into<i64> + Mul<Output = Self::Sum> + AddAssign;
}

impl Depth for u8 {
    type Sum = i32;
}

impl Depth for u16 {
    type Sum = i64;
}

/// Result rows `rows` of a result whose sides are `axes`.
pub(crate) fn apply<T: Depth>(axes: &[Axis; 2], source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let count = source.shape.channels.count();
    if source.shape.channels.has_alpha() {
        let load = |row: &[T], to: &mut [u16]| premultiply(count, row, to);
        resample::<T, u16>(axes, source, rows, out, load, |from, to| {
            unpremultiply(count, from, to)
        });
    } else {
        let copy = |row: &[T], to: &mut [T]| to.copy_from_slice(row);
        resample::<T, T>(axes, source, rows, out, copy, copy);
    }
}

fn resample<T: Sample, D: Depth>(
    [across, down]: &[Axis; 2],
    source: &View<T>,
    rows: Range<u32>,
    out: &mut [T],
    load: impl Fn(&[T], &mut [D]),
    store: impl Fn(&[D], &mut [T]),
) {
    let count = source.shape.channels.count();
    let len = across.taps.len() * count;
    let source_rows = down.source(rows.clone());
    let mut loaded = vec![D::default(); source.shape.row_len()];
    let mut mids = vec![D::default(); source_rows.len() * len];
    for (y, mid) in source_rows.clone().zip(mids.chunks_exact_mut(len)) {
        load(source.row(y), &mut loaded);
        match count {
            1 => along::<D, 1>(across, &loaded, mid),
            2 => along::<D, 2>(across, &loaded, mid),
            3 => along::<D, 3>(across, &loaded, mid),
            _ => along::<D, 4>(across, &loaded, mid),
        }
    }
    let mut sums = vec![D::Sum::from(0); len];
    let mut row = vec![D::default(); len];
    for (y, out) in rows.zip(out.chunks_exact_mut(len)) {
        let (first, weights) = &down.taps[y as usize];
        sums.fill(D::Sum::from(HALF));
        let mids = mids[(first - source_rows.start) as usize * len..].chunks_exact(len);
        for (weight, mid) in down.weights[weights.clone()].iter().zip(mids) {
            let weight = D::Sum::from(*weight);
            sums.iter_mut()
                .zip(mid)
                .for_each(|(sum, mid)| *sum += weight * D::Sum::from(mid.signed()));
        }
        row.iter_mut().zip(&sums).for_each(|(to, sum)| *to = narrow(*sum));
        store(&row, out);
    }
}

/// Half of the weights' unit: rounds the shift of [`narrow`].
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

fn narrow<D: Depth>(sum: D::Sum) -> D {
    D::saturate(Into::<i64>::into(sum) >> WEIGHT_BITS)
}

/// One row of pixels of `N` samples.
fn along<D: Depth, const N: usize>(axis: &Axis, source: &[D], out: &mut [D]) {
    let (pixels, _) = source.as_chunks::<N>();
    let (results, _) = out.as_chunks_mut::<N>();
    for (to, (first, weights)) in results.iter_mut().zip(&axis.taps) {
        let mut sums = [D::Sum::from(HALF); N];
        for (weight, pixel) in axis.weights[weights.clone()]
            .iter()
            .zip(&pixels[*first as usize..])
        {
            for (sum, sample) in sums.iter_mut().zip(pixel) {
                *sum += D::Sum::from(*weight) * D::Sum::from(sample.signed());
            }
        }
        *to = sums.map(narrow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Channels;

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

    #[test]
    fn weights_sum_exactly_and_stay_inside() {
        for (from, to) in [
            (1, 1),
            (1, 9),
            (9, 1),
            (7, 5),
            (5, 7),
            (100, 3),
            (3, 100),
            (200_000, 7),
            (64, 64),
        ] {
            let axis = Axis::new(from, to);
            for (first, weights) in &axis.taps {
                let weights = &axis.weights[weights.clone()];
                assert!(first + weights.len() as u32 <= from);
                assert_eq!(
                    weights.iter().map(|w| i64::from(*w)).sum::<i64>(),
                    1 << WEIGHT_BITS
                );
                let size: i64 = weights.iter().map(|w| i64::from(*w).abs()).sum();
                assert!(
                    size * 255 + i64::from(HALF) <= i64::from(i32::MAX),
                    "{from} to {to}: {size}"
                );
            }
        }
    }

    #[test]
    fn known_answers() {
        let shape = Shape {
            width: 8,
            height: 1,
            channels: Channels::Gray,
        };
        let row = [0, 0, 0, 0, 200, 200, 200, 200_u8];
        let resized = |to: u32| {
            let axes = [Axis::new(8, to), Axis::new(1, 1)];
            let mut out = vec![0; to as usize];
            apply(&axes, &View::new(shape, 0, &row), 0..1, &mut out);
            out
        };
        assert_eq!(resized(8), row);
        // From the real-valued formula: −2.51 13.127 186.873 202.51.
        assert_eq!(resized(4), [0, 13, 187, 203]);
        // −4.688 −14.062 40.625 159.375 214.062 204.688 at the step.
        assert_eq!(
            resized(16),
            [0, 0, 0, 0, 0, 0, 0, 41, 159, 214, 205, 200, 200, 200, 200, 200]
        );
        assert_eq!(resized(1), [100]);
    }
}
