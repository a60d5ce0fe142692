//! `rotate:DEG` by any other angle than a right one: clockwise about the centre, sampled bilinearly.
//!
//! The result is as large as the whole turned picture needs. Its empty corners are transparent where there is
//! alpha, else white (as paper is; adding alpha would turn a JPEG's version into another kind of file).
//!
//! With c and s the cosine and sine in 40 bits after the point, a result pixel whose centre is (p, q) from
//! the centre of the result comes from (p·c + q·s, q·c − p·s) from the centre of the source, rounded to 1/4096
//! of a pixel. Its four neighbours there are weighted by their distance, those outside being empty, and the sum
//! is rounded half up; with alpha, colours also weigh as much as their alpha. Positions are made of global
//! coordinates: for sides of 1,000,000 pixels they err by less than 2⁻¹⁹ of a pixel before that rounding.

use std::fmt;
use std::ops::Range;

use crate::decimal::Thousandths;
use crate::error::FilterError;
use crate::limits::ANGLE_MAX;
use crate::raster::Shape;
use crate::sample::Sample;
use crate::view::View;

/// An angle, clockwise, in one of its two ways to write it: 350° is −10°.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Angle {
    thousandths: i32,
}

impl Angle {
    /// From thousandths of a degree. The angle is kept above −100° and up to 260°: nearest to 0 where that is
    /// not longer to write than what was asked for (−160° is kept as 200°).
    pub(crate) fn new(thousandths: i32) -> Angle {
        let turned = thousandths.rem_euclid(ANGLE_MAX);
        let thousandths = if turned > 260_000 {
            turned - ANGLE_MAX
        } else {
            turned
        };
        Angle { thousandths }
    }

    /// In thousandths of a degree, clockwise: above −100000 and up to 260000.
    pub fn thousandths(self) -> i32 {
        self.thousandths
    }

    /// The shape of the whole turned picture. What reaches less than 1/256 of a pixel over gets no row.
    pub(crate) fn shape(self, source: Shape) -> Result<Shape, FilterError> {
        let (sine, cosine) = sine_cosine(self.thousandths);
        let (width, height) = (i64::from(source.width), i64::from(source.height));
        let needs =
            |a: i64, b: i64| ((a * cosine.abs() + b * sine.abs() + UNIT - UNIT / 256 - 1) >> BITS) as u32;
        let shape = Shape {
            width: needs(width, height).max(1),
            height: needs(height, width).max(1),
            ..source
        };
        shape.check().map(|()| shape)
    }
}

impl fmt::Display for Angle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.thousandths < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Thousandths(self.thousandths.unsigned_abs()))
    }
}

/// Bits after the point of sine and cosine.
const BITS: u32 = 40;
const UNIT: i64 = 1 << BITS;
/// Bits after the point of a position in the source.
const STEPS: u32 = 12;

/// Sine and cosine of thousandths of a degree with [`BITS`] bits after the point, by their Taylor series with
/// 60: twelve terms leave less than 2⁻⁶⁰ for a right angle, so that both are rounded right.
fn sine_cosine(thousandths: i32) -> (i64, i64) {
    const ONE: i128 = 1 << 60;
    /// ⌊2⁶⁰ · π⌋.
    const PI: i128 = 3_622_009_729_038_561_421;
    let x = (i128::from(thousandths.rem_euclid(90_000)) * PI + 90_000) / 180_000;
    let square = (x * x) >> 60;
    // Horner from the last term: 1 − x²/(n(n + 1))·(1 − …).
    let series = |first: i128| {
        (0..12).rev().fold(ONE, |rest, i| {
            let n = first + 2 * i;
            ONE - ((square * rest) >> 60) / (n * (n + 1))
        })
    };
    let round = |value: i128| ((value + (1 << (59 - BITS))) >> (60 - BITS)) as i64;
    let (sine, cosine) = (round((x * series(2)) >> 60), round(series(1)));
    match thousandths.div_euclid(90_000).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// An angle made ready for one picture.
pub(crate) struct Turning {
    sine: i64,
    cosine: i64,
    source: Shape,
    result: Shape,
}

impl Turning {
    /// Of a picture of shape `source` to one of shape `result`, which is [`Angle::shape`].
    pub fn new(angle: Angle, source: Shape, result: Shape) -> Turning {
        let (sine, cosine) = sine_cosine(angle.thousandths);
        Turning {
            sine,
            cosine,
            source,
            result,
        }
    }

    /// Column and row of the source that the result pixel (x, y) comes from, times 2^[`STEPS`].
    fn position(&self, x: u32, y: u32) -> (i64, i64) {
        // Twice the distance from the centre is whole; sums stay below 3 · 2⁶⁰.
        let p = 2 * i64::from(x) + 1 - i64::from(self.result.width);
        let q = 2 * i64::from(y) + 1 - i64::from(self.result.height);
        let place = |turned: i64, side: u32| {
            let doubled = turned + ((i64::from(side) - 1) << BITS);
            (doubled + (1 << (BITS - STEPS))) >> (BITS + 1 - STEPS)
        };
        (
            place(p * self.cosine + q * self.sine, self.source.width),
            place(q * self.cosine - p * self.sine, self.source.height),
        )
    }

    /// Source rows that the result rows `rows` come from: those between the lines' ends.
    pub fn source_rows(&self, rows: Range<u32>) -> Range<u32> {
        let ends =
            [rows.start, rows.end - 1].map(|y| [0, self.result.width - 1].map(|x| self.position(x, y).1));
        let all = ends.iter().flatten().map(|row| row >> STEPS);
        let inside = |row: i64| row.clamp(0, i64::from(self.source.height)) as u32;
        let first = all.clone().min().map_or(0, inside);
        let last = all.max().map_or(0, |row| inside(row + 2));
        first..last.max(first)
    }

    /// Result rows `rows`.
    pub fn apply<T: Sample>(&self, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
        if self.cosine == UNIT {
            // Not turned at all: not touched, invisible colours included.
            return out.copy_from_slice(source.rows(rows));
        }
        match self.source.channels.count() {
            1 => self.sample::<T, 1>(source, rows, out),
            2 => self.sample::<T, 2>(source, rows, out),
            3 => self.sample::<T, 3>(source, rows, out),
            _ => self.sample::<T, 4>(source, rows, out),
        }
    }

    /// Pixels of `N` samples, the last of which is alpha if `N` is even.
    fn sample<T: Sample, const N: usize>(&self, source: &View<T>, rows: Range<u32>, out: &mut [T]) {
        let white: [T; N] = [T::saturate(i64::from(T::MAX)); N];
        let none: [T; N] = [T::default(); N];
        let empty = if N.is_multiple_of(2) { &none } else { &white };
        let (width, height) = (i64::from(self.source.width), i64::from(self.source.height));
        let row = |y: i64| source.row(y as u32).as_chunks::<N>().0;
        let pixel = |x: i64, y: i64| -> &[T; N] {
            if (0..width).contains(&x) && (0..height).contains(&y) {
                &row(y)[x as usize]
            } else {
                empty
            }
        };
        let (results, _) = out.as_chunks_mut::<N>();
        for (y, results) in rows.zip(results.chunks_exact_mut(self.result.width as usize)) {
            for (x, to) in (0..).zip(results) {
                let (across, down) = self.position(x, y);
                let (left, top) = (across >> STEPS, down >> STEPS);
                let part = |position: i64| (position & ((1 << STEPS) - 1)) as u64;
                let (u, v) = (part(across), part(down));
                let (rest_u, rest_v) = ((1 << STEPS) - u, (1 << STEPS) - v);
                let four = if (0..width - 1).contains(&left) && (0..height - 1).contains(&top) {
                    let (above, below) = (
                        &row(top)[left as usize..][..2],
                        &row(top + 1)[left as usize..][..2],
                    );
                    [&above[0], &above[1], &below[0], &below[1]]
                } else {
                    [(left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)]
                        .map(|(x, y)| pixel(x, y))
                };
                *to = mix(four, [rest_u * rest_v, u * rest_v, rest_u * v, u * v]);
            }
        }
    }
}

/// The mean of four pixels with weights whose sum is 2²⁴: sums stay below 2⁵⁶, with alpha as well.
fn mix<T: Sample, const N: usize>(four: [&[T; N]; 4], mut weights: [u64; 4]) -> [T; N] {
    const SHIFT: u32 = 2 * STEPS;
    let sum = |weights: &[u64; 4], i: usize| -> u64 {
        let weighed = |(pixel, weight): (&&[T; N], &u64)| weight * Into::<u64>::into(pixel[i]);
        four.iter().zip(weights).map(weighed).sum()
    };
    let round = |sum: u64| T::saturate(((sum + (1 << (SHIFT - 1))) >> SHIFT) as i64);
    let mut made = [T::default(); N];
    if N.is_multiple_of(2) {
        let alpha = sum(&weights, N - 1);
        for (weight, pixel) in weights.iter_mut().zip(four) {
            *weight *= Into::<u64>::into(pixel[N - 1]);
        }
        for (i, to) in made[..N - 1].iter_mut().enumerate() {
            let color = sum(&weights, i) + alpha / 2;
            *to = T::saturate(color.checked_div(alpha).unwrap_or(0) as i64);
        }
        made[N - 1] = round(alpha);
    } else {
        for (i, to) in made.iter_mut().enumerate() {
            *to = round(sum(&weights, i));
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SIDE_MAX;
    use crate::raster::Channels;
    use crate::rotate::Turn;

    fn turned<T: Sample>(thousandths: i32, source: Shape, samples: &[T]) -> (Shape, Vec<T>) {
        // Not by `Angle::new`: here right angles go the long way too.
        let angle = Angle { thousandths };
        let shape = angle.shape(source).unwrap();
        let mut out = vec![T::default(); shape.row_len() * shape.height as usize];
        Turning::new(angle, source, shape).apply(&View::new(source, 0, samples), 0..shape.height, &mut out);
        (shape, out)
    }

    #[test]
    fn sines_are_right_to_forty_bits() {
        for thousandths in (-360_000..=360_000).step_by(11) {
            let (sine, cosine) = sine_cosine(thousandths);
            let angle = f64::from(thousandths).to_radians() / 1000.0;
            let near = |found: i64, expected: f64| (found as f64 / UNIT as f64 - expected).abs() < 1e-12;
            assert!(
                near(sine, angle.sin()) && near(cosine, angle.cos()),
                "{thousandths}"
            );
        }
        assert_eq!(sine_cosine(0), (0, UNIT));
        assert_eq!(sine_cosine(30_000).0, UNIT / 2);
        assert_eq!(sine_cosine(-90_000), (-UNIT, 0));
    }

    #[test]
    fn by_right_angles_it_is_the_turn() {
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
            for (width, height) in [(1, 1), (1, 8), (5, 1), (6, 7)] {
                let source = Shape {
                    width,
                    height,
                    channels,
                };
                let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 16) as u16 | 1;
                let samples: Vec<u16> = (0..source.row_len() as u32 * height).map(noise).collect();
                assert_eq!(turned(0, source, &samples), (source, samples.clone()));
                for (turn, thousandths) in [
                    (Turn::Quarter, 90_000),
                    (Turn::Half, 180_000),
                    (Turn::ThreeQuarters, 270_000),
                ] {
                    let shape = turn.shape(source);
                    let mut expected = vec![0; samples.len()];
                    turn.apply(&View::new(source, 0, &samples), 0..shape.height, &mut expected);
                    assert_eq!(turned(thousandths, source, &samples), (shape, expected));
                }
            }
        }
    }

    #[test]
    fn the_longest_row_is_met_pixel_for_pixel() {
        let source = Shape {
            width: SIDE_MAX,
            height: 1,
            channels: Channels::Gray,
        };
        let samples: Vec<u8> = (0..SIDE_MAX)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut back: Vec<u8> = samples.clone();
        back.reverse();
        assert_eq!(turned(180_000, source, &samples), (source, back));
    }

    #[test]
    fn any_angle_is_the_formula_in_real_numbers() {
        // A smooth picture, so that the last bits of a position do not matter.
        let source = Shape {
            width: 40,
            height: 25,
            channels: Channels::Gray,
        };
        let value = |x: f64, y: f64| 20_000.0 + 700.0 * x - 300.0 * y;
        let samples: Vec<u16> = (0..1000)
            .map(|i| value(f64::from(i % 40), f64::from(i / 40)) as u16)
            .collect();
        for thousandths in [-37_123, -1000, 1, 12_500, 45_000, 100_000, 200_001] {
            let (shape, out) = turned(thousandths, source, &samples);
            let (sin, cos) = (f64::from(thousandths) / 1000.0).to_radians().sin_cos();
            let side = |a: f64, b: f64| (a * cos.abs() + b * sin.abs() - 1.0 / 256.0).ceil() as u32;
            assert_eq!((shape.width, shape.height), (side(40.0, 25.0), side(25.0, 40.0)));
            let mut met = 0;
            for (i, found) in (0..).zip(out) {
                let p = f64::from(i % shape.width) + 0.5 - f64::from(shape.width) / 2.0;
                let q = f64::from(i / shape.width) + 0.5 - f64::from(shape.height) / 2.0;
                let (x, y) = (p * cos + q * sin + 19.5, q * cos - p * sin + 12.0);
                if (0.01..38.99).contains(&x) && (0.01..23.99).contains(&y) {
                    assert!(
                        (f64::from(found) - value(x, y)).abs() < 2.0,
                        "{thousandths}: {x} {y}"
                    );
                    met += 1;
                } else if !(-1.01..40.01).contains(&x) || !(-1.01..25.01).contains(&y) {
                    assert_eq!(found, u16::MAX, "white outside");
                }
            }
            assert!(met > 800, "the whole picture is kept");
        }
    }

    #[test]
    fn corners_are_transparent_where_there_is_alpha_and_colours_do_not_fade() {
        let source = Shape {
            width: 9,
            height: 9,
            channels: Channels::GrayAlpha,
        };
        let (_, out) = turned(45_000, source, &[77_u8, 255].repeat(81));
        assert_eq!(out[..2], [0, 0]);
        assert!(out.chunks_exact(2).all(|pixel| pixel[0] == 77 || pixel == [0, 0]));
        assert!(out.chunks_exact(2).any(|pixel| (1..255).contains(&pixel[1])));
    }

    #[test]
    fn few_rows_are_needed_for_a_small_angle() {
        let source = Shape {
            width: 100,
            height: 5000,
            channels: Channels::Gray,
        };
        let angle = Angle::new(1000);
        let turning = Turning::new(angle, source, angle.shape(source).unwrap());
        // The picture became 188 wide and a row falls by 188 · sin 1° = 3.3: it meets 5 rows, and the next one
        // is a neighbour.
        assert_eq!(turning.source_rows(2500..2501).len(), 6);
        assert_eq!(turning.source_rows(0..1).start, 0);
        assert_eq!(turning.source_rows(0..5001), 0..5000);
    }

    #[test]
    fn an_angle_is_never_longer_than_it_was_written() {
        let shown = |thousandths| Angle::new(thousandths).to_string();
        for (thousandths, text) in [
            (0, "0"),
            (360_000, "0"),
            (-360_000, "0"),
            (1500, "1.5"),
            (-1500, "-1.5"),
            (358_500, "-1.5"),
            (350_000, "-10"),
            (-10_000, "-10"),
            (200_000, "200"),
            (-160_000, "200"),
            (260_000, "260"),
            (260_001, "-99.999"),
            (-100_000, "260"),
        ] {
            assert_eq!(shown(thousandths), text);
        }
        for thousandths in -360_000..=360_000_i32 {
            let sign = if thousandths < 0 { "-" } else { "" };
            let written = format!("{sign}{}", Thousandths(thousandths.unsigned_abs()));
            assert!(shown(thousandths).len() <= written.len(), "{written}");
        }
    }
}
