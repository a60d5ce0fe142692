//! The album engine (being written).

/// Which form live edits go out in (docs/protocol.md §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Each op by itself.
    #[default]
    Op,
    /// The ops of a short interval together.
    Delta,
    /// The whole album's ops.
    State,
}
