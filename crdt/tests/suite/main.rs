//! The crate's tests, one binary: golden bytes, histories, laws, litmus tests, limits, hostile bytes.

mod exhaustive;
mod golden;
mod histories;
mod hostile;
mod laws;
mod limits;
mod litmus;
mod model;
mod story;
mod world;
