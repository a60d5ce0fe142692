//! Safety words: what two people compare aloud to know that each has the other's key.

use central::words::spell;
use crdt::id::UserId;

/// Words of a pair. Who sits in between two people chooses both keys that he shows them, so half of the bits count
/// against him: of 132 that is 66.
pub const SAFETY_WORDS: usize = 12;
const SAFETY_BYTES: usize = (SAFETY_WORDS * 11).div_ceil(8);

/// The safety words of two users: the same for both, others for any other pair (docs/protocol.md §14).
pub fn safety(a: &UserId, b: &UserId) -> String {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut hasher = blake3::Hasher::new_derive_key("calotype 1 safety words");
    hasher.update(&first.0).update(&second.0);
    let mut bytes = [0; SAFETY_BYTES];
    hasher.finalize_xof().fill(&mut bytes);
    spell(&bytes, SAFETY_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both read the same; another key on either side changes them; and they stay what they are in other versions.
    #[test]
    fn a_pair_has_its_words() {
        let [alice, bob, mallory] = [1, 2, 3].map(|byte| UserId([byte; 32]));
        let words = safety(&alice, &bob);
        assert_eq!(words, safety(&bob, &alice));
        assert_ne!(words, safety(&alice, &mallory));
        assert_ne!(safety(&alice, &mallory), safety(&mallory, &bob));
        assert_eq!(
            words,
            "route elbow bargain then usual mushroom certain oil humble spy under leg"
        );
    }

    /// The list is whole, and every word of it can come up.
    #[test]
    fn all_words_are_in_use() {
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..4_000u16 {
            let mut other = [0; 32];
            other[..2].copy_from_slice(&n.to_le_bytes());
            let words = safety(&UserId([9; 32]), &UserId(other));
            seen.extend(words.split(' ').map(str::to_owned));
        }
        assert_eq!(seen.len(), 2048);
    }
}
