//! The signed part of an op (docs/protocol.md §2): who, after what, how many facts, which dots it removes.

use serde::{Deserialize, Serialize};

use crate::id::{ActorId, AlbumId, Digest, HeaderHash, HeaderRef, Incarnation, PublicKey, Signature, UserId};
use crate::keys::{Certificate, actor_id, user_id};
use crate::limits::{
    DEPS_EMPTY_MAX, DEPS_MAX, FACTS_PER_OP_MAX, HEADER_BYTES_MAX, INTEGER_MAX, REMOVE_DOTS_MAX,
    REMOVE_RUNS_MAX,
};
use crate::op::Refusal;
use crate::text::{self, Object};

/// Names an op from afar: its actor, its last seq and the first bytes of its header hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpRef {
    /// Its author.
    pub actor: ActorId,
    /// The last seq it takes.
    pub seq: u64,
    /// First bytes of its header's hash.
    pub header: HeaderRef,
}

/// Consecutive dots of one actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DotRun {
    /// Their actor.
    pub actor: ActorId,
    /// The first seq.
    pub first: u64,
    /// How many, from 1.
    pub count: u64,
}

/// What an actor's first op tells of it, so that every op can be verified from the op set alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intro {
    /// The device's key, which signs.
    pub device: PublicKey,
    /// This life of the device's database.
    pub incarnation: Incarnation,
    /// The user's root key.
    pub root: PublicKey,
    /// The root's signature of the device certificate.
    pub cert: Signature,
}

impl Intro {
    /// The user it speaks of.
    pub fn user(&self) -> UserId {
        user_id(&self.root)
    }

    /// The actor it makes.
    pub fn actor(&self) -> ActorId {
        actor_id(&self.user(), &self.device, &self.incarnation)
    }

    /// The certificate it carries.
    pub fn certificate(&self) -> Certificate {
        Certificate {
            root: self.root,
            device: self.device,
            sig: self.cert,
        }
    }

    /// Whether the device key is the root key itself: an actor that revokes devices and does nothing else.
    pub fn is_root(&self) -> bool {
        self.device == self.root
    }
}

/// A header, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The album; none in a genesis, whose own hash it is.
    pub album: Option<AlbumId>,
    /// The author.
    pub actor: ActorId,
    /// First seq this op takes.
    pub first: u64,
    /// Number of its facts.
    pub count: u64,
    /// 1 + the largest of `prev` and `deps` (Lamport 1978).
    pub lamport: u64,
    /// The author's previous op.
    pub prev: Option<HeaderHash>,
    /// Heads of the graph that the author had received, without `prev`.
    pub deps: Vec<OpRef>,
    /// BLAKE3 over the fact hashes.
    pub root: Option<Digest>,
    /// Dots whose facts it kills.
    pub removes: Vec<DotRun>,
    /// The first op of the same command.
    pub batch: Option<HeaderRef>,
    /// Exactly in an actor's first op.
    pub intro: Option<Intro>,
}

/// As written; the fields' order is the keys' order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderWire {
    v: u64,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some"
    )]
    album: Option<AlbumId>,
    actor: ActorId,
    first: u64,
    count: u64,
    lamport: u64,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some"
    )]
    prev: Option<HeaderHash>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some"
    )]
    deps: Option<Vec<(ActorId, u64, HeaderRef)>>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some"
    )]
    root: Option<Digest>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some"
    )]
    removes: Option<Vec<(ActorId, u64, u64)>>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some"
    )]
    batch: Option<HeaderRef>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some_object"
    )]
    intro: Option<Intro>,
}

impl Header {
    /// Reads and checks all that a header alone can show. `json` has passed [`text::check`].
    pub fn read(json: &str) -> Result<Header, Refusal> {
        if json.len() > HEADER_BYTES_MAX {
            return Err(Refusal::TooLarge {
                what: "header bytes",
                limit: HEADER_BYTES_MAX as u64,
            });
        }
        let Object(wire) = text::read::<Object<HeaderWire>>(json).map_err(Refusal::Text)?;
        if wire.v != 1 {
            return Err(Refusal::Version(wire.v));
        }
        let empty_list =
            wire.deps.as_ref().is_some_and(Vec::is_empty) || wire.removes.as_ref().is_some_and(Vec::is_empty);
        if empty_list {
            return Err(Refusal::Form("an empty list is left out"));
        }
        let deps = wire.deps.unwrap_or_default();
        let removes = wire.removes.unwrap_or_default();
        let header = Header {
            album: wire.album,
            actor: wire.actor,
            first: wire.first,
            count: wire.count,
            lamport: wire.lamport,
            prev: wire.prev,
            deps: deps
                .into_iter()
                .map(|(actor, seq, header)| OpRef { actor, seq, header })
                .collect(),
            root: wire.root,
            removes: removes
                .into_iter()
                .map(|(actor, first, count)| DotRun { actor, first, count })
                .collect(),
            batch: wire.batch,
            intro: wire.intro,
        };
        header.check()?;
        Ok(header)
    }

    /// Canonical text.
    pub fn to_text(&self) -> String {
        let deps: Vec<_> = self
            .deps
            .iter()
            .map(|dep| (dep.actor, dep.seq, dep.header))
            .collect();
        let removes: Vec<_> = self
            .removes
            .iter()
            .map(|run| (run.actor, run.first, run.count))
            .collect();
        text::write(&HeaderWire {
            v: 1,
            album: self.album,
            actor: self.actor,
            first: self.first,
            count: self.count,
            lamport: self.lamport,
            prev: self.prev,
            deps: (!deps.is_empty()).then_some(deps),
            root: self.root,
            removes: (!removes.is_empty()).then_some(removes),
            batch: self.batch,
            intro: self.intro,
        })
    }

    /// The last seq this op takes. Cannot overflow in a checked header.
    pub fn last_seq(&self) -> u64 {
        self.first.saturating_add(self.count.max(1) - 1)
    }

    /// Whether it has neither facts nor removes.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.removes.is_empty()
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.count > FACTS_PER_OP_MAX as u64 {
            return Err(Refusal::TooLarge {
                what: "facts",
                limit: FACTS_PER_OP_MAX as u64,
            });
        }
        if self.first == 0 || self.lamport == 0 || self.last_seq() > INTEGER_MAX {
            return Err(Refusal::Form("seq or lamport out of range"));
        }
        if self.prev.is_none() != (self.first == 1) || self.intro.is_some() != (self.first == 1) {
            return Err(Refusal::Form("prev and intro must fit first"));
        }
        if self.root.is_some() != (self.count > 0) {
            return Err(Refusal::Form("root must fit count"));
        }
        self.check_deps()?;
        self.check_removes()?;
        match &self.intro {
            Some(intro) if intro.actor() != self.actor => Err(Refusal::Actor),
            Some(intro) if intro.is_root() => self.check_root_actor(),
            _ => Ok(()),
        }
    }

    fn check_deps(&self) -> Result<(), Refusal> {
        let limit = if self.is_empty() { DEPS_EMPTY_MAX } else { DEPS_MAX };
        if self.deps.len() > limit {
            return Err(Refusal::TooLarge {
                what: "deps",
                limit: limit as u64,
            });
        }
        if !self.deps.is_sorted_by(|a, b| a < b) {
            return Err(Refusal::Form("deps must ascend"));
        }
        Ok(())
    }

    fn check_removes(&self) -> Result<(), Refusal> {
        if self.removes.len() > REMOVE_RUNS_MAX {
            return Err(Refusal::TooLarge {
                what: "runs in removes",
                limit: REMOVE_RUNS_MAX as u64,
            });
        }
        let mut dots = 0u64;
        for run in &self.removes {
            if run.first == 0 || run.count == 0 || run.first.saturating_add(run.count - 1) > INTEGER_MAX {
                return Err(Refusal::Form("a run in removes is out of range"));
            }
            dots = dots.saturating_add(run.count);
        }
        if dots > REMOVE_DOTS_MAX {
            return Err(Refusal::TooLarge {
                what: "dots removed",
                limit: REMOVE_DOTS_MAX,
            });
        }
        Ok(())
    }

    /// A root actor writes empty ops and revokes, which [`crate::op::Op::decode`] checks against the facts.
    fn check_root_actor(&self) -> Result<(), Refusal> {
        if self.count > 1 || !self.removes.is_empty() {
            return Err(Refusal::RootActor);
        }
        Ok(())
    }
}
