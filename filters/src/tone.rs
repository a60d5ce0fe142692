//! What the one-sample filters share: a curve laid over every colour sample, alpha left alone.

use crate::raster::Channels;
use crate::sample::Sample;

/// Copies `source` to `out` with `curve` laid over the colour samples.
///
/// 8-bit pictures go through a table of the 256 values, so a curve may be slow.
pub(crate) fn apply<T: Sample>(channels: Channels, curve: impl Fn(T) -> T, source: &[T], out: &mut [T]) {
    if T::MAX == u32::from(u8::MAX) {
        let table: Vec<T> = (0..=i64::from(T::MAX))
            .map(|value| curve(T::saturate(value)))
            .collect();
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
pub(crate) fn apply_table<T: Sample>(channels: Channels, table: &[u16], source: &[T], out: &mut [T]) {
    let curve = |sample| T::saturate(i64::from(table[Into::<u32>::into(sample) as usize]));
    apply(channels, curve, source, out);
}

fn lay<T: Sample>(channels: Channels, curve: impl Fn(T) -> T, source: &[T], out: &mut [T]) {
    let alpha = if channels.has_alpha() {
        channels.colors()
    } else {
        usize::MAX
    };
    let count = channels.count();
    for (to, from) in out.chunks_exact_mut(count).zip(source.chunks_exact(count)) {
        for (i, (to, from)) in to.iter_mut().zip(from).enumerate() {
            *to = if i == alpha { *from } else { curve(*from) };
        }
    }
}
