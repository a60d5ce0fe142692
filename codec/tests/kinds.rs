//! What becomes of each kind of file, sound, broken and hostile: the table of docs/images.md. The files are made here.
//!
//! `IMAGES_TABLE=write cargo test -p codec --test kinds` writes the table anew; `CALOTYPE_PHOTOS=FOLDER cargo test -p codec
//! --test kinds -- --nocapture` prints the same of every file below a folder.

#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use codec::{Limits, Media, Metadata, decode, encode_as, probe};
use common::{exif, file, jpeg_with_exif, png_header, quarters};
use filters::{Channels, Raster, Samples};
use image::ImageFormat;

/// A file and what it is.
type Kind = (&'static str, Vec<u8>);

/// The answer and the message, as two cells.
fn answer(bytes: &[u8]) -> [String; 2] {
    let limits = Limits::default();
    match decode(bytes, &limits) {
        Err(error) => [format!("`{}`", error.code()), error.to_string()],
        Ok(decoded) => {
            let raster = &decoded.raster;
            assert_eq!(probe(bytes, &limits), Ok(decoded.probe));
            let channels = match raster.channels {
                Channels::Gray => "gray",
                Channels::GrayAlpha => "gray with alpha",
                Channels::Rgb => "RGB",
                Channels::Rgba => "RGB with alpha",
            };
            let marked = if decoded.damaged.is_some() {
                ", marked `damaged`"
            } else {
                ""
            };
            let (width, height, bits) = (raster.width, raster.height, raster.samples.bits());
            let read = format!("read{marked}: {width}×{height}, {channels}, {bits} bits");
            let words: Vec<String> = decoded.damaged.into_iter().chain(decoded.notes).collect();
            [read, words.join("; ")]
        }
    }
}

fn row(name: &str, bytes: &[u8]) -> String {
    let [answer, message] = answer(bytes);
    assert!(!message.contains("upsets the decoder"), "{name}: a panic");
    assert!(!message.contains(char::is_control), "{name}: {message:?}");
    format!("| {name} | {answer} | {} |", message.replace('|', "\\|"))
}

fn jpegs(kinds: &mut Vec<Kind>) {
    let sound = encode_as(Media::Jpeg, &quarters(48, 32), &Metadata::default())
        .unwrap()
        .bytes;
    kinds.push(("JPEG", sound.clone()));
    let encoded = |configure: &dyn Fn(&mut jpeg_encoder::Encoder<&mut Vec<u8>>), color, count: usize| {
        let samples: Vec<u8> = (0..48 * 32 * count).map(|i| (i / 7) as u8).collect();
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        configure(&mut encoder);
        encoder.encode(&samples, 48, 32, color).unwrap();
        bytes
    };
    let nothing = |_: &mut jpeg_encoder::Encoder<&mut Vec<u8>>| ();
    kinds.push(("JPEG, gray", encoded(&nothing, jpeg_encoder::ColorType::Luma, 1)));
    let progressive = |encoder: &mut jpeg_encoder::Encoder<&mut Vec<u8>>| encoder.set_progressive(true);
    kinds.push((
        "JPEG, progressive",
        encoded(&progressive, jpeg_encoder::ColorType::Rgb, 3),
    ));
    kinds.push(("JPEG, CMYK", encoded(&nothing, jpeg_encoder::ColorType::Cmyk, 4)));
    kinds.push((
        "JPEG, YCCK",
        encoded(&nothing, jpeg_encoder::ColorType::CmykAsYcck, 4),
    ));
    let sideways = exif(true, 6, "2021:05:06 07:08:09");
    kinds.push((
        "JPEG on its side (EXIF orientation 6): upright",
        jpeg_with_exif(&quarters(48, 32), &sideways),
    ));
    let long = encode_as(Media::Jpeg, &quarters(480, 320), &Metadata::default())
        .unwrap()
        .bytes;
    kinds.push(("JPEG that ends early", long[..long.len() * 4 / 5].to_vec()));
    kinds.push((
        "JPEG without its last two bytes",
        sound[..sound.len() - 2].to_vec(),
    ));
    kinds.push((
        "JPEG with its last bytes changed",
        [&sound[..sound.len() - 8], &[0x55; 6], &[0xff, 0xd9]].concat(),
    ));
    kinds.push(("JPEG cut within its header", sound[..20].to_vec()));
    let mut large = sound;
    let frame = large.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    large[frame + 5..frame + 9].fill(0xff);
    kinds.push(("JPEG that claims 65535×65535", large));
}

fn pngs(kinds: &mut Vec<Kind>) {
    let rgb = quarters(48, 32);
    let sound = file(&rgb, ImageFormat::Png);
    kinds.push(("PNG", sound.clone()));
    let of = |channels: Channels, deep: bool| {
        let len = 48 * 32 * channels.count();
        let samples = if deep {
            Samples::U16((0..len).map(|i| (i * 17) as u16).collect())
        } else {
            Samples::U8((0..len).map(|i| i as u8).collect())
        };
        let raster = Raster::new(48, 32, channels, samples).unwrap();
        encode_as(Media::Png, &raster, &Metadata::default())
            .unwrap()
            .bytes
    };
    kinds.push(("PNG, gray with alpha", of(Channels::GrayAlpha, false)));
    kinds.push(("PNG, 16 bits", of(Channels::Rgb, true)));
    kinds.push(("PNG, 16 bits with alpha", of(Channels::Rgba, true)));
    let written = |color, depth, palette: Option<&'static [u8]>, rows: &[u8], frames: u32| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 8, 4);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if let Some(palette) = palette {
            encoder.set_palette(palette);
        }
        if frames > 1 {
            encoder.set_animated(frames, 0).unwrap();
        }
        let mut writer = encoder.write_header().unwrap();
        for _ in 0..frames {
            writer.write_image_data(rows).unwrap();
        }
        writer.finish().unwrap();
        bytes
    };
    let black_white = written(png::ColorType::Grayscale, png::BitDepth::One, None, &[0xaa; 4], 1);
    kinds.push(("PNG, black and white (1 bit)", black_white));
    let palette: &[u8] = &[9, 8, 7, 200, 100, 50];
    let indexed = written(
        png::ColorType::Indexed,
        png::BitDepth::Eight,
        Some(palette),
        &[1; 32],
        1,
    );
    kinds.push(("PNG with a palette", indexed));
    let animated = written(png::ColorType::Grayscale, png::BitDepth::Eight, None, &[7; 32], 2);
    kinds.push(("PNG, animated", animated));
    kinds.push(("PNG that ends early", sound[..sound.len() * 3 / 4].to_vec()));
    let mut flipped = sound.clone();
    let data = flipped.windows(4).position(|name| name == b"IDAT").unwrap() + 20;
    flipped[data] ^= 0x10;
    kinds.push(("PNG with a changed byte", flipped));
    kinds.push(("PNG that claims 30000×30000", png_header(30_000, 30_000, 1, 0)));
    kinds.push((
        "PNG that claims 2147483647×2147483647",
        png_header(i32::MAX as u32, i32::MAX as u32, 16, 6),
    ));
    kinds.push(("PNG that claims 0×32", png_header(0, 32, 8, 2)));
    let mut text = Vec::new();
    let mut encoder = png::Encoder::new(&mut text, 1, 1);
    encoder
        .add_ztxt_chunk("bomb".to_owned(), "a".repeat(64 << 20))
        .unwrap();
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[7]).unwrap();
    kinds.push(("PNG with 64 MiB of text packed into 64 kB", text));
}

fn others(kinds: &mut Vec<Kind>) {
    let rgb = quarters(48, 32);
    let gif = |frames: u8| {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        let frame = |n| {
            image::Frame::new(image::RgbaImage::from_pixel(
                8,
                6,
                image::Rgba([n * 90, 0, 0, 255]),
            ))
        };
        encoder.encode_frames((0..frames).map(frame)).unwrap();
        drop(encoder);
        bytes
    };
    kinds.push(("GIF", gif(1)));
    kinds.push(("GIF, animated", gif(2)));
    kinds.push(("GIF that ends early", gif(1)[..30].to_vec()));
    kinds.push((
        "GIF that claims 65535×65535",
        b"GIF89a\xff\xff\xff\xff\0\0\0".to_vec(),
    ));
    let webp = file(&rgb, ImageFormat::WebP);
    kinds.push(("WebP, lossless", webp.clone()));
    let clear = Raster::new(4, 4, Channels::Rgba, Samples::U8((0..64).collect())).unwrap();
    kinds.push(("WebP with alpha", file(&clear, ImageFormat::WebP)));
    kinds.push(("WebP that ends early", webp[..webp.len() / 2].to_vec()));
    let bmp = file(&rgb, ImageFormat::Bmp);
    kinds.push(("BMP", bmp.clone()));
    kinds.push(("BMP that ends early", bmp[..bmp.len() / 2].to_vec()));
    let mut large = bmp;
    large[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    large[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    kinds.push(("BMP that claims 60000×60000", large));
    let tiff = file(&rgb, ImageFormat::Tiff);
    kinds.push(("TIFF", tiff.clone()));
    let mut deep = Cursor::new(Vec::new());
    let gray =
        image::ImageBuffer::<image::Luma<u16>, _>::from_fn(9, 5, |x, y| image::Luma([(x * y * 999) as u16]));
    gray.write_to(&mut deep, ImageFormat::Tiff).unwrap();
    kinds.push(("TIFF, gray, 16 bits", deep.into_inner()));
    let mut float = Cursor::new(Vec::new());
    let samples = image::Rgb32FImage::from_pixel(4, 4, image::Rgb([0.5, 0.25, 2.0]));
    image::DynamicImage::from(samples)
        .write_to(&mut float, ImageFormat::Tiff)
        .unwrap();
    kinds.push(("TIFF of floating-point samples", float.into_inner()));
    kinds.push(("TIFF that ends early", tiff[..tiff.len() / 2].to_vec()));
}

fn strangers(kinds: &mut Vec<Kind>) {
    kinds.push(("an empty file, whatever its name", Vec::new()));
    kinds.push(("text named `.png`", b"no image at all\n".to_vec()));
    kinds.push((
        "PNG named `.jpg`: the content counts",
        file(&quarters(8, 8), ImageFormat::Png),
    ));
    let box_of = |brand: &[u8; 4]| [&b"\0\0\0\x18ftyp"[..], brand, &[0; 12]].concat();
    kinds.push(("HEIC", box_of(b"heic")));
    kinds.push(("AVIF", box_of(b"avif")));
    kinds.push(("camera RAW (CR2)", b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0".to_vec()));
    kinds.push(("icon", [&[0, 0, 1, 0, 1, 0][..], &[0; 40]].concat()));
    kinds.push(("SVG", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec()));
    kinds.push(("PDF", b"%PDF-1.7\n".to_vec()));
    kinds.push(("video (MP4)", box_of(b"isom")));
    // Targa has no first bytes of its own.
    kinds.push((
        "TGA",
        [
            &[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 24, 0][..],
            &[1, 2, 3],
        ]
        .concat(),
    ));
}

fn table() -> String {
    let mut kinds = Vec::new();
    jpegs(&mut kinds);
    pngs(&mut kinds);
    others(&mut kinds);
    strangers(&mut kinds);
    let mut table = String::from("| file | answer | what it says |\n|---|---|---|\n");
    for (name, bytes) in kinds {
        writeln!(table, "{}", row(name, &bytes)).unwrap();
    }
    table
}

/// Each kind is read right, marked, or refused in clear words; the documentation says which.
#[test]
fn the_table_of_the_documentation_is_true() {
    const BEGIN: &str = "<!-- kinds:begin -->\n";
    const END: &str = "<!-- kinds:end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (told, after) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("IMAGES_TABLE").is_some_and(|what| what == "write") {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(told, table, "IMAGES_TABLE=write cargo test -p codec --test kinds");
}

/// Every file of a folder that somebody names gets an answer, and no decoder panics. Nothing to do without one.
#[test]
fn every_file_of_a_named_folder_gets_an_answer() {
    let Some(folder) = std::env::var_os("CALOTYPE_PHOTOS") else {
        return;
    };
    let mut folders = vec![Path::new(&folder).to_path_buf()];
    let mut rows = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if path.is_dir() {
                folders.push(path);
            } else {
                let parent = folder.file_name().unwrap().to_string_lossy().into_owned();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                rows.push(row(&format!("{parent}/{name}"), &std::fs::read(&path).unwrap()));
            }
        }
    }
    rows.sort();
    println!("{}\n{} files", rows.join("\n"), rows.len());
}
