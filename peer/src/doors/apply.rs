//! `apply`: a recipe from file to file, in this process, without a node.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use codec::{CodecError, EncodeError, Limits, Media};
use filters::{Progress, Recipe};
use tokio_util::sync::CancellationToken;

use super::interrupt::Interrupt;
use super::{CANCELLED, Here, ended, failed};
use crate::api::{self, Applied, Code, Failure, Reply};
use crate::cmd::apply::Apply;
use crate::cmd::names::Spelling;
use crate::cmd::paths;
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
    let text = flags.recipe.clone();
    let stop = CancellationToken::new();
    let heard = stop.clone();
    let code = runtime.block_on(async move {
        let mut interrupt = match Interrupt::listen() {
            Ok(interrupt) => interrupt,
            Err(failure) => return failed(&ui, &failure),
        };
        let mut work = tokio::task::spawn_blocking(move || apply(&from, &to, &text, &ui, &heard));
        let done = tokio::select! {
            done = &mut work => done,
            () = interrupt.pressed() => {
                stop.cancel();
                // It stops between two bands, and leaves no file behind.
                work.await
            }
        };
        match done {
            Ok(Ok(Some(applied))) => ended(ui.reply(&Reply::Applied(applied))),
            Ok(Ok(None)) => CANCELLED,
            Ok(Err(failure)) => failed(&ui, &failure),
            Err(_) => failed(
                &ui,
                &Failure::new(Code::Internal, "the work failed", "please report this"),
            ),
        }
    });
    runtime.shutdown_background();
    code
}

/// Nothing where it was stopped.
fn apply(
    from: &Path,
    to: &Path,
    recipe: &str,
    ui: &Ui,
    stop: &CancellationToken,
) -> Result<Option<Applied>, Failure> {
    let recipe: Recipe = recipe
        .parse()
        .map_err(|error: filters::RecipeError| Failure::new(Code::Usage, error.to_string(), error.hint()))?;
    let media = written_as(to)?;
    let bytes = read(from)?;

    let started = Instant::now();
    let source = codec::decode(&bytes, &Limits::default()).map_err(|error| not_decoded(from, &error))?;
    let decode_ms = ms(started);
    drop(bytes);

    let started = Instant::now();
    let mut meter = Meter::new(ui);
    let result = recipe.apply(&source.raster, &mut |at| {
        meter.update(&filtering(at));
        if stop.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    drop(meter);
    let result = match result {
        Err(filters::FilterError::Cancelled) => return Ok(None),
        Err(error) => {
            let hint = "`calotype filters` lists filters and ranges";
            return Err(Failure::new(Code::Usage, error.to_string(), hint));
        }
        Ok(result) => result,
    };
    let filter_ms = ms(started);
    let megapixels = f64::from(source.raster.width) * f64::from(source.raster.height) / 1e6;

    let started = Instant::now();
    let encoded = codec::encode_as(media, &result, &source.metadata).map_err(|error| not_encoded(&error))?;
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
        pixel_engine: codec::pixel_engine(source.probe.media),
        encoder: encoded.encoder.to_owned(),
        damaged: source.damaged.map(|why| why.to_string()),
        decode_ms,
        filter_ms,
        encode_ms,
        peak_bytes: peak(),
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

fn read(from: &Path) -> Result<Vec<u8>, Failure> {
    let most = Limits::default().file_bytes_max;
    let unreadable = |error: std::io::Error| {
        let (code, hint) = match error.kind() {
            std::io::ErrorKind::NotFound => (Code::NotFound, "check the path; quote it if it has spaces"),
            std::io::ErrorKind::PermissionDenied => (Code::Denied, "check the file's permissions"),
            _ => (Code::Internal, "check the file"),
        };
        Failure::new(code, format!("cannot read {}: {error}", from.display()), hint)
    };
    let meta = std::fs::metadata(from).map_err(unreadable)?;
    if !meta.is_file() {
        let message = format!("{} is not a file", from.display());
        return Err(Failure::new(Code::NotAnImage, message, "give an image file"));
    }
    if meta.len() > most {
        let message = format!("{} has {} bytes, the limit is {most}", from.display(), meta.len());
        let hint = "scale it down, or save it in a smaller format";
        return Err(Failure::new(Code::TooLarge, message, hint));
    }
    std::fs::read(from).map_err(unreadable)
}

fn not_decoded(from: &Path, error: &CodecError) -> Failure {
    let code = match error.code() {
        "too_large" => Code::TooLarge,
        "damaged" => Code::Damaged,
        _ => Code::NotAnImage,
    };
    Failure::new(code, format!("{}: {error}", from.display()), error.hint())
}

pub(super) fn not_encoded(error: &EncodeError) -> Failure {
    let (code, hint) = match error {
        EncodeError::Side { .. } => (Code::TooLarge, "write a .png, or resize it first"),
        _ => (Code::Internal, "please report this"),
    };
    Failure::new(code, error.to_string(), hint)
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

/// Most memory that this process had at once: `VmHWM` of proc(5).
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
