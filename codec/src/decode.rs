//! Files to rasters: the header within limits first, then the pixels, upright.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use filters::{Channels, PIXEL_ENGINE, Raster, Samples};
use image::codecs::{bmp, gif, png, tiff, webp};
use image::error::LimitErrorKind;
use image::{ColorType, ImageDecoder, ImageError};

use crate::carried;
use crate::error::CodecError;
use crate::exif::{Exif, strip_prefix};
use crate::frames;
use crate::jpeg;
use crate::media::Media;
use crate::orient;

/// How much a file may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels.
    pub pixels_max: u64,
    /// Most bytes of decoded samples.
    pub decoded_bytes_max: u64,
    /// Most bytes of the file itself.
    pub file_bytes_max: u64,
}

/// 100 megapixels, 512 MiB decoded, files of 256 MiB.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            pixels_max: 100_000_000,
            decoded_bytes_max: 512 << 20,
            file_bytes_max: 256 << 20,
        }
    }
}

/// What the header of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What it is.
    pub media: Media,
    /// Pixels per row, upright.
    pub width: u32,
    /// Rows, upright.
    pub height: u32,
    /// What its decoded samples take, in bytes.
    pub decoded_bytes: u64,
    /// EXIF's orientation of the stored pixels, 1 to 8; 1 if there is none.
    pub orientation: u8,
    /// Whether there are more frames or pages than the first, which alone is shown.
    pub frames_ignored: bool,
    /// When it was taken: EXIF's DateTimeOriginal as `YYYY-MM-DDTHH:MM:SS` in the camera's own time.
    pub taken: Option<String>,
}

/// What is carried over to versions beside the pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The EXIF block: a TIFF structure, without the prefix `Exif\0\0`.
    pub exif: Option<Vec<u8>>,
    /// The colour profile; none if the pixels have been converted and it no longer applies.
    pub icc: Option<Vec<u8>>,
    /// The XMP packet, within one segment of a JPEG.
    pub xmp: Option<Vec<u8>>,
    /// IPTC's data sets, as a JPEG has them; the same limit.
    pub iptc: Option<Vec<u8>>,
}

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The pixels, upright.
    pub raster: Raster,
    /// What the header said.
    pub probe: Probe,
    /// Why some of the pixels may be wrong, if so.
    pub damaged: Option<String>,
    /// What people should know, in whole sentences without a full stop.
    pub notes: Vec<String>,
    /// What is carried over to versions.
    pub metadata: Metadata,
}

/// Reads the header: what it is and how large. Nothing is allocated by the size it claims.
///
/// # Errors
/// [`CodecError`]: no picture, or one that is not read; too large; a header that makes no sense.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Probe, CodecError> {
    let media = sniff(bytes, limits)?;
    guarded(media, || Ok(Opened::new(media, bytes, limits)?.probe))
}

/// Decodes the first picture of a file and turns it upright.
///
/// # Errors
/// As [`probe()`], and [`CodecError::Damaged`] if no picture comes out. A JPEG that is cut off or inconsistent
/// still gives what there is of it, with [`Decoded::damaged`] saying so.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, CodecError> {
    let media = sniff(bytes, limits)?;
    guarded(media, || Opened::new(media, bytes, limits)?.decode(bytes))
}

/// Decodes what [`preview()`](crate::preview()) needs of a file, upright: a large JPEG at a half, a quarter or an eighth of
/// its size, all else as [`decode()`] does. Which one it is and what its pixels are may change with any version.
///
/// # Errors
/// As [`decode()`].
pub fn decode_small(bytes: &[u8], limits: &Limits) -> Result<Raster, CodecError> {
    let media = sniff(bytes, limits)?;
    guarded(media, || {
        let opened = Opened::new(media, bytes, limits)?;
        if let Reader::Jpeg(headers) = &opened.reader
            && let Some(raster) = jpeg::reduced(bytes, headers, SMALL_SIDE)
        {
            return Ok(orient::upright(raster, opened.probe.orientation));
        }
        Ok(opened.decode(bytes)?.raster)
    })
}

/// The long side that is left for [`crate::preview()`] at least: twice what it makes, as libvips does, for a reduced
/// picture is sharper than one resampled.
const SMALL_SIDE: u16 = 2 * crate::PREVIEW_SIDE_MAX as u16;

/// Which decoder and which kernels the pixels of a version rest on: `zune-jpeg-0.5.15/calotype-2`.
pub fn pixel_engine(media: Media) -> String {
    format!("{}/{PIXEL_ENGINE}", decoder_id(media))
}

/// The decoder with its exact version. A test holds them against Cargo.lock.
pub(crate) const fn decoder_id(media: Media) -> &'static str {
    match media {
        Media::Jpeg => "zune-jpeg-0.5.15",
        Media::Png => "png-0.18.1",
        Media::Gif => "gif-0.14.2",
        Media::Webp => "image-webp-0.2.4",
        Media::Bmp => "image-0.25.10",
        Media::Tiff => "tiff-0.11.3",
    }
}

fn sniff(bytes: &[u8], limits: &Limits) -> Result<Media, CodecError> {
    let len = bytes.len() as u64;
    if len > limits.file_bytes_max {
        return Err(CodecError::FileTooLarge {
            bytes: len,
            limit: limits.file_bytes_max,
        });
    }
    Media::sniff(bytes)
}

/// The last guard. None of the decoders is known to panic in the pinned versions, but they are other
/// people's code, given strangers' bytes, and older versions did (image-rs has a corpus of such files). They
/// hold no state across calls, so unwinding leaves nothing half done.
fn guarded<T>(media: Media, run: impl FnOnce() -> Result<T, CodecError>) -> Result<T, CodecError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(CodecError::Damaged {
            media: media.name(),
            reason: "it upsets the decoder".to_owned(),
        })
    })
}

/// A file whose header is known and within the limits.
struct Opened<'a> {
    probe: Probe,
    metadata: Metadata,
    notes: Vec<String>,
    reader: Reader<'a>,
}

enum Reader<'a> {
    Jpeg(jpeg::Headers),
    Other(Box<dyn ImageDecoder + 'a>, Channels),
}

impl<'a> Opened<'a> {
    fn new(media: Media, bytes: &'a [u8], limits: &Limits) -> Result<Opened<'a>, CodecError> {
        match media {
            Media::Jpeg => Opened::jpeg(bytes, limits),
            other => Opened::other(other, bytes, limits),
        }
    }

    fn jpeg(bytes: &[u8], limits: &Limits) -> Result<Opened<'a>, CodecError> {
        let headers = jpeg::headers(bytes)?;
        // CMYK is four components while it is being decoded.
        let components = if headers.cmyk {
            4
        } else {
            headers.channels.count() as u64
        };
        CodecError::check_size(limits, headers.size, components)?;
        let mut notes = Vec::new();
        let (xmp, iptc) = carried::of_jpeg(bytes);
        let mut metadata = Metadata {
            exif: headers.exif.clone(),
            icc: headers.icc.clone(),
            xmp,
            iptc,
        };
        if headers.cmyk {
            metadata.icc = None;
            notes.push("CMYK converted by the plain formula: colours may be off".to_owned());
        }
        let size = (headers.size, headers.channels.count() as u64);
        let probe = header(Media::Jpeg, size, metadata.exif.as_deref(), false);
        Ok(Opened {
            probe,
            metadata,
            notes,
            reader: Reader::Jpeg(headers),
        })
    }

    fn other(media: Media, bytes: &'a [u8], limits: &Limits) -> Result<Opened<'a>, CodecError> {
        let failed = |error| from_image(media, &error);
        if let Some(size) = early_size(media, bytes) {
            CodecError::check_size(limits, size, 1)?;
        }
        if media == Media::Tiff {
            let damaged = |reason| CodecError::Damaged {
                media: media.name(),
                reason,
            };
            crate::tiff::check_directory(bytes).map_err(damaged)?;
        }
        let (mut decoder, frames_ignored) = open(media, bytes).map_err(failed)?;
        let size = decoder.dimensions();
        if size.0 == 0 || size.1 == 0 {
            let reason = format!("its size is {}x{}", size.0, size.1);
            return Err(CodecError::Damaged {
                media: media.name(),
                reason,
            });
        }
        let color = decoder.color_type();
        CodecError::check_size(limits, size, u64::from(color.bytes_per_pixel()))?;
        let mut allowed = image::Limits::no_limits();
        allowed.max_alloc = Some(limits.decoded_bytes_max);
        decoder.set_limits(allowed).map_err(failed)?;
        let channels = channels(media, color)?;
        let exif = decoder
            .exif_metadata()
            .ok()
            .flatten()
            .map(|exif| strip_prefix(&exif).to_vec());
        let icc = decoder.icc_profile().ok().flatten();
        let xmp = decoder.xmp_metadata().ok().flatten();
        let cmyk = matches!(
            decoder.original_color_type(),
            image::ExtendedColorType::Cmyk8 | image::ExtendedColorType::Cmyk16
        );
        let mut notes = Vec::new();
        if cmyk {
            notes.push("CMYK converted by the plain formula: colours may be off".to_owned());
        }
        if frames_ignored {
            notes.push("only the first frame is shown".to_owned());
        }
        // A TIFF file is itself the structure that EXIF borrows.
        let fields = if media == Media::Tiff {
            Some(bytes)
        } else {
            exif.as_deref()
        };
        let size = (size, u64::from(color.bytes_per_pixel()));
        let probe = header(media, size, fields, frames_ignored);
        let metadata = Metadata {
            exif,
            icc: icc.filter(|_| !cmyk),
            xmp: xmp.filter(|xmp| xmp.len() <= carried::XMP_BYTES_MAX),
            iptc: None,
        };
        Ok(Opened {
            probe,
            metadata,
            notes,
            reader: Reader::Other(decoder, channels),
        })
    }

    fn decode(self, bytes: &[u8]) -> Result<Decoded, CodecError> {
        let Opened {
            probe,
            metadata,
            notes,
            reader,
        } = self;
        let stored = stored_size(&probe);
        let (channels, samples, damaged) = match reader {
            Reader::Jpeg(headers) => {
                let pixels = jpeg::pixels(bytes, &headers)?;
                (headers.channels, pixels.samples, pixels.damaged)
            }
            Reader::Other(decoder, channels) => (channels, read(probe.media, decoder)?, None),
        };
        let raster = Raster {
            width: stored.0,
            height: stored.1,
            channels,
            samples,
        };
        Ok(Decoded {
            raster: orient::upright(raster, probe.orientation),
            probe,
            damaged,
            notes,
            metadata,
        })
    }
}

/// `size` is the stored width and height, and the bytes of a decoded pixel.
fn header(media: Media, size: ((u32, u32), u64), exif: Option<&[u8]>, frames_ignored: bool) -> Probe {
    let ((width, height), bytes_per_pixel) = size;
    let exif = exif.and_then(Exif::new);
    let orientation = exif.map_or(1, |exif| exif.orientation());
    let (width, height) = if orient::swaps(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    let taken = exif.and_then(|exif| exif.taken());
    Probe {
        media,
        width,
        height,
        decoded_bytes: u64::from(width) * u64::from(height) * bytes_per_pixel,
        orientation,
        frames_ignored,
        taken,
    }
}

fn stored_size(probe: &Probe) -> (u32, u32) {
    if orient::swaps(probe.orientation) {
        (probe.height, probe.width)
    } else {
        (probe.width, probe.height)
    }
}

/// The size in the first bytes of a PNG, GIF or BMP, read before the decoder sees them.
fn early_size(media: Media, bytes: &[u8]) -> Option<(u32, u32)> {
    match media {
        Media::Png => {
            let number = |at| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
            Some((number(16)?, number(20)?))
        }
        Media::Gif => {
            let number = |at| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into());
            Some((number(6)?, number(8)?))
        }
        // Headers older than BITMAPINFOHEADER hold 16-bit sizes; a negative height means top to bottom.
        Media::Bmp if bytes.get(14).is_some_and(|header_len| *header_len >= 40) => {
            let number =
                |at| Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?).unsigned_abs());
            Some((number(18)?, number(22)?))
        }
        _ => None,
    }
}

/// Most bytes that a PNG's texts and profiles may take.
const PNG_CHUNKS_MAX: u64 = 64 << 20;

/// The decoder, and whether there are frames that it will not show.
fn open<'a>(media: Media, bytes: &'a [u8]) -> Result<(Box<dyn ImageDecoder + 'a>, bool), ImageError> {
    let reader = Cursor::new(bytes);
    Ok(match media {
        Media::Png => {
            let mut limits = image::Limits::no_limits();
            limits.max_alloc = Some(PNG_CHUNKS_MAX);
            let decoder = png::PngDecoder::with_limits(reader, limits)?;
            let animated = decoder.is_apng()?;
            (Box::new(decoder), animated)
        }
        Media::Gif => (
            Box::new(gif::GifDecoder::new(reader)?),
            frames::gif_has_second(bytes),
        ),
        Media::Webp => {
            let decoder = webp::WebPDecoder::new(reader)?;
            let animated = decoder.has_animation();
            (Box::new(decoder), animated)
        }
        Media::Bmp => (Box::new(bmp::BmpDecoder::new(reader)?), false),
        Media::Tiff => (
            Box::new(tiff::TiffDecoder::new(reader)?),
            frames::tiff_has_second(bytes),
        ),
        Media::Jpeg => unreachable!("JPEG has its own way"),
    })
}

fn channels(media: Media, color: ColorType) -> Result<Channels, CodecError> {
    match color {
        ColorType::L8 | ColorType::L16 => Ok(Channels::Gray),
        ColorType::La8 | ColorType::La16 => Ok(Channels::GrayAlpha),
        ColorType::Rgb8 | ColorType::Rgb16 => Ok(Channels::Rgb),
        ColorType::Rgba8 | ColorType::Rgba16 => Ok(Channels::Rgba),
        other => Err(CodecError::Unsupported {
            what: format!("a {} with {other:?} samples", media.name()),
        }),
    }
}

fn read(media: Media, decoder: Box<dyn ImageDecoder + '_>) -> Result<Samples, CodecError> {
    let color = decoder.color_type();
    let len = usize::try_from(decoder.total_bytes()).expect("within the limits, thus within memory");
    let mut bytes = vec![0; len];
    decoder
        .read_image_boxed(&mut bytes)
        .map_err(|error| from_image(media, &error))?;
    if color.bytes_per_pixel() == color.channel_count() {
        return Ok(Samples::U8(bytes));
    }
    let words = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_ne_bytes(*pair));
    Ok(Samples::U16(words.collect()))
}

fn from_image(media: Media, error: &ImageError) -> CodecError {
    let reason = jpeg::one_line(&error.to_string());
    match error {
        ImageError::Unsupported(_) => CodecError::Unsupported {
            what: format!("this {} ({reason})", media.name()),
        },
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::InsufficientMemory) => {
            let reason = "it would need more memory than its size explains".to_owned();
            CodecError::Damaged {
                media: media.name(),
                reason,
            }
        }
        _ => CodecError::Damaged {
            media: media.name(),
            reason,
        },
    }
}
