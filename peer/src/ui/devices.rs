//! Pages about the machines of an account.

use super::table::{columns, left};
use super::{Page, Paint, human};
use crate::api::{Approved, Approving, Device, Devices, Escrow, Recovered, RecoveryWords, RevokedDevice};

const NAME_COLUMNS: usize = 32;
/// Recovery words on one line: short enough to be copied by hand without losing the place.
const WORDS_PER_LINE: usize = 6;

/// The words in numbered lines, and what they are for.
pub(super) fn words(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out = String::from(
        "\nThese 24 words bring your account back when all your devices are lost.\n\
         Write them down on paper, and show them to nobody: whoever has them is you.\n\n",
    );
    for (line, words) in words.chunks(WORDS_PER_LINE).enumerate() {
        let numbered: Vec<String> = words
            .iter()
            .zip(line * WORDS_PER_LINE + 1..)
            .map(|(word, number)| format!("{number:>2} {:<9}", super::clean(word)))
            .collect();
        out.push_str(&format!("  {}\n", numbered.join(" ").trim_end()));
    }
    out
}

pub(super) fn recovery_words(it: &RecoveryWords) -> Page {
    format!("{}\n", words(&it.recovery_words)).into()
}

pub(super) fn recovered(it: &Recovered) -> Page {
    let out = format!(
        "this home is a device of {} now: {} ({}), {}",
        super::clean(&it.user),
        super::shorten(&it.label, NAME_COLUMNS),
        human::brief(&it.device),
        match it.albums.len() {
            0 => "no albums yet".to_owned(),
            n => format!(
                "{}: {}",
                human::count(n as u64, "album", "albums"),
                human::several(&it.albums, 5)
            ),
        }
    );
    super::text::then(out, "/list, /devices; /revokeDevice ends a lost one")
}

pub(super) fn approving(it: &Approving) -> Page {
    let code = super::clean(&it.code);
    let at = match &it.central {
        Some(central) => format!("{code}@{}", super::clean(central)),
        None => code.to_string(),
    };
    let until = it.expires.get(..16).unwrap_or(&it.expires).replace('T', " ");
    Page {
        out: format!("{code}\n"),
        notes: format!(
            "on the other machine: calotype link {at}\nit becomes {}'s, with the same password. Until {} UTC, while this waits; a wrong \
             guess uses it up\n",
            super::clean(&it.user),
            super::clean(&until)
        ),
        next: None,
    }
}

pub(super) fn approved(it: &Approved) -> Page {
    let name = super::shorten(&it.label, NAME_COLUMNS);
    let out = format!(
        "{} ({}) is your device now",
        match name.is_empty() {
            true => "it".into(),
            false => name,
        },
        human::brief(&it.device)
    );
    super::text::then(out, "/devices; /revokeDevice ends it if that was not you")
}

pub(super) fn devices(it: &Devices, paint: Paint) -> Page {
    let rows: Vec<_> = it
        .devices
        .iter()
        .map(|device| {
            let state = left(state(device)).paint(|t| match t {
                "revoked" => paint.bad(t),
                "away" => paint.dim(t),
                _ => paint.good(t),
            });
            vec![
                left(super::shorten(
                    device.label.as_deref().unwrap_or("-"),
                    NAME_COLUMNS,
                ))
                .paint(|t| paint.bold(t)),
                left(human::brief(&device.device)),
                state,
                left(more(device)).paint(|t| paint.dim(t)),
            ]
        })
        .collect();
    Page {
        out: columns("", &rows),
        notes: match it.complete {
            true => String::new(),
            false => {
                "the central cannot be reached: devices that this one never met are missing\n".to_owned()
            }
        },
        next: Some("/approveDevice makes another machine yours".to_owned()),
    }
}

fn state(it: &Device) -> &'static str {
    match it {
        Device { revoked: true, .. } => "revoked",
        Device { here: true, .. } => "this one",
        Device { online: true, .. } => "online",
        _ => "away",
    }
}

fn more(it: &Device) -> String {
    if !it.unaware.is_empty() {
        return format!("not known yet in {}", human::several(&it.unaware, 3));
    }
    let seen = super::clean(it.last_seen.as_deref().unwrap_or_default());
    match seen.get(..16) {
        Some(minute) if !it.here => format!("seen {}", minute.replace('T', " ")),
        _ => String::new(),
    }
}

pub(super) fn revoked(it: &RevokedDevice) -> Page {
    let name = super::shorten(it.label.as_deref().unwrap_or("it"), NAME_COLUMNS);
    let out = format!(
        "{name} ({}) is your device no longer{}{}",
        human::brief(&it.device),
        match it.albums.is_empty() {
            true => String::new(),
            false => format!("; known in {}", human::several(&it.albums, 5)),
        },
        match it.announced {
            true => "",
            false => "; the central is told when it can be reached",
        }
    );
    super::text::then(out, "/devices")
}

pub(super) fn escrow(it: &Escrow) -> Page {
    let user = super::clean(&it.user);
    match it.escrow {
        true => Page {
            out: format!("name and password of {user} open the account on a new machine\n"),
            notes: "whoever runs the central, or steals its database, can try passwords against the sealed key at home: have a \
                    long one\n"
                .to_owned(),
            next: Some("/escrow off".to_owned()),
        },
        false => super::text::then(
            format!("the password of {user} opens nothing on a new machine; another device or the 24 words do"),
            "/recoveryWords, /escrow on",
        ),
    }
}
