//! Versions of others: checked in spare time and on request, and made again where nobody has their bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crdt::fact::{Fact, Image, Version};
use crdt::id::{AlbumId, BlobHash, Digest, Incarnation};
use crdt::keys::KeyPair;
use crdt::op::Op;
use crdt::{Album, Author, Draft, Trust};
use serde_json::Value;
use store::{Db, Write};
use world::{PATIENCE, World, wait_for};

/// The home of a process that has ended.
struct Still {
    home: store::Home,
    db: Db,
    album: AlbumId,
}

impl Still {
    fn open(world: &World, name: &str) -> Self {
        let home = store::Home::open(&world.path(name), Duration::from_secs(10)).unwrap();
        let (db, _) = Db::open(&home).unwrap();
        let album = AlbumId(db.albums().unwrap()[0]);
        Self { home, db, album }
    }

    fn ops(&self) -> Vec<Arc<Op>> {
        let mut ops = Vec::new();
        let mut read = |_, _, bytes: &[u8]| {
            ops.push(Arc::new(Op::decode(std::str::from_utf8(bytes).unwrap()).unwrap()));
        };
        self.db.ops(&self.album.0, 0, &mut read).unwrap();
        ops
    }

    fn store(&self, ops: &[Arc<Op>]) {
        let write = |op: &Arc<Op>| Write::Op {
            album: self.album.0,
            hash: op.hash.0,
            bytes: op.bytes().as_bytes().to_vec(),
        };
        self.db.commit_wait(ops.iter().map(write).collect()).unwrap();
    }

    /// Writes an entry as this home's device would, whatever it says.
    fn publish(&self, image: Image) {
        let mut album = Album::empty(self.album);
        for op in self.ops() {
            album.receive(op, Trust::Stored);
        }
        let account = std::fs::read(self.home.path().join("account.json")).unwrap();
        let account: Value = serde_json::from_slice(&account).unwrap();
        let seed = store::unhex(account["device_seed"].as_str().unwrap()).unwrap();
        let life = self.db.get("node", b"incarnation").unwrap().unwrap();
        let author = Author {
            device: KeyPair::from_seed(&seed),
            certificate: serde_json::from_value(account["certificate"].clone()).unwrap(),
            incarnation: Incarnation(life.try_into().unwrap()),
        };
        let draft = Draft {
            facts: vec![Fact::Image(image)],
            removes: Vec::new(),
        };
        self.store(&album.author(&author, draft).unwrap());
    }
}

/// What a recipe makes of a file: the version's claims and its bytes.
fn made(source: &[u8], recipe: &str) -> (Version, Vec<u8>) {
    let decoded = codec::decode(source, &codec::Limits::default()).unwrap();
    let steps: filters::Recipe = recipe.parse().unwrap();
    let raster = steps
        .apply(&decoded.raster, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let file = codec::encode_version(&raster, decoded.probe.media, &decoded.metadata).unwrap();
    let version = Version {
        source: BlobHash(*blake3::hash(source).as_bytes()),
        recipe: recipe.to_owned(),
        pixel_engine: codec::pixel_engine(decoded.probe.media),
        encoder: file.encoder.to_owned(),
        pixels: Digest(raster.pixel_hash()),
    };
    (version, file.bytes)
}

fn entry(name: &str, version: Version, file: &[u8]) -> Image {
    Image {
        name: name.to_owned(),
        hash: BlobHash(*blake3::hash(file).as_bytes()),
        size: file.len() as u64,
        at: 1_770_000_000_000,
        shape: None,
        taken: None,
        damaged: false,
        preview: None,
        version: Some(Box::new(version)),
    }
}

/// One image as a home lists it.
fn image(world: &World, home: &str, name: &str) -> Option<Value> {
    let list = world.home(home).json(&["get-images"]);
    let images = list["images"].as_array().unwrap();
    images.iter().find(|image| image["name"] == name).cloned()
}

fn wait_for_verdict(world: &World, home: &str, name: &str, verdict: bool) -> Value {
    wait_for(&format!("{home}'s word on {name}"), || {
        image(world, home, name).filter(|image| image["verified"] == verdict)
    })
}

/// `watch --json` in a home.
struct Watch {
    child: Child,
    news: Receiver<Value>,
}

impl Watch {
    /// Returns once it hears.
    fn start(world: &World, home: &str) -> Self {
        let mut child = world
            .home(home)
            .command(&["watch", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, news) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if tell.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        // The first lines may be said before it listens.
        wait_for("watch to hear", || {
            world.home(home).ok(&["say", "do you hear me"]);
            news.try_recv().ok()
        });
        Self { child, news }
    }

    fn hear(&self, kind: &str) -> Value {
        loop {
            let news = self
                .news
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no {kind}"));
            if news["kind"] == kind {
                return news;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bob makes an honest version, and publishes another whose pixels, he says, are sepia: they are those of its first
/// step. Alice asks nothing: her node makes both again in its spare time, tells her once who lied and how, shows it in
/// the list and counts it. Asked, it says the same, and it still knows after a restart, without looking again.
#[test]
fn a_lie_is_found_without_being_looked_for() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    world.image("lake.bmp", 3);
    alice.ok(&["add-image", "lake.bmp"]);
    world.sync(&["alice", "bob"]);
    bob.ok(&["filter", "lake.bmp", "invert"]);
    world.sync(&["alice", "bob"]);
    wait_for_verdict(&world, "alice", "lake.invert.webp", true);

    assert_eq!(peers.pop().unwrap().end(), 0);
    let (mut lie, file) = made(&world::bmp(3), "grayscale");
    lie.recipe = "grayscale+blur:2".into();
    let bobs = Still::open(&world, "bob");
    store::Blobs::open(&bobs.home).import(&file).unwrap();
    bobs.publish(entry("lie.webp", lie, &file));
    drop(bobs);
    let watch = Watch::start(&world, "alice");
    peers.push(world.up("bob", &[]));
    let why = "the pixels are those of grayscale: the step blur:2 is missing; so is its file";
    let news = watch.hear("version-false");
    assert_eq!(
        [
            &news["author"],
            &news["name"],
            &news["source"],
            &news["recipe"],
            &news["why"]
        ],
        ["bob", "lie.webp", "lake.bmp", "grayscale+blur:2", why]
    );
    wait_for_verdict(&world, "alice", "lie.webp", false);
    let counts = &alice.json(&["status"])["versions"];
    assert_eq!(
        (&counts["verified"], &counts["false"]),
        (&1.into(), &1.into()),
        "{counts}"
    );

    let asked = alice.run(&["verify", "lie.webp", "--json"], "");
    let told: Value = serde_json::from_str(&asked.out).unwrap();
    assert_eq!(
        (asked.code, &told["error"]["code"]),
        (1, &"damaged".into()),
        "{told}"
    );
    assert_eq!(
        (&told["verified"], &told["differs"], &told["why"]),
        (&false.into(), &"pixels".into(), &why.into())
    );
    assert_eq!(
        told["step"],
        serde_json::json!({ "number": 2, "recipe": "blur:2" })
    );

    drop(watch);
    assert_eq!(peers.remove(0).end(), 0);
    std::fs::create_dir_all(world.path(".config/calotype")).unwrap();
    std::fs::write(world.path(".config/calotype/config.toml"), "verify = false\n").unwrap();
    let _alice = world.up("alice", &[]);
    assert_eq!(image(&world, "alice", "lie.webp").unwrap()["verified"], false);
    assert_eq!(
        image(&world, "alice", "lake.invert.webp").unwrap()["verified"],
        true
    );
}

/// Bob filters and is gone for good before anybody took the bytes: carol has the op alone. She has the source, so her
/// node makes the version, which is bob's to the last bit, and gives it on to alice. Of another entry of his the bytes
/// that come out are not those that he names: they are not taken for them. Carol does not want others' versions checked,
/// so those whose bytes are here stay as they are.
#[test]
fn a_version_that_nobody_holds_is_made_again() {
    let world = World::new();
    std::fs::create_dir_all(world.path(".config/calotype")).unwrap();
    std::fs::write(world.path(".config/calotype/config.toml"), "verify = false\n").unwrap();
    let mut peers = world.trip(&["alice", "bob", "carol"]);
    let (alice, bob, carol) = (world.home("alice"), world.home("bob"), world.home("carol"));
    world.image("lake.bmp", 3);
    alice.ok(&["add-image", "lake.bmp"]);
    world.sync(&["alice", "bob", "carol"]);
    for recipe in ["invert", "edges", "grayscale", "flip:h"] {
        bob.ok(&["filter", "lake.bmp", recipe, "--as", recipe]);
    }
    world.sync(&["alice", "bob", "carol"]);
    assert_eq!(peers.pop().unwrap().end(), 0);
    assert_eq!(peers.remove(0).end(), 0);
    let bobs = bob.json(&["filter", "lake.bmp", "sepia"]);
    assert_eq!(peers.pop().unwrap().end(), 0);

    let (honest, _) = made(&world::bmp(3), "sepia+invert");
    let (still, hers) = (Still::open(&world, "bob"), Still::open(&world, "carol"));
    still.publish(entry("lie.webp", honest, b"other bytes"));
    let known: Vec<_> = hers.ops().iter().map(|op| op.hash).collect();
    let new: Vec<_> = still
        .ops()
        .into_iter()
        .filter(|op| !known.contains(&op.hash))
        .collect();
    assert_eq!(new.len(), 2);
    hers.store(&new);
    drop((still, hers));
    std::fs::remove_dir_all(world.path("bob")).unwrap();

    let carols = world.up("carol", &[]);
    let version = wait_for("the version", || {
        image(&world, "carol", "lake.sepia.webp").filter(|image| image["local"] == true)
    });
    assert_eq!(
        (&version["hash"], &version["verified"]),
        (&bobs["image"]["hash"], &true.into())
    );
    carol.ok(&["save", "lake.sepia.webp", "sepia.webp"]);
    let saved = std::fs::read(world.path("sepia.webp")).unwrap();
    assert_eq!(blake3::hash(&saved).to_hex().as_str(), bobs["image"]["hash"]);
    let lie = wait_for_verdict(&world, "carol", "lie.webp", false);
    assert_eq!((&lie["local"], &lie["state"]), (&false.into(), &"missing".into()));
    for name in ["invert", "edges", "grayscale", "flip:h"] {
        assert_eq!(image(&world, "carol", name).unwrap()["verified"], Value::Null);
    }
    let counts = &carol.json(&["status"])["versions"];
    assert_eq!(
        (&counts["rebuilt"], &counts["unverified"]),
        (&1.into(), &4.into()),
        "{counts}"
    );

    let _alice = world.up("alice", &[]);
    wait_for("alice's copy", || {
        image(&world, "alice", "lake.sepia.webp").filter(|image| image["local"] == true)
    });
    drop(carols);
}
