//! The demo's cheat: a member with true keys and a program of her own, which sends what calotype never would.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use central::{Client, Pin};
use crdt::fact::{Fact, Role};
use crdt::header::{DotRun, Header};
use crdt::id::{AlbumId, Incarnation, PublicKey};
use crdt::keys::{Certificate, KeyPair};
use crdt::op::{Op, fact_hash, facts_root};
use crdt::{Album, Author, Trust};
use engine::limits::{LEAVES_MAX, WANTS_MAX};
use engine::wire::{Answer, Call, Epoch, decode_answer, encode_call, encode_message};
use net::{Event, Net};
use tokio::sync::mpsc;

use super::cast::{PATIENCE, until};
use crate::api::{Code, Failure};

/// Leaves of the digest's tree of heads.
const LEAVES: u16 = 64 * 64;

/// Her end of the links.
pub struct Mallory {
    me: Author,
    album: Album,
    net: Net,
    events: mpsc::Receiver<Event>,
    /// Ends her session at the central when dropped.
    client: Client,
    /// Messages sent.
    sent: u64,
}

/// She lets everybody in, to everything.
struct Anybody;

impl net::Policy for Anybody {
    fn may_link(&self, _: &PublicKey, _: &Certificate) -> bool {
        true
    }

    fn may_read(&self, _: &PublicKey, _: &AlbumId) -> bool {
        true
    }
}

/// An account at the central in this folder, as any newcomer's.
pub struct Newcomer {
    me: Author,
    client: Client,
}

impl Newcomer {
    /// Registers.
    ///
    /// # Errors
    /// The central is not there or refuses.
    pub async fn register(central: &Path, name: &str) -> Result<Self, Failure> {
        let found = central::embedded::join(central).await.map_err(broken)?;
        let (client, _) = Client::connect(&found.address().to_string(), Pin::Key(found.key()))
            .await
            .map_err(broken)?;
        let (root, device) = (
            KeyPair::from_seed(&rand::random()),
            KeyPair::from_seed(&rand::random()),
        );
        let me = Author {
            certificate: Certificate::issue(&root, &device.public()),
            device,
            incarnation: Incarnation(rand::random()),
        };
        client
            .register(name, "as any other", &me.certificate, &me.device)
            .await
            .map_err(broken)?;
        Ok(Newcomer { me, client })
    }

    /// Links with so many members' devices of the only album that lists her, and reads all of it.
    ///
    /// # Errors
    /// She is not let in.
    pub async fn enter(self, dir: &Path, links: usize) -> Result<Mallory, Failure> {
        let Newcomer { me, client } = self;
        let album = until("mallory finds the album", async || {
            let albums = client.albums().await.map_err(|e| e.to_string())?;
            albums
                .first()
                .map(|entry| entry.album)
                .ok_or("no album".to_owned())
        })
        .await?;
        let (sender, events) = mpsc::channel(1024);
        let config = net::Config {
            listen: ([127, 0, 0, 1], 0).into(),
            ipc_dir: dir.join("run").join("mallory"),
            keys: me.device.clone(),
            certificate: me.certificate.clone(),
            hello: Vec::new(),
        };
        let net = Net::start(config, Arc::new(Anybody), sender)
            .await
            .map_err(broken)?;
        net.subscribe(album);
        let mut mallory = Mallory {
            me,
            album: Album::empty(album),
            net,
            events,
            client,
            sent: 0,
        };
        let linked = until("mallory is linked", async || {
            mallory.dial().await?;
            mallory.drain();
            let linked: Vec<PublicKey> = mallory.net.links().iter().map(|link| link.peer).collect();
            match linked.len() >= links {
                true => Ok(linked),
                false => Err(format!("{} links", linked.len())),
            }
        })
        .await?;
        until("mallory has read the album", async || {
            mallory.read(linked[0]).await.map_err(|failure| failure.message)
        })
        .await?;
        Ok(mallory)
    }
}

impl Mallory {
    async fn dial(&self) -> Result<(), String> {
        let peers = self.client.album_peers(&self.album.id()).await;
        for peer in peers.map_err(|e| e.to_string())? {
            let addresses: Vec<_> = peer.addresses.iter().filter_map(|a| a.parse().ok()).collect();
            if peer.cert.device != self.me.device.public() && !addresses.is_empty() {
                self.net.dial(peer.cert.device, addresses);
            }
        }
        Ok(())
    }

    /// What the links bring is of no interest.
    fn drain(&mut self) {
        while self.events.try_recv().is_ok() {}
    }

    /// Members' devices that she is linked with.
    pub fn links(&mut self) -> usize {
        self.drain();
        self.net.links().len()
    }

    /// Asks for every head of the album, and for all that lies behind them.
    async fn read(&mut self, from: PublicKey) -> Result<(), Failure> {
        let album = self.album.id();
        let mut heads = Vec::new();
        for first in (0..LEAVES).step_by(LEAVES_MAX) {
            let leaves = (first..).take(LEAVES_MAX).collect();
            for answer in self.ask(from, &Call::Heads { album, leaves }).await? {
                if let Answer::Heads(some) = answer {
                    heads.extend(some);
                }
            }
        }
        let wants: Vec<_> = heads
            .into_iter()
            .map(|(actor, _, hash)| (actor, hash, 0))
            .collect();
        for want in wants.chunks(WANTS_MAX) {
            let call = Call::Ops {
                album,
                want: want.to_vec(),
            };
            for answer in self.ask(from, &call).await? {
                let Answer::Ops(texts) = answer else { continue };
                for text in texts {
                    let op = Op::decode(text.get()).map_err(broken)?;
                    self.album.receive(Arc::new(op), Trust::Verify);
                }
            }
        }
        let me = self.me.user();
        match self.album.role_of(&me) {
            Role::None => Err(broken("the album does not name her yet")),
            _ => Ok(()),
        }
    }

    async fn ask(&mut self, peer: PublicKey, call: &Call) -> Result<Vec<Answer>, Failure> {
        let asked = self.net.request(peer, encode_call(call));
        let mut replies = asked.await.map_err(broken)?;
        let mut answers = Vec::new();
        while let Some(frame) = replies.next().await {
            answers.push(decode_answer(&frame.map_err(broken)?).map_err(broken)?);
        }
        self.drain();
        Ok(answers)
    }

    /// An op well formed and signed, whatever it says; it stands on all that she has read.
    fn write(&self, prev: Option<&Op>, facts: &[Fact], removes: Vec<DotRun>) -> Result<Arc<Op>, Failure> {
        // The newest first: an actor's first op may name two, and one of them must have seen her grant.
        let heads = self.album.heads();
        let mut heads: Vec<&Arc<Op>> = heads
            .iter()
            .filter_map(|head| self.album.op(&head.hash))
            .collect();
        heads.sort_unstable_by_key(|op| std::cmp::Reverse(op.header.lamport));
        let deps: Vec<&Arc<Op>> = match prev {
            // Her own op before has seen them.
            Some(_) => Vec::new(),
            None => heads.into_iter().take(crdt::limits::DEPS_INTRO_MAX).collect(),
        };
        let lamports = deps.iter().map(|op| op.header.lamport);
        let lamport = lamports.chain(prev.map(|op| op.header.lamport)).max();
        let texts: Vec<String> = facts.iter().map(Fact::to_text).collect();
        let mut deps: Vec<_> = deps.iter().map(|op| op.reference()).collect();
        deps.sort_unstable();
        let header = Header {
            album: Some(self.album.id()),
            actor: self.me.actor(),
            first: prev.map_or(1, |op| op.last_seq() + 1),
            count: facts.len() as u64,
            lamport: 1 + lamport.unwrap_or(0),
            prev: prev.map(|op| op.hash),
            deps,
            root: (!facts.is_empty()).then(|| facts_root(texts.iter().map(|text| fact_hash(text)))),
            removes,
            batch: None,
            intro: prev.is_none().then(|| self.me.intro()),
        };
        Op::sign(&header, &texts, &self.me.device)
            .map(Arc::new)
            .map_err(broken)
    }

    /// She names herself curator and takes others' images out of the album, as if she might; how many images.
    ///
    /// # Errors
    /// The op cannot be written or sent.
    pub async fn usurp(&mut self) -> Result<usize, Failure> {
        let curator = Fact::Role {
            user: self.me.user(),
            role: Role::Curator,
            at: 0,
        };
        let first = self.write(None, &[curator], Vec::new())?;
        let mut dots: Vec<DotRun> = self
            .album
            .images()
            .map(|image| DotRun {
                actor: image.id.actor,
                first: image.id.seq,
                count: 1,
            })
            .take(crdt::limits::REMOVE_RUNS_MAX)
            .collect();
        dots.sort_unstable_by_key(|run| (run.actor, run.first));
        let images = dots.len();
        let second = self.write(Some(&first), &[], dots)?;
        self.send(&[first, second]).await?;
        Ok(images)
    }

    /// An op in another's name: his actor, his seq, her signature.
    ///
    /// # Errors
    /// As [`Mallory::usurp`].
    pub async fn forge(&mut self) -> Result<(), Failure> {
        let theirs = self.album.ops().filter(|op| !op.is_genesis()).last().cloned();
        let theirs = theirs.ok_or_else(|| broken("nobody wrote anything"))?;
        let line = Fact::Chat {
            text: "I never said this".into(),
            at: 0,
        };
        let texts = [line.to_text()];
        let header = Header {
            actor: theirs.header.actor,
            first: theirs.last_seq() + 1,
            count: 1,
            lamport: theirs.header.lamport + 1,
            prev: Some(theirs.hash),
            deps: Vec::new(),
            root: Some(facts_root(texts.iter().map(|text| fact_hash(text)))),
            removes: Vec::new(),
            batch: None,
            intro: None,
            album: Some(self.album.id()),
        };
        let forged = Op::sign(&header, &texts, &self.me.device).map_err(broken)?;
        self.send(&[Arc::new(forged)]).await
    }

    /// Bytes that are no message.
    ///
    /// # Errors
    /// Her own side is shut down.
    pub async fn babble(&mut self) -> Result<(), Failure> {
        let payload = [b"{\"ops\":", "[".repeat(10_000).as_bytes()].concat();
        self.net.publish(self.album.id(), payload).await.map_err(broken)
    }

    async fn send(&mut self, ops: &[Arc<Op>]) -> Result<(), Failure> {
        self.sent += 1;
        let payload = encode_message(Epoch([7; 8]), self.sent, &self.album.heads_root(), ops);
        self.net.publish(self.album.id(), payload).await.map_err(broken)
    }

    /// She ends.
    pub async fn end(self) {
        let _ = self.client.logout().await;
        let _ = tokio::time::timeout(PATIENCE.min(Duration::from_secs(3)), self.net.shutdown()).await;
    }
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Internal, format!("mallory: {error}"), "")
}
