//! What peers send is hostile: no control, no escape and no direction-changing character reaches a terminal.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Characters that act instead of showing: controls, bidirectional marks and overrides, line separators, invisible
/// joiners that make two names look alike, tags.
pub(super) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Longest text of others that is shown, in characters, but for what they said.
pub const TEXT_MAX: usize = 500;
/// Longest text in a table.
pub(super) const CELL_MAX: usize = 250;

/// The text without the characters that act; line ends and tabs become spaces. What is past `TEXT_MAX` is left out.
pub fn clean(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", whole(&text[..end]))),
        None => whole(text),
    }
}

/// The same, however long it is: for what people say.
pub(super) fn whole(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let space = |c: char| matches!(c, '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}');
    let kept = text
        .chars()
        .map(|c| if space(c) { ' ' } else { c })
        .filter(|c| !acts(*c));
    Cow::Owned(kept.collect())
}

/// Clean, and at most `columns` wide, the end left out where it is longer.
pub fn shorten(text: &str, columns: usize) -> String {
    let text = clean(text);
    let width = |c: char| c.width().unwrap_or(0);
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        if used + width(c) > columns || out.len() > columns * 8 {
            while used + 1 > columns
                && let Some(last) = out.pop()
            {
                used -= width(last);
            }
            out.push('…');
            return out;
        }
        used += width(c);
        out.push(c);
    }
    out
}

/// A name as it must be typed at the prompt or in a shell: quoted where it has to be.
pub fn in_quotes(name: &str) -> String {
    let name = clean(name);
    let plain = |c: char| c.is_alphanumeric() || "._-~+,:@%/".contains(c);
    if !name.is_empty() && name.chars().all(plain) && !name.starts_with('~') {
        return name.into_owned();
    }
    if name.contains('\'') {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{name}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left() {
        let check = |text: &str, expect: &str| assert_eq!(clean(text), expect, "{}", text.escape_debug());
        check("sunset.jpg", "sunset.jpg");
        check("Grüße 写真 🌅", "Grüße 写真 🌅");
        check("a\x1b[31mred\x1b[0m", "a[31mred[0m");
        check("a\x1b]0;title\x07b", "a]0;titleb");
        check("two\nlines\r\tand", "two lines  and");
        check("gpj.\u{202e}txt", "gpj.txt");
        check("\u{2066}x\u{2069}\u{200e}\u{200f}\u{61c}", "x");
        check("zero\u{200b}width\u{feff}", "zerowidth");
        check("c1\u{9b}31m", "c131m");
        check("nul\0del\u{7f}", "nuldel");
        check("tag\u{e0041}", "tag");
        check("sep\u{2028}ar", "sep ar");
    }

    #[test]
    fn long_texts_are_cut_but_not_what_was_said() {
        let (fits, long) = ("é".repeat(TEXT_MAX), "é".repeat(TEXT_MAX + 1));
        assert_eq!(clean(&fits), fits);
        assert_eq!(clean(&long), format!("{fits}…"));
        assert_eq!(whole(&long), long);
    }

    #[test]
    fn long_names_are_cut_by_columns() {
        let check = |text: &str, columns: usize, expect: &str| assert_eq!(shorten(text, columns), expect);
        check("short", 10, "short");
        check("exactly 10", 10, "exactly 10");
        check("eleven long", 10, "eleven lo…");
        check("写真写真", 5, "写真…");
        check("写真写真", 4, "写…");
        let zalgo = format!("e{}", "\u{301}".repeat(10_000));
        assert!(shorten(&zalgo, 20).len() < 200);
        assert!(shorten(&"x".repeat(10_000), 80).chars().count() == 80);
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let check = |name: &str, expect: &str| assert_eq!(in_quotes(name), expect);
        check("a.jpg", "a.jpg");
        check("a b.jpg", "'a b.jpg'");
        check("it's.jpg", "\"it's.jpg\"");
        check("写真.jpg", "写真.jpg");
        check("", "''");
        check("$(rm)", "'$(rm)'");
    }
}
