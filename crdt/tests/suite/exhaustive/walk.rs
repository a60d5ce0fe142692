//! All histories of a few free ops, each once.
//!
//! A history is a set of ops closed under past. It is told in one order only, by (number of free ops in its past, key):
//! a past grows along cause, so the order is a causal one, and every beginning of it is a history too. So each set is
//! reached once, by adding ops that come after the last one told.
//!
//! A's devices `A` and `a` have equal parts and nothing in the base. Changing them for each other in a whole history
//! changes ids and hashes only, which no rule of docs/protocol.md §3 reads; so of two such histories the lower one
//! stands for both where `mirror` is set. Whatever begins a lower one is lower itself: let P begin S and P' < P be its
//! mirror image; the lowest ops of S' ⊇ P' are, place by place, no higher than those of P', so S' < S. Cutting at P
//! loses nothing.

use std::sync::Arc;

use crdt::fact::Role;
use crdt::limits::DEPS_MAX;
use crdt::op::Op;

use super::cast::{Act, BASE, Cast, Spec, mix};
use crate::plain::{Deed, Ops, Says, each};

/// A free op of the history.
#[derive(Clone)]
pub struct Told {
    pub part: u8,
    pub op: Arc<Op>,
    pub key: u64,
    pub mirrored: u64,
    /// Free ops in its past.
    size: u32,
}

/// An op that could be told next: who, after which op, with which deps, about which op; numbers are places in `deeds`.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    part: u8,
    prev: Option<usize>,
    deps: Ops,
    past: Ops,
    target: Option<usize>,
}

/// A history that is being told.
pub struct Walk {
    pub cast: Cast,
    pub told: Vec<Told>,
    /// Of the base and the told ops.
    pub deeds: Vec<Deed>,
    /// Free ops that the longest history has.
    pub most: usize,
    pub mirror: bool,
}

fn bit(op: usize) -> Ops {
    1 << op
}

impl Walk {
    pub fn new(cast: Cast, most: usize, mirror: bool) -> Walk {
        let deeds = cast.base_deeds.clone();
        let told = Vec::new();
        Walk {
            cast,
            told,
            deeds,
            most,
            mirror,
        }
    }

    /// All ops of the history.
    pub fn all(&self) -> Ops {
        bit(self.deeds.len()) - 1
    }

    pub fn op(&self, place: usize) -> &Arc<Op> {
        match place.checked_sub(BASE) {
            Some(free) => &self.told[free].op,
            None => &self.cast.base_ops[place],
        }
    }

    /// Every op that may be told next; `tell` says which of them are told in order.
    pub fn nexts(&self) -> Vec<Next> {
        let mut nexts = Vec::new();
        for part in 0..self.cast.parts.len() as u8 {
            for prev in self.prevs(part) {
                for deps in 0..bit(self.told.len()) {
                    nexts.extend(self.next(part, prev, deps << BASE));
                }
            }
        }
        nexts
    }

    /// The ops that a device could write after: its last in the base, or none, and each of its free ones.
    pub fn prevs(&self, part: u8) -> Vec<Option<usize>> {
        let device = self.cast.device(part);
        let free = (BASE..self.deeds.len()).filter(|op| self.deeds[*op].device == device);
        let starts = [self.cast.start(device).0];
        let prevs = starts.into_iter().chain(free.map(Some));
        prevs.filter(|prev| self.may_follow(part, *prev)).collect()
    }

    /// Of the ops of one device after one op, at most one has a part that does not fork.
    fn may_follow(&self, part: u8, prev: Option<usize>) -> bool {
        let device = self.cast.device(part);
        let beside = (BASE..self.deeds.len()).filter(|op| {
            let deed = &self.deeds[*op];
            deed.device == device && deed.prev.map(usize::from) == prev
        });
        let parts: Vec<u8> = beside.map(|op| self.told[op - BASE].part).chain([part]).collect();
        let firm = parts
            .iter()
            .filter(|part| !self.cast.parts[usize::from(**part)].forks);
        parts.len() == 1 || firm.count() <= 1
    }

    /// The ops of a part with this `prev` and these free deps: none where other deps say the same.
    pub fn next(&self, part: u8, prev: Option<usize>, deps: Ops) -> Vec<Next> {
        let before = prev.map_or(0, |prev| bit(prev) | self.deeds[prev].past);
        let seen = each(deps).fold(0, |seen, dep| seen | self.deeds[dep].past);
        // Only antichains: a dep in the past of another, or of prev, tells nothing new.
        if deps & (seen | before) != 0 {
            return vec![];
        }
        let mut past = before | seen | deps;
        let mut deps = deps;
        if prev.is_none() {
            let (_, start) = self.cast.start(self.cast.device(part));
            if past & bit(start) == 0 {
                deps |= bit(start);
                past |= bit(start) | self.deeds[start].past;
            }
        }
        if deps.count_ones() as usize > DEPS_MAX {
            return vec![];
        }
        let with = |target| Next {
            part,
            prev,
            deps,
            past,
            target,
        };
        let device = self.cast.device(part);
        let others = || each(self.acceptable(past)).filter(move |op| self.deeds[*op].device != device);
        match self.cast.parts[usize::from(part)].act {
            // A stranger is refused.
            _ if self.cast.deed(part).user == 4 && !self.is_named(past, 4) => vec![],
            Act::AcceptAll if others().next().is_none() => vec![],
            Act::Accept => others().map(|op| with(Some(op))).collect(),
            Act::Kill => self
                .dots(past)
                .into_iter()
                .map(|image| with(Some(image)))
                .collect(),
            _ => vec![with(None)],
        }
    }

    fn acceptable(&self, past: Ops) -> Ops {
        past & !0b1011
    }

    fn is_named(&self, past: Ops, user: u8) -> bool {
        each(past).any(|op| match self.deeds[op].says {
            Says::Grant(about, _) => about == user,
            Says::Role(about, role) => about == user && role != Role::None,
            _ => false,
        })
    }

    /// Images in this past, one for each dot.
    fn dots(&self, past: Ops) -> Vec<usize> {
        let mut found: Vec<usize> = each(past)
            .filter(|op| self.deeds[*op].says == Says::Image)
            .collect();
        found.sort_by_key(|op| (self.deeds[*op].device, self.deeds[*op].seq));
        found.dedup_by_key(|op| (self.deeds[*op].device, self.deeds[*op].seq));
        found
    }

    /// Of these ops those that no other of them, nor `prev`, has in its past.
    pub fn heads_of(&self, ops: Ops, prev: Option<usize>) -> Ops {
        let before = prev.map_or(0, |prev| bit(prev) | self.deeds[prev].past);
        let seen = each(ops).fold(before, |seen, op| seen | self.deeds[op].past);
        ops & !seen
    }

    /// Tells the op, unless it is told in another order or history (`in_order`), or told already.
    pub fn tell(&mut self, next: &Next, in_order: bool) -> bool {
        let size = (next.past >> BASE).count_ones();
        let last = self.told.last().map_or((0, 0), |last| (last.size, last.key));
        if in_order && size < last.0 {
            return false;
        }
        let spec = self.spec(next, false);
        let key = spec.key();
        if in_order && (size, key) <= last || self.told.iter().any(|told| told.key == key) {
            return false;
        }
        let mirrored = self.spec(next, true).key();
        let told = (size, key, mirrored);
        if in_order && self.mirror && self.is_mirror_lower(told) {
            return false;
        }
        let deed = self.deed(next);
        let named = match (deed.says, next.target) {
            (_, Some(target)) => bit(target),
            (Says::Accept(named), None) => named,
            _ => 0,
        };
        let ops = |set: Ops| each(set).map(|op| self.op(op).clone()).collect::<Vec<_>>();
        let (deps, named) = (ops(next.deps), ops(named));
        let prev = next.prev.map(|prev| self.op(prev).clone());
        // The largest pasts are in one history each.
        let keep = size as usize + 2 <= self.most;
        let op = self.cast.write(&spec, prev.as_deref(), &deps, &named, keep);
        let part = next.part;
        self.told.push(Told {
            part,
            op,
            key,
            mirrored,
            size,
        });
        self.deeds.push(deed);
        true
    }

    pub fn untell(&mut self) {
        self.told.pop();
        self.deeds.pop();
    }

    fn spec(&self, next: &Next, mirrored: bool) -> Spec {
        let key = |op: usize| match op.checked_sub(BASE) {
            None => op as u64 + 1,
            Some(free) if mirrored => self.told[free].mirrored,
            Some(free) => self.told[free].key,
        };
        let part = |part: u8| if mirrored { self.cast.mirrored(part) } else { part };
        let target = next.target.map_or(0, |op| match self.deeds[op].says {
            Says::Image if self.cast.parts[usize::from(next.part)].act == Act::Kill => {
                let device = self.cast.device(part(self.told[op - BASE].part));
                mix(u64::from(device), u64::from(self.deeds[op].seq))
            }
            _ => key(op),
        });
        let mut deps = [0; 4];
        for (place, dep) in each(next.deps).enumerate() {
            deps[place] = key(dep);
        }
        deps.sort_unstable();
        Spec {
            part: part(next.part),
            target,
            prev: next.prev.map_or(0, key),
            deps,
        }
    }

    fn is_mirror_lower(&self, new: (u32, u64, u64)) -> bool {
        let told = self.told.iter().map(|told| (told.size, told.key, told.mirrored));
        let own: Vec<(u32, u64, u64)> = told.chain([new]).collect();
        let mut image: Vec<(u32, u64)> = own.iter().map(|(size, _, mirrored)| (*size, *mirrored)).collect();
        image.sort_unstable();
        let own = own.iter().map(|(size, key, _)| (*size, *key));
        image.into_iter().lt(own)
    }

    fn deed(&self, next: &Next) -> Deed {
        let mut deed = self.cast.deed(next.part);
        deed.past = next.past;
        deed.prev = next.prev.map(|prev| prev as u8);
        deed.seq = 1 + next.prev.map_or(0, |prev| self.deeds[prev].seq);
        deed.says = match deed.says {
            Says::Accept(_) => Says::Accept(match next.target {
                Some(target) => bit(target),
                None => each(self.acceptable(next.past))
                    .filter(|op| self.deeds[*op].device != deed.device)
                    .fold(0, |named, op| named | bit(op)),
            }),
            Says::Kill(..) => {
                let image = &self.deeds[next.target.unwrap()];
                Says::Kill(image.device, image.seq)
            }
            says => says,
        };
        deed
    }

    /// The names of the held ops, as in [`crate::story`].
    pub fn held(&self) -> String {
        let verdict = crate::plain::judge(&self.deeds, self.all());
        let (_, names) = self.sentences();
        let held = (0..self.deeds.len()).filter(|op| verdict.valid & bit(*op) == 0);
        let mut held: Vec<String> = held.map(|op| names[op].clone()).collect();
        held.sort();
        held.join(" ")
    }

    /// The history as [`crate::story`] reads it.
    pub fn story(&self) -> String {
        self.sentences().0.join("; ")
    }

    /// One for each free op, and the names of all ops.
    fn sentences(&self) -> (Vec<String>, Vec<String>) {
        let mut names: Vec<String> = ["O1", "O2", "C1", "O3"].map(str::to_owned).to_vec();
        let mut sentences = Vec::new();
        for (place, told) in self.told.iter().enumerate() {
            let deed = &self.deeds[place + BASE];
            let writer = self.cast.parts[usize::from(told.part)].writer;
            let number = 1 + names.iter().filter(|name| name.starts_with(writer)).count();
            let list = |ops: Ops| {
                each(ops)
                    .map(|op| names[op].clone())
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let act = match (self.cast.parts[usize::from(told.part)].act, deed.says) {
                (Act::Add, _) => "add".to_owned(),
                (Act::Rate, _) => "rate(i)".to_owned(),
                (Act::Grant(person), _) => format!("grant({person})"),
                (Act::Limit(person, Role::None), _) => format!("remove({person})"),
                (Act::Limit(person, role), _) => {
                    format!("role({person}, {})", format!("{role:?}").to_lowercase())
                }
                (Act::Revoke(device), _) => format!("revoke({device})"),
                (_, Says::Accept(named)) => format!("accept({})", list(named)),
                (_, Says::Kill(device, seq)) => {
                    let is_it = |op: &usize| {
                        let dead = &self.deeds[*op];
                        (dead.device, dead.seq, dead.says) == (device, seq, Says::Image)
                    };
                    let dead = each(deed.past).find(is_it).map_or("?", |op| &names[op]);
                    format!("kill({dead})")
                }
                (act, says) => panic!("{act:?} {says:?}"),
            };
            let prev = deed.prev.map(usize::from);
            // What it sees beside its prev: the heads of the rest.
            let known = prev.map_or(0, |prev| bit(prev) | self.deeds[prev].past);
            let new = deed.past & !known;
            let heads = each(new).filter(|op| each(new).all(|later| self.deeds[later].past & bit(*op) == 0));
            let heads = list(heads.fold(0, |set, op| set | bit(op)));
            let last = (0..place + BASE).rev().find(|op| names[*op].starts_with(writer));
            let beside = |op: &usize| {
                self.deeds[*op].device == deed.device && self.deeds[*op].prev.map(usize::from) == prev
            };
            let second = (BASE..place + BASE).find(beside);
            let mut text = format!("{writer}{number} {act}");
            if !heads.is_empty() {
                text += &format!(" sees {heads}");
            }
            match (second, prev) {
                (Some(second), _) => text += &format!(" (second {})", names[second]),
                (None, Some(prev)) if last != Some(prev) => text += &format!(" (after {})", names[prev]),
                _ => {}
            }
            names.push(format!("{writer}{number}"));
            sentences.push(text);
        }
        (sentences, names)
    }
}
