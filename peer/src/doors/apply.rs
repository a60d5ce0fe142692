//! `apply`: a recipe from file to file, without a node; the file is decoded by a process of its own.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use codec::Media;
use filters::{Draft, Palette, Progress, Recipe, RecipeError};
use tokio_util::sync::CancellationToken;

use super::interrupt::Interrupt;
use super::{CANCELLED, Here, ended, failed};
use crate::api::{self, Applied, Code, Failure, Reply};
use crate::cmd::apply::Apply;
use crate::cmd::names::Spelling;
use crate::cmd::paths;
use crate::decoder::child::Memory;
use crate::decoder::{Decoder, Picture};
use crate::exact;
use crate::explain::{self, Explained as _};
use crate::ui::{Meter, Ui};

/// Applies; the exit code.
pub fn run(here: &Here, flags: &Apply) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let at = here.context(&here.each);
    let [from, to] = [&flags.from, &flags.to].map(|path| paths::absolute(path, &at));
    let (text, strip_gps) = (flags.recipe.clone(), flags.strip_gps);
    let (threads, tile) = (flags.threads, flags.tile);
    let stop = CancellationToken::new();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0) as usize);
    let pool = match pool.build() {
        Ok(pool) => pool,
        Err(error) => {
            let message = format!("cannot start threads: {error}");
            return failed(&ui, &Failure::new(Code::Internal, message, "try fewer --threads"));
        }
    };
    let code = runtime.block_on(async move {
        let mut interrupt = match Interrupt::listen() {
            Ok(interrupt) => interrupt,
            Err(failure) => return failed(&ui, &failure),
        };
        let work = apply((&from, strip_gps), &to, &text, (pool, tile), ui, &stop);
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            () = interrupt.pressed() => {
                stop.cancel();
                // It stops between two bands, and leaves no file behind.
                work.await
            }
        };
        match done {
            Ok(Some(applied)) => ended(ui.reply(&Reply::Applied(applied))),
            Ok(None) => CANCELLED,
            Err(failure) => failed(&ui, &failure),
        }
    });
    runtime.shutdown_background();
    code
}

/// Nothing where it was stopped.
async fn apply(
    (from, strip_gps): (&Path, bool),
    to: &Path,
    recipe: &str,
    (pool, tile): (rayon::ThreadPool, Option<u32>),
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Option<Applied>, Failure> {
    let draft: Draft = recipe.parse().map_err(|error: RecipeError| error.failure())?;
    let media = written_as(to)?;
    let decoder = Decoder::own();
    let mut palettes = Vec::new();
    for path in draft.styles() {
        let style = tokio::select! {
            picture = picture(&decoder, Path::new(path), false) => picture?.0.decoded.raster,
            () = stop.cancelled() => return Ok(None),
        };
        let palette = blocking(move || Palette::of(&style)).await?;
        palettes.push(palette.map_err(|error| error.failure_of(path))?);
    }
    let mut palettes = palettes.into_iter();
    // One for each, in order.
    let recipe = draft.finish(|_| palettes.next().ok_or(RecipeError::Empty));
    let recipe = recipe.map_err(|error| error.failure())?;
    let (source, decode_ms) = tokio::select! {
        picture = picture(&decoder, from, strip_gps) => picture?,
        () = stop.cancelled() => return Ok(None),
    };
    let (to, stop) = (to.to_path_buf(), stop.clone());
    blocking(move || pool.install(|| filter(source, decode_ms, &to, media, (&recipe, tile), &ui, &stop)))
        .await?
}

/// A picture of a file, and how long its decoding took, in milliseconds.
async fn picture(decoder: &Decoder, from: &Path, strip_gps: bool) -> Result<(Picture, f64), Failure> {
    let (path, most) = (from.to_path_buf(), decoder.limits().codec.file_bytes_max);
    let named = |failure: Failure| Failure {
        message: format!("{}: {failure}", from.display()),
        ..failure
    };
    let bytes = blocking(move || explain::read(&path, most))
        .await?
        .map_err(named)?;
    let bytes = if strip_gps {
        let limits = decoder.limits().codec;
        let without = codec::without_location(&bytes, &limits);
        let without = without.map_err(|error| error.failure_of(from.display()))?;
        without.unwrap_or(bytes)
    } else {
        bytes
    };

    let started = Instant::now();
    let picture = decoder.pixels(&bytes).await;
    let picture = picture.map_err(|error| error.failure_of(from.display()))?;
    Ok((picture, ms(started)))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let failed = |_| Failure::new(Code::Internal, "the work failed", "please report this");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

/// What is done in this process.
fn filter(
    source: Picture,
    decode_ms: f64,
    to: &Path,
    media: Media,
    (recipe, tile): (&Recipe, Option<u32>),
    ui: &Ui,
    stop: &CancellationToken,
) -> Result<Option<Applied>, Failure> {
    let Picture {
        decoded: source,
        peak_bytes: decoder_peak,
        ..
    } = source;
    let pixel_engine = codec::pixel_engine(source.probe.media);
    let exact = exact::here();
    exact.check(&pixel_engine).map_err(|error| error.failure())?;
    let started = Instant::now();
    let mut meter = Meter::new(ui);
    let mut tell = |at| {
        meter.update(&filtering(at));
        if stop.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let result = match tile {
        Some(rows) => recipe.apply_in_bands(&source.raster, rows, &mut tell),
        None => recipe.apply(&source.raster, &mut tell),
    };
    drop(meter);
    let result = match result {
        Err(filters::FilterError::Cancelled) => return Ok(None),
        result => result.map_err(|error| error.failure())?,
    };
    let filter_ms = ms(started);
    let megapixels = f64::from(source.raster.width) * f64::from(source.raster.height) / 1e6;

    let started = Instant::now();
    let encoded = codec::encode_as(media, &result, &source.metadata);
    let encoded = encoded.map_err(|error| error.failure())?;
    exact.check(encoded.encoder).map_err(|error| error.failure())?;
    let encode_ms = ms(started);
    if stop.is_cancelled() {
        return Ok(None);
    }
    replace(to, &encoded.bytes)?;
    Ok(Some(Applied {
        path: to.display().to_string(),
        size: encoded.bytes.len() as u64,
        recipe: recipe.to_string(),
        width: result.width,
        height: result.height,
        megapixels,
        pixel_hash: blake3::Hash::from_bytes(result.pixel_hash()).to_hex().to_string(),
        pixel_engine,
        encoder: encoded.encoder.to_owned(),
        damaged: source.damaged,
        decode_ms,
        filter_ms,
        encode_ms,
        peak_bytes: Memory::of_this_process().peak().max(decoder_peak),
    }))
}

fn ms(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

/// Rows filtered, for the meter.
pub(super) fn filtering(at: Progress) -> api::Progress {
    api::Progress {
        doing: "filtering".into(),
        done: at.done,
        total: at.total,
        unit: "rows".into(),
    }
}

/// The kind of file that a name asks for.
pub(super) fn written_as(to: &Path) -> Result<Media, Failure> {
    let ending = to.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("png") => Ok(Media::Png),
        Some("jpg" | "jpeg") => Ok(Media::Jpeg),
        Some("webp") => Ok(Media::Webp),
        _ => Err(Failure::new(
            Code::Usage,
            format!("{} does not say which kind of file it is to be", to.display()),
            "let its name end in .png, .jpg or .webp",
        )),
    }
}

/// The file is the old one or the new one, whatever happens.
pub(super) fn replace(to: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failure = |error: &std::io::Error| {
        let (code, hint) = match error.kind() {
            std::io::ErrorKind::NotFound => (Code::NotFound, "make its folder first"),
            std::io::ErrorKind::StorageFull => (Code::DiskFull, "free some space and try again"),
            _ => (Code::Denied, "name a file that you may write"),
        };
        Failure::new(code, format!("cannot write {}: {error}", to.display()), hint)
    };
    let write = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".calotype-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // Less what the process's mask takes away, as any new file.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(to.parent().unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(to).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error: std::io::Error| failure(&error))
}
