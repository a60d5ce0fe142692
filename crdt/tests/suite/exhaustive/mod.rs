//! All histories of a few free ops after the base of [`crate::story`]: members, both devices of owner, curator and
//! contributor, forks of each, root keys, and each antichain of earlier ops that a new op may see. For each: the
//! incremental state equals the plain verdict computed anew, whatever the order of arrival, and
//!
//! 1. a change of role that sees everything changes the validity of no op;
//! 2. an op that its author's removal did not see, and that no later grant or accept of it saw, is held;
//! 3. one who is no curator changes the validity of no op but his own, and of his own only by revoking;
//! 4. nobody raises his own role, and none but the owner makes a curator;
//! 5. a held op changes neither live facts nor roles;
//! 6. the needed ops alone show the same;
//! 7. what the owner's removal and all others had seen stays.
//!
//! Of up to three free ops in every order of arrival, with the model, the crate's own recomputation and the digests; of
//! four, in one order at random, and one in 256 in full. A difference is told as a line for `histories.rs`.
//!
//! The gate tells 2 ops of all parts, 3 of most, 4 of the first 22 ([`cast`] lists them), and pins how many histories
//! that is. `CRDT_EXHAUSTIVE=n` tells all of n free ops of all parts, `CRDT_EXHAUSTIVE_PARTS=22` of the first 22,
//! `CRDT_EXHAUSTIVE_MINUTES` as many as there is time for, in an order drawn by `CRDT_SEED`. Longer histories are drawn
//! at random: `CRDT_SEED=n` replays one, `CRDT_SEEDS=n` sets how many.
//!
//! What is left out, and why that loses nothing: other tellings of one set of ops, and mirror images ([`walk`]); deps
//! in the past of others, since rules read pasts and not deps. Left out with a loss: devices and forks of B, further
//! forks, ops with several facts, and past three ops the orders of arrival that were not drawn.

mod cast;
mod checks;
mod walk;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crdt::{Album, Receipt, Trust};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::story::Story;
use crate::world::permutations;
use cast::{BASE, Cast, MORE_PARTS, MOST_PARTS, PARTS, Part, mix};
use walk::{Next, Walk};

/// Free ops up to which every order of arrival is tried.
const ALL_ORDERS: usize = 3;
/// One in so many of the longer histories is checked in full.
const FULL_ONE_IN: u64 = 256;
/// Threads that tell histories.
const THREADS: usize = 2;

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let told = self.histories.iter().zip(&self.orders).enumerate();
        let told = told.filter(|(_, (histories, _))| **histories > 0);
        let text = |(size, (histories, orders))| {
            format!("{histories} histories of {size} free ops in {orders} orders")
        };
        f.write_str(&told.map(text).collect::<Vec<_>>().join(", "))
    }
}

/// What was told: histories and orders of arrival, by number of free ops.
#[derive(Default, Clone, Debug)]
struct Count {
    histories: [u64; 8],
    orders: [u64; 8],
}

impl Count {
    fn add(&mut self, size: usize, orders: u64) {
        self.histories[size] += 1;
        self.orders[size] += orders;
    }

    fn merge(&mut self, other: &Count) {
        for size in 0..self.histories.len() {
            self.histories[size] += other.histories[size];
            self.orders[size] += other.orders[size];
        }
    }
}

impl Walk {
    /// Tells the op and gives the album that received it, from the one before.
    fn step(&mut self, album: &Album, next: &Next) -> Option<Album> {
        if !self.tell(next, true) {
            return None;
        }
        let mut album = album.clone();
        let receipt = album.receive(self.told[self.told.len() - 1].op.clone(), Trust::Stored);
        assert!(
            matches!(receipt, Receipt::Received(_)),
            "{receipt:?}: {}",
            self.story()
        );
        Some(album)
    }

    /// Checks the history, and all that begin with it, where they have `from` free ops or more.
    fn go(&mut self, album: &Album, from: usize, count: &mut Count) {
        let size = self.told.len();
        if size >= from {
            let orders = self.check(album);
            count.add(size, orders);
        }
        if size + 1 == self.most && size >= ALL_ORDERS {
            return self.go_last(album, count);
        }
        for next in if size < self.most { self.nexts() } else { vec![] } {
            if let Some(album) = self.step(album, &next) {
                self.go(&album, from, count);
                self.untell();
            }
        }
    }

    /// The longest histories that begin with this one: their last op arrives at random among the others, whose order
    /// is drawn once. So each is one copy of an album and few receipts.
    fn go_last(&mut self, album: &Album, count: &mut Count) {
        let order = self.shuffled();
        let mut beginnings = vec![self.cast.base.clone()];
        for place in &order {
            let mut album = beginnings[beginnings.len() - 1].clone();
            album.receive(self.told[*place].op.clone(), Trust::Stored);
            album.drain_changes();
            beginnings.push(album);
        }
        for next in self.nexts() {
            if !self.tell(&next, true) {
                continue;
            }
            let chance = self.chance();
            let place = chance as usize % beginnings.len();
            let mut album_there = beginnings[place].clone();
            album_there.receive(self.told[order.len()].op.clone(), Trust::Stored);
            for later in &order[place..] {
                album_there.receive(self.told[*later].op.clone(), Trust::Stored);
            }
            let verdict = self.verdict();
            let told = self.check_state(&album_there, &verdict);
            self.expect(
                told.map_err(|what| format!("{what}, the last as number {} of {order:?}", place + 1)),
            );
            self.expect(self.check_promises(&verdict));
            count.add(self.told.len(), 1);
            if (chance / 16).is_multiple_of(FULL_ONE_IN) {
                let mut album = album.clone();
                album.receive(self.told[order.len()].op.clone(), Trust::Stored);
                count.orders[self.told.len()] += self.check(&album);
            }
            self.untell();
        }
    }

    /// A number drawn from the history.
    fn chance(&self) -> u64 {
        self.told.iter().fold(0, |state, told| mix(state, told.key))
    }

    fn shuffled(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.told.len()).collect();
        let mut state = self.chance();
        for place in (1..order.len()).rev() {
            state = mix(state, place as u64);
            order.swap(place, (state % (place as u64 + 1)) as usize);
        }
        order
    }

    /// The history in full: all orders of arrival of few ops, some of more. Returns their number.
    fn check(&self, album: &Album) -> u64 {
        let verdict = self.verdict();
        self.expect(self.check_state(album, &verdict));
        self.expect(self.check_promises(&verdict));
        self.expect(self.check_model(&verdict));
        self.expect(self.check_needed(album));
        self.expect(album.check_invariants());
        let drawn = self.shuffled();
        let mut orders = 1;
        let mut arrive = |order: &[usize]| {
            let other = self.arrive(order);
            let told = self.check_state(&other, &verdict);
            self.expect(told.map_err(|what| format!("{what} in order {order:?}")));
            // Heads and live facts are compared in every order; what is hashed of them, in one.
            if order == drawn || self.told.len() < ALL_ORDERS {
                self.expect(other.check_invariants());
                assert_eq!(
                    other.digest(),
                    album.digest(),
                    "order {order:?} of {}",
                    self.story()
                );
                assert_eq!(
                    other.forks(),
                    album.forks(),
                    "order {order:?} of {}",
                    self.story()
                );
            }
            orders += 1;
        };
        if self.told.len() <= ALL_ORDERS {
            permutations(self.told.len(), &mut arrive);
        } else {
            arrive(&drawn);
        }
        orders
    }
}

/// What is told: histories of `from` to `most` free ops of these parts, of mirror images one if `mirror`; with
/// minutes and a seed, as many as there is time for, in an order drawn by the seed.
#[derive(Clone)]
struct Task {
    parts: Vec<Part>,
    from: usize,
    most: usize,
    mirror: bool,
    limit: Option<(Duration, u64)>,
}

impl Task {
    fn walk(&self) -> Walk {
        let mut cast = Cast::new(self.parts.iter().copied());
        cast.base.drain_changes();
        Walk::new(cast, self.most, self.mirror)
    }

    /// Histories of one op, then each pair of ops that begins longer ones with all that do, on several threads.
    fn tell(&self) -> Count {
        let begun = Instant::now();
        let is_late = || self.limit.is_some_and(|(time, _)| begun.elapsed() > time);
        let (mut pairs, count) = self.beginnings();
        if let Some((_, seed)) = self.limit {
            pairs.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        }
        let all = pairs.len();
        let (left, total) = (Mutex::new(pairs), Mutex::new(count));
        let work = || {
            let mut walk = self.walk();
            let base = walk.cast.base.clone();
            while !is_late() {
                let pair = left.lock().unwrap().pop();
                let Some((first, second)) = pair else { break };
                let mut count = Count::default();
                let album = walk.step(&base, &first).unwrap();
                let album = walk.step(&album, &second).unwrap();
                walk.go(&album, self.from, &mut count);
                walk.untell();
                walk.untell();
                let done = all - left.lock().unwrap().len();
                let mut total = total.lock().unwrap();
                total.merge(&count);
                if self.limit.is_some() && done % 64 == 0 {
                    println!(
                        "{done} of {all} beginnings, {} s: {total}",
                        begun.elapsed().as_secs()
                    );
                }
            }
        };
        std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
        let (left, total) = (left.into_inner().unwrap(), total.into_inner().unwrap());
        println!(
            "{} parts, {} of {all} beginnings, {} s: {total}",
            self.parts.len(),
            all - left.len(),
            begun.elapsed().as_secs()
        );
        total
    }

    /// The pairs of free ops that begin histories; histories of one op are checked on the way.
    fn beginnings(&self) -> (Vec<(Next, Next)>, Count) {
        let mut walk = self.walk();
        let mut count = Count::default();
        let mut pairs = Vec::new();
        let base = walk.cast.base.clone();
        for first in walk.nexts() {
            let Some(album) = walk.step(&base, &first) else {
                continue;
            };
            if self.from <= 1 {
                let orders = walk.check(&album);
                count.add(1, orders);
            }
            for second in walk.nexts() {
                if walk.tell(&second, true) {
                    pairs.push((first, second));
                    walk.untell();
                }
            }
            walk.untell();
        }
        (pairs, count)
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The first `count` parts.
fn parts(count: usize) -> Vec<Part> {
    let all = PARTS.iter().chain(MORE_PARTS).chain(MOST_PARTS);
    all.copied().take(count).collect()
}

#[test]
fn all_histories_of_few_ops() {
    let limit = None;
    let mirror = false;
    let task = |count, from, most| Task {
        parts: parts(count),
        from,
        most,
        mirror,
        limit,
    };
    if let Some(most) = number("CRDT_EXHAUSTIVE") {
        let seed = number("CRDT_SEED").unwrap_or(0);
        let minutes = number("CRDT_EXHAUSTIVE_MINUTES");
        let count = number("CRDT_EXHAUSTIVE_PARTS").unwrap_or(u64::MAX);
        let task = Task {
            mirror: true,
            limit: minutes.map(|minutes| (Duration::from_secs(60 * minutes), seed)),
            ..task(count as usize, 1, most as usize)
        };
        task.tell();
        return;
    }
    assert_eq!(task(usize::MAX, 1, 2).tell().histories[..3], [0, 31, 1_608]);
    assert_eq!(task(26, 3, 3).tell().histories[3], 37_659);
    let last = Task {
        mirror: true,
        ..task(22, 4, 4)
    };
    assert_eq!(last.tell().histories[4], 813_484);
}

/// The sets of ops that are told, with their mirror images.
fn sets(walk: &mut Walk, in_order: bool, found: &mut BTreeMap<Vec<u64>, Vec<u64>>) -> u64 {
    if walk.told.len() == walk.most {
        let sorted = |mut keys: Vec<u64>| {
            keys.sort_unstable();
            keys
        };
        let own = sorted(walk.told.iter().map(|told| told.key).collect());
        let image = sorted(walk.told.iter().map(|told| told.mirrored).collect());
        found.insert(own, image);
        return 1;
    }
    let mut told = 0;
    for next in walk.nexts() {
        if walk.tell(&next, in_order) {
            told += sets(walk, in_order, found);
            walk.untell();
        }
    }
    told
}

/// Telling in every possible order finds the same histories as the one order does, and that one tells none twice. And
/// of a history and its mirror image exactly one is told where images are left out.
#[test]
fn no_history_is_left_out_or_told_twice() {
    for (count, most) in [(usize::MAX, 2), (22, 3)] {
        let told = |in_order, mirror| {
            let mut walk = Walk::new(Cast::new(parts(count)), most, mirror);
            let mut found = BTreeMap::new();
            let told = sets(&mut walk, in_order, &mut found);
            (told, found)
        };
        let (tellings, all) = told(false, false);
        let (once, in_order) = told(true, false);
        assert_eq!(all, in_order);
        assert_eq!(once as usize, all.len());
        assert!(tellings > once);
        let (halved, lowest) = told(true, true);
        assert_eq!(halved as usize, lowest.len());
        for (own, image) in &all {
            let one = lowest.contains_key(own) ^ (own != image && lowest.contains_key(image));
            assert!(one && all.contains_key(image), "{own:?} {image:?}");
        }
    }
}

/// A history of `size` free ops with all parts, told in any order, and some orders of arrival.
fn draw(walk: &mut Walk, size: usize, rng: &mut ChaCha8Rng) {
    while walk.told.len() < size {
        let part = rng.gen_range(0..walk.cast.parts.len()) as u8;
        let prevs = walk.prevs(part);
        // Mostly the last op of the device.
        let prev = match rng.gen_bool(0.7) {
            true => prevs.last(),
            false => prevs.choose(rng),
        };
        let Some(prev) = prev else { continue };
        // Mostly few are seen; what others of them have seen is no dep.
        let seen = (0..walk.told.len()).filter(|_| rng.gen_bool(0.4));
        let deps = walk.heads_of(seen.fold(0, |set, place| set | 1 << (place + BASE)), *prev);
        if let Some(next) = walk.next(part, *prev, deps).choose(rng) {
            walk.tell(next, false);
        }
    }
    let verdict = walk.verdict();
    let mut album = walk.cast.base.clone();
    for told in &walk.told {
        album.receive(told.op.clone(), Trust::Stored);
        walk.expect(album.check_invariants());
    }
    walk.expect(walk.check_state(&album, &verdict));
    walk.expect(walk.check_model(&verdict));
    walk.expect(walk.check_promises(&verdict));
    walk.expect(walk.check_needed(&album));
    for _ in 0..8 {
        let mut order: Vec<usize> = (0..size).collect();
        order.shuffle(rng);
        let other = walk.arrive(&order);
        walk.expect(walk.check_state(&other, &verdict));
        walk.expect(other.check_invariants());
        assert_eq!(
            other.digest(),
            album.digest(),
            "order {order:?} of {}",
            walk.story()
        );
    }
}

#[test]
fn longer_histories_at_random() {
    let replay = number("CRDT_SEED");
    let seeds = number("CRDT_SEEDS").unwrap_or(1_500);
    let mut walk = Walk::new(Cast::new(parts(usize::MAX)), 0, false);
    for seed in replay.map_or(0..seeds, |seed| seed..seed + 1) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let size = rng.gen_range(4..10);
        // Shown when the test fails: the line that replays it.
        println!("CRDT_SEED={seed}");
        draw(&mut walk, size, &mut rng);
        (0..size).for_each(|_| walk.untell());
    }
}

/// The words in which a difference is told are those that [`Story`] reads: the story has the same held ops.
#[test]
fn a_difference_is_told_as_a_story() {
    let mut walk = Walk::new(Cast::new(parts(usize::MAX)), 0, false);
    for seed in 0..200 {
        // A story's first ops see one op more, their grant; with four free ops that is not too many.
        draw(&mut walk, 4, &mut ChaCha8Rng::seed_from_u64(seed));
        let mut story = Story::new(&walk.story());
        for op in std::mem::take(&mut story.free) {
            assert!(matches!(
                story.base.receive(op, Trust::Stored),
                Receipt::Received(_)
            ));
        }
        assert_eq!(story.held(&story.base), walk.held(), "{}", walk.story());
        (0..4).for_each(|_| walk.untell());
    }
}
