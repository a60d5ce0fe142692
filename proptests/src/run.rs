//! A scenario comes to pass.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crdt::FactId;
use crdt::fact::{AcceptRun, Fact, Role};
use crdt::id::{AlbumId, BlobHash, PublicKey};
use engine::{Config, Strategy};

use crate::scenario::{Act, Knob, Relation, Scenario, Step, What};
use crate::world::{At, Copy, World, people};

/// What came of a run that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Messages, calls and frames that reached an engine.
    pub delivered: u64,
    /// Of them and of answers' frames, those that arrived with a flipped bit.
    pub flipped: u64,
    /// Hash over all that happened, in order.
    pub trace: String,
    /// The albums' digests, as their owners see them.
    pub digests: Vec<String>,
}

/// Runs a scenario to its end, after which all must be settled and in order.
///
/// # Errors
/// What did not hold.
pub fn run(scenario: &Scenario) -> Result<Report, String> {
    quietly(|| {
        let mut run = Run::new(scenario.seed);
        for step in &scenario.steps {
            run.step(step);
        }
        run.finish()
    })
}

/// The same, and the world at its end.
///
/// # Errors
/// As [`run`].
pub fn run_to_world(scenario: &Scenario) -> Result<(World, Vec<AlbumId>), String> {
    quietly(|| {
        let mut run = Run::new(scenario.seed);
        for step in &scenario.steps {
            run.step(step);
        }
        run.finish();
        (run.world, run.albums)
    })
}

/// A panic becomes its message, and prints nothing.
fn quietly<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    thread_local! {
        static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
        static QUIET: RefCell<bool> = const { RefCell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.with_borrow(|quiet| *quiet) {
                LAST.with_borrow_mut(|last| *last = Some(info.to_string()));
            } else {
                loud(info);
            }
        }));
    });
    QUIET.with_borrow_mut(|quiet| *quiet = true);
    let done = panic::catch_unwind(AssertUnwindSafe(body));
    QUIET.with_borrow_mut(|quiet| *quiet = false);
    done.map_err(|_| LAST.with_borrow_mut(Option::take).unwrap_or_default())
}

struct Run {
    world: World,
    albums: Vec<AlbumId>,
    /// Names of images and lines that were made.
    made: usize,
    backups: BTreeMap<At, Copy>,
}

impl Run {
    fn new(seed: u64) -> Run {
        Run {
            world: World::new(seed),
            albums: Vec::new(),
            made: 0,
            backups: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::People(count, strategy) => self.people(*count, *strategy),
            Step::Links(shape) => {
                self.world.net.shape = *shape;
                self.world.recheck_links();
            }
            Step::Net(knob, low, high) => self.net(*knob, *low, *high),
            Step::Mute(on) => self.world.net.mute = *on,
            Step::Peer(who, act) => {
                if let Some(at) = self.peer(*who) {
                    self.act(at, *act);
                }
            }
            Step::Cut(one, other) => {
                if let (Some(one), Some(other)) = (self.peer(*one), self.peer(*other)) {
                    self.world.part(one, other);
                }
            }
            Step::Partition(group) => {
                let group: Vec<At> = group.iter().filter_map(|who| self.peer(*who)).collect();
                self.world.partition(&group);
            }
            Step::Heal => self.world.heal(),
            Step::Wait(ms) => self.world.run(*ms),
            Step::Settle => self.settle(),
            Step::Check => self.check(),
            Step::Expect {
                peer,
                album,
                what,
                relation,
                number,
            } => {
                if let (Some(at), Some(album)) = (self.peer(*peer), self.album(*album)) {
                    let found = self.count(at, album, *what);
                    let holds = match relation {
                        Relation::Equal => found == *number,
                        Relation::Below => found < *number,
                        Relation::Above => found > *number,
                    };
                    assert!(holds, "{step}: it is {found}");
                }
            }
        }
    }

    fn peer(&self, number: usize) -> Option<At> {
        number.checked_rem(self.world.peers.len())
    }

    fn album(&self, number: usize) -> Option<AlbumId> {
        let at = number.checked_rem(self.albums.len())?;
        self.albums.get(at).copied()
    }

    fn people(&mut self, count: usize, strategy: Option<Strategy>) {
        let all = [Strategy::Op, Strategy::Delta, Strategy::State];
        for _ in 0..count.min(200_usize.saturating_sub(self.world.peers.len())) {
            let strategy = strategy.unwrap_or(all[self.world.peers.len() % 3]);
            self.world.add_peer(Config {
                strategy,
                anti_entropy: true,
            });
        }
        // In a big world tables are looked at now and then: they grow with the links.
        let peers = self.world.peers.len() as u64;
        self.world.check_every = 1 + peers * peers / 50;
    }

    fn net(&mut self, knob: Knob, low: u64, high: u64) {
        let net = &mut self.world.net;
        let chance = low as f64 / 100.0;
        match knob {
            Knob::Loss => net.loss = chance,
            Knob::Duplicates => net.duplicates = chance,
            Knob::Flips => net.flips = chance,
            Knob::Broken => net.broken_requests = chance,
            Knob::Fetches => net.broken_fetches = chance,
            Knob::Latency => net.latency_ms = low..=high,
            Knob::Sync => net.sync_ms = low..=high,
            Knob::Told => net.told_ms = low..=high,
        }
    }

    fn runs(&self, at: At) -> bool {
        self.world.peers[at].engine.is_some()
    }

    /// Whether a peer runs, is bound by its program, and has begun the album.
    fn may_command(&self, at: At, album: AlbumId) -> bool {
        let peer = &self.world.peers[at];
        let here = peer.engine.as_ref().and_then(|engine| engine.album(&album));
        here.is_some_and(crdt::Album::has_genesis)
    }

    fn act(&mut self, at: At, act: Act) {
        match act {
            Act::Device => {
                if self.world.peers.len() < 200 {
                    self.world.add_device_of(at);
                }
            }
            Act::Start => {
                let peer = &self.world.peers[at];
                if peer.engine.is_none() && !peer.has_left {
                    self.world.start(at);
                }
            }
            Act::Restore => self.restore(at),
            Act::Full => self.world.peers[at].disk.is_full = true,
            Act::FullAt(writes) => self.world.peers[at].disk.room_for = Some(writes),
            Act::Room => {
                let disk = &mut self.world.peers[at].disk;
                (disk.is_full, disk.room_for) = (false, None);
            }
            Act::Backup => {
                self.backups.insert(at, self.world.peers[at].disk.copy());
            }
            Act::Clock(days) => self.world.set_clock(at, days.clamp(-700, 700) * 86_400_000),
            _ if !self.runs(at) => {}
            Act::Create => {
                self.made += 1;
                let album = self.world.create(at, &format!("album {}", self.made));
                self.albums.push(album);
            }
            Act::Crash(kept) => {
                let unsynced = self.world.peers[at].disk.unsynced();
                match kept {
                    Some(kept) => self.world.crash_after(at, kept.min(unsynced)),
                    None => self.world.crash(at),
                }
            }
            Act::CrashAt(calls) => self.world.peers[at].crash_in = Some(calls),
            Act::Leave => {
                self.world.crash(at);
                self.world.peers[at].has_left = true;
            }
            Act::Turn(mood) => self.world.turn(at, mood),
            Act::Open(of) => {
                if let Some(album) = self.album(of) {
                    self.world.open(at, album);
                }
            }
            _ => self.in_album(at, act),
        }
    }

    fn restore(&mut self, at: At) {
        if let Some(copy) = self.backups.get(&at).cloned()
            && !self.world.peers[at].has_left
        {
            self.world.restore(at, copy);
            self.world.start(at);
        }
    }

    /// Commands. What the program refuses changes nothing.
    fn in_album(&mut self, at: At, act: Act) {
        let of = match act {
            Act::Share(of, ..)
            | Act::Grant(of, ..)
            | Act::Limit(of, ..)
            | Act::Rename(of)
            | Act::Add(of)
            | Act::Version(of, _)
            | Act::Remove(of, _)
            | Act::Rate(of, ..)
            | Act::Say(of)
            | Act::Accept(of, _)
            | Act::Revoke(of, _)
            | Act::Evil(_, of, _) => of,
            _ => return,
        };
        let Some(album) = self.album(of).filter(|album| self.may_command(at, *album)) else {
            return;
        };
        self.made += 1;
        let name = format!("{}.jpg", self.made % 40);
        let person = |run: &Run, who: usize| {
            let at = run.peer(who).unwrap_or_default();
            run.world.peers[at].person
        };
        match act {
            Act::Share(_, role) => self.share(at, album, role),
            Act::Grant(_, who, role) => {
                let fact = people::grant(person(self, who), role);
                self.edit(at, album, vec![fact], vec![]);
            }
            Act::Limit(_, who, role) => {
                let fact = people::role(person(self, who), role);
                self.edit(at, album, vec![fact], vec![]);
            }
            Act::Rename(_) => {
                let old = self.world.album(at, album).setting_ids();
                let fact = Fact::Album { name, at: 0 };
                self.edit(at, album, vec![fact], old);
            }
            Act::Add(_) => self.add(at, album, people::image(&name)),
            Act::Version(_, which) => {
                if let Some((_, source)) = self.image(at, album, which) {
                    self.add(at, album, people::version(&format!("sepia {name}"), source));
                }
            }
            Act::Remove(_, which) => {
                if let Some((id, _)) = self.image(at, album, which) {
                    self.edit(at, album, vec![], vec![id]);
                }
            }
            Act::Rate(_, which, stars) => {
                if let Some((_, blob)) = self.image(at, album, which) {
                    let me = self.world.peers[at].user();
                    let old = self.world.album(at, album).rating_ids(&me, &blob);
                    let stars = u8::try_from(stars % 6).unwrap_or_default();
                    self.edit(at, album, vec![people::rating(blob, stars)], old);
                }
            }
            Act::Say(_) => {
                let line = people::chat(&format!("line {}", self.made));
                self.edit(at, album, vec![line], vec![]);
            }
            Act::Accept(_, who) => self.accept(at, album, who),
            Act::Revoke(_, who) => self.revoke(at, album, who),
            Act::Evil(evil, _, who) => {
                let other = self.peer(who).unwrap_or_default();
                self.world.evil(at, album, evil, other);
            }
            _ => {}
        }
    }

    fn edit(&mut self, at: At, album: AlbumId, facts: Vec<Fact>, removes: Vec<FactId>) {
        let clock = self.world.clock(at);
        let facts = facts.into_iter().map(|fact| people::dated(fact, clock)).collect();
        // Refused: nothing changes.
        let _: Result<_, _> = self.world.edit(at, album, facts, removes);
    }

    fn add(&mut self, at: At, album: AlbumId, fact: Fact) {
        // Bytes are durable before the op that names them.
        self.world.add_bytes(at, &fact);
        self.edit(at, album, vec![fact], vec![]);
    }

    fn image(&self, at: At, album: AlbumId, which: usize) -> Option<(FactId, BlobHash)> {
        let images = self.world.album(at, album).images();
        let images: Vec<_> = images.map(|view| (view.id, view.image.hash)).collect();
        images.get(which.checked_rem(images.len())?).copied()
    }

    fn share(&mut self, at: At, album: AlbumId, role: Role) {
        let mine = self.world.peers[at].person;
        let mut persons: Vec<u8> = self.world.peers.iter().map(|peer| peer.person).collect();
        persons.sort_unstable();
        persons.dedup();
        let others = persons.into_iter().filter(|person| *person != mine);
        let facts = others.map(|person| people::grant(person, role)).collect();
        self.edit(at, album, facts, vec![]);
        for other in 0..self.world.peers.len() {
            if self.runs(other) {
                self.world.open(other, album);
            }
        }
    }

    fn accept(&mut self, at: At, album: AlbumId, who: usize) {
        let user = self.world.peers[self.peer(who).unwrap_or_default()].user();
        let here = self.world.album(at, album);
        let held = here
            .ops()
            .filter(|op| here.is_valid(&op.hash) == Some(false))
            .filter(|op| here.author_of(&op.hash) == Some(user));
        let runs = held.map(|op| AcceptRun {
            actor: op.header.actor,
            seq: op.last_seq(),
            header: op.hash.short(),
            count: 1,
        });
        let ops: Vec<AcceptRun> = runs.take(crdt::limits::ACCEPT_ENTRIES_MAX).collect();
        if !ops.is_empty() {
            self.edit(at, album, vec![Fact::Accept { ops, at: 0 }], vec![]);
        }
    }

    fn revoke(&mut self, at: At, album: AlbumId, which: usize) {
        let person = self.world.peers[at].person;
        let devices = self.world.peers.iter().filter(|peer| peer.person == person);
        let devices: Vec<PublicKey> = devices.map(crate::world::Peer::key).collect();
        if let Some(device) = which
            .checked_rem(devices.len())
            .and_then(|which| devices.get(which))
        {
            // Refused where nobody has named the user yet: nothing changes.
            let _: Result<_, _> = self.world.revoke(at, album, *device);
        }
    }

    fn count(&self, at: At, album: AlbumId, what: What) -> u64 {
        let peer = &self.world.peers[at];
        let Some(engine) = &peer.engine else { return 0 };
        let Some(here) = engine.album(&album) else {
            return 0;
        };
        let count = match what {
            What::Images => here.image_count(),
            What::Lines => here.chat().count(),
            What::Ratings => here
                .images()
                .map(|view| here.ratings(&view.image.hash).count())
                .sum(),
            What::Ops => here.op_count(),
            What::Held => here.held_count(),
            What::Waiting => here.waiting_count(),
            What::Forks => here.forks().len(),
            What::Members => here.members().filter(|member| member.role > Role::None).count(),
            What::Blobs => here
                .blobs()
                .filter(|(blob, _)| peer.disk.blobs.contains(blob))
                .count(),
            What::Refused => {
                let counts = engine.refused().values();
                counts.map(|count| *count as usize).sum()
            }
        };
        count as u64
    }

    fn check(&mut self) {
        for at in 0..self.world.peers.len() {
            if self.runs(at) && self.world.peers[at].is_honest() {
                for album in &self.albums {
                    self.world.judge(at, *album);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.world.calm();
        for album in self.albums.clone() {
            self.world.settle_whole(album);
        }
        for album in &self.albums {
            self.world.note_seen_by_all(*album);
        }
    }

    fn finish(&mut self) -> Report {
        for at in 0..self.world.peers.len() {
            let peer = &self.world.peers[at];
            if peer.engine.is_none() && !peer.has_left {
                self.world.start(at);
            }
        }
        self.settle();
        for album in &self.albums {
            self.world.audit(*album);
        }
        let digests = self.albums.iter().filter_map(|album| {
            let of = self.world.reference(*album)?;
            Some(self.world.digest(of, *album).hex())
        });
        Report {
            delivered: self.world.delivered,
            flipped: self.world.flipped,
            digests: digests.collect(),
            trace: self.world.trace(),
        }
    }
}
