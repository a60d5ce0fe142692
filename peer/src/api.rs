//! What passes between a door (REPL, one-shot, script) and the node: requests, replies, failures, notices.
//! All of it crosses the control socket as JSON Lines, and the replies are what `--json` prints.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Version of the JSON that scripts see.
pub const SCHEMA: u32 = 1;

/// One thing a door asks of the node. Paths are absolute; `album: None` is the home's current album.
#[allow(missing_docs)] // of fields: their names say it
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// New account on the central; also logs in.
    Register { user: String, password: Secret },
    /// Session of this home's device with the central.
    Login { user: String, password: Secret },
    /// Ends the session; the home keeps its keys and albums.
    Logout,
    /// Albums I may enter.
    List,
    /// New album owned by me; also enters it.
    CreateAlbum { name: String },
    /// Makes an album the current one and starts replicating it.
    EnterAlbum { album: String },
    /// No current album; all albums here go on replicating.
    LeaveAlbum,
    /// Images with ratings.
    GetImages { album: Option<String> },
    /// Members, images, hashes, versions.
    GetMetadata { album: Option<String> },
    /// The CRDT's inner state.
    GetOrSet { album: Option<String> },
    /// Files and folders (already expanded from `~` and globs by the door).
    AddImage {
        album: Option<String>,
        paths: Vec<PathBuf>,
        name: Option<String>,
    },
    /// Classic form: an entry whose bytes some peer may bring later. `hash` is BLAKE3 in hex, `size` bytes.
    AddClassic {
        album: Option<String>,
        name: String,
        hash: String,
        size: u64,
    },
    /// Removes what was observed under this name.
    RemoveImage { album: Option<String>, name: String },
    /// 0–5 stars; `None` withdraws my rating.
    RateImage {
        album: Option<String>,
        name: String,
        stars: Option<u8>,
    },
    /// Makes a user contributor of the album.
    AddUser { album: Option<String>, user: String },
    /// Ends a membership; what this removal saw stays.
    RemoveUser { album: Option<String>, user: String },
    /// Filtered version as a new entry.
    Filter {
        album: Option<String>,
        name: String,
        recipe: String,
        new_name: Option<String>,
    },
    /// A chat line.
    Say { album: Option<String>, text: String },
    /// The newest chat lines, oldest first.
    Chat {
        album: Option<String>,
        limit: Option<usize>,
    },
    /// Who is here.
    Peers,
    /// State of this node.
    Status,
    /// Bytes and messages by strategy and kind.
    Net,
    /// Waits until all connected members are equal and their bytes here. `quiet`: nobody reachable is fine.
    Sync {
        album: Option<String>,
        timeout_ms: u64,
        quiet: bool,
    },
    /// Writes originals and versions byte for byte into a folder.
    Export { album: Option<String>, dir: PathBuf },
    /// Writes one image to a file or into a folder; refuses to overwrite unless `force`.
    Save {
        album: Option<String>,
        name: String,
        path: PathBuf,
        force: bool,
    },
    /// Path of a local, verified copy of an image's bytes (for `/open`).
    Locate { album: Option<String>, name: String },
    /// Refuses links with a peer (user name or device prefix) until unblocked.
    Block { peer: String },
    /// Undoes [`Request::Block`].
    Unblock { peer: String },
    /// Streams notices until the door hangs up.
    Watch,
    /// The prompt's facts, kept cheap.
    Prompt,
    /// Ends the node (the door that started it, or `SIGTERM`).
    Shutdown,
}

/// A password on its way: never shown by `Debug`, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The answer to a [`Request`] that worked, wholly or in part.
#[allow(clippy::large_enum_variant)] // one at a time, and moved once
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// `register`, `login`.
    Session(Session),
    /// `logout`, `leave-album`, `block`, `unblock`, `shutdown`: what was done, in words.
    Done(Done),
    /// `list`.
    Albums(Albums),
    /// `create-album`, `enter-album`.
    Entered(Entered),
    /// `get-images`.
    Images(Images),
    /// `get-metadata`.
    Metadata(Metadata),
    /// `get-or-set`.
    OrSet(OrSet),
    /// `add-image`, both forms.
    Added(Added),
    /// `remove-image`.
    Removed(Removed),
    /// `rate-image`.
    Rated(Rated),
    /// `add-user`, `remove-user`.
    Membership(Membership),
    /// `filter`: the new entry.
    Filtered(Filtered),
    /// `say`.
    Said(ChatLine),
    /// `chat`.
    Chat(Chat),
    /// `peers`.
    Peers(Peers),
    /// `status`.
    Status(Box<Status>),
    /// `net`.
    Net(Net),
    /// `sync`.
    Synced(Synced),
    /// `export`.
    Exported(Exported),
    /// `save`, `locate`.
    Saved(Saved),
    /// `fsck`.
    Checked(Checked),
    /// `prompt`.
    Prompt(Prompt),
}

/// See [`Reply::Session`].
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
}

/// See [`Reply::Done`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// One sentence, lower-case, without a full stop.
    pub done: String,
}

/// See [`Reply::Albums`].
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

/// See [`Reply::Entered`].
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

/// See [`Reply::Images`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// Album name.
    pub album: String,
    /// Oldest first.
    pub images: Vec<ImageEntry>,
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

/// See [`Reply::Metadata`].
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

/// See [`Reply::OrSet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrSet {
    /// Album name.
    pub album: String,
    /// This replica's actor, base64url; `null` before its first op.
    pub replica: Option<String>,
    /// Last received seq of each actor.
    pub clock: std::collections::BTreeMap<String, u64>,
    /// Live facts with their dots.
    pub elements: Vec<Element>,
    /// Ops held for missing rights.
    pub held: u64,
    /// Hash of the replicated state, hex.
    pub digest: String,
}

/// One live fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Element {
    /// (actor, seq).
    pub dot: (String, u64),
    /// Fact kind.
    pub kind: String,
    /// The fact as signed.
    pub value: serde_json::Value,
}

/// See [`Reply::Added`].
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
    /// Files in folders that are no images, not looked at further.
    pub skipped: u64,
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
    /// As in [`Failure`].
    pub code: Code,
    /// What and why.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// See [`Reply::Removed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// Album name.
    pub album: String,
    /// Entry's name.
    pub name: String,
    /// Its hash, hex.
    pub hash: String,
}

/// See [`Reply::Rated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rated {
    /// Album name.
    pub album: String,
    /// Entry's name.
    pub name: String,
    /// Ratings after mine.
    pub rating: Rating,
}

/// See [`Reply::Membership`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// Album name.
    pub album: String,
    /// Whose membership.
    pub user: String,
    /// Role now, or `none`.
    pub role: String,
    /// Whether the central has it.
    pub announced: bool,
}

/// See [`Reply::Filtered`].
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

/// See [`Reply::Chat`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// Album name.
    pub album: String,
    /// Oldest first, causal order.
    pub lines: Vec<ChatLine>,
}

/// See [`Reply::Peers`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// Devices of members of my albums, mine excluded.
    pub peers: Vec<PeerEntry>,
}

/// One device of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// Member's name.
    pub user: String,
    /// Device key, hex.
    pub device: String,
    /// Known or linked address.
    pub address: Option<String>,
    /// `linked`, `away`, `blocked`.
    pub state: String,
    /// Shared albums by name.
    pub albums: Vec<String>,
    /// Bytes received over this link.
    pub bytes_in: u64,
    /// Bytes sent over this link.
    pub bytes_out: u64,
}

/// See [`Reply::Status`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Account, if any.
    pub user: Option<String>,
    /// Current album, if any.
    pub album: Option<String>,
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
    /// `connected`, `down`, `none`.
    pub central: String,
    /// Address of the central.
    pub central_address: Option<String>,
    /// Address of this node's guard.
    pub peer_address: String,
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

/// See [`Reply::Net`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Net {
    /// Strategy now.
    pub replication: String,
    /// Counters by name (`gossip_bytes_out`, `ops_sent`, …).
    pub counters: std::collections::BTreeMap<String, u64>,
}

/// See [`Reply::Synced`].
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

/// See [`Reply::Exported`].
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

/// See [`Reply::Saved`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Entry's name.
    pub name: String,
    /// File.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// See [`Reply::Checked`].
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

/// See [`Reply::Prompt`].
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

/// Stable kinds of failure; docs/errors.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Wrong words.
    Usage,
    /// Who are you.
    Auth,
    /// No such thing.
    NotFound,
    /// Your role does not allow it.
    Denied,
    /// Nobody answers.
    Unreachable,
    /// Done in part.
    Partial,
    /// Several things fit.
    Ambiguous,
    /// No picture that we know.
    NotAnImage,
    /// Past a limit.
    TooLarge,
    /// A picture, but broken.
    Damaged,
    /// No room.
    DiskFull,
    /// Somebody else has it.
    Busy,
    /// There already.
    Exists,
    /// Our fault.
    Internal,
}

impl Code {
    /// The exit code of a one-shot command that failed so.
    pub const fn exit(self) -> u8 {
        match self {
            Code::Usage => 2,
            Code::Auth => 3,
            Code::NotFound => 4,
            Code::Denied => 5,
            Code::Unreachable => 6,
            Code::Partial => 7,
            Code::Ambiguous
            | Code::NotAnImage
            | Code::TooLarge
            | Code::Damaged
            | Code::DiskFull
            | Code::Busy
            | Code::Exists
            | Code::Internal => 1,
        }
    }
}

/// Why a request failed: what, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Kind.
    pub code: Code,
    /// Lower-case, names the thing and the value.
    pub message: String,
    /// The remedy; may be empty.
    pub hint: String,
    /// What was done all the same (a batch, a sync that ran out of time).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Box<Reply>>,
}

impl Failure {
    /// A failure with a remedy.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            reply: None,
        }
    }
}

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
    /// A member left.
    MemberRemoved { user: String, by: String },
    /// I may enter an album.
    Invited { by: String, owner: String },
    /// I may not any more.
    Uninvited { by: String },
    /// A chat line.
    Chat { user: String, text: String },
    /// A link with a member's device came up.
    PeerJoined { user: String, device: String },
    /// It went down.
    PeerLeft {
        user: String,
        device: String,
        reason: String,
    },
    /// The central is there again.
    CentralUp { address: String },
    /// The central is away; albums go on.
    CentralDown { reason: String },
    /// An op by a member was not allowed and is held.
    Held { user: String, count: u64 },
    /// Two histories under one actor: the proof is kept.
    Fork { user: String },
    /// Something the person should know, in words.
    Warning { text: String },
}

/// One line on the control socket, from the door.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The request.
    pub request: Request,
}

/// One line on the control socket, from the node. A reply or failure ends a request; `watch` streams notices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Long work goes on.
    Progress(Progress),
    /// It worked.
    Reply(Reply),
    /// It did not.
    Failure(Failure),
    /// News (`watch` only).
    Notice(Notice),
}
