//! `vignette:AMOUNT`: darkens towards the corners by AMOUNT percent; alpha is kept.
//!
//! With r the distance from the centre, measured in ellipses that follow the picture's sides and 1 in its
//! corners, each colour sample is multiplied by 1 − AMOUNT/100 · r⁴: flat in the middle, steep at the corners.
//! (The r⁴ term of the radial polynomial by which lens profiles describe vignetting, alone.) The samples are
//! multiplied as they are, not in linear light.
//!
//! In integers with 16 bits after the point: along a side of n pixels, position i gives
//! ⌊(2i + 1 − n)²·2¹⁶ / n²⌋; r² is half the sum of those of column and row, rounded down.

use std::ops::Range;

use crate::sample::Sample;
use crate::view::View;

/// Result rows `rows`.
pub(crate) fn apply<T: Sample>(percent: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let shape = source.shape;
    let (count, colors) = (shape.channels.count(), shape.channels.colors());
    let columns: Vec<u32> = (0..shape.width).map(|x| square(x, shape.width)).collect();
    for (y, out) in rows.zip(out.chunks_exact_mut(shape.row_len())) {
        let down = square(y, shape.height);
        let pixels = out.chunks_exact_mut(count).zip(source.row(y).chunks_exact(count));
        for ((to, from), across) in pixels.zip(&columns) {
            let gain = gain(percent, (across + down) / 2);
            to.copy_from_slice(from);
            for sample in &mut to[..colors] {
                // At most 65535·2¹⁶ + 2¹⁵: within a u32.
                *sample = T::saturate(i64::from((Into::<u32>::into(*sample) * gain + (1 << 15)) >> 16));
            }
        }
    }
}

/// The square of the distance from the middle of a side, 1 at its ends; 16 bits after the point, below 1.
fn square(position: u32, side: u32) -> u32 {
    let (distance, side) = ((2 * position + 1).abs_diff(side), u64::from(side));
    ((u64::from(distance).pow(2) << 16) / (side * side)) as u32
}

/// What the samples at r² = `square` are multiplied by, both with 16 bits after the point.
fn gain(percent: u32, square: u32) -> u32 {
    (1 << 16) - percent * ((square * square) >> 16) / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Channels, Shape};

    fn vignette<T: Sample>(percent: u32, shape: Shape, samples: &[T]) -> Vec<T> {
        let mut out = vec![T::default(); samples.len()];
        apply(percent, &View::new(shape, 0, samples), 0..shape.height, &mut out);
        out
    }

    #[test]
    fn it_is_the_real_formula() {
        let shape = Shape {
            width: 31,
            height: 18,
            channels: Channels::Gray,
        };
        for percent in [0, 1, 50, 100] {
            let found = vignette(percent, shape, &[60_000_u16; 31 * 18]);
            for (i, sample) in found.iter().enumerate() {
                let part = |at: usize, side: usize| ((2 * at + 1) as f64 / side as f64 - 1.0).powi(2);
                let square = (part(i % 31, 31) + part(i / 31, 18)) / 2.0;
                let expected = 60_000.0 * (1.0 - f64::from(percent) / 100.0 * square * square);
                assert!(
                    (f64::from(*sample) - expected).abs() < 4.0,
                    "{percent} {i}: {sample} {expected}"
                );
            }
        }
    }

    #[test]
    fn known_answers() {
        let shape = Shape {
            width: 3,
            height: 1,
            channels: Channels::GrayAlpha,
        };
        // r² = (2/3)² / 2 at the ends, so 1 − r⁴ is 77/81.
        assert_eq!(
            vignette(100, shape, &[200_u8, 1, 200, 2, 200, 3]),
            [190, 1, 200, 2, 190, 3]
        );
        assert_eq!(
            vignette(0, shape, &[200_u8, 1, 255, 2, 0, 3]),
            [200, 1, 255, 2, 0, 3]
        );
        let dot = Shape {
            width: 1,
            height: 1,
            channels: Channels::Gray,
        };
        assert_eq!(vignette(100, dot, &[65_535_u16]), [65_535]);
    }
}
