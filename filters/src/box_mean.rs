//! `box:R`: the mean of the (2R + 1)² pixels around each.
//!
//! With n = (2R + 1)²: ⌊(Σ sample + (n − 1)/2) / n⌋ per channel, one rounding for the whole square; OpenCV's
//! `blur` without its rounding to even. Sums of integers are exact, so the running sums below give the same
//! bytes wherever they begin. Borders: reflect 101. Pictures with alpha are mixed
//! [premultiplied](crate::premultiply), alpha as well.

use std::ops::Range;

use crate::boxes::{Reciprocal, Word};
use crate::premultiply::{premultiply, unpremultiply};
use crate::raster::Channels;
use crate::sample::Sample;
use crate::view::{View, reflect};

/// Result rows `rows`; the view must hold the rows `radius` above and below them, as far as there are any.
#[inline(always)]
pub(crate) fn apply<T: Sample>(radius: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let len = source.shape.row_len();
    match source.shape.channels {
        Channels::Gray => mean::<T, T, 1>(radius, source, rows, |row, _| row, out),
        Channels::Rgb => mean::<T, T, 3>(radius, source, rows, |row, _| row, out),
        Channels::GrayAlpha | Channels::Rgba => {
            let count = source.shape.channels.count();
            let mut band = vec![0; out.len()];
            if count == 2 {
                mean::<T, u16, 2>(radius, source, rows, premultiplied::<T, 2>, &mut band);
            } else {
                mean::<T, u16, 4>(radius, source, rows, premultiplied::<T, 4>, &mut band);
            }
            for (to, from) in out.chunks_exact_mut(len).zip(band.chunks_exact(len)) {
                unpremultiply(count, from, to);
            }
        }
    }
}

fn premultiplied<'a, T: Sample, const N: usize>(row: &[T], room: &'a mut [u16]) -> &'a [u16] {
    premultiply(N, row, room);
    room
}

/// The means of the rows that `load` makes of the source's, which may be these rows or put into the room given.
#[inline(always)]
fn mean<T: Sample, D: Sample, const N: usize>(
    radius: u32,
    source: &View<T>,
    rows: Range<u32>,
    load: impl for<'a> Fn(&'a [T], &'a mut [D]) -> &'a [D],
    out: &mut [D],
) {
    let n = (2 * u64::from(radius) + 1).pow(2);
    // The largest sum, with half of n for rounding.
    if u64::from(D::MAX) * n + n / 2 < 1 << 31 {
        let (by, half) = (Reciprocal::new(n as u32), n as u32 / 2);
        let mean = |sum: u32| D::clamp(by.divide(sum + half) as i32);
        slide::<u32, T, D, N>(radius, source, rows, load, mean, out);
    } else {
        let divisor = Divisor::new(n);
        let mean = |sum: u64| D::saturate(divisor.mean(sum) as i64);
        slide_wide::<T, D, N>(radius, source, rows, load, mean, out);
    }
}

/// [`slide`] where 32 bits are too few for a sum: seldom, and not compiled for each set of instructions.
fn slide_wide<T: Sample, D: Sample, const N: usize>(
    radius: u32,
    source: &View<T>,
    rows: Range<u32>,
    load: impl for<'a> Fn(&'a [T], &'a mut [D]) -> &'a [D],
    mean: impl Fn(u64) -> D,
    out: &mut [D],
) {
    slide::<u64, T, D, N>(radius, source, rows, load, mean, out);
}

/// Slides a square over each row of pixels of `N` samples, `mean` being that of its sum.
#[inline(always)]
fn slide<W: Word, T: Sample, D: Sample, const N: usize>(
    radius: u32,
    source: &View<T>,
    rows: Range<u32>,
    load: impl for<'a> Fn(&'a [T], &'a mut [D]) -> &'a [D],
    mean: impl Fn(W) -> D,
    out: &mut [D],
) {
    let (shape, reach) = (source.shape, i64::from(radius));
    let (width, len, radius) = (shape.width as usize, shape.row_len(), radius as usize);
    let row = |y: i64| source.row(reflect(y, shape.height));
    let [mut room, mut more_room] = [0; 2].map(|_| vec![D::default(); len]);
    // The sums over 2R + 1 rows, one for each sample of a row; R pixels at either side of it, reflected; and a pixel
    // that is read but not used.
    let mut columns = vec![[W::default(); N]; width + 2 * radius + 1];
    let first = i64::from(rows.start);
    for y in first - reach..=first + reach {
        let enters = load(row(y), &mut room);
        for (sum, enters) in columns[radius..].as_flattened_mut().iter_mut().zip(enters) {
            *sum = sum.plus(number(*enters));
        }
    }
    for (y, out) in (first..).zip(out.chunks_exact_mut(len)) {
        if y > first {
            let (enters, leaves) = (
                load(row(y + reach), &mut room),
                load(row(y - reach - 1), &mut more_room),
            );
            let sums = columns[radius..].as_flattened_mut().iter_mut();
            for ((sum, enters), leaves) in sums.zip(enters).zip(leaves) {
                *sum = sum.plus(number::<D, W>(*enters).minus(number(*leaves)));
            }
        }
        for x in (0..radius).chain(radius + width..2 * radius + width) {
            columns[x] = columns[radius + reflect(x as i64 - reach, shape.width) as usize];
        }
        across(radius, &columns, &mean, out);
    }
}

#[inline(always)]
fn number<D: Sample, W: Word>(sample: D) -> W {
    W::of(i64::from(sample.signed()))
}

/// Pixels whose sums are made one after the other before they are divided side by side.
const RUN: usize = 256;

/// The means of one row of pixels of `N` samples, from the sums of its columns.
#[inline(always)]
fn across<W: Word, D: Sample, const N: usize>(
    radius: usize,
    columns: &[[W; N]],
    mean: &impl Fn(W) -> D,
    out: &mut [D],
) {
    let (first, enters) = columns.split_at(2 * radius + 1);
    let mut square = [W::default(); N];
    for column in first {
        for i in 0..N {
            square[i] = square[i].plus(column[i]);
        }
    }
    let mut sums = [[W::default(); N]; RUN];
    let runs = out.chunks_mut(RUN * N).zip(enters.chunks(RUN));
    for ((out, enters), leaves) in runs.zip(columns.chunks(RUN)) {
        // What each step changes, then what is there before each step.
        let changes = enters.as_flattened().iter().zip(leaves.as_flattened());
        for (sum, (enters, leaves)) in sums.as_flattened_mut().iter_mut().zip(changes) {
            *sum = enters.minus(*leaves);
        }
        for sum in &mut sums[..enters.len()] {
            for i in 0..N {
                (sum[i], square[i]) = (square[i], square[i].plus(sum[i]));
            }
        }
        for (to, sum) in out.iter_mut().zip(sums.as_flattened()) {
            *to = mean(*sum);
        }
    }
}

/// Division by the size of a square by multiplication with its inverse, exact.
pub(crate) struct Divisor {
    n: u64,
    /// ⌊2⁶⁴ / n⌋ + 1.
    inverse: u128,
}

impl Divisor {
    pub fn new(n: u64) -> Divisor {
        Divisor {
            n,
            inverse: (1_u128 << 64) / u128::from(n) + 1,
        }
    }

    /// `sum / n` rounded half up. The inverse is too large by at most 1, which adds less than sum / 2⁶⁴ to
    /// the quotient: less than the 1/n that would be noticed, as sum · n is below 2³⁷ · 2²⁰.
    pub fn mean(&self, sum: u64) -> u64 {
        ((u128::from(sum + self.n / 2) * self.inverse) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BOX_RADIUS_MAX;
    use crate::raster::{Channels, Shape};

    /// The definition, written down as it reads.
    fn plainly<T: Sample>(radius: i64, width: u32, height: u32, samples: &[T]) -> Vec<u64> {
        let mut out = Vec::new();
        for y in 0..i64::from(height) {
            for x in 0..i64::from(width) {
                let mut sum = 0;
                for j in y - radius..=y + radius {
                    for i in x - radius..=x + radius {
                        let at = reflect(j, height) * width + reflect(i, width);
                        sum += Into::<u64>::into(samples[at as usize]);
                    }
                }
                let n = (2 * radius as u64 + 1).pow(2);
                out.push((2 * sum + n) / (2 * n));
            }
        }
        out
    }

    #[test]
    fn running_sums_are_the_definition() {
        for radius in [1, 2, 7, 30, 91] {
            for (width, height) in [(1, 1), (1, 9), (8, 1), (5, 4), (33, 21)] {
                let noise = |i: u32| i.wrapping_mul(2_654_435_761).rotate_left(9) ^ i;
                let samples: Vec<u16> = (0..width * height).map(|i| noise(i) as u16).collect();
                let shape = Shape {
                    width,
                    height,
                    channels: Channels::Gray,
                };
                let mut out = vec![0; samples.len()];
                apply(radius, &View::new(shape, 0, &samples), 0..height, &mut out);
                let found: Vec<u64> = out.into_iter().map(u64::from).collect();
                assert_eq!(
                    found,
                    plainly(i64::from(radius), width, height, &samples),
                    "{radius} {width}x{height}"
                );
            }
        }
    }

    #[test]
    fn the_largest_sums_fit() {
        let shape = Shape {
            width: 3,
            height: 2,
            channels: Channels::Gray,
        };
        for radius in [90, 91, 140, BOX_RADIUS_MAX] {
            let mut out = [0_u16; 6];
            apply(radius, &View::new(shape, 0, &[u16::MAX; 6]), 0..2, &mut out);
            assert_eq!(out, [u16::MAX; 6], "{radius}");
            let mut out = [0_u8; 6];
            apply(radius, &View::new(shape, 0, &[u8::MAX; 6]), 0..2, &mut out);
            assert_eq!(out, [u8::MAX; 6], "{radius}");
        }
    }

    #[test]
    fn known_answer() {
        let shape = Shape {
            width: 5,
            height: 1,
            channels: Channels::Gray,
        };
        let mut out = [0_u8; 5];
        apply(1, &View::new(shape, 0, &[0, 9, 0, 0, 0]), 0..1, &mut out);
        assert_eq!(out, [6, 3, 3, 0, 0]);
    }

    #[test]
    fn the_reciprocal_divides_exactly_wherever_it_is_used() {
        for radius in 1..=BOX_RADIUS_MAX {
            let n = (2 * radius + 1).pow(2);
            let by = Reciprocal::new(n);
            for max in [u32::from(u8::MAX), u32::from(u16::MAX)] {
                let most = u64::from(max) * u64::from(n) + u64::from(n / 2);
                if most >= 1 << 31 {
                    continue;
                }
                // It does not fall anywhere, so the first and last sum of each mean stand for those between.
                for mean in 0..=max {
                    let last = (mean * n + n - 1).min(most as u32);
                    assert_eq!([by.divide(mean * n), by.divide(last)], [mean; 2], "{radius}");
                }
            }
        }
    }

    #[test]
    fn the_inverse_divides_exactly_where_it_is_hardest() {
        for radius in 1..=u64::from(BOX_RADIUS_MAX) {
            let n = (2 * radius + 1).pow(2);
            let divisor = Divisor::new(n);
            for mean in [0, 1, 127, 254, 255, 32_768, 65_534, 65_535] {
                // The least sum that rounds to `mean`, and the one before it.
                let least = (mean * n).saturating_sub(n / 2);
                assert_eq!(divisor.mean(least), mean, "{radius}");
                if least > 0 {
                    assert_eq!(divisor.mean(least - 1), mean - 1, "{radius}");
                }
            }
        }
    }
}
