//! `oil:R[,LEVELS]`: each pixel becomes the mean colour of the commonest brightness around it.
//!
//! The brightness of a pixel is its [luma](crate::grayscale) in one of LEVELS equal bins,
//! ⌊luma·LEVELS / (MAX + 1)⌋. Of the (2R + 1)² pixels around, the fullest bin wins, of equally full ones the
//! darkest, and the mean of its colours, rounded half up, is the result: the classic oil filter (G. Holzmann,
//! "Beyond Photography", 1988), as OpenCV's `xphoto::oilPainting` has it. With alpha a pixel counts as much as
//! its alpha, so that what is invisible has no say; alpha itself is kept, and where nothing is visible the
//! colour is 0. Borders: reflect 101.

use std::ops::Range;

use crate::grayscale::luma;
use crate::limits::OIL_LEVELS_MAX;
use crate::sample::Sample;
use crate::view::{View, reflect};

/// Result rows `rows`; the view must hold the rows `radius` above and below them, as far as there are any.
pub(crate) fn apply<T: Sample>(radius: u32, levels: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    match source.shape.channels.count() {
        1 => paint::<T, 1>(radius, levels, source, rows, out),
        2 => paint::<T, 2>(radius, levels, source, rows, out),
        3 => paint::<T, 3>(radius, levels, source, rows, out),
        _ => paint::<T, 4>(radius, levels, source, rows, out),
    }
}

/// A bin: the sums of its weighted colours, then their weight. 41² · 65535² is far below 2⁶⁴.
type Bin = [u64; 4];

/// Pixels of `N` samples, the last of which is alpha if `N` is even.
fn paint<T: Sample, const N: usize>(
    radius: u32,
    levels: u32,
    source: &View<T>,
    rows: Range<u32>,
    out: &mut [T],
) {
    let shape = source.shape;
    let (colors, reach) = (N - (N + 1) % 2, i64::from(radius));
    let bin_of = |pixel: &[T; N]| {
        let luma = match colors {
            1 => pixel[0],
            _ => luma(pixel[0], pixel[1], pixel[2]),
        };
        (Into::<u32>::into(luma) * levels / (T::MAX + 1)) as u8
    };
    // The bins of the rows that are there, each worked out once.
    let there = rows.start.saturating_sub(radius)..(rows.end + radius).min(shape.height);
    let (pixels, _) = source.rows(there.clone()).as_chunks::<N>();
    let bins: Vec<u8> = pixels.iter().map(bin_of).collect();
    let width = shape.width as usize;
    let columns: Vec<usize> = (-reach..i64::from(shape.width) + reach)
        .map(|x| reflect(x, shape.width) as usize)
        .collect();
    let side = 2 * radius as usize + 1;
    let (results, _) = out.as_chunks_mut::<N>();
    for (y, results) in rows.zip(results.chunks_exact_mut(width)) {
        let starts: Vec<usize> = (i64::from(y) - reach..=i64::from(y) + reach)
            .map(|y| (reflect(y, shape.height) - there.start) as usize * width)
            .collect();
        let mut window = [[0_u64; 4]; OIL_LEVELS_MAX as usize];
        let weighed = |pixel: &[T; N]| -> Bin {
            let weight = if N.is_multiple_of(2) {
                pixel[N - 1].into()
            } else {
                1
            };
            let mut bin = [0, 0, 0, weight];
            for (to, sample) in bin.iter_mut().zip(&pixel[..colors]) {
                *to = weight * Into::<u64>::into(*sample);
            }
            bin
        };
        let enter = |window: &mut [Bin], x: usize| {
            for start in &starts {
                let bin = &mut window[usize::from(bins[start + x])];
                let pixel = weighed(&pixels[start + x]);
                bin.iter_mut().zip(pixel).for_each(|(to, n)| *to += n);
            }
        };
        let leave = |window: &mut [Bin], x: usize| {
            for start in &starts {
                let bin = &mut window[usize::from(bins[start + x])];
                let pixel = weighed(&pixels[start + x]);
                bin.iter_mut().zip(pixel).for_each(|(to, n)| *to -= n);
            }
        };
        for x in &columns[..side - 1] {
            enter(&mut window, *x);
        }
        let here = source.row(y).as_chunks::<N>().0;
        for (x, to) in results.iter_mut().enumerate() {
            enter(&mut window, columns[x + side - 1]);
            let mut fullest = &window[0];
            for bin in &window[1..levels as usize] {
                if bin[3] > fullest[3] {
                    fullest = bin;
                }
            }
            let weight = fullest[3];
            *to = here[x];
            for (to, sum) in to[..colors].iter_mut().zip(fullest) {
                let mean = (sum + weight / 2).checked_div(weight).unwrap_or(0);
                *to = T::saturate(mean as i64);
            }
            leave(&mut window, columns[x]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Channels, Shape};

    /// The definition, written down as it reads.
    fn plainly(radius: i64, levels: u32, shape: Shape, samples: &[u16], max: u32) -> Vec<u16> {
        let (count, colors) = (shape.channels.count(), shape.channels.colors());
        let pixel = |x: i64, y: i64| {
            let at = reflect(y, shape.height) * shape.width + reflect(x, shape.width);
            &samples[at as usize * count..][..count]
        };
        let mut out = Vec::new();
        for y in 0..i64::from(shape.height) {
            for x in 0..i64::from(shape.width) {
                let mut around = vec![Vec::new(); levels as usize];
                for j in y - radius..=y + radius {
                    for i in x - radius..=x + radius {
                        let p = pixel(i, j);
                        let luma = if colors == 3 { luma(p[0], p[1], p[2]) } else { p[0] };
                        let votes = if count > colors { usize::from(p[colors]) } else { 1 };
                        let bin = u32::from(luma) * levels / (max + 1);
                        around[bin as usize].extend(vec![p; votes]);
                    }
                }
                let most = around.iter().map(Vec::len).max().unwrap();
                let winner = around.iter().find(|bin| bin.len() == most).unwrap();
                for c in 0..colors {
                    let sum: u64 = winner.iter().map(|p| u64::from(p[c])).sum();
                    let n = winner.len() as u64;
                    out.push(if n == 0 {
                        0
                    } else {
                        ((2 * sum + n) / (2 * n)) as u16
                    });
                }
                out.extend(&pixel(x, y)[colors..]);
            }
        }
        out
    }

    #[test]
    fn the_sliding_bins_are_the_definition() {
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
            for (radius, levels, width, height) in [
                (1, 20, 1, 1),
                (2, 2, 1, 9),
                (3, 64, 8, 1),
                (1, 5, 13, 11),
                (4, 20, 9, 12),
            ] {
                let shape = Shape {
                    width,
                    height,
                    channels,
                };
                let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 20) as u8;
                let mut bytes: Vec<u8> = (0..shape.row_len() as u32 * height).map(noise).collect();
                if channels.has_alpha() {
                    for pixel in bytes.chunks_exact_mut(channels.count()) {
                        pixel[channels.colors()] = (pixel[channels.colors()] % 8).saturating_sub(4);
                    }
                }
                let check = |samples: &[u16], found: &[u16], max| {
                    let expected = plainly(i64::from(radius), levels, shape, samples, max);
                    assert_eq!(found, expected, "{radius} {levels} {shape:?}");
                };
                let words: Vec<u16> = bytes.iter().map(|b| u16::from(*b)).collect();
                let mut out = vec![0_u8; bytes.len()];
                apply(radius, levels, &View::new(shape, 0, &bytes), 0..height, &mut out);
                let found: Vec<u16> = out.into_iter().map(u16::from).collect();
                check(&words, &found, 255);
                let alpha = |i: usize| channels.has_alpha() && i % channels.count() == channels.colors();
                let deep: Vec<u16> = (0..words.len())
                    .map(|i| if alpha(i) { words[i] } else { words[i] * 257 })
                    .collect();
                let mut out = vec![0; deep.len()];
                apply(radius, levels, &View::new(shape, 0, &deep), 0..height, &mut out);
                check(&deep, &out, 65_535);
            }
        }
    }

    #[test]
    fn known_answer() {
        let shape = Shape {
            width: 5,
            height: 1,
            channels: Channels::Gray,
        };
        let mut out = [0_u8; 5];
        // Two bins, dark and bright.
        apply(
            1,
            2,
            &View::new(shape, 0, &[10, 20, 200, 230, 30]),
            0..1,
            &mut out,
        );
        assert_eq!(out, [17, 15, 215, 215, 230]);
    }
}
