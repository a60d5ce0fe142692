//! A code as people say and type it: `7-carpet-monkey-lamp`.

use std::fmt;

use central::words::WordsError;

use crate::cmd::names::nearest;

/// Words of a code: 33 bits, of which a guesser tries one.
pub(in crate::node) const WORDS: usize = 3;
/// Random bytes that make them.
pub(in crate::node) const RANDOM_BYTES: usize = 5;
/// Longest text that is looked at, bytes.
const TEXT_BYTES_MAX: usize = 256;

/// The number of a mailbox and three words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct Code {
    pub(in crate::node) number: u32,
    words: String,
}

/// What is wrong with a typed code; said before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::node) enum CodeError {
    /// Not a number and three words.
    #[error("a code is a number and three words, like 7-carpet-monkey-lamp")]
    Form,
    /// A word that no code has.
    #[error("no code has the word {word:?}")]
    Unknown {
        /// As typed.
        word: String,
        /// A word of the list that is like it.
        near: Option<String>,
    },
}

/// Three words, with hyphens between, from random bytes.
pub(in crate::node) fn words(random: &[u8; RANDOM_BYTES]) -> String {
    central::words::spell(random, WORDS).replace(' ', "-")
}

impl Code {
    /// A code of the words that [`words`] made.
    pub(in crate::node) fn new(number: u32, words: &str) -> Self {
        Self {
            number,
            words: words.to_owned(),
        }
    }

    /// What a person typed: any case, spaces or hyphens, four letters of a word do.
    pub(in crate::node) fn parse(typed: &str) -> Result<Self, CodeError> {
        if typed.len() > TEXT_BYTES_MAX {
            return Err(CodeError::Form);
        }
        let mut parts = typed
            .split(|c: char| c.is_whitespace() || c == '-')
            .filter(|part| !part.is_empty());
        let number = parts.next().ok_or(CodeError::Form)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = number.parse().ok().filter(|_| is_number).ok_or(CodeError::Form)?;
        let parts: Vec<&str> = parts.collect();
        if parts.len() != WORDS {
            return Err(CodeError::Form);
        }
        let words = central::words::read(&parts.join(" ")).map_err(|error| match error {
            WordsError::TooLong => CodeError::Form,
            WordsError::Unknown(word) => CodeError::Unknown {
                near: near(&word),
                word,
            },
        })?;
        Ok(Self {
            number,
            words: words.replace(' ', "-"),
        })
    }
}

impl fmt::Display for Code {
    /// The one spelling, which is the password of the exchange.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.words)
    }
}

/// A word of the list that is like a typed one.
fn near(typed: &str) -> Option<String> {
    let list = bip39::Language::English.word_list();
    let words: Vec<String> = list.iter().map(|word| (*word).to_owned()).collect();
    nearest(&typed.to_lowercase(), &words).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_three_bits_become_three_words() {
        assert_eq!(words(&[0; 5]), "abandon-abandon-abandon");
        assert_eq!(words(&[0xff; 5]), "zoo-zoo-zoo");
        // The seven bits after them are not used.
        assert_eq!(words(&[0, 0, 0, 0, 0xff]), "abandon-abandon-ability");
        assert_eq!(words(&[0, 0, 0, 0, 0x7f]), words(&[0; 5]));
    }

    #[test]
    fn what_people_type_is_the_one_spelling() {
        let code = Code::new(7, "carpet-monkey-lamp");
        assert_eq!(code.to_string(), "7-carpet-monkey-lamp");
        for typed in [
            "7-carpet-monkey-lamp",
            "7 carpet monkey lamp",
            " 7  CARPET-Monkey   lamp\n",
            "7-carp-monk-lamp",
            "07-carp-MONK-lamp-",
        ] {
            assert_eq!(Code::parse(typed), Ok(code.clone()), "{typed:?}");
        }
        for typed in [
            "",
            "7",
            "carpet-monkey-lamp",
            "7-carpet-monkey",
            "7-carpet-monkey-lamp-lamp",
            "+7-carpet-monkey-lamp",
            "4294967296-carpet-monkey-lamp",
            "7-carpet-monkey-lamp@host",
        ] {
            assert!(Code::parse(typed).is_err(), "{typed:?}");
        }
        assert!(
            Code::parse(&format!(
                "7-carpet-monkey-lamp{}",
                " ".repeat(TEXT_BYTES_MAX - 20)
            ))
            .is_ok()
        );
        assert_eq!(
            Code::parse(&format!(
                "7-carpet-monkey-lamp{}",
                " ".repeat(TEXT_BYTES_MAX - 19)
            )),
            Err(CodeError::Form)
        );
    }

    #[test]
    fn a_word_of_no_code_is_told_with_the_one_that_is_meant() {
        let near = |typed: &str| match Code::parse(typed) {
            Err(CodeError::Unknown { word, near }) => (word, near),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            near("7-carpet-monkey-lampe"),
            ("lampe".to_owned(), Some("lamp".to_owned()))
        );
        assert_eq!(near("7-carpett-monkey-lamp").1.as_deref(), Some("carpet"));
        assert_eq!(near("7-carpet-monkey-\u{1b}[2J").1, None);
    }
}
