//! One link: hello, and then everything that runs over it until one part ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crdt::id::PublicKey;
use crdt::keys::Certificate;
use tokio::io::{AsyncReadExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep, timeout};

use crate::frame::{self, FrameError};
use crate::hello::{self, Answer, Control, Hello};
use crate::request::Responder;
use crate::state::{Candidate, Refusal, Registration, Shared};
use crate::transport::{self, Link, Meter, Stream, TransportError};
use crate::{Event, gossip, limits};

/// First byte of a stream: hello, heartbeats, goodbye.
pub(crate) const STREAM_CONTROL: u8 = 0;
/// First byte of a stream: ZMTP between the opener's SUB and the other's PUB.
pub(crate) const STREAM_GOSSIP: u8 = 1;
/// First byte of a stream: one request and its answer.
pub(crate) const STREAM_REQUEST: u8 = 2;

/// Why no link came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelloError {
    #[error("{0}")]
    Transport(#[from] TransportError),
    #[error("{0}")]
    Refused(Refusal),
    #[error("the device may not be here")]
    Policy,
    #[error("the certificate is not one for the device")]
    Certificate,
    #[error("hello: {0}")]
    Frame(#[from] FrameError),
    #[error("not a hello")]
    Form,
    #[error("the peer said: {0}")]
    Bye(String),
    #[error("the link ended before hello")]
    Ended,
}

impl HelloError {
    /// The counter's name.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            HelloError::Transport(_) | HelloError::Ended => "handshake",
            HelloError::Refused(refusal) => refusal.kind(),
            HelloError::Policy => "unknown_key",
            HelloError::Certificate => "certificate",
            HelloError::Frame(_) | HelloError::Form => "hello",
            HelloError::Bye(_) => "refused_by_peer",
        }
    }
}

/// A link after hello, not yet running.
pub(crate) struct Established {
    link: Link,
    control: Stream,
    certificate: Certificate,
    extra: Vec<u8>,
    address: SocketAddr,
    dialled: bool,
    registration: Registration,
}

/// Over a connection that we made: proves both ends, says hello.
pub(crate) async fn greet(
    shared: &Shared,
    tcp: TcpStream,
    peer: PublicKey,
    address: SocketAddr,
) -> Result<Established, HelloError> {
    let link = shared.secure.dial(tcp, peer, &shared.windows).await?;
    let mut control = link.opener.open().await.ok_or(HelloError::Ended)?;
    let hello = hello::encode(&my_hello(shared));
    frame::write_all(&mut control, &[STREAM_CONTROL], shared.times.handshake).await?;
    frame::write(&mut control, &hello, shared.times.handshake).await?;
    let judged = match read_answer(&mut control, shared).await? {
        Answer::Hello(hello) => judge(shared, &link, *hello, address, true),
        Answer::Other(Control::Bye(reason)) => return Err(HelloError::Bye(hello::reason(&reason))),
        Answer::Other(Control::Beat(_)) => Err(HelloError::Form),
    };
    finish(shared, link, control, judged, address, true).await
}

/// Answers a connection: proves both ends, hears the hello, and only to a welcome peer says its own. `seen`
/// learns the device's key as soon as it is proved.
pub(crate) async fn answer(
    shared: &Shared,
    tcp: TcpStream,
    address: SocketAddr,
    seen: &mut Option<PublicKey>,
) -> Result<Established, HelloError> {
    transport::tune(&tcp, shared.times.tcp_user).map_err(TransportError::from)?;
    let mut link = shared.secure.accept(tcp, &shared.windows).await?;
    *seen = Some(link.remote);
    if let Some(refusal) = shared.peers.refusal(&link.remote) {
        return Err(HelloError::Refused(refusal));
    }
    let mut control = link.incoming.recv().await.ok_or(HelloError::Ended)?;
    let kind = control.read_u8().await.map_err(FrameError::from)?;
    if kind != STREAM_CONTROL {
        return Err(HelloError::Form);
    }
    let judged = match read_answer(&mut control, shared).await? {
        Answer::Hello(hello) => judge(shared, &link, *hello, address, false),
        Answer::Other(_) => Err(HelloError::Form),
    };
    finish(shared, link, control, judged, address, false).await
}

fn my_hello(shared: &Shared) -> Hello {
    Hello::new(shared.certificate.clone(), &shared.hello, shared.run)
}

async fn read_answer(control: &mut Stream, shared: &Shared) -> Result<Answer, HelloError> {
    match frame::read(control, limits::CONTROL_FRAME_BYTES_MAX, shared.times.handshake).await? {
        frame::Read::Frame(json) => serde_json::from_slice(&json).map_err(|_| HelloError::Form),
        frame::Read::End => Err(HelloError::Form),
    }
}

type Judged = Result<(Certificate, Vec<u8>, Registration), HelloError>;

/// Whether the one who said this hello may stay; takes the peer's place for it.
fn judge(shared: &Shared, link: &Link, hello: Hello, address: SocketAddr, dialled: bool) -> Judged {
    let extra = hello.extra().ok_or(HelloError::Form)?;
    let peer = link.remote;
    if hello.cert.device != peer || !hello.cert.is_valid() {
        return Err(HelloError::Certificate);
    }
    if !shared.policy.may_link(&peer, &hello.cert) {
        return Err(HelloError::Policy);
    }
    let candidate = Candidate {
        peer,
        address,
        dialled,
        run: hello.run,
        opener: link.opener.clone(),
        meter: link.meter.clone(),
    };
    let registration = shared.peers.register(candidate).map_err(HelloError::Refused)?;
    Ok((hello.cert, extra, registration))
}

/// Says so to the peer, either way.
async fn finish(
    shared: &Shared,
    link: Link,
    mut control: Stream,
    judged: Judged,
    address: SocketAddr,
    dialled: bool,
) -> Result<Established, HelloError> {
    match judged {
        Ok((certificate, extra, registration)) => {
            if !dialled {
                let hello = hello::encode(&my_hello(shared));
                frame::write(&mut control, &hello, shared.times.handshake).await?;
            }
            Ok(Established {
                link,
                control,
                certificate,
                extra,
                address,
                dialled,
                registration,
            })
        }
        Err(error) => {
            let bye = hello::encode(&hello::bye(&error.to_string()));
            let _ = frame::write(&mut control, &bye, shared.times.goodbye).await;
            drop(control);
            link.close().await;
            Err(error)
        }
    }
}

/// Runs a link to its end.
pub(crate) async fn run(shared: Arc<Shared>, established: Established) {
    let Established {
        mut link,
        control,
        certificate,
        extra,
        address,
        dialled,
        mut registration,
    } = established;
    let peer = link.remote;
    let (control_read, control_write) = tokio::io::split(control);
    let control_write = Mutex::new(control_write);
    let active = watch::Sender::new(false);
    let up = watch::Sender::new(false);
    let heard_bye = AtomicBool::new(false);
    let predecessor = registration.predecessor.take();
    let (gossip_in, gossip_streams) = mpsc::channel(1);
    let meter = link.meter.clone();
    let opener = link.opener.clone();
    let mut close = registration.close.clone();

    let come_up = async {
        let mut active = active.subscribe();
        let ready = active.wait_for(|active| *active);
        if timeout(shared.times.gossip_setup, ready).await.is_err() {
            return "gossip did not start".to_owned();
        }
        if let Some(predecessor) = predecessor {
            predecessor.cancelled().await;
        }
        shared.peers.on_up(&peer);
        let certificate = certificate.clone();
        shared
            .tell(Event::LinkUp {
                peer,
                certificate,
                address,
                dialled,
                hello: extra,
            })
            .await;
        // In one step with the sending: from here on a `LinkDown` is owed.
        up.send_replace(true);
        std::future::pending().await
    };

    let reason = tokio::select! {
        // First what was decided or said, then what follows from it.
        biased;
        () = shared.stop.cancelled() => "shutting down".to_owned(),
        reason = close.wait_for(Option::is_some) => match reason {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "closed".to_owned(),
        },
        reason = hear(&shared, control_read, &heard_bye) => reason,
        reason = come_up => reason,
        reason = beat(&shared, &control_write) => reason,
        reason = watch_silence(&shared, &meter) => reason,
        reason = watch_policy(&shared, &peer, &certificate) => reason,
        reason = follow(&shared, peer, &opener, &active) => reason,
        reason = serve(&shared, peer, registration.id, gossip_streams) => reason,
        reason = take_streams(&shared, &mut link, gossip_in, up.subscribe()) => reason,
    };
    tracing::debug!(%peer, reason, "link ends");
    let mut control_write = control_write.into_inner();
    say_goodbye(
        &shared,
        &mut link,
        &mut control_write,
        &reason,
        heard_bye.load(Ordering::Relaxed),
    )
    .await;
    drop(control_write);
    link.close().await;
    registration.leave();
    if *up.borrow() {
        shared.tell(Event::LinkDown { peer, reason }).await;
    }
    drop(registration);
}

/// Tells the peer why, and gives it a moment to hang up first: closed with its bytes unread, TCP would
/// answer with a reset that can overtake the goodbye.
async fn say_goodbye(
    shared: &Shared,
    link: &mut Link,
    control: &mut WriteHalf<Stream>,
    reason: &str,
    heard_bye: bool,
) {
    let bye = hello::encode(&hello::bye(reason));
    let said = frame::write(control, &bye, shared.times.goodbye).await;
    if said.is_ok() && !heard_bye {
        let hung_up = async { while link.incoming.recv().await.is_some() {} };
        let _ = timeout(shared.times.goodbye, hung_up).await;
    }
}

/// Reads the control stream: heartbeats until a goodbye.
async fn hear(shared: &Shared, mut control: ReadHalf<Stream>, heard_bye: &AtomicBool) -> String {
    // Silence is noticed by `watch_silence`, which counts any byte; here a pause is no fault.
    let patience = shared.times.dead.saturating_mul(1000);
    loop {
        let json = match frame::read(&mut control, limits::CONTROL_FRAME_BYTES_MAX, patience).await {
            Ok(frame::Read::Frame(json)) => json,
            Ok(frame::Read::End) => return "the peer broke the control stream's form".to_owned(),
            Err(FrameError::Ended) => return "the connection was lost".to_owned(),
            Err(error) => return format!("control stream: {error}"),
        };
        match serde_json::from_slice(&json) {
            Ok(Control::Beat(_)) => {}
            Ok(Control::Bye(reason)) => {
                heard_bye.store(true, Ordering::Relaxed);
                return format!("the peer said: {}", hello::reason(&reason));
            }
            // A later version may say more.
            Err(_) => shared.tally.add("control_unknown"),
        }
    }
}

/// Sends heartbeats.
async fn beat(shared: &Shared, control: &Mutex<WriteHalf<Stream>>) -> String {
    let mut ticks = interval_at(Instant::now() + shared.times.heartbeat, shared.times.heartbeat);
    for number in 1u64.. {
        ticks.tick().await;
        let json = hello::encode(&Control::Beat(number));
        if let Err(error) = frame::write(&mut *control.lock().await, &json, shared.times.dead).await {
            return format!("heartbeat: {error}");
        }
    }
    String::new()
}

/// Notices a peer from which nothing comes: its process may be stopped while its kernel still answers.
async fn watch_silence(shared: &Shared, meter: &Meter) -> String {
    let (mut seen, mut at) = (meter.bytes_in(), Instant::now());
    loop {
        sleep(shared.times.dead / 10).await;
        let now = meter.bytes_in();
        if now != seen {
            (seen, at) = (now, Instant::now());
        } else if at.elapsed() >= shared.times.dead {
            return "the peer fell silent".to_owned();
        }
    }
}

/// Asks the policy again whenever it may have changed its mind.
async fn watch_policy(shared: &Shared, peer: &PublicKey, certificate: &Certificate) -> String {
    let mut rights = shared.rights.subscribe();
    loop {
        if !shared.policy.may_link(peer, certificate) {
            return "no longer permitted".to_owned();
        }
        if rights.changed().await.is_err() {
            return "stopped".to_owned();
        }
    }
}

/// Our SUB, the peer's PUB.
async fn follow(
    shared: &Shared,
    peer: PublicKey,
    opener: &transport::Opener,
    active: &watch::Sender<bool>,
) -> String {
    let Some(mut stream) = opener.open().await else {
        return "the connection was lost".to_owned();
    };
    if let Err(error) = frame::write_all(&mut stream, &[STREAM_GOSSIP], shared.times.progress).await {
        return format!("gossip: {error}");
    }
    on_gossip_end(shared, peer, gossip::follow(shared, peer, stream, active).await).await
}

/// The peer's SUB, our PUB.
async fn serve(shared: &Shared, peer: PublicKey, id: u64, mut streams: mpsc::Receiver<Stream>) -> String {
    match timeout(shared.times.gossip_setup, streams.recv()).await {
        Ok(Some(stream)) => {
            // One per link: from now on the channel takes no other.
            streams.close();
            let end = gossip::serve(shared, peer, id, stream).await;
            on_gossip_end(shared, peer, end).await
        }
        _ => "the peer did not ask for gossip".to_owned(),
    }
}

async fn on_gossip_end(shared: &Shared, peer: PublicKey, end: gossip::End) -> String {
    if matches!(end, gossip::End::Peer) {
        // A closing link's streams end a moment before its goodbye, which says more.
        sleep(shared.times.goodbye).await;
    }
    let reason = format!("gossip: {end}");
    if let Some(kind) = end.cut_kind() {
        shared.strike(peer, kind, &reason);
    } else if matches!(end, gossip::End::Slow(_) | gossip::End::Stalled) {
        shared.refuse("slow_peer", Some(peer), &reason);
    }
    reason
}

/// Gives each of the peer's streams a task.
async fn take_streams(
    shared: &Arc<Shared>,
    link: &mut Link,
    gossip: mpsc::Sender<Stream>,
    up: watch::Receiver<bool>,
) -> String {
    let incoming = Incoming {
        shared: shared.clone(),
        peer: link.remote,
        gossip,
        places: Arc::new(Semaphore::new(limits::REQUESTS_AT_ONCE_MAX)),
        up,
    };
    // Aborted with the link; at most as many as a link has streams.
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            stream = link.incoming.recv() => match stream {
                Some(stream) => { tasks.spawn(incoming.clone().take(stream)); }
                None => return "the connection was lost".to_owned(),
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// What a stream of the peer's may need.
#[derive(Clone)]
struct Incoming {
    shared: Arc<Shared>,
    peer: PublicKey,
    gossip: mpsc::Sender<Stream>,
    places: Arc<Semaphore>,
    up: watch::Receiver<bool>,
}

impl Incoming {
    async fn take(self, mut stream: Stream) {
        let kind = match timeout(self.shared.times.stream_kind, stream.read_u8()).await {
            Ok(Ok(kind)) => kind,
            _ => {
                return self
                    .shared
                    .refuse("stream_kind", Some(self.peer), "a stream without a kind");
            }
        };
        match kind {
            STREAM_GOSSIP => {
                if self.gossip.try_send(stream).is_err() {
                    self.shared
                        .refuse("stream_kind", Some(self.peer), "a second gossip stream");
                }
            }
            STREAM_REQUEST => self.request(stream).await,
            _ => self
                .shared
                .refuse("stream_kind", Some(self.peer), format!("a stream of kind {kind}")),
        }
    }

    async fn request(mut self, mut stream: Stream) {
        let progress = self.shared.times.progress;
        // Honest peers have no more open at once than there are places.
        let Ok(Ok(place)) = timeout(progress, self.places.acquire_owned()).await else {
            return self.shared.refuse(
                "request_waited",
                Some(self.peer),
                "no place for a request in time",
            );
        };
        let body = match frame::read(&mut stream, limits::REQUEST_FRAME_BYTES_MAX, progress).await {
            Ok(frame::Read::Frame(body)) => body,
            Ok(frame::Read::End) => {
                return self.shared.refuse("request_frame", Some(self.peer), "no request");
            }
            Err(FrameError::Ended) => return,
            Err(error) => {
                return self
                    .shared
                    .refuse("request_frame", Some(self.peer), error.to_string());
            }
        };
        if self.up.wait_for(|up| *up).await.is_err() {
            return;
        }
        let reply = Responder::new(stream, progress, place);
        self.shared
            .tell(Event::Request {
                peer: self.peer,
                body,
                reply,
            })
            .await;
    }
}
