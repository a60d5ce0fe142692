//! Facts as the album keeps them: the keys that indices ask for in front, and of an image or a rating in the usual
//! spelling only its values, since writing them gives the text again; of anything else the text.

use std::borrow::Cow;

use crate::fact::{Fact, Image, Preview, Role, Shape, Version};
use crate::id::{BlobHash, Digest};

/// What indices and rights ask of a fact's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Other,
    Image,
    Rating,
    Chat,
    Album,
    Member,
}

/// Bit of the first byte: the text follows the keys.
const TEXT: u8 = 0x80;
/// Bits of an image's second byte.
const SHAPE: u8 = 1;
const TAKEN: u8 = 2;
const DAMAGED: u8 = 4;
const PREVIEW: u8 = 8;
const VERSION: u8 = 16;
/// The media types that take one byte.
const MEDIA: [&str; 6] = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/tiff",
];

/// Bytes of one fact, as [`write`] made them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed<'a>(pub(crate) &'a [u8]);

/// Appends a fact. `usual`: writing the fact gives `text`.
pub(crate) fn write(out: &mut Vec<u8>, fact: &Fact, usual: bool, text: &str) {
    match fact {
        Fact::Image(image) => {
            out.push(Class::Image as u8 | if usual { 0 } else { TEXT });
            write_image_keys(out, image);
            if usual {
                write_image_rest(out, image);
                return;
            }
        }
        Fact::Rating { image, stars, at } if usual => {
            out.push(Class::Rating as u8);
            out.extend(image.0);
            out.push(*stars);
            write_number(out, *at);
            return;
        }
        _ => {
            // By the kind it names: an unreadable rating is removed as a rating is.
            let class = match fact.kind() {
                "rating" => Class::Rating,
                "chat" => Class::Chat,
                "album" => Class::Album,
                _ if fact.is_member() => Class::Member,
                _ => Class::Other,
            };
            out.push(class as u8 | TEXT);
        }
    }
    out.extend(text.as_bytes());
}

/// Whether [`write`] keeps a fact of this kind without its text.
pub(crate) fn is_kept_short(fact: &Fact) -> bool {
    matches!(fact, Fact::Image(_) | Fact::Rating { .. })
}

fn write_image_keys(out: &mut Vec<u8>, image: &Image) {
    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
    out.push(
        flag(image.shape.is_some(), SHAPE)
            | flag(image.taken.is_some(), TAKEN)
            | flag(image.damaged, DAMAGED)
            | flag(image.preview.is_some(), PREVIEW)
            | flag(image.version.is_some(), VERSION),
    );
    out.extend(image.hash.0);
    if let Some(preview) = &image.preview {
        out.extend(preview.hash.0);
    }
    write_text(out, &image.name);
}

fn write_image_rest(out: &mut Vec<u8>, image: &Image) {
    write_number(out, image.size);
    write_number(out, image.at);
    if let Some(shape) = &image.shape {
        match MEDIA.iter().position(|media| *media == shape.media) {
            Some(place) => out.push(place as u8 + 1),
            None => {
                out.push(0);
                write_text(out, &shape.media);
            }
        }
        write_number(out, u64::from(shape.width));
        write_number(out, u64::from(shape.height));
    }
    if let Some(taken) = &image.taken {
        write_text(out, taken);
    }
    if let Some(preview) = &image.preview {
        write_number(out, preview.size);
    }
    if let Some(version) = &image.version {
        out.extend(version.source.0);
        out.extend(version.pixels.0);
        [&version.recipe, &version.pixel_engine, &version.encoder]
            .into_iter()
            .for_each(|text| write_text(out, text));
    }
}

/// Seven bits a byte, the lowest first (LEB128).
fn write_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_number(out, text.len() as u64);
    out.extend(text.as_bytes());
}

/// Reads what [`write`] wrote; what is not there reads as zero or empty.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn hash(&mut self) -> [u8; 32] {
        self.take(32).try_into().unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 56 {
                return value;
            }
        }
    }

    fn text(&mut self) -> &'a str {
        let length = self.number() as usize;
        std::str::from_utf8(self.take(length)).unwrap_or_default()
    }

    fn owned(&mut self) -> String {
        self.text().to_owned()
    }
}

/// What an image is found by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageKeys<'a> {
    pub(crate) name: &'a str,
    pub(crate) hash: BlobHash,
    pub(crate) preview: Option<BlobHash>,
}

impl<'a> Packed<'a> {
    pub(crate) fn class(self) -> Class {
        match self.0.first().map_or(0, |first| first & !TEXT) {
            1 => Class::Image,
            2 => Class::Rating,
            3 => Class::Chat,
            4 => Class::Album,
            5 => Class::Member,
            _ => Class::Other,
        }
    }

    pub(crate) fn is_member(self) -> bool {
        self.class() == Class::Member
    }

    /// The role that removing it needs, for one of its author's user (`own`) or for another's.
    pub(crate) fn remove_need(self, own: bool) -> Role {
        match self.class() {
            Class::Album => Role::Owner,
            _ if !own => Role::Curator,
            Class::Rating | Class::Chat => Role::Viewer,
            _ => Role::Contributor,
        }
    }

    fn has_text(self) -> bool {
        self.0.first().is_some_and(|first| first & TEXT != 0)
    }

    /// Whether writing it gives its text, and only the values are kept.
    pub(crate) fn is_short(self) -> bool {
        !self.has_text()
    }

    /// Of an image.
    pub(crate) fn image_keys(self) -> Option<ImageKeys<'a>> {
        (self.class() == Class::Image).then(|| self.keys().0)
    }

    /// Whether an image may be a version; one that is kept as text is only known when it is read.
    pub(crate) fn may_be_version(self) -> bool {
        self.has_text() || self.0.get(1).is_some_and(|flags| flags & VERSION != 0)
    }

    /// Of a rating: the file.
    pub(crate) fn rated(self) -> Option<BlobHash> {
        match self.class() {
            Class::Rating if self.is_short() => Some(BlobHash(Cursor(self.0.get(1..)?).hash())),
            Class::Rating => match self.fact() {
                Fact::Rating { image, .. } => Some(image),
                _ => None,
            },
            _ => None,
        }
    }

    fn keys(self) -> (ImageKeys<'a>, u8, Cursor<'a>) {
        let mut from = Cursor(self.0.get(1..).unwrap_or_default());
        let flags = from.byte();
        let hash = BlobHash(from.hash());
        let preview = (flags & PREVIEW != 0).then(|| BlobHash(from.hash()));
        let name = from.text();
        (ImageKeys { name, hash, preview }, flags, from)
    }

    /// What it says.
    pub(crate) fn fact(self) -> Fact {
        if self.has_text() {
            let text = self.text();
            // It was read before it was kept.
            return Fact::read(&text).unwrap_or(Fact::Opaque { kind: String::new() });
        }
        match self.class() {
            Class::Image => Fact::Image(self.image()),
            _ => {
                let mut from = Cursor(self.0.get(1..).unwrap_or_default());
                Fact::Rating {
                    image: BlobHash(from.hash()),
                    stars: from.byte(),
                    at: from.number(),
                }
            }
        }
    }

    fn image(self) -> Image {
        let (keys, flags, mut from) = self.keys();
        let (size, at) = (from.number(), from.number());
        let has = |bit: u8| flags & bit != 0;
        let shape = has(SHAPE).then(|| Shape {
            media: match from.byte() {
                0 => from.owned(),
                code => MEDIA
                    .get(usize::from(code) - 1)
                    .copied()
                    .unwrap_or_default()
                    .to_owned(),
            },
            width: from.number() as u32,
            height: from.number() as u32,
        });
        let taken = has(TAKEN).then(|| from.owned());
        let preview = keys.preview.map(|hash| Preview {
            hash,
            size: from.number(),
        });
        let version = has(VERSION).then(|| {
            let (source, pixels) = (BlobHash(from.hash()), Digest(from.hash()));
            Box::new(Version {
                source,
                pixels,
                recipe: from.owned(),
                pixel_engine: from.owned(),
                encoder: from.owned(),
            })
        });
        Image {
            name: keys.name.to_owned(),
            hash: keys.hash,
            size,
            at,
            shape,
            taken,
            damaged: has(DAMAGED),
            preview,
            version,
        }
    }

    /// Its text as signed.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if !self.has_text() {
            return Cow::Owned(self.fact().to_text());
        }
        let rest = match self.class() {
            Class::Image => self.keys().2.0,
            _ => self.0.get(1..).unwrap_or_default(),
        };
        Cow::Borrowed(std::str::from_utf8(rest).unwrap_or_default())
    }
}
