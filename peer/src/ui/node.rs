//! Pages about this node: peers, status.

use super::table::{columns, left};
use super::{Page, Paint, human};
use crate::api::{Lag, PeerEntry, Peers, Status, Trusted, Versions};

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
                left(who(p)),
                state,
                left(super::shorten(p.address.as_deref().unwrap_or("-"), 48)),
                left(match p.rtt_ms {
                    Some(ms) if ms < 10.0 => format!("{ms:.1} ms"),
                    Some(ms) => format!("{ms:.0} ms"),
                    None => String::new(),
                }),
                left(lag(p)),
                left(if p.state == "linked" { bytes } else { String::new() }).paint(|t| paint.dim(t)),
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

/// `bob`, or `bob (laptop)` where he has several devices.
fn who(it: &PeerEntry) -> String {
    let user = super::shorten(&it.user, 24);
    match &it.label {
        Some(label) => format!("{user} ({})", super::shorten(label, 24)),
        None => user,
    }
}

/// `in step`, or what is still to come and to go over a link; when a peer was seen last where there is none.
fn lag(it: &PeerEntry) -> String {
    if it.state != "linked" {
        let seen = super::clean(it.last_seen.as_deref().unwrap_or_default());
        return match seen.get(..16) {
            Some(minute) => format!("seen {}", minute.replace('T', " ")),
            None => String::new(),
        };
    }
    let sum = |part: fn(&Lag) -> Option<u64>| it.lag.iter().filter_map(part).fold(0, u64::saturating_add);
    let (come, go) = (sum(|lag| lag.missing_here), sum(|lag| lag.missing_there));
    match (come, go) {
        (0, 0) if it.lag.is_empty() => String::new(),
        (0, 0) if it.lag.iter().all(|lag| lag.state == "in-step") => "in step".to_owned(),
        (0, 0) => "comparing".to_owned(),
        (come, 0) => format!("{} to come", human::grouped(come)),
        (0, go) => format!("{} to go", human::grouped(go)),
        (come, go) => format!("{} to come, {} to go", human::grouped(come), human::grouped(go)),
    }
}

pub(super) fn status(it: &Status, paint: Paint) -> Page {
    let or = |value: &Option<String>, other: &str| value.clone().unwrap_or_else(|| other.to_owned());
    let mut facts = vec![
        ("user", or(&it.user, "nobody yet")),
        (
            "album",
            match (&it.album, it.role.as_deref()) {
                (Some(album), Some("none")) => format!("{album}, no member any more"),
                (Some(album), Some(role)) => format!("{album}, {role}"),
                _ => or(&it.album, "none"),
            },
        ),
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
        ("versions", versions(&it.versions)),
        (
            "central",
            format!("{} {}", it.central, it.central_address.as_deref().unwrap_or(""))
                .trim_end()
                .to_owned(),
        ),
        ("address", it.peer_address.clone()),
        (
            "device",
            match it.revoked {
                true => "REVOKED: nobody takes what it writes".to_owned(),
                false => String::new(),
            },
        ),
        ("replication", it.replication.clone()),
        ("home", it.home.clone()),
        ("process", it.pid.to_string()),
    ];
    if !it.inexact.is_empty() {
        facts.push(("filters", format!("FAIL HERE: {}", it.inexact.join("; "))));
    }
    facts.retain(|(_, value)| !value.is_empty());
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

pub(super) fn trusted(it: &Trusted) -> Page {
    let (address, words) = (super::clean(&it.address), super::clean(&it.words));
    let mut out = match it.changed {
        true => format!("the key of the central at {address} is trusted from now on: {words}\n"),
        false => format!("the key of the central at {address} was trusted already: {words}\n"),
    };
    if !it.connected {
        out.push_str("it does not answer yet; this node goes on trying\n");
    }
    out.into()
}

/// `12 verified, 1 FALSE, 3 not looked at; 4 made here again`.
fn versions(it: &Versions) -> String {
    let parts = [
        (it.verified, "verified"),
        (it.not_as_stated, "FALSE"),
        (it.unverified, "not looked at"),
        (it.not_verifiable, "not verifiable here"),
        (it.rebuilt, "made here again"),
    ];
    let some = parts.iter().filter(|(n, _)| *n > 0);
    some.map(|(n, what)| format!("{} {what}", human::grouped(*n)))
        .collect::<Vec<_>>()
        .join(", ")
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
