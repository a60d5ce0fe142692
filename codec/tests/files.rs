//! Reading and writing files the tests make: orientation, metadata, depth, alpha, CMYK, limits, damage.

#![allow(clippy::unwrap_used)]

mod common;

use codec::{
    CodecError, Limits, Media, Metadata, decode, decode_small, encode_as, encode_version, pixel_engine,
    preview, probe,
};
use common::{THUMBNAIL, corners, exif, file, jpeg_with_exif, png_header, quarters};
use filters::{Channels, Raster, Samples};
use image::ImageFormat;

const LIMITS: Limits = Limits {
    pixels_max: 100_000_000,
    decoded_bytes_max: 512 << 20,
    file_bytes_max: 256 << 20,
};

fn decoded(bytes: &[u8]) -> codec::Decoded {
    decode(bytes, &LIMITS).unwrap()
}

#[test]
fn the_default_limits_are_the_documented_ones() {
    assert_eq!(Limits::default(), LIMITS);
}

#[test]
fn every_format_is_read_back() {
    let raster = quarters(24, 16);
    let formats = [
        (ImageFormat::Png, Media::Png, true),
        (ImageFormat::Bmp, Media::Bmp, true),
        (ImageFormat::Tiff, Media::Tiff, true),
        (ImageFormat::WebP, Media::Webp, true),
        (ImageFormat::Jpeg, Media::Jpeg, false),
        (ImageFormat::Gif, Media::Gif, false),
    ];
    for (format, media, exact) in formats {
        let bytes = file(&raster, format);
        let probe = probe(&bytes, &LIMITS).unwrap();
        let decoded = decoded(&bytes);
        assert_eq!(decoded.probe, probe);
        assert_eq!(
            (probe.media, probe.width, probe.height, probe.orientation),
            (media, 24, 16, 1)
        );
        assert!(
            !probe.frames_ignored && decoded.damaged.is_none() && decoded.notes.is_empty(),
            "{media:?}"
        );
        if exact {
            assert_eq!(decoded.raster, raster, "{media:?}");
        } else if media == Media::Jpeg {
            assert_eq!(corners(&decoded.raster), [0, 1, 2, 3]);
        } else {
            assert_eq!(decoded.raster.channels, Channels::Rgba);
        }
    }
}

#[test]
fn every_orientation_comes_out_upright() {
    // Corners of the stored picture, and where each orientation puts them (upper left, upper right, lower
    // left, lower right).
    let upright = [
        [0, 1, 2, 3],
        [1, 0, 3, 2],
        [3, 2, 1, 0],
        [2, 3, 0, 1],
        [0, 2, 1, 3],
        [2, 0, 3, 1],
        [3, 1, 2, 0],
        [1, 3, 0, 2],
    ];
    for little in [true, false] {
        for (orientation, expected) in (1..).zip(upright) {
            let block = exif(little, orientation, "2021:05:06 07:08:09");
            let decoded = decoded(&jpeg_with_exif(&quarters(32, 16), &block));
            let size = if orientation > 4 { (16, 32) } else { (32, 16) };
            assert_eq!((decoded.raster.width, decoded.raster.height), size);
            assert_eq!((decoded.probe.width, decoded.probe.height), size);
            assert_eq!(decoded.probe.orientation, orientation as u8);
            assert_eq!(corners(&decoded.raster), expected, "orientation {orientation}");
            assert_eq!(decoded.probe.taken.as_deref(), Some("2021-05-06T07:08:09"));
            assert_eq!(decoded.metadata.exif.as_deref(), Some(&block[..]));
        }
    }
}

#[test]
fn an_orientation_or_date_that_makes_no_sense_is_ignored() {
    for orientation in [0, 9, 300] {
        let block = exif(true, orientation, "0000:00:00 00:00:00");
        let probe = probe(&jpeg_with_exif(&quarters(32, 16), &block), &LIMITS).unwrap();
        assert_eq!((probe.orientation, probe.width, probe.taken), (1, 32, None));
    }
}

#[test]
fn webp_exif_with_the_jpeg_prefix_is_understood() {
    let block = [b"Exif\0\0", &exif(true, 6, "2021:05:06 07:08:09")[..]].concat();
    let mut bytes = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
    encoder.set_exif_metadata(block);
    let raster = quarters(32, 16);
    let Samples::U8(samples) = &raster.samples else {
        panic!("8 bits")
    };
    encoder
        .encode(samples, 32, 16, image_webp::ColorType::Rgb8)
        .unwrap();
    let decoded = decoded(&bytes);
    assert_eq!((decoded.probe.orientation, decoded.raster.width), (6, 16));
    assert_eq!(corners(&decoded.raster), [2, 0, 3, 1]);
    assert!(decoded.metadata.exif.unwrap().starts_with(b"II*\0"));
}

#[test]
fn versions_carry_exif_reset_and_icc() {
    let mut icc = vec![0; 132];
    icc[16..20].copy_from_slice(b"RGB ");
    for little in [true, false] {
        let metadata = Metadata {
            exif: Some(exif(little, 6, "2021:05:06 07:08:09")),
            icc: Some(icc.clone()),
            ..Metadata::default()
        };
        let deep = Raster {
            samples: Samples::U16(vec![500; 40 * 30 * 3]),
            ..quarters(40, 30)
        };
        for (raster, source, media) in [
            (quarters(40, 30), Media::Jpeg, Media::Jpeg),
            (quarters(40, 30), Media::Png, Media::Webp),
            (deep, Media::Png, Media::Png),
        ] {
            let version = encode_version(&raster, source, &metadata).unwrap();
            assert_eq!(version.media, media);
            let decoded = decoded(&version.bytes);
            assert_eq!(
                (decoded.raster.width, decoded.probe.orientation),
                (40, 1),
                "{media:?}"
            );
            assert_eq!(decoded.probe.taken.as_deref(), Some("2021-05-06T07:08:09"));
            assert_eq!(decoded.metadata.icc.as_ref(), Some(&icc), "{media:?}");
            let block = decoded.metadata.exif.unwrap();
            assert_eq!(
                block.len(),
                metadata.exif.as_ref().unwrap().len(),
                "nothing moved"
            );
            assert!(!block.windows(THUMBNAIL.len()).any(|window| window == THUMBNAIL));
            // Another reader agrees.
            let read = exif::Reader::new().read_raw(block).unwrap();
            let number = |tag| read.get_field(tag, exif::In::PRIMARY).unwrap().value.get_uint(0);
            assert_eq!(number(exif::Tag::Orientation), Some(1));
            assert_eq!(number(exif::Tag::PixelXDimension), Some(40));
            assert_eq!(number(exif::Tag::PixelYDimension), Some(30));
            let maker = read.get_field(exif::Tag::Make, exif::In::PRIMARY).unwrap();
            assert_eq!(maker.display_value().to_string(), "\"Acme\"");
            assert!(
                read.get_field(exif::Tag::JPEGInterchangeFormat, exif::In::THUMBNAIL)
                    .is_none()
            );
        }
    }
}

#[test]
fn a_profile_for_other_channels_is_dropped() {
    let mut icc = vec![0; 132];
    icc[16..20].copy_from_slice(b"RGB ");
    let metadata = Metadata {
        icc: Some(icc),
        ..Metadata::default()
    };
    let gray = Raster::new(4, 4, Channels::Gray, Samples::U8(vec![9; 16])).unwrap();
    for source in [Media::Jpeg, Media::Png] {
        let version = encode_version(&gray, source, &metadata).unwrap();
        assert_eq!(decoded(&version.bytes).metadata.icc, None);
    }
}

#[test]
fn exif_too_long_for_a_jpeg_is_dropped_and_the_picture_kept() {
    let block = [exif(true, 1, "2021:05:06 07:08:09"), vec![0; 70_000]].concat();
    let metadata = Metadata {
        exif: Some(block),
        ..Metadata::default()
    };
    let version = encode_version(&quarters(8, 8), Media::Jpeg, &metadata).unwrap();
    assert_eq!(decoded(&version.bytes).metadata.exif, None);
    let version = encode_version(&quarters(8, 8), Media::Png, &metadata).unwrap();
    assert_eq!(
        decoded(&version.bytes).metadata.exif.unwrap().len(),
        70_000 + 148 + THUMBNAIL.len()
    );
}

#[test]
fn lossless_versions_are_lossless() {
    let noise = |len: usize| (0..len).map(|i| ((i * 7919) >> 3) as u16);
    for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
        let len = 13 * 7 * channels.count();
        let deep = Raster::new(13, 7, channels, Samples::U16(noise(len).collect())).unwrap();
        let version = encode_version(&deep, Media::Jpeg, &Metadata::default()).unwrap();
        assert_eq!(version.media, Media::Png);
        assert_eq!(decoded(&version.bytes).raster, deep, "16 bit stays 16 bit");
        let flat = Raster {
            samples: Samples::U8(noise(len).map(|n| n as u8).collect()),
            ..deep
        };
        let version = encode_version(&flat, Media::Tiff, &Metadata::default()).unwrap();
        assert_eq!(version.media, Media::Webp);
        let found = decoded(&version.bytes).raster;
        if channels.colors() == 3 {
            assert_eq!(found, flat);
        }
        assert_eq!(found.channels, channels.to_rgb(), "WebP has no gray");
    }
    let wide = |width| Raster::new(width, 1, Channels::Gray, Samples::U8(vec![7; width as usize])).unwrap();
    let media = |width| {
        encode_version(&wide(width), Media::Png, &Metadata::default())
            .unwrap()
            .media
    };
    assert_eq!((media(16_383), media(16_384)), (Media::Webp, Media::Png));
    let jpeg = |width| {
        encode_version(&wide(width), Media::Jpeg, &Metadata::default())
            .unwrap()
            .media
    };
    assert_eq!((jpeg(65_535), jpeg(65_536)), (Media::Jpeg, Media::Png));
}

#[test]
fn files_of_the_kind_asked_for() {
    let noise = (0..13 * 7 * 4).map(|i: u32| ((i * 7919) >> 3) as u16).collect();
    let deep = Raster::new(13, 7, Channels::Rgba, Samples::U16(noise)).unwrap();
    let written = |media| decoded(&encode_as(media, &deep, &Metadata::default()).unwrap().bytes);
    assert_eq!(written(Media::Png).raster, deep, "PNG holds everything");
    let eight = written(Media::Webp).raster;
    assert_eq!(eight.channels, Channels::Rgba);
    let flat = written(Media::Jpeg);
    assert_eq!(
        (flat.probe.media, flat.raster.channels),
        (Media::Jpeg, Channels::Rgb)
    );
    let clear = Raster::new(1, 1, Channels::Rgba, Samples::U8(vec![9, 9, 9, 0])).unwrap();
    let white = encode_as(Media::Jpeg, &clear, &Metadata::default()).unwrap();
    assert_eq!(decoded(&white.bytes).raster.samples, Samples::U8(vec![255; 3]));
    let error = |media, raster: &Raster| {
        encode_as(media, raster, &Metadata::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(error(Media::Gif, &deep), "GIF files are read, not written");
    let wide = |width| Raster::new(width, 1, Channels::Gray, Samples::U8(vec![7; width as usize])).unwrap();
    for (media, most) in [(Media::Webp, 16_383), (Media::Jpeg, 65_535)] {
        assert!(encode_as(media, &wide(most), &Metadata::default()).is_ok());
        let name = media.name();
        let expect = format!("{name} holds at most {most} pixels a side, not {}", most + 1);
        assert_eq!(error(media, &wide(most + 1)), expect);
    }
}

#[test]
fn a_jpeg_with_alpha_becomes_lossless() {
    let raster = Raster::new(2, 1, Channels::Rgba, Samples::U8(vec![1, 2, 3, 4, 5, 6, 7, 255])).unwrap();
    let version = encode_version(&raster, Media::Jpeg, &Metadata::default()).unwrap();
    assert_eq!(
        (version.media, decoded(&version.bytes).raster),
        (Media::Webp, raster)
    );
}

#[test]
fn encoding_is_deterministic_and_its_bytes_are_frozen() {
    let hash = |source| {
        let version = encode_version(&quarters(40, 24), source, &Metadata::default()).unwrap();
        let sum = version
            .bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        (version.encoder, sum)
    };
    assert_eq!(hash(Media::Jpeg), ("jpeg-encoder-0.7.1/q92-444", JPEG_SUM));
    assert_eq!(hash(Media::Png), ("image-webp-0.2.4/lossless", WEBP_SUM));
}

/// FNV-1a of the encoded bytes.
const JPEG_SUM: u64 = 4_213_211_785_661_833_385;
const WEBP_SUM: u64 = 15_994_078_185_992_231_811;

#[test]
fn a_decoded_jpeg_has_its_frozen_pixels() {
    let version = encode_version(&quarters(40, 24), Media::Jpeg, &Metadata::default()).unwrap();
    let hash = decoded(&version.bytes).raster.pixel_hash();
    let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (pixel_engine(Media::Jpeg).as_str(), hex.as_str()),
        ("zune-jpeg-0.5.15/calotype-2", "194cc8bc0d4107e6")
    );
}

#[test]
fn engine_and_encoder_ids_name_the_versions_that_are_built() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let mut ids: Vec<String> = Media::ALL.into_iter().map(pixel_engine).collect();
    ids.extend([codec::ENCODER_JPEG, codec::ENCODER_PNG, codec::ENCODER_WEBP].map(str::to_owned));
    for id in ids {
        let (name, version) = id.split('/').next().unwrap().rsplit_once('-').unwrap();
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "{id}: Cargo.lock has another {name}");
    }
}

#[test]
fn cmyk_and_ycck_by_the_plain_formula() {
    // White, red, green, half black in CMYK; 16 × 8 blocks of each so that the JPEG cannot blur them away.
    let inks: [([u8; 4], [u8; 3]); 4] = [
        ([0, 0, 0, 0], [255, 255, 255]),
        ([0, 255, 255, 0], [255, 0, 0]),
        ([255, 0, 255, 0], [0, 255, 0]),
        ([0, 0, 0, 128], [127, 127, 127]),
    ];
    for color in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
        let samples: Vec<u8> = inks.iter().flat_map(|(ink, _)| ink.repeat(16 * 16)).collect();
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 100);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
        encoder.add_icc_profile(b"a profile for inks").unwrap();
        encoder.encode(&samples, 16, 64, color).unwrap();
        let decoded = decoded(&bytes);
        assert_eq!(
            decoded.notes,
            ["CMYK converted by the plain formula: colours may be off"]
        );
        assert_eq!(
            (decoded.raster.channels, decoded.metadata.icc),
            (Channels::Rgb, None)
        );
        let Samples::U8(found) = decoded.raster.samples else {
            panic!("8 bits")
        };
        for (i, (_, rgb)) in inks.iter().enumerate() {
            let at = (i * 16 + 8) * 16 * 3 + 24;
            let close = found[at..at + 3]
                .iter()
                .zip(rgb)
                .all(|(a, b)| a.abs_diff(*b) <= 4);
            assert!(close, "{color:?} {i}: {:?}", &found[at..at + 3]);
        }
    }
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let too_large = |bytes: &[u8]| {
        for result in [probe(bytes, &LIMITS).map(drop), decode(bytes, &LIMITS).map(drop)] {
            let error = result.unwrap_err();
            assert_eq!(error.code(), "too_large", "{error}");
        }
        probe(bytes, &LIMITS).unwrap_err().to_string()
    };
    assert_eq!(
        too_large(&png_header(30_000, 30_000, 1, 0)),
        "the image is 30000x30000, 900000000 bytes once decoded: above the limit of 100000000 pixels"
    );
    assert!(
        too_large(&png_header(i32::MAX as u32, i32::MAX as u32, 16, 6)).contains("2147483647x2147483647")
    );
    assert!(too_large(b"GIF89a\xff\xff\xff\xff\0\0\0").contains("65535x65535"));
    // A BMP header of 60000 × 60000, and a WebP canvas of 16384 × 16384.
    let mut bmp = file(&quarters(4, 4), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    assert!(too_large(&bmp).contains("60000x60000"));
    // A JPEG whose frame header says 65535 × 65535.
    let mut jpeg = file(&quarters(16, 16), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    assert!(too_large(&jpeg).contains("65535x65535"));
}

#[test]
fn a_picture_at_a_limit_is_read_and_one_past_it_is_not() {
    let bytes = file(&quarters(10, 10), ImageFormat::Png);
    let code = |limits: Limits| decode(&bytes, &limits).err().map(|error| error.code());
    assert_eq!(
        code(Limits {
            pixels_max: 100,
            ..LIMITS
        }),
        None
    );
    assert_eq!(
        code(Limits {
            pixels_max: 99,
            ..LIMITS
        }),
        Some("too_large")
    );
    assert_eq!(
        code(Limits {
            decoded_bytes_max: 300,
            ..LIMITS
        }),
        None
    );
    assert_eq!(
        code(Limits {
            decoded_bytes_max: 299,
            ..LIMITS
        }),
        Some("too_large")
    );
    let len = bytes.len() as u64;
    assert_eq!(
        code(Limits {
            file_bytes_max: len,
            ..LIMITS
        }),
        None
    );
    assert_eq!(
        code(Limits {
            file_bytes_max: len - 1,
            ..LIMITS
        }),
        Some("too_large")
    );
}

#[test]
fn cut_files_are_damaged() {
    let raster = quarters(64, 64);
    let jpeg = file(&raster, ImageFormat::Jpeg);
    for cut in [jpeg.len() - 1, jpeg.len() - 2, jpeg.len() * 9 / 10] {
        let decoded = decoded(&jpeg[..cut]);
        assert_eq!(
            decoded.damaged.as_deref(),
            Some("it has no end marker: it was cut off"),
            "{cut}"
        );
        assert_eq!((decoded.raster.width, decoded.raster.height), (64, 64));
    }
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let bytes = file(&raster, format);
        let error = decode(&bytes[..bytes.len() / 2], &LIMITS).unwrap_err();
        assert_eq!(error.code(), "damaged", "{format:?}: {error}");
    }
    assert_eq!(decode(&jpeg[..20], &LIMITS).unwrap_err().code(), "damaged");
}

#[test]
fn nothing_and_something_else_are_not_images() {
    let message = |bytes: &[u8]| probe(bytes, &LIMITS).unwrap_err().to_string();
    assert_eq!(message(b""), "not an image: the file is empty (0 bytes)");
    assert_eq!(
        message(b"hello"),
        "not an image: 5 bytes that begin with 68 65 6c 6c 6f"
    );
    let heic = probe(b"\0\0\0\x18ftypheic\0\0\0\0", &LIMITS).unwrap_err();
    assert_eq!(heic, CodecError::Unsupported { what: "HEIC".into() });
    assert_eq!(heic.code(), "not_an_image");
    assert!(heic.hint().contains("export it"));
}

#[test]
fn only_the_first_frame_is_shown_and_that_is_said() {
    let frame = |value| {
        image::Frame::new(image::RgbaImage::from_pixel(
            8,
            6,
            image::Rgba([value, 0, 0, 255]),
        ))
    };
    let gif = |frames: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        encoder
            .encode_frames(frames.iter().map(|value| frame(*value)))
            .unwrap();
        drop(encoder);
        bytes
    };
    let single = decoded(&gif(&[200]));
    assert!(!single.probe.frames_ignored && single.notes.is_empty());
    let double = decoded(&gif(&[200, 10]));
    assert!(double.probe.frames_ignored);
    assert_eq!(double.notes, ["only the first frame is shown"]);
    assert_eq!(double.raster, single.raster);
}

#[test]
fn previews_fit_and_never_grow() {
    let size = |raster: &Raster| {
        let decoded = decoded(&preview(raster).unwrap());
        (decoded.raster.width, decoded.raster.height)
    };
    assert_eq!(size(&quarters(1030, 515)), (512, 256));
    assert_eq!(size(&quarters(100, 60)), (100, 60));
    assert_eq!(size(&quarters(513, 1)), (512, 1));
    let large = decoded(&preview(&quarters(1000, 800)).unwrap()).raster;
    assert_eq!(corners(&large), [0, 1, 2, 3]);
    for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
        // Half-way to transparent black over white is light gray, whatever the depth.
        let len = 600 * 4 * channels.count();
        let pixel = |i: usize| {
            if i % channels.count() == channels.colors() {
                51
            } else {
                0
            }
        };
        let flat = Samples::U8((0..len).map(|i| pixel(i) as u8).collect());
        let deep = Samples::U16((0..len).map(|i| pixel(i) * 257).collect());
        for samples in [flat, deep] {
            let raster = Raster::new(600, 4, channels, samples).unwrap();
            let Samples::U8(found) = decoded(&preview(&raster).unwrap()).raster.samples else {
                panic!("8 bits")
            };
            let expected = if channels.has_alpha() { 204 } else { 0_u8 };
            assert!(
                found.iter().all(|sample| sample.abs_diff(expected) <= 2),
                "{channels:?}"
            );
        }
    }
}

#[test]
fn what_is_only_looked_at_is_decoded_small_and_upright() {
    // Large: reduced, whichever way up it is stored; the long side keeps twice what a preview has.
    for orientation in 1..=8 {
        let bytes = jpeg_with_exif(
            &quarters(2400, 64),
            &exif(false, orientation, "2021:05:06 07:08:09"),
        );
        let (small, whole) = (decode_small(&bytes, &LIMITS).unwrap(), decoded(&bytes).raster);
        assert_eq!(
            (small.width * 2, small.height * 2),
            (whole.width, whole.height),
            "{orientation}"
        );
        assert_eq!(corners(&small), corners(&whole), "{orientation}");
    }
    // Small, without loss or cut off: decoded as ever.
    let large = file(&quarters(2400, 64), ImageFormat::Jpeg);
    for bytes in [
        &file(&quarters(2046, 64), ImageFormat::Jpeg)[..],
        &file(&quarters(2400, 64), ImageFormat::Png),
        &large[..large.len() * 2 / 3],
    ] {
        assert_eq!(decode_small(bytes, &LIMITS).unwrap(), decoded(bytes).raster);
    }
    // The limits hold before anything is decoded.
    let limits = Limits {
        pixels_max: 2400 * 64 - 1,
        ..LIMITS
    };
    assert_eq!(decode_small(&large, &limits).unwrap_err().code(), "too_large");
    // Four colours are converted by the plain formula, as ever.
    let mut cmyk = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut cmyk, 90);
    let samples = [40, 90, 200, 20].repeat(2400 * 8);
    encoder
        .encode(&samples, 2400, 8, jpeg_encoder::ColorType::Cmyk)
        .unwrap();
    assert_eq!(decode_small(&cmyk, &LIMITS).unwrap(), decoded(&cmyk).raster);
}

#[test]
fn a_raster_that_contradicts_itself_is_not_encoded() {
    let raster = Raster {
        width: 9,
        ..quarters(8, 8)
    };
    let error = encode_version(&raster, Media::Jpeg, &Metadata::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the raster holds 192 samples where its size needs 216"
    );
    assert!(preview(&raster).is_err());
}
