//! What all connections share: the registry, the lines to them, and the one thread that writes the database.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crdt::keys::{Certificate, Revocation};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::gate::Gate;
use crate::limits::{CHANGES_WAITING_MAX, OUTGOING_BYTES_MAX, OUTGOING_FRAMES_FAIR};
use crate::password::Setup;
use crate::proto::{Code, Failure, MailboxState};
use crate::registry::{Change, Delivery, NOBODY, Registry, SessionId};
use crate::store::{Store, StoreError};

/// How long nothing is due when nothing is known to be.
const IDLE: Duration = Duration::from_secs(3_600);

/// Whether the central goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// It serves.
    On,
    /// It was told to stop.
    Stop,
    /// The disk failed it.
    Broken(String),
}

/// A frame on its way to a connection.
pub(crate) struct Outgoing {
    pub(crate) bytes: Arc<[u8]>,
    /// Told once it is written.
    pub(crate) written: Option<oneshot::Sender<()>>,
    _waiting: Option<Waiting>,
}

/// Bytes that wait in queues, of all connections together; a frame in several queues counts in each.
#[derive(Debug, Default)]
struct WaitingBytes(AtomicUsize);

/// A frame's part of them, given back with it.
struct Waiting {
    all: Arc<WaitingBytes>,
    bytes: usize,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Outgoing {
    /// An answer; there is one at a time.
    pub(crate) fn answer(bytes: Vec<u8>, written: oneshot::Sender<()>) -> Self {
        Self {
            bytes: bytes.into(),
            written: Some(written),
            _waiting: None,
        }
    }

    fn push(bytes: &Arc<[u8]>, all: &Arc<WaitingBytes>) -> Self {
        all.0.fetch_add(bytes.len(), Ordering::Relaxed);
        let waiting = Waiting {
            all: all.clone(),
            bytes: bytes.len(),
        };
        Self {
            bytes: bytes.clone(),
            written: None,
            _waiting: Some(waiting),
        }
    }
}

/// How to reach a connection's task.
struct Line {
    outgoing: mpsc::Sender<Outgoing>,
    end: Arc<Notify>,
}

impl Line {
    /// Queues a push. False where the other end takes them too slowly.
    fn push(&self, bytes: &Arc<[u8]>, all: &Arc<WaitingBytes>) -> bool {
        let waiting = self.outgoing.max_capacity() - self.outgoing.capacity();
        if waiting > OUTGOING_FRAMES_FAIR && all.0.load(Ordering::Relaxed) > OUTGOING_BYTES_MAX {
            return false;
        }
        !matches!(
            self.outgoing.try_send(Outgoing::push(bytes, all)),
            Err(mpsc::error::TrySendError::Full(_))
        )
    }
}

/// Under one lock, which nobody holds for long or across an await.
pub(crate) struct State {
    pub(crate) registry: Registry,
    gate: Gate,
    lines: BTreeMap<SessionId, Line>,
    waiting: Arc<WaitingBytes>,
    last_id: SessionId,
    /// Told when something may be due earlier than before.
    timers: Arc<Notify>,
}

/// State and switch; the writer's thread holds it too.
pub(crate) struct Core {
    state: Mutex<State>,
    started: Instant,
    pub(crate) run: watch::Sender<Run>,
}

/// What a connection's task holds.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) core: Arc<Core>,
    pub(crate) setup: Arc<Setup>,
    jobs: mpsc::Sender<Job>,
}

/// What to write, and an answer for the one who asks.
pub(crate) type Planned = (Option<Change>, bool);
type Plan = Box<dyn FnOnce(&Registry) -> Result<Planned, Failure> + Send>;

struct Job {
    by: SessionId,
    plan: Plan,
    reply: oneshot::Sender<Result<Changed, Failure>>,
}

/// A plan's answer, and how many pushes the change caused.
pub(crate) struct Changed {
    pub(crate) answer: bool,
    pub(crate) pushes: usize,
}

impl Core {
    pub(crate) fn new(registry: Registry) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new(registry)),
            started: Instant::now(),
            run: watch::Sender::new(Run::On),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

/// Says that the central stops; the first reason counts.
pub(crate) fn stop(run: &watch::Sender<Run>, why: Run) {
    run.send_if_modified(|run| {
        let goes_on = *run == Run::On;
        if goes_on {
            *run = why;
        }
        goes_on
    });
}

/// Resolves when the central stops.
pub(crate) async fn stopped(run: &mut watch::Receiver<Run>) {
    // Without a sender nobody serves any more either.
    let _ = run.wait_for(|run| *run != Run::On).await;
}

impl State {
    fn new(registry: Registry) -> Self {
        Self {
            registry,
            gate: Gate::default(),
            lines: BTreeMap::new(),
            waiting: Arc::default(),
            last_id: 0,
            timers: Arc::default(),
        }
    }

    /// A connection came.
    pub(crate) fn opened(
        &mut self,
        address: IpAddr,
        outgoing: mpsc::Sender<Outgoing>,
        end: Arc<Notify>,
    ) -> SessionId {
        self.last_id += 1;
        let id = self.last_id;
        self.lines.insert(id, Line { outgoing, end });
        if let Some(other) = self.gate.opened(id, address) {
            self.hang_up(other);
        }
        id
    }

    /// It said hello, or ended its session.
    pub(crate) fn is_guest(&mut self, id: SessionId) {
        self.registry.end(id);
        if let Some(other) = self.gate.greeted(id) {
            self.hang_up(other);
        }
    }

    /// It is the session of a device whose certificate was checked.
    pub(crate) fn begin(&mut self, id: SessionId, cert: Certificate, now_ms: u64) -> Result<(), Failure> {
        // It did not come now, so it is not asked again what it may be answering.
        if self.registry.is_of(id, &cert) {
            return Ok(());
        }
        let ended = match self.registry.begin(id, cert) {
            Ok(ended) => ended,
            Err(failure) => {
                self.is_guest(id);
                return Err(failure);
            }
        };
        self.gate.gone(id);
        for other in ended {
            self.hang_up(other);
        }
        let knocks = self.registry.came_online(id, now_ms);
        self.deliver(&knocks);
        self.timers.notify_one();
        Ok(())
    }

    /// A device is its user's no longer: its connections end.
    pub(crate) fn end_device(&mut self, revocation: &Revocation) {
        for id in self.registry.end_device(revocation) {
            self.hang_up(id);
        }
    }

    /// Something may be due earlier than before.
    pub(crate) fn timers_moved(&self) {
        self.timers.notify_one();
    }

    /// It is closed.
    pub(crate) fn closed(&mut self, id: SessionId) {
        self.registry.end(id);
        self.gate.gone(id);
        self.lines.remove(&id);
        self.timers.notify_one();
    }

    fn hang_up(&self, id: SessionId) {
        if let Some(line) = self.lines.get(&id) {
            line.end.notify_one();
        }
    }

    /// Hands pushes to their connections; one whose queue is full reads too slowly and is dropped.
    pub(crate) fn deliver(&self, deliveries: &[Delivery]) -> usize {
        let mut pushes = 0;
        for Delivery { to, push } in deliveries {
            let bytes: Arc<[u8]> = push.encode().into();
            for line in to.iter().filter_map(|id| self.lines.get(id)) {
                pushes += 1;
                if !line.push(&bytes, &self.waiting) {
                    line.end.notify_one();
                }
            }
        }
        pushes
    }
}

impl Hub {
    /// Starts the writer. It ends, and closes the database, with the last clone of the hub.
    pub(crate) fn start(
        core: Arc<Core>,
        setup: Setup,
        store: Store,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::channel(CHANGES_WAITING_MAX);
        let for_writer = core.clone();
        let writer = std::thread::Builder::new()
            .name("central-writer".to_owned())
            .spawn(move || write_all(&for_writer, store, queue))?;
        Ok((
            Self {
                core,
                setup: Arc::new(setup),
                jobs,
            },
            writer,
        ))
    }

    /// Plans a change against what is known then, writes it, takes it over, tells whom it concerns.
    pub(crate) async fn change(
        &self,
        by: SessionId,
        plan: impl FnOnce(&Registry) -> Result<Planned, Failure> + Send + 'static,
    ) -> Result<Changed, Failure> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            by,
            plan: Box::new(plan),
            reply,
        };
        self.jobs.try_send(job).map_err(|_| Failure {
            retry_after_ms: Some(1_000),
            ..Failure::new(
                Code::Busy,
                "too many changes wait for the disk",
                "try again in 1 s",
            )
        })?;
        answer
            .await
            .map_err(|_| Failure::new(Code::Internal, "the central stops", "try again later"))?
    }
}

/// Does what is due in the mailboxes, in time, until the central stops.
pub(crate) async fn keep_time(hub: Hub) {
    let mut run = hub.core.run.subscribe();
    let moved = hub.core.lock().timers.clone();
    loop {
        let due = hub.core.lock().registry.next_timer();
        let due = due.map(|due_ms| hub.core.started + Duration::from_millis(due_ms));
        tokio::select! {
            biased;
            () = stopped(&mut run) => return,
            () = moved.notified() => continue,
            () = tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + IDLE)) => {}
        }
        hub.tick().await;
    }
}

impl Hub {
    async fn tick(&self) {
        let burnt = {
            let now = self.core.now_ms();
            let mut state = self.core.lock();
            let (deliveries, burnt) = state.registry.tick(now);
            state.deliver(&deliveries);
            burnt
        };
        for number in burnt {
            let plan = move |registry: &Registry| Ok((registry.plan_end(number, MailboxState::Burnt), true));
            if let Err(failure) = self.change(NOBODY, plan).await {
                tracing::warn!(number, %failure, "a code was not burnt");
            }
        }
    }

    /// Forgets what has expired.
    pub(crate) async fn sweep(&self) {
        let now = self.core.now_ms();
        let rested = {
            let mut state = self.core.lock();
            state.registry.sweep(now);
            state.registry.plan_forget(now).is_some()
        };
        if rested {
            // At the next sweep again, if it does not get onto the disk.
            let _ = self
                .change(NOBODY, move |registry| Ok((registry.plan_forget(now), true)))
                .await;
        }
    }
}

fn write_all(core: &Core, mut store: Store, mut queue: mpsc::Receiver<Job>) {
    while let Some(Job { by, plan, reply }) = queue.blocking_recv() {
        let planned = plan(&core.lock().registry);
        let result = match planned {
            Ok((Some(change), answer)) => match store.commit(&change) {
                Ok(()) => {
                    let mut state = core.lock();
                    let deliveries = state.registry.apply(change, by, core.now_ms());
                    Ok(Changed {
                        answer,
                        pushes: state.deliver(&deliveries),
                    })
                }
                Err(error) => {
                    tracing::error!(%error, "a change was not written");
                    if !matches!(error, StoreError::Full { .. }) {
                        stop(&core.run, Run::Broken(error.to_string()));
                    }
                    Err(Failure::new(
                        Code::Internal,
                        "the central cannot write",
                        "tell who runs it",
                    ))
                }
            },
            Ok((None, answer)) => Ok(Changed { answer, pushes: 0 }),
            Err(failure) => Err(failure),
        };
        // The one who asked may be gone.
        let _ = reply.send(result);
        if matches!(*core.run.borrow(), Run::Broken(_)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::OUTGOING_FRAMES_MAX;
    use crate::proto::Push;
    use crate::registry::Rows;
    use crdt::keys::KeyPair;

    struct Wire {
        id: SessionId,
        queue: mpsc::Receiver<Outgoing>,
        end: Arc<Notify>,
    }

    fn wire(state: &mut State) -> Wire {
        let (outgoing, queue) = mpsc::channel(OUTGOING_FRAMES_MAX);
        let end = Arc::new(Notify::new());
        let id = state.opened(IpAddr::from([127, 0, 0, 1]), outgoing, end.clone());
        Wire { id, queue, end }
    }

    impl Wire {
        async fn was_ended(&self) -> bool {
            tokio::select! {
                biased;
                () = self.end.notified() => true,
                () = std::future::ready(()) => false,
            }
        }
    }

    fn push(to: &[&Wire], name_bytes: usize) -> Delivery {
        let name = "x".repeat(name_bytes);
        let push = Push::Album {
            album: crdt::id::AlbumId([1; 32]),
            name,
            by: String::new(),
            removed: false,
        };
        Delivery {
            to: to.iter().map(|wire| wire.id).collect(),
            push,
        }
    }

    #[tokio::test]
    async fn a_full_queue_ends_its_connection_alone() {
        let mut state = State::new(Registry::load(Rows::default()).0);
        let (slow, mut quick) = (wire(&mut state), wire(&mut state));
        for _ in 0..OUTGOING_FRAMES_MAX {
            assert_eq!(state.deliver(&[push(&[&slow, &quick], 1)]), 2);
            assert!(quick.queue.try_recv().is_ok());
        }
        assert!(!slow.was_ended().await);
        state.deliver(&[push(&[&slow, &quick], 1)]);
        assert!(slow.was_ended().await);
        assert!(!quick.was_ended().await);
        state.closed(slow.id);
        assert_eq!(state.deliver(&[push(&[&slow], 1)]), 0);
    }

    #[tokio::test]
    async fn when_much_waits_in_all_only_fair_parts_stay() {
        const FRAME: usize = 64 * 1024;
        let mut state = State::new(Registry::load(Rows::default()).0);
        let (slow, quick) = (wire(&mut state), wire(&mut state));
        let one = push(&[&slow], FRAME);
        // Each frame is a little more than FRAME.
        for _ in 0..OUTGOING_BYTES_MAX / FRAME {
            state.deliver(std::slice::from_ref(&one));
        }
        assert!(!slow.was_ended().await);
        state.deliver(&[one]);
        assert!(slow.was_ended().await, "more than its part of too much");
        for _ in 0..=OUTGOING_FRAMES_FAIR {
            state.deliver(&[push(&[&quick], 1)]);
        }
        assert!(!quick.was_ended().await, "its fair part it has");
        state.deliver(&[push(&[&quick], 1)]);
        assert!(quick.was_ended().await);
        drop((slow, quick));
        assert_eq!(
            state.waiting.0.load(Ordering::Relaxed),
            0,
            "what is dropped waits no more"
        );
    }

    fn account(n: u8) -> Change {
        let (root, device) = (KeyPair::from_seed(&[n; 32]), KeyPair::from_seed(&[n + 100; 32]));
        Change::Account {
            name: format!("u{n}"),
            // More than one page of the database.
            password: Some(vec![n; 8_000]),
            cert: Certificate::issue(&root, &device.public()),
        }
    }

    /// The disk is full: what does not fit is refused, and said so, and is not there; what is there is still answered.
    /// When there is room again, the same change is taken.
    #[tokio::test]
    async fn a_full_disk_refuses_changes_and_answers_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("central.db");
        let (store, setup, rows) = Store::open(&path).unwrap();
        store.limit_to(40);
        let (hub, _writer) = Hub::start(Core::new(Registry::load(rows).0), setup, store).unwrap();
        let add = async |n: u8| {
            hub.change(1, move |_| Ok((Some(account(n)), true)))
                .await
                .map(drop)
        };
        let mut fitted = 0;
        let failure = loop {
            match add(fitted).await {
                Ok(()) => fitted += 1,
                Err(failure) => break failure,
            }
        };
        assert_eq!(
            (failure.code, &*failure.message),
            (Code::Internal, "the central cannot write")
        );
        assert!(fitted > 0);
        assert_eq!(*hub.core.run.borrow(), Run::On);
        let known = |n: u8| hub.core.lock().registry.lookup(&format!("u{n}")).is_ok();
        assert!((0..fitted).all(known) && !known(fitted));
        // Somebody makes room.
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute("UPDATE account SET password = NULL", []).unwrap();
        add(fitted).await.unwrap();
        assert!(known(fitted));
    }

    /// The disk fails otherwise (here: the table is gone, the same to us as an I/O error): nobody knows what of the change
    /// is there, so the central stops, with the reason, and takes no further change.
    #[tokio::test]
    async fn a_failing_disk_stops_the_central() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("central.db");
        let (store, setup, rows) = Store::open(&path).unwrap();
        let (hub, writer) = Hub::start(Core::new(Registry::load(rows).0), setup, store).unwrap();
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute("DROP TABLE device", [])
            .unwrap();
        let failed = hub.change(1, |_| Ok((Some(account(1)), true))).await.map(drop);
        assert_eq!(failed.unwrap_err().message, "the central cannot write");
        let mut run = hub.core.run.subscribe();
        stopped(&mut run).await;
        let Run::Broken(reason) = run.borrow().clone() else {
            panic!()
        };
        assert!(reason.contains("central.db could not be written"), "{reason}");
        writer.join().unwrap();
        let after = hub.change(1, |_| Ok((Some(account(2)), true))).await.map(drop);
        assert!(after.is_err());
        assert!(hub.core.lock().registry.lookup("u1").is_err());
    }

    #[tokio::test]
    async fn so_many_changes_wait_for_the_disk_and_one_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (store, setup, rows) = Store::open(&folder.path().join("central.db")).unwrap();
        let (hub, _writer) = Hub::start(Core::new(Registry::load(rows).0), setup, store).unwrap();
        // The first change takes its time.
        let (go, may_go) = std::sync::mpsc::channel::<()>();
        let (began, has_begun) = oneshot::channel();
        let mut waiting = tokio::task::JoinSet::new();
        let slow = hub.clone();
        waiting.spawn(async move {
            let plan = move |_: &Registry| {
                let _ = began.send(());
                let _ = may_go.recv();
                Ok((None, true))
            };
            slow.change(1, plan).await.map(drop)
        });
        has_begun.await.unwrap();
        for _ in 0..CHANGES_WAITING_MAX {
            let hub = hub.clone();
            waiting.spawn(async move { hub.change(1, |_| Ok((None, true))).await.map(drop) });
        }
        while hub.jobs.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        let Err(past) = hub.change(1, |_| Ok((None, true))).await else {
            panic!("taken")
        };
        assert_eq!((past.code, past.retry_after_ms), (Code::Busy, Some(1_000)));
        go.send(()).unwrap();
        while let Some(done) = waiting.join_next().await {
            assert!(done.unwrap().is_ok());
        }
    }
}
