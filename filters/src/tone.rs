//! What the one-sample filters share: a curve laid over every colour sample, alpha left alone.

use crate::raster::Channels;
use crate::sample::Sample;

/// Copies `source` to `out` with `curve` laid over the colour samples.
///
/// 8-bit pictures go through a table of the 256 values, so a curve may be slow.
#[inline(always)]
pub(crate) fn apply<T: Sample>(channels: Channels, curve: impl Fn(T) -> T, source: &[T], out: &mut [T]) {
    if T::MAX == u32::from(u8::MAX) {
        let table: [T; 256] = std::array::from_fn(|value| curve(T::saturate(value as i64)));
        lay(
            channels,
            |sample| table[Into::<u32>::into(sample) as usize],
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
        out.iter_mut()
            .zip(source)
            .for_each(|(to, from)| *to = curve(*from));
        return;
    }
    let count = channels.count();
    for (to, from) in out.chunks_exact_mut(count).zip(source.chunks_exact(count)) {
        let (to, from) = (to.split_at_mut(count - 1), from.split_at(count - 1));
        to.0.iter_mut()
            .zip(from.0)
            .for_each(|(to, from)| *to = curve(*from));
        to.1.copy_from_slice(from.1);
    }
}
