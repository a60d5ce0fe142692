//! Ops: a signed header with the facts it covers, as received (docs/protocol.md §2). What an op alone can show is
//! decided here; what its past must show, in `admit`.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::canon::Reader;
use crate::fact::{Fact, FactError};
use crate::header::Header;
use crate::id::{ActorId, AlbumId, Digest, FactHash, HeaderHash, PublicKey, Signature, UserId};
use crate::keys::{Domain, KeyPair, verify};
use crate::limits::{
    DEPTH_MAX, ENVELOPE_DEPTH, FACT_BYTES_MAX, FACTS_PER_OP_MAX, HEADER_BYTES_MAX, OP_BYTES_MAX,
    OP_FACTS_BYTES_MAX,
};
use crate::packed::is_kept_short;
use crate::text::{self, Object, TextError};

/// Why an op is refused for ever, by every replica alike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not JSON, not strict, or not the keys of an op.
    #[error("not an op: {0}")]
    Text(TextError),
    /// Written by a rule this program does not know.
    #[error("op of version {0}, this program knows 1")]
    Version(u64),
    /// The keys do not fit each other.
    #[error("malformed op: {0}")]
    Form(&'static str),
    /// A limit is passed.
    #[error("too many {what}, at most {limit} are allowed")]
    TooLarge {
        /// Of what, with its unit.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A fact refuses it.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// The facts are not those that the header's root covers.
    #[error("the facts do not fit the header's root")]
    Root,
    /// Of another album.
    #[error("op of another album")]
    Album,
    /// The actor is not what its intro makes.
    #[error("the actor id does not fit its intro")]
    Actor,
    /// The root did not certify the device.
    #[error("the device certificate is not the root's")]
    Certificate,
    /// The device did not sign the header.
    #[error("the signature is not the device's")]
    Signature,
    /// A root key may revoke devices, and nothing else; and no other key may.
    #[error("revokes are the root key's, alone in their op, and its only facts")]
    RootActor,
    /// `prev` is not this actor's op before `first`.
    #[error("prev is no op of this actor that ends before {first}")]
    Prev {
        /// The first seq the op takes.
        first: u64,
    },
    /// The clock is not 1 + that of its past.
    #[error("lamport {found}, its past gives {expected}")]
    Lamport {
        /// As written.
        found: u64,
        /// As its past demands.
        expected: u64,
    },
    /// It removes a dot that has no fact in its past.
    #[error("it removes dot {seq} of {actor}, which has no fact in its past")]
    RemovesUnseen {
        /// The dot's actor.
        actor: ActorId,
        /// The dot's seq.
        seq: u64,
    },
    /// It removes a member fact.
    #[error("it removes dot {seq} of {actor}, a member fact")]
    RemovesMember {
        /// The dot's actor.
        actor: ActorId,
        /// The dot's seq.
        seq: u64,
    },
    /// It accepts an op that is not in its past.
    #[error("it accepts op {seq} of {actor}, which is not in its past")]
    AcceptsUnseen {
        /// The op's actor.
        actor: ActorId,
        /// The op's last seq.
        seq: u64,
    },
    /// Nobody in its past ever named its author a member.
    #[error("no grant in its past names its author")]
    Stranger,
}

impl Refusal {
    /// Every [`Self::kind`].
    pub const KINDS: [&str; 17] = [
        "op_text",
        "op_version",
        "op_form",
        "op_too_large",
        "op_fact",
        "op_root",
        "op_album",
        "op_actor",
        "op_certificate",
        "op_signature",
        "op_root_actor",
        "op_prev",
        "op_lamport",
        "op_removes_unseen",
        "op_removes_member",
        "op_accepts_unseen",
        "op_stranger",
    ];

    /// One word, for counters; docs/errors.md says what each means to a user.
    pub fn kind(&self) -> &'static str {
        match self {
            Refusal::Text(_) => "op_text",
            Refusal::Version(_) => "op_version",
            Refusal::Form(_) => "op_form",
            Refusal::TooLarge { .. } => "op_too_large",
            Refusal::Fact(_) => "op_fact",
            Refusal::Root => "op_root",
            Refusal::Album => "op_album",
            Refusal::Actor => "op_actor",
            Refusal::Certificate => "op_certificate",
            Refusal::Signature => "op_signature",
            Refusal::RootActor => "op_root_actor",
            Refusal::Prev { .. } => "op_prev",
            Refusal::Lamport { .. } => "op_lamport",
            Refusal::RemovesUnseen { .. } => "op_removes_unseen",
            Refusal::RemovesMember { .. } => "op_removes_member",
            Refusal::AcceptsUnseen { .. } => "op_accepts_unseen",
            Refusal::Stranger => "op_stranger",
        }
    }
}

/// A fact with its place in the op's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactText {
    /// BLAKE3 of its text.
    pub hash: FactHash,
    /// What it says.
    pub fact: Fact,
    /// Of a kind that the album keeps without its text, and writing it gives the text.
    pub(crate) usual: bool,
    text: Range<u32>,
}

/// An op, as received: one text, and what was read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// The header, read.
    pub header: Header,
    /// BLAKE3 of the header's text: the op's identity.
    pub hash: HeaderHash,
    /// The device's signature of the header's text.
    pub sig: Signature,
    /// Its facts; fact i has the dot (actor, first + i).
    pub facts: Vec<FactText>,
    /// Writing header, signature and facts gives `bytes`.
    pub(crate) usual: bool,
    header_text: Range<u32>,
    bytes: Box<str>,
}

/// What stands around the parts of an op as this program writes it.
const OPENING: &str = r#"{"header":"#;
const BEFORE_SIG: &str = r#","sig":"#;
const BEFORE_FACTS: &str = r#","facts":["#;
const CLOSING: &str = "]}";
/// A signature in its quotes.
const SIG_TEXT: usize = 88;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    header: &'a RawValue,
    sig: Signature,
    #[serde(borrow)]
    facts: Vec<&'a RawValue>,
}

/// What a genesis header alone says of an album; the central checks owners by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Genesis {
    /// The album.
    pub album: AlbumId,
    /// Root key of its owner.
    pub root: PublicKey,
    /// Its owner.
    pub user: UserId,
}

/// Checks a genesis by its header and signature, without its fact.
pub fn check_genesis(header_text: &str, sig: &Signature) -> Result<Genesis, Refusal> {
    if header_text.len() > crate::limits::HEADER_BYTES_MAX {
        return Err(Refusal::TooLarge {
            what: "header bytes",
            limit: crate::limits::HEADER_BYTES_MAX as u64,
        });
    }
    text::check(header_text).map_err(Refusal::Text)?;
    // The hash is of these bytes, so there must be one spelling: no white space around the braces.
    if !(header_text.starts_with('{') && header_text.ends_with('}')) {
        return Err(Refusal::Form("a header is an object"));
    }
    let header = Header::read(header_text)?;
    check_genesis_header(&header)?;
    let Some(intro) = header.intro else {
        return Err(Refusal::Form("a genesis has an intro"));
    };
    check_signature(&intro.device, header_text, sig)?;
    check_certificate(&header)?;
    let hash = blake3::hash(header_text.as_bytes());
    Ok(Genesis {
        album: AlbumId(*hash.as_bytes()),
        root: intro.root,
        user: intro.user(),
    })
}

fn check_genesis_header(header: &Header) -> Result<(), Refusal> {
    let alone = header.album.is_none()
        && header.first == 1
        && header.count == 1
        && header.lamport == 1
        && header.deps.is_empty()
        && header.removes.is_empty()
        && header.batch.is_none();
    if !alone {
        return Err(Refusal::Form("a genesis is the first op of its album, alone"));
    }
    if header.intro.is_some_and(|intro| intro.is_root()) {
        return Err(Refusal::RootActor);
    }
    Ok(())
}

pub(crate) fn check_signature(device: &PublicKey, header_text: &str, sig: &Signature) -> Result<(), Refusal> {
    match verify(device, Domain::Op, header_text.as_bytes(), sig) {
        true => Ok(()),
        false => Err(Refusal::Signature),
    }
}

pub(crate) fn check_certificate(header: &Header) -> Result<(), Refusal> {
    match header.intro.is_none_or(|intro| intro.certificate().is_valid()) {
        true => Ok(()),
        false => Err(Refusal::Certificate),
    }
}

impl Op {
    /// Reads an envelope and checks all that the op alone can show, except signatures, which need the device's key:
    /// [`crate::Album::receive`] checks them.
    pub fn decode(envelope: &str) -> Result<Op, Refusal> {
        if envelope.len() > OP_BYTES_MAX {
            return Err(Refusal::TooLarge {
                what: "op bytes",
                limit: OP_BYTES_MAX as u64,
            });
        }
        match Op::read_usual(envelope) {
            Some(op) => Ok(op),
            None => Op::read_any(envelope),
        }
    }

    /// An op in the usual spelling with nothing wrong in it; none says nothing.
    pub(crate) fn read_usual(envelope: &str) -> Option<Op> {
        let mut reader = Reader::new(envelope);
        reader.word(OPENING)?;
        let start = reader.at();
        let header = reader.header()?;
        let header_text = start as u32..reader.at() as u32;
        if header_text.len() > HEADER_BYTES_MAX {
            return None;
        }
        reader.word(BEFORE_SIG)?;
        let sig = reader.signature()?;
        reader.word(BEFORE_FACTS)?;
        let mut facts = Vec::with_capacity(header.count as usize);
        let mut bytes = 0;
        for place in 0..header.count {
            if place > 0 {
                reader.word(",")?;
            }
            let start = reader.at();
            let fact = reader.fact()?;
            let json = envelope.get(start..reader.at())?;
            bytes += json.len();
            if json.len() > FACT_BYTES_MAX || bytes > OP_FACTS_BYTES_MAX {
                return None;
            }
            facts.push(FactText {
                hash: fact_hash(json),
                usual: is_kept_short(&fact),
                fact,
                text: start as u32..reader.at() as u32,
            });
        }
        reader.word(CLOSING)?;
        if !reader.is_at_end() {
            return None;
        }
        check_facts(&header, &facts).ok()?;
        let hash = hash_of(envelope.get(header_text.start as usize..header_text.end as usize)?);
        Some(Op {
            header,
            hash,
            sig,
            facts,
            usual: true,
            header_text,
            bytes: envelope.into(),
        })
    }

    /// Any spelling that the text rule allows.
    pub(crate) fn read_any(envelope: &str) -> Result<Op, Refusal> {
        text::check_depth(envelope, DEPTH_MAX + ENVELOPE_DEPTH).map_err(Refusal::Text)?;
        let Object(parts) = text::read::<Object<Envelope>>(envelope).map_err(Refusal::Text)?;
        let header_text = parts.header.get();
        text::check(header_text).map_err(Refusal::Text)?;
        let header = Header::read(header_text)?;
        let facts = read_facts(envelope, &parts.facts)?;
        check_facts(&header, &facts)?;
        let hash = hash_of(header_text);
        // No part can be shorter than it is usually; the order of the keys and the header's own spelling are left.
        let around = OPENING.len() + BEFORE_SIG.len() + SIG_TEXT + BEFORE_FACTS.len() + CLOSING.len();
        let inside: usize = parts.facts.iter().map(|raw| raw.get().len()).sum();
        let commas = facts.len().saturating_sub(1);
        let usual = envelope.len() == around + header_text.len() + inside + commas
            && place(envelope, header_text).start as usize == OPENING.len()
            && envelope
                .get(OPENING.len() + header_text.len()..)
                .is_some_and(|rest| rest.starts_with(BEFORE_SIG))
            && header.to_text() == header_text;
        let header_text = place(envelope, header_text);
        Ok(Op {
            header,
            hash,
            sig: parts.sig,
            facts,
            usual,
            header_text,
            bytes: envelope.into(),
        })
    }

    /// The op that an album keeps by its parts, in the usual spelling. `facts`: each fact with its hash and text.
    pub(crate) fn from_parts(
        header: Header,
        hash: HeaderHash,
        sig: Signature,
        parts: Vec<(FactHash, Fact, bool, String)>,
    ) -> Op {
        let mut bytes = OPENING.to_owned();
        let mut append = |text: &str| {
            let start = bytes.len() as u32;
            bytes.push_str(text);
            start..bytes.len() as u32
        };
        let header_text = append(&header.to_text());
        append(BEFORE_SIG);
        append(&format!("\"{sig}\""));
        append(BEFORE_FACTS);
        let mut facts = Vec::with_capacity(parts.len());
        for (hash, fact, usual, text) in parts {
            if !facts.is_empty() {
                append(",");
            }
            let text = append(&text);
            facts.push(FactText {
                hash,
                fact,
                usual,
                text,
            });
        }
        append(CLOSING);
        Op {
            header,
            hash,
            sig,
            facts,
            usual: true,
            header_text,
            bytes: bytes.into_boxed_str(),
        }
    }

    /// Signs `header` and joins it with the texts of its facts, whose root and count it already states. For authors
    /// whose album does the rest, see [`crate::Album::author`]; this one writes whatever it is told.
    pub fn sign(header: &Header, facts: &[String], device: &KeyPair) -> Result<Op, Refusal> {
        let header_text = header.to_text();
        let sig = device.sign(Domain::Op, header_text.as_bytes());
        Op::decode(&format!(
            r#"{{"header":{header_text},"sig":"{sig}","facts":[{}]}}"#,
            facts.join(",")
        ))
    }

    /// The envelope as received.
    pub fn bytes(&self) -> &str {
        &self.bytes
    }

    /// The signed text.
    pub fn header_text(&self) -> &str {
        self.slice(&self.header_text)
    }

    /// The text of fact `place`, as received.
    pub fn fact_text(&self, place: usize) -> Option<&str> {
        self.facts.get(place).map(|fact| self.slice(&fact.text))
    }

    /// The last seq it takes.
    pub fn last_seq(&self) -> u64 {
        self.header.last_seq()
    }

    /// Place in the total order that respects cause: (lamport, actor, header hash).
    pub fn order(&self) -> (u64, ActorId, HeaderHash) {
        (self.header.lamport, self.header.actor, self.hash)
    }

    /// How others name it in `deps`.
    pub fn reference(&self) -> crate::header::OpRef {
        crate::header::OpRef {
            actor: self.header.actor,
            seq: self.last_seq(),
            header: self.hash.short(),
        }
    }

    /// Whether it begins an album.
    pub fn is_genesis(&self) -> bool {
        self.header.album.is_none()
    }

    fn slice(&self, range: &Range<u32>) -> &str {
        // The ranges were taken from this very text.
        self.bytes
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }
}

/// BLAKE3 over the fact hashes, what a header's `root` must be.
pub fn facts_root(hashes: impl Iterator<Item = FactHash>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(&hash.0);
    }
    Digest(*hasher.finalize().as_bytes())
}

/// BLAKE3 of a fact's text.
pub fn fact_hash(fact_text: &str) -> FactHash {
    FactHash(*blake3::hash(fact_text.as_bytes()).as_bytes())
}

fn hash_of(header_text: &str) -> HeaderHash {
    HeaderHash(*blake3::hash(header_text.as_bytes()).as_bytes())
}

/// Where `part` lies in `whole`, of which it is a slice; ops are far below 4 GiB.
fn place(whole: &str, part: &str) -> Range<u32> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start as u32..(start + part.len()) as u32
}

fn read_facts(envelope: &str, texts: &[&RawValue]) -> Result<Vec<FactText>, Refusal> {
    if texts.len() > FACTS_PER_OP_MAX {
        return Err(Refusal::TooLarge {
            what: "facts",
            limit: FACTS_PER_OP_MAX as u64,
        });
    }
    if texts.iter().map(|raw| raw.get().len()).sum::<usize>() > OP_FACTS_BYTES_MAX {
        return Err(Refusal::TooLarge {
            what: "bytes of facts",
            limit: OP_FACTS_BYTES_MAX as u64,
        });
    }
    let mut facts = Vec::with_capacity(texts.len());
    for raw in texts {
        let json = raw.get();
        if json.len() > FACT_BYTES_MAX {
            return Err(Refusal::TooLarge {
                what: "bytes of one fact",
                limit: FACT_BYTES_MAX as u64,
            });
        }
        let fact = Fact::read(json)?;
        facts.push(FactText {
            hash: fact_hash(json),
            usual: is_kept_short(&fact) && fact.to_text() == json,
            fact,
            text: place(envelope, json),
        });
    }
    Ok(facts)
}

fn check_facts(header: &Header, facts: &[FactText]) -> Result<(), Refusal> {
    if facts.len() as u64 != header.count {
        return Err(Refusal::Root);
    }
    if header
        .root
        .is_some_and(|root| root != facts_root(facts.iter().map(|fact| fact.hash)))
    {
        return Err(Refusal::Root);
    }
    let has_genesis = facts.iter().any(|fact| matches!(fact.fact, Fact::Genesis { .. }));
    if has_genesis != header.album.is_none() {
        return Err(Refusal::Form(
            "exactly the op without an album has the genesis fact",
        ));
    }
    if header.album.is_none() {
        check_genesis_header(header)?;
    }
    let revokes = facts.iter().any(|fact| matches!(fact.fact, Fact::Revoke { .. }));
    let alone = facts.len() == 1 && header.removes.is_empty();
    let by_root = header.intro.map(|intro| intro.is_root());
    if revokes && (!alone || by_root == Some(false)) || by_root == Some(true) && !facts.is_empty() && !revokes
    {
        return Err(Refusal::RootActor);
    }
    Ok(())
}
