//! `show` and the gallery: where a picture of an image is, and what belongs to the image.

use crdt::id::BlobHash;
use crdt::{Album, ImageView};

use super::super::blobs::doubt;
use super::super::run::{Handle, Node};
use super::super::view::image_named;
use crate::api::{Code, Details, Failure, Picture, Reply, Shown, Stars};

/// Versions of one image that its details name.
const VERSIONS_MAX: usize = 100;

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
    let small = std::iter::once(&image)
        .chain(&source)
        .find(|it| whole && it.preview);
    if let Some(small) = small {
        return Err(not_here(&small.name));
    }
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

/// An image by its bytes' hash, with its source, its versions and who rated it how.
pub(super) async fn details(handle: &Handle, label: Option<String>, hash: String) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let view = of_bytes(album, &hash)?;
        let entry = |view: &ImageView| node.image_entry(album, view);
        let made_of = view.image.version.as_ref().map(|version| version.source);
        let source = made_of.and_then(|source| album.images_of_blob(&source).into_iter().next());
        let of_this = |other: &ImageView| {
            let version = other.image.version.as_ref();
            version.is_some_and(|version| version.source == view.image.hash)
        };
        let mut versions: Vec<ImageView> = album.images().filter(of_this).collect();
        versions.sort_by_key(|view| (view.lamport, view.id.actor, view.id.header, view.id.seq));
        versions.truncate(VERSIONS_MAX);
        let votes = album.ratings(&view.image.hash);
        let mut ratings: Vec<Stars> = votes
            .map(|(user, stars)| Stars {
                user: node.name_of(&user),
                stars,
            })
            .collect();
        ratings.sort_by(|a, b| a.user.cmp(&b.user));
        Ok::<_, Failure>(Reply::Details(Box::new(Details {
            album: album.name().to_owned(),
            image: entry(&view),
            source: source.as_ref().map(entry),
            versions: versions.iter().map(entry).collect(),
            ratings,
        })))
    };
    handle.with(step).await?
}

/// The file of the picture of an image by its bytes' hash; with `whole` the preview only where the image is not here.
pub(super) async fn picture_of(
    handle: &Handle,
    label: Option<String>,
    hash: String,
    whole: bool,
) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        Ok::<_, Failure>((album.name().to_owned(), of_bytes(album, &hash)?))
    };
    let (album, view) = handle.with(step).await??;
    let image = file(handle, &view, whole).await?;
    Ok(Reply::Shown(Shown {
        album,
        image,
        source: None,
    }))
}

/// Not by name: a name may read like another image's hash.
fn of_bytes(album: &Album, hash: &str) -> Result<ImageView, Failure> {
    let found = BlobHash::from_hex(hash).and_then(|hash| album.images_of_blob(&hash).into_iter().next());
    found.ok_or_else(|| {
        let message = format!("no image with these bytes in {}", album.name());
        Failure::new(Code::NotFound, message, "/getImages lists what is here")
    })
}

async fn file(handle: &Handle, view: &ImageView, whole: bool) -> Result<Picture, Failure> {
    let preview = view.image.preview.as_ref().map(|preview| (preview.hash, true));
    let mut files: Vec<_> = preview.into_iter().chain([(view.image.hash, false)]).collect();
    if whole {
        files.reverse();
    }
    for (hash, preview) in files {
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
    Err(not_here(&view.name))
}

fn not_here(name: &str) -> Failure {
    Failure::new(
        Code::NotFound,
        format!("the bytes of {name} are not here yet"),
        "`calotype sync` brings what linked members hold",
    )
}

/// The path of a blob that is here; what rotted is set aside first.
async fn intact(handle: &Handle, hash: BlobHash) -> Option<String> {
    handle.blobs.path(&hash.0)?;
    doubt(handle, hash).await;
    handle.blobs.path(&hash.0).map(|path| path.display().to_string())
}
