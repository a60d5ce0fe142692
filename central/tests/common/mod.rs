//! What the tests over real sockets share: homes, centrals, connections, raw TLS.
#![allow(dead_code, reason = "each test file uses its part")]

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use central::client::Fingerprint;
use central::proto::{
    AlbumList, Answer, Ask, Code, FromCentral, Genesis, HelloOk, Member, Nonce, Request, Role,
};
use central::{Client, ClientError, Config, Pin, Server, frame, serve};
use crdt::id::{AlbumId, Incarnation, PublicKey, Signature, UserId};
use crdt::keys::{Certificate, Domain, KeyPair, actor_id};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing here takes longer on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A user's device.
pub struct Home {
    pub name: String,
    pub root: KeyPair,
    pub device: KeyPair,
    pub cert: Certificate,
}

impl Home {
    pub fn new(name: &str) -> Self {
        let root = KeyPair::from_seed(&rand::random());
        Self::of(name, &root)
    }

    fn of(name: &str, root: &KeyPair) -> Self {
        let device = KeyPair::from_seed(&rand::random());
        let cert = Certificate::issue(root, &device.public());
        Self {
            name: name.to_owned(),
            root: root.clone(),
            device,
            cert,
        }
    }

    /// Another device of the same user.
    pub fn second(&self) -> Self {
        Self::of(&self.name, &self.root)
    }

    pub fn user(&self) -> UserId {
        self.cert.user()
    }

    /// A genesis op's header and the album it makes.
    pub fn genesis(&self) -> (AlbumId, Genesis) {
        let incarnation = Incarnation(rand::random());
        let actor = actor_id(&self.user(), &self.device.public(), &incarnation);
        let header = serde_json::json!({
            "v": 1, "actor": actor, "first": 1, "count": 1, "lamport": 1, "root": PublicKey(rand::random()),
            "intro": {
                "device": self.device.public(), "incarnation": incarnation,
                "root": self.root.public(), "cert": self.cert.sig,
            },
        })
        .to_string();
        let sig = self.device.sign(Domain::Op, header.as_bytes());
        (
            AlbumId(*blake3::hash(header.as_bytes()).as_bytes()),
            Genesis { header, sig },
        )
    }

    /// A list as text with this device's signature.
    pub fn list(&self, album: AlbumId, lamport: u64, members: &[(&Home, Role)]) -> (String, Signature) {
        let members = members
            .iter()
            .map(|(home, role)| Member {
                user: home.user(),
                name: home.name.clone(),
                role: *role,
            })
            .collect();
        let list = AlbumList {
            v: 1,
            album,
            name: "trip".to_owned(),
            lamport,
            members,
        };
        self.sign_list(&list)
    }

    pub fn sign_list(&self, list: &AlbumList) -> (String, Signature) {
        let text = serde_json::to_string(list).unwrap();
        let sig = self.device.sign(Domain::AlbumList, text.as_bytes());
        (text, sig)
    }

    pub fn sign_session(&self, nonce: &Nonce) -> Signature {
        self.device
            .sign(Domain::Session, &[nonce.0, self.device.public().0].concat())
    }
}

pub async fn central(folder: &Path) -> Server {
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: folder.to_owned(),
    };
    serve(config).await.unwrap()
}

pub async fn connect(server: &Server) -> Client {
    let pin = Pin::Key(server.fingerprint());
    let (client, key) = Client::connect(&server.local_addr().to_string(), pin)
        .await
        .unwrap();
    assert_eq!(key, server.fingerprint());
    client
}

pub async fn registered(server: &Server, home: &Home) -> Client {
    let client = connect(server).await;
    client
        .register(&home.name, "correct horse", &home.cert, &home.device)
        .await
        .unwrap();
    client
}

pub async fn resumed(server: &Server, home: &Home) -> Client {
    let client = connect(server).await;
    assert_eq!(client.resume(&home.cert, &home.device).await.unwrap(), home.name);
    client
}

pub fn code<T: std::fmt::Debug>(result: Result<T, ClientError>) -> Code {
    result.unwrap_err().code().unwrap()
}

/// Waits until `condition` holds, at most [`DEADLINE`].
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let end = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("not in time: {what}"),
    }
}

/// A TLS connection without the client's manners.
pub struct Raw {
    pub stream: TlsStream<TcpStream>,
    pub nonce: Nonce,
    next_id: u64,
}

impl Raw {
    pub async fn tls(address: SocketAddr, key: Fingerprint) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        // So that a reader who does not read is noticed early.
        socket.set_recv_buffer_size(4_096).unwrap();
        let tcp = socket.connect(address).await.unwrap();
        let (config, _) = central::tls::client_config(Pin::Key(key)).unwrap();
        let name = "central.invalid".try_into().unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap()
    }

    pub async fn connect(server: &Server) -> Self {
        let stream = Self::tls(server.local_addr(), server.fingerprint()).await;
        let mut raw = Self {
            stream,
            nonce: Nonce([0; 32]),
            next_id: 1,
        };
        let hello: HelloOk = raw.ask(Ask::Hello { v: 1 }).await.into_result().unwrap().unwrap();
        raw.nonce = hello.nonce;
        raw
    }

    pub async fn ask(&mut self, ask: Ask) -> Answer {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&Request { id, ask }.encode()).await;
        let answer = self.answer().await.unwrap();
        assert_eq!(answer.id, id);
        answer
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        frame::write(&mut self.stream, bytes).await.unwrap();
    }

    /// The next answer; `None` when the connection has ended.
    pub async fn answer(&mut self) -> Option<Answer> {
        loop {
            let bytes = soon("a frame", frame::read(&mut self.stream)).await.ok()?;
            if let FromCentral::Answer(answer) = FromCentral::decode(&bytes).unwrap() {
                return Some(answer);
            }
        }
    }
}
