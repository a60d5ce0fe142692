//! Bytes thrown at the central end that connection only; the others do not notice.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use central::limits::{FRAME_BYTES_MAX, HALF_OPEN_PER_ADDRESS_MAX};
use central::proto::{Ask, Code, Role};
use central::{Client, Server, frame};
use common::*;
use crdt::keys::Revocation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What others may wait while somebody misbehaves. Far above what it takes, far below every deadline.
const UNAFFECTED: Duration = Duration::from_secs(2);

async fn check_unaffected(server: &Server, alice: &Home, client: &Client) {
    let start = Instant::now();
    assert!(client.lookup("alice").await.is_ok());
    resumed(server, alice).await;
    assert!(start.elapsed() < UNAFFECTED, "{:?}", start.elapsed());
}

async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // Closed or reset, both are an end.
    let _ = soon("the connection ends", stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn garbage_before_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let mut tls_record = vec![0x16, 3, 1, 0xff, 0xff];
    tls_record.resize(80_000, 1);
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0; 10_000],
        vec![0xff; 10_000],
        b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec(),
        tls_record,
    ] {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let _ = stream.write_all(&garbage).await;
        ends(&mut stream).await;
        check_unaffected(&server, &alice, &client).await;
    }
}

#[tokio::test]
async fn half_handshakes_make_place_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let mut half_open = Vec::new();
    for number in 0..4 * HALF_OPEN_PER_ADDRESS_MAX {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
        }
        half_open.push(stream);
    }
    check_unaffected(&server, &alice, &client).await;
    // The first had to go long before their deadline.
    let start = Instant::now();
    ends(&mut half_open[0]).await;
    assert!(start.elapsed() < UNAFFECTED);
    // The last goes at its deadline.
    ends(half_open.last_mut().unwrap()).await;
    check_unaffected(&server, &alice, &client).await;
}

#[tokio::test]
async fn frames_that_lie() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    for length in [FRAME_BYTES_MAX as u32 + 1, 1 << 30, u32::MAX] {
        // Before hello and after.
        let mut tls = Raw::tls(server.local_addr(), server.fingerprint()).await;
        tls.write_all(&length.to_be_bytes()).await.unwrap();
        tls.flush().await.unwrap();
        assert!(soon("it ends", frame::read(&mut tls)).await.is_err());
        let mut raw = Raw::connect(&server).await;
        raw.stream.write_all(&length.to_be_bytes()).await.unwrap();
        raw.stream.flush().await.unwrap();
        assert!(raw.answer().await.is_none());
    }
    // One that never comes to its end holds up only itself.
    let mut drip = Raw::connect(&server).await;
    drip.stream.write_all(&[0, 0, 0xff, 0xff, b'{']).await.unwrap();
    drip.stream.flush().await.unwrap();
    check_unaffected(&server, &alice, &client).await;
}

#[tokio::test]
async fn the_first_request_is_hello() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    for first in [&b"{}"[..], b"", b"\xff\xff", br#"{"id":1,"do":"logout"}"#] {
        let mut tls = Raw::tls(server.local_addr(), server.fingerprint()).await;
        frame::write(&mut tls, first).await.unwrap();
        assert!(soon("it ends", frame::read(&mut tls)).await.is_err());
    }
    // Another version is told why.
    let mut tls = Raw::tls(server.local_addr(), server.fingerprint()).await;
    frame::write(&mut tls, br#"{"id":1,"do":"hello","v":2}"#)
        .await
        .unwrap();
    let answer = soon("an answer", frame::read(&mut tls)).await.unwrap();
    assert!(String::from_utf8(answer).unwrap().contains("version 1, not 2"));
}

#[tokio::test]
async fn requests_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    // With an id: refused, and the connection goes on.
    let mut raw = Raw::connect(&server).await;
    let deep = format!(
        r#"{{"id":7,"do":"logout","x":{}{}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let deeper = format!(
        r#"{{"id":7,"do":"logout","x":{}{}}}"#,
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    for text in [
        r#"{"id":7,"do":"dance"}"#,
        r#"{"id":7}"#,
        r#"{"id":7,"do":"login-start","name":"alice","request":"AAAA"}"#,
        r#"{"id":7,"do":"login-start","name":"a b","request":"AAAA"}"#,
        r#"{"id":7,"do":"login-finish","finalization":"AAAA","cert":{},"sig":"AA"}"#,
        r#"{"id":7,"do":"logout","do":"logout"}"#,
        r#"{"id":7,"do":"logout","x":1.5}"#,
        r#"{"id":7,"do":"logout","x":1,"x":1}"#,
        &deep,
        &deeper,
    ] {
        raw.send(text.as_bytes()).await;
        let answer = raw.answer().await.unwrap_or_else(|| panic!("ended by {text}"));
        assert_eq!(
            (answer.id, answer.error.unwrap().code),
            (7, Code::Usage),
            "{text}"
        );
    }
    // Everything that needs a session says so; what comes out of turn, too.
    let alice = Home::new("alice");
    let (album, genesis) = alice.genesis();
    let (list, sig) = alice.list(album, 1, &[(&alice, Role::Owner)]);
    for (ask, code) in [
        (
            Ask::Lookup {
                name: "alice".to_owned(),
            },
            Code::Auth,
        ),
        (
            Ask::Announce {
                addresses: vec![],
                label: None,
            },
            Code::Auth,
        ),
        (Ask::Devices, Code::Auth),
        (
            Ask::DeviceRevoke {
                revocation: Revocation::issue(&alice.root, &alice.device.public()),
            },
            Code::Auth,
        ),
        (
            Ask::PasswordStart {
                name: "alice".to_owned(),
                request: bytes(32),
                cert: alice.cert.clone(),
                sig,
            },
            Code::Auth,
        ),
        (Ask::PasswordFinish { upload: bytes(192) }, Code::Usage),
        (Ask::EscrowPut { sealed: None }, Code::Auth),
        (
            Ask::EscrowOpen {
                finalization: bytes(64),
            },
            Code::Usage,
        ),
        (
            Ask::AlbumPut {
                list,
                sig,
                cert: alice.cert.clone(),
                genesis: Some(genesis),
            },
            Code::Auth,
        ),
        (Ask::Albums { after: None }, Code::Auth),
        (Ask::AlbumPeers { album, after: None }, Code::Auth),
        (
            Ask::LoginFinish {
                finalization: bytes(64),
                cert: alice.cert.clone(),
                sig,
            },
            Code::Usage,
        ),
        (
            Ask::RegisterFinish {
                name: "alice".to_owned(),
                upload: bytes(192),
                cert: alice.cert.clone(),
                sig,
            },
            Code::Usage,
        ),
    ] {
        assert_eq!(raw.ask(ask.clone()).await.error.unwrap().code, code, "{ask:?}");
    }
    assert!(raw.ask(Ask::Logout).await.error.is_none());
    // Without an id that can be read there is nothing to answer to.
    for text in [
        &b""[..],
        b"null",
        b"{\"id\":7",
        b"{\"id\":-1,\"do\":\"logout\"}",
        b"\xff\xfe",
    ] {
        let mut raw = Raw::connect(&server).await;
        raw.send(text).await;
        assert!(
            raw.answer().await.is_none(),
            "{:?}",
            String::from_utf8_lossy(&text[..text.len().min(40)])
        );
    }
}

fn bytes(length: usize) -> central::proto::Bytes {
    central::proto::Bytes(vec![7; length])
}

#[tokio::test]
async fn who_asks_too_fast_is_read_more_slowly() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let mut flood = Raw::connect(&server).await;
    let start = Instant::now();
    for _ in 0..300 {
        flood.ask(Ask::Logout).await;
    }
    // 256 at once, the rest at 50/s.
    assert!(
        start.elapsed() >= Duration::from_millis(600),
        "{:?}",
        start.elapsed()
    );
    check_unaffected(&server, &alice, &client).await;
}

#[tokio::test]
async fn who_does_not_read_is_dropped() {
    const ALBUMS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, bob, carol) = (Home::new("alice"), Home::new("bob"), Home::new("carol"));
    let (a, b, c) = tokio::join!(
        registered(&server, &alice),
        registered(&server, &bob),
        registered(&server, &carol)
    );
    let mut to_c = c.pushes().unwrap();
    let heard = tokio::spawn(async move {
        let mut heard = 0;
        while to_c.recv().await.is_some() {
            heard += 1;
        }
        heard
    });
    let mut albums = Vec::new();
    for _ in 0..ALBUMS {
        let (album, genesis) = alice.genesis();
        let members = [
            (&alice, Role::Owner),
            (&bob, Role::Viewer),
            (&carol, Role::Viewer),
        ];
        let (list, sig) = alice.list(album, 1, &members);
        assert!(
            a.album_put(&list, &sig, &alice.cert, Some(&genesis))
                .await
                .unwrap()
        );
        albums.push(album);
    }
    drop(b);
    let mut deaf = Raw::connect(&server).await;
    let resume = Ask::Resume {
        cert: bob.cert.clone(),
        sig: bob.sign_session(&deaf.nonce),
        name: None,
    };
    assert!(deaf.ask(resume).await.error.is_none());
    let here = Ask::Announce {
        addresses: vec!["127.0.0.1:9".to_owned()],
        label: None,
    };
    assert!(deaf.ask(here).await.error.is_none());
    // From here on bob reads nothing, and alice has much to say. Each of her connections may say so much at once.
    let deadline = Instant::now() + DEADLINE;
    let mut last = a.clone();
    'talk: loop {
        let talker = resumed(&server, &alice).await;
        for round in 0..25_u16 {
            assert!(Instant::now() < deadline, "bob is still there");
            let address = |number| {
                format!(
                    "[2001:db8:1111:2222:3333:4444:5555:{number:x}]:{}",
                    10_000 + round
                )
            };
            talker
                .announce(&(1..=8).map(address).collect::<Vec<_>>())
                .await
                .unwrap();
            let peers = a.album_peers(&albums[0]).await.unwrap();
            if peers
                .iter()
                .any(|peer| peer.name == "bob" && peer.addresses.is_empty())
            {
                break 'talk;
            }
        }
        last = talker;
    }
    drop(last);
    check_unaffected(&server, &alice, &a).await;
    assert!(!c.is_closed(), "who reads stays");
    assert!(c.lookup("bob").await.is_ok());
    drop(c);
    assert!(heard.await.unwrap() >= ALBUMS);
}
