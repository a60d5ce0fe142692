//! Pages for those who look inside: an album's OR-set, and what passed between peers. Wide screens get tables, narrow
//! ones a line for each fact.

use std::collections::BTreeMap;

use serde_json::Value;

use super::table::{Cell, columns, left, right};
use super::{Page, Paint, clean, human, shorten};
use crate::api::{Cost, Element, Flow, Net, OrSet, PeerFlows, RawDot};

/// From here on tables fit.
const WIDE: usize = 60;
/// Columns of an element's value where nobody says how many there are.
const VALUE: usize = 60;
/// Columns of a writer's name.
const WRITER: usize = 24;

/// A fact: its dot, its kind, what it says, and who removed it.
type Row = (String, String, String, String);

/// How a page is laid out.
#[derive(Clone, Copy)]
struct Look {
    paint: Paint,
    screen: Option<usize>,
}

impl Look {
    fn is_wide(self) -> bool {
        self.screen.is_none_or(|screen| screen >= WIDE)
    }

    /// One line, no wider than the screen.
    fn line(self, text: &str) -> String {
        match self.screen {
            Some(screen) => shorten(text, screen) + "\n",
            None => clean(text).into_owned() + "\n",
        }
    }

    fn heading(self, text: &str) -> String {
        format!("\n{}", self.paint.bold(self.line(text).trim_end()) + "\n")
    }

    /// A name and what it is, over as many lines as it takes.
    fn fact(self, name: &str, items: &[String]) -> String {
        let indent = if self.is_wide() { 9 } else { 1 };
        let room = self
            .screen
            .map_or(usize::MAX, |screen| screen.saturating_sub(indent));
        let mut lines: Vec<String> = Vec::new();
        for item in items {
            let item = shorten(item, room.min(400));
            match lines.last_mut() {
                Some(line) if width(line) + 2 + width(&item) <= room => *line += &format!("  {item}"),
                _ => lines.push(item),
            }
        }
        let name = format!("{name:<9}");
        let mut out = String::new();
        if !self.is_wide() {
            out.push_str(&format!("{}\n", self.paint.dim(name.trim_end())));
        }
        for (number, line) in lines.iter().enumerate() {
            let before = match (self.is_wide(), number) {
                (true, 0) => self.paint.dim(&name),
                _ => " ".repeat(indent),
            };
            out.push_str(&format!("{before}{line}\n"));
        }
        out
    }

    /// Rows of cells as a table, or each row's cells one under the other.
    fn table(self, rows: Vec<Vec<Cell>>) -> String {
        if self.is_wide() {
            return columns("", &rows);
        }
        let stacked = rows.into_iter().flat_map(|row| {
            let mut row = row.into_iter();
            let first = row.next().map(|cell| self.line(cell.plain.trim_end()));
            let rest = row.filter(|cell| !cell.plain.trim().is_empty());
            let rest = rest.map(move |cell| self.line(&format!(" {}", cell.plain.trim_end())));
            first.into_iter().chain(rest)
        });
        stacked.collect()
    }
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

pub(super) fn or_set(it: &OrSet, paint: Paint, screen: Option<usize>) -> Page {
    let look = Look { paint, screen };
    let names: BTreeMap<&str, &str> = it
        .actors
        .iter()
        .map(|a| (a.actor.as_str(), a.name.as_str()))
        .collect();
    let writer = |actor: &str| shorten(names.get(actor).copied().unwrap_or(actor), WRITER);
    let dot = |dot: &RawDot| format!("{}:{}", writer(&dot.0), dot.1);
    let mut out = look.line(&format!(
        "{}: OR-set, add wins, {}",
        it.album,
        human::count(it.total, "element", "elements")
    ));
    let more = |text: &'static str| if look.is_wide() { text } else { "" };
    let name = it
        .replica
        .as_deref()
        .map_or("none before its first edit".to_owned(), writer);
    let mut replica = vec![name, human::count(it.ops, "op", "ops")];
    if it.held > 0 {
        replica.push(format!(
            "{} held{}",
            it.held,
            more(": their authors lacked the right")
        ));
    }
    if it.waiting > 0 {
        replica.push(format!("{} waiting{}", it.waiting, more(" for their past")));
    }
    out.push_str(&look.fact("replica", &replica));
    out.push_str(&look.fact("digest", std::slice::from_ref(&it.digest)));
    let mut clock: Vec<String> = it
        .clock
        .iter()
        .map(|(actor, seq)| format!("{}:{seq}", writer(actor)))
        .collect();
    clock.sort();
    out.push_str(&look.fact("clock", &clock));

    let files = files(it);
    let short = |kind: &str, value: &Value| value_of(kind, value, &files);
    let shown = it.elements.iter().map(|e| {
        (
            dot(&e.dot),
            e.kind.clone(),
            short(&e.kind, &e.value),
            String::new(),
        )
    });
    let gone = it.removed.iter().map(|r| {
        let by: Vec<String> = r.by.iter().map(&dot).collect();
        let by = format!("by {}", human::several(&by, 2));
        (dot(&r.dot), r.kind.clone(), short(&r.kind, &r.value), by)
    });
    let (shown, gone): (Vec<_>, Vec<_>) = (shown.collect(), gone.collect());
    // Both lists line up.
    let widest = |at: fn(&Row) -> &str| {
        shown
            .iter()
            .chain(&gone)
            .map(|row| width(at(row)))
            .max()
            .unwrap_or(0)
    };
    let (dots, kinds) = (widest(|row| &row.0), widest(|row| &row.1));
    let room = screen.filter(|_| look.is_wide());
    let room = room.map_or(VALUE, |screen| screen.saturating_sub(dots + 2 + kinds + 2).max(8));
    let rows = |list: &[Row]| -> Vec<Vec<Cell>> {
        let row = |(dot, kind, value, by): &Row| {
            let (dot, kind) = (
                left(pad(dot, dots)).paint(|t| paint.dim(t)),
                left(pad(kind, kinds)),
            );
            if !look.is_wide() {
                return vec![dot, kind, left(value), left(by)];
            }
            // What removed it is not cut away for a long value.
            let gap = if by.is_empty() { "" } else { "  " };
            let value = shorten(value, room.saturating_sub(width(gap) + width(by)).max(8));
            vec![dot, kind, left(format!("{value}{gap}{by}"))]
        };
        list.iter().map(row).collect()
    };
    out.push_str(&look.heading(&elements_title(it)));
    out.push_str(&look.table(rows(&shown)));
    if !gone.is_empty() {
        out.push_str(&look.heading(&title("removed", gone.len() as u64, it.removed_total)));
        out.push_str(&look.table(rows(&gone)));
    }
    if !it.held_ops.is_empty() {
        out.push_str(&look.heading(&title("held ops", it.held_ops.len() as u64, it.held)));
        let held = it.held_ops.iter().map(|op| {
            let facts = human::count(op.facts, "fact", "facts");
            vec![left(dot(&op.dot)).paint(|t| paint.dim(t)), left(facts)]
        });
        out.push_str(&look.table(held.collect()));
    }
    out.push_str(&sends(it, look));
    let older = it.total.saturating_sub(it.skipped + it.elements.len() as u64);
    Page {
        out,
        notes: String::new(),
        next: (older > 0).then(|| {
            let page = it.elements.len() as u64;
            format!("/getOrSet --limit {page} --skip {}", it.skipped + page)
        }),
    }
}

/// The text and as much space as makes it so wide.
fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `dot, kind, value`, and which page it is.
fn elements_title(it: &OrSet) -> String {
    let shown = it.elements.len() as u64;
    if shown == it.total {
        return "elements".to_owned();
    }
    let last = it.total.saturating_sub(it.skipped);
    match shown {
        0 => format!("elements: none of {}", it.total),
        _ => format!("elements {} to {last} of {}", last + 1 - shown, it.total),
    }
}

fn title(what: &str, shown: u64, all: u64) -> String {
    if shown < all {
        format!("{what}: the newest {shown} of {all}")
    } else {
        what.to_owned()
    }
}

/// The names of the files that a rating may speak of.
fn files(it: &OrSet) -> BTreeMap<&str, &str> {
    let live = it.elements.iter().map(|Element { value, .. }| value);
    let facts = live.chain(it.removed.iter().map(|gone| &gone.value));
    facts
        .filter_map(|value| Some((value.get("hash")?.as_str()?, value.get("name")?.as_str()?)))
        .collect()
}

/// The part of a fact that a person recognises; `--json` has all of it.
fn value_of(kind: &str, fact: &Value, files: &BTreeMap<&str, &str>) -> String {
    let text = |key: &str| {
        fact.get(key)
            .and_then(Value::as_str)
            .map(|text| shorten(text, VALUE))
    };
    let number = |key: &str| fact.get(key).and_then(Value::as_u64);
    let of_file = |hash: String| match files.get(hash.as_str()) {
        Some(name) => shorten(name, VALUE),
        None => format!("#{}", shorten(&hash, 9)),
    };
    let size = || match (number("width"), number("height")) {
        (Some(width), Some(height)) => Some(format!("{width}×{height}")),
        _ => None,
    };
    let parts = match kind {
        "image" => vec![
            text("name"),
            text("recipe"),
            size(),
            number("size").map(human::bytes),
        ],
        "rating" => vec![
            fact.get("image")
                .and_then(Value::as_str)
                .map(|hash| of_file(hash.to_owned())),
            number("stars").map(|stars| human::count(stars, "star", "stars")),
        ],
        "genesis" => vec![text("name"), text("by").map(|by| format!("by {by}"))],
        "grant" => vec![text("name"), text("role")],
        "role" => vec![text("user").map(|user| shorten(&user, 9)), text("role")],
        "chat" => vec![text("text")],
        "album" => vec![text("name")],
        _ => vec![],
    };
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        shorten(&fact.to_string(), VALUE)
    } else {
        parts.join("  ")
    }
}

/// What each strategy would send.
fn sends(it: &OrSet, look: Look) -> String {
    let Some(first) = it.sends.first() else {
        return String::new();
    };
    let cost = |cost: &Cost| {
        let messages = human::count(cost.messages, "msg", "msgs");
        format!("{messages} {}", human::bytes(cost.bytes))
    };
    let behind = format!("{} behind", human::count(first.behind.edits, "edit", "edits"));
    let mut out = look.heading("what each strategy would send to a member");
    if look.is_wide() {
        let head = ["", "the last edit", behind.as_str(), "from nothing"]
            .map(|text| right(text).paint(|t| look.paint.dim(t)));
        let rows = it.sends.iter().map(|one| {
            let costs = [&one.edit, &one.behind, &one.empty].map(|it| right(cost(it)));
            std::iter::once(left(&one.strategy)).chain(costs).collect()
        });
        let rows: Vec<Vec<Cell>> = std::iter::once(head.into_iter().collect()).chain(rows).collect();
        out.push_str(&columns("", &rows));
        return out;
    }
    for one in &it.sends {
        let facts = [("edit", one.edit), ("behind", one.behind), ("empty", one.empty)];
        out.push_str(&look.line(&one.strategy));
        for (name, it) in facts {
            out.push_str(&look.line(&format!(" {name}")));
            out.push_str(&look.line(&format!("  {}", cost(&it))));
        }
    }
    out
}

/// A time to the second, for people: `2026-11-21 08:30:00`.
fn when(rfc3339: &str) -> String {
    shorten(rfc3339.get(..19).unwrap_or(rfc3339), 24).replace('T', " ")
}

/// What a kind is for.
fn meaning(kind: &str) -> &'static str {
    match kind {
        "edits" => "live edits, as the strategy sends them",
        "hints" => "something is new here",
        "compare" => "where do we differ?",
        "pull" => "what one of us lacked",
        "have" => "who holds which image?",
        "blobs" => "image bytes",
        "refused" => "not allowed, or not understood",
        _ => "",
    }
}

/// How a strategy sends.
fn strategy(word: &str) -> String {
    let how = match word {
        "op" => ": each edit by itself",
        "delta" => ": the edits of a moment together",
        "state" => ": the whole state after each edit",
        _ => "",
    };
    format!("{}{how}", shorten(word, 20))
}

pub(super) fn net(it: &Net, paint: Paint, screen: Option<usize>) -> Page {
    let look = Look { paint, screen };
    let mut out = look.fact("strategy", &[strategy(&it.replication)]);
    out.push_str(&look.fact("since", &[when(&it.since)]));
    let mut sent = vec![
        human::count(it.published.edits, "edit", "edits"),
        format!("{} written here", it.ops_written),
        human::count(it.published.messages, "message", "messages"),
        human::bytes(it.published.bytes),
    ];
    if let Some(each) = it.published.bytes.checked_div(it.published.edits) {
        sent.push(format!("{} an edit", human::bytes(each)));
    }
    out.push_str(&look.fact("sent", &sent));

    out.push_str(&look.heading("by kind: messages and bytes received, and sent"));
    let rows = it.kinds.iter().map(|flow| flow_row(flow, look));
    out.push_str(&look.table(rows.collect()));
    out.push_str(&look.heading("in sum, and over the links"));
    let sums = [
        ("sum", it.bytes_in, it.bytes_out, "all of the above".to_owned()),
        (
            "links",
            it.link_bytes_in,
            it.link_bytes_out,
            "inside TLS, of all links".to_owned(),
        ),
        (
            "framing",
            it.link_bytes_in.saturating_sub(it.bytes_in),
            it.link_bytes_out.saturating_sub(it.bytes_out),
            "the difference: frames, subscriptions, heartbeats".to_owned(),
        ),
    ];
    let rows = sums.map(|(name, bytes_in, bytes_out, what)| {
        vec![
            left(name),
            right(format!("↓ {}", human::bytes(bytes_in))),
            right(format!("↑ {}", human::bytes(bytes_out))),
            left(if look.is_wide() { what } else { String::new() }).paint(|t| paint.dim(t)),
        ]
    });
    out.push_str(&look.table(rows.into_iter().collect()));
    if !it.peers.is_empty() {
        out.push_str(&look.heading("by peer"));
        let rows = it.peers.iter().map(|peer| peer_row(peer, look));
        out.push_str(&look.table(rows.collect()));
    }
    out.into()
}

fn flow_row(flow: &Flow, look: Look) -> Vec<Cell> {
    let mut row = vec![left(shorten(&flow.kind, 20))];
    let sides = [
        ("↓", flow.messages_in, flow.bytes_in),
        ("↑", flow.messages_out, flow.bytes_out),
    ];
    for (arrow, messages, bytes) in sides {
        if look.is_wide() {
            row.push(right(format!("{arrow} {messages}")));
            row.push(right(human::bytes(bytes)));
        } else {
            row.push(left(format!("{arrow} {messages} {}", human::bytes(bytes))));
        }
    }
    if look.is_wide() {
        row.push(left(meaning(&flow.kind)).paint(|t| look.paint.dim(t)));
    }
    row
}

fn peer_row(peer: &PeerFlows, look: Look) -> Vec<Cell> {
    let name = match peer.device.as_str() {
        "" => "others".to_owned(),
        device => format!("{}/{}", shorten(&peer.user, WRITER), human::brief(device)),
    };
    let mut kinds: Vec<&Flow> = peer.kinds.iter().collect();
    kinds.sort_by_key(|flow| std::cmp::Reverse(flow.bytes_in + flow.bytes_out));
    let most = kinds
        .first()
        .map(|flow| format!("most: {}", shorten(&flow.kind, 20)));
    vec![
        left(name),
        left(if peer.linked { "linked" } else { "away" }),
        right(format!("↓ {}", human::bytes(peer.bytes_in))),
        right(format!("↑ {}", human::bytes(peer.bytes_out))),
        left(most.filter(|_| look.is_wide()).unwrap_or_default()).paint(|t| look.paint.dim(t)),
    ]
}
