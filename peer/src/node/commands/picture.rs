//! `show`: where a picture of an image is.

use crdt::id::BlobHash;
use crdt::{Album, ImageView};

use super::super::blobs::doubt;
use super::super::run::{Handle, Node};
use super::super::view::image_named;
use crate::api::{Code, Failure, Picture, Reply, Shown};

/// Which pictures are wanted.
pub(super) struct Wanted {
    /// Of this image.
    pub(super) name: String,
    /// Also of what it was made of.
    pub(super) source: bool,
    /// Also of this one.
    pub(super) beside: Option<String>,
    /// Of the images themselves only.
    pub(super) whole: bool,
}

/// The file of an image's preview, else of the image itself; also of another that is to stand beside it.
pub(super) async fn picture(
    handle: &Handle,
    label: Option<String>,
    wanted: Wanted,
) -> Result<Reply, Failure> {
    let whole = wanted.whole;
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let view = image_named(album, &wanted.name)?;
        let beside = match &wanted.beside {
            Some(other) => Some(image_named(album, other)?),
            None => wanted.source.then(|| source(album, &view, whole)).transpose()?,
        };
        Ok::<_, Failure>((album.name().to_owned(), view, beside))
    };
    let (album, view, source) = handle.with(step).await??;
    let image = file(handle, &view, whole).await?;
    let source = match source {
        Some(source) => Some(file(handle, &source, whole).await?),
        None => None,
    };
    Ok(Reply::Shown(Shown { album, image, source }))
}

/// The image that a version was made of.
fn source(album: &Album, view: &ImageView, whole: bool) -> Result<ImageView, Failure> {
    let hint = if whole {
        "name another image to compare it with"
    } else {
        "show it without --source"
    };
    let Some(version) = &view.image.version else {
        let message = format!("{} was not made of another image", view.name);
        return Err(Failure::new(Code::NotFound, message, hint));
    };
    let found = album.images_of_blob(&version.source).into_iter().next();
    found.ok_or_else(|| {
        let message = format!(
            "the image that {} was made of is not in the album any more",
            view.name
        );
        Failure::new(Code::NotFound, message, hint)
    })
}

async fn file(handle: &Handle, view: &ImageView, whole: bool) -> Result<Picture, Failure> {
    let preview = view
        .image
        .preview
        .as_ref()
        .filter(|_| !whole)
        .map(|preview| (preview.hash, true));
    for (hash, preview) in preview.into_iter().chain([(view.image.hash, false)]) {
        if let Some(path) = intact(handle, hash).await {
            return Ok(Picture {
                name: view.name.clone(),
                width: view.image.shape.as_ref().map(|shape| shape.width),
                height: view.image.shape.as_ref().map(|shape| shape.height),
                recipe: view.image.version.as_ref().map(|version| version.recipe.clone()),
                path,
                preview,
            });
        }
    }
    Err(Failure::new(
        Code::NotFound,
        format!("the bytes of {} are not here yet", view.name),
        "`calotype sync` brings what linked members hold",
    ))
}

/// The path of a blob that is here; what rotted is set aside first.
async fn intact(handle: &Handle, hash: BlobHash) -> Option<String> {
    handle.blobs.path(&hash.0)?;
    doubt(handle, hash).await;
    handle.blobs.path(&hash.0).map(|path| path.display().to_string())
}
