//! Pixels as planes: blocks of them taken apart into one array a channel, worked on, and put together.
//!
//! A processor works on many samples at once if like stands beside like. With blocks of a fixed size the compiler
//! turns the taking apart into a few shuffles of registers, and the formula of one pixel into that of many.

/// Pixels in a block.
pub(crate) const LANES: usize = 128;

/// One channel of a block.
pub(crate) type Plane<T> = [T; LANES];

/// The channels of a block of pixels.
#[inline(always)]
pub(crate) fn split<T: Copy + Default, const N: usize>(pixels: &[[T; N]; LANES]) -> [Plane<T>; N] {
    let mut planes = [[T::default(); LANES]; N];
    for (i, pixel) in pixels.iter().enumerate() {
        for (plane, sample) in planes.iter_mut().zip(pixel) {
            plane[i] = *sample;
        }
    }
    planes
}

/// [`split`] backwards.
#[inline(always)]
pub(crate) fn join<T: Copy, const N: usize>(planes: &[Plane<T>; N], pixels: &mut [[T; N]; LANES]) {
    for (i, pixel) in pixels.iter_mut().enumerate() {
        for (sample, plane) in pixel.iter_mut().zip(planes) {
            *sample = plane[i];
        }
    }
}

/// Makes each pixel of `out` from the one of `source` at its place.
#[inline(always)]
pub(crate) fn map<T: Copy + Default, const N: usize, const M: usize>(
    source: &[T],
    out: &mut [T],
    pixel: impl Fn([T; N]) -> [T; M],
) {
    let (from, from_rest) = source.as_chunks::<N>().0.as_chunks::<LANES>();
    let (to, to_rest) = out.as_chunks_mut::<M>().0.as_chunks_mut::<LANES>();
    for (to, from) in to.iter_mut().zip(from) {
        let (planes, mut made) = (split(from), [[T::default(); LANES]; M]);
        for i in 0..LANES {
            let mut samples = [T::default(); N];
            for (sample, plane) in samples.iter_mut().zip(&planes) {
                *sample = plane[i];
            }
            for (plane, sample) in made.iter_mut().zip(pixel(samples)) {
                plane[i] = sample;
            }
        }
        join(&made, to);
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = pixel(*from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_and_what_is_left_of_one_are_treated_alike() {
        for pixels in [0, 1, LANES - 1, LANES, LANES + 1, 3 * LANES + 7] {
            let source: Vec<u16> = (0..3 * pixels as u16).collect();
            let mut out = vec![0; 2 * pixels];
            map(&source, &mut out, |[a, b, c]| [c, 2 * a + b]);
            let expected: Vec<u16> = source
                .chunks_exact(3)
                .flat_map(|pixel| [pixel[2], 2 * pixel[0] + pixel[1]])
                .collect();
            assert_eq!(out, expected, "{pixels}");
        }
    }
}
