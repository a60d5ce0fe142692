//! `equalize`: spreads the tones so that all are about equally frequent, exactly as OpenCV's `equalizeHist`.
//!
//! Colour pictures are equalised in their luma (the Y of [YCrCb](crate::ycrcb)); chroma and alpha are kept.
//! 16-bit pictures, which OpenCV's function does not take, by the same formula with 65,536 bins and the full
//! scale 65,535. What is wholly transparent is not counted.

use crate::binary32::Binary32;
use crate::histogram::Histogram;
use crate::raster::Channels;
use crate::sample::Sample;
use crate::ycrcb;

/// The new luma for each luma.
///
/// With i the first luma that occurs: if there is no other, everything stays; else scale = max / (total −
/// hist\[i\]), i becomes 0, and each k > i becomes (Σ hist\[j\] for i < j ≤ k) · scale, rounded half to even;
/// scale and product are [floats of 32 bits](crate::binary32).
pub(crate) fn table(histogram: &Histogram) -> Vec<u16> {
    let max = histogram.max();
    let first = histogram
        .counts()
        .iter()
        .position(|count| *count > 0)
        .unwrap_or(0);
    let others: u64 = histogram.counts()[first + 1..]
        .iter()
        .map(|count| u64::from(*count))
        .sum();
    // Counts of a picture: PIXELS_MAX is within a u32.
    let others = others.min(u64::from(u32::MAX)) as u32;
    if others == 0 {
        return (0..=max).map(|luma| luma as u16).collect();
    }
    let scale = Binary32::quotient(max, others);
    let counts = histogram.counts().iter().enumerate();
    let counts = counts.map(|(luma, count)| if luma > first { *count } else { 0 });
    cumulated(scale, max, counts).collect()
}

/// The sum of the counts up to each, times `scale`, rounded half to even and saturated.
pub(crate) fn cumulated(
    scale: Binary32,
    max: u32,
    counts: impl Iterator<Item = u32>,
) -> impl Iterator<Item = u16> {
    let (mut sum, mut luma) = (0_u32, 0);
    counts.map(move |count| {
        // Of 65,536 bins most are empty in a small picture.
        if count > 0 {
            sum = sum.saturating_add(count);
            luma = scale.times(sum).min(u64::from(max)) as u16;
        }
        luma
    })
}

/// Pixels with their luma looked up in `table`.
#[inline(always)]
pub(crate) fn apply<T: Sample>(channels: Channels, table: &[u16], source: &[T], out: &mut [T]) {
    if T::MAX == u32::from(u8::MAX) {
        // Narrowed once. A slice, not an array: with no bounds to check the compiler gathers single bytes into vectors.
        let bytes: Vec<T> = table.iter().map(|luma| T::clamp((*luma).into())).collect();
        ycrcb::map_luma(channels, source, out, |_, luma| bytes[luma.signed() as usize]);
    } else {
        ycrcb::map_luma(channels, source, out, |_, luma| {
            T::clamp(table[luma.signed() as usize].into())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Raster, Samples};

    fn histogram(samples: Samples) -> Histogram {
        Histogram::of(&Raster::new(samples.len() as u32, 1, Channels::Gray, samples).unwrap()).unwrap()
    }

    #[test]
    fn known_answers() {
        // One of 10, three of 20, one of 30: 0, 3/4 and 4/4 of 255; 191.25 is rounded down.
        let table_of_8 = table(&histogram(Samples::U8(vec![20, 10, 20, 30, 20])));
        assert_eq!(
            [0, 10, 19, 20, 29, 30, 255].map(|i: usize| table_of_8[i]),
            [0, 0, 0, 191, 191, 255, 255]
        );
        // A tie: one of two is 127.5, and the even one is 128; of 65,535 it is 32,767.5.
        assert_eq!(table(&histogram(Samples::U8(vec![0, 1, 2])))[1], 128);
        assert_eq!(table(&histogram(Samples::U16(vec![0, 1, 2])))[1], 32_768);
        // One tone alone, or none, stays.
        let same: Vec<u16> = (0..=255).collect();
        assert_eq!(table(&histogram(Samples::U8(vec![7; 9]))), same);
        assert_eq!(table(&Histogram::new(8)), same);
    }

    /// OpenCV's source, as it reads.
    fn in_floats(counts: &[u32]) -> Vec<u16> {
        let total: u32 = counts.iter().sum();
        let mut i = counts.iter().position(|count| *count > 0).unwrap();
        let scale = (counts.len() as f32 - 1.0) / (total - counts[i]) as f32;
        let (mut table, mut sum) = (vec![0; counts.len()], 0);
        i += 1;
        while i < counts.len() {
            sum += counts[i];
            table[i] = (sum as f32 * scale).round_ties_even() as u16;
            i += 1;
        }
        table
    }

    #[test]
    fn it_is_opencvs_with_floats() {
        for seed in 1..200_u32 {
            for bits in [8, 16] {
                let mut samples = Vec::new();
                let mut noise = seed;
                for _ in 0..seed * 7 {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // Few tones or many.
                    samples.push((noise >> (32 - bits)) as u16 / seed as u16);
                }
                let samples = match bits {
                    8 => Samples::U8(samples.iter().map(|s| *s as u8).collect()),
                    _ => Samples::U16(samples),
                };
                let histogram = histogram(samples);
                if histogram.counts().iter().filter(|count| **count > 0).count() > 1 {
                    assert_eq!(table(&histogram), in_floats(histogram.counts()), "{seed} {bits}");
                }
            }
        }
    }
}
