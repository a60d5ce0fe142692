//! Laws that hold of every filter on any picture, and the freedom from panics on any text.

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use filters::{Channels, Draft, FilterError, Palette, Progress, Raster, Recipe, RecipeError, Samples};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn apply(recipe: &str, raster: &Raster) -> Result<Raster, FilterError> {
    let recipe: Recipe = recipe.parse().expect("the test's recipe is one");
    recipe.apply(raster, &mut |_| ControlFlow::Continue(()))
}

fn done(recipe: &str, raster: &Raster) -> Raster {
    apply(recipe, raster).expect(recipe)
}

fn rasters() -> impl Strategy<Value = Raster> {
    let channels = [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba];
    let sizes = prop_oneof![
        Just((1, 1)),
        (Just(1), 1..40_u32),
        (1..40_u32, Just(1)),
        (1..18_u32, 1..18_u32)
    ];
    (sizes, prop::sample::select(channels.to_vec()), any::<bool>()).prop_flat_map(
        |((width, height), channels, deep)| {
            let len = (width * height) as usize * channels.count();
            let samples = if deep {
                prop::collection::vec(any::<u16>(), len)
                    .prop_map(Samples::U16)
                    .boxed()
            } else {
                prop::collection::vec(any::<u8>(), len)
                    .prop_map(Samples::U8)
                    .boxed()
            };
            samples.prop_map(move |samples| Raster {
                width,
                height,
                channels,
                samples,
            })
        },
    )
}

fn decimals(max: u32) -> impl Strategy<Value = String> {
    (100..=max).prop_map(|n| format!("{}.{:03}", n / 1000, n % 1000))
}

/// Any step, with parameters all over their ranges.
fn steps() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "grayscale",
            "sepia",
            "invert",
            "edges",
            "sharpen",
            "rotate:90",
            "rotate:180",
            "rotate:270",
            "crop:0,0,1,1",
            "flip:h",
            "flip:v",
            "equalize",
            "clahe:5,2"
        ])
        .prop_map(str::to_owned),
        (-255..=255_i32).prop_map(|n| format!("brightness:{n}")),
        (-100..=100_i32).prop_map(|n| format!("contrast:{n}")),
        decimals(10_000).prop_map(|gamma| format!("gamma:{gamma}")),
        (0..255_u32, 1..=255_u32, decimals(10_000))
            .prop_map(|(black, more, gamma)| format!("levels:{black},{},{gamma}", (black + more).min(255))),
        (2..=64_u32).prop_map(|n| format!("posterize:{n}")),
        (0..=10_000_u32).prop_map(|n| format!("autolevels:{}.{:03}", n / 1000, n % 1000)),
        (0..=255_u32).prop_map(|t| format!("threshold:{t}")),
        (0..=100_u32).prop_map(|amount| format!("vignette:{amount}")),
        (0..=100_u32, -49..=49_i32, -50..=50_i32, 0..=50_u32).prop_map(|(l, a, b, spread)| format!(
            "transfer:{l},{a}.25,{b},{spread},{},{spread}",
            50 - spread
        )),
        (2..30_u32).prop_map(|n| format!("pixelate:{n}")),
        decimals(250_000).prop_map(|sigma| format!("blur:{sigma}")),
        (decimals(10_000), decimals(250_000)).prop_map(|(amount, sigma)| format!("sharpen:{amount},{sigma}")),
        (1..=500_u32).prop_map(|radius| format!("box:{radius}")),
        (1..=50_u32).prop_map(|radius| format!("median:{radius}")),
        (1..=20_u32, 2..=64_u32).prop_map(|(radius, levels)| format!("oil:{radius},{levels}")),
        (1..=20_u32).prop_map(|radius| format!("kuwahara:{radius}")),
        (-360_000..=360_000_i32).prop_map(|n| {
            let sign = if n < 0 { "-" } else { "" };
            format!("rotate:{sign}{}.{:03}", n.abs() / 1000, n.abs() % 1000)
        }),
        (1..=20_u32).prop_map(|radius| format!("cartoon:{radius}")),
        decimals(250_000).prop_map(|sigma| format!("pencil:{sigma}")),
        (1..60_u32).prop_map(|side| format!("resize:{side}")),
        (1..60_u32, 1..60_u32).prop_map(|(w, h)| format!("resize:{w}x{h}")),
    ]
}

fn config() -> ProptestConfig {
    let persistence = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        cases: 400,
        failure_persistence: Some(Box::new(persistence)),
        ..ProptestConfig::default()
    }
}

proptest! {
    // All filters on each picture, or threads started for each, so fewer pictures do.
    #![proptest_config(ProptestConfig { cases: 60, ..config() })]

    #[test]
    fn every_filter_of_the_catalog_takes_any_picture(raster in rasters()) {
        for info in filters::catalog() {
            let draft: Draft = info.example.parse().unwrap();
            let recipe = draft.finish(|_| Palette::of(&raster).map_err(|_| RecipeError::Empty)).unwrap();
            let mut last = None;
            let found = recipe.apply(&raster, &mut |progress| {
                last = Some(progress);
                ControlFlow::Continue(())
            });
            match found {
                Ok(made) => {
                    prop_assert_eq!(made.samples.bits(), raster.samples.bits(), "{}", info.name);
                    prop_assert_eq!(made.channels.has_alpha(), raster.channels.has_alpha(), "{}", info.name);
                    let len = made.width as usize * made.height as usize * made.channels.count();
                    prop_assert_eq!(made.samples.len(), len, "{}", info.name);
                    prop_assert!(last.is_some_and(|it| it.done == it.total), "{}", info.name);
                }
                Err(error) => prop_assert!(
                    matches!(error, FilterError::CropOutside { .. }),
                    "{}: {error}",
                    info.name
                ),
            }
        }
    }

    #[test]
    fn neither_bands_nor_threads_show(
        raster in rasters(),
        steps in prop::collection::vec(steps(), 1..4),
        rows in 0..20_u32,
        threads in 1..4_usize,
    ) {
        let recipe: Recipe = steps.join("+").parse().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut last = None;
        // Bands of 1, 3, 5 rows, on to what is higher than the picture.
        let banded = pool.install(|| recipe.apply_in_bands(&raster, 2 * rows + 1, &mut |progress| {
            last = Some(progress);
            ControlFlow::Continue(())
        }));
        prop_assert_eq!(banded.unwrap().pixel_hash(), done(&steps.join("+"), &raster).pixel_hash());
        prop_assert!(last.is_some_and(|it| it.done == it.total), "{:?}", last);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_chain_ends_in_a_picture_of_its_depth(
        raster in rasters(),
        steps in prop::collection::vec(steps(), 1..4),
    ) {
        let result = done(&steps.join("+"), &raster);
        prop_assert_eq!(result.samples.bits(), raster.samples.bits());
        prop_assert_eq!(result.channels.has_alpha(), raster.channels.has_alpha());
        let len = result.width as usize * result.height as usize * result.channels.count();
        prop_assert_eq!(result.samples.len(), len);
        prop_assert!(result.width > 0 && result.height > 0);
        let stepwise = steps.iter().fold(raster, |raster, step| done(step, &raster));
        prop_assert_eq!(result, stepwise, "a chain is its steps, one after the other");
    }

    #[test]
    fn what_must_undo_itself_does(raster in rasters()) {
        prop_assert_eq!(&done("invert+invert", &raster), &raster);
        prop_assert_eq!(&done("rotate:90+rotate:90+rotate:90+rotate:90", &raster), &raster);
        prop_assert_eq!(&done("rotate:90+rotate:270", &raster), &raster);
        prop_assert_eq!(&done("flip:h+flip:h", &raster), &raster);
        prop_assert_eq!(done("flip:h+flip:v", &raster), done("rotate:180", &raster));
        prop_assert_eq!(done("flip:h+rotate:90", &raster), done("rotate:270+flip:h", &raster));
        prop_assert_eq!(&done("rotate:180+rotate:180", &raster), &raster);
        prop_assert_eq!(done("rotate:90+rotate:90", &raster), done("rotate:180", &raster));
    }

    #[test]
    fn what_must_change_nothing_does_not(raster in rasters()) {
        let whole = format!("crop:0,0,{},{}", raster.width, raster.height);
        let same = format!("resize:{}x{}", raster.width, raster.height);
        for recipe in ["brightness:0", "rotate:0", "contrast:0", "gamma:1", "levels:0,255", "vignette:0", "sharpen:0", &whole, &same] {
            prop_assert_eq!(&done(recipe, &raster), &raster, "{}", recipe);
        }
        for idempotent in ["posterize:5", "threshold:90", "pixelate:3"] {
            let once = done(idempotent, &raster);
            prop_assert_eq!(&done(idempotent, &once), &once, "{}", idempotent);
        }
        let gray = done("grayscale", &raster);
        prop_assert_eq!(&done("grayscale", &gray), &gray);
    }

    #[test]
    fn color_filters_leave_alpha_alone(raster in rasters()) {
        fn alpha(raster: &Raster) -> Vec<u16> {
            let count = raster.channels.count();
            let last = |i: &usize| i % count == count - 1;
            match &raster.samples {
                Samples::U8(s) => (0..s.len()).filter(last).map(|i| u16::from(s[i])).collect(),
                Samples::U16(s) => (0..s.len()).filter(last).map(|i| s[i]).collect(),
            }
        }
        if raster.channels.has_alpha() {
            for step in ["grayscale", "sepia", "invert", "brightness:50", "contrast:50", "gamma:3", "levels:9,99",
                "posterize:3", "threshold:90", "vignette:80", "equalize", "autolevels:3", "clahe:2,2", "sharpen:5", "edges", "oil:3",
                "cartoon", "pencil"] {
                prop_assert_eq!(alpha(&done(step, &raster)), alpha(&raster), "{}", step);
            }
        }
    }

    #[test]
    fn what_cannot_be_seen_changes_nothing_that_can(raster in rasters(), other in any::<u8>()) {
        prop_assume!(raster.channels.has_alpha());
        let count = raster.channels.count();
        // Every third pixel is hidden, with its own colour or with another one.
        let hidden = |color: Option<u8>| {
            let mut raster = raster.clone();
            match &mut raster.samples {
                Samples::U8(s) => s.chunks_exact_mut(count).step_by(3).for_each(|p| hide(p, color)),
                Samples::U16(s) => s.chunks_exact_mut(count).step_by(3).for_each(|p| hide(p, color.map(u16::from))),
            }
            raster
        };
        let visible = |raster: Raster| match raster.samples {
            Samples::U8(s) => seen(&s, count),
            Samples::U16(s) => seen(&s, count),
        };
        for step in ["equalize", "autolevels:3", "clahe:2,2", "pixelate:2"] {
            let (own, another) = (done(step, &hidden(None)), done(step, &hidden(Some(other))));
            prop_assert_eq!(visible(own), visible(another), "{}", step);
        }
    }

    #[test]
    fn a_vignette_is_the_same_on_every_side(raster in rasters(), amount in 0..=100_u32) {
        let vignette = format!("vignette:{amount}");
        for mirror in ["flip:h", "flip:v"] {
            prop_assert_eq!(
                done(&format!("{mirror}+{vignette}+{mirror}"), &raster),
                done(&vignette, &raster)
            );
        }
    }

    #[test]
    fn a_constant_picture_stays_so(
        (width, height) in (1..30_u32, 1..30_u32),
        deep in any::<bool>(),
        value in any::<u16>(),
        sigma in decimals(250_000),
        side in 1..50_u32,
    ) {
        let constant = |width: u32, height: u32| {
            let len = (width * height * 3) as usize;
            let samples =
                if deep { Samples::U16(vec![value; len]) } else { Samples::U8(vec![value as u8; len]) };
            Raster { width, height, channels: Channels::Rgb, samples }
        };
        let raster = constant(width, height);
        prop_assert_eq!(&done(&format!("blur:{sigma}"), &raster), &raster);
        prop_assert_eq!(&done(&format!("sharpen:9,{sigma}"), &raster), &raster);
        prop_assert_eq!(&done("oil:3", &raster), &raster);
        prop_assert_eq!(&done("kuwahara:5", &raster), &raster);
        prop_assert_eq!(&done(&format!("box:{side}"), &raster), &raster);
        prop_assert_eq!(&done(&format!("median:{side}"), &raster), &raster);
        let resized = done(&format!("resize:{side}"), &raster);
        prop_assert_eq!(&resized, &constant(resized.width, resized.height));
    }

    #[test]
    fn blur_knows_no_direction(raster in rasters(), sigma in decimals(250_000)) {
        prop_assume!(!raster.channels.has_alpha());
        // Rows before columns is a direction, so only the mirror images can be asked for.
        let blur = format!("blur:{sigma}");
        prop_assert_eq!(
            done(&format!("rotate:180+{blur}+rotate:180"), &raster),
            done(&blur, &raster)
        );
    }

    #[test]
    fn canonical_text_is_a_fixed_point(steps in prop::collection::vec(steps(), 1..8)) {
        let recipe: Recipe = steps.join("+").parse().unwrap();
        let text = recipe.to_string();
        let again: Recipe = text.parse().unwrap();
        prop_assert_eq!(&again, &recipe);
        prop_assert_eq!(again.to_string(), text.clone());
        prop_assert!(text.len() <= steps.join("+").len());
    }

    #[test]
    fn hostile_text_is_an_error_with_one_line(text in "\\PC{0,300}") {
        if let Err(error) = text.parse::<Recipe>() {
            prop_assert!(!error.to_string().contains('\n'));
            prop_assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn hostile_text_of_the_right_letters(text in "[a-z:+,.0-9xX -]{0,60}") {
        if let Ok(recipe) = text.parse::<Recipe>() {
            prop_assert_eq!(recipe.to_string().parse::<Recipe>().unwrap(), recipe);
        }
    }

    #[test]
    fn hostile_parameters(
        name in prop::sample::select(filters::catalog()),
        parameters in "[0-9.,x-]{0,24}|\\PC{0,12}",
    ) {
        if let Ok(recipe) = format!("{}:{parameters}", name.name).parse::<Recipe>() {
            prop_assert_eq!(recipe.to_string().parse::<Recipe>().unwrap(), recipe);
        }
    }
}

/// Makes a pixel transparent, and gives it another colour.
fn hide<T: Copy + Default>(pixel: &mut [T], color: Option<T>) {
    if let Some(color) = color {
        pixel.fill(color);
    }
    *pixel.last_mut().unwrap() = T::default();
}

/// The pixels that are not wholly transparent, one after the other.
fn seen<T: Copy + Into<u32>>(samples: &[T], count: usize) -> Vec<u32> {
    let pixels = samples
        .chunks_exact(count)
        .filter(|pixel| pixel[count - 1].into() > 0);
    pixels.flatten().map(|sample| (*sample).into()).collect()
}

fn gray(width: u32, height: u32) -> Raster {
    let samples = Samples::U8(vec![7; (width * height) as usize]);
    Raster {
        width,
        height,
        channels: Channels::Gray,
        samples,
    }
}

#[test]
fn transparent_colour_does_not_bleed() {
    // A red square among invisible green: the blur thins it out but keeps it red.
    let mut samples = [0, 255, 0, 0].repeat(25);
    for y in 1..4 {
        samples[(5 * y + 1) * 4..(5 * y + 4) * 4].copy_from_slice(&[255, 0, 0, 255].repeat(3));
    }
    let raster = Raster {
        width: 5,
        height: 5,
        channels: Channels::Rgba,
        samples: Samples::U8(samples),
    };
    for recipe in [
        "blur:1",
        "box:1",
        "median:1",
        "oil:2",
        "kuwahara:1",
        "rotate:30",
        "resize:3",
        "resize:11",
    ] {
        let Samples::U8(samples) = done(recipe, &raster).samples else {
            panic!("8 bits stay 8 bits")
        };
        let visible = samples.chunks_exact(4).filter(|p| p[3] > 0);
        assert!(visible.clone().count() > 0, "{recipe}");
        for pixel in visible {
            assert_eq!(pixel[..3], [255, 0, 0], "{recipe}");
        }
    }
}

#[test]
fn a_result_that_would_be_too_large_is_refused_before_any_work() {
    let mut asked = 0;
    let recipe: Recipe = "blur:50+resize:10001".parse().unwrap();
    let result = recipe.apply(&gray(10, 10), &mut |_| {
        asked += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(
        result,
        Err(FilterError::TooLarge {
            width: 10_001,
            height: 10_001
        })
    );
    assert_eq!(asked, 0);
    assert_eq!(
        apply("rotate:90+crop:0,0,3,1", &gray(3, 2))
            .unwrap_err()
            .to_string(),
        "crop:0,0,3,1 reaches outside the picture, which is 2x3"
    );
}

#[test]
fn a_raster_that_contradicts_itself_is_refused() {
    let raster = Raster {
        height: 4,
        ..gray(3, 3)
    };
    assert_eq!(
        apply("invert", &raster),
        Err(FilterError::SampleCount {
            expected: 12,
            found: 9
        })
    );
    let raster = Raster {
        height: 0,
        ..gray(3, 3)
    };
    assert_eq!(
        apply("invert", &raster),
        Err(FilterError::Empty { width: 3, height: 0 })
    );
}

#[test]
fn progress_is_told_by_band_and_cancel_is_heard() {
    // invert and edges are one chain in bands of 32 rows; the turn begins another. One thread: one stripe.
    let recipe: Recipe = "invert+edges+rotate:90".parse().unwrap();
    let raster = gray(40, 80);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let told = one.install(|| {
        let mut told = Vec::new();
        recipe
            .apply(&raster, &mut |progress| {
                told.push((progress.done, progress.total));
                ControlFlow::Continue(())
            })
            .unwrap();
        told
    });
    assert_eq!(told, [64, 128, 160, 192, 200].map(|done| (done, 200)));
    let stop = |progress: Progress| {
        if progress.done > 160 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    assert_eq!(recipe.apply(&raster, &mut { stop }), Err(FilterError::Cancelled));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let samples = (0..3 * 61 * 700_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
    let raster = Raster::new(61, 700, Channels::Rgb, Samples::U8(samples.collect())).unwrap();
    for recipe in ["sepia+blur:2+sharpen+edges", "blur:9+rotate:90+resize:50+blur:1"] {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| done(recipe, &raster))
        };
        let one = on(1);
        for threads in [2, 3, 8] {
            assert_eq!(on(threads), one, "{recipe} on {threads} threads");
        }
    }
}
