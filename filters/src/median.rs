//! `median:R`: the median of the (2R + 1)² samples around each, channel by channel.
//!
//! The median of weighted samples is the least value v with 2·Σ(weights of samples ≤ v) ≥ Σ weights. Without
//! alpha every weight is 1: the ordinary median, as OpenCV's `medianBlur` has it. With alpha a colour sample
//! weighs as much as its alpha, so that what is invisible has no vote, and alpha itself is an ordinary
//! median. Where no pixel is visible the colour is 0. Borders: reflect 101.
//!
//! 8 bits: the constant-time method of S. Perreault and P. Hébert, "Median Filtering in Constant Time" (2007):
//! one histogram a column, moved down a row at a time, and their running sum, in two tiers. 16 bits: the sliding histogram
//! of T. Huang (1979), in two tiers as well; its cost grows with R. Counts are exact, so no result depends on
//! where a histogram began.

use std::ops::{AddAssign, Range, SubAssign};

use crate::sample::Sample;
use crate::view::{View, reflect};

/// Result columns that share one set of column histograms: bounds their memory whatever the width.
const TILE: u32 = 256;

/// Result rows `rows`; the view must hold the rows `radius` above and below them, as far as there are any.
pub(crate) fn apply<T: Sample>(radius: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let shape = source.shape;
    let channels = shape.channels;
    let alpha = channels.has_alpha().then(|| channels.colors());
    for channel in 0..channels.count() {
        let weight = alpha.filter(|alpha| *alpha != channel);
        let window = Window {
            radius,
            source,
            channel,
            weight,
        };
        for left in (0..shape.width).step_by(TILE as usize) {
            let columns = left..(left + TILE).min(shape.width);
            if T::MAX != u32::from(u8::MAX) {
                window.slide(columns, rows.clone(), out);
            } else if weight.is_some() {
                window.constant_time::<u32>(columns, rows.clone(), out);
            } else {
                window.constant_time::<u16>(columns, rows.clone(), out);
            }
        }
    }
}

/// One channel and what weighs its samples.
struct Window<'a, T> {
    radius: u32,
    source: &'a View<'a, T>,
    channel: usize,
    /// The channel that weighs, if one does.
    weight: Option<usize>,
}

/// A count: `u16` holds the 101² samples of the largest window, `u32` those times 65535.
trait Count: Copy + AddAssign + SubAssign + Into<u32> {
    const NONE: Self;
    fn of(weight: u32) -> Self;
}

impl Count for u16 {
    const NONE: u16 = 0;
    fn of(weight: u32) -> u16 {
        weight as u16
    }
}

impl Count for u32 {
    const NONE: u32 = 0;
    fn of(weight: u32) -> u32 {
        weight
    }
}

/// How much each of 256 values weighs, in sixteen groups, and each group.
#[derive(Clone)]
struct Tiers<C> {
    coarse: [C; 16],
    fine: [[C; 16]; 16],
}

impl<C: Count> Tiers<C> {
    const EMPTY: Tiers<C> = Tiers {
        coarse: [C::NONE; 16],
        fine: [[C::NONE; 16]; 16],
    };

    /// Lets a sample in or out.
    fn count(&mut self, (value, weight): (usize, u32), change: impl Fn(&mut C, C)) {
        change(&mut self.coarse[value / 16], C::of(weight));
        change(&mut self.fine[value / 16][value % 16], C::of(weight));
    }
}

fn add<C: Count>(to: &mut [C; 16], counts: &[C; 16]) {
    to.iter_mut().zip(counts).for_each(|(to, n)| *to += *n);
}

fn take<C: Count>(from: &mut [C; 16], counts: &[C; 16]) {
    from.iter_mut().zip(counts).for_each(|(from, n)| *from -= *n);
}

impl<T: Sample> Window<'_, T> {
    /// Value and weight of the sample at `x` of a row.
    fn at(&self, row: &[T], x: u32) -> (usize, u32) {
        let pixel = &row[x as usize * self.source.shape.channels.count()..];
        let value: u32 = pixel[self.channel].into();
        (value as usize, self.weight.map_or(1, |alpha| pixel[alpha].into()))
    }

    /// Row `y`, reflected.
    fn row(&self, y: i64) -> &[T] {
        self.source.row(reflect(y, self.source.shape.height))
    }

    /// The rows that the window of result row `y` holds.
    fn reach(&self, y: u32) -> Range<i64> {
        i64::from(y) - i64::from(self.radius)..i64::from(y) + i64::from(self.radius) + 1
    }

    /// Source columns under the windows of the result columns `columns`, reflected, from the left.
    fn under(&self, columns: &Range<u32>) -> Vec<u32> {
        (i64::from(columns.start) - i64::from(self.radius)..i64::from(columns.end) + i64::from(self.radius))
            .map(|x| reflect(x, self.source.shape.width))
            .collect()
    }

    fn constant_time<C: Count>(&self, columns: Range<u32>, rows: Range<u32>, out: &mut [T]) {
        let count = self.source.shape.channels.count();
        let len = self.source.shape.row_len();
        let under = self.under(&columns);
        let side = 2 * self.radius as usize + 1;
        let mut histograms = vec![Tiers::<C>::EMPTY; under.len()];
        let (first, last) = (rows.start, rows.end - 1);
        for y in self.reach(first) {
            let row = self.row(y);
            for (histogram, x) in histograms.iter_mut().zip(&under) {
                histogram.count(self.at(row, *x), AddAssign::add_assign);
            }
        }
        for (y, out) in rows.zip(out.chunks_exact_mut(len)) {
            let mut window = Tiers::<C>::EMPTY;
            // Where the window stood when its sixteen counts of a group were made: they are made on demand.
            let mut stood: [Option<usize>; 16] = [None; 16];
            for histogram in &histograms[..side - 1] {
                add(&mut window.coarse, &histogram.coarse);
            }
            for (i, x) in columns.clone().enumerate() {
                add(&mut window.coarse, &histograms[i + side - 1].coarse);
                let total = match self.weight {
                    Some(_) => window.coarse.iter().map(|n| Into::<u32>::into(*n)).sum(),
                    None => (side * side) as u32,
                };
                let mut seen = 0;
                let group = step_to(&window.coarse, &mut seen, total);
                let counts = &mut window.fine[group];
                match stood[group].filter(|from| i - from < side) {
                    Some(from) => {
                        for j in from..i {
                            add(counts, &histograms[j + side].fine[group]);
                            take(counts, &histograms[j].fine[group]);
                        }
                    }
                    None => {
                        *counts = [C::NONE; 16];
                        for histogram in &histograms[i..i + side] {
                            add(counts, &histogram.fine[group]);
                        }
                    }
                }
                stood[group] = Some(i);
                let value = 16 * group + step_to(&*counts, &mut seen, total);
                out[x as usize * count + self.channel] = T::saturate(value as i64);
                take(&mut window.coarse, &histograms[i].coarse);
            }
            if y < last {
                let (leaves, enters) = (self.row(self.reach(y).start), self.row(self.reach(y).end));
                for (histogram, x) in histograms.iter_mut().zip(&under) {
                    histogram.count(self.at(leaves, *x), SubAssign::sub_assign);
                    histogram.count(self.at(enters, *x), AddAssign::add_assign);
                }
            }
        }
    }

    fn slide(&self, columns: Range<u32>, rows: Range<u32>, out: &mut [T]) {
        let count = self.source.shape.channels.count();
        let len = self.source.shape.row_len();
        let under = self.under(&columns);
        let side = 2 * self.radius as usize + 1;
        // How much each value weighs, and each 256 of them, and all.
        let (mut fine, mut coarse, mut total) = (vec![0_u32; T::MAX as usize + 1], vec![0_u32; 256], 0);
        for (y, out) in rows.zip(out.chunks_exact_mut(len)) {
            let window: Vec<&[T]> = self.reach(y).map(|y| self.row(y)).collect();
            let column = |x: u32| window.iter().map(move |row| self.at(row, x));
            for (i, enters) in under.iter().enumerate() {
                for (value, weight) in column(*enters) {
                    fine[value] += weight;
                    coarse[value >> 8] += weight;
                    total += weight;
                }
                let Some(i) = (i + 1).checked_sub(side) else {
                    continue;
                };
                let mut seen = 0;
                let high = step_to(&coarse, &mut seen, total);
                let value = 256 * high + step_to(&fine[256 * high..][..256], &mut seen, total);
                out[(columns.start as usize + i) * count + self.channel] = T::saturate(value as i64);
                // After the last window of a row all of it leaves, so that the next row begins with nothing.
                let last = i + side == under.len();
                let leaves = if last { i..under.len() } else { i..i + 1 };
                for (value, weight) in under[leaves].iter().flat_map(|x| column(*x)) {
                    fine[value] -= weight;
                    coarse[value >> 8] -= weight;
                    total -= weight;
                }
            }
        }
    }
}

/// The first place where twice the counts so far reach `total`; `seen` becomes what lies before it.
fn step_to<C: Count>(counts: &[C], seen: &mut u32, total: u32) -> usize {
    for (i, n) in counts.iter().enumerate() {
        let after = *seen + Into::<u32>::into(*n);
        if 2 * after >= total {
            return i;
        }
        *seen = after;
    }
    unreachable!("all counts together are at least half of their own sum")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MEDIAN_RADIUS_MAX;
    use crate::raster::{Channels, Shape};

    /// The definition by sorting: each sample stands in the list as often as it weighs.
    fn plainly(radius: i64, shape: Shape, samples: &[u16]) -> Vec<u16> {
        let (count, colors) = (shape.channels.count(), shape.channels.colors());
        let mut out = Vec::new();
        for y in 0..i64::from(shape.height) {
            for x in 0..i64::from(shape.width) {
                for channel in 0..count {
                    let mut list = Vec::new();
                    for j in y - radius..=y + radius {
                        for i in x - radius..=x + radius {
                            let at = reflect(j, shape.height) * shape.width + reflect(i, shape.width);
                            let pixel = &samples[at as usize * count..][..count];
                            let votes = if colors < count && channel < colors {
                                pixel[colors]
                            } else {
                                1
                            };
                            list.extend(vec![pixel[channel]; usize::from(votes)]);
                        }
                    }
                    list.sort_unstable();
                    out.push(list.get(list.len().saturating_sub(1) / 2).copied().unwrap_or(0));
                }
            }
        }
        out
    }

    #[test]
    fn the_histograms_find_what_sorting_finds() {
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
            for (radius, width, height) in [(1, 1, 1), (1, 9, 6), (2, 1, 9), (3, 8, 1), (4, 11, 7)] {
                let shape = Shape {
                    width,
                    height,
                    channels,
                };
                let noise = |i: u32| (i.wrapping_mul(2_654_435_761).rotate_left(9) ^ i) % 253;
                let mut bytes: Vec<u8> = (0..shape.row_len() as u32 * height)
                    .map(|i| noise(i) as u8)
                    .collect();
                if channels.has_alpha() {
                    // Few votes, often none: the sorted lists stay short and the ties are many.
                    for alpha in bytes.chunks_exact_mut(channels.count()) {
                        alpha[channels.colors()] = (alpha[channels.colors()] % 8).saturating_sub(4);
                    }
                }
                let words: Vec<u16> = bytes.iter().map(|b| u16::from(*b)).collect();
                let expected = plainly(radius, shape, &words);
                let mut out = vec![0; bytes.len()];
                apply(radius as u32, &View::new(shape, 0, &bytes), 0..height, &mut out);
                let found: Vec<u16> = out.into_iter().map(u16::from).collect();
                assert_eq!(found, expected, "{radius} {shape:?}");
                // Deep samples: colours all over the range, in the same order, so the same ones are found.
                let deep = |i: usize, v: u16| {
                    let alpha = channels.has_alpha() && i % channels.count() == channels.colors();
                    if alpha { v } else { v * 257 + v / 3 }
                };
                let stretched =
                    |v: &[u16]| v.iter().enumerate().map(|(i, v)| deep(i, *v)).collect::<Vec<_>>();
                let mut out = vec![0; words.len()];
                apply(
                    radius as u32,
                    &View::new(shape, 0, &stretched(&words)),
                    0..height,
                    &mut out,
                );
                assert_eq!(out, stretched(&expected), "{radius} {shape:?}, deep");
            }
        }
    }

    #[test]
    fn tiles_meet_without_a_seam() {
        let (radius, width, height) = (3, TILE + 20, 3);
        let shape = Shape {
            width,
            height,
            channels: Channels::Gray,
        };
        let samples: Vec<u16> = (0..width * height)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u16)
            .collect();
        let bytes: Vec<u8> = samples.iter().map(|s| *s as u8).collect();
        let mut out = vec![0; bytes.len()];
        apply(radius, &View::new(shape, 0, &bytes), 0..height, &mut out);
        let found: Vec<u16> = out.into_iter().map(u16::from).collect();
        assert_eq!(found, plainly(i64::from(radius), shape, &samples));
    }

    #[test]
    fn the_largest_window_of_the_heaviest_samples_is_counted() {
        let shape = Shape {
            width: 2,
            height: 2,
            channels: Channels::GrayAlpha,
        };
        let mut out = [0_u16; 8];
        apply(
            MEDIAN_RADIUS_MAX,
            &View::new(shape, 0, &[u16::MAX; 8]),
            0..2,
            &mut out,
        );
        assert_eq!(out, [u16::MAX; 8]);
        let mut out = [0_u8; 8];
        apply(
            MEDIAN_RADIUS_MAX,
            &View::new(shape, 0, &[u8::MAX; 8]),
            0..2,
            &mut out,
        );
        assert_eq!(out, [u8::MAX; 8]);
    }

    #[test]
    fn known_answer() {
        let shape = Shape {
            width: 5,
            height: 1,
            channels: Channels::Gray,
        };
        let mut out = [0_u8; 5];
        apply(1, &View::new(shape, 0, &[9, 0, 7, 1, 8]), 0..1, &mut out);
        assert_eq!(out, [0, 7, 1, 7, 1]);
    }
}
