//! What passes between a door (REPL, one-shot, script) and the node: requests, replies, failures, notices.
//! All of it crosses the control socket as JSON Lines, and the replies are what `--json` prints.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

mod album;
mod apply;
mod devices;
mod doctor;
mod failure;
mod gallery;
mod held;
mod history;
mod inspect;
mod invite;
mod look;
mod node;
mod notice;
mod select;

pub use album::*;
pub use apply::*;
pub use devices::*;
pub use doctor::*;
pub use failure::*;
pub use gallery::*;
pub use held::*;
pub use history::*;
pub use inspect::*;
pub use invite::*;
pub use look::*;
pub use node::*;
pub use notice::*;
pub use select::*;

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
    /// Takes the key that the central shows now for its own, if these are the words of it.
    TrustCentral { words: String },
    /// Ends the session; the home keeps its keys and albums.
    Logout,
    /// An account in this new home, by its 24 words and with a new password. `anew`: also where the central has lost it.
    Recover {
        user: String,
        words: Secret,
        password: Secret,
        #[serde(default)]
        anew: bool,
    },
    /// The words that [`Request::Recover`] takes.
    RecoveryWords { password: Secret },
    /// The central keeps the root key, sealed under the password.
    EscrowOn { password: Secret },
    /// Whether it does; with `off` no longer.
    Escrow { off: bool },
    /// The machines of this account.
    Devices,
    /// Makes a code by which another machine becomes one of them.
    ApproveDevice { password: Secret },
    /// Waits until that code has ended, and ends it if nobody waits any more.
    Approval,
    /// Makes this new home one of the account's that the code is for. `host`: the central to use from now on.
    Link { code: String, host: Option<String> },
    /// Ends one of them, by its label or the first digits of its key.
    RevokeDevice { device: String, password: Secret },
    /// Albums I may enter.
    List,
    /// New album owned by me; also enters it.
    CreateAlbum { name: String },
    /// Makes an album the current one and starts replicating it.
    EnterAlbum { album: String },
    /// No current album; all albums here go on replicating.
    LeaveAlbum,
    /// Images with ratings.
    GetImages {
        album: Option<String>,
        #[serde(default)]
        select: Select,
    },
    /// Members, images, hashes, versions.
    GetMetadata {
        album: Option<String>,
        #[serde(default)]
        select: Select,
    },
    /// The CRDT's inner state: the newest `limit` elements (all without one) before the newest `skip`, and what each
    /// strategy would send to a peer that lacks the last `behind` ops.
    GetOrSet {
        album: Option<String>,
        #[serde(default)]
        limit: Option<usize>,
        #[serde(default)]
        skip: usize,
        #[serde(default)]
        behind: usize,
    },
    /// Files and folders (already expanded from `~` and globs by the door).
    AddImage {
        album: Option<String>,
        paths: Vec<PathBuf>,
        name: Option<String>,
        /// Take out where the photos were taken first.
        #[serde(default)]
        strip_gps: bool,
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
    /// What happened, the newest first; `by` a user, about the images of a name.
    Log {
        album: Option<String>,
        limit: Option<usize>,
        offset: usize,
        by: Option<String>,
        image: Option<String>,
    },
    /// The ops that made an image so, whether it is here or gone.
    Why { album: Option<String>, name: String },
    /// Takes back the last command of this device, or one of mine by the first digits of its id.
    Undo {
        album: Option<String>,
        command: Option<String>,
    },
    /// What was removed and can be brought back.
    Trash {
        album: Option<String>,
        /// At most so many, after the first `offset`.
        #[serde(default)]
        limit: Option<usize>,
        #[serde(default)]
        offset: usize,
    },
    /// Brings images back from the trash.
    Restore {
        album: Option<String>,
        names: Vec<String>,
    },
    /// Lets a user in; without a role as contributor.
    AddUser {
        album: Option<String>,
        user: String,
        #[serde(default)]
        role: Option<GivenRole>,
    },
    /// Gives a member another role.
    SetRole {
        album: Option<String>,
        user: String,
        role: GivenRole,
    },
    /// Ends a membership; what this removal saw stays.
    RemoveUser { album: Option<String>, user: String },
    /// What is held, or what to do about some of it: members' names, or first digits of ids. `all`: also list what was
    /// set aside here.
    Held {
        album: Option<String>,
        act: HeldAct,
        which: Vec<String>,
        all: bool,
    },
    /// Safety words with a user; `confirm`: they were compared, and are the same.
    VerifyUser {
        user: String,
        confirm: bool,
        accept_new_key: bool,
    },
    /// Makes a code that lets somebody into the album.
    Invite { album: Option<String>, role: String },
    /// The codes of this home.
    Invites,
    /// Ends a code of this home.
    CancelInvite { number: u32 },
    /// Enters an album by a code; `host` is the central to use from now on, `account` is made first.
    Join {
        code: String,
        #[serde(default)]
        host: Option<String>,
        #[serde(default)]
        account: Option<NewAccount>,
        timeout_ms: u64,
    },
    /// Filtered version as a new entry.
    Filter {
        album: Option<String>,
        name: String,
        recipe: String,
        new_name: Option<String>,
    },
    /// Filtered versions of many images as new entries, in one command.
    FilterMany {
        album: Option<String>,
        recipe: String,
        select: Select,
    },
    /// Whether a version is what its recipe makes of its source.
    Verify { album: Option<String>, name: String },
    /// A chat line.
    Say { album: Option<String>, text: String },
    /// The newest chat lines, oldest first; `since` in milliseconds since 1970, by their authors' clocks.
    Chat {
        album: Option<String>,
        limit: Option<usize>,
        #[serde(default)]
        since: Option<u64>,
    },
    /// Who is in the album.
    Members { album: Option<String> },
    /// A person at a prompt has seen what the album shows now: what came since they last had.
    Seen { album: Option<String> },
    /// Who is here.
    Peers,
    /// State of this node.
    Status,
    /// Why this node and others do not meet.
    Doctor,
    /// Bytes and messages by kind and peer; with `reset` counted from now on.
    Net {
        #[serde(default)]
        reset: bool,
    },
    /// Waits until all connected members are equal and their bytes here. `quiet`: nobody reachable is fine.
    Sync {
        album: Option<String>,
        timeout_ms: u64,
        quiet: bool,
    },
    /// Writes originals and versions byte for byte into a folder.
    Export {
        album: Option<String>,
        dir: PathBuf,
        #[serde(default)]
        select: Select,
    },
    /// Writes one image to a file or into a folder; refuses to overwrite unless `force`.
    Save {
        album: Option<String>,
        name: String,
        path: PathBuf,
        force: bool,
    },
    /// Path of a local, verified copy of an image's bytes (for `/open`).
    Locate { album: Option<String>, name: String },
    /// Path of a picture of an image, small where there is one, to draw in a terminal (for `/show`). `source` also of the
    /// image that a version was made of.
    Picture {
        album: Option<String>,
        name: String,
        source: bool,
        /// Another image, to stand beside it.
        #[serde(default)]
        beside: Option<String>,
        /// The images themselves, not their previews.
        #[serde(default)]
        whole: bool,
        /// What is to be done with it: the answer has it with numbers in place of images' names.
        #[serde(default)]
        recipe: Option<String>,
    },
    /// An image of the gallery, by its bytes' hash in hex, with what belongs to it.
    Details { album: Option<String>, hash: String },
    /// Path of a picture of the image with these bytes: its preview first, or with `whole` the image first.
    PictureOf {
        album: Option<String>,
        hash: String,
        whole: bool,
    },
    /// Refuses links with a peer (user name or device prefix) until unblocked.
    Block { peer: String },
    /// Undoes [`Request::Block`].
    Unblock { peer: String },
    /// Streams notices until the door hangs up.
    Watch,
    /// The prompt's facts, kept cheap.
    Prompt,
    /// Names that begin with something, for completion. Large and small letters are the same.
    Names {
        album: Option<String>,
        kind: NameKind,
        begin: String,
    },
    /// Ends the node (the door that started it, or `SIGTERM`).
    Shutdown,
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
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
    /// `recover`, `link`.
    Recovered(Recovered),
    /// `approve-device`, at first: the code.
    Approving(Approving),
    /// `approve-device`, at last: what became of it.
    Approved(Approved),
    /// `recovery-words`.
    RecoveryWords(RecoveryWords),
    /// `escrow`.
    Escrow(Escrow),
    /// `devices`.
    Devices(Devices),
    /// `revoke-device`.
    Revoked(RevokedDevice),
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
    /// `add-user`, `set-role`, `remove-user`.
    Membership(Membership),
    /// `held`.
    Held(Held),
    /// `verify-user`.
    SafetyWords(SafetyWords),
    /// `invite`.
    Invite(Invite),
    /// `invites`.
    Invites(Invites),
    /// `join`.
    Joined(Box<Joined>),
    /// `filter`: the new entry.
    Filtered(Filtered),
    /// `filter --all`: the new entries.
    FilteredMany(FilteredMany),
    /// `verify`.
    Verified(Verified),
    /// `log`.
    Log(Log),
    /// `why`.
    Why(Why),
    /// `undo`.
    Undone(Box<Undone>),
    /// `trash`.
    Trash(Trash),
    /// `restore`.
    Restored(Restored),
    /// `say`.
    Said(ChatLine),
    /// `chat`.
    Chat(Chat),
    /// `members`.
    Members(Members),
    /// `seen`.
    Away(Away),
    /// `peers`.
    Peers(Peers),
    /// `status`.
    Status(Box<Status>),
    /// `doctor`.
    Diagnosis(Diagnosis),
    /// `central trust`.
    Trusted(Trusted),
    /// `net`.
    Net(Net),
    /// `sync`.
    Synced(Synced),
    /// `export`.
    Exported(Exported),
    /// `save`, `locate`.
    Saved(Saved),
    /// `show`.
    Shown(Shown),
    /// One image in the gallery.
    Details(Box<Details>),
    /// `gallery`.
    Gallery(Gallery),
    /// `apply`.
    Applied(Applied),
    /// `preview`.
    Previewed(Previewed),
    /// `compare`.
    Compared(Box<Compared>),
    /// `fsck`.
    Checked(Checked),
    /// `prompt`.
    Prompt(Prompt),
    /// Names for completion.
    Names(Names),
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
    /// The request was read and is being carried out. A node that ends before it says so has done nothing of it.
    Taken,
    /// Long work goes on.
    Progress(Progress),
    /// It worked.
    Reply(Reply),
    /// It did not.
    Failure(Failure),
    /// News (`watch` only).
    Notice(Notice),
}
