//! Reading what strangers send: tables of what is taken and what is not, and mutants of what is.

use engine::wire::{RefusalCode, Unreadable, decode_answer, decode_call, decode_message, encode_answer};
use proptest::prelude::*;

const HASH: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const ACTOR: &str = "AQEBAQEBAQEBAQEBAQEBAQ";

fn fill(text: &str) -> String {
    text.replace("HASH", HASH).replace("ACTOR", ACTOR)
}

#[test]
fn gossip() {
    fn check(text: &str, expect: Result<(), Unreadable>) {
        assert_eq!(decode_message(fill(text).as_bytes()).map(drop), expect, "{text}");
    }
    use Unreadable::{Form, Unknown};
    let digest = r#"{"v":1,"kind":"digest","epoch":"AQEBAQEBAQE","seq":1,"heads":"HASH"}"#;
    check(digest, Ok(()));
    check(&digest.replace(r#""seq":1"#, r#""seq":9007199254740991"#), Ok(()));
    check(&digest.replace('}', r#","later":{"a":[1]}}"#), Ok(()));
    check(&digest.replace('}', r#","ops":[]}"#), Ok(()));
    // Another version, another kind: from a newer program.
    check(&digest.replace(r#""v":1"#, r#""v":2"#), Err(Unknown));
    check(&digest.replace("digest", "later"), Err(Unknown));
    check(r#"{"v":7,"kind":"later"}"#, Err(Unknown));
    // No text of the rule of §1.
    for (from, to) in [
        (r#""seq":1"#, r#""seq":0"#),
        (r#""seq":1"#, r#""seq":1.0"#),
        (r#""seq":1"#, r#""seq":-1"#),
        (r#""seq":1"#, r#""seq":1e3"#),
        (r#""seq":1"#, r#""seq":9007199254740992"#),
        (r#""seq":1"#, r#""seq":18446744073709551615"#),
        (r#""seq":1"#, r#""seq":1,"seq":1"#),
        (r#""seq":1"#, r#""later":1,"later":1,"seq":1"#),
        (r#""seq":1,"#, ""),
        (r#""heads":"HASH""#, r#""heads":"AQE""#),
        (r#""heads":"HASH""#, r#""heads":1"#),
        ("AQEBAQEBAQE\"", "AQEBAQEBAQF\""),
        ("AQEBAQEBAQE\"", "AQEBAQEBAQE=\""),
        (r#""v":1,"#, ""),
        ("digest", "ops"),
        ("}", r#","ops":[{}]}"#),
        ("}", "}x"),
        ("{", " {"),
    ] {
        check(&digest.replacen(from, to, 1), Err(Form));
    }
    for text in ["", "null", "[]", "{}", "\u{0}", "[1,\"digest\"]"] {
        check(text, Err(Form));
    }
    let deep = format!(
        r#"{{"v":1,"kind":"later","x":{}1{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    check(&deep, Err(Form));
    assert_eq!(decode_message(&[0xff, 0xfe]).map(drop), Err(Form));
}

#[test]
fn requests() {
    fn check(text: &str, expect: Result<(), RefusalCode>) {
        let read = decode_call(fill(text).as_bytes());
        assert_eq!(read.map(drop).map_err(|refused| refused.code), expect, "{text}");
    }
    use RefusalCode::{Busy, Unknown};
    check(
        r#"{"v":1,"do":"hello","album":"HASH","heads":"HASH","facts":"HASH"}"#,
        Ok(()),
    );
    check(r#"{"do":"tree","v":1,"album":"HASH"}"#, Ok(()));
    check(
        r#"{"v":1,"do":"tree","album":"HASH","node":63,"later":1}"#,
        Ok(()),
    );
    check(r#"{"v":1,"do":"tree","album":"HASH","node":64}"#, Err(Busy));
    check(r#"{"v":1,"do":"tree","album":"HASH","node":256}"#, Err(Unknown));
    check(r#"{"v":1,"do":"heads","album":"HASH","leaves":[4095]}"#, Ok(()));
    check(
        r#"{"v":1,"do":"heads","album":"HASH","leaves":[4096]}"#,
        Err(Busy),
    );
    check(
        r#"{"v":1,"do":"ops","album":"HASH","want":[["ACTOR","HASH",0]]}"#,
        Ok(()),
    );
    check(
        r#"{"v":1,"do":"ops","album":"HASH","want":[["ACTOR","HASH"]]}"#,
        Err(Unknown),
    );
    check(
        r#"{"v":1,"do":"ops","album":"HASH","want":[["ACTOR","HASH",9007199254740992]]}"#,
        Err(Unknown),
    );
    check(
        r#"{"v":1,"do":"refs","album":"HASH","refs":[["ACTOR",1,"ACTOR"]]}"#,
        Ok(()),
    );
    check(r#"{"v":1,"do":"have","album":"HASH","blobs":["HASH"]}"#, Ok(()));
    check(r#"{"v":1,"do":"chunks","album":"HASH","blob":"HASH"}"#, Ok(()));
    check(
        r#"{"v":1,"do":"blob","album":"HASH","blob":"HASH","chunks":[[0,4294967295]]}"#,
        Ok(()),
    );
    check(
        r#"{"v":1,"do":"blob","album":"HASH","blob":"HASH","chunks":[[0,4294967296]]}"#,
        Err(Unknown),
    );
    check(r#"{"v":1,"do":"later","album":"HASH"}"#, Err(Unknown));
    check(r#"{"v":2,"do":"tree","album":"HASH"}"#, Err(Unknown));
    check(r#"{"do":"tree","album":"HASH"}"#, Err(Unknown));
    check(r#"{"v":1,"do":"tree","do":"tree","album":"HASH"}"#, Err(Unknown));
    check(r#"{"v":1,"do":"tree"}"#, Err(Unknown));
    for text in ["", "{", "[]", "null", "\u{0}"] {
        check(text, Err(Unknown));
    }
}

#[test]
fn answers() {
    fn check(text: &str, expect: Result<(), Unreadable>) {
        assert_eq!(decode_answer(fill(text).as_bytes()).map(drop), expect, "{text}");
    }
    use Unreadable::{Form, TooLong, Unknown};
    check(r#"{"heads":"HASH","facts":"HASH"}"#, Ok(()));
    check(r#"{"heads":[["ACTOR",1,"HASH"]]}"#, Ok(()));
    check(r#"{"heads":"HASH"}"#, Err(Form));
    check(r#"{"heads":[["ACTOR",1]]}"#, Err(Form));
    check(r#"{"hashes":["HASH"]}"#, Err(TooLong));
    check(r#"{"have":[true]}"#, Ok(()));
    check(r#"{"have":[1]}"#, Err(Form));
    check(r#"{"end":true,"more":true}"#, Ok(()));
    check(r#"{"end":false}"#, Err(Unknown));
    check(r#"{"error":{"code":"later","message":"x"}}"#, Ok(()));
    check(r#"{"error":{"code":"denied"}}"#, Ok(()));
    check(r#"{"error":"denied"}"#, Err(Form));
    check(r#"{"ops":[{},1]}"#, Ok(()));
    check(r#"{"ops":[{}],"ops":[{}]}"#, Err(Form));
    check(r#"{"size":1.5}"#, Err(Form));
    check("{}", Err(Unknown));
    check("[]", Err(Form));
}

/// One of the golden texts, changed in a few places.
fn mutant() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<Vec<u8>> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
        .into_iter()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.ok()?.path()).ok())
        .chain([encode_answer::end(true)])
        .collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4u8);
    (prop::sample::select(texts), prop::collection::vec(change, 0..6)).prop_map(|(mut text, changes)| {
        for (at, byte, how) in changes {
            let at = at.index(text.len().max(1)).min(text.len().saturating_sub(1));
            match how {
                _ if text.is_empty() => text.push(byte),
                0 => text[at] = byte,
                1 => text.insert(at, b"{}[]\",:0"[usize::from(byte % 8)]),
                2 => drop(text.remove(at)),
                _ => text.truncate(at),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_reader_panic(text in mutant()) {
        let _ = decode_message(&text).map(drop);
        let _ = decode_call(&text).map(drop);
        let _ = decode_answer(&text).map(drop);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_message(&bytes).map(drop);
        let _ = decode_call(&bytes).map(drop);
        let _ = decode_answer(&bytes).map(drop);
    }
}
