//! Pages that need no node: filters, settings.

use super::table::{columns, left};
use super::{Page, Paint};
use crate::cmd::Local;

pub(super) fn page(local: &Local, paint: Paint) -> Page {
    match local {
        Local::Filters(list) => {
            let rows: Vec<_> = list
                .filters
                .iter()
                .map(|f| {
                    let name = left(f.name).paint(|t| paint.bold(t));
                    vec![
                        name,
                        left(f.parameters),
                        left(f.description),
                        left(f.example).paint(|t| paint.dim(t)),
                    ]
                })
                .collect();
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
    }
}
