//! Mutants of inputs, the same for the same seed: what an enemy who knows the formats would change.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Longest mutant, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// Numbers at which readers stumble.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "255",
    "256",
    "4096",
    "65536",
    "4294967295",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "1.0",
    "1e9",
];
/// What stands in JSON and in lines of text where something else should.
const PIECES: [&str; 14] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[[[[[",
    "]]]]",
    "{\"v\":1,\"v\":2}",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\n",
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
    "%00",
];

/// `input` with a few edits; `others` are spliced in.
pub fn mutant(rng: &mut ChaCha8Rng, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 << rng.gen_range(0..4) {
        edit(rng, &mut bytes, others);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn edit(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = rng.gen_range(0..=bytes.len());
    let end = rng.gen_range(at..=bytes.len().min(at + 64));
    match rng.gen_range(0..12) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.gen_range(0..8);
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = [0, 0x7f, 0x80, 0xff, b'"', rng.r#gen()][rng.gen_range(0..6)];
            }
        }
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let again = bytes[at..end].repeat(rng.gen_range(1..4));
            insert(bytes, at, &again);
        }
        6 => {
            let other = &others[rng.gen_range(0..others.len())];
            let from = rng.gen_range(0..=other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        7 | 8 => {
            let number = NUMBERS[rng.gen_range(0..NUMBERS.len())];
            if let Some((from, to)) = digits(bytes, at) {
                bytes.splice(from..to, number.bytes());
            }
        }
        9 => {
            if let Some((from, to)) = member(bytes, at) {
                let again = [&bytes[from..to], b","].concat();
                insert(bytes, from, &again);
            }
        }
        10 => {
            let piece = PIECES[rng.gen_range(0..PIECES.len())];
            bytes.splice(at..end, piece.bytes());
        }
        _ => {
            let piece = PIECES[rng.gen_range(0..PIECES.len())];
            insert(bytes, at, piece.as_bytes());
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

/// The first run of digits from `at` on.
fn digits(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let from = at + bytes[at..].iter().position(u8::is_ascii_digit)?;
    let run = bytes[from..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    Some((from, from + run))
}

/// The first `"key":value` from `at` on, as far as the next comma or closing brace.
fn member(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let colon = at + bytes[at..].windows(2).position(|pair| pair == b"\":")?;
    let from = bytes[..colon].iter().rposition(|byte| *byte == b'"')?;
    let run = bytes[colon..]
        .iter()
        .position(|byte| matches!(byte, b',' | b'}'))?;
    Some((from, colon + run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn the_same_seed_gives_the_same_mutants_and_they_differ_from_their_input() {
        let input = br#"{"id":1,"name":"a"}"#.to_vec();
        let many = |seed| -> Vec<Vec<u8>> {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..200)
                .map(|_| mutant(&mut rng, &input, &[b"other".to_vec()]))
                .collect()
        };
        assert_eq!(many(1), many(1));
        assert_ne!(many(1), many(2));
        assert!(many(1).iter().filter(|mutant| **mutant != input).count() > 180);
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            many(1)
                .iter()
                .map(text)
                .any(|text| text.matches("\"id\":1").count() > 1),
            "a key twice"
        );
        assert!(
            many(1)
                .iter()
                .map(text)
                .any(|text| text.contains("9007199254740992"))
        );
    }
}
