//! People, their devices, and what they say.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crdt::Author;
use crdt::fact::{Fact, Image, Preview, Role, Shape, Version};
use crdt::id::{BlobHash, Digest, Incarnation, PublicKey, UserId};
use crdt::keys::{Certificate, KeyPair, user_id};

/// The clock that all facts state; it decides nothing.
pub const AT: u64 = 1_700_000_000_000;
/// Milliseconds of a year.
pub const YEAR_MS: i64 = 31_557_600_000;

/// A device: whose, and which of his.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    pub person: u8,
    pub device: u8,
}

impl Who {
    pub fn first(person: u8) -> Who {
        Who { person, device: 0 }
    }

    fn pair(self) -> KeyPair {
        let mut seed = [self.person; 32];
        seed[31] ^= 0xff;
        seed[30] ^= self.device;
        KeyPair::from_seed(&seed)
    }

    /// The root's word for it. Signing costs, and guards ask often.
    pub fn certificate(self) -> Certificate {
        thread_local! {
            static ALL: RefCell<BTreeMap<Who, Certificate>> = RefCell::default();
        }
        let issue = || Certificate::issue(&root(self.person), &self.pair().public());
        ALL.with_borrow_mut(|all| all.entry(self).or_insert_with(issue).clone())
    }

    /// It in one life.
    pub fn author(self, incarnation: Incarnation) -> Author {
        Author {
            device: self.pair(),
            certificate: self.certificate(),
            incarnation,
        }
    }

    /// Its user's root key, as it is used on this device in one life.
    pub fn root_author(self, incarnation: Incarnation) -> Author {
        Author::root(root(self.person), Incarnation(incarnation.0.map(|byte| !byte)))
    }
}

fn root(person: u8) -> KeyPair {
    KeyPair::from_seed(&[person; 32])
}

/// A person's first device in one life.
pub fn device(person: u8, incarnation: Incarnation) -> Author {
    Who::first(person).author(incarnation)
}

pub fn device_key(person: u8) -> PublicKey {
    certificate(person).device
}

pub fn certificate(person: u8) -> Certificate {
    Who::first(person).certificate()
}

pub fn user(person: u8) -> UserId {
    user_id(&certificate(person).root)
}

/// A person's name: a letter as far as there are letters.
pub fn name(person: u8) -> String {
    if person.is_ascii_alphanumeric() {
        char::from(person).to_string()
    } else {
        format!("p{person}")
    }
}

/// The same fact, said at another time by the speaker's clock.
pub fn dated(mut fact: Fact, at_ms: u64) -> Fact {
    match &mut fact {
        Fact::Genesis { at, .. }
        | Fact::Grant { at, .. }
        | Fact::Role { at, .. }
        | Fact::Accept { at, .. }
        | Fact::Revoke { at, .. }
        | Fact::Album { at, .. }
        | Fact::Rating { at, .. }
        | Fact::Chat { at, .. } => *at = at_ms,
        Fact::Image(image) => image.at = at_ms,
        Fact::Opaque { .. } => {}
    }
    fact
}

pub fn grant(person: u8, role: Role) -> Fact {
    Fact::Grant {
        user: user(person),
        role,
        name: name(person),
        at: AT,
        invite: None,
    }
}

pub fn role(person: u8, role: Role) -> Fact {
    Fact::Role {
        user: user(person),
        role,
        at: AT,
    }
}

pub fn chat(text: &str) -> Fact {
    Fact::Chat {
        text: text.to_owned(),
        at: AT,
    }
}

pub fn rating(image: BlobHash, stars: u8) -> Fact {
    Fact::Rating { image, stars, at: AT }
}

pub fn blob(text: &str) -> BlobHash {
    BlobHash(*blake3::hash(text.as_bytes()).as_bytes())
}

/// An image with a preview; its bytes are whatever its name says.
pub fn image(name: &str) -> Fact {
    Fact::Image(Image {
        name: name.to_owned(),
        hash: blob(name),
        size: 300_000 + name.len() as u64,
        at: AT,
        shape: Some(Shape {
            media: "image/jpeg".to_owned(),
            width: 4000,
            height: 3000,
        }),
        taken: None,
        damaged: false,
        preview: Some(Preview {
            hash: blob(&format!("{name} small")),
            size: 20_000,
        }),
        version: None,
    })
}

/// What a filter made of an image.
pub fn version(name: &str, source: BlobHash) -> Fact {
    let Fact::Image(made) = image(name) else {
        unreachable!()
    };
    let version = Version {
        source,
        recipe: "sepia".to_owned(),
        pixel_engine: "calotype-pixels 1".to_owned(),
        encoder: "calotype-jpeg 1".to_owned(),
        pixels: Digest(blob("pixels").0),
    };
    Fact::Image(Image {
        version: Some(Box::new(version)),
        ..made
    })
}
