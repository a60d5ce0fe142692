//! `autolevels[:CLIP]`: the [levels](crate::levels) whose black and white point are found in the picture.
//!
//! The points are those of the luma (the Y of [YCrCb](crate::ycrcb)) that leave at most CLIP percent of the
//! visible pixels below black and above white, as ImageMagick's `-contrast-stretch` has them. One curve for all
//! channels: colours keep their cast. Alpha is kept.

use crate::histogram::Histogram;
use crate::levels;

/// The new sample for each sample, with `clip` in thousandths of a percent.
///
/// With n = ⌊total·clip / 100⌋: black is the lowest luma with more than n pixels at it or below, white the highest
/// with more than n at it or above. If they are the same, nothing changes.
pub(crate) fn table(histogram: &Histogram, clip: u32) -> Vec<u16> {
    let spare = histogram.total() * u64::from(clip) / 100_000;
    let max = histogram.max();
    let black = beyond(spare, (0..=max).zip(histogram.counts().iter().copied()));
    let white = beyond(
        spare,
        (0..=max).rev().zip(histogram.counts().iter().rev().copied()),
    );
    match (black, white) {
        (Some(black), Some(white)) if black < white => levels::table(black, white, 1000, max),
        _ => (0..=max).map(|sample| sample as u16).collect(),
    }
}

/// The first luma with which the counts add up to more than `spare`.
fn beyond(spare: u64, counts: impl Iterator<Item = (u32, u32)>) -> Option<u32> {
    let mut sum = 0;
    counts
        .filter(|(_, count)| {
            sum += u64::from(*count);
            sum > spare
        })
        .map(|(luma, _)| luma)
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Channels, Raster, Samples};

    fn table_of(samples: Vec<u8>, clip: u32) -> Vec<u16> {
        let width = samples.len() as u32;
        let raster = Raster::new(width, 1, Channels::Gray, Samples::U8(samples)).unwrap();
        table(&Histogram::of(&raster).unwrap(), clip)
    }

    #[test]
    fn known_answers() {
        // 200 pixels: 2 of 10, 100 of 60, 96 of 110, 2 of 240.
        let samples = [
            [10].repeat(2),
            [60].repeat(100),
            [110].repeat(96),
            [240].repeat(2),
        ]
        .concat();
        let points = |clip: u32| {
            let table = table_of(samples.clone(), clip);
            let black = table.iter().rposition(|sample| *sample == 0).unwrap();
            (black, table.iter().position(|sample| *sample == 255).unwrap())
        };
        assert_eq!(points(0), (10, 240));
        // At 0.999 % one pixel is to spare and both points stay; at 1 % two are, and they go.
        assert_eq!(points(999), (10, 240));
        assert_eq!(points(1000), (60, 110));
        assert_eq!(points(10_000), (60, 110));
        assert_eq!(table_of(samples, 0)[60], 55, "50 of 230 of 255 is 55.4");
    }

    #[test]
    fn one_tone_or_none_stays() {
        let same: Vec<u16> = (0..=255).collect();
        assert_eq!(table_of(vec![9; 50], 500), same);
        assert_eq!(table(&Histogram::new(8), 500), same);
        // With a tenth to spare at either end two tones of which one is rare become one.
        assert_eq!(table_of([[9].repeat(99), vec![200]].concat(), 10_000), same);
    }
}
