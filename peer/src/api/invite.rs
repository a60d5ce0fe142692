//! Replies about codes that let people in.

use serde::{Deserialize, Serialize};

use super::Session;

/// See [`super::Reply::Invite`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invite {
    /// What is said to the guest: a number and three words.
    pub code: String,
    /// Its number, by which it is cancelled.
    pub number: u32,
    /// Album name.
    pub album: String,
    /// What the guest becomes.
    pub role: String,
    /// Good until then, RFC 3339 UTC, this node's clock.
    pub expires: String,
    /// The central's address, where the guest's machine does not find it by itself: he types `CODE@ADDRESS`.
    pub central: Option<String>,
}

/// See [`super::Reply::Invites`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invites {
    /// The oldest first.
    pub invites: Vec<InviteEntry>,
}

/// A code of this home's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InviteEntry {
    /// Its number.
    pub number: u32,
    /// The code, while it may be used.
    pub code: Option<String>,
    /// Album name.
    pub album: String,
    /// What the guest becomes.
    pub role: String,
    /// `open`, `taken` (somebody is using it), `used`, `burnt` (by a wrong guess), `closed` or `expired`; as last heard of
    /// the central.
    pub state: String,
    /// Good until then, RFC 3339 UTC.
    pub expires: String,
    /// Whom it let in.
    pub user: Option<String>,
}

/// See [`super::Reply::Joined`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Album name.
    pub album: String,
    /// Album id, hex.
    pub album_id: String,
    /// Whose album it is.
    pub owner: String,
    /// Who invited.
    pub by: String,
    /// What I am there.
    pub role: String,
    /// Members, me included.
    pub members: u64,
    /// Images.
    pub images: u64,
    /// The account, if it was made just now.
    pub session: Option<Session>,
}
