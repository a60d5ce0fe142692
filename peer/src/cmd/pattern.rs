//! Patterns for names, as `--name` takes them: `*`, `?` and `[…]` over the whole name.

use unicode_normalization::UnicodeNormalization as _;

/// Characters of a pattern, at most: no name is that long.
pub const PATTERN_CHARS_MAX: usize = 512;

/// A pattern that was read.
#[derive(Debug, Clone)]
pub struct Pattern {
    glob: glob::Pattern,
    /// A capital in the pattern makes capitals matter, as in fd and in ripgrep's smart case.
    exact: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.chars().count() > PATTERN_CHARS_MAX {
            return Err(format!("at most {PATTERN_CHARS_MAX} characters are allowed"));
        }
        let text: String = text.nfc().collect();
        let glob = glob::Pattern::new(&text).map_err(|_| {
            "* stands for any characters, ? for one, [ab] for one of these, [*] for a star itself".to_owned()
        })?;
        Ok(Pattern {
            glob,
            exact: text.chars().any(char::is_uppercase),
        })
    }

    /// Whether it fits the whole name.
    pub fn fits(&self, name: &str) -> bool {
        if self.exact {
            self.glob.matches(name)
        } else {
            self.glob.matches(&name.to_lowercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_names_and_capitals_matter_where_it_has_some() {
        let check = |pattern: &str, name: &str, fits: bool| {
            assert_eq!(
                Pattern::new(pattern).unwrap().fits(name),
                fits,
                "{pattern} {name}"
            );
        };
        check("IMG*", "IMG_1.jpg", true);
        check("IMG*", "img_1.jpg", false);
        check("img*", "IMG_1.jpg", true);
        check("img*", "img_1.jpg", true);
        check("sunset", "sunset.jpg", false);
        check("*set*", "sunset.jpg", true);
        check("?.jpg", "a.jpg", true);
        check("?.jpg", "ab.jpg", false);
        check("[ab].jpg", "b.jpg", true);
        check("[!ab].jpg", "b.jpg", false);
        check("über*", "ÜBER.jpg", true);
        check("e\u{301}t*", "\u{e9}t\u{e9}.jpg", true);
        check("*", ".hidden", true);
        check("[*].jpg", "*.jpg", true);
        check("", "a", false);
    }

    #[test]
    fn what_is_no_pattern_says_what_one_is() {
        for wrong in ["[", "a***", "***"] {
            assert!(Pattern::new(wrong).unwrap_err().contains("stands for"), "{wrong}");
        }
        let star = |n: usize| "*a".repeat(n / 2);
        assert!(Pattern::new(&star(PATTERN_CHARS_MAX)).is_ok());
        assert!(
            Pattern::new(&star(PATTERN_CHARS_MAX + 2))
                .unwrap_err()
                .contains("512")
        );
        // The worst that can be asked ends at once.
        assert!(
            !Pattern::new(&star(PATTERN_CHARS_MAX))
                .unwrap()
                .fits(&"a".repeat(255))
        );
    }
}
