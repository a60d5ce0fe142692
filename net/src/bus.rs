//! The bus: one PUB and one SUB per process on ipc sockets in a private folder, each owned by one task.
//!
//! How `zeromq` 0.7.0 is kept safe (its `sub.rs`, `sub_backend.rs`, `pub.rs`, `reconnect.rs`):
//!
//! - *SUB binds, the guard connects to it*, once per link. A SUB that connects starts a reconnect task per
//!   endpoint which nothing but dropping the socket ends, backs off up to 30 s, and blocks in `connect`; a
//!   bound one starts none, and forgets a connection when it closes. A thousand links leave nothing behind.
//! - *SUB subscribes to everything, once.* `recv` and `subscribe` both need the socket, so subscribing would
//!   mean abandoning a `recv`; and a subscription made while a connection is being set up is lost to it
//!   (`peer_connected` sends a snapshot before it registers the peer). What a peer's PUB is asked for is
//!   written by the guard ([`crate::gossip`]), which also knows when rights change.
//! - *PUB is paced.* It drops silently once 100,000 messages wait, so after every few hundred the task waits
//!   until all links have carried a marker ([`Pace`]).

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crdt::id::{AlbumId, PublicKey};
use tokio::net::UnixStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeromq::{PubSocket, Socket as _, SocketRecv as _, SocketSend as _, SubSocket, ZmqMessage};

use crate::zmtp::probe_topic;
use crate::{Event, PublishError, StartError, limits};

/// Number of the probe topic that paces the PUB.
pub(crate) const PACE_PROBE: u64 = u64::MAX;

/// The topics we subscribe to.
pub(crate) type Topics = watch::Receiver<Arc<BTreeSet<AlbumId>>>;

enum Command {
    Publish {
        topic: AlbumId,
        payload: Vec<u8>,
        _room: OwnedSemaphorePermit,
    },
    Probe(u64),
}

/// The two sockets, through their tasks.
pub(crate) struct Bus {
    pub_path: PathBuf,
    sub_path: PathBuf,
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    pub(crate) pace: Arc<Pace>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Bus {
    /// Binds both sockets. `stop` ends their tasks.
    pub(crate) async fn start(
        folder: &Path,
        from: PublicKey,
        topics: Topics,
        events: mpsc::Sender<Event>,
        pace_wait: Duration,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        prepare(folder).map_err(|why| StartError::Folder {
            path: folder.to_owned(),
            why,
        })?;
        let (pub_path, sub_path) = (folder.join("pub"), folder.join("sub"));
        let refused = |error: zeromq::ZmqError| StartError::Bus(error.to_string());
        let mut publisher = PubSocket::new();
        publisher
            .bind_listener(listen(&pub_path)?)
            .await
            .map_err(refused)?;
        let mut subscriber = SubSocket::new();
        subscriber.subscribe("").await.map_err(refused)?;
        subscriber
            .bind_listener(listen(&sub_path)?)
            .await
            .map_err(refused)?;

        let pace = Arc::new(Pace::default());
        let (commands, queue) = mpsc::channel(limits::PUBLISH_QUEUE_MAX);
        let actor = Publisher {
            socket: publisher,
            from: Bytes::copy_from_slice(&from.0),
            pace: pace.clone(),
            wait: pace_wait,
        };
        let tasks = vec![
            tokio::spawn(actor.run(queue, stop.clone())),
            tokio::spawn(receive(subscriber, topics, events, stop)),
        ];
        let room = Arc::new(Semaphore::new(limits::PUBLISH_QUEUE_BYTES_MAX));
        Ok(Self {
            pub_path,
            sub_path,
            commands,
            room,
            pace,
            tasks: Mutex::new(tasks),
        })
    }

    /// A conversation with our PUB.
    pub(crate) async fn connect_pub(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(&self.pub_path).await
    }

    /// A conversation with our SUB.
    pub(crate) async fn connect_sub(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(&self.sub_path).await
    }

    /// Hands a message to the PUB's task; waits while too much waits there.
    pub(crate) async fn publish(&self, topic: AlbumId, payload: Vec<u8>) -> Result<(), PublishError> {
        let bytes = payload.len();
        if bytes > limits::GOSSIP_PAYLOAD_BYTES_MAX {
            return Err(PublishError::TooLong { bytes });
        }
        let permits = u32::try_from(bytes).map_err(|_| PublishError::TooLong { bytes })?;
        let room = self
            .room
            .clone()
            .acquire_many_owned(permits)
            .await
            .map_err(|_| PublishError::Closed)?;
        let command = Command::Publish {
            topic,
            payload,
            _room: room,
        };
        self.commands
            .send(command)
            .await
            .map_err(|_| PublishError::Closed)
    }

    /// Has the PUB publish on a probe topic, soon; to be repeated until it is seen.
    pub(crate) fn probe(&self, number: u64) {
        let _ = self.commands.try_send(Command::Probe(number));
    }

    /// Waits until both tasks have ended, which `stop` asked of them, and the sockets' files are gone.
    pub(crate) async fn stopped(&self) {
        let tasks = match self.tasks.lock() {
            Ok(mut tasks) => std::mem::take(&mut *tasks),
            Err(_) => return,
        };
        for task in tasks {
            let _ = task.await;
        }
    }
}

/// Makes sure the folder is ours alone and holds no left-over sockets.
fn prepare(folder: &Path) -> Result<(), String> {
    let longest = folder.join("pub").as_os_str().len() + 1;
    if longest > limits::IPC_PATH_BYTES_MAX {
        return Err(format!(
            "a socket's path would have {longest} bytes, at most {}",
            limits::IPC_PATH_BYTES_MAX
        ));
    }
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| error.to_string())?;
    let found = std::fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !found.is_dir() {
        return Err("not a folder".to_owned());
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("it belongs to user {}", found.uid()));
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!("its mode is {:o}, not 700", found.mode() & 0o777));
    }
    for name in ["pub", "sub"] {
        let path = folder.join(name);
        match std::fs::symlink_metadata(&path) {
            Ok(left) if left.file_type().is_socket() => {
                std::fs::remove_file(&path).map_err(|error| error.to_string())?;
            }
            Ok(_) => return Err(format!("{name} in it is not a socket")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

fn listen(path: &Path) -> Result<UnixListener, StartError> {
    UnixListener::bind(path).map_err(|error| StartError::Folder {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

struct Publisher {
    socket: PubSocket,
    from: Bytes,
    pace: Arc<Pace>,
    wait: Duration,
}

impl Publisher {
    async fn run(mut self, mut queue: mpsc::Receiver<Command>, stop: CancellationToken) {
        let (mut messages, mut bytes) = (0, 0);
        loop {
            let command = tokio::select! {
                () = stop.cancelled() => break,
                command = queue.recv() => command,
            };
            match command {
                Some(Command::Publish { topic, payload, .. }) => {
                    messages += 1;
                    bytes += payload.len();
                    self.send(topic.0, Bytes::from(payload)).await;
                }
                Some(Command::Probe(number)) => self.send(probe_topic(number), Bytes::new()).await,
                None => break,
            }
            if messages >= limits::PACE_MESSAGES_MAX || bytes >= limits::PACE_BYTES_MAX {
                (messages, bytes) = (0, 0);
                if let Some(marker) = self.pace.next_marker() {
                    self.send(
                        probe_topic(PACE_PROBE),
                        Bytes::copy_from_slice(&marker.to_be_bytes()),
                    )
                    .await;
                    self.pace.wait(marker, self.wait).await;
                }
            }
        }
        self.socket.close().await;
    }

    async fn send(&mut self, topic: [u8; 32], payload: Bytes) {
        let parts = vec![Bytes::copy_from_slice(&topic), self.from.clone(), payload];
        let Ok(message) = ZmqMessage::try_from(parts) else {
            return;
        };
        // Only queues; never waits for a subscriber, so it cannot fail for one's sake.
        if let Err(error) = self.socket.send(message).await {
            tracing::warn!(%error, "pub did not take a message");
        }
    }
}

/// The SUB's task: everything the guards let through becomes an event.
async fn receive(
    mut socket: SubSocket,
    topics: Topics,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
) {
    loop {
        // `recv` may be abandoned here only because the socket ends with it.
        let received = tokio::select! {
            () = stop.cancelled() => break,
            received = socket.recv() => received,
        };
        let event = match received {
            Ok(message) => gossip(message),
            Err(error) => {
                // A connection that ended inside a message; the others go on.
                tracing::debug!(%error, "sub");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let Some((topic, event)) = event else { continue };
        if !topics.borrow().contains(&topic) {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            sent = events.send(event) => if sent.is_err() { break },
        }
    }
    socket.close().await;
}

/// A message's three parts as the guard let them through.
fn gossip(message: ZmqMessage) -> Option<(AlbumId, Event)> {
    let [topic, from, payload]: [Bytes; 3] = message.into_vec().try_into().ok()?;
    let topic = AlbumId(topic[..].try_into().ok()?);
    let from = PublicKey(from[..].try_into().ok()?);
    Some((
        topic,
        Event::Gossip {
            topic,
            from,
            payload: payload.into(),
        },
    ))
}

/// How far each link has carried what the PUB sent.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    gates: Mutex<BTreeMap<u64, Arc<GateState>>>,
    marker: AtomicU64,
    moved: Notify,
}

#[derive(Debug, Default)]
struct GateState {
    /// Whether markers are known to come through.
    ready: AtomicBool,
    /// Last marker carried.
    reached: AtomicU64,
    /// Kept the PUB waiting too long; not waited for until it has caught up.
    lagging: AtomicBool,
}

/// One link's place in [`Pace`]; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Gate {
    pace: Arc<Pace>,
    id: u64,
    state: Arc<GateState>,
}

impl Pace {
    /// A place for the link with this (unique) id.
    pub(crate) fn gate(self: &Arc<Self>, id: u64) -> Gate {
        let state = Arc::new(GateState::default());
        if let Ok(mut gates) = self.gates.lock() {
            gates.insert(id, state.clone());
        }
        Gate {
            pace: self.clone(),
            id,
            state,
        }
    }

    /// The next marker, if there is a link to carry it.
    fn next_marker(&self) -> Option<u64> {
        let empty = self.gates.lock().is_ok_and(|gates| gates.is_empty());
        (!empty).then(|| self.marker.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn is_reached(&self, marker: u64) -> bool {
        let Ok(gates) = self.gates.lock() else { return true };
        gates.values().all(|gate| {
            !gate.ready.load(Ordering::Acquire)
                || gate.reached.load(Ordering::Relaxed) >= marker
                || gate.lagging.load(Ordering::Relaxed)
        })
    }

    /// Waits until every link has carried the marker; those that take longer than `limit` are not waited
    /// for again before they have caught up.
    async fn wait(&self, marker: u64, limit: Duration) {
        let all = async {
            loop {
                let moved = self.moved.notified();
                if self.is_reached(marker) {
                    return;
                }
                moved.await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            let Ok(gates) = self.gates.lock() else { return };
            for gate in gates.values() {
                if gate.reached.load(Ordering::Relaxed) < marker {
                    gate.lagging.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Gate {
    /// The PUB's markers come through from now on: it may wait for this link.
    pub(crate) fn ready(&self) {
        if !self.state.ready.load(Ordering::Acquire) {
            let marker = self.pace.marker.load(Ordering::Relaxed);
            self.state.reached.fetch_max(marker, Ordering::Relaxed);
            self.state.ready.store(true, Ordering::Release);
        }
    }

    /// The link has carried everything before this marker.
    pub(crate) fn reach(&self, marker: u64) {
        self.state.reached.fetch_max(marker, Ordering::Relaxed);
        if marker >= self.pace.marker.load(Ordering::Relaxed) {
            self.state.lagging.store(false, Ordering::Relaxed);
        }
        self.pace.moved.notify_waiters();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Ok(mut gates) = self.pace.gates.lock() {
            gates.remove(&self.id);
        }
        self.pace.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const LIMIT: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_pub_waits_for_links_that_are_ready_and_keep_up() {
        let pace = Arc::new(Pace::default());
        assert_eq!(pace.next_marker(), None, "nobody to wait for");
        let (slow, quick, new) = (pace.gate(1), pace.gate(2), pace.gate(3));
        slow.ready();
        quick.ready();
        let marker = pace.next_marker().unwrap();
        quick.reach(marker);
        let start = Instant::now();
        // For a second, once; then no more until it has caught up.
        pace.wait(marker, LIMIT).await;
        assert_eq!(start.elapsed(), LIMIT);
        let marker = pace.next_marker().unwrap();
        quick.reach(marker);
        pace.wait(marker, LIMIT).await;
        assert_eq!(start.elapsed(), LIMIT);
        slow.reach(marker);
        let marker = pace.next_marker().unwrap();
        quick.reach(marker);
        let (waiting, ()) = tokio::join!(
            async {
                pace.wait(marker, LIMIT).await;
                start.elapsed()
            },
            async {
                tokio::time::sleep(LIMIT / 4).await;
                slow.reach(marker);
            }
        );
        assert_eq!(waiting, LIMIT + LIMIT / 4);
        // One that leaves is not waited for.
        let marker = pace.next_marker().unwrap();
        quick.reach(marker);
        tokio::join!(pace.wait(marker, LIMIT), async { drop(slow) });
        assert_eq!(start.elapsed(), LIMIT + LIMIT / 4);
        drop((quick, new));
        assert_eq!(pace.next_marker(), None);
    }

    /// A bus without its PUB task, and what would go to it.
    fn queue_only() -> (Bus, mpsc::Receiver<Command>) {
        let (commands, queue) = mpsc::channel(limits::PUBLISH_QUEUE_MAX);
        let bus = Bus {
            pub_path: PathBuf::new(),
            sub_path: PathBuf::new(),
            commands,
            room: Arc::new(Semaphore::new(limits::PUBLISH_QUEUE_BYTES_MAX)),
            pace: Arc::default(),
            tasks: Mutex::default(),
        };
        (bus, queue)
    }

    /// Whether a message is taken at once.
    async fn is_taken(bus: &Bus, bytes: usize) -> bool {
        tokio::select! {
            biased;
            published = bus.publish(AlbumId([1; 32]), vec![0; bytes]) => published.is_ok(),
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn publishing_waits_when_256_messages_or_8_mib_wait() {
        let (bus, mut queue) = queue_only();
        for n in 0..limits::PUBLISH_QUEUE_MAX {
            assert!(is_taken(&bus, 0).await, "message {n}");
        }
        assert!(!is_taken(&bus, 0).await);
        drop(queue.recv().await);
        assert!(is_taken(&bus, 0).await && !is_taken(&bus, 0).await);

        let (bus, mut queue) = queue_only();
        let most = limits::GOSSIP_PAYLOAD_BYTES_MAX;
        for _ in 0..limits::PUBLISH_QUEUE_BYTES_MAX / most {
            assert!(is_taken(&bus, most).await);
        }
        assert!(is_taken(&bus, 0).await, "no byte more is at the limit");
        assert!(!is_taken(&bus, 1).await);
        drop(queue.recv().await);
        assert!(is_taken(&bus, most).await && !is_taken(&bus, 1).await);
    }

    /// What comes out of the PUB: a marker after so many messages or bytes, not before.
    #[tokio::test]
    async fn markers_come_after_512_messages_or_a_mebibyte() {
        use crate::zmtp::{put_message, put_subscription};
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let folder = tempfile::Builder::new().prefix("net").tempdir().unwrap();
        let (stop, topics) = (CancellationToken::new(), watch::Sender::default());
        let (events, _) = mpsc::channel(1);
        let from = PublicKey([9; 32]);
        let path = folder.path().join("ipc");
        let bus = Bus::start(&path, from, topics.subscribe(), events, LIMIT, stop.clone())
            .await
            .unwrap();
        // There is a link, and it is not waited for.
        let _gate = bus.pace.gate(1);
        let mut near = bus.connect_pub().await.unwrap();
        let mut said = crate::tests::shake("SUB");
        for topic in [probe_topic(PACE_PROBE), probe_topic(1), [1; 32]] {
            put_subscription(&mut said, true, &topic);
        }
        near.write_all(&said).await.unwrap();
        near.read_exact(&mut vec![0; crate::tests::shake("PUB").len()])
            .await
            .unwrap();
        let (mut probe, mut marker) = (Vec::new(), 0);
        put_message(&mut probe, &probe_topic(1), &from.0, &[]);
        // The first probe that comes shows that the subscriptions are active; more may follow.
        let mut heard = Vec::new();
        while heard.is_empty() {
            bus.probe(1);
            let _ = tokio::time::timeout(Duration::from_millis(5), near.read_buf(&mut heard)).await;
        }
        let mut next = async |wanted: &[u8]| {
            while heard.len() < wanted.len() || heard.starts_with(&probe) {
                match heard.starts_with(&probe) {
                    true => drop(heard.drain(..probe.len())),
                    false => assert!(near.read_buf(&mut heard).await.unwrap() > 0),
                }
            }
            let rest = heard.split_off(wanted.len());
            assert!(
                std::mem::replace(&mut heard, rest) == wanted,
                "{} bytes",
                wanted.len()
            );
        };
        let (many, most) = (limits::PACE_MESSAGES_MAX, limits::PACE_BYTES_MAX);
        for (messages, bytes) in [(many, 1), (many, 1), (1, most), (2, most - 1), (1, most)] {
            for _ in 0..messages {
                bus.publish(AlbumId([1; 32]), vec![5; bytes]).await.unwrap();
                let mut message = Vec::new();
                put_message(&mut message, &[1; 32], &from.0, &vec![5; bytes]);
                next(&message).await;
            }
            marker += 1u64;
            let mut message = Vec::new();
            put_message(
                &mut message,
                &probe_topic(PACE_PROBE),
                &from.0,
                &marker.to_be_bytes(),
            );
            next(&message).await;
        }
        stop.cancel();
        bus.stopped().await;
    }
}
