//! The central: requests to a whole one without sockets, and what a client reads of its answers.
//!
//! The first byte says which end. Requests are lines; their first byte says which of two connections sends them.

use central::fuzzing::Desk;
use central::limits::FRAME_BYTES_MAX;
use central::proto::{
    AlbumEntry, AlbumList, AlbumPeersOk, AlbumPutOk, AlbumsOk, AnnounceOk, Answer, Ask, Code, End,
    ExchangeId, Failure, FromCentral, Genesis, HelloOk, KnockOk, LookupOk, MailboxEntry, MailboxKind,
    MailboxOpenOk, MailboxState, MailboxesOk, Member, Nonce, PeerEntry, Push, Request, Role, SealedBox,
    SessionOk, StartOk,
};
use crdt::id::{AlbumId, Signature, UserId};
use crdt::keys::{Certificate, Domain, Revocation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::album::{ALICE, BOB, author, scene};
use crate::{Seed, seed};

/// Lines of one input; more are not said.
const LINES_MAX: usize = 32;

pub fn run(data: &[u8]) {
    match data.split_first() {
        Some((b'c', frame)) => hear(frame),
        Some((_, lines)) => ask(lines),
        None => {}
    }
}

/// What a connection's signatures answer to.
fn nonce(connection: u8) -> Nonce {
    Nonce([connection; 32])
}

fn ask(lines: &[u8]) {
    let lines = || {
        lines
            .split(|byte| *byte == b'\n')
            .filter_map(<[u8]>::split_first)
            .take(LINES_MAX)
    };
    // A central costs much more than a look.
    if !lines().any(|(_, frame)| Request::decode(frame).is_ok()) {
        return;
    }
    let desk = Desk::new();
    let mut connections = [b'1', b'2'].map(|number| {
        let address = if number == b'1' {
            [127, 0, 0, 1]
        } else {
            [192, 0, 2, 1]
        };
        desk.connect(address.into(), nonce(number))
    });
    for (number, frame) in lines() {
        let connection = usize::from(*number == b'2');
        for frame in std::iter::once(frame.to_vec()).chain(signed_again(frame)) {
            let request = Request::decode(&frame);
            match connections[connection].say(&frame) {
                Some(answer) => {
                    assert!(
                        answer.len() <= FRAME_BYTES_MAX,
                        "an answer of {} bytes",
                        answer.len()
                    );
                    let Ok(FromCentral::Answer(answer)) = FromCentral::decode(&answer) else {
                        panic!("an answer that is none")
                    };
                    assert!(answer.ok.is_some() != answer.error.is_some());
                    let broken = answer
                        .error
                        .as_ref()
                        .is_some_and(|failure| failure.code == Code::Internal);
                    assert!(!broken, "the central's own trouble: {:?}", answer.error);
                    match request {
                        Ok(request) => assert_eq!(answer.id, request.id),
                        Err((id, _)) => assert_eq!(Some(answer.id), id),
                    }
                }
                None => assert!(
                    request.is_err_and(|(id, _)| id.is_none()),
                    "no answer to a request"
                ),
            }
            for push in connections.iter_mut().flat_map(|connection| connection.pushes()) {
                assert!(push.len() <= FRAME_BYTES_MAX);
                assert!(matches!(
                    FromCentral::decode(&push),
                    Ok(FromCentral::Push(Some(_)))
                ));
            }
        }
    }
}

/// Alice signs whatever list it is: mutants of a list get past its signature.
fn signed_again(frame: &[u8]) -> Option<Vec<u8>> {
    let Ok(Request {
        id,
        ask: Ask::AlbumPut { list, genesis, .. },
    }) = Request::decode(frame)
    else {
        return None;
    };
    let (sig, cert) = list_signed(&list);
    let ask = Ask::AlbumPut {
        list,
        sig,
        cert,
        genesis,
    };
    Some(Request { id, ask }.encode())
}

fn list_signed(list: &str) -> (Signature, Certificate) {
    let alice = author(ALICE);
    (
        alice.device.sign(Domain::AlbumList, list.as_bytes()),
        alice.certificate,
    )
}

/// The client's end.
fn hear(frame: &[u8]) {
    match FromCentral::decode(frame) {
        Ok(FromCentral::Push(Some(push))) => {
            let again = FromCentral::decode(&push.encode());
            assert!(
                matches!(again, Ok(FromCentral::Push(Some(other))) if other == push),
                "a push changed"
            );
        }
        Ok(FromCentral::Push(None)) | Err(_) => {}
        Ok(FromCentral::Answer(_)) => {
            as_kind::<HelloOk>(frame);
            as_kind::<StartOk>(frame);
            as_kind::<SessionOk>(frame);
            as_kind::<LookupOk>(frame);
            as_kind::<AnnounceOk>(frame);
            as_kind::<AlbumPutOk>(frame);
            as_kind::<AlbumPeersOk>(frame);
            as_kind::<MailboxOpenOk>(frame);
            as_kind::<MailboxesOk>(frame);
            as_kind::<KnockOk>(frame);
            if let Some(page) = as_kind::<AlbumsOk>(frame) {
                for AlbumEntry { list, sig, cert, .. } in page.albums {
                    drop(central::lists::verify(&list, &sig, &cert));
                    let (sig, cert) = list_signed(&list);
                    let read = central::lists::read(&list);
                    assert_eq!(central::lists::verify(&list, &sig, &cert).ok(), read.ok());
                }
            }
        }
    }
}

/// The `ok` as this kind; what is read says the same when it is written and read again.
fn as_kind<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(frame: &[u8]) -> Option<T> {
    let Ok(FromCentral::Answer(answer)) = FromCentral::decode(frame) else {
        panic!("an answer the first time only")
    };
    let id = answer.id;
    let ok: T = answer.into_result().ok()?.ok()?;
    let again = Answer::new(id, Ok(&ok)).encode();
    let Ok(FromCentral::Answer(again)) = FromCentral::decode(&again) else {
        panic!("its own text is not read")
    };
    assert_eq!(
        again.into_result().ok().and_then(Result::ok).as_ref(),
        Some(&ok),
        "an answer changed"
    );
    Some(ok)
}

fn list(lamport: u64) -> String {
    let member = |user: UserId, name: &str, role| Member {
        user,
        name: name.to_owned(),
        role,
    };
    let list = AlbumList {
        v: 1,
        album: scene().album.id(),
        name: "trip".to_owned(),
        lamport,
        members: vec![
            member(author(ALICE).user(), "alice", Role::Owner),
            member(author(BOB).user(), "bob", Role::Curator),
        ],
    };
    serde_json::to_string(&list).unwrap()
}

fn session(person: u8, connection: u8, name: &str) -> Ask {
    let author = author(person);
    let bytes = [nonce(connection).0, author.device.public().0].concat();
    Ask::Resume {
        sig: author.device.sign(Domain::Session, &bytes),
        cert: author.certificate,
        name: Some(name.to_owned()),
    }
}

fn put(lamport: u64) -> Ask {
    let (list, genesis) = (list(lamport), scene().album.genesis_op().unwrap());
    let (sig, cert) = list_signed(&list);
    Ask::AlbumPut {
        list,
        sig,
        cert,
        genesis: Some(Genesis {
            header: genesis.header_text().to_owned(),
            sig: genesis.sig,
        }),
    }
}

fn requests(asks: Vec<(u8, Ask)>) -> Vec<u8> {
    let lines = asks.into_iter().zip(1..).map(|((connection, ask), id)| {
        let request = Request { id, ask }.encode();
        [&[connection][..], &request, b"\n"].concat()
    });
    [b"s".to_vec(), lines.collect::<Vec<_>>().concat()].concat()
}

pub fn seeds() -> Vec<Seed> {
    let (alice, bob) = (
        || (b'1', session(ALICE, b'1', "alice")),
        || (b'2', session(BOB, b'2', "bob")),
    );
    let album = scene().album.id();
    let announce = |connection, addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        (
            connection,
            Ask::Announce {
                addresses,
                label: None,
            },
        )
    };
    // A point of the group, whatever its scalar: both halves of a password exchange may begin with it.
    let point = [
        0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58,
        0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
    ];
    let bytes = |parts: &[&[u8]]| central::proto::Bytes(parts.concat());
    let certificate = author(ALICE).certificate;
    let server = vec![
        (
            "hello",
            vec![(b'1', Ask::Hello { v: 1 }), (b'1', Ask::Hello { v: 2 })],
        ),
        (
            "session",
            vec![
                alice(),
                (
                    b'1',
                    Ask::Lookup {
                        name: "alice".to_owned(),
                    },
                ),
                (b'1', Ask::Logout),
            ],
        ),
        (
            "announce",
            vec![alice(), announce(b'1', &["192.0.2.1:7440", "[2001:db8::1]:1"])],
        ),
        (
            "album",
            vec![
                alice(),
                bob(),
                (b'1', put(3)),
                (b'2', Ask::Albums { after: None }),
                announce(b'2', &["192.0.2.9:1"]),
                (b'1', Ask::AlbumPeers { album, after: None }),
                (b'2', put(4)),
                (b'1', put(2)),
            ],
        ),
        (
            "pages",
            vec![
                alice(),
                (b'1', put(3)),
                (
                    b'1',
                    Ask::Albums {
                        after: Some(AlbumId([0; 32])),
                    },
                ),
                (
                    b'1',
                    Ask::AlbumPeers {
                        album,
                        after: Some(certificate.device),
                    },
                ),
            ],
        ),
        (
            "register",
            vec![
                (
                    b'1',
                    Ask::RegisterStart {
                        name: "alice".to_owned(),
                        request: bytes(&[&point]),
                    },
                ),
                (
                    b'1',
                    Ask::RegisterFinish {
                        name: "alice".to_owned(),
                        upload: bytes(&[&point, &[5; 160]]),
                        cert: certificate.clone(),
                        sig: match alice().1 {
                            Ask::Resume { sig, .. } => sig,
                            _ => unreachable!(),
                        },
                    },
                ),
                (b'1', Ask::Albums { after: None }),
            ],
        ),
        (
            "login",
            vec![
                (
                    b'2',
                    Ask::LoginStart {
                        name: "nobody".to_owned(),
                        request: bytes(&[&point, &[7; 32], &point]),
                    },
                ),
                (
                    b'2',
                    Ask::LoginFinish {
                        finalization: bytes(&[&[5; 64]]),
                        cert: certificate.clone(),
                        sig: Signature([1; 64]),
                    },
                ),
            ],
        ),
        (
            "devices",
            vec![
                alice(),
                (b'1', Ask::Devices),
                (
                    b'1',
                    Ask::DeviceRevoke {
                        revocation: Revocation {
                            root: certificate.root,
                            device: certificate.device,
                            sig: Signature([1; 64]),
                        },
                    },
                ),
                (
                    b'1',
                    Ask::EscrowPut {
                        sealed: Some(bytes(&[&[7; 72]])),
                    },
                ),
                (b'1', Ask::EscrowPut { sealed: None }),
                (
                    b'2',
                    Ask::PasswordStart {
                        name: "alice".to_owned(),
                        request: bytes(&[&point]),
                        cert: certificate.clone(),
                        sig: Signature([1; 64]),
                    },
                ),
                (
                    b'2',
                    Ask::PasswordFinish {
                        upload: bytes(&[&point, &[5; 160]]),
                    },
                ),
                (
                    b'2',
                    Ask::EscrowOpen {
                        finalization: bytes(&[&[5; 64]]),
                    },
                ),
            ],
        ),
    ];
    let code = |ask: Vec<(u8, Ask)>| [vec![alice(), bob(), (b'1', put(3))], ask].concat();
    let sealed = |person: u8| SealedBox {
        device: author(person).device.public(),
        sealed: bytes(&[&[person; 40]]),
    };
    let open = |connection, kind, album, who: &[u8]| {
        let boxes = who.iter().map(|person| sealed(*person)).collect();
        let ask = Ask::MailboxOpen {
            kind,
            album,
            boxes,
            ttl_ms: 86_400_000,
        };
        (connection, ask)
    };
    let knock = |connection, number| {
        let body = bytes(&[b"A", &point]);
        (connection, Ask::Knock { number, body })
    };
    let mail = |connection, end| {
        let (exchange, body) = (ExchangeId([6; 16]), bytes(&[b"B", &point]));
        (connection, Ask::Mail { exchange, body, end })
    };
    let server = [
        server,
        vec![
            (
                "code-album",
                code(vec![
                    open(b'1', MailboxKind::Album, Some(album), &[ALICE, BOB]),
                    (b'2', Ask::MailboxLook { number: 1 }),
                    knock(b'2', 1),
                    mail(b'1', None),
                    mail(b'1', Some(End::Used)),
                    (b'1', Ask::Mailboxes),
                    (b'1', Ask::MailboxClose { number: 1 }),
                ]),
            ),
            (
                "code-device",
                code(vec![
                    open(b'2', MailboxKind::Device, None, &[BOB]),
                    knock(b'1', 1),
                    knock(b'1', 1),
                    mail(b'2', Some(End::Burnt)),
                ]),
            ),
        ],
    ]
    .concat();
    let mut seeds: Vec<Seed> = server
        .into_iter()
        .map(|(name, asks)| seed(name, requests(asks)))
        .collect();
    seeds.extend(
        answers()
            .into_iter()
            .map(|(name, bytes)| seed(name, [&b"c"[..], &bytes].concat())),
    );
    seeds
}

fn answers() -> Vec<(&'static str, Vec<u8>)> {
    let text = list(3);
    let (sig, cert) = list_signed(&text);
    let (alice, album) = (author(ALICE).user(), scene().album.id());
    let entry = AlbumEntry {
        album,
        name: "trip".to_owned(),
        owner: alice,
        list: text,
        sig,
        cert: cert.clone(),
    };
    let peer = PeerEntry {
        name: "alice".to_owned(),
        user: alice,
        cert: cert.clone(),
        addresses: vec!["192.0.2.1:7440".to_owned()],
        seen_ms: Some(12),
    };
    fn ok<T: Serialize>(value: T) -> Vec<u8> {
        Answer::new(7, Ok(value)).encode()
    }
    let hello = HelloOk {
        now_ms: Some(1_795_305_600_000),
        v: 1,
        server: "calotype-central 0.1.0".to_owned(),
        nonce: nonce(7),
    };
    let failure = Failure {
        retry_after_ms: Some(5_900),
        ..Failure::new(Code::Busy, "too many failed logins", "try again in 6 s")
    };
    vec![
        ("ok-hello", ok(hello)),
        (
            "ok-start",
            ok(StartOk {
                response: central::proto::Bytes(vec![5; 96]),
            }),
        ),
        (
            "ok-session",
            ok(SessionOk {
                name: "alice".to_owned(),
            }),
        ),
        (
            "ok-lookup",
            ok(LookupOk {
                name: "alice".to_owned(),
                root: cert.root,
                user: alice,
            }),
        ),
        ("ok-announce", ok(AnnounceOk { expires_ms: 60_000 })),
        ("ok-put", ok(AlbumPutOk { stored: true })),
        (
            "ok-albums",
            ok(AlbumsOk {
                albums: vec![entry],
                more: true,
            }),
        ),
        (
            "ok-peers",
            ok(AlbumPeersOk {
                peers: vec![peer],
                more: false,
            }),
        ),
        ("failure", Answer::new(7, Err::<(), _>(failure)).encode()),
        (
            "push-album",
            Push::Album {
                album,
                name: "trip".to_owned(),
                by: "alice".to_owned(),
                removed: true,
            }
            .encode(),
        ),
        (
            "push-peer",
            Push::Peer {
                album,
                cert,
                addresses: vec!["192.0.2.1:7440".to_owned()],
            }
            .encode(),
        ),
        ("ok-mailbox", ok(MailboxOpenOk { number: 7 })),
        (
            "ok-mailboxes",
            ok(MailboxesOk {
                mailboxes: vec![MailboxEntry {
                    number: 7,
                    kind: MailboxKind::Album,
                    album: Some(album),
                    state: MailboxState::Taken,
                    left_ms: 5_000,
                }],
            }),
        ),
        (
            "ok-knock",
            ok(KnockOk {
                exchange: ExchangeId([6; 16]),
                kind: MailboxKind::Device,
                online: 1,
            }),
        ),
        (
            "push-knock",
            Push::Knock {
                exchange: ExchangeId([6; 16]),
                number: 7,
                kind: MailboxKind::Album,
                album: Some(album),
                sealed: central::proto::Bytes(vec![5; 40]),
                body: central::proto::Bytes(vec![6; 33]),
            }
            .encode(),
        ),
        (
            "push-mail",
            Push::Mail {
                exchange: ExchangeId([6; 16]),
                body: central::proto::Bytes(vec![6; 33]),
                end: Some(End::Burnt),
            }
            .encode(),
        ),
        (
            "push-mailbox",
            Push::Mailbox {
                number: 7,
                state: MailboxState::Expired,
            }
            .encode(),
        ),
    ]
}

pub fn large() -> Vec<Vec<u8>> {
    let most = FRAME_BYTES_MAX - 256;
    let fill = |item: &str| format!("{item},").repeat(most / (item.len() + 1));
    let server = |text: String| format!("s1{text}\n").into_bytes();
    let client = |text: String| format!("c{text}").into_bytes();
    vec![
        server(format!(
            r#"{{"id":1,"do":"announce","addresses":[{}0]}}"#,
            fill(r#""""#)
        )),
        server(format!(
            r#"{{"id":1,"do":"hello","v":1,"more":[{}0]}}"#,
            fill("[]")
        )),
        server(format!(
            r#"{{"id":1,"do":"hello","v":1,"more":{}"#,
            "[".repeat(most)
        )),
        client(format!(r#"{{"id":1,"ok":{{"albums":[{}{{}}]}}}}"#, fill("{}"))),
        client(format!(r#"{{"id":1,"ok":{{"v":1,"more":[{}0]}}}}"#, fill("0"))),
        client(format!(r#"{{"push":"peer","addresses":[{}""]}}"#, fill(r#""""#))),
    ]
}
