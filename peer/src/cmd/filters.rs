//! `filters`: what there is to filter with; answered without a node.

use clap::Args;

use super::{Act, Context, FilterEntry, FilterList, Local};
use crate::api::Failure;

/// List the filters and their parameters
///
/// Recipes join them with +, as in grayscale+blur:2.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype filters --json
  /filters")]
pub struct Filters {}

impl Filters {
    pub(super) fn act(self, _at: &Context<'_>) -> Result<Act, Failure> {
        let filters = ::filters::catalog()
            .iter()
            .map(|f| FilterEntry {
                name: f.name,
                parameters: f.parameters,
                description: f.description,
                example: f.example,
            })
            .collect();
        Ok(Act::Local(Local::Filters(FilterList { filters })))
    }
}
