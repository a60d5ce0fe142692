//! Image files: the header within limits, then the pixels and a preview.

use std::io::Cursor;

use codec::{CodecError, Limits, Media, Metadata, decode, decode_small, encode_version, preview, probe};
use filters::{Channels, Raster, Samples};
use image::{DynamicImage, ImageFormat};

use crate::{Seed, seed};

/// Small, so that what is held beyond them is seen: [`crate::MEMORY_MIB_MAX`] is eight times the decoded bytes.
const LIMITS: Limits = Limits {
    pixels_max: 1 << 20,
    decoded_bytes_max: 4 << 20,
    file_bytes_max: 1 << 20,
};

pub fn run(data: &[u8]) {
    let header = probe(data, &LIMITS);
    if let Ok(probe) = &header {
        assert!(u64::from(probe.width) * u64::from(probe.height) <= LIMITS.pixels_max);
        assert!((1..=8).contains(&probe.orientation) && probe.width > 0 && probe.height > 0);
    }
    match decode(data, &LIMITS) {
        Ok(decoded) => {
            let raster = &decoded.raster;
            let pixels = raster.width as usize * raster.height as usize;
            assert_eq!(raster.samples.len(), pixels * raster.channels.count());
            assert_eq!(Ok(&decoded.probe), header.as_ref(), "one header, two readings");
            if pixels <= 1 << 16 {
                drop(preview(raster));
            }
        }
        Err(error) => check(&error),
    }
    match decode_small(data, &LIMITS) {
        Ok(raster) => assert!(
            u64::from(raster.width) * u64::from(raster.height) <= LIMITS.pixels_max,
            "within the limits"
        ),
        Err(error) => check(&error),
    }
    header.as_ref().err().into_iter().for_each(check);
}

fn check(error: &CodecError) {
    let text = error.to_string();
    assert!(!text.contains("upsets the decoder"), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
}

pub fn seeds() -> Vec<Seed> {
    let rgb = || raster(Channels::Rgb);
    let mut seeds = vec![
        seed("png-16", file(&raster(Channels::Gray), ImageFormat::Png, true)),
        seed(
            "png-alpha",
            file(&raster(Channels::Rgba), ImageFormat::Png, false),
        ),
        seed("png-bomb", png_header(60_000, 60_000)),
        seed("tiff-16", file(&rgb(), ImageFormat::Tiff, true)),
        seed("jpeg-exif", with_exif()),
        seed(
            "jpeg-gray",
            encode_version(&raster(Channels::Gray), Media::Jpeg, &Metadata::default())
                .unwrap()
                .bytes,
        ),
        seed(
            "webp-version",
            encode_version(&rgb(), Media::Webp, &Metadata::default())
                .unwrap()
                .bytes,
        ),
    ];
    // So wide that it is reduced before it is looked at.
    let ramp = (0..2050 * 8 * 3_usize).map(|n| (n / 97) as u8).collect();
    let wide = Raster::new(2050, 8, Channels::Rgb, Samples::U8(ramp)).unwrap();
    seeds.push(seed("jpeg-wide", file(&wide, ImageFormat::Jpeg, false)));
    let formats = [
        ("png", ImageFormat::Png),
        ("gif", ImageFormat::Gif),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
        ("tiff", ImageFormat::Tiff),
        ("jpeg", ImageFormat::Jpeg),
    ];
    seeds.extend(formats.map(|(name, format)| seed(name, file(&rgb(), format, false))));
    seeds
}

pub fn large() -> Vec<Vec<u8>> {
    let claim = |bytes: &[u8], at: usize, size: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + size.len()].copy_from_slice(size);
        bytes
    };
    let rgb = raster(Channels::Rgb);
    let (gif, bmp) = (
        file(&rgb, ImageFormat::Gif, false),
        file(&rgb, ImageFormat::Bmp, false),
    );
    vec![
        claim(&gif, 6, &[0xff; 4]),
        claim(&gif, 6, &[0, 4, 0, 4]),
        claim(&bmp, 18, &[0, 4, 0, 0, 0, 4, 0, 0]),
        claim(&bmp, 18, &[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f]),
        png_header(1024, 1024),
        png_header(u32::MAX, u32::MAX),
    ]
}

/// 12 × 8 pixels, no two alike.
fn raster(channels: Channels) -> Raster {
    let samples = (0..12 * 8 * channels.count())
        .map(|n| (n * 89 % 251) as u8)
        .collect();
    Raster::new(12, 8, channels, Samples::U8(samples)).unwrap()
}

fn file(raster: &Raster, format: ImageFormat, wide: bool) -> Vec<u8> {
    let Samples::U8(samples) = raster.samples.clone() else {
        unreachable!()
    };
    let (width, height) = (raster.width, raster.height);
    let picture: DynamicImage = match raster.channels.count() {
        1 => ::image::GrayImage::from_raw(width, height, samples)
            .unwrap()
            .into(),
        3 => ::image::RgbImage::from_raw(width, height, samples)
            .unwrap()
            .into(),
        _ => ::image::RgbaImage::from_raw(width, height, samples)
            .unwrap()
            .into(),
    };
    let picture = match (wide, raster.channels.count()) {
        (false, _) => picture,
        (true, 1) => picture.to_luma16().into(),
        (true, _) => picture.to_rgb16().into(),
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG that lies on its side and tells when it was taken.
fn with_exif() -> Vec<u8> {
    let plain = encode_version(&raster(Channels::Rgb), Media::Jpeg, &Metadata::default())
        .unwrap()
        .bytes;
    let directory = [
        &b"II*\0\x08\0\0\0\x02\0"[..],
        b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
        b"\x69\x87\x04\0\x01\0\0\0\x26\0\0\0\0\0\0\0",
        b"\x01\0\x03\x90\x02\0\x14\0\0\0\x38\0\0\0\0\0\0\0",
        b"2021:05:06 07:08:09\0",
    ];
    let body = [b"Exif\0\0", &directory.concat()[..]].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, &body, &plain[2..]].concat()
}

/// A PNG of nothing but a header: what it claims costs 33 bytes.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let body = [
        &b"IHDR"[..],
        &width.to_be_bytes(),
        &height.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    let sum = !body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    [&b"\x89PNG\r\n\x1a\n\0\0\0\x0d"[..], &body, &sum.to_be_bytes()].concat()
}
