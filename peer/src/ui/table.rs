//! Columns that line up.

use unicode_width::UnicodeWidthStr;

use super::clean::CELL_MAX;

/// One cell: its text as measured, and the same text painted.
pub(super) struct Cell {
    plain: String,
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
    /// The same, painted.
    pub(super) fn paint(mut self, paint: impl Fn(&str) -> String) -> Self {
        self.painted = paint(&self.plain);
        self
    }
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
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let last = row
            .iter()
            .rposition(|cell| !cell.plain.is_empty())
            .map_or(0, |i| i + 1);
        out.push_str(indent);
        for (i, cell) in row.iter().take(last).enumerate() {
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
}
