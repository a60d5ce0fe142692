//! Samples of what happened: the log, stories, the trash, what was undone.

use super::{EVIL, HASH, SOURCE, image};
use crate::api::*;

const AT: &str = "2026-11-21T08:30:00Z";
const ACTOR: &str = "q83vEjRWeJCrze8SNFZ4kA";

fn named(name: &str) -> Named {
    Named {
        name: name.into(),
        hash: HASH.into(),
        dot: (ACTOR.into(), 2),
        version_of: None,
        recipe: None,
    }
}

fn names(all: &[&str], count: u64) -> ImageNames {
    ImageNames {
        count,
        images: all.iter().map(|name| named(name)).collect(),
    }
}

fn version() -> ImageNames {
    let made = Named {
        version_of: Some(SOURCE.into()),
        recipe: Some(EVIL.into()),
        ..named("dusk.jpg")
    };
    ImageNames {
        count: 1,
        images: vec![made],
    }
}

fn entry(user: &str, did: Vec<Did>) -> LogEntry {
    LogEntry {
        id: HASH.into(),
        user: user.into(),
        device: SOURCE.into(),
        lamport: 7,
        at: Some(AT.into()),
        seen: None,
        did,
        held: None,
        undoes: None,
        undone_by: None,
    }
}

fn rated(stars: Option<u8>, before: Option<u8>) -> Did {
    Did::Rated {
        name: "sunset.jpg".into(),
        hash: HASH.into(),
        stars,
        before,
    }
}

fn log() -> Log {
    let import = names(&["a.jpg", "b.jpg", "c.jpg", "d.jpg"], 300);
    let timeless = |did| LogEntry {
        at: None,
        seen: Some("2026-11-21T08:31:00Z".into()),
        ..entry("alice", did)
    };
    Log {
        album: "trip".into(),
        entries: vec![
            LogEntry {
                undoes: Some(SOURCE.into()),
                ..timeless(vec![Did::Removed(import.clone())])
            },
            LogEntry {
                undoes: Some(SOURCE.into()),
                seen: None,
                ..timeless(vec![])
            },
            timeless(vec![Did::Restored(names(&["写真 1.jpg"], 1))]),
            timeless(vec![Did::Removed(names(&["a.jpg", "b.jpg"], 2))]),
            LogEntry {
                undone_by: Some(SOURCE.into()),
                ..entry("alice", vec![Did::Added(import)])
            },
            LogEntry {
                held: Some(format!("{EVIL} removed bob without having seen it")),
                ..entry(EVIL, vec![Did::Added(names(&[EVIL], 1))])
            },
            entry("bob", vec![Did::Added(version())]),
            entry(
                "bob",
                vec![
                    rated(Some(5), Some(3)),
                    rated(None, Some(5)),
                    rated(Some(0), None),
                ],
            ),
            entry(
                "alice",
                vec![
                    Did::Renamed {
                        name: Some(EVIL.into()),
                    },
                    Did::Renamed { name: None },
                    Did::Accepted { ops: 2 },
                    Did::Revoked {
                        device: SOURCE.into(),
                    },
                    Did::Other { count: 1 },
                ],
            ),
            entry(
                "alice",
                vec![Did::MemberChanged {
                    user: EVIL.into(),
                    role: "none".into(),
                }],
            ),
            entry(
                "alice",
                vec![Did::MemberChanged {
                    user: "bob".into(),
                    role: "viewer".into(),
                }],
            ),
            entry(
                "alice",
                vec![Did::MemberAdded {
                    user: "bob".into(),
                    role: "contributor".into(),
                }],
            ),
            entry("alice", vec![Did::Created { name: "trip".into() }]),
        ],
        offset: 0,
        more: true,
    }
}

fn event(kind: &str, user: &str) -> WhyEvent {
    WhyEvent {
        kind: kind.into(),
        header: HASH.into(),
        user: user.into(),
        device: SOURCE.into(),
        at: Some(AT.into()),
        ..WhyEvent::default()
    }
}

fn dot(user: &str, seq: u64) -> Dot {
    Dot {
        dot: (ACTOR.into(), seq),
        header: HASH.into(),
        user: user.into(),
    }
}

fn added(user: &str, seq: u64, live: bool) -> WhyEvent {
    WhyEvent {
        dot: Some((ACTOR.into(), seq)),
        live: Some(live),
        name: Some(EVIL.into()),
        size: Some(1_250_000),
        ..event("added", user)
    }
}

fn why(here: bool, events: Vec<WhyEvent>) -> Why {
    Why {
        album: "trip".into(),
        name: "sunset.jpg".into(),
        hash: HASH.into(),
        here,
        events,
        same_name: vec![],
    }
}

fn story() -> Why {
    let removed = WhyEvent {
        at: None,
        seen: Some(AT.into()),
        saw: vec![dot("alice", 2)],
        missed: vec![dot(EVIL, 3)],
        ..event("removed", "carol")
    };
    let held = WhyEvent {
        held: Some("it needs contributor, and dave was viewer".into()),
        ..added("dave", 4, false)
    };
    let rated = |live| WhyEvent {
        stars: Some(4),
        live: Some(live),
        dot: Some((ACTOR.into(), 5)),
        ..event("rated", "bob")
    };
    let versioned = WhyEvent {
        live: Some(false),
        name: Some("dusk.jpg".into()),
        recipe: Some("sepia".into()),
        dot: Some((ACTOR.into(), 6)),
        ..event("versioned", "bob")
    };
    let unrated = WhyEvent {
        at: None,
        saw: vec![dot("bob", 5)],
        ..event("unrated", "bob")
    };
    let made = WhyEvent {
        version_of: Some(SOURCE.into()),
        source: Some("sunset.jpg".into()),
        recipe: Some("sepia".into()),
        ..added("alice", 2, false)
    };
    let events = vec![
        made,
        rated(false),
        rated(true),
        unrated,
        versioned,
        removed,
        added(EVIL, 3, true),
        held,
    ];
    Why {
        same_name: vec![SOURCE.into()],
        ..why(true, events)
    }
}

pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    let album = || "trip".to_owned();
    let left = |name: &str, why: &str| LeftEntry {
        name: name.into(),
        hash: HASH.into(),
        why: why.into(),
    };
    let undone = |undone: LogEntry, did, left| {
        Reply::Undone(Box::new(Undone {
            album: album(),
            id: SOURCE.into(),
            undone,
            did,
            left,
        }))
    };
    let gone = |name: &str, local: bool| TrashEntry {
        name: name.into(),
        hash: HASH.into(),
        size: 1_250_000,
        author: name.into(),
        added: AT.into(),
        removed_by: "bob".into(),
        removed: local.then(|| AT.into()),
        removal: SOURCE.into(),
        version_of: None,
        recipe: (!local).then(|| "sepia".into()),
        local,
    };
    let removal = WhyEvent {
        saw: vec![dot("alice", 2)],
        ..event("removed", "bob")
    };
    let back = WhyEvent {
        kind: "restored".into(),
        at: None,
        ..added("carol", 4, true)
    };
    let held = WhyEvent {
        held: Some("alice removed bob without having seen it".into()),
        ..added("bob", 2, false)
    };
    let import = names(&["a.jpg", "b.jpg"], 300);
    vec![
        ("log", Reply::Log(log())),
        (
            "no log",
            Reply::Log(Log {
                album: album(),
                entries: vec![],
                offset: 0,
                more: false,
            }),
        ),
        ("why here", Reply::Why(story())),
        (
            "why gone",
            Reply::Why(why(false, vec![added("alice", 2, false), removal.clone()])),
        ),
        (
            "why back",
            Reply::Why(why(true, vec![added("alice", 2, false), removal, back])),
        ),
        ("why held", Reply::Why(why(false, vec![held]))),
        (
            "undone",
            undone(
                entry("alice", vec![Did::Added(import.clone())]),
                vec![Did::Removed(import.clone())],
                vec![
                    left(EVIL, "gone"),
                    left("b.jpg", "here"),
                    left("c.jpg", "unwanted"),
                ],
            ),
        ),
        (
            "undone rating",
            undone(
                entry("alice", vec![rated(Some(5), Some(3))]),
                vec![rated(Some(3), Some(5))],
                vec![],
            ),
        ),
        (
            "undone undo",
            undone(
                LogEntry {
                    undoes: Some(HASH.into()),
                    ..entry("alice", vec![Did::Removed(import.clone())])
                },
                vec![Did::Restored(import)],
                vec![],
            ),
        ),
        (
            "undone, nothing left",
            undone(
                entry("alice", vec![Did::Added(names(&["a.jpg"], 1))]),
                vec![],
                vec![left("a.jpg", "gone")],
            ),
        ),
        (
            "trash",
            Reply::Trash(Trash {
                album: album(),
                images: vec![gone("sunset.jpg", true), gone(EVIL, false)],
                offset: 0,
                total: 2,
            }),
        ),
        (
            "a page of the trash",
            Reply::Trash(Trash {
                album: album(),
                images: vec![gone("sunset.jpg", true)],
                offset: 40,
                total: 1_000,
            }),
        ),
        (
            "behind the end of the trash",
            Reply::Trash(Trash {
                album: album(),
                images: vec![],
                offset: 40,
                total: 2,
            }),
        ),
        (
            "empty trash",
            Reply::Trash(Trash {
                album: album(),
                images: vec![],
                offset: 0,
                total: 0,
            }),
        ),
        (
            "restored",
            Reply::Restored(Restored {
                album: album(),
                restored: vec![
                    image("sunset.jpg", HASH),
                    ImageEntry {
                        local: false,
                        ..image(EVIL, HASH)
                    },
                ],
            }),
        ),
    ]
}
