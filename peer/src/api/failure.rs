//! What went wrong, in words and as one of a few codes.

use serde::{Deserialize, Serialize};

use super::Reply;

/// Stable kinds of failure; docs/errors.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Wrong words.
    Usage,
    /// Who are you.
    Auth,
    /// No such thing.
    NotFound,
    /// Your role does not allow it.
    Denied,
    /// Nobody answers.
    Unreachable,
    /// Done in part.
    Partial,
    /// Several things fit.
    Ambiguous,
    /// No picture that we know.
    NotAnImage,
    /// Past a limit.
    TooLarge,
    /// A picture, but broken.
    Damaged,
    /// No room.
    DiskFull,
    /// Somebody else has it.
    Busy,
    /// There already.
    Exists,
    /// Our fault.
    Internal,
}

impl Code {
    /// The exit code of a one-shot command that failed so.
    pub const fn exit(self) -> u8 {
        match self {
            Code::Usage => 2,
            Code::Auth => 3,
            Code::NotFound => 4,
            Code::Denied => 5,
            Code::Unreachable => 6,
            Code::Partial => 7,
            Code::Ambiguous
            | Code::NotAnImage
            | Code::TooLarge
            | Code::Damaged
            | Code::DiskFull
            | Code::Busy
            | Code::Exists
            | Code::Internal => 1,
        }
    }
}

/// Why a request failed: what, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Kind.
    pub code: Code,
    /// Lower-case, names the thing and the value.
    pub message: String,
    /// The remedy; may be empty.
    pub hint: String,
    /// Asking again is of use after this long, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What was done all the same (a batch, a sync that ran out of time).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Box<Reply>>,
}

impl Failure {
    /// A failure with a remedy.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            retry_after_ms: None,
            reply: None,
        }
    }
}
