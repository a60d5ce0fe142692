//! Recipes: steps joined by `+`, their canonical text, and running them.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use crate::chain;
use crate::error::{FilterError, RecipeError};
use crate::limits::{RECIPE_BYTES_MAX, STEPS_MAX};
use crate::plan::Plan;
use crate::raster::Raster;
use crate::step::Step;
use crate::transfer::Palette;

/// 1 to [`STEPS_MAX`] steps, each with its parameters in range.
///
/// Text: `name[:p1[,p2…]]` joined by `+`, at most [`RECIPE_BYTES_MAX`] bytes. What
/// [`Display`](fmt::Display) gives is the *canonical* text: two recipes are equal exactly if their
/// canonical texts are, and reading it again gives the same text. It is never longer than the text it was
/// read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe(Vec<Step>);

/// How far a recipe has come, told on the caller's thread after each band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows that are done, counted once for each step.
    pub done: u64,
    /// All of them.
    pub total: u64,
}

/// A recipe as people write it: `transfer` may name a picture, whose colours are yet to be looked up.
///
/// Only what has its numbers instead of the name is a [`Recipe`], so what a recipe makes never hangs on another picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Step(Step),
    /// `transfer` of this picture.
    Style(String),
}

impl FromStr for Draft {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Draft, RecipeError> {
        let part = |text: &str| match style(text) {
            Some(name) => Ok(Part::Style(name.to_owned())),
            None => Step::parse(text).map(Part::Step),
        };
        parts(text, part).map(Draft)
    }
}

impl Draft {
    /// The pictures that are named, in order.
    pub fn styles(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Step(_) => None,
            Part::Style(name) => Some(name.as_str()),
        })
    }

    /// [`Recipe::shows_small`], whatever the pictures' colours are.
    pub fn shows_small(&self) -> bool {
        self.0.iter().all(|part| match part {
            Part::Step(step) => step.shows_small(),
            Part::Style(_) => true,
        })
    }

    /// The recipe, each picture's name replaced by what `palette` says of it.
    ///
    /// # Errors
    /// The first that `palette` gives; [`RecipeError::TooLong`] where the numbers need more room than the names.
    pub fn finish<E: From<RecipeError>>(
        self,
        mut palette: impl FnMut(&str) -> Result<Palette, E>,
    ) -> Result<Recipe, E> {
        let step = |part| match part {
            Part::Step(step) => Ok(step),
            Part::Style(name) => palette(&name).map(Step::Transfer),
        };
        let recipe = Recipe(self.0.into_iter().map(step).collect::<Result<_, E>>()?);
        match recipe.to_string().len() {
            bytes if bytes > RECIPE_BYTES_MAX => Err(RecipeError::TooLong { bytes }.into()),
            _ => Ok(recipe),
        }
    }
}

/// The picture that a step `transfer` names, if it does not have numbers.
fn style(step: &str) -> Option<&str> {
    let (filter, name) = step.split_once(':')?;
    let is_transfer = filter.trim().eq_ignore_ascii_case("transfer");
    let is_number = |c: char| c.is_ascii_digit() || "+-., ".contains(c);
    (is_transfer && !name.chars().all(is_number)).then(|| name.trim())
}

impl FromStr for Recipe {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Recipe, RecipeError> {
        parts(text, Step::parse).map(Recipe)
    }
}

/// What `read` makes of each step of a text.
fn parts<T>(text: &str, read: impl Fn(&str) -> Result<T, RecipeError>) -> Result<Vec<T>, RecipeError> {
    if text.len() > RECIPE_BYTES_MAX {
        return Err(RecipeError::TooLong { bytes: text.len() });
    }
    if text.trim().is_empty() {
        return Err(RecipeError::Empty);
    }
    let parts: Vec<&str> = text.split('+').collect();
    if parts.len() > STEPS_MAX {
        return Err(RecipeError::TooManySteps { steps: parts.len() });
    }
    let part = |(i, part): (usize, &&str)| {
        if part.trim().is_empty() {
            return Err(RecipeError::EmptyStep { step: i + 1 });
        }
        read(part)
    };
    parts.iter().enumerate().map(part).collect()
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let plus = if i == 0 { "" } else { "+" };
            write!(f, "{plus}{step}")?;
        }
        Ok(())
    }
}

impl Recipe {
    /// The steps, in the order they are applied.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether a small copy of a picture shows what this does to the whole: each step maps single pixels, and near colours to
    /// near ones.
    pub fn shows_small(&self) -> bool {
        self.0.iter().all(Step::shows_small)
    }

    /// Applies all steps to `source` and gives the result; the source is left alone.
    ///
    /// The work is done by the threads of the rayon pool it is called in; their number does not show in the
    /// result. Besides source and result there are a few rows for each step; only where a step turns the
    /// picture there is a whole one in between. `progress` is called after each band; if it breaks, the work ends
    /// with [`FilterError::Cancelled`]. All sizes are worked out before the first pixel is.
    ///
    /// # Errors
    /// [`FilterError`]: the raster contradicts itself or is too large, a crop reaches outside, a result
    /// would be too large, or the caller cancelled.
    pub fn apply(
        &self,
        source: &Raster,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Raster, FilterError> {
        self.run(source, None, progress)
    }

    /// [`Recipe::apply`] in bands of `rows` rows of the result, at least 1, instead of as many as suit the caches.
    /// It shows in time and memory alone.
    ///
    /// # Errors
    /// As there.
    pub fn apply_in_bands(
        &self,
        source: &Raster,
        rows: u32,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Raster, FilterError> {
        self.run(source, Some(rows), progress)
    }

    fn run(
        &self,
        source: &Raster,
        band: Option<u32>,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Raster, FilterError> {
        source.check()?;
        let mut shape = source.shape();
        let mut plans = Vec::new();
        for step in &self.0 {
            let plan = Plan::new(*step, shape, source.samples.bits())?;
            shape = plan.shape();
            plans.push(plan);
        }
        // A step that does not stream begins a chain of its own, whose source is whole.
        let rows = |chain: &[Plan]| chain.len() as u64 * u64::from(chain[chain.len() - 1].shape().height);
        let total = plans.chunk_by(|_, next| next.streams()).map(rows).sum();
        let mut before = 0;
        let mut done: Option<Raster> = None;
        for chain in plans.chunk_by_mut(|_, next| next.streams()) {
            let (steps, input) = (chain.len() as u64, done.as_ref().unwrap_or(source));
            let mut tell = |rows_done| {
                progress(Progress {
                    done: before + steps * u64::from(rows_done),
                    total,
                })
            };
            chain::survey(&mut chain[0], input, &mut tell)?;
            done = Some(chain::run(chain, input, band, &mut tell)?);
            before += rows(chain);
        }
        Ok(done.expect("a recipe has at least one step"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, &str>) {
        let found = text.parse::<Recipe>();
        match (&found, expect) {
            (Ok(recipe), Ok(canonical)) => assert_eq!(recipe.to_string(), canonical),
            (Err(error), Err(message)) => assert_eq!(error.to_string(), message),
            _ => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn canonical_text() {
        check("grayscale+blur:2", Ok("grayscale+blur:2"));
        check(" GrayScale + blur: 2.0 ", Ok("grayscale+blur:2"));
        check("blur:2.50+blur:007", Ok("blur:2.5+blur:7"));
        check("sharpen:1", Ok("sharpen"));
        check("sharpen:1.0,1.000", Ok("sharpen"));
        check("sharpen:0.5,1", Ok("sharpen:0.5"));
        check("sharpen:1,2", Ok("sharpen:1,2"));
        check("oil:4,20", Ok("oil:4"));
        check("oil:4,020", Ok("oil:4"));
        check(
            "rotate:90.0+rotate:-90+rotate:-180.00",
            Ok("rotate:90+rotate:270+rotate:180"),
        );
        check(
            "rotate:1.50+rotate:358.5+rotate:-0",
            Ok("rotate:1.5+rotate:-1.5+rotate:0"),
        );
        check(
            "cartoon:05+pencil:5.0+pencil:2.50",
            Ok("cartoon+pencil+pencil:2.5"),
        );
        check("brightness:-0", Ok("brightness:0"));
        check("brightness:-010", Ok("brightness:-10"));
        check("resize:800X600", Ok("resize:800x600"));
        check("resize:800x800", Ok("resize:800"));
        check("crop:01,2,3,4", Ok("crop:1,2,3,4"));
        check("gamma:2.20", Ok("gamma:2.2"));
        check("levels: 010 , 200", Ok("levels:10,200"));
        check("levels:10,200,1.0", Ok("levels:10,200"));
        check("levels:10,200,1.5", Ok("levels:10,200,1.5"));
        check(
            "transfer: 60.50,-2.0,5,20,3.125,0 + transfer:0,-0,0,0,0,0",
            Ok("transfer:60.5,-2,5,20,3.125,0+transfer:0,0,0,0,0,0"),
        );
        check("posterize:04", Ok("posterize:4"));
        check("autolevels:0.5+autolevels:0.50", Ok("autolevels+autolevels"));
        check("AutoLevels:1.50", Ok("autolevels:1.5"));
        check("clahe:2,8+clahe:2.0", Ok("clahe+clahe"));
        check("clahe:3,8+clahe:2,04", Ok("clahe:3+clahe:2,4"));
        check("Flip: H +flip:V", Ok("flip:h+flip:v"));
    }

    /// A picture's name stands where its palette will; numbers are numbers, and what is wrong is told as of a recipe.
    #[test]
    fn a_draft_may_name_pictures() {
        let draft = |text: &str| text.parse::<Draft>();
        let named = draft("sepia+Transfer: sunset at 5,30.jpg +blur:2").unwrap();
        assert_eq!(named.styles().collect::<Vec<_>>(), ["sunset at 5,30.jpg"]);
        let palette = Palette {
            mean: [60_500, -2000, 0],
            deviation: [3125, 0, 1],
        };
        let asked = |name: &str| {
            (name == "sunset at 5,30.jpg")
                .then_some(palette)
                .ok_or(RecipeError::Empty)
        };
        let recipe = named.finish(asked).unwrap().to_string();
        assert_eq!(recipe, "sepia+transfer:60.5,-2,0,3.125,0,0.001+blur:2");
        assert_eq!(
            draft("transfer:nobody").unwrap().finish(asked),
            Err(RecipeError::Empty)
        );
        let many = draft(&["transfer:a"; 8].join("+")).unwrap();
        let long = many.finish(|_| Ok::<_, RecipeError>(palette));
        assert_eq!(long, Err(RecipeError::TooLong { bytes: 8 * 32 + 7 }));
        for text in [&recipe, "sepia", "flip:h"] {
            let draft = draft(text).unwrap();
            assert_eq!(draft.styles().count(), 0);
            assert_eq!(draft.finish(asked), Ok(text.parse().unwrap()));
        }
        for text in ["", "sepai", "transfer:1,2", "blur:x", "transfer", "transfer: "] {
            assert_eq!(draft(text).unwrap_err(), text.parse::<Recipe>().unwrap_err());
        }
        check(
            "transfer:a",
            Err("transfer takes six parameters, L,A,B,DL,DA,DB, not 1 of them"),
        );
    }

    #[test]
    fn errors_name_the_thing_and_the_value() {
        check("", Err("the recipe is empty"));
        check("sepia++invert", Err("step 2 of the recipe is empty"));
        check("greyscale", Err("unknown filter \"greyscale\""));
        check("watercolour", Err("unknown filter \"watercolour\""));
        check("\u{1b}[31m", Err("unknown filter \"\\u{1b}[31m\""));
        check("sepia:1", Err("sepia takes no parameters, not 1 of them"));
        check("blur", Err("blur takes one parameter, SIGMA, not 0 of them"));
        check("blur:x", Err("blur: sigma \"x\" is not a number like 2 or 0.5"));
        check("blur:2.1234", Err("blur: sigma 2.1234 has more than 3 decimals"));
        check(
            "rotate:x",
            Err("rotate: angle \"x\" is not a number like 2 or 0.5"),
        );
        check(
            "rotate:--1",
            Err("rotate: angle \"--1\" is not a number like 2 or 0.5"),
        );
        check(
            "rotate:-1.2345",
            Err("rotate: angle -1.2345 has more than 3 decimals"),
        );
        check(
            "flip:x",
            Err("flip: \"x\" is not h (left and right) or v (top and bottom)"),
        );
        check(
            "levels:20",
            Err("levels takes two or three parameters, BLACK,WHITE and GAMMA, not 1 of them"),
        );
        check("levels:200,100", Err("levels: white 100 is out of range 201-255"));
        check("equalize:1", Err("equalize takes no parameters, not 1 of them"));
        check(
            "clahe:1,2,3",
            Err("clahe takes at most two parameters, CLIP and TILES, not 3 of them"),
        );
        check("threshold:50%", Err("threshold: t \"50%\" is not a whole number"));
        check("crop:1,2,0,4", Err("crop: width 0 is out of range 1-1000000"));
        check("resize:0", Err("resize: size 0 is out of range 1-1000000"));
        check(
            "resize:1x",
            Err("resize: size \"\" is not a whole number of pixels"),
        );
        let near = "invert+sepai".parse::<Recipe>().unwrap_err();
        assert_eq!(near.hint(), "did you mean sepia?");
        let unknown = "watercolour".parse::<Recipe>().unwrap_err();
        assert!(unknown.hint().contains("grayscale, sepia"));
        assert_eq!(
            "blur:999".parse::<Recipe>().unwrap_err().hint(),
            "for example blur:2"
        );
    }

    #[test]
    fn every_limit_at_it_and_one_past_it() {
        check(
            "brightness:255+brightness:-255",
            Ok("brightness:255+brightness:-255"),
        );
        check(
            "brightness:256",
            Err("brightness: n 256 is out of range -255 to 255"),
        );
        check(
            "brightness:-256",
            Err("brightness: n -256 is out of range -255 to 255"),
        );
        check("contrast:100+contrast:-100", Ok("contrast:100+contrast:-100"));
        check("contrast:101", Err("contrast: n 101 is out of range -100 to 100"));
        check(
            "contrast:-101",
            Err("contrast: n -101 is out of range -100 to 100"),
        );
        check("blur:0.1+blur:250", Ok("blur:0.1+blur:250"));
        check("blur:0.099", Err("blur: sigma 0.099 is out of range 0.1-250"));
        check("blur:250.001", Err("blur: sigma 250.001 is out of range 0.1-250"));
        check("sharpen:10,250+sharpen:0,0.1", Ok("sharpen:10,250+sharpen:0,0.1"));
        check(
            "sharpen:10.001",
            Err("sharpen: amount 10.001 is out of range 0-10"),
        );
        check(
            "sharpen:1,250.001",
            Err("sharpen: sigma 250.001 is out of range 0.1-250"),
        );
        check("box:1+box:0500", Ok("box:1+box:500"));
        check("box:0", Err("box: r 0 is out of range 1-500"));
        check("box:501", Err("box: r 501 is out of range 1-500"));
        check("box:-1", Err("box: r \"-1\" is not a whole number"));
        check("median:1+median:50", Ok("median:1+median:50"));
        check("median:0", Err("median: r 0 is out of range 1-50"));
        check("median:51", Err("median: r 51 is out of range 1-50"));
        check("oil:1,2+oil:20,64", Ok("oil:1,2+oil:20,64"));
        check("oil:0", Err("oil: r 0 is out of range 1-20"));
        check("oil:21", Err("oil: r 21 is out of range 1-20"));
        check("oil:4,1", Err("oil: levels 1 is out of range 2-64"));
        check("oil:4,65", Err("oil: levels 65 is out of range 2-64"));
        check("kuwahara:1+kuwahara:20", Ok("kuwahara:1+kuwahara:20"));
        check("kuwahara:0", Err("kuwahara: r 0 is out of range 1-20"));
        check("kuwahara:21", Err("kuwahara: r 21 is out of range 1-20"));
        check("gamma:0.1+gamma:10", Ok("gamma:0.1+gamma:10"));
        check("gamma:0.099", Err("gamma: g 0.099 is out of range 0.1-10"));
        check("gamma:10.001", Err("gamma: g 10.001 is out of range 0.1-10"));
        check(
            "levels:0,1,0.1+levels:254,255,10",
            Ok("levels:0,1,0.1+levels:254,255,10"),
        );
        check("levels:255,255", Err("levels: black 255 is out of range 0-254"));
        check("levels:7,7", Err("levels: white 7 is out of range 8-255"));
        check("levels:0,256", Err("levels: white 256 is out of range 1-255"));
        check(
            "levels:0,9,0.099",
            Err("levels: gamma 0.099 is out of range 0.1-10"),
        );
        check(
            "levels:0,9,10.001",
            Err("levels: gamma 10.001 is out of range 0.1-10"),
        );
        check("autolevels:0+autolevels:10", Ok("autolevels:0+autolevels:10"));
        check(
            "autolevels:10.001",
            Err("autolevels: clip 10.001 is out of range 0-10"),
        );
        check("clahe:0.1,1+clahe:40,16", Ok("clahe:0.1,1+clahe:40,16"));
        check("clahe:0.099", Err("clahe: clip 0.099 is out of range 0.1-40"));
        check("clahe:40.001", Err("clahe: clip 40.001 is out of range 0.1-40"));
        check("clahe:2,0", Err("clahe: tiles 0 is out of range 1-16"));
        check("clahe:2,17", Err("clahe: tiles 17 is out of range 1-16"));
        check(
            "transfer:100,50,-50,50,50,50+transfer:0,-50,50,0,0,0",
            Ok("transfer:100,50,-50,50,50,50+transfer:0,-50,50,0,0,0"),
        );
        check(
            "transfer:100.001,0,0,0,0,0",
            Err("transfer: l 100.001 is out of range 0-100"),
        );
        check(
            "transfer:0,50.001,0,0,0,0",
            Err("transfer: a 50.001 is out of range -50 to 50"),
        );
        check(
            "transfer:0,0,-50.001,0,0,0",
            Err("transfer: b -50.001 is out of range -50 to 50"),
        );
        check(
            "transfer:0,0,0,50.001,0,0",
            Err("transfer: dl 50.001 is out of range 0-50"),
        );
        check(
            "transfer:0,0,0,0,51,0",
            Err("transfer: da 51 is out of range 0-50"),
        );
        check(
            "transfer:0,0,0,0,0,51",
            Err("transfer: db 51 is out of range 0-50"),
        );
        check("posterize:2+posterize:64", Ok("posterize:2+posterize:64"));
        check("posterize:1", Err("posterize: n 1 is out of range 2-64"));
        check("posterize:65", Err("posterize: n 65 is out of range 2-64"));
        check("threshold:0+threshold:255", Ok("threshold:0+threshold:255"));
        check("threshold:256", Err("threshold: t 256 is out of range 0-255"));
        check("vignette:0+vignette:100", Ok("vignette:0+vignette:100"));
        check("vignette:101", Err("vignette: amount 101 is out of range 0-100"));
        check("pixelate:2+pixelate:1000", Ok("pixelate:2+pixelate:1000"));
        check("pixelate:1", Err("pixelate: n 1 is out of range 2-1000"));
        check("pixelate:1001", Err("pixelate: n 1001 is out of range 2-1000"));
        check("rotate:360+rotate:-360", Ok("rotate:0+rotate:0"));
        check(
            "rotate:360.001",
            Err("rotate: angle 360.001 is out of range -360 to 360"),
        );
        check(
            "rotate:-361",
            Err("rotate: angle -361 is out of range -360 to 360"),
        );
        check("cartoon:1+cartoon:20", Ok("cartoon:1+cartoon:20"));
        check("cartoon:0", Err("cartoon: r 0 is out of range 1-20"));
        check("cartoon:21", Err("cartoon: r 21 is out of range 1-20"));
        check("pencil:0.1+pencil:250", Ok("pencil:0.1+pencil:250"));
        check("pencil:0", Err("pencil: sigma 0 is out of range 0.1-250"));
        check(
            "pencil:250.001",
            Err("pencil: sigma 250.001 is out of range 0.1-250"),
        );
        check("resize:1000000", Ok("resize:1000000"));
        check(
            "resize:1000001",
            Err("resize: size 1000001 is out of range 1-1000000"),
        );
        check("crop:1000000,0,1,1", Ok("crop:1000000,0,1,1"));
        check(
            "crop:0,1000001,1,1",
            Err("crop: y 1000001 is out of range 0-1000000"),
        );
        check(
            "brightness:99999999999999999999",
            Err("brightness: n 99999999999999999999 is out of range -255 to 255"),
        );

        let steps = |n: usize| vec!["sepia"; n].join("+");
        check(&steps(STEPS_MAX), Ok(&steps(STEPS_MAX)));
        check(
            &steps(STEPS_MAX + 1),
            Err("the recipe has 17 steps; at most 16 are allowed"),
        );
        let padded = |len: usize| format!("{:len$}", "sepia");
        check(&padded(RECIPE_BYTES_MAX), Ok("sepia"));
        check(
            &padded(RECIPE_BYTES_MAX + 1),
            Err("the recipe has 257 bytes; at most 256 are allowed"),
        );
    }
}
