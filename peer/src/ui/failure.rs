//! What went wrong, why, and the remedy last.

use super::{Paint, clean};
use crate::api::{Failed, Failure};
use crate::cmd::names::{self, Spelling};

/// `error: …` and `hint: …`, whole lines.
pub fn text(failure: &Failure, spelling: Spelling, paint: Paint) -> String {
    let say = |text: &str| clean(&names::respell(text, spelling)).into_owned();
    let mut out = format!("{} {}\n", paint.bad("error:"), say(&failure.message));
    if !failure.hint.is_empty() {
        out.push_str(&format!("{} {}\n", paint.warn("hint:"), say(&failure.hint)));
    }
    out
}

/// One file of a batch, whole line, in the prompt's spelling.
pub(super) fn of_file(failed: &Failed) -> String {
    let hint = if failed.hint.is_empty() {
        String::new()
    } else {
        format!("; {}", clean(&failed.hint))
    };
    let path = if failed.message.contains(&failed.path) {
        String::new()
    } else {
        format!("{}: ", clean(&failed.path))
    };
    format!("  {path}{}{hint}\n", clean(&failed.message))
}
