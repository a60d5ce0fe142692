//! Pages about people: what they said, who is a member, what they did while one was away.

use super::table::{columns, left, right};
use super::{Page, Paint, human};
use crate::api::{Away, Chat, ChatLine, Invite, InviteEntry, Invites, Members, SafetyWords};

const NAME_COLUMNS: usize = 24;

/// Roles, the lowest first, with what each allows.
const ROLES: [(&str, &str); 5] = [
    ("none", "nothing new"),
    ("viewer", "may see, rate and chat"),
    (
        "contributor",
        "may add and filter images, remove your own, rate and chat",
    ),
    (
        "curator",
        "may add, filter and remove images, rate and chat, let people in and remove them",
    ),
    ("owner", "may do everything"),
];

/// What a role allows: `may see, rate and chat`.
pub(super) fn rights(role: &str) -> &'static str {
    let known = ROLES.iter().find(|(name, _)| *name == role);
    known.map_or("may do what this program does not know", |(_, may)| may)
}

/// A role's place among them, the lowest first.
pub(super) fn rank(role: &str) -> usize {
    ROLES.iter().position(|(name, _)| *name == role).unwrap_or(0)
}

/// `2026-11-21 08:30  alice: hello`
pub(super) fn line(it: &ChatLine, paint: Paint) -> String {
    let at = it.at.get(..16).unwrap_or(&it.at).replace('T', " ");
    format!(
        "{}  {}: {}\n",
        paint.dim(&super::clean(&at)),
        paint.bold(&super::shorten(&it.user, NAME_COLUMNS)),
        super::clean::whole(&it.text)
    )
}

pub(super) fn chat(it: &Chat, paint: Paint) -> Page {
    let shown = it.lines.len() as u64;
    let notes = match (shown, it.total) {
        (0, 0) => format!("no chat lines in {}\n", super::clean(&it.album)),
        (shown, total) if shown < total => {
            let (shown, total) = (human::grouped(shown), human::grouped(total));
            format!("the newest {shown} of {total} lines; --limit shows more\n")
        }
        _ => String::new(),
    };
    Page {
        out: it.lines.iter().map(|l| line(l, paint)).collect(),
        notes,
        next: None,
    }
}

pub(super) fn safety_words(it: &SafetyWords, paint: Paint) -> Page {
    let user = super::shorten(&it.user, NAME_COLUMNS);
    let words = it.words.iter().take(24);
    let words: Vec<String> = words.map(|word| super::shorten(word, NAME_COLUMNS)).collect();
    let lines = words
        .chunks(6)
        .map(|some| format!("  {}\n", paint.bold(&some.join(" "))));
    let mut out = format!("safety words of you and {user}:\n{}", lines.collect::<String>());
    let name = super::in_quotes(&it.user);
    if it.changed.is_some() {
        out.push_str("They belong to the key that this home knows.\n");
        return out.into();
    }
    if it.verified {
        out.push_str(&format!("You compared them: this is {user}.\n"));
        return Page {
            out,
            notes: String::new(),
            next: Some("/members".to_owned()),
        };
    }
    Page {
        out,
        notes: format!(
            "{user} sees the same with /verifyUser and your name; compare by voice or in person\n"
        ),
        next: Some(format!("/verifyUser {name} --yes where they are the same")),
    }
}

pub(super) fn members(it: &Members, paint: Paint) -> Page {
    let rows: Vec<_> = it
        .members
        .iter()
        .map(|m| {
            let here = left(if m.online { "online" } else { "away" });
            let day = super::clean(m.added.as_deref().unwrap_or_default());
            let day = day.get(..10).unwrap_or(&day);
            let since = match &m.added_by {
                Some(by) => format!("added by {} {day}", super::shorten(by, NAME_COLUMNS))
                    .trim_end()
                    .to_owned(),
                None if day.is_empty() => String::new(),
                None => format!("since {day}"),
            };
            vec![
                left(super::shorten(&m.user, NAME_COLUMNS)).paint(|t| paint.bold(t)),
                left(match m.verified {
                    true => format!("{}, verified", m.role),
                    false => m.role.clone(),
                }),
                here.paint(|t| if m.online { paint.good(t) } else { paint.dim(t) }),
                right(human::count(m.images, "image", "images")),
                left(since).paint(|t| paint.dim(t)),
            ]
        })
        .collect();
    Page {
        out: columns("", &rows),
        notes: String::new(),
        next: (it.members.len() == 1).then(|| "/addUser NAME".to_owned()),
    }
}

/// The code alone, to be copied; what to say with it goes to stderr.
pub(super) fn invite(it: &Invite) -> Page {
    let at = match &it.central {
        Some(central) => format!("{}@{}", super::clean(&it.code), super::clean(central)),
        None => super::clean(&it.code).into_owned(),
    };
    let until = it.expires.get(..16).unwrap_or(&it.expires).replace('T', " ");
    Page {
        out: format!("{}\n", super::clean(&it.code)),
        notes: format!(
            "your guest types: calotype join {at}\nit lets one person into {} as {}, until {} UTC; a wrong guess uses it up\n",
            super::clean(&it.album),
            super::clean(&it.role),
            super::clean(&until)
        ),
        next: Some(format!("/invites; /invite --cancel {} ends it", it.number)),
    }
}

pub(super) fn invites(it: &Invites, paint: Paint) -> Page {
    let row = |one: &InviteEntry| {
        let what = match (&one.code, &one.user) {
            (Some(code), _) => super::clean(code).into_owned(),
            (None, Some(user)) => format!("{}-… {}", one.number, super::shorten(user, NAME_COLUMNS)),
            (None, None) => format!("{}-…", one.number),
        };
        let until = one.expires.get(..16).unwrap_or(&one.expires).replace('T', " ");
        let open = one.code.is_some();
        vec![
            left(what).paint(|t| if open { paint.bold(t) } else { t.to_owned() }),
            left(super::shorten(&one.album, NAME_COLUMNS)),
            left(super::clean(&one.role)),
            left(super::clean(&one.state)).paint(|t| if open { paint.good(t) } else { paint.dim(t) }),
            left(format!("until {}", super::clean(&until))).paint(|t| paint.dim(t)),
        ]
    };
    let rows: Vec<_> = it.invites.iter().map(row).collect();
    let none = rows.is_empty();
    Page {
        out: columns("", &rows),
        notes: if none {
            "you made no codes these two days\n".to_owned()
        } else {
            String::new()
        },
        next: none.then(|| "/invite ALBUM".to_owned()),
    }
}

/// `since you left: 12 images by bob, 3 ratings, 2 chat lines`; nothing where nothing happened.
pub(super) fn away(it: &Away) -> String {
    let mut parts = Vec::new();
    let by = |names: &[String]| match names {
        [] => String::new(),
        names => format!(" by {}", human::several(names, 3)),
    };
    if it.images > 0 {
        let what = human::count(it.images, "image", "images");
        parts.push(format!("{what}{}", by(&it.images_by)));
    }
    if it.removed > 0 {
        let what = human::count(it.removed, "image", "images");
        parts.push(format!("{what} removed{}", by(&it.removed_by)));
    }
    if it.ratings > 0 {
        parts.push(human::count(it.ratings, "rating", "ratings"));
    }
    if it.chat > 0 {
        parts.push(human::count(it.chat, "chat line", "chat lines"));
    }
    match it.members.len() {
        0 => {}
        1..=3 => parts.push(format!("{} joined", human::several(&it.members, 3))),
        n => parts.push(format!("{n} joined")),
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!("since you left: {}\n", parts.join(", "))
    }
}
