//! `gamma:G`: out = in^(1/G), with black 0 and white 1, as ImageMagick's `-gamma`; G above 1 lightens the
//! mid-tones. Each colour sample by itself; alpha is kept.
//!
//! The power is exp(−ln(1/in)/G) in fixed point with 60 bits, off by less than 2⁻⁵⁰, and then rounded to the
//! nearest sample: the table is that of the exact power.

/// Bits after the point.
const FRACTION: u32 = 60;
/// 1.
const ONE: u128 = 1 << FRACTION;
/// ln 2.
const LN_2: u128 = 799_144_290_325_165_978;
/// 1/n for the series, all rounded down; the first is not used.
const RECIPROCALS: [u128; 41] = {
    let mut table = [0; 41];
    let mut n = 1;
    while n < table.len() {
        table[n] = ONE / n as u128;
        n += 1;
    }
    table
};

/// max · (value / range)^(1/G) rounded to the nearest, for `0 < value ≤ range ≤ 65535`, with G in thousandths.
/// Where G is 1 it is the plain proportion, rounded half up.
pub(crate) fn power(value: u32, range: u32, gamma: u32, max: u32) -> u16 {
    let (value, range) = (u64::from(value), u64::from(range));
    if gamma == 1000 {
        let max = u64::from(max);
        return ((2 * value * max + range) / (2 * range)) as u16;
    }
    raised(value, range, (1000, gamma), max)
}

/// max · (value / range)^(up/down) rounded to the nearest, for `0 < value ≤ range < 2³²`.
pub(crate) fn raised(value: u64, range: u64, (up, down): (u32, u32), max: u32) -> u16 {
    let exponent = (ln(range) - ln(value)) * u128::from(up) / u128::from(down);
    ((exp_of_minus(exponent) * u128::from(max) + ONE / 2) >> FRACTION) as u16
}

/// ln `value`, for `value ≥ 1`: it is 2ᵏ·m with m from 1 to 2, and the logarithm k·ln 2 + 2·artanh(z) with
/// z = (m − 1)/(m + 1) ≤ ⅓. 20 terms of the series leave less than 2⁻⁶⁴.
fn ln(value: u64) -> u128 {
    let k = value.ilog2();
    let m = (u128::from(value) << FRACTION) >> k;
    let z = ((m - ONE) << FRACTION) / (m + ONE);
    let square = times(z, z);
    // Horner from the last term: z·(1 + z²·(1/3 + z²·(1/5 + …))).
    let series = RECIPROCALS
        .iter()
        .skip(1)
        .step_by(2)
        .rev()
        .fold(0, |rest, reciprocal| reciprocal + times(rest, square));
    u128::from(k) * LN_2 + 2 * times(z, series)
}

/// exp(−x): as often halved as ln 2 is in x, and for the rest f the Taylor series; its 18 terms leave less
/// than 2⁻⁶⁰.
fn exp_of_minus(x: u128) -> u128 {
    let (halvings, fraction) = (x / LN_2, x % LN_2);
    // Horner from the last term: 1 − f/1·(1 − f/2·(1 − …)); each bracket stays within 0..=1.
    let value = RECIPROCALS[1..=18].iter().rev().fold(ONE, |rest, reciprocal| {
        ONE - times(times(fraction, rest), *reciprocal)
    });
    value >> halvings.min(64)
}

/// The product of two numbers of at most 63 bits, rounded down.
fn times(a: u128, b: u128) -> u128 {
    (u128::from(a as u64) * u128::from(b as u64)) >> FRACTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_right_to_fifty_bits() {
        for value in (1..70_000_u64).step_by(17) {
            let found = ln(value) as f64 / ONE as f64;
            assert!((found - (value as f64).ln()).abs() < 1e-14, "{value}: {found}");
        }
        assert_eq!(ln(1), 0);
        assert_eq!(ln(8), 3 * LN_2);
    }

    #[test]
    fn the_exponential_is_right_to_fifty_bits() {
        for thousandths in (0..40_000_u128).step_by(37) {
            let found = exp_of_minus((thousandths << FRACTION) / 1000) as f64 / ONE as f64;
            let expected = (-(thousandths as f64) / 1000.0).exp();
            assert!(
                (found - expected).abs() < 1e-15,
                "{thousandths}: {found} {expected}"
            );
        }
        assert_eq!(
            (exp_of_minus(0), exp_of_minus(LN_2), exp_of_minus(111 << FRACTION)),
            (ONE, ONE / 2, 0)
        );
    }

    #[test]
    fn the_power_is_that_of_floating_point() {
        for gamma in [100, 333, 454, 999, 1000, 1001, 1800, 2200, 4500, 10_000] {
            for max in [255, 65_535] {
                for value in (1..=max).step_by(if max == 255 { 1 } else { 13 }) {
                    let real = (f64::from(value) / f64::from(max)).powf(1000.0 / f64::from(gamma));
                    let expected = (real * f64::from(max)).round() as u16;
                    assert_eq!(
                        power(value, max, gamma, max),
                        expected,
                        "{value} of {max} ^1/{gamma}"
                    );
                }
            }
        }
    }
}
