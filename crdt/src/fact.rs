//! Facts: what an op says (docs/protocol.md §2). Member facts decide rights, so a malformed one refuses its op;
//! all others are content, where what this program cannot read is kept as [`Fact::Opaque`] and only not shown.

use serde::{Deserialize, Serialize};

use crate::id::{ActorId, AlbumSeed, BlobHash, Digest, HeaderRef, InviteId, PublicKey, UserId};
use crate::limits::{ACCEPT_ENTRIES_MAX, ACCEPT_RUN_MAX, CHAT_BYTES_MAX, NAME_BYTES_MAX, STARS_MAX};
use crate::name;
use crate::text::{self, Object};

/// What a member may do; each role may do all that the ones below may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Role {
    /// Nothing: no member, or removed.
    None,
    /// Rate and chat.
    Viewer,
    /// Add images, remove own ones.
    Contributor,
    /// Remove those of others; grant, change and accept up to contributor.
    Curator,
    /// Everything; the genesis author's user, for ever.
    Owner,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Role::None => "none",
            Role::Viewer => "viewer",
            Role::Contributor => "contributor",
            Role::Curator => "curator",
            Role::Owner => "owner",
        })
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    /// From its word only; a derived reader would take `{"viewer":null}` too.
    fn try_from(word: String) -> Result<Self, String> {
        [
            Role::None,
            Role::Viewer,
            Role::Contributor,
            Role::Curator,
            Role::Owner,
        ]
        .into_iter()
        .find(|role| role.to_string() == word)
        .ok_or(format!("no role {word:?}"))
    }
}

/// Ops that an accept names: the one at (actor, seq, header) and the `count` − 1 before it along `prev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptRun {
    /// Author of the ops.
    pub actor: ActorId,
    /// Last seq of the newest one.
    pub seq: u64,
    /// First bytes of the newest one's header hash.
    pub header: HeaderRef,
    /// How many ops, from 1.
    pub count: u64,
}

/// One sentence of an op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The album begins.
    Genesis {
        /// Makes the album's id its own.
        random: AlbumSeed,
        /// The album's first name.
        name: String,
        /// The owner's name, a label.
        by: String,
        /// Author's clock, ms since 1970.
        at: u64,
    },
    /// Invites a user; speaks only for ops that see it.
    Grant {
        /// Who.
        user: UserId,
        /// Viewer, contributor or curator.
        role: Role,
        /// The user's name, a label.
        name: String,
        /// Author's clock, ms since 1970.
        at: u64,
        /// The invite it answers.
        invite: Option<InviteId>,
    },
    /// Changes or ends a membership: limits all ops that it does not see, and grants unless none.
    Role {
        /// Who.
        user: UserId,
        /// None, viewer, contributor or curator.
        role: Role,
        /// Author's clock, ms since 1970.
        at: u64,
    },
    /// Lifts limits from ops in its past.
    Accept {
        /// Which.
        ops: Vec<AcceptRun>,
        /// Author's clock, ms since 1970.
        at: u64,
    },
    /// A user's root ends one of his devices.
    Revoke {
        /// Which.
        device: PublicKey,
        /// Author's clock, ms since 1970.
        at: u64,
    },
    /// The album's settings.
    Album {
        /// The album's name.
        name: String,
        /// Author's clock, ms since 1970.
        at: u64,
    },
    /// An image or a version of one.
    Image(Image),
    /// A user's stars for an image's bytes.
    Rating {
        /// The file rated.
        image: BlobHash,
        /// 0–5; 0 is a vote.
        stars: u8,
        /// Author's clock, ms since 1970.
        at: u64,
    },
    /// A line of chat.
    Chat {
        /// The line, as written: to be cleaned for display.
        text: String,
        /// Author's clock, ms since 1970.
        at: u64,
    },
    /// Content that this program does not read: a kind of later versions, or keys that do not fit its kind.
    Opaque {
        /// The kind it names.
        kind: String,
    },
}

/// An entry of the album.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name as added, in normal form.
    pub name: String,
    /// The file.
    pub hash: BlobHash,
    /// The file's length in bytes.
    pub size: u64,
    /// Author's clock, ms since 1970.
    pub at: u64,
    /// Type and pixels; a classic entry has none.
    pub shape: Option<Shape>,
    /// `YYYY-MM-DDTHH:MM:SS`, the camera's local time.
    pub taken: Option<String>,
    /// The file decodes only in part.
    pub damaged: bool,
    /// A small JPEG of it.
    pub preview: Option<Preview>,
    /// Of a version: what it was made from and how.
    pub version: Option<Box<Version>>,
}

/// Type and size of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Media type, `image/jpeg`.
    pub media: String,
    /// Pixels across, after orientation.
    pub width: u32,
    /// Pixels down, after orientation.
    pub height: u32,
}

/// A preview's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The file.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
}

/// How a version came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The source's file.
    pub source: BlobHash,
    /// The steps, canonical text.
    pub recipe: String,
    /// Decoder and kernels that made the pixels.
    pub pixel_engine: String,
    /// Encoder that made the file.
    pub encoder: String,
    /// Hash of the decoded pixels.
    pub pixels: Digest,
}

/// Kinds that decide validity; a later version may not add one without a new `rules` number in the genesis.
const MEMBER_KINDS: [&str; 5] = ["genesis", "grant", "role", "accept", "revoke"];

/// Why a fact refuses its op.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// Not an object with a text `kind`.
    #[error("a fact is no object with a kind: {0}")]
    Form(String),
    /// A member fact that does not fit its table.
    #[error("malformed {kind} fact: {why}")]
    Member {
        /// Its kind.
        kind: String,
        /// The reader's words.
        why: String,
    },
}

impl Fact {
    /// Reads a fact's text, which has passed [`text::check`].
    pub fn read(json: &str) -> Result<Fact, FactError> {
        let Object(Kind { kind }) = text::read(json).map_err(|e| FactError::Form(e.to_string()))?;
        match Wire::read(&kind, json) {
            Some(Ok(fact)) => Ok(fact),
            Some(Err(why)) if MEMBER_KINDS.contains(&kind.as_str()) => Err(FactError::Member { kind, why }),
            _ => Ok(Fact::Opaque { kind }),
        }
    }

    /// The `kind` it is written with.
    pub fn kind(&self) -> &str {
        match self {
            Fact::Genesis { .. } => "genesis",
            Fact::Grant { .. } => "grant",
            Fact::Role { .. } => "role",
            Fact::Accept { .. } => "accept",
            Fact::Revoke { .. } => "revoke",
            Fact::Album { .. } => "album",
            Fact::Image(_) => "image",
            Fact::Rating { .. } => "rating",
            Fact::Chat { .. } => "chat",
            Fact::Opaque { kind } => kind,
        }
    }

    /// Whether it decides validity; such facts are never removed.
    pub fn is_member(&self) -> bool {
        MEMBER_KINDS.contains(&self.kind())
    }

    /// The role its author needs. Needs come from kinds, so an unreadable rating needs what a rating needs.
    pub fn need(&self) -> Role {
        match self {
            Fact::Grant { role, .. } | Fact::Role { role, .. } if *role > Role::Contributor => Role::Owner,
            _ => match self.kind() {
                "grant" | "role" | "accept" => Role::Curator,
                "genesis" | "album" => Role::Owner,
                // A revoke's right is the root key, checked on receipt; its op is valid once received.
                "rating" | "chat" | "revoke" => Role::Viewer,
                _ => Role::Contributor,
            },
        }
    }

    /// The role that removing it needs, for one of its author's user (`own`) or for another's.
    pub fn remove_need(&self, own: bool) -> Role {
        match self.kind() {
            "album" => Role::Owner,
            _ if !own => Role::Curator,
            "rating" | "chat" => Role::Viewer,
            _ => Role::Contributor,
        }
    }

    /// Canonical text: the keys in the order of the table, no white space. An opaque fact is its kind alone.
    pub fn to_text(&self) -> String {
        Wire::write(self)
    }
}

#[derive(Deserialize, Serialize)]
struct Kind {
    kind: String,
}

/// The facts as written; one struct per kind, keys in the table's order.
struct Wire;

#[derive(Serialize, Deserialize)]
struct GenesisWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    rules: u64,
    random: AlbumSeed,
    name: String,
    by: String,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct GrantWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    user: UserId,
    role: Role,
    name: String,
    at: u64,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "if_readable"
    )]
    invite: Option<InviteId>,
}

/// A key that came later: programs before it take any value, so none may refuse the op here.
fn if_readable<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value<T> {
        Readable(T),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Value::deserialize(deserializer)? {
        Value::Readable(value) => Some(value),
        Value::Other(_) => None,
    })
}

#[derive(Serialize, Deserialize)]
struct RoleWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    user: UserId,
    role: Role,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct AcceptWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    ops: Vec<(ActorId, u64, HeaderRef, u64)>,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct RevokeWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    device: PublicKey,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct AlbumWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    name: String,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct RatingWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    image: BlobHash,
    stars: u64,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct ChatWire {
    #[serde(skip_deserializing)]
    kind: &'static str,
    text: String,
    at: u64,
}

/// An optional key: absent when there is nothing to say, never `null`.
macro_rules! image_wire {
    ($($key:ident: $type:ty = $read:literal),* $(,)?) => {
        #[derive(Serialize, Deserialize)]
        struct ImageWire {
            #[serde(skip_deserializing)]
            kind: &'static str,
            name: String,
            hash: BlobHash,
            size: u64,
            at: u64,
            $(#[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = $read)]
            $key: Option<$type>,)*
        }
    };
}

image_wire! {
    media: String = "text::some",
    width: u32 = "text::some",
    height: u32 = "text::some",
    taken: String = "text::some",
    damaged: bool = "text::some",
    preview: Preview = "text::some_object",
    source: BlobHash = "text::some",
    recipe: String = "text::some",
    pixel_engine: String = "text::some",
    encoder: String = "text::some",
    pixels: Digest = "text::some",
}

fn read_wire<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    text::read::<Object<T>>(json)
        .map(|object| object.0)
        .map_err(|e| e.to_string())
}

/// A name in a member fact is a label: only its length decides, since no Unicode table, which grows with the years,
/// may decide whether an op is received. Readers show it through [`name::clean_for_display`].
fn label(name: String) -> Result<String, String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("a name of {} bytes", name.len()));
    }
    Ok(name)
}

fn normal(checked: Result<String, name::NameError>, written: &str) -> Result<String, String> {
    match checked {
        Ok(name) if name == written => Ok(name),
        Ok(_) => Err("a name not in normal form".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// What the types of an image's keys do not hold it to.
pub(crate) fn checked_image(image: Image) -> Result<Image, String> {
    if image.taken.as_deref().is_some_and(|taken| !is_camera_time(taken)) {
        return Err("taken is no camera time".to_owned());
    }
    let name = normal(name::image_name(&image.name), &image.name)?;
    Ok(Image { name, ..image })
}

/// `YYYY-MM-DDTHH:MM:SS`, by shape.
fn is_camera_time(text: &str) -> bool {
    const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
    text.len() == SHAPE.len()
        && text
            .bytes()
            .zip(SHAPE)
            .all(|(c, s)| if *s == b'0' { c.is_ascii_digit() } else { c == *s })
}

impl Wire {
    /// None for a kind that is not in the table.
    fn read(kind: &str, json: &str) -> Option<Result<Fact, String>> {
        Some(match kind {
            "genesis" => Self::genesis(json),
            "grant" => Self::grant(json),
            "role" => Self::role(json),
            "accept" => Self::accept(json),
            "revoke" => read_wire(json).map(|RevokeWire { device, at, .. }| Fact::Revoke { device, at }),
            "album" => read_wire(json).and_then(|AlbumWire { name, at, .. }| {
                Ok(Fact::Album {
                    name: normal(name::album_name(&name), &name)?,
                    at,
                })
            }),
            "image" => Self::image(json),
            "rating" => {
                read_wire(json).and_then(|RatingWire { image, stars, at, .. }| match u8::try_from(stars) {
                    Ok(stars) if u64::from(stars) <= STARS_MAX => Ok(Fact::Rating { image, stars, at }),
                    _ => Err(format!("{stars} stars")),
                })
            }
            "chat" => read_wire(json).and_then(|ChatWire { text, at, .. }| match text.len() {
                0..=CHAT_BYTES_MAX => Ok(Fact::Chat { text, at }),
                bytes => Err(format!("a line of {bytes} bytes")),
            }),
            _ => return None,
        })
    }

    fn genesis(json: &str) -> Result<Fact, String> {
        let GenesisWire {
            rules,
            random,
            name,
            by,
            at,
            ..
        } = read_wire(json)?;
        if rules != 1 {
            return Err(format!("rules {rules}, this program knows 1"));
        }
        Ok(Fact::Genesis {
            random,
            name: label(name)?,
            by: label(by)?,
            at,
        })
    }

    fn grant(json: &str) -> Result<Fact, String> {
        let GrantWire {
            user,
            role,
            name,
            at,
            invite,
            ..
        } = read_wire(json)?;
        match role {
            Role::None | Role::Owner => Err(format!("role {role}")),
            _ => Ok(Fact::Grant {
                user,
                role,
                name: label(name)?,
                at,
                invite,
            }),
        }
    }

    fn role(json: &str) -> Result<Fact, String> {
        let RoleWire { user, role, at, .. } = read_wire(json)?;
        match role {
            Role::Owner => Err(format!("role {role}")),
            _ => Ok(Fact::Role { user, role, at }),
        }
    }

    fn accept(json: &str) -> Result<Fact, String> {
        let AcceptWire { ops, at, .. } = read_wire(json)?;
        if ops.len() > ACCEPT_ENTRIES_MAX {
            return Err(format!("{} entries", ops.len()));
        }
        if let Some(entry) = ops.iter().find(|entry| entry.3 == 0 || entry.3 > ACCEPT_RUN_MAX) {
            return Err(format!("a run of {}", entry.3));
        }
        let ops = ops
            .into_iter()
            .map(|(actor, seq, header, count)| AcceptRun {
                actor,
                seq,
                header,
                count,
            })
            .collect();
        Ok(Fact::Accept { ops, at })
    }

    fn image(json: &str) -> Result<Fact, String> {
        let wire: ImageWire = read_wire(json)?;
        let shape = match (wire.media, wire.width, wire.height) {
            (None, None, None) => None,
            (Some(media), Some(width), Some(height)) => Some(Shape { media, width, height }),
            _ => return Err("only some of media, width and height".to_owned()),
        };
        let version = match (
            wire.source,
            wire.recipe,
            wire.pixel_engine,
            wire.encoder,
            wire.pixels,
        ) {
            (None, None, None, None, None) => None,
            (Some(source), Some(recipe), Some(pixel_engine), Some(encoder), Some(pixels)) => {
                Some(Box::new(Version {
                    source,
                    recipe,
                    pixel_engine,
                    encoder,
                    pixels,
                }))
            }
            _ => return Err("only some keys of a version".to_owned()),
        };
        if wire.damaged == Some(false) {
            return Err("damaged is written only when true".to_owned());
        }
        checked_image(Image {
            name: wire.name,
            hash: wire.hash,
            size: wire.size,
            at: wire.at,
            shape,
            taken: wire.taken,
            damaged: wire.damaged.is_some(),
            preview: wire.preview,
            version,
        })
        .map(Fact::Image)
    }

    fn write(fact: &Fact) -> String {
        match fact.clone() {
            Fact::Genesis { random, name, by, at } => text::write(&GenesisWire {
                kind: "genesis",
                rules: 1,
                random,
                name,
                by,
                at,
            }),
            Fact::Grant {
                user,
                role,
                name,
                at,
                invite,
            } => text::write(&GrantWire {
                kind: "grant",
                user,
                role,
                name,
                at,
                invite,
            }),
            Fact::Role { user, role, at } => text::write(&RoleWire {
                kind: "role",
                user,
                role,
                at,
            }),
            Fact::Accept { ops, at } => {
                let ops = ops
                    .into_iter()
                    .map(|run| (run.actor, run.seq, run.header, run.count))
                    .collect();
                text::write(&AcceptWire {
                    kind: "accept",
                    ops,
                    at,
                })
            }
            Fact::Revoke { device, at } => text::write(&RevokeWire {
                kind: "revoke",
                device,
                at,
            }),
            Fact::Album { name, at } => text::write(&AlbumWire {
                kind: "album",
                name,
                at,
            }),
            Fact::Rating { image, stars, at } => text::write(&RatingWire {
                kind: "rating",
                image,
                stars: u64::from(stars),
                at,
            }),
            Fact::Chat { text, at } => text::write(&ChatWire {
                kind: "chat",
                text,
                at,
            }),
            Fact::Opaque { kind } => text::write(&Kind { kind }),
            Fact::Image(image) => text::write(&ImageWire::from(image)),
        }
    }
}

impl From<Image> for ImageWire {
    fn from(image: Image) -> Self {
        let (media, width, height) = match image.shape {
            Some(shape) => (Some(shape.media), Some(shape.width), Some(shape.height)),
            None => (None, None, None),
        };
        let version = image.version.map(|version| *version);
        let (source, recipe, pixel_engine, encoder, pixels) = match version {
            Some(v) => (
                Some(v.source),
                Some(v.recipe),
                Some(v.pixel_engine),
                Some(v.encoder),
                Some(v.pixels),
            ),
            None => (None, None, None, None, None),
        };
        ImageWire {
            kind: "image",
            name: image.name,
            hash: image.hash,
            size: image.size,
            at: image.at,
            media,
            width,
            height,
            taken: image.taken,
            damaged: image.damaged.then_some(true),
            preview: image.preview,
            source,
            recipe,
            pixel_engine,
            encoder,
            pixels,
        }
    }
}
