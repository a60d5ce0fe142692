//! The Gaussian kernel, made of integers alone.
//!
//! Up to σ = 8 it is the sampled curve exp(−i²/2σ²) for |i| ≤ ⌈3σ⌉, as integer weights with the sum 32768.
//! Above, it is three boxes one after the other (P. Kovesi, "Fast Almost-Gaussian Filtering", 2010): widths
//! w and w + 2, both odd, as many of each as bring the variance nearest to σ². The boxes are *one* kernel
//! whose integer weights have the sum w₁·w₂·w₃: nothing is rounded between them, so running sums and a plain
//! convolution agree to the last bit and no result depends on where a running sum began.

use crate::limits::{SIGMA_MAX, SIGMA_MIN};

/// Largest σ, in thousandths, for which the sampled curve is used.
pub(crate) const SAMPLED_SIGMA_MAX: u32 = 8_000;
/// Sum of the weights of a sampled kernel: 15 bits.
const SUM: u32 = 1 << 15;

/// A symmetric kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// The weights from the centre outwards: `taps[i]` is for ±i.
    Sampled(Vec<u16>),
    /// Three odd box widths.
    Boxes([u32; 3]),
}

impl Kernel {
    /// The kernel of a σ in thousandths, `SIGMA_MIN..=SIGMA_MAX`.
    pub fn new(sigma: u32) -> Kernel {
        debug_assert!(
            (SIGMA_MIN..=SIGMA_MAX).contains(&sigma),
            "the recipe parser lets no other through"
        );
        if sigma <= SAMPLED_SIGMA_MAX {
            Kernel::Sampled(sampled(sigma))
        } else {
            Kernel::Boxes(boxes(sigma))
        }
    }

    /// How far it reaches from the centre, in pixels.
    pub fn radius(&self) -> u32 {
        match self {
            Kernel::Sampled(taps) => taps.len() as u32 - 1,
            Kernel::Boxes(widths) => widths.iter().map(|w| w / 2).sum(),
        }
    }

    /// Sum of all weights.
    #[cfg(test)]
    pub fn sum(&self) -> u64 {
        match self {
            Kernel::Sampled(_) => u64::from(SUM),
            Kernel::Boxes(widths) => widths.iter().map(|w| u64::from(*w)).product(),
        }
    }
}

fn sampled(sigma: u32) -> Vec<u16> {
    let radius = u64::from(sigma * 3).div_ceil(1000);
    let square = u128::from(sigma) * u128::from(sigma);
    let curve: Vec<u128> = (0..=u128::from(radius))
        .map(|i| exp_of_minus(((i * i * 500_000) << FRACTION) / square))
        .collect();
    let sum = 2 * curve.iter().sum::<u128>() - curve[0];
    let mut taps: Vec<u16> = curve
        .iter()
        .map(|value| ((value * u128::from(SUM) + sum / 2) / sum) as u16)
        .collect();
    // What rounding took or gave goes to the centre, so that the sum is exact and the kernel symmetric.
    let outer: u32 = taps[1..].iter().map(|tap| 2 * u32::from(*tap)).sum();
    taps[0] = (SUM - outer) as u16;
    taps
}

/// Bits after the point of [`exp_of_minus`].
const FRACTION: u32 = 60;

/// exp(−x), both with 60 bits after the point: e⁻¹ multiplied as often as the whole part says, times the
/// Taylor series of the fraction. Its 22 terms leave less than 2⁻⁶⁴.
fn exp_of_minus(x: u128) -> u128 {
    const ONE: u128 = 1 << FRACTION;
    /// ⌊2⁶⁰ / e⌋.
    const INVERSE_E: u128 = 424_136_118_829_305_329;
    let (whole, fraction) = (x >> FRACTION, x & (ONE - 1));
    // Horner from the last term: 1 − f/1·(1 − f/2·(1 − …)); each bracket stays within 0..=1.
    let mut value = (1..=22)
        .rev()
        .fold(ONE, |rest, n| ONE - ((fraction * rest) >> FRACTION) / n);
    for _ in 0..whole.min(64) {
        value = (value * INVERSE_E) >> FRACTION;
    }
    value
}

fn boxes(sigma: u32) -> [u32; 3] {
    let variance = 12 * u64::from(sigma) * u64::from(sigma);
    // Three boxes of width w have the variance 3(w² − 1)/12. The largest odd w that stays below σ²:
    let fits = |w: u64| 3 * (w * w - 1) * 1_000_000 <= variance;
    let narrow = (1..)
        .step_by(2)
        .take_while(|w| fits(*w))
        .last()
        .expect("a box of width 1 has no variance");
    // n of the three as narrow as that, the others wider by 2, nearest to σ²; of two equally near, the narrower.
    let spread = |n: u64| {
        let wide = narrow + 2;
        let sum = n * (narrow * narrow - 1) + (3 - n) * (wide * wide - 1);
        (sum * 1_000_000).abs_diff(variance)
    };
    let n = (0..=3)
        .rev()
        .min_by_key(|n| spread(*n))
        .expect("the range is not empty");
    [0, 1, 2].map(|i| (if i < n { narrow } else { narrow + 2 }) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_fifty_bits() {
        for thousandths in (0..20_000_u128).step_by(37) {
            let x = (thousandths << FRACTION) / 1000;
            let found = exp_of_minus(x) as f64 / (1_u64 << FRACTION) as f64;
            let expected = (-(thousandths as f64) / 1000.0).exp();
            assert!(
                (found - expected).abs() < 1e-15,
                "{thousandths}: {found} {expected}"
            );
        }
        assert_eq!(exp_of_minus(0), 1 << FRACTION);
    }

    #[test]
    fn weights_sum_exactly_and_fall_from_the_centre() {
        for sigma in (SIGMA_MIN..=SAMPLED_SIGMA_MAX).step_by(13) {
            let Kernel::Sampled(taps) = Kernel::new(sigma) else {
                panic!("{sigma} is sampled")
            };
            let sum = taps.iter().map(|t| 2 * u32::from(*t)).sum::<u32>() - u32::from(taps[0]);
            assert_eq!(sum, SUM, "{sigma}");
            assert!(taps.windows(2).all(|pair| pair[0] >= pair[1]), "{sigma}");
            let s = f64::from(sigma) / 1000.0;
            let curve: Vec<f64> = (0..taps.len())
                .map(|i| (-((i * i) as f64) / (2.0 * s * s)).exp())
                .collect();
            let area = 2.0 * curve.iter().sum::<f64>() - 1.0;
            for (tap, value) in taps.iter().zip(curve).skip(1) {
                assert!(
                    (f64::from(*tap) - value / area * f64::from(SUM)).abs() < 0.51,
                    "{sigma}"
                );
            }
        }
    }

    #[test]
    fn known_kernels() {
        assert_eq!(Kernel::new(100), Kernel::Sampled(vec![32768, 0]));
        assert_eq!(Kernel::new(1000), Kernel::Sampled(vec![13076, 7931, 1770, 145]));
        assert_eq!(Kernel::new(20_000), Kernel::Boxes([39, 39, 41]));
        assert_eq!(Kernel::new(50_000).sum(), 99 * 99 * 101);
        assert_eq!(Kernel::new(250_000), Kernel::Boxes([499, 499, 501]));
    }

    #[test]
    fn boxes_have_the_variance_asked_for() {
        for sigma in (SAMPLED_SIGMA_MAX + 1..=SIGMA_MAX).step_by(101) {
            let Kernel::Boxes(widths) = Kernel::new(sigma) else {
                panic!("{sigma} is boxes")
            };
            let variance: f64 = widths.iter().map(|w| f64::from(w * w - 1) / 12.0).sum();
            let error = variance.sqrt() / (f64::from(sigma) / 1000.0);
            assert!((0.97..1.03).contains(&error), "{sigma}: {widths:?} {error}");
        }
    }
}
