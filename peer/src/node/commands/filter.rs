//! `filter`: a version of an image as a new entry linked to its source.

use std::ops::ControlFlow;

use crdt::fact::{Fact, Image, Preview, Role, Version};
use crdt::id::{BlobHash, Digest};
use tokio::runtime::Handle as Runtime;

use super::super::blobs::{blocking, doubt};
use super::super::import::{self, VersionError};
use super::super::run::{Handle, Node, clock_ms};
use super::super::view::image_named;
use super::{Steps, refused, rights, settled};
use crate::api::{Code, Failure, Filtered, Progress, Reply};
use crate::decoder::{Decoder, Picture};
use crate::exact;
use crate::explain::Explained as _;

pub(super) async fn filter(
    handle: &Handle,
    label: Option<String>,
    name: String,
    recipe: String,
    new_name: Option<String>,
    steps: &Steps,
) -> Result<Reply, Failure> {
    rights::ask(handle, label.as_deref(), Role::Contributor).await?;
    let recipe = super::recipe::recipe(handle, label.as_deref(), &recipe).await?;
    let new_name = new_name
        .map(|name| {
            crdt::name::image_name(&name).map_err(|error| {
                let message = format!("{name:?} cannot be an image's name: {error}");
                Failure::new(Code::Usage, message, "names have 1 to 255 bytes and no / or \\")
            })
        })
        .transpose()?;
    let source = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let view = image_named(album, &name)?;
        if !node.engine.is_here(&view.image.hash) {
            let message = format!("the bytes of {} are not here yet", view.name);
            return Err(Failure::new(
                Code::NotFound,
                message,
                "wait for them (`calotype sync`), or ask who has them",
            ));
        }
        Ok((
            album.id(),
            album.name().to_owned(),
            view.name.clone(),
            view.image.clone(),
        ))
    };
    let (id, _, source_name, source) = handle.with(source).await??;
    let made = make(handle, &source, recipe, steps, tell(steps)).await;
    let mut image = made.map_err(NotMade::failure)?;
    image.name = new_name.unwrap_or(image.name);
    let hash = image.hash;
    let step = move |node: &mut Node| {
        let here = vec![hash, image.preview.map_or(hash, |preview| preview.hash)];
        node.feed(engine::Event::BlobsHere { blobs: here });
        let known = node
            .engine
            .album(&id)
            .is_some_and(|album| !album.images_of_blob(&hash).is_empty());
        if known {
            return Ok::<_, Failure>((None, false));
        }
        let now = node.now();
        let token = node
            .engine
            .edit(now, id, vec![Fact::Image(image)], Vec::new())
            .map_err(refused)?;
        Ok((Some(node.durable(token)), true))
    };
    let (durable, new) = handle.with(step).await??;
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    let reply = handle.with(move |node| {
        let album = node.engine.album(&id)?;
        let view = album.images_of_blob(&hash).into_iter().next()?;
        let image = node.image_entry(album, &view);
        Some(Filtered {
            album: album.name().to_owned(),
            image,
            source: source_name,
            new,
        })
    });
    let gone = || {
        Failure::new(
            Code::NotFound,
            "the version was removed as it was added",
            "/getImages shows what is here",
        )
    };
    reply.await?.map(Reply::Filtered).ok_or_else(gone)
}

/// Why there is no version.
pub(super) enum NotMade {
    /// It was stopped.
    Cancelled,
    /// What to tell.
    Failure(Failure),
}

impl NotMade {
    /// Told as a failure, also where it was stopped.
    fn failure(self) -> Failure {
        match self {
            NotMade::Cancelled => filters::FilterError::Cancelled.failure(),
            NotMade::Failure(failure) => failure,
        }
    }
}

/// A version of an image: its bytes and preview stored, and the fact that will name them. `step` hears how far it is
/// and may stop it.
pub(super) async fn make(
    handle: &Handle,
    source: &Image,
    recipe: filters::Recipe,
    steps: &Steps,
    step: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
) -> Result<Image, NotMade> {
    let bytes = bytes_of(handle, source.hash).await.map_err(NotMade::Failure)?;
    let canonical = recipe.to_string();
    let version = made_of(handle, &bytes, recipe, steps, step).await;
    let version = version.map_err(|error| match error {
        VersionError::Filter(filters::FilterError::Cancelled) => NotMade::Cancelled,
        error => NotMade::Failure(error.failure()),
    })?;
    let blobs = handle.blobs.clone();
    let files = vec![version.bytes, version.preview];
    let stored: Result<Vec<_>, _> = blocking(move || blobs.import_many(files))
        .await
        .into_iter()
        .collect();
    let stored = stored.map_err(|error| NotMade::Failure(error.failure()))?;
    let [original, preview] = &stored[..] else {
        return Err(NotMade::Failure(Failure::new(
            Code::Internal,
            "the blob store lost a file",
            "please report this",
        )));
    };
    Ok(Image {
        name: version_name(&source.name, &canonical, version.extension),
        hash: BlobHash(original.hash),
        size: original.size,
        at: clock_ms(),
        shape: Some(version.shape),
        taken: version.taken,
        damaged: source.damaged,
        preview: Some(Preview {
            hash: BlobHash(preview.hash),
            size: preview.size,
        }),
        version: Some(Box::new(Version {
            source: source.hash,
            recipe: canonical,
            pixel_engine: version.pixel_engine,
            encoder: version.encoder,
            pixels: Digest(version.pixels),
        })),
    })
}

/// `sunset.jpg`, `grayscale+blur:2` → `sunset.grayscale+blur-2.jpg`, shortened to what a name may have.
fn version_name(source: &str, recipe: &str, extension: &str) -> String {
    let stem = match source.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 5 => stem,
        _ => source,
    };
    let step = |step: &str| match step.split_once(':') {
        // Numbers that nobody typed.
        Some(("transfer", _)) => "transfer".to_owned(),
        _ => step.replace([':', ','], "-"),
    };
    let recipe = recipe.split('+').map(step).collect::<Vec<_>>().join("+");
    let room = 255 - extension.len() - 1;
    let mut name = format!("{stem}.{recipe}");
    while name.len() > room {
        name.pop();
    }
    format!("{}.{extension}", name.trim_end())
}

/// The bytes of an image that is here; what turns out to be damaged is fetched again.
pub(super) async fn bytes_of(handle: &Handle, hash: BlobHash) -> Result<Vec<u8>, Failure> {
    let blobs = handle.blobs.clone();
    match blocking(move || blobs.read(&hash.0)).await {
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            doubt(handle, hash).await;
            Err(Failure::new(
                Code::Damaged,
                format!("cannot read the source: {error}"),
                "peers will send it again",
            ))
        }
    }
}

/// What a recipe makes of a file, which is decoded by another process. A door that stops listening ends both.
async fn made_of(
    handle: &Handle,
    bytes: &[u8],
    recipe: filters::Recipe,
    steps: &Steps,
    mut step: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
) -> Result<import::Version, VersionError> {
    let picture = decoded(&handle.decoder, bytes, steps).await?;
    blocking(move || import::make_version(exact::here(), &picture.decoded, &recipe, None, &mut step)).await
}

async fn decoded(decoder: &Decoder, bytes: &[u8], steps: &Steps) -> Result<Picture, VersionError> {
    tokio::select! {
        picture = decoder.pixels(bytes) => Ok(picture?),
        () = steps.closed() => Err(filters::FilterError::Cancelled.into()),
    }
}

/// The same for work on the blocking pool, which waits there.
pub(super) fn decoding(
    handle: &Handle,
    steps: &Steps,
) -> impl Fn(&[u8]) -> Result<Picture, VersionError> + use<> {
    let (decoder, steps, runtime) = (handle.decoder.clone(), steps.clone(), Runtime::current());
    move |bytes| runtime.block_on(decoded(&decoder, bytes, &steps))
}

/// Tells a door how far the filters are, and stops them where it hung up.
pub(super) fn tell(steps: &Steps) -> impl FnMut(u64, u64) -> ControlFlow<()> + use<> {
    let steps = steps.clone();
    let mut next = 0;
    move |done, total| {
        if done >= next {
            next = done + 5;
            let _ = steps.try_send(Progress {
                doing: "filtering".into(),
                done,
                total,
                unit: "steps".into(),
            });
        }
        if steps.is_closed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_after_source_and_recipe() {
        assert_eq!(version_name("sunset.jpg", "sepia", "jpg"), "sunset.sepia.jpg");
        assert_eq!(
            version_name("a.b.png", "grayscale+blur:2", "webp"),
            "a.b.grayscale+blur-2.webp"
        );
        assert_eq!(
            version_name("a.png", "sepia+transfer:60,-2,0,3,4,5+blur:2", "webp"),
            "a.sepia+transfer+blur-2.webp"
        );
        assert_eq!(version_name(".hidden", "invert", "webp"), ".hidden.invert.webp");
        let long = version_name(&"ü".repeat(127), "crop:1,2,3,4", "webp");
        assert!(
            long.len() <= 255 && crdt::name::image_name(&long).is_ok(),
            "{long}"
        );
    }
}
