//! A central that lies: it hands out old lists, other people's keys, or nothing. It stands between the peers and an honest
//! one, in this process, and changes what comes back. Albums do not rely on it: roles come from the ops.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use central::folder::Folder;
use central::identity::Identity;
use central::{Config, Pin, frame, serve};
use crdt::keys::{Certificate, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use world::{Up, World, wait_for};

/// What the liar says instead of the truth. It remembers each album's lists as they were.
#[derive(Default)]
struct Lies {
    albums: Albums,
    peers: Peers,
    /// All devices are revoked, with signatures that are of something else.
    revokes: bool,
    /// By album, the first entry seen with as many members as are wanted.
    remembered: Vec<Value>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Albums {
    #[default]
    Honest,
    /// There are no albums.
    None,
    /// The lists as they were when they were remembered.
    Old,
    /// Lists that nobody signed: with one more member.
    Unsigned,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Peers {
    #[default]
    Honest,
    /// Nobody is anywhere.
    None,
    /// Everybody's name with somebody else's valid certificate and address.
    Swapped(SocketAddr),
    /// Certificates that their roots did not sign.
    Forged,
}

/// The liar: an address, and what it says from now on.
struct Liar {
    address: String,
    lies: Arc<Mutex<Lies>>,
    _runtime: tokio::runtime::Runtime,
}

impl Liar {
    fn start(world: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let lies = Arc::new(Mutex::new(Lies::default()));
        let (honest, own) = (world.path("honest"), world.path("liar"));
        let address = runtime.block_on(listen(honest, own, lies.clone()));
        Self {
            address: address.to_string(),
            lies,
            _runtime: runtime,
        }
    }

    fn says(&self, change: impl FnOnce(&mut Lies)) {
        change(&mut self.lies.lock().unwrap());
    }
}

/// Serves an honest central, and before it the liar with a key of its own; where the liar is.
async fn listen(honest: std::path::PathBuf, own: std::path::PathBuf, lies: Arc<Mutex<Lies>>) -> SocketAddr {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let central = serve(Config {
        listen: any,
        data_dir: honest,
    });
    let central = central.await.unwrap();
    let identity = Identity::load_or_create(&Folder::take(&own).unwrap()).unwrap();
    let config = central::tls::server_config(identity.certificate, identity.key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(any).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, lies) = (acceptor.clone(), lies.clone());
            let (to, key) = (central.local_addr(), central.fingerprint());
            tokio::spawn(async move {
                let (config, _) = central::tls::client_config(Pin::Key(key)).unwrap();
                let connector = TlsConnector::from(Arc::new(config));
                let name = "central.invalid".try_into().unwrap();
                let honest = connector.connect(name, TcpStream::connect(to).await.unwrap());
                if let (Ok(peer), Ok(honest)) = (acceptor.accept(tcp).await, honest.await) {
                    relay(peer, honest, lies).await;
                }
            });
        }
    });
    address
}

/// Passes frames in both directions until one side ends.
async fn relay<A, B>(peer: A, honest: B, lies: Arc<Mutex<Lies>>)
where
    A: AsyncRead + AsyncWrite + Send + 'static,
    B: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut from_peer, mut to_peer) = split(peer);
    let (mut from_honest, mut to_honest) = split(honest);
    let asked = Arc::new(Mutex::new(BTreeMap::<u64, String>::new()));
    let asks = asked.clone();
    let up = async move {
        while let Ok(bytes) = frame::read(&mut from_peer).await {
            let ask: Value = serde_json::from_slice(&bytes).unwrap();
            let (id, what) = (
                ask["id"].as_u64().unwrap(),
                ask["do"].as_str().unwrap().to_owned(),
            );
            asks.lock().unwrap().insert(id, what);
            if frame::write(&mut to_honest, &bytes).await.is_err() {
                return;
            }
        }
    };
    let down = async move {
        while let Ok(bytes) = frame::read(&mut from_honest).await {
            let mut said: Value = serde_json::from_slice(&bytes).unwrap();
            let what = said["id"]
                .as_u64()
                .and_then(|id| asked.lock().unwrap().remove(&id));
            let passes = lies.lock().unwrap().change(what.as_deref(), &mut said);
            let bytes = serde_json::to_vec(&said).unwrap();
            if passes && frame::write(&mut to_peer, &bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

impl Lies {
    /// Changes an answer, or a push; whether it is said at all.
    fn change(&mut self, what: Option<&str>, said: &mut Value) -> bool {
        match what {
            None => self.albums == Albums::Honest && self.peers == Peers::Honest,
            Some("albums") if said["ok"].is_object() => {
                self.change_albums(&mut said["ok"]["albums"]);
                true
            }
            Some("devices") if said["ok"].is_object() && self.revokes => {
                for entry in said["ok"]["devices"].as_array_mut().unwrap() {
                    entry["revoked"] = entry["cert"]["sig"].clone();
                }
                true
            }
            // Whoever is not in the list any more is told all the same where everybody is, if the list is old.
            Some("album-peers") if said["ok"].is_object() => {
                self.change_peers(&mut said["ok"]["peers"]);
                true
            }
            Some(_) => true,
        }
    }

    fn change_albums(&mut self, albums: &mut Value) {
        match self.albums {
            Albums::Honest => {
                for entry in albums.as_array().unwrap() {
                    if !self.remembered.contains(entry) {
                        self.remembered.push(entry.clone());
                    }
                }
            }
            Albums::None => *albums = json!([]),
            // The one with the most members.
            Albums::Old => {
                let most = self
                    .remembered
                    .iter()
                    .max_by_key(|entry| entry["list"].as_str().unwrap().len());
                *albums = json!([most.unwrap()]);
            }
            Albums::Unsigned => {
                for entry in albums.as_array_mut().unwrap() {
                    let text = entry["list"]
                        .as_str()
                        .unwrap()
                        .replace("\"contributor\"", "\"curator\"");
                    entry["list"] = json!(text);
                }
            }
        }
    }

    fn change_peers(&self, peers: &mut Value) {
        let root = KeyPair::from_seed(&[66; 32]);
        let device = KeyPair::from_seed(&[67; 32]).public();
        let cert = Certificate::issue(&root, &device);
        match self.peers {
            Peers::Honest => {}
            Peers::None => *peers = json!([]),
            Peers::Swapped(address) => {
                for peer in peers.as_array_mut().unwrap() {
                    peer["cert"] = serde_json::to_value(&cert).unwrap();
                    peer["user"] = json!(cert.user());
                    peer["addresses"] = json!([address.to_string()]);
                }
            }
            Peers::Forged => {
                for peer in peers.as_array_mut().unwrap() {
                    peer["cert"]["sig"] = serde_json::to_value(cert.sig).unwrap();
                }
            }
        }
    }
}

/// Alice, bob and carol share an album by way of the liar, who is honest so far.
fn trip<'a>(liar: &'a Liar, world: &World, users: &[&str]) -> (Vec<Up>, [&'a str; 2]) {
    let at = ["--central", liar.address.as_str()];
    let up = |user: &&str| world.up(user, &[&at[..], &["--register"]].concat());
    let peers: Vec<Up> = users.iter().map(up).collect();
    let first = world.home(users[0]);
    first.ok(&["create-album", "trip"]);
    for user in &users[1..] {
        first.ok(&["add-user", user]);
        world.home(user).ok(&["enter-album", "trip"]);
    }
    world.sync(users);
    (peers, at)
}

/// The lists of yesterday: carol was removed since, and the central goes on calling her a member; or it says that there is
/// no album at all. Bob loses nothing, and carol gains nothing.
#[test]
fn a_stale_list_neither_brings_a_member_back_nor_takes_an_album_away() {
    let world = World::new();
    let liar = Liar::start(&world);
    let (peers, at) = trip(&liar, &world, &["alice", "bob", "carol"]);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| world.home(user));
    wait_for("the liar to have a list with all three", || {
        carol.ok(&["list"]);
        let lies = liar.lies.lock().unwrap();
        let has = |entry: &Value| {
            ["alice", "bob", "carol"]
                .iter()
                .all(|name| entry["list"].as_str().unwrap().contains(name))
        };
        lies.remembered.iter().any(has).then_some(())
    });
    liar.says(|lies| lies.albums = Albums::Old);
    // She is away meanwhile, so her node knows nothing of it: it believes what it is told, and dials as a member does.
    let mut peers = peers;
    assert_eq!(peers.pop().unwrap().end(), 0);
    alice.ok(&["remove-user", "carol"]);
    let _carol = world.up("carol", &at);
    let (alice_is, bob_is) = (peers[0].control(), peers[1].control());
    alice_is.add("after.jpg").unwrap();
    wait_for("bob to have it", || {
        bob_is.names().contains(&"after.jpg".into()).then_some(())
    });
    wait_for("carol to be turned away", || {
        let refused = alice_is.status().refused;
        refused.contains_key("unknown_key").then_some(())
    });
    assert!(!carol.names().contains(&"after.jpg".into()));
    let members = bob.json(&["members"]).to_string();
    assert!(!members.contains("carol"), "{members}");

    // No album at all: bob's goes on, over a restart too.
    liar.says(|lies| lies.albums = Albums::None);
    let second = peers.pop().unwrap();
    assert_eq!(second.end(), 0);
    let again = world.up("bob", &at);
    alice_is.add("later.jpg").unwrap();
    wait_for("bob to have it", || {
        again
            .control()
            .names()
            .contains(&"later.jpg".into())
            .then_some(())
    });
    world.sync(&["alice", "bob"]);
}

/// The central calls bob curator in a list that nobody signed, swaps the certificates of all members for one of its own
/// with an address of its own, and forges others. Alice's album keeps the keys it has; nobody new is let in, and what was
/// wrong is counted.
#[test]
fn another_root_under_a_members_name_opens_nothing() {
    let world = World::new();
    let liar = Liar::start(&world);
    let (peers, _) = trip(&liar, &world, &["alice", "bob"]);
    let alice = world.home("alice");
    let before = alice.json(&["members"])["members"].clone();
    let is = peers[0].control();
    liar.says(|lies| lies.albums = Albums::Unsigned);
    is.add("one.jpg").unwrap();
    // What moves an album's members has the node look at its lists.
    let refused = |kind: &str| is.status().refused.contains_key(kind).then_some(());
    let dave = world.up("dave", &["--central", &liar.address, "--register"]);
    alice.ok(&["add-user", "dave"]);
    wait_for("a list that nobody signed", || refused("central_list"));
    liar.says(|lies| lies.peers = Peers::Forged);
    alice.ok(&["remove-user", "dave"]);
    wait_for("certificates that nobody signed", || refused("central_peer"));

    // A listener that would take whatever comes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let trap = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    liar.says(|lies| (lies.albums, lies.peers) = (Albums::Honest, Peers::Swapped(trap)));
    alice.ok(&["add-user", "dave"]);
    is.add("two.jpg").unwrap();
    world.sync(&["alice", "bob"]);
    let mut members = alice.json(&["members"])["members"].clone();
    let kept = members.as_array_mut().unwrap();
    kept.retain(|member| member["user"] != "dave");
    for (member, before) in kept.iter().zip(before.as_array().unwrap()) {
        assert_eq!(
            (&member["user"], &member["user_id"]),
            (&before["user"], &before["user_id"])
        );
        assert_eq!(member["role"], before["role"]);
    }
    assert_eq!(kept.len(), before.as_array().unwrap().len());
    // Nobody was even dialled there: the key belongs to no member.
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    // Her node kept nothing of that key.
    let eve = KeyPair::from_seed(&[67; 32]).public().hex();
    assert_eq!(alice.run(&["block", &eve], "").code, 4);
    drop(dave);
}

/// The central says that nobody is anywhere. Who met before meets again by the addresses that were last known, over
/// restarts; only a newcomer, who knows nobody, waits and is told so.
#[test]
fn addresses_withheld_keep_only_newcomers_apart() {
    let world = World::new();
    let liar = Liar::start(&world);
    let (mut peers, at) = trip(&liar, &world, &["alice", "bob"]);
    liar.says(|lies| lies.peers = Peers::None);
    for peer in peers.drain(..) {
        assert_eq!(peer.end(), 0);
    }
    let _peers = ["alice", "bob"].map(|user| world.up(user, &at));
    world
        .home("alice")
        .ok(&["add-image", "a.jpg", &"a".repeat(64), "7"]);
    world.sync(&["alice", "bob"]);

    let _carol = world.up("carol", &[&at[..], &["--register"]].concat());
    world.home("alice").ok(&["add-user", "carol"]);
    let carol = world.home("carol");
    let entered = carol.run(&["enter-album", "trip"], "");
    assert_eq!(entered.code, 6, "{entered:?}");
    liar.says(|lies| lies.peers = Peers::Honest);
    wait_for("carol to find the others", || {
        (carol.run(&["enter-album", "trip"], "").code == 0).then_some(())
    });
}

/// The central says that all of Alice's devices are revoked. It has no word of her root for it, so nothing comes of it: they go
/// on linking with each other, and write.
#[test]
fn no_central_revokes_a_device() {
    let world = World::new();
    let liar = Liar::start(&world);
    let (_peers, at) = trip(&liar, &world, &["alice", "bob"]);
    let (desk, laptop) = (world.home("alice"), world.home("laptop"));
    let shown = desk.json(&["recovery-words", "--password-file", "pw"]);
    std::fs::write(world.path("words"), shown["recovery_words"].as_str().unwrap()).unwrap();
    let words = ["--words-file", "words", "--password-file", "pw"];
    laptop.ok(&[&["recover", "alice"], &words[..], &at[..]].concat());
    let up = laptop.up(&at);
    world.sync(&["alice", "laptop", "bob"]);
    liar.says(|lies| lies.revokes = true);
    for home in [&desk, &laptop] {
        let devices = home.json(&["devices"])["devices"].clone();
        let mut revoked = devices.as_array().unwrap().iter().map(|entry| &entry["revoked"]);
        assert!(revoked.all(|revoked| revoked == false), "{devices}");
        assert!(
            home.json(&["status"])["refused"]["central_peer"].as_u64() > Some(0),
            "it is counted"
        );
    }
    up.control().add("after.jpg").unwrap();
    world.sync(&["alice", "laptop"]);
    assert!(desk.names().contains(&"after.jpg".into()));
}
