//! `crop:X,Y,W,H`: the rectangle of W × H pixels whose upper left pixel is (X, Y), counted from 0.

use std::ops::Range;

use crate::error::FilterError;
use crate::raster::Shape;
use crate::view::View;

/// A rectangle, in pixels; both sides at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Crop {
    /// The shape of the result, if the rectangle is inside the picture.
    pub(crate) fn shape(self, source: Shape) -> Result<Shape, FilterError> {
        let fits = |from: u32, len: u32, side: u32| u64::from(from) + u64::from(len) <= u64::from(side);
        if fits(self.x, self.width, source.width) && fits(self.y, self.height, source.height) {
            return Ok(Shape {
                width: self.width,
                height: self.height,
                ..source
            });
        }
        Err(FilterError::CropOutside {
            x: self.x,
            y: self.y,
            crop_width: self.width,
            crop_height: self.height,
            width: source.width,
            height: source.height,
        })
    }

    /// Source rows that the result rows `rows` come from.
    pub(crate) fn source_rows(self, rows: Range<u32>) -> Range<u32> {
        self.y + rows.start..self.y + rows.end
    }

    /// Result rows `rows`.
    pub(crate) fn apply<T: Copy>(self, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
        let count = source.shape.channels.count();
        let (from, len) = (self.x as usize * count, self.width as usize * count);
        for (y, out) in rows.zip(out.chunks_exact_mut(len)) {
            out.copy_from_slice(&source.row(self.y + y)[from..][..len]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Channels;

    #[test]
    fn known_answer_and_the_edge_of_the_picture() {
        let shape = Shape {
            width: 3,
            height: 3,
            channels: Channels::Gray,
        };
        let crop = Crop {
            x: 1,
            y: 1,
            width: 2,
            height: 2,
        };
        let mut out = [0; 4];
        crop.apply(&View::new(shape, 0, &[1, 2, 3, 4, 5, 6, 7, 8, 9]), 0..2, &mut out);
        assert_eq!(out, [5, 6, 8, 9]);
        assert!(crop.shape(shape).is_ok());
        assert!(Crop { width: 3, ..crop }.shape(shape).is_err());
        assert!(Crop { y: 2, ..crop }.shape(shape).is_err());
        assert!(Crop { x: u32::MAX, ..crop }.shape(shape).is_err());
    }
}
