//! JPEG, by zune-jpeg: headers, pixels, and what damage it would not tell of by itself.

use filters::{Channels, Samples};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::error::CodecError;
use crate::scan;

/// What the headers say.
pub(crate) struct Headers {
    pub size: (u32, u32),
    pub channels: Channels,
    /// Stored as CMYK or YCCK.
    pub cmyk: bool,
    pub exif: Option<Vec<u8>>,
    pub icc: Option<Vec<u8>>,
}

/// Pixels, and why they are not to be trusted, if so.
pub(crate) struct Pixels {
    pub samples: Samples,
    pub damaged: Option<String>,
}

fn damaged(error: impl ToString) -> CodecError {
    CodecError::Damaged {
        media: "JPEG",
        reason: one_line(&error.to_string()),
    }
}

fn from_zune(error: DecodeErrors) -> CodecError {
    match error {
        DecodeErrors::Unsupported(scheme) => CodecError::Unsupported {
            what: one_line(&format!("a JPEG of this kind ({scheme:?})")),
        },
        other => damaged(format!("{other:?}")),
    }
}

/// The decoder's words on one line and not endless: they may quote the file.
pub(crate) fn one_line(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(200).collect::<String>().trim().to_owned()
}

fn decoder(bytes: &[u8], strict: bool) -> JpegDecoder<ZCursor<&[u8]>> {
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
}

/// Reads the headers up to the first scan. Allocates nothing by the size they claim.
pub(crate) fn headers(bytes: &[u8]) -> Result<Headers, CodecError> {
    let mut decoder = decoder(bytes, false);
    decoder.decode_headers().map_err(from_zune)?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged("it has no size"))?;
    let (channels, cmyk) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (Channels::Gray, false),
        Some(ColorSpace::CMYK | ColorSpace::YCCK) => (Channels::Rgb, true),
        _ => (Channels::Rgb, false),
    };
    Ok(Headers {
        size: (width as u32, height as u32),
        channels,
        cmyk,
        exif: decoder.exif().cloned(),
        icc: decoder.icc_profile(),
    })
}

/// Decodes the pixels of a file whose `headers` were found within the limits.
///
/// Left to itself the decoder fills what is missing with gray and says nothing, so it is strict at first;
/// only if that fails is it asked to make the best of it, and the result is marked. What is flipped rather
/// than missing not even the strict decoder notices: that is [`scan`]'s part.
pub(crate) fn pixels(bytes: &[u8], headers: &Headers) -> Result<Pixels, CodecError> {
    let missing_end = (!has_end(bytes)).then(|| "it has no end marker: it was cut off".to_owned());
    match run(bytes, headers, true) {
        Ok(samples) => {
            let misfit = || scan::misfit(bytes).map(str::to_owned);
            Ok(Pixels {
                samples,
                damaged: missing_end.or_else(misfit),
            })
        }
        Err(strict) => {
            let samples = run(bytes, headers, false)?;
            let reason = match strict {
                CodecError::Damaged { reason, .. } => reason,
                other => other.to_string(),
            };
            Ok(Pixels {
                samples,
                damaged: missing_end.or(Some(reason)),
            })
        }
    }
}

fn run(bytes: &[u8], headers: &Headers, strict: bool) -> Result<Samples, CodecError> {
    let mut decoder = decoder(bytes, strict);
    let color = if headers.channels == Channels::Gray {
        ColorSpace::Luma
    } else {
        ColorSpace::RGB
    };
    decoder.set_options((*decoder.options()).jpeg_set_out_colorspace(color));
    let samples = decoder.decode().map_err(from_zune)?;
    let (width, height) = headers.size;
    let expected = width as usize * height as usize * headers.channels.count();
    if samples.len() != expected {
        return Err(damaged(format!(
            "{} samples came out where {expected} should",
            samples.len()
        )));
    }
    Ok(Samples::U8(samples))
}

/// Whether the markers lead to an end-of-image marker (ITU-T T.81, annex B).
fn has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == 0xff))
    {
        at += found;
        match bytes.get(at + 1) {
            None => return false,
            Some(0xd9) => return true,
            // A fill byte: the marker may begin with the next.
            Some(0xff) => at += 1,
            // A stuffed zero, a restart or a marker without a body.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            // A segment says how long it is; what follows a scan's header is searched for the next marker.
            Some(_) => match bytes.get(at + 2..at + 4) {
                Some(len) => at += 2 + usize::from(u16::from_be_bytes([len[0], len[1]])).max(2),
                None => return false,
            },
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_marker_is_not_looked_for_inside_segments() {
        let soi = [0xff, 0xd8];
        let comment = [0xff, 0xfe, 0, 4, 0xff, 0xd9];
        let scan = [0xff, 0xda, 0, 2, 1, 2, 0xff, 0, 3, 0xff, 0xd0, 4];
        let end = [0xff, 0xd9];
        assert!(has_end(&[&soi[..], &comment, &scan, &end].concat()));
        assert!(!has_end(&[&soi[..], &comment, &scan].concat()));
        assert!(!has_end(&[&soi[..], &comment, &scan, &[0xff]].concat()));
        assert!(!has_end(&soi));
        assert!(!has_end(&[]));
    }
}
