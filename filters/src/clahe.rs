//! `clahe[:CLIP[,TILES]]`: contrast-limited adaptive histogram equalisation, as OpenCV's `createCLAHE`
//! (Zuiderveld, Graphics Gems IV, 1994).
//!
//! The picture is cut into TILES × TILES tiles, each with an equalisation table of its own that lifts no tone
//! more than CLIP allows; between the middles of the tiles the tables are blended. Colour pictures are mapped in
//! their luma (the Y of [YCrCb](crate::ycrcb)); chroma and alpha are kept. What is wholly transparent is not
//! counted; a tile of which nothing can be seen changes nothing.
//!
//! The tables are OpenCV's to the bit: the same clipping, the same [floats of 32 bits](crate::binary32). It
//! blends in floats as well; here the weights have 20 bits after the point and the result is rounded half
//! to even, which gives the same wherever the tile's sides are powers of two and differs by at most 1 elsewhere.

use std::ops::Range;

use crate::binary32::{Binary32, halved};
use crate::equalize::cumulated;
use crate::histogram::{Histogram, visible_luma};
use crate::raster::Shape;
use crate::sample::Sample;
use crate::view::{View, reflect};
use crate::ycrcb;

/// How a picture is cut: `tiles` × `tiles` of `width` × `height` pixels. They may reach beyond its right and
/// lower edge, where the picture is mirrored (reflect 101).
#[derive(Clone, Copy)]
struct Grid {
    source: Shape,
    tiles: u32,
    width: u32,
    height: u32,
}

impl Grid {
    fn new(source: Shape, tiles: u32) -> Grid {
        // OpenCV adds to both sides if one of them cannot be divided, a whole pixel a tile to the other.
        let whole = source.width.is_multiple_of(tiles) && source.height.is_multiple_of(tiles);
        let side = |pixels: u32| pixels / tiles + u32::from(!whole);
        Grid {
            source,
            tiles,
            width: side(source.width),
            height: side(source.height),
        }
    }
}

/// What is to be known of the whole picture: a histogram for each tile.
pub(crate) struct Tiles {
    grid: Grid,
    bits: u8,
    /// Row by row.
    histograms: Vec<Histogram>,
}

impl Tiles {
    /// Nothing counted yet.
    pub fn new(source: Shape, bits: u8, tiles: u32) -> Tiles {
        Tiles {
            grid: Grid::new(source, tiles),
            bits,
            histograms: (0..tiles * tiles).map(|_| Histogram::new(bits)).collect(),
        }
    }

    /// Counts the source rows `rows`, also where they are mirrored.
    pub fn add<T: Sample>(&mut self, source: &View<T>, rows: Range<u32>) {
        let Grid {
            source: shape,
            tiles,
            width,
            height,
        } = self.grid;
        let mirrored = (shape.height..tiles * height)
            .map(|y| (y, reflect(i64::from(y), shape.height)))
            .filter(|(_, from)| rows.contains(from));
        let columns: Vec<u32> = (0..tiles * width)
            .map(|x| reflect(i64::from(x), shape.width))
            .collect();
        let mut lumas = Vec::with_capacity(shape.width as usize);
        for (y, from) in rows.clone().map(|y| (y, y)).chain(mirrored) {
            let pixels = source.row(from).chunks_exact(shape.channels.count());
            lumas.clear();
            lumas.extend(pixels.map(|pixel| visible_luma(shape.channels, pixel)));
            let first = (y / height * tiles) as usize;
            let histograms = &mut self.histograms[first..][..tiles as usize];
            for (histogram, columns) in histograms.iter_mut().zip(columns.chunks_exact(width as usize)) {
                for luma in columns.iter().filter_map(|x| lumas[*x as usize]) {
                    histogram.count(luma);
                }
            }
        }
    }

    /// Adds what another survey of the same picture has counted.
    pub fn merge(&mut self, other: &Tiles) {
        for (histogram, more) in self.histograms.iter_mut().zip(&other.histograms) {
            histogram.merge(more);
        }
    }

    /// The tables, with `clip` in thousandths.
    pub fn mapping(&self, clip: u32) -> Mapping {
        let Grid {
            source,
            tiles,
            width,
            height,
        } = self.grid;
        let blends = |side: u32, tile: u32| (0..side).map(|at| Blend::new(at, tile, tiles)).collect();
        let mut tables = Vec::with_capacity(self.histograms.len() << self.bits);
        self.histograms
            .iter()
            .for_each(|histogram| tables.extend(table(histogram, clip)));
        Mapping {
            tiles: tiles as usize,
            bits: u32::from(self.bits),
            columns: blends(source.width, width),
            rows: blends(source.height, height),
            tables,
        }
    }
}

/// The table of one tile.
///
/// With n pixels: no count stays above max(1, ⌊clip·n / bins⌋); what is cut off is given to all bins equally, the
/// rest of that to every ⌊bins / rest⌋-th from the first on; then luma k becomes (Σ counts up to k) · (max / n).
fn table(histogram: &Histogram, clip: u32) -> Vec<u16> {
    let (max, bins) = (histogram.max(), histogram.max() + 1);
    // At most (SIDE_MAX + TILES_MAX)² pixels, of which no more than PIXELS_MAX and its mirror count.
    let pixels = histogram.total() as u32;
    if pixels == 0 {
        return (0..=max).map(|luma| luma as u16).collect();
    }
    let limit = (u64::from(clip) * u64::from(pixels) / (1000 * u64::from(bins))).max(1);
    let limit = limit.min(u64::from(u32::MAX)) as u32;
    let excess: u32 = histogram
        .counts()
        .iter()
        .map(|count| count.saturating_sub(limit))
        .sum();
    let (each, rest) = (excess / bins, excess % bins);
    let mut counts: Vec<u32> = histogram
        .counts()
        .iter()
        .map(|count| count.min(&limit) + each)
        .collect();
    let step = bins.checked_div(rest).unwrap_or(1);
    counts
        .iter_mut()
        .step_by(step as usize)
        .take(rest as usize)
        .for_each(|count| *count += 1);
    cumulated(Binary32::quotient(max, pixels), max, counts.into_iter()).collect()
}

/// Bits after the point of a weight.
const WEIGHT_BITS: i32 = 20;

/// Between which two tiles a position is, and how near to the second.
struct Blend {
    tiles: [usize; 2],
    weights: [u64; 2],
}

impl Blend {
    /// Of position `at` along a side with `tiles` tiles of `tile` pixels: it is (2·at − tile) / (2·tile) tiles
    /// from the middle of the first.
    fn new(at: u32, tile: u32, tiles: u32) -> Blend {
        let (away, unit) = (2 * i64::from(at) - i64::from(tile), 2 * i64::from(tile));
        let (before, part) = (away.div_euclid(unit), away.rem_euclid(unit));
        let weight = ((part << WEIGHT_BITS) + unit / 2) / unit;
        let inside = |tile: i64| tile.clamp(0, i64::from(tiles) - 1) as usize;
        Blend {
            tiles: [inside(before), inside(before + 1)],
            weights: [((1 << WEIGHT_BITS) - weight) as u64, weight as u64],
        }
    }
}

/// The tables of all tiles, and how they are blended.
pub(crate) struct Mapping {
    tiles: usize,
    bits: u32,
    columns: Vec<Blend>,
    rows: Vec<Blend>,
    tables: Vec<u16>,
}

impl Mapping {
    /// Result rows `rows`.
    pub fn apply<T: Sample>(&self, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
        let len = source.shape.row_len();
        for (y, out) in rows.zip(out.chunks_exact_mut(len)) {
            let row = &self.rows[y as usize];
            ycrcb::map_luma(source.shape.channels, source.row(y), out, |x, luma| {
                let column = &self.columns[x];
                let at = |down: usize, across: usize| {
                    let tile = row.tiles[down] * self.tiles + column.tiles[across];
                    let luma: u32 = luma.into();
                    u64::from(self.tables[(tile << self.bits) + luma as usize])
                };
                let line = |down| at(down, 0) * column.weights[0] + at(down, 1) * column.weights[1];
                // At most 16 + 2·20 bits.
                let sum = line(0) * row.weights[0] + line(1) * row.weights[1];
                T::saturate(halved(sum, 2 * WEIGHT_BITS) as i64)
            });
        }
    }
}
