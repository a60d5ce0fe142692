//! Random histories: people do whatever the program allows, the net and the disks do whatever they do, and once it is
//! quiet all members show the same album and hold all bytes.

use crdt::fact::{Fact, Role};
use crdt::id::AlbumId;
use engine::{Config, Strategy};
use rand::Rng as _;

use proptests::world::{At, World, people};

const SEEDS: u64 = 60;
const STEPS: usize = 60;

struct Run {
    world: World,
    albums: Vec<AlbumId>,
    names: usize,
    parted: bool,
}

fn strategy(world: &mut World, seed: u64) -> Strategy {
    let all = [Strategy::Op, Strategy::Delta, Strategy::State];
    match seed % 4 {
        // Mixed in one album.
        3 => all[world.rng().gen_range(0..3)],
        one => all[one as usize],
    }
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut world = World::new(seed);
        let people = world.rng().gen_range(3..=7);
        for _ in 0..people {
            let strategy = strategy(&mut world, seed);
            world.add_peer(Config {
                strategy,
                anti_entropy: true,
            });
        }
        if world.rng().gen_bool(0.3) {
            for a in 0..people {
                for b in (a + 2..people).filter(|b| (b + 1) % people != a) {
                    world.part(a, b);
                }
            }
        }
        world.net.loss = world.rng().gen_range(0.0..0.3);
        world.net.duplicates = 0.05;
        world.net.broken_requests = world.rng().gen_range(0.0..0.1);
        world.net.broken_fetches = 0.1;
        world.net.latency_ms = 1..=world.rng().gen_range(2..200);
        let mut albums = Vec::new();
        for number in 0..world.rng().gen_range(1..=2) {
            let album = world.create(0, &format!("album {number}"));
            for at in 1..people {
                let role = [Role::Viewer, Role::Contributor, Role::Curator][world.rng().gen_range(0..3)];
                world.write(0, album, people::grant(b'a' + at as u8, role));
                world.open(at, album);
            }
            albums.push(album);
        }
        Run {
            world,
            albums,
            names: 0,
            parted: false,
        }
    }

    fn pick(&mut self) -> (At, AlbumId) {
        let peers = self.world.peers.len();
        let at = self.world.rng().gen_range(0..peers);
        let album = self.world.rng().gen_range(0..self.albums.len());
        (at, self.albums[album])
    }

    /// One thing that may happen. A command that the program refuses changes nothing.
    fn step(&mut self) {
        let (at, album) = self.pick();
        let what = self.world.rng().gen_range(0..100);
        if self.world.peers[at].engine.is_none() {
            if what < 50 {
                self.world.start(at);
            }
            return;
        }
        match what {
            0..=3 => self.world.crash(at),
            4..=6 if !self.parted => {
                self.world.partition(&[at, (at + 1) % self.world.peers.len()]);
                self.parted = true;
            }
            4..=8 if self.parted => {
                self.world.heal();
                self.parted = false;
            }
            9..=10 => self.world.peers[at].disk.is_full ^= true,
            _ => self.command(at, album, what),
        }
    }

    fn command(&mut self, at: At, album: AlbumId, what: u32) {
        let Some(here) = self.world.engine(at).album(&album) else {
            return;
        };
        let images: Vec<_> = here.images().map(|view| (view.id, view.image.hash)).collect();
        let may_add = here.role_of(&people::user(b'a' + at as u8)) >= Role::Contributor;
        let peers = self.world.peers.len() as u8;
        let other = b'a' + self.world.rng().gen_range(0..peers);
        let chosen = (!images.is_empty()).then(|| images[self.world.rng().gen_range(0..images.len())]);
        self.names += 1;
        let name = format!("{}.jpg", self.names % 40);
        let done = match (what, chosen) {
            (11..=45, _) if may_add => return self.world.add_image(at, album, &name),
            (46..=55, Some((id, _))) => self.world.edit(at, album, vec![], vec![id]),
            (56..=65, Some((_, hash))) => {
                let me = people::user(b'a' + at as u8);
                let old = self.world.album(at, album).rating_ids(&me, &hash);
                self.world
                    .edit(at, album, vec![people::rating(hash, (what % 6) as u8)], old)
            }
            (66..=80, _) => self.world.edit(at, album, vec![people::chat(&name)], vec![]),
            (81..=86, Some((_, hash))) if may_add => {
                let fact = people::version(&format!("sepia {name}"), hash);
                let Fact::Image(image) = &fact else { unreachable!() };
                let blobs = vec![image.hash, image.preview.expect("it has one").hash];
                self.world.peers[at].disk.blobs.extend(blobs.iter().copied());
                self.world.feed(at, engine::Event::BlobsHere { blobs });
                self.world.edit(at, album, vec![fact], vec![])
            }
            (87..=92, _) => self
                .world
                .edit(at, album, vec![people::grant(other, Role::Contributor)], vec![]),
            (93..=95, _) => self
                .world
                .edit(at, album, vec![people::role(other, Role::None)], vec![]),
            _ => return,
        };
        drop(done);
    }

    fn finish(mut self) -> World {
        let world = &mut self.world;
        world.heal();
        (world.net.loss, world.net.broken_requests) = (0.02, 0.0);
        for at in 0..world.peers.len() {
            world.peers[at].disk.is_full = false;
            if world.peers[at].engine.is_none() {
                world.start(at);
            }
        }
        for album in self.albums {
            world.settle(album);
            for at in world.readers(0, album) {
                let here = world.album(at, album);
                let mut told = world.peers[at].acknowledged.iter().filter(|(of, _)| *of == album);
                assert!(
                    told.all(|(_, hash)| here.knows(hash)),
                    "peer {at} lost what it acknowledged"
                );
                assert!(
                    here.forks().is_empty(),
                    "seed {}: an honest peer used a seq twice",
                    world.seed
                );
            }
        }
        self.world
    }
}

fn run(seed: u64) -> World {
    let mut run = Run::new(seed);
    for _ in 0..STEPS {
        let pause = run.world.rng().gen_range(0..600);
        run.world.run(pause);
        run.step();
    }
    run.finish()
}

/// `ENGINE_SEED=S` replays one, `ENGINE_SEEDS=N` runs more.
#[test]
fn random_histories_converge() {
    let var = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text: String| text.parse::<u64>().ok())
    };
    let (first, count) = match var("ENGINE_SEED") {
        Some(seed) => (seed, 1),
        None => (1, var("ENGINE_SEEDS").unwrap_or(SEEDS)),
    };
    let mut delivered = 0;
    for seed in first..first + count {
        let world = std::panic::catch_unwind(|| run(seed));
        match world {
            Ok(world) => delivered += world.delivered,
            Err(why) => {
                eprintln!("SEED {seed} failed; replay: ENGINE_SEED={seed} cargo test -p engine random");
                std::panic::resume_unwind(why);
            }
        }
    }
    println!("{count} seeds, {count} converged, {delivered} messages");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [7, 8] {
        assert_eq!(run(seed).trace(), run(seed).trace());
    }
    assert_ne!(run(7).trace(), run(8).trace());
}
