//! `demo`: several peers on this machine, put through what may go wrong.

use std::path::PathBuf;

use clap::Args;

/// Show three peers on this machine: edits apart, a partition, a crash, and how they heal
///
/// Starts alice, bob and carol as processes of their own, with their own central, in a temporary folder; your homes
/// are not touched. Each step says what was done, what was seen and what that proves. Ends with 0 only if all held.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype demo
  calotype demo --photos ~/Pictures/trip --keep")]
pub struct Demo {
    /// Use the photos in this folder instead of painted ones
    #[arg(long, value_name = "DIR")]
    pub photos: Option<PathBuf>,
    /// Keep the temporary folder with the three homes
    #[arg(long)]
    pub keep: bool,
}
