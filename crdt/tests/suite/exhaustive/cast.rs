//! Who may write what in exhaustive histories, and the ops themselves, each written once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::fact::{AcceptRun, Fact, Role};
use crdt::id::UserId;
use crdt::op::Op;
use crdt::{Album, Author};

use crate::plain::{Deed, Says};
use crate::story::{Story, author_of};
use crate::world::{AT, Pen, dot, grant, image, rating, role, user};

/// What an op does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Act {
    Add,
    Rate,
    /// Makes a contributor.
    Grant(char),
    /// A `role` fact; `none` removes.
    Limit(char, Role),
    Revoke(char),
    /// Of all that others wrote and the op sees, C1 and the free ops.
    AcceptAll,
    /// Of one of them.
    Accept,
    /// Removes an image that the op sees, each in turn.
    Kill,
}

use Act::*;
use Role::{Contributor, Curator, Viewer};

/// A writer, what he does, and whether he may do it in a fork: beside another op of his with the same `prev`.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub writer: char,
    pub act: Act,
    pub forks: bool,
}

const fn part(writer: char, act: Act) -> Part {
    let forks = false;
    Part { writer, act, forks }
}

const fn forked(writer: char, act: Act) -> Part {
    let forks = true;
    Part { writer, act, forks }
}

/// Four users, three with two devices and their roots. A's two devices have equal parts here and below, so that one may
/// stand for the other.
pub const PARTS: &[Part] = &[
    part('O', Limit('A', Role::None)),
    part('O', Limit('A', Viewer)),
    part('O', Limit('A', Curator)),
    part('O', Limit('C', Role::None)),
    part('O', Grant('A')),
    part('O', AcceptAll),
    part('o', Limit('A', Role::None)),
    forked('o', Add),
    part('R', Revoke('o')),
    forked('C', Limit('A', Role::None)),
    part('C', Grant('A')),
    part('C', AcceptAll),
    part('C', Kill),
    part('c', Grant('A')),
    part('r', Revoke('C')),
    forked('A', Add),
    part('A', Grant('A')),
    forked('a', Add),
    part('a', Grant('A')),
    part('q', Revoke('A')),
    part('q', Revoke('a')),
    part('B', Rate),
];

/// More of the same.
pub const MORE_PARTS: &[Part] = &[
    part('O', Limit('C', Contributor)),
    part('o', AcceptAll),
    part('R', Revoke('O')),
    part('B', Add),
];

/// More still, and a fifth user.
pub const MOST_PARTS: &[Part] = &[
    part('O', Grant('C')),
    part('O', Accept),
    part('C', Limit('A', Viewer)),
    part('C', Limit('A', Curator)),
    part('C', Grant('E')),
    part('C', Accept),
    forked('c', Limit('A', Role::None)),
    part('c', AcceptAll),
    part('r', Revoke('c')),
    part('o', Kill),
    part('A', Kill),
    part('a', Kill),
    part('A', Rate),
    part('a', Rate),
    part('B', Grant('E')),
    part('E', Add),
];

/// Devices by letter; a device's number is its place.
const DEVICES: &[u8] = b"OoRCcrAaqBE";

/// Ops of the base: O1, O2, C1, O3 are numbers 0 to 3 of every history.
pub const BASE: usize = 4;

/// What makes an op the op it is. Keys stand for ops, so a key says the same in every run and thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec {
    /// Place in the cast's parts.
    pub part: u8,
    /// Of the dot to kill or the one op to accept: its key.
    pub target: u64,
    pub prev: u64,
    /// Sorted; 0 for none.
    pub deps: [u64; 4],
}

impl Spec {
    /// A number that differs from op to op: 64 bits of mixing after splitmix64 (Steele et al. 2014). [`Cast::write`]
    /// notices where two ops share one.
    pub fn key(&self) -> u64 {
        let words = [u64::from(self.part) + 1, self.target, self.prev];
        words.into_iter().chain(self.deps).fold(0x5EED, mix)
    }
}

pub fn mix(state: u64, word: u64) -> u64 {
    let mut z = (state ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// The people, the base and every op written so far.
pub struct Cast {
    pub parts: Vec<Part>,
    /// By part: the same part of A's other device.
    mirrored: Vec<u8>,
    authors: Vec<Author>,
    /// By part: what it says, where that is no accept or kill.
    facts: Vec<Option<Fact>>,
    /// By part.
    devices: Vec<u8>,
    /// Ids of the people.
    pub users: [UserId; 5],
    pub base: Album,
    pub base_ops: Vec<Arc<Op>>,
    pub base_deeds: Vec<Deed>,
    /// By key.
    written: BTreeMap<u64, (Spec, Arc<Op>)>,
}

impl Cast {
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Cast {
        let parts: Vec<Part> = parts.into_iter().collect();
        let story = Story::new("");
        let base_ops = ["O1", "O2", "C1", "O3"].map(|name| story.ops[name].clone());
        // O1 < O2 < {C1, O3}.
        let deed = |letter, seq, prev, past, says| Deed {
            user: user_of(letter),
            device: number(letter),
            is_root: false,
            seq,
            prev,
            past,
            says,
        };
        let base_deeds = vec![
            deed('O', 1, None, 0b0, Says::Genesis),
            deed('O', 2, Some(0), 0b1, Says::Role(user_of('C'), Curator)),
            deed('C', 1, None, 0b11, Says::Grant(user_of('A'), Contributor)),
            deed('O', 3, Some(1), 0b11, Says::Grant(user_of('B'), Contributor)),
        ];
        let mirror = |part: &Part| {
            let (writer, act) = match part.act {
                Revoke(letter) => (part.writer, Revoke(other(letter))),
                act => (other(part.writer), act),
            };
            let same = |(_, found): &(usize, &Part)| {
                (found.writer, found.act, found.forks) == (writer, act, part.forks)
            };
            parts.iter().enumerate().find(same).unwrap().0 as u8
        };
        Cast {
            mirrored: parts.iter().map(mirror).collect(),
            authors: parts.iter().map(|part| author_of(part.writer)).collect(),
            facts: parts.iter().map(|part| fact(part.act)).collect(),
            users: PEOPLE.map(user),
            devices: parts.iter().map(|part| number(part.writer)).collect(),
            parts,
            base: story.base,
            base_ops: base_ops.to_vec(),
            base_deeds,
            written: BTreeMap::new(),
        }
    }

    pub fn mirrored(&self, part: u8) -> u8 {
        self.mirrored[usize::from(part)]
    }

    pub fn device(&self, part: u8) -> u8 {
        self.devices[usize::from(part)]
    }

    /// The op of a device in the base that its first free op follows, and the one that it sees if there is none.
    pub fn start(&self, device: u8) -> (Option<usize>, usize) {
        match DEVICES[usize::from(device)] {
            b'O' => (Some(3), 3),
            b'C' => (Some(2), 2),
            b'A' | b'a' | b'q' => (None, 2),
            b'B' => (None, 3),
            b'c' | b'r' => (None, 1),
            _ => (None, 0),
        }
    }

    /// What the op says, with no more than who wrote it.
    pub fn deed(&self, part: u8) -> Deed {
        let Part { writer, act, .. } = self.parts[usize::from(part)];
        let says = match act {
            Add => Says::Image,
            Rate => Says::Rating,
            Grant(person) => Says::Grant(user_of(person), Contributor),
            Limit(person, role) => Says::Role(user_of(person), role),
            Revoke(device) => Says::Revoke(number(device)),
            AcceptAll | Accept => Says::Accept(0),
            Kill => Says::Kill(0, 0),
        };
        Deed {
            user: user_of(writer),
            device: number(writer),
            is_root: matches!(writer, 'R' | 'r' | 'q'),
            seq: 0,
            prev: None,
            past: 0,
            says,
        }
    }

    /// The op itself, unsigned; written anew unless it is kept.
    pub fn write(
        &mut self,
        spec: &Spec,
        prev: Option<&Op>,
        deps: &[Arc<Op>],
        named: &[Arc<Op>],
        keep: bool,
    ) -> Arc<Op> {
        let key = spec.key();
        if let Some((known, op)) = self.written.get(&key) {
            assert_eq!(known, spec, "two ops of one key");
            return op.clone();
        }
        let part = usize::from(spec.part);
        let runs = || named.iter().map(|op| accepted(op)).collect();
        let facts = match (self.parts[part].act, &self.facts[part]) {
            (Kill, _) => vec![],
            (_, Some(fact)) => vec![fact.clone()],
            _ => vec![Fact::Accept { ops: runs(), at: AT }],
        };
        let removes = match self.parts[part].act {
            Kill => vec![dot(&named[0])],
            _ => vec![],
        };
        let author = &self.authors[part];
        let deps: Vec<&Op> = deps.iter().map(|op| &**op).collect();
        let op = Pen::new(author, self.base.id(), prev, &deps)
            .facts(&facts)
            .removes(&removes)
            .unsigned();
        if keep {
            self.written.insert(key, (*spec, op.clone()));
        }
        op
    }
}

fn fact(act: Act) -> Option<Fact> {
    Some(match act {
        Add => image("i"),
        Rate => rating("i", 3),
        Grant(person) => grant(person as u8, Contributor),
        Limit(person, to) => role(person as u8, to),
        Revoke(letter) => Fact::Revoke {
            device: author_of(letter).device.public(),
            at: AT,
        },
        AcceptAll | Accept | Kill => return None,
    })
}

fn accepted(op: &Op) -> AcceptRun {
    AcceptRun {
        actor: op.header.actor,
        seq: op.last_seq(),
        header: op.hash.short(),
        count: 1,
    }
}

fn number(letter: char) -> u8 {
    let place = DEVICES.iter().position(|device| *device == letter as u8);
    place.unwrap() as u8
}

/// The other device of A.
fn other(letter: char) -> char {
    match letter {
        'A' => 'a',
        'a' => 'A',
        other => other,
    }
}

/// O, C, A, B and E are users 0 to 4.
pub fn user_of(letter: char) -> u8 {
    match letter {
        'O' | 'o' | 'R' => 0,
        'C' | 'c' | 'r' => 1,
        'A' | 'a' | 'q' => 2,
        'B' => 3,
        _ => 4,
    }
}

/// The people's letters, by user.
pub const PEOPLE: [u8; 5] = *b"OCABE";
