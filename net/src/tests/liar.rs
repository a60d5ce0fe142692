//! An end of a link that says what it likes: the transport without the guard.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::zmtp::{shake, subscription};
use super::*;
use crate::frame;
use crate::hello::{Answer, Control, Hello, encode};
use crate::link::{STREAM_CONTROL, STREAM_GOSSIP, STREAM_REQUEST};
use crate::transport::{Link, Secure, Stream, Windows};
use crate::zmtp::{Upstream, Wish, probe_number, probe_topic, put_message, put_subscription};

pub(super) struct Liar {
    pub(super) link: Link,
    /// Dropped, it would end the link.
    pub(super) control: Stream,
    pub(super) key: PublicKey,
}

/// A net that can be lied to: here, or in another process.
pub(super) trait Victim {
    fn address(&self) -> SocketAddr;
    fn key(&self) -> PublicKey;
}

impl Victim for Node {
    fn address(&self) -> SocketAddr {
        self.net.local_addr()
    }

    fn key(&self) -> PublicKey {
        self.keys.public()
    }
}

/// A TLS connection to a net, without yamux.
pub(super) async fn tls(n: u8, to: &impl Victim) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(to.address()).await.unwrap();
    let secure = Secure::new(&device(n)).unwrap();
    secure.dial_tls(tcp, to.key()).await.unwrap()
}

/// A TLS link to a net, nothing said yet.
pub(super) async fn secure(n: u8, to: &impl Victim) -> Link {
    let tcp = TcpStream::connect(to.address()).await.unwrap();
    let secure = Secure::new(&device(n)).unwrap();
    secure.dial(tcp, to.key(), &Windows::new()).await.unwrap()
}

/// Says this hello and returns the answer.
pub(super) async fn greet(n: u8, to: &impl Victim, hello: &[u8]) -> (Liar, Option<Answer>) {
    let link = secure(n, to).await;
    let mut control = link.opener.open().await.unwrap();
    control.write_all(&[STREAM_CONTROL]).await.unwrap();
    frame::write(&mut control, hello, DEADLINE).await.unwrap();
    let answer = match frame::read(&mut control, 4096, DEADLINE).await {
        Ok(frame::Read::Frame(json)) => Some(serde_json::from_slice(&json).unwrap()),
        _ => None,
    };
    (
        Liar {
            link,
            control,
            key: device(n).public(),
        },
        answer,
    )
}

pub(super) fn bye_of(answer: Option<Answer>) -> String {
    match answer {
        Some(Answer::Other(Control::Bye(reason))) => reason,
        other => panic!("{other:?}"),
    }
}

impl Liar {
    /// A proper hello.
    pub(super) async fn join(n: u8, to: &impl Victim) -> Liar {
        let hello = encode(&Hello::new(certificate(n), &[], u32::from(n)));
        let (liar, answer) = greet(n, to, &hello).await;
        assert!(matches!(answer, Some(Answer::Hello(_))), "{answer:?}");
        liar
    }

    /// Opens a stream that begins with these bytes.
    pub(super) async fn open(&self, bytes: &[u8]) -> Stream {
        let mut stream = self.link.opener.open().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    pub(super) async fn open_request(&self, bytes: &[u8]) -> Stream {
        self.open(&[&[STREAM_REQUEST], bytes].concat()).await
    }

    /// Opens a gossip stream as a SUB, and shakes hands.
    pub(super) async fn be_sub(&self) -> Stream {
        self.open(&[&[STREAM_GOSSIP][..], &shake("SUB")].concat()).await
    }

    /// Answers the node's SUB like a PUB, up to the first probe; returns what it asked for before.
    pub(super) async fn be_pub(&mut self) -> (Stream, Vec<Wish>) {
        let mut stream = self.link.incoming.recv().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), STREAM_GOSSIP);
        stream.write_all(&shake("PUB")).await.unwrap();
        let (mut machine, mut out, mut wishes) = (Upstream::new(), Vec::new(), Vec::new());
        loop {
            let mut piece = [0; 1000];
            let n = stream.read(&mut piece).await.unwrap();
            assert!(n > 0);
            machine.push(&piece[..n], &mut out, &mut wishes).unwrap();
            if let Some(Wish::Subscribe(topic)) = wishes.last()
                && probe_number(topic).is_some()
            {
                let mut answer = Vec::new();
                put_message(&mut answer, topic, &self.key.0, &[]);
                stream.write_all(&answer).await.unwrap();
                wishes.pop();
                return (stream, wishes);
            }
        }
    }

    /// A link the node calls up: its SUB's stream to us, and ours to its PUB.
    pub(super) async fn linked(n: u8, node: &mut Node) -> (Liar, Stream, Stream) {
        let mut liar = Liar::join(n, node).await;
        let to_pub = liar.be_sub().await;
        let (to_sub, _) = liar.be_pub().await;
        node.linked(liar.key).await;
        (liar, to_sub, to_pub)
    }
}

/// Subscribes on a stream to the node's PUB and reads until that is active; returns what came.
pub(super) async fn subscribe(node: &impl Victim, to_pub: &mut Stream, topics: &[u8]) -> Vec<u8> {
    let mut asked: Vec<u8> = topics.iter().flat_map(|topic| subscription(1, *topic)).collect();
    put_subscription(&mut asked, true, &probe_topic(77));
    to_pub.write_all(&asked).await.unwrap();
    let mut answer = Vec::new();
    put_message(&mut answer, &probe_topic(77), &node.key().0, &[]);
    let mut got = Vec::new();
    while !got.ends_with(&answer) {
        assert!(
            timeout(DEADLINE, to_pub.read_buf(&mut got))
                .await
                .unwrap()
                .unwrap()
                > 0
        );
    }
    got
}

/// Reads until the stream ends, however it does.
pub(super) async fn drained(stream: &mut Stream) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut out))
        .await
        .expect("an end in time");
    out
}
