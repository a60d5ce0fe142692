//! The central server and its client: accounts, device certificates, presence and album lists.
//!
//! A central introduces devices to each other and keeps no album. It can withhold, never forge: every list and
//! certificate it hands out is signed by its users, and clients pin its key.
//!
//! * [`proto`] the wire contract (docs/protocol.md §8), [`frame`] how it travels
//! * [`registry`] what the central knows, pure; [`store`] what of it is durable
//! * [`server`] the listener, [`client`] the other end, [`embedded`] the one central of a user account
//! * [`cli`] the command `calotype-central`, also `calotype central`

pub mod bucket;
pub mod cli;
pub mod client;
mod connection;
pub mod embedded;
pub mod folder;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod hub;
pub mod identity;
pub mod lan;
pub mod limits;
pub mod lists;
pub mod password;
pub mod proto;
pub mod registry;
pub mod server;
mod session;
pub mod store;
pub mod tls;
pub mod words;

pub use client::{Client, ClientError, Pin};
pub use proto::Push;
pub use server::{Config, ServeError, Server, serve};
