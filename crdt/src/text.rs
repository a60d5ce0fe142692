//! The strict JSON rule for everything signed and every message (docs/protocol.md §1): no floats, exponents or
//! negative numbers, integers ≤ 2^53 − 1, no key twice in one object, bounded nesting. One pass, no tree built.
//!
//! RFC 8259 leaves duplicate keys and large numbers to the reader; two readers that differ there would read two
//! different ops out of one signature.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::limits::{DEPTH_MAX, INTEGER_MAX};

/// Why a text breaks the rule: the reader's words and place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TextError(pub String);

impl From<serde_json::Error> for TextError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Checks a signed text or a message without ops (nesting ≤ [`DEPTH_MAX`]).
pub fn check(text: &str) -> Result<(), TextError> {
    check_depth(text, DEPTH_MAX)
}

/// Checks a text against the rule with another bound on nesting; a message that carries ops nests up to
/// [`crate::limits::MESSAGE_DEPTH_MAX`].
pub fn check_depth(text: &str, depth_max: usize) -> Result<(), TextError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Strict {
        depth_left: depth_max,
    }
    .deserialize(&mut reader)?;
    reader.end()?;
    Ok(())
}

/// Reads a value of a text that was checked before.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, TextError> {
    Ok(serde_json::from_str(text)?)
}

/// Writes a value of ours; such values have string keys and no floats, so this cannot fail.
pub(crate) fn write<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain structs with string keys serialise")
}

struct Strict {
    depth_left: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Strict, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Strict { depth_left }),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        if value > INTEGER_MAX {
            return Err(E::custom(format_args!("integer {value} is above 2^53 - 1")));
        }
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        Err(E::custom(format_args!("negative number {value}")))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom(
            "number with a fraction, an exponent, a sign or too many digits",
        ))
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items
            .next_element_seed(Strict {
                depth_left: inner.depth_left,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = BTreeSet::new();
        while let Some(Key(key)) = entries.next_key()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format_args!("key {key:?} twice in one object")));
            }
            seen.insert(key);
            entries.next_value_seed(Strict {
                depth_left: inner.depth_left,
            })?;
        }
        Ok(())
    }
}

/// An object's key, borrowed where it has no escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A struct that is read from an object only: serde's derived structs would take an array of the values too, and
/// so would let a second spelling of a header pass here and fail elsewhere.
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Map(PhantomData))
    }
}

/// For optional keys: present means a value, `null` is none of ours.
pub(crate) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// As [`some`] for a struct, read from an object only.
pub(crate) fn some_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Object::<T>::deserialize(deserializer).map(|object| Some(object.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        fn ok(text: &str, expect: bool) {
            assert_eq!(check(text).is_ok(), expect, "{text}: {:?}", check(text));
        }
        ok(r#"{"a":1,"b":[true,null,"x"]}"#, true);
        ok("9007199254740991", true);
        ok("9007199254740992", false);
        ok("18446744073709551615", false);
        ok("18446744073709551616", false);
        ok("1e3", false);
        ok("1.0", false);
        ok("-1", false);
        ok("-0", false);
        ok("01", false);
        ok(r#"{"a":1,"a":1}"#, false);
        ok(r#"{"a":1,"\u0061":1}"#, false);
        ok(r#"{"a":{"x":1},"b":{"x":1}}"#, true);
        ok(r#""\ud800""#, false);
        ok("{} {}", false);
        ok("", false);
        ok("[1,]", false);
        ok("NaN", false);
    }

    #[test]
    fn nesting_at_the_limit_and_one_past() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(&nested(DEPTH_MAX)).is_ok());
        assert!(check(&nested(DEPTH_MAX + 1)).is_err());
        // Far past it: refused at the ninth bracket, not at the bottom of the stack.
        assert!(check(&nested(1_000_000)).is_err());
    }

    #[test]
    fn structs_come_from_objects_and_null_is_no_absence() {
        #[derive(Deserialize)]
        struct One {
            #[serde(default, deserialize_with = "some")]
            a: Option<u64>,
        }
        assert_eq!(read::<Object<One>>(r#"{"a":1}"#).unwrap().0.a, Some(1));
        assert_eq!(read::<Object<One>>("{}").unwrap().0.a, None);
        assert!(read::<Object<One>>("[1]").is_err());
        assert!(read::<Object<One>>(r#"{"a":null}"#).is_err());
    }
}
