//! Three boxes one after the other, as [`blur`](crate::blur) takes them for a large σ, at a cost that does not
//! depend on their widths.
//!
//! Sums three times over and then differences (E. Hogenauer, "An economical class of digital filters for
//! decimation and interpolation", 1981): with C the threefold running sum, C[i] = 0 for i < 3, the sum of the
//! three boxes from position i on is Σ ±C[i + s] over the sums s of each choice among the three widths, minus
//! for an even number chosen. The running sums overflow; the arithmetic is modulo 2³² or 2⁶⁴ and what comes
//! out fits, so it is exact and where a running sum began does not show.

use crate::blur::Depth;

/// Columns worked on at once going down: their running sums over a band stay in a second-level cache.
const COLUMNS: usize = 128;

/// An unsigned number that wraps.
pub(crate) trait Word: Copy + Default {
    fn of(value: i64) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

impl Word for u32 {
    #[inline(always)]
    fn of(value: i64) -> u32 {
        value as u32
    }
    #[inline(always)]
    fn plus(self, other: u32) -> u32 {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: u32) -> u32 {
        self.wrapping_sub(other)
    }
}

impl Word for u64 {
    #[inline(always)]
    fn of(value: i64) -> u64 {
        value as u64
    }
    #[inline(always)]
    fn plus(self, other: u64) -> u64 {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: u64) -> u64 {
        self.wrapping_sub(other)
    }
}

/// Running sums of one row, kept to be used again.
#[derive(Default)]
pub(crate) struct Line {
    narrow: Vec<u32>,
    wide: Vec<u64>,
}

/// Division of numbers below 2³¹ by a constant: multiplication by ⌈2^(31 + bits) / divisor⌉, where `bits` are
/// those of divisor − 1. Exact (T. Granlund and P. Montgomery, "Division by invariant integers using
/// multiplication", 1994): the factor is too large by less than divisor / divisor, thus by less than
/// 2^bits / divisor, and fits 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Reciprocal {
    factor: u32,
    /// What is left of the shift after 32.
    shift: u32,
}

impl Reciprocal {
    /// For a divisor of at least 2.
    pub fn new(divisor: u32) -> Reciprocal {
        let shift = 31 + (u32::BITS - (divisor - 1).leading_zeros());
        Reciprocal {
            factor: (1_u64 << shift).div_ceil(u64::from(divisor)) as u32,
            shift: shift - 32,
        }
    }

    #[inline(always)]
    pub fn divide(self, value: u32) -> u32 {
        // The high half of a product is cheaper than a shift of it by an unknown number.
        ((u64::from(value) * u64::from(self.factor)) >> 32) as u32 >> self.shift
    }
}

/// Product of the widths.
fn volume(widths: [u32; 3]) -> u64 {
    widths.iter().map(|width| u64::from(*width)).product()
}

/// Whether all sums of samples, with F bits more and a half for rounding, are below 2³¹.
fn is_narrow<D: Depth>(widths: [u32; 3]) -> bool {
    let most = (u64::from(D::MAX) << D::FRACTION) + (1 << (D::FRACTION - 1));
    // `MAX` is that of a premultiplied 8-bit sample too: then it has 16 bits.
    most * (volume(widths) + 1) < 1 << 31
}

/// The sums s of the module's head, each times `stride`: those with plus, those with minus.
fn offsets([a, b, c]: [u32; 3], stride: usize) -> [[usize; 4]; 2] {
    [[a, b, c, a + b + c], [0, a + b, b + c, a + c]].map(|side| side.map(|sum| sum as usize * stride))
}

/// `narrow(Σ ±sums[i + s])` for each i.
#[inline(always)]
fn differences<W: Word, O>(
    [plus, minus]: [[usize; 4]; 2],
    sums: &[W],
    out: &mut [O],
    narrow: impl Fn(W) -> O,
) {
    let len = out.len();
    let [a, b, c, d] = plus.map(|at| &sums[at..at + len]);
    let [e, f, g, h] = minus.map(|at| &sums[at..at + len]);
    for i in 0..len {
        let left = a[i].plus(b[i]).plus(c[i].plus(d[i]));
        let right = e[i].plus(f[i]).plus(g[i].plus(h[i]));
        out[i] = narrow(left.minus(right));
    }
}

/// The pass along one padded row: ⌊(Σ·2^F + W/2) / W⌋ with the sum Σ of the boxes and their volume W.
#[inline(always)]
pub(crate) fn across<D: Depth>(
    widths: [u32; 3],
    count: usize,
    padded: &[D],
    line: &mut Line,
    out: &mut [D::Mid],
) {
    let (volume, at) = (volume(widths), offsets(widths, count));
    if is_narrow::<D>(widths) {
        let by = Reciprocal::new(volume as u32);
        let half = volume as u32 / 2;
        sum_along(count, padded, &mut line.narrow);
        differences(at, &line.narrow, out, |sum| {
            D::mid(i64::from(by.divide((sum << D::FRACTION) + half)))
        });
    } else {
        sum_along(count, padded, &mut line.wide);
        differences(at, &line.wide, out, |sum| {
            D::mid((((sum << D::FRACTION) + volume / 2) / volume) as i64)
        });
    }
}

#[inline(always)]
fn sum_along<D: Depth, W: Word>(count: usize, padded: &[D], sums: &mut Vec<W>) {
    match count {
        1 => sum_pixels::<D, W, 1>(padded, sums),
        2 => sum_pixels::<D, W, 2>(padded, sums),
        3 => sum_pixels::<D, W, 3>(padded, sums),
        _ => sum_pixels::<D, W, 4>(padded, sums),
    }
}

/// C of a row of pixels of `N` samples.
#[inline(always)]
fn sum_pixels<D: Depth, W: Word, const N: usize>(padded: &[D], sums: &mut Vec<W>) {
    sums.resize(padded.len() + 3 * N, W::default());
    let (pixels, _) = padded.as_chunks::<N>();
    let (sums, _) = sums.as_chunks_mut::<N>();
    sums[..3].fill([W::default(); N]);
    let mut running = [[W::default(); N]; 3];
    for (to, pixel) in sums[3..].iter_mut().zip(pixels) {
        for i in 0..N {
            let once = running[0][i].plus(W::of(i64::from(pixel[i].signed())));
            let twice = running[1][i].plus(once);
            let thrice = running[2][i].plus(twice);
            (running[0][i], running[1][i], running[2][i]) = (once, twice, thrice);
            to[i] = thrice;
        }
    }
}

/// The pass down the columns: ⌊(Σ + W·2^(F−1)) / (W·2^F)⌋. `mids` are rows, as many more than `band`
/// as the boxes reach.
#[inline(always)]
pub(crate) fn down<D: Depth>(widths: [u32; 3], len: usize, mids: &[&[D::Mid]], band: &mut [D]) {
    let divisor = volume(widths) << D::FRACTION;
    if is_narrow::<D>(widths) {
        let by = Reciprocal::new(divisor as u32);
        let half = divisor as u32 / 2;
        down_by::<D, u32>(widths, len, mids, band, |sum| {
            D::clamp(by.divide(sum + half) as i32)
        });
    } else {
        down_by::<D, u64>(widths, len, mids, band, |sum| {
            D::saturate(((sum + divisor / 2) / divisor) as i64)
        });
    }
}

#[inline(always)]
fn down_by<D: Depth, W: Word>(
    widths: [u32; 3],
    len: usize,
    mids: &[&[D::Mid]],
    band: &mut [D],
    narrow: impl Fn(W) -> D + Copy,
) {
    let mut sums: Vec<W> = Vec::new();
    for start in (0..len).step_by(COLUMNS) {
        let columns = COLUMNS.min(len - start);
        sums.clear();
        sums.resize((mids.len() + 3) * columns, W::default());
        let mut running = [[W::default(); COLUMNS]; 3];
        let [first, second, third] = &mut running;
        for (row, to) in mids.iter().zip(sums[3 * columns..].chunks_exact_mut(columns)) {
            let row = &row[start..start + columns];
            for i in 0..columns {
                first[i] = first[i].plus(W::of(D::number(row[i])));
                second[i] = second[i].plus(first[i]);
                third[i] = third[i].plus(second[i]);
                to[i] = third[i];
            }
        }
        let at = offsets(widths, columns);
        for (y, row) in band.chunks_exact_mut(len).enumerate() {
            differences(at, &sums[y * columns..], &mut row[start..start + columns], narrow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reciprocal_divides_exactly_at_every_step() {
        for divisor in [
            2,
            3,
            7,
            27,
            1_000,
            4_913,
            62_361,
            62_361 << 7,
            8_405_376,
            (1 << 23) - 1,
        ] {
            let by = Reciprocal::new(divisor);
            for quotient in 0..((1_u32 << 31) / divisor).min(40_000) {
                let exact = quotient * divisor;
                assert_eq!(by.divide(exact), quotient, "{divisor}");
                let below_next = (exact + divisor - 1).min((1 << 31) - 1);
                assert_eq!(by.divide(below_next), quotient, "{divisor}");
            }
            let last = (1_u32 << 31) - 1;
            assert_eq!(by.divide(last), last / divisor);
        }
    }
}
