//! `fsck`: checks the bytes of a home.

use clap::Args;

/// Check every stored byte of this home and set aside what is damaged
///
/// For a home without a running node. Damaged images go to the folder bad/, a damaged database is made anew from what
/// is good in it; the next start fetches what is missing from other members. Ends with 0 if all is well, else with 1.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype fsck
  calotype --home ~/attic fsck --json")]
pub struct Fsck {}
