//! Hostile bytes for every decoder, and for what stands behind it: what each fuzz target does with one input. The same
//! functions run under libFuzzer (`fuzz/fuzz_targets`) and as ordinary tests (`tests/replay.rs`), which replay the
//! committed corpora and mutate them.
//!
//! A target panics where something is wrong: a panic of the program, a state that changed though the bytes were refused,
//! two answers where there must be one. Nothing here ships.

// A crate of tests: it may fail loudly.
#![allow(missing_docs, clippy::unwrap_used)]

mod album;
pub mod central;
pub mod checkpoint;
pub mod chunk_list;
pub mod filters;
pub mod gossip;
pub mod hello;
pub mod image;
pub mod mutate;
pub mod op;
pub mod recipe;
pub mod request;
mod talk;
pub mod zmtp;

/// Most MiB that one input may make any target hold at once, beyond what was held before it.
pub const MEMORY_MIB_MAX: usize = 32;

/// One input and the name of its file in the corpus.
pub type Seed = (String, Vec<u8>);

/// One decoder under fire.
#[derive(Clone, Copy)]
pub struct Target {
    /// Of the fuzz target and of its corpus.
    pub name: &'static str,
    /// What is done with an input.
    pub run: fn(&[u8]),
    /// Inputs made by the real encoders.
    pub seeds: fn() -> Vec<Seed>,
    /// Inputs too long for the corpus: as large as a peer may send, of whatever costs most.
    pub large: fn() -> Vec<Vec<u8>>,
    /// Mutants tried by the ordinary test.
    pub mutants: u32,
    /// MiB that one input may make it hold, at most [`MEMORY_MIB_MAX`].
    pub memory_mib: usize,
}

macro_rules! targets {
    ($($name:ident $mutants:literal $mib:literal),* $(,)?) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $name::run,
            seeds: $name::seeds,
            large: $name::large,
            mutants: $mutants,
            memory_mib: $mib,
        }),*];
    };
}

targets! {
    op 4_000 8,
    gossip 1_500 16,
    request 1_500 8,
    checkpoint 400 24,
    chunk_list 300 8,
    zmtp 8_000 32,
    hello 2_500 8,
    central 1_500 8,
    image 2_500 16,
    recipe 20_000 4,
    filters 1_500 24,
}

/// A seed of that name.
fn seed(name: &str, bytes: impl Into<Vec<u8>>) -> Seed {
    (format!("seed-{name}"), bytes.into())
}
