//! What a receipt changed, for those who tell people.

use crate::album::FactId;
use crate::fact::Role;
use crate::id::{HeaderHash, UserId};

/// One change of the album's state, the sum of what one receipt did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A fact came to life.
    Live {
        /// Which.
        id: FactId,
    },
    /// A fact died: removed, or its op is now held.
    Dead {
        /// Which.
        id: FactId,
    },
    /// An op became valid.
    Valid {
        /// Which.
        header: HeaderHash,
    },
    /// An op is held: it was valid before, or it came so and says something.
    Held {
        /// Which.
        header: HeaderHash,
    },
    /// A member's present role moved.
    Role {
        /// Whose.
        user: UserId,
        /// Before.
        before: Role,
        /// Now.
        after: Role,
    },
    /// The album's name moved.
    Renamed {
        /// Before.
        before: String,
        /// Now.
        after: String,
    },
}
