//! `rotate:DEG` by a right angle, clockwise: nothing is resampled. Other angles: [`angle`](crate::angle).

use std::ops::Range;

use crate::raster::Shape;
use crate::view::{View, copy_pixels};

/// By how much to turn, clockwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A quarter turn to the right.
    Quarter,
    /// Upside down.
    Half,
    /// A quarter turn to the left.
    ThreeQuarters,
}

impl Turn {
    /// 90, 180 or 270.
    pub fn degrees(self) -> u32 {
        match self {
            Turn::Quarter => 90,
            Turn::Half => 180,
            Turn::ThreeQuarters => 270,
        }
    }

    /// The shape after the turn.
    pub(crate) fn shape(self, source: Shape) -> Shape {
        match self {
            Turn::Half => source,
            _ => Shape {
                width: source.height,
                height: source.width,
                ..source
            },
        }
    }

    /// Source rows that the result rows `rows` come from: a quarter turn needs a column, thus all rows.
    pub(crate) fn source_rows(self, source: Shape, rows: Range<u32>) -> Range<u32> {
        match self {
            Turn::Half => source.height - rows.end..source.height - rows.start,
            _ => 0..source.height,
        }
    }

    /// Result rows `rows`.
    pub(crate) fn apply<T: Copy>(self, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
        let shape = source.shape;
        let count = shape.channels.count();
        let len = self.shape(shape).row_len();
        for (y, out) in rows.zip(out.chunks_exact_mut(len)) {
            match self {
                Turn::Half => {
                    let row = source.row(shape.height - 1 - y).rchunks_exact(count);
                    copy_pixels(out, count, row);
                }
                Turn::Quarter => {
                    let rows = (0..shape.height).rev().map(|row| source.row(row));
                    copy_pixels(out, count, rows.map(|row| &row[y as usize * count..][..count]));
                }
                Turn::ThreeQuarters => {
                    let x = (shape.width - 1 - y) as usize;
                    let rows = (0..shape.height).map(|row| source.row(row));
                    copy_pixels(out, count, rows.map(|row| &row[x * count..][..count]));
                }
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
        // 1 2 3
        // 4 5 6
        let shape = Shape {
            width: 3,
            height: 2,
            channels: Channels::Gray,
        };
        let turned = |turn: Turn| {
            let mut out = [0; 6];
            turn.apply(
                &View::new(shape, 0, &[1, 2, 3, 4, 5, 6]),
                0..turn.shape(shape).height,
                &mut out,
            );
            out
        };
        assert_eq!(turned(Turn::Quarter), [4, 1, 5, 2, 6, 3]);
        assert_eq!(turned(Turn::Half), [6, 5, 4, 3, 2, 1]);
        assert_eq!(turned(Turn::ThreeQuarters), [3, 6, 2, 5, 1, 4]);
    }
}
