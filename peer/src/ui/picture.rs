//! Pictures in a terminal: Kitty's graphics where the terminal says that it knows them, else half blocks in colour, else
//! plain characters. Nothing is asked of the terminal, so nothing can hang.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use filters::{Channels, Raster, Samples};

use super::{Ui, screen, shorten};
use crate::api::{Code, Failure, Picture, Shown};
use crate::decoder::{self, DecodeError, Decoder};
use crate::explain::{self, Explained as _};

/// Columns where there is no terminal to tell.
const COLUMNS: usize = 80;
/// Rows that a picture has at least, where the terminal has so many.
const ROWS_MIN: usize = 10;
/// Columns between a version and its source.
const GAP: usize = 2;
/// Pixels that Kitty gets for a column; a row is twice as high.
const FINE: usize = 10;
/// Characters of base64 in one of Kitty's commands, as its protocol says.
const CHUNK: usize = 4096;
/// From dark to bright.
const SHADES: &[u8; 10] = b" .:-=+*#%@";

/// How a terminal can show a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Pixels, by Kitty's protocol.
    Kitty,
    /// Two coloured halves in a character, in 24-bit colours.
    TrueColor,
    /// The same in 256 colours.
    Colors,
    /// Characters.
    Shades,
}

impl Means {
    /// What the terminal says of itself; `color` is whether colours are wanted.
    fn of(color: bool, terminal: bool, var: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| var(name).and_then(|v| v.into_string().ok()).unwrap_or_default();
        let (term, program) = (text("TERM"), text("TERM_PROGRAM"));
        if !color || term == "dumb" {
            return Means::Shades;
        }
        // A multiplexer does not pass graphics on.
        let inside = !text("TMUX").is_empty() || term.starts_with("tmux") || term.starts_with("screen");
        let knows = !text("KITTY_WINDOW_ID").is_empty()
            || ["kitty", "ghostty"].iter().any(|name| term.contains(name))
            || ["ghostty", "WezTerm"].contains(&program.as_str());
        if terminal && knows && !inside {
            Means::Kitty
        } else if ["truecolor", "24bit"].contains(&text("COLORTERM").as_str()) || term.contains("direct") {
            Means::TrueColor
        } else if term == "linux" || term.starts_with("vt") {
            Means::Shades
        } else {
            Means::Colors
        }
    }
}

/// The picture as this terminal can show it, and its caption.
///
/// # Errors
/// `damaged`, `not_an_image` or `too_large`: the bytes cannot be decoded.
pub async fn draw(shown: &Shown, width: Option<u16>, ui: &Ui, decoder: &Decoder) -> Result<String, Failure> {
    let mut pictures = Vec::new();
    for picture in [Some(&shown.image), shown.source.as_ref()].into_iter().flatten() {
        pictures.push(read(picture, decoder).await?);
    }
    let drawing = drawn(&pictures, width, 1 + shown.source.iter().count(), ui);
    let columns = width.map_or(
        screen::size().map_or(COLUMNS, |(columns, _)| columns),
        usize::from,
    );
    Ok(format!(
        "{drawing}{}\n",
        shorten(&caption(shown), columns.max(20))
    ))
}

/// Pictures of 8 bits, red, green and blue, side by side as this terminal can show them; `below` lines are to follow.
pub fn drawing(pictures: &[Raster], width: Option<u16>, below: usize, ui: &Ui) -> String {
    let pictures: Vec<Pixels> = pictures.iter().filter_map(pixels).collect();
    drawn(&pictures, width, below, ui)
}

fn drawn(pictures: &[Pixels], width: Option<u16>, below: usize, ui: &Ui) -> String {
    let size = screen::size();
    let means = Means::of(ui.out.0, size.is_some(), &|name| std::env::var_os(name));
    let columns = width.map_or(size.map_or(COLUMNS, |(columns, _)| columns), usize::from);
    // A picture without a width of its own leaves the prompt and what follows on the screen, but is never too small to see.
    let rows = match (width, size) {
        (None, Some((_, rows))) => rows.saturating_sub(1 + below).max(rows.min(ROWS_MIN)).max(1),
        _ => usize::MAX,
    };
    if means == Means::Kitty {
        kitty(pictures, columns, rows)
    } else {
        characters(pictures, columns, rows, means)
    }
}

/// `dusk.jpg  768×512  sepia of sunset.jpg`
pub fn caption(shown: &Shown) -> String {
    let mut text = shorten(&shown.image.name, 48);
    if let (Some(width), Some(height)) = (shown.image.width, shown.image.height) {
        text.push_str(&format!("  {width}×{height}"));
    }
    if let Some(recipe) = &shown.image.recipe {
        text.push_str(&format!("  {}", shorten(recipe, 40)));
    }
    if let Some(source) = &shown.source {
        text.push_str(&format!(", beside it {}", shorten(&source.name, 48)));
    }
    text
}

/// 8-bit RGB.
struct Pixels {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// A picture's file decoded by another process; `kept` is one that stays meanwhile.
///
/// # Errors
/// `not_found`, `damaged`, `not_an_image` or `too_large`.
pub async fn decoded(
    picture: &Picture,
    decoder: &Decoder,
    kept: Option<&decoder::Picture>,
) -> Result<decoder::Picture, Failure> {
    let bytes = bytes(picture, decoder).await?;
    let decoded = match kept {
        Some(kept) => decoder.beside(kept, &bytes).await,
        None => decoder.pixels(&bytes).await,
    };
    decoded.map_err(|error| failure(picture, error.code(), &error))
}

fn failure(picture: &Picture, code: Code, why: &dyn Display) -> Failure {
    let hint = "/open NAME hands it to the system's viewer";
    let message = format!("{} cannot be drawn: {why}", super::clean(&picture.name));
    Failure::new(code, message, hint)
}

async fn bytes(picture: &Picture, decoder: &Decoder) -> Result<Vec<u8>, Failure> {
    let (path, most) = (
        PathBuf::from(&picture.path),
        decoder.limits().codec.file_bytes_max,
    );
    let bytes = tokio::task::spawn_blocking(move || explain::read(&path, most)).await;
    let bytes = bytes.map_err(|_| failure(picture, Code::Internal, &"reading it failed"))?;
    bytes.map_err(|error| failure(picture, error.code, &error))
}

async fn read(picture: &Picture, decoder: &Decoder) -> Result<Pixels, Failure> {
    let wrong = |error: DecodeError| failure(picture, error.code(), &error);
    let mut bytes = bytes(picture, decoder).await?;
    // A preview is 8 bits deep and has no alpha.
    if !picture.preview {
        bytes = decoder.glance(&bytes).await.map_err(wrong)?;
    }
    let preview = decoder.pixels(&bytes).await.map_err(wrong)?;
    pixels(&preview.decoded.raster)
        .ok_or_else(|| failure(picture, Code::Internal, &"its preview has an unknown form"))
}

fn pixels(raster: &Raster) -> Option<Pixels> {
    let rgb = match (&raster.samples, raster.channels) {
        (Samples::U8(samples), Channels::Rgb) => samples.clone(),
        (Samples::U8(samples), Channels::Gray) => samples.iter().flat_map(|gray| [*gray; 3]).collect(),
        _ => return None,
    };
    let (width, height) = (raster.width as usize, raster.height as usize);
    (width > 0 && height > 0).then_some(Pixels { width, height, rgb })
}

impl Pixels {
    /// The largest size with these proportions within a frame, at least one pixel.
    fn within(&self, width: usize, height: usize) -> (usize, usize) {
        let (width, height) = (width.max(1), height.max(1));
        let by_width = (self.height * width).div_ceil(self.width).max(1);
        if by_width <= height {
            (width, by_width)
        } else {
            ((self.width * height / self.height).clamp(1, width), height)
        }
    }

    /// Each new pixel is the mean of those it covers.
    fn scaled(&self, width: usize, height: usize) -> Pixels {
        let span = |at: usize, new: usize, old: usize| {
            let from = at * old / new;
            from..((at + 1) * old / new).max(from + 1)
        };
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = ([0u64; 3], 0);
                for line in span(y, height, self.height) {
                    for column in span(x, width, self.width) {
                        let at = (line * self.width + column) * 3;
                        (0..3).for_each(|c| sum[c] += u64::from(self.rgb[at + c]));
                        count += 1;
                    }
                }
                rgb.extend(sum.map(|sum| (sum / count) as u8));
            }
        }
        Pixels { width, height, rgb }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }
}

/// Columns for each of so many pictures side by side.
fn share(columns: usize, pictures: usize) -> usize {
    (columns.saturating_sub(GAP * (pictures - 1)) / pictures).max(1)
}

/// Pictures side by side, two pixels above each other in a character.
fn characters(pictures: &[Pixels], columns: usize, rows: usize, means: Means) -> String {
    let columns = share(columns, pictures.len());
    let drawn: Vec<(usize, Vec<String>)> = pictures
        .iter()
        .map(|picture| {
            let (width, height) = picture.within(columns, rows.saturating_mul(2));
            let small = picture.scaled(width, height.next_multiple_of(2));
            let line = |y: usize| {
                let cells = (0..width).map(|x| (small.at(x, 2 * y), small.at(x, 2 * y + 1)));
                match means {
                    Means::TrueColor => halves(cells, &|[r, g, b]| format!("2;{r};{g};{b}")),
                    Means::Colors => halves(cells, &|rgb| format!("5;{}", nearest(rgb))),
                    Means::Shades | Means::Kitty => cells.map(|(up, down)| shade(up, down)).collect(),
                }
            };
            (width, (0..small.height / 2).map(line).collect())
        })
        .collect();
    let mut out = String::new();
    for row in 0..drawn.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0) {
        let mut line = String::new();
        for (i, (width, lines)) in drawn.iter().enumerate() {
            if i > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            match lines.get(row) {
                Some(text) => line.push_str(text),
                None => line.push_str(&" ".repeat(*width)),
            }
        }
        out.push_str(line.trim_end_matches(' '));
        out.push('\n');
    }
    out
}

/// Upper halves in the foreground's colour, lower ones in the background's; a colour is told once as long as it lasts.
fn halves(cells: impl Iterator<Item = ([u8; 3], [u8; 3])>, color: &dyn Fn([u8; 3]) -> String) -> String {
    let mut line = String::new();
    let mut last = None;
    for (up, down) in cells {
        let colors = (color(up), color(down));
        if last.as_ref() != Some(&colors) {
            line.push_str(&format!("\x1b[38;{};48;{}m", colors.0, colors.1));
            last = Some(colors);
        }
        line.push('▀');
    }
    line.push_str("\x1b[0m");
    line
}

/// The nearest of xterm's 6×6×6 colours and 24 grays.
fn nearest(rgb: [u8; 3]) -> u8 {
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    let step = |v: u8| (0..6u8).min_by_key(|n| level(*n).abs_diff(v)).unwrap_or(0);
    let far = |a: [u8; 3]| -> u32 { (0..3).map(|c| u32::from(a[c].abs_diff(rgb[c])).pow(2)).sum() };
    let steps = rgb.map(step);
    let mean = rgb.iter().map(|v| u32::from(*v)).sum::<u32>() / 3;
    let gray = (mean.saturating_sub(3) / 10).min(23) as u8;
    if far([8 + 10 * gray; 3]) < far(steps.map(level)) {
        232 + gray
    } else {
        16 + 36 * steps[0] + 6 * steps[1] + steps[2]
    }
}

fn shade(up: [u8; 3], down: [u8; 3]) -> char {
    let luma = |[r, g, b]: [u8; 3]| 299 * usize::from(r) + 587 * usize::from(g) + 114 * usize::from(b);
    let mean = (luma(up) + luma(down)) / 2000;
    char::from(SHADES[mean.min(255) * SHADES.len() / 256])
}

/// One raster of all pictures, in the protocol's chunks; the terminal is asked to answer nothing.
fn kitty(pictures: &[Pixels], columns: usize, rows: usize) -> String {
    let each = share(columns, pictures.len());
    let sizes: Vec<(usize, usize)> = pictures
        .iter()
        .map(|picture| picture.within(each * FINE, rows.saturating_mul(2 * FINE)))
        .collect();
    let gaps = GAP * FINE * (pictures.len() - 1);
    let width = sizes.iter().map(|(width, _)| width).sum::<usize>() + gaps;
    let height = sizes.iter().map(|(_, height)| *height).max().unwrap_or(1);
    let mut rgb = vec![0; width * height * 3];
    let mut left = 0;
    for (picture, (wide, high)) in pictures.iter().zip(sizes) {
        let fine = picture.scaled(wide, high);
        for y in 0..high {
            let (to, from) = ((y * width + left) * 3, y * wide * 3);
            rgb[to..to + wide * 3].copy_from_slice(&fine.rgb[from..from + wide * 3]);
        }
        left += wide + GAP * FINE;
    }
    let text = STANDARD.encode(&rgb);
    let chunks: Vec<&str> = text
        .as_bytes()
        .chunks(CHUNK)
        .filter_map(|c| std::str::from_utf8(c).ok())
        .collect();
    let mut out = String::with_capacity(text.len() + chunks.len() * 16);
    for (i, chunk) in chunks.iter().enumerate() {
        let more = u8::from(i + 1 < chunks.len());
        let head = match i {
            0 => format!("a=T,f=24,s={width},v={height},c={},q=2,", width.div_ceil(FINE)),
            _ => "q=2,".to_owned(),
        };
        out.push_str(&format!("\x1b_G{head}m={more};{chunk}\x1b\\"));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize) -> Pixels {
        let rgb = (0..width * height)
            .flat_map(|i| [(255 * (i % width) / (width - 1).max(1)) as u8; 3])
            .collect();
        Pixels { width, height, rgb }
    }

    #[test]
    fn the_terminal_says_what_it_can() {
        let check = |color, terminal, vars: &[(&str, &str)], expect| {
            let var = |name: &str| {
                let found = vars.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(Means::of(color, terminal, &var), expect, "{vars:?}");
        };
        check(true, true, &[("TERM", "xterm-kitty")], Means::Kitty);
        check(
            true,
            true,
            &[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")],
            Means::Kitty,
        );
        check(true, true, &[("TERM_PROGRAM", "ghostty")], Means::Kitty);
        check(
            true,
            true,
            &[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")],
            Means::Colors,
        );
        check(
            true,
            false,
            &[("TERM", "xterm-kitty"), ("COLORTERM", "truecolor")],
            Means::TrueColor,
        );
        check(true, true, &[("TERM", "xterm-direct")], Means::TrueColor);
        check(true, true, &[("TERM", "xterm")], Means::Colors);
        check(true, true, &[("TERM", "linux")], Means::Shades);
        check(
            true,
            true,
            &[("TERM", "dumb"), ("COLORTERM", "truecolor")],
            Means::Shades,
        );
        check(false, true, &[("TERM", "xterm-kitty")], Means::Shades);
    }

    #[test]
    fn characters_keep_proportions_and_their_frame() {
        let lines = |picture: &[Pixels], columns, rows| -> Vec<String> {
            let text = characters(picture, columns, rows, Means::Shades);
            text.lines().map(str::to_owned).collect()
        };
        assert_eq!(lines(&[gradient(100, 50)], 10, usize::MAX), [" .:-=+*#%@"; 3]);
        assert_eq!(lines(&[gradient(100, 100)], 80, 4).len(), 4);
        assert_eq!(lines(&[gradient(100, 100)], 80, 4)[0].len(), 8);
        assert_eq!(lines(&[gradient(1, 500)], 20, 3), ["", "", ""]);
        assert_eq!(lines(&[gradient(500, 1)], 20, 3).len(), 1);
        // Side by side, the shorter one ends first.
        let both = lines(&[gradient(100, 50), gradient(100, 100)], 22, usize::MAX);
        assert_eq!(both[0], " .:-=+*#%@   .:-=+*#%@");
        assert_eq!((both.len(), both[4].as_str()), (5, "             .:-=+*#%@"));
        assert_eq!(
            characters(&[gradient(3, 3), gradient(3, 3)], 1, 1, Means::Shades)
                .lines()
                .count(),
            1
        );
    }

    #[test]
    fn colours_are_the_nearest_there_are() {
        assert_eq!(nearest([0, 0, 0]), 16);
        assert_eq!(nearest([255, 255, 255]), 231);
        assert_eq!(nearest([255, 0, 0]), 196);
        assert_eq!(nearest([128, 128, 128]), 244);
        let two = Pixels {
            width: 2,
            height: 2,
            rgb: vec![255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255],
        };
        assert_eq!(
            characters(&[two], 2, 9, Means::TrueColor),
            "\x1b[38;2;255;0;0;48;2;0;0;255m▀▀\x1b[0m\n"
        );
    }

    #[test]
    fn kitty_gets_chunks_and_answers_nothing() {
        let text = kitty(&[gradient(64, 32), gradient(32, 32)], 22, 100);
        // 100 columns' pixels each, a gap of 20 between them.
        assert!(
            text.starts_with("\x1b_Ga=T,f=24,s=220,v=100,c=22,q=2,m=1;"),
            "{}",
            &text[..60]
        );
        let commands: Vec<&str> = text.split("\x1b_G").skip(1).collect();
        let last = commands.len() - 1;
        for (i, command) in commands.iter().enumerate() {
            let (head, data) = command.split_once(';').unwrap();
            assert!(head.contains("q=2") && head.ends_with(if i == last { "m=0" } else { "m=1" }));
            assert!(data.trim_end().trim_end_matches("\x1b\\").len() <= CHUNK);
        }
        let data: String = commands
            .iter()
            .map(|command| {
                command
                    .split_once(';')
                    .unwrap()
                    .1
                    .trim_end()
                    .trim_end_matches("\x1b\\")
            })
            .collect();
        assert_eq!(STANDARD.decode(data).unwrap().len(), 220 * 100 * 3);
    }
}
