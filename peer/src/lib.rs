//! calotype's shell around the engine: commands, doors, the node, and the one place that prints.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod api;
pub mod cmd;
pub mod decoder;
pub mod doors;
pub mod exact;
pub mod explain;
pub mod node;
pub mod recovery;
pub mod ui;
pub mod words;
