//! A process with a member's key and no manners: it speaks the real protocol over real links and says what it likes.

use std::sync::Arc;
use std::time::Duration;

use crdt::id::{AlbumId, PublicKey};
use crdt::keys::{Certificate, KeyPair};
use crdt::op::Op;
use engine::wire::{Call, Epoch, RefusalCode, decode_call, decode_message, encode_answer, encode_message};
use net::{Event, Net};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::world::{PATIENCE, World, wait_for};

/// The liar at work.
pub struct Liar {
    pub runtime: Runtime,
    pub net: Net,
    pub keys: KeyPair,
    events: mpsc::Receiver<Event>,
    _dir: tempfile::TempDir,
}

/// Lets everybody in and hear everything.
struct Everyone;

impl net::Policy for Everyone {
    fn may_link(&self, _: &PublicKey, _: &Certificate) -> bool {
        true
    }

    fn may_read(&self, _: &PublicKey, _: &AlbumId) -> bool {
        true
    }
}

fn account(world: &World, home: &str) -> Value {
    serde_json::from_slice(&std::fs::read(world.path(home).join("account.json")).unwrap()).unwrap()
}

/// The key of a home's device.
pub fn device_of(world: &World, home: &str) -> PublicKey {
    let account = account(world, home);
    serde_json::from_value::<Certificate>(account["certificate"].clone())
        .unwrap()
        .device
}

impl Liar {
    /// Takes the keys of a home whose own process has ended. `events` it takes notice of before it lets them lie.
    pub fn with_keys_of(world: &World, home: &str, events: usize) -> Self {
        let account = account(world, home);
        let hex = account["device_seed"].as_str().unwrap();
        let seed: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let (keys, dir) = (
            KeyPair::from_seed(&seed.try_into().unwrap()),
            tempfile::tempdir().unwrap(),
        );
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = net::Config {
            listen: ([127, 0, 0, 1], 0).into(),
            ipc_dir: dir.path().join("bus"),
            keys: keys.clone(),
            certificate: serde_json::from_value(account["certificate"].clone()).unwrap(),
            hello: Vec::new(),
        };
        let (sender, events) = mpsc::channel(events);
        let net = runtime
            .block_on(Net::start(config, Arc::new(Everyone), sender))
            .unwrap();
        Self {
            runtime,
            net,
            keys,
            events,
            _dir: dir,
        }
    }

    /// Hears of an album and links; `false` once the other side will `never` have it.
    pub fn link(&mut self, peer: PublicKey, address: &str, album: AlbumId, never: impl Fn() -> bool) -> bool {
        self.net.subscribe(album);
        let _in = self.runtime.enter();
        self.net.dial(peer, vec![address.parse().unwrap()]);
        wait_for("a link or a no", || match self.events.try_recv() {
            Ok(Event::LinkUp { .. }) => Some(true),
            Ok(_) => None,
            Err(_) => never().then_some(false),
        })
    }

    /// Claims to hold whatever is asked for, `size` bytes each, and answers with others, until `enough`.
    pub fn serve_wrong(&mut self, size: usize, enough: impl Fn() -> bool) {
        let answers = |call: Call| match call {
            Call::Have { blobs, .. } => vec![encode_answer::have(&vec![true; blobs.len()])],
            // Of a file of one chunk the list is empty.
            Call::Chunks { .. } => vec![encode_answer::size(size as u64), Vec::new()],
            Call::Blob { .. } => vec![[&0u32.to_le_bytes()[..], &vec![7; size]].concat()],
            _ => vec![encode_answer::refused(RefusalCode::Denied, "no")],
        };
        wait_for("the lie to be noticed", || {
            if let Ok(Event::Request { body, mut reply, .. }) = self.events.try_recv() {
                let frames = answers(decode_call(&body).unwrap());
                // Whoever hangs up has heard enough.
                let _: Result<(), net::ReplyError> = self.runtime.block_on(async {
                    for frame in frames {
                        reply.send(&frame).await?;
                    }
                    reply.finish().await
                });
            }
            enough().then_some(())
        });
    }

    /// The next op that somebody publishes.
    pub fn hear_op(&mut self) -> Op {
        let heard = async {
            loop {
                if let Some(Event::Gossip { payload, .. }) = self.events.recv().await
                    && let Some(text) = decode_message(&payload).unwrap().ops.first()
                {
                    return Op::decode(text.get()).unwrap();
                }
            }
        };
        self.runtime
            .block_on(async { timeout(PATIENCE, heard).await.expect("an op") })
    }

    /// Publishes `count` messages as fast as they go, or until the link is cut; how many went.
    pub fn pour(&mut self, album: AlbumId, count: usize, mut message: impl FnMut(usize) -> Vec<u8>) -> usize {
        self.runtime.block_on(async {
            for number in 0..count {
                while let Ok(event) = self.events.try_recv() {
                    if matches!(event, Event::LinkDown { .. }) {
                        return number;
                    }
                }
                let sent = self.net.publish(album, message(number));
                timeout(Duration::from_secs(30), sent)
                    .await
                    .expect("a place")
                    .unwrap();
            }
            count
        })
    }

    /// Waits for the end of the link.
    pub fn is_cut(&mut self) {
        let cut = async { while !matches!(self.events.recv().await, Some(Event::LinkDown { .. }) | None) {} };
        self.runtime
            .block_on(async { timeout(PATIENCE, cut).await.expect("a cut") });
    }
}

/// An op in another's name under this key; each number gives another one.
pub fn forge(keys: &KeyPair, of: &Op, number: usize, album: Option<AlbumId>) -> Op {
    let mut header = of.header.clone();
    header.lamport += 1 + number as u64;
    header.album = album.or(header.album);
    let facts: Vec<String> = (0..of.facts.len())
        .map(|at| of.fact_text(at).unwrap().to_owned())
        .collect();
    Op::sign(&header, &facts, keys).unwrap()
}

/// A message of the protocol around an op.
pub fn message(number: usize, op: &Op) -> Vec<u8> {
    let heads = crdt::id::Digest([7; 32]);
    encode_message(Epoch([1; 8]), 1 + number as u64, &heads, &[Arc::new(op.clone())])
}
