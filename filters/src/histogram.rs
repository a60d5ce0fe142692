//! How often each luma occurs: what the steps that look at the whole picture need to know of it.
//!
//! Histograms of parts add up to that of the whole, however it was cut, so the parts may be counted by
//! several threads or machines.

use crate::error::FilterError;
use crate::planes;
use crate::raster::{Channels, Raster, Samples};
use crate::sample::Sample;
use crate::{autolevels, equalize, ycrcb};

/// One count per value of a sample: 256 for 8-bit pictures, 65,536 for 16-bit ones.
///
/// A pixel counts by its luma, the Y of OpenCV's YCrCb: (R·4899 + G·9617 + B·1868 + 8192) >> 14, or the
/// sample itself in a gray picture. What is wholly transparent does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u32>,
}

impl Histogram {
    /// Nothing counted yet, for samples of `bits` (8 or 16).
    pub fn new(bits: u8) -> Histogram {
        Histogram {
            counts: vec![0; 1 << bits.min(16)],
        }
    }

    /// That of a picture, or of a part of one.
    ///
    /// # Errors
    /// The raster contradicts itself or is too large, as in [`Raster::new`].
    pub fn of(raster: &Raster) -> Result<Histogram, FilterError> {
        raster.check()?;
        let mut histogram = Histogram::new(raster.samples.bits());
        match &raster.samples {
            Samples::U8(samples) => histogram.add(raster.channels, samples),
            Samples::U16(samples) => histogram.add(raster.channels, samples),
        }
        Ok(histogram)
    }

    /// Counts more pixels.
    #[inline(always)]
    pub(crate) fn add<T: Sample>(&mut self, channels: Channels, samples: &[T]) {
        if channels == Channels::Rgb && T::MAX == u32::from(u8::MAX) {
            return self.add_colors(samples);
        }
        for pixel in samples.chunks_exact(channels.count()) {
            if let Some(luma) = visible_luma(channels, pixel) {
                self.count(luma);
            }
        }
    }

    /// Counts more 8-bit pixels of three colours. Neighbours, which are often alike, count in different places, so that
    /// none waits for the other.
    #[inline(always)]
    fn add_colors<T: Sample>(&mut self, samples: &[T]) {
        let mut parts = [[0_u32; 256]; 4];
        let mut lumas = [T::default(); 1024];
        for samples in samples.chunks(3 * lumas.len()) {
            let lumas = &mut lumas[..samples.len() / 3];
            planes::map(samples, lumas, |[r, g, b]| [ycrcb::luma(r, g, b)]);
            let (fours, rest) = lumas.as_chunks::<4>();
            for four in fours {
                for (part, luma) in parts.iter_mut().zip(four) {
                    part[luma.signed() as usize % 256] += 1;
                }
            }
            rest.iter().for_each(|luma| self.count(*luma));
        }
        for part in parts {
            for (count, more) in self.counts.iter_mut().zip(part) {
                *count = count.saturating_add(more);
            }
        }
    }

    /// Counts one pixel of this luma.
    pub(crate) fn count<T: Sample>(&mut self, luma: T) {
        let count = &mut self.counts[Into::<u32>::into(luma) as usize];
        *count = count.saturating_add(1);
    }

    /// Adds what another one has counted, of the same depth. Counts stop at 2³² − 1, far beyond what a
    /// picture within the [limits](crate::limits) has.
    ///
    /// # Panics
    /// If the depths differ.
    pub fn merge(&mut self, other: &Histogram) {
        assert_eq!(self.counts.len(), other.counts.len(), "histograms of one depth");
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }

    /// How many pixels have luma `i`, for each `i`.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// How many pixels were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Full scale of the samples: 255 or 65,535.
    pub(crate) fn max(&self) -> u32 {
        self.counts.len() as u32 - 1
    }

    /// The table of the step `equalize`: the new luma for each luma.
    pub fn equalize_table(&self) -> Vec<u16> {
        equalize::table(self)
    }

    /// The table of the step `autolevels` with a clip in thousandths of a percent: the new sample for each.
    pub fn autolevels_table(&self, clip: u32) -> Vec<u16> {
        autolevels::table(self, clip)
    }
}

/// The luma of a pixel, if anything of it can be seen.
pub(crate) fn visible_luma<T: Sample>(channels: Channels, pixel: &[T]) -> Option<T> {
    let hidden = channels.has_alpha() && Into::<u32>::into(pixel[channels.colors()]) == 0;
    (!hidden).then(|| ycrcb::pixel_luma(channels, pixel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let samples: Vec<u8> = (0..40 * 30 * 4_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 21) as u8)
            .collect();
        let part = |rows: std::ops::Range<usize>| {
            let samples = samples[rows.start * 160..rows.end * 160].to_vec();
            let raster = Raster::new(40, rows.len() as u32, Channels::Rgba, Samples::U8(samples)).unwrap();
            Histogram::of(&raster).unwrap()
        };
        let whole = part(0..30);
        for cut in 1..30 {
            let mut merged = Histogram::new(8);
            // In any order.
            for rows in [cut..30, 0..cut] {
                merged.merge(&part(rows));
            }
            assert_eq!(merged, whole);
        }
        let visible = samples.chunks_exact(4).filter(|pixel| pixel[3] > 0).count();
        assert!(visible < 1200, "some are transparent, else nothing is shown");
        assert_eq!(whole.total(), visible as u64);
    }

    #[test]
    fn known_counts() {
        let raster = Raster::new(
            3,
            1,
            Channels::Rgb,
            Samples::U8(vec![255, 0, 0, 76, 76, 76, 0, 0, 0]),
        )
        .unwrap();
        let histogram = Histogram::of(&raster).unwrap();
        assert_eq!(
            (histogram.counts()[0], histogram.counts()[76], histogram.total()),
            (1, 2, 3)
        );
        let raster = Raster::new(2, 1, Channels::GrayAlpha, Samples::U16(vec![9, 1, 9, 0])).unwrap();
        let histogram = Histogram::of(&raster).unwrap();
        assert_eq!(
            (histogram.counts().len(), histogram.counts()[9], histogram.total()),
            (65_536, 1, 1)
        );
        let lies = Raster { height: 2, ..raster };
        assert_eq!(
            Histogram::of(&lies),
            Err(FilterError::SampleCount {
                expected: 8,
                found: 4
            })
        );
    }
}
