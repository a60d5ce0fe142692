//! Replies about what happened: the log, the story of an image, the trash, what was undone.

use serde::{Deserialize, Serialize};

use super::ImageEntry;

/// See [`super::Reply::Log`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// Album name.
    pub album: String,
    /// Newest first: an entry never stands below one that its author had not seen.
    pub entries: Vec<LogEntry>,
    /// How many newer ones were left out.
    #[serde(default)]
    pub offset: u64,
    /// Whether there are older ones.
    pub more: bool,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Hash of its first header, hex; `/undo` takes the first digits.
    pub id: String,
    /// Who gave it.
    pub user: String,
    /// Device key, hex.
    pub device: String,
    /// Place in the causal order.
    pub lamport: u64,
    /// RFC 3339 UTC, the author's clock; `null` where ops carry none (removals, undos).
    pub at: Option<String>,
    /// RFC 3339 UTC, when it came here, for those without `at`; `null` if it was before this was noted.
    pub seen: Option<String>,
    /// What it did.
    pub did: Vec<Did>,
    /// Why it has no effect, wholly or in part, in words; `null`: it has.
    pub held: Option<String>,
    /// Entry that it undid.
    pub undoes: Option<String>,
    /// Entry that undid it.
    pub undone_by: Option<String>,
}

/// One thing that a command did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Did {
    /// Began the album.
    Created {
        /// Its first name.
        name: String,
    },
    /// Added images or versions.
    Added(ImageNames),
    /// Brought images back.
    Restored(ImageNames),
    /// Removed images.
    Removed(ImageNames),
    /// Rated an image, or withdrew a rating.
    Rated {
        /// Its name.
        name: String,
        /// Its hash, hex.
        hash: String,
        /// Stars; `null`: withdrawn.
        stars: Option<u8>,
        /// Stars before.
        before: Option<u8>,
    },
    /// Named the album.
    Renamed {
        /// New name; `null`: took a name back.
        name: Option<String>,
    },
    /// Let a user in.
    MemberAdded {
        /// Whom.
        user: String,
        /// As what.
        role: String,
    },
    /// Changed a role; `none` ended the membership.
    MemberChanged {
        /// Whose.
        user: String,
        /// To what.
        role: String,
    },
    /// Accepted ops that were held.
    Accepted {
        /// How many, at most.
        ops: u64,
    },
    /// Ended a device.
    Revoked {
        /// Its key, hex.
        device: String,
    },
    /// Something of a later version.
    Other {
        /// How many facts.
        count: u64,
    },
}

/// Images of one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageNames {
    /// How many.
    pub count: u64,
    /// The first hundred.
    pub images: Vec<Named>,
}

/// An image as a command named it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Name given.
    pub name: String,
    /// BLAKE3 of the bytes, hex.
    pub hash: String,
    /// (actor, seq).
    pub dot: (String, u64),
    /// Source's hash, hex, of a version.
    pub version_of: Option<String>,
    /// Recipe of a version.
    pub recipe: Option<String>,
}

/// See [`super::Reply::Why`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// Album name.
    pub album: String,
    /// Name asked for, as it shows now or last did.
    pub name: String,
    /// BLAKE3 of the bytes, hex.
    pub hash: String,
    /// Whether the image is in the album.
    pub here: bool,
    /// What was done about it, oldest first.
    pub events: Vec<WhyEvent>,
    /// Hashes of other images that have or had this name.
    pub same_name: Vec<String>,
}

/// One op, as far as it concerns an image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WhyEvent {
    /// `added`, `restored`, `removed`, `rated`, `unrated`, `versioned`.
    pub kind: String,
    /// Header hash, hex.
    pub header: String,
    /// Whose.
    pub user: String,
    /// Device key, hex.
    pub device: String,
    /// As in [`LogEntry`].
    pub at: Option<String>,
    /// As in [`LogEntry`].
    pub seen: Option<String>,
    /// Why it has no effect; `null`: it has.
    pub held: Option<String>,
    /// Its own dot: what was added, rated, versioned.
    pub dot: Option<(String, u64)>,
    /// Whether that is in the album.
    pub live: Option<bool>,
    /// Name it was added under; the version's name.
    pub name: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// Source's hash, hex, where the image is a version.
    pub version_of: Option<String>,
    /// Name that the source has or last had here.
    #[serde(default)]
    pub source: Option<String>,
    /// Recipe of the version.
    pub recipe: Option<String>,
    /// Stars.
    pub stars: Option<u8>,
    /// Of a removal: what it saw, and so removed.
    pub saw: Vec<Dot>,
    /// Of a removal: what was added without either knowing of the other, and so stayed.
    pub missed: Vec<Dot>,
}

/// A fact that an event speaks of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dot {
    /// (actor, seq).
    pub dot: (String, u64),
    /// Hash of the header that gave it, hex.
    pub header: String,
    /// Whose.
    pub user: String,
}

/// See [`super::Reply::Trash`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trash {
    /// Album name.
    pub album: String,
    /// The last removed first.
    pub images: Vec<TrashEntry>,
    /// How many were left out before these.
    #[serde(default)]
    pub offset: u64,
    /// How many there are.
    #[serde(default)]
    pub total: u64,
}

/// A removed image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrashEntry {
    /// Name, with `~6hex` where names in the trash collide.
    pub name: String,
    /// BLAKE3 of the bytes, hex.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// Name of the member who added it.
    pub author: String,
    /// RFC 3339 UTC, the author's clock.
    pub added: String,
    /// Who removed it last.
    pub removed_by: String,
    /// RFC 3339 UTC, when the removal came here; `null` if it was before this was noted.
    pub removed: Option<String>,
    /// Hash of the removal's header, hex.
    pub removal: String,
    /// Source's hash, hex, of a version.
    pub version_of: Option<String>,
    /// Recipe of a version.
    pub recipe: Option<String>,
    /// Whether the bytes are in this home.
    pub local: bool,
}

/// See [`super::Reply::Restored`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    /// Album name.
    pub album: String,
    /// The new entries.
    pub restored: Vec<ImageEntry>,
}

/// See [`super::Reply::Undone`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undone {
    /// Album name.
    pub album: String,
    /// Hash of the undo's first header, hex: `/undo` with it gets everything back.
    pub id: String,
    /// What was undone.
    pub undone: LogEntry,
    /// What the undo did; nothing where nothing was left.
    pub did: Vec<Did>,
    /// What it left as it is.
    pub left: Vec<LeftEntry>,
}

/// An image that an undo left as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftEntry {
    /// Its name.
    pub name: String,
    /// Its hash, hex.
    pub hash: String,
    /// `gone`: added, and removed by somebody since; `here`: removed, and added again since; `unwanted`: removed by
    /// somebody else too.
    pub why: String,
}
