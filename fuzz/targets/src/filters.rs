//! Every filter on any picture: of one pixel, of one row or column, of odd sides, in all channels and depths, with any samples.
//!
//! The first three bytes are width, height and kind; then a recipe up to the end of the line; then samples, over and over.

use std::ops::ControlFlow;

use ::filters::{Channels, FilterError, Raster, Recipe, Samples, Step, catalog};

use crate::{Seed, seed};

/// Longest side of a picture here, before and after.
const SIDE_MAX: u32 = 64;
/// Most steps that are computed: the time of one input is that of all of them, twice.
const STEPS_MAX: usize = 4;

pub fn run(data: &[u8]) {
    let Some((source, recipe)) = input(data) else {
        return;
    };
    let whole = match apply(&recipe, &source) {
        Ok(made) => made,
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control));
            return;
        }
    };
    // A chain streams bands through all its steps; one step after the other gives the same picture.
    let mut made = source.clone();
    for step in recipe.steps() {
        let alone: Recipe = step.to_string().parse().expect("a step is a recipe");
        made = apply(&alone, &made).expect("it went well in the chain");
        check(&made, &source);
    }
    assert!(
        made == whole,
        "{recipe} differs from its steps on {:?}",
        source.shape()
    );
}

fn apply(recipe: &Recipe, source: &Raster) -> Result<Raster, FilterError> {
    recipe.apply(source, &mut |_| ControlFlow::Continue(()))
}

fn check(made: &Raster, source: &Raster) {
    let samples = made.width as usize * made.height as usize * made.channels.count();
    assert!(samples > 0 && made.samples.len() == samples);
    assert_eq!(made.samples.bits(), source.samples.bits());
    assert!(
        made.channels.has_alpha() || !source.channels.has_alpha(),
        "alpha was dropped"
    );
}

fn input(data: &[u8]) -> Option<(Raster, Recipe)> {
    let (&[width, height, kind], rest) = data.split_first_chunk()?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let recipe: Recipe = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let side = |byte: u8| 1 + u32::from(byte) % SIDE_MAX;
    let (width, height) = (side(width), side(height));
    let channels =
        [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba][usize::from(kind & 3)];
    let deep = kind & 4 != 0;
    let small = |step: &Step| match step {
        Step::Resize(fit) => fit.width.max(fit.height) <= SIDE_MAX,
        // A histogram of 16-bit samples is 256 KiB, one for each tile.
        Step::Clahe { tiles, .. } => !deep || *tiles <= 4,
        _ => true,
    };
    // Any other angle than a right one makes the picture larger.
    let tilts = |step: &&Step| matches!(step, Step::RotateBy(_));
    let steps = recipe.steps();
    if steps.len() > STEPS_MAX || !steps.iter().all(small) || steps.iter().filter(tilts).count() > 1 {
        return None;
    }
    let values = &rest[end + 1..];
    let value = |i: usize| values.get(i % values.len().max(1)).copied().unwrap_or(i as u8);
    let len = width as usize * height as usize * channels.count();
    let samples = if deep {
        let wide = |i: usize| u16::from_be_bytes([value(2 * i), value(2 * i + 1)]);
        Samples::U16((0..len).map(wide).collect())
    } else {
        Samples::U8((0..len).map(value).collect())
    };
    let source = Raster::new(width, height, channels, samples).expect("sizes that fit");
    Some((source, recipe))
}

/// Each filter on a picture of its own shape, so that all shapes and kinds come about.
pub fn seeds() -> Vec<Seed> {
    let shapes = [(0, 0), (0, 20), (20, 0), (16, 12), (6, 30), (62, 2), (1, 1)];
    let of = |width: u8, height: u8, kind: u8, recipe: &str, samples: &[u8]| {
        let mut bytes = vec![width, height, kind];
        bytes.extend(recipe.as_bytes());
        bytes.push(b'\n');
        bytes.extend(samples);
        bytes
    };
    let examples = catalog().iter().zip(0_u8..).map(|(info, n)| {
        let (width, height) = shapes[usize::from(n) % shapes.len()];
        let example = match info.name {
            "resize" => "resize:33",
            "crop" => "crop:1,1,3,2",
            "transfer" => "transfer:60,-2,5,20,3,5",
            _ => info.example,
        };
        seed(
            info.name,
            of(width, height, n % 8, example, &[n, 255, 0, 3, 128, 77, 254]),
        )
    });
    let mut seeds: Vec<Seed> = examples.collect();
    let chains = [
        (
            "chain-turned",
            of(9, 5, 3, "rotate:90+blur:3+flip:h+resize:17", b"calotype"),
        ),
        (
            "chain-deep",
            of(
                30,
                1,
                7,
                "levels:3,250,0.5+sharpen:10,20+median:3",
                &[1, 0, 0, 255, 9],
            ),
        ),
        ("chain-wide", of(0, 63, 4, "box:500+sharpen:1+pixelate:7", &[7])),
        (
            "chain-clear",
            of(12, 12, 1, "invert+rotate:33.3+vignette:100", &[0, 200, 255]),
        ),
    ];
    seeds.extend(chains.map(|(name, bytes)| seed(name, bytes)));
    seeds
}

pub fn large() -> Vec<Vec<u8>> {
    let of = |recipe: &str, kind: u8| [&[63, 63, kind][..], recipe.as_bytes(), b"\n\x01\xff\x80"].concat();
    vec![
        of("blur:250+sharpen:10,250+box:500+pencil:250", 7),
        of("median:50+oil:20,64+kuwahara:20+cartoon:20", 3),
        of("clahe:40,4", 7),
        [&of("invert", 3)[..], &vec![9; 1 << 20]].concat(),
    ]
}
