//! Worlds in the gate: random ones, those kept as files, and the tools around them.

#![allow(clippy::unwrap_used)]

mod scenarios;
mod seeds;
mod tools;
