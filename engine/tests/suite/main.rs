//! The engine's tests: stories in a deterministic world (random runs are in `proptests`), liars, golden bytes, limits.

// The purity of the engine does not bind its tests: golden files are read, seeds come from the environment.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod counting;
mod golden;
mod guards;
mod liar;
mod limits;
mod messages;
mod stories;
mod transfers;
