//! `kuwahara:R`: each pixel becomes the mean of the calmest of the four squares that meet in it.
//!
//! The squares have (R + 1)² pixels and the pixel in their corner (M. Kuwahara et al., 1976). The calmest has
//! the least variance, summed over the channels; of equally calm ones the first of upper left, upper right,
//! lower left, lower right. With n pixels in a square, n² times its variance is n·Σ sample² − (Σ sample)²,
//! an integer, and its mean is rounded half up. Borders: reflect 101. Pictures with alpha are mixed
//! [premultiplied](crate::premultiply), and alpha is one of the channels.

use std::ops::Range;

use crate::box_mean::Divisor;
use crate::premultiply::{premultiply, unpremultiply};
use crate::sample::Sample;
use crate::view::{View, reflect};

/// Result rows `rows`; the view must hold the rows `radius` above and below them, as far as there are any.
pub(crate) fn apply<T: Sample>(radius: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let copy = |row: &[T], to: &mut [T]| to.copy_from_slice(row);
    match source.shape.channels.count() {
        1 => calmest::<T, T, 1>(radius, source, rows, out, copy, copy),
        3 => calmest::<T, T, 3>(radius, source, rows, out, copy, copy),
        2 => calmest::<T, u16, 2>(
            radius,
            source,
            rows,
            out,
            |row, to| premultiply(2, row, to),
            |from, to| unpremultiply(2, from, to),
        ),
        _ => calmest::<T, u16, 4>(
            radius,
            source,
            rows,
            out,
            |row, to| premultiply(4, row, to),
            |from, to| unpremultiply(4, from, to),
        ),
    }
}

/// What is known of a square, or of one column of it.
#[derive(Clone, Copy)]
struct Sums<const N: usize> {
    /// Σ sample, for each channel.
    samples: [u64; N],
    /// Σ sample², over all channels: below 441 · 4 · 2³².
    squares: u64,
}

impl<const N: usize> Sums<N> {
    const NONE: Sums<N> = Sums {
        samples: [0; N],
        squares: 0,
    };

    fn add(&mut self, other: &Sums<N>) {
        self.samples
            .iter_mut()
            .zip(other.samples)
            .for_each(|(to, n)| *to += n);
        self.squares += other.squares;
    }

    fn take(&mut self, other: &Sums<N>) {
        self.samples
            .iter_mut()
            .zip(other.samples)
            .for_each(|(to, n)| *to -= n);
        self.squares -= other.squares;
    }

    fn of<D: Sample>(pixel: &[D; N]) -> Sums<N> {
        let samples = pixel.map(Into::<u64>::into);
        Sums {
            samples,
            squares: samples.iter().map(|sample| sample * sample).sum(),
        }
    }

    /// n² times the variance of the n pixels: below 441² · 4 · 2³².
    fn spread(&self, n: u64) -> u64 {
        n * self.squares - self.samples.iter().map(|sum| sum * sum).sum::<u64>()
    }
}

/// The squares whose upper row is `top`, by running sums.
struct Squares<const N: usize> {
    top: i64,
    /// Sums over R + 1 rows.
    columns: Vec<Sums<N>>,
    /// The squares with their spread; the first has its left column at −R, the last at width − 1.
    squares: Vec<(Sums<N>, u64)>,
}

impl<const N: usize> Squares<N> {
    fn new(radius: u32, top: i64, width: usize, load: &mut impl FnMut(i64, &mut [Sums<N>])) -> Squares<N> {
        let mut squares = Squares {
            top,
            columns: vec![Sums::NONE; width],
            squares: vec![(Sums::NONE, 0); width + radius as usize],
        };
        let mut row = vec![Sums::NONE; width];
        for y in top..=top + i64::from(radius) {
            load(y, &mut row);
            squares
                .columns
                .iter_mut()
                .zip(&row)
                .for_each(|(to, pixel)| to.add(pixel));
        }
        squares.slide(radius);
        squares
    }

    /// One row down.
    fn down(&mut self, radius: u32, row: &mut [Sums<N>], load: &mut impl FnMut(i64, &mut [Sums<N>])) {
        load(self.top, row);
        self.columns
            .iter_mut()
            .zip(&*row)
            .for_each(|(to, pixel)| to.take(pixel));
        load(self.top + i64::from(radius) + 1, row);
        self.columns
            .iter_mut()
            .zip(&*row)
            .for_each(|(to, pixel)| to.add(pixel));
        self.top += 1;
        self.slide(radius);
    }

    fn slide(&mut self, radius: u32) {
        let reach = i64::from(radius);
        let n = (u64::from(radius) + 1).pow(2);
        let at = |x: i64| &self.columns[reflect(x, self.columns.len() as u32) as usize];
        let mut sums = Sums::NONE;
        for x in -reach..0 {
            sums.add(at(x));
        }
        for (square, left) in self.squares.iter_mut().zip(-reach..) {
            sums.add(at(left + reach));
            *square = (sums, sums.spread(n));
            sums.take(at(left));
        }
    }
}

fn calmest<T: Sample, D: Sample, const N: usize>(
    radius: u32,
    source: &View<T>,
    rows: Range<u32>,
    out: &mut [T],
    load: impl Fn(&[T], &mut [D]),
    store: impl Fn(&[D], &mut [T]),
) {
    let shape = source.shape;
    let (width, reach) = (shape.width as usize, radius as usize);
    let divisor = Divisor::new((u64::from(radius) + 1).pow(2));
    let mut loaded = vec![D::default(); width * N];
    let mut load = |y: i64, to: &mut [Sums<N>]| {
        load(source.row(reflect(y, shape.height)), &mut loaded);
        let (pixels, _) = loaded.as_chunks::<N>();
        to.iter_mut()
            .zip(pixels)
            .for_each(|(to, pixel)| *to = Sums::of(pixel));
    };
    let start = i64::from(rows.start);
    let mut upper = Squares::new(radius, start - i64::from(radius), width, &mut load);
    let mut lower = Squares::new(radius, start, width, &mut load);
    let mut scratch = vec![Sums::NONE; width];
    let mut made = vec![D::default(); width * N];
    for (y, out) in rows.clone().zip(out.chunks_exact_mut(width * N)) {
        let (pixels, _) = made.as_chunks_mut::<N>();
        for (x, to) in pixels.iter_mut().enumerate() {
            let four = [
                &upper.squares[x],
                &upper.squares[x + reach],
                &lower.squares[x],
                &lower.squares[x + reach],
            ];
            let (sums, _) = four
                .into_iter()
                .min_by_key(|(_, spread)| *spread)
                .expect("there are four");
            *to = sums.samples.map(|sum| D::saturate(divisor.mean(sum) as i64));
        }
        store(&made, out);
        if y + 1 < rows.end {
            upper.down(radius, &mut scratch, &mut load);
            lower.down(radius, &mut scratch, &mut load);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Channels, Shape};

    /// The definition, written down as it reads.
    fn plainly(radius: i64, shape: Shape, samples: &[u16]) -> Vec<u16> {
        let count = shape.channels.count();
        let at = |x: i64, y: i64| {
            let at = reflect(y, shape.height) * shape.width + reflect(x, shape.width);
            &samples[at as usize * count..][..count]
        };
        let mut out = Vec::new();
        for y in 0..i64::from(shape.height) {
            for x in 0..i64::from(shape.width) {
                let mut best: Option<(u64, Vec<u64>)> = None;
                for (left, top) in [(x - radius, y - radius), (x, y - radius), (x - radius, y), (x, y)] {
                    let square: Vec<&[u16]> = (top..=top + radius)
                        .flat_map(|y| (left..=left + radius).map(move |x| (x, y)))
                        .map(|(x, y)| at(x, y))
                        .collect();
                    let n = square.len() as u64;
                    let mean: Vec<u64> = (0..count)
                        .map(|c| {
                            (2 * square.iter().map(|pixel| u64::from(pixel[c])).sum::<u64>() + n) / (2 * n)
                        })
                        .collect();
                    // n² times the variance is the sum of the squared differences of all pairs.
                    let pairs = square
                        .iter()
                        .enumerate()
                        .flat_map(|(i, a)| square[..i].iter().map(move |b| (a, b)));
                    let variance = pairs
                        .flat_map(|(a, b)| a.iter().zip(*b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)))
                        .sum::<u64>();
                    if best.as_ref().is_none_or(|(least, _)| variance < *least) {
                        best = Some((variance, mean));
                    }
                }
                out.extend(best.unwrap().1.into_iter().map(|mean| mean as u16));
            }
        }
        out
    }

    #[test]
    fn running_sums_are_the_definition() {
        for channels in [Channels::Gray, Channels::Rgb] {
            for (radius, width, height) in [(1, 1, 1), (2, 1, 9), (3, 8, 1), (1, 13, 11), (4, 9, 17)] {
                let shape = Shape {
                    width,
                    height,
                    channels,
                };
                let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 20) as u8;
                let bytes: Vec<u8> = (0..shape.row_len() as u32 * height).map(noise).collect();
                let words: Vec<u16> = bytes.iter().map(|b| u16::from(*b) * 257).collect();
                let mut out = vec![0; bytes.len()];
                apply(radius, &View::new(shape, 0, &bytes), 0..height, &mut out);
                let plain = bytes.iter().map(|b| u16::from(*b)).collect::<Vec<_>>();
                let found: Vec<u16> = out.into_iter().map(u16::from).collect();
                assert_eq!(
                    found,
                    plainly(i64::from(radius), shape, &plain),
                    "{radius} {shape:?}"
                );
                let mut out = vec![0; words.len()];
                apply(radius, &View::new(shape, 0, &words), 0..height, &mut out);
                assert_eq!(
                    out,
                    plainly(i64::from(radius), shape, &words),
                    "{radius} {shape:?}, deep"
                );
            }
        }
    }

    #[test]
    fn an_edge_stays_where_it_is() {
        let shape = Shape {
            width: 8,
            height: 1,
            channels: Channels::Gray,
        };
        let mut out = [0_u8; 8];
        let row = [10, 12, 10, 12, 200, 202, 200, 202];
        apply(1, &View::new(shape, 0, &row), 0..1, &mut out);
        assert_eq!(out, [11, 11, 11, 11, 201, 201, 201, 201]);
    }
}
