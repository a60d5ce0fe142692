//! The program under faults: real processes that are killed, stopped, moved, copied, flooded, lied to and left alone. The
//! long forms are the same tests with the numbers of their environment variables (docs/reliability.md).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod central;
mod floods;
mod homes;
mod kills;
mod liar;
mod watchdog;
#[path = "../world/mod.rs"]
mod world;
