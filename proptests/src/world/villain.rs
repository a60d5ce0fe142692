//! Byzantine peers: members with valid keys whose program is another one. Each runs the real engine, so that it knows what
//! they all know, and bends what leaves it (its mood) or sends what no engine would (an evil act).

use std::sync::Arc;

use crdt::fact::{AcceptRun, Fact, Role};
use crdt::header::Intro;
use crdt::id::{ActorId, AlbumId, Digest, HeaderHash, Incarnation};
use crdt::op::Op;
use crdt::{Album, Author};
use engine::Outcome;
use engine::limits::{FRAME_BYTES_MAX, GOSSIP_BYTES_MAX};
use engine::wire::{Call, Epoch, RefusalCode, decode_call, decode_message, encode_answer, encode_message};
use rand::Rng as _;

use super::impostor::Impostor;
use super::peer::dot;
use super::people::{self, Who};
use super::{At, World};
use crate::pen::Pen;

/// How a Byzantine peer talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should; only its acts are bad.
    Plain,
    /// Publishes nothing, and answers without ops and bytes.
    Withhold,
    /// Wrong roots, hashes and heads; claims ops and bytes that it does not have.
    Lie,
    /// Answers that do not end.
    Endless,
    /// Answers that are none.
    Garbage,
}

/// What a Byzantine peer does once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evil {
    /// An op under another's actor, signed by itself.
    Forge,
    /// An op under its own key that claims to be another's: a foreign root in the intro.
    Steal,
    /// Old ops again, under new epochs and seqs.
    Replay,
    /// Two ops with one seq, each to a half of the peers.
    Fork,
    /// An op that omits what it has seen, next to the album's beginning.
    Backdate,
    /// A new life of its device that has seen its first grant only.
    Evade,
    /// Gives itself and a stranger rights, limits the owner, accepts its own ops.
    Usurp,
    /// Removes what others added.
    Spite,
    /// An op by a person whom nobody named.
    Stranger,
    /// Ops of another album.
    Foreign,
    /// Gossip that is none.
    Junk,
    /// Ops whose past does not exist.
    Early,
    /// Heads that nobody has.
    Claim,
    /// Seqs and clocks at the end of the numbers.
    Overflow,
    /// Devices under certificates that no root gave, true certificates under its own signature.
    Certify,
    /// Revocations of another's device by whoever is not that user's root.
    Unseat,
    /// Grants for codes that nobody gave, one code for several.
    Invite,
}

/// What a Byzantine peer answers.
pub(super) enum Reply {
    /// What its engine says.
    AsItIs,
    Frames(Vec<Vec<u8>>),
    /// These, and no end.
    NoEnd(Vec<Vec<u8>>),
}

impl World {
    /// From now on this peer is not bound by its program.
    pub fn turn(&mut self, at: At, mood: Mood) {
        if self.peers[at].villain.replace(mood).is_none() {
            self.recheck_links_of(at);
        }
    }

    /// What becomes of a message that a Byzantine peer's engine wants to publish.
    pub(super) fn bend(&mut self, mood: Mood, payload: &[u8]) -> Option<Vec<u8>> {
        match mood {
            Mood::Plain | Mood::Endless => Some(payload.to_vec()),
            Mood::Withhold => None,
            Mood::Garbage => Some(self.garbage()),
            Mood::Lie => {
                let message = decode_message(payload).ok()?;
                let ops = message.ops.iter().filter_map(|text| Op::decode(text.get()).ok());
                let ops: Vec<Arc<Op>> = ops.map(Arc::new).collect();
                Some(encode_message(
                    message.epoch,
                    message.seq,
                    &self.digest_of_nothing(),
                    &ops,
                ))
            }
        }
    }

    /// What comes of bytes that a Byzantine peer is asked for.
    pub(super) fn bend_bytes(&mut self, mood: Mood, there: bool) -> Outcome {
        match mood {
            Mood::Plain if there => Outcome::Done,
            Mood::Plain | Mood::Withhold => Outcome::NotThere,
            Mood::Lie | Mood::Garbage => Outcome::Wrong,
            Mood::Endless => Outcome::Broken,
        }
    }

    fn digest_of_nothing(&mut self) -> Digest {
        Digest(self.rng.r#gen())
    }

    fn garbage(&mut self) -> Vec<u8> {
        match self.rng.gen_range(0..8) {
            0 => Vec::new(),
            1 => (0..100).map(|_| self.rng.r#gen()).collect(),
            2 => b"{}".to_vec(),
            3 => [b"{\"ops\":", "[".repeat(4_000).as_bytes()].concat(),
            4 => br#"{"hashes":["AAAA"]}"#.to_vec(),
            5 => br#"{"v":1,"kind":"ops","epoch":"AAAAAAAAAAA","seq":0,"heads":"","ops":[]}"#.to_vec(),
            6 => encode_answer::have(&[true; 3]),
            _ => vec![b' '; FRAME_BYTES_MAX + 1],
        }
    }

    pub(super) fn reply(&mut self, mood: Mood, body: &[u8]) -> Reply {
        let Ok(call) = decode_call(body) else {
            return Reply::AsItIs;
        };
        match (mood, call) {
            (Mood::Plain, _) => Reply::AsItIs,
            (Mood::Withhold | Mood::Lie, Call::Ops { .. } | Call::Refs { .. }) => {
                Reply::Frames(vec![encode_answer::end(self.rng.gen_bool(0.5))])
            }
            (Mood::Withhold, Call::Have { blobs, .. }) => {
                Reply::Frames(vec![encode_answer::have(&vec![false; blobs.len()])])
            }
            (Mood::Withhold, _) => Reply::AsItIs,
            (Mood::Lie, Call::Have { blobs, .. }) => {
                Reply::Frames(vec![encode_answer::have(&vec![true; blobs.len()])])
            }
            (Mood::Lie, Call::Hello { .. }) => {
                let (heads, facts) = (self.digest_of_nothing(), self.digest_of_nothing());
                Reply::Frames(vec![encode_answer::roots(heads, facts)])
            }
            (Mood::Lie, Call::Tree { .. }) => {
                let hashes: Vec<Digest> = (0..64).map(|_| self.digest_of_nothing()).collect();
                Reply::Frames(vec![encode_answer::hashes(&hashes)])
            }
            (Mood::Lie, Call::Heads { .. }) => {
                let heads: Vec<_> = (0..40).map(|_| self.head_of_nothing()).collect();
                Reply::Frames(vec![encode_answer::heads(&heads)])
            }
            (Mood::Lie, _) => Reply::Frames(vec![encode_answer::refused(RefusalCode::Other, "no")]),
            (Mood::Endless, call) => Reply::NoEnd(self.endless(&call)),
            (Mood::Garbage, _) => {
                let frames = self.rng.gen_range(1..3);
                Reply::Frames((0..frames).map(|_| self.garbage()).collect())
            }
        }
    }

    fn head_of_nothing(&mut self) -> engine::wire::Head {
        let seq = self.rng.gen_range(1..=crdt::limits::INTEGER_MAX);
        (ActorId(self.rng.r#gen()), seq, HeaderHash(self.rng.r#gen()))
    }

    fn endless(&mut self, call: &Call) -> Vec<Vec<u8>> {
        match call {
            Call::Ops { album, .. } | Call::Refs { album, .. } => {
                let here = self
                    .peers
                    .iter()
                    .filter(|peer| !peer.is_honest())
                    .find_map(|peer| peer.engine.as_ref()?.album(album));
                let ops: Vec<Arc<Op>> =
                    here.map_or_else(Vec::new, |album| album.ops().take(10).cloned().collect());
                vec![encode_answer::ops(&ops); 12]
            }
            Call::Tree { .. } => {
                let hashes: Vec<Digest> = (0..64).map(|_| self.digest_of_nothing()).collect();
                vec![encode_answer::hashes(&hashes); 3]
            }
            Call::Heads { .. } => {
                let heads: Vec<_> = (0..2_000).map(|_| self.head_of_nothing()).collect();
                vec![encode_answer::heads(&heads); 3]
            }
            _ => Vec::new(),
        }
    }

    /// Does evil in an album, where the act needs one to another peer. Nothing if it cannot.
    pub fn evil(&mut self, at: At, album: AlbumId, act: Evil, other: At) {
        self.turn(at, self.peers[at].villain.unwrap_or(Mood::Plain));
        let Some(engine) = &self.peers[at].engine else {
            return;
        };
        let Some(here) = engine.album(&album).filter(|here| here.has_genesis()) else {
            return;
        };
        let me = self.peers[at].who.author(self.peers[at].disk.incarnation);
        let clock = self.clock(at);
        let tips = tips(here);
        let mine = last_of(here, &me.actor());
        let pen = Pen::new(&me, album, mine.clone(), &tips);
        let line = |text: &str| people::dated(people::chat(text), clock);
        let ops: Vec<Arc<Op>> = match act {
            Evil::Forge => {
                let victim = self.author_of(other);
                let prev = last_of(here, &victim.actor());
                let honest = Pen::new(&victim, album, prev, &tips).facts(vec![line("forged")]);
                let forged = Pen {
                    author: &me,
                    ..honest.clone()
                };
                forged.sign_as(&honest.header()).into_iter().collect()
            }
            Evil::Steal => steal(&me, &self.author_of(other), album, &tips, line("stolen")),
            Evil::Replay => here.ops().step_by(3).take(20).cloned().collect(),
            Evil::Fork => {
                let sides = ["left", "right"].map(|side| pen.clone().facts(vec![line(side)]).sign());
                return self.send_halves(at, album, sides.into_iter().flatten().collect());
            }
            Evil::Backdate => {
                let early: Vec<Arc<Op>> = here.ops().take(2).cloned().collect();
                let first = here.ops().find(|op| op.header.actor == me.actor()).cloned();
                let pen = Pen::new(&me, album, first, &early);
                pen.facts(vec![line("back-dated")]).sign().into_iter().collect()
            }
            Evil::Evade => {
                let again = self.peers[at].who.author(Incarnation(self.rng.r#gen()));
                let named: Vec<Arc<Op>> = grant_of(here, &me).into_iter().collect();
                let pen = Pen::new(&again, album, None, &named);
                pen.facts(vec![line("another life")]).sign().into_iter().collect()
            }
            Evil::Usurp => usurp(here, &me, pen, clock, self.peers[other].user()),
            Evil::Spite => {
                let others = here.ops().filter(|op| op.header.actor != me.actor());
                let removes = others
                    .filter(|op| matches!(op.facts.first(), Some(text) if !text.fact.is_member()))
                    .map(|op| dot(op))
                    .take(5);
                pen.removes(removes.collect()).sign().into_iter().collect()
            }
            Evil::Stranger => {
                let nobody = Who {
                    person: b'!',
                    device: 9,
                };
                let nobody = nobody.author(Incarnation(self.rng.r#gen()));
                let pen = Pen::new(&nobody, album, None, &tips);
                pen.facts(vec![line("nobody's")]).sign().into_iter().collect()
            }
            Evil::Foreign => foreign(&me, clock),
            Evil::Early => early(&me, album, mine.as_ref(), &tips, &line("early")),
            Evil::Certify | Evil::Unseat | Evil::Invite => self.impersonate(at, here, act, other),
            Evil::Overflow => overflow(&pen.facts(vec![line("too far")])),
            Evil::Claim => Vec::new(),
            Evil::Junk => {
                for to in self.linked_with(at) {
                    let junk = match self.rng.gen_bool(0.1) {
                        true => vec![b'{'; GOSSIP_BYTES_MAX + 1],
                        false => self.garbage(),
                    };
                    self.send_gossip(at, to, album, &junk);
                }
                return;
            }
        };
        for to in self.linked_with(at) {
            self.send_ops(at, to, album, &ops);
        }
    }

    fn impersonate(&self, at: At, here: &Album, act: Evil, other: At) -> Vec<Arc<Op>> {
        let (me, victim) = (self.author_of(at), self.author_of(other));
        let disk = &self.peers[at].disk;
        let impostor = Impostor {
            album: here.id(),
            root: &self.peers[at].who.root_author(disk.incarnation),
            me: &me,
            victim: &victim,
            tips: &tips(here),
            mine: last_of(here, &me.actor()),
            life: Incarnation([0x5a; 16]),
        };
        let line = people::dated(people::chat("not mine to say"), self.clock(at));
        match act {
            Evil::Certify => impostor.certify(&line),
            Evil::Invite => impostor.invite(self.clock(at)),
            _ => impostor.unseat(self.clock(at), &line),
        }
    }

    fn author_of(&self, at: At) -> Author {
        self.peers[at].who.author(self.peers[at].disk.incarnation)
    }

    fn linked_with(&self, at: At) -> Vec<At> {
        (0..self.peers.len())
            .filter(|to| self.net.link(at, *to).is_some())
            .collect()
    }

    fn send_halves(&mut self, at: At, album: AlbumId, sides: Vec<Arc<Op>>) {
        for (number, to) in self.linked_with(at).into_iter().enumerate() {
            if let Some(side) = sides.get(number % 2) {
                self.send_ops(at, to, album, std::slice::from_ref(side));
            }
        }
    }

    /// Ops in a message of its own making: any epoch, any seq, any heads.
    fn send_ops(&mut self, at: At, to: At, album: AlbumId, ops: &[Arc<Op>]) {
        let (epoch, seq) = (
            Epoch(self.rng.r#gen()),
            self.rng.gen_range(1..=crdt::limits::INTEGER_MAX),
        );
        let payload = encode_message(epoch, seq, &self.digest_of_nothing(), ops);
        self.send_gossip(at, to, album, &payload);
    }
}

/// Up to four ops that no other has in its past.
fn tips(album: &Album) -> Vec<Arc<Op>> {
    let heads = album.heads();
    heads
        .iter()
        .rev()
        .filter_map(|head| album.op(&head.hash))
        .take(2)
        .cloned()
        .collect()
}

fn last_of(album: &Album, actor: &ActorId) -> Option<Arc<Op>> {
    album
        .ops()
        .filter(|op| op.header.actor == *actor)
        .max_by_key(|op| op.last_seq())
        .cloned()
}

/// The op that first named this author's user.
fn grant_of(album: &Album, author: &Author) -> Option<Arc<Op>> {
    let user = author.user();
    let names = |op: &&Arc<Op>| {
        op.facts
            .iter()
            .any(|text| matches!(&text.fact, Fact::Grant { user: of, .. } if *of == user))
    };
    album.ops().find(names).cloned()
}

fn steal(me: &Author, victim: &Author, album: AlbumId, tips: &[Arc<Op>], line: Fact) -> Vec<Arc<Op>> {
    let pen = Pen::new(me, album, None, tips).facts(vec![line]);
    let mut header = pen.header();
    // His root over my device: the certificate cannot fit.
    let intro = Intro {
        root: victim.certificate.root,
        ..me.intro()
    };
    (header.actor, header.intro) = (intro.actor(), Some(intro));
    let mut ops: Vec<Arc<Op>> = pen.sign_as(&header).into_iter().collect();
    // His whole intro under my signature.
    (header.actor, header.intro) = (victim.actor(), Some(victim.intro()));
    ops.extend(pen.sign_as(&header));
    ops
}

fn usurp(here: &Album, me: &Author, pen: Pen<'_>, clock: u64, friend: crdt::id::UserId) -> Vec<Arc<Op>> {
    let user = me.user();
    let role = |user, role| Fact::Role {
        user,
        role,
        at: clock,
    };
    let own = last_of(here, &me.actor()).map(|op| AcceptRun {
        actor: op.header.actor,
        seq: op.last_seq(),
        header: op.hash.short(),
        count: 1,
    });
    let accept = own.map(|run| Fact::Accept {
        ops: vec![run],
        at: clock,
    });
    let owner = here.owner().map(|owner| role(owner, Role::None));
    let grant = Fact::Grant {
        user: friend,
        role: Role::Curator,
        name: "friend".to_owned(),
        at: clock,
        invite: None,
    };
    let each = [role(user, Role::Curator), grant]
        .into_iter()
        .chain(accept)
        .chain(owner);
    // One after another, so that each is judged by itself.
    let mut prev = pen.prev.clone();
    let mut ops = Vec::new();
    for fact in each {
        let next = Pen {
            prev: prev.clone(),
            ..pen.clone()
        };
        let Ok(op) = next.facts(vec![fact]).sign() else {
            continue;
        };
        prev = Some(op.clone());
        ops.push(op);
    }
    ops
}

/// Another album's genesis and first line.
fn foreign(me: &Author, clock: u64) -> Vec<Arc<Op>> {
    let made = Album::create(me, crdt::id::AlbumSeed([5; 16]), "another", "me", clock);
    let Ok((mut other, genesis)) = made else {
        return Vec::new();
    };
    let draft = crdt::Draft {
        facts: vec![people::chat("in another album")],
        removes: Vec::new(),
    };
    let line = other.author(me, draft).unwrap_or_default();
    [vec![genesis], line].concat()
}

/// A chain of which only the later half is sent.
fn early(me: &Author, album: AlbumId, mine: Option<&Arc<Op>>, tips: &[Arc<Op>], line: &Fact) -> Vec<Arc<Op>> {
    let mut prev = mine.cloned();
    let mut ops = Vec::new();
    for _ in 0..16 {
        let pen = Pen::new(me, album, prev.clone(), tips).facts(vec![line.clone()]);
        let Ok(op) = pen.sign() else { break };
        prev = Some(op.clone());
        ops.push(op);
    }
    ops.split_off(ops.len() / 2)
}

fn overflow(pen: &Pen<'_>) -> Vec<Arc<Op>> {
    let honest = pen.header();
    let last = crdt::limits::INTEGER_MAX;
    let far = [(honest.first, last), (last, honest.lamport), (last, last)];
    let ops = far.into_iter().filter_map(|(first, lamport)| {
        let header = crdt::header::Header {
            first,
            lamport,
            ..honest.clone()
        };
        pen.sign_as(&header).ok()
    });
    ops.collect()
}
