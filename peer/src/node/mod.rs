//! The node: the one owner of the engine, with the sockets, files, threads and clock around it.
//!
//! `run` is its loop; `commands` what doors ask of it, through `control`; `central` and `gate` whom it meets; `blobs` and
//! `import` how image bytes come and go.

mod account;
mod blobs;
mod busy;
mod central;
mod checkpoint;
mod code;
mod commands;
mod control;
mod counted;
mod devices;
mod diagnose;
mod fsck;
mod gate;
mod import;
mod judge;
mod known;
pub mod lan;
#[cfg(test)]
mod lost;
mod news;
mod pins;
mod place;
mod refused;
mod run;
mod spare;
mod view;
pub mod watchdog;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crdt::id::{AlbumId, Incarnation};
use engine::{Event, Me, Strategy};
use net::{Net, StartError};
use rand::RngCore as _;
use store::{Blobs, Db, Home, HomeError, Write};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

pub use fsck::check;
pub use place::control_path;

use crate::api::{Code, Failure};
use crate::decoder::Decoder;
use account::Account;
use known::Known;
use run::{Handle, Input, Node, Parts};
use watchdog::{Beat, Pace, Watchdog};

/// How long requests at work may still take when the node is told to end.
const LAST_REQUESTS: Duration = Duration::from_secs(2);
/// How long a node takes at most to end after that.
const DRAIN: Duration = Duration::from_millis(2500);

/// Which central this node talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CentralChoice {
    /// The embedded one of this user account, in this folder; started here if nobody runs it.
    Embedded {
        /// Its data folder.
        dir: PathBuf,
    },
    /// A central elsewhere, `HOST:PORT`.
    Address(String),
}

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The home folder; made if absent.
    pub home: PathBuf,
    /// What turns foreign bytes into pixels.
    pub decoder: Decoder,
    /// Which central.
    pub central: CentralChoice,
    /// The guard's address; `None`: 127.0.0.1 while the central is on loopback, else all interfaces, with the port kept
    /// in the home.
    pub listen: Option<SocketAddr>,
    /// What this device calls itself; at most 64 bytes.
    pub device_name: String,
    /// Live replication: op, delta or state.
    pub replication: Strategy,
    /// How long to wait for another process's lock on the home.
    pub lock_wait: Duration,
    /// Off only in tests of live gossip.
    pub anti_entropy: bool,
    /// Whether versions that others made are checked in spare time.
    pub verify: bool,
    /// Whether this node announces itself in the local network, and looks for members there; never while its guard
    /// listens on loopback.
    pub mdns: bool,
    /// When a node that no longer moves is ended; other than the default only in tests.
    pub watchdog: Pace,
}

/// A node at work in this process, reachable through its control socket.
pub struct Running {
    control: PathBuf,
    peer_address: Option<SocketAddr>,
    handle: Handle,
    ended: watch::Receiver<Option<Result<(), Failure>>>,
    doors: TaskTracker,
    node: JoinHandle<()>,
    accepting: JoinHandle<()>,
    central: JoinHandle<()>,
    beating: JoinHandle<()>,
    spare: JoinHandle<()>,
    lan: JoinHandle<()>,
    loop_beat: Beat,
    _watchdog: Watchdog,
}

/// Opens the home, starts the node, returns once it can serve.
///
/// # Errors
/// `usage` (the home is a file), `busy` (another node, naming its pid), `disk_full`, `damaged`. A missing central is none: a node works without.
pub async fn start(config: Config) -> Result<Running, Failure> {
    let (home, wait) = (config.home.clone(), config.lock_wait);
    if home.exists() && !home.is_dir() {
        return Err(Failure::new(
            Code::Usage,
            format!("the home {} is a file, not a folder", home.display()),
            "name a folder with --home, or move the file away",
        ));
    }
    let home = blobs::blocking(move || Home::open(&home, wait))
        .await
        .map_err(|error| not_opened(&error))?;
    let (db, recovered) = Db::open(&home).map_err(|error| {
        Failure::new(
            Code::Damaged,
            format!("cannot open the home's database: {error}"),
            "`calotype fsck` keeps what can be read; peers send the rest",
        )
    })?;
    tracing::debug!(wal_bytes = recovered.wal_bytes, "database open");
    let blob_store = Blobs::open(&home);
    let account = Account::load(&home)?;
    let mut seed = [0; 32];
    rand::rngs::OsRng.fill_bytes(&mut seed);
    let incarnation = incarnation(&db)?;
    let runtime = place::runtime_dir(home.path());
    let no_socket = |error: std::io::Error| {
        let message = format!("cannot make the control socket in {}: {error}", runtime.display());
        Failure::new(
            Code::Denied,
            message,
            "check the folder's owner and permissions, or remove it",
        )
    };
    place::make_private(&runtime).map_err(no_socket)?;
    let control = runtime.join("control");
    let listener = control::bind(&control).map_err(no_socket)?;

    let pace = config.watchdog;
    let config = Config {
        central: chosen_central(&db, config.central.clone()),
        ..config
    };
    let signed_out = db.get("node", b"logged-out").ok().flatten().is_some();
    let (mut node, inputs) = Node::new(Parts {
        home,
        db,
        blobs: blob_store,
        config,
        account,
        incarnation,
        seed,
    });
    node.open_albums()?;
    let handle = node.handle.clone();
    let resumes = node.account.as_ref().is_some_and(|account| account.confirmed) && !signed_out;
    let (tell, ended) = watch::channel(None);
    let (runtime_beat, loop_beat) = (Beat::default(), Beat::default());
    let last_beat = loop_beat.clone();
    let node = tokio::spawn(async move {
        let result = node.run(inputs).await;
        last_beat.end();
        let _ = tell.send(Some(result));
    });
    let watched = vec![
        ("the runtime", runtime_beat.clone()),
        ("the node", loop_beat.clone()),
    ];
    let watchdog = Watchdog::start(pace, watched, watchdog::end_process).map_err(|error| {
        let message = format!("no thread for the watchdog: {error}");
        Failure::new(Code::Internal, message, "end other programs and try again")
    })?;
    let beating = tokio::spawn(beat(handle.clone(), pace.period, runtime_beat, loop_beat.clone()));
    if resumes {
        sign_in(&handle).await?;
    }
    handle.with(Node::scrub).await?;
    let doors = TaskTracker::new();
    let accepting = tokio::spawn(control::serve(listener, handle.clone(), doors.clone()));
    let spare = tokio::spawn(spare::run(handle.clone()));
    let central = tokio::spawn(central::run(handle.clone()));
    let lan = tokio::spawn(lan::run(handle.clone()));
    let peer_address = handle.with(|node| node.net.as_ref().map(Net::local_addr)).await?;
    Ok(Running {
        control,
        peer_address,
        handle,
        ended,
        doors,
        node,
        accepting,
        central,
        beating,
        spare,
        lan,
        loop_beat,
        _watchdog: watchdog,
    })
}

/// The central that this node uses: the one it was told; else the one that `join CODE@HOST` named; else the embedded one.
fn chosen_central(db: &Db, told: CentralChoice) -> CentralChoice {
    let CentralChoice::Embedded { .. } = told else {
        return told;
    };
    let kept = db.get("node", b"central").ok().flatten();
    let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok());
    kept.map_or(told, CentralChoice::Address)
}

/// Beats for the runtime, and has the node's loop beat.
async fn beat(handle: Handle, period: Duration, runtime: Beat, node: Beat) {
    loop {
        runtime.beat();
        let node = node.clone();
        handle.send(Input::Do(Box::new(move |_| node.beat())));
        tokio::time::sleep(period).await;
    }
}

impl Running {
    /// The control socket.
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// The guard's address, once somebody is logged in.
    pub async fn peer_address(&self) -> Option<SocketAddr> {
        match self
            .handle
            .with(|node| node.net.as_ref().map(Net::local_addr))
            .await
        {
            Ok(address) => address,
            Err(_) => self.peer_address,
        }
    }

    /// Completes when the node has ended by itself (`Request::Shutdown`, a fatal disk error).
    pub async fn ended(&self) -> Result<(), Failure> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Ok(())),
            Err(_) => Err(Failure::new(
                Code::Internal,
                "the node's loop broke off",
                "please report this",
            )),
        }
    }

    /// Drains and ends within 5 s.
    pub async fn stop(self) {
        // Nobody new; those at work finish, as far as there is time.
        self.accepting.abort();
        self.spare.abort();
        self.lan.abort();
        let _ = std::fs::remove_file(&self.control);
        self.doors.close();
        if tokio::time::timeout(LAST_REQUESTS, self.doors.wait())
            .await
            .is_err()
        {
            tracing::warn!("requests were cut off");
        }
        // From here the node drains and takes nothing in; the time for that is bounded below.
        self.loop_beat.end();
        self.handle.send(Input::Stop);
        if tokio::time::timeout(DRAIN, self.node).await.is_err() {
            tracing::warn!("the node did not drain in time");
        }
        self.central.abort();
        self.beating.abort();
    }
}

fn not_opened(error: &HomeError) -> Failure {
    match error {
        HomeError::Busy { .. } => Failure::new(
            Code::Busy,
            error.to_string(),
            "stop that process, or use another --home",
        ),
        HomeError::DiskFull { .. } => {
            Failure::new(Code::DiskFull, error.to_string(), "free some space and try again")
        }
        _ => Failure::new(
            Code::Denied,
            error.to_string(),
            "check the folder's owner and permissions",
        ),
    }
}

/// This life of the database: drawn at first start, and anew where the database shows that it is a copy: another machine
/// id, or another file than it remembers being.
fn incarnation(db: &Db) -> Result<Incarnation, Failure> {
    let unreadable = |error: store::ReadError| {
        Failure::new(Code::Damaged, error.to_string(), "`calotype fsck` sets it aside")
    };
    let (device, inode) = db.identity();
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let place = format!("{} {device} {inode}", machine.trim()).into_bytes();
    let stored = db.get("node", b"incarnation").map_err(unreadable)?;
    let same_place = db
        .get("node", b"place")
        .map_err(unreadable)?
        .is_some_and(|stored| stored == place);
    match stored
        .and_then(|bytes| bytes.try_into().ok())
        .filter(|_| same_place)
    {
        Some(bytes) => Ok(Incarnation(bytes)),
        None => {
            let mut bytes = [0; 16];
            rand::rngs::OsRng.fill_bytes(&mut bytes);
            let writes = vec![
                Write::Put {
                    space: "node",
                    key: b"incarnation".to_vec(),
                    value: bytes.to_vec(),
                },
                Write::Put {
                    space: "node",
                    key: b"place".to_vec(),
                    value: place,
                },
            ];
            db.commit_wait(writes).map_err(|error| {
                Failure::new(
                    Code::DiskFull,
                    error.to_string(),
                    "free some space and start again",
                )
            })?;
            Ok(Incarnation(bytes))
        }
    }
}

/// The account of this home edits and links from now on: engine, guard and bus come up.
async fn sign_in(handle: &Handle) -> Result<(), Failure> {
    let parts = handle.with(|node| {
        let account = node.account.as_ref()?;
        let me = Me {
            author: account.author(node.incarnation),
            name: account.name.clone(),
        };
        node.engine.sign_in(Some(me));
        node.signed_in = true;
        node.delete("node", b"logged-out");
        if node.net.is_some() {
            node.central.albums_changed();
            return None;
        }
        let config = |listen| net::Config {
            listen,
            ipc_dir: place::runtime_dir(node.home.path()).join("bus"),
            keys: account.device(),
            certificate: account.certificate.clone(),
            hello: devices::hello(&node.config.device_name),
        };
        let listens = node.listens();
        let configs: Vec<net::Config> = listens.into_iter().map(config).collect();
        Some((configs, node.gate.clone(), node.net_events()))
    });
    let Some((configs, gate, events)) = parts.await? else {
        return Ok(());
    };
    let mut refused = None;
    for config in configs {
        match Net::start(config, gate.clone(), events.clone()).await {
            Ok(net) => return handle.with(move |node| node.go_online(net)).await,
            Err(error @ StartError::Listen { .. }) => refused = Some(error),
            Err(error) => {
                return Err(Failure::new(
                    Code::Internal,
                    error.to_string(),
                    "check the runtime folder",
                ));
            }
        }
    }
    let message = refused.map(|error| error.to_string()).unwrap_or_default();
    Err(Failure::new(
        Code::Busy,
        message,
        "choose another address with --listen ADDR:PORT",
    ))
}

impl Node {
    /// Where the guard may listen, best first: as told; else where it was; else any port.
    fn listens(&self) -> Vec<SocketAddr> {
        if let Some(address) = self.config.listen {
            return vec![address];
        }
        let local = match &self.config.central {
            CentralChoice::Embedded { .. } => true,
            CentralChoice::Address(address) => ["127.", "localhost", "[::1]"]
                .iter()
                .any(|own| address.starts_with(own)),
        };
        let ip = IpAddr::V4(if local {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::UNSPECIFIED
        });
        let kept = self.db().get("node", b"port").ok().flatten();
        let kept = kept
            .and_then(|bytes| bytes.try_into().ok())
            .map(u16::from_be_bytes);
        kept.into_iter()
            .chain([0])
            .map(|port| SocketAddr::new(ip, port))
            .collect()
    }

    fn go_online(&mut self, net: Net) {
        self.put("node", b"port", net.local_addr().port().to_be_bytes().to_vec());
        for device in &self.blocked {
            net.block(*device);
        }
        self.connect_bus(net);
        self.dial_known();
    }

    /// Reads what an earlier life left: albums, who is known, who is blocked, where the person was.
    fn open_albums(&mut self) -> Result<(), Failure> {
        let unreadable = |error: store::ReadError| {
            Failure::new(Code::Damaged, error.to_string(), "`calotype fsck` sets it aside")
        };
        let blobs = self.handle.blobs.list().map_err(|error| {
            Failure::new(
                Code::Damaged,
                format!("cannot list the image bytes: {error}"),
                "check the disk",
            )
        })?;
        let blobs = blobs
            .into_iter()
            .map(|(hash, _)| crdt::id::BlobHash(hash))
            .collect();
        self.feed(Event::BlobsHere { blobs });
        let db = self.db().clone();
        for (key, _) in db.scan("entered", b"").map_err(unreadable)? {
            if let Ok(id) = key.try_into().map(AlbumId) {
                self.entered.insert(id);
                let now = self.now();
                self.engine.open(now, id);
            }
        }
        for (key, _) in db.scan("blocked", b"").map_err(unreadable)? {
            if let Ok(device) = key.try_into() {
                self.blocked.insert(crdt::id::PublicKey(device));
            }
        }
        for (key, value) in db.scan("seen", b"").map_err(unreadable)? {
            if let (Ok(album), Ok(count)) = (key.try_into(), value.try_into()) {
                self.seen.insert(AlbumId(album), u64::from_be_bytes(count));
            }
        }
        self.load_uninvited().map_err(unreadable)?;
        for (key, value) in db.scan("verified", b"").map_err(unreadable)? {
            self.findings.load(key, &value);
        }
        for (key, value) in db.scan("devices", b"").map_err(unreadable)? {
            let known: Option<Known> = serde_json::from_slice(&value).ok();
            if let (Ok(device), Some(known)) = (key.try_into(), known) {
                self.known.insert(crdt::id::PublicKey(device), known);
            }
        }
        for (_, value) in db.scan("revoked", b"").map_err(unreadable)? {
            let revocation: Option<crdt::keys::Revocation> = serde_json::from_slice(&value).ok();
            if let Some(revocation) = revocation.filter(crdt::keys::Revocation::is_valid) {
                self.enforce(revocation);
            }
        }
        let albums = db.albums().map_err(unreadable)?;
        if let Err(error) = self.home.keep_checkpoints_of(&albums) {
            tracing::info!("checkpoints of other albums stay: {error}");
        }
        for id in albums {
            self.load(AlbumId(id))?;
        }
        let current = db.get("node", b"album").map_err(unreadable)?;
        self.current = current.and_then(|bytes| bytes.try_into().ok()).map(AlbumId);
        Ok(())
    }

    /// Makes an album the current one.
    fn enter(&mut self, album: AlbumId) {
        self.entered.insert(album);
        self.put("entered", &album.0, Vec::new());
        self.set_current(Some(album));
        self.access_changed();
    }

    fn set_current(&mut self, album: Option<AlbumId>) {
        self.current = album;
        match album {
            Some(album) => self.put("node", b"album", album.0.to_vec()),
            None => self.delete("node", b"album"),
        }
    }
}

/// A typed code in its one spelling.
///
/// # Errors
/// `usage`, with the word that is meant where one of them is none.
pub fn code(typed: &str) -> Result<String, Failure> {
    use code::words::{Code as Spoken, CodeError};
    Spoken::parse(typed)
        .map(|code| code.to_string())
        .map_err(|error| {
            let hint = match &error {
                CodeError::Unknown { near: Some(near), .. } => {
                    format!("did you mean {near}? Nothing was sent")
                }
                _ => "type it as you were told, for example /join 7-carpet-monkey-lamp".to_owned(),
            };
            Failure::new(Code::Usage, error.to_string(), hint)
        })
}

/// Whether a home has an account already, so that nobody need be asked for a name.
pub fn has_account(home: &Path) -> bool {
    let account = std::fs::read(home.join("account.json")).ok();
    let account = account.and_then(|bytes| serde_json::from_slice::<Account>(&bytes).ok());
    account.is_some_and(|account| account.confirmed)
}

/// A strategy's word.
fn strategy_word(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Op => "op",
        Strategy::Delta => "delta",
        Strategy::State => "state",
    }
}
