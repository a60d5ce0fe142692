//! Replies about accounts, albums, their images, members and chat.

use serde::{Deserialize, Serialize};

use super::Code;

/// See [`super::Reply::Session`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Account name.
    pub user: String,
    /// User id, hex.
    pub user_id: String,
    /// This device's key, hex.
    pub device: String,
    /// Address of the central.
    pub central: String,
    /// Whether the account was made just now.
    pub registered: bool,
    /// Then the 24 words that bring it back, with a space between two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_words: Option<String>,
}

/// See [`super::Reply::Done`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// One sentence, lower-case, without a full stop.
    pub done: String,
}

/// See [`super::Reply::Albums`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Albums {
    /// Sorted by name.
    pub albums: Vec<AlbumEntry>,
}

/// One line of `list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlbumEntry {
    /// Name (a label; may repeat).
    pub name: String,
    /// Album id, hex.
    pub album_id: String,
    /// Owner's name.
    pub owner: String,
    /// My role, or `none` where I was removed.
    pub role: String,
    /// Whether a replica is in this home.
    pub here: bool,
    /// Whether it is the current album.
    pub current: bool,
    /// Images in the replica, if here.
    pub images: Option<u64>,
}

/// See [`super::Reply::Entered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entered {
    /// Album name.
    pub album: String,
    /// Album id, hex.
    pub album_id: String,
    /// Owner's name.
    pub owner: String,
    /// My role.
    pub role: String,
    /// Members, the owner included.
    pub members: u64,
    /// Images known now.
    pub images: u64,
    /// Whether it was made just now.
    pub created: bool,
}

/// See [`super::Reply::Images`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// Album name.
    pub album: String,
    /// Oldest first, or as asked.
    pub images: Vec<ImageEntry>,
    /// Images that fit what was asked, those on other pages too.
    pub total: u64,
    /// How many of them come before the first one here.
    pub offset: u64,
    /// Images in the album, fitting or not.
    pub in_album: u64,
    /// Images that are held and so not shown.
    #[serde(default)]
    pub held: u64,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageEntry {
    /// Name, with `~6hex` where names collide.
    pub name: String,
    /// BLAKE3 of the bytes, hex.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// Pixels; `null` for classic entries.
    pub width: Option<u32>,
    /// Pixels; `null` for classic entries.
    pub height: Option<u32>,
    /// Media type; `null` for classic entries.
    pub media: Option<String>,
    /// Name of the member who added it.
    pub author: String,
    /// RFC 3339 UTC, the author's clock.
    pub added: String,
    /// When the photo was taken, by the camera's clock, no zone.
    pub taken: Option<String>,
    /// Ratings of all members.
    pub rating: Rating,
    /// Source's hash, hex, of a version.
    pub version_of: Option<String>,
    /// Source's name, where it is in the album.
    pub source: Option<String>,
    /// Canonical recipe of a version.
    pub recipe: Option<String>,
    /// `null`: not verified here.
    pub verified: Option<bool>,
    /// Decoded with damage.
    pub damaged: bool,
    /// Whether the bytes are in this home.
    pub local: bool,
    /// `ready`, `fetching` or `missing`.
    pub state: String,
}

/// Ratings of one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// Mean; `null` where nobody rated.
    pub mean: Option<f64>,
    /// Members who rated.
    pub count: u64,
    /// My stars.
    pub mine: Option<u8>,
}

/// See [`super::Reply::Metadata`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Album name.
    pub album: String,
    /// Album id, hex.
    pub album_id: String,
    /// Owner's name.
    pub owner: String,
    /// All members with their present roles.
    pub members: Vec<MemberEntry>,
    /// As in `get-images`.
    pub images: Vec<ImageEntry>,
    /// As in `get-images`.
    pub total: u64,
    /// As in `get-images`.
    pub offset: u64,
    /// As in `get-images`.
    pub in_album: u64,
    /// As in `get-images`.
    #[serde(default)]
    pub held: u64,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// Name.
    pub user: String,
    /// `viewer`, `contributor`, `curator`, `owner`.
    pub role: String,
    /// A device of theirs is linked with this node (mine: true).
    pub online: bool,
}

/// See [`super::Reply::Added`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// Album name.
    pub album: String,
    /// New entries.
    pub added: Vec<ImageEntry>,
    /// Known bytes: path (or name) and the entry they are.
    pub already: Vec<Already>,
    /// What could not be added.
    pub failed: Vec<Failed>,
    /// Files without where they were taken, as asked: what is stored is not the file byte for byte.
    #[serde(default)]
    pub stripped: Vec<String>,
    /// Files in folders that are no images, not looked at further.
    pub skipped: u64,
    /// Files not looked at because the import was stopped.
    pub left: u64,
}

/// Bytes that the album already has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Already {
    /// Where they were read.
    pub path: String,
    /// Entry that has them.
    pub name: String,
    /// Their hash, hex.
    pub hash: String,
}

/// A file that could not be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// The file.
    pub path: String,
    /// As in [`super::Failure`].
    pub code: Code,
    /// What and why.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// See [`super::Reply::Removed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// Album name.
    pub album: String,
    /// Entry's name.
    pub name: String,
    /// Its hash, hex.
    pub hash: String,
}

/// See [`super::Reply::Rated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rated {
    /// Album name.
    pub album: String,
    /// Entry's name.
    pub name: String,
    /// Ratings after mine.
    pub rating: Rating,
}

/// A role that can be given: the owner's cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum GivenRole {
    /// See, rate and chat
    Viewer,
    /// Also add and filter images, and remove one's own
    Contributor,
    /// Also remove others' images, let people in and remove them
    Curator,
}

/// See [`super::Reply::Membership`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// Album name.
    pub album: String,
    /// Whose membership.
    pub user: String,
    /// Role now, or `none`.
    pub role: String,
    /// Role before, or `none`. The same as `role`: nothing was written.
    pub was: String,
    /// Whether the central has it.
    pub announced: bool,
}

/// See [`super::Reply::SafetyWords`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SafetyWords {
    /// Account name.
    pub user: String,
    /// Id of the user whom this home knows under that name, hex.
    pub user_id: String,
    /// The words of this pair, alike on both sides.
    pub words: Vec<String>,
    /// Whether the person here said that they are the same.
    pub verified: bool,
    /// Another user's id, hex, whom the name stands for now: his words are not shown before the key is accepted.
    pub changed: Option<String>,
}

/// See [`super::Reply::Filtered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filtered {
    /// Album name.
    pub album: String,
    /// The new entry, or the known one where it was made before.
    pub image: ImageEntry,
    /// Source's name.
    pub source: String,
    /// `false`: this very version was here already.
    pub new: bool,
}

/// See [`super::Reply::FilteredMany`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilteredMany {
    /// Album name.
    pub album: String,
    /// Canonical recipe.
    pub recipe: String,
    /// New entries.
    pub made: Vec<ImageEntry>,
    /// Images whose version is in the album already.
    pub already: Vec<MadeBefore>,
    /// Images of which no version could be made.
    pub failed: Vec<NotMade>,
    /// Images that were meant.
    pub total: u64,
    /// Those that the work did not come to, because it was stopped.
    pub left: u64,
}

/// An image whose version is in the album already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MadeBefore {
    /// The image.
    pub source: String,
    /// Its version.
    pub name: String,
    /// The version's hash, hex.
    pub hash: String,
}

/// An image of which no version could be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotMade {
    /// The image.
    pub source: String,
    /// As in [`super::Failure`].
    pub code: Code,
    /// What and why.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// See [`super::Reply::Verified`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// Album name.
    pub album: String,
    /// The version's name.
    pub name: String,
    /// BLAKE3 of its bytes, hex.
    pub hash: String,
    /// Source's name, where it is in the album.
    pub source: Option<String>,
    /// Source's hash, hex.
    pub version_of: String,
    /// Its recipe.
    pub recipe: String,
    /// What its author says that the pixels rest on.
    pub pixel_engine: String,
    /// `null`: it cannot be told here.
    pub verified: Option<bool>,
    /// What is not as stated.
    pub differs: Option<Differs>,
    /// The first step of the recipe that was not done as stated, where that can be told.
    pub step: Option<Step>,
    /// More about it, in words.
    pub why: Option<String>,
}

/// A step of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which one, from 1.
    pub number: u64,
    /// Its text: `blur:2`.
    pub recipe: String,
}

/// Where a version differs from what is made of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Differs {
    /// The recipe gives nothing of this source.
    Recipe,
    /// Other pixels come out.
    Pixels,
    /// The pixels are right, the file is another.
    File,
}

/// A chat line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatLine {
    /// Album name.
    pub album: String,
    /// Author's name.
    pub user: String,
    /// RFC 3339 UTC, the author's clock.
    pub at: String,
    /// As typed.
    pub text: String,
}

/// See [`super::Reply::Chat`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// Album name.
    pub album: String,
    /// Oldest first, causal order.
    pub lines: Vec<ChatLine>,
    /// Lines that fit what was asked; these are the newest of them.
    pub total: u64,
}

/// See [`super::Reply::Members`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Members {
    /// Album name.
    pub album: String,
    /// Owner's name.
    pub owner: String,
    /// The owner first, then in the order in which they were let in.
    pub members: Vec<Member>,
}

/// One member, with what `members` tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Name.
    pub user: String,
    /// User id, hex.
    pub user_id: String,
    /// `viewer`, `contributor`, `curator`, `owner`.
    pub role: String,
    /// Whether safety words were compared (`verify-user`).
    #[serde(default)]
    pub verified: bool,
    /// A device of theirs is linked with this node (mine: true).
    pub online: bool,
    /// Name of the member who let them in; `null` for the owner.
    pub added_by: Option<String>,
    /// When, RFC 3339 UTC, by that member's clock; for the owner when the album was made.
    pub added: Option<String>,
    /// Images in the album that they added.
    pub images: u64,
}

/// See [`super::Reply::Away`]: what others did while a person was away, as far as it has come here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Away {
    /// Album name.
    pub album: String,
    /// Images and versions added.
    pub images: u64,
    /// Who added them.
    pub images_by: Vec<String>,
    /// Images removed that had been there.
    pub removed: u64,
    /// Who removed them.
    pub removed_by: Vec<String>,
    /// Ratings given or changed.
    pub ratings: u64,
    /// Chat lines.
    pub chat: u64,
    /// New members.
    pub members: Vec<String>,
}
