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
    let width = source.shape.width as usize;
    let channels = source.shape.channels;
    let result_channels = channels.to_gray().count();
    let mut gray = vec![T::default(); width * result_channels];
    // Three rows of luma, each with one reflected column at either side.
    let mut lumas = [0; 3].map(|_| vec![T::Wide::default(); width + 2]);
    let first = i64::from(rows.start) - 1;
    // The next row of luma takes the place of the oldest.
    for (y, i) in (first..=i64::from(rows.end)).zip(0_usize..) {
        load(source, y, &mut gray, &mut lumas[i % 3]);
        let Some(done) = i.checked_sub(2) else {
            continue;
        };
        let under = [done, done + 1, i].map(|i| &lumas[i % 3][..]);
        let out = &mut out[done * gray.len()..][..gray.len()];
        if channels.has_alpha() {
            gradient(under, &mut gray[..width]);
            let alpha = source.row(y as u32 - 1).chunks_exact(channels.count());
            for ((to, magnitude), pixel) in out.as_chunks_mut().0.iter_mut().zip(&gray).zip(alpha) {
                *to = [*magnitude, pixel[channels.colors()]];
            }
        } else {
            gradient(under, out);
        }
    }
}

/// The luma of row `y`, reflected; `gray` holds a row without colour.
#[inline(always)]
fn load<T: Sample>(source: &View<T>, y: i64, gray: &mut [T], luma: &mut [T::Wide]) {
    let View { shape, .. } = *source;
    let width = shape.width as usize;
    grayscale::apply(shape.channels, source.row(reflect(y, shape.height)), gray);
    let inside = &mut luma[1..=width];
    if shape.channels.has_alpha() {
        for (to, [luma, _]) in inside.iter_mut().zip(gray.as_chunks().0) {
            *to = (*luma).into();
        }
    } else {
        for (to, luma) in inside.iter_mut().zip(gray) {
            *to = (*luma).into();
        }
    }
    luma[0] = luma[1 + reflect(-1, shape.width) as usize];
    luma[width + 1] = luma[1 + reflect(width as i64, shape.width) as usize];
}

/// The magnitudes under three rows that are longer by one at either side.
#[inline(always)]
fn gradient<T: Sample>(rows: [&[T::Wide]; 3], out: &mut [T]) {
    let width = out.len();
    let [above, here, below] = rows.map(|row| [0, 1, 2].map(|x| &row[x..x + width]));
    let weighted = |a: T::Wide, b: T::Wide, c: T::Wide| a + (b + b) + c;
    let magnitude = |difference: T::Wide| difference.max(T::Wide::default() - difference);
    for x in 0..width {
        let column = |i: usize| weighted(above[i][x], here[i][x], below[i][x]);
        let row = |row: [&[T::Wide]; 3]| weighted(row[0][x], row[1][x], row[2][x]);
        let (gx, gy) = (column(2) - column(0), row(below) - row(above));
        out[x] = T::narrow_wide(magnitude(gx) + magnitude(gy));
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
