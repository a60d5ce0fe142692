//! `posterize:N`: each colour sample to the nearest of N evenly spaced levels, black and white among them, as
//! ImageMagick's and GIMP's posterize; alpha is kept.

/// The result of every sample `0..=max`: with q = round(sample·(N − 1)/max), round(q·max/(N − 1)), both half up.
pub(crate) fn table(levels: u32, max: u32) -> Vec<u16> {
    let last = levels - 1;
    (0..=max)
        .map(|sample| {
            let level = (2 * sample * last + max) / (2 * max);
            ((2 * level * max + last) / (2 * last)) as u16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let table_of_2 = table(2, 255);
        assert_eq!([0, 127, 128, 255].map(|s: usize| table_of_2[s]), [0, 0, 255, 255]);
        let table_of_4 = table(4, 255);
        assert_eq!(
            [0, 42, 43, 127, 128, 212, 213].map(|s: usize| table_of_4[s]),
            [0, 0, 85, 85, 170, 170, 255]
        );
        let deep = table(3, 65_535);
        assert_eq!(
            [16_383, 16_384, 49_151, 49_152].map(|s: usize| deep[s]),
            [0, 32_768, 32_768, 65_535]
        );
    }

    #[test]
    fn there_are_as_many_levels_as_asked_for_and_each_is_the_nearest() {
        for n in 2..=64 {
            for max in [255, 65_535] {
                let found = table(n, max);
                let mut levels = found.clone();
                levels.dedup();
                assert_eq!(levels.len() as u32, n);
                for (sample, level) in found.iter().enumerate() {
                    let away = |level: &u16| (sample as u32).abs_diff(u32::from(*level));
                    // The levels are rounded, so one that is further by 1 may stand for the nearest.
                    assert!(
                        levels.iter().all(|other| away(level) <= away(other) + 1),
                        "{n}: {sample}"
                    );
                }
            }
        }
    }
}
