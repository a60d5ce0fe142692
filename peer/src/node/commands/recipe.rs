//! Recipes as people write them: `transfer` may name an image, whose colours are looked up before anything is made.

use filters::{Draft, FilterError, Palette, Recipe, RecipeError};

use super::super::blobs::blocking;
use super::super::run::{Handle, Node};
use super::super::view::image_named;
use super::filter::bytes_of;
use crate::api::{Code, Failure};
use crate::explain::Explained as _;

/// The recipe that `text` stands for in an album. What is made, stored and sent has the numbers, so nobody needs the image
/// that was named to make the version again.
pub(super) async fn recipe(handle: &Handle, label: Option<&str>, text: &str) -> Result<Recipe, Failure> {
    let draft: Draft = text.parse().map_err(|error: RecipeError| error.failure())?;
    let mut palettes = Vec::new();
    for name in draft.styles() {
        palettes.push(palette(handle, label, name).await?);
    }
    let mut palettes = palettes.into_iter();
    // One for each, in order.
    let recipe = draft.finish(|_| palettes.next().ok_or(RecipeError::Empty));
    recipe.map_err(|error| error.failure())
}

/// The colours of an image whose bytes are here.
async fn palette(handle: &Handle, label: Option<&str>, name: &str) -> Result<Palette, Failure> {
    let (label, name) = (label.map(str::to_owned), name.to_owned());
    let find = move |node: &mut Node| {
        let view = image_named(node.album(label.as_deref())?, &name)?;
        if node.engine.is_here(&view.image.hash) {
            return Ok((view.image.hash, view.name));
        }
        let message = format!(
            "the bytes of {} are not here, and its colours are wanted",
            view.name
        );
        Err(Failure::new(
            Code::NotFound,
            message,
            "/sync brings what linked members hold",
        ))
    };
    let (hash, name) = handle.with(find).await??;
    let bytes = bytes_of(handle, hash).await?;
    let picture = handle.decoder.pixels(&bytes).await;
    let picture = picture.map_err(|error| error.failure_of(&name))?;
    let look = blocking(move || Palette::of(&picture.decoded.raster));
    look.await.map_err(|error: FilterError| error.failure_of(&name))
}
