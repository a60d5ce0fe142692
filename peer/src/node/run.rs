//! The node's one loop: the engine's only owner takes one input at a time and carries out what the engine says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crdt::id::{AlbumId, BlobHash, Incarnation, PublicKey};
use crdt::keys::Revocation;
use engine::{Action, AskId, CallId, Engine, Event, FetchId, Me, Outcome, Token};
use net::{Net, Responder};
use rand::RngCore as _;
use store::{Blobs, CommitError, Db, Home, Write};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::account::Account;
use super::busy::Busy;
use super::central::CentralState;
use super::checkpoint::Checkpoints;
use super::code::answer::Codes;
use super::counted::{Counted, Moved};
use super::gate::Gate;
use super::judge::Findings;
use super::known::Known;
use super::refused::Refusals;
use super::spare::{self, Spare};
use super::{Config, blobs, news};
use crate::api::{Code, Failure, Notice};
use crate::decoder::Decoder;

/// Frames and transfers that may wait for the loop; their tasks wait when it is full.
const FRAMES_QUEUE: usize = 64;
/// Gossip that may wait for the bus. Past it messages are dropped, which anti-entropy mends.
const PUBLISH_QUEUE: usize = 4096;
/// Answers of a peer whose times are kept.
const ANSWERS_KEPT: usize = 8;
/// Notices that a slow watcher may lag behind.
const NOTICES_KEPT: usize = 4096;

/// What reaches the loop besides network events.
pub(super) enum Input {
    /// A write came back.
    Persisted(Token, AlbumId, Result<(), CommitError>),
    /// A frame of an answer to a request of the engine's.
    Frame(AskId, Vec<u8>),
    /// A peer began to answer after so long.
    Answered(PublicKey, Duration),
    /// Its end.
    Ended(AskId, bool),
    /// A transfer ended.
    Fetched(FetchId, Outcome),
    /// A peer took a whole blob.
    Served(PublicKey, BlobHash),
    /// A blob here turned out to be damaged or gone.
    BlobGone(BlobHash),
    /// A step of a command or of the central's task.
    Do(Box<dyn FnOnce(&mut Node) + Send>),
    /// End.
    Stop,
}

/// The way to the node for commands and tasks. Cheap to clone.
#[derive(Clone)]
pub(super) struct Handle {
    inputs: mpsc::UnboundedSender<Input>,
    notices: broadcast::Sender<Notice>,
    /// Image bytes.
    pub(super) blobs: Blobs,
    /// What turns them into pixels.
    pub(super) decoder: Decoder,
    /// How many of them passed.
    pub(super) moved: Moved,
    /// Commands at work.
    pub(super) busy: Busy,
}

impl Handle {
    /// Runs a step on the loop, with the node to itself.
    ///
    /// # Errors
    /// The node is ending.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Node) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (tell, told) = oneshot::channel();
        let step = Box::new(move |node: &mut Node| drop(tell.send(step(node))));
        let ending = || Failure::new(Code::Unreachable, "the node is ending", "start it again");
        self.inputs.send(Input::Do(step)).map_err(|_| ending())?;
        told.await.map_err(|_| ending())
    }

    /// News from now on.
    pub(super) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Whether anybody watches.
    pub(super) fn is_heard(&self) -> bool {
        self.notices.receiver_count() > 0
    }

    /// Tells everyone who watches.
    pub(super) fn notify(&self, notice: Notice) {
        // Fails only when nobody watches.
        let _ = self.notices.send(notice);
    }

    /// Hands something in that nobody waits for.
    pub(super) fn send(&self, input: Input) {
        // Fails only when the node has ended; then nobody needs it.
        let _ = self.inputs.send(input);
    }
}

/// A durable write under way; await it before anything is acknowledged.
pub(super) type Durable = oneshot::Receiver<Result<(), Failure>>;

/// Everything a node has. Only its loop touches it.
pub(super) struct Node {
    pub(super) home: Home,
    pub(super) config: Config,
    pub(super) engine: Engine,
    pub(super) account: Option<Account>,
    pub(super) signed_in: bool,
    pub(super) incarnation: Incarnation,
    pub(super) current: Option<AlbumId>,
    /// Albums entered, whether or not their genesis is here yet.
    pub(super) entered: BTreeSet<AlbumId>,
    pub(super) net: Option<Net>,
    pub(super) gate: Arc<Gate>,
    pub(super) known: BTreeMap<PublicKey, Known>,
    /// Devices that their users' roots have revoked.
    pub(super) revoked: BTreeMap<PublicKey, Revocation>,
    pub(super) blocked: BTreeSet<PublicKey>,
    /// How long each linked peer's last answers took to begin.
    pub(super) answered: BTreeMap<PublicKey, VecDeque<Duration>>,
    /// Ops of each album that a person at a prompt has seen, in the order of receipt.
    pub(super) seen: BTreeMap<AlbumId, u64>,
    /// Versions that were made again: whether they came out as stated.
    pub(super) findings: Findings,
    pub(super) spare: Spare,
    pub(super) central: CentralState,
    pub(super) codes: Codes,
    pub(super) refusals: Refusals,
    pub(super) checkpoints: Checkpoints,
    /// Since when `/net` counts.
    pub(super) counted: Counted,
    pub(super) handle: Handle,
    db: Arc<Db>,
    started: Instant,
    publisher: Option<mpsc::Sender<(AlbumId, Vec<u8>)>>,
    net_events: mpsc::Sender<net::Event>,
    frames: mpsc::Sender<Input>,
    waiting: BTreeMap<Token, Vec<oneshot::Sender<Result<(), Failure>>>>,
    calls: BTreeMap<CallId, Responder>,
    last_call: u64,
    subscribed: BTreeSet<AlbumId>,
    fatal: Option<Failure>,
}

/// The loop's receiving ends.
pub(super) struct Inputs {
    inputs: mpsc::UnboundedReceiver<Input>,
    frames: mpsc::Receiver<Input>,
    net: mpsc::Receiver<net::Event>,
}

/// What a node is built from.
pub(super) struct Parts {
    pub(super) home: Home,
    pub(super) db: Db,
    pub(super) blobs: Blobs,
    pub(super) config: Config,
    pub(super) account: Option<Account>,
    pub(super) incarnation: Incarnation,
    pub(super) seed: [u8; 32],
}

impl Node {
    /// Puts a node together; nothing runs yet.
    pub(super) fn new(parts: Parts) -> (Self, Inputs) {
        let (inputs_in, inputs) = mpsc::unbounded_channel();
        let (frames_in, frames) = mpsc::channel(FRAMES_QUEUE);
        let (net_in, net) = mpsc::channel(FRAMES_QUEUE);
        let (notices, _) = broadcast::channel(NOTICES_KEPT);
        let handle = Handle {
            inputs: inputs_in,
            notices,
            blobs: parts.blobs,
            decoder: parts.config.decoder.clone(),
            moved: Moved::default(),
            busy: Busy::default(),
        };
        let config = engine::Config {
            strategy: parts.config.replication,
            anti_entropy: parts.config.anti_entropy,
        };
        let node = Self {
            home: parts.home,
            config: parts.config,
            engine: Engine::new(config, parts.seed),
            account: parts.account,
            signed_in: false,
            incarnation: parts.incarnation,
            current: None,
            entered: BTreeSet::new(),
            net: None,
            gate: Arc::new(Gate::default()),
            known: BTreeMap::new(),
            revoked: BTreeMap::new(),
            blocked: BTreeSet::new(),
            answered: BTreeMap::new(),
            seen: BTreeMap::new(),
            findings: Findings::default(),
            spare: Spare::default(),
            central: CentralState::default(),
            codes: Codes::default(),
            refusals: Refusals::default(),
            checkpoints: Checkpoints::default(),
            counted: Counted::new(),
            handle,
            db: Arc::new(parts.db),
            started: Instant::now(),
            publisher: None,
            net_events: net_in,
            frames: frames_in,
            waiting: BTreeMap::new(),
            calls: BTreeMap::new(),
            last_call: 0,
            subscribed: BTreeSet::new(),
            fatal: None,
        };
        (node, Inputs { inputs, frames, net })
    }

    /// Runs until told to stop or a disk error ends it; returns what ended it.
    pub(super) async fn run(mut self, mut from: Inputs) -> Result<(), Failure> {
        loop {
            self.carry_out();
            if let Some(failure) = self.fatal.take() {
                self.end().await;
                return Err(failure);
            }
            let timer = self.engine.next_timer();
            let wait = timer.map(|at| Duration::from_millis(at.saturating_sub(self.now())));
            tokio::select! {
                biased;
                Some(input) = from.inputs.recv() => match input {
                    Input::Stop => break,
                    input => self.on_input(input),
                },
                Some(input) = from.frames.recv() => self.on_input(input),
                Some(event) = from.net.recv() => self.on_net(event),
                () = tokio::time::sleep(wait.unwrap_or(Duration::from_secs(3600))) => self.feed(Event::Tick),
            }
        }
        self.end().await;
        self.keep_checkpoints();
        Ok(())
    }

    async fn end(&mut self) {
        if let Some(net) = self.net.take() {
            net.shutdown().await;
        }
        self.waiting.clear();
        // While the home's lock is still ours: the next node makes its own sockets.
        let _ = std::fs::remove_dir_all(super::place::runtime_dir(self.home.path()));
    }

    /// Milliseconds of this run, the engine's time.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn feed(&mut self, event: Event) {
        let now = self.now();
        self.engine.handle(now, event);
        self.note_refused();
        self.carry_out();
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Persisted(token, album, result) => self.on_persisted(token, album, result),
            Input::Frame(ask, frame) => self.feed(Event::Frame { ask, frame }),
            Input::Answered(peer, after) => self.note_answer(peer, after),
            Input::Ended(ask, whole) => self.feed(Event::Ended { ask, whole }),
            Input::Fetched(fetch, outcome) => self.feed(Event::Fetched { fetch, outcome }),
            Input::Served(peer, blob) => self.feed(Event::Served { peer, blob }),
            Input::BlobGone(blob) => self.feed(Event::BlobGone { blob }),
            Input::Do(step) => step(self),
            Input::Stop => {}
        }
    }

    fn on_persisted(&mut self, token: Token, album: AlbumId, result: Result<(), CommitError>) {
        let waiting = self.waiting.remove(&token).unwrap_or_default();
        let outcome = match result {
            Ok(()) => {
                self.feed(Event::Persisted { token });
                self.checkpoint_if_due(album);
                Ok(())
            }
            Err(error @ CommitError::DiskFull { .. }) => {
                self.feed(Event::NotPersisted { token, album });
                Err(Failure::new(
                    Code::DiskFull,
                    error.to_string(),
                    "free some space and try again; nothing was changed",
                ))
            }
            Err(error) => {
                let hint =
                    "the disk cannot be trusted: check it, run `calotype fsck`, then start calotype again";
                let failure = Failure::new(Code::Internal, format!("cannot write the home: {error}"), hint);
                self.fatal = Some(failure.clone());
                Err(failure)
            }
        };
        for waiter in waiting {
            let _ = waiter.send(outcome.clone());
        }
    }

    fn on_net(&mut self, event: net::Event) {
        match event {
            net::Event::LinkUp {
                peer,
                certificate,
                address,
                dialled,
                hello,
            } => {
                self.refusals.linked(peer);
                self.learn(peer, certificate.clone(), None, Vec::new());
                self.learn_hello(peer, &hello);
                self.note_link(peer, dialled.then_some(address));
                news::peer(self, peer, &certificate, None);
                self.feed(Event::LinkUp { peer, certificate });
            }
            net::Event::LinkDown { peer, reason } => {
                if let Some(known) = self.known.get(&peer).cloned() {
                    news::peer(self, peer, &known.certificate, Some(reason));
                }
                self.note_link(peer, None);
                self.answered.remove(&peer);
                self.feed(Event::LinkDown { peer });
                spare::moved(self);
            }
            net::Event::Refused { kind, peer, detail } if net::REFUSED_KINDS.contains(&kind) => {
                self.refused(kind, peer, 1, &detail);
            }
            // The other side's no, or two links at once: the guard's log has it.
            net::Event::Refused { .. } => {}
            net::Event::Gossip { topic, from, payload } => self.feed(Event::Gossip {
                album: topic,
                from,
                payload,
            }),
            net::Event::Request { peer, body, reply } => {
                self.last_call += 1;
                let call = CallId(self.last_call);
                self.calls.insert(call, reply);
                self.feed(Event::Called { call, peer, body });
            }
        }
    }

    /// Does what the engine says, in its order, until it has nothing more to say.
    pub(super) fn carry_out(&mut self) {
        while let Some(action) = self.engine.poll() {
            match action {
                Action::Persist { token, album, ops } => self.persist(token, album, &ops),
                Action::Remember { incarnation } => self.remember(incarnation),
                Action::Reload { album } => match self.load(album) {
                    Ok(()) => {}
                    Err(failure) => self.fatal = Some(failure),
                },
                Action::Publish { album, payload } => {
                    let full = self
                        .publisher
                        .as_ref()
                        .is_some_and(|bus| bus.try_send((album, payload)).is_err());
                    if full {
                        tracing::warn!("gossip queue full; anti-entropy will mend it");
                    }
                }
                Action::Ask { ask, peer, body } => self.ask(ask, peer, body),
                Action::Answer { call, frames } => self.answer(call, frames),
                Action::ServeList { call, peer, blob } => self.serve_list(call, peer, blob),
                Action::ServeChunks {
                    call,
                    peer,
                    blob,
                    chunks,
                } => self.serve_chunks(call, peer, blob, chunks),
                Action::Fetch {
                    fetch,
                    peer,
                    album,
                    blob,
                    size,
                } => self.fetch(fetch, peer, album, blob, size),
                Action::Changed { album, changes, mine } => {
                    news::changed(self, album, &changes, mine);
                    spare::changed(self, album, &changes);
                }
                Action::Arrived { album, blob } => {
                    news::bytes_ready(self, album, blob, false);
                    spare::moved(self);
                }
                Action::Access => self.access_changed(),
            }
        }
    }

    /// The next op is written as this incarnation: forgetting it would reuse dots after a restart, so a disk that cannot
    /// take it ends the node.
    fn remember(&mut self, incarnation: Incarnation) {
        self.incarnation = incarnation;
        let handle = self.handle.clone();
        let done = move |result: Result<(), CommitError>| {
            if let Err(error) = result {
                let failure = Failure::new(
                    Code::DiskFull,
                    format!("cannot keep who this device is: {error}"),
                    "free some space and start again",
                );
                handle.send(Input::Do(Box::new(move |node| node.fatal = Some(failure))));
            }
        };
        let value = incarnation.0.to_vec();
        let write = Write::Put {
            space: "node",
            key: b"incarnation".to_vec(),
            value,
        };
        self.db.commit_urgent(vec![write], Box::new(done));
    }

    fn persist(&mut self, token: Token, album: AlbumId, ops: &[Arc<crdt::op::Op>]) {
        let write = |op: &Arc<crdt::op::Op>| Write::Op {
            album: album.0,
            hash: op.hash.0,
            bytes: op.bytes().as_bytes().to_vec(),
        };
        let handle = self.handle.clone();
        let done = move |result| handle.send(Input::Persisted(token, album, result));
        // Removals and what is said again carry no clock: when they came is noted beside them.
        let now = clock_ms().to_le_bytes().to_vec();
        let is_timeless = |op: &&Arc<crdt::op::Op>| {
            let header = &op.header;
            (header.count == 0 && !header.removes.is_empty()) || header.batch.is_some()
        };
        let seen = ops.iter().filter(is_timeless).map(|op| Write::Put {
            space: "seen",
            key: [album.0, op.hash.0].concat(),
            value: now.clone(),
        });
        let batch: Vec<Write> = ops.iter().map(write).chain(seen).collect();
        // Deleting must work on a full disk: it may use the store's reserve, which is not for others to use up.
        let me = self.engine.me().map(|me| me.author.actor());
        let deletes = |op: &Arc<crdt::op::Op>| op.facts.is_empty() && Some(op.header.actor) == me;
        if ops.iter().all(deletes) {
            self.db.commit_urgent(batch, Box::new(done));
        } else {
            self.db.commit(batch, Box::new(done));
        }
    }

    /// Waits for a write of the engine's.
    pub(super) fn durable(&mut self, token: Token) -> Durable {
        let (tell, told) = oneshot::channel();
        self.waiting.entry(token).or_default().push(tell);
        self.carry_out();
        told
    }

    /// Stores a small value; durable before any later op is.
    pub(super) fn put(&self, space: &'static str, key: &[u8], value: Vec<u8>) {
        let complain = |result: Result<(), CommitError>| {
            if let Err(error) = result {
                tracing::error!("cannot keep a setting: {error}");
            }
        };
        self.db.commit(
            vec![Write::Put {
                space,
                key: key.to_vec(),
                value,
            }],
            Box::new(complain),
        );
    }

    /// Drops a small value.
    pub(super) fn delete(&self, space: &'static str, key: &[u8]) {
        let complain = |result: Result<(), CommitError>| {
            if let Err(error) = result {
                tracing::error!("cannot drop a setting: {error}");
            }
        };
        self.db.commit(
            vec![Write::Delete {
                space,
                key: key.to_vec(),
            }],
            Box::new(complain),
        );
    }

    /// Reads an album from the database into the engine.
    pub(super) fn load(&mut self, album: AlbumId) -> Result<(), Failure> {
        let (start, from) = self.resume(album).unzip();
        let mut ops = Vec::new();
        let mut unreadable = 0;
        let mut read = |_, _, bytes: &[u8]| match std::str::from_utf8(bytes).ok().map(crdt::op::Op::decode) {
            Some(Ok(op)) => ops.push(Arc::new(op)),
            _ => unreadable += 1,
        };
        let loaded = self
            .db
            .ops(&album.0, from.unwrap_or(0), &mut read)
            .map_err(|error| {
                Failure::new(
                    Code::Damaged,
                    format!("cannot read album {}: {error}", album.hex()),
                    "end calotype and run `calotype fsck`",
                )
            })?;
        let bad = loaded.missing() + unreadable;
        if bad > 0 {
            let text = format!(
                "{bad} damaged entries of an album on disk were left out; peers will send them again, \
                 `calotype fsck` mends the rest"
            );
            news::warn(self, text);
            self.start_new_life();
        }
        self.feed(match start.map(Box::new) {
            Some(start) => Event::Resumed { start, ops },
            None => Event::Loaded { album, ops },
        });
        // The engine stands on what is there, so what it writes from now on may be stored.
        self.db.readmit(&album.0);
        Ok(())
    }

    /// What is missing may be the last ops of our own: whoever writes on as the same actor uses their dots again. So this
    /// device goes on as a new one, as a restored copy does.
    fn start_new_life(&mut self) {
        let mut bytes = [0; 16];
        rand::rngs::OsRng.fill_bytes(&mut bytes);
        self.remember(Incarnation(bytes));
        if let (Some(account), Some(me)) = (&self.account, self.engine.me()) {
            let me = Me {
                author: account.author(self.incarnation),
                name: me.name.clone(),
            };
            self.engine.sign_in(Some(me));
        }
    }

    fn ask(&self, ask: AskId, peer: PublicKey, body: Vec<u8>) {
        let (net, frames) = (self.net.clone(), self.frames.clone());
        tokio::spawn(async move {
            let whole = async {
                let begun = Instant::now();
                let mut replies = net?.request(peer, body).await.ok()?;
                let mut first = true;
                while let Some(frame) = replies.next().await {
                    if std::mem::take(&mut first) {
                        let answered = Input::Answered(peer, begun.elapsed());
                        frames.send(answered).await.ok()?;
                    }
                    frames.send(Input::Frame(ask, frame.ok()?)).await.ok()?;
                }
                Some(())
            };
            let whole = whole.await.is_some();
            let _ = frames.send(Input::Ended(ask, whole)).await;
        });
    }

    fn answer(&mut self, call: CallId, frames: Vec<Vec<u8>>) {
        let Some(mut reply) = self.calls.remove(&call) else {
            return;
        };
        if frames.is_empty() {
            return; // Dropping it tells the asker that it failed.
        }
        tokio::spawn(async move {
            for frame in frames {
                if let Err(error) = reply.send(&frame).await {
                    return tracing::debug!("answer: {error}");
                }
            }
            if let Err(error) = reply.finish().await {
                tracing::debug!("answer: {error}");
            }
        });
    }

    fn serve_list(&mut self, call: CallId, peer: PublicKey, blob: BlobHash) {
        let Some(reply) = self.calls.remove(&call) else {
            return;
        };
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let count = |bytes| handle.moved.sent(peer, bytes);
            if let Err(error) = blobs::serve_list(handle.blobs.clone(), blob, reply, count).await {
                tracing::warn!("serving {}: {error}", blob.hex());
                blobs::doubt(&handle, blob).await;
            }
        });
    }

    fn serve_chunks(&mut self, call: CallId, peer: PublicKey, blob: BlobHash, chunks: Vec<(u32, u32)>) {
        let Some(reply) = self.calls.remove(&call) else {
            return;
        };
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let count = |bytes| handle.moved.sent(peer, bytes);
            match blobs::serve_chunks(handle.blobs.clone(), blob, chunks, reply, count).await {
                Ok(true) => handle.send(Input::Served(peer, blob)),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!("serving {}: {error}", blob.hex());
                    blobs::doubt(&handle, blob).await;
                }
            }
        });
    }

    fn fetch(&self, fetch: FetchId, peer: PublicKey, album: AlbumId, blob: BlobHash, size: u64) {
        let (net, handle, frames) = (self.net.clone(), self.handle.clone(), self.frames.clone());
        tokio::spawn(async move {
            let outcome = match net {
                Some(net) => blobs::fetch(net, &handle, peer, album, blob, size).await,
                None => Outcome::Broken,
            };
            if outcome == Outcome::Wrong {
                let detail = format!("not the bytes of {}", blob.hex());
                let note = move |node: &mut Node| node.refused("blob_wrong", Some(peer), 1, &detail);
                handle.send(Input::Do(Box::new(note)));
            }
            let _ = frames.send(Input::Fetched(fetch, outcome)).await;
        });
    }

    /// Membership may have moved: new rules for the guard, topics for what is here, dials to who is known.
    pub(super) fn access_changed(&mut self) {
        self.gate.set_access(self.engine.access());
        let topics: BTreeSet<AlbumId> = self.engine.albums().map(crdt::Album::id).collect();
        if let Some(net) = &self.net {
            for topic in topics.difference(&self.subscribed) {
                net.subscribe(*topic);
            }
            for topic in self.subscribed.difference(&topics) {
                net.unsubscribe(*topic);
            }
            net.recheck();
        }
        self.subscribed = if self.net.is_some() {
            topics
        } else {
            BTreeSet::new()
        };
        self.central.albums_changed();
    }

    /// The net is up: from now on what the engine publishes goes out.
    pub(super) fn connect_bus(&mut self, net: Net) {
        let (publisher, mut queue) = mpsc::channel::<(AlbumId, Vec<u8>)>(PUBLISH_QUEUE);
        let bus = net.clone();
        tokio::spawn(async move {
            while let Some((album, payload)) = queue.recv().await {
                if let Err(error) = bus.publish(album, payload).await {
                    tracing::debug!("publish: {error}");
                }
            }
        });
        self.publisher = Some(publisher);
        self.net = Some(net);
        self.subscribed.clear();
        self.access_changed();
    }

    /// Takes the net down; the caller ends it.
    pub(super) fn disconnect_bus(&mut self) -> Option<Net> {
        self.publisher = None;
        self.subscribed.clear();
        for (peer, _) in self.engine.linked().collect::<Vec<_>>() {
            self.feed(Event::LinkDown { peer });
        }
        if let Some(net) = &self.net {
            self.refusals.keep(&net.counters());
            self.counted.keep(net.carried());
        }
        self.net.take()
    }

    /// Where the guard sends its events.
    pub(super) fn net_events(&self) -> mpsc::Sender<net::Event> {
        self.net_events.clone()
    }

    /// The database, for reads.
    pub(super) fn db(&self) -> &Arc<Db> {
        &self.db
    }

    /// A peer began to answer after so long.
    fn note_answer(&mut self, peer: PublicKey, after: Duration) {
        let times = self.answered.entry(peer).or_default();
        if times.len() >= ANSWERS_KEPT {
            times.pop_front();
        }
        times.push_back(after);
    }
}

/// Wall clock in milliseconds since 1970.
pub(super) fn clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// RFC 3339 UTC of milliseconds since 1970; the epoch itself where the number is past the calendar.
pub(super) fn rfc3339(ms: u64) -> String {
    // The year 9999 ends there.
    let ms = if ms < 253_402_300_800_000 { ms } else { 0 };
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}
