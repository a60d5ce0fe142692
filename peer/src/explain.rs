//! Why a file did not become a picture, a picture no version, a version no file: the one place that says which code each of
//! these failures has and what to do about it. The words are each error's own.

use std::fmt::Display;
use std::path::Path;

use codec::{CodecError, EncodeError, Inexact};
use filters::{FilterError, RecipeError};
use store::BlobError;

use crate::api::{Code, Failure};
use crate::decoder::DecodeError;

/// A failure with a code and a remedy.
pub trait Explained: Display {
    /// The kind, for programs.
    fn code(&self) -> Code;

    /// What to do about it: one line.
    fn hint(&self) -> String;

    /// For a door.
    fn failure(&self) -> Failure {
        Failure::new(self.code(), self.to_string(), self.hint())
    }

    /// For a door, naming what it happened to.
    fn failure_of(&self, what: impl Display) -> Failure {
        Failure::new(self.code(), format!("{what}: {self}"), self.hint())
    }
}

impl Explained for CodecError {
    fn code(&self) -> Code {
        match self {
            CodecError::NotAnImage { .. } | CodecError::Unsupported { .. } => Code::NotAnImage,
            CodecError::TooLarge { .. } | CodecError::FileTooLarge { .. } => Code::TooLarge,
            CodecError::Damaged { .. } => Code::Damaged,
        }
    }

    fn hint(&self) -> String {
        CodecError::hint(self).to_owned()
    }
}

impl Explained for DecodeError {
    fn code(&self) -> Code {
        match self {
            DecodeError::File(error) => Explained::code(error),
            // Limits that the file broke, by what it made of the decoder.
            DecodeError::Memory | DecodeError::Time => Code::TooLarge,
            DecodeError::Disbelieved(_) => Code::Damaged,
            DecodeError::Killed(_) | DecodeError::NotStarted(_) => Code::Internal,
        }
    }

    fn hint(&self) -> String {
        let hint = match self {
            DecodeError::File(error) => error.hint(),
            DecodeError::Memory | DecodeError::Time | DecodeError::Disbelieved(_) => {
                "save it anew with a program that you trust it with, and add that"
            }
            DecodeError::Killed(_) | DecodeError::NotStarted(_) => "end other programs and try again",
        };
        hint.to_owned()
    }
}

impl Explained for RecipeError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> String {
        RecipeError::hint(self)
    }
}

impl Explained for FilterError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> String {
        "`calotype filters` lists filters and ranges".to_owned()
    }
}

impl Explained for EncodeError {
    fn code(&self) -> Code {
        match self {
            EncodeError::Side { .. } => Code::TooLarge,
            _ => Code::Internal,
        }
    }

    fn hint(&self) -> String {
        let hint = match self {
            EncodeError::Side { .. } => "write a .png, or resize it first",
            _ => "please report this",
        };
        hint.to_owned()
    }
}

impl Explained for Inexact {
    fn code(&self) -> Code {
        Code::Internal
    }

    fn hint(&self) -> String {
        "nothing was made, since nobody could make it again: try another build or machine, and please report this"
            .to_owned()
    }
}

impl Explained for BlobError {
    fn code(&self) -> Code {
        match self {
            BlobError::DiskFull { .. } => Code::DiskFull,
            _ => Code::Internal,
        }
    }

    fn hint(&self) -> String {
        "free some space and try again".to_owned()
    }
}

/// A file that a person named, within `most` bytes; the failure's message does not name it.
///
/// # Errors
/// It cannot be read, is no file or has too many bytes.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let meta = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !meta.is_file() {
        let hint = "give image files or folders of them";
        return Err(Failure::new(Code::NotAnImage, "not a file", hint));
    }
    if meta.len() > most {
        let message = format!("{} bytes are more than the limit of {most}", meta.len());
        let hint = "scale it down, or save it in a smaller format";
        return Err(Failure::new(Code::TooLarge, message, hint));
    }
    std::fs::read(path).map_err(|error| unreadable(&error))
}

fn unreadable(error: &std::io::Error) -> Failure {
    let (code, message, hint) = match error.kind() {
        std::io::ErrorKind::NotFound => (
            Code::NotFound,
            "no such file".to_owned(),
            "check the path; quote it if it has spaces",
        ),
        kind => (
            match kind {
                std::io::ErrorKind::PermissionDenied => Code::Denied,
                _ => Code::Internal,
            },
            format!("cannot be read: {error}"),
            "check the file's permissions",
        ),
    };
    Failure::new(code, message, hint)
}
