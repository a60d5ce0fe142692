//! calotype's shell around the engine: commands, doors, the node, and the one place that prints.

pub mod api;
pub mod node;
