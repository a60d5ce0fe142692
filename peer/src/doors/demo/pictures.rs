//! Pictures for the demo, painted in code: a sky, a sun, ridges of hills, water. The same bytes on every machine, since
//! only additions, multiplications and divisions are used.

use std::path::Path;

use codec::{Media, Metadata};
use filters::{Channels, Raster, Samples};

use crate::api::{Code, Failure};

/// Size of a painted picture, in pixels.
const SIZE: (u32, u32) = (640, 480);
/// Ridges between the sky and the foreground.
const RIDGES: usize = 4;

type Rgb = [f32; 3];

/// What a picture shows.
struct Scene {
    name: &'static str,
    /// Sky at the top, sky at the horizon, the farthest ridge, the nearest.
    colors: [Rgb; 4],
    /// Sun or moon: place (0–1 of each side), radius in pixels, colour.
    sun: ([f32; 2], f32, Rgb),
    /// Where water begins, 0–1 from the top; 1: none.
    water: f32,
    stars: bool,
}

const fn rgb(hex: u32) -> Rgb {
    [
        (hex >> 16 & 255) as f32,
        (hex >> 8 & 255) as f32,
        (hex & 255) as f32,
    ]
}

const SCENES: [Scene; 8] = [
    scene(
        "sunset.jpg",
        [0x2b1a55, 0xff9a56, 0x8a3f5f, 0x1c0f2b],
        [0.62, 0.47],
        34.0,
        0xfff0b8,
        0.72,
    ),
    scene(
        "morning.jpg",
        [0x6fb1e8, 0xffe3c4, 0xa6b9c9, 0x3e5b53],
        [0.25, 0.38],
        26.0,
        0xfffbe8,
        1.0,
    ),
    scene(
        "fjord.jpg",
        [0x3f79b5, 0xd6ebf5, 0x7f9fb8, 0x22394a],
        [0.80, 0.20],
        20.0,
        0xffffff,
        0.64,
    ),
    scene(
        "dunes.jpg",
        [0x5d9bd0, 0xfbe2b0, 0xe0a860, 0xa8642d],
        [0.40, 0.22],
        24.0,
        0xfff6d0,
        1.0,
    ),
    scene(
        "forest.jpg",
        [0x9fc3d6, 0xeef3e2, 0x86a58b, 0x15301f],
        [0.50, 0.30],
        18.0,
        0xfdfdf0,
        1.0,
    ),
    night(
        "night.jpg",
        [0x050a1e, 0x24305c, 0x1a2347, 0x04060f],
        [0.74, 0.20],
        22.0,
        0xf2f2e4,
        0.78,
    ),
    scene(
        "lavender.jpg",
        [0x7c8fd8, 0xf9d5e5, 0x9a7fb8, 0x41265e],
        [0.18, 0.44],
        28.0,
        0xfff1e0,
        1.0,
    ),
    scene(
        "glacier.jpg",
        [0x8ec9f0, 0xf4fbff, 0xbcd8e8, 0x5d8aa8],
        [0.66, 0.16],
        16.0,
        0xffffff,
        0.80,
    ),
];

const fn scene(
    name: &'static str,
    colors: [u32; 4],
    at: [f32; 2],
    radius: f32,
    sun: u32,
    water: f32,
) -> Scene {
    Scene {
        name,
        colors: [rgb(colors[0]), rgb(colors[1]), rgb(colors[2]), rgb(colors[3])],
        sun: (at, radius, rgb(sun)),
        water,
        stars: false,
    }
}

const fn night(
    name: &'static str,
    colors: [u32; 4],
    at: [f32; 2],
    radius: f32,
    sun: u32,
    water: f32,
) -> Scene {
    let mut scene = scene(name, colors, at, radius, sun, water);
    scene.stars = true;
    scene
}

/// Paints the eight pictures into a folder.
///
/// # Errors
/// A folder that cannot be written.
pub fn paint_all(dir: &Path) -> Result<(), Failure> {
    for (seed, scene) in (0..).zip(&SCENES) {
        write(&dir.join(scene.name), &jpeg(&paint(scene, seed))?)?;
    }
    Ok(())
}

/// Paints one more, unlike all others of another `seed`.
///
/// # Errors
/// As [`paint_all`].
pub fn paint_one(path: &Path, seed: u32) -> Result<(), Failure> {
    let scene = &SCENES[seed as usize % SCENES.len()];
    write(path, &jpeg(&paint(scene, 1_000 + seed))?)
}

/// A large one, uncompressed, whose bytes take a while to travel.
///
/// # Errors
/// As [`paint_all`].
pub fn panorama(path: &Path) -> Result<(), Failure> {
    let small = paint(&SCENES[2], 7);
    let (width, height) = (small.width * 4, small.height * 4);
    let Samples::U8(from) = &small.samples else {
        return Ok(());
    };
    let data = width * height * 3;
    let mut bytes = Vec::with_capacity(54 + data as usize);
    // BITMAPFILEHEADER and BITMAPINFOHEADER: 24 bits, rows from the bottom, each a multiple of four bytes here.
    bytes.extend(b"BM");
    for word in [
        54 + data,
        0,
        54,
        40,
        width,
        height,
        1 | 24 << 16,
        0,
        data,
        2835,
        2835,
        0,
        0,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    for y in (0..height).rev() {
        for x in 0..width {
            let at = ((y / 4 * small.width + x / 4) * 3) as usize;
            // A grain of its own for every pixel, so that no two chunks are alike.
            let grain = (hash(x, y, 99) & 7) as u8;
            bytes.extend([from[at + 2], from[at + 1], from[at]].map(|c| c.saturating_add(grain)));
        }
    }
    write(path, &bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|e| {
        let why = format!("cannot write {}: {e}", path.display());
        Failure::new(
            Code::DiskFull,
            why,
            "free some space, or set TMPDIR to a folder with room",
        )
    })
}

fn jpeg(raster: &Raster) -> Result<Vec<u8>, Failure> {
    codec::encode_version(raster, Media::Jpeg, &Metadata::default())
        .map(|encoded| encoded.bytes)
        .map_err(|e| Failure::new(Code::Internal, format!("painting: {e}"), "please report this"))
}

fn paint(scene: &Scene, seed: u32) -> Raster {
    let (width, height) = SIZE;
    let waterline = (scene.water * height as f32) as u32;
    let ridges: Vec<Vec<f32>> = (0..RIDGES).map(|i| ridge(scene, seed, i)).collect();
    let mut samples = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        // Water mirrors what is above it, in ripples.
        let (from, shade) = match y.checked_sub(waterline) {
            None => (y, 1.0),
            Some(depth) => {
                let ripple = noise(y as f32 / 3.0, seed + 77) * 5.0;
                let up = (waterline as f32 - depth as f32 * 1.6 - ripple).max(0.0);
                (up as u32, 0.78)
            }
        };
        for x in 0..width {
            let color = land(scene, seed, &ridges, x, from);
            samples
                .extend(color.map(|c| (c * shade + (hash(x, y, seed) & 3) as f32).clamp(0.0, 255.0) as u8));
        }
    }
    Raster {
        width,
        height,
        channels: Channels::Rgb,
        samples: Samples::U8(samples),
    }
}

/// Height of a ridge at each column, in pixels from the top.
fn ridge(scene: &Scene, seed: u32, index: usize) -> Vec<f32> {
    let (width, height) = SIZE;
    let near = index as f32 / (RIDGES - 1) as f32;
    let base = (0.48 + 0.34 * near) * height as f32 * scene.water.clamp(0.8, 1.0);
    let own = seed * 13 + index as u32;
    let at = |x: u32| {
        let x = x as f32;
        let hills = noise(x / (150.0 - 60.0 * near), own) * 90.0;
        let rocks = noise(x / 31.0, own + 400) * 26.0 + noise(x / 7.0, own + 800) * 7.0;
        base - hills - rocks
    };
    (0..width).map(at).collect()
}

/// The colour at a place where there is no water.
fn land(scene: &Scene, seed: u32, ridges: &[Vec<f32>], x: u32, y: u32) -> Rgb {
    let (fx, fy) = (x as f32, y as f32);
    let [top, low, far, near] = scene.colors;
    for (index, heights) in ridges.iter().enumerate().rev() {
        let edge = heights[x as usize];
        if fy > edge {
            let depth = index as f32 / (RIDGES - 1) as f32;
            // Lighter towards its foot, as haze makes it.
            let haze = ((fy - edge) / 260.0).min(0.35);
            return mix(mix(far, near, depth), low, haze * (1.0 - depth));
        }
    }
    let mut sky = mix(top, low, (fy / (SIZE.1 as f32 * 0.6)).min(1.0));
    if scene.stars && hash(x, y, seed).is_multiple_of(900) {
        sky = mix(sky, [255.0; 3], 0.85 - fy / 600.0);
    }
    let ([sun_x, sun_y], radius, color) = scene.sun;
    let (dx, dy) = (fx - sun_x * SIZE.0 as f32, fy - sun_y * SIZE.1 as f32);
    let near_sun = radius * radius / (dx * dx + dy * dy).max(1.0);
    mix(sky, color, if near_sun >= 1.0 { 1.0 } else { near_sun * 0.8 })
}

fn mix(a: Rgb, b: Rgb, part: f32) -> Rgb {
    let part = part.clamp(0.0, 1.0);
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * part)
}

/// Smooth noise along a line, 0 to 1.
fn noise(x: f32, seed: u32) -> f32 {
    let cell = x as u32;
    let part = x - cell as f32;
    let smooth = part * part * (3.0 - 2.0 * part);
    let at = |cell: u32| (hash(cell, 0, seed) & 0xffff) as f32 / 65_535.0;
    at(cell) + (at(cell + 1) - at(cell)) * smooth
}

/// Well mixed bits of a place (the finalizer of MurmurHash3).
fn hash(x: u32, y: u32, seed: u32) -> u32 {
    let mut h = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ seed.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_images_all_different_and_always_the_same() {
        let dir = tempfile::tempdir().unwrap();
        paint_all(dir.path()).unwrap();
        paint_one(&dir.path().join("more.jpg"), 3).unwrap();
        let mut hashes = std::collections::BTreeSet::new();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let probe = codec::probe(&bytes, &codec::Limits::default()).unwrap();
            assert_eq!((probe.media, probe.width, probe.height), (Media::Jpeg, 640, 480));
            hashes.insert(*blake3::hash(&bytes).as_bytes());
        }
        assert_eq!(hashes.len(), SCENES.len() + 1);
        let again = tempfile::tempdir().unwrap();
        paint_all(again.path()).unwrap();
        for scene in &SCENES {
            let read = |dir: &Path| std::fs::read(dir.join(scene.name)).unwrap();
            assert_eq!(read(dir.path()), read(again.path()));
        }
    }

    #[test]
    fn the_panorama_is_large_and_an_image() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("panorama.bmp");
        panorama(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() > 10_000_000);
        let decoded = codec::decode(&bytes, &codec::Limits::default()).unwrap();
        assert_eq!((decoded.raster.width, decoded.raster.height), (2560, 1920));
        assert!(decoded.damaged.is_none());
    }
}
