//! Image files to rasters and back, within limits.
//!
//! Bytes come from anywhere: a camera, a stranger, a broken disk. So: what a file is, its content decides
//! and never its name; the size in its header is held against [`Limits`] before anything is allocated for
//! it; damage is an error or a mark on the result, never a panic.
//!
//! [`probe()`] reads the header, [`decode()`] the pixels (upright, 8 or 16 bits as stored, first frame only),
//! [`encode_version`] writes a filtered picture in its stored form, [`preview()`] a small JPEG to look at,
//! for which [`decode_small`] reads just enough of a file.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod baseline;
mod carried;
mod compare;
mod decode;
mod encode;
mod error;
mod exif;
mod flat;
mod frames;
mod jpeg;
mod jpeg_tables;
mod location;
mod media;
mod orient;
mod preview;
mod scan;
mod selftest;
mod tiff;
mod xmp;

pub use compare::{CompareError, Comparison, SSIM_WINDOW, compare, shown};
pub use decode::{Decoded, Limits, Metadata, Probe, decode, decode_small, pixel_engine, probe};
pub use encode::{
    ENCODER_JPEG, ENCODER_PNG, ENCODER_WEBP, ENCODERS, EncodeError, Encoded, encode_as, encode_version,
    encode_version_by,
};
pub use error::CodecError;
pub use location::without_location;
pub use media::Media;
pub use preview::{PREVIEW_SIDE_MAX, preview, preview_within};
pub use selftest::{GOLDEN_FILES, GoldenFile, Inexact, SelfTest};
