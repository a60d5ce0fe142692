//! What went wrong, why, and the remedy last.

use super::{Paint, clean};
use crate::api::{Failed, Failure, NotMade};
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
    of_one(&failed.path, &failed.message, &failed.hint)
}

/// One image of a batch, likewise.
pub(super) fn of_image(failed: &NotMade) -> String {
    of_one(&failed.source, &failed.message, &failed.hint)
}

fn of_one(name: &str, message: &str, hint: &str) -> String {
    let hint = if hint.is_empty() {
        String::new()
    } else {
        format!("; {}", clean(hint))
    };
    let name = if message.contains(name) {
        String::new()
    } else {
        format!("{}: ", clean(name))
    };
    format!("  {name}{}{hint}\n", clean(message))
}
