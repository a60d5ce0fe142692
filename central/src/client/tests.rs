//! A client and a central that does what it likes, in virtual time: what the client bears and what it does not.

use std::time::Duration;

use crdt::id::{PublicKey, UserId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use super::*;
use crate::limits::FRAME_BYTES_MAX;

/// The other end of a client's connection.
struct Central(DuplexStream);

impl Central {
    async fn request(&mut self) -> Request {
        Request::decode(&frame::read(&mut self.0).await.unwrap()).unwrap()
    }

    async fn say(&mut self, json: &str) {
        frame::write(&mut self.0, json.as_bytes()).await.unwrap();
    }

    /// Answers the next request with this.
    async fn answer(&mut self, ok: &str) -> Request {
        let request = self.request().await;
        self.say(&format!(r#"{{"id":{},"ok":{ok}}}"#, request.id)).await;
        request
    }
}

fn hello_ok() -> String {
    hello_at(None)
}

fn hello_at(now_ms: Option<u64>) -> String {
    let ok = HelloOk {
        v: VERSION,
        server: "calotype-central 0".to_owned(),
        nonce: Nonce([7; 32]),
        now_ms,
    };
    serde_json::to_string(&ok).unwrap()
}

async fn connected() -> (Client, Central) {
    let (near, far) = duplex(1024 * 1024);
    let mut central = Central(far);
    let ok = hello_ok();
    let (client, _) = tokio::join!(Client::start("test", near), central.answer(&ok));
    (client.unwrap(), central)
}

fn lookup_ok() -> String {
    let ok = LookupOk {
        name: "alice".to_owned(),
        root: PublicKey([1; 32]),
        user: UserId([2; 32]),
    };
    serde_json::to_string(&ok).unwrap()
}

/// It takes the connection and says nothing, not even TLS.
#[tokio::test(start_paused = true)]
async fn a_central_that_does_not_begin_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let start = Instant::now();
    let silent = Client::connect(&address, Pin::FirstUse).await;
    assert!(matches!(silent, Err(ClientError::Timeout { .. })), "{silent:?}");
    assert_eq!(start.elapsed().as_secs(), CLIENT_CONNECT_DEADLINE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_its_time_and_no_longer() {
    let (client, mut central) = connected().await;
    for (after, in_time) in [
        (CLIENT_ANSWER_DEADLINE - Duration::from_millis(1), true),
        (CLIENT_ANSWER_DEADLINE + Duration::from_millis(1), false),
    ] {
        let (found, ()) = tokio::join!(client.lookup("alice"), async {
            let request = central.request().await;
            tokio::time::sleep(after).await;
            central
                .say(&format!(r#"{{"id":{},"ok":{}}}"#, request.id, lookup_ok()))
                .await;
        });
        assert_eq!(found.is_ok(), in_time);
        assert!(in_time || matches!(found, Err(ClientError::Timeout { .. })));
    }
    // The late answer is nobody's; the connection goes on.
    let ok = lookup_ok();
    let (found, _) = tokio::join!(client.lookup("alice"), central.answer(&ok));
    assert!(found.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_keeps_its_connection_alive_and_notices_when_it_is_dead() {
    let (client, mut central) = connected().await;
    let start = Instant::now();
    for beat in 1..=3 {
        assert_eq!(central.answer(&hello_ok()).await.ask, Ask::Hello { v: VERSION });
        assert_eq!(start.elapsed().as_secs(), (beat * CLIENT_KEEPALIVE).as_secs());
    }
    assert!(!client.is_closed());
    let reason = client.closed().await;
    assert!(reason.contains("did not answer in time"), "{reason}");
    assert_eq!(
        start.elapsed().as_secs(),
        (4 * CLIENT_KEEPALIVE + CLIENT_ANSWER_DEADLINE).as_secs()
    );
}

/// What a central says of its clock is compared with ours; one that says nothing, or what no clock shows, is not.
#[tokio::test]
async fn a_central_says_what_its_clock_shows() {
    for (now_ms, expect) in [
        (None, None),
        (Some(0), Some(-ahead_of_1970())),
        (Some(INTEGER_MAX), Some(INTEGER_MAX as i64 - ahead_of_1970())),
        (Some(INTEGER_MAX + 1), None),
        (Some(u64::MAX), None),
    ] {
        let (near, far) = duplex(1024 * 1024);
        let mut central = Central(far);
        let ok = hello_at(now_ms);
        let (client, _) = tokio::join!(Client::start("test", near), central.answer(&ok));
        let ahead = client.unwrap().clock_ahead_ms();
        let is_near = |expect: i64| ahead.is_some_and(|ahead| (ahead - expect).abs() < 60_000);
        assert!(expect.map_or(ahead.is_none(), is_near), "{now_ms:?}: {ahead:?}");
    }
}

fn ahead_of_1970() -> i64 {
    i64::try_from(wall_clock_ms().unwrap()).unwrap()
}

/// Sixty-four requests are under way at once; the next is sent when one of them is answered.
#[tokio::test(start_paused = true)]
async fn so_many_requests_are_under_way_and_the_next_waits() {
    let (client, mut central) = connected().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..=CLIENT_REQUESTS_MAX {
        let client = client.clone();
        asking.spawn(async move { client.lookup("alice").await });
    }
    let mut ids = Vec::new();
    for _ in 0..CLIENT_REQUESTS_MAX {
        ids.push(central.request().await.id);
    }
    let one_more = tokio::time::timeout(Duration::from_millis(1), central.0.read_u8()).await;
    assert!(one_more.is_err());
    let ok = lookup_ok();
    central.say(&format!(r#"{{"id":{},"ok":{ok}}}"#, ids[0])).await;
    ids.push(central.request().await.id);
    for id in &ids[1..] {
        central.say(&format!(r#"{{"id":{id},"ok":{ok}}}"#)).await;
    }
    while let Some(found) = asking.join_next().await {
        assert!(found.unwrap().is_ok());
    }
}

/// Pushes that nobody reads: so many wait, one more is dropped and counted, and answers still come.
#[tokio::test(start_paused = true)]
async fn pushes_wait_for_their_reader_up_to_a_number() {
    let (client, mut central) = connected().await;
    let mut pushes = client.pushes().unwrap();
    let push = Push::Album {
        album: AlbumId([1; 32]),
        name: "trip".to_owned(),
        by: "alice".to_owned(),
        removed: false,
    };
    for missed in [0, 1] {
        let count = if missed == 0 { CLIENT_PUSHES_MAX } else { 1 };
        for _ in 0..count {
            frame::write(&mut central.0, &push.encode()).await.unwrap();
        }
        let ok = lookup_ok();
        let (found, _) = tokio::join!(client.lookup("alice"), central.answer(&ok));
        assert!(found.is_ok());
        assert_eq!(client.pushes_missed(), missed);
    }
    for _ in 0..CLIENT_PUSHES_MAX {
        assert_eq!(pushes.try_recv().unwrap(), push);
    }
    assert!(pushes.try_recv().is_err());
}

/// A listing that says "there is more" without end, each page a little further: so many pages are read.
#[tokio::test(start_paused = true)]
async fn a_listing_has_an_end() {
    let page = |number: usize, more: bool| {
        let mut album = [0; 32];
        album[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
        let device = KeyPair::from_seed(&[1; 32]);
        let cert = Certificate {
            root: device.public(),
            device: PublicKey(album),
            sig: Signature([0; 64]),
        };
        let entry = AlbumEntry {
            album: AlbumId(album),
            name: String::new(),
            owner: cert.user(),
            list: String::new(),
            sig: Signature([0; 64]),
            cert: cert.clone(),
        };
        let peer = PeerEntry {
            name: String::new(),
            user: cert.user(),
            cert,
            addresses: Vec::new(),
            seen_ms: None,
        };
        let albums = AlbumsOk {
            albums: vec![entry],
            more,
        };
        let peers = AlbumPeersOk {
            peers: vec![peer],
            more,
        };
        [
            serde_json::to_string(&albums).unwrap(),
            serde_json::to_string(&peers).unwrap(),
        ]
    };
    let (client, mut central) = connected().await;
    for endless in [false, true] {
        let serve = async |central: &mut Central, kind: usize| {
            for number in 0..CLIENT_PAGES_MAX {
                let more = endless || number + 1 < CLIENT_PAGES_MAX;
                central.answer(&page(number, more)[kind]).await;
            }
        };
        let (albums, ()) = tokio::join!(client.albums(), serve(&mut central, 0));
        let album = AlbumId([1; 32]);
        let (peers, ()) = tokio::join!(client.album_peers(&album), serve(&mut central, 1));
        if endless {
            assert!(matches!(albums, Err(ClientError::Protocol { .. })));
            assert!(matches!(peers, Err(ClientError::Protocol { .. })));
        } else {
            assert_eq!(
                (albums.unwrap().len(), peers.unwrap().len()),
                (CLIENT_PAGES_MAX, CLIENT_PAGES_MAX)
            );
        }
    }
}

/// A central that sends a frame too long, half a frame, or no JSON has lost its client, and everybody who waits is told.
#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_answer_end_the_connection() {
    let too_long = (FRAME_BYTES_MAX as u32 + 1).to_be_bytes();
    for bytes in [
        &too_long[..],
        &[0x40, 0, 0, 0],
        &[0xff; 4],
        &[0, 0, 0, 2, b'{', b'{'],
        &[0, 0, 0, 2, b'{'],
    ] {
        let (client, mut central) = connected().await;
        let (found, ()) = tokio::join!(client.lookup("alice"), async {
            central.request().await;
            central.0.write_all(bytes).await.unwrap();
            central.0.shutdown().await.unwrap();
        });
        assert!(matches!(found, Err(ClientError::Unreachable { .. })), "{found:?}");
        assert!(client.is_closed());
    }
}
