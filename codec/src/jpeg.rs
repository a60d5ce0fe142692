//! JPEG, by zune-jpeg: headers, pixels, and what damage it would not tell of by itself. For previews alone, reduced
//! pictures by jpeg-decoder.

use std::panic::catch_unwind;

use filters::{Channels, Raster, Samples};
use jpeg_decoder::{Decoder, PixelFormat};
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

/// The picture at a half, a quarter or an eighth of its size: the least that leaves its long side at `side` pixels or
/// more, made where the transform is undone, which saves most of the work. Nothing where that is more than a half, where
/// the colours are not plain, and where this decoder finds fault: then the whole picture is decoded.
pub(crate) fn reduced(bytes: &[u8], headers: &Headers, side: u16) -> Option<Raster> {
    let (width, height) = headers.size;
    if headers.cmyk || width.max(height).div_ceil(2) < side.into() {
        return None;
    }
    // As of the other decoders, of this one no panic is known; it would be a fault like others.
    catch_unwind(|| undone(bytes, headers, side)).ok().flatten()
}

/// The transform undone at the size that `side` asks for.
fn undone(bytes: &[u8], headers: &Headers, side: u16) -> Option<Raster> {
    let mut decoder = Decoder::new(bytes);
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let expected = if headers.channels == Channels::Gray {
        PixelFormat::L8
    } else {
        PixelFormat::RGB24
    };
    if (info.width.into(), info.height.into()) != headers.size || info.pixel_format != expected {
        return None;
    }
    let (width, height) = decoder.scale(side, side).ok()?;
    decoder.set_max_decoding_buffer_size(usize::from(width) * usize::from(height) * headers.channels.count());
    let samples = Samples::U8(decoder.decode().ok()?);
    Raster::new(width.into(), height.into(), headers.channels, samples).ok()
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

    /// Smooth shapes and an edge, as a JPEG of each kind: gray or colours, at each sampling, progressive or not.
    fn kinds() -> Vec<(String, Vec<u8>)> {
        use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
        let (width, height) = (133_u16, 75_u16);
        let at = |x: u16, y: u16| {
            let disc = if x.abs_diff(60).pow(2) + y.abs_diff(30).pow(2) < 500 {
                90
            } else {
                0
            };
            [x + disc, 2 * y + disc / 2, 160 - x].map(|c| c.min(255) as u8)
        };
        let rgb: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| at(x, y)))
            .collect();
        let gray: Vec<u8> = rgb.iter().step_by(3).copied().collect();
        let mut files = Vec::new();
        for (name, color, samples) in [("gray", ColorType::Luma, &gray), ("rgb", ColorType::Rgb, &rgb)] {
            for sampling in [
                SamplingFactor::R_4_4_4,
                SamplingFactor::R_4_2_2,
                SamplingFactor::R_4_2_0,
            ] {
                for (progressive, restart) in [(false, 0), (false, 3), (true, 0)] {
                    let mut bytes = Vec::new();
                    let mut encoder = Encoder::new(&mut bytes, 95);
                    encoder.set_sampling_factor(sampling);
                    encoder.set_progressive(progressive);
                    if restart > 0 {
                        encoder.set_restart_interval(restart);
                    }
                    encoder.encode(samples, width, height, color).unwrap();
                    files.push((format!("{name} {sampling:?} {progressive} {restart}"), bytes));
                }
            }
        }
        files
    }

    /// Peak signal-to-noise ratio of two pictures with 8 bits, in decibels.
    fn psnr(a: &[u8], b: &[u8]) -> f64 {
        let squares: u64 = a
            .iter()
            .zip(b)
            .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
            .sum();
        10.0 * (255.0 * 255.0 * a.len() as f64 / squares as f64).log10()
    }

    #[test]
    fn a_reduced_picture_looks_like_the_whole_one() {
        for (name, bytes) in kinds() {
            let headers = headers(&bytes).unwrap();
            let Samples::U8(whole) = pixels(&bytes, &headers).unwrap().samples else {
                panic!("8 bits")
            };
            let count = headers.channels.count();
            for (side, factor) in [(60, 2), (30, 4), (10, 8), (67, 2), (17, 8)] {
                let raster = reduced(&bytes, &headers, side).expect(&name);
                assert_eq!(
                    (raster.width, raster.height),
                    (133_u32.div_ceil(factor), 75_u32.div_ceil(factor))
                );
                assert_eq!(raster.channels, headers.channels);
                // Means of blocks that are whole.
                let (factor, across) = (factor as usize, raster.width as usize);
                let Samples::U8(found) = &raster.samples else {
                    panic!("8 bits")
                };
                let (mut means, mut same) = (Vec::new(), Vec::new());
                for (y, x) in (0..75 / factor).flat_map(|y| (0..133 / factor).map(move |x| (y, x))) {
                    for c in 0..count {
                        let block = (0..factor * factor).map(|i| {
                            let (y, x) = (y * factor + i / factor, x * factor + i % factor);
                            u32::from(whole[(y * 133 + x) * count + c])
                        });
                        means.push((block.sum::<u32>() / (factor * factor) as u32) as u8);
                        same.push(found[(y * across + x) * count + c]);
                    }
                }
                assert!(
                    psnr(&means, &same) > 30.0,
                    "{name} / {factor}: {}",
                    psnr(&means, &same)
                );
            }
            // More than a half is not reduced.
            assert_eq!(reduced(&bytes, &headers, 68), None);
        }
    }

    #[test]
    fn cut_or_flipped_a_picture_is_reduced_or_not_but_never_a_panic() {
        for (name, bytes) in kinds() {
            let headers = headers(&bytes).unwrap();
            for cut in (2..bytes.len()).step_by(7) {
                reduced(&bytes[..cut], &headers, 20);
                let mut flipped = bytes.clone();
                flipped[cut] ^= 0x55;
                let found = std::panic::catch_unwind(|| undone(&flipped, &headers, 20));
                assert!(found.is_ok(), "{name}: byte {cut} upsets the decoder");
            }
        }
    }
}
