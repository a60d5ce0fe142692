//! What differs from run to run, put under names, so that the rest can be a golden text.

use std::path::Path;

use serde_json::Value;

use crate::tour::is_code;

/// Keys whose values no two runs share; `at` as well where it is a number, of milliseconds.
const VARYING: [&str; 21] = [
    "pid",
    "words",
    "decode_ms",
    "filter_ms",
    "encode_ms",
    "peak_bytes",
    "rtt_ms",
    "lag",
    "bytes_in",
    "bytes_out",
    "link_bytes_in",
    "link_bytes_out",
    "counters",
    "refused",
    "refused_from",
    "actors",
    "kinds",
    "published",
    "sends",
    "ops_written",
    "recovery_words",
];

/// Takes ids, times, ports and folders out of texts; the same id has the same name in all texts of one of these.
pub struct Redact {
    folder: String,
    ids: Vec<String>,
}

impl Redact {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_str().unwrap().trim_end_matches('/').to_owned(),
            ids: Vec::new(),
        }
    }

    /// One JSON object, pretty, its varying values gone.
    pub fn json(&mut self, mut value: Value) -> String {
        vary(&mut value);
        self.text(&serde_json::to_string_pretty(&value).unwrap())
    }

    pub fn text(&mut self, text: &str) -> String {
        let text = text.replace(&self.folder, "WORLD");
        let parts = text
            .split('"')
            .map(|part| if is_code(part) { "CODE" } else { part });
        let text = parts.collect::<Vec<_>>().join("\"");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let word: &str = &rest[..rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())];
            if word.is_empty() {
                out.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
            rest = &rest[word.len()..];
            if let Some(short) = self.id(word) {
                out.push_str(&short);
            } else if is_number(word) && out.ends_with("127.0.0.1:") {
                out.push_str("PORT");
            } else if is_number(word) && (out.ends_with("process ") || out.ends_with("pid ")) {
                out.push_str("PID");
            } else {
                out.push_str(word);
            }
        }
        times(&out)
    }

    /// Hashes, keys and ids in hex or base64url, whole or their first digits.
    fn id(&mut self, word: &str) -> Option<String> {
        let hex = |word: &str| word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let mixed = |word: &str| {
            word.bytes().any(|b| b.is_ascii_uppercase()) && word.bytes().any(|b| b.is_ascii_lowercase())
        };
        let is_id = (word.len() == 64 && hex(word)) || (matches!(word.len(), 22 | 43) && mixed(word));
        // A control socket's folder.
        if word
            .strip_prefix("calotype-")
            .is_some_and(|rest| rest.len() == 8 && hex(rest))
        {
            return Some("calotype-HOME".to_owned());
        }
        let known = self.ids.iter().position(|id| id == word);
        if let Some(at) = known {
            return Some(format!("ID{}", at + 1));
        }
        if is_id {
            self.ids.push(word.to_owned());
            return Some(format!("ID{}", self.ids.len()));
        }
        let begins = self
            .ids
            .iter()
            .position(|id| word.len() >= 6 && id.starts_with(word));
        begins.map(|at| format!("ID{}…", at + 1))
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

fn vary(value: &mut Value) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| {
            if VARYING.contains(&key.as_str()) || (key == "at" && value.is_number()) {
                *value = "…".into();
            } else {
                vary(value);
            }
        }),
        Value::Array(list) => list.iter_mut().for_each(vary),
        _ => {}
    }
}

/// `2026-11-21T08:30:00Z`, also with a fraction, as `TIME`.
fn times(text: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let fits = |window: &[u8]| {
        window.iter().zip(SHAPE).all(|(b, shape)| match shape {
            b'0' => b.is_ascii_digit(),
            other => b == other,
        })
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.as_bytes().windows(SHAPE.len()).position(fits) {
        let after = &rest[at + SHAPE.len()..];
        let zone = after
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(after.len());
        out.push_str(&rest[..at]);
        out.push_str("TIME");
        rest = after[zone..].strip_prefix('Z').unwrap_or(&after[zone..]);
    }
    out + rest
}

#[test]
fn what_varies_is_gone_and_the_rest_is_kept() {
    let mut redact = Redact::new(Path::new("/tmp/x"));
    let (hex, actor) = ("ab".repeat(32), "q83vEjRWeJCrze8SNFZ4kA");
    let text = format!(
        "{hex} {actor} {hex} abababab /tmp/x/a 127.0.0.1:4711 process 12 2026-11-21T08:30:00Z a-b 12"
    );
    assert_eq!(
        redact.text(&text),
        "ID1 ID2 ID1 ID1… WORLD/a 127.0.0.1:PORT process PID TIME a-b 12"
    );
    let json = serde_json::json!({"pid": 7, "list": [{"pid": 8, "n": 1}]});
    assert_eq!(
        redact.json(json).replace([' ', '\n'], ""),
        r#"{"list":[{"n":1,"pid":"…"}],"pid":"…"}"#
    );
}
