//! Pages about this node: the inner state of an album, peers, status, counters.

use super::table::{columns, left, right};
use super::{Page, Paint, human};
use crate::api::{Net, OrSet, Peers, Status};

pub(super) fn or_set(it: &OrSet, paint: Paint, screen: Option<usize>) -> Page {
    let mut out = format!("{}\n", paint.bold(&super::clean(&it.album)));
    let replica = it.replica.as_deref().unwrap_or("none before its first edit");
    out.push_str(&format!(
        "replica  {}\ndigest   {}\n",
        super::clean(replica),
        super::clean(&it.digest)
    ));
    if it.held > 0 {
        out.push_str(&format!(
            "held     {} (their authors lack the right)\n",
            human::count(it.held, "op", "ops")
        ));
    }
    out.push_str(&format!(
        "\nclock: {}\n",
        human::count(it.clock.len() as u64, "actor", "actors")
    ));
    let clock: Vec<_> = it
        .clock
        .iter()
        .map(|(actor, seq)| vec![left(actor), right(seq.to_string())])
        .collect();
    out.push_str(&columns("  ", &clock));
    out.push_str(&format!(
        "\nlive: {}\n",
        human::count(it.elements.len() as u64, "element", "elements")
    ));
    let elements: Vec<_> = it
        .elements
        .iter()
        .map(|e| {
            let dot = format!("{}:{}", e.dot.0, e.dot.1);
            vec![
                left(dot).paint(|t| paint.dim(t)),
                left(&e.kind),
                left(match screen {
                    Some(screen) => super::shorten(&value(&e.value), screen.saturating_sub(2 + 22 + 2 + 8)),
                    None => value(&e.value),
                }),
            ]
        })
        .collect();
    out.push_str(&columns("  ", &elements));
    out.into()
}

/// The part of a fact that a person recognises; `--json` has all of it.
fn value(fact: &serde_json::Value) -> String {
    let text = |key: &str| {
        fact.get(key)
            .and_then(|v| v.as_str())
            .map(|v| super::shorten(v, 40))
    };
    let number = |key: &str| {
        fact.get(key)
            .and_then(serde_json::Value::as_u64)
            .map(|n| n.to_string())
    };
    let parts: Vec<String> = [
        text("name"),
        text("text"),
        text("role"),
        number("stars").map(|n| format!("{n} stars")),
        text("recipe"),
        text("hash")
            .or_else(|| text("image"))
            .map(|h| format!("#{}", super::shorten(&h, 9))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        super::shorten(&fact.to_string(), 80)
    } else {
        parts.join("  ")
    }
}

pub(super) fn peers(it: &Peers, paint: Paint) -> Page {
    let rows: Vec<_> = it
        .peers
        .iter()
        .map(|p| {
            let state = left(&p.state).paint(|t| match t {
                "linked" => paint.good(t),
                "blocked" => paint.bad(t),
                _ => paint.dim(t),
            });
            let bytes = format!("↓{} ↑{}", human::bytes(p.bytes_in), human::bytes(p.bytes_out));
            vec![
                left(super::shorten(&p.user, 24)),
                state,
                left(super::shorten(p.address.as_deref().unwrap_or("-"), 48)),
                left(if p.state == "linked" { bytes } else { String::new() }),
                left(human::several(&p.albums, 3)),
                left(human::brief(&p.device)).paint(|t| paint.dim(t)),
            ]
        })
        .collect();
    let none = it.peers.is_empty();
    Page {
        out: columns("", &rows),
        notes: if none {
            "no other members yet\n".to_owned()
        } else {
            String::new()
        },
        next: none.then(|| "/addUser NAME".to_owned()),
    }
}

pub(super) fn status(it: &Status, paint: Paint) -> Page {
    let or = |value: &Option<String>, other: &str| value.clone().unwrap_or_else(|| other.to_owned());
    let mut facts = vec![
        ("user", or(&it.user, "nobody yet")),
        ("album", or(&it.album, "none")),
        ("peers", format!("{} linked", it.peers)),
        (
            "to come",
            match it.pending_images {
                0 => "nothing".to_owned(),
                n => format!(
                    "{}, {}",
                    human::count(n, "image", "images"),
                    human::bytes(it.pending_bytes)
                ),
            },
        ),
        ("on disk", human::bytes(it.disk_bytes)),
        ("only copies", human::count(it.only_copies, "image", "images")),
        (
            "central",
            format!("{} {}", it.central, it.central_address.as_deref().unwrap_or(""))
                .trim_end()
                .to_owned(),
        ),
        ("address", it.peer_address.clone()),
        ("replication", it.replication.clone()),
        ("home", it.home.clone()),
        ("process", it.pid.to_string()),
    ];
    if let Some(line) = refused(it) {
        facts.push(("refused", line));
    }
    let rows: Vec<_> = facts
        .iter()
        .map(|(key, value)| vec![left(key).paint(|t| paint.dim(t)), left(value)])
        .collect();
    let next = match (&it.user, &it.album) {
        (None, _) => Some("/register NAME"),
        (_, None) => Some("/list, /createAlbum NAME, /enterAlbum NAME"),
        _ => None,
    };
    Page {
        out: columns("", &rows),
        notes: String::new(),
        next: next.map(str::to_owned),
    }
}

/// Kinds in the line about what was refused; `--json` has them all.
const KINDS_SHOWN: usize = 4;

/// `12 op_signature, 3 hello (most from bob)`; none where nothing was refused.
fn refused(it: &Status) -> Option<String> {
    let mut kinds: Vec<_> = it.refused.iter().filter(|(_, n)| **n > 0).collect();
    if kinds.is_empty() {
        return None;
    }
    kinds.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let shown = kinds.iter().take(KINDS_SHOWN);
    let mut line = shown
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect::<Vec<_>>()
        .join(", ");
    if kinds.len() > KINDS_SHOWN {
        let more = kinds.len() - KINDS_SHOWN;
        line.push_str(&format!(
            " and {}",
            human::count(more as u64, "other kind", "other kinds")
        ));
    }
    if let Some(worst) = it.refused_from.first() {
        let (of_worst, all) = (
            worst.kinds.values().sum::<u64>(),
            it.refused.values().sum::<u64>(),
        );
        let most = if 2 * of_worst > all { "most" } else { "some" };
        line.push_str(&format!(" ({most} from {})", super::shorten(&worst.user, 24)));
    }
    Some(line)
}

pub(super) fn net(it: &Net, paint: Paint) -> Page {
    let mut rows = vec![vec![
        left("replication").paint(|t| paint.dim(t)),
        left(&it.replication),
    ]];
    for (name, n) in &it.counters {
        let value = if name.contains("bytes") {
            format!("{n}  ({})", human::bytes(*n))
        } else {
            n.to_string()
        };
        rows.push(vec![left(name).paint(|t| paint.dim(t)), left(value)]);
    }
    columns("", &rows).into()
}
