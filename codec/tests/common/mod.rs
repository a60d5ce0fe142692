//! Files made by the tests themselves: pictures in every format, EXIF blocks byte by byte.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::io::Cursor;

use codec::{Media, Metadata, encode_version};
use filters::{Channels, Raster, Samples};
use image::{DynamicImage, ImageFormat};

/// A picture whose four quarters differ, so that no turn or mirror of it is another.
pub fn quarters(width: u32, height: u32) -> Raster {
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            samples.extend(match (x < width / 2, y < height / 2) {
                (true, true) => [250, 10, 10],
                (false, true) => [10, 250, 10],
                (true, false) => [10, 10, 250],
                (false, false) => [240, 240, 240],
            });
        }
    }
    Raster::new(width, height, Channels::Rgb, Samples::U8(samples)).unwrap()
}

/// The quarter that a pixel of [`quarters`] is from: the channel that is bright, or 3 for white.
pub fn quarter(raster: &Raster, x: u32, y: u32) -> usize {
    let Samples::U8(samples) = &raster.samples else {
        panic!("8 bits")
    };
    let at = (y * raster.width + x) as usize * 3;
    let pixel = &samples[at..at + 3];
    let bright: Vec<usize> = (0..3).filter(|i| pixel[*i] > 128).collect();
    if bright.len() == 1 { bright[0] } else { 3 }
}

/// What is in the upper left, upper right, lower left and lower right.
pub fn corners(raster: &Raster) -> [usize; 4] {
    let (right, bottom) = (raster.width - 2, raster.height - 2);
    [(1, 1), (right, 1), (1, bottom), (right, bottom)].map(|(x, y)| quarter(raster, x, y))
}

/// A file of `raster` by the crate `image`.
pub fn file(raster: &Raster, format: ImageFormat) -> Vec<u8> {
    let Samples::U8(samples) = &raster.samples else {
        panic!("8 bits")
    };
    let samples = samples.clone();
    let (width, height) = (raster.width, raster.height);
    let picture: DynamicImage = match raster.channels {
        Channels::Rgb => image::RgbImage::from_raw(width, height, samples).unwrap().into(),
        Channels::Rgba => image::RgbaImage::from_raw(width, height, samples).unwrap().into(),
        Channels::Gray => image::GrayImage::from_raw(width, height, samples).unwrap().into(),
        Channels::GrayAlpha => panic!("not needed"),
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG by the crate's own encoder, with `exif` inserted as it is.
pub fn jpeg_with_exif(raster: &Raster, exif: &[u8]) -> Vec<u8> {
    let plain = encode_version(raster, Media::Jpeg, &Metadata::default())
        .unwrap()
        .bytes;
    let body = [b"Exif\0\0", exif].concat();
    let len = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &len, &body, &plain[2..]].concat()
}

/// The bytes that stand for an embedded thumbnail.
pub const THUMBNAIL: &[u8] = b"\xff\xd8 the unfiltered face \xff\xd9";

/// An EXIF block: orientation and a maker's name, date and pixel size in the sub-directory, a thumbnail.
pub fn exif(little: bool, orientation: u16, taken: &str) -> Vec<u8> {
    let u16s = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
    let u32s = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&u16s(tag)[..], &u16s(kind), &u32s(count), &value].concat()
    };
    let short = |v: u16| {
        let [a, b] = u16s(v);
        [a, b, 0, 0]
    };
    let text = format!("{taken}\0");
    assert_eq!(text.len(), 20);
    // Header 8; first directory of 3 at 8 (42 bytes); "Acme\0" is at 50; sub-directory of 3 at 56 (42); date
    // at 98; second directory of 2 at 118 (30); thumbnail at 148.
    let header: &[u8] = if little { b"II*\0" } else { b"MM\0*" };
    let first = [
        u16s(3).to_vec(),
        entry(0x010f, 2, 5, u32s(50)),
        entry(0x0112, 3, 1, short(orientation)),
        entry(0x8769, 4, 1, u32s(56)),
        u32s(118).to_vec(),
    ];
    let sub = [
        u16s(3).to_vec(),
        entry(0x9003, 2, 20, u32s(98)),
        entry(0xa002, 3, 1, short(4000)),
        entry(0xa003, 4, 1, u32s(3000)),
        u32s(0).to_vec(),
    ];
    let second = [
        u16s(2).to_vec(),
        entry(0x0201, 4, 1, u32s(148)),
        entry(0x0202, 4, 1, u32s(THUMBNAIL.len() as u32)),
        u32s(0).to_vec(),
    ];
    let out = [
        header,
        &u32s(8),
        &first.concat(),
        b"Acme\0\0",
        &sub.concat(),
        text.as_bytes(),
        &second.concat(),
        THUMBNAIL,
    ];
    let out = out.concat();
    assert_eq!(out.len(), 148 + THUMBNAIL.len());
    out
}

/// A PNG of nothing but a header, with a right checksum: what it claims costs 33 bytes.
pub fn png_header(width: u32, height: u32, depth: u8, color: u8) -> Vec<u8> {
    let mut body = b"IHDR".to_vec();
    body.extend(width.to_be_bytes());
    body.extend(height.to_be_bytes());
    body.extend([depth, color, 0, 0, 0]);
    [
        &b"\x89PNG\r\n\x1a\n\0\0\0\x0d"[..],
        &body,
        &crc(&body).to_be_bytes(),
    ]
    .concat()
}

/// CRC-32 of PNG's annex D, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}
