//! Every limit of this crate, with its unit.

/// Longest recipe text, in bytes.
pub const RECIPE_BYTES_MAX: usize = 256;
/// Most steps in one recipe.
pub const STEPS_MAX: usize = 16;
/// Most pixels a step may take or give: 100 megapixels.
pub const PIXELS_MAX: u64 = 100_000_000;
/// Longest side a step may take or give, in pixels. It bounds the resampling tables, whose size grows with
/// the side and not with the area.
pub const SIDE_MAX: u32 = 1_000_000;
/// Most digits after the decimal point of a parameter: decimals are held as integer thousandths.
pub const DECIMALS_MAX: usize = 3;

/// Brightness, in steps of an 8-bit sample: at most this much up or down.
pub const BRIGHTNESS_MAX: i32 = 255;
/// Contrast, in percent: at most this much up or down.
pub const CONTRAST_MAX: i32 = 100;
/// Smallest Gaussian σ, in thousandths of a pixel.
pub const SIGMA_MIN: u32 = 100;
/// Largest Gaussian σ, in thousandths of a pixel. Memory bounds it: a band of rows and its halo, 12 σ rows
/// in all, are held between the two passes in twice their bytes. The sums would be good to σ 1000: the boxes'
/// weights sum to about (2σ)³, and 31 bits of sample times that must stay below 2⁶⁴.
pub const SIGMA_MAX: u32 = 250_000;
/// Largest radius of `box`, in pixels.
pub const BOX_RADIUS_MAX: u32 = 500;
/// Largest radius of `median`, in pixels.
pub const MEDIAN_RADIUS_MAX: u32 = 50;
/// Largest radius of `oil`, `kuwahara` and `cartoon`, in pixels.
pub const PAINT_RADIUS_MAX: u32 = 20;
/// Fewest bins of brightness of `oil`.
pub const OIL_LEVELS_MIN: u32 = 2;
/// Most bins of brightness of `oil`.
pub const OIL_LEVELS_MAX: u32 = 64;
/// Largest amount of sharpening, in thousandths (1000 adds the lost detail once).
pub const AMOUNT_MAX: u32 = 10_000;
/// Smallest gamma, in thousandths.
pub const GAMMA_MIN: u32 = 100;
/// Largest gamma, in thousandths.
pub const GAMMA_MAX: u32 = 10_000;
/// Largest level in `levels` and `threshold`, in steps of an 8-bit sample.
pub const LEVEL_MAX: u32 = 255;
/// Fewest levels of `posterize`.
pub const POSTERIZE_MIN: u32 = 2;
/// Most levels of `posterize`.
pub const POSTERIZE_MAX: u32 = 64;
/// Darkest vignette, in percent.
pub const VIGNETTE_MAX: u32 = 100;
/// Smallest block of `pixelate`, in pixels along a side.
pub const BLOCK_MIN: u32 = 2;
/// Largest block of `pixelate`, in pixels along a side.
pub const BLOCK_MAX: u32 = 1000;
/// Most that `autolevels` clips at either end, in thousandths of a percent.
pub const CLIP_MAX: u32 = 10_000;
/// Smallest contrast limit of `clahe`, in thousandths.
pub const CLAHE_CLIP_MIN: u32 = 100;
/// Largest contrast limit of `clahe`, in thousandths.
pub const CLAHE_CLIP_MAX: u32 = 40_000;
/// Farthest mean of a or b of `transfer` from gray, in thousandths of a percent; the colours of sRGB are within 32 %.
pub const OPPONENT_MAX: i32 = 50_000;
/// Largest mean of lightness of `transfer`, in thousandths of a percent.
pub const LIGHTNESS_MAX: u32 = 100_000;
/// Largest deviation of `transfer`, in thousandths of a percent: half black and half white has it.
pub const DEVIATION_MAX: u32 = 50_000;
/// Most times that `transfer` stretches a difference, so that the noise of a flat picture stays noise.
pub const STRETCH_MAX: i64 = 4;
/// Most tiles of `clahe` along a side. Memory bounds it: each has a histogram, 256 KiB for 16-bit pictures.
pub const TILES_MAX: u32 = 16;
/// Largest angle of `rotate` either way, in thousandths of a degree.
pub const ANGLE_MAX: i32 = 360_000;
/// Largest number in `crop` and `resize`, in pixels.
pub const LENGTH_MAX: u32 = SIDE_MAX;
