//! Whether a file holds more pictures than the one that is shown, found without decoding any.

use crate::exif::Exif;

/// Whether a GIF has a second frame: a walk over its blocks (GIF89a specification, §§ 17–27).
pub(crate) fn gif_has_second(bytes: &[u8]) -> bool {
    gif_frames(bytes, 2) == 2
}

/// How many frames there are, counted up to `enough`.
fn gif_frames(bytes: &[u8], enough: usize) -> usize {
    let table = |flags: u8| {
        if flags & 0x80 != 0 {
            3 << ((flags & 7) + 1)
        } else {
            0
        }
    };
    let Some(flags) = bytes.get(10) else { return 0 };
    let (mut at, mut frames) = (13 + table(*flags), 0);
    while frames < enough {
        match bytes.get(at) {
            Some(0x21) => at = gif_sub_blocks(bytes, at + 2),
            Some(0x2c) => {
                let Some(flags) = bytes.get(at + 9) else { break };
                frames += 1;
                at = gif_sub_blocks(bytes, at + 11 + table(*flags));
            }
            _ => break,
        }
    }
    frames
}

/// The position after a chain of sub-blocks, each with its length before it, the last of length 0.
fn gif_sub_blocks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(len) = bytes.get(at) {
        at += 1 + usize::from(*len);
        if *len == 0 {
            break;
        }
    }
    at
}

/// Whether a TIFF has a second page. (A BigTIFF is taken to have none.)
pub(crate) fn tiff_has_second(bytes: &[u8]) -> bool {
    Exif::new(bytes).is_some_and(|tiff| tiff.has_second_ifd())
}
