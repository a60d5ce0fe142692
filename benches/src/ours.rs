//! The album of this project: an owner and seven contributors who write in turn, each having seen all before.

use std::sync::Arc;
use std::time::Duration;

use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, AlbumSeed, Incarnation};
use crdt::keys::{Certificate, KeyPair};
use crdt::op::Op;
use crdt::{Album, Author, Draft, Found, Receipt, Trust};

use crate::{ACTORS, ADDS, APART, FACTS, Subject, image, timed};

fn author(n: usize) -> Author {
    let (root, device) = (
        KeyPair::from_seed(&[n as u8 + 1; 32]),
        KeyPair::from_seed(&[n as u8 + 101; 32]),
    );
    Author {
        certificate: Certificate::issue(&root, &device.public()),
        device,
        incarnation: Incarnation([n as u8; 16]),
    }
}

/// What eight people write, and the ops it made.
pub struct Writing {
    authors: Vec<Author>,
    album: Album,
    id: AlbumId,
    /// Envelopes in the order written.
    pub ops: Vec<String>,
}

impl Writing {
    /// An album of eight members.
    pub fn new() -> Writing {
        let authors: Vec<Author> = (0..ACTORS).map(author).collect();
        let (album, genesis) = Album::create(&authors[0], AlbumSeed([0; 16]), "trip", "ada", 0)
            .expect("a genesis can be written");
        let (id, ops) = (album.id(), vec![genesis.bytes().to_owned()]);
        let mut writing = Writing {
            authors,
            album,
            id,
            ops,
        };
        for n in 1..ACTORS {
            let user = writing.authors[n].user();
            let (role, name) = (Role::Contributor, format!("user {n}").replace(' ', "-"));
            writing.write(
                0,
                vec![Fact::Grant {
                    user,
                    role,
                    name,
                    at: 0,
                    invite: None,
                }],
                vec![],
            );
        }
        writing
    }

    /// One command of author `n`.
    pub fn write(&mut self, n: usize, facts: Vec<Fact>, removes: Vec<crdt::FactId>) {
        let written = self.album.author(&self.authors[n], Draft { facts, removes });
        let written = written.expect("a member may write");
        self.ops.extend(written.iter().map(|op| op.bytes().to_owned()));
        self.album.drain_changes();
    }

    /// Images by these authors in turn, `batch` an op.
    pub fn images(&mut self, range: std::ops::Range<usize>, batch: usize, authors: &[usize]) {
        for (turn, from) in range.clone().step_by(batch).enumerate() {
            let facts = (from..(from + batch).min(range.end)).map(image).collect();
            self.write(authors[turn % authors.len()], facts, vec![]);
        }
    }

    /// Adds one image and removes it again, `pairs` times, on `names` names; leaves `names` images live.
    pub fn churn(&mut self, pairs: usize, names: usize) {
        for turn in 0..pairs {
            let who = turn % ACTORS;
            self.write(who, vec![image(turn % names)], vec![]);
            let Found::One(view) = self.album.image_named(&name(turn % names)) else {
                panic!("it was added just now")
            };
            let id = view.id;
            self.write(who, vec![], vec![id]);
        }
        self.images(0..names, 1, &[0, 1, 2, 3, 4, 5, 6, 7]);
    }

    /// Its id.
    pub fn id(&self) -> AlbumId {
        self.id
    }

    fn fork(&self) -> Writing {
        let authors = (0..ACTORS).map(author).collect();
        Writing {
            authors,
            album: self.album.clone(),
            id: self.id,
            ops: vec![],
        }
    }
}

impl Default for Writing {
    fn default() -> Self {
        Self::new()
    }
}

fn name(n: usize) -> String {
    match image(n) {
        Fact::Image(image) => image.name,
        _ => String::new(),
    }
}

/// Receives envelopes one at a time, as from the store or a peer.
pub fn receive(album: &mut Album, ops: &[String], trust: Trust) {
    for text in ops {
        receive_op(
            album,
            Arc::new(Op::decode(text).expect("a written op is read")),
            trust,
        );
    }
}

fn receive_op(album: &mut Album, op: Arc<Op>, trust: Trust) {
    let receipt = album.receive(op, trust);
    assert!(matches!(receipt, Receipt::Received(_)), "{receipt:?}");
    album.drain_changes();
}

/// From the rows of a store to a state that answers.
pub fn load(id: AlbumId, ops: &[String]) -> Album {
    let mut album = Album::empty(id);
    receive(&mut album, ops, Trust::Stored);
    assert!(album.image_count() >= 100);
    assert!(matches!(album.image_named(&name(42)), Found::One(_)));
    album
}

/// From a checkpoint to a state that answers.
pub fn load_checkpoint(id: AlbumId, bytes: Vec<u8>) -> Album {
    let album = Album::from_checkpoint(id, bytes).expect("it was made by this program");
    assert!(album.image_count() >= 100);
    assert!(matches!(album.image_named(&name(42)), Found::One(_)));
    album
}

/// Our column: one fact an op, or many.
pub struct Ours {
    batch: usize,
    id: AlbumId,
    stored: Vec<String>,
    here: Album,
    /// Equal to `here`, from the same bytes.
    twin: Album,
    /// 99 % of `here`, and as much that is unknown here.
    there: Album,
    missing: Vec<String>,
    adds: Vec<String>,
}

impl Ours {
    /// With `batch` facts an op.
    pub fn new(batch: usize) -> Ours {
        let mut common = Writing::new();
        common.images(0..FACTS - APART, batch, &[0, 1, 2, 3, 4, 5, 6, 7]);
        let (mut a, mut b) = (common.fork(), common.fork());
        a.images(FACTS - APART..FACTS, batch, &[0, 1, 2, 3]);
        b.images(FACTS..FACTS + APART, batch, &[4, 5, 6, 7]);
        let stored = [common.ops.clone(), a.ops.clone()].concat();
        let mut next = a.fork();
        next.images(FACTS + APART..FACTS + APART + ADDS, 1, &[7, 6, 5, 4]);
        let there = load(common.id, &[common.ops, b.ops.clone()].concat());
        Ours {
            batch,
            id: common.id,
            here: load(common.id, &stored),
            twin: load(common.id, &stored),
            there,
            missing: b.ops,
            adds: next.ops,
            stored,
        }
    }

    fn add(&self, trust: Trust, digest: bool) -> Duration {
        let mut album = self.here.clone();
        album.digest();
        let (_, took) = timed(|| {
            for text in &self.adds {
                receive(&mut album, std::slice::from_ref(text), trust);
                if digest {
                    std::hint::black_box(album.digest());
                }
            }
        });
        took / self.adds.len() as u32
    }

    /// An add as [`Ours::add`] times it, without signature and digest: reading, applying.
    fn add_in_parts(&self) -> (Duration, Duration) {
        let mut album = self.here.clone();
        album.digest();
        let (ops, reading) = timed(|| {
            let ops = self
                .adds
                .iter()
                .map(|text| Arc::new(Op::decode(text).expect("a written op is read")));
            ops.collect::<Vec<_>>()
        });
        let (_, applying) = timed(|| {
            ops.into_iter()
                .for_each(|op| receive_op(&mut album, op, Trust::Stored))
        });
        let adds = self.adds.len() as u32;
        (reading / adds, applying / adds)
    }
}

/// What anti-entropy does, without the messages: heads by differing leaves of the tree, then the ops behind them.
fn join(here: &mut Album, there: &Album) {
    let (mine, theirs) = (here.tree_hashes(None), there.tree_hashes(None));
    let mut heads = Vec::new();
    for node in (0..64u8).filter(|node| mine[usize::from(*node)] != theirs[usize::from(*node)]) {
        let (mine, theirs) = (here.tree_hashes(Some(node)), there.tree_hashes(Some(node)));
        for leaf in (0..64usize).filter(|leaf| mine[*leaf] != theirs[*leaf]) {
            heads.extend(there.heads_in_leaf(u16::from(node) * 64 + leaf as u16));
        }
    }
    heads.retain(|head| !here.knows(&head.hash));
    let ops = heads
        .iter()
        .map(|head| there.ops_back(&head.actor, &head.hash, here.after(head)));
    let mut ops: Vec<Arc<Op>> = ops.flatten().collect();
    ops.sort_unstable_by_key(|op| op.order());
    for op in ops {
        receive_op(here, op, Trust::Stored);
    }
}

impl Subject for Ours {
    fn name(&self) -> &'static str {
        if self.batch == 1 {
            "calotype, one fact an op"
        } else {
            "calotype, 250 facts an op"
        }
    }

    fn round(&mut self) -> Vec<(usize, Duration)> {
        let mut here = self.here.clone();
        here.digest();
        self.there.digest();
        let (_, memory) = timed(|| join(&mut here, &self.there));
        assert_eq!(here.image_count(), FACTS + APART);
        let mut here = self.here.clone();
        let (_, wire) = timed(|| receive(&mut here, &self.missing, Trust::Stored));
        assert_eq!(here.image_count(), FACTS + APART);
        drop(here);
        self.twin.digest();
        self.here.digest();
        let (_, equality) = timed(|| {
            for _ in 0..1000 {
                assert!(
                    std::hint::black_box(&self.here).digest() == std::hint::black_box(&self.twin).digest()
                );
            }
        });
        let add = self.add(Trust::Stored, false);
        let digest = self.add(Trust::Stored, true);
        let signed = self.add(Trust::Verify, false);
        let (reading, applying) = self.add_in_parts();
        let (album, from_ops) = timed(|| load(self.id, &self.stored));
        assert_eq!(album.digest(), self.here.digest());
        drop(album);
        let (checkpoint, making) = timed(|| self.here.to_checkpoint().expect("it has its genesis"));
        let (album, loading) = timed(|| load_checkpoint(self.id, checkpoint));
        let (found, first) = timed(|| album.digest());
        assert_eq!(found, self.here.digest());
        let (entries, listing) = timed(|| album.images().count());
        assert_eq!(entries, FACTS);
        let (_, looks) =
            timed(|| (0..1000).all(|n| matches!(album.image_named(&name(n * 97)), Found::One(_))));
        vec![
            (0, memory),
            (1, wire),
            (2, equality / 1000),
            (3, add),
            (5, digest),
            (6, signed),
            (7, reading),
            (8, applying),
            (9, loading),
            (10, from_ops),
            (11, making),
            (12, first),
            (13, listing),
            (14, looks / 1000),
        ]
    }
}
