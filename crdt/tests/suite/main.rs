//! The crate's tests, one binary: golden bytes, histories, laws, litmus tests, limits, hostile bytes.

// Tests may unwrap; clippy's own exemption does not reach the helpers of integration tests.
#![allow(clippy::unwrap_used)]
// Golden files are files, and an environment variable asks for the deep forms.
#![allow(clippy::disallowed_methods)]

mod checkpoint;
mod exhaustive;
mod golden;
mod held;
mod histories;
mod history;
mod hostile;
mod laws;
mod limits;
mod litmus;
mod people;
mod plain;
mod story;
mod texts;
mod undo;
mod world;
