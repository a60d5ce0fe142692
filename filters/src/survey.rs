//! What a step must know of the whole picture before its first row: a first pass over the rows.
//!
//! Surveys of parts add up to that of the whole, in any order and for any cut, so bands, threads and machines
//! may each make their own; the tables are made once, from the sum.

use std::ops::Range;

use crate::clahe::Tiles;
use crate::histogram::Histogram;
use crate::raster::Shape;
use crate::sample::Sample;
use crate::step::Step;
use crate::transfer::Moments;
use crate::view::View;

/// What was counted so far.
pub(crate) enum Survey {
    /// For the whole picture.
    Histogram(Histogram),
    /// For each tile.
    Tiles(Tiles),
    /// Sums over the colours.
    Moments(Moments),
}

impl Survey {
    /// An empty one for a step that needs one, on pictures of this shape and depth.
    pub fn new(step: &Step, source: Shape, bits: u8) -> Option<Survey> {
        match step {
            Step::Equalize | Step::AutoLevels { .. } => Some(Survey::Histogram(Histogram::new(bits))),
            Step::Clahe { tiles, .. } => Some(Survey::Tiles(Tiles::new(source, bits, *tiles))),
            Step::Transfer(_) => Some(Survey::Moments(Moments::default())),
            _ => None,
        }
    }

    /// Counts the source rows `rows`, each of which must be counted once. The view must hold them.
    #[inline(always)]
    pub fn add<T: Sample>(&mut self, source: &View<T>, rows: Range<u32>) {
        match self {
            Survey::Histogram(histogram) => histogram.add(source.shape.channels, source.rows(rows)),
            Survey::Tiles(tiles) => tiles.add(source, rows),
            Survey::Moments(moments) => moments.add(source.shape.channels, source.rows(rows)),
        }
    }

    /// Adds what a survey of other rows has counted, for the same step and picture.
    pub fn merge(&mut self, other: &Survey) {
        match (self, other) {
            (Survey::Histogram(sum), Survey::Histogram(more)) => sum.merge(more),
            (Survey::Tiles(sum), Survey::Tiles(more)) => sum.merge(more),
            (Survey::Moments(sum), Survey::Moments(more)) => sum.merge(more),
            _ => unreachable!("one step makes one kind of survey"),
        }
    }
}
