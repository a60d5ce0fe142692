//! `equalize` and `clahe` beside what OpenCV 5.0 makes of the same picture (`tests/opencv/*.raw`: the samples,
//! 16-bit ones little-endian).
//!
//! The files were made in Python by `cv2.equalizeHist(gray)` and `cv2.createCLAHE(clip, (tiles, tiles)).apply(gray)`;
//! those of colour pictures by the same on plane 0 of `COLOR_RGB2YCrCb` and `COLOR_YCrCb2RGB`.

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use filters::{Channels, Raster, Recipe, Samples};

/// Red, green and blue of each pixel: ramps with noise.
fn picture(width: u32, height: u32) -> Vec<[u32; 3]> {
    let pixel = |x: u32, y: u32| {
        let noise = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 28;
        [
            40 + x * 2 + noise,
            30 + y * 3 + noise * 2,
            90 + x * y / 9 % 100 - noise,
        ]
    };
    (0..height)
        .flat_map(|y| (0..width).map(move |x| pixel(x, y)))
        .collect()
}

fn gray(width: u32, height: u32) -> Raster {
    let samples = picture(width, height).iter().map(|p| p[2] as u8).collect();
    Raster::new(width, height, Channels::Gray, Samples::U8(samples)).unwrap()
}

fn rgb(width: u32, height: u32) -> Raster {
    let samples = picture(width, height)
        .iter()
        .flatten()
        .map(|s| *s as u8)
        .collect();
    Raster::new(width, height, Channels::Rgb, Samples::U8(samples)).unwrap()
}

fn deep(width: u32, height: u32) -> Raster {
    let sample = |p: &[u32; 3]| (p[2] * 257 - p[2] % 7) as u16;
    let samples = picture(width, height).iter().map(sample).collect();
    Raster::new(width, height, Channels::Gray, Samples::U16(samples)).unwrap()
}

/// How many samples differ from OpenCV's, and the most they do.
fn apart(recipe: &str, source: &Raster, opencvs: &[u8]) -> (usize, u32) {
    let recipe: Recipe = recipe.parse().unwrap();
    let made = recipe.apply(source, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_ne!(made, *source, "it does something");
    let pairs: Vec<(u32, u32)> = match made.samples {
        Samples::U8(samples) => {
            assert_eq!(samples.len(), opencvs.len());
            samples
                .iter()
                .zip(opencvs)
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect()
        }
        Samples::U16(samples) => {
            assert_eq!(samples.len() * 2, opencvs.len());
            let words = opencvs
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            samples
                .iter()
                .zip(words)
                .map(|(a, b)| ((*a).into(), b.into()))
                .collect()
        }
    };
    let apart = pairs.iter().map(|(a, b)| a.abs_diff(*b)).filter(|by| *by > 0);
    (apart.clone().count(), apart.max().unwrap_or(0))
}

#[test]
fn equalize_is_opencvs_bit_for_bit() {
    assert_eq!(
        apart(
            "equalize",
            &gray(43, 30),
            include_bytes!("opencv/equalize-gray.raw")
        ),
        (0, 0)
    );
    assert_eq!(
        apart(
            "equalize",
            &rgb(43, 30),
            include_bytes!("opencv/equalize-rgb.raw")
        ),
        (0, 0)
    );
}

#[test]
fn clahe_is_opencvs_where_its_floats_are_exact() {
    // Tiles of 8 x 4 pixels.
    assert_eq!(
        apart(
            "clahe:3,4",
            &gray(32, 16),
            include_bytes!("opencv/clahe-even.raw")
        ),
        (0, 0)
    );
}

#[test]
fn clahe_is_within_one_of_opencvs_elsewhere() {
    // 43 and 30 cannot be divided by 8: the picture is mirrored at its edges.
    let (count, most) = apart("clahe", &gray(43, 30), include_bytes!("opencv/clahe-gray.raw"));
    assert!(count < 40 && most <= 1, "{count} of 1290 by {most}");
    let (count, most) = apart("clahe", &rgb(43, 30), include_bytes!("opencv/clahe-rgb.raw"));
    assert!(count < 120 && most <= 1, "{count} of 3870 by {most}");
    let (count, most) = apart(
        "clahe:4,3",
        &deep(43, 30),
        include_bytes!("opencv/clahe-deep.raw"),
    );
    assert!(count < 129 && most <= 1, "{count} of 1290 by {most}");
}
