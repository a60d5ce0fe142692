//! One album with a history, ops that it has not received yet, and the keys of all who write in it: an enemy who is a
//! member can sign what he likes.

use std::sync::{Arc, OnceLock};

use crdt::fact::{AcceptRun, Fact, Image, Preview, Role, Shape, Version};
use crdt::id::{AlbumSeed, BlobHash, Digest, Incarnation, UserId};
use crdt::keys::{Certificate, Domain, KeyPair};
use crdt::op::{Op, fact_hash, facts_root};
use crdt::{Album, Author, Draft, FactId, Receipt, Trust};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The clock that all facts state; it decides nothing.
const AT: u64 = 1_700_000_000_000;

pub const ALICE: u8 = b'a';
pub const BOB: u8 = b'b';
const CAROL: u8 = b'c';
const DAVE: u8 = b'd';

/// A person's only device.
pub fn author(person: u8) -> Author {
    let device = KeyPair::from_seed(&[person ^ 0xff; 32]);
    Author {
        certificate: Certificate::issue(&KeyPair::from_seed(&[person; 32]), &device.public()),
        device,
        incarnation: Incarnation([person; 16]),
    }
}

fn root(person: u8) -> Author {
    Author::root(
        KeyPair::from_seed(&[person; 32]),
        Incarnation([person ^ 0x0f; 16]),
    )
}

fn user(person: u8) -> UserId {
    author(person).user()
}

pub struct Scene {
    /// Alice's replica: she owns it, Bob is curator, Carol contributor, Dave viewer. One op waits.
    pub album: Album,
    /// Its ops, causes first.
    pub ops: Vec<Arc<Op>>,
    /// Ops that others wrote since, causes first; the second waits in the album for the first.
    pub news: Vec<Arc<Op>>,
    /// Everybody who may sign.
    authors: Vec<Author>,
}

/// Made once a process.
pub fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(Scene::new)
}

impl Scene {
    fn new() -> Scene {
        let [alice, bob, carol, dave] = [ALICE, BOB, CAROL, DAVE].map(author);
        let (mut here, _) = Album::create(&alice, AlbumSeed([7; 16]), "trip", "alice", AT).unwrap();
        say(&mut here, &alice, vec![grant(BOB, Role::Curator)]);
        say(
            &mut here,
            &alice,
            vec![grant(CAROL, Role::Contributor), grant(DAVE, Role::Viewer)],
        );
        let first = say(&mut here, &alice, vec![image("a.jpg"), image("b.jpg")]);
        say(
            &mut here,
            &bob,
            vec![
                rating("a.jpg", 4),
                chat("well done"),
                version("a.sepia.jpg", "a.jpg"),
            ],
        );
        let mut apart = here.clone();
        let carols = say(&mut apart, &carol, vec![image("c.jpg"), rating("b.jpg", 2)]);
        let album_fact = Fact::Album {
            name: "journey".to_owned(),
            at: AT,
        };
        say(&mut here, &alice, vec![album_fact]);
        take(&mut here, &carols);

        // What follows is not here yet, except one op that came too early.
        let mut there = here.clone();
        let mut news = Vec::new();
        let mut tell = |there: &mut Album, author: &Author, facts, removes| {
            let ops = there.author(author, Draft { facts, removes }).unwrap();
            news.extend(ops.iter().cloned());
            ops
        };
        tell(&mut there, &bob, vec![image("d.jpg")], vec![id(&first, 0)]);
        tell(&mut there, &bob, vec![chat("two of them\u{7}\u{202e}")], vec![]);
        let mut alone = there.clone();
        let late = alone
            .author(&carol, facts(vec![image("late.jpg"), chat("late")]))
            .unwrap();
        tell(&mut there, &alice, vec![limit(CAROL, Role::None)], vec![]);
        news.extend(late.iter().cloned());
        take(&mut there, &late);
        let mut tell = |facts, removes, author: &Author| {
            news.extend(there.author(author, Draft { facts, removes }).unwrap());
        };
        let late = late.last().unwrap();
        let run = AcceptRun {
            actor: late.header.actor,
            seq: late.last_seq(),
            header: late.hash.short(),
            count: 1,
        };
        tell(vec![], vec![], &alice);
        tell(
            vec![Fact::Accept {
                ops: vec![run],
                at: AT,
            }],
            vec![],
            &alice,
        );
        tell(vec![rating("b.jpg", 5)], vec![], &dave);
        tell(
            vec![Fact::Revoke {
                device: dave.device.public(),
                at: AT,
            }],
            vec![],
            &root(DAVE),
        );
        // An unknown kind, which our own authors do not write.
        let opaque = r#"{"kind":"vote","on":[[1,{"x":null}],true],"weight":3}"#.to_owned();
        let mut header = news.last().unwrap().header.clone();
        let bobs = news[1].clone();
        (header.actor, header.intro, header.prev) = (bobs.header.actor, None, Some(bobs.hash));
        (header.first, header.lamport) = (bobs.last_seq() + 1, bobs.header.lamport + 1);
        (header.deps, header.count) = (vec![], 1);
        header.root = Some(facts_root(std::iter::once(fact_hash(&opaque))));
        news.push(Arc::new(Op::sign(&header, &[opaque], &bob.device).unwrap()));

        let ops: Vec<Arc<Op>> = here.ops().cloned().collect();
        here.receive(news[1].clone(), Trust::Verify);
        here.drain_changes();
        Scene {
            album: here,
            ops,
            news,
            authors: vec![alice, bob, carol, dave, root(ALICE), root(DAVE)],
        }
    }

    /// The op with its header's `root` and `count` made to fit the facts and signed by its actor's device (Bob's where the
    /// actor is nobody here): mutated bytes get past hash and signature and reach what judges them.
    pub fn signed_again(&self, envelope: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Loose<'a> {
            #[serde(borrow)]
            header: &'a RawValue,
            #[serde(borrow)]
            facts: Vec<&'a RawValue>,
        }
        let Loose { header, facts } = serde_json::from_str(envelope).ok()?;
        let mut header: Value = serde_json::from_str(header.get()).ok()?;
        let keys = header.as_object_mut()?;
        keys.remove("root");
        if !facts.is_empty() {
            let root = facts_root(facts.iter().map(|fact| fact_hash(fact.get())));
            keys.insert("root".to_owned(), Value::String(root.to_string()));
        }
        keys.insert("count".to_owned(), facts.len().into());
        let actor = keys.get("actor").and_then(Value::as_str).unwrap_or_default();
        let author = self
            .authors
            .iter()
            .find(|author| author.actor().to_string() == actor);
        let device = &author.unwrap_or(&self.authors[1]).device;
        let header = header.to_string();
        let sig = device.sign(Domain::Op, header.as_bytes());
        let facts: Vec<&str> = facts.iter().map(|fact| fact.get()).collect();
        Some(format!(
            r#"{{"header":{header},"sig":"{sig}","facts":[{}]}}"#,
            facts.join(",")
        ))
    }

    /// Whether it is signed by the device of its actor, where that is somebody here.
    pub fn is_forged(&self, op: &Op) -> bool {
        let author = self
            .authors
            .iter()
            .find(|author| author.actor() == op.header.actor);
        author.is_some_and(|author| {
            !crdt::keys::verify(
                &author.device.public(),
                Domain::Op,
                op.header_text().as_bytes(),
                &op.sig,
            )
        })
    }
}

fn facts(facts: Vec<Fact>) -> Draft {
    Draft {
        facts,
        removes: vec![],
    }
}

fn say(album: &mut Album, author: &Author, of: Vec<Fact>) -> Vec<Arc<Op>> {
    album.author(author, facts(of)).unwrap()
}

fn take(album: &mut Album, ops: &[Arc<Op>]) {
    for op in ops {
        assert!(matches!(
            album.receive(op.clone(), Trust::Verify),
            Receipt::Received(_)
        ));
    }
}

fn id(ops: &[Arc<Op>], place: u64) -> FactId {
    let op = &ops[0];
    FactId {
        actor: op.header.actor,
        seq: op.header.first + place,
        header: op.hash,
    }
}

fn blob(name: &str) -> BlobHash {
    BlobHash(*blake3::hash(name.as_bytes()).as_bytes())
}

fn grant(person: u8, role: Role) -> Fact {
    Fact::Grant {
        user: user(person),
        role,
        name: char::from(person).to_string(),
        at: AT,
        invite: None,
    }
}

fn limit(person: u8, role: Role) -> Fact {
    Fact::Role {
        user: user(person),
        role,
        at: AT,
    }
}

fn rating(image: &str, stars: u8) -> Fact {
    Fact::Rating {
        image: blob(image),
        stars,
        at: AT,
    }
}

fn chat(text: &str) -> Fact {
    Fact::Chat {
        text: text.to_owned(),
        at: AT,
    }
}

fn image(name: &str) -> Fact {
    Fact::Image(picture(name))
}

fn picture(name: &str) -> Image {
    Image {
        name: name.to_owned(),
        hash: blob(name),
        size: 300_000 + name.len() as u64,
        at: AT,
        shape: Some(Shape {
            media: "image/jpeg".to_owned(),
            width: 4000,
            height: 3000,
        }),
        taken: Some("2021-05-06T07:08:09".to_owned()),
        damaged: false,
        preview: Some(Preview {
            hash: blob(&format!("{name} small")),
            size: 20_000,
        }),
        version: None,
    }
}

fn version(name: &str, source: &str) -> Fact {
    let version = Version {
        source: blob(source),
        recipe: "sepia".to_owned(),
        pixel_engine: "zune-jpeg-0.5.15/calotype-1".to_owned(),
        encoder: "calotype-jpeg 1".to_owned(),
        pixels: Digest([5; 32]),
    };
    Fact::Image(Image {
        version: Some(Box::new(version)),
        ..picture(name)
    })
}
