//! `pixelate:N`: blocks of N × N pixels, counted from the upper left corner of the picture, each filled with
//! its mean; those at the right and lower edge may be smaller.
//!
//! Means are rounded half up. Colour counts by its alpha (round(Σ colour·alpha / Σ alpha)), and a block that
//! is wholly invisible has the colour 0; alpha itself is a plain mean.

use std::ops::Range;

use crate::raster::Shape;
use crate::sample::Sample;
use crate::view::View;

/// Source rows that the result rows `rows` are made of: whole blocks.
pub(crate) fn source_rows(side: u32, source: Shape, rows: Range<u32>) -> Range<u32> {
    rows.start / side * side..rows.end.next_multiple_of(side).min(source.height)
}

/// Result rows `rows`, in blocks of `side` pixels.
pub(crate) fn apply<T: Sample>(side: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let shape = source.shape;
    let (count, len) = (shape.channels.count(), shape.row_len());
    let mut y = rows.start;
    let mut means = vec![T::default(); len.div_ceil(side as usize * count) * count];
    while y < rows.end {
        let block = source_rows(side, shape, y..y + 1);
        average(side, source.rows(block.clone()), shape, &mut means);
        let until = block.end.min(rows.end);
        for row in out[(y - rows.start) as usize * len..][..(until - y) as usize * len].chunks_exact_mut(len)
        {
            for (block, mean) in row
                .chunks_mut(side as usize * count)
                .zip(means.chunks_exact(count))
            {
                block
                    .chunks_exact_mut(count)
                    .for_each(|pixel| pixel.copy_from_slice(mean));
            }
        }
        y = until;
    }
}

/// The mean of each block of one row of blocks, whose pixel rows are `rows`.
fn average<T: Sample>(side: u32, rows: &[T], shape: Shape, means: &mut [T]) {
    let (count, colors) = (shape.channels.count(), shape.channels.colors());
    let height = (rows.len() / shape.row_len()) as u64;
    // Colour times alpha (1 where there is none), then alpha. At most 65535² · 1000².
    let mut sums = vec![[0_u64; 4]; means.len() / count];
    for row in rows.chunks_exact(shape.row_len()) {
        for (sum, block) in sums.iter_mut().zip(row.chunks(side as usize * count)) {
            for pixel in block.chunks_exact(count) {
                let alpha = if shape.channels.has_alpha() {
                    pixel[colors].into()
                } else {
                    1_u64
                };
                for (sum, sample) in sum.iter_mut().zip(&pixel[..colors]) {
                    *sum += Into::<u64>::into(*sample) * alpha;
                }
                sum[3] += alpha;
            }
        }
    }
    let mut left = u64::from(shape.width);
    for (mean, sum) in means.chunks_exact_mut(count).zip(sums) {
        let width = left.min(u64::from(side));
        left -= width;
        for (to, color) in mean[..colors].iter_mut().zip(sum) {
            *to = T::saturate((color + sum[3] / 2).checked_div(sum[3]).unwrap_or(0) as i64);
        }
        if shape.channels.has_alpha() {
            mean[colors] = T::saturate(((sum[3] + width * height / 2) / (width * height)) as i64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Channels;

    #[test]
    fn known_answers() {
        // Two blocks across, the second one column wide; two down, the second one row high.
        let shape = Shape {
            width: 3,
            height: 3,
            channels: Channels::Gray,
        };
        let samples = [0, 10, 100, 20, 31, 101, 7, 8, 255_u8];
        let mut out = [0; 9];
        apply(2, &View::new(shape, 0, &samples), 0..3, &mut out);
        // 61 / 4 = 15.25, 201 / 2 and 15 / 2 half up.
        assert_eq!(out, [15, 15, 101, 15, 15, 101, 8, 8, 255]);
        // A visible pixel beside three invisible ones keeps its colour; invisible ones alone have none.
        let shape = Shape {
            width: 4,
            height: 2,
            channels: Channels::GrayAlpha,
        };
        let samples = [200, 100, 9, 0, 50, 0, 60, 0, 9, 0, 9, 0, 70, 0, 80, 0_u8];
        let mut out = [9; 16];
        apply(2, &View::new(shape, 0, &samples), 0..2, &mut out);
        assert_eq!(out, [[200, 25, 200, 25, 0, 0, 0, 0]; 2].concat()[..]);
    }

    #[test]
    fn the_largest_block_of_the_brightest_samples_does_not_overflow() {
        let shape = Shape {
            width: 1000,
            height: 1000,
            channels: Channels::GrayAlpha,
        };
        let samples = vec![u16::MAX; 2_000_000];
        let mut out = vec![0; 2000];
        apply(1000, &View::new(shape, 0, &samples), 500..501, &mut out);
        assert!(out.iter().all(|sample| *sample == u16::MAX));
    }
}
