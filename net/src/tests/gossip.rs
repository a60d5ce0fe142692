//! Gossip between whole nets.

use super::*;
use crate::{PublishError, limits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nets_gossip_both_ways() {
    let (mut a, mut b) = pair(1, 2).await;
    a.net.publish(album(1), b"from a".to_vec()).await.unwrap();
    assert_eq!(b.gossip().await, (album(1), a.key(), b"from a".to_vec()));
    b.net.publish(album(1), b"from b".to_vec()).await.unwrap();
    assert_eq!(a.gossip().await, (album(1), b.key(), b"from b".to_vec()));
    let link = &a.net.links()[0];
    assert!(link.dialled && link.peer == b.key() && link.bytes_in > 0 && link.bytes_out > 0);
    let carried = b.net.carried();
    assert!(carried.0 > 0 && carried.1 > 0);
    a.net.shutdown().await;
    assert_eq!(b.unlinked(a.keys.public()).await, "the peer said: shutting down");
    assert_eq!(std::fs::read_dir(a.folder.path().join("ipc")).unwrap().count(), 0);
    // What a link carried is not forgotten with it.
    let ended = b.net.clone();
    b.net.shutdown().await;
    assert!(ended.links().is_empty() && ended.carried().0 >= carried.0 && ended.carried().1 >= carried.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nets_hear_what_they_subscribe_to() {
    let (mut a, mut b) = pair(1, 2).await;
    let mut c = Node::start(3).await;
    c.net.subscribe(album(1));
    c.net.subscribe(album(2));
    c.dial(&a);
    c.dial(&b);
    for peer in [a.key(), b.key()] {
        c.linked(peer).await;
    }
    a.linked(c.key()).await;
    b.linked(c.key()).await;
    b.net.publish(album(2), b"for c".to_vec()).await.unwrap();
    b.net.publish(album(1), b"for both".to_vec()).await.unwrap();
    assert_eq!(c.gossip().await, (album(2), b.key(), b"for c".to_vec()));
    assert_eq!(c.gossip().await, (album(1), b.key(), b"for both".to_vec()));
    assert_eq!(a.gossip().await, (album(1), b.key(), b"for both".to_vec()));
    c.net.publish(album(1), b"from c".to_vec()).await.unwrap();
    assert_eq!(a.gossip().await.1, c.key());
    assert_eq!(b.gossip().await.1, c.key());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_of_a_live_link_come_and_go() {
    let (a, mut b) = pair(1, 2).await;
    b.net.subscribe(album(2));
    // Active about a round trip later.
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < DEADLINE);
        a.net.publish(album(2), b"two".to_vec()).await.unwrap();
        let heard = b.wait_within(Duration::from_millis(5), |event| match event {
            Event::Gossip { topic, .. } => Some(*topic),
            _ => None,
        });
        if heard.await == Some(album(2)) {
            break;
        }
    }
    b.net.unsubscribe(album(2));
    a.net.publish(album(2), b"gone".to_vec()).await.unwrap();
    a.net.publish(album(1), b"one".to_vec()).await.unwrap();
    loop {
        let (topic, _, payload) = b.gossip().await;
        assert_ne!(payload, b"gone");
        if topic == album(1) {
            break;
        }
    }
    a.net.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_8000_arrives_whole() {
    const MESSAGES: u32 = 8_000;
    let (a, mut b) = pair(1, 2).await;
    let net = a.net.clone();
    let sender = tokio::spawn(async move {
        for n in 0..MESSAGES {
            let payload = [&n.to_be_bytes()[..], &[b'x'; 700]].concat();
            net.publish(album(1), payload).await.unwrap();
        }
    });
    for n in 0..MESSAGES {
        let (_, _, payload) = b.gossip().await;
        assert_eq!(payload[..4], n.to_be_bytes());
    }
    sender.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mebibyte_is_published_and_not_a_byte_more() {
    let (a, mut b) = pair(1, 2).await;
    let most = limits::GOSSIP_PAYLOAD_BYTES_MAX;
    a.net.publish(album(1), vec![5; most]).await.unwrap();
    assert!(b.gossip().await.2 == vec![5; most]);
    let bytes = most + 1;
    assert_eq!(
        a.net.publish(album(1), vec![5; bytes]).await,
        Err(PublishError::TooLong { bytes })
    );
    let net = a.net.clone();
    a.net.shutdown().await;
    assert_eq!(net.publish(album(1), vec![]).await, Err(PublishError::Closed));
}

/// Why the SUB binds and is connected to: see [`crate::bus`].
#[tokio::test]
async fn a_thousand_links_leave_nothing_behind() {
    use super::zmtp::{message, shake};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut node = Node::start(1).await;
    node.net.subscribe(album(1));
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for generation in 0u32..1_000 {
        let mut sub = node.net.shared.bus.connect_sub().await.unwrap();
        sub.write_all(&shake("PUB")).await.unwrap();
        let said = message(1, &[2; 32], &generation.to_be_bytes());
        sub.write_all(&said).await.unwrap();
        // Some are cut off inside a message.
        if generation % 10 == 0 {
            sub.write_all(&said[..50]).await.unwrap();
        }
        assert_eq!(node.gossip().await.2, generation.to_be_bytes());
        let mut publisher = node.net.shared.bus.connect_pub().await.unwrap();
        publisher.write_all(&shake("SUB")).await.unwrap();
        publisher
            .read_exact(&mut vec![0; shake("PUB").len()])
            .await
            .unwrap();
    }
    until("tasks ended", || tasks() <= before).await;
    node.net.shutdown().await;
}
