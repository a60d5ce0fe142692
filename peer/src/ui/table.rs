//! Columns that line up, and shrink where the screen is narrow.

use std::cell::Cell as Slot;

use unicode_width::UnicodeWidthStr;

use super::clean::CELL_MAX;

/// Columns of text are not made narrower than this: names are, addresses and roles are not.
const SHRUNK_MIN: usize = 24;

thread_local! {
    /// Columns of the screen that the page is for.
    static SCREEN: Slot<Option<usize>> = const { Slot::new(None) };
}

/// Makes a page for a screen of so many columns; without a screen it is as wide as it likes.
pub(super) fn on_screen<T>(columns: Option<usize>, page: impl FnOnce() -> T) -> T {
    let before = SCREEN.replace(columns);
    let made = page();
    SCREEN.set(before);
    made
}

/// One cell: its text as measured, and the same text painted.
pub(super) struct Cell {
    pub(super) plain: String,
    painted: String,
    right: bool,
}

/// A clean text, cut where it is endless, left-aligned.
pub(super) fn left(text: impl AsRef<str>) -> Cell {
    let plain = super::shorten(text.as_ref(), CELL_MAX);
    Cell {
        painted: plain.clone(),
        plain,
        right: false,
    }
}

/// A number, right-aligned.
pub(super) fn right(text: impl AsRef<str>) -> Cell {
    Cell {
        right: true,
        ..left(text)
    }
}

impl Cell {
    /// The same cut to a width, where it is wider.
    fn within(&self, width: usize) -> Option<Self> {
        if self.plain.width() <= width {
            return None;
        }
        let plain = super::shorten(&self.plain, width);
        Some(Cell {
            painted: self.painted.replacen(&self.plain, &plain, 1),
            plain,
            right: self.right,
        })
    }

    /// The same, painted.
    pub(super) fn paint(mut self, paint: impl Fn(&str) -> String) -> Self {
        self.painted = paint(&self.plain);
        self
    }
}

/// Takes from the widest columns of text until all fit; where that does not help, lines are better wrapped than cut.
fn shrink(widths: &mut [usize], text: &[usize], room: usize) {
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
    let mut less = widths.to_vec();
    while total(&less) > room {
        let widest = text.iter().copied().max_by_key(|i| less[*i]);
        let Some(widest) = widest.filter(|i| less[*i] > SHRUNK_MIN) else {
            return;
        };
        less[widest] -= 1;
    }
    widths.copy_from_slice(&less);
}

/// Rows with two spaces between columns and none at the end of a line.
pub(super) fn columns(indent: &str, rows: &[Vec<Cell>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| {
        rows.iter()
            .filter_map(|row| row.get(i))
            .map(|cell| cell.plain.width())
            .max()
            .unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..count).map(width).collect();
    if let Some(screen) = SCREEN.get() {
        let text: Vec<usize> = (0..count)
            .filter(|i| rows.iter().filter_map(|row| row.get(*i)).all(|cell| !cell.right))
            .collect();
        shrink(&mut widths, &text, screen.saturating_sub(indent.width()));
    }
    let mut out = String::new();
    for row in rows {
        let last = row
            .iter()
            .rposition(|cell| !cell.plain.is_empty())
            .map_or(0, |i| i + 1);
        out.push_str(indent);
        for (i, cell) in row.iter().take(last).enumerate() {
            let short = cell.within(widths[i]);
            let cell = short.as_ref().unwrap_or(cell);
            let space = " ".repeat(widths[i].saturating_sub(cell.plain.width()));
            let (before, after) = if cell.right {
                (space.as_str(), "")
            } else {
                ("", space.as_str())
            };
            out.push_str(before);
            out.push_str(&cell.painted);
            if i + 1 < last {
                out.push_str(after);
                out.push_str("  ");
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_width_not_by_bytes() {
        let rows = vec![
            vec![left("写真.jpg"), right("4.50"), left("alice")],
            vec![left("a.jpg"), right("-"), left("")],
            vec![left("bad\u{202e}\x1b[2J"), right("10"), left("b")],
        ];
        assert_eq!(
            columns("", &rows),
            "写真.jpg  4.50  alice\na.jpg        -\nbad[2J      10  b\n"
        );
    }

    #[test]
    fn paint_does_not_move_columns() {
        let rows = vec![
            vec![left("ab").paint(|t| format!("\x1b[1m{t}\x1b[0m")), left("c")],
            vec![left("abc"), left("d")],
        ];
        assert_eq!(columns(" ", &rows), " \x1b[1mab\x1b[0m   c\n abc  d\n");
    }

    #[test]
    fn a_narrow_screen_takes_from_the_widest_column_of_text() {
        let rows = vec![
            vec![
                left("a very long name of an image indeed.jpg").paint(|t| format!("\x1b[1m{t}\x1b[0m")),
                right("736 kB"),
                left("127.0.0.1:38865"),
            ],
            vec![left("写真の写真の写真の写真.jpg"), right("1 B"), left("bob")],
        ];
        let plain = |text: String| text.replace("\x1b[1m", "").replace("\x1b[0m", "");
        let at = |screen| on_screen(screen, || plain(columns("", &rows)));
        let wide = "a very long name of an image indeed.jpg  736 kB  127.0.0.1:38865\n\
                    写真の写真の写真の写真.jpg                  1 B  bob\n";
        assert_eq!(at(None), wide);
        assert_eq!(at(Some(64)), wide);
        assert_eq!(
            at(Some(49)),
            "a very long name of an …  736 kB  127.0.0.1:38865\n\
             写真の写真の写真の写真.…     1 B  bob\n"
        );
        // Too narrow for cutting to help: the lines are folded.
        assert_eq!(at(Some(48)), wide);
        assert_eq!(at(None), wide);
    }
}
