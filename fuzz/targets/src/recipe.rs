//! Recipes: text to steps to their canonical text, and run on a small picture.

use std::ops::ControlFlow;

use filters::limits::{RECIPE_BYTES_MAX, STEPS_MAX};
use filters::{Channels, Draft, Palette, Raster, Recipe, Samples, Step, catalog};

use crate::{Seed, seed};

/// Longest side that is computed here.
const SIDE_MAX: u32 = 64;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // Pictures that are named all have these colours.
    let palette = Palette {
        mean: [60_500, -2000, 31_153],
        deviation: [20_125, 3_001, 0],
    };
    let draft = text.parse::<Draft>();
    let named = draft.as_ref().map_or(0, |draft| draft.styles().count());
    let recipe = match draft.and_then(|draft| draft.finish(|_| Ok(palette))) {
        Ok(recipe) => recipe,
        Err(error) => {
            assert!(
                !error.to_string().contains(char::is_control) && !error.hint().contains(char::is_control)
            );
            return;
        }
    };
    assert!(text.len() <= RECIPE_BYTES_MAX && recipe.steps().len() <= STEPS_MAX);
    let canonical = recipe.to_string();
    assert!(
        named > 0 || canonical.len() <= text.len(),
        "longer than it was written"
    );
    let again: Recipe = canonical.parse().expect("its own text is read");
    assert_eq!(
        (&again, again.to_string()),
        (&recipe, canonical),
        "not a fixed point"
    );
    apply(&recipe);
}

fn apply(recipe: &Recipe) {
    let small = |step: &Step| match step {
        Step::Resize(fit) => fit.width.max(fit.height) <= SIDE_MAX,
        Step::Blur { sigma } | Step::Sharpen { sigma, .. } | Step::Pencil { sigma } => *sigma <= 5_000,
        _ => true,
    };
    // Any other angle than a right one makes the picture larger: at most twice as wide, which is enough once.
    let tilts = |step: &&Step| matches!(step, Step::RotateBy(_));
    if !recipe.steps().iter().all(small) || recipe.steps().iter().filter(tilts).count() > 1 {
        return;
    }
    let samples = (0..7 * 5 * 4).map(|n: u32| (n * 37 % 256) as u8).collect();
    let source = Raster::new(7, 5, Channels::Rgba, Samples::U8(samples)).unwrap();
    let run = || recipe.apply(&source, &mut |_| ControlFlow::Continue(()));
    match run() {
        Ok(made) => {
            let pixels = made.width as usize * made.height as usize;
            assert!(pixels > 0 && made.width.max(made.height) <= 2 * SIDE_MAX);
            assert_eq!(made.samples.len(), pixels * made.channels.count());
            assert_eq!(run().unwrap().pixel_hash(), made.pixel_hash());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = catalog()
        .iter()
        .map(|info| seed(info.name, info.example))
        .collect();
    seeds.push(seed(
        "chain",
        "grayscale+sepia+invert+brightness:20+contrast:15+blur:2+sharpen:0.5,2+edges+rotate:90+crop:10,10,300,200+resize:1024",
    ));
    seeds.push(seed("palette", "transfer:60.5,-2,31.153,20,3,0+transfer:a.jpg"));
    seeds.push(seed(
        "untidy",
        " GrayScale + blur: 2.50 +crop:01,2,3,1+resize: 40 X 30",
    ));
    seeds.push(seed(
        "defaults",
        "sharpen:1.0,1.000+sharpen:0.5,1+brightness:-0+rotate:270",
    ));
    seeds.push(seed(
        "edges-of-ranges",
        "brightness:-255+contrast:100+blur:0.1+sharpen:10,50+resize:1000000",
    ));
    seeds
}

pub fn large() -> Vec<Vec<u8>> {
    vec![
        "sepia+".repeat(1 << 17).into_bytes(),
        vec![b'1'; 1 << 20],
        vec![b','; 250],
    ]
}
