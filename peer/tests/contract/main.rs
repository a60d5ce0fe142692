//! What scripts rely on, sentence by sentence, against the real binaries: every command with its golden texts, bad input,
//! the documents, and the tour of the README.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bad;
mod calls;
mod docs;
mod papers;
mod promises;
mod redact;
mod tour;
mod walk;
#[path = "../world/mod.rs"]
mod world;
