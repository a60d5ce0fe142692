//! What a peer may have of a link, at each limit and one past it. The limits of pure parts are tested beside them.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::liar::{Liar, Victim as _, drained, tls};
use super::*;
use crate::hello::{Control, Hello, encode};
use crate::limits::*;
use crate::link::STREAM_CONTROL;
use crate::{RequestError, frame};

/// yamux's header of a frame: data (0) or window (1), with flags.
fn yamux(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    let mut out = vec![0, kind];
    out.extend(flags.to_be_bytes());
    out.extend(stream.to_be_bytes());
    out.extend(length.to_be_bytes());
    out
}

const SYN: u16 = 1;

/// The control stream after hello: a frame at the limit is read, and one that a later version might send is skipped;
/// one byte more ends the link.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_control_frame_has_a_limit_on_a_live_link_too() {
    let mut node = Node::start(1).await;
    let (mut liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    frame::write(&mut liar.control, &[b' '; CONTROL_FRAME_BYTES_MAX], DEADLINE)
        .await
        .unwrap();
    until("a frame skipped", || node.counter("control_unknown") == 1).await;
    let beat = encode(&Control::Beat(1));
    frame::write(&mut liar.control, &beat, DEADLINE).await.unwrap();
    frame::write(&mut liar.control, &[b' '; CONTROL_FRAME_BYTES_MAX + 1], DEADLINE)
        .await
        .unwrap();
    let reason = node.unlinked(liar.key).await;
    assert!(reason.contains("a frame of 2049 bytes"), "{reason}");
}

/// A peer may have 32 streams open: its control stream, its gossip and thirty more. The next is reset, the others and
/// the link stay, and one that ends makes room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_may_open_thirty_two_streams_and_not_one_more() {
    let mut node = Node::start(1).await;
    let (liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_INCOMING_MAX - 2 {
        streams.push(liar.open_request(&[]).await);
    }
    let mut past = liar.open_request(&[]).await;
    assert!(drained(&mut past).await.is_empty(), "reset");
    // Each of the thirty is still there: whole now, they are all answered.
    for stream in &mut streams {
        stream.write_all(&[0, 0, 0, 1, 7]).await.unwrap();
    }
    for _ in &streams {
        node.asked().await.2.finish().await.unwrap();
    }
    for stream in &mut streams {
        assert_eq!(drained(stream).await, u32::MAX.to_be_bytes());
    }
    drop(streams);
    let mut again = liar.open_request(&[0, 0, 0, 1, 7]).await;
    node.asked().await.2.finish().await.unwrap();
    assert_eq!(drained(&mut again).await, u32::MAX.to_be_bytes());
}

/// A flood of stream openings on a live link, more than the multiplexer itself takes: that link may end, the others do
/// not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_openings_is_the_flooders_matter() {
    let times = Times {
        gossip_setup: Duration::from_millis(500),
        ..times()
    };
    let (mut a, mut b) = (Node::start_with(1, times).await, Node::start(2).await);
    a.net.subscribe(album(1));
    b.net.subscribe(album(1));
    a.dial(&b);
    a.linked(b.key()).await;
    let mut raw = tls(3, &a).await;
    let hello = encode(&Hello::new(certificate(3), &[], 7));
    let said = [&[STREAM_CONTROL][..], &(hello.len() as u32).to_be_bytes(), &hello].concat();
    let opened = [yamux(0, SYN, 1, said.len() as u32), said].concat();
    raw.write_all(&opened).await.unwrap();
    until("a live link", || a.net.links().len() == 2).await;
    let (mut read, mut write) = tokio::io::split(&mut raw);
    let mut nowhere = tokio::io::sink();
    let openings: Vec<u8> = (1..10_000).flat_map(|n| yamux(1, SYN, 2 * n + 1, 0)).collect();
    let others = async {
        a.net.publish(album(1), b"calm".to_vec()).await.unwrap();
        assert_eq!(b.gossip().await.2, b"calm");
    };
    // What comes back is read, so that nothing waits for us; gossip never begins.
    let (_, ended, ()) = tokio::join!(
        write.write_all(&openings),
        timeout(DEADLINE, tokio::io::copy(&mut read, &mut nowhere)),
        others,
    );
    assert!(ended.is_ok(), "hung up on");
    until("one link left", || a.net.links().len() == 1).await;
}

/// Frames of yamux itself that claim much: a body of 1 GiB or of 4 GiB, and a window that would overflow. The connection
/// ends at the header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_multiplexer_frame_claims_is_not_believed() {
    let mut node = Node::start(1).await;
    for (kind, length) in [
        (0, 1 << 30),
        (0, u32::MAX),
        (0, WINDOW_BYTES as u32 + 1),
        (1, u32::MAX),
    ] {
        let mut raw = tls(2, &node).await;
        raw.write_all(&yamux(kind, SYN, 1, length)).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(DEADLINE, raw.read_to_end(&mut rest))
            .await
            .expect("an end in time");
        node.refused("handshake").await;
    }
}

/// Bytes that drip in: a handshake of TLS that never comes to its end, and a hello that does not, both ended by the one
/// deadline for both, however fast or slow they go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_drips_is_ended() {
    let times = Times {
        handshake: Duration::from_millis(300),
        ..times()
    };
    let mut node = Node::start_with(1, times).await;
    let mut tcp = TcpStream::connect(node.address()).await.unwrap();
    // A record of 16 KiB that begins a ClientHello of 64 KiB, byte by byte.
    let record = [&[0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff][..], &[0; 60_000]].concat();
    drip(&mut tcp, &record).await;
    assert!(node.refused("handshake").await.1.contains("took too long"));
    let mut raw = tls(2, &node).await;
    // A stream of control that announces 2,000 bytes of hello.
    let hello = [&yamux(0, SYN, 1, 2_005)[..], &[0, 0, 0, 7, 0xd0], &[b' '; 2_000]].concat();
    drip(&mut raw, &hello).await;
    assert!(node.refused("handshake").await.1.contains("took too long"));
}

/// Writes a byte whenever a millisecond has brought no end; ends with the connection.
async fn drip(io: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin), bytes: &[u8]) {
    let mut heard = [0; 1024];
    for byte in bytes {
        if io.write_all(&[*byte]).await.is_err() || io.flush().await.is_err() {
            return;
        }
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(1), io.read(&mut heard)).await {
            return;
        }
    }
    panic!("never ended");
}

/// A ZMTP handshake without an end: the greeting drips, or READY never comes. The link does not come up, and goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_that_never_begins_ends_the_link() {
    use super::zmtp::{greeting, shake};
    let times = Times {
        gossip_setup: Duration::from_millis(300),
        ..times()
    };
    let mut node = Node::start_with(1, times).await;
    for said in [vec![], vec![0xff], greeting(b"NULL"), shake("PUB")] {
        let mut liar = Liar::join(2, &node).await;
        let _to_pub = liar.be_sub().await;
        let mut to_sub = liar.link.incoming.recv().await.unwrap();
        to_sub.write_all(&said).await.unwrap();
        let bye = frame::read(&mut liar.control, CONTROL_FRAME_BYTES_MAX, DEADLINE).await;
        assert_eq!(
            bye.unwrap(),
            frame::Read::Frame(encode(&Control::Bye("gossip did not start".to_owned())))
        );
    }
    assert!(
        !node
            .seen
            .iter()
            .any(|event| matches!(event, Event::LinkUp { .. }))
    );
    assert!(node.events.try_recv().is_err(), "nothing to tell");
}

/// Our subscriptions change and change again, and the peer's PUB takes none of it: what waits is bounded, then the link
/// is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pub_that_reads_no_subscriptions_is_closed() {
    let mut node = Node::start(1).await;
    let (liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    let start = Instant::now();
    while node.counter("slow_peer") == 0 {
        assert!(start.elapsed() < DEADLINE);
        for topic in 1..=64 {
            node.net.subscribe(album(topic));
        }
        tokio::task::yield_now().await;
        for topic in 1..=64 {
            node.net.unsubscribe(album(topic));
        }
        tokio::task::yield_now().await;
    }
    let (peer, detail) = node.refused("slow_peer").await;
    assert_eq!(peer, Some(liar.key));
    assert!(
        detail.contains(&UPSTREAM_WAITING_BYTES_MAX.to_string()),
        "{detail}"
    );
    node.unlinked(liar.key).await;
}

/// Twenty exchanges stand still at once: requests cut in the middle, answers that nobody reads. Those of another link go
/// on, and the twenty cost the memory of their windows at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_stalled_streams_stall_nobody_else() {
    let (mut a, mut b) = pair(1, 2).await;
    let (liar, _to_sub, _to_pub) = Liar::linked(3, &mut a).await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        stalled.push(liar.open_request(&[0, 0, 0, 1, 7]).await);
        let (peer, _, mut reply) = a.asked().await;
        assert_eq!(peer, liar.key);
        tokio::spawn(async move { while reply.send(&[7; REQUEST_FRAME_BYTES_MAX]).await.is_ok() {} });
    }
    for _ in 0..16 {
        stalled.push(liar.open_request(&[0, 0, 1, 0, 7]).await);
    }
    for n in 0..100u8 {
        let mut replies = b.net.request(a.key(), vec![n]).await.unwrap();
        let (peer, body, mut reply) = a.asked().await;
        assert_eq!((peer, &body[..]), (b.key(), &[n][..]));
        reply.send(&body).await.unwrap();
        reply.finish().await.unwrap();
        assert_eq!(replies.next().await, Some(Ok(vec![n])));
        // And the other way.
        let mut replies = a.net.request(b.key(), vec![n]).await.unwrap();
        b.asked().await.2.finish().await.unwrap();
        assert_eq!(replies.next().await, None);
    }
    assert_eq!(a.net.links().len(), 2);
}

/// An answer may announce what it likes: past the limit it is not read, 1 GiB costs nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_answer_claims_is_not_believed() {
    let mut node = Node::start(1).await;
    let (mut liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    for bytes in [REQUEST_FRAME_BYTES_MAX as u32 + 1, 1 << 30, u32::MAX - 1] {
        let mut replies = node.net.request(liar.key, b"?".to_vec()).await.unwrap();
        let mut stream = liar.link.incoming.recv().await.unwrap();
        stream.write_all(&bytes.to_be_bytes()).await.unwrap();
        assert_eq!(replies.next().await, Some(Err(RequestError::Oversized { bytes })));
    }
    // Half a frame is no frame.
    let mut replies = node.net.request(liar.key, b"?".to_vec()).await.unwrap();
    let mut stream = liar.link.incoming.recv().await.unwrap();
    stream.write_all(&[0, 4, 0, 0, 1]).await.unwrap();
    drop(stream);
    assert_eq!(replies.next().await, Some(Err(RequestError::BrokenOff)));
}

/// Seventeen peers whose addresses answer nothing: sixteen dials are under way, the last waits for one of them to fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_dials_are_under_way_at_once() {
    let nobody = TcpListener::bind(any_port()).await.unwrap();
    let node = Node::start(1).await;
    for n in 0..=DIALS_AT_ONCE_MAX {
        node.net
            .dial(device(2 + n as u8).public(), vec![nobody.local_addr().unwrap()]);
    }
    let mut dialling = Vec::new();
    for _ in 0..DIALS_AT_ONCE_MAX {
        dialling.push(timeout(DEADLINE, nobody.accept()).await.unwrap().unwrap());
    }
    assert_eq!(node.net.shared.dials.available_permits(), 0);
    let none = timeout(Duration::from_millis(20), nobody.accept()).await;
    assert!(none.is_err(), "one past");
    dialling.pop();
    timeout(DEADLINE, nobody.accept()).await.unwrap().unwrap();
}
