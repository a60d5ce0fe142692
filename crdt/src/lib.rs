//! The album's CRDT: signed ops in a causal graph, who may do what, an add-wins observed-remove set of facts,
//! and its digest. Pure: no clock, socket, file, thread or random source.

pub mod id;
pub mod keys;
