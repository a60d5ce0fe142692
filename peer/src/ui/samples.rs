//! One reply, failure and notice of each kind, hostile text included: what the goldens show.

use crate::api::*;

mod codes;
mod devices;
mod history;
mod inside;
mod look;
mod meet;
mod people;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const SOURCE: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
/// Escape, bell, right-to-left override, line end: what nobody should be able to send to a terminal.
pub(super) const EVIL: &str = "e\x1b[2J\x07v\u{202e}gpj.\nil";

pub(super) fn image(name: &str, hash: &str) -> ImageEntry {
    ImageEntry {
        name: name.into(),
        hash: hash.into(),
        size: 1_250_000,
        width: Some(4000),
        height: Some(3000),
        media: Some("image/jpeg".into()),
        author: "alice".into(),
        added: "2026-11-21T08:00:00Z".into(),
        taken: Some("2026-11-20T18:12:44".into()),
        rating: Rating {
            mean: Some(4.5),
            count: 2,
            mine: Some(5),
        },
        version_of: None,
        source: None,
        recipe: None,
        verified: None,
        damaged: false,
        local: true,
        state: "ready".into(),
    }
}

fn images() -> Vec<ImageEntry> {
    let unrated = Rating {
        mean: None,
        count: 0,
        mine: None,
    };
    vec![
        image("sunset.jpg", SOURCE),
        ImageEntry {
            version_of: Some(SOURCE.into()),
            source: Some("sunset.jpg".into()),
            recipe: Some("sepia+blur:2".into()),
            verified: Some(true),
            author: "bob".into(),
            size: 980,
            taken: None,
            ..image("sunset.jpg~9f86d0", HASH)
        },
        ImageEntry {
            width: None,
            height: None,
            media: None,
            taken: None,
            rating: unrated,
            local: false,
            state: "missing".into(),
            ..image("写真 1.jpg", HASH)
        },
        ImageEntry {
            author: EVIL.into(),
            media: Some(EVIL.into()),
            state: EVIL.into(),
            damaged: true,
            ..image(EVIL, EVIL)
        },
    ]
}

/// Every kind of reply.
pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    let album = || "trip".to_owned();
    let evil = || EVIL.to_owned();
    let member = |user: &str, role: &str, online| MemberEntry {
        user: user.into(),
        role: role.into(),
        online,
    };
    let line = |user: &str, text: &str| ChatLine {
        album: album(),
        user: user.into(),
        at: "2026-11-21T08:30:00Z".into(),
        text: text.into(),
    };
    let entered = |created| {
        Reply::Entered(Entered {
            album: album(),
            album_id: HASH.into(),
            owner: "alice".into(),
            role: if created { "owner" } else { "contributor" }.into(),
            members: 3,
            images: 12,
            created,
        })
    };
    let added = |n: usize, failed: usize| {
        let failure = Failed {
            path: "/home/alice/notes.txt".into(),
            code: Code::NotAnImage,
            message: "notes.txt is no image that calotype knows".into(),
            hint: "it takes JPEG, PNG, GIF, WebP, BMP and TIFF".into(),
        };
        Reply::Added(Added {
            album: album(),
            added: images().into_iter().take(n).collect(),
            already: vec![Already {
                path: format!("/home/{EVIL}/a.jpg"),
                name: "sunset.jpg".into(),
                hash: HASH.into(),
            }],
            failed: vec![failure; failed],
            stripped: vec![format!("/home/{EVIL}/b.jpg"); n.min(1)],
            skipped: 2,
            left: 0,
        })
    };
    let albums = Albums {
        albums: vec![
            AlbumEntry {
                name: album(),
                album_id: HASH.into(),
                owner: "alice".into(),
                role: "owner".into(),
                here: true,
                current: true,
                images: Some(12),
            },
            AlbumEntry {
                name: EVIL.into(),
                album_id: SOURCE.into(),
                owner: EVIL.into(),
                role: "contributor".into(),
                here: false,
                current: false,
                images: None,
            },
        ],
    };
    let peer = |user: &str, state: &str| PeerEntry {
        user: user.into(),
        device: SOURCE.into(),
        label: (state == "linked").then(|| "laptop".into()),
        address: (state == "linked").then(|| "127.0.0.1:4000".into()),
        state: state.into(),
        albums: vec![album()],
        bytes_in: 1_000_000,
        bytes_out: 2_000,
        last_seen: (state != "blocked").then(|| "2026-11-21T08:30:00.250Z".into()),
        rtt_ms: (state == "linked").then_some(0.42),
        lag: vec![],
    };
    let lag = |album: &str, state: &str, missing: Option<(u64, u64)>| Lag {
        album: album.into(),
        state: state.into(),
        missing_here: missing.map(|missing| missing.0),
        missing_there: missing.map(|missing| missing.1),
    };
    let linked = |lag: Vec<Lag>| PeerEntry {
        lag,
        ..peer("bob", "linked")
    };
    let synced = |ok, compared: &[&str]| {
        Reply::Synced(Synced {
            album: album(),
            synced: ok,
            digest: HASH.into(),
            compared: compared.iter().map(|name| (*name).to_owned()).collect(),
            pending_images: u64::from(!ok),
        })
    };
    let list = |images, offset, total, in_album| {
        Reply::Images(Images {
            album: album(),
            images,
            total,
            offset,
            in_album,
            held: 0,
        })
    };
    let filtered = |new| {
        Reply::Filtered(Filtered {
            album: album(),
            image: images()[1].clone(),
            source: "sunset.jpg".into(),
            new,
        })
    };
    let filtered_many = |made: usize, failed: usize, left: u64| {
        let failure = NotMade {
            source: EVIL.into(),
            code: Code::NotFound,
            message: "its bytes are not here yet".into(),
            hint: "/sync brings what linked members hold".into(),
        };
        Reply::FilteredMany(FilteredMany {
            album: album(),
            recipe: "sepia".into(),
            made: images().into_iter().skip(1).take(made).collect(),
            already: vec![
                MadeBefore {
                    source: "a.jpg".into(),
                    name: format!("a{EVIL}.jpg"),
                    hash: HASH.into(),
                };
                failed
            ],
            failed: vec![failure; failed],
            total: (made + 2 * failed) as u64 + left,
            left,
        })
    };
    let rating = |mine| Rating {
        mean: Some(4.5),
        count: 2,
        mine,
    };
    let mut all = vec![
        (
            "done",
            Reply::Done(Done {
                done: format!("blocked {EVIL}"),
            }),
        ),
        ("albums", Reply::Albums(albums)),
        ("no albums", Reply::Albums(Albums { albums: vec![] })),
        ("created", entered(true)),
        ("entered", entered(false)),
        ("images", list(images(), 0, 4, 4)),
        ("no images", list(vec![], 0, 0, 0)),
        ("a page of images", list(images(), 40, 1203, 20_000)),
        ("the last page of images", list(images(), 1199, 1203, 20_000)),
        ("no image that fits", list(vec![], 0, 0, 20_000)),
        ("images past the end", list(vec![], 2000, 1203, 20_000)),
        (
            "metadata",
            Reply::Metadata(Metadata {
                album: evil(),
                album_id: HASH.into(),
                owner: "alice".into(),
                members: vec![member("alice", "owner", true), member(EVIL, "contributor", false)],
                images: images(),
                total: 4,
                offset: 0,
                in_album: 4,
                held: 2,
            }),
        ),
        ("or-set", Reply::OrSet(inside::or_set())),
        ("or-set of an empty album", Reply::OrSet(OrSet::default())),
        ("added", added(3, 0)),
        ("added in part", added(1, 1)),
        (
            "removed",
            Reply::Removed(Removed {
                album: album(),
                name: evil(),
                hash: HASH.into(),
            }),
        ),
        (
            "rated",
            Reply::Rated(Rated {
                album: album(),
                name: "sunset.jpg".into(),
                rating: rating(Some(5)),
            }),
        ),
        (
            "rating taken back",
            Reply::Rated(Rated {
                album: album(),
                name: "sunset.jpg".into(),
                rating: rating(None),
            }),
        ),
        ("filtered", filtered(true)),
        ("filtered before", filtered(false)),
        ("filtered many", filtered_many(2, 0, 0)),
        ("filtered many in part", filtered_many(1, 1, 0)),
        ("filtered many until stopped", filtered_many(1, 0, 39)),
        ("filtered none", filtered_many(0, 0, 0)),
        ("verified", verified(Some(true), None, None)),
        (
            "other pixels",
            verified(
                Some(false),
                Some(Differs::Pixels),
                Some("the pixels are those of grayscale: the step blur:2 is missing; so is its file".into()),
            ),
        ),
        ("another file", verified(Some(false), Some(Differs::File), None)),
        (
            "a recipe that gives nothing",
            verified(Some(false), Some(Differs::Recipe), Some(evil())),
        ),
        ("not to be verified here", verified(None, None, Some(evil()))),
        ("said", Reply::Said(line("alice", "hello"))),
        (
            "chat",
            Reply::Chat(Chat {
                album: album(),
                lines: vec![line("alice", "hello"), line(EVIL, EVIL)],
                total: 2,
            }),
        ),
        (
            "the newest chat",
            Reply::Chat(Chat {
                album: album(),
                lines: vec![line("alice", "hello")],
                total: 1203,
            }),
        ),
        (
            "no chat",
            Reply::Chat(Chat {
                album: album(),
                lines: vec![],
                total: 0,
            }),
        ),
        (
            "away",
            Reply::Away(Away {
                album: album(),
                images: 12,
                images_by: vec!["bob".into()],
                ratings: 3,
                chat: 2,
                ..Away::default()
            }),
        ),
        (
            "away for long",
            Reply::Away(Away {
                album: album(),
                images: 1203,
                images_by: vec!["bob".into(), "carol".into(), evil(), "dave".into()],
                removed: 1,
                removed_by: vec![evil()],
                ratings: 1,
                chat: 1,
                members: vec!["carol".into(), evil()],
            }),
        ),
        (
            "nothing happened",
            Reply::Away(Away {
                album: album(),
                ..Away::default()
            }),
        ),
        (
            "peers",
            Reply::Peers(Peers {
                peers: vec![
                    linked(vec![lag("trip", "in-step", Some((0, 0)))]),
                    linked(vec![
                        lag("trip", "in-step", Some((0, 0))),
                        lag(EVIL, "apart", Some((12, 1203))),
                        lag("home", "apart", Some((1, 0))),
                    ]),
                    linked(vec![lag("trip", "unknown", None)]),
                    linked(vec![lag("trip", "apart", Some((0, 0)))]),
                    peer("carol", "connecting"),
                    peer(EVIL, "away"),
                    peer("carol", "blocked"),
                ],
            }),
        ),
        ("no peers", Reply::Peers(Peers { peers: vec![] })),
        ("status", inside::status(Vec::new())),
        (
            "status, filters fail",
            inside::status(vec!["calotype-2: sepia of RGB comes out otherwise".into()]),
        ),
        ("net", Reply::Net(inside::net())),
        ("net, nothing yet", Reply::Net(Net::default())),
        ("synced", synced(true, &["bob", "carol"])),
        ("synced alone", synced(true, &[])),
        ("not synced", synced(false, &["bob"])),
        ("nobody reached", synced(false, &[])),
        (
            "exported",
            Reply::Exported(Exported {
                album: album(),
                dir: "/home/alice/out".into(),
                written: 12,
                already: 3,
                missing: vec!["写真 1.jpg".into(), evil()],
            }),
        ),
        (
            "saved",
            Reply::Saved(Saved {
                name: evil(),
                path: "/home/alice/sunset.jpg".into(),
                size: 1_250_000,
            }),
        ),
        (
            "applied",
            Reply::Applied(Applied {
                path: format!("/home/alice/{}", evil()),
                size: 1_250_000,
                recipe: "grayscale+blur:2".into(),
                width: 4000,
                height: 3000,
                megapixels: 12.0,
                pixel_hash: HASH.into(),
                pixel_engine: "zune-jpeg-0.5.15/calotype-1".into(),
                encoder: "jpeg-encoder-0.7.1/q92-444".into(),
                damaged: Some(evil()),
                decode_ms: 91.25,
                filter_ms: 52.5,
                encode_ms: 140.125,
                peak_bytes: Some(81_920_000),
            }),
        ),
        ("checked, nothing found", Reply::Checked(checked())),
        (
            "checked, damaged",
            Reply::Checked(Checked {
                bad_images: vec!["5a".repeat(32)],
                unreadable: vec![Unreadable {
                    hash: "6b".repeat(32),
                    why: "Input/output error".into(),
                }],
                strays: vec![format!("/home/alice/blobs/{}", evil())],
                bad_ops: 2,
                bad_settings: vec![format!("devices/{}", evil())],
                rebuilt: true,
                problems: vec!["row 7 missing from index ops_in_order".into()],
                stopped: true,
                ..checked()
            }),
        ),
        (
            "prompt",
            Reply::Prompt(Prompt {
                user: Some("alice".into()),
                central: "none".into(),
                ..Prompt::default()
            }),
        ),
        (
            "details",
            Reply::Details(Box::new(Details {
                album: album(),
                image: images().remove(1),
                source: images().into_iter().next(),
                versions: vec![image(EVIL, HASH)],
                ratings: vec![
                    Stars {
                        user: evil(),
                        stars: 5,
                    },
                    Stars {
                        user: "bob".into(),
                        stars: 0,
                    },
                ],
            })),
        ),
        (
            "gallery",
            Reply::Gallery(Gallery {
                album: evil(),
                url: "http://127.0.0.1:40001/?token=9f86d081884c7d659a2feaa0c55ad015".into(),
            }),
        ),
        (
            "shown",
            Reply::Shown(Shown {
                recipe: None,
                album: album(),
                image: Picture {
                    name: "dusk.jpg".into(),
                    width: Some(768),
                    height: Some(512),
                    recipe: Some(evil()),
                    path: format!("/home/{EVIL}/blobs/00"),
                    preview: true,
                },
                source: Some(Picture {
                    name: evil(),
                    width: None,
                    height: None,
                    recipe: None,
                    path: "/home/alice/blobs/01".into(),
                    preview: false,
                }),
            }),
        ),
        (
            "names",
            Reply::Names(Names {
                names: vec!["sunset.jpg".into(), evil()],
            }),
        ),
    ];
    all.extend(devices::replies());
    all.extend(people::replies());
    all.extend(look::replies());
    all.extend(meet::replies());
    all.extend(history::replies());
    all.extend(codes::replies());
    all
}

/// One failure of each code.
pub(super) fn failures() -> Vec<Failure> {
    let f = Failure::new;
    vec![
        f(
            Code::Usage,
            "unknown command /ad",
            "did you mean /addUser? /help lists the commands",
        ),
        f(
            Code::Auth,
            "the password of alice is wrong",
            "/login alice asks for it again",
        ),
        f(
            Code::NotFound,
            "trip has no image moon.jpg",
            "/getImages lists them",
        ),
        f(
            Code::Denied,
            "you are viewer of trip; adding needs contributor",
            "ask alice for /addUser",
        ),
        f(
            Code::Unreachable,
            "e\x1b[2J\u{202e}vil does not answer",
            "/peers tells who is here",
        ),
        f(Code::Partial, "1 could not be added", "the others were"),
        f(
            Code::Ambiguous,
            "two albums are called trip",
            "name it by the first digits of its id: /list shows them",
        ),
        f(
            Code::NotAnImage,
            "notes.txt is no image that calotype knows",
            "it takes JPEG, PNG, GIF, WebP, BMP and TIFF",
        ),
        f(
            Code::TooLarge,
            "big.png has 900 megapixels, at most 268 are allowed",
            "make it smaller first",
        ),
        f(
            Code::Damaged,
            "half.jpg ends in the middle",
            "copy it again from where it came",
        ),
        f(
            Code::DiskFull,
            "no room for 12.0 MB in /home/alice",
            "free some, then try again; nothing is half-added",
        ),
        f(
            Code::Busy,
            "process 4711 has this home",
            "end it, or name another with --home",
        ),
        f(
            Code::Exists,
            "/home/alice/sunset.jpg is there already",
            "/save sunset.jpg PATH --force replaces it",
        ),
        f(Code::Internal, "the index is damaged", ""),
    ]
}

/// One notice of each kind.
pub(super) fn notices() -> Vec<Notice> {
    let s = str::to_owned;
    let (name, hash) = (|| s("sunset.jpg"), || s(HASH));
    let news = vec![
        News::ImageAdded {
            name: name(),
            hash: hash(),
            author: s("alice"),
            version_of: None,
            recipe: None,
        },
        News::ImageAdded {
            name: s(EVIL),
            hash: hash(),
            author: s(EVIL),
            version_of: Some(s(SOURCE)),
            recipe: Some(s("sepia")),
        },
        News::ImageRemoved {
            name: name(),
            hash: hash(),
            author: s("alice"),
            by: s("bob"),
        },
        News::BytesReady {
            name: name(),
            hash: hash(),
            author: s("alice"),
            size: 1_250_000,
            rebuilt: false,
        },
        News::BytesReady {
            name: name(),
            hash: hash(),
            author: s("bob"),
            size: 671_000,
            rebuilt: true,
        },
        News::VersionFalse {
            name: name(),
            hash: hash(),
            author: s("bob"),
            version_of: SOURCE.into(),
            source: Some(s("lake.jpg")),
            recipe: s("sepia"),
            differs: Differs::Pixels,
            step: None,
            why: Some(EVIL.into()),
        },
        News::Rated {
            name: name(),
            hash: hash(),
            author: s("alice"),
            by: s("bob"),
            stars: Some(4),
            mean: Some(4.5),
        },
        News::Rated {
            name: name(),
            hash: hash(),
            author: s("alice"),
            by: s("bob"),
            stars: None,
            mean: None,
        },
        News::Chat {
            user: s("bob"),
            text: s(EVIL),
        },
        News::PeerJoined {
            user: s("bob"),
            device: s(SOURCE),
            label: None,
        },
        News::PeerJoined {
            user: s("bob"),
            device: s(SOURCE),
            label: Some(s(EVIL)),
        },
        News::PeerLeft {
            user: s("bob"),
            device: s(SOURCE),
            label: None,
            reason: s(EVIL),
        },
        News::CentralUp {
            address: s("127.0.0.1:7400"),
        },
        News::CentralDown {
            reason: s("connection refused"),
        },
        News::Fork { user: s("mallory") },
        News::Warning { text: s(EVIL) },
    ];
    let at = || s("2026-11-21T08:30:00Z");
    news.into_iter()
        .chain(people::news())
        .chain(codes::news())
        .map(|news| Notice {
            at: at(),
            news,
            album: Some(s("trip")),
        })
        .collect()
}

fn verified(verified: Option<bool>, differs: Option<Differs>, why: Option<String>) -> Reply {
    Reply::Verified(Verified {
        album: "trip".into(),
        name: EVIL.into(),
        hash: HASH.into(),
        source: verified.map(|_| "sunset.jpg".into()),
        version_of: SOURCE.into(),
        recipe: "sepia".into(),
        pixel_engine: "zune-jpeg-0.5.15/calotype-1".into(),
        verified,
        differs,
        step: differs
            .filter(|differs| *differs == Differs::Pixels)
            .map(|_| Step {
                number: 2,
                recipe: "blur:2".into(),
            }),
        why,
    })
}

fn checked() -> Checked {
    Checked {
        images: 12,
        image_bytes: 7_400_000,
        ops: 40,
        settings: 9,
        ..Checked::default()
    }
}
