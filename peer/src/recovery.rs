//! The 24 recovery words: a root key's 32 bytes as words of BIP-39's English list, the last of which checks the others.

use bip39::{Error, Language, Mnemonic};
use zeroize::Zeroizing;

use crate::api::{Code, Failure};
use crate::cmd::names;

/// How many there are.
pub const WORDS: usize = 24;

/// The words of a seed, with a space between two.
pub fn words_of(seed: &[u8; 32]) -> Zeroizing<String> {
    let words = Mnemonic::from_entropy_in(Language::English, seed).expect("32 bytes are 24 words");
    Zeroizing::new(words.words().collect::<Vec<_>>().join(" "))
}

/// The words of a text, small letters: people number them, put commas between, and shorten them to four letters.
///
/// # Errors
/// `usage`: a word that is none of the list, named, with the one that it is like.
pub fn words_in(text: &str) -> Result<Vec<&'static str>, Failure> {
    let parts = text
        .split(|c: char| !c.is_alphabetic())
        .filter(|part| !part.is_empty());
    parts.enumerate().map(|(at, part)| word(at + 1, part)).collect()
}

fn word(number: usize, typed: &str) -> Result<&'static str, Failure> {
    let typed = typed.to_lowercase();
    let list = Language::English.word_list();
    let exact = list.iter().find(|word| **word == typed);
    // No two words of the list have their first four letters in common.
    let short = || {
        list.iter()
            .find(|word| typed.len() == 4 && word.starts_with(&typed))
    };
    exact.or_else(short).copied().ok_or_else(|| {
        let all: Vec<String> = list.iter().map(|word| (*word).to_owned()).collect();
        let hint = match names::nearest(&typed, &all) {
            Some(near) => format!("did you mean {near}?"),
            None => "compare it with what you wrote down".to_owned(),
        };
        let shown: String = typed.chars().take(32).collect();
        Failure::new(
            Code::Usage,
            format!("word {number}, {shown:?}, is no recovery word"),
            hint,
        )
    })
}

/// The seed that the words of a text stand for.
///
/// # Errors
/// `usage`: a misspelt word, too few or too many, or words that do not belong together.
pub fn seed_of(text: &str) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let words = words_in(text)?;
    if words.len() != WORDS {
        return Err(Failure::new(
            Code::Usage,
            format!("{WORDS} recovery words are needed, and these are {}", words.len()),
            "type all of them, in their order",
        ));
    }
    let joined = Zeroizing::new(words.join(" "));
    let mnemonic = Mnemonic::parse_in_normalized(Language::English, &joined).map_err(|error| {
        let message = match error {
            Error::InvalidChecksum => {
                "these words do not belong together: one is another, or two have changed places"
            }
            _ => "these are no recovery words",
        };
        Failure::new(Code::Usage, message, "compare them with what you wrote down")
    })?;
    let (entropy, length) = mnemonic.to_entropy_array();
    let entropy = Zeroizing::new(entropy);
    let mut seed = Zeroizing::new([0; 32]);
    if length == seed.len() {
        seed.copy_from_slice(&entropy[..length]);
    }
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vector of BIP-39's own.
    const SEED: [u8; 32] = [0x7f; 32];
    const TEXT: &str = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth \
                        useful legal winner thank year wave sausage worth title";

    #[test]
    fn a_seed_and_its_words() {
        assert_eq!(*words_of(&SEED), TEXT);
        assert_eq!(*seed_of(TEXT).unwrap(), SEED);
        for seed in [[0; 32], [0xff; 32], *blake3::hash(b"x").as_bytes()] {
            assert_eq!(*seed_of(&words_of(&seed)).unwrap(), seed);
        }
    }

    #[test]
    fn as_people_write_them() {
        let numbered: String = TEXT
            .split(' ')
            .zip(1..)
            .map(|(word, n)| format!("{n}. {},\n", word.to_uppercase()))
            .collect();
        assert_eq!(*seed_of(&numbered).unwrap(), SEED);
        let short: Vec<&str> = TEXT.split(' ').map(|word| &word[..4]).collect();
        assert_eq!(*seed_of(&short.join(" ")).unwrap(), SEED);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: String, message: &str, hint: &str| {
            let failure = seed_of(&text).unwrap_err();
            assert_eq!(failure.code, Code::Usage);
            assert!(failure.message.contains(message), "{}", failure.message);
            assert!(failure.hint.contains(hint), "{}", failure.hint);
        };
        check(
            TEXT.replacen("winner", "winnar", 1),
            "word 2, \"winnar\"",
            "did you mean winner?",
        );
        check(String::new(), "these are 0", "all of them");
        check(TEXT.replacen("legal ", "", 1), "these are 23", "all of them");
        check(format!("{TEXT} title"), "these are 25", "all of them");
        check(
            TEXT.replacen("wave", "year", 1),
            "do not belong together",
            "compare",
        );
        check("x".repeat(10_000), "is no recovery word", "compare");
        check("\u{1b}[2J".to_owned(), "word 1, \"j\"", "");
    }
}
