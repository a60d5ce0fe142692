//! `blur:SIGMA`: Gaussian blur, rows first, then columns.
//!
//! With the kernel k of [`gaussian`](crate::gaussian), its sum W and F spare bits (7 for 8-bit samples, 15
//! for 16-bit ones), both passes rounding half up:
//! mid = ⌊(Σ k·sample·2^F + W/2) / W⌋ along the row, then result = ⌊(Σ k·mid + W·2^(F−1)) / (W·2^F)⌋ along
//! the column. Borders: reflect 101. Pictures with alpha are blurred
//! [premultiplied](crate::premultiply), alpha as well. Any way to compute these sums gives the same bytes.

use std::ops::{AddAssign, Mul, Range};

use crate::gaussian::Kernel;
use crate::premultiply::{premultiply, unpremultiply};
use crate::sample::Sample;
use crate::view::{View, reflect};

/// A sample with what the passes need around it.
pub(crate) trait Depth: Sample {
    /// Holds a sample with F more bits.
    type Mid: Copy + Default + Into<u64>;
    /// Holds 32768 times a `Mid`.
    type Sum: Copy + Default + Into<u64> + From<Self::Mid> + From<u16> + Mul<Output = Self::Sum> + AddAssign;
    /// F.
    const FRACTION: u32;
    /// A number that is known to fit.
    fn mid(value: u64) -> Self::Mid;
}

impl Depth for u8 {
    type Mid = u16;
    type Sum = u32;
    const FRACTION: u32 = 7;
    fn mid(value: u64) -> u16 {
        value as u16
    }
}

impl Depth for u16 {
    type Mid = u32;
    type Sum = u64;
    const FRACTION: u32 = 15;
    fn mid(value: u64) -> u32 {
        value as u32
    }
}

/// Result rows `rows`; the view must hold the rows `radius` above and below them, as far as there are any.
pub(crate) fn apply<T: Depth>(kernel: &Kernel, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let count = source.shape.channels.count();
    let len = source.shape.row_len();
    if source.shape.channels.has_alpha() {
        let load = |row: &[T], to: &mut [u16]| premultiply(count, row, to);
        let band = smooth::<T, u16>(kernel, source, rows, load);
        for (to, from) in out.chunks_exact_mut(len).zip(band.chunks_exact(len)) {
            unpremultiply(count, from, to);
        }
    } else {
        out.copy_from_slice(&smooth::<T, T>(kernel, source, rows, |row, to| {
            to.copy_from_slice(row)
        }));
    }
}

/// Both passes, on the rows that `load` makes of the source's.
fn smooth<T: Sample, D: Depth>(
    kernel: &Kernel,
    source: &View<T>,
    rows: Range<u32>,
    load: impl Fn(&[T], &mut [D]),
) -> Vec<D> {
    let shape = source.shape;
    let (count, len, radius) = (shape.channels.count(), shape.row_len(), kernel.radius() as usize);
    let mut padded = vec![D::default(); len + 2 * radius * count];
    let halo = i64::from(rows.start) - radius as i64..i64::from(rows.end) + radius as i64;
    // The halo of boxes may be far higher than the picture: each row there is passes once.
    let passed = match kernel {
        Kernel::Sampled(_) => halo.clone(),
        Kernel::Boxes(_) => halo.start.max(0)..halo.end.min(i64::from(shape.height)),
    };
    let mut mids = Vec::with_capacity((passed.end - passed.start) as usize * len);
    for y in passed.clone() {
        load(
            source.row(reflect(y, shape.height)),
            &mut padded[radius * count..][..len],
        );
        for x in (0..radius).chain(radius + shape.width as usize..2 * radius + shape.width as usize) {
            let from = radius + reflect(x as i64 - radius as i64, shape.width) as usize;
            padded.copy_within(from * count..(from + 1) * count, x * count);
        }
        across(kernel, count, &padded, &mut mids);
    }
    let mut band = vec![D::default(); rows.len() * len];
    match kernel {
        Kernel::Sampled(taps) => down_sampled::<D>(taps, len, &mids, &mut band),
        Kernel::Boxes(widths) => {
            let row = |y| (i64::from(reflect(y, shape.height)) - passed.start) as usize;
            let mids: Vec<&[D::Mid]> = halo.map(|y| &mids[row(y) * len..][..len]).collect();
            down_boxes::<D>(kernel, *widths, len, &mids, &mut band);
        }
    }
    band
}

/// The pass along one padded row, appended to `mids`.
fn across<D: Depth>(kernel: &Kernel, count: usize, padded: &[D], mids: &mut Vec<D::Mid>) {
    let sum = kernel.sum();
    match kernel {
        Kernel::Sampled(taps) => {
            let mut sums = [0_u32; CHUNK];
            let len = padded.len() - 2 * (taps.len() - 1) * count;
            for start in (0..len).step_by(CHUNK) {
                let sums = &mut sums[..CHUNK.min(len - start)];
                convolve(&taps[..], count, &padded[start..], sums, Into::<u32>::into);
                // The sum is 2^15: (s·2^F + 2^14) / 2^15, without the multiplication.
                let round = (1_u32 << (15 - D::FRACTION)) >> 1;
                mids.extend(
                    sums.iter()
                        .map(|s| D::mid(u64::from((s + round) >> (15 - D::FRACTION)))),
                );
            }
        }
        Kernel::Boxes(widths) => {
            let mut line: Vec<u64> = padded.iter().map(|sample| (*sample).into()).collect();
            widths
                .iter()
                .for_each(|width| box_sums(&mut line, count, *width as usize));
            mids.extend(line.iter().map(|s| D::mid(((s << D::FRACTION) + sum / 2) / sum)));
        }
    }
}

/// Samples worked on at once: their sums stay in the first-level cache.
const CHUNK: usize = 1024;

fn down_sampled<D: Depth>(taps: &[u16], len: usize, mids: &[D::Mid], band: &mut [D]) {
    let mut sums = [D::Sum::default(); CHUNK];
    for (y, row) in band.chunks_exact_mut(len).enumerate() {
        for (start, out) in (0..len).step_by(CHUNK).zip(row.chunks_mut(CHUNK)) {
            let sums = &mut sums[..out.len()];
            convolve(taps, len, &mids[y * len + start..], sums, D::Sum::from);
            let shift = 15 + D::FRACTION;
            for (to, s) in out.iter_mut().zip(sums) {
                *to = D::saturate(((Into::<u64>::into(*s) + (1 << (shift - 1))) >> shift) as i64);
            }
        }
    }
}

fn down_boxes<D: Depth>(kernel: &Kernel, widths: [u32; 3], len: usize, mids: &[&[D::Mid]], band: &mut [D]) {
    /// Columns worked on at once.
    const LANES: usize = 64;
    let divisor = kernel.sum() << D::FRACTION;
    let mut columns: Vec<u64> = Vec::new();
    for start in (0..len).step_by(LANES) {
        let lanes = LANES.min(len - start);
        columns.clear();
        for row in mids {
            columns.extend(
                row[start..start + lanes]
                    .iter()
                    .map(|mid| Into::<u64>::into(*mid)),
            );
        }
        widths
            .iter()
            .for_each(|width| box_sums(&mut columns, lanes, *width as usize));
        for (out, sums) in band.chunks_exact_mut(len).zip(columns.chunks_exact(lanes)) {
            for (to, s) in out[start..start + lanes].iter_mut().zip(sums) {
                *to = D::saturate(((s + divisor / 2) / divisor) as i64);
            }
        }
    }
}

/// `sums[i]` = Σ taps[|j|] · source[i + (radius + j)·stride] for |j| ≤ radius.
fn convolve<S: Copy, A>(taps: &[u16], stride: usize, source: &[S], sums: &mut [A], widen: impl Fn(S) -> A)
where
    A: Copy + From<u16> + Mul<Output = A> + AddAssign,
{
    let radius = taps.len() - 1;
    let len = sums.len();
    for (sum, sample) in sums.iter_mut().zip(&source[radius * stride..]) {
        *sum = A::from(taps[0]) * widen(*sample);
    }
    for (j, tap) in taps.iter().enumerate().skip(1) {
        let before = &source[(radius - j) * stride..][..len];
        let after = &source[(radius + j) * stride..][..len];
        let tap = A::from(*tap);
        for ((sum, a), b) in sums.iter_mut().zip(before).zip(after) {
            let mut pair = widen(*a);
            pair += widen(*b);
            *sum += tap * pair;
        }
    }
}

/// Replaces `line`, rows of `lanes` numbers, by the sums over `width` rows; it gets `width − 1` rows shorter.
fn box_sums(line: &mut Vec<u64>, lanes: usize, width: usize) {
    debug_assert!(width > 1, "else the row that leaves would be the row that enters");
    let mut sums = vec![0_u64; lanes];
    for row in line[..(width - 1) * lanes].chunks_exact(lanes) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let len = line.len() - (width - 1) * lanes;
    for start in (0..len).step_by(lanes) {
        let (head, tail) = line.split_at_mut(start + (width - 1) * lanes);

        for ((sum, leaves), enters) in sums.iter_mut().zip(&mut head[start..]).zip(tail.iter()) {
            *sum += enters;
            let total = *sum;
            *sum -= *leaves;
            *leaves = total;
        }
    }
    line.truncate(len);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SIGMA_MAX;
    use crate::raster::{Channels, Shape};

    /// The weights of a kernel, from −radius to radius.
    fn weights(kernel: &Kernel) -> Vec<u64> {
        match kernel {
            Kernel::Sampled(taps) => taps
                .iter()
                .skip(1)
                .rev()
                .chain(taps)
                .map(|tap| u64::from(*tap))
                .collect(),
            Kernel::Boxes(widths) => widths.iter().fold(vec![1], |kernel, width| {
                let mut wider = vec![0; kernel.len() + *width as usize - 1];
                for (i, weight) in kernel.iter().enumerate() {
                    wider[i..][..*width as usize]
                        .iter_mut()
                        .for_each(|w| *w += weight);
                }
                wider
            }),
        }
    }

    /// The definition, written down as it reads: one plane, no cleverness.
    fn plainly<D: Depth>(kernel: &Kernel, width: u32, height: u32, samples: &[D]) -> Vec<D> {
        let weights = weights(kernel);
        let (radius, sum) = (kernel.radius() as i64, kernel.sum());
        assert_eq!(weights.iter().sum::<u64>(), sum);
        let pass = |at: &dyn Fn(i64) -> u64| -> u64 {
            weights
                .iter()
                .zip(-radius..)
                .map(|(weight, i)| weight * at(i))
                .sum()
        };
        let mut mids = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let at = |i: i64| samples[(y * width + reflect(i64::from(x) + i, width)) as usize].into();
                mids.push(((pass(&at) << D::FRACTION) + sum / 2) / sum);
            }
        }
        let mut out = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let at = |i: i64| mids[(reflect(i64::from(y) + i, height) * width + x) as usize];
                out.push(D::saturate(
                    ((pass(&at) + (sum << (D::FRACTION - 1))) / (sum << D::FRACTION)) as i64,
                ));
            }
        }
        out
    }

    fn agrees<D: Depth + PartialEq + std::fmt::Debug>(sigma: u32, width: u32, samples: &[D]) {
        let height = samples.len() as u32 / width;
        let shape = Shape {
            width,
            height,
            channels: Channels::Gray,
        };
        let kernel = Kernel::new(sigma);
        let mut out = vec![D::default(); samples.len()];
        apply(&kernel, &View::new(shape, 0, samples), 0..height, &mut out);
        assert_eq!(
            out,
            plainly(&kernel, width, height, samples),
            "{sigma} {width}x{height}"
        );
    }

    #[test]
    fn the_fast_way_is_the_definition() {
        for sigma in [100, 500, 1000, 2500, 8000, 8001, 12_345, 50_000, SIGMA_MAX] {
            for (width, height) in [(1, 1), (1, 7), (9, 1), (5, 3), (67, 41)] {
                let noise = |i: u32| i.wrapping_mul(2_654_435_761).rotate_left(9) ^ i;
                let bytes: Vec<u8> = (0..width * height).map(|i| noise(i) as u8).collect();
                agrees(sigma, width, &bytes);
                let words: Vec<u16> = (0..width * height).map(|i| noise(i) as u16).collect();
                agrees(sigma, width, &words);
            }
            agrees(sigma, 30, &[u16::MAX; 900]);
            agrees(sigma, 30, &[u8::MAX; 900]);
        }
    }

    #[test]
    fn known_answer() {
        // A single bright pixel in a row gives the kernel itself: 255 · 13076 / 32768 = 101.76 …
        let mut out = [0_u8; 7];
        let shape = Shape {
            width: 7,
            height: 1,
            channels: Channels::Gray,
        };
        apply(
            &Kernel::new(1000),
            &View::new(shape, 0, &[0, 0, 0, 255, 0, 0, 0]),
            0..1,
            &mut out,
        );
        assert_eq!(out, [2, 14, 62, 102, 62, 14, 2]);
    }
}
