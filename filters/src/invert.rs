//! `invert`: the negative. Each colour sample becomes full scale minus itself; alpha is kept.

use crate::sample::Sample;

/// The curve of the filter.
pub(crate) fn curve<T: Sample>(sample: T) -> T {
    T::saturate(i64::from(T::MAX) - i64::from(sample.signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!([0_u8, 1, 128, 255].map(curve), [255, 254, 127, 0]);
        assert_eq!([0_u16, 258, 65535].map(curve), [65535, 65277, 0]);
    }
}
