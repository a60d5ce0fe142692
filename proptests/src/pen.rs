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
        let mut deps: Vec<_> = self.deps.iter().map(|dep| dep.reference()).collect();
        deps.sort_unstable();
        deps.dedup();
        let lamports = self.prev.iter().chain(&self.deps).map(|op| op.header.lamport);
        let hashes = self.facts.iter().map(|fact| fact_hash(&fact.to_text()));
        Header {
            album: Some(self.album),
            actor: self.author.actor(),
            first: self.prev.as_ref().map_or(1, |prev| prev.last_seq() + 1),
            count: self.facts.len() as u64,
            lamport: 1 + lamports.max().unwrap_or(0),
            prev: self.prev.as_ref().map(|prev| prev.hash),
            deps,
            root: (!self.facts.is_empty()).then(|| facts_root(hashes)),
            removes: self.removes.clone(),
            batch: None,
            intro: self.prev.is_none().then(|| self.author.intro()),
        }
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
        let texts: Vec<String> = self.facts.iter().map(Fact::to_text).collect();
        Op::sign(header, &texts, &self.author.device).map(Arc::new)
    }
}
