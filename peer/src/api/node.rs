//! Replies about the node itself: peers, state, counters, copies of files.

use serde::{Deserialize, Serialize};

/// See [`super::Reply::Peers`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// Devices of members of my albums, this one excluded.
    pub peers: Vec<PeerEntry>,
}

/// One device of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// Member's name.
    pub user: String,
    /// Device key, hex.
    pub device: String,
    /// What the device calls itself, where that tells it from others of its user; else `null`.
    #[serde(default)]
    pub label: Option<String>,
    /// Known or linked address.
    pub address: Option<String>,
    /// `linked`, `connecting` (an address is being tried right now), `away`, `blocked`.
    pub state: String,
    /// Shared albums by name.
    pub albums: Vec<String>,
    /// Bytes received over this link.
    pub bytes_in: u64,
    /// Bytes sent over this link.
    pub bytes_out: u64,
    /// When the last link with it was up, RFC 3339 UTC, this node's clock; `null` where there was none.
    pub last_seen: Option<String>,
    /// The shortest of its last answers, from request to first frame, in milliseconds; `null` unless linked.
    pub rtt_ms: Option<f64>,
    /// While linked: how far apart the two are, by shared album.
    pub lag: Vec<Lag>,
}

/// How far a peer and this node are apart in an album, counted in changes: added images, ratings, lines and the like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// Album name.
    pub album: String,
    /// `in-step`, `apart`, or `unknown` while the two have not been compared.
    pub state: String,
    /// Changes that the peer has and that are not here; when last compared, as it says.
    pub missing_here: Option<u64>,
    /// Changes here that the peer has not.
    pub missing_there: Option<u64>,
}

/// See [`super::Reply::Status`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Account, if any.
    pub user: Option<String>,
    /// Current album, if any.
    pub album: Option<String>,
    /// My role there, or `none`.
    #[serde(default)]
    pub role: Option<String>,
    /// Linked peers.
    pub peers: u64,
    /// Bytes named by albums here that are not here yet.
    pub pending_bytes: u64,
    /// Images whose bytes are not here yet.
    pub pending_images: u64,
    /// Image bytes on this disk.
    pub disk_bytes: u64,
    /// Images whose bytes no linked member is known to have.
    pub only_copies: u64,
    /// How the versions in my albums stand.
    #[serde(default)]
    pub versions: Versions,
    /// What this process computes otherwise than its engines and encoders say, in words; versions that stand on it are neither
    /// made nor judged here. Nothing on a sound machine.
    #[serde(default)]
    pub inexact: Vec<String>,
    /// `connected`, `down`, `none`.
    pub central: String,
    /// Address of the central.
    pub central_address: Option<String>,
    /// Address of this node's guard.
    pub peer_address: String,
    /// Whether the account's root key has revoked this device.
    #[serde(default)]
    pub revoked: bool,
    /// The home folder.
    pub home: String,
    /// Process.
    pub pid: u32,
    /// Strategy.
    pub replication: String,
    /// What was refused since the start, by kind; docs/errors.md lists them.
    pub refused: std::collections::BTreeMap<String, u64>,
    /// The same by member's device as far as it is known, the worst first. Of what the links refuse, at most 20 a second
    /// have a sender here.
    pub refused_from: Vec<RefusedFrom>,
}

/// See [`super::Reply::Trusted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trusted {
    /// The central, `HOST:PORT`.
    pub address: String,
    /// The six words of its key.
    pub words: String,
    /// Whether another key, or none, was trusted before.
    pub changed: bool,
    /// Whether there is a connection with it now.
    pub connected: bool,
}

/// Versions of images, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Made again here, and just as stated.
    pub verified: u64,
    /// Made again here, and not as stated.
    #[serde(rename = "false")]
    pub not_as_stated: u64,
    /// Not looked at yet.
    pub unverified: u64,
    /// Filters, a decoder or a size that this program has not.
    pub not_verifiable: u64,
    /// Whose bytes were made here instead of fetched, since the start.
    pub rebuilt: u64,
}

/// See [`Status::refused_from`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedFrom {
    /// User name.
    pub user: String,
    /// Device key, hex.
    pub device: String,
    /// How often, by kind.
    pub kinds: std::collections::BTreeMap<String, u64>,
}

/// See [`super::Reply::Synced`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synced {
    /// Album name.
    pub album: String,
    /// Whether all compared peers have my digest and all their bytes are here.
    pub synced: bool,
    /// Digest, hex.
    pub digest: String,
    /// Names of the members compared.
    pub compared: Vec<String>,
    /// Images still without bytes.
    pub pending_images: u64,
}

/// See [`super::Reply::Exported`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// Album name.
    pub album: String,
    /// Folder.
    pub dir: String,
    /// Files written.
    pub written: u64,
    /// Files that were there already with the same bytes.
    pub already: u64,
    /// Images without bytes here.
    pub missing: Vec<String>,
}

/// See [`super::Reply::Saved`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Entry's name.
    pub name: String,
    /// File.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// See [`super::Reply::Shown`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Album name.
    pub album: String,
    /// The image.
    pub image: Picture,
    /// What it was made of, where that was asked for.
    pub source: Option<Picture>,
    /// Canonical text of the recipe that was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
}

/// A file with a picture of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Entry's name.
    pub name: String,
    /// Pixels of the image itself; `null` for classic entries.
    pub width: Option<u32>,
    /// The same.
    pub height: Option<u32>,
    /// Canonical recipe of a version.
    pub recipe: Option<String>,
    /// The file, verified just now.
    pub path: String,
    /// Whether it is the preview, of at most 512 pixels, and not the image itself.
    pub preview: bool,
}

/// See [`super::Reply::Checked`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Image files read.
    pub images: u64,
    /// Their bytes.
    pub image_bytes: u64,
    /// Damaged image files, by hash; moved to `bad/`.
    pub bad_images: Vec<String>,
    /// Image files that could not be read; left where they are.
    pub unreadable: Vec<Unreadable>,
    /// Files among the images that are none; left alone.
    pub strays: Vec<String>,
    /// Good ops.
    pub ops: u64,
    /// Damaged ops, as far as they could be counted.
    pub bad_ops: u64,
    /// Good settings.
    pub settings: u64,
    /// Damaged settings, `SPACE/KEY`.
    pub bad_settings: Vec<String>,
    /// Whether the database was made anew from what was good; the old one is in `bad/`.
    pub rebuilt: bool,
    /// What is wrong with the database's file.
    pub problems: Vec<String>,
    /// Stopped before the end.
    pub stopped: bool,
}

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its blob.
    pub hash: String,
    /// What the system said.
    pub why: String,
}

/// See [`super::Reply::Prompt`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// Account, if any.
    pub user: Option<String>,
    /// Current album, if any.
    pub album: Option<String>,
    /// Linked peers of the current album.
    pub peers: u64,
    /// Images being fetched.
    pub fetching: u64,
    /// `connected`, `down`, `none`.
    pub central: String,
}

/// Kinds of names that live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameKind {
    /// Images of the album.
    Image,
    /// Images in the album's trash.
    Gone,
    /// Albums I may enter.
    Album,
    /// Members of the album.
    Member,
}

/// See [`super::Reply::Names`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Names {
    /// Sorted; of very many some, the first and the last among them.
    pub names: Vec<String>,
}
