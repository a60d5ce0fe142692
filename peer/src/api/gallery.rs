//! Replies about the gallery, and what its page asks for beyond the commands' own.

use serde::{Deserialize, Serialize};

use super::ImageEntry;

/// See [`super::Reply::Gallery`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gallery {
    /// Album name.
    pub album: String,
    /// Address of the page; what it carries is good for one browser.
    pub url: String,
}

/// See [`super::Reply::Details`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Album name.
    pub album: String,
    /// The image.
    pub image: ImageEntry,
    /// What a version was made of, where that is in the album.
    pub source: Option<ImageEntry>,
    /// The versions made of it, the oldest first; at most a hundred.
    pub versions: Vec<ImageEntry>,
    /// Stars of each member who rated it, by name.
    pub ratings: Vec<Stars>,
}

/// One member's rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stars {
    /// Whose.
    pub user: String,
    /// 0 to 5.
    pub stars: u8,
}
