//! Writing ops: a command becomes one or more signed ops, built before any is received, so that a command is done
//! whole or not at all (docs/protocol.md §2).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::album::{Album, FactId, Receipt, Trust};
use crate::fact::{Fact, FactError, Role};
use crate::header::{DotRun, Header, Intro, OpRef};
use crate::history::Mark;
use crate::id::{ActorId, AlbumId, AlbumSeed, HeaderHash, HeaderRef, Incarnation, UserId};
use crate::keys::{Certificate, KeyPair};
use crate::limits::{
    DEPS_EMPTY_MAX, DEPS_INTRO_MAX, DEPS_MAX, FACT_BYTES_MAX, FACTS_PER_OP_MAX, OP_FACTS_BYTES_MAX,
    REMOVE_DOTS_MAX, REMOVE_RUNS_MAX,
};
use crate::op::{Op, Refusal, fact_hash, facts_root};

/// One who writes: a device of a user, in one life of its database.
#[derive(Clone)]
pub struct Author {
    /// Signs.
    pub device: KeyPair,
    /// The root's word for the device.
    pub certificate: Certificate,
    /// This life.
    pub incarnation: Incarnation,
}

impl Author {
    /// The user's root key itself, which revokes devices and does nothing else.
    pub fn root(root: KeyPair, incarnation: Incarnation) -> Author {
        let certificate = Certificate::issue(&root, &root.public());
        Author {
            device: root,
            certificate,
            incarnation,
        }
    }

    /// The user.
    pub fn user(&self) -> UserId {
        self.certificate.user()
    }

    /// The actor.
    pub fn actor(&self) -> ActorId {
        self.intro().actor()
    }

    /// What its first op tells.
    pub fn intro(&self) -> Intro {
        let Certificate { root, device, sig } = self.certificate;
        Intro {
            device,
            incarnation: self.incarnation,
            root,
            cert: sig,
        }
    }
}

/// What a command wants to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// New facts, in this order.
    pub facts: Vec<Fact>,
    /// Facts to remove.
    pub removes: Vec<FactId>,
}

/// What a command wants to take back: facts said again as they were, byte for byte, and facts to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Received facts to say again, under new dots.
    pub again: Vec<FactId>,
    /// Facts to remove.
    pub removes: Vec<FactId>,
    /// What is taken back.
    pub mark: Mark,
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorError {
    /// The album has not begun here.
    #[error("the album's first op is not here yet")]
    NoGenesis,
    /// The role does not reach.
    #[error("this needs the role {need}, you are {have}")]
    Role {
        /// What it takes.
        need: Role,
        /// What the author has.
        have: Role,
    },
    /// The user's root has revoked this device.
    #[error("this device is revoked")]
    Revoked,
    /// Another op of this actor exists beside ours: it must go on with a new incarnation.
    #[error("this actor has two last ops, it needs a new incarnation")]
    Forked,
    /// A fact that would not be read back as written.
    #[error("a {kind} fact of {bytes} bytes cannot be written")]
    Fact {
        /// Its kind.
        kind: String,
        /// Its length.
        bytes: usize,
    },
    /// A fact to be removed is not here, or is a member fact.
    #[error("seq {} of {} is no fact that can be removed", .0.seq, .0.actor)]
    Remove(FactId),
    /// A fact to be said again is not here, or is a member fact.
    #[error("seq {} of {} is no fact that can be said again", .0.seq, .0.actor)]
    Again(FactId),
    /// An op to be accepted is not here.
    #[error("op {} of {} is not here", .0.seq, .0.actor)]
    Accept(OpRef),
    /// The key's kind does not fit: a root key revokes devices, and only it does.
    #[error("devices are revoked by the root key, which does nothing else")]
    RootKey,
    /// Nobody has named this user a member.
    #[error("no op names this user a member")]
    Stranger,
    /// A limit of the format, or a bug of ours: what we wrote would be refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The facts and removes of one op.
#[derive(Debug, Default)]
struct Part {
    facts: Vec<String>,
    removes: Vec<DotRun>,
}

/// Where the next op of an actor hangs.
struct Pen<'a> {
    author: &'a Author,
    album: Option<AlbumId>,
    actor: ActorId,
    /// Hash and last seq of the actor's last op.
    prev: Option<(HeaderHash, u64)>,
    /// The highest lamport of the past.
    lamport: u64,
    written: Vec<Arc<Op>>,
}

impl Pen<'_> {
    fn write(&mut self, part: Part, mut deps: Vec<OpRef>, batch: Option<HeaderRef>) -> Result<(), Refusal> {
        deps.sort_unstable();
        let hashes = part.facts.iter().map(|text| fact_hash(text));
        let header = Header {
            album: self.album,
            actor: self.actor,
            first: self.prev.map_or(1, |(_, last)| last + 1),
            count: part.facts.len() as u64,
            lamport: self.lamport + 1,
            prev: self.prev.map(|(hash, _)| hash),
            deps,
            root: (!part.facts.is_empty()).then(|| facts_root(hashes)),
            removes: part.removes,
            batch,
            intro: self.prev.is_none().then(|| self.author.intro()),
        };
        let op = Arc::new(Op::sign(&header, &part.facts, &self.author.device)?);
        self.lamport = header.lamport;
        self.prev = Some((op.hash, op.last_seq()));
        self.written.push(op);
        Ok(())
    }
}

impl Album {
    /// Begins an album. `random` and the clock are the caller's: this crate has neither.
    pub fn create(
        author: &Author,
        random: AlbumSeed,
        name: &str,
        by: &str,
        at_ms: u64,
    ) -> Result<(Album, Arc<Op>), AuthorError> {
        let fact = Fact::Genesis {
            random,
            name: name.to_owned(),
            by: by.to_owned(),
            at: at_ms,
        };
        let facts = vec![text_of(&fact)?];
        let mut pen = Pen {
            author,
            album: None,
            actor: author.actor(),
            prev: None,
            lamport: 0,
            written: vec![],
        };
        pen.write(
            Part {
                facts,
                removes: vec![],
            },
            vec![],
            None,
        )?;
        let Some(genesis) = pen.written.pop() else {
            return Err(AuthorError::NoGenesis);
        };
        let mut album = Album::empty(AlbumId(genesis.hash.0));
        match album.receive(genesis.clone(), Trust::Stored) {
            Receipt::Refused(refusal) => Err(refusal.into()),
            _ => Ok((album, genesis)),
        }
    }

    /// Writes, signs and receives what `draft` says, or nothing of it. More heads than an op may name are merged by
    /// empty ops first; more than fits in one op becomes several, joined by `batch`.
    pub fn author(&mut self, author: &Author, draft: Draft) -> Result<Vec<Arc<Op>>, AuthorError> {
        self.check_draft(author, &draft)?;
        let texts: Result<Vec<String>, AuthorError> = draft.facts.iter().map(text_of).collect();
        let alone = draft.facts.iter().any(|fact| matches!(fact, Fact::Revoke { .. }));
        let parts = parts(texts?, &draft.removes, if alone { 1 } else { FACTS_PER_OP_MAX });
        let ops = self.write(author, parts, None)?;
        self.take_in(ops)
    }

    /// Writes, signs and receives a revision, or nothing of it. Its first op says by its `batch` what it takes back.
    pub fn author_revision(
        &mut self,
        author: &Author,
        revision: &Revision,
    ) -> Result<Vec<Arc<Op>>, AuthorError> {
        let said = revision.again.iter().map(|id| {
            let element = self.fact(id).filter(|element| !element.fact.is_member());
            element.ok_or(AuthorError::Again(*id))
        });
        let said: Vec<_> = said.collect::<Result<_, _>>()?;
        let (facts, texts) = said.into_iter().map(|it| (it.fact, it.text)).unzip();
        let removes = revision.removes.clone();
        self.check_draft(author, &Draft { facts, removes })?;
        let parts = parts(texts, &revision.removes, FACTS_PER_OP_MAX);
        let ops = self.write(author, parts, Some(revision.mark.batch()))?;
        self.take_in(ops)
    }

    fn take_in(&mut self, ops: Vec<Arc<Op>>) -> Result<Vec<Arc<Op>>, AuthorError> {
        for op in &ops {
            // Checked above: what is refused here is a bug, and the first op shows it before any is received.
            if let Receipt::Refused(refusal) = self.receive(op.clone(), Trust::Stored) {
                return Err(refusal.into());
            }
        }
        Ok(ops)
    }

    fn check_draft(&self, author: &Author, draft: &Draft) -> Result<(), AuthorError> {
        if !self.has_genesis() {
            return Err(AuthorError::NoGenesis);
        }
        let user = author.user();
        let is_revoke = |fact: &Fact| matches!(fact, Fact::Revoke { .. });
        if author.intro().is_root() {
            let allowed = draft.facts.iter().all(is_revoke) && draft.removes.is_empty();
            return match allowed {
                false => Err(AuthorError::RootKey),
                true if self.was_named(&user) => Ok(()),
                true => Err(AuthorError::Stranger),
            };
        }
        if draft.facts.iter().any(is_revoke) {
            return Err(AuthorError::RootKey);
        }
        if self.device_revoked(&user, &author.certificate.device) {
            return Err(AuthorError::Revoked);
        }
        let mut need = draft.facts.iter().map(Fact::need).max().unwrap_or(Role::Viewer);
        for id in &draft.removes {
            let removable = self
                .find_fact(id)
                .is_some_and(|at| !self.graph.packed(at).is_member());
            let remove_need = self.remove_need(id, &user).filter(|_| removable);
            need = need.max(remove_need.ok_or(AuthorError::Remove(*id))?);
        }
        let have = self.role_of(&user);
        if have < need {
            return Err(AuthorError::Role { need, have });
        }
        self.check_accepts(draft)
    }

    fn check_accepts(&self, draft: &Draft) -> Result<(), AuthorError> {
        for fact in &draft.facts {
            let Fact::Accept { ops, .. } = fact else { continue };
            for run in ops {
                let reference = OpRef {
                    actor: run.actor,
                    seq: run.seq,
                    header: run.header,
                };
                let depth = self
                    .graph
                    .resolve(&reference)
                    .map_or(0, |at| u64::from(self.graph.node(at).depth));
                if run.count > depth {
                    return Err(AuthorError::Accept(reference));
                }
            }
        }
        Ok(())
    }

    /// `mark` is the `batch` of the first part's op.
    fn write(
        &self,
        author: &Author,
        parts: Vec<Part>,
        mark: Option<HeaderRef>,
    ) -> Result<Vec<Arc<Op>>, AuthorError> {
        let actor = author.actor();
        let prev = match self.graph.actor(&actor) {
            Some(at) if self.graph.actors[at as usize].branches.len() > 1 => return Err(AuthorError::Forked),
            Some(at) => self.graph.branch_tips(at).next(),
            None => None,
        };
        let mut tips: Vec<u32> = self
            .graph
            .tips
            .iter()
            .copied()
            .filter(|tip| Some(*tip) != prev)
            .collect();
        tips.sort_unstable_by_key(|tip| self.graph.op_order(*tip));
        let lamport = |at: u32| self.graph.node(at).lamport;
        let mut pen = Pen {
            author,
            album: Some(self.id()),
            actor,
            prev: prev.map(|at| (self.graph.node(at).hash, self.graph.node(at).last_seq())),
            lamport: prev.map_or(0, lamport),
            written: vec![],
        };
        let room = |pen: &Pen| {
            if pen.prev.is_none() {
                DEPS_INTRO_MAX
            } else {
                DEPS_MAX
            }
        };
        while tips.len() > room(&pen) {
            let merged: Vec<u32> = tips.drain(..tips.len().min(DEPS_EMPTY_MAX)).collect();
            self.write_part(&mut pen, Part::default(), &merged, None)?;
        }
        let mut first = None;
        for part in parts {
            let deps = std::mem::take(&mut tips);
            self.write_part(&mut pen, part, &deps, first.or(mark))?;
            first = first.or(pen.prev.map(|(hash, _)| hash.short()));
        }
        Ok(pen.written)
    }

    fn write_part(
        &self,
        pen: &mut Pen,
        part: Part,
        deps: &[u32],
        batch: Option<HeaderRef>,
    ) -> Result<(), Refusal> {
        let lamports = deps.iter().map(|at| self.graph.node(*at).lamport);
        pen.lamport = lamports.max().unwrap_or(0).max(pen.lamport);
        let deps = deps.iter().map(|at| self.graph.reference(*at)).collect();
        pen.write(part, deps, batch)
    }
}

/// Splits what a command says by the limits of one op; at least one part.
fn parts(texts: Vec<String>, removes: &[FactId], facts_max: usize) -> Vec<Part> {
    let mut parts = vec![Part::default()];
    let mut bytes = 0;
    for text in texts {
        let last = parts.last().map_or(0, |part| part.facts.len());
        if last == facts_max || bytes + text.len() > OP_FACTS_BYTES_MAX {
            parts.push(Part::default());
            bytes = 0;
        }
        bytes += text.len();
        if let Some(part) = parts.last_mut() {
            part.facts.push(text);
        }
    }
    for (place, removes) in runs(removes).into_iter().enumerate() {
        match parts.get_mut(place) {
            Some(part) => part.removes = removes,
            None => parts.push(Part {
                facts: vec![],
                removes,
            }),
        }
    }
    parts
}

/// A fact's text, if it would be read back as it is.
fn text_of(fact: &Fact) -> Result<String, AuthorError> {
    let text = fact.to_text();
    let bytes = text.len();
    let as_read: Result<Fact, FactError> = Fact::read(&text);
    let good = bytes <= FACT_BYTES_MAX && as_read.as_ref() == Ok(fact) && crate::text::check(&text).is_ok();
    if good {
        Ok(text)
    } else {
        Err(AuthorError::Fact {
            kind: fact.kind().to_owned(),
            bytes,
        })
    }
}

/// The dots of these facts as runs, in lists that fit one op each.
fn runs(removes: &[FactId]) -> Vec<Vec<DotRun>> {
    let dots: BTreeSet<(ActorId, u64)> = removes.iter().map(|id| (id.actor, id.seq)).collect();
    let mut lists: Vec<Vec<DotRun>> = Vec::new();
    let mut room = 0;
    for (actor, seq) in dots {
        let list = lists.last_mut().filter(|_| room > 0);
        let joins = list.as_ref().and_then(|list| list.last());
        let joins = joins.is_some_and(|run| run.actor == actor && run.first + run.count == seq);
        match list {
            Some(list) if joins => list.last_mut().into_iter().for_each(|run| run.count += 1),
            Some(list) if list.len() < REMOVE_RUNS_MAX => list.push(DotRun {
                actor,
                first: seq,
                count: 1,
            }),
            _ => {
                lists.push(vec![DotRun {
                    actor,
                    first: seq,
                    count: 1,
                }]);
                room = REMOVE_DOTS_MAX;
            }
        }
        room -= 1;
    }
    lists
}
