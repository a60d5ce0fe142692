//! `apply`: a recipe from file to file.

use std::path::PathBuf;

use clap::Args;

/// Filter an image file into another file, without album or network
///
/// OUT's ending chooses the kind: png holds everything, webp 8 bits without loss, jpg 8 bits at quality 92 without
/// transparency (white shows through). OUT is replaced once all went well. `calotype filters` lists the filters.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype apply sunset.jpg old.jpg sepia
  calotype apply scan.tif small.webp 'grayscale+resize:1024' --json")]
pub struct Apply {
    /// Image to read
    #[arg(value_name = "IN")]
    pub from: PathBuf,
    /// File to write: .png, .jpg or .webp
    #[arg(value_name = "OUT")]
    pub to: PathBuf,
    /// Filters joined by +, as in grayscale+blur:2
    #[arg(value_name = "RECIPE")]
    pub recipe: String,
    /// Leave out where the photo was taken
    #[arg(long)]
    pub strip_gps: bool,
}
