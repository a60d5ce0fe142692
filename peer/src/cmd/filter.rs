//! `filter`: a filtered version as a new entry.

use clap::Args;

use super::{Act, Context};
use crate::api::{Failure, Request};

/// Make a filtered version of an image: a new entry, linked to its source
///
/// The image itself is never touched. A recipe is FILTER[:parameters], several joined by +; /filters lists them.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype filter sunset.jpg grayscale+blur:2 --as dusk.jpg
  /filter sunset.jpg sepia")]
pub struct Filter {
    /// Name of the image
    pub name: String,
    /// What to do with it
    pub recipe: String,
    /// Name of the new entry
    #[arg(long = "as", value_name = "NAME2")]
    pub new_name: Option<String>,
}

impl Filter {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let recipe = self
            .recipe
            .parse::<filters::Recipe>()
            .map_err(|wrong| Failure::new(crate::api::Code::Usage, wrong.to_string(), wrong.hint()))?;
        let new_name = self.new_name.map(|name| super::check::image(&name)).transpose()?;
        Ok(Act::Ask(Request::Filter {
            album: at.album(),
            name: self.name,
            recipe: recipe.to_string(),
            new_name,
        }))
    }
}
