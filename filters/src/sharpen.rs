//! `sharpen[:AMOUNT[,SIGMA]]`: unsharp mask. What a blur loses is added AMOUNT times; alpha is kept.

use std::ops::Range;

use crate::blur::{self, Depth, Memory};
use crate::gaussian::Kernel;
use crate::view::View;

/// Result rows `rows`: sample + ⌊((sample − blurred)·amount + 500) / 1000⌋, saturated, with `amount` in
/// thousandths and the blur of [`blur`], rounded to a sample as it gives it.
#[inline(always)]
pub(crate) fn apply<T: Depth>(
    amount: u32,
    kernel: &Kernel,
    source: &View<T>,
    rows: Range<u32>,
    memory: &mut Memory<T>,
    out: &mut [T],
) {
    blur::apply(kernel, source, rows.clone(), memory, out);
    let channels = source.shape.channels;
    let (count, colors) = (channels.count(), channels.colors());
    let amount = amount as i32;
    let from = source.rows(rows);
    if !channels.has_alpha() && amount % 1000 == 0 {
        // Nothing to round: no division, and every sample alike.
        let times = amount / 1000;
        for (to, from) in out.iter_mut().zip(from) {
            *to = T::clamp(from.signed() + (from.signed() - to.signed()) * times);
        }
        return;
    }
    for (to, from) in out.chunks_exact_mut(count).zip(from.chunks_exact(count)) {
        for (to, from) in to[..colors].iter_mut().zip(from) {
            let lost = from.signed() - to.signed();
            // At most 65535 · 10000: within an i32.
            *to = T::clamp(from.signed() + (lost * amount + 500).div_euclid(1000));
        }
        if channels.has_alpha() {
            to[colors] = from[colors];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Channels, Shape};

    #[test]
    fn known_answers() {
        let shape = Shape {
            width: 7,
            height: 1,
            channels: Channels::Gray,
        };
        let source = [100, 100, 100, 200, 100, 100, 100_u8];
        let sharpened = |amount| {
            let mut out = [0; 7];
            apply(
                amount,
                &Kernel::new(1000),
                &View::new(shape, 0, &source),
                0..1,
                &mut Memory::default(),
                &mut out,
            );
            out
        };
        assert_eq!(sharpened(0), source);
        // The blur is 101 105 124 140 124 105 101.
        assert_eq!(sharpened(500), [100, 98, 88, 230, 88, 98, 100]);
        assert_eq!(sharpened(10_000), [90, 50, 0, 255, 0, 50, 90]);
    }
}
