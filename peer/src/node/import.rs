//! Looking at files before they become entries: what they are, their preview, their hash. Runs on the blocking pool, two
//! files at a time, so that memory is bounded by two decoded images.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use codec::{CodecError, Limits, Media};
use crdt::fact::{Image, Preview, Shape};
use crdt::id::BlobHash;
use store::{BlobError, Blobs};

use crate::api::{Code, Failed};

/// Files looked at and stored as one group: bytes are durable once per group.
pub(super) const GROUP: usize = 16;

/// A file that became bytes in the blob store and the fact that will name them.
pub(super) struct Looked {
    pub(super) path: PathBuf,
    pub(super) image: Image,
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

/// Decodes a file as a check and for its preview, and stores both.
pub(super) fn look(path: &Path, name: String, blobs: &Blobs, at: u64) -> Result<Looked, Failed> {
    let limits = Limits::default();
    let meta = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !meta.is_file() {
        let message = "not a file".to_owned();
        return Err(failed(
            path,
            Code::NotAnImage,
            message,
            "give image files or folders of them",
        ));
    }
    if meta.len() > limits.file_bytes_max {
        let message = format!(
            "{} bytes are more than the limit of {}",
            meta.len(),
            limits.file_bytes_max
        );
        return Err(failed(
            path,
            Code::TooLarge,
            message,
            "scale it down, or save it in a smaller format",
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let decoded = codec::decode(&bytes, &limits).map_err(|error| not_decoded(path, &error))?;
    let preview = codec::preview(&decoded.raster)
        .map_err(|error| failed(path, Code::Internal, error.to_string(), "please report this"))?;
    let stored = blobs.import_many(vec![bytes, preview]);
    let mut stored = stored
        .into_iter()
        .map(|blob| blob.map_err(|error| not_stored(path, &error)));
    let (Some(original), Some(preview)) = (stored.next(), stored.next()) else {
        return Err(failed(
            path,
            Code::Internal,
            "the blob store lost a file".into(),
            "please report this",
        ));
    };
    let (original, preview) = (original?, preview?);
    let image = Image {
        name,
        hash: BlobHash(original.hash),
        size: original.size,
        at,
        shape: Some(Shape {
            media: decoded.probe.media.mime().into(),
            width: decoded.probe.width,
            height: decoded.probe.height,
        }),
        taken: decoded.probe.taken,
        damaged: decoded.damaged.is_some(),
        preview: Some(Preview {
            hash: BlobHash(preview.hash),
            size: preview.size,
        }),
        version: None,
    };
    Ok(Looked {
        path: path.to_path_buf(),
        image,
    })
}

/// A file's own name as an entry's name.
pub(super) fn name_of(path: &Path) -> Result<String, Failed> {
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

fn unreadable(path: &Path, error: &std::io::Error) -> Failed {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => Code::NotFound,
        std::io::ErrorKind::PermissionDenied => Code::Denied,
        _ => Code::Internal,
    };
    let (message, hint) = match code {
        Code::NotFound => (
            "no such file".to_owned(),
            "check the path; quote it if it has spaces",
        ),
        _ => (format!("cannot be read: {error}"), "check the file's permissions"),
    };
    failed(path, code, message, hint)
}

fn not_decoded(path: &Path, error: &CodecError) -> Failed {
    let code = match error.code() {
        "too_large" => Code::TooLarge,
        "damaged" => Code::Damaged,
        _ => Code::NotAnImage,
    };
    failed(path, code, error.to_string(), error.hint())
}

fn not_stored(path: &Path, error: &BlobError) -> Failed {
    let code = if matches!(error, BlobError::DiskFull { .. }) {
        Code::DiskFull
    } else {
        Code::Internal
    };
    failed(path, code, error.to_string(), "free some space and try again")
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

/// Filters an original into a version's bytes and preview. `step` hears how far it is and may stop it.
pub(super) fn make_version(
    bytes: &[u8],
    recipe: &filters::Recipe,
    step: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Version, VersionError> {
    let decoded = codec::decode(bytes, &Limits::default())?;
    let total = recipe.steps().len() as u64 * 100;
    let raster = recipe.apply(&decoded.raster, &mut |at| {
        step(at.done * total / at.total.max(1), total)
    })?;
    let encoded = codec::encode_version(&raster, decoded.probe.media, &decoded.metadata)?;
    Ok(Version {
        pixels: raster.pixel_hash(),
        shape: Shape {
            media: encoded.media.mime().into(),
            width: raster.width,
            height: raster.height,
        },
        extension: encoded.media.extension(),
        preview: codec::preview(&raster)?,
        pixel_engine: codec::pixel_engine(decoded.probe.media),
        encoder: encoded.encoder.into(),
        bytes: encoded.bytes,
        taken: decoded.probe.taken,
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
    Decode(#[from] CodecError),
    #[error(transparent)]
    Filter(#[from] filters::FilterError),
    #[error(transparent)]
    Encode(#[from] codec::EncodeError),
}
