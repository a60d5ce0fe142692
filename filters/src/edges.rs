//! `edges`: Sobel gradient of the luma, as a gray picture (alpha kept).

use std::ops::Range;

use crate::grayscale;
use crate::sample::Sample;
use crate::view::{View, reflect};

/// Rows above and below that a result row depends on.
pub(crate) const RADIUS: u32 = 1;

/// Result rows `rows`, with `channels.to_gray()`.
///
/// gx = the columns right minus left weighted 1 2 1, gy = the rows below minus above weighted 1 2 1 (Sobel
/// and Feldman 1968), and the result is |gx| + |gy|, saturated: the L1 magnitude that OpenCV's `Canny` has
/// by default. Borders: reflect 101.
#[inline(always)]
pub(crate) fn apply<T: Sample>(source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let shape = source.shape;
    let (width, channels) = (shape.width as usize, shape.channels);
    let gray_channels = channels.to_gray().count();
    let mut gray = vec![T::default(); width * gray_channels];
    // Three rows of luma, each with one reflected column at either side.
    let mut lumas = [0; 3].map(|_| vec![0_i32; width + 2]);
    let mut load = |y: i64, luma: &mut Vec<i32>| {
        grayscale::apply(channels, source.row(reflect(y, shape.height)), &mut gray);
        for (to, pixel) in luma[1..].iter_mut().zip(gray.chunks_exact(gray_channels)) {
            *to = pixel[0].signed();
        }
        luma[0] = luma[1 + reflect(-1, shape.width) as usize];
        luma[width + 1] = luma[1 + reflect(width as i64, shape.width) as usize];
    };
    load(i64::from(rows.start) - 1, &mut lumas[1]);
    load(i64::from(rows.start), &mut lumas[2]);
    for (y, out) in rows.zip(out.chunks_exact_mut(width * gray_channels)) {
        lumas.rotate_left(1);
        load(i64::from(y) + 1, &mut lumas[2]);
        let [above, here, below] = &lumas;
        let alpha = channels
            .has_alpha()
            .then(|| source.row(y).chunks_exact(channels.count()));
        for (x, to) in out.chunks_exact_mut(gray_channels).enumerate() {
            let column = |i: usize| above[i] + 2 * here[i] + below[i];
            let row = |line: &[i32]| line[x] + 2 * line[x + 1] + line[x + 2];
            let gx = column(x + 2) - column(x);
            let gy = row(below) - row(above);
            to[0] = T::saturate(i64::from(gx.abs() + gy.abs()));
        }
        for (to, from) in out
            .chunks_exact_mut(gray_channels)
            .zip(alpha.into_iter().flatten())
        {
            to[1] = from[channels.colors()];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Channels, Shape};

    fn edges(width: u32, samples: &[u8]) -> Vec<u8> {
        let height = samples.len() as u32 / width;
        let shape = Shape {
            width,
            height,
            channels: Channels::Gray,
        };
        let mut out = vec![0; samples.len()];
        apply(&View::new(shape, 0, samples), 0..height, &mut out);
        out
    }

    #[test]
    fn known_answers() {
        assert_eq!(edges(1, &[77]), [0]);
        // A step of 10 between columns 1 and 2: 4 × 10 on both sides of it, nothing at the borders.
        let row = [0, 0, 10, 10];
        assert_eq!(edges(4, &[row, row, row].concat()), [[0, 40, 40, 0]; 3].concat());
        // A single bright pixel: 2 × 20 at its sides, 1 + 1 at its corners, nothing under it.
        let mut dot = [0; 25];
        dot[12] = 20;
        let found = edges(5, &dot);
        assert_eq!(found[6..9], [40, 40, 40]);
        assert_eq!(found[11..14], [40, 0, 40]);
        assert_eq!(edges(2, &[0, 255]), [0, 0]);
        assert_eq!(edges(3, &[0, 100, 255]), [0, 255, 0]);
    }
}
