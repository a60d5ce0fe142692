//! Pages of what happened: the log, the story of an image, the trash, what was undone.

use super::table::{columns, left, right};
use super::{Page, Paint, human, in_quotes};
use crate::api::{
    Did, ImageNames, LeftEntry, Log, LogEntry, Restored, Trash, TrashEntry, Undone, Why, WhyEvent,
};

const NAME_COLUMNS: usize = 40;

fn name(text: &str) -> String {
    super::shorten(text, NAME_COLUMNS)
}

/// `2026-11-21 08:30`; with a ~ where it is the time of arrival; nothing where neither is known.
fn time(at: Option<&String>, seen: Option<&String>) -> String {
    let minute = |text: &String| text.get(..16).unwrap_or(text).replace('T', " ");
    match (at, seen) {
        (Some(at), _) => format!(" {}", minute(at)),
        (None, Some(seen)) => format!("~{}", minute(seen)),
        (None, None) => String::new(),
    }
}

/// What a command did, without who.
fn deeds(did: &[Did]) -> String {
    let all: Vec<String> = did.iter().map(deed).collect();
    all.join("; ")
}

fn deed(did: &Did) -> String {
    match did {
        Did::Created { name: album } => format!("made the album {}", name(album)),
        Did::Added(names) => match &names.images[..] {
            [one] if names.count == 1 && one.recipe.is_some() => {
                let recipe = super::shorten(one.recipe.as_deref().unwrap_or_default(), NAME_COLUMNS);
                format!("made {} ({recipe})", name(&one.name))
            }
            _ => images("added", names),
        },
        Did::Restored(names) => images("brought back", names),
        Did::Removed(names) => images("removed", names),
        Did::Rated {
            name: image,
            stars,
            before,
            ..
        } => {
            let image = name(image);
            match (stars, before) {
                (Some(stars), Some(before)) => format!("rated {image} {stars} (was {before})"),
                (Some(stars), None) => format!("rated {image} {stars}"),
                (None, Some(before)) => format!("took the rating of {image} back (was {before})"),
                (None, None) => format!("took the rating of {image} back"),
            }
        }
        Did::Renamed { name: Some(album) } => format!("named the album {}", name(album)),
        Did::Renamed { name: None } => "took the album's name back".to_owned(),
        Did::MemberAdded { user, role } => format!("let {} in as {}", name(user), name(role)),
        Did::MemberChanged { user, role } if role == "none" => {
            format!("removed {} from the album", name(user))
        }
        Did::MemberChanged { user, role } => format!("made {} {}", name(user), name(role)),
        Did::Accepted { ops } => format!(
            "accepted {}",
            human::count(*ops, "op that was held", "ops that were held")
        ),
        Did::Revoked { device } => format!("ended the device {}", human::brief(device)),
        Did::Other { count } => {
            let what = human::count(*count, "thing", "things");
            format!("did {what} that this version does not know")
        }
    }
}

/// `added a.jpg`, `added 300 images: a.jpg, b.jpg and 298 more`.
fn images(verb: &str, names: &ImageNames) -> String {
    let shown: Vec<String> = names.images.iter().map(|image| image.name.clone()).collect();
    match (&shown[..], names.count) {
        ([one], 1) => format!("{verb} {}", name(one)),
        (all, 2 | 3) => format!("{verb} {}", human::several(all, 3)),
        ([one, two, ..], count) => {
            format!(
                "{verb} {count} images: {}, {} and {} more",
                name(one),
                name(two),
                count - 2
            )
        }
        (_, count) => format!("{verb} {}", human::count(count, "image", "images")),
    }
}

fn told(entry: &LogEntry) -> String {
    let did = deeds(&entry.did);
    let did = match &entry.undoes {
        Some(id) if did.is_empty() => format!("undid {}: nothing of it was left", human::brief(id)),
        Some(id) => format!("undid {}: {did}", human::brief(id)),
        None => did,
    };
    let user = super::shorten(&entry.user, 24);
    let held = entry
        .held
        .as_ref()
        .map(|why| format!(" (held: {})", super::shorten(why, 120)));
    let undone = entry.undone_by.as_ref().map(|_| " (undone)".to_owned());
    format!(
        "{user} {did}{}{}",
        held.unwrap_or_default(),
        undone.unwrap_or_default()
    )
}

pub(super) fn log(it: &Log, paint: Paint) -> Page {
    let rows: Vec<_> = it
        .entries
        .iter()
        .map(|entry| {
            let without_effect = entry.undone_by.is_some() || entry.held.is_some();
            let text = left(told(entry));
            vec![
                left(human::brief(&entry.id)).paint(|t| paint.dim(t)),
                left(time(entry.at.as_ref(), entry.seen.as_ref())).paint(|t| paint.dim(t)),
                if without_effect {
                    text.paint(|t| paint.dim(t))
                } else {
                    text
                },
            ]
        })
        .collect();
    let notes = match (it.entries.is_empty(), it.more) {
        (true, _) => "nothing that fits happened\n".to_owned(),
        (false, true) => format!(
            "there is more; --offset {} goes on\n",
            it.offset.saturating_add(it.entries.len() as u64)
        ),
        (false, false) => String::new(),
    };
    Page {
        out: columns("", &rows),
        notes,
        next: None,
    }
}

pub(super) fn undone(it: &Undone) -> Page {
    let what = deeds(&it.undone.did);
    let what = match &it.undone.undoes {
        Some(id) if what.is_empty() => format!("the undo of {}", human::brief(id)),
        Some(id) => format!("the undo of {}: {what}", human::brief(id)),
        None => what,
    };
    let mut out = format!("undid: {what}\n");
    out.push_str(&match deeds(&it.did) {
        now if now.is_empty() => "  nothing of it was left\n".to_owned(),
        now => format!("  {now}\n"),
    });
    Page {
        out,
        notes: left_as_it_is(&it.left),
        next: Some(format!(
            "/undo {} gets it back, /undo goes one further",
            human::brief(&it.id)
        )),
    }
}

fn left_as_it_is(all: &[LeftEntry]) -> String {
    let of = |why: &str, words: &str| {
        let names: Vec<String> = all
            .iter()
            .filter(|it| it.why == why)
            .map(|it| it.name.clone())
            .collect();
        match names.is_empty() {
            true => String::new(),
            false => format!("{words}: {}\n", human::several(&names, 5)),
        }
    };
    of("gone", "gone already, /trash has it")
        + &of("here", "in the album again already")
        + &of("unwanted", "removed by others too, /restore brings it back")
}

pub(super) fn trash(it: &Trash, paint: Paint) -> Page {
    let row = |image: &TrashEntry| {
        let by = format!("removed by {}", super::shorten(&image.removed_by, 24));
        let mut remarks = Vec::new();
        remarks.extend(
            image
                .recipe
                .as_ref()
                .map(|recipe| super::shorten(recipe, NAME_COLUMNS)),
        );
        if !image.local {
            remarks.push("bytes not here".to_owned());
        }
        vec![
            left(super::shorten(&image.name, 48)),
            right(human::bytes(image.size)),
            left(format!("of {}", super::shorten(&image.author, 24))).paint(|t| paint.dim(t)),
            left(by),
            left(time(None, image.removed.as_ref())).paint(|t| paint.dim(t)),
            left(remarks.join(", ")).paint(|t| paint.dim(t)),
        ]
    };
    let rows: Vec<_> = it.images.iter().map(row).collect();
    let first = it.images.first();
    let last = it.offset.saturating_add(it.images.len() as u64);
    Page {
        out: columns("", &rows),
        notes: match first {
            None if it.total > 0 => format!(
                "{} are fewer than --offset {}\n",
                human::count(it.total, "image", "images"),
                it.offset
            ),
            None => format!("the trash of {} is empty\n", super::clean(&it.album)),
            Some(_) if last < it.total => format!(
                "{}–{last} of {}; --offset {last} goes on\n",
                it.offset.saturating_add(1),
                human::grouped(it.total)
            ),
            Some(_) => String::new(),
        },
        next: first.map(|image| format!("/restore {}", in_quotes(&image.name))),
    }
}

pub(super) fn restored(it: &Restored) -> Page {
    let names: Vec<String> = it.restored.iter().map(|image| image.name.clone()).collect();
    let missing: Vec<String> = it
        .restored
        .iter()
        .filter(|image| !image.local)
        .map(|image| image.name.clone())
        .collect();
    Page {
        out: format!(
            "restored {} in {}\n",
            human::several(&names, 5),
            super::clean(&it.album)
        ),
        notes: match missing.is_empty() {
            true => String::new(),
            false => format!(
                "not here, and coming from members who have it: {}\n",
                human::several(&missing, 5)
            ),
        },
        next: Some("/getImages, /undo".to_owned()),
    }
}

pub(super) fn why(it: &Why, paint: Paint) -> Page {
    let album = super::clean(&it.album);
    let place = if it.here { "is in" } else { "is not in" };
    let mut out = format!(
        "{} {place} {album}: {}\n",
        paint.bold(&name(&it.name)),
        reason(it)
    );
    let row = |event: &WhyEvent| {
        let dot = event.dot.as_ref().map(|(actor, seq)| {
            let actor: String = actor.chars().take(6).collect();
            format!(", dot {}:{seq}", super::clean(&actor))
        });
        let from = format!("from {}{}", human::brief(&event.device), dot.unwrap_or_default());
        let time = time(event.at.as_ref(), event.seen.as_ref());
        vec![
            left(time).paint(|t| paint.dim(t)),
            left(format!("{} ({from})", happened(event, &it.name))),
        ]
    };
    out.push_str(&columns("  ", &it.events.iter().map(row).collect::<Vec<_>>()));
    let others: Vec<String> = it
        .same_name
        .iter()
        .map(|hash| format!("/why {}", human::brief(hash)))
        .collect();
    Page {
        out,
        notes: match others.is_empty() {
            true => String::new(),
            false => format!("others have or had this name: {}\n", human::several(&others, 5)),
        },
        next: (!it.here && last_removal(it).is_some()).then(|| format!("/restore {}", in_quotes(&it.name))),
    }
}

/// The removal that took it away, if it is away.
fn last_removal(it: &Why) -> Option<&WhyEvent> {
    let counts = |event: &&WhyEvent| event.kind == "removed" && event.held.is_none();
    it.events.iter().rfind(counts)
}

/// The answer in a line: the add that keeps it here, or the removal that took it away.
fn reason(it: &Why) -> String {
    let user = |event: &WhyEvent| super::shorten(&event.user, 24);
    let adds = || {
        it.events
            .iter()
            .filter(|event| matches!(&*event.kind, "added" | "restored"))
    };
    if it.here {
        let Some(add) = adds().rfind(|event| event.live == Some(true)) else {
            return "its op is not here".to_owned();
        };
        let missed = it
            .events
            .iter()
            .filter(|event| event.held.is_none())
            .rfind(|event| {
                event
                    .missed
                    .iter()
                    .any(|dot| Some(&dot.dot) == add.dot.as_ref() && dot.header == add.header)
            });
        return match missed {
            Some(removal) => format!(
                "{} added it while {} removed what was there",
                user(add),
                user(removal)
            ),
            None if add.kind == "restored" => format!("{} brought it back", user(add)),
            None => format!("{} added it", user(add)),
        };
    }
    if let Some(removal) = last_removal(it) {
        return format!("{} removed it", user(removal));
    }
    match adds().next_back() {
        Some(add) => format!("what {} added is held", user(add)),
        None => "nobody added it".to_owned(),
    }
}

fn happened(event: &WhyEvent, shown: &str) -> String {
    let user = super::shorten(&event.user, 24);
    let of = |dots: &[crate::api::Dot]| {
        let mut names: Vec<String> = dots.iter().map(|dot| dot.user.clone()).collect();
        names.dedup();
        human::several(&names, 4)
    };
    let of_shown = |name: &str| {
        shown
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('~'))
    };
    let as_name = match &event.name {
        Some(given) if !of_shown(given) => format!(" as {}", name(given)),
        _ => String::new(),
    };
    let text = match &*event.kind {
        "added" => {
            let size = human::bytes(event.size.unwrap_or_default());
            match (&event.recipe, &event.version_of) {
                (Some(recipe), Some(source)) => format!(
                    "{user} made it{as_name}: {} of {}, {size}",
                    super::shorten(recipe, NAME_COLUMNS),
                    event.source.as_deref().map_or_else(|| human::brief(source), name)
                ),
                _ => format!("{user} added it{as_name}, {size}"),
            }
        }
        "restored" => format!("{user} brought it back{as_name}"),
        "removed" if event.missed.is_empty() => format!("{user} removed what {} had added", of(&event.saw)),
        "removed" => format!(
            "{user} removed what {} had added, not what {} added meanwhile",
            of(&event.saw),
            of(&event.missed)
        ),
        "rated" => {
            let replaced = if event.live == Some(false) && event.held.is_none() {
                ", changed since"
            } else {
                ""
            };
            format!("{user} rated it {}{replaced}", event.stars.unwrap_or_default())
        }
        "unrated" => format!("{user} took the rating back"),
        "versioned" => {
            let gone = if event.live == Some(false) && event.held.is_none() {
                ", gone"
            } else {
                ""
            };
            format!(
                "{user} made {} of it ({}{gone})",
                name(event.name.as_deref().unwrap_or_default()),
                super::shorten(event.recipe.as_deref().unwrap_or("version"), NAME_COLUMNS)
            )
        }
        other => format!("{user} {}", super::shorten(other, 20)),
    };
    match &event.held {
        Some(why) => format!("{text}; held: {}", super::shorten(why, 120)),
        None => text,
    }
}
