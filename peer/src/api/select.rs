//! Which images of an album are meant, in what order, and how many of them.

use serde::{Deserialize, Serialize};

/// What `get-images`, `get-metadata` and `export` may ask for. The default is every image, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Select {
    /// The order; `None`: as they came into the album, the oldest first.
    pub sort: Option<Sort>,
    /// The other way round; images that lack what is sorted by stay last.
    pub reverse: bool,
    /// Only images whose mean is at least that, 0 to 5; unrated ones never.
    pub min_rating: Option<f64>,
    /// Only those that this member added.
    pub by: Option<String>,
    /// Only names that this pattern fits, as a whole.
    pub name: Option<String>,
    /// Only those added since, milliseconds since 1970, by their authors' clocks.
    pub since: Option<u64>,
    /// Only versions made with this filter.
    pub filter: Option<Made>,
    /// At most so many.
    pub limit: Option<usize>,
    /// Without the first so many.
    pub offset: usize,
}

/// What images may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// A to Z, capitals like small letters
    Name,
    /// When it was added, the oldest first
    Date,
    /// The best mean first
    Rating,
    /// Who added it, A to Z
    Member,
    /// The largest file first
    Size,
    /// When the photo was taken, the oldest first
    Taken,
}

/// How an image was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Made {
    /// A version, by whatever filter.
    Any,
    /// No version.
    None,
    /// A version whose recipe has this step.
    With(String),
}
