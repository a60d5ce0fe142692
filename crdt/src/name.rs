//! Names of images, albums and users (docs/protocol.md §2): one normal form (NFC, UAX #15), nothing that breaks a
//! path, a terminal line or the reading direction (Unicode TR #36, "Trojan Source", CVE-2021-42574).

use unicode_normalization::UnicodeNormalization as _;

use crate::limits::{IMAGE_NAME_BYTES_MAX, NAME_BYTES_MAX};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("the name is empty")]
    Empty,
    /// Longer than the limit once in normal form.
    #[error("the name has {bytes} bytes, at most {limit} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A character that may not be in it.
    #[error("the name has the character {}, which is not allowed", .0.escape_unicode())]
    Character(char),
    /// A space at one end.
    #[error("the name has a space at one end")]
    Spaces,
    /// `.` or `..`.
    #[error("the name is . or ..")]
    Dots,
}

/// An image's name in normal form.
pub fn image_name(text: &str) -> Result<String, NameError> {
    name(text, IMAGE_NAME_BYTES_MAX)
}

/// An album's name in normal form.
pub fn album_name(text: &str) -> Result<String, NameError> {
    name(text, NAME_BYTES_MAX)
}

/// A user's name in normal form: besides, no white space and none of `@ ~ : ,`, which separate names.
pub fn user_name(text: &str) -> Result<String, NameError> {
    let name = name(text, NAME_BYTES_MAX)?;
    match name
        .chars()
        .find(|c| c.is_whitespace() || matches!(c, '@' | '~' | ':' | ','))
    {
        Some(bad) => Err(NameError::Character(bad)),
        None => Ok(name),
    }
}

fn name(text: &str, limit: usize) -> Result<String, NameError> {
    // Normalising can lengthen a text threefold (UAX #15); what is far over the limit is not worth the work.
    if text.len() > limit.saturating_mul(4) {
        return Err(NameError::TooLong {
            bytes: text.len(),
            limit,
        });
    }
    // ASCII is its own normal form.
    let name: String = if text.is_ascii() {
        text.to_owned()
    } else {
        text.nfc().collect()
    };
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > limit {
        return Err(NameError::TooLong {
            bytes: name.len(),
            limit,
        });
    }
    if let Some(bad) = name.chars().find(|c| matches!(c, '/' | '\\') || is_unseen(*c)) {
        return Err(NameError::Character(bad));
    }
    if name.trim() != name {
        return Err(NameError::Spaces);
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    Ok(name)
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and the bidirectional formatting characters of
/// UAX #9.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of others as it may be shown on a terminal: what [`image_name`] refuses as unseen becomes U+FFFD.
pub fn clean_for_display(text: &str) -> String {
    text.chars()
        .map(|c| if is_unseen(c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_names() {
        fn check(text: &str, expect: Result<&str, NameError>) {
            assert_eq!(image_name(text), expect.map(str::to_owned), "{text:?}");
        }
        check("sunset.jpg", Ok("sunset.jpg"));
        check("e\u{301}.png", Ok("\u{e9}.png"));
        check("two words.jpg", Ok("two words.jpg"));
        check("a~b@c:d,e", Ok("a~b@c:d,e"));
        check("", Err(NameError::Empty));
        check("a/b", Err(NameError::Character('/')));
        check("a\\b", Err(NameError::Character('\\')));
        check("a\0b", Err(NameError::Character('\0')));
        check("a\u{1b}[2J", Err(NameError::Character('\u{1b}')));
        check("a\u{85}b", Err(NameError::Character('\u{85}')));
        check("gpj.\u{202e}exe", Err(NameError::Character('\u{202e}')));
        check("a\u{2066}b", Err(NameError::Character('\u{2066}')));
        check("a\u{2028}b", Err(NameError::Character('\u{2028}')));
        check(" a", Err(NameError::Spaces));
        check("a\u{3000}", Err(NameError::Spaces));
        check(".", Err(NameError::Dots));
        check("..", Err(NameError::Dots));
        check("...", Ok("..."));
    }

    #[test]
    fn lengths_at_the_limit_and_one_past() {
        assert!(image_name(&"a".repeat(IMAGE_NAME_BYTES_MAX)).is_ok());
        assert_eq!(
            image_name(&"a".repeat(IMAGE_NAME_BYTES_MAX + 1)),
            Err(NameError::TooLong {
                bytes: 256,
                limit: 255
            })
        );
        assert!(album_name(&"a".repeat(NAME_BYTES_MAX)).is_ok());
        assert!(album_name(&"a".repeat(NAME_BYTES_MAX + 1)).is_err());
        assert!(user_name(&"a".repeat(NAME_BYTES_MAX)).is_ok());
        assert!(user_name(&"a".repeat(NAME_BYTES_MAX + 1)).is_err());
        // 2 bytes a piece as typed, 1 sign of 2 bytes in normal form.
        assert!(user_name(&"e\u{301}".repeat(32)).is_ok());
        assert!(image_name(&"a".repeat(10_000_000)).is_err());
    }

    #[test]
    fn user_names_have_no_separators() {
        assert_eq!(user_name("zo\u{eb}").unwrap(), "zo\u{eb}");
        for bad in ["a b", "a@b", "a~b", "a:b", "a,b", "a\tb", "a\u{a0}b"] {
            assert!(user_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shown_text_cannot_move_the_cursor() {
        assert_eq!(
            clean_for_display("a\u{1b}[2J\u{202e}b\n"),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}"
        );
        assert_eq!(clean_for_display("schön 🌅"), "schön 🌅");
    }
}
