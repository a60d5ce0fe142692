//! `cartoon[:R]`: flat colours and dark lines.
//!
//! 1. Smoothing that keeps edges: a bilateral filter (C. Tomasi and R. Manduchi, 1998), rows first and rounded
//!    to a sample, then columns (T. Pham and L. van Vliet, "Separable Bilateral Filtering for Fast Video
//!    Preprocessing", 2005). A neighbour i pixels away whose colour differs by d, the most that any of its
//!    channels differs, weighs (R + 1 − |i|)·max(0, 40 − d), with d in steps of 8 bits: triangles where the
//!    originals have Gaussians, which makes it exact. In the second pass it also weighs as much as its alpha.
//! 2. Posterising as in H. Winnemöller, S. Olsen and B. Gooch, "Real-Time Video Abstraction" (2006): the
//!    [luma](crate::grayscale) goes to the nearest of 10 levels, all channels by as much, saturated.
//! 3. Lines: where the Sobel gradient of the smoothed luma (times alpha), |gx| + |gy| as in
//!    [`edges`](crate::edges), is above 60 the colour fades, until it is black at 180.
//!
//! All roundings are half up. Alpha is kept, and the colour of what is invisible with all its neighbours is 0.
//! Borders: reflect 101.

use std::ops::Range;

use crate::grayscale::luma;
use crate::sample::Sample;
use crate::view::{View, reflect};

/// Colours that differ by so much, in steps of 8 bits, do not mix.
const RANGE: i32 = 40;
/// Levels of luma.
const LEVELS: u32 = 10;
/// Gradients, in steps of 8 bits, at which a line begins and at which it is black.
const LINE: [i32; 2] = [60, 180];

/// How far it looks, in pixels: the smoothing and the gradient on top of it.
pub(crate) fn reach(radius: u32) -> u32 {
    radius + 1
}

/// Result rows `rows`; the view must hold the [`reach`] above and below them, as far as there are any.
pub(crate) fn apply<T: Sample>(radius: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    match source.shape.channels.count() {
        1 => draw::<T, 1>(radius, source, rows, out),
        2 => draw::<T, 2>(radius, source, rows, out),
        3 => draw::<T, 3>(radius, source, rows, out),
        _ => draw::<T, 4>(radius, source, rows, out),
    }
}

/// How many of `N` samples are colours: alpha is the last if `N` is even.
const fn colors(n: usize) -> usize {
    n - (n + 1) % 2
}

fn draw<T: Sample, const N: usize>(radius: u32, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let shape = source.shape;
    let width = shape.width as usize;
    let clipped = |by: u32| rows.start.saturating_sub(by)..(rows.end + by).min(shape.height);
    // Rows that are there, smoothed along themselves; then, of fewer rows, along the columns as well.
    let (outer, inner) = (clipped(reach(radius)), clipped(1));
    let mut along = Vec::with_capacity(outer.len() * width);
    let indices: Vec<usize> = (-i64::from(radius)..i64::from(shape.width) + i64::from(radius))
        .map(|x| reflect(x, shape.width) as usize)
        .collect();
    for y in outer.clone() {
        let row = source.row(y).as_chunks::<N>().0;
        for (x, here) in row.iter().enumerate() {
            let near = indices[x..][..2 * radius as usize + 1].iter().map(|x| &row[*x]);
            along.push(smoothed(radius, here, near, |_| 1));
        }
    }
    let mut smooth = Vec::with_capacity(inner.len() * width);
    for y in inner.clone() {
        let row = |y: i64| &along[(reflect(y, shape.height) - outer.start) as usize * width..][..width];
        let near: Vec<&[[T; N]]> = (i64::from(y) - i64::from(radius)..=i64::from(y) + i64::from(radius))
            .map(row)
            .collect();
        for (x, here) in near[radius as usize].iter().enumerate() {
            let weight = |pixel: &[T; N]| {
                if N.is_multiple_of(2) {
                    pixel[N - 1].into()
                } else {
                    1
                }
            };
            smooth.push(smoothed(radius, here, near.iter().map(|row| &row[x]), weight));
        }
    }
    let visible: Vec<i32> = smooth.iter().map(visible_luma).collect();
    let (results, _) = out.as_chunks_mut::<N>();
    for (y, results) in rows.zip(results.chunks_exact_mut(width)) {
        let start = |y: i64| (reflect(y, shape.height) - inner.start) as usize * width;
        let three = [-1, 0, 1].map(|j| &visible[start(i64::from(y) + j)..][..width]);
        let here = &smooth[start(i64::from(y))..][..width];
        for (x, to) in results.iter_mut().enumerate() {
            let near = [-1, 0, 1].map(|i| reflect(x as i64 + i, shape.width) as usize);
            *to = inked(&here[x], gradient(three, near));
        }
    }
}

/// The mean of the pixels `near`, from −radius to radius, that resemble `here`; its alpha is kept.
fn smoothed<'a, T: Sample, const N: usize>(
    radius: u32,
    here: &[T; N],
    near: impl Iterator<Item = &'a [T; N]>,
    weight: impl Fn(&[T; N]) -> u64,
) -> [T; N] {
    let mut sums = [0_u64; N];
    let mut total = 0;
    for (i, pixel) in (-(radius as i32)..).zip(near) {
        let differ = (0..colors(N))
            .map(|c| (pixel[c].signed() - here[c].signed()).abs())
            .max();
        let alike = (RANGE * T::STEP - differ.unwrap_or(0)).max(0);
        let close = radius as i32 + 1 - i.abs();
        // At most 21 · 40 · 257 · 65535, times 41 neighbours and a sample: far below 2⁶⁴.
        let weight = (close * alike) as u64 * weight(pixel);
        total += weight;
        for (sum, sample) in sums[..colors(N)].iter_mut().zip(pixel) {
            *sum += weight * Into::<u64>::into(*sample);
        }
    }
    let mut made = *here;
    for (to, sum) in made[..colors(N)].iter_mut().zip(sums) {
        *to = T::saturate((sum + total / 2).checked_div(total).unwrap_or(0) as i64);
    }
    made
}

fn luma_of<T: Sample, const N: usize>(pixel: &[T; N]) -> T {
    match colors(N) {
        1 => pixel[0],
        _ => luma(pixel[0], pixel[1], pixel[2]),
    }
}

/// The luma as far as it shows.
fn visible_luma<T: Sample, const N: usize>(pixel: &[T; N]) -> i32 {
    let luma: u32 = luma_of(pixel).into();
    if N % 2 == 1 {
        return luma as i32;
    }
    let alpha: u32 = pixel[N - 1].into();
    ((luma * alpha + T::MAX / 2) / T::MAX) as i32
}

/// |gx| + |gy| of Sobel, in the columns `near` of three rows.
fn gradient([above, here, below]: [&[i32]; 3], near: [usize; 3]) -> i32 {
    let column = |x: usize| above[x] + 2 * here[x] + below[x];
    let row = |line: &[i32]| line[near[0]] + 2 * line[near[1]] + line[near[2]];
    (column(near[2]) - column(near[0])).abs() + (row(below) - row(above)).abs()
}

/// Posterised, and darkened where there is a line.
fn inked<T: Sample, const N: usize>(pixel: &[T; N], gradient: i32) -> [T; N] {
    let luma: u32 = luma_of(pixel).into();
    let level = (2 * luma * (LEVELS - 1) + T::MAX) / (2 * T::MAX);
    let flat = (2 * level * T::MAX + (LEVELS - 1)) / (2 * (LEVELS - 1));
    let [faint, black] = LINE.map(|steps| i64::from(steps * T::STEP));
    let rest = (black - i64::from(gradient)).clamp(0, black - faint);
    let mut made = *pixel;
    for to in &mut made[..colors(N)] {
        let moved = T::saturate(i64::from(to.signed() + flat as i32 - luma as i32));
        let scaled = i64::from(moved.signed()) * rest + (black - faint) / 2;
        *to = T::saturate(scaled / (black - faint));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Channels, Shape};

    fn drawn<T: Sample>(radius: u32, shape: Shape, samples: &[T]) -> Vec<T> {
        let mut out = vec![T::default(); samples.len()];
        apply(radius, &View::new(shape, 0, samples), 0..shape.height, &mut out);
        out
    }

    /// The head of this file, written down as it reads, in one channel of 8 bits and real numbers.
    fn plainly(radius: i64, width: u32, height: u32, samples: &[u8]) -> Vec<u8> {
        let at =
            |plane: &[f64], x: i64, y: i64| plane[(reflect(y, height) * width + reflect(x, width)) as usize];
        let each = |f: &dyn Fn(i64, i64) -> f64| -> Vec<f64> {
            (0..i64::from(width * height))
                .map(|i| f(i % i64::from(width), i / i64::from(width)))
                .collect()
        };
        let bilateral = |plane: &[f64], (dx, dy): (i64, i64)| {
            each(&|x, y| {
                let (mut sum, mut total) = (0.0, 0.0);
                for i in -radius..=radius {
                    let sample = at(plane, x + i * dx, y + i * dy);
                    let differ = (sample - at(plane, x, y)).abs();
                    let weight = (radius + 1 - i.abs()) as f64 * (40.0 - differ).max(0.0);
                    sum += weight * sample;
                    total += weight;
                }
                (sum / total + 0.5).floor()
            })
        };
        let plane: Vec<f64> = samples.iter().map(|s| f64::from(*s)).collect();
        let smooth = bilateral(&bilateral(&plane, (1, 0)), (0, 1));
        let drawn = each(&|x, y| {
            let s = |i: i64, j: i64| at(&smooth, x + i, y + j);
            let gx = s(1, -1) + 2.0 * s(1, 0) + s(1, 1) - s(-1, -1) - 2.0 * s(-1, 0) - s(-1, 1);
            let gy = s(-1, 1) + 2.0 * s(0, 1) + s(1, 1) - s(-1, -1) - 2.0 * s(0, -1) - s(1, -1);
            let ink = ((180.0 - gx.abs() - gy.abs()) / 120.0).clamp(0.0, 1.0);
            let level = (s(0, 0) * 9.0 / 255.0 + 0.5).floor();
            ((level * 255.0 / 9.0 + 0.5).floor() * ink + 0.5 + 1e-9).floor()
        });
        drawn.iter().map(|v| *v as u8).collect()
    }

    #[test]
    fn the_integers_are_the_definition() {
        for (radius, width, height) in [(1, 1, 1), (2, 1, 9), (3, 8, 1), (5, 13, 11), (20, 9, 17)] {
            let shape = Shape {
                width,
                height,
                channels: Channels::Gray,
            };
            // Slopes with some noise: some neighbours resemble each other, some lines are half drawn.
            let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 28) * 3;
            let samples: Vec<u8> = (0..width * height)
                .map(|i| ((i % width * 13 + i / width * 5 + noise(i)) % 256) as u8)
                .collect();
            let found = drawn(radius, shape, &samples);
            assert_eq!(
                found,
                plainly(i64::from(radius), width, height, &samples),
                "{radius} {width}x{height}"
            );
            // The same grey in three channels, and opaque: the same drawing.
            let rgb: Vec<u8> = samples.iter().flat_map(|s| [*s; 3]).collect();
            let shape = Shape {
                channels: Channels::Rgb,
                ..shape
            };
            let expected: Vec<u8> = found.iter().flat_map(|s| [*s; 3]).collect();
            assert_eq!(drawn(radius, shape, &rgb), expected);
            let rgba: Vec<u8> = samples.iter().flat_map(|s| [*s, *s, *s, 255]).collect();
            let shape = Shape {
                channels: Channels::Rgba,
                ..shape
            };
            let expected: Vec<u8> = found.iter().flat_map(|s| [*s, *s, *s, 255]).collect();
            assert_eq!(drawn(radius, shape, &rgba), expected);
        }
    }

    #[test]
    fn a_line_is_drawn_where_two_colours_meet_and_nowhere_else() {
        let shape = Shape {
            width: 8,
            height: 1,
            channels: Channels::Rgb,
        };
        let (left, right) = ([200_u8, 40, 40], [40, 40, 90]);
        let row: Vec<u8> = [left; 4]
            .concat()
            .into_iter()
            .chain([right; 4].concat())
            .collect();
        let out = drawn(3, shape, &row);
        // Luma 88 is 3.1 of 9 levels: to 85; 46 is 1.6: to 57. The step of 42 is a gradient of 168: a tenth is left.
        let (left, right) = ([197_u8, 37, 37], [51, 51, 101]);
        let inked = |color: [u8; 3]| color.map(|c| ((u32::from(c) * 12 + 60) / 120) as u8);
        let expected = [left, left, left, inked(left), inked(right), right, right, right].concat();
        assert_eq!(out, expected);
    }

    #[test]
    fn what_is_invisible_does_not_show_but_its_border_is_a_line() {
        let shape = Shape {
            width: 6,
            height: 1,
            channels: Channels::GrayAlpha,
        };
        let row = [170_u8, 255, 170, 255, 170, 255, 190, 0, 180, 0, 10, 0];
        let out = drawn(2, shape, &row);
        assert_eq!(out[..6], [170, 255, 170, 255, 0, 255]);
        assert!(out[6..].chunks_exact(2).all(|pixel| pixel[1] == 0));
    }
}
