//! The engine's tests: stories and random runs in a deterministic world, liars, golden bytes, limits.

mod golden;
mod liar;
mod limits;
mod messages;
mod random;
mod stories;
mod transfers;
mod world;
