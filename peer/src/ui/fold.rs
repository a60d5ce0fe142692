//! Lines that are wider than the terminal, folded between words.

use std::os::fd::AsFd;

use unicode_width::UnicodeWidthStr;

/// Columns of the terminal that a stream leads to; none where it leads elsewhere.
pub(super) fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The same lines, none of them wider than so many columns unless it is one word; what goes on is indented. Our own
/// colours take no room.
pub(super) fn fold(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        if width(line) <= columns {
            out.push_str(line);
        } else {
            out.push_str(&folded(line, columns));
        }
        out.push_str(end);
    }
    out
}

fn folded(line: &str, columns: usize) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    // Deep indents leave no room.
    let first = if indent * 2 > columns { 0 } else { indent };
    let next = if (first + 2) * 2 > columns { 0 } else { first + 2 };
    let mut out = " ".repeat(first);
    let (mut used, mut begun) = (first, false);
    // Of the room between columns two spaces stay.
    let mut gap = 0;
    for word in line[indent..].split(' ') {
        gap += 1;
        if word.is_empty() {
            continue;
        }
        let (wide, space) = (width(word), if begun { (gap).min(2) } else { 0 });
        if begun && used + space + wide > columns {
            out.push('\n');
            out.push_str(&" ".repeat(next));
            used = next + wide;
        } else {
            out.push_str(&" ".repeat(space));
            used += space + wide;
        }
        out.push_str(word);
        (begun, gap) = (true, 0);
    }
    out
}

/// Columns that a text takes, our colours (`ESC [ … m`) left out.
fn width(text: &str) -> usize {
    let mut parts = text.split("\x1b[");
    let plain = parts.next().unwrap_or_default().width();
    let shown = |part: &str| {
        part.trim_start_matches(|c: char| !c.is_ascii_alphabetic())
            .get(1..)
            .map_or(0, str::width)
    };
    plain + parts.map(shown).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_words() {
        let check = |text: &str, columns, expect: &str| assert_eq!(fold(text, columns), expect, "{text:?}");
        check("short\n", 20, "short\n");
        check("exactly twenty here.\n", 20, "exactly twenty here.\n");
        check(
            "one word more than twenty\n",
            20,
            "one word more than\n  twenty\n",
        );
        check("no line end at all here", 20, "no line end at all\n  here");
        check(
            "  a.jpg       4.50 (2)     12 kB  alice\n",
            20,
            "  a.jpg  4.50 (2)\n    12 kB  alice\n",
        );
        check(
            "blake3 9f86d081884c7d659a2feaa0c55ad015 x\n",
            20,
            "blake3\n  9f86d081884c7d659a2feaa0c55ad015\n  x\n",
        );
        check("写真写真写真 写真写真\n", 20, "写真写真写真\n  写真写真\n");
        check("                    deep inside\n", 20, "deep inside\n");
        check("a b\n\nc d\n", 1, "a\nb\n\nc\nd\n");
        check("a b\n", 0, "a\nb\n");
        check("", 20, "");
    }

    #[test]
    fn colours_take_no_room() {
        let text = "\x1b[1mexactly\x1b[0m twenty \x1b[31mhere.\x1b[0m\n";
        assert_eq!(fold(text, 20), text);
        assert_eq!(fold("\x1b[1mab\x1b[0m cd", 4), "\x1b[1mab\x1b[0m\n  cd");
    }
}
