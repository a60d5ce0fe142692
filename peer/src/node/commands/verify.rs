//! `verify`: a version made again from its source and compared with what its author says and sent.

use super::super::blobs::blocking;
use super::super::judge::{Judgement, judge, may_judge};
use super::super::run::{Handle, Node};
use super::super::view::image_named;
use super::Steps;
use super::filter::{bytes_of, decoding, tell};
use crate::api::{Code, Failure, Reply, Verified};
use crate::exact;
use crate::explain::Explained as _;

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
    let hash = view.image.hash;
    let told = |verified, differs, step, why| {
        Reply::Verified(Verified {
            album,
            name: view.name,
            hash: hash.hex(),
            source,
            version_of: version.source.hex(),
            recipe: version.recipe.clone(),
            pixel_engine: version.pixel_engine.clone(),
            verified,
            differs,
            step,
            why,
        })
    };
    if let Err(why) = may_judge(&version) {
        return Ok(told(None, None, None, Some(why)));
    }
    let bytes = bytes_of(handle, version.source).await?;
    let (blobs, steps, of) = (handle.blobs.clone(), steps.clone(), version.clone());
    let decode = decoding(handle, &steps);
    let work = move || {
        let file = || blobs.read(&hash.0).ok();
        judge(
            exact::here(),
            (&of, &hash),
            &bytes,
            &file,
            &decode,
            &mut tell(&steps),
        )
    };
    let (verified, differs, step, why) = match blocking(work).await.map_err(|error| error.failure())? {
        Judgement::True => (Some(true), None, None, None),
        Judgement::False(lie) => (Some(false), Some(lie.differs), lie.step, lie.why),
        Judgement::Unknown(why) => (None, None, None, Some(why)),
    };
    if let Some(found) = verified {
        let of = version.clone();
        handle
            .with(move |node| node.note_finding(&of, &hash, found))
            .await?;
    }
    Ok(told(verified, differs, step, why))
}
