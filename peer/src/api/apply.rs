//! What `apply` did.

use serde::{Deserialize, Serialize};

/// See [`super::Reply::Applied`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The file that was written.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Canonical recipe.
    pub recipe: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Millions of pixels of the source.
    pub megapixels: f64,
    /// BLAKE3 of the result's pixels before they were encoded, hex.
    pub pixel_hash: String,
    /// Decoder and filters that the pixels rest on.
    pub pixel_engine: String,
    /// What wrote the file.
    pub encoder: String,
    /// What is wrong with the source, where it is damaged.
    pub damaged: Option<String>,
    /// Milliseconds, the decoder's process and the way of the pixels included.
    pub decode_ms: f64,
    /// Milliseconds.
    pub filter_ms: f64,
    /// Milliseconds.
    pub encode_ms: f64,
    /// Most memory that the process or its decoder had at once, bytes: the pixels move from one to the other. `null`
    /// where the system does not tell.
    pub peak_bytes: Option<u64>,
}
