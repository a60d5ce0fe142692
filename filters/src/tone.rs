//! What the one-sample filters share: a curve laid over every colour sample, alpha left alone.

use crate::raster::Channels;
use crate::sample::Sample;

/// Copies `source` to `out` with `curve` laid over the colour samples.
///
/// 8-bit pictures go through a table of the 256 values, so a curve may be slow.
#[inline(always)]
pub(crate) fn apply<T: Sample>(channels: Channels, curve: impl Fn(T) -> T, source: &[T], out: &mut [T]) {
    if T::MAX == u32::from(u8::MAX) {
        let mut table = [T::default(); 256];
        for (value, to) in (0..).zip(&mut table) {
            *to = curve(T::clamp(value));
        }
        lay(
            channels,
            |sample| table[sample.signed() as usize % 256],
            source,
            out,
        );
    } else {
        lay(channels, curve, source, out);
    }
}

/// Copies `source` to `out` with every colour sample looked up in `table`, which has one for each value.
#[inline(always)]
pub(crate) fn apply_table<T: Sample>(channels: Channels, table: &[u16], source: &[T], out: &mut [T]) {
    let curve = |sample| T::saturate(i64::from(table[Into::<u32>::into(sample) as usize]));
    apply(channels, curve, source, out);
}

#[inline(always)]
fn lay<T: Sample>(channels: Channels, curve: impl Fn(T) -> T, source: &[T], out: &mut [T]) {
    if !channels.has_alpha() {
        for (to, from) in out.iter_mut().zip(source) {
            *to = curve(*from);
        }
        return;
    }
    let (count, alpha) = (channels.count(), channels.colors());
    for (to, from) in out.chunks_exact_mut(count).zip(source.chunks_exact(count)) {
        for (to, from) in to[..alpha].iter_mut().zip(from) {
            *to = curve(*from);
        }
        to[alpha] = from[alpha];
    }
}
