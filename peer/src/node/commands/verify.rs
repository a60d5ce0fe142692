//! `verify`: a version made again from its source and compared with what its author says and sent.

use crdt::fact::Version;
use crdt::id::BlobHash;

use super::super::blobs::blocking;
use super::super::import::{self, VersionError};
use super::super::run::{Handle, Node};
use super::super::view::image_named;
use super::Steps;
use super::filter::{bytes_of, not_made, tell};
use crate::api::{Code, Differs, Failure, Reply, Verified};

pub(super) async fn verify(
    handle: &Handle,
    label: Option<String>,
    name: String,
    steps: &Steps,
) -> Result<Reply, Failure> {
    let look = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let view = image_named(album, &name)?;
        let Some(version) = view.image.version.clone() else {
            let message = format!("{} is an original: nothing made it", view.name);
            return Err(Failure::new(
                Code::Usage,
                message,
                "/getImages --filter any lists the versions",
            ));
        };
        let source = album.images_of_blob(&version.source).into_iter().next();
        let source = source.map(|source| source.name);
        if !node.engine.is_here(&version.source) {
            let of = source.unwrap_or_else(|| "its source".to_owned());
            let message = format!(
                "the bytes of {of} are not here, and {} is made of them",
                view.name
            );
            return Err(Failure::new(
                Code::NotFound,
                message,
                "/sync brings what linked members hold",
            ));
        }
        Ok((album.name().to_owned(), view, version, source))
    };
    let (album, view, version, source) = handle.with(look).await??;
    let (id, hash) = (view.id, view.image.hash);
    let told = |verified, differs, why| Verified {
        album,
        name: view.name,
        hash: hash.hex(),
        source,
        version_of: version.source.hex(),
        recipe: version.recipe.clone(),
        pixel_engine: version.pixel_engine.clone(),
        verified,
        differs,
        why,
    };
    let Ok(recipe) = version.recipe.parse::<filters::Recipe>() else {
        let why = format!("the recipe {} is not known here", version.recipe);
        return Ok(Reply::Verified(told(None, None, Some(why))));
    };
    let bytes = bytes_of(handle, version.source).await?;
    let steps = steps.clone();
    let made = blocking(move || import::make_version(&bytes, &recipe, &mut tell(&steps))).await;
    let made = match made {
        Ok(made) => made,
        Err(error @ VersionError::Encode(_)) => return Err(not_made(error)),
        // What cannot be made of it was not made of it.
        Err(error @ (VersionError::Decode(_) | VersionError::Filter(_))) => {
            if matches!(error, VersionError::Filter(filters::FilterError::Cancelled)) {
                return Err(not_made(error));
            }
            let why = Some(error.to_string());
            handle.with(move |node| node.verified.insert(id, false)).await?;
            return Ok(Reply::Verified(told(Some(false), Some(Differs::Recipe), why)));
        }
    };
    let (verified, differs, why) = compare(&version, &hash, &made);
    if let Some(verified) = verified {
        handle
            .with(move |node| node.verified.insert(id, verified))
            .await?;
    }
    Ok(Reply::Verified(told(verified, differs, why)))
}

/// What differs between the version as its author states it and as it was made here.
fn compare(
    version: &Version,
    hash: &BlobHash,
    made: &import::Version,
) -> (Option<bool>, Option<Differs>, Option<String>) {
    if version.pixel_engine != made.pixel_engine {
        let why = format!(
            "it was made by {}, here is {}",
            version.pixel_engine, made.pixel_engine
        );
        return (None, None, Some(why));
    }
    if version.pixels.0 != made.pixels {
        return (Some(false), Some(Differs::Pixels), None);
    }
    if version.encoder != made.encoder {
        let why = format!(
            "its pixels are right, but its file was written by {}, here is {}",
            version.encoder, made.encoder
        );
        return (None, None, Some(why));
    }
    if *blake3::hash(&made.bytes).as_bytes() != hash.0 {
        return (Some(false), Some(Differs::File), None);
    }
    (Some(true), None, None)
}

#[cfg(test)]
mod tests {
    use crdt::id::Digest;

    use super::*;

    /// A picture of one colour and the version of it that `recipe` makes, as its author would state it.
    fn honest(recipe: &str) -> (Version, BlobHash, import::Version) {
        let samples = filters::Samples::U8([10, 200, 90].repeat(12));
        let raster = filters::Raster::new(4, 3, filters::Channels::Rgb, samples).unwrap();
        let file = codec::encode_as(codec::Media::Png, &raster, &codec::Metadata::default()).unwrap();
        let on = &mut |_, _| std::ops::ControlFlow::Continue(());
        let made = import::make_version(&file.bytes, &recipe.parse().unwrap(), on).unwrap();
        let version = Version {
            source: BlobHash(*blake3::hash(&file.bytes).as_bytes()),
            recipe: recipe.to_owned(),
            pixel_engine: made.pixel_engine.clone(),
            encoder: made.encoder.clone(),
            pixels: Digest(made.pixels),
        };
        (version, BlobHash(*blake3::hash(&made.bytes).as_bytes()), made)
    }

    /// Each claim of a version is held against what comes out here; what cannot be judged is no lie.
    #[test]
    fn every_claim_is_compared() {
        let (version, hash, made) = honest("sepia");
        assert_eq!(compare(&version, &hash, &made), (Some(true), None, None));
        let (_, other_hash, other) = honest("invert");
        assert_eq!(
            compare(&version, &hash, &other),
            (Some(false), Some(Differs::Pixels), None)
        );
        // The right pixels named, and another picture sent.
        assert_eq!(
            compare(&version, &other_hash, &made),
            (Some(false), Some(Differs::File), None)
        );
        let newer = Version {
            pixel_engine: "image-9/calotype-2".into(),
            pixels: Digest([0; 32]),
            ..version.clone()
        };
        assert_eq!(compare(&newer, &hash, &made).0, None);
        let encoded = Version {
            encoder: "png-9".into(),
            ..version
        };
        assert_eq!(compare(&encoded, &other_hash, &made).0, None);
    }
}
