//! `pencil[:SIGMA]`: a drawing in gray on white paper (alpha kept).
//!
//! The [luma](crate::grayscale) g is divided by its surroundings: with b the [blur](crate::blur) by SIGMA of
//! the negative MAX − g, the result is ⌊(g·MAX + ⌊(MAX − b)/2⌋) / (MAX − b)⌋, at most MAX, and MAX where b is
//! MAX. This is the "colour dodge" of layers (ISO 32000-1, 11.3.5) of the blurred negative over the gray
//! picture, the usual recipe for pencil drawings: an even surface becomes paper, what is darker than its
//! surroundings a stroke. Invisible colours do not bleed, as the blur is of visible colour.

use std::ops::Range;

use crate::blur::{self, Depth, Memory};
use crate::gaussian::Kernel;
use crate::raster::Shape;
use crate::view::View;
use crate::{grayscale, invert, tone};

/// Result rows `rows`, with `channels.to_gray()`; the view must hold the rows of the kernel's radius above and
/// below them, as far as there are any.
#[inline(always)]
pub(crate) fn apply<T: Depth>(
    kernel: &Kernel,
    source: &View<T>,
    rows: Range<u32>,
    memory: &mut Memory<T>,
    out: &mut [T],
) {
    let channels = source.shape.channels;
    let shape = Shape {
        channels: channels.to_gray(),
        ..source.shape
    };
    let radius = kernel.radius();
    let there = rows.start.saturating_sub(radius)..(rows.end + radius).min(shape.height);
    let mut gray = vec![T::default(); there.len() * shape.row_len()];
    grayscale::apply(channels, source.rows(there.clone()), &mut gray);
    let mut negative = vec![T::default(); gray.len()];
    tone::apply(shape.channels, invert::curve, &gray, &mut negative);
    blur::apply(
        kernel,
        &View::new(shape, there.start, &negative),
        rows.clone(),
        memory,
        out,
    );
    let count = shape.channels.count();
    let here = View::new(shape, there.start, &gray).rows(rows);
    for (to, from) in out.chunks_exact_mut(count).zip(here.chunks_exact(count)) {
        to[0] = dodge(from[0], to[0]);
        if count == 2 {
            to[1] = from[1];
        }
    }
}

/// `below` with `above` dodging it.
fn dodge<T: Depth>(below: T, above: T) -> T {
    let rest = i64::from(T::MAX) - i64::from(above.signed());
    let light = i64::from(below.signed()) * i64::from(T::MAX) + rest / 2;
    T::saturate(light.checked_div(rest).unwrap_or(i64::from(T::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Channels;

    #[test]
    fn known_answers() {
        // Light that is already at its surroundings is paper; half of them is half of the scale.
        assert_eq!(dodge(100_u8, 155), 255);
        assert_eq!(dodge(200_u8, 155), 255);
        assert_eq!(dodge(50_u8, 155), 128);
        assert_eq!(dodge(0_u8, 155), 0);
        assert_eq!(dodge(0_u8, 255), 255);
        assert_eq!(dodge(1_u16, 65_533), 32_768);
        let shape = Shape {
            width: 7,
            height: 1,
            channels: Channels::Gray,
        };
        let row = [200, 200, 200, 100, 200, 200, 200_u8];
        let mut out = [0; 7];
        apply(
            &Kernel::new(1000),
            &View::new(shape, 0, &row),
            0..1,
            &mut Memory::default(),
            &mut out,
        );
        // The blurred negative is 56 60 79 95 79 60 56: weights 13076 7931 1770 145 of 32768 on a step of 100.
        assert_eq!(out, [255, 255, 255, 159, 255, 255, 255]);
    }

    #[test]
    fn it_is_the_chain_of_filters_that_it_is_made_of() {
        // Colour with alpha, in both depths: grayscale, invert and blur as they are, then the dodge in real numbers.
        let shape = Shape {
            width: 11,
            height: 6,
            channels: Channels::Rgba,
        };
        let grays = Shape {
            channels: Channels::GrayAlpha,
            ..shape
        };
        let samples: Vec<u16> = (0..shape.row_len() as u32 * 6)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as u16 | 0x4000)
            .collect();
        let kernel = Kernel::new(1700);
        let mut found = vec![0; 132];
        apply(
            &kernel,
            &View::new(shape, 0, &samples),
            0..6,
            &mut Memory::default(),
            &mut found,
        );
        let mut gray = vec![0; 132];
        grayscale::apply(Channels::Rgba, &samples, &mut gray);
        let negative: Vec<u16> = (0..132)
            .map(|i| if i % 2 == 0 { 65_535 - gray[i] } else { gray[i] })
            .collect();
        let mut blurred = vec![0; 132];
        blur::apply(
            &kernel,
            &View::new(grays, 0, &negative),
            0..6,
            &mut Memory::default(),
            &mut blurred,
        );
        for i in (0..132).step_by(2) {
            let light = f64::from(gray[i]) * 65_535.0 / (65_535.0 - f64::from(blurred[i]));
            assert_eq!(f64::from(found[i]), (light + 0.5).floor().min(65_535.0), "{i}");
            assert_eq!(found[i + 1], samples[2 * i + 3]);
        }
    }
}
