//! A door for hostile bytes: a whole central without sockets, for `fuzz/`. Its database is in memory.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};

use crate::hub::{Core, Hub, Outgoing};
use crate::limits::OUTGOING_FRAMES_MAX;
use crate::proto::Nonce;
use crate::registry::{Registry, SessionId};
use crate::session::Session;
use crate::store::Store;

/// A central that nobody knows yet.
pub struct Desk {
    runtime: Runtime,
    hub: Option<Hub>,
    writer: Option<JoinHandle<()>>,
}

/// One connection after TLS and `hello`.
pub struct Connection<'a> {
    desk: &'a Desk,
    id: SessionId,
    session: Session,
    queue: mpsc::Receiver<Outgoing>,
}

impl Desk {
    /// With an empty database.
    #[allow(clippy::new_without_default, reason = "it starts a thread")]
    pub fn new() -> Desk {
        let (store, setup, rows) = Store::in_memory().expect("SQLite has memory");
        let core = Core::new(Registry::load(rows).0);
        let (hub, writer) = Hub::start(core, setup, store).expect("a thread can be started");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Desk {
            runtime: runtime.expect("a runtime without sockets"),
            hub: Some(hub),
            writer: Some(writer),
        }
    }

    /// A connection from `address` whose session signatures answer to `nonce`.
    pub fn connect(&self, address: IpAddr, nonce: Nonce) -> Connection<'_> {
        let hub = self.hub.clone().expect("there until it is dropped");
        let (outgoing, queue) = mpsc::channel(OUTGOING_FRAMES_MAX);
        let id = {
            let mut state = hub.core.lock();
            let id = state.opened(address, outgoing, Arc::new(Notify::new()));
            state.is_guest(id);
            id
        };
        Connection {
            desk: self,
            id,
            session: Session::new(hub, id, address, nonce),
            queue,
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.hub = None;
        if let Some(writer) = self.writer.take() {
            assert!(writer.join().is_ok(), "the writer's thread panicked");
        }
    }
}

impl Connection<'_> {
    /// The answer to one frame; `None` where the connection would be ended.
    pub fn say(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let answer = self.desk.runtime.block_on(self.session.on_frame(frame));
        answer.map(|(answer, _)| answer.encode())
    }

    /// What the central said unasked since the last call.
    pub fn pushes(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.queue.try_recv().ok())
            .map(|outgoing| outgoing.bytes.to_vec())
            .collect()
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        if let Some(hub) = &self.desk.hub {
            hub.core.lock().closed(self.id);
        }
    }
}
