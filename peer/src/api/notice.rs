//! What is told without being asked for: progress of long work, and news.

use serde::{Deserialize, Serialize};

use super::{Differs, Step};

/// How far a long request is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done: `importing`, `filtering`, `syncing`, `exporting`.
    pub doing: String,
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// `images`, `bytes`, `steps`.
    pub unit: String,
}

/// News for people and `watch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// RFC 3339 UTC, this node's clock.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub news: News,
    /// Album name, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
}

/// Kinds of news. `by` and `author` are names.
#[allow(missing_docs)] // of fields: their names say it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum News {
    /// An image became part of the album.
    ImageAdded {
        name: String,
        hash: String,
        author: String,
        version_of: Option<String>,
        recipe: Option<String>,
    },
    /// An image left the album.
    ImageRemoved {
        name: String,
        hash: String,
        author: String,
        by: String,
    },
    /// An image's bytes are here and verified.
    BytesReady {
        name: String,
        hash: String,
        author: String,
        size: u64,
        /// Made here from source and recipe instead of fetched.
        #[serde(default)]
        rebuilt: bool,
    },
    /// A version of somebody else's, made again here, is not what its author states.
    VersionFalse {
        name: String,
        hash: String,
        author: String,
        version_of: String,
        source: Option<String>,
        recipe: String,
        differs: Differs,
        step: Option<Step>,
        why: Option<String>,
    },
    /// Somebody rated.
    Rated {
        name: String,
        hash: String,
        author: String,
        by: String,
        stars: Option<u8>,
        mean: Option<f64>,
    },
    /// A member came.
    MemberAdded { user: String, role: String, by: String },
    /// A member's role changed; `mine`: it is that of this home's user.
    RoleChanged {
        user: String,
        role: String,
        was: String,
        by: String,
        mine: bool,
    },
    /// A member left.
    MemberRemoved { user: String, by: String },
    /// I may enter an album.
    Invited { by: String, owner: String },
    /// Somebody came by a code of mine.
    CodeUsed { number: u32, user: String },
    /// A code of mine is used up, and nobody came.
    CodeBurnt { number: u32 },
    /// I may not any more.
    Uninvited { by: String },
    /// A chat line.
    Chat { user: String, text: String },
    /// A link with a member's device came up.
    PeerJoined {
        user: String,
        device: String,
        /// What the device calls itself, where its user has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// It went down.
    PeerLeft {
        user: String,
        device: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        reason: String,
    },
    /// The central is there again.
    CentralUp { address: String },
    /// The central is away; albums go on.
    CentralDown { reason: String },
    /// Edits of somebody are held: they were not allowed, or do not count any more. `count` are the ops.
    Held {
        user: String,
        count: u64,
        images: u64,
        why: String,
    },
    /// Two histories under one actor: the proof is kept.
    Fork { user: String },
    /// Something the person should know, in words.
    Warning { text: String },
}
