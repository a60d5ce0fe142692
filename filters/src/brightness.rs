//! `brightness:N`: adds N steps of 8 bits to each colour sample, saturating; alpha is kept.

use crate::sample::Sample;

/// The curve of the filter: `sample + steps` (times 257 for 16-bit samples, so that both depths look alike).
pub(crate) fn curve<T: Sample>(steps: i32, sample: T) -> T {
    T::saturate(i64::from(sample.signed() + steps * T::STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!([0_u8, 100, 250].map(|s| curve(10, s)), [10, 110, 255]);
        assert_eq!([0_u8, 100, 255].map(|s| curve(-255, s)), [0, 0, 0]);
        assert_eq!([0_u16, 65000].map(|s| curve(10, s)), [2570, 65535]);
        assert_eq!([2570_u16, 2571].map(|s| curve(-10, s)), [0, 1]);
    }
}
