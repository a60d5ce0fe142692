//! The page of what is held.

use super::{Page, Paint, human};
use crate::api::{Held, HeldAct, HeldEntry};

const NAME_COLUMNS: usize = 60;

/// `2 images, 1 rating`
fn what(these: &[HeldEntry]) -> String {
    let sum = |of: fn(&HeldEntry) -> u64| these.iter().map(of).fold(0, u64::saturating_add);
    let kinds = [
        (sum(|it| it.images), "image", "images"),
        (sum(|it| it.ratings), "rating", "ratings"),
        (sum(|it| it.chat), "chat line", "chat lines"),
        (sum(|it| it.removals), "removal", "removals"),
        (sum(|it| it.members), "change of members", "changes of members"),
        (sum(|it| it.other), "other thing", "other things"),
    ];
    let some = kinds.into_iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<String> = some
        .map(|(count, one, many)| human::count(count, one, many))
        .collect();
    parts.join(", ")
}

fn entry(it: &HeldEntry, paint: Paint) -> String {
    let at = it
        .at
        .as_deref()
        .and_then(|at| at.get(..16))
        .unwrap_or("")
        .replace('T', " ");
    let names = match it.names.len() {
        0 => String::new(),
        _ => format!(": {}", human::several(&it.names, 3)),
    };
    let mark = match it.state.as_str() {
        "accepted" => " (accepted)",
        "dropped" => " (dropped here)",
        _ => "",
    };
    let (id, at) = (human::brief(&it.id), super::clean(&at).into_owned());
    let line = format!(
        "  {id}  {at:<16}  {}{names}{mark}\n",
        what(std::slice::from_ref(it))
    );
    let why = format!("{:12}{}\n", "", super::shorten(&it.why, 200));
    format!("{line}{}", paint.dim(&why))
}

pub(super) fn page(it: &Held, paint: Paint) -> Page {
    let album = super::clean(&it.album);
    let mut out = String::new();
    for group in it.held.chunk_by(|a, b| a.user_id == b.user_id) {
        if let Some(first) = group.first() {
            let user = super::shorten(&first.user, NAME_COLUMNS);
            out.push_str(&format!("{}: {}\n", paint.bold(&user), what(group)));
        }
        group.iter().for_each(|one| out.push_str(&entry(one, paint)));
    }
    let commands = |count| human::count(count, "command", "commands");
    let left = |state: &str| it.held.iter().filter(|one| one.state != state).count() as u64;
    let mut notes = String::new();
    let mut next = None;
    match it.act {
        HeldAct::List => {
            if it.held.is_empty() {
                notes = format!("nothing is held in {album}\n");
            } else if let Some(one) = it.held.iter().find(|one| one.accept.is_some()) {
                let who = super::in_quotes(&one.user);
                next = Some(format!("/held accept {who}, /held drop {who}"));
            }
            if it.dropped > 0 {
                notes.push_str(&format!(
                    "{} dropped here; /held --all lists them too\n",
                    commands(it.dropped)
                ));
            }
        }
        HeldAct::Accept => match left("accepted") {
            0 => {
                notes = format!(
                    "accepted {} of {album}, for everybody\n",
                    commands(it.held.len() as u64)
                )
            }
            n => notes = format!("{} still held: see why\n", commands(n)),
        },
        HeldAct::Drop => {
            notes = format!(
                "{} set aside here; others still have them, and an accept brings them back\n",
                commands(it.held.len() as u64)
            );
            next = Some("/held --all".to_owned());
        }
    }
    Page { out, notes, next }
}
