//! Samples about people: who is a member, who became one, whose role changed.

use super::{EVIL, HASH, SOURCE};
use crate::api::{Held, HeldAct, HeldEntry, Member, Members, Membership, News, Reply, SafetyWords};

fn membership(user: &str, was: &str, role: &str, announced: bool) -> Reply {
    Reply::Membership(Membership {
        album: "trip".into(),
        user: user.into(),
        role: role.into(),
        was: was.into(),
        announced,
    })
}

fn member(user: &str, role: &str, by: Option<&str>, images: u64) -> Member {
    Member {
        user: user.into(),
        user_id: HASH.into(),
        role: role.into(),
        verified: images == 1,
        online: true,
        added_by: by.map(str::to_owned),
        added: Some("2026-11-20T18:12:44.123Z".into()),
        images,
    }
}

fn held(user: &str, state: &str, accept: Option<&str>) -> HeldEntry {
    HeldEntry {
        id: HASH.into(),
        user: user.into(),
        user_id: user.into(),
        device: SOURCE.into(),
        at: accept.map(|_| "2026-11-21T08:30:00Z".into()),
        why: format!("alice removed {user} without having seen it"),
        accept: accept.map(str::to_owned),
        state: state.into(),
        images: 4,
        ratings: u64::from(accept.is_some()),
        chat: 0,
        removals: 0,
        members: 0,
        other: 0,
        names: ["a.jpg", "b.jpg", EVIL, "d.jpg"].map(str::to_owned).to_vec(),
    }
}

fn safety_words(user: &str, verified: bool, changed: Option<&str>) -> Reply {
    Reply::SafetyWords(SafetyWords {
        user: user.into(),
        user_id: HASH.into(),
        words: crate::words::safety(&crdt::id::UserId([1; 32]), &crdt::id::UserId([2; 32]))
            .split(' ')
            .map(str::to_owned)
            .collect(),
        verified,
        changed: changed.map(str::to_owned),
    })
}

fn all_held(act: HeldAct, held: Vec<HeldEntry>, dropped: u64) -> Reply {
    Reply::Held(Held {
        album: "trip".into(),
        act,
        held,
        dropped,
    })
}

/// Each kind of reply.
pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    vec![
        ("member", membership("bob", "none", "contributor", true)),
        (
            "member, no central",
            membership("bob", "none", "contributor", false),
        ),
        (
            "member already",
            membership("bob", "contributor", "contributor", true),
        ),
        ("raised", membership("bob", "viewer", "curator", true)),
        ("lowered", membership("bob", "curator", "viewer", false)),
        ("no member", membership(EVIL, "contributor", "none", true)),
        ("safety words", safety_words("bob", false, None)),
        ("safety words, compared", safety_words("bob", true, None)),
        (
            "safety words, another key",
            safety_words(EVIL, false, Some(SOURCE)),
        ),
        ("held, nothing", all_held(HeldAct::List, vec![], 0)),
        (
            "held",
            all_held(
                HeldAct::List,
                vec![
                    held("bob", "held", Some("curator")),
                    held("bob", "dropped", Some("owner")),
                    held(EVIL, "held", None),
                ],
                2,
            ),
        ),
        (
            "held, accepted",
            all_held(HeldAct::Accept, vec![held("bob", "accepted", Some("curator"))], 0),
        ),
        (
            "held, accepted in part",
            all_held(
                HeldAct::Accept,
                vec![
                    held("bob", "accepted", Some("curator")),
                    held("bob", "held", Some("owner")),
                ],
                0,
            ),
        ),
        (
            "held, dropped",
            all_held(HeldAct::Drop, vec![held("bob", "dropped", Some("curator"))], 0),
        ),
        (
            "members",
            Reply::Members(Members {
                album: "trip".into(),
                owner: "alice".into(),
                members: vec![
                    member("alice", "owner", None, 1203),
                    member("bob", "contributor", Some("alice"), 1),
                    Member {
                        online: false,
                        added: None,
                        ..member(EVIL, EVIL, Some(EVIL), 0)
                    },
                ],
            }),
        ),
    ]
}

/// Each kind of news.
pub(super) fn news() -> Vec<News> {
    let s = str::to_owned;
    let changed = |was: &str, role: &str, mine| News::RoleChanged {
        user: s("bob"),
        role: s(role),
        was: s(was),
        by: s("alice"),
        mine,
    };
    vec![
        News::MemberAdded {
            user: s("bob"),
            role: s("contributor"),
            by: s("alice"),
        },
        News::MemberRemoved {
            user: s("bob"),
            by: s("alice"),
        },
        changed("contributor", "viewer", true),
        changed("viewer", "curator", false),
        changed("viewer", EVIL, true),
        News::Invited {
            by: s("alice"),
            owner: s("alice"),
        },
        News::Uninvited { by: s("alice") },
        News::Held {
            user: s("mallory"),
            count: 2,
            images: 0,
            why: s(EVIL),
        },
        News::Held {
            user: s("bob"),
            count: 1,
            images: 3,
            why: s("alice removed bob without having seen it"),
        },
    ]
}
