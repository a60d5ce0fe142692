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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Channels;

    fn gray(width: u32, height: u32) -> Shape {
        Shape {
            width,
            height,
            channels: Channels::Gray,
        }
    }

    #[test]
    fn the_grid_is_opencvs() {
        let tile = |width, height, tiles| {
            let grid = Grid::new(gray(width, height), tiles);
            (grid.width, grid.height)
        };
        assert_eq!(tile(64, 32, 8), (8, 4));
        assert_eq!(
            tile(65, 32, 8),
            (9, 5),
            "the side that can be divided grows as well"
        );
        assert_eq!(tile(3, 1, 8), (1, 1));
    }

    #[test]
    fn every_pixel_and_every_mirrored_one_counts_once() {
        for (width, height, tiles) in [(16, 8, 4), (17, 9, 4), (3, 2, 16), (1, 1, 16), (5, 40, 7)] {
            let shape = gray(width, height);
            let samples: Vec<u8> = (0..width * height).map(|i| (i * 37) as u8).collect();
            let mut survey = Tiles::new(shape, 8, tiles);
            survey.add(&View::new(shape, 0, &samples), 0..height);
            let grid = survey.grid;
            let mut plain = vec![vec![0_u32; 256]; (tiles * tiles) as usize];
            for y in 0..grid.height * tiles {
                for x in 0..grid.width * tiles {
                    let at = reflect(y.into(), height) * width + reflect(x.into(), width);
                    let tile = y / grid.height * tiles + x / grid.width;
                    plain[tile as usize][usize::from(samples[at as usize])] += 1;
                }
            }
            let found: Vec<&[u32]> = survey.histograms.iter().map(Histogram::counts).collect();
            assert_eq!(found, plain, "{width}x{height} in {tiles}");
        }
    }

    #[test]
    fn clipped_counts_are_given_back() {
        let histogram = |counts: &[(u8, u32)]| {
            let mut histogram = Histogram::new(8);
            for (luma, count) in counts {
                (0..*count).for_each(|_| histogram.count(*luma));
            }
            histogram
        };
        // Nothing above 40 * 512 / 256 = 80 pixels: 64 tones of 8, so each step is 8 / 512 of 255.
        let even: Vec<(u8, u32)> = (0..64).map(|i| (i * 4, 8)).collect();
        let found = table(&histogram(&even), 40_000);
        assert_eq!([0, 3, 4, 252].map(|i: usize| found[i]), [4, 4, 8, 255]);
        // 512 pixels of one tone, at most 1 * 512 / 256 = 2 of which stay: 510 are one for each tone, and one
        // more for each of the first 254 (every 256 / 254 = 1st).
        let found = table(&histogram(&[(200, 512)]), 1000);
        let sum = |luma: u32| 1 + luma + (luma + 1).min(254) + if luma >= 200 { 2 } else { 0 };
        for luma in 0..256_u32 {
            let expected = (f64::from(sum(luma)) * 255.0 / 512.0).round_ties_even();
            assert_eq!(f64::from(found[luma as usize]), expected, "{luma}");
        }
        let same: Vec<u16> = (0..=255).collect();
        assert_eq!(table(&Histogram::new(8), 2000), same, "nothing is seen");
    }

    #[test]
    fn tables_are_blended_between_the_middles_of_tiles() {
        // Tiles of 8 pixels: their middles are at 4, 12 and 20.
        let blend = |at| {
            let blend = Blend::new(at, 8, 3);
            (
                blend.tiles,
                blend.weights.map(|weight| (weight * 8) >> WEIGHT_BITS),
            )
        };
        assert_eq!(blend(0), ([0, 0], [4, 4]));
        assert_eq!(blend(4), ([0, 1], [8, 0]));
        assert_eq!(blend(6), ([0, 1], [6, 2]));
        assert_eq!(blend(19), ([1, 2], [1, 7]));
        assert_eq!(blend(23), ([2, 2], [5, 3]));
    }
}
