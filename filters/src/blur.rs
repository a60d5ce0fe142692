//! `blur:SIGMA`: Gaussian blur, rows first, then columns.
//!
//! With the kernel k of [`gaussian`](crate::gaussian), its sum W and F spare bits (7 for 8-bit samples, 15
//! for 16-bit ones), both passes rounding half up:
//! mid = ⌊(Σ k·sample·2^F + W/2) / W⌋ along the row, then result = ⌊(Σ k·mid + W·2^(F−1)) / (W·2^F)⌋ along
//! the column. Borders: reflect 101. Pictures with alpha are blurred
//! [premultiplied](crate::premultiply), alpha as well. Any way to compute these sums gives the same bytes.

use std::ops::{AddAssign, Mul, Range};

use crate::boxes;
use crate::gaussian::Kernel;
use crate::premultiply::{premultiply, unpremultiply};
use crate::sample::Sample;
use crate::view::{View, reflect};

/// A sample with what the passes need around it.
pub(crate) trait Depth: Sample {
    /// Holds a sample with F more bits, less [`Depth::BIAS`].
    type Mid: Copy + Default + Send;
    /// Holds 32768 times a `Mid` with its bias.
    type Sum: Copy + Default + From<i16> + Mul<Output = Self::Sum> + AddAssign;
    /// F.
    const FRACTION: u32;
    /// What a `Mid` lacks: half of its range where that makes the sum of two fit 16 bits, else 0.
    const BIAS: i64;
    /// Of a number that is known to fit.
    fn mid(value: i64) -> Self::Mid;
    /// The number of a `Mid`.
    fn number(mid: Self::Mid) -> i64;
    /// The sum of two samples.
    fn pair(a: Self, b: Self) -> i32;
    /// The sum of two `Mid`s.
    fn mid_pair(a: Self::Mid, b: Self::Mid) -> Self::Sum;
    /// A single one.
    fn mid_one(mid: Self::Mid) -> Self::Sum;
    /// A `Mid` of a sum of samples weighted by a sampled kernel.
    fn narrow_mid(sum: i32) -> Self::Mid;
    /// The result of a sum of `Mid`s weighted by a sampled kernel.
    fn narrow(sum: Self::Sum) -> Self;
}

impl Depth for u8 {
    type Mid = i16;
    type Sum = i32;
    const FRACTION: u32 = 7;
    // Of 255 << 7. So a pair needs no more than 16 signed bits, and its product with a tap is one instruction.
    const BIAS: i64 = 16_320;
    #[inline(always)]
    fn mid(value: i64) -> i16 {
        (value - Self::BIAS) as i16
    }
    #[inline(always)]
    fn number(mid: i16) -> i64 {
        i64::from(mid) + Self::BIAS
    }
    #[inline(always)]
    fn pair(a: u8, b: u8) -> i32 {
        i32::from(i16::from(a) + i16::from(b))
    }
    #[inline(always)]
    fn mid_pair(a: i16, b: i16) -> i32 {
        i32::from(a.wrapping_add(b))
    }
    #[inline(always)]
    fn mid_one(mid: i16) -> i32 {
        i32::from(mid)
    }
    #[inline(always)]
    fn narrow_mid(sum: i32) -> i16 {
        (((sum + 128) >> 8) - Self::BIAS as i32) as i16
    }
    #[inline(always)]
    fn narrow(sum: i32) -> u8 {
        ((sum + ((Self::BIAS as i32) << 15) + (1 << 21)) >> 22) as u8
    }
}

impl Depth for u16 {
    type Mid = u32;
    type Sum = i64;
    const FRACTION: u32 = 15;
    const BIAS: i64 = 0;
    #[inline(always)]
    fn mid(value: i64) -> u32 {
        value as u32
    }
    #[inline(always)]
    fn number(mid: u32) -> i64 {
        i64::from(mid)
    }
    #[inline(always)]
    fn pair(a: u16, b: u16) -> i32 {
        i32::from(a) + i32::from(b)
    }
    #[inline(always)]
    fn mid_pair(a: u32, b: u32) -> i64 {
        i64::from(a) + i64::from(b)
    }
    #[inline(always)]
    fn mid_one(mid: u32) -> i64 {
        i64::from(mid)
    }
    #[inline(always)]
    fn narrow_mid(sum: i32) -> u32 {
        sum as u32
    }
    #[inline(always)]
    fn narrow(sum: i64) -> u16 {
        ((sum + (1 << 29)) >> 30) as u16
    }
}

/// What a blur keeps from band to band: the rows that the first pass made, plain or of premultiplied samples.
#[derive(Default)]
pub(crate) struct Memory<T: Depth> {
    plain: Mids<T>,
    premultiplied: Mids<u16>,
}

struct Mids<D: Depth> {
    /// Which rows of the picture they are.
    held: Range<u32>,
    mids: Vec<D::Mid>,
    padded: Vec<D>,
    line: boxes::Line,
}

impl<D: Depth> Default for Mids<D> {
    fn default() -> Mids<D> {
        Mids {
            held: 0..0,
            mids: Vec::new(),
            padded: Vec::new(),
            line: boxes::Line::default(),
        }
    }
}

/// Result rows `rows`; the view must hold the rows `radius` above and below them, as far as there are any.
#[inline(always)]
pub(crate) fn apply<T: Depth>(
    kernel: &Kernel,
    source: &View<T>,
    rows: Range<u32>,
    memory: &mut Memory<T>,
    out: &mut [T],
) {
    let count = source.shape.channels.count();
    let len = source.shape.row_len();
    if source.shape.channels.has_alpha() {
        let load = |row: &[T], to: &mut [u16]| premultiply(count, row, to);
        let mut band = vec![0; out.len()];
        smooth(kernel, source, rows, load, &mut memory.premultiplied, &mut band);
        for (to, from) in out.chunks_exact_mut(len).zip(band.chunks_exact(len)) {
            unpremultiply(count, from, to);
        }
    } else {
        let load = |row: &[T], to: &mut [T]| to.copy_from_slice(row);
        smooth(kernel, source, rows, load, &mut memory.plain, out);
    }
}

/// Both passes, on the rows that `load` makes of the source's.
#[inline(always)]
fn smooth<T: Sample, D: Depth>(
    kernel: &Kernel,
    source: &View<T>,
    rows: Range<u32>,
    load: impl Fn(&[T], &mut [D]),
    memory: &mut Mids<D>,
    band: &mut [D],
) {
    let shape = source.shape;
    let (count, len, radius) = (shape.channels.count(), shape.row_len(), kernel.radius() as usize);
    let halo = i64::from(rows.start) - radius as i64..i64::from(rows.end) + radius as i64;
    // The halo may be far higher than the picture: each row there is passes once.
    let needs = halo.start.max(0) as u32..halo.end.min(i64::from(shape.height)) as u32;
    let Mids {
        held,
        mids,
        padded,
        line,
    } = memory;
    if held.contains(&needs.start) && held.end <= needs.end {
        mids.drain(..(needs.start - held.start) as usize * len);
    } else {
        mids.clear();
        held.end = needs.start;
    }
    padded.resize(len + 2 * radius * count, D::default());
    for y in held.end..needs.end {
        load(source.row(y), &mut padded[radius * count..][..len]);
        for x in (0..radius).chain(radius + shape.width as usize..2 * radius + shape.width as usize) {
            let from = radius + reflect(x as i64 - radius as i64, shape.width) as usize;
            padded.copy_within(from * count..(from + 1) * count, x * count);
        }
        let start = mids.len();
        mids.resize(start + len, D::Mid::default());
        let to = &mut mids[start..];
        match kernel {
            Kernel::Sampled(taps) if taps[0] == WHOLE => {
                for (to, from) in to.iter_mut().zip(&padded[radius * count..]) {
                    *to = D::mid(i64::from(from.signed()) << D::FRACTION);
                }
            }
            Kernel::Sampled(taps) => {
                let under = |at: usize| &padded[at * count..];
                convolve(taps, under, to, Sample::signed, D::pair, D::narrow_mid);
            }
            Kernel::Boxes(widths) => boxes::across(*widths, count, padded, line, to),
        }
    }
    *held = needs;
    let row = |y| (reflect(y, shape.height) - held.start) as usize;
    let mids: Vec<&[D::Mid]> = halo.map(|y| &mids[row(y) * len..][..len]).collect();
    match kernel {
        // What is left of the first pass is the sample with zeros after the point.
        Kernel::Sampled(taps) if taps[0] == WHOLE => {
            for (row, mids) in band.chunks_exact_mut(len).zip(&mids[radius..]) {
                for (to, mid) in row.iter_mut().zip(*mids) {
                    *to = D::saturate(D::number(*mid) >> D::FRACTION);
                }
            }
        }
        Kernel::Sampled(taps) => {
            for (y, row) in band.chunks_exact_mut(len).enumerate() {
                let under = |at: usize| mids[y + at];
                convolve(taps, under, row, D::mid_one, D::mid_pair, D::narrow);
            }
        }
        Kernel::Boxes(widths) => boxes::down(*widths, len, &mids, band),
    }
}

/// A tap that is all of the kernel: 2^15, which no `i16` holds.
const WHOLE: u16 = 1 << 15;

/// Samples worked on at once: their sums stay in registers.
const LANES: usize = 64;

/// `out[i]` = Σ taps[|j|] · under(radius + j)[i] for |j| ≤ radius, narrowed.
#[inline(always)]
fn convolve<'a, S: Copy + 'a, A, O: Copy>(
    taps: &[u16],
    under: impl Fn(usize) -> &'a [S],
    out: &mut [O],
    one: impl Fn(S) -> A + Copy,
    pair: impl Fn(S, S) -> A + Copy,
    narrow: impl Fn(A) -> O + Copy,
) where
    A: Copy + Default + From<i16> + Mul<Output = A> + AddAssign,
{
    let radius = taps.len() - 1;
    let len = out.len();
    let mut start = 0;
    while start + LANES <= len {
        let lanes = |at: usize| -> &'a [S; LANES] {
            let lanes = under(at)[start..].first_chunk();
            lanes.expect("it is as long as out")
        };
        let mut sums = [A::default(); LANES];
        let centre = lanes(radius);
        for (sum, sample) in sums.iter_mut().zip(centre) {
            *sum = A::from(taps[0] as i16) * one(*sample);
        }
        for (j, tap) in taps.iter().enumerate().skip(1) {
            let (before, after) = (lanes(radius - j), lanes(radius + j));
            let tap = A::from(*tap as i16);
            for i in 0..LANES {
                sums[i] += tap * pair(before[i], after[i]);
            }
        }
        for (to, sum) in out[start..start + LANES].iter_mut().zip(sums) {
            *to = narrow(sum);
        }
        // The last lanes may overlap those before: they come out the same.
        start = if start + LANES < len && start + 2 * LANES > len {
            len - LANES
        } else {
            start + LANES
        };
    }
    for (i, to) in out.iter_mut().enumerate().skip(start) {
        let mut sum = A::from(taps[0] as i16) * one(under(radius)[i]);
        for (j, tap) in taps.iter().enumerate().skip(1) {
            sum += A::from(*tap as i16) * pair(under(radius - j)[i], under(radius + j)[i]);
        }
        *to = narrow(sum);
    }
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
        apply(
            &kernel,
            &View::new(shape, 0, samples),
            0..height,
            &mut Memory::default(),
            &mut out,
        );
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
            &mut Memory::default(),
            &mut out,
        );
        assert_eq!(out, [2, 14, 62, 102, 62, 14, 2]);
    }
}
