//! People, devices and a pen that writes any op, honest or not.

use std::sync::Arc;

use crdt::fact::{Fact, Image, Role};
use crdt::header::{DotRun, Header};
use crdt::id::{AlbumId, AlbumSeed, BlobHash, Incarnation, Signature, UserId};
use crdt::keys::{Certificate, KeyPair};
use crdt::op::Op;
use crdt::{Album, Author, FactId};
pub use proptests::model::fact_id;
use proptests::pen;

pub const AT: u64 = 1_700_000_000_000;

/// The root key of a person named by one letter.
pub fn root(person: u8) -> KeyPair {
    KeyPair::from_seed(&[person; 32])
}

/// A person's device: 0 is the root key itself, 1 and up are devices.
pub fn device(person: u8, number: u8) -> Author {
    let incarnation = Incarnation([number; 16]);
    if number == 0 {
        return Author::root(root(person), incarnation);
    }
    let mut seed = [person; 32];
    seed[31] = number;
    let device = KeyPair::from_seed(&seed);
    let certificate = Certificate::issue(&root(person), &device.public());
    Author {
        device,
        certificate,
        incarnation,
    }
}

pub fn user(person: u8) -> UserId {
    crdt::keys::user_id(&root(person).public())
}

pub fn album(owner: &Author) -> (Album, Arc<Op>) {
    Album::create(owner, AlbumSeed([9; 16]), "trip", "owner", AT).unwrap()
}

pub fn grant(person: u8, role: Role) -> Fact {
    Fact::Grant {
        user: user(person),
        role,
        name: char::from(person).to_string(),
        at: AT,
        invite: None,
    }
}

pub fn role(person: u8, role: Role) -> Fact {
    Fact::Role {
        user: user(person),
        role,
        at: AT,
    }
}

pub fn blob(text: &str) -> BlobHash {
    BlobHash(*blake3::hash(text.as_bytes()).as_bytes())
}

/// A classic entry whose bytes are its name.
pub fn image(name: &str) -> Fact {
    Fact::Image(Image {
        name: name.to_owned(),
        hash: blob(name),
        size: 1,
        at: AT,
        shape: None,
        taken: None,
        damaged: false,
        preview: None,
        version: None,
    })
}

pub fn chat(text: &str) -> Fact {
    Fact::Chat {
        text: text.to_owned(),
        at: AT,
    }
}

pub fn rating(image: &str, stars: u8) -> Fact {
    Fact::Rating {
        image: blob(image),
        stars,
        at: AT,
    }
}

/// The identity of fact `place` of an op.
pub fn dot(op: &Op) -> DotRun {
    DotRun {
        actor: op.header.actor,
        first: op.header.first,
        count: 1,
    }
}

/// An op to be written wherever the writer likes.
#[derive(Clone)]
pub struct Pen<'a> {
    pub author: &'a Author,
    pub album: AlbumId,
    pub prev: Option<&'a Op>,
    pub deps: Vec<&'a Op>,
    pub facts: Vec<Fact>,
    pub removes: Vec<DotRun>,
}

impl<'a> Pen<'a> {
    pub fn new(author: &'a Author, album: AlbumId, prev: Option<&'a Op>, deps: &[&'a Op]) -> Self {
        Pen {
            author,
            album,
            prev,
            deps: deps.to_vec(),
            facts: vec![],
            removes: vec![],
        }
    }

    pub fn facts(mut self, facts: &[Fact]) -> Self {
        self.facts = facts.to_vec();
        self
    }

    pub fn removes(mut self, removes: &[DotRun]) -> Self {
        self.removes = removes.to_vec();
        self
    }

    /// The header as an honest author writes it.
    pub fn header(&self) -> Header {
        pen::header(
            self.author,
            self.album,
            self.prev,
            &self.deps,
            &self.facts,
            &self.removes,
        )
    }

    pub fn sign(&self) -> Arc<Op> {
        self.sign_as(&self.header())
    }

    /// Signs another header over the same facts.
    pub fn sign_as(&self, header: &Header) -> Arc<Op> {
        self.try_sign(header).unwrap()
    }

    pub fn try_sign(&self, header: &Header) -> Result<Arc<Op>, crdt::op::Refusal> {
        pen::sign(self.author, header, &self.facts)
    }

    /// Without the cost of a signature, for replicas that trust: same header, same hash.
    pub fn unsigned(&self) -> Arc<Op> {
        let texts: Vec<String> = self.facts.iter().map(Fact::to_text).collect();
        let (header, sig) = (self.header().to_text(), Signature([0; 64]));
        let text = format!(
            r#"{{"header":{header},"sig":"{sig}","facts":[{}]}}"#,
            texts.join(",")
        );
        Arc::new(Op::decode(&text).unwrap())
    }
}

/// Calls `visit` with every order of `0..n`.
pub fn permutations(n: usize, visit: &mut impl FnMut(&[usize])) {
    fn go(order: &mut Vec<usize>, from: usize, visit: &mut impl FnMut(&[usize])) {
        if from == order.len() {
            return visit(order);
        }
        for other in from..order.len() {
            order.swap(from, other);
            go(order, from + 1, visit);
            order.swap(from, other);
        }
    }
    go(&mut (0..n).collect(), 0, visit);
}

/// A replica with its writer.
#[derive(Clone)]
pub struct Peer {
    pub author: Author,
    pub album: Album,
}

impl Peer {
    pub fn write(&mut self, facts: &[Fact], removes: &[FactId]) -> Vec<Arc<Op>> {
        let draft = crdt::Draft {
            facts: facts.to_vec(),
            removes: removes.to_vec(),
        };
        let ops = self.ask(draft).unwrap();
        self.album.check_invariants().unwrap();
        ops
    }

    pub fn ask(&mut self, draft: crdt::Draft) -> Result<Vec<Arc<Op>>, crdt::AuthorError> {
        self.album.author(&self.author, draft)
    }

    pub fn say(&mut self, fact: Fact) -> Arc<Op> {
        self.write(&[fact], &[]).pop().unwrap()
    }

    pub fn kill(&mut self, id: FactId) -> Arc<Op> {
        self.write(&[], &[id]).pop().unwrap()
    }

    /// Takes in all that the other has; signatures are checked.
    pub fn pull(&mut self, other: &Peer) {
        for op in other.album.ops() {
            let receipt = self.album.receive(op.clone(), crdt::Trust::Verify);
            assert!(
                matches!(receipt, crdt::Receipt::Received(_) | crdt::Receipt::Duplicate),
                "{receipt:?}"
            );
        }
        self.album.check_invariants().unwrap();
    }

    pub fn names(&self) -> Vec<String> {
        self.album.images().map(|view| view.name).collect()
    }
}

/// Owner O and the named members, all of one state.
pub fn peers(members: &[(u8, Role)]) -> Vec<Peer> {
    let author = device(b'O', 1);
    let (album, _) = album(&author);
    let mut owner = Peer { author, album };
    for (person, role) in members {
        owner.say(grant(*person, *role));
    }
    let others = members.iter().map(|(person, _)| Peer {
        author: device(*person, 1),
        album: owner.album.clone(),
    });
    let mut peers: Vec<Peer> = others.collect();
    peers.insert(0, owner);
    peers
}

/// One of them takes in what another has.
pub fn pull(peers: &mut [Peer], to: usize, from: usize) {
    let from = peers[from].clone();
    peers[to].pull(&from);
}

/// Both take in what the other has, until they are equal.
pub fn meet(peers: &mut [Peer]) {
    let all = peers.to_vec();
    for peer in &mut *peers {
        all.iter().for_each(|other| peer.pull(other));
    }
    for peer in &*peers {
        assert_eq!(peer.album.digest(), peers[0].album.digest());
    }
}
