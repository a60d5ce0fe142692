//! One connection's task: handshake, frames in, frames out, and every way it can end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::frame;
use crate::hub::{Hub, Outgoing, stopped};
use crate::limits::{
    HANDSHAKE_DEADLINE, IDLE_DEADLINE, OUTGOING_FRAMES_MAX, REQUESTS_BURST, REQUESTS_INTERVAL_MS,
    WRITE_DEADLINE,
};
use crate::proto::{Answer, Ask, Nonce, Request};
use crate::registry::SessionId;
use crate::session::{Session, hello};

/// How long the goodbye of TLS may take.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(1);

/// Why a connection ended, for the log.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the handshake took too long")]
    HandshakeDeadline,
    #[error("the handshake failed: {0}")]
    Handshake(std::io::Error),
    #[error("the first request was not hello")]
    NotHello,
    #[error("idle")]
    Idle,
    #[error("not a request")]
    Garbage,
    #[error("the other end does not read")]
    Slow,
    #[error(transparent)]
    Frame(#[from] frame::FrameError),
    #[error("made to end for others")]
    HungUp,
    #[error("the central stops")]
    Stopping,
}

/// Removes the connection from the hub however its task ends.
struct Registered {
    hub: Hub,
    id: SessionId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.hub.core.lock().closed(self.id);
    }
}

/// Serves a connection until it ends.
pub(crate) async fn run(tcp: TcpStream, address: IpAddr, acceptor: TlsAcceptor, hub: Hub) {
    let end = Arc::new(Notify::new());
    let (outgoing, queue) = mpsc::channel(OUTGOING_FRAMES_MAX);
    let id = hub.core.lock().opened(address, outgoing.clone(), end.clone());
    let registered = Registered { hub, id };
    let why = tokio::select! {
        () = end.notified() => End::HungUp,
        why = converse(tcp, address, acceptor, &registered, (outgoing, queue)) => why,
    };
    tracing::debug!(id, %address, %why, "connection ended");
}

async fn converse(
    tcp: TcpStream,
    address: IpAddr,
    acceptor: TlsAcceptor,
    registered: &Registered,
    (outgoing, queue): (mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>),
) -> End {
    let Registered { hub, id } = registered;
    let nonce = Nonce(rand::random());
    let mut run = hub.core.run.subscribe();
    let opened = tokio::select! {
        () = stopped(&mut run) => return End::Stopping,
        opened = timeout(HANDSHAKE_DEADLINE, open(tcp, acceptor, nonce)) => opened,
    };
    let (mut read, mut write) = match opened {
        Ok(Ok(halves)) => halves,
        Ok(Err(why)) => return why,
        Err(_) => return End::HandshakeDeadline,
    };
    hub.core.lock().is_guest(*id);
    let mut session = Session::new(hub.clone(), *id, address, nonce);
    let why = tokio::select! {
        why = read_all(&mut read, &mut session, hub, outgoing) => why,
        why = write_all(&mut write, queue) => why,
    };
    let _ = timeout(GOODBYE_DEADLINE, write.shutdown()).await;
    why
}

type Halves = (ReadHalf<TlsStream<TcpStream>>, WriteHalf<TlsStream<TcpStream>>);

/// TLS and `hello`.
async fn open(tcp: TcpStream, acceptor: TlsAcceptor, nonce: Nonce) -> Result<Halves, End> {
    tcp.set_nodelay(true).map_err(End::Handshake)?;
    let tls = acceptor.accept(tcp).await.map_err(End::Handshake)?;
    let (mut read, mut write) = tokio::io::split(tls);
    let first = frame::read(&mut read).await?;
    let Ok(Request {
        id,
        ask: Ask::Hello { v },
    }) = Request::decode(&first)
    else {
        return Err(End::NotHello);
    };
    let answer = Answer::new(id, hello(v, nonce));
    frame::write(&mut write, &answer.encode()).await?;
    match answer.error {
        None => Ok((read, write)),
        Some(_) => Err(End::NotHello),
    }
}

/// One request after the other: the next is read when the last one's answer is written.
async fn read_all(
    stream: &mut (impl AsyncRead + Unpin),
    session: &mut Session,
    hub: &Hub,
    outgoing: mpsc::Sender<Outgoing>,
) -> End {
    let mut run = hub.core.run.subscribe();
    // When the connection's budget will be full again.
    let mut full_at_ms = 0;
    loop {
        let frame = tokio::select! {
            biased;
            () = stopped(&mut run) => return End::Stopping,
            frame = timeout(IDLE_DEADLINE, frame::read(stream)) => frame,
        };
        let bytes = match frame {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return error.into(),
            Err(_) => return End::Idle,
        };
        let Some((answer, cost)) = session.on_frame(&bytes).await else {
            return End::Garbage;
        };
        drop(bytes);
        let (written, is_written) = oneshot::channel();
        let answer = Outgoing::answer(answer.encode(), written);
        if outgoing.send(answer).await.is_err() || is_written.await.is_err() {
            return End::Slow;
        }
        let now = hub.core.now_ms();
        full_at_ms = now.max(full_at_ms) + cost * REQUESTS_INTERVAL_MS;
        let over = (full_at_ms - now).saturating_sub(REQUESTS_BURST * REQUESTS_INTERVAL_MS);
        if over > 0 {
            tokio::select! {
                biased;
                () = stopped(&mut run) => return End::Stopping,
                () = tokio::time::sleep(Duration::from_millis(over)) => {}
            }
        }
    }
}

async fn write_all(stream: &mut (impl AsyncWrite + Unpin), mut queue: mpsc::Receiver<Outgoing>) -> End {
    while let Some(Outgoing { bytes, written, .. }) = queue.recv().await {
        match timeout(WRITE_DEADLINE, frame::write(stream, &bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return End::Slow,
        }
        if let Some(written) = written {
            let _ = written.send(());
        }
    }
    End::Stopping
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::hub::Core;
    use crate::registry::Registry;
    use crate::store::Store;

    /// A connection after hello, in virtual time, and the central behind it.
    struct Guest {
        session: Session,
        hub: Hub,
        near: DuplexStream,
        far: DuplexStream,
        outgoing: mpsc::Sender<Outgoing>,
        queue: mpsc::Receiver<Outgoing>,
    }

    fn guest(folder: &tempfile::TempDir) -> Guest {
        let (store, setup, rows) = Store::open(&folder.path().join("central.db")).unwrap();
        let (hub, _) = Hub::start(Core::new(Registry::load(rows).0), setup, store).unwrap();
        let (outgoing, queue) = mpsc::channel(OUTGOING_FRAMES_MAX);
        let (near, far) = duplex(1024 * 1024);
        Guest {
            session: Session::new(hub.clone(), 1, IpAddr::from([127, 0, 0, 1]), Nonce([0; 32])),
            hub,
            near,
            far,
            outgoing,
            queue,
        }
    }

    fn logout(id: u64) -> Vec<u8> {
        Request { id, ask: Ask::Logout }.encode()
    }

    /// Says that each frame is written, and when.
    async fn written(mut queue: mpsc::Receiver<Outgoing>) -> Vec<u64> {
        let (start, mut at) = (Instant::now(), Vec::new());
        while let Some(frame) = queue.recv().await {
            at.push(start.elapsed().as_millis() as u64);
            let _ = frame.written.unwrap().send(());
        }
        at
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_dropped_and_one_that_speaks_in_time_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let Guest {
            mut session,
            hub,
            mut near,
            mut far,
            outgoing,
            queue,
        } = guest(&folder);
        let start = Instant::now();
        let speak = async {
            tokio::time::sleep(IDLE_DEADLINE - Duration::from_millis(1)).await;
            frame::write(&mut far, &logout(1)).await.unwrap();
            // Half a frame is none.
            tokio::time::sleep(IDLE_DEADLINE / 2).await;
            far.write_all(&[0, 0, 0, 9, b'{']).await.unwrap();
        };
        let (why, (), answers) = tokio::join!(
            read_all(&mut near, &mut session, &hub, outgoing),
            speak,
            written(queue)
        );
        assert!(matches!(why, End::Idle), "{why}");
        assert_eq!(answers.len(), 1);
        let both = 2 * IDLE_DEADLINE - Duration::from_millis(1);
        assert_eq!(start.elapsed().as_secs(), both.as_secs());
    }

    /// A burst is answered at once. What is asked beyond it is answered at the rate, not refused.
    #[tokio::test(start_paused = true)]
    async fn requests_beyond_the_burst_are_read_more_slowly() {
        const MORE: u64 = 10;
        let folder = tempfile::tempdir().unwrap();
        let Guest {
            mut session,
            hub,
            mut near,
            mut far,
            outgoing,
            queue,
        } = guest(&folder);
        for id in 0..REQUESTS_BURST + MORE {
            frame::write(&mut far, &logout(id)).await.unwrap();
        }
        drop(far);
        let (why, at) = tokio::join!(read_all(&mut near, &mut session, &hub, outgoing), written(queue));
        assert!(matches!(why, End::Frame(_)), "{why}");
        // The one that is one past is answered still; what follows it waits.
        let at_once = REQUESTS_BURST as usize + 1;
        assert!(at[..at_once].iter().all(|ms| *ms == 0));
        assert_eq!(at.len() - at_once, MORE as usize - 1);
        for (ms, n) in at[at_once..].iter().zip(1..) {
            // Timers have a millisecond's grain.
            let due = n * REQUESTS_INTERVAL_MS;
            assert!((due..=due + 2).contains(ms), "{at:?}");
        }
    }

    /// The central's own clock: who does not answer is followed by the next, and an answer without an end burns the code,
    /// durably, with nobody saying a word.
    #[tokio::test(start_paused = true)]
    async fn a_mailbox_keeps_time() {
        use crate::limits::{ANSWER_WAIT_MS, EXCHANGE_MS};
        use crate::proto::{Bytes, ExchangeId, MailboxKind, MailboxState, SealedBox};
        use crate::registry::{Change, MailboxRow, Taken};
        use crdt::keys::{Certificate, KeyPair};
        let folder = tempfile::tempdir().unwrap();
        let Guest { hub, .. } = guest(&folder);
        let cert = |n: u8| {
            let root = KeyPair::from_seed(&[n; 32]);
            Certificate::issue(&root, &KeyPair::from_seed(&[n + 100; 32]).public())
        };
        let boxes = [1, 2].map(|n| SealedBox {
            device: cert(n).device,
            sealed: Bytes(vec![n]),
        });
        let row = MailboxRow {
            number: 7,
            opener: cert(1).user(),
            kind: MailboxKind::Album,
            album: None,
            boxes: boxes.to_vec(),
            state: MailboxState::Open,
            taken: None,
            until_ms: 1_000_000,
            answered: false,
        };
        let body = Bytes(b"a".to_vec());
        let taken = Taken {
            device: Some(cert(3).device),
            body: *blake3::hash(&body.0).as_bytes(),
        };
        for change in [
            Change::MailboxOpen(Box::new(row)),
            Change::MailboxTake { number: 7, taken },
        ] {
            hub.change(0, move |_| Ok((Some(change), true))).await.unwrap();
        }
        let mut queues = Vec::new();
        for n in 1..=3 {
            let (outgoing, queue) = mpsc::channel(OUTGOING_FRAMES_MAX);
            let mut state = hub.core.lock();
            let id = state.opened(IpAddr::from([127, 0, 0, 1]), outgoing, Arc::new(Notify::new()));
            state.begin(id, cert(n), 0).unwrap();
            queues.push((id, queue));
        }
        tokio::spawn(crate::hub::keep_time(hub.clone()));
        let id = ExchangeId([9; 16]);
        {
            let mut state = hub.core.lock();
            let now = hub.core.now_ms();
            let loopback = IpAddr::from([127, 0, 0, 1]);
            let knock = state.registry.knock(queues[2].0, loopback, (7, body), id, now);
            state.deliver(&knock.unwrap().1);
            state.timers_moved();
        }
        let start = Instant::now();
        assert!(queues[0].1.recv().await.is_some());
        assert!(queues[1].1.recv().await.is_some());
        let took = |wanted: u64| {
            let ms = start.elapsed().as_millis() as u64;
            // Timers have a millisecond's grain.
            assert!((wanted..=wanted + 2).contains(&ms), "{ms}, not {wanted}");
        };
        took(ANSWER_WAIT_MS);
        {
            let mut state = hub.core.lock();
            let now = hub.core.now_ms();
            let answer = Bytes(b"b".to_vec());
            state.registry.mail(queues[1].0, id, answer, None, now).unwrap();
            state.timers_moved();
        }
        let burnt = queues[0].1.recv().await.unwrap();
        let text = String::from_utf8(burnt.bytes.to_vec()).unwrap();
        assert_eq!(text, r#"{"push":"mailbox","number":7,"state":"burnt"}"#);
        took(ANSWER_WAIT_MS + EXCHANGE_MS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_is_not_taken_ends_the_connection() {
        let (mut near, mut far) = duplex(16);
        let (outgoing, queue) = mpsc::channel(OUTGOING_FRAMES_MAX);
        let start = Instant::now();
        let (taken, _is_taken) = oneshot::channel();
        let _ = outgoing.send(Outgoing::answer(vec![7; 100], taken)).await;
        // Some of it is taken, in good time; the rest is not.
        let take = async {
            let mut some = [0; 50];
            tokio::io::AsyncReadExt::read_exact(&mut far, &mut some)
                .await
                .unwrap();
        };
        let (why, ()) = tokio::join!(write_all(&mut near, queue), take);
        assert!(matches!(why, End::Slow), "{why}");
        assert_eq!(start.elapsed().as_secs(), WRITE_DEADLINE.as_secs());
    }
}
