//! Looking at files before they become entries: what they are, their preview, their hash. And making versions of them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use codec::Media;
use crdt::fact::{Image, Preview, Shape};
use crdt::id::BlobHash;

use super::blobs::blocking;
use super::run::Handle;
use crate::api::{Code, Failed, Failure};
use crate::decoder::DecodeError;
use crate::explain::{self, Explained};

/// Files looked at and stored as one group: bytes are durable once per group.
pub(super) const GROUP: usize = 16;

/// A file that became bytes in the blob store and the fact that will name them.
pub(super) struct Looked {
    pub(super) path: PathBuf,
    pub(super) image: Image,
    /// Whether where it was taken was taken out, so that the bytes are not the file's.
    pub(super) stripped: bool,
}

/// What a path turned out to hold.
pub(super) enum Listed {
    /// A file named by the person, or found in a folder and looking like an image.
    File(PathBuf),
    /// A file in a folder that is no image.
    Skipped,
    /// It cannot be read.
    Failed(Failed),
}

/// Expands folders, sorted by name; a folder without images is a failure of its own.
pub(super) fn list(paths: &[PathBuf], each: &mut dyn FnMut(Listed)) {
    for path in paths {
        if !path.is_dir() {
            each(Listed::File(path.clone()));
            continue;
        }
        let mut images = 0;
        walk(path, 0, &mut |listed| {
            images += usize::from(matches!(listed, Listed::File(_)));
            each(listed);
        });
        if images == 0 {
            let message = "no image in this folder".to_owned();
            let hint = "JPEG, PNG, GIF, WebP, BMP and TIFF are images here";
            each(Listed::Failed(failed(path, Code::NotFound, message, hint)));
        }
    }
}

/// Deepest nesting of folders that is followed.
const DEPTH_MAX: usize = 32;

fn walk(dir: &Path, depth: usize, each: &mut dyn FnMut(Listed)) {
    let mut entries: Vec<_> = match std::fs::read_dir(dir) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(error) => {
            let message = format!("cannot be read: {error}");
            return each(Listed::Failed(failed(
                dir,
                Code::NotFound,
                message,
                "check the folder's permissions",
            )));
        }
    };
    entries.sort();
    for path in entries {
        let Ok(kind) = std::fs::symlink_metadata(&path).map(|meta| meta.file_type()) else {
            continue;
        };
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        // Links are not followed: a folder may link to itself.
        if kind.is_dir() && depth < DEPTH_MAX {
            walk(&path, depth + 1, each);
        } else if kind.is_file() {
            each(if looks_like_image(&path) {
                Listed::File(path)
            } else {
                Listed::Skipped
            });
        }
    }
}

/// Whether a file in a folder is an image, or one whose name says that it should be and whose failure is worth telling.
fn looks_like_image(path: &Path) -> bool {
    let named = path
        .extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| {
            ["jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff"]
                .contains(&ending.to_ascii_lowercase().as_str())
        });
    let starts = || {
        use std::io::Read as _;
        let mut head = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
        read.is_ok() && Media::sniff(&head).is_ok()
    };
    named || starts()
}

/// Has a file decoded as a check and for its preview, and stores both; where asked without where it was taken.
pub(super) async fn look(
    handle: &Handle,
    path: PathBuf,
    name: Option<String>,
    (at, strip_gps): (u64, bool),
) -> Result<Looked, Failed> {
    let name = name.map_or_else(|| name_of(&path), Ok)?;
    let wrong = |failure: Failure| failed(&path, failure.code, failure.message, &failure.hint);
    let (file, most) = (path.clone(), handle.decoder.limits().codec.file_bytes_max);
    let bytes = blocking(move || explain::read(&file, most))
        .await
        .map_err(wrong)?;
    let (bytes, stripped) = if strip_gps {
        let limits = handle.decoder.limits().codec;
        let without = blocking(move || match codec::without_location(&bytes, &limits) {
            Ok(Some(without)) => Ok((without, true)),
            Ok(None) => Ok((bytes, false)),
            Err(error) => Err(error.failure()),
        });
        without.await.map_err(wrong)?
    } else {
        (bytes, false)
    };
    let looked = handle.decoder.look(&bytes).await;
    let looked = looked.map_err(|error| wrong(error.failure()))?;
    let (blobs, preview) = (handle.blobs.clone(), looked.preview);
    let stored = blocking(move || blobs.import_many(vec![bytes, preview])).await;
    let mut stored = stored
        .into_iter()
        .map(|blob| blob.map_err(|error| wrong(error.failure())));
    let (Some(original), Some(preview)) = (stored.next(), stored.next()) else {
        return Err(failed(
            &path,
            Code::Internal,
            "the blob store lost a file".into(),
            "please report this",
        ));
    };
    let (original, preview) = (original?, preview?);
    let probe = looked.probe;
    let image = Image {
        name,
        hash: BlobHash(original.hash),
        size: original.size,
        at,
        shape: Some(Shape {
            media: probe.media.mime().into(),
            width: probe.width,
            height: probe.height,
        }),
        taken: probe.taken,
        damaged: looked.damaged.is_some(),
        preview: Some(Preview {
            hash: BlobHash(preview.hash),
            size: preview.size,
        }),
        version: None,
    };
    Ok(Looked {
        path,
        image,
        stripped,
    })
}

/// A file's own name as an entry's name.
fn name_of(path: &Path) -> Result<String, Failed> {
    let name = path.file_name().and_then(|name| name.to_str());
    let checked = name.map(crdt::name::image_name);
    match checked {
        Some(Ok(name)) => Ok(name),
        Some(Err(error)) => {
            let message = format!("cannot be an image's name: {error}");
            Err(failed(
                path,
                Code::Usage,
                message,
                "give it another name: /addImage FILE --as NAME",
            ))
        }
        None => {
            let message = "the file's name is not text".to_owned();
            Err(failed(
                path,
                Code::Usage,
                message,
                "give it another name: /addImage FILE --as NAME",
            ))
        }
    }
}

/// A file that did not become an entry; the message speaks of it without naming it.
pub(super) fn failed(path: &Path, code: Code, message: String, hint: &str) -> Failed {
    Failed {
        path: path.display().to_string(),
        code,
        message,
        hint: hint.into(),
    }
}

/// Filters a decoded original into a version's bytes and preview, as the program wrote them whose encoder is named.
/// `step` hears how far it is and may stop it.
///
/// # Errors
/// Also where `exact` does not let this process speak for the engine or the encoder.
pub(super) fn make_version(
    exact: &codec::SelfTest,
    decoded: &codec::Decoded,
    recipe: &filters::Recipe,
    encoder: Option<&str>,
    step: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Version, VersionError> {
    let media = decoded.probe.media;
    let pixel_engine = codec::pixel_engine(media);
    exact.check(&pixel_engine)?;
    let total = recipe.steps().len() as u64 * 100;
    let raster = recipe.apply(&decoded.raster, &mut |at| {
        step(at.done * total / at.total.max(1), total)
    })?;
    let encoded = match encoder {
        Some(id) => codec::encode_version_by(id, &raster, media, &decoded.metadata)?,
        None => codec::encode_version(&raster, media, &decoded.metadata)?,
    };
    exact.check(encoded.encoder)?;
    Ok(Version {
        pixels: raster.pixel_hash(),
        shape: Shape {
            media: encoded.media.mime().into(),
            width: raster.width,
            height: raster.height,
        },
        extension: encoded.media.extension(),
        preview: codec::preview(&raster)?,
        pixel_engine,
        encoder: encoded.encoder.into(),
        bytes: encoded.bytes,
        taken: decoded.probe.taken.clone(),
    })
}

/// A filtered version, ready to be stored.
pub(super) struct Version {
    pub(super) bytes: Vec<u8>,
    pub(super) preview: Vec<u8>,
    pub(super) pixels: [u8; 32],
    pub(super) shape: Shape,
    pub(super) extension: &'static str,
    pub(super) pixel_engine: String,
    pub(super) encoder: String,
    pub(super) taken: Option<String>,
}

/// Why there is no version.
#[derive(Debug, thiserror::Error)]
pub(super) enum VersionError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Filter(#[from] filters::FilterError),
    #[error(transparent)]
    Encode(#[from] codec::EncodeError),
    #[error(transparent)]
    Inexact(#[from] codec::Inexact),
}

impl Explained for VersionError {
    fn code(&self) -> Code {
        match self {
            // An entry of an album said that it was a picture.
            VersionError::Decode(error) if error.code() == Code::NotAnImage => Code::Damaged,
            VersionError::Decode(error) => error.code(),
            VersionError::Filter(error) => error.code(),
            VersionError::Encode(error) => error.code(),
            VersionError::Inexact(error) => error.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            VersionError::Decode(error) => error.hint(),
            VersionError::Filter(error) => error.hint(),
            VersionError::Encode(error) => error.hint(),
            VersionError::Inexact(error) => error.hint(),
        }
    }
}
