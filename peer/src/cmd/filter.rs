//! `filter`: filtered versions as new entries.

use clap::Args;

use super::select::Which;
use super::{Act, Context};
use crate::api::{Code, Failure, Made, Request};

/// Make filtered versions: new entries, linked to their sources
///
/// The image itself is never touched. A recipe is FILTER[:parameters], several joined by +; /filters lists them; /preview
/// shows what comes out before anything is added.
///
/// With --all a version is made of every image that fits, of originals unless --filter says otherwise. Those that have such
/// a version already are passed over, one that cannot be filtered is named and the others go on (exit code 7). Ctrl-C
/// keeps what is made until then. One /undo takes the whole run back.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
#[command(after_help = "Example:
  calotype filter sunset.jpg grayscale+blur:2 --as dusk.jpg
  calotype filter --all sepia --min-rating 4
  /filter sunset.jpg sepia
  /filter --all resize:1024 --by bob --name 'IMG*'")]
pub struct Filter {
    /// Name of the image; none with --all
    #[arg(value_name = "NAME")]
    pub image: Option<String>,
    /// What to do with it
    pub recipe: String,
    /// Name of the new entry
    #[arg(long = "as", value_name = "NAME2", conflicts_with = "all")]
    pub new_name: Option<String>,
    /// Of every image that fits
    #[arg(long)]
    pub all: bool,
    /// Which of them.
    #[command(flatten)]
    pub which: Which,
}

impl Filter {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let usage = |message: &str, hint: &str| Failure::new(Code::Usage, message, hint);
        let recipe = self.recipe;
        recipe
            .parse::<filters::Draft>()
            .map_err(|wrong| usage(&wrong.to_string(), &wrong.hint()))?;
        let album = at.album();
        let mut select = self.which.select(None);
        match (self.image, self.all) {
            (None, true) => {
                select.filter = select.filter.or(Some(Made::None));
                Ok(Act::Ask(Request::FilterMany {
                    album,
                    recipe,
                    select,
                }))
            }
            (Some(_), true) => Err(usage(
                "--all takes a recipe and no name",
                "for names that fit a pattern: --all --name 'IMG*'",
            )),
            (None, false) => Err(usage(
                "which image is to be filtered?",
                "/filter NAME RECIPE, or /filter --all RECIPE for every image",
            )),
            (Some(_), false) if select != Default::default() => Err(usage(
                "these flags choose among all images, but one is named",
                "/filter --all RECIPE with them, or /filter NAME RECIPE without",
            )),
            (Some(name), false) => Ok(Act::Ask(Request::Filter {
                album,
                name,
                recipe,
                new_name: self.new_name.map(|name| super::check::image(&name)).transpose()?,
            })),
        }
    }
}
