//! Keys as words that people read aloud: eleven bits a word, of the English list of BIP-39. The first
//! four letters tell its words apart.

use bip39::Language;

use crate::tls::Fingerprint;

/// Words of a central's key: 66 bits of its fingerprint. Who wants another key with the same words makes 2^66 of them.
pub const FINGERPRINT_WORDS: usize = 6;
/// Bits that a word stands for.
const BITS: usize = 11;
/// Longest text that is looked at as words, bytes: 24 words of eight letters, with room for how people space them.
pub const WORDS_BYTES_MAX: usize = 512;

/// Why a text is not the words it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Past [`WORDS_BYTES_MAX`].
    #[error("that is too long for words of a key")]
    TooLong,
    /// Not in the list.
    #[error("{0:?} is not in the list of words")]
    Unknown(String),
}

/// The first `count` words of some bytes, with single spaces between.
///
/// # Panics
/// Where there are fewer bytes than `count` words stand for.
pub fn spell(bytes: &[u8], count: usize) -> String {
    let list = Language::English.word_list();
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let word = |n: usize| {
        let bits = (n * BITS)..((n + 1) * BITS);
        list[bits.fold(0, |sum, at| sum * 2 + bit(at))]
    };
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

/// The words of a central's key.
pub fn fingerprint(key: &Fingerprint) -> String {
    spell(key, FINGERPRINT_WORDS)
}

/// What a person typed, in the one spelling of [`spell`]: any case, spaces or hyphens, and four letters of a word do.
///
/// # Errors
/// A text that is too long, or a word that is not in the list.
pub fn read(text: &str) -> Result<String, WordsError> {
    if text.len() > WORDS_BYTES_MAX {
        return Err(WordsError::TooLong);
    }
    let typed = text
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter(|word| !word.is_empty());
    let words: Result<Vec<&str>, WordsError> = typed.map(word).collect();
    Ok(words?.join(" "))
}

fn word(typed: &str) -> Result<&'static str, WordsError> {
    let lower = typed.to_lowercase();
    let list = Language::English.word_list();
    let found = list
        .iter()
        .find(|word| **word == lower)
        .or_else(|| match lower.len() {
            4 => list.iter().find(|word| word.starts_with(&lower)),
            _ => None,
        });
    found
        .copied()
        .ok_or_else(|| WordsError::Unknown(typed.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list and the order of bits are those of BIP-39: its first test vector has the bits 0, its second 7f…
    #[test]
    fn bits_become_words_as_in_bip_39() {
        assert_eq!(spell(&[0; 32], 3), "abandon abandon abandon");
        assert_eq!(spell(&[0x7f; 32], 6), "legal winner thank year wave sausage");
        assert_eq!(spell(&[0xff; 32], 2), "zoo zoo");
        assert_eq!(
            fingerprint(&[0x80; 32]),
            "letter advice cage absurd amount doctor"
        );
    }

    #[test]
    fn what_people_type_is_read() {
        let words = "legal winner thank year wave sausage";
        for typed in [
            words,
            "  Legal-WINNER thank\tyear   wave sausage\n",
            "lega winn than year wave saus",
        ] {
            assert_eq!(read(typed).unwrap(), words, "{typed:?}");
        }
        // Three letters are not enough, five that go wrong are another word.
        for (typed, wrong) in [
            ("legal sau", "sau"),
            ("legas", "legas"),
            ("legal \u{1b}[2J", "\u{1b}[2J"),
        ] {
            assert_eq!(
                read(typed),
                Err(WordsError::Unknown(wrong.to_owned())),
                "{typed:?}"
            );
        }
        assert_eq!(read(""), Ok(String::new()));
    }

    #[test]
    fn a_text_of_512_bytes_is_read_and_one_more_is_not() {
        let text = "zoo ".repeat(WORDS_BYTES_MAX / 4);
        assert_eq!(text.len(), WORDS_BYTES_MAX);
        assert!(read(&text).is_ok());
        assert_eq!(read(&format!("{text} ")), Err(WordsError::TooLong));
    }

    /// A key that differs in the last of the 66 bits has other words; what comes after them does not show.
    #[test]
    fn sixty_six_bits_count() {
        let key = [0; 32];
        let (mut inside, mut after) = (key, key);
        inside[8] = 0b0100_0000;
        after[8] = 0b0010_0000;
        assert_ne!(fingerprint(&inside), fingerprint(&key));
        assert_eq!(fingerprint(&after), fingerprint(&key));
    }
}
