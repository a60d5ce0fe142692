//! What can go wrong: with the text of a recipe, and with running one.

use std::fmt::Write as _;

use thiserror::Error;

use crate::limits::{DECIMALS_MAX, PIXELS_MAX, RECIPE_BYTES_MAX, SIDE_MAX, STEPS_MAX};

/// Why a text is not a recipe. Whoever typed it can mend it; [`hint`](RecipeError::hint) says how.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecipeError {
    /// Nothing was written.
    #[error("the recipe is empty")]
    Empty,
    /// More than [`RECIPE_BYTES_MAX`] bytes.
    #[error("the recipe has {bytes} bytes; at most {RECIPE_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// More than [`STEPS_MAX`] steps.
    #[error("the recipe has {steps} steps; at most {STEPS_MAX} are allowed")]
    TooManySteps {
        /// How many it has.
        steps: usize,
    },
    /// Nothing between two `+`, or at an end.
    #[error("step {step} of the recipe is empty")]
    EmptyStep {
        /// Counted from 1.
        step: usize,
    },
    /// A name that is not in the catalog: mistyped, or from a newer program.
    #[error("unknown filter \"{}\"", .name.escape_debug())]
    UnknownFilter {
        /// As it was written.
        name: String,
        /// The nearest name there is, if one is near.
        suggestion: Option<&'static str>,
    },
    /// Too many or too few parameters.
    #[error("{filter} takes {expects}, not {found} of them")]
    Arity {
        /// The filter's name.
        filter: &'static str,
        /// What it takes, in words.
        expects: &'static str,
        /// How many parameters were written.
        found: usize,
    },
    /// A parameter that is no number of the wanted form.
    #[error("{filter}: {parameter} \"{}\" is not {wanted}", .found.escape_debug())]
    NotANumber {
        /// The filter's name.
        filter: &'static str,
        /// The parameter's name.
        parameter: &'static str,
        /// What was wanted, in words.
        wanted: &'static str,
        /// As it was written.
        found: String,
    },
    /// A number outside its range.
    #[error("{filter}: {parameter} {found} is out of range {range}")]
    OutOfRange {
        /// The filter's name.
        filter: &'static str,
        /// The parameter's name.
        parameter: &'static str,
        /// The range, as text: `0.1-50`.
        range: String,
        /// As it was written.
        found: String,
    },
    /// More than [`DECIMALS_MAX`] digits after the point.
    #[error("{filter}: {parameter} {found} has more than {DECIMALS_MAX} decimals")]
    TooPrecise {
        /// The filter's name.
        filter: &'static str,
        /// The parameter's name.
        parameter: &'static str,
        /// As it was written.
        found: String,
    },
    /// A flip that is neither of the two.
    #[error("flip: \"{}\" is not h (left and right) or v (top and bottom)", .found.escape_debug())]
    Direction {
        /// As it was written.
        found: String,
    },
}

impl RecipeError {
    /// What to do about it: one line.
    pub fn hint(&self) -> String {
        match self {
            RecipeError::Empty | RecipeError::EmptyStep { .. } => {
                "write steps joined by +, for example grayscale+blur:2".into()
            }
            RecipeError::TooLong { .. } | RecipeError::TooManySteps { .. } => {
                "split it: filter the result again".into()
            }
            RecipeError::UnknownFilter {
                suggestion: Some(near),
                ..
            } => format!("did you mean {near}?"),
            RecipeError::UnknownFilter { .. } => {
                let mut line = String::from("the filters are");
                for (i, info) in crate::catalog().iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(line, "{comma} {}", info.name).expect("writing to a string cannot fail");
                }
                line
            }
            RecipeError::Direction { .. } => "write flip:h or flip:v".into(),
            RecipeError::Arity { filter, .. }
            | RecipeError::NotANumber { filter, .. }
            | RecipeError::OutOfRange { filter, .. }
            | RecipeError::TooPrecise { filter, .. } => crate::catalog()
                .iter()
                .find(|info| info.name == *filter)
                .map_or_else(String::new, |info| format!("for example {}", info.example)),
        }
    }
}

/// Why a recipe could not be run on a raster.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// A side is zero.
    #[error("the picture is empty ({width}x{height})")]
    Empty {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// More than [`PIXELS_MAX`] pixels, or a side above [`SIDE_MAX`].
    #[error(
        "a picture of {width}x{height} is too large: at most {PIXELS_MAX} pixels and {SIDE_MAX} along a side"
    )]
    TooLarge {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The sample count does not fit the size: a bug of whoever made the raster.
    #[error("the raster holds {found} samples where its size needs {expected}")]
    SampleCount {
        /// What the size needs.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// The rectangle is not inside the picture.
    #[error("crop:{x},{y},{crop_width},{crop_height} reaches outside the picture, which is {width}x{height}")]
    CropOutside {
        /// Left edge of the rectangle.
        x: u32,
        /// Upper edge of the rectangle.
        y: u32,
        /// Width of the rectangle.
        crop_width: u32,
        /// Height of the rectangle.
        crop_height: u32,
        /// Width of the picture at that step.
        width: u32,
        /// Height of the picture at that step.
        height: u32,
    },
    /// The caller's progress function said stop.
    #[error("cancelled")]
    Cancelled,
}
