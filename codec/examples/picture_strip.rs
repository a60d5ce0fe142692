//! The picture at the top of README.md, but for the filters: `paint OUT.png` paints a landscape, `join OUT.png COLUMNS IN…` puts
//! pictures of one size beside and below each other. Integers only, so the bytes are the same on every machine.
//! `scripts/picture_strip.sh` runs it, with `calotype apply` in between.

use std::error::Error;

use codec::{Limits, Media, Metadata};
use filters::{Channels, Raster, Samples};

/// Size of the landscape, in pixels.
const SIZE: (i32, i32) = (640, 480);
/// Where sky and water meet.
const HORIZON: i32 = 300;
/// The sun's centre and radius.
const SUN: (i32, i32, i32) = (420, 205, 38);
/// White pixels between joined pictures.
const GAP: usize = 4;

type Rgb = [i32; 3];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["paint", out] => write(out, &paint()?),
        ["join", out, columns, ref files @ ..] if !files.is_empty() => {
            write(out, &join(columns.parse()?, files)?)
        }
        _ => Err("paint OUT.png, or join OUT.png COLUMNS IN…".into()),
    }
}

fn write(out: &str, raster: &Raster) -> Result<(), Box<dyn Error>> {
    let file = codec::encode_as(Media::Png, raster, &Metadata::default())?;
    Ok(std::fs::write(out, file.bytes)?)
}

fn paint() -> Result<Raster, Box<dyn Error>> {
    let (width, height) = SIZE;
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y)));
    let samples = Samples::U8(pixels.map(|sample| sample.clamp(0, 255) as u8).collect());
    Ok(Raster::new(width as u32, height as u32, Channels::Rgb, samples)?)
}

/// Between two colours, `at` of 1024.
fn mix(a: Rgb, b: Rgb, at: i32) -> Rgb {
    let at = at.clamp(0, 1024);
    std::array::from_fn(|c| (a[c] * (1024 - at) + b[c] * at) / 1024)
}

/// A number of 0 to 1023 for each place, always the same.
fn chance(x: i32, y: i32) -> i32 {
    let mut n = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77);
    n = (n ^ (n >> 15)).wrapping_mul(0x2c1b_3c6d);
    n = (n ^ (n >> 12)).wrapping_mul(0x297a_2d39);
    ((n ^ (n >> 15)) & 1023) as i32
}

/// Smooth chance along a line: cubic between places that are `step` apart, 0 to 1023.
fn wave(x: i32, step: i32, seed: i32) -> i32 {
    let (at, part) = (x.div_euclid(step), x.rem_euclid(step) * 1024 / step);
    let smooth = part * part / 1024 * (3 * 1024 - 2 * part) / 1024;
    let (a, b) = (chance(at, seed), chance(at + 1, seed));
    a + (b - a) * smooth / 1024
}

/// How far down a ridge of hills begins.
fn ridge(x: i32, base: i32, height: i32, seed: i32) -> i32 {
    let sum =
        8 * wave(x, 150, seed) + 4 * wave(x, 61, seed + 1) + 2 * wave(x, 23, seed + 2) + wave(x, 7, seed + 3);
    base - sum * height / (15 * 1023)
}

fn sky(x: i32, y: i32) -> Rgb {
    let high = mix([38, 34, 92], [206, 84, 104], y * 1024 / 190);
    let mut color = mix(high, [255, 190, 110], (y - 120) * 1024 / 180);
    // Thin clouds, longer than high.
    let cloud = (wave(x + 3 * y, 90, 40 + y / 9) + wave(x, 37, 90 + y / 5)) / 2 - 560;
    color = mix(
        color,
        [255, 214, 190],
        cloud.max(0) * (HORIZON - y).clamp(0, 200) / 160,
    );
    let (dx, dy) = (x - SUN.0, y - SUN.1);
    let far = (dx * dx + dy * dy).isqrt();
    if far <= SUN.2 {
        return mix([255, 246, 206], [255, 222, 140], far * 1024 / SUN.2);
    }
    mix(color, [255, 226, 150], 1024 * 34 / (far - SUN.2 + 40) - 130)
}

fn land(x: i32, y: i32) -> Rgb {
    // From far to near: where it begins, how high it is, its colour above and below.
    let ridges: [(i32, i32, Rgb, Rgb); 3] = [
        (288, 120, [142, 92, 134], [224, 138, 122]),
        (300, 78, [92, 62, 108], [166, 96, 108]),
        (306, 44, [52, 44, 76], [96, 66, 88]),
    ];
    let mut color = sky(x, y);
    for (seed, (base, height, above, below)) in (1..).zip(ridges) {
        let top = ridge(x, base, height, 100 * seed);
        if y >= top {
            color = mix(above, below, (y - top) * 1024 / (height + 20));
        }
    }
    color
}

fn pixel(x: i32, y: i32) -> Rgb {
    let shore = 452 - wave(x, 130, 7) * 42 / 1023 - wave(x, 19, 8) * 6 / 1023;
    if y >= shore {
        // Grass before the water, blade by blade.
        let blade = chance(x, 1) * 14 / 1023 + wave(x, 5, 9) * 10 / 1023;
        let dark = mix([20, 30, 38], [44, 62, 50], (y - shore + blade) * 20);
        return mix(dark, [92, 96, 60], (chance(x, y) - 700).max(0));
    }
    if y < HORIZON {
        let color = land(x, y);
        // A little grain, as film has.
        return color.map(|sample| sample + chance(x, y) % 5 - 2);
    }
    // The water shows what is above it, in ripples that grow towards us.
    let deep = y - HORIZON;
    let ripple = (wave(x * 3 + y * 11, 40, 500 + y / 2) - 512) * (deep + 6) / 1400;
    let seen = land(
        (x + ripple).clamp(0, SIZE.0 - 1),
        (HORIZON - 1 - deep - ripple / 3).clamp(0, HORIZON - 1),
    );
    let color = mix(seen, [40, 46, 92], 260 + deep * 3);
    let glint = (wave(x * 2, 31, 800 + y) - 740).max(0) * (120 - (x - SUN.0).abs()).max(0) / 60;
    mix(color, [255, 220, 160], glint)
}

fn join(columns: usize, files: &[&str]) -> Result<Raster, Box<dyn Error>> {
    let mut pictures = Vec::new();
    for file in files {
        pictures.push(codec::shown(
            &codec::decode(&std::fs::read(file)?, &Limits::default())?.raster,
        )?);
    }
    let (width, height) = (pictures[0].width as usize, pictures[0].height as usize);
    let columns = columns.clamp(1, pictures.len());
    let rows = pictures.len().div_ceil(columns);
    let size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP);
    let mut all = vec![255; size.0 * size.1 * 3];
    for (place, picture) in pictures.iter().enumerate() {
        let Samples::U8(samples) = &picture.samples else {
            continue;
        };
        if (picture.width as usize, picture.height as usize) != (width, height) {
            return Err(format!("{} has another size", files[place]).into());
        }
        let (left, top) = (place % columns * (width + GAP), place / columns * (height + GAP));
        for (y, row) in samples.chunks_exact(width * 3).enumerate() {
            let at = ((top + y) * size.0 + left) * 3;
            all[at..at + width * 3].copy_from_slice(row);
        }
    }
    Ok(Raster::new(
        size.0 as u32,
        size.1 as u32,
        Channels::Rgb,
        Samples::U8(all),
    )?)
}
