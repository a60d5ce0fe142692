//! What `preview` and `compare` found.

use serde::{Deserialize, Serialize};

/// See [`super::Reply::Previewed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Previewed {
    /// Album name.
    pub album: String,
    /// The image.
    pub source: String,
    /// Canonical recipe.
    pub recipe: String,
    /// Pixels of what came out.
    pub width: u32,
    /// The same.
    pub height: u32,
    /// Whether the image's small preview was filtered, and not the image itself.
    pub small: bool,
    /// The file that was written, if one was.
    pub path: Option<String>,
    /// Its bytes.
    pub size: Option<u64>,
    /// What is wrong with the source, where it is damaged.
    pub damaged: Option<String>,
}

/// See [`super::Reply::Compared`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Album name.
    pub album: String,
    /// The first image.
    pub a: Compare,
    /// The other.
    pub b: Compare,
    /// Pixels that were compared.
    pub width: u32,
    /// The same.
    pub height: u32,
    /// Whether one was made as small as the other before.
    pub scaled: bool,
    /// Whether nothing differs.
    pub identical: bool,
    /// Decibels; `null` where nothing differs.
    pub psnr: Option<f64>,
    /// −1 to 1; `null` where a side has fewer than 11 pixels.
    pub ssim: Option<f64>,
    /// Mean of the squared differences.
    pub mse: f64,
    /// The largest difference of two samples, of 255.
    pub largest: u8,
    /// Pixels that differ.
    pub differing: u64,
    /// The file with what differs, if one was written.
    pub path: Option<String>,
    /// What the samples of that file were multiplied by.
    pub gain: u8,
}

/// One of two images that were compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compare {
    /// Entry's name.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// The same.
    pub height: u32,
    /// Canonical recipe of a version.
    pub recipe: Option<String>,
    /// What is wrong with it, where it is damaged.
    pub damaged: Option<String>,
    /// Pixels of each luma, 256 of them.
    pub histogram: Vec<u64>,
}
