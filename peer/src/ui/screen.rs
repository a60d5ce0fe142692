//! The terminal's size, and a page that is shown in place of the one before.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthChar as _;

use super::{Paint, Ui, human, text};
use crate::api::Reply;

/// Columns and rows of the terminal that standard output is; none where it is none, or does not tell.
pub fn size() -> Option<(usize, usize)> {
    let out = io::stdout();
    let size = out.is_terminal().then(|| tcgetwinsize(&out))?.ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col.into(), size.ws_row.into()))
}

/// Its columns alone; where there are none a page may be as wide as it likes.
pub fn columns() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

/// Lines that a list may take at once: the rows of the terminal on stdout with room for the prompt and a remark or two;
/// none where stdout is no terminal.
pub fn lines() -> Option<usize> {
    let rows = size().map_or(ROWS_USUAL, |(_, rows)| rows);
    io::stdout().is_terminal().then(|| page_lines(rows))
}

/// Rows of a terminal that does not tell.
const ROWS_USUAL: usize = 24;

fn page_lines(rows: usize) -> usize {
    rows.saturating_sub(4).max(4)
}

/// Whether the terminal only prints.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// The terminal's other screen, until dropped.
pub struct Screen {
    paint: Paint,
}

impl Screen {
    /// Whether this is a terminal where pages can replace each other.
    pub fn fits(ui: &Ui) -> bool {
        !ui.json && !is_dumb() && size().is_some()
    }

    /// Turns to the other screen, where there is one.
    pub fn open(ui: &Ui) -> Option<Self> {
        let open = Self::fits(ui) && put("\x1b[?1049h\x1b[?25l\x1b[2J").is_ok();
        open.then(|| Screen { paint: ui.out })
    }

    /// Shows an answer under a line that says what it answers.
    ///
    /// # Errors
    /// Only stdout's.
    pub fn show(&self, line: &str, every: Duration, reply: &Reply) -> io::Result<()> {
        let (columns, rows) = size().unwrap_or((80, 24));
        let page = text::page(reply, self.paint, Some(columns));
        let every = match every.as_millis() {
            ms if ms % 1000 == 0 => human::seconds((ms / 1000) as u64),
            ms => format!("{ms} ms"),
        };
        let head = format!("{}  every {every}, q ends", super::clean(line));
        let head = self.paint.dim(&super::shorten(&head, columns));
        put(&frame(
            &head,
            &format!("{}{}", page.out, page.notes),
            columns,
            rows,
        ))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = put("\x1b[?25h\x1b[?1049l");
    }
}

fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Head and page within the terminal's size, drawn over what is there without blanking it first.
fn frame(head: &str, page: &str, columns: usize, rows: usize) -> String {
    let mut lines: Vec<String> = std::iter::once(head)
        .chain(page.lines())
        .map(|line| clip(line, columns))
        .collect();
    if lines.len() > rows {
        let hidden = lines.len() - rows + 1;
        lines.truncate(rows - 1);
        lines.push(clip(&format!("… {hidden} more lines"), columns));
    }
    let mut out = "\x1b[H".to_owned();
    out.push_str(&lines.join("\x1b[K\r\n"));
    out.push_str("\x1b[K\x1b[J");
    out
}

/// At most so many columns of a painted line.
fn clip(line: &str, columns: usize) -> String {
    let (mut out, mut used, mut escape) = (String::new(), 0, false);
    for c in line.chars() {
        let wide = match (escape, c) {
            (true, _) | (_, '\x1b') => 0,
            (false, c) => c.width().unwrap_or(0),
        };
        escape = if escape {
            !c.is_ascii_alphabetic()
        } else {
            c == '\x1b'
        };
        if used + wide > columns {
            out.push_str("\x1b[0m");
            break;
        }
        used += wide;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_leaves_room_for_the_prompt() {
        let check = |rows, lines| assert_eq!(page_lines(rows), lines, "{rows} rows");
        check(24, 20);
        check(50, 46);
        check(3, 4);
    }

    #[test]
    fn a_page_is_cut_to_the_terminal() {
        let page = "one\ntwo and more\n写真写真\nfour\n";
        assert_eq!(
            frame("head", page, 7, 5),
            "\x1b[Hhead\x1b[K\r\none\x1b[K\r\ntwo and\x1b[0m\x1b[K\r\n写真写\x1b[0m\x1b[K\r\nfour\x1b[K\x1b[J"
        );
        assert_eq!(
            frame("head", page, 20, 3),
            "\x1b[Hhead\x1b[K\r\none\x1b[K\r\n… 3 more lines\x1b[K\x1b[J"
        );
        assert_eq!(frame("head", page, 2, 1), "\x1b[H… \x1b[0m\x1b[K\x1b[J");
        assert_eq!(clip("\x1b[1mbold\x1b[0m rest", 6), "\x1b[1mbold\x1b[0m r\x1b[0m");
    }
}
