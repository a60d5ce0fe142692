//! Codes (docs/protocol.md §11). Without sockets, clocks or disks:
//!
//! * [`words`] the code as text
//! * [`invite`] what an invite says, signed, and sealed for a device
//! * [`exchange`] the four messages, both sides
//!
//! With the node around them: [`locate`] for the central that a code is at, [`answer`] for whoever knocks, [`device`] for a machine of one's own, [`mine`] the codes that
//! this home made. The commands `invite`, `join`, `approve-device` and `link` are in `commands/`.

pub(super) mod answer;
pub(super) mod device;
pub(super) mod exchange;
pub(super) mod invite;
pub(super) mod locate;
pub(super) mod mine;
pub(super) mod words;

/// Why a message of the other side, or of a central in between, is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Not of this form.
    #[error("a message that is none")]
    Form,
    /// The words are not the same on both sides, or somebody in between changed a message.
    #[error("the words are not the same")]
    Words,
    /// Not signed by the device that it names.
    #[error("a signature that does not hold")]
    Signature,
    /// For another kind of code than this one.
    #[error("a code of another kind")]
    Kind,
    /// Sealed for another device, or damaged.
    #[error("a box that does not open")]
    Sealed,
}

#[cfg(test)]
mod tests;
