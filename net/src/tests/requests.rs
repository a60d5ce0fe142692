//! Requests between whole nets, and with ends that lie.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::liar::{Liar, drained};
use super::*;
use crate::limits::{REQUEST_FRAME_BYTES_MAX as FRAME_MAX, REQUESTS_AT_ONCE_MAX};
use crate::link::STREAM_REQUEST;
use crate::{ReplyError, RequestError, Responder};

impl Node {
    pub(super) async fn asked(&mut self) -> (PublicKey, Vec<u8>, Responder) {
        let is_request = |event: &Event| matches!(event, Event::Request { .. });
        if let Some(at) = self.seen.iter().position(is_request)
            && let Event::Request { peer, body, reply } = self.seen.remove(at)
        {
            return (peer, body, reply);
        }
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, self.events.recv())
                .await
                .expect("a request in time")
                .unwrap()
            {
                Event::Request { peer, body, reply } => return (peer, body, reply),
                other => self.seen.push(other),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_gets_any_number_of_frames() {
    let (mut a, mut b) = pair(1, 2).await;
    let mut replies = a.net.request(b.key(), b"one?".to_vec()).await.unwrap();
    let (peer, body, mut reply) = b.asked().await;
    assert_eq!((peer, &body[..]), (a.key(), &b"one?"[..]));
    for frame in [&b"first"[..], b"", b"last"] {
        reply.send(frame).await.unwrap();
        assert_eq!(replies.next().await, Some(Ok(frame.to_vec())));
    }
    reply.finish().await.unwrap();
    assert_eq!(replies.next().await, None);
    assert_eq!(replies.next().await, None);
    // The other way, with nothing in it.
    let mut replies = b.net.request(a.key(), vec![]).await.unwrap();
    let (peer, body, reply) = a.asked().await;
    assert_eq!((peer, &body[..]), (b.key(), &b""[..]));
    reply.finish().await.unwrap();
    assert_eq!(replies.next().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_have_a_limit() {
    let (a, mut b) = pair(1, 2).await;
    let most: Vec<u8> = (0..FRAME_MAX).map(|n| n as u8).collect();
    let mut replies = a.net.request(b.key(), most.clone()).await.unwrap();
    let (_, body, mut reply) = b.asked().await;
    assert!(body == most);
    let bytes = FRAME_MAX + 1;
    assert_eq!(
        reply.send(&vec![0; bytes]).await,
        Err(ReplyError::TooLong { bytes })
    );
    let answer = tokio::spawn(async move {
        for _ in 0..20 {
            reply.send(&body).await.unwrap();
        }
        reply.finish().await.unwrap();
    });
    for _ in 0..20 {
        assert!(replies.next().await == Some(Ok(most.clone())));
    }
    assert_eq!(replies.next().await, None);
    answer.await.unwrap();
    let past = a.net.request(b.key(), vec![0; bytes]).await;
    assert_eq!(past.err(), Some(RequestError::TooLong { bytes }));
    assert_eq!(
        a.net.request(device(9).public(), vec![]).await.err(),
        Some(RequestError::NotLinked)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_given_up_is_noticed_on_the_other_side() {
    let (a, mut b) = pair(1, 2).await;
    let mut replies = a.net.request(b.key(), vec![1]).await.unwrap();
    let (_, _, mut reply) = b.asked().await;
    reply.send(b"part").await.unwrap();
    drop(reply);
    assert_eq!(replies.next().await, Some(Ok(b"part".to_vec())));
    assert_eq!(replies.next().await, Some(Err(RequestError::BrokenOff)));
    assert_eq!(replies.next().await, None);

    let replies = a.net.request(b.key(), vec![2]).await.unwrap();
    let (_, _, mut reply) = b.asked().await;
    drop(replies);
    let start = Instant::now();
    while reply.send(b"more").await.is_ok() {
        assert!(start.elapsed() < DEADLINE);
        tokio::task::yield_now().await;
    }

    let mut replies = a.net.request(b.key(), vec![3]).await.unwrap();
    let (_, _, mut reply) = b.asked().await;
    a.net.block(b.key());
    assert_eq!(replies.next().await, Some(Err(RequestError::BrokenOff)));
    while reply.send(&[0; 1000]).await.is_ok() {
        assert!(start.elapsed() < DEADLINE);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_requests_are_open_at_once() {
    let (a, mut b) = pair(1, 2).await;
    let mut open = Vec::new();
    for n in 0..REQUESTS_AT_ONCE_MAX {
        let replies = a.net.request(b.key(), vec![n as u8]).await.unwrap();
        open.push((replies, b.asked().await.2));
    }
    let (net, peer) = (a.net.clone(), b.key());
    let ninth = tokio::spawn(async move { net.request(peer, vec![99]).await.unwrap() });
    let heard = b.wait_within(Duration::from_millis(100), |event| {
        matches!(event, Event::Request { .. }).then_some(())
    });
    assert_eq!(heard.await, None);
    let (mut replies, reply) = open.pop().unwrap();
    reply.finish().await.unwrap();
    assert_eq!(replies.next().await, None);
    assert_eq!(b.asked().await.1, [99]);
    drop(ninth.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asker_that_does_not_wait_its_turn_waits_in_its_streams() {
    let times = Times {
        progress: Duration::from_millis(300),
        ..times()
    };
    let mut node = Node::start_with(1, times).await;
    let (liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    let mut streams = Vec::new();
    for n in 0..REQUESTS_AT_ONCE_MAX + 1 {
        streams.push(liar.open_request(&[0, 0, 0, 1, n as u8]).await);
    }
    let mut held = Vec::new();
    for _ in 0..REQUESTS_AT_ONCE_MAX {
        held.push(node.asked().await);
    }
    // Nobody makes room: the ninth is reset, the eight are not.
    node.refused("request_waited").await;
    let answer = held.pop().unwrap();
    answer.2.finish().await.unwrap();
    let ended = &mut streams[usize::from(answer.1[0])];
    assert_eq!(drained(ended).await, u32::MAX.to_be_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_claimed_are_not_believed() {
    let mut node = Node::start(1).await;
    let (mut liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    for claimed in [FRAME_MAX as u32 + 1, u32::MAX - 1, u32::MAX] {
        let mut stream = liar.open_request(&claimed.to_be_bytes()).await;
        assert!(drained(&mut stream).await.is_empty());
        assert_eq!(node.refused("request_frame").await.0, Some(liar.key));
    }
    let mut replies = node.net.request(liar.key, b"?".to_vec()).await.unwrap();
    let mut stream = liar.link.incoming.recv().await.unwrap();
    let mut asked = [0; 6];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(asked, [STREAM_REQUEST, 0, 0, 0, 1, b'?']);
    let bytes = FRAME_MAX as u32 + 1;
    stream.write_all(&bytes.to_be_bytes()).await.unwrap();
    assert_eq!(replies.next().await, Some(Err(RequestError::Oversized { bytes })));
    assert_eq!(node.net.links().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_an_exchange_and_not_the_link() {
    let times = Times {
        progress: Duration::from_millis(200),
        ..times()
    };
    let mut node = Node::start_with(1, times).await;
    let (mut liar, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    // Asked, and does not read the answer.
    let mut stream = liar.open_request(&[0, 0, 0, 1, 7]).await;
    let (_, _, mut reply) = node.asked().await;
    let sent = async {
        loop {
            if let Err(error) = reply.send(&vec![0; FRAME_MAX]).await {
                return error;
            }
        }
    };
    assert_eq!(timeout(DEADLINE, sent).await.unwrap(), ReplyError::Stalled);
    drop(reply);
    assert!(drained(&mut stream).await.len() >= crate::limits::WINDOW_BYTES);
    // Is asked, and does not answer.
    let mut replies = node.net.request(liar.key, b"?".to_vec()).await.unwrap();
    let _held = liar.link.incoming.recv().await.unwrap();
    assert_eq!(replies.next().await, Some(Err(RequestError::Stalled)));
    assert_eq!(node.net.links().len(), 1);
}
