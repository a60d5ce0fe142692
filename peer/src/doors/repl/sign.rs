//! The prompt's text while somebody sits before it. Readline has no way to change a prompt that waits
//! (kkawakam/rustyline issue 417, pull request 772), so where the state changed, a drawing that no key caused leaves
//! readline by unwinding, with what was typed; the reader then asks anew with the new prompt in the same place.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is printed above the line so that it is drawn again: nothing, ended by the newline that a print must end with.
pub const AGAIN: &str = "\x1b[A\n";

/// A line in the making, cut at the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// Before the cursor.
    pub left: String,
    /// Behind it.
    pub right: String,
}

/// Why readline was left in the midst of a line, and the line.
#[derive(Debug)]
pub enum Left {
    /// The prompt is another one now.
    Drawing(Begun),
    /// Somebody pressed Ctrl-Z.
    Suspended(Begun),
}

/// The prompt as wanted and as drawn, and what readline is at.
#[derive(Debug, Default)]
pub struct Sign(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    wanted: String,
    drawn: String,
    /// The line when it was last looked at.
    empty: bool,
    /// Whether a key caused what is drawn next.
    by_key: bool,
    /// Whether what is drawn stands behind our prompt and not behind a search's.
    ours: bool,
}

impl Sign {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what is to be shown; whether it differs from what is.
    pub fn want(&self, prompt: String) -> bool {
        let mut shown = self.shown();
        shown.wanted = prompt;
        shown.wanted != shown.drawn
    }

    /// The prompt, drawn from now on.
    pub fn draw(&self) -> String {
        let mut shown = self.shown();
        shown.drawn = shown.wanted.clone();
        (shown.empty, shown.by_key, shown.ours) = (true, true, true);
        shown.drawn.clone()
    }

    /// Hears that a key changed the line.
    pub fn key(&self) {
        self.shown().by_key = true;
    }

    /// Hears of the line as it is now.
    pub fn line(&self, line: &str) {
        self.shown().empty = line.is_empty();
    }

    /// Hears whose prompt is drawn.
    pub fn prompt(&self, ours: bool) {
        self.shown().ours = ours;
    }

    /// Hears that the line is drawn; what to leave with, where no key asked for it and the prompt is an old one.
    pub fn drawing(&self, line: &str, cursor: usize) -> Option<Begun> {
        let mut shown = self.shown();
        let by_key = std::mem::replace(&mut shown.by_key, false);
        if by_key || !shown.ours || shown.wanted == shown.drawn {
            return None;
        }
        let (left, right) = line.split_at_checked(cursor)?;
        Some(Begun {
            left: left.to_owned(),
            right: right.to_owned(),
        })
    }

    /// Whether nothing is typed.
    pub fn line_is_empty(&self) -> bool {
        self.shown().empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_drawing_without_a_key_behind_an_old_prompt_is_left() {
        let sign = Sign::default();
        assert!(sign.want("a > ".into()));
        assert_eq!(sign.draw(), "a > ");
        assert_eq!(sign.drawing("", 0), None); // the first
        assert_eq!(sign.drawing("/li", 2), None); // nothing new
        assert!(sign.want("a (1 peer) > ".into()));
        sign.key();
        assert_eq!(sign.drawing("/lis", 4), None);
        sign.prompt(false);
        assert_eq!(sign.drawing("(search)", 0), None);
        sign.prompt(true);
        let begun = sign.drawing("/lés", 2).unwrap();
        assert_eq!((begun.left.as_str(), begun.right.as_str()), ("/l", "és"));
        assert_eq!(sign.drawing("é", 1), None); // within a character: none of readline's cursors
        assert!(sign.want("a (2 peers) > ".into()));
        assert_eq!(sign.draw(), "a (2 peers) > ");
        assert!(!sign.want("a (2 peers) > ".into()));
    }
}
