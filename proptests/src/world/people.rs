//! People, their one device each, and what they say.

use crdt::Author;
use crdt::fact::{Fact, Image, Preview, Role, Shape, Version};
use crdt::id::{BlobHash, Digest, Incarnation, PublicKey, UserId};
use crdt::keys::{Certificate, KeyPair, user_id};

/// The clock that all facts state; it decides nothing.
pub const AT: u64 = 1_700_000_000_000;

fn root(person: u8) -> KeyPair {
    KeyPair::from_seed(&[person; 32])
}

fn device_pair(person: u8) -> KeyPair {
    let mut seed = [person; 32];
    seed[31] ^= 0xff;
    KeyPair::from_seed(&seed)
}

/// A person's device in one life.
pub fn device(person: u8, incarnation: Incarnation) -> Author {
    Author {
        device: device_pair(person),
        certificate: certificate(person),
        incarnation,
    }
}

pub fn device_key(person: u8) -> PublicKey {
    thread_local! {
        static KEYS: std::cell::RefCell<std::collections::BTreeMap<u8, PublicKey>> = std::cell::RefCell::default();
    }
    KEYS.with_borrow_mut(|keys| *keys.entry(person).or_insert_with(|| device_pair(person).public()))
}

/// Signing costs, and guards ask often.
pub fn certificate(person: u8) -> Certificate {
    thread_local! {
        static ALL: std::cell::RefCell<std::collections::BTreeMap<u8, Certificate>> = std::cell::RefCell::default();
    }
    let issue = || Certificate::issue(&root(person), &device_pair(person).public());
    ALL.with_borrow_mut(|all| all.entry(person).or_insert_with(issue).clone())
}

pub fn user(person: u8) -> UserId {
    user_id(&certificate(person).root)
}

pub fn grant(person: u8, role: Role) -> Fact {
    Fact::Grant {
        user: user(person),
        role,
        name: char::from(person).to_string(),
        at: AT,
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
