//! Pages of an album: lists, images, what was added.

use super::table::{columns, left, right};
use super::{Page, Paint, human, in_quotes, text::then};
use crate::api::{
    Added, Albums, Details, Differs, Filtered, FilteredMany, ImageEntry, Images, Metadata, Rating, Verified,
};

const NAME_COLUMNS: usize = 48;

/// `4.50 (2)`, or `-` where nobody rated.
pub(super) fn mean(rating: &Rating) -> String {
    match rating.mean {
        Some(mean) => format!("{mean:.2} ({})", rating.count),
        None => "-".to_owned(),
    }
}

pub(super) fn albums(it: &Albums, paint: Paint) -> Page {
    let rows: Vec<_> = it
        .albums
        .iter()
        .map(|a| {
            let name = left(super::shorten(&a.name, NAME_COLUMNS));
            let images = match a.images {
                Some(n) => human::count(n, "image", "images"),
                None if a.here => String::new(),
                None => "not entered".to_owned(),
            };
            vec![
                left(if a.current { "*" } else { " " }),
                if a.current {
                    name.paint(|t| paint.bold(t))
                } else {
                    name
                },
                left(format!("of {}", super::shorten(&a.owner, 24))),
                left(&a.role),
                left(images),
                left(human::brief(&a.album_id)).paint(|t| paint.dim(t)),
            ]
        })
        .collect();
    let none = it.albums.is_empty();
    Page {
        out: columns("", &rows),
        notes: if none {
            "no albums yet\n".to_owned()
        } else {
            String::new()
        },
        next: none.then(|| "/createAlbum NAME, or ask an owner for /addUser".to_owned()),
    }
}

pub(super) fn images(it: &Images, paint: Paint) -> Page {
    let rows: Vec<_> = it
        .images
        .iter()
        .map(|image| {
            vec![
                left(super::shorten(&image.name, NAME_COLUMNS)),
                left(mean(&image.rating)).paint(|t| paint.good(t)),
                right(human::bytes(image.size)),
                left(super::shorten(&image.author, 24)).paint(|t| paint.dim(t)),
                left(remarks(image)).paint(|t| paint.dim(t)),
            ]
        })
        .collect();
    let (mut notes, next) = part(&it.album, it.images.len(), it.offset, it.total, it.in_album);
    notes.push_str(&held(it.held));
    Page {
        out: columns("", &rows),
        notes,
        next,
    }
}

/// What is not shown, as those who added it might not.
fn held(images: u64) -> String {
    match images {
        0 => String::new(),
        n => format!("{} held; /held tells why\n", human::count(n, "image", "images")),
    }
}

/// Which part of a list this is, where it is not all of it, and what could come next.
fn part(album: &str, shown: usize, offset: u64, total: u64, in_album: u64) -> (String, Option<String>) {
    let album = super::clean(album);
    let (last, all) = (offset.saturating_add(shown as u64), human::grouped(total));
    let notes = match (shown, total, in_album) {
        (_, _, 0) => {
            return (
                format!("{album} has no images yet\n"),
                Some("/addImage PATH".to_owned()),
            );
        }
        (_, 0, _) => {
            let notes = format!(
                "none of {} of {album} fits\n",
                human::count(in_album, "image", "images")
            );
            let next = "/getImages shows all; --name fits whole names, as in --name '*set*'";
            return (notes, Some(next.to_owned()));
        }
        (0, _, _) => format!(
            "{} are fewer than --offset {offset}\n",
            human::count(total, "image", "images")
        ),
        _ if last < total => format!("{}–{last} of {all}; --offset {last} goes on\n", offset + 1),
        _ if offset > 0 => format!("{}–{last} of {all}\n", offset + 1),
        _ => String::new(),
    };
    (notes, None)
}

/// What is special about an image: `sepia of sunset.jpg, verified, fetching`.
fn remarks(image: &ImageEntry) -> String {
    let mut remarks = Vec::new();
    if let Some(version) = version(image) {
        remarks.push(version);
    }
    match image.verified {
        Some(true) => remarks.push("verified".to_owned()),
        Some(false) => remarks.push("NOT what its recipe gives".to_owned()),
        None => {}
    }
    if image.damaged {
        remarks.push("damaged".to_owned());
    }
    if image.state != "ready" {
        remarks.push(super::shorten(&image.state, 20));
    }
    remarks.join(", ")
}

fn version(image: &ImageEntry) -> Option<String> {
    let source = image.version_of.as_ref()?;
    let name = match &image.source {
        Some(name) => super::shorten(name, NAME_COLUMNS),
        None => format!("{} (not in the album)", human::brief(source)),
    };
    Some(format!(
        "{} of {name}",
        super::shorten(image.recipe.as_deref().unwrap_or("version"), 40)
    ))
}

pub(super) fn metadata(it: &Metadata, paint: Paint) -> Page {
    let mut out = format!(
        "{}  of {}  {}\n\n",
        paint.bold(&super::clean(&it.album)),
        super::clean(&it.owner),
        paint.dim(&super::clean(&it.album_id))
    );
    out.push_str(&format!(
        "{}\n",
        human::count(it.members.len() as u64, "member", "members")
    ));
    let members: Vec<_> = it
        .members
        .iter()
        .map(|m| {
            let here = if m.online { "here" } else { "away" };
            vec![
                left(super::shorten(&m.user, 24)),
                left(&m.role),
                left(here).paint(|t| paint.dim(t)),
            ]
        })
        .collect();
    out.push_str(&columns("  ", &members));
    let (some, all) = (
        it.images.len() as u64,
        human::count(it.in_album, "image", "images"),
    );
    let heading = if some == it.in_album {
        all
    } else {
        format!("{} of {all}", human::grouped(some))
    };
    out.push_str(&format!("\n{heading}\n"));
    for image in &it.images {
        out.push_str(&block(image, paint));
    }
    let (notes, _) = part(&it.album, it.images.len(), it.offset, it.total, it.in_album);
    Page {
        out,
        notes: if it.in_album == 0 { String::new() } else { notes } + &held(it.held),
        next: None,
    }
}

/// All that is known of one image.
fn block(image: &ImageEntry, paint: Paint) -> String {
    let mut facts = vec![human::bytes(image.size)];
    if let (Some(width), Some(height)) = (image.width, image.height) {
        facts.push(format!("{width}×{height}"));
    }
    facts.push(super::shorten(
        image.media.as_deref().unwrap_or("bytes not seen by its author"),
        40,
    ));
    facts.push(format!("rating {}", mean(&image.rating)));
    let remarks = remarks(image);
    let mut lines = vec![
        facts.join("  "),
        format!(
            "added by {} {}",
            super::shorten(&image.author, 24),
            super::clean(&image.added)
        ),
    ];
    if let Some(taken) = &image.taken {
        lines.push(format!("taken {}", super::shorten(taken, 30)));
    }
    if !remarks.is_empty() {
        lines.push(remarks);
    }
    lines.push(format!("blake3 {}", super::clean(&image.hash)));
    let mut out = format!("  {}\n", paint.bold(&super::shorten(&image.name, 70)));
    for line in lines {
        out.push_str(&format!("    {line}\n"));
    }
    out
}

pub(super) fn added(it: &Added, paint: Paint) -> Page {
    let mut parts = vec![format!("added {}", it.added.len())];
    if !it.already.is_empty() {
        parts.push(format!("{} already here", it.already.len()));
    }
    if !it.failed.is_empty() {
        parts.push(format!("{} failed", it.failed.len()));
    }
    if it.skipped > 0 {
        parts.push(format!(
            "{} skipped ({})",
            it.skipped,
            if it.skipped == 1 { "no image" } else { "no images" }
        ));
    }
    if it.left > 0 {
        parts.push(format!("stopped with {} not looked at", it.left));
    }
    let mut rows = Vec::new();
    for image in &it.added {
        let pixels = match (image.width, image.height) {
            (Some(width), Some(height)) => format!("{width}×{height}"),
            _ => "its bytes may come later".to_owned(),
        };
        rows.push(vec![
            left(super::shorten(&image.name, NAME_COLUMNS)),
            right(human::bytes(image.size)),
            left(pixels),
        ]);
    }
    let nothing = it.added.is_empty() && it.already.is_empty() && !it.failed.is_empty();
    let mut out = if nothing {
        String::new()
    } else {
        format!("{}\n", parts.join(", "))
    };
    out.push_str(&columns("  ", &rows));
    for same in &it.already {
        let (path, name) = (super::clean(&same.path), super::shorten(&same.name, NAME_COLUMNS));
        out.push_str(&format!("  {} is here as {name}\n", paint.dim(&path)));
    }
    if !it.stripped.is_empty() {
        out.push_str(&format!(
            "  location removed from {}: what is stored is not the file byte for byte\n",
            human::several(&it.stripped, 3)
        ));
    }
    // The one failure of a single file is the failure itself.
    let alone = nothing && it.failed.len() == 1;
    let notes = it
        .failed
        .iter()
        .filter(|_| !alone)
        .map(super::failure::of_file)
        .collect();
    let next = it.added.first().map(|image| {
        let name = in_quotes(&image.name);
        format!("/getImages, /filter {name} sepia, /rateImage {name} 5")
    });
    Page { out, notes, next }
}

pub(super) fn verified(it: &Verified) -> Page {
    let name = super::shorten(&it.name, NAME_COLUMNS);
    let source = match &it.source {
        Some(source) => super::shorten(source, NAME_COLUMNS),
        None => human::brief(&it.version_of),
    };
    let recipe = super::shorten(&it.recipe, 60);
    let because = match &it.why {
        Some(why) => format!(": {}", super::shorten(why, 200)),
        None => String::new(),
    };
    match (it.verified, it.differs) {
        (Some(true), _) => format!("{name} is verified ✓: {recipe} of {source}, to the last bit\n"),
        (None, _) => format!("{name} cannot be verified here{because}\n"),
        (Some(false), Some(Differs::File)) => {
            format!("{name} is not verified: its file is not what {recipe} of {source} gives{because}\n")
        }
        (Some(false), Some(Differs::Recipe)) => {
            format!("{name} is not verified: {recipe} gives nothing of {source}{because}\n")
        }
        (Some(false), _) => {
            format!("{name} is not verified: {recipe} of {source} gives other pixels{because}\n")
        }
    }
    .into()
}

pub(super) fn details(it: &Details, paint: Paint) -> Page {
    let one = |image: &ImageEntry| Images {
        album: it.album.clone(),
        images: vec![image.clone()],
        total: 1,
        offset: 0,
        in_album: 1,
        held: 0,
    };
    let shown = it.source.iter().chain([&it.image]).chain(&it.versions);
    let mut out: String = shown.map(|image| images(&one(image), paint).out).collect();
    for rating in &it.ratings {
        out.push_str(&format!(
            "{} {}\n",
            rating.stars,
            super::shorten(&rating.user, 24)
        ));
    }
    out.into()
}

pub(super) fn filtered(it: &Filtered) -> Page {
    let name = super::shorten(&it.image.name, NAME_COLUMNS);
    let source = super::shorten(&it.source, NAME_COLUMNS);
    let recipe = super::shorten(it.image.recipe.as_deref().unwrap_or("?"), 60);
    if !it.new {
        return then(
            format!("{name} is {recipe} of {source} already"),
            format!("/open {}", in_quotes(&it.image.name)),
        );
    }
    let out = format!(
        "made {name}: {recipe} of {source} ({})",
        human::bytes(it.image.size)
    );
    let name = in_quotes(&it.image.name);
    then(
        out,
        format!("/open {name}, /save {name} PATH, /rateImage {name} 5"),
    )
}

pub(super) fn filtered_many(it: &FilteredMany) -> Page {
    let recipe = super::shorten(&it.recipe, 60);
    if it.total == 0 {
        return Page {
            notes: format!(
                "no image of {} fits, so none was filtered\n",
                super::clean(&it.album)
            ),
            next: Some("/getImages shows all; versions are left out unless --filter names them".to_owned()),
            ..Page::default()
        };
    }
    let made = it.made.len() as u64;
    let mut parts = vec![match it.left {
        0 => format!("made {} {recipe}", human::count(made, "version:", "versions:")),
        _ => format!("{made} of {} made, cancelled: {recipe}", it.total),
    }];
    if !it.already.is_empty() {
        parts.push(format!("{} there already", it.already.len()));
    }
    if !it.failed.is_empty() {
        parts.push(format!("{} failed", it.failed.len()));
    }
    let rows: Vec<_> = it
        .made
        .iter()
        .map(|image| {
            vec![
                left(super::shorten(&image.name, NAME_COLUMNS)),
                right(human::bytes(image.size)),
                left(version(image).unwrap_or_default()),
            ]
        })
        .collect();
    let nothing = it.failed.len() as u64 == it.total;
    Page {
        out: if nothing {
            String::new()
        } else {
            format!("{}\n{}", parts.join(", "), columns("  ", &rows))
        },
        notes: it.failed.iter().map(super::failure::of_image).collect(),
        next: (made > 0).then(|| "/undo takes them all back, /getImages --filter any lists them".to_owned()),
    }
}
