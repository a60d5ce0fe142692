//! Samples of an account and its machines.

use super::{EVIL, HASH, SOURCE};
use crate::api::*;

pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    let words = || ["legal winner thank year wave sausage worth useful"; 3].join(" ");
    let session = |registered: bool| {
        Reply::Session(Session {
            user: "alice".into(),
            user_id: HASH.into(),
            device: SOURCE.into(),
            central: "127.0.0.1:7400".into(),
            registered,
            recovery_words: registered.then(words),
        })
    };
    let recovered = |albums: &[&str]| {
        Reply::Recovered(Recovered {
            user: "alice".into(),
            user_id: HASH.into(),
            device: SOURCE.into(),
            label: "desk".into(),
            central: "127.0.0.1:7400".into(),
            albums: albums.iter().map(|name| (*name).to_owned()).collect(),
        })
    };
    let approving = |central: Option<&str>| {
        Reply::Approving(Approving {
            user: "alice".into(),
            code: "7-carpet-monkey-lamp".into(),
            expires: "2026-11-21T08:30:00Z".into(),
            central: central.map(str::to_owned),
        })
    };
    let approved = |label: &str| {
        Reply::Approved(Approved {
            label: label.into(),
            device: SOURCE.into(),
        })
    };
    let device = |label: Option<&str>, device: &str| Device {
        label: label.map(str::to_owned),
        device: device.into(),
        here: false,
        online: false,
        last_seen: None,
        revoked: false,
        unaware: vec![],
    };
    let devices = vec![
        Device {
            here: true,
            online: true,
            ..device(Some("desk"), HASH)
        },
        Device {
            online: true,
            last_seen: Some("2026-11-21T08:30:00Z".into()),
            ..device(Some("laptop"), SOURCE)
        },
        device(None, SOURCE),
        Device {
            last_seen: Some(EVIL.into()),
            revoked: true,
            unaware: vec!["trip".into(), EVIL.into()],
            ..device(Some(EVIL), EVIL)
        },
    ];
    let list = |devices: &[Device], complete| {
        Reply::Devices(Devices {
            user: "alice".into(),
            devices: devices.to_vec(),
            complete,
        })
    };
    let escrow = |escrow| {
        Reply::Escrow(Escrow {
            user: "alice".into(),
            escrow,
        })
    };
    let revoked = |label: Option<&str>, albums: &[&str], announced| {
        Reply::Revoked(RevokedDevice {
            label: label.map(str::to_owned),
            device: SOURCE.into(),
            albums: albums.iter().map(|name| (*name).to_owned()).collect(),
            announced,
        })
    };
    vec![
        ("registered", session(true)),
        ("logged in", session(false)),
        ("recovered", recovered(&["trip", EVIL])),
        ("recovered, no albums", recovered(&[])),
        ("approving", approving(None)),
        ("approving at a central", approving(Some("server:7440"))),
        ("approving, hostile", approving(Some(EVIL))),
        ("approved", approved("laptop")),
        ("approved without a label", approved("")),
        ("approved, hostile", approved(EVIL)),
        (
            "recovery words",
            Reply::RecoveryWords(RecoveryWords {
                user: "alice".into(),
                recovery_words: words(),
            }),
        ),
        ("escrow", escrow(true)),
        ("no escrow", escrow(false)),
        ("devices", list(&devices, true)),
        ("devices without the central", list(&devices[..1], false)),
        ("revoked", revoked(Some("laptop"), &["trip", "home"], true)),
        ("revoked, central away", revoked(None, &[], false)),
        ("revoked, hostile", revoked(Some(EVIL), &[EVIL], true)),
    ]
}
