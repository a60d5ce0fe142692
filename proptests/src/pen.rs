//! A pen that writes any op, honest or not.

use std::sync::Arc;

use crdt::Author;
use crdt::fact::Fact;
use crdt::header::{DotRun, Header};
use crdt::id::AlbumId;
use crdt::op::{Op, Refusal, fact_hash, facts_root};

/// An op to be written wherever the writer likes.
#[derive(Clone)]
pub struct Pen<'a> {
    pub author: &'a Author,
    pub album: AlbumId,
    pub prev: Option<Arc<Op>>,
    pub deps: Vec<Arc<Op>>,
    pub facts: Vec<Fact>,
    pub removes: Vec<DotRun>,
}

impl<'a> Pen<'a> {
    pub fn new(author: &'a Author, album: AlbumId, prev: Option<Arc<Op>>, deps: &[Arc<Op>]) -> Pen<'a> {
        Pen {
            author,
            album,
            prev,
            deps: deps.to_vec(),
            facts: Vec::new(),
            removes: Vec::new(),
        }
    }

    pub fn facts(mut self, facts: Vec<Fact>) -> Pen<'a> {
        self.facts = facts;
        self
    }

    pub fn removes(mut self, removes: Vec<DotRun>) -> Pen<'a> {
        self.removes = removes;
        self
    }

    /// The header as an honest author would write it there.
    pub fn header(&self) -> Header {
        let deps: Vec<&Op> = self.deps.iter().map(|dep| &**dep).collect();
        header(
            self.author,
            self.album,
            self.prev.as_deref(),
            &deps,
            &self.facts,
            &self.removes,
        )
    }

    /// # Errors
    /// An op alone shows that it is none.
    pub fn sign(&self) -> Result<Arc<Op>, Refusal> {
        self.sign_as(&self.header())
    }

    /// Signs another header over the same facts.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_as(&self, header: &Header) -> Result<Arc<Op>, Refusal> {
        sign(self.author, header, &self.facts)
    }
}

/// The header that an honest author writes behind `prev` and `deps`.
pub fn header(
    author: &Author,
    album: AlbumId,
    prev: Option<&Op>,
    deps: &[&Op],
    facts: &[Fact],
    removes: &[DotRun],
) -> Header {
    let lamports = prev.iter().chain(deps).map(|op| op.header.lamport);
    let lamport = 1 + lamports.max().unwrap_or(0);
    let mut deps: Vec<_> = deps.iter().map(|dep| dep.reference()).collect();
    deps.sort_unstable();
    deps.dedup();
    let hashes = facts.iter().map(|fact| fact_hash(&fact.to_text()));
    Header {
        album: Some(album),
        actor: author.actor(),
        first: prev.map_or(1, |prev| prev.last_seq() + 1),
        count: facts.len() as u64,
        lamport,
        prev: prev.map(|prev| prev.hash),
        deps,
        root: (!facts.is_empty()).then(|| facts_root(hashes)),
        removes: removes.to_vec(),
        batch: None,
        intro: prev.is_none().then(|| author.intro()),
    }
}

/// Signs any header over these facts.
///
/// # Errors
/// An op alone shows that it is none.
pub fn sign(author: &Author, header: &Header, facts: &[Fact]) -> Result<Arc<Op>, Refusal> {
    let texts: Vec<String> = facts.iter().map(Fact::to_text).collect();
    Op::sign(header, &texts, &author.device).map(Arc::new)
}
