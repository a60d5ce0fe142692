//! The engine's tests: stories and random runs in a deterministic world, liars, golden bytes, limits.

// The purity of the engine does not bind its tests: golden files are read, seeds come from the environment.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod golden;
mod liar;
mod limits;
mod messages;
mod random;
mod stories;
mod transfers;
