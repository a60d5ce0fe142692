//! Rasters to files: the stored form of a version.

use std::borrow::Cow;

use filters::{Channels, Raster, Samples};
use thiserror::Error;

use crate::baseline;
use crate::carried;
use crate::decode::Metadata;
use crate::exif::Exif;
use crate::flat;
use crate::media::Media;

/// The JPEG encoder: jpeg-encoder, quality 92, no chroma subsampling.
pub const ENCODER_JPEG: &str = "jpeg-encoder-0.7.1/q92-444";
/// The lossless WebP encoder: image-webp with its predictor.
pub const ENCODER_WEBP: &str = "image-webp-0.2.4/lossless";
/// The PNG encoder.
pub const ENCODER_PNG: &str = "png-0.18.1/balanced";
/// The same encoders where XMP or IPTC is taken over, which programs before did not.
const TITLED: [(&str, &str); 3] = [
    (ENCODER_JPEG, "jpeg-encoder-0.7.1/q92-444/meta-2"),
    (ENCODER_WEBP, "image-webp-0.2.4/lossless/meta-2"),
    (ENCODER_PNG, "png-0.18.1/balanced/meta-2"),
];
/// All that this program writes files with, by their ids.
pub const ENCODERS: [&str; 6] = [
    ENCODER_JPEG,
    ENCODER_WEBP,
    ENCODER_PNG,
    TITLED[0].1,
    TITLED[1].1,
    TITLED[2].1,
];

/// Quality of a stored JPEG, of 100.
const QUALITY: u8 = 92;
/// Longest side of a WebP, in pixels.
const WEBP_SIDE_MAX: u32 = 16_383;
/// Longest side of a JPEG, in pixels.
const JPEG_SIDE_MAX: u32 = 65_535;
/// Most bytes of EXIF in a JPEG: it has to fit one segment, with its prefix.
const JPEG_EXIF_MAX: usize = 65_533 - 6;
/// Bytes of a colour profile in one segment (ICC.1:2022, annex B.4).
const JPEG_ICC_CHUNK: usize = 65_535 - 2 - 12 - 2;

/// A version as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it is.
    pub media: Media,
    /// Which encoder made it, one of [`ENCODERS`].
    pub encoder: &'static str,
}

/// Why a raster could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The sample count does not fit the size: a bug of whoever made the raster.
    #[error("the raster holds {found} samples where its size needs {expected}")]
    SampleCount {
        /// What the size needs.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// The kind of file cannot hold so many pixels in a row.
    #[error("{} holds at most {most} pixels a side, not {side}", media.name())]
    Side {
        /// Which kind.
        media: Media,
        /// The longer side.
        side: u32,
        /// The longest that it holds.
        most: u32,
    },
    /// Files of that kind are read only.
    #[error("{} files are read, not written", media.name())]
    NotWritten {
        /// Which kind.
        media: Media,
    },
    /// The encoder failed.
    #[error("{encoder}: {reason}")]
    Encoder {
        /// Its id.
        encoder: &'static str,
        /// Its words.
        reason: String,
    },
}

impl EncodeError {
    pub(crate) fn of(encoder: &'static str) -> impl Fn(&dyn std::fmt::Display) -> EncodeError {
        move |error| EncodeError::Encoder {
            encoder,
            reason: error.to_string(),
        }
    }
}

/// Writes a version of a picture whose file was `source`.
///
/// JPEG if the source was one and there are 8 bits and no alpha; else lossless: WebP, or PNG for 16 bits and
/// beyond 16383 pixels. EXIF is carried with the orientation reset and the thumbnail wiped (dropped if it
/// does not fit a JPEG segment), the colour profile unless it is for other channels, XMP and (in a JPEG) IPTC without
/// what is no longer true.
///
/// # Errors
/// [`EncodeError`], if the raster contradicts itself or the encoder fails.
pub fn encode_version(raster: &Raster, source: Media, metadata: &Metadata) -> Result<Encoded, EncodeError> {
    let carried = carried(raster, metadata)?;
    let side = raster.width.max(raster.height);
    match &raster.samples {
        Samples::U8(samples)
            if source == Media::Jpeg && !raster.channels.has_alpha() && side <= JPEG_SIDE_MAX =>
        {
            jpeg(raster, samples, QUALITY, &carried)
        }
        Samples::U8(samples) if side <= WEBP_SIDE_MAX => webp(raster, samples, carried),
        _ => png(raster, carried),
    }
}

/// The same as the program wrote it that names this encoder: those before XMP and IPTC were taken over left them out.
///
/// # Errors
/// As [`encode_version`].
pub fn encode_version_by(
    encoder: &str,
    raster: &Raster,
    source: Media,
    metadata: &Metadata,
) -> Result<Encoded, EncodeError> {
    if TITLED.iter().all(|(plain, _)| *plain != encoder) {
        return encode_version(raster, source, metadata);
    }
    let (exif, icc) = (metadata.exif.clone(), metadata.icc.clone());
    let plain = Metadata {
        exif,
        icc,
        ..Metadata::default()
    };
    encode_version(raster, source, &plain)
}

/// Writes a picture as the kind of file that somebody asked for: PNG holds all of it, lossless WebP 8 bits, JPEG 8 bits
/// without alpha, which is blended on white. Metadata as in [`encode_version`].
///
/// # Errors
/// [`EncodeError`]: sides beyond what the kind holds, a kind that is not written, a raster that contradicts itself.
pub fn encode_as(media: Media, raster: &Raster, metadata: &Metadata) -> Result<Encoded, EncodeError> {
    let carried = carried(raster, metadata)?;
    let fits = |most: u32| match raster.width.max(raster.height) {
        side if side > most => Err(EncodeError::Side { media, side, most }),
        _ => Ok(()),
    };
    match media {
        Media::Jpeg => {
            fits(JPEG_SIDE_MAX)?;
            let gray = raster.channels.colors() == 1;
            let flat = Raster {
                channels: if gray { Channels::Gray } else { Channels::Rgb },
                samples: Samples::U8(Vec::new()),
                ..*raster
            };
            jpeg(&flat, &flat::opaque(raster), QUALITY, &carried)
        }
        Media::Webp => {
            fits(WEBP_SIDE_MAX)?;
            webp(raster, &flat::eight(raster), carried)
        }
        Media::Png => png(raster, carried),
        other => Err(EncodeError::NotWritten { media: other }),
    }
}

/// The metadata as a file with this raster carries it.
fn carried(raster: &Raster, metadata: &Metadata) -> Result<Metadata, EncodeError> {
    let expected = u64::from(raster.width) * u64::from(raster.height) * raster.channels.count() as u64;
    let found = raster.samples.len() as u64;
    if expected != found || found == 0 {
        return Err(EncodeError::SampleCount { expected, found });
    }
    let exif = metadata.exif.as_deref().and_then(Exif::new);
    let icc = metadata.icc.as_deref().filter(|icc| icc_fits(icc, raster));
    Ok(Metadata {
        exif: exif.map(|exif| exif.patched(raster.width, raster.height)),
        icc: icc.map(<[u8]>::to_vec),
        xmp: metadata.xmp.as_deref().and_then(carried::xmp_of_version),
        iptc: metadata.iptc.as_deref().and_then(carried::iptc_of_version),
    })
}

/// Whether a profile is for the colours of the raster: bytes 16 to 19 of its header (ICC.1:2022 §7.2.6).
fn icc_fits(icc: &[u8], raster: &Raster) -> bool {
    let wanted: &[u8] = if raster.channels.colors() == 1 {
        b"GRAY"
    } else {
        b"RGB "
    };
    icc.get(16..20) == Some(wanted)
}

/// An encoder's id, by whether it takes XMP or IPTC over.
fn encoder(plain: &'static str, titled: bool) -> &'static str {
    let of = TITLED.iter().find(|(id, _)| titled && *id == plain);
    of.map_or(plain, |(_, id)| id)
}

/// A baseline JPEG. `raster` has no alpha and `samples` are its own.
pub(crate) fn jpeg(
    raster: &Raster,
    samples: &[u8],
    quality: u8,
    metadata: &Metadata,
) -> Result<Encoded, EncodeError> {
    let failed = EncodeError::of(ENCODER_JPEG);
    let expected = u64::from(raster.width) * u64::from(raster.height) * raster.channels.count() as u64;
    let found = samples.len() as u64;
    if expected != found || found == 0 {
        return Err(EncodeError::SampleCount { expected, found });
    }
    let mut before = Vec::new();
    let exif = metadata.exif.as_deref();
    before.extend(
        exif.filter(|exif| exif.len() <= JPEG_EXIF_MAX)
            .map(|exif| (1, [b"Exif\0\0", exif].concat())),
    );
    let xmp = metadata.xmp.as_deref();
    before.extend(xmp.map(|xmp| (1, [carried::XMP, xmp].concat())));
    let iptc = metadata.iptc.as_deref();
    before.extend(iptc.map(|sets| (13, carried::iptc_segment(sets))));
    if let Some(icc) = &metadata.icc {
        let chunks = icc.chunks(JPEG_ICC_CHUNK);
        let count = u8::try_from(chunks.len()).map_err(|_| failed(&"the colour profile is too long"))?;
        before.extend((1..=count).zip(chunks).map(|(number, chunk)| {
            let body = [&b"ICC_PROFILE\0"[..], &[number, count], chunk].concat();
            (2, body)
        }));
    }
    let side = |side: u32| u16::try_from(side).map_err(|error| failed(&error));
    let size = (side(raster.width)?, side(raster.height)?);
    let gray = raster.channels.count() == 1;
    let bytes = baseline::write(samples, size, gray, quality, &before);
    Ok(Encoded {
        bytes,
        media: Media::Jpeg,
        encoder: encoder(ENCODER_JPEG, xmp.is_some() || iptc.is_some()),
    })
}

fn webp(raster: &Raster, samples: &[u8], metadata: Metadata) -> Result<Encoded, EncodeError> {
    let mut bytes = Vec::new();
    let titled = metadata.xmp.is_some();
    let mut writer = image_webp::WebPEncoder::new(&mut bytes);
    if let Some(exif) = metadata.exif {
        writer.set_exif_metadata(exif);
    }
    if let Some(icc) = metadata.icc {
        writer.set_icc_profile(icc);
    }
    if let Some(xmp) = metadata.xmp {
        writer.set_xmp_metadata(xmp);
    }
    let color = match raster.channels.count() {
        1 => image_webp::ColorType::L8,
        2 => image_webp::ColorType::La8,
        3 => image_webp::ColorType::Rgb8,
        _ => image_webp::ColorType::Rgba8,
    };
    writer
        .encode(samples, raster.width, raster.height, color)
        .map_err(|error| EncodeError::of(ENCODER_WEBP)(&error))?;
    Ok(Encoded {
        bytes,
        media: Media::Webp,
        encoder: encoder(ENCODER_WEBP, titled),
    })
}

fn png(raster: &Raster, metadata: Metadata) -> Result<Encoded, EncodeError> {
    let failed = |error: png::EncodingError| EncodeError::of(ENCODER_PNG)(&error);
    let mut info = png::Info::with_size(raster.width, raster.height);
    info.color_type = match raster.channels.count() {
        1 => png::ColorType::Grayscale,
        2 => png::ColorType::GrayscaleAlpha,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    };
    let samples: Cow<[u8]> = match &raster.samples {
        Samples::U8(samples) => {
            info.bit_depth = png::BitDepth::Eight;
            Cow::Borrowed(samples)
        }
        Samples::U16(samples) => {
            info.bit_depth = png::BitDepth::Sixteen;
            Cow::Owned(samples.iter().flat_map(|sample| sample.to_be_bytes()).collect())
        }
    };
    info.exif_metadata = metadata.exif.map(Cow::Owned);
    info.icc_profile = metadata.icc.map(Cow::Owned);
    // A packet that was understood is text.
    let xmp = metadata.xmp.and_then(|xmp| String::from_utf8(xmp).ok());
    let titled = xmp.is_some();
    let title = |xmp| png::text_metadata::ITXtChunk::new("XML:com.adobe.xmp", xmp);
    info.utf8_text.extend(xmp.map(title));
    let mut bytes = Vec::new();
    let mut begun = png::Encoder::with_info(&mut bytes, info).map_err(failed)?;
    begun.set_compression(png::Compression::Balanced);
    let mut writer = begun.write_header().map_err(failed)?;
    writer.write_image_data(&samples).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(Encoded {
        bytes,
        media: Media::Png,
        encoder: encoder(ENCODER_PNG, titled),
    })
}
