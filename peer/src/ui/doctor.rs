//! The page of `doctor`: what is well, a line each; then what is not, why, and what to do.

use super::table::{columns, left};
use super::{Page, Paint, clean, shorten};
use crate::api::Diagnosis;

pub(super) fn diagnosis(it: &Diagnosis, paint: Paint) -> Page {
    let well: Vec<_> = it
        .well
        .iter()
        .map(|well| {
            vec![
                left("ok").paint(|t| paint.good(t)),
                left(&well.check).paint(|t| paint.dim(t)),
                left(shorten(&well.what, 200)),
            ]
        })
        .collect();
    let mut out = columns("", &well);
    for finding in &it.findings {
        out.push_str(&format!(
            "{} {}\n     why: {}\n     do:  {}\n",
            paint.bad("!!"),
            clean(&finding.what),
            clean(&finding.why),
            clean(&finding.next)
        ));
    }
    Page {
        out,
        notes: match it.healthy {
            true => "nothing keeps this node from meeting the others\n".into(),
            false => String::new(),
        },
        next: None,
    }
}
