//! Which names a central takes: docs/protocol.md §2, "user and album names".

use unicode_normalization::is_nfc;

use crate::limits::NAME_BYTES_MAX;

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than 64 bytes.
    #[error("a name has 1 to {NAME_BYTES_MAX} bytes, not {0}")]
    Length(usize),
    /// A character that is not allowed there.
    #[error("a name cannot contain {0:?}")]
    Character(char),
    /// `.`, `..`, a space at either end, or not in NFC.
    #[error("a name cannot be {0:?}")]
    Form(String),
}

/// Checks an account's name.
pub fn check_user(name: &str) -> Result<(), NameError> {
    check_album(name)?;
    match name
        .chars()
        .find(|c| c.is_whitespace() || matches!(c, '@' | '~' | ':' | ','))
    {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

/// Checks an album's name, also a member's label.
pub fn check_album(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(NameError::Length(name.len()));
    }
    if let Some(c) = name
        .chars()
        .find(|&c| matches!(c, '/' | '\\') || c.is_control() || is_bidi(c))
    {
        return Err(NameError::Character(c));
    }
    if matches!(name, "." | "..") || name.trim() != name || !is_nfc(name) {
        return Err(NameError::Form(name.to_owned()));
    }
    Ok(())
}

/// Characters that turn the direction of what stands around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names() {
        for good in ["a", "alice", "Zoë", "李", "a.b", "...", &"x".repeat(64)] {
            assert_eq!(check_user(good), Ok(()), "{good:?}");
        }
        for bad in [
            "",
            &"x".repeat(65),
            ".",
            "..",
            "a b",
            " a",
            "a@b",
            "a~",
            "a:b",
            "a,b",
            "a/b",
            "a\\b",
            "a\0",
            "a\n",
            "a\u{85}",
            "\u{202e}a",
            "a\u{200f}",
            "e\u{301}",
            "a\u{a0}b",
        ] {
            assert!(check_user(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn album_names_may_have_inner_spaces() {
        for good in ["our trip", "a@b", "a:b"] {
            assert_eq!(check_album(good), Ok(()), "{good:?}");
        }
        for bad in ["", " trip", "trip ", "a/b", "..", "a\u{2066}"] {
            assert!(check_album(bad).is_err(), "{bad:?}");
        }
    }
}
