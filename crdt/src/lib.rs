//! The album's CRDT: signed ops in a causal graph, who may do what, an add-wins observed-remove set of facts,
//! and its digest. Pure: no clock, socket, file, thread or random source.

mod admit;
mod album;
mod author;
mod canon;
mod change;
mod check;
mod checkpoint;
pub mod clock;
mod deps;
pub mod fact;
mod graph;
pub mod header;
mod held;
pub mod history;
pub mod id;
mod index;
mod inspect;
pub mod keys;
pub mod limits;
mod live;
pub mod name;
pub mod op;
mod packed;
pub mod replica;
mod rights;
mod since;
pub mod story;
mod sync;
pub mod text;
pub mod tree;
pub mod undo;
mod view;
mod waiting;

pub use album::{Album, FactId, Receipt, Trust};
pub use author::{Author, AuthorError, Draft, Revision};
pub use change::Change;
pub use checkpoint::CheckpointError;
pub use held::{HeldCommand, HeldSums};
pub use inspect::{ActorView, OpView, Tombstone};
pub use sync::Head;
pub use view::{ChatLine, Element, Found, ImageView, MemberView, RatingView};
