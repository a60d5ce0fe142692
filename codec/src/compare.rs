//! How much two pictures of one size differ: PSNR, SSIM, histograms, and the difference as a picture.
//!
//! Both are taken as they are shown: 8 bits, transparency on white. Every sum runs in a fixed order over additions,
//! multiplications and divisions of IEEE 754 alone, so the figures are the same on every machine; the one logarithm is
//! rounded to four decimals.

use std::ops::ControlFlow;

use filters::{Channels, Raster, Recipe, Samples};
use thiserror::Error;

use crate::flat;

/// Side of the window of SSIM, in pixels: no smaller picture has one.
pub const SSIM_WINDOW: u32 = 11;

/// The Gaussian of σ = 1.5 at −5 to 5, divided by its sum; the window is its product with itself (Wang et al. 2004, §III-B).
/// Written out, since `exp` is not the same everywhere.
#[allow(clippy::excessive_precision)]
const WINDOW: [f64; SSIM_WINDOW as usize] = [
    0.001_028_380_084_479_109_9,
    0.007_598_758_135_239_184,
    0.036_000_772_128_430_82,
    0.109_360_689_509_700_02,
    0.213_005_537_711_253_7,
    0.266_011_724_861_794_36,
    0.213_005_537_711_253_7,
    0.109_360_689_509_700_02,
    0.036_000_772_128_430_82,
    0.007_598_758_135_239_184,
    0.001_028_380_084_479_109_9,
];
/// (K1 · L)², K1 = 0.01, L = 255.
const C1: f64 = 6.5025;
/// (K2 · L)², K2 = 0.03.
const C2: f64 = 58.5225;

/// What two pictures of one size have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Mean of the squared differences of all red, green and blue samples, of 255.
    pub mse: f64,
    /// Peak signal-to-noise ratio, 10 · log₁₀(255² / MSE), in decibels; `None` where nothing differs.
    pub psnr: Option<f64>,
    /// Structural similarity, −1 to 1, of the luma; `None` where a side is below [`SSIM_WINDOW`].
    pub ssim: Option<f64>,
    /// The largest difference of two samples, 0 to 255.
    pub largest: u8,
    /// Pixels that differ.
    pub differing: u64,
    /// Of the luma, 256 bins each.
    pub histograms: [[u64; 256]; 2],
    /// |a − b| of each red, green and blue sample.
    pub difference: Raster,
}

/// Why two pictures cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompareError {
    /// Their sizes differ.
    #[error("one is {}×{}, the other {}×{}", .a.0, .a.1, .b.0, .b.1)]
    Sizes {
        /// Width and height.
        a: (u32, u32),
        /// Width and height.
        b: (u32, u32),
    },
    /// A raster contradicts itself: a bug of whoever made it.
    #[error(transparent)]
    Raster(#[from] filters::FilterError),
}

/// A picture as it is shown: 8 bits, red, green and blue, transparency on white.
///
/// # Errors
/// [`filters::FilterError`], if the raster contradicts itself.
pub fn shown(raster: &Raster) -> Result<Raster, filters::FilterError> {
    let mut samples = flat::opaque(raster).into_owned();
    if raster.channels.colors() == 1 {
        samples = samples.iter().flat_map(|gray| [*gray; 3]).collect();
    }
    Raster::new(raster.width, raster.height, Channels::Rgb, Samples::U8(samples))
}

/// Compares two pictures of one size.
///
/// PSNR is of the red, green and blue samples. SSIM is Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality
/// assessment: from error visibility to structural similarity", IEEE Transactions on Image Processing 13(4), 2004: the mean
/// over all whole 11 × 11 windows, weighted by a Gaussian of σ = 1.5, with K1 = 0.01 and K2 = 0.03, of the luma that the
/// filter `grayscale` makes; nothing is scaled down before.
///
/// # Errors
/// [`CompareError`]: the sizes differ, or a raster contradicts itself.
pub fn compare(a: &Raster, b: &Raster) -> Result<Comparison, CompareError> {
    if (a.width, a.height) != (b.width, b.height) {
        return Err(CompareError::Sizes {
            a: (a.width, a.height),
            b: (b.width, b.height),
        });
    }
    let (a, b) = (shown(a)?, shown(b)?);
    let (left, right) = (bytes(&a), bytes(&b));
    let difference: Vec<u8> = left.iter().zip(right).map(|(a, b)| a.abs_diff(*b)).collect();
    let square = |d: &u8| u64::from(*d) * u64::from(*d);
    let sum: u64 = difference.iter().map(square).sum();
    let mse = sum as f64 / difference.len() as f64;
    let psnr = (sum > 0).then(|| (10.0 * (255.0 * 255.0 / mse).log10() * 1e4).round() / 1e4);
    let luma = [luma(&a)?, luma(&b)?];
    let [ya, yb] = [bytes(&luma[0]), bytes(&luma[1])];
    Ok(Comparison {
        mse,
        psnr,
        ssim: ssim(ya, yb, a.width as usize),
        largest: difference.iter().copied().max().unwrap_or(0),
        differing: difference
            .chunks_exact(3)
            .filter(|pixel| **pixel != [0; 3])
            .count() as u64,
        histograms: [histogram(ya), histogram(yb)],
        difference: Raster {
            samples: Samples::U8(difference),
            ..a
        },
    })
}

fn bytes(raster: &Raster) -> &[u8] {
    match &raster.samples {
        Samples::U8(samples) => samples,
        Samples::U16(_) => &[],
    }
}

fn luma(shown: &Raster) -> Result<Raster, filters::FilterError> {
    let recipe: Recipe = "grayscale".parse().expect("a filter that there is");
    recipe.apply(shown, &mut |_| ControlFlow::Continue(()))
}

fn histogram(samples: &[u8]) -> [u64; 256] {
    let mut bins = [0; 256];
    samples.iter().for_each(|sample| bins[usize::from(*sample)] += 1);
    bins
}

/// The window's weighted sums of a row: of a, b, a², b² and ab at each place where the window lies within.
type Sums = [Vec<f64>; 5];

/// The mean of SSIM over all windows that lie within; rows are summed one by one, so a picture of any size needs eleven.
fn ssim(a: &[u8], b: &[u8], width: usize) -> Option<f64> {
    let side = SSIM_WINDOW as usize;
    let places = (width + 1).checked_sub(side).filter(|n| *n > 0)?;
    let rows = (a.len() / width + 1).checked_sub(side).filter(|n| *n > 0)?;
    let mut ring: Vec<Sums> = (0..side).map(|_| Sums::default()).collect();
    let mut total = 0.0;
    for (y, (a, b)) in a.chunks_exact(width).zip(b.chunks_exact(width)).enumerate() {
        across(a, b, places, &mut ring[y % side]);
        if y + 1 < side {
            continue;
        }
        let mut down: Sums = std::array::from_fn(|_| vec![0.0; places]);
        for (k, weight) in WINDOW.iter().enumerate() {
            let row = &ring[(y + 1 + k) % side];
            for (sum, row) in down.iter_mut().zip(row) {
                sum.iter_mut()
                    .zip(row)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
        }
        let [ma, mb, aa, bb, ab] = &down;
        let mut line = 0.0;
        for x in 0..places {
            let (ma, mb) = (ma[x], mb[x]);
            let (va, vb, cov) = (aa[x] - ma * ma, bb[x] - mb * mb, ab[x] - ma * mb);
            let like = (2.0 * ma * mb + C1) * (2.0 * cov + C2);
            line += like / ((ma * ma + mb * mb + C1) * (va + vb + C2));
        }
        total += line;
    }
    Some(total / (places * rows) as f64)
}

fn across(a: &[u8], b: &[u8], places: usize, sums: &mut Sums) {
    let float = |row: &[u8]| row.iter().map(|sample| f64::from(*sample)).collect::<Vec<_>>();
    let (a, b) = (float(a), float(b));
    let times = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<_>>();
    let rows = [times(&a, &a), times(&b, &b), times(&a, &b)];
    let [aa, bb, ab] = &rows;
    for (sum, row) in sums.iter_mut().zip([&a, &b, aa, bb, ab]) {
        sum.clear();
        sum.resize(places, 0.0);
        for (k, weight) in WINDOW.iter().enumerate() {
            sum.iter_mut()
                .zip(&row[k..])
                .for_each(|(sum, value)| *sum += weight * value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: u32, height: u32, at: impl Fn(u32, u32) -> u32) -> Raster {
        let samples = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let samples = samples.map(|(x, y)| at(x, y) as u8).collect();
        Raster::new(width, height, Channels::Gray, Samples::U8(samples)).unwrap()
    }

    /// The figures are of another program: SSIM by its definition in Python, with `math.exp` and `math.fsum` over the 121 pixels
    /// of each window, variances as sums of squared distances from the mean, nothing separated or kept between windows.
    #[test]
    fn figures_of_an_independent_computation() {
        let a = gray(24, 20, |x, y| (x * 7 + y * 13) % 256);
        let b = gray(24, 20, |x, y| ((x * 7 + y * 13) % 256 + x * y * 5 % 31).min(255));
        let found = compare(&a, &b).unwrap();
        assert_eq!((found.largest, found.differing), (30, 435));
        assert!((found.mse - 276.804_166_666_666_7).abs() < 1e-12, "{}", found.mse);
        assert_eq!(found.psnr, Some(23.7091));
        assert!(
            (found.ssim.unwrap() - 0.958_054_646_474_739_4).abs() < 1e-9,
            "{:?}",
            found.ssim
        );
        let other = compare(&b, &a).unwrap();
        assert_eq!((other.psnr, other.ssim), (found.psnr, found.ssim));
        assert_eq!(other.histograms, [found.histograms[1], found.histograms[0]]);
    }

    /// Known by arithmetic: all samples one apart are 48.1308 dB; flat pictures have no structure to lose, so what is left of
    /// SSIM is the luminance term (2ab + C1) / (a² + b² + C1).
    #[test]
    fn figures_known_by_arithmetic() {
        let flat = |value| gray(16, 16, move |_, _| value);
        let one = compare(&flat(100), &flat(101)).unwrap();
        assert_eq!((one.mse, one.psnr), (1.0, Some(48.1308)));
        let far = compare(&flat(0), &flat(255)).unwrap();
        assert_eq!(far.psnr, Some(0.0));
        let expect = C1 / (255.0 * 255.0 + C1);
        assert!((far.ssim.unwrap() - expect).abs() < 1e-9, "{:?}", far.ssim);
        assert_eq!((far.histograms[0][0], far.histograms[1][255]), (256, 256));
        assert!((WINDOW.iter().sum::<f64>() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn what_is_equal_has_no_ratio_and_what_is_small_no_windows() {
        let a = gray(11, 11, |x, y| x * y);
        let same = compare(&a, &a).unwrap();
        assert_eq!((same.psnr, same.mse, same.ssim), (None, 0.0, Some(1.0)));
        assert_eq!((same.largest, same.differing), (0, 0));
        let narrow = gray(10, 40, |x, y| x + y);
        assert_eq!(compare(&narrow, &narrow).unwrap().ssim, None);
        let low = gray(40, 10, |x, y| x + y);
        assert_eq!(compare(&low, &low).unwrap().ssim, None);
        assert_eq!(
            compare(&narrow, &low).unwrap_err(),
            CompareError::Sizes {
                a: (10, 40),
                b: (40, 10)
            }
        );
    }

    /// Depth, gray and transparency are compared as they are shown.
    #[test]
    fn all_kinds_are_compared_as_shown() {
        let gray8 = gray(12, 12, |x, y| x * 20 + y);
        let Samples::U8(samples) = &gray8.samples else {
            panic!()
        };
        let wide = samples.iter().map(|s| u16::from(*s) * 257).collect();
        let gray16 = Raster::new(12, 12, Channels::Gray, Samples::U16(wide)).unwrap();
        let clear = samples.iter().flat_map(|s| [*s, *s, *s, 255]).collect();
        let rgba = Raster::new(12, 12, Channels::Rgba, Samples::U8(clear)).unwrap();
        assert_eq!(compare(&gray16, &rgba).unwrap().psnr, None);
        let glass = samples.iter().flat_map(|s| [*s, 0]).collect();
        let glass = Raster::new(12, 12, Channels::GrayAlpha, Samples::U8(glass)).unwrap();
        assert_eq!(compare(&glass, &gray(12, 12, |_, _| 255)).unwrap().psnr, None);
        let broken = Raster {
            samples: Samples::U8(vec![0; 5]),
            ..gray8.clone()
        };
        assert!(compare(&broken, &gray8).is_err());
        assert!(
            compare(
                &Raster {
                    width: 0,
                    ..gray8.clone()
                },
                &Raster { width: 0, ..gray8 }
            )
            .is_err()
        );
    }
}
