//! The bytes of docs/protocol.md §8, one text for each message. Whoever changes one changes the protocol.
#![allow(clippy::unwrap_used, reason = "tests")]

use central::proto::*;
use crdt::id::{AlbumId, PublicKey, Signature, UserId};
use crdt::keys::{Certificate, Revocation};
use serde_json::value::RawValue;

const K1: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const K2: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
const K5: &str = "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU";
const S3: &str = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw";
const S4: &str = "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBA";
const E6: &str = "BgYGBgYGBgYGBgYGBgYGBg";
const CERT: &str = r#"{"root":"K1","device":"K2","sig":"S3"}"#;

fn cert() -> Certificate {
    Certificate {
        root: PublicKey([1; 32]),
        device: PublicKey([2; 32]),
        sig: Signature([3; 64]),
    }
}

fn sig() -> Signature {
    Signature([4; 64])
}

fn bytes() -> Bytes {
    Bytes(vec![0xff, 0, 0xff, 0])
}

fn album() -> AlbumId {
    AlbumId([5; 32])
}

fn exchange() -> ExchangeId {
    ExchangeId([6; 16])
}

/// A golden text with its keys and signatures spelled out.
fn golden(text: &str) -> String {
    [
        ("CERT", CERT),
        ("K1", K1),
        ("K2", K2),
        ("K5", K5),
        ("E6", E6),
        ("S3", S3),
        ("S4", S4),
    ]
    .iter()
    .fold(text.to_owned(), |text, (short, long)| text.replace(short, long))
}

#[test]
fn requests() {
    let check = |ask: Ask, text: &str| {
        let request = Request { id: 7, ask };
        let text = golden(text);
        assert_eq!(String::from_utf8(request.encode()).unwrap(), text);
        assert_eq!(Request::decode(text.as_bytes()).unwrap(), request);
        crdt::text::check(&text).unwrap();
    };
    let name = || "alice".to_owned();
    check(Ask::Hello { v: 1 }, r#"{"id":7,"do":"hello","v":1}"#);
    check(
        Ask::RegisterStart {
            name: name(),
            request: bytes(),
        },
        r#"{"id":7,"do":"register-start","name":"alice","request":"_wD_AA"}"#,
    );
    check(
        Ask::RegisterFinish {
            name: name(),
            upload: bytes(),
            cert: cert(),
            sig: sig(),
        },
        r#"{"id":7,"do":"register-finish","name":"alice","upload":"_wD_AA","cert":CERT,"sig":"S4"}"#,
    );
    check(
        Ask::LoginStart {
            name: name(),
            request: bytes(),
        },
        r#"{"id":7,"do":"login-start","name":"alice","request":"_wD_AA"}"#,
    );
    check(
        Ask::LoginFinish {
            finalization: bytes(),
            cert: cert(),
            sig: sig(),
        },
        r#"{"id":7,"do":"login-finish","finalization":"_wD_AA","cert":CERT,"sig":"S4"}"#,
    );
    check(
        Ask::Resume {
            cert: cert(),
            sig: sig(),
            name: None,
        },
        r#"{"id":7,"do":"resume","cert":CERT,"sig":"S4"}"#,
    );
    check(
        Ask::Resume {
            cert: cert(),
            sig: sig(),
            name: Some(name()),
        },
        r#"{"id":7,"do":"resume","cert":CERT,"sig":"S4","name":"alice"}"#,
    );
    check(Ask::Logout, r#"{"id":7,"do":"logout"}"#);
    check(
        Ask::Lookup { name: name() },
        r#"{"id":7,"do":"lookup","name":"alice"}"#,
    );
    check(
        Ask::Announce {
            addresses: vec!["127.0.0.1:9".to_owned()],
            label: None,
        },
        r#"{"id":7,"do":"announce","addresses":["127.0.0.1:9"]}"#,
    );
    check(
        Ask::Announce {
            addresses: vec![],
            label: Some("laptop".to_owned()),
        },
        r#"{"id":7,"do":"announce","addresses":[],"label":"laptop"}"#,
    );
    check(
        Ask::AlbumPut {
            list: "{\"v\":1}".to_owned(),
            sig: sig(),
            cert: cert(),
            genesis: None,
        },
        r#"{"id":7,"do":"album-put","list":"{\"v\":1}","sig":"S4","cert":CERT}"#,
    );
    let genesis = Some(Genesis {
        header: "{\"v\":1}".to_owned(),
        sig: sig(),
    });
    check(
        Ask::AlbumPut {
            list: "{\"v\":1}".to_owned(),
            sig: sig(),
            cert: cert(),
            genesis,
        },
        r#"{"id":7,"do":"album-put","list":"{\"v\":1}","sig":"S4","cert":CERT,"genesis":{"header":"{\"v\":1}","sig":"S4"}}"#,
    );
    check(Ask::Albums { after: None }, r#"{"id":7,"do":"albums"}"#);
    check(
        Ask::Albums { after: Some(album()) },
        r#"{"id":7,"do":"albums","after":"K5"}"#,
    );
    check(
        Ask::AlbumPeers {
            album: album(),
            after: None,
        },
        r#"{"id":7,"do":"album-peers","album":"K5"}"#,
    );
    check(
        Ask::AlbumPeers {
            album: album(),
            after: Some(PublicKey([2; 32])),
        },
        r#"{"id":7,"do":"album-peers","album":"K5","after":"K2"}"#,
    );
    check(Ask::Devices, r#"{"id":7,"do":"devices"}"#);
    let revocation = Revocation {
        root: PublicKey([1; 32]),
        device: PublicKey([2; 32]),
        sig: sig(),
    };
    check(
        Ask::DeviceRevoke { revocation },
        r#"{"id":7,"do":"device-revoke","revocation":{"root":"K1","device":"K2","sig":"S4"}}"#,
    );
    check(
        Ask::PasswordStart {
            name: name(),
            request: bytes(),
            cert: cert(),
            sig: sig(),
        },
        r#"{"id":7,"do":"password-start","name":"alice","request":"_wD_AA","cert":CERT,"sig":"S4"}"#,
    );
    check(
        Ask::PasswordFinish { upload: bytes() },
        r#"{"id":7,"do":"password-finish","upload":"_wD_AA"}"#,
    );
    check(
        Ask::EscrowPut {
            sealed: Some(bytes()),
        },
        r#"{"id":7,"do":"escrow-put","box":"_wD_AA"}"#,
    );
    check(Ask::EscrowPut { sealed: None }, r#"{"id":7,"do":"escrow-put"}"#);
    check(
        Ask::EscrowOpen {
            finalization: bytes(),
        },
        r#"{"id":7,"do":"escrow-open","finalization":"_wD_AA"}"#,
    );
    let boxes = || {
        vec![SealedBox {
            device: PublicKey([2; 32]),
            sealed: bytes(),
        }]
    };
    check(
        Ask::MailboxOpen {
            kind: MailboxKind::Album,
            album: Some(album()),
            boxes: boxes(),
            ttl_ms: 86_400_000,
        },
        r#"{"id":7,"do":"mailbox-open","kind":"album","album":"K5","boxes":[{"device":"K2","box":"_wD_AA"}],"ttl_ms":86400000}"#,
    );
    check(
        Ask::MailboxOpen {
            kind: MailboxKind::Device,
            album: None,
            boxes: boxes(),
            ttl_ms: 1,
        },
        r#"{"id":7,"do":"mailbox-open","kind":"device","boxes":[{"device":"K2","box":"_wD_AA"}],"ttl_ms":1}"#,
    );
    check(
        Ask::MailboxClose { number: 12 },
        r#"{"id":7,"do":"mailbox-close","number":12}"#,
    );
    check(Ask::Mailboxes, r#"{"id":7,"do":"mailboxes"}"#);
    check(
        Ask::MailboxLook { number: 12 },
        r#"{"id":7,"do":"mailbox-look","number":12}"#,
    );
    check(
        Ask::Knock {
            number: 12,
            body: bytes(),
        },
        r#"{"id":7,"do":"knock","number":12,"body":"_wD_AA"}"#,
    );
    let mail = |end| Ask::Mail {
        exchange: exchange(),
        body: bytes(),
        end,
    };
    check(
        mail(None),
        r#"{"id":7,"do":"mail","exchange":"E6","body":"_wD_AA"}"#,
    );
    check(
        mail(Some(End::Used)),
        r#"{"id":7,"do":"mail","exchange":"E6","body":"_wD_AA","end":"used"}"#,
    );
    check(
        mail(Some(End::Burnt)),
        r#"{"id":7,"do":"mail","exchange":"E6","body":"_wD_AA","end":"burnt"}"#,
    );
}

#[test]
fn answers() {
    fn check<T>(ok: T, text: &str)
    where
        T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let text = golden(text);
        let answer = Answer::new(7, Ok(&ok));
        assert_eq!(String::from_utf8(answer.encode()).unwrap(), text);
        let Ok(FromCentral::Answer(answer)) = FromCentral::decode(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!((answer.id, answer.into_result::<T>().unwrap().unwrap()), (7, ok));
    }
    check(
        HelloOk {
            v: 1,
            server: "calotype-central 0.1.0".to_owned(),
            nonce: Nonce([1; 32]),
            now_ms: None,
        },
        r#"{"id":7,"ok":{"v":1,"server":"calotype-central 0.1.0","nonce":"K1"}}"#,
    );
    check(
        HelloOk {
            v: 1,
            server: "calotype-central 0.1.0".to_owned(),
            nonce: Nonce([1; 32]),
            now_ms: Some(1_795_305_600_000),
        },
        r#"{"id":7,"ok":{"v":1,"server":"calotype-central 0.1.0","nonce":"K1","now_ms":1795305600000}}"#,
    );
    check(
        StartOk { response: bytes() },
        r#"{"id":7,"ok":{"response":"_wD_AA"}}"#,
    );
    check(
        SessionOk {
            name: "alice".to_owned(),
        },
        r#"{"id":7,"ok":{"name":"alice"}}"#,
    );
    check(
        LookupOk {
            name: "alice".to_owned(),
            root: PublicKey([1; 32]),
            user: UserId([2; 32]),
        },
        r#"{"id":7,"ok":{"name":"alice","root":"K1","user":"K2"}}"#,
    );
    check(
        AnnounceOk { expires_ms: 60_000 },
        r#"{"id":7,"ok":{"expires_ms":60000}}"#,
    );
    check(AlbumPutOk { stored: false }, r#"{"id":7,"ok":{"stored":false}}"#);
    check(MailboxOpenOk { number: 12 }, r#"{"id":7,"ok":{"number":12}}"#);
    let mailbox = |kind, album, state| MailboxEntry {
        number: 12,
        kind,
        album,
        state,
        left_ms: 9,
    };
    check(
        MailboxesOk {
            mailboxes: vec![
                mailbox(MailboxKind::Album, Some(album()), MailboxState::Open),
                mailbox(MailboxKind::Device, None, MailboxState::Taken),
            ],
        },
        r#"{"id":7,"ok":{"mailboxes":[{"number":12,"kind":"album","album":"K5","state":"open","left_ms":9},{"number":12,"kind":"device","state":"taken","left_ms":9}]}}"#,
    );
    check(
        MailboxLookOk {
            kind: MailboxKind::Device,
        },
        r#"{"id":7,"ok":{"kind":"device"}}"#,
    );
    check(
        KnockOk {
            exchange: exchange(),
            kind: MailboxKind::Album,
            online: 2,
        },
        r#"{"id":7,"ok":{"exchange":"E6","kind":"album","online":2}}"#,
    );
    let entry = AlbumEntry {
        album: album(),
        name: "trip".to_owned(),
        owner: UserId([2; 32]),
        list: "{}".to_owned(),
        sig: sig(),
        cert: cert(),
    };
    check(
        AlbumsOk {
            albums: vec![entry],
            more: false,
        },
        r#"{"id":7,"ok":{"albums":[{"album":"K5","name":"trip","owner":"K2","list":"{}","sig":"S4","cert":CERT}]}}"#,
    );
    check(
        AlbumsOk {
            albums: vec![],
            more: true,
        },
        r#"{"id":7,"ok":{"albums":[],"more":true}}"#,
    );
    let peer = PeerEntry {
        name: "bob".to_owned(),
        user: UserId([2; 32]),
        cert: cert(),
        addresses: vec!["127.0.0.1:9".to_owned()],
        seen_ms: Some(12),
    };
    let away = PeerEntry {
        addresses: vec![],
        seen_ms: None,
        ..peer.clone()
    };
    check(
        AlbumPeersOk {
            peers: vec![peer, away],
            more: false,
        },
        r#"{"id":7,"ok":{"peers":[{"name":"bob","user":"K2","cert":CERT,"addresses":["127.0.0.1:9"],"seen_ms":12},{"name":"bob","user":"K2","cert":CERT,"addresses":[]}]}}"#,
    );
    let device = DeviceEntry {
        cert: cert(),
        label: Some("laptop".to_owned()),
        revoked: None,
        seen_ms: Some(12),
        addresses: vec!["127.0.0.1:9".to_owned()],
    };
    let revoked = DeviceEntry {
        label: None,
        revoked: Some(sig()),
        seen_ms: None,
        addresses: vec![],
        ..device.clone()
    };
    check(
        DevicesOk {
            devices: vec![device],
            escrow: false,
        },
        r#"{"id":7,"ok":{"devices":[{"cert":CERT,"label":"laptop","seen_ms":12,"addresses":["127.0.0.1:9"]}]}}"#,
    );
    check(
        DevicesOk {
            devices: vec![revoked],
            escrow: true,
        },
        r#"{"id":7,"ok":{"devices":[{"cert":CERT,"revoked":"S4","addresses":[]}],"escrow":true}}"#,
    );
    check(EscrowOk { sealed: bytes() }, r#"{"id":7,"ok":{"box":"_wD_AA"}}"#);
    check(serde_json::json!({}), r#"{"id":7,"ok":{}}"#);
}

#[test]
fn refusals() {
    for (code, text) in [
        (Code::Auth, "auth"),
        (Code::NotFound, "not_found"),
        (Code::Denied, "denied"),
        (Code::Revoked, "revoked"),
        (Code::Exists, "exists"),
        (Code::Usage, "usage"),
        (Code::Busy, "busy"),
        (Code::Internal, "internal"),
    ] {
        assert_eq!(serde_json::to_value(code).unwrap(), text);
        assert_eq!(serde_json::from_value::<Code>(text.into()).unwrap(), code);
    }
    assert_eq!(
        serde_json::from_str::<Code>("\"of a later version\"").unwrap(),
        Code::Internal
    );
    let failure = Failure {
        retry_after_ms: Some(5_900),
        ..Failure::new(Code::Busy, "too many", "try again in 6 s")
    };
    let text = r#"{"id":7,"error":{"code":"busy","message":"too many","hint":"try again in 6 s","retry_after_ms":5900}}"#;
    let answer = Answer::new::<()>(7, Err(failure.clone()));
    assert_eq!(String::from_utf8(answer.encode()).unwrap(), text);
    assert_eq!(answer.into_result::<()>().unwrap(), Err(failure));
    let revocation = Revocation {
        root: PublicKey([1; 32]),
        device: PublicKey([2; 32]),
        sig: sig(),
    };
    let failure = Failure {
        revocation: Some(Box::new(revocation)),
        ..Failure::new(Code::Revoked, "no", "")
    };
    let text = golden(
        r#"{"id":7,"error":{"code":"revoked","message":"no","hint":"","revocation":{"root":"K1","device":"K2","sig":"S4"}}}"#,
    );
    let answer = Answer::new::<()>(7, Err(failure.clone()));
    assert_eq!(String::from_utf8(answer.encode()).unwrap(), text);
    assert_eq!(answer.into_result::<()>().unwrap(), Err(failure));
    let text = r#"{"id":7,"error":{"code":"auth","message":"no","hint":""}}"#;
    let answer = Answer::new::<()>(7, Err(Failure::new(Code::Auth, "no", "")));
    assert_eq!(String::from_utf8(answer.encode()).unwrap(), text);
}

#[test]
fn pushes() {
    let check = |push: Push, text: &str| {
        let text = golden(text);
        assert_eq!(String::from_utf8(push.encode()).unwrap(), text);
        let Ok(FromCentral::Push(Some(read))) = FromCentral::decode(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!(read, push);
    };
    let (name, by) = ("trip".to_owned(), "alice".to_owned());
    check(
        Push::Album {
            album: album(),
            name: name.clone(),
            by: by.clone(),
            removed: false,
        },
        r#"{"push":"album","album":"K5","name":"trip","by":"alice"}"#,
    );
    check(
        Push::Album {
            album: album(),
            name,
            by,
            removed: true,
        },
        r#"{"push":"album","album":"K5","name":"trip","by":"alice","removed":true}"#,
    );
    check(
        Push::Peer {
            album: album(),
            cert: cert(),
            addresses: vec!["127.0.0.1:9".to_owned()],
        },
        r#"{"push":"peer","album":"K5","cert":CERT,"addresses":["127.0.0.1:9"]}"#,
    );
    let knock = |kind, album| Push::Knock {
        exchange: exchange(),
        number: 12,
        kind,
        album,
        sealed: bytes(),
        body: bytes(),
    };
    check(
        knock(MailboxKind::Album, Some(album())),
        r#"{"push":"knock","exchange":"E6","number":12,"kind":"album","album":"K5","box":"_wD_AA","body":"_wD_AA"}"#,
    );
    check(
        knock(MailboxKind::Device, None),
        r#"{"push":"knock","exchange":"E6","number":12,"kind":"device","box":"_wD_AA","body":"_wD_AA"}"#,
    );
    check(
        Push::Mail {
            exchange: exchange(),
            body: bytes(),
            end: None,
        },
        r#"{"push":"mail","exchange":"E6","body":"_wD_AA"}"#,
    );
    check(
        Push::Mail {
            exchange: exchange(),
            body: bytes(),
            end: Some(End::Used),
        },
        r#"{"push":"mail","exchange":"E6","body":"_wD_AA","end":"used"}"#,
    );
    for (state, word) in [
        (MailboxState::Open, "open"),
        (MailboxState::Taken, "taken"),
        (MailboxState::Used, "used"),
        (MailboxState::Burnt, "burnt"),
        (MailboxState::Closed, "closed"),
        (MailboxState::Expired, "expired"),
    ] {
        check(
            Push::Mailbox { number: 12, state },
            &format!(r#"{{"push":"mailbox","number":12,"state":"{word}"}}"#),
        );
    }
    let later = br#"{"push":"of a later version","x":1}"#;
    assert!(matches!(FromCentral::decode(later), Ok(FromCentral::Push(None))));
}

#[test]
fn what_is_no_message() {
    for (text, id) in [
        ("", None),
        ("null", None),
        ("[]", None),
        (r#"{"do":"hello","v":1}"#, None),
        (r#"{"id":-1,"do":"hello","v":1}"#, None),
        (r#"{"id":1.5,"do":"hello","v":1}"#, None),
        (r#"{"id":7}"#, Some(7)),
        (r#"{"id":7,"do":"dance"}"#, Some(7)),
        (r#"{"id":7,"do":"hello"}"#, Some(7)),
        (r#"{"id":7,"do":"hello","v":"1"}"#, Some(7)),
        (
            r#"{"id":7,"do":"login-start","name":"a","request":"_wD_AA=="}"#,
            Some(7),
        ),
        (r#"{"id":7,"do":"resume","cert":{},"sig":""}"#, Some(7)),
    ] {
        match Request::decode(text.as_bytes()) {
            Err((found, _)) => assert_eq!(found, id, "{text}"),
            Ok(request) => panic!("{text} is {request:?}"),
        }
    }
    let long = Bytes(vec![0; central::limits::OPAQUE_BYTES_MAX]);
    let long = Request {
        id: 7,
        ask: Ask::LoginStart {
            name: "a".to_owned(),
            request: long,
        },
    };
    assert!(Request::decode(&long.encode()).is_ok());
    let longer = Bytes(vec![0; central::limits::OPAQUE_BYTES_MAX + 1]);
    let longer = Request {
        id: 7,
        ask: Ask::LoginStart {
            name: "a".to_owned(),
            request: longer,
        },
    };
    assert!(Request::decode(&longer.encode()).is_err());
    for text in [
        "{}",
        r#"{"id":7,"ok":{},"error":{"code":"auth","message":""}}"#,
        r#"{"id":7}"#,
    ] {
        let refused = match FromCentral::decode(text.as_bytes()) {
            Ok(FromCentral::Answer(answer)) => answer.into_result::<Box<RawValue>>().is_err(),
            other => other.is_err(),
        };
        assert!(refused, "{text}");
    }
}
