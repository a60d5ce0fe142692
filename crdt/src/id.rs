//! Ids: fixed-length byte strings, each its own type; unpadded base64url in JSON, hex for people.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {bytes} bytes of unpadded base64url")]
pub struct IdError {
    /// Length the id must have once decoded.
    pub bytes: usize,
}

/// Digits of the longest id, a signature.
const DIGITS_MAX: usize = 86;

/// The value of each base64url digit, 64 for any other byte.
const VALUES: [u8; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut values, mut digit) = ([64; 256], 0);
    while digit < 64 {
        values[digits[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

/// `N` bytes from unpadded base64url (RFC 4648 §5). One spelling each: the bits that the last digit has too many are 0.
/// An op has some ten of these, which is why they have a reader of their own.
pub(crate) fn from_digits<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != (N * 8).div_ceil(6) {
        return None;
    }
    let mut out = [0; N];
    let mut all = 0;
    let mut value = |group: &[u8]| {
        group.iter().fold(0u32, |sum, digit| {
            let value = VALUES[usize::from(*digit)];
            all |= value;
            sum << 6 | u32::from(value & 63)
        })
    };
    let (groups, last) = digits.as_chunks::<4>();
    let (triples, rest) = out.as_chunks_mut::<3>();
    for (triple, group) in triples.iter_mut().zip(groups) {
        let [_, bytes @ ..] = value(group).to_be_bytes();
        *triple = bytes;
    }
    let spare = last.len() * 6 - rest.len() * 8;
    let bits = value(last);
    let bytes = (bits >> spare).to_be_bytes();
    rest.copy_from_slice(&bytes[4 - rest.len()..]);
    (all < 64 && bits & ((1 << spare) - 1) == 0).then_some(out)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Lower-case hex, as people see it.
            pub fn hex(&self) -> String {
                let mut out = String::with_capacity($len * 2);
                for byte in self.0 {
                    out.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
                    out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
                }
                out
            }

            /// Reads exactly `2 × LEN` hex digits, either case.
            pub fn from_hex(text: &str) -> Option<Self> {
                let digits = text.as_bytes();
                if digits.len() != $len * 2 {
                    return None;
                }
                let mut out = [0u8; $len];
                for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
                    let high = char::from(pair[0]).to_digit(16)?;
                    let low = char::from(pair[1]).to_digit(16)?;
                    *byte = (high * 16 + low) as u8;
                }
                Some(Self(out))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; DIGITS_MAX];
                let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits[..length]).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), &self.hex()[..8])
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { bytes: $len };
                from_digits(text.as_bytes()).map(Self).ok_or(error)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "{} bytes of unpadded base64url", $len)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

id!(
    /// A user: the hash of an Ed25519 root public key, see [`crate::keys::user_id`].
    UserId, 32);
id!(
    /// An album: the header hash of its genesis op.
    AlbumId, 32);
id!(
    /// One writer: a device of a user in one incarnation, see [`crate::keys::actor_id`].
    ActorId, 16);
id!(
    /// Random number that tells two lives of one device's database apart.
    Incarnation, 16);
id!(
    /// Random number in a genesis, so that equal names make different albums.
    AlbumSeed, 16);
id!(
    /// Random number of an invite, by which the grants that answer it are known.
    InviteId, 16);
id!(
    /// BLAKE3 of an op's signed header text.
    HeaderHash, 32);
id!(
    /// First 16 bytes of a [`HeaderHash`], as `deps` name ops.
    HeaderRef, 16);
id!(
    /// BLAKE3 of a fact's text.
    FactHash, 32);
id!(
    /// BLAKE3 of a file's bytes.
    BlobHash, 32);
id!(
    /// Root of a digest tree or the digest of a whole album.
    Digest, 32);
id!(
    /// Ed25519 public key: a root's or a device's.
    PublicKey, 32);
id!(
    /// Ed25519 signature.
    Signature, 64);

impl HeaderHash {
    /// The short form used in `deps`.
    pub fn short(&self) -> HeaderRef {
        let mut out = [0; 16];
        out.copy_from_slice(&self.0[..16]);
        HeaderRef(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_each() {
        let id = ActorId([0xff; 16]);
        let text = id.to_string();
        assert_eq!(text, "_____________________w");
        assert_eq!(text.parse::<ActorId>().unwrap(), id);
        // The same 16 bytes with a stray low bit in the last digit.
        assert!("_____________________x".parse::<ActorId>().is_err());
        assert!("_____________________w==".parse::<ActorId>().is_err());
        assert!("//////////////////////w".parse::<ActorId>().is_err());
        assert!("".parse::<ActorId>().is_err());
    }

    #[test]
    fn hex_both_ways() {
        let id = BlobHash([0xa7; 32]);
        assert_eq!(BlobHash::from_hex(&id.hex()), Some(id));
        assert_eq!(BlobHash::from_hex(&id.hex().to_uppercase()), Some(id));
        assert_eq!(BlobHash::from_hex("a7"), None);
        assert_eq!(BlobHash::from_hex(&"é".repeat(32)), None);
    }
}
