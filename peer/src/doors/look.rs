//! `preview` and `compare`: the work, in the door's own process. The node only says where verified bytes are.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use codec::{Decoded, Media};
use filters::{Raster, Recipe, Samples};
use tokio_util::sync::CancellationToken;

use super::apply::{filtering, replace, written_as};
use crate::api::{Code, Compare, Compared, Failure, Picture, Previewed, Shown};
use crate::decoder::{self, Decoder};
use crate::explain::Explained as _;
use crate::ui::{Meter, Ui, picture};

/// What was found, and its drawing where one is wanted.
pub type Found<T> = Result<(T, Option<String>), Failure>;

/// What to do with a picture.
pub struct Preview {
    /// The steps.
    pub recipe: Recipe,
    /// Where to write it in full size, if not to be drawn.
    pub out: Option<PathBuf>,
    /// Columns to draw on.
    pub width: Option<u16>,
    /// Whether the picture as it is stands beside it.
    pub beside: bool,
}

/// Filters a picture, and draws or writes what comes out.
///
/// # Errors
/// The bytes cannot be decoded, the recipe does not fit them, the file cannot be written; `usage` saying `cancelled` where
/// `stop` was.
pub async fn preview(shown: Shown, what: Preview, ui: Ui, stop: CancellationToken) -> Found<Previewed> {
    let media = what.out.as_deref().map(written_as).transpose()?;
    let source = picture::decoded(&shown.image, &Decoder::own(), None).await?;
    blocking(move || previewed(&shown, source, &what, media, &ui, &stop)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Found<T> + Send + 'static) -> Found<T> {
    let failed = |_| Failure::new(Code::Internal, "the work failed", "please report this");
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn previewed(
    shown: &Shown,
    source: decoder::Picture,
    what: &Preview,
    media: Option<Media>,
    ui: &Ui,
    stop: &CancellationToken,
) -> Found<Previewed> {
    let source = source.decoded;
    let mut meter = Meter::new(ui);
    let filtered = what.recipe.apply(&source.raster, &mut |at| {
        meter.update(&filtering(at));
        if stop.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    drop(meter);
    let raster = filtered.map_err(|error| error.failure())?;
    let mut told = Previewed {
        album: shown.album.clone(),
        source: shown.image.name.clone(),
        recipe: what.recipe.to_string(),
        width: raster.width,
        height: raster.height,
        small: shown.image.preview,
        path: None,
        size: None,
        damaged: source.damaged,
    };
    if let (Some(out), Some(media)) = (&what.out, media) {
        let encoded = codec::encode_as(media, &raster, &source.metadata).map_err(|e| e.failure())?;
        replace(out, &encoded.bytes)?;
        told.path = Some(out.display().to_string());
        told.size = Some(encoded.bytes.len() as u64);
        return Ok((told, None));
    }
    if ui.json {
        return Ok((told, None));
    }
    let mut all = vec![seen(&raster)?];
    if what.beside {
        all.push(seen(&source.raster)?);
    }
    let drawing = picture::drawing(&all, what.width, 1, ui);
    Ok((told, Some(drawing)))
}

/// Compares two pictures, and draws them with what differs; `out` is written, too.
///
/// # Errors
/// The bytes cannot be decoded; `usage` where their sizes do not fit; the file cannot be written.
pub async fn compare(shown: Shown, out: Option<PathBuf>, width: Option<u16>, ui: Ui) -> Found<Compared> {
    let media = out.as_deref().map(written_as).transpose()?;
    let Some(other) = &shown.source else {
        return Err(Failure::new(
            Code::Internal,
            "there is one image only",
            "please report this",
        ));
    };
    let decoder = Decoder::own();
    let a = picture::decoded(&shown.image, &decoder, None).await?;
    let b = picture::decoded(other, &decoder, Some(&a)).await?;
    blocking(move || compared(&shown, (a, b), (out.as_deref(), media), width, &ui)).await
}

fn compared(
    shown: &Shown,
    (a, b): (decoder::Picture, decoder::Picture),
    (out, media): (Option<&Path>, Option<Media>),
    width: Option<u16>,
    ui: &Ui,
) -> Found<Compared> {
    let (a, b) = (a.decoded, b.decoded);
    let other = shown.source.as_ref().unwrap_or(&shown.image);
    let [of_a, of_b] = [(&a, &shown.image), (&b, other)].map(|(decoded, entry)| side(decoded, entry));
    let (small_a, small_b, scaled) = of_one_size(&shown.image.name, a.raster, &other.name, b.raster)?;
    let found = codec::compare(&small_a, &small_b).map_err(|error| not_compared(&error))?;
    let gain = 255 / found.largest.max(1);
    let difference = brighter(found.difference, gain);
    if let (Some(out), Some(media)) = (out, media) {
        let plain = codec::Metadata::default();
        let encoded = codec::encode_as(media, &difference, &plain).map_err(|e| e.failure())?;
        replace(out, &encoded.bytes)?;
    }
    let [histogram_a, histogram_b] = found.histograms.map(Vec::from);
    let told = Compared {
        album: shown.album.clone(),
        a: Compare {
            histogram: histogram_a,
            ..of_a
        },
        b: Compare {
            histogram: histogram_b,
            ..of_b
        },
        width: small_a.width,
        height: small_a.height,
        scaled,
        identical: found.psnr.is_none(),
        psnr: found.psnr,
        ssim: found.ssim,
        mse: found.mse,
        largest: found.largest,
        differing: found.differing,
        path: out.map(|path| path.display().to_string()),
        gain,
    };
    if ui.json {
        return Ok((told, None));
    }
    let all = [seen(&small_a)?, seen(&small_b)?, seen(&difference)?];
    // The figures and the histograms stand below it.
    let drawing = picture::drawing(&all, width, 22, ui);
    Ok((told, Some(drawing)))
}

fn side(decoded: &Decoded, entry: &Picture) -> Compare {
    Compare {
        name: entry.name.clone(),
        width: decoded.raster.width,
        height: decoded.raster.height,
        recipe: entry.recipe.clone(),
        damaged: decoded.damaged.clone(),
        histogram: Vec::new(),
    }
}

/// Both in the smaller one's size, and whether one had to be scaled. Proportions must agree to the pixel that rounding takes.
fn of_one_size(name_a: &str, a: Raster, name_b: &str, b: Raster) -> Result<(Raster, Raster, bool), Failure> {
    let size = |raster: &Raster| (raster.width, raster.height);
    if size(&a) == size(&b) {
        return Ok((a, b, false));
    }
    let refuse = || {
        let told = |name: &str, raster: &Raster| format!("{name} has {}×{}", raster.width, raster.height);
        let message = format!(
            "{}, {}: their proportions differ, so pixels cannot be held against each other",
            told(name_a, &a),
            told(name_b, &b)
        );
        let hint = "/show NAME --source shows both side by side";
        Failure::new(Code::Usage, message, hint)
    };
    let fit = |large: &Raster, small: &Raster| -> Result<Raster, Failure> {
        let recipe: Recipe = format!("resize:{}x{}", small.width, small.height)
            .parse()
            .map_err(|_| refuse())?;
        let fitted = recipe.apply(large, &mut |_| ControlFlow::Continue(()));
        let fitted = fitted.map_err(|error| error.failure())?;
        (size(&fitted) == size(small))
            .then_some(fitted)
            .ok_or_else(refuse)
    };
    if a.width >= b.width && a.height >= b.height {
        Ok((fit(&a, &b)?, b, true))
    } else if a.width <= b.width && a.height <= b.height {
        let fitted = fit(&b, &a)?;
        Ok((a, fitted, true))
    } else {
        Err(refuse())
    }
}

fn brighter(mut raster: Raster, gain: u8) -> Raster {
    if let Samples::U8(samples) = &mut raster.samples {
        samples
            .iter_mut()
            .for_each(|sample| *sample = sample.saturating_mul(gain));
    }
    raster
}

fn seen(raster: &Raster) -> Result<Raster, Failure> {
    codec::shown(raster).map_err(|error| error.failure())
}

fn not_compared(error: &codec::CompareError) -> Failure {
    Failure::new(Code::Internal, error.to_string(), "please report this")
}

#[cfg(test)]
mod tests {
    use filters::Channels;

    use super::*;

    /// The larger one is scaled where that gives the smaller one's size; else it is said why not.
    #[test]
    fn sizes_that_fit_are_made_equal() {
        let raster = |width: u32, height: u32| {
            let samples = Samples::U8(vec![7; (width * height) as usize]);
            Raster::new(width, height, Channels::Gray, samples).unwrap()
        };
        let check = |a: (u32, u32), b: (u32, u32), expect: Option<((u32, u32), bool)>| {
            let found = of_one_size("a.jpg", raster(a.0, a.1), "b.jpg", raster(b.0, b.1));
            let found = found.map(|(a, b, scaled)| {
                assert_eq!((a.width, a.height), (b.width, b.height));
                ((a.width, a.height), scaled)
            });
            assert_eq!(found.ok(), expect, "{a:?} {b:?}");
        };
        check((40, 30), (40, 30), Some(((40, 30), false)));
        check((80, 60), (40, 30), Some(((40, 30), true)));
        check((40, 30), (80, 60), Some(((40, 30), true)));
        // 41 × 30 to 20 wide is 14.6 high.
        check((41, 30), (20, 15), Some(((20, 15), true)));
        check((40, 30), (30, 40), None);
        check((40, 30), (40, 20), None);
        let refused = of_one_size("a.jpg", raster(4, 3), "b.jpg", raster(3, 4)).unwrap_err();
        assert!(
            refused.message.starts_with("a.jpg has 4×3, b.jpg has 3×4: "),
            "{}",
            refused.message
        );
    }
}
