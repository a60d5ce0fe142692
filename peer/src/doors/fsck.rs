//! `fsck`: checks the home in this process, without a node.

use std::time::Duration;

use super::{Here, failed};
use crate::api::{Code, Failure, Progress, Reply};
use crate::cmd::names::Spelling;
use crate::node;
use crate::ui::{Meter, Ui};

/// How long a process that is just ending may keep the home.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Checks; the exit code.
pub fn run(here: &Here) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let mut meter = Meter::new(&ui);
    let checked = node::check(&here.settings.home.value, LOCK_WAIT, &mut |so_far| {
        meter.update(&Progress {
            doing: "checking".into(),
            done: so_far.checked,
            total: so_far.total,
            unit: "images".into(),
        });
        true
    });
    drop(meter);
    let checked = match checked {
        Ok(checked) => checked,
        Err(failure) => return failed(&ui, &failure),
    };
    let damaged = checked.rebuilt || !checked.bad_images.is_empty();
    if !damaged && checked.unreadable.is_empty() {
        return super::ended(ui.reply(&Reply::Checked(checked)));
    }
    let (message, hint) = match damaged {
        true => (
            "this home had damage; what was damaged is in bad/",
            "start calotype: it fetches what is missing from other members",
        ),
        false => ("some files cannot be read", "check the disk, then try again"),
    };
    failed(
        &ui,
        &Failure {
            reply: Some(Box::new(Reply::Checked(checked))),
            ..Failure::new(Code::Damaged, message, hint)
        },
    )
}
