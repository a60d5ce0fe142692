//! `contrast:N`: stretches (N > 0) or flattens (N < 0) around mid-gray; alpha is kept.

use crate::sample::Sample;

/// The curve of the filter: mid + (sample − mid)·((100 + N)/100)², mid = full scale / 2, rounded half up.
///
/// The squared factor is that of `imageops::contrast` of the crate `image`: −100 gives mid-gray everywhere,
/// 0 changes nothing, 100 multiplies by 4. In integers: with k = (100 + N)² and everything doubled because
/// mid is a half, floor(((2·sample − MAX)·k + MAX·10⁴ + 10⁴) / (2·10⁴)).
pub(crate) fn curve<T: Sample>(percent: i32, sample: T) -> T {
    let factor = i64::from(100 + percent) * i64::from(100 + percent);
    let doubled = 2 * i64::from(sample.signed()) - i64::from(T::MAX);
    let scaled = doubled * factor + i64::from(T::MAX) * 10_000;
    T::saturate((scaled + 10_000).div_euclid(20_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for sample in 0..=255_u8 {
            assert_eq!(curve(0, sample), sample);
            assert_eq!(curve(-100, sample), 128);
        }
        assert_eq!(
            [0_u8, 100, 127, 128, 150, 255].map(|s| curve(100, s)),
            [0, 18, 126, 130, 218, 255]
        );
        assert_eq!([0_u8, 100, 255].map(|s| curve(-50, s)), [96, 121, 159]);
        assert_eq!(
            [0_u16, 30000, 65535].map(|s| curve(-50, s)),
            [24576, 32076, 40959]
        );
    }
}
