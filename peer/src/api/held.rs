//! Replies about what is held.

use serde::{Deserialize, Serialize};

/// What to do about held work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldAct {
    /// List it.
    List,
    /// Make it count, for everybody.
    Accept,
    /// Set it aside in this home.
    Drop,
}

/// See [`super::Reply::Held`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Album name.
    pub album: String,
    /// What was asked for.
    pub act: HeldAct,
    /// Each held command; of `accept` and `drop` those that were meant. Grouped by member, the newest first.
    pub held: Vec<HeldEntry>,
    /// Commands that were set aside here and are not listed.
    pub dropped: u64,
}

/// What one command says that is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldEntry {
    /// Id of the command, hex.
    pub id: String,
    /// Name of its author.
    pub user: String,
    /// User id, hex.
    pub user_id: String,
    /// Key of the device, hex.
    pub device: String,
    /// When, RFC 3339 UTC, by the author's clock; `null` for what says nothing new.
    pub at: Option<String>,
    /// Why it is held, in words.
    pub why: String,
    /// The role that accepting it takes; `null`: no accept helps.
    pub accept: Option<String>,
    /// `held`, `dropped` (set aside here) or `accepted`.
    pub state: String,
    /// Images and versions in it.
    pub images: u64,
    /// Ratings in it.
    pub ratings: u64,
    /// Chat lines in it.
    pub chat: u64,
    /// Entries that it would remove.
    pub removals: u64,
    /// Grants and changes of role in it.
    pub members: u64,
    /// Anything else in it.
    pub other: u64,
    /// Names of its images, the first ones.
    pub names: Vec<String>,
}
