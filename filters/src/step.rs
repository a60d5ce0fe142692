//! One step of a recipe: which filter with which parameters, its text and its checks.

use std::fmt;

use crate::angle::Angle;
use crate::catalog;
use crate::crop::Crop;
use crate::decimal::{self, NotADecimal, Thousandths};
use crate::error::RecipeError;
use crate::flip::Flip;
use crate::levels::Levels;
use crate::limits::{
    AMOUNT_MAX, ANGLE_MAX, BLOCK_MAX, BLOCK_MIN, BOX_RADIUS_MAX, BRIGHTNESS_MAX, CLAHE_CLIP_MAX,
    CLAHE_CLIP_MIN, CLIP_MAX, CONTRAST_MAX, DEVIATION_MAX, GAMMA_MAX, GAMMA_MIN, LENGTH_MAX, LEVEL_MAX,
    LIGHTNESS_MAX, MEDIAN_RADIUS_MAX, OIL_LEVELS_MAX, OIL_LEVELS_MIN, OPPONENT_MAX, PAINT_RADIUS_MAX,
    POSTERIZE_MAX, POSTERIZE_MIN, SIGMA_MAX, SIGMA_MIN, TILES_MAX, VIGNETTE_MAX,
};
use crate::resize::Fit;
use crate::rotate::Turn;
use crate::transfer::Palette;

/// A filter with its parameters, all within their ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Colour to luma.
    Grayscale,
    /// Brown tone.
    Sepia,
    /// Negative.
    Invert,
    /// Adds this many 8-bit steps.
    Brightness(i32),
    /// Stretches by this many percent.
    Contrast(i32),
    /// Power of the samples; the exponent's inverse, in thousandths.
    Gamma(u32),
    /// Black point, white point and gamma.
    Levels(Levels),
    /// This many levels per channel.
    Posterize(u32),
    /// Black and white, at this luma in 8-bit steps.
    Threshold(u32),
    /// Tones made equally frequent.
    Equalize,
    /// Levels with points from the picture.
    AutoLevels {
        /// What is clipped at either end, in thousandths of a percent.
        clip: u32,
    },
    /// Contrast-limited adaptive equalisation.
    Clahe {
        /// Contrast limit, in thousandths.
        clip: u32,
        /// Tiles along a side.
        tiles: u32,
    },
    /// Colours of another picture.
    Transfer(Palette),
    /// Darkens the corners by this many percent.
    Vignette(u32),
    /// Gaussian blur.
    Blur {
        /// In thousandths of a pixel.
        sigma: u32,
    },
    /// Mean of a square.
    Box {
        /// In pixels: the square's side is twice that and 1.
        radius: u32,
    },
    /// Median of a square.
    Median {
        /// In pixels: the square's side is twice that and 1.
        radius: u32,
    },
    /// The commonest brightness of a square.
    Oil {
        /// In pixels: the square's side is twice that and 1.
        radius: u32,
        /// Bins of brightness.
        levels: u32,
    },
    /// The calmest of four squares.
    Kuwahara {
        /// In pixels: each square's side is that and 1.
        radius: u32,
    },
    /// Flat colours and dark lines.
    Cartoon {
        /// Of the smoothing, in pixels.
        radius: u32,
    },
    /// Gray strokes on white.
    Pencil {
        /// In thousandths of a pixel.
        sigma: u32,
    },
    /// Unsharp mask.
    Sharpen {
        /// In thousandths.
        amount: u32,
        /// In thousandths of a pixel.
        sigma: u32,
    },
    /// Sobel gradient.
    Edges,
    /// Blocks of this many pixels along a side.
    Pixelate(u32),
    /// Mirror image.
    Flip(Flip),
    /// Right angle, clockwise.
    Rotate(Turn),
    /// Any other angle, clockwise.
    RotateBy(Angle),
    /// Rectangle.
    Crop(Crop),
    /// Scale to fit inside.
    Resize(Fit),
}

/// What `autolevels` clips if that is left out: half a percent.
const CLIP_DEFAULT: u32 = 500;
/// The contrast limit of `clahe` if it is left out: 2.
const CLAHE_CLIP_DEFAULT: u32 = 2000;
/// The tiles of `clahe` if they are left out.
const TILES_DEFAULT: u32 = 8;
/// What `levels` takes for gamma if it is left out: 1.
const GAMMA_DEFAULT: u32 = 1000;
/// What `sharpen` takes for a parameter that is left out: 1.
const SHARPEN_DEFAULT: u32 = 1000;
/// The levels of `oil` if they are left out.
const OIL_LEVELS_DEFAULT: u32 = 20;
/// The radius of `cartoon` if it is left out.
const CARTOON_DEFAULT: u32 = 5;
/// The σ of `pencil` if it is left out: 5.
const PENCIL_DEFAULT: u32 = 5000;

/// The name and parameters of one step, as written.
struct Written<'a> {
    filter: &'static str,
    parameters: Vec<&'a str>,
}

impl Step {
    /// Reads `name[:p1[,p2…]]`. Spaces around the parts and the case of letters do not matter.
    pub(crate) fn parse(text: &str) -> Result<Step, RecipeError> {
        let (name, parameters) = match text.split_once(':') {
            Some((name, rest)) => (name.trim(), rest.split(',').map(str::trim).collect()),
            None => (text.trim(), Vec::new()),
        };
        let lower = name.to_ascii_lowercase();
        let info = catalog().iter().find(|info| info.name == lower);
        let filter = info.ok_or_else(|| RecipeError::UnknownFilter {
            name: name.to_owned(),
            suggestion: nearest(&lower),
        })?;
        Written {
            filter: filter.name,
            parameters,
        }
        .step()
    }
}

impl Step {
    /// Whether it maps single pixels, and near colours to near ones.
    pub(crate) fn shows_small(&self) -> bool {
        matches!(
            self,
            Step::Grayscale
                | Step::Sepia
                | Step::Invert
                | Step::Brightness(_)
                | Step::Contrast(_)
                | Step::Gamma(_)
                | Step::Levels(_)
                | Step::Transfer(_)
        )
    }
}

impl Written<'_> {
    fn step(&self) -> Result<Step, RecipeError> {
        let plain = |step| self.count("no parameters", 0..=0).map(|()| step);
        match self.filter {
            "grayscale" => plain(Step::Grayscale),
            "sepia" => plain(Step::Sepia),
            "invert" => plain(Step::Invert),
            "edges" => plain(Step::Edges),
            "equalize" => plain(Step::Equalize),
            "autolevels" => {
                self.count("at most one parameter, CLIP", 0..=1)?;
                let clip = if self.parameters.is_empty() {
                    CLIP_DEFAULT
                } else {
                    self.decimal(0, "clip", 0, CLIP_MAX)?
                };
                Ok(Step::AutoLevels { clip })
            }
            "clahe" => {
                self.count("at most two parameters, CLIP and TILES", 0..=2)?;
                let given = self.parameters.len();
                let clip = if given > 0 {
                    self.decimal(0, "clip", CLAHE_CLIP_MIN, CLAHE_CLIP_MAX)?
                } else {
                    CLAHE_CLIP_DEFAULT
                };
                let tiles = if given > 1 {
                    self.whole(1, "tiles", 1, TILES_MAX)?
                } else {
                    TILES_DEFAULT
                };
                Ok(Step::Clahe { clip, tiles })
            }
            "brightness" => {
                self.count("one parameter, N", 1..=1)?;
                Ok(Step::Brightness(self.signed(BRIGHTNESS_MAX)?))
            }
            "contrast" => {
                self.count("one parameter, N", 1..=1)?;
                Ok(Step::Contrast(self.signed(CONTRAST_MAX)?))
            }
            "gamma" => {
                self.count("one parameter, G", 1..=1)?;
                Ok(Step::Gamma(self.decimal(0, "g", GAMMA_MIN, GAMMA_MAX)?))
            }
            "levels" => {
                self.count("two or three parameters, BLACK,WHITE and GAMMA", 2..=3)?;
                let black = self.whole(0, "black", 0, LEVEL_MAX - 1)?;
                Ok(Step::Levels(Levels {
                    black,
                    white: self.whole(1, "white", black + 1, LEVEL_MAX)?,
                    gamma: if self.parameters.len() > 2 {
                        self.decimal(2, "gamma", GAMMA_MIN, GAMMA_MAX)?
                    } else {
                        GAMMA_DEFAULT
                    },
                }))
            }
            "posterize" => {
                self.count("one parameter, N", 1..=1)?;
                Ok(Step::Posterize(self.whole(
                    0,
                    "n",
                    POSTERIZE_MIN,
                    POSTERIZE_MAX,
                )?))
            }
            "threshold" => {
                self.count("one parameter, T", 1..=1)?;
                Ok(Step::Threshold(self.whole(0, "t", 0, LEVEL_MAX)?))
            }
            "vignette" => {
                self.count("one parameter, AMOUNT", 1..=1)?;
                Ok(Step::Vignette(self.whole(0, "amount", 0, VIGNETTE_MAX)?))
            }
            "transfer" => {
                self.count("six parameters, L,A,B,DL,DA,DB", 6..=6)?;
                let deviation = |i: usize, name| self.decimal(i, name, 0, DEVIATION_MAX);
                Ok(Step::Transfer(Palette {
                    mean: [
                        self.decimal(0, "l", 0, LIGHTNESS_MAX)? as i32,
                        self.signed_decimal(1, "a", OPPONENT_MAX)?,
                        self.signed_decimal(2, "b", OPPONENT_MAX)?,
                    ],
                    deviation: [deviation(3, "dl")?, deviation(4, "da")?, deviation(5, "db")?],
                }))
            }
            "pixelate" => {
                self.count("one parameter, N", 1..=1)?;
                Ok(Step::Pixelate(self.whole(0, "n", BLOCK_MIN, BLOCK_MAX)?))
            }
            "flip" => {
                self.count("one parameter, h or v", 1..=1)?;
                match self.parameters[0] {
                    "h" | "H" => Ok(Step::Flip(Flip::Horizontal)),
                    "v" | "V" => Ok(Step::Flip(Flip::Vertical)),
                    other => Err(RecipeError::Direction {
                        found: other.to_owned(),
                    }),
                }
            }
            "blur" => {
                self.count("one parameter, SIGMA", 1..=1)?;
                Ok(Step::Blur {
                    sigma: self.decimal(0, "sigma", SIGMA_MIN, SIGMA_MAX)?,
                })
            }
            "box" => {
                self.count("one parameter, R", 1..=1)?;
                let radius = self.whole(0, "r", 1, BOX_RADIUS_MAX)?;
                Ok(Step::Box { radius })
            }
            "median" => {
                self.count("one parameter, R", 1..=1)?;
                let radius = self.whole(0, "r", 1, MEDIAN_RADIUS_MAX)?;
                Ok(Step::Median { radius })
            }
            "oil" => {
                self.count("one or two parameters, R and LEVELS", 1..=2)?;
                let radius = self.whole(0, "r", 1, PAINT_RADIUS_MAX)?;
                let levels = if self.parameters.len() > 1 {
                    self.whole(1, "levels", OIL_LEVELS_MIN, OIL_LEVELS_MAX)?
                } else {
                    OIL_LEVELS_DEFAULT
                };
                Ok(Step::Oil { radius, levels })
            }
            "kuwahara" => {
                self.count("one parameter, R", 1..=1)?;
                let radius = self.whole(0, "r", 1, PAINT_RADIUS_MAX)?;
                Ok(Step::Kuwahara { radius })
            }
            "cartoon" => {
                self.count("at most one parameter, R", 0..=1)?;
                let radius = match self.parameters.len() {
                    0 => CARTOON_DEFAULT,
                    _ => self.whole(0, "r", 1, PAINT_RADIUS_MAX)?,
                };
                Ok(Step::Cartoon { radius })
            }
            "pencil" => {
                self.count("at most one parameter, SIGMA", 0..=1)?;
                let sigma = match self.parameters.len() {
                    0 => PENCIL_DEFAULT,
                    _ => self.decimal(0, "sigma", SIGMA_MIN, SIGMA_MAX)?,
                };
                Ok(Step::Pencil { sigma })
            }
            "sharpen" => {
                self.count("at most two parameters, AMOUNT and SIGMA", 0..=2)?;
                let given = self.parameters.len();
                let amount = if given > 0 {
                    self.decimal(0, "amount", 0, AMOUNT_MAX)?
                } else {
                    SHARPEN_DEFAULT
                };
                let sigma = if given > 1 {
                    self.decimal(1, "sigma", SIGMA_MIN, SIGMA_MAX)?
                } else {
                    SHARPEN_DEFAULT
                };
                Ok(Step::Sharpen { amount, sigma })
            }
            "rotate" => {
                self.count("one parameter, DEG", 1..=1)?;
                let thousandths = self.signed_decimal(0, "angle", ANGLE_MAX)?;
                Ok(match thousandths.rem_euclid(ANGLE_MAX) {
                    90_000 => Step::Rotate(Turn::Quarter),
                    180_000 => Step::Rotate(Turn::Half),
                    270_000 => Step::Rotate(Turn::ThreeQuarters),
                    _ => Step::RotateBy(Angle::new(thousandths)),
                })
            }
            "crop" => {
                self.count("four parameters, X,Y,W,H", 4..=4)?;
                let number = |i: usize, name, min| self.length(name, self.parameters[i], min);
                Ok(Step::Crop(Crop {
                    x: number(0, "x", 0)?,
                    y: number(1, "y", 0)?,
                    width: number(2, "width", 1)?,
                    height: number(3, "height", 1)?,
                }))
            }
            "resize" => {
                self.count("one parameter, LONGSIDE or WxH", 1..=1)?;
                let size = self.parameters[0];
                let (width, height) = size.split_once(['x', 'X']).unwrap_or((size, size));
                Ok(Step::Resize(Fit {
                    width: self.length("size", width, 1)?,
                    height: self.length("size", height, 1)?,
                }))
            }
            other => unreachable!("{other} is in the catalog but is not read here"),
        }
    }

    fn count(
        &self,
        expects: &'static str,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> Result<(), RecipeError> {
        let found = self.parameters.len();
        if allowed.contains(&found) {
            return Ok(());
        }
        Err(RecipeError::Arity {
            filter: self.filter,
            expects,
            found,
        })
    }

    fn signed(&self, most: i32) -> Result<i32, RecipeError> {
        let text = self.parameters[0];
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.not_a_number("n", "a whole number", text));
        }
        text.parse::<i32>()
            .ok()
            .filter(|n| (-most..=most).contains(n))
            .ok_or_else(|| self.out_of_range("n", format!("-{most} to {most}"), text))
    }

    fn decimal(&self, i: usize, name: &'static str, min: u32, max: u32) -> Result<u32, RecipeError> {
        let text = self.parameters[i];
        let value = self.thousandths(name, text, text)?;
        if (min..=max).contains(&value) {
            return Ok(value);
        }
        Err(self.out_of_range(name, format!("{}-{}", Thousandths(min), Thousandths(max)), text))
    }

    /// A number of either sign, in thousandths.
    fn signed_decimal(&self, i: usize, name: &'static str, most: i32) -> Result<i32, RecipeError> {
        let text = self.parameters[i];
        let size = self.thousandths(name, text.strip_prefix('-').unwrap_or(text), text)?;
        let size = i32::try_from(size).ok().filter(|size| *size <= most);
        let most = Thousandths(most.unsigned_abs());
        let size = size.ok_or_else(|| self.out_of_range(name, format!("-{most} to {most}"), text))?;
        Ok(if text.starts_with('-') { -size } else { size })
    }

    /// Thousandths of `digits`, which stands in `text`.
    fn thousandths(&self, name: &'static str, digits: &str, text: &str) -> Result<u32, RecipeError> {
        decimal::parse(digits).map_err(|err| match err {
            NotADecimal::Form => self.not_a_number(name, "a number like 2 or 0.5", text),
            NotADecimal::TooPrecise => RecipeError::TooPrecise {
                filter: self.filter,
                parameter: name,
                found: text.to_owned(),
            },
        })
    }

    fn whole(&self, i: usize, name: &'static str, min: u32, max: u32) -> Result<u32, RecipeError> {
        self.digits(name, "a whole number", self.parameters[i], min, max)
    }

    fn length(&self, name: &'static str, text: &str, min: u32) -> Result<u32, RecipeError> {
        self.digits(name, "a whole number of pixels", text.trim(), min, LENGTH_MAX)
    }

    fn digits(
        &self,
        name: &'static str,
        wanted: &'static str,
        text: &str,
        min: u32,
        max: u32,
    ) -> Result<u32, RecipeError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.not_a_number(name, wanted, text));
        }
        text.parse::<u32>()
            .ok()
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| self.out_of_range(name, format!("{min}-{max}"), text))
    }

    fn not_a_number(&self, parameter: &'static str, wanted: &'static str, found: &str) -> RecipeError {
        RecipeError::NotANumber {
            filter: self.filter,
            parameter,
            wanted,
            found: found.to_owned(),
        }
    }

    fn out_of_range(&self, parameter: &'static str, range: String, found: &str) -> RecipeError {
        RecipeError::OutOfRange {
            filter: self.filter,
            parameter,
            range,
            found: found.to_owned(),
        }
    }
}

/// The filter whose name is fewest edits away, if that is at most a third of the name's length.
fn nearest(name: &str) -> Option<&'static str> {
    let begins = |known: &str| name.len() >= 3 && known.starts_with(name);
    let candidates = catalog().iter().map(|info| (edits(name, info.name), info.name));
    let near = candidates.filter(|(distance, known)| distance * 3 <= known.len() || begins(known));
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Levenshtein's distance, in bytes, with a swap of neighbours as one edit (Damerau, each byte edited once).
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let substituted = row[j] + usize::from(a[i] != b[j]);
            let mut best = substituted.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            next[j + 1] = best;
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// The canonical text: lower case, no spaces, no needless zeros, every parameter except trailing ones that
/// are at their default, and `resize` with one number if both sides are equal.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Step::Grayscale => f.write_str("grayscale"),
            Step::Sepia => f.write_str("sepia"),
            Step::Invert => f.write_str("invert"),
            Step::Brightness(steps) => write!(f, "brightness:{steps}"),
            Step::Contrast(percent) => write!(f, "contrast:{percent}"),
            Step::Gamma(gamma) => write!(f, "gamma:{}", Thousandths(gamma)),
            Step::Levels(Levels { black, white, gamma }) => {
                write!(f, "levels:{black},{white}")?;
                if gamma == GAMMA_DEFAULT {
                    return Ok(());
                }
                write!(f, ",{}", Thousandths(gamma))
            }
            Step::Posterize(levels) => write!(f, "posterize:{levels}"),
            Step::Threshold(threshold) => write!(f, "threshold:{threshold}"),
            Step::Equalize => f.write_str("equalize"),
            Step::AutoLevels { clip: CLIP_DEFAULT } => f.write_str("autolevels"),
            Step::AutoLevels { clip } => write!(f, "autolevels:{}", Thousandths(clip)),
            Step::Clahe {
                clip: CLAHE_CLIP_DEFAULT,
                tiles: TILES_DEFAULT,
            } => f.write_str("clahe"),
            Step::Clahe {
                clip,
                tiles: TILES_DEFAULT,
            } => write!(f, "clahe:{}", Thousandths(clip)),
            Step::Clahe { clip, tiles } => write!(f, "clahe:{},{tiles}", Thousandths(clip)),
            Step::Transfer(palette) => write!(f, "transfer:{palette}"),
            Step::Vignette(percent) => write!(f, "vignette:{percent}"),
            Step::Blur { sigma } => write!(f, "blur:{}", Thousandths(sigma)),
            Step::Box { radius } => write!(f, "box:{radius}"),
            Step::Median { radius } => write!(f, "median:{radius}"),
            Step::Oil {
                radius,
                levels: OIL_LEVELS_DEFAULT,
            } => write!(f, "oil:{radius}"),
            Step::Oil { radius, levels } => write!(f, "oil:{radius},{levels}"),
            Step::Kuwahara { radius } => write!(f, "kuwahara:{radius}"),
            Step::Cartoon {
                radius: CARTOON_DEFAULT,
            } => f.write_str("cartoon"),
            Step::Cartoon { radius } => write!(f, "cartoon:{radius}"),
            Step::Pencil {
                sigma: PENCIL_DEFAULT,
            } => f.write_str("pencil"),
            Step::Pencil { sigma } => write!(f, "pencil:{}", Thousandths(sigma)),
            Step::Sharpen {
                amount: SHARPEN_DEFAULT,
                sigma: SHARPEN_DEFAULT,
            } => f.write_str("sharpen"),
            Step::Sharpen {
                amount,
                sigma: SHARPEN_DEFAULT,
            } => {
                write!(f, "sharpen:{}", Thousandths(amount))
            }
            Step::Sharpen { amount, sigma } => {
                write!(f, "sharpen:{},{}", Thousandths(amount), Thousandths(sigma))
            }
            Step::Edges => f.write_str("edges"),
            Step::Pixelate(side) => write!(f, "pixelate:{side}"),
            Step::Flip(flip) => write!(f, "flip:{}", flip.letter()),
            Step::Rotate(turn) => write!(f, "rotate:{}", turn.degrees()),
            Step::RotateBy(angle) => write!(f, "rotate:{angle}"),
            Step::Crop(Crop { x, y, width, height }) => write!(f, "crop:{x},{y},{width},{height}"),
            Step::Resize(Fit { width, height }) if width == height => write!(f, "resize:{width}"),
            Step::Resize(Fit { width, height }) => write!(f, "resize:{width}x{height}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogs_examples_are_steps_in_canonical_text() {
        for info in catalog() {
            assert!(info.example.starts_with(info.name));
            if info.name == "transfer" {
                // It names a picture, which only a draft may.
                continue;
            }
            let step = Step::parse(info.example).expect(info.example);
            assert_eq!(step.to_string(), info.example);
        }
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(nearest("greyscale"), Some("grayscale"));
        assert_eq!(nearest("blurr"), Some("blur"));
        assert_eq!(nearest("sharp"), Some("sharpen"));
        assert_eq!(nearest("sepai"), Some("sepia"));
        assert_eq!(nearest("equalise"), Some("equalize"));
        assert_eq!(nearest("bright"), Some("brightness"));
        assert_eq!(nearest("watercolor"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("sepai", "sepia"), 1);
        assert_eq!((edits("", "ab"), edits("ab", "")), (2, 2));
    }
}
