//! Pages that need no node: filters, settings, what a check found.

use super::table::{columns, left};
use super::{Page, Paint, clean, human};
use crate::api::{Applied, Checked, Gallery};
use crate::cmd::Local;

pub(super) fn page(local: &Local, paint: Paint) -> Page {
    match local {
        Local::Filters(list) => {
            // An example first, as it is typed; what it takes stands below, so that no line is long.
            let mut rows = Vec::new();
            for filter in &list.filters {
                let example = left(filter.example).paint(|t| paint.bold(t));
                rows.push(vec![example, left(filter.description)]);
                if !filter.parameters.is_empty() {
                    rows.push(vec![left(""), left(filter.parameters).paint(|t| paint.dim(t))]);
                }
            }
            Page {
                out: columns("", &rows),
                notes: String::new(),
                next: Some("/filter NAME RECIPE".to_owned()),
            }
        }
        Local::Config { settings, origin } => {
            let rows: Vec<_> = settings
                .iter()
                .map(|s| {
                    let from = if *origin { s.origin.as_str() } else { "" };
                    vec![left(s.key), left(&s.value), left(from).paint(|t| paint.dim(t))]
                })
                .collect();
            columns("", &rows).into()
        }
        Local::Man(pages) => pages
            .iter()
            .map(|page| page.text.as_str())
            .collect::<String>()
            .into(),
        Local::CentralKey(it) => format!("{}\n", it.words).into(),
        Local::Written(files) => written(files),
        Local::Completions { script, .. } => script.clone().into(),
    }
}

/// How many files, and where.
fn written(files: &[String]) -> Page {
    let folder = files.first().and_then(|file| Some(file.rsplit_once('/')?.0));
    format!(
        "wrote {} into {}\n",
        human::count(files.len() as u64, "page", "pages"),
        clean(folder.unwrap_or("/"))
    )
    .into()
}

pub(super) fn applied(it: &Applied) -> Page {
    let seconds = (it.decode_ms + it.filter_ms + it.encode_ms) / 1e3;
    let damaged = match &it.damaged {
        Some(why) => format!("the source is damaged: {}\n", clean(why)),
        None => String::new(),
    };
    Page {
        out: format!(
            "wrote {} ({}×{}, {}), {} in {seconds:.1} s\n",
            clean(&it.path),
            it.width,
            it.height,
            human::bytes(it.size),
            clean(&it.recipe),
        ),
        notes: damaged,
        next: None,
    }
}

/// The address alone on a line, for those who hand it on.
pub(super) fn gallery(it: &Gallery) -> Page {
    Page {
        out: format!("{}\n", clean(&it.url)),
        notes: format!(
            "gallery of {}; the link works once, Ctrl-C ends it\n",
            clean(&it.album)
        ),
        next: None,
    }
}

pub(super) fn checked(it: &Checked) -> Page {
    let mut out = format!(
        "checked {} images ({}), {} ops, {} settings\n",
        it.images,
        human::bytes(it.image_bytes),
        it.ops + it.bad_ops,
        it.settings + it.bad_settings.len() as u64
    );
    let mut line = |text: String| out.push_str(&format!("  {}\n", clean(&text)));
    for hash in &it.bad_images {
        line(format!("damaged image {hash}, moved to bad/"));
    }
    for file in &it.unreadable {
        line(format!(
            "image {} cannot be read: {}; left there",
            file.hash, file.why
        ));
    }
    for path in &it.strays {
        line(format!("{path} is no image of calotype; left there"));
    }
    if it.bad_ops > 0 {
        line(format!("{} damaged ops", it.bad_ops));
    }
    for key in &it.bad_settings {
        line(format!("damaged setting {key}"));
    }
    for problem in &it.problems {
        line(format!("database: {problem}"));
    }
    if it.rebuilt {
        line("the database was made anew from what is good; the old one is in bad/".into());
    }
    if it.stopped {
        line("stopped before the end".into());
    }
    out.into()
}
