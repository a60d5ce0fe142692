//! Scenarios drawn from a seed: people do whatever the program allows, the net and the disks do whatever they do, and some
//! of the people cheat.

use crdt::fact::Role;
use engine::Strategy;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;

use crate::scenario::{Act, Knob, Scenario, Step, evils, moods};
use crate::world::Shape;

/// What a peer that cheats may do, what others do, and how much: fewer steps in bigger worlds, where each costs more.
struct Draw {
    rng: ChaCha12Rng,
    peers: usize,
    albums: usize,
    /// Peers that cheat; never the owner.
    cheats: Vec<usize>,
    backed_up: Vec<usize>,
    parted: bool,
    steps: Vec<Step>,
}

/// The scenario of a seed, with so many peers.
pub fn scenario(seed: u64, peers: usize) -> Scenario {
    let mut draw = Draw {
        // Not the world's own stream.
        rng: ChaCha12Rng::seed_from_u64(seed ^ 0x5ce7_a210),
        peers: peers.max(1),
        albums: 1,
        cheats: Vec::new(),
        backed_up: Vec::new(),
        parted: false,
        steps: Vec::new(),
    };
    draw.prologue();
    let steps = match peers {
        0..=10 => 60,
        11..=40 => 40,
        _ => 25,
    };
    for _ in 0..steps {
        draw.one();
    }
    Scenario {
        seed,
        steps: draw.steps,
    }
}

impl Draw {
    fn say(&mut self, who: usize, act: Act) {
        self.steps.push(Step::Peer(who, act));
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.gen_range(0..100) < percent
    }

    fn any(&mut self) -> usize {
        self.rng.gen_range(0..self.peers)
    }

    fn album(&mut self) -> usize {
        self.rng.gen_range(0..self.albums)
    }

    fn prologue(&mut self) {
        let devices = if self.peers > 3 && self.chance(50) {
            1 + self.peers / 10
        } else {
            0
        };
        let people = self.peers - devices;
        let strategy = match self.rng.gen_range(0..4) {
            0 => Some(Strategy::Op),
            1 => Some(Strategy::Delta),
            2 => Some(Strategy::State),
            _ => None,
        };
        self.steps.push(Step::People(people, strategy));
        for _ in 0..devices {
            let of = self.rng.gen_range(0..people);
            self.say(of, Act::Device);
        }
        let sparse = self.peers > 7 || self.chance(30);
        let shape = if sparse { Shape::Chords } else { Shape::All };
        self.steps.push(Step::Links(shape));
        let slow = self.rng.gen_range(2..200);
        let broken = self.rng.gen_range(0..10);
        for (knob, low, high) in [
            (Knob::Loss, 20, 20),
            (Knob::Duplicates, 5, 5),
            (Knob::Flips, 1, 1),
            (Knob::Broken, broken, broken),
            (Knob::Fetches, 10, 10),
            (Knob::Latency, 1, slow),
            (Knob::Told, 0, 20),
        ] {
            self.steps.push(Step::Net(knob, low, high));
        }
        for who in 0..self.peers {
            if self.chance(30) {
                let days = if self.chance(50) { 365 } else { -365 };
                self.say(who, Act::Clock(days));
            }
        }
        self.albums = if self.chance(30) && self.peers < 40 { 2 } else { 1 };
        for of in 0..self.albums {
            self.say(0, Act::Create);
            self.say(0, Act::Share(of, Role::Contributor));
        }
        for who in 1..people.min(12) {
            let role = [Role::Viewer, Role::Curator, Role::Contributor][self.rng.gen_range(0..3)];
            if self.chance(40) {
                let of = self.album();
                self.say(0, Act::Grant(of, who, role));
                if role == Role::Viewer {
                    self.say(0, Act::Limit(of, who, role));
                }
            }
        }
        if people > 3 && self.chance(50) {
            // The owner's second device may be anywhere above the people: only people but the first cheat.
            let count = 1 + people / 12;
            self.cheats = (0..count).map(|_| self.rng.gen_range(1..people)).collect();
        }
        if self.chance(50) {
            self.steps.push(Step::Settle);
        }
    }

    fn one(&mut self) {
        let pause = self.rng.gen_range(0..600);
        self.steps.push(Step::Wait(pause));
        if !self.cheats.is_empty() && self.chance(25) {
            return self.cheat();
        }
        let who = self.any();
        match self.rng.gen_range(0..100) {
            0..=3 => self.say(who, Act::Crash(None)),
            4..=5 => {
                let calls = self.rng.gen_range(0..4);
                self.say(who, Act::CrashAt(calls));
            }
            6..=12 => self.say(who, Act::Start),
            13..=15 if !self.parted => {
                let size = self.rng.gen_range(1..=1 + self.peers / 2);
                let group = (0..size).map(|next| (who + next) % self.peers).collect();
                self.steps.push(Step::Partition(group));
                self.parted = true;
            }
            13..=18 => {
                self.steps.push(Step::Heal);
                self.parted = false;
            }
            19 => self.say(who, Act::Full),
            20 => {
                let writes = self.rng.gen_range(0..4);
                self.say(who, Act::FullAt(writes));
            }
            21..=23 => self.say(who, Act::Room),
            24 => {
                self.say(who, Act::Backup);
                self.backed_up.push(who);
            }
            25 => {
                if let Some(who) = self.backed_up.pop() {
                    self.say(who, Act::Restore);
                }
            }
            // Somebody new, with a grant and an open album.
            26 if self.peers < 200 => {
                self.steps.push(Step::People(1, None));
                self.peers += 1;
                let of = self.album();
                let role = [Role::Viewer, Role::Contributor][self.rng.gen_range(0..2)];
                self.say(0, Act::Grant(of, self.peers - 1, role));
                self.say(self.peers - 1, Act::Open(of));
            }
            27 if who > 0 => self.say(who, Act::Leave),
            28 => self.steps.push(Step::Settle),
            29 if self.peers <= 8 => self.steps.push(Step::Check),
            30 => {
                let days = self.rng.gen_range(-365..=365);
                self.say(who, Act::Clock(days));
            }
            _ => self.command(who),
        }
    }

    fn command(&mut self, who: usize) {
        let (of, which, other) = (self.album(), self.rng.gen_range(0..100), self.any());
        let act = match self.rng.gen_range(0..100) {
            0..=34 => Act::Add(of),
            35..=44 => Act::Remove(of, which),
            45..=54 => Act::Rate(of, which, which as u64 % 6),
            55..=69 => Act::Say(of),
            70..=75 => Act::Version(of, which),
            76..=80 => Act::Grant(of, other, Role::Contributor),
            81..=83 => Act::Grant(of, other, Role::Curator),
            84..=88 => Act::Limit(of, other, Role::None),
            89..=91 => Act::Limit(of, other, Role::Viewer),
            92..=94 => Act::Accept(of, other),
            95..=96 => Act::Rename(of),
            // Not the device by whose word the members are told.
            97 if who > 0 => Act::Revoke(of, 1 + which),
            _ => Act::Say(of),
        };
        self.say(who, act);
    }

    fn cheat(&mut self) {
        let who = self.cheats[self.rng.gen_range(0..self.cheats.len())];
        let (of, other) = (self.album(), self.any());
        if self.chance(20) {
            let all: Vec<_> = moods().collect();
            let mood = all[self.rng.gen_range(0..all.len())];
            return self.say(who, Act::Turn(mood));
        }
        let all: Vec<_> = evils().collect();
        let evil = all[self.rng.gen_range(0..all.len())];
        self.say(who, Act::Evil(evil, of, other));
    }
}
