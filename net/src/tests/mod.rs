//! Real sockets on loopback: whole nets, and ends of links that lie.

mod dialling;
mod gossip;
mod hostile;
mod liar;
mod limits;
mod links;
mod processes;
mod requests;
mod zmtp;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crdt::id::{AlbumId, PublicKey};
use crdt::keys::{Certificate, KeyPair};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

pub(crate) use zmtp::shake;

use crate::limits::Times;
use crate::{Config, Event, Net, Policy, StartError};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A policy that forbids what it is told to.
#[derive(Default)]
struct Rules {
    no_link: Mutex<BTreeSet<PublicKey>>,
    no_read: Mutex<BTreeSet<(PublicKey, AlbumId)>>,
}

impl Policy for Rules {
    fn may_link(&self, device: &PublicKey, _certificate: &Certificate) -> bool {
        !self.no_link.lock().unwrap().contains(device)
    }

    fn may_read(&self, device: &PublicKey, topic: &AlbumId) -> bool {
        !self.no_read.lock().unwrap().contains(&(*device, *topic))
    }
}

impl Rules {
    fn forbid_link(&self, device: PublicKey) {
        self.no_link.lock().unwrap().insert(device);
    }

    fn forbid_read(&self, device: PublicKey, topic: AlbumId) {
        self.no_read.lock().unwrap().insert((device, topic));
    }

    fn allow_read(&self, device: PublicKey, topic: AlbumId) {
        self.no_read.lock().unwrap().remove(&(device, topic));
    }
}

/// A net with what it needs and what it said.
struct Node {
    net: Net,
    keys: KeyPair,
    rules: Arc<Rules>,
    events: mpsc::Receiver<Event>,
    /// Events passed over while looking for others.
    seen: Vec<Event>,
    folder: TempDir,
}

fn root(n: u8) -> KeyPair {
    KeyPair::from_seed(&[n ^ 0xff; 32])
}

fn device(n: u8) -> KeyPair {
    KeyPair::from_seed(&[n; 32])
}

fn certificate(n: u8) -> Certificate {
    Certificate::issue(&root(n), &device(n).public())
}

fn album(n: u8) -> AlbumId {
    AlbumId([n; 32])
}

/// Product times, but for the first redial.
fn times() -> Times {
    Times {
        backoff_min: Duration::from_millis(50),
        ..Times::default()
    }
}

fn config(n: u8, folder: &TempDir, listen: SocketAddr) -> Config {
    Config {
        listen,
        ipc_dir: folder.path().join("ipc"),
        keys: device(n),
        certificate: certificate(n),
        hello: vec![n; 3],
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Node {
    async fn start(n: u8) -> Node {
        Self::start_with(n, times()).await
    }

    async fn start_with(n: u8, times: Times) -> Node {
        Self::start_at(n, times, any_port()).await.unwrap()
    }

    async fn start_at(n: u8, times: Times, listen: SocketAddr) -> Result<Node, StartError> {
        let folder = tempfile::Builder::new().prefix("net").tempdir().unwrap();
        let rules = Arc::new(Rules::default());
        let (sender, events) = mpsc::channel(64);
        let net = Net::start_with(config(n, &folder, listen), rules.clone(), sender, times).await?;
        Ok(Node {
            net,
            keys: device(n),
            rules,
            events,
            seen: Vec::new(),
            folder,
        })
    }

    fn key(&self) -> PublicKey {
        self.keys.public()
    }

    fn dial(&self, other: &Node) {
        self.net.dial(other.key(), vec![other.net.local_addr()]);
    }

    /// The first event not yet taken that `pick` takes; others are kept in `seen`.
    async fn wait<T>(&mut self, pick: impl FnMut(&Event) -> Option<T>) -> T {
        self.wait_within(DEADLINE, pick).await.expect("an event in time")
    }

    async fn wait_within<T>(
        &mut self,
        limit: Duration,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Option<T> {
        for at in 0..self.seen.len() {
            if let Some(found) = pick(&self.seen[at]) {
                self.seen.remove(at);
                return Some(found);
            }
        }
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = timeout(left, self.events.recv()).await.ok()??;
            if let Some(found) = pick(&event) {
                return Some(found);
            }
            self.seen.push(event);
        }
    }

    async fn linked(&mut self, peer: PublicKey) {
        self.wait(|event| matches!(event, Event::LinkUp { peer: p, .. } if *p == peer).then_some(()))
            .await;
    }

    async fn unlinked(&mut self, peer: PublicKey) -> String {
        self.wait(|event| match event {
            Event::LinkDown { peer: p, reason } if *p == peer => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    async fn gossip(&mut self) -> (AlbumId, PublicKey, Vec<u8>) {
        self.wait(|event| match event {
            Event::Gossip { topic, from, payload } => Some((*topic, *from, payload.clone())),
            _ => None,
        })
        .await
    }

    async fn refused(&mut self, kind: &str) -> (Option<PublicKey>, String) {
        self.wait(|event| match event {
            Event::Refused {
                kind: k,
                peer,
                detail,
            } if *k == kind => Some((*peer, detail.clone())),
            _ => None,
        })
        .await
    }

    fn counter(&self, kind: &str) -> u64 {
        self.net.counters().get(kind).copied().unwrap_or(0)
    }
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Two nets, linked, both subscribed to album 1.
async fn pair(a: u8, b: u8) -> (Node, Node) {
    let (mut a, mut b) = (Node::start(a).await, Node::start(b).await);
    a.net.subscribe(album(1));
    b.net.subscribe(album(1));
    a.dial(&b);
    a.linked(b.key()).await;
    b.linked(a.key()).await;
    (a, b)
}
