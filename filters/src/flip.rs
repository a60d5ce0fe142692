//! `flip:h` and `flip:v`: the mirror image, left and right or top and bottom exchanged. Nothing is resampled.

use std::ops::Range;

use crate::raster::Shape;
use crate::view::{View, copy_pixels};

/// What changes places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// Left and right.
    Horizontal,
    /// Top and bottom.
    Vertical,
}

impl Flip {
    /// As it is written in a recipe: `h` or `v`.
    pub(crate) fn letter(self) -> char {
        match self {
            Flip::Horizontal => 'h',
            Flip::Vertical => 'v',
        }
    }

    /// Source rows that the result rows `rows` come from.
    pub(crate) fn source_rows(self, source: Shape, rows: Range<u32>) -> Range<u32> {
        match self {
            Flip::Horizontal => rows,
            Flip::Vertical => source.height - rows.end..source.height - rows.start,
        }
    }

    /// Result rows `rows`.
    pub(crate) fn apply<T: Copy>(self, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
        let shape = source.shape;
        let count = shape.channels.count();
        for (y, out) in rows.zip(out.chunks_exact_mut(shape.row_len())) {
            match self {
                Flip::Vertical => out.copy_from_slice(source.row(shape.height - 1 - y)),
                Flip::Horizontal => copy_pixels(out, count, source.row(y).rchunks_exact(count)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Channels;

    #[test]
    fn known_answers() {
        // (1 2) (3 4)
        // (5 6) (7 8)
        let shape = Shape {
            width: 2,
            height: 2,
            channels: Channels::GrayAlpha,
        };
        let flipped = |flip: Flip| {
            let mut out = [0; 8];
            flip.apply(&View::new(shape, 0, &[1, 2, 3, 4, 5, 6, 7, 8]), 0..2, &mut out);
            out
        };
        assert_eq!(flipped(Flip::Horizontal), [3, 4, 1, 2, 7, 8, 5, 6]);
        assert_eq!(flipped(Flip::Vertical), [5, 6, 7, 8, 1, 2, 3, 4]);
    }
}
