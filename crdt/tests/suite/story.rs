//! Histories as text: `O4 remove(A) sees C1; A1 add; a1 add; O5 accept(A1) sees a1`.
//!
//! O owns the album, C is curator, A and B contribute, E is invited by some. A capital is a person's first device, a
//! small letter the second; R is O's root key, r is C's, q is A's. An op's `prev` is the one before it with its letter;
//! `(second X)` puts it beside X instead, a fork of X's actor, and `(after X)` after X. A person's first op sees the
//! base grant.

use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::fact::{AcceptRun, Fact, Role};
use crdt::id::HeaderHash;
use crdt::op::Op;
use crdt::{Album, Author, Trust};

use crate::world::{AT, Pen, album, blob, device, dot, grant, image, role};

/// The base all stories share: O1 genesis; O2 role(C, curator); C1 grant(A) sees O2; O3 grant(B) sees O2.
pub const BASE: &str = "O2 role(C, curator); C1 grant(A); O3 grant(B)";

pub struct Story {
    pub base: Album,
    /// Every op by its name.
    pub ops: BTreeMap<String, Arc<Op>>,
    /// The ops after the base, in the story's order.
    pub free: Vec<Arc<Op>>,
    last: BTreeMap<char, String>,
    authors: BTreeMap<String, Author>,
}

/// Which person and device a letter is.
pub fn author_of(letter: char) -> Author {
    match letter {
        'R' => device(b'O', 0),
        'r' => device(b'C', 0),
        'q' => device(b'A', 0),
        _ if letter.is_ascii_uppercase() => device(letter as u8, 1),
        _ => device(letter.to_ascii_uppercase() as u8, 2),
    }
}

impl Story {
    pub fn new(text: &str) -> Story {
        let owner = author_of('O');
        let (base, genesis) = album(&owner);
        let mut story = Story {
            base,
            ops: BTreeMap::from([("O1".to_owned(), genesis)]),
            free: vec![],
            last: BTreeMap::from([('O', "O1".to_owned())]),
            authors: BTreeMap::from([("O1".to_owned(), owner)]),
        };
        story.tell(BASE);
        for op in std::mem::take(&mut story.free) {
            assert!(matches!(
                story.base.receive(op, Trust::Verify),
                crdt::Receipt::Received(_)
            ));
        }
        story.tell(text);
        story
    }

    pub fn tell(&mut self, text: &str) {
        text.split(';')
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .for_each(|s| self.sentence(s));
    }

    /// NAME ACTION [sees X Y] [(second Z) | (after Z)]
    fn sentence(&mut self, sentence: &str) {
        let (sentence, after) = match sentence.split_once("(after ") {
            Some((rest, z)) => (rest.trim(), Some(self.ops[z.trim_end_matches(')')].clone())),
            None => (sentence, None),
        };
        let (sentence, second) = match sentence.split_once("(second ") {
            Some((rest, z)) => (rest.trim(), Some(z.trim_end_matches(')'))),
            None => (sentence, None),
        };
        let (act, seen) = sentence.split_once(" sees ").unwrap_or((sentence, ""));
        let (name, action) = act.split_once(' ').unwrap();
        let letter = name.chars().next().unwrap();
        let author = match second {
            Some(z) => self.authors[z].clone(),
            None => match self.last.get(&letter) {
                Some(last) => self.authors[last].clone(),
                None => author_of(letter),
            },
        };
        let prev = match second {
            Some(z) => self.ops[z].header.prev.map(|hash| self.by_hash(&hash)),
            None if after.is_some() => after,
            None => self.last.get(&letter).map(|last| self.ops[last].clone()),
        };
        let mut deps: Vec<Arc<Op>> = seen.split_whitespace().map(|x| self.ops[x].clone()).collect();
        if prev.is_none() {
            let base = match author.user() {
                u if u == crate::world::user(b'A') => self.ops.get("C1"),
                u if u == crate::world::user(b'B') => self.ops.get("O3"),
                u if u == crate::world::user(b'C') => self.ops.get("O2"),
                _ => None,
            };
            deps.extend(base.cloned());
        }
        let (facts, removes) = self.action(name, action.trim());
        let refs: Vec<&Op> = deps.iter().map(|op| &**op).collect();
        let pen = Pen::new(&author, self.base.id(), prev.as_deref(), &refs)
            .facts(&facts)
            .removes(&removes);
        let op = pen.sign();
        self.ops.insert(name.to_owned(), op.clone());
        self.authors.insert(name.to_owned(), author);
        self.last.insert(letter, name.to_owned());
        self.free.push(op);
    }

    fn action(&self, name: &str, action: &str) -> (Vec<Fact>, Vec<crdt::header::DotRun>) {
        let (verb, args) = action.split_once('(').unwrap_or((action, ""));
        let args = args.trim_end_matches(')');
        let person = args.as_bytes().first().copied().unwrap_or(b'?');
        let to = match args.split_once(", ").map(|(_, to)| to) {
            Some("viewer") => Role::Viewer,
            Some("curator") => Role::Curator,
            _ => Role::Contributor,
        };
        let fact = match verb {
            "add" => image(name),
            "grant" => grant(person, to),
            "role" => role(person, to),
            "remove" => role(person, Role::None),
            "rate" => Fact::Rating {
                image: blob(args),
                stars: 4,
                at: AT,
            },
            "revoke" => Fact::Revoke {
                device: author_of(person as char).device.public(),
                at: AT,
            },
            "accept" => Fact::Accept {
                ops: self.named(args),
                at: AT,
            },
            "kill" => return (vec![], vec![dot(&self.ops[args])]),
            _ => panic!("no verb {verb}"),
        };
        (vec![fact], vec![])
    }

    /// Ops by name, or all ops so far of a person.
    fn named(&self, args: &str) -> Vec<AcceptRun> {
        let of_person = |name: &&String| args.len() == 1 && name.to_uppercase().starts_with(args);
        let people = self.ops.keys().filter(of_person).map(String::as_str);
        let names = args
            .split_whitespace()
            .filter(|name| name.len() > 1)
            .chain(people);
        let run = |op: &Arc<Op>| AcceptRun {
            actor: op.header.actor,
            seq: op.last_seq(),
            header: op.hash.short(),
            count: 1,
        };
        names.map(|name| run(&self.ops[name])).collect()
    }

    fn by_hash(&self, hash: &HeaderHash) -> Arc<Op> {
        self.ops.values().find(|op| op.hash == *hash).unwrap().clone()
    }

    /// Names of the received ops that are held.
    pub fn held(&self, album: &Album) -> String {
        let held = self
            .ops
            .iter()
            .filter(|(_, op)| album.is_valid(&op.hash) == Some(false));
        held.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
    }
}
