//! Two operations of IEEE 754 binary32 ("float"), in integers.
//!
//! OpenCV makes its equalisation tables with one division and one multiplication of floats. Their results
//! are part of what `equalize` and `clahe` mean here, so they are worked out in integers, with the rounding
//! that the standard prescribes: to the nearest, ties to even. No unit of any processor takes part.

/// A positive number: `mantissa` · 2^`exponent`, with a mantissa of exactly 24 bits.
///
/// What is made here stays far from the ends of a float's range, so the exponent has no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binary32 {
    mantissa: u64,
    exponent: i32,
}

/// Bits of a mantissa.
const MANTISSA_BITS: i32 = 24;

impl Binary32 {
    /// The float nearest to the quotient of the floats nearest to two numbers, both at least 1:
    /// `numerator as f32 / denominator as f32`.
    pub fn quotient(numerator: u32, denominator: u32) -> Binary32 {
        let (a, b) = (
            Binary32::nearest(numerator.into(), 0),
            Binary32::nearest(denominator.into(), 0),
        );
        let scaled = a.mantissa << 40;
        // A last bit for "and a remainder": far below the place where it is rounded, it breaks false ties.
        let quotient = (scaled / b.mantissa) << 1 | u64::from(scaled % b.mantissa > 0);
        Binary32::nearest(quotient, a.exponent - b.exponent - 41)
    }

    /// The product with a number, a float each, rounded to a whole number, ties to even:
    /// `(number as f32 * self).round_ties_even()`.
    pub fn times(self, number: u32) -> u64 {
        if number == 0 {
            return 0;
        }
        let other = Binary32::nearest(number.into(), 0);
        let product = Binary32::nearest(self.mantissa * other.mantissa, self.exponent + other.exponent);
        match product.exponent {
            left @ 0.. => product.mantissa << left,
            right => halved(product.mantissa, -right),
        }
    }

    /// The float nearest to `value` · 2^`exponent`, for `value ≥ 1`.
    fn nearest(value: u64, exponent: i32) -> Binary32 {
        let excess = value.ilog2() as i32 + 1 - MANTISSA_BITS;
        if excess <= 0 {
            return Binary32 {
                mantissa: value << -excess,
                exponent: exponent + excess,
            };
        }
        let mantissa = halved(value, excess);
        // Rounding up may have made it 2²⁴.
        let carry = (mantissa >> MANTISSA_BITS) as i32;
        Binary32 {
            mantissa: mantissa >> carry,
            exponent: exponent + excess + carry,
        }
    }
}

/// `value` / 2^`times`, rounded to the nearest, ties to even; `times` at least 1.
pub(crate) fn halved(value: u64, times: i32) -> u64 {
    if times > 63 {
        return 0;
    }
    let (half, whole) = (1 << (times - 1), value >> times);
    let rest = value - (whole << times);
    whole + u64::from(rest > half || (rest == half && whole % 2 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_floats_do() {
        let noise = |i: u32| i.wrapping_mul(2_654_435_761).rotate_left(11) ^ (i << 7);
        for i in 1..400_000_u32 {
            // All sizes: the low bits say how many of the high ones are cut.
            let (total, sum) = (noise(i) >> (i % 30), noise(!i) >> (i % 27));
            for full in [255, 65_535] {
                let total = total.max(1);
                let scale = full as f32 / total as f32;
                let found = Binary32::quotient(full, total);
                assert_eq!(
                    found.mantissa as f64 * f64::from(found.exponent).exp2(),
                    f64::from(scale)
                );
                let expected = (sum as f32 * scale).round_ties_even();
                assert_eq!(found.times(sum), expected as u64, "{sum} * {full} / {total}");
            }
        }
    }

    #[test]
    fn a_quotient_just_above_a_tie_is_rounded_up() {
        // The 17 bits after the mantissa are 1 and zeros, and only the remainder says that it is no tie.
        for (full, total) in [(255, 218_061), (65_535, 420_107)] {
            let found = Binary32::quotient(full, total);
            let expected = full as f32 / total as f32;
            assert_eq!(
                found.mantissa as f64 * f64::from(found.exponent).exp2(),
                f64::from(expected)
            );
        }
    }

    #[test]
    fn ties_go_to_even() {
        assert_eq!([1, 2, 3, 5, 6, 7].map(|n| halved(n, 1)), [0, 1, 2, 2, 3, 4]);
        assert_eq!((halved(u64::MAX, 63), halved(u64::MAX, 64)), (2, 0));
        // 2²⁴ + 1 is no float.
        assert_eq!(
            Binary32::quotient((1 << 24) + 1, 1),
            Binary32::quotient(1 << 24, 1)
        );
        assert_eq!(Binary32::quotient(1, 2).times(3), 2);
        assert_eq!(Binary32::quotient(1, 2).times(5), 2);
    }
}
