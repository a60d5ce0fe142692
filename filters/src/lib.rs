//! Image filters that give the same bytes on every machine.
//!
//! A [`Recipe`] is a text such as `grayscale+blur:2`; applied to a [`Raster`] it gives another, by integer
//! arithmetic alone: no float, no `libm`, no table made by either. Which pixels come out is therefore part
//! of what a recipe *means*, named by [`PIXEL_ENGINE`] and checked by [`Raster::pixel_hash`].
//!
//! Pure: no file, no clock. It starts no thread; the work is spread over those of the rayon pool it is called
//! in. One filter a file; `chain` streams bands of rows through all steps of a recipe.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod angle;
mod autolevels;
mod binary32;
mod blur;
mod box_mean;
mod boxes;
mod brightness;
mod cartoon;
mod catalog;
mod chain;
mod clahe;
mod contrast;
mod crop;
mod decimal;
mod edges;
mod equalize;
mod error;
mod flip;
mod gamma;
mod gaussian;
pub mod golden;
mod grayscale;
mod histogram;
mod invert;
mod kuwahara;
mod lanczos;
mod levels;
pub mod limits;
mod median;
mod oil;
mod oklab;
mod pencil;
mod pixelate;
mod plan;
mod planes;
mod posterize;
mod premultiply;
mod raster;
mod recipe;
mod resize;
mod rotate;
mod sample;
mod sepia;
mod sharpen;
mod step;
mod survey;
mod threshold;
mod tone;
mod transfer;
mod view;
mod vignette;
mod ycrcb;

pub use angle::Angle;
pub use catalog::{FilterInfo, catalog};
pub use crop::Crop;
pub use error::{FilterError, RecipeError};
pub use flip::Flip;
pub use histogram::Histogram;
pub use levels::Levels;
pub use raster::{Channels, Raster, Samples, Shape};
pub use recipe::{Draft, Progress, Recipe};
pub use resize::Fit;
pub use rotate::Turn;
pub use step::Step;
pub use transfer::Palette;

/// Version of the kernels: changes whenever any filter gives other bytes for any raster.
pub const PIXEL_ENGINE: &str = "calotype-2";
