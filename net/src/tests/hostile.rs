//! Strangers and liars at the port: that link ends, nothing else does.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::liar::{Liar, bye_of, drained, greet, secure, subscribe};
use super::zmtp::{frame, greeting, message, shake, subscription};
use super::*;
use crate::hello::{Answer, Hello, encode};
use crate::limits;
use crate::link::{STREAM_GOSSIP, STREAM_REQUEST};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_with_another_key_than_dialled_is_refused() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    a.net.dial(device(3).public(), vec![b.net.local_addr()]);
    until("a failed dial", || a.counter("dial_failed") > 0).await;
    b.refused("handshake").await;
    assert!(a.net.links().is_empty() && b.net.links().is_empty());
    // The same address under the right key.
    a.dial(&b);
    a.linked(b.key()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_must_be_the_devices_own() {
    let mut node = Node::start(1).await;
    let hello = |cert: &Certificate| encode(&Hello::new(cert.clone(), &[], 7));
    let stolen = certificate(3);
    let unsigned = Certificate {
        root: root(9).public(),
        ..certificate(2)
    };
    for cert in [stolen, unsigned] {
        let (_, answer) = greet(2, &node, &hello(&cert)).await;
        assert_eq!(bye_of(answer), "the certificate is not one for the device");
        assert_eq!(node.refused("certificate").await.0, Some(device(2).public()));
    }
    for bad in [
        &b"{}"[..],
        b"",
        b"[1",
        br#"{"beat":1}"#,
        &hello(&certificate(2))[..100],
    ] {
        let (_, answer) = greet(2, &node, bad).await;
        assert!(!matches!(answer, Some(Answer::Hello(_))));
        node.refused("hello").await;
    }
    // A frame at the limit is read and found no hello; one byte more is not read.
    for bytes in [
        limits::CONTROL_FRAME_BYTES_MAX,
        limits::CONTROL_FRAME_BYTES_MAX + 1,
    ] {
        let link = secure(2, &node).await;
        let mut liar = link.opener.open().await.unwrap();
        liar.write_all(&[0]).await.unwrap();
        crate::frame::write(&mut liar, &vec![b' '; bytes], DEADLINE)
            .await
            .unwrap();
        let (_, detail) = node.refused("hello").await;
        assert_eq!(
            detail.contains("2049 bytes"),
            bytes == limits::CONTROL_FRAME_BYTES_MAX + 1,
            "{detail}"
        );
    }
    let good = encode(&Hello::new(certificate(2), &[], 7));
    assert!(matches!(greet(2, &node, &good).await.1, Some(Answer::Hello(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_decides_who_may_link() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    b.rules.forbid_link(a.key());
    a.dial(&b);
    assert_eq!(b.refused("unknown_key").await.0, Some(a.key()));
    until("a failed dial", || a.counter("dial_failed") > 0).await;
    assert!(a.net.links().is_empty() && b.net.links().is_empty());
    b.rules.no_link.lock().unwrap().clear();
    a.linked(b.key()).await;
    b.linked(a.key()).await;
    // And whether a link may stay.
    b.rules.forbid_link(a.key());
    b.net.recheck();
    assert_eq!(b.unlinked(a.key()).await, "no longer permitted");
    assert_eq!(a.unlinked(b.key()).await, "the peer said: no longer permitted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_heard_before_hello() {
    let times = Times {
        handshake: Duration::from_millis(400),
        ..times()
    };
    let mut node = Node::start_with(1, times).await;
    for first in [STREAM_GOSSIP, STREAM_REQUEST, 99] {
        let link = secure(2, &node).await;
        let mut stream = link.opener.open().await.unwrap();
        stream.write_all(&[first, 0, 0, 0, 1, 1]).await.unwrap();
        assert!(drained(&mut stream).await.is_empty());
        node.refused("hello").await;
    }
    // Silence, after TLS and before.
    let _link = secure(2, &node).await;
    let (peer, detail) = node.refused("handshake").await;
    assert!(peer.is_none() || peer == Some(device(2).public()));
    assert!(detail.contains("took too long"), "{detail}");
    let _tcp = TcpStream::connect(node.net.local_addr()).await.unwrap();
    node.refused("handshake").await;
    assert!(
        !node
            .seen
            .iter()
            .any(|event| matches!(event, Event::Request { .. } | Event::LinkUp { .. }))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_floods_do_not_keep_an_honest_peer_out() {
    let (mut a, b) = (Node::start(1).await, Node::start(2).await);
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 100],
        &[0x16, 3, 1, 0xff, 0xff, 1],
        &shake("SUB"),
    ] {
        let mut tcp = TcpStream::connect(b.net.local_addr()).await.unwrap();
        let _ = tcp.write_all(garbage).await;
        let _ = tcp.shutdown().await;
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    }
    until("garbage refused", || b.counter("handshake") >= 4).await;
    let mut strangers = Vec::new();
    for n in 0..200 {
        let mut tcp = TcpStream::connect(b.net.local_addr()).await.unwrap();
        if n % 2 == 0 {
            // The start of a handshake that never goes on.
            let _ = tcp.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).await;
        }
        strangers.push(tcp);
    }
    let start = Instant::now();
    a.dial(&b);
    a.linked(b.key()).await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(b.counter("half_open") >= 200 - limits::HALF_OPEN_ON_LOOPBACK_MAX as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sub_that_breaks_the_rules_is_cut_and_on_the_third_time_banned() {
    let mut node = Node::start(1).await;
    let after = |rest: Vec<u8>| [shake("SUB"), rest].concat();
    let subscriptions: Vec<u8> = (1..=65).flat_map(|topic| subscription(1, topic)).collect();
    for (times, bytes) in [
        greeting(b"PLAIN"),
        after(frame(2, 1 << 40, b"")),
        after(subscriptions),
    ]
    .into_iter()
    .enumerate()
    {
        let mut liar = Liar::join(2, &node).await;
        let (_to_sub, _) = liar.be_pub().await;
        node.linked(liar.key).await;
        let mut stream = liar.open(&[&[STREAM_GOSSIP][..], &bytes].concat()).await;
        assert_eq!(node.refused("gossip_frame").await.0, Some(liar.key));
        drained(&mut stream).await;
        if times < 2 {
            node.unlinked(liar.key).await;
        }
    }
    node.refused("banned").await;
    node.unlinked(device(2).public()).await;
    // Refused as soon as its key is known; another peer is not.
    let _link = secure(2, &node).await;
    assert_eq!(node.refused("banned_link").await.0, Some(device(2).public()));
    Liar::linked(3, &mut node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_subscriptions_are_served() {
    let mut node = Node::start(1).await;
    let (_liar, _to_sub, mut to_pub) = Liar::linked(2, &mut node).await;
    let topics: Vec<u8> = (1..=64).collect();
    // Twice is once.
    subscribe(&node, &mut to_pub, &topics).await;
    subscribe(&node, &mut to_pub, &topics).await;
    for topic in [1, 64] {
        node.net.publish(album(topic), b"x".to_vec()).await.unwrap();
        let wanted = message(topic, &node.key().0, b"x");
        let mut got = vec![0; wanted.len()];
        to_pub.read_exact(&mut got).await.unwrap();
        assert_eq!(got, wanted);
    }
    assert_eq!(node.counter("gossip_frame"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_subscriptions_is_cut() {
    let mut node = Node::start(1).await;
    let (liar, _to_sub, mut to_pub) = Liar::linked(2, &mut node).await;
    // With the probe at its end, just the burst.
    subscribe(
        &node,
        &mut to_pub,
        &vec![1; limits::SUBSCRIPTION_FRAMES_BURST as usize - 1],
    )
    .await;
    assert_eq!(node.counter("gossip_frame"), 0);
    let flood = [subscription(0, 1), subscription(1, 1)].concat().repeat(200);
    to_pub.write_all(&flood).await.unwrap();
    let (peer, detail) = node.refused("gossip_frame").await;
    assert_eq!(peer, Some(liar.key));
    assert!(detail.contains("too many subscriptions"), "{detail}");
}

/// A member floods an album: what is over the rate is dropped, and who goes on is cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_messages_is_cut() {
    let mut node = Node::start(1).await;
    let (liar, mut to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    let bearable = limits::GOSSIP_MESSAGES_BURST + limits::GOSSIP_DROPPED_BURST;
    let flood = message(1, &liar.key.0, b"").repeat(bearable as usize);
    // More than once: the rate earns some while a slow machine reads.
    for _ in 0..8 {
        if to_sub.write_all(&flood).await.is_err() {
            break;
        }
    }
    assert_eq!(node.refused("gossip_flood").await.0, Some(liar.key));
    assert!(node.counter("gossip_over") > 0);
    assert!(node.unlinked(liar.key).await.starts_with("gossip: "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_ask_a_peer_for_sixty_four_topics_at_most() {
    for (topics, over) in [(64, 0), (65, 1)] {
        let node = Node::start(1).await;
        for topic in 1..=topics {
            node.net.subscribe(album(topic));
        }
        let mut liar = Liar::join(2, &node).await;
        let (_to_sub, wishes) = liar.be_pub().await;
        assert_eq!(wishes.len(), limits::SUBSCRIPTIONS_MAX);
        assert_eq!(node.counter("subscriptions_over"), over);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pub_that_breaks_the_rules_is_cut() {
    let mut node = Node::start(1).await;
    node.net.subscribe(album(1));
    let forged = message(1, &device(4).public().0, b"not mine");
    let huge = frame(3, 1 << 40, b"");
    for (kind, n, bytes) in [("forged_from", 2, forged), ("gossip_frame", 3, huge)] {
        let (liar, mut to_sub, _to_pub) = Liar::linked(n, &mut node).await;
        to_sub.write_all(&message(1, &liar.key.0, b"mine")).await.unwrap();
        assert_eq!(node.gossip().await, (album(1), liar.key, b"mine".to_vec()));
        to_sub.write_all(&bytes).await.unwrap();
        assert_eq!(node.refused(kind).await.0, Some(liar.key));
        assert!(node.unlinked(liar.key).await.starts_with("gossip: "));
        assert!(!node.net.links().iter().any(|link| link.peer == liar.key));
    }
    assert!(
        !node
            .seen
            .iter()
            .any(|event| matches!(event, Event::Gossip { .. }))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_asked_for_or_is_not_allowed_never_arrives() {
    let mut node = Node::start(1).await;
    node.net.subscribe(album(1));
    node.net.subscribe(album(2));
    node.rules.forbid_read(device(5).public(), album(2));
    let mut liar = Liar::join(5, &node).await;
    let mut to_pub = liar.be_sub().await;
    let (mut to_sub, wishes) = liar.be_pub().await;
    node.linked(liar.key).await;
    // It does not even learn of album 2.
    assert_eq!(wishes, [crate::zmtp::Wish::Subscribe([1; 32])]);
    for topic in [3, 2, 1] {
        to_sub
            .write_all(&message(topic, &liar.key.0, &[topic]))
            .await
            .unwrap();
    }
    assert_eq!(node.gossip().await, (album(1), liar.key, vec![1]));
    assert_eq!(
        (node.counter("gossip_unwanted"), node.counter("gossip_topic")),
        (1, 1)
    );

    // The other way: it asks for both and gets one.
    let me = node.key().0;
    let mut got = subscribe(&node, &mut to_pub, &[2, 1]).await;
    let answered = got.len();
    assert_eq!(node.counter("subscription_refused"), 1);
    let publish = async |topic: u8, text: &str| {
        node.net
            .publish(album(topic), text.as_bytes().to_vec())
            .await
            .unwrap();
    };
    publish(2, "secret").await;
    publish(1, "open").await;
    let open = message(1, &me, b"open");
    while !got.ends_with(&open) {
        assert!(to_pub.read_buf(&mut got).await.unwrap() > 0);
    }
    assert_eq!(got[answered..], open);

    // Allowed later: the old wish is remembered. Forbidden again: nothing more.
    node.rules.allow_read(liar.key, album(2));
    node.net.recheck();
    let start = Instant::now();
    while !got.ends_with(&message(2, &me, b"now")) {
        assert!(start.elapsed() < DEADLINE);
        publish(2, "now").await;
        let _ = timeout(Duration::from_millis(5), to_pub.read_buf(&mut got)).await;
    }
    node.rules.forbid_read(liar.key, album(2));
    let before = got.len();
    publish(2, "never").await;
    publish(1, "open").await;
    while !got.ends_with(&open) {
        assert!(to_pub.read_buf(&mut got).await.unwrap() > 0);
    }
    assert!(!got[before..].windows(5).any(|window| window == b"never"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_streams_are_dropped_and_the_link_stays() {
    let times = Times {
        stream_kind: Duration::from_millis(50),
        ..times()
    };
    let mut node = Node::start_with(1, times).await;
    let (liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    for bytes in [&[99][..], &[STREAM_GOSSIP], &[0, 1, 2]] {
        let mut stream = liar.open(bytes).await;
        assert!(drained(&mut stream).await.is_empty());
        assert_eq!(node.refused("stream_kind").await.0, Some(liar.key));
    }
    assert_eq!(node.net.links().len(), 1);
    // More streams than a peer may open: the last are reset, the link stays.
    let mut streams = Vec::new();
    for _ in 0..limits::STREAMS_INCOMING_MAX {
        streams.push(liar.open_request(&[0]).await);
    }
    let mut ended = 0;
    for mut stream in streams {
        ended += u32::from(timeout(Duration::from_millis(20), stream.read_u8()).await.is_ok());
    }
    assert!(ended > 0);
    assert_eq!(node.net.links().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_peer_is_noticed() {
    let times = Times {
        heartbeat: Duration::from_millis(50),
        dead: Duration::from_millis(300),
        ..times()
    };
    let (mut a, mut b) = (Node::start_with(1, times).await, Node::start_with(2, times).await);
    a.dial(&b);
    a.linked(b.key()).await;
    b.linked(a.key()).await;
    let (liar, _to_sub, _to_pub) = Liar::linked(3, &mut a).await;
    // It says nothing, and its kernel still answers.
    assert_eq!(a.unlinked(liar.key).await, "the peer fell silent");
    // Two that only send heartbeats outlive it.
    assert_eq!(a.net.links().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stops_reading_is_closed_and_holds_no_other_back() {
    let (mut a, mut b) = pair(1, 2).await;
    let (liar, _to_sub, mut to_pub) = Liar::linked(3, &mut a).await;
    subscribe(&a, &mut to_pub, &[1]).await;
    const MESSAGES: usize = 40;
    let payload = |n: usize| [&n.to_be_bytes()[..], &vec![7; 300_000]].concat();
    let net = a.net.clone();
    let sender = tokio::spawn(async move {
        for n in 0..MESSAGES {
            net.publish(album(1), payload(n)).await.unwrap();
        }
    });
    for n in 0..MESSAGES {
        assert!(b.gossip().await.2 == payload(n), "message {n}");
    }
    sender.await.unwrap();
    let (peer, detail) = a.refused("slow_peer").await;
    assert_eq!(peer, Some(liar.key), "{detail}");
    assert!(
        detail.contains(&limits::GOSSIP_WAITING_BYTES_MAX.to_string()),
        "{detail}"
    );
    a.unlinked(liar.key).await;
    assert_eq!(a.net.links().len(), 1);
}
