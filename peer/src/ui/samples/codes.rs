//! Samples of codes that let people in, and what is told of them.

use super::{EVIL, HASH, SOURCE};
use crate::api::{Invite, InviteEntry, Invites, Joined, News, Reply, Session};

/// Each kind of them.
pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    vec![
        ("invite", Reply::Invite(invite(None))),
        (
            "invite, a central elsewhere",
            Reply::Invite(invite(Some("server:7440"))),
        ),
        ("invites", Reply::Invites(invites())),
        ("invites, none", Reply::Invites(Invites { invites: vec![] })),
        ("joined", Reply::Joined(Box::new(joined("contributor", false)))),
        (
            "joined, a viewer",
            Reply::Joined(Box::new(joined("viewer", true))),
        ),
        (
            "joined, a curator",
            Reply::Joined(Box::new(Joined {
                album: EVIL.into(),
                owner: EVIL.into(),
                by: EVIL.into(),
                ..joined("curator", false)
            })),
        ),
    ]
}

/// Each kind of news.
pub(super) fn news() -> Vec<News> {
    vec![
        News::CodeUsed {
            number: 7,
            user: "bob".into(),
        },
        News::CodeBurnt { number: 7 },
    ]
}

fn invite(central: Option<&str>) -> Invite {
    Invite {
        code: "7-carpet-monkey-lamp".into(),
        number: 7,
        album: "trip".into(),
        role: "contributor".into(),
        expires: "2026-11-22T08:30:00.250Z".into(),
        central: central.map(str::to_owned),
    }
}

fn invites() -> Invites {
    let entry = |number: u32, state: &str, user: Option<&str>| InviteEntry {
        number,
        code: matches!(state, "open" | "taken").then(|| format!("{number}-carpet-monkey-lamp")),
        album: "trip".into(),
        role: "contributor".into(),
        state: state.into(),
        expires: "2026-11-22T08:30:00.250Z".into(),
        user: user.map(str::to_owned),
    };
    Invites {
        invites: vec![
            entry(7, "open", None),
            entry(8, "taken", None),
            entry(9, "used", Some("bob")),
            entry(10, "burnt", None),
            entry(11, "closed", None),
            entry(12, "expired", None),
            InviteEntry {
                album: EVIL.into(),
                ..entry(13, "used", Some(EVIL))
            },
        ],
    }
}

fn joined(role: &str, registered: bool) -> Joined {
    let session = Session {
        user: "bob".into(),
        user_id: HASH.into(),
        device: SOURCE.into(),
        central: "127.0.0.1:7400".into(),
        registered,
        recovery_words: None,
    };
    Joined {
        album: "trip".into(),
        album_id: HASH.into(),
        owner: "alice".into(),
        by: "carol".into(),
        role: role.into(),
        members: 3,
        images: 12,
        session: registered.then_some(session),
    }
}
