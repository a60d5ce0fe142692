//! Rows of a picture as a kernel sees them: a band with its global coordinates.
//!
//! A kernel is handed the rows it needs, not necessarily all of them. Coordinates are always those of the
//! whole picture, so what comes out does not depend on how the picture was cut.

use std::ops::Range;

use crate::raster::Shape;

/// Some rows of a picture of `shape`, from row `first` on.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    /// Size and channels of the *whole* picture.
    pub shape: Shape,
    first: u32,
    samples: &'a [T],
}

impl<'a, T> View<'a, T> {
    /// The rows of `samples`, the first of which is row `first` of a picture of `shape`.
    pub fn new(shape: Shape, first: u32, samples: &'a [T]) -> View<'a, T> {
        debug_assert_eq!(samples.len() % shape.row_len(), 0, "whole rows");
        View {
            shape,
            first,
            samples,
        }
    }

    /// Row `y` of the picture. The step's `source_rows` says which rows are there.
    pub fn row(&self, y: u32) -> &'a [T] {
        let len = self.shape.row_len();
        &self.samples[(y - self.first) as usize * len..][..len]
    }

    /// The rows `rows` of the picture, one after the other in memory.
    pub fn rows(&self, rows: Range<u32>) -> &'a [T] {
        let len = self.shape.row_len();
        &self.samples[(rows.start - self.first) as usize * len..(rows.end - self.first) as usize * len]
    }
}

/// Lays pixels of `count` samples one beside the other.
pub(crate) fn copy_pixels<'a, T: Copy + 'a>(
    out: &mut [T],
    count: usize,
    pixels: impl Iterator<Item = &'a [T]>,
) {
    for (to, from) in out.chunks_exact_mut(count).zip(pixels) {
        to.copy_from_slice(from);
    }
}

/// Where a row or column outside the picture is read: mirrored without repeating the edge
/// (`… 2 1 | 0 1 2 … n−1 | n−2 …`, "reflect 101", the default of OpenCV). A side of 1 gives 0; a position
/// far outside is mirrored again and again, with period 2(n − 1).
pub(crate) fn reflect(position: i64, side: u32) -> u32 {
    let last = i64::from(side) - 1;
    if last == 0 {
        return 0;
    }
    let phase = position.rem_euclid(2 * last);
    (if phase > last { 2 * last - phase } else { phase }) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_mirrors_without_repeating_the_edge() {
        let read: Vec<u32> = (-5..9).map(|i| reflect(i, 4)).collect();
        assert_eq!(read, [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]);
        let two: Vec<u32> = (-3..4).map(|i| reflect(i, 2)).collect();
        assert_eq!(two, [1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(reflect(-150, 1), 0);
        assert_eq!(reflect(150, 1), 0);
    }
}
