//! `apply`: a recipe from file to file.

use std::path::PathBuf;

use clap::{Args, value_parser};

/// Most threads that `--threads` may ask for.
pub const THREADS_MAX: u32 = 256;

/// Filter an image file into another file, without album or network
///
/// OUT's ending chooses the kind: png holds everything, webp 8 bits without loss, jpg 8 bits at quality 92 without
/// transparency (white shows through). OUT is replaced once all went well. `calotype filters` lists the filters.
///
/// The pixels do not depend on --threads and --tile, only time and memory do.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype apply sunset.jpg old.jpg sepia
  calotype apply scan.tif small.webp 'grayscale+resize:1024' --json
  calotype apply wide.png soft.png blur:20 --threads 1 --tile 64")]
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
    /// Threads that filter, 1 to 256 (default: one for each processor)
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(THREADS_MAX)))]
    pub threads: Option<u32>,
    /// Height of the tiles, which are as wide as the picture, in rows of the result (default: what suits the caches)
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(filters::limits::SIDE_MAX)))]
    pub tile: Option<u32>,
    /// Leave out where the photo was taken
    #[arg(long)]
    pub strip_gps: bool,
}
