//! `box:R`: the mean of the (2R + 1)² pixels around each.
//!
//! With n = (2R + 1)²: ⌊(Σ sample + (n − 1)/2) / n⌋ per channel, one rounding for the whole square; OpenCV's
//! `blur` without its rounding to even. Sums of integers are exact, so the running sums below give the same
//! bytes wherever they begin. Borders: reflect 101. Pictures with alpha are mixed
//! [premultiplied](crate::premultiply), alpha as well.

use std::ops::Range;

use crate::premultiply::{premultiply, unpremultiply};
use crate::sample::Sample;
use crate::view::{View, reflect};

/// Result rows `rows`; the view must hold the rows `radius` above and below them, as far as there are any.
pub(crate) fn apply<T: Sample>(radius: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let count = source.shape.channels.count();
    if source.shape.channels.has_alpha() {
        let load = |row: &[T], to: &mut [u16]| premultiply(count, row, to);
        mean::<T, u16>(radius, source, rows, out, load, |from, to| {
            unpremultiply(count, from, to)
        });
    } else {
        let copy = |row: &[T], to: &mut [T]| to.copy_from_slice(row);
        mean::<T, T>(radius, source, rows, out, copy, copy);
    }
}

/// The means of the rows that `load` makes of the source's; `store` makes result rows of them.
fn mean<T: Sample, D: Sample>(
    radius: u32,
    source: &View<T>,
    rows: Range<u32>,
    out: &mut [T],
    load: impl Fn(&[T], &mut [D]),
    store: impl Fn(&[D], &mut [T]),
) {
    let shape = source.shape;
    let (count, len, reach) = (shape.channels.count(), shape.row_len(), i64::from(radius));
    let divisor = Divisor::new((2 * u64::from(radius) + 1).pow(2));
    let mut loaded = vec![D::default(); len];
    // The sums over 2R + 1 rows, one for each sample of a row.
    let mut columns = vec![0_u64; len];
    let mut move_by = |columns: &mut [u64], y: i64, enters: bool| {
        load(source.row(reflect(y, shape.height)), &mut loaded);
        for (sum, sample) in columns.iter_mut().zip(&loaded) {
            let sample: u64 = (*sample).into();
            *sum = if enters { *sum + sample } else { *sum - sample };
        }
    };
    for y in i64::from(rows.start) - reach..i64::from(rows.start) + reach {
        move_by(&mut columns, y, true);
    }
    let mut row = vec![D::default(); len];
    for (y, out) in rows.zip(out.chunks_exact_mut(len)) {
        move_by(&mut columns, i64::from(y) + reach, true);
        match count {
            1 => across::<D, 1>(radius, &divisor, &columns, &mut row),
            2 => across::<D, 2>(radius, &divisor, &columns, &mut row),
            3 => across::<D, 3>(radius, &divisor, &columns, &mut row),
            _ => across::<D, 4>(radius, &divisor, &columns, &mut row),
        }
        store(&row, out);
        move_by(&mut columns, i64::from(y) - reach, false);
    }
}

/// The means of one row of pixels of `N` samples, from the sums of its columns.
fn across<D: Sample, const N: usize>(radius: u32, divisor: &Divisor, columns: &[u64], out: &mut [D]) {
    let (columns, _) = columns.as_chunks::<N>();
    let (results, _) = out.as_chunks_mut::<N>();
    let (width, reach) = (columns.len(), i64::from(radius));
    let at = |x: i64| &columns[reflect(x, width as u32) as usize];
    let mut sums = [0_u64; N];
    for x in -reach..reach {
        sums.iter_mut()
            .zip(at(x))
            .for_each(|(sum, column)| *sum += column);
    }
    let inside = radius as usize..width.saturating_sub(radius as usize);
    for (x, to) in results.iter_mut().enumerate() {
        let (enters, leaves) = if inside.contains(&x) {
            (&columns[x + radius as usize], &columns[x - radius as usize])
        } else {
            (at(x as i64 + reach), at(x as i64 - reach))
        };
        for (((to, sum), enters), leaves) in to.iter_mut().zip(&mut sums).zip(enters).zip(leaves) {
            *sum += enters;
            *to = D::saturate(divisor.mean(*sum) as i64);
            *sum -= leaves;
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
        for radius in [1, 2, 7, 30] {
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
