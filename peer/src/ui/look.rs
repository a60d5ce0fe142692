//! Pages of what was looked at: previews and comparisons.

use super::table::{columns, left, right};
use super::{Page, Paint, human, shorten};
use crate::api::{Compare, Compared, Previewed};

/// Columns of a histogram's longest bar.
const BAR: usize = 20;
/// Lines of a histogram: 16 levels each.
const LINES: usize = 16;

/// `sepia of sunset.jpg would be 768×512`
pub(super) fn previewed(it: &Previewed) -> Page {
    let (recipe, source) = (shorten(&it.recipe, 60), shorten(&it.source, 48));
    let out = match (&it.path, it.size) {
        (Some(path), Some(size)) => format!(
            "wrote {recipe} of {source} to {} ({}, {}×{})\n",
            super::clean(path),
            human::bytes(size),
            it.width,
            it.height
        ),
        _ if it.small => format!("{recipe} of {source}, shown on its small preview\n"),
        _ => format!("{recipe} of {source}, {}×{}\n", it.width, it.height),
    };
    Page {
        out,
        notes: damage(&it.source, it.damaged.as_deref()),
        next: it.path.is_none().then(|| {
            let (source, recipe) = (super::in_quotes(&it.source), super::in_quotes(&it.recipe));
            format!("/filter {source} {recipe} adds it")
        }),
    }
}

fn damage(name: &str, damaged: Option<&str>) -> String {
    damaged.map_or_else(String::new, |why| {
        format!("{} is damaged: {}\n", shorten(name, 48), shorten(why, 200))
    })
}

pub(super) fn compared(it: &Compared, paint: Paint) -> Page {
    let name = |side: &Compare| shorten(&side.name, 32);
    let (a, b) = (name(&it.a), name(&it.b));
    let mut out = match (it.identical, it.gain) {
        (true, _) => format!("{a}  {b}  (nothing differs)\n"),
        (_, 1) => format!("{a}  {b}  what differs\n"),
        (_, gain) => format!("{a}  {b}  what differs, {gain} × as bright\n"),
    };
    if it.scaled {
        let large = if it.a.width > it.width || it.a.height > it.height {
            &it.a
        } else {
            &it.b
        };
        out.push_str(&format!(
            "compared at {}×{}; {} is {}×{} and was scaled down\n",
            it.width,
            it.height,
            name(large),
            large.width,
            large.height
        ));
    }
    let ratio = it
        .psnr
        .map_or("infinite".to_owned(), |psnr| format!("{psnr:.2} dB"));
    let like = it
        .ssim
        .map_or("none below 11 pixels".to_owned(), |ssim| format!("{ssim:.4}"));
    let pixels = u64::from(it.width) * u64::from(it.height);
    out.push_str(&format!(
        "PSNR {}  SSIM {}  {} of the pixels differ, by at most {} of 255\n\n",
        paint.bold(&ratio),
        paint.bold(&like),
        percent(it.differing, pixels),
        it.largest
    ));
    out.push_str(&histograms(it, pixels, paint));
    if let Some(path) = &it.path {
        out.push_str(&format!("wrote what differs to {}\n", super::clean(path)));
    }
    let notes = [&it.a, &it.b].map(|side| damage(&side.name, side.damaged.as_deref()));
    Page {
        out,
        notes: notes.concat(),
        next: None,
    }
}

/// A line for every 16 levels of luma: how many pixels each image has there.
fn histograms(it: &Compared, pixels: u64, paint: Paint) -> String {
    let lines = |side: &Compare| -> Vec<u64> {
        let sums = side.histogram.chunks(256 / LINES).map(|bins| bins.iter().sum());
        sums.take(LINES).collect()
    };
    let (a, b) = (lines(&it.a), lines(&it.b));
    let most = a.iter().chain(&b).copied().max().unwrap_or(0).max(1);
    let bar = |n: u64| {
        // Whatever is there is seen.
        let halves = (2 * BAR as u64 * n).div_ceil(most) as usize;
        format!("{}{}", "█".repeat(halves / 2), "▌".repeat(halves % 2))
    };
    let head = |text: &str| left(shorten(text, BAR)).paint(|t| paint.dim(t));
    let mut rows = vec![vec![
        left("luma").paint(|t| paint.dim(t)),
        head(&it.a.name),
        right(""),
        head(&it.b.name),
        right(""),
    ]];
    for (line, (a, b)) in a.iter().zip(&b).enumerate() {
        let first = line * 256 / LINES;
        rows.push(vec![
            right(format!("{first}–{}", first + 256 / LINES - 1)).paint(|t| paint.dim(t)),
            left(bar(*a)),
            right(percent(*a, pixels)),
            left(bar(*b)),
            right(percent(*b, pixels)),
        ]);
    }
    columns("", &rows)
}

fn percent(part: u64, of: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / of.max(1) as f64)
}
