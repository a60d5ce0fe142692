//! A step made ready for one shape of picture: its tables, its reach, its bands of rows.
//!
//! The engine ([`chain`](crate::chain)) stands on three functions: which shape comes out, which source rows a
//! band of result rows needs, and the band itself. Coordinates are global, so any cut into bands gives the
//! same bytes.

use std::ops::Range;

use multiversion::multiversion;

use crate::angle::Turning;
use crate::blur::{self, Memory};
use crate::error::FilterError;
use crate::gaussian::Kernel;
use crate::lanczos::Axis;
use crate::raster::Shape;
use crate::resize;
use crate::step::Step;
use crate::survey::Survey;
use crate::view::View;
use crate::{
    box_mean, brightness, cartoon, clahe, contrast, edges, equalize, grayscale, invert, kuwahara, levels,
    median, oil, pencil, pixelate, posterize, sepia, sharpen, threshold, tone, transfer, vignette,
};

/// What every kernel needs of a sample.
pub(crate) trait Depth: blur::Depth + resize::Depth + Send + Sync {}

impl Depth for u8 {}
impl Depth for u16 {}

impl Step {
    /// The shape that the step makes of `source`.
    ///
    /// # Errors
    /// [`FilterError::CropOutside`], or [`FilterError::TooLarge`] of a resize.
    pub fn shape(&self, source: Shape) -> Result<Shape, FilterError> {
        match self {
            Step::Grayscale | Step::Threshold(_) | Step::Edges | Step::Pencil { .. } => Ok(Shape {
                channels: source.channels.to_gray(),
                ..source
            }),
            Step::Sepia | Step::Transfer(_) => Ok(Shape {
                channels: source.channels.to_rgb(),
                ..source
            }),
            Step::Invert
            | Step::Brightness(_)
            | Step::Contrast(_)
            | Step::Gamma(_)
            | Step::Levels(_)
            | Step::Posterize(_)
            | Step::Equalize
            | Step::AutoLevels { .. }
            | Step::Clahe { .. }
            | Step::Vignette(_)
            | Step::Pixelate(_)
            | Step::Flip(_)
            | Step::Blur { .. }
            | Step::Box { .. }
            | Step::Median { .. }
            | Step::Oil { .. }
            | Step::Kuwahara { .. }
            | Step::Cartoon { .. }
            | Step::Sharpen { .. } => Ok(source),
            Step::Rotate(turn) => Ok(turn.shape(source)),
            Step::RotateBy(angle) => angle.shape(source),
            Step::Crop(crop) => crop.shape(source),
            Step::Resize(fit) => fit.shape(source),
        }
    }

    /// The halo, in pixels: how far from its own position a result pixel looks. 0 for steps on single
    /// pixels and for those that move pixels, and for those that survey the whole picture first.
    pub fn radius(&self) -> u32 {
        match self {
            Step::Blur { sigma } | Step::Sharpen { sigma, .. } | Step::Pencil { sigma } => {
                Kernel::new(*sigma).radius()
            }
            Step::Edges => edges::RADIUS,
            Step::Cartoon { radius } => cartoon::reach(*radius),
            Step::Box { radius }
            | Step::Median { radius }
            | Step::Oil { radius, .. }
            | Step::Kuwahara { radius } => *radius,
            Step::Pixelate(side) => side - 1,
            _ => 0,
        }
    }
}

/// Tables of the steps that need some.
enum Tables {
    None,
    Kernel(Kernel),
    Axes([Axis; 2]),
    /// The result of each sample.
    Curve(Vec<u16>),
    Mapping(clahe::Mapping),
    Transfer(transfer::Mapping),
    Turning(Turning),
}

/// A step for pictures of one shape and depth.
pub(crate) struct Plan {
    step: Step,
    source: Shape,
    bits: u8,
    result: Shape,
    tables: Tables,
}

impl Plan {
    /// Works out the shape and the tables, for samples of `bits` (8 or 16). Fails as [`Step::shape`] does.
    pub fn new(step: Step, source: Shape, bits: u8) -> Result<Plan, FilterError> {
        let result = step.shape(source)?;
        let max = (1 << bits) - 1;
        let tables = match step {
            Step::Blur { sigma } | Step::Sharpen { sigma, .. } | Step::Pencil { sigma } => {
                Tables::Kernel(Kernel::new(sigma))
            }
            Step::Resize(_) => Tables::Axes(resize::axes(source, result, bits)),
            Step::Gamma(gamma) => Tables::Curve(levels::table(0, max, gamma, max)),
            Step::Levels(levels) => Tables::Curve(levels.table(max)),
            Step::Posterize(count) => Tables::Curve(posterize::table(count, max)),
            Step::RotateBy(angle) => Tables::Turning(Turning::new(angle, source, result)),
            _ => Tables::None,
        };
        Ok(Plan {
            step,
            source,
            bits,
            result,
            tables,
        })
    }

    /// An empty survey, if the step needs one of the whole picture before its first band.
    pub fn survey(&self) -> Option<Survey> {
        Survey::new(&self.step, self.source, self.bits)
    }

    /// [`Survey::add`], compiled for the processor it runs on.
    pub fn add_fast<T: Depth>(survey: &mut Survey, source: &View<T>, rows: Range<u32>) {
        add_fast(survey, source, rows);
    }

    /// Makes the tables of a step that needs a survey, from one that has seen every row once.
    pub fn learn(&mut self, survey: &Survey) {
        self.tables = match (&self.step, survey) {
            (Step::Clahe { clip, .. }, Survey::Tiles(tiles)) => Tables::Mapping(tiles.mapping(*clip)),
            (Step::AutoLevels { clip }, Survey::Histogram(histogram)) => {
                Tables::Curve(histogram.autolevels_table(*clip))
            }
            (Step::Transfer(palette), Survey::Moments(moments)) => {
                Tables::Transfer(moments.mapping(*palette))
            }
            (_, Survey::Histogram(histogram)) => Tables::Curve(histogram.equalize_table()),
            (_, Survey::Tiles(_) | Survey::Moments(_)) => {
                unreachable!("only clahe has tiles, only transfer moments")
            }
        };
    }

    /// The shape it takes.
    pub fn source(&self) -> Shape {
        self.source
    }

    /// [`Step::radius`].
    pub fn radius(&self) -> u32 {
        self.step.radius()
    }

    /// Whether the source rows wander down as the result rows do. A step where they do not (a turn), or that
    /// surveys its source first, wants it whole.
    pub fn streams(&self) -> bool {
        if self.survey().is_some() {
            return false;
        }
        let last = self.result.height - 1;
        let (top, bottom) = (self.source_rows(0..1), self.source_rows(last..last + 1));
        top.start < bottom.start || top.end < bottom.end
    }

    /// The shape of the result.
    pub fn shape(&self) -> Shape {
        self.result
    }

    /// The source rows that the result rows `rows` need.
    pub fn source_rows(&self, rows: Range<u32>) -> Range<u32> {
        match (&self.step, &self.tables) {
            (Step::Rotate(turn), _) => turn.source_rows(self.source, rows),
            (Step::Crop(crop), _) => crop.source_rows(rows),
            (Step::Flip(flip), _) => flip.source_rows(self.source, rows),
            (Step::Pixelate(side), _) => pixelate::source_rows(*side, self.source, rows),
            (_, Tables::Axes([_, down])) => down.source(rows),
            (_, Tables::Turning(turning)) => turning.source_rows(rows),
            _ => {
                let radius = self.step.radius();
                rows.start.saturating_sub(radius)..rows.end.saturating_add(radius).min(self.source.height)
            }
        }
    }

    /// [`Plan::band`], compiled for the processor it runs on.
    pub fn band_fast<T: Depth>(
        &self,
        source: &View<T>,
        rows: Range<u32>,
        memory: &mut Memory<T>,
        out: &mut [T],
    ) {
        band_fast(self, source, rows, memory, out);
    }

    /// The result rows `rows`, from a view that holds at least [`Plan::source_rows`]. `memory` is empty or what
    /// another band of this plan and picture left.
    ///
    /// What is called from here is `inline(always)` where speed counts, so that it is compiled with
    /// [`band_fast`] for each set of instructions.
    #[inline(always)]
    pub fn band<T: Depth>(&self, source: &View<T>, rows: Range<u32>, memory: &mut Memory<T>, out: &mut [T]) {
        let channels = self.source.channels;
        match (&self.step, &self.tables) {
            (Step::Grayscale, _) => grayscale::apply(channels, source.rows(rows), out),
            (Step::Sepia, _) => sepia::apply(channels, source.rows(rows), out),
            (Step::Invert, _) => tone::apply(channels, invert::curve, source.rows(rows), out),
            (Step::Brightness(steps), _) => {
                tone::apply(
                    channels,
                    |sample| brightness::curve(*steps, sample),
                    source.rows(rows),
                    out,
                );
            }
            (Step::Contrast(percent), _) => {
                tone::apply(
                    channels,
                    |sample| contrast::curve(*percent, sample),
                    source.rows(rows),
                    out,
                );
            }
            (Step::Threshold(luma), _) => threshold::apply(channels, *luma, source.rows(rows), out),
            (Step::Vignette(percent), _) => vignette::apply(*percent, source, rows, out),
            (Step::Edges, _) => edges::apply(source, rows, out),
            (Step::Box { radius }, _) => box_mean::apply(*radius, source, rows, out),
            (Step::Median { radius }, _) => median::apply(*radius, source, rows, out),
            (Step::Oil { radius, levels }, _) => oil::apply(*radius, *levels, source, rows, out),
            (Step::Kuwahara { radius }, _) => kuwahara::apply(*radius, source, rows, out),
            (Step::Pixelate(side), _) => pixelate::apply(*side, source, rows, out),
            (Step::Flip(flip), _) => flip.apply(source, rows, out),
            (Step::Cartoon { radius }, _) => cartoon::apply(*radius, source, rows, out),
            (Step::Rotate(turn), _) => turn.apply(source, rows, out),
            (Step::Crop(crop), _) => crop.apply(source, rows, out),
            (Step::Sharpen { amount, .. }, Tables::Kernel(kernel)) => {
                sharpen::apply(*amount, kernel, source, rows, memory, out);
            }
            (Step::Pencil { .. }, Tables::Kernel(kernel)) => pencil::apply(kernel, source, rows, memory, out),
            (_, Tables::Kernel(kernel)) => blur::apply(kernel, source, rows, memory, out),
            // A picture that has the size already is not touched, invisible colours included.
            (_, Tables::Axes(_)) if self.result == self.source => out.copy_from_slice(source.rows(rows)),
            (_, Tables::Axes(axes)) => resize::apply(axes, source, rows, out),
            (Step::Equalize, Tables::Curve(table)) => {
                equalize::apply(channels, table, source.rows(rows), out)
            }
            (_, Tables::Transfer(mapping)) => mapping.apply(channels, source.rows(rows), out),
            (_, Tables::Mapping(mapping)) => mapping.apply(source, rows, out),
            (_, Tables::Curve(table)) => tone::apply_table(channels, table, source.rows(rows), out),
            (_, Tables::Turning(turning)) => turning.apply(source, rows, out),
            (_, Tables::None) => unreachable!("the steps that are left have tables, some after a survey"),
        }
    }
}

/// One safe body for several instruction sets: what comes out is the same, tested against the body itself.
macro_rules! for_several_instruction_sets {
    ($body:item) => {
        #[multiversion(
            targets(
                "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx512vbmi+avx512vbmi2+avx2+bmi1+bmi2+fma",
                "x86_64+avx2+bmi1+bmi2+fma",
            ),
            dispatcher = "direct"
        )]
        $body
    };
}

for_several_instruction_sets! {
    fn band_fast<T: Depth>(
        plan: &Plan,
        source: &View<T>,
        rows: Range<u32>,
        memory: &mut Memory<T>,
        out: &mut [T],
    ) {
        plan.band(source, rows, memory, out);
    }
}

for_several_instruction_sets! {
    fn add_fast<T: Depth>(survey: &mut Survey, source: &View<T>, rows: Range<u32>) {
        survey.add(source, rows);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::raster::Channels;

    const CHANNELS: [Channels; 4] = [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba];
    const STEPS: &[&str] = &[
        "grayscale",
        "sepia",
        "invert",
        "brightness:9",
        "contrast:40",
        "blur:0.7",
        "blur:3",
        "blur:8.5",
        "sharpen:2,1.5",
        "gamma:2.2",
        "levels:30,200,0.7",
        "posterize:5",
        "threshold:128",
        "autolevels",
        "autolevels:9",
        "equalize",
        "clahe:3,1",
        "clahe:2,3",
        "vignette:70",
        "transfer:60,2,-5,20,3,5",
        "edges",
        "box:1",
        "box:9",
        "median:1",
        "median:6",
        "oil:1,3",
        "oil:5",
        "kuwahara:1",
        "kuwahara:7",
        "pixelate:4",
        "flip:h",
        "flip:v",
        "cartoon:1",
        "cartoon",
        "pencil:0.9",
        "pencil:9",
        "rotate:90",
        "rotate:180",
        "rotate:270",
        "rotate:0",
        "rotate:-7.5",
        "rotate:123.456",
        "crop:0,1,1,2",
        "resize:7x9",
    ];

    /// A band made of exactly the source rows it asks for, and not one more.
    fn from_its_rows<T: Depth>(plan: &Plan, samples: &[T], rows: Range<u32>) -> Vec<T> {
        let needs = plan.source_rows(rows.clone());
        let len = plan.source.row_len();
        let cut = &samples[needs.start as usize * len..needs.end as usize * len];
        let mut out = vec![T::default(); rows.len() * plan.result.row_len()];
        plan.band(
            &View::new(plan.source, needs.start, cut),
            rows,
            &mut Memory::default(),
            &mut out,
        );
        out
    }

    fn bands_are_the_whole<T>(step: Step, source: Shape, cut: u32, samples: &[T])
    where
        T: Depth + PartialEq + std::fmt::Debug,
    {
        let mut plan = Plan::new(step, source, (size_of::<T>() * 8) as u8).unwrap();
        if let Some(mut survey) = plan.survey() {
            survey.add(&View::new(source, 0, samples), 0..source.height);
            plan.learn(&survey);
        }
        let height = plan.result.height;
        let mut whole = vec![T::default(); height as usize * plan.result.row_len()];
        plan.band(
            &View::new(source, 0, samples),
            0..height,
            &mut Memory::default(),
            &mut whole,
        );
        let cut = 1 + cut % height;
        let bands = (0..height).step_by(cut as usize);
        // The same from surveys of the bands, each from a cut of its own, the last one first.
        if let Some(mut sum) = plan.survey() {
            for start in (0..source.height).step_by(cut as usize).rev() {
                let rows = start..(start + cut).min(source.height);
                let (mut part, len) = (plan.survey().unwrap(), source.row_len());
                let cut = &samples[rows.start as usize * len..rows.end as usize * len];
                part.add(&View::new(source, rows.start, cut), rows);
                sum.merge(&part);
            }
            plan.learn(&sum);
        }
        let joined: Vec<T> = bands
            .flat_map(|start| from_its_rows(&plan, samples, start..(start + cut).min(height)))
            .collect();
        assert_eq!(joined, whole, "{step} in bands of {cut}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_cut_into_bands_gives_the_same_bytes(
            step in prop::sample::select(STEPS),
            (width, height) in (1..20_u32, 3..40_u32),
            channels in prop::sample::select(&CHANNELS[..]),
            cut in 0..40_u32,
            seed in any::<u64>(),
        ) {
            let step = Step::parse(step).unwrap();
            let shape = Shape { width, height, channels };
            let len = shape.row_len() * height as usize;
            let noise = (0..len as u64).map(|i| (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
            bands_are_the_whole(step, shape, cut, &noise.clone().map(|n| n as u8).collect::<Vec<_>>());
            bands_are_the_whole(step, shape, cut, &noise.map(|n| n as u16).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_halo_one_row_short_would_show() {
        // The law above would hold of a kernel that ignores its halo; this says that the last row of the halo
        // matters, in one of three pictures at least: a plain one, a step whose tie that row breaks, a ramp.
        let plain = |_| 30_000;
        let step = |y| if y < 40 { 20_000 } else { 50_000 };
        let ramp = |y: u32| (y.saturating_sub(33) * 4_000).min(60_000) as u16;
        let pictures: [fn(u32) -> u16; 3] = [plain, step, ramp];
        let pairs = [[30_000, 40_000], [20_000, 50_000], [42_000, 44_000]];
        let far = |step: &Step| step.radius() > 0;
        let all = STEPS.iter().chain(&["box:30", "median:9"]);
        for step in all.map(|text| Step::parse(text).unwrap()).filter(far) {
            let source = Shape {
                width: 1,
                height: 99,
                channels: Channels::Gray,
            };
            let plan = Plan::new(step, source, 16).unwrap();
            let last = 40 + plan.step.radius();
            let shows = pictures.iter().zip(pairs).any(|(picture, pair)| {
                let mut samples: Vec<u16> = (0..99).map(picture).collect();
                let made = pair.map(|sample| {
                    samples[last as usize] = sample;
                    let mut out = [0_u16; 1];
                    plan.band(
                        &View::new(plan.source, 0, &samples),
                        40..41,
                        &mut Memory::default(),
                        &mut out,
                    );
                    out
                });
                made[0] != made[1]
            });
            assert!(shows, "{step}");
        }
    }

    #[test]
    fn every_filter_of_the_catalog_is_among_the_steps() {
        for info in crate::catalog() {
            let of = |text: &&&str| text.split(':').next() == Some(info.name);
            assert!(STEPS.iter().any(|text| of(&text)), "{}", info.name);
        }
    }
}
