//! News as lines for people.

use super::{clean, human, in_quotes, people, shorten};
use crate::api::{News, Notice};

/// One piece of news, cleaned, in the prompt's spelling, no line end.
pub fn text(notice: &Notice) -> String {
    let album = clean(notice.album.as_deref().unwrap_or("the album"));
    let name = |text: &str| shorten(text, 60);
    match &notice.news {
        News::ImageAdded {
            name: image,
            author,
            recipe,
            ..
        } => {
            let how = recipe
                .as_deref()
                .map(|r| format!(" ({})", name(r)))
                .unwrap_or_default();
            format!("{} added {}{how} to {album}", name(author), name(image))
        }
        News::ImageRemoved { name: image, by, .. } => {
            format!("{} removed {} from {album}", name(by), name(image))
        }
        News::BytesReady {
            name: image,
            size,
            rebuilt,
            ..
        } => {
            let how = if *rebuilt {
                "was made here again by its recipe"
            } else {
                "is here and verified"
            };
            format!("{} {how} ({})", name(image), human::bytes(*size))
        }
        News::VersionFalse {
            name: image,
            author,
            version_of,
            source,
            recipe,
            why,
            ..
        } => {
            let source = match source {
                Some(source) => name(source),
                None => human::brief(version_of),
            };
            let because = match why {
                Some(why) => format!(": {}", shorten(why, 200)),
                None => String::new(),
            };
            format!(
                "{}'s {} of {source} ({}) is not what its recipe makes{because}",
                name(author),
                name(recipe),
                name(image)
            )
        }
        News::Rated {
            name: image,
            by,
            stars,
            mean,
            ..
        } => {
            let mean = mean.map(|m| format!("; mean {m:.2}")).unwrap_or_default();
            match stars {
                Some(stars) => format!("{} rated {} {stars}{mean}", name(by), name(image)),
                None => format!("{} took the rating of {} back{mean}", name(by), name(image)),
            }
        }
        News::MemberAdded { user, role, by } => {
            format!("{} made {} {} of {album}", name(by), name(user), name(role))
        }
        News::RoleChanged {
            role,
            was,
            by,
            mine: true,
            ..
        } => format!(
            "{} made you {} of {album}, you were {}: you {}",
            name(by),
            name(role),
            name(was),
            people::rights(role)
        ),
        News::RoleChanged {
            user, role, was, by, ..
        } => format!(
            "{} made {} {} of {album}, was {}",
            name(by),
            name(user),
            name(role),
            name(was)
        ),
        News::MemberRemoved { user, by } => {
            format!("{} ended the membership of {} in {album}", name(by), name(user))
        }
        News::Invited { by, .. } => {
            let enter = in_quotes(notice.album.as_deref().unwrap_or_default());
            format!("{} added you to {album}: /enterAlbum {enter}", name(by))
        }
        News::CodeUsed { user, .. } => format!("{} joined {album} by your code", name(user)),
        News::CodeBurnt { number } => format!(
            "somebody tried your code {number}-… for {album} with wrong words: it is used up; /invite makes a new one"
        ),
        News::Uninvited { by } => format!("{} removed you from {album}; what you have stays here", name(by)),
        News::Chat { user, text } => format!("{}: {}", name(user), super::clean::whole(text)),
        News::PeerJoined { user, label, .. } => format!("{}{} is here", name(user), device(label)),
        News::PeerLeft {
            user, label, reason, ..
        } => {
            let why = if reason.is_empty() {
                String::new()
            } else {
                format!(" ({})", shorten(reason, 60))
            };
            format!("{}{} left{why}", name(user), device(label))
        }
        News::CentralUp { address } => format!("the central {} is there again", name(address)),
        News::CentralDown { reason } => {
            let why = if reason.is_empty() {
                String::new()
            } else {
                format!(" ({})", shorten(reason, 60))
            };
            format!("the central is away{why}; your albums go on")
        }
        News::Held {
            user,
            count,
            images,
            why,
        } => {
            let what = match images {
                0 => human::count(*count, "edit", "edits"),
                n => human::count(*n, "image", "images"),
            };
            let why = shorten(why, 120);
            format!("{what} of {} held in {album}: {why}; /held", name(user))
        }
        News::Fork { user } => {
            format!(
                "{} has two histories under one device in {album}: a copied home? The proof is kept",
                name(user)
            )
        }
        News::Warning { text } => clean(text).into_owned(),
    }
}

/// News of a moment as few lines: many images of one member become one line.
pub fn several(news: &[Notice]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = news;
    while let Some(first) = rest.first() {
        let kind = group(first);
        let run = rest
            .iter()
            .take_while(|n| kind.is_some() && group(n) == kind)
            .count()
            .max(1);
        let (these, after) = rest.split_at(run);
        rest = after;
        if run < 3 {
            lines.extend(these.iter().map(text));
        } else {
            lines.push(together(these));
        }
    }
    lines.dedup();
    lines
}

fn group(notice: &Notice) -> Option<(&'static str, Option<&str>, &str)> {
    let album = notice.album.as_deref();
    match &notice.news {
        News::ImageAdded { author, .. } => Some(("added", album, author)),
        News::ImageRemoved { by, .. } => Some(("removed", album, by)),
        News::BytesReady { .. } => Some(("ready", album, "")),
        _ => None,
    }
}

fn together(these: &[Notice]) -> String {
    let mut names = Vec::new();
    let mut bytes = 0;
    for notice in these {
        match &notice.news {
            News::ImageAdded { name, .. } | News::ImageRemoved { name, .. } => names.push(name.clone()),
            News::BytesReady { name, size, .. } => {
                names.push(name.clone());
                bytes += size;
            }
            _ => {}
        }
    }
    let album = clean(
        these
            .first()
            .and_then(|n| n.album.as_deref())
            .unwrap_or("the album"),
    )
    .into_owned();
    let list = human::several(&names, 3);
    match these.first().map(|n| &n.news) {
        Some(News::ImageAdded { author, .. }) => {
            format!(
                "{} added {} images to {album}: {list}",
                shorten(author, 60),
                names.len()
            )
        }
        Some(News::ImageRemoved { by, .. }) => {
            format!(
                "{} removed {} images from {album}: {list}",
                shorten(by, 60),
                names.len()
            )
        }
        _ => format!(
            "{} images are here and verified ({}): {list}",
            names.len(),
            human::bytes(bytes)
        ),
    }
}

/// ` (laptop)`, where a person has several devices.
fn device(label: &Option<String>) -> String {
    match label {
        Some(label) => format!(" ({})", shorten(label, 32)),
        None => String::new(),
    }
}
