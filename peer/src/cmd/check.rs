//! Names that are going to be written, checked before anything is sent.

use crdt::name::{self, NameError};

use crate::api::{Code, Failure};

/// An account's name, in normal form.
pub(super) fn user(text: &str) -> Result<String, Failure> {
    name::user_name(text)
        .map_err(|wrong| failure("user", text, &wrong, "letters, digits, - and _ are always fine"))
}

/// An album's name, in normal form.
pub(super) fn album(text: &str) -> Result<String, Failure> {
    name::album_name(text)
        .map_err(|wrong| failure("album", text, &wrong, "letters, digits, spaces, - and _ are fine"))
}

/// An image's name, in normal form.
pub(super) fn image(text: &str) -> Result<String, Failure> {
    name::image_name(text)
        .map_err(|wrong| failure("image", text, &wrong, "use a plain file name, without a folder"))
}

fn failure(what: &str, text: &str, wrong: &NameError, hint: &str) -> Failure {
    let code = if matches!(wrong, NameError::TooLong { .. }) {
        Code::TooLarge
    } else {
        Code::Usage
    };
    Failure::new(
        code,
        format!(
            "\"{}\" cannot be the name of {} {what}: {wrong}",
            crate::ui::shorten(text, 40),
            article(what)
        ),
        hint,
    )
}

fn article(what: &str) -> &'static str {
    if what.starts_with(['a', 'i']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused_with_a_reason() {
        let check = |result: Result<String, Failure>, code: Code, message: &str| {
            let failure = result.unwrap_err();
            assert_eq!((failure.code, failure.message.as_str()), (code, message));
        };
        check(
            user("al ice"),
            Code::Usage,
            "\"al ice\" cannot be the name of a user: the name has the character \\u{20}, which is not allowed",
        );
        check(
            user(""),
            Code::Usage,
            "\"\" cannot be the name of a user: the name is empty",
        );
        check(
            album("a/b"),
            Code::Usage,
            "\"a/b\" cannot be the name of an album: the name has the character \\u{2f}, which is not allowed",
        );
        check(
            image(".."),
            Code::Usage,
            "\"..\" cannot be the name of an image: the name is . or ..",
        );
        let failure = image("a\u{202e}gpj").unwrap_err();
        assert!(!failure.message.contains('\u{202e}'), "{}", failure.message);
        assert_eq!(album(&"x".repeat(65)).unwrap_err().code, Code::TooLarge);
        assert_eq!(user("alice").unwrap(), "alice");
        assert_eq!(album("e\u{301}te").unwrap(), "\u{e9}te");
    }
}
