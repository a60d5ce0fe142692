//! Weights of the Lanczos kernel with three lobes, by integer arithmetic alone.
//!
//! L(d) = sinc(d)·sinc(d/3) for |d| < 3 and 0 beyond, where sinc(d) = sin(πd)/(πd) (C. E. Duchon, "Lanczos
//! Filtering in One and Two Dimensions", 1979). When shrinking d is stretched by the factor, so that nothing
//! aliases, as libvips and Pillow do. Taps outside the picture are dropped and the rest is weighted up.

use std::ops::Range;

/// How each position along one side is made of source positions.
pub(crate) struct Axis {
    /// The weights' sum is 1 with this many bits after the point.
    pub bits: u32,
    /// First source position and where its weights are, for each result position.
    taps: Vec<(u32, Range<usize>)>,
    weights: Vec<i32>,
}

impl Axis {
    /// The table from a side of `from` pixels to one of `to`: about 6 · max(from, to) weights of `bits`.
    pub fn new(from: u32, to: u32, bits: u32) -> Axis {
        let mut axis = Axis {
            bits,
            taps: Vec::with_capacity(to as usize),
            weights: Vec::new(),
        };
        let (from, to) = (i64::from(from), i64::from(to));
        // The distance of source position j from result position i, in units of the (stretched) kernel, is
        // |(2j + 1)·to − (2i + 1)·from| / unit.
        let unit = 2 * from.max(to);
        let mut curve = Vec::new();
        for i in 0..to {
            let centre = (2 * i + 1) * from;
            let first = (centre - 3 * unit - to).div_euclid(2 * to) + 1;
            let last = (centre + 3 * unit - to).div_euclid(2 * to);
            let (first, last) = (first.max(0), last.min(from - 1));
            curve.clear();
            curve.extend((first..=last).map(|j| lanczos(((2 * j + 1) * to - centre).abs(), unit)));
            let start = axis.weights.len();
            let total: i64 = curve.iter().sum();
            let (half, total) = (i128::from(total), 2 * i128::from(total));
            // Rounding the running sum, not each weight, makes the sum exact however many weights there are.
            let (mut sum, mut given) = (0, 0);
            for value in &curve {
                sum += value;
                let until = (((i128::from(sum) << (bits + 1)) + half).div_euclid(total)) as i32;
                axis.weights.push(until - given);
                given = until;
            }
            axis.taps.push((first as u32, start..axis.weights.len()));
        }
        axis
    }

    /// How many result positions there are.
    pub fn len(&self) -> usize {
        self.taps.len()
    }

    /// The first source position that the result position `at` is made of, and the weights from there on.
    pub fn taps(&self, at: u32) -> (u32, &[i32]) {
        let (first, weights) = &self.taps[at as usize];
        (*first, &self.weights[weights.clone()])
    }

    /// Source positions that the result positions `range` are made of.
    pub fn source(&self, range: Range<u32>) -> Range<u32> {
        let (first, _) = self.taps(range.start);
        let (last, weights) = self.taps(range.end - 1);
        first..last + weights.len() as u32
    }
}

/// Bits after the point of a value of the kernel.
const BITS: u32 = 30;

/// 2³⁰ · π²ᵏ / (2k + 1)!, rounded: the power series of sinc in t², but for its signs. At t = ½ the next term is
/// below 2⁻³⁷.
const SERIES: [i64; 8] = [
    1_073_741_824,
    1_766_234_505,
    871_601_792,
    204_818_212,
    28_076_038,
    2_519_085,
    159_374,
    7_490,
];

/// L at d = `distance / unit` with [`BITS`] bits after the point. `distance < 2³⁰`.
fn lanczos(distance: i64, unit: i64) -> i64 {
    let d = (distance << 32) / unit;
    if d >= 3 << 32 {
        0
    } else {
        (sinc(d) * sinc(d / 3)) >> BITS
    }
}

/// sinc of a d ≥ 0 with 32 bits after the point, with [`BITS`] of them.
///
/// With n the whole number nearest to d and t = |d − n|, which is at most ½: sin(πd) = ±sin(πt), so
/// sinc(d) = ±sinc(t)·t/d, and the series of sinc(t) ends soon.
fn sinc(d: i64) -> i64 {
    let n = (d + (1 << 31)) >> 32;
    let t = (d - (n << 32)).abs();
    let square = (t * t) >> (64 - BITS);
    let series = SERIES
        .iter()
        .rev()
        .fold(0, |rest, term| term - ((square * rest) >> BITS));
    match n {
        0 => series,
        // sin(πd) has the sign of (−1)ⁿ·(d − n).
        _ if (n % 2 == 0) == (d >= n << 32) => series * t / d,
        _ => -(series * t / d),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel in real numbers.
    fn real(d: f64) -> f64 {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
            }
        };
        if d.abs() < 3.0 {
            sinc(d) * sinc(d / 3.0)
        } else {
            0.0
        }
    }

    #[test]
    fn the_kernel_is_right_to_twenty_seven_bits() {
        for unit in [2, 2_000, 1_999_998] {
            for step in 0..=3000 {
                let distance = unit * step / 1000;
                let exact = real(distance as f64 / unit as f64);
                let found = lanczos(distance, unit) as f64 / f64::from(1 << BITS);
                assert!(
                    (found - exact).abs() < 2.0_f64.powi(-27),
                    "{distance}/{unit}: {found}, {exact}"
                );
            }
        }
    }

    #[test]
    fn weights_are_the_kernel_s_and_sum_exactly() {
        for (from, to) in [
            (1, 1),
            (1, 9),
            (9, 1),
            (7, 5),
            (5, 7),
            (100, 3),
            (3, 100),
            (64, 64),
            (6000, 1024),
        ] {
            let axis = Axis::new(from, to, 22);
            let scale = f64::from(from) / f64::from(to);
            for at in 0..to {
                let (first, weights) = axis.taps(at);
                assert!(first + weights.len() as u32 <= from);
                assert_eq!(weights.iter().sum::<i32>(), 1 << 22);
                let centre = (f64::from(at) + 0.5) * scale - 0.5;
                let near = |j: u32| real((f64::from(j) - centre) / scale.max(1.0));
                let total: f64 = (0..from).map(near).sum();
                for j in 0..from {
                    let found = j
                        .checked_sub(first)
                        .and_then(|k| weights.get(k as usize))
                        .map_or(0, |w| *w);
                    let exact = near(j) / total * f64::from(1 << 22);
                    assert!(
                        (f64::from(found) - exact).abs() < 1.1,
                        "{from} to {to}, {at}, {j}: {found} {exact}"
                    );
                }
            }
        }
    }
}
