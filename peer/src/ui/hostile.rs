//! What others send, put into every place that prints: each text of each reply, failure and piece of news becomes
//! hostile, and what is shown must not act on a terminal, be endless, or be wider than it. New kinds are covered by
//! their samples, and a kind without a sample is seen.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::samples::{EVIL, failures, notices, replies};
use super::{Paint, failure, fold, json, notice, text};
use crate::api::{Code, Failure, News, Notice, Reply, Request};
use crate::cmd::names::Spelling;

/// Longest line that others can make appear, in columns, whatever they send; what was said is shown whole.
const LINE_MAX: usize = 2_500;

/// The kinds of an enum as serde spells them: it lists them where one is unknown.
fn kinds<T: DeserializeOwned>(unknown: Value) -> Vec<String> {
    let wrong = serde_json::from_value::<T>(unknown).err().unwrap().to_string();
    let list = wrong
        .split_once("expected one of ")
        .unwrap_or_else(|| panic!("{wrong}"))
        .1;
    list.split(", ")
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn every_kind_has_a_sample() {
    let tag = |value: Value| value.as_object().unwrap().keys().next().unwrap().clone();
    let replies: Vec<String> = replies()
        .iter()
        .map(|(_, it)| tag(serde_json::to_value(it).unwrap()))
        .collect();
    for kind in kinds::<Reply>(serde_json::json!({"?": {}})) {
        assert!(replies.contains(&kind), "samples.rs has no reply {kind}");
    }
    let news: Vec<Value> = notices()
        .iter()
        .map(|it| serde_json::to_value(&it.news).unwrap()["kind"].clone())
        .collect();
    for kind in kinds::<News>(serde_json::json!({"kind": "?"})) {
        assert!(
            news.contains(&Value::from(kind.as_str())),
            "samples.rs has no news {kind}"
        );
    }
    let codes: Vec<Value> = failures()
        .iter()
        .map(|it| serde_json::to_value(it.code).unwrap())
        .collect();
    for kind in kinds::<Code>("?".into()) {
        assert!(
            codes.contains(&Value::from(kind.as_str())),
            "samples.rs has no failure {kind}"
        );
    }
    assert!(
        kinds::<Request>(serde_json::json!({"?": {}})).len() > 20,
        "the way to list kinds works"
    );
}

/// The same thing with its texts replaced, each by itself, then all of them; of maps the keys as well. A word of which only
/// a few are allowed (a code) stays.
fn with<T: Serialize + DeserializeOwned>(thing: &T, hostile: &str) -> Vec<T> {
    let plain = serde_json::to_value(thing).unwrap();
    let mut all = plain.clone();
    let mut out = Vec::new();
    for place in 0..count(&plain) {
        let mut one = plain.clone();
        let is_key = replace(&mut one, &mut place.clone(), hostile) == Some(true);
        let Ok(taken) = serde_json::from_value(one) else {
            continue;
        };
        out.push(taken);
        if !is_key {
            replace(&mut all, &mut place.clone(), hostile);
        }
    }
    out.push(serde_json::from_value(all).unwrap());
    out
}

/// Texts in a value, in the order of [`replace`].
fn count(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.len() + map.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Replaces the text at a place; whether it was a key, or none if the place is further on.
fn replace(value: &mut Value, place: &mut usize, hostile: &str) -> Option<bool> {
    match value {
        Value::String(text) if *place == 0 => {
            hostile.clone_into(text);
            return Some(false);
        }
        Value::String(_) => *place -= 1,
        Value::Array(list) => return list.iter_mut().find_map(|value| replace(value, place, hostile)),
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                if *place == 0 {
                    let value = map.remove(&key).unwrap_or_default();
                    map.insert(hostile.to_owned(), value);
                    return Some(true);
                }
                *place -= 1;
                let inside = map.get_mut(&key).and_then(|value| replace(value, place, hostile));
                if inside.is_some() {
                    return inside;
                }
            }
        }
        _ => {}
    }
    None
}

/// Everything that is printed of each sample with hostile texts: for people, in both spellings, and for scripts.
fn printed(hostile: &str) -> Vec<(String, Vec<String>, String)> {
    let mut all = Vec::new();
    for (name, reply) in replies() {
        for it in with(&reply, hostile) {
            let mut people = Vec::new();
            // As wide as it likes, and on small terminals.
            for columns in [None, Some(20), Some(80)] {
                let page = text::page(&it, Paint(false), columns);
                people.extend([page.out, page.notes, page.next.unwrap_or_default()]);
            }
            all.push((name.to_owned(), people, json::reply(&it, None)));
        }
    }
    for it in notices().iter().flat_map(|it| with::<Notice>(it, hostile)) {
        let both = vec![
            notice::text(&it),
            notice::several(&vec![it.clone(); 5]).join("\n"),
        ];
        all.push((
            format!("{:?}", it.news).chars().take(12).collect(),
            both,
            json::notice(&it),
        ));
    }
    for it in failures().iter().flat_map(|it| with::<Failure>(it, hostile)) {
        let both =
            [Spelling::Slash, Spelling::Shell].map(|spelling| failure::text(&it, spelling, Paint(false)));
        all.push((
            format!("{:?}", it.code),
            both.to_vec(),
            json::failure(&it, Spelling::Shell),
        ));
    }
    all
}

#[test]
fn nothing_of_others_acts_on_a_terminal_wherever_it_stands() {
    let mut seen = 0;
    for (name, people, script) in printed(EVIL) {
        for text in people.iter().chain([&script]) {
            assert!(
                !text.replace('\n', "").contains(super::clean::acts),
                "{name}: {}",
                text.escape_debug()
            );
        }
        assert_eq!(script.matches('\n').count(), 1, "{name}: {script}");
        serde_json::from_str::<Value>(&script).unwrap();
        seen += people.iter().filter(|text| text.contains("vgpj.")).count();
    }
    assert!(seen > 200, "the hostile text was shown in {seen} places");
}

#[test]
fn nothing_of_others_is_endless() {
    let long = "x".repeat(10_000);
    for (name, people, _) in printed(&long) {
        for line in people.iter().flat_map(|text| text.lines()) {
            let length = line.chars().count();
            assert!(
                length <= LINE_MAX || name == "said" || name.ends_with("chat") || name.starts_with("Chat"),
                "{name}: a line of {length}"
            );
        }
    }
}

/// On 20 columns no line is wider unless it is one word; no width makes it panic.
#[test]
fn everything_fits_a_narrow_terminal() {
    let words = "several words of a name that is rather long";
    for (name, people, _) in printed(words) {
        for text in people {
            for columns in [0, 1, 20, 80] {
                for line in fold::fold(&text, columns).lines() {
                    let one_word = !line.trim_start().contains(' ');
                    assert!(
                        one_word || line.chars().count() <= columns,
                        "{name} on {columns}: {line:?}"
                    );
                }
            }
        }
    }
    let help = fold::fold(&super::help::all(Paint(false)), 20);
    assert!(
        help.lines()
            .all(|line| !line.trim_start().contains(' ') || line.chars().count() <= 20),
        "{help}"
    );
}
