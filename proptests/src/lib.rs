//! The world in which engines are tried: virtual time, nets that lose and repeat, disks that forget, and a plain model of
//! what must come out of it. Nothing here ships.

// A crate of tests: its names are read in its tests, and it may fail loudly.
#![allow(missing_docs, clippy::unwrap_used)]

pub mod generate;
pub mod model;
pub mod pen;
pub mod run;
pub mod scenario;
pub mod shrink;
pub mod world;
