//! Doors for hostile bytes: the parts of this crate that read what a stranger sends, without sockets, for `fuzz/`.

use std::time::Duration;

use crdt::id::PublicKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, sink, split};

use crate::frame::{self, FrameError};
use crate::hello::{self, Answer};
use crate::limits;
use crate::link::{STREAM_CONTROL, STREAM_GOSSIP, STREAM_REQUEST};
use crate::transport::{Link, Stream, Windows};
use crate::zmtp::{self, Downstream, Upstream, Verdict, Wish};

/// Nothing here waits: the bytes are all there.
const AT_ONCE: Duration = Duration::from_secs(3600);

/// What a machine of the guard made of some bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// Why the conversation was cut, if it was.
    pub cut: Option<String>,
    /// What passes on, in canonical form.
    pub out: Vec<u8>,
    /// Subscriptions (`true`) and their ends.
    pub wishes: Vec<(bool, [u8; 32])>,
    /// Probes: topic number, payload, bytes of `out` before it.
    pub probes: Vec<(u64, Option<u64>, usize)>,
    /// Whether READY has passed.
    pub ready: bool,
}

/// From a peer's SUB, in these pieces.
pub fn upstream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    let (mut heard, mut wishes, mut machine) = (Heard::default(), Vec::new(), Upstream::new());
    let all = pieces
        .into_iter()
        .try_for_each(|piece| machine.push(piece, &mut heard.out, &mut wishes));
    heard.cut = all.err().map(|cut| format!("{cut:?}"));
    heard.ready = machine.is_ready();
    heard.wishes = wishes
        .into_iter()
        .map(|wish| match wish {
            Wish::Subscribe(topic) => (true, topic),
            Wish::Unsubscribe(topic) => (false, topic),
        })
        .collect();
    heard
}

/// From the PUB of `from`, in these pieces; topics that begin with an odd byte pass.
pub fn downstream<'a>(from: [u8; 32], pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    let (mut heard, mut machine) = (Heard::default(), Downstream::new(from));
    let mut probes = Vec::new();
    let mut judge = |topic: &[u8; 32]| match topic[0] % 2 {
        1 => Verdict::Pass,
        _ => Verdict::Drop,
    };
    let all = pieces.into_iter().try_for_each(|piece| {
        machine.push(piece, &mut heard.out, &mut judge, &mut |number, value, at| {
            probes.push((number, value, at));
        })
    });
    heard.cut = all.err().map(|cut| format!("{cut:?}"));
    heard.ready = machine.is_ready();
    heard.probes = probes;
    heard
}

/// A message's frames as the guard writes them.
pub fn message(topic: &[u8; 32], from: &[u8; 32], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    zmtp::put_message(&mut out, topic, from, payload);
    out
}

/// A subscription's frame as the guard writes it.
pub fn subscription(subscribe: bool, topic: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::new();
    zmtp::put_subscription(&mut out, subscribe, topic);
    out
}

/// The topic of a probe.
pub fn probe_topic(number: u64) -> [u8; 32] {
    zmtp::probe_topic(number)
}

/// The first frame on a control stream, or a later one; its extra bytes if it is a hello that may be used. What is
/// read says the same when it is written and read again.
pub fn control(json: &[u8]) -> Option<Vec<u8>> {
    let answer: Answer = serde_json::from_slice(json).ok()?;
    let again: Option<Answer> = serde_json::from_slice(&hello::encode(&answer)).ok();
    assert_eq!(
        again.as_ref(),
        Some(&answer),
        "a control frame changed on its way"
    );
    match answer {
        Answer::Hello(hello) => {
            let _ = hello.cert.is_valid();
            hello.extra()
        }
        Answer::Other(hello::Control::Bye(reason)) => {
            let shown = hello::reason(&reason);
            assert!(shown.len() <= limits::BYE_REASON_BYTES_MAX && !shown.contains(char::is_control));
            None
        }
        Answer::Other(hello::Control::Beat(_)) => None,
    }
}

/// The hello of this device, as JSON.
pub fn hello(cert: crdt::keys::Certificate, extra: &[u8], run: u32) -> Vec<u8> {
    hello::encode(&hello::Hello::new(cert, extra, run))
}

/// The bytes of frames up to the first that is none; whether the end mark came.
pub fn frames(bytes: &[u8], max: usize) -> (Vec<Vec<u8>>, bool) {
    now(async move {
        let mut rest = bytes;
        read_frames(&mut rest, max).await
    })
}

async fn read_frames(io: &mut (impl tokio::io::AsyncRead + Unpin), max: usize) -> (Vec<Vec<u8>>, bool) {
    let mut frames = Vec::new();
    loop {
        match frame::read(io, max, AT_ONCE).await {
            Ok(frame::Read::Frame(frame)) => frames.push(frame),
            Ok(frame::Read::End) => return (frames, true),
            Err(FrameError::Ended | FrameError::Oversized(_) | FrameError::Stalled) => {
                return (frames, false);
            }
        }
    }
}

/// What a whole link, TLS taken away, makes of a peer's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Linked {
    /// Streams that the peer opened.
    pub streams: usize,
    /// Hellos and other control frames among them that could be read.
    pub control: usize,
    /// Request frames, and their bytes.
    pub frames: (usize, usize),
}

/// Runs a link over these bytes of the peer to its end, each stream read as the program reads it.
pub fn link(bytes: &[u8]) -> Linked {
    now(async move {
        let (near, far) = duplex(limits::WINDOW_BYTES);
        let mut link = Link::answering(near, PublicKey([1; 32]), &Windows::new());
        let (mut answers, mut peer) = split(far);
        let speak = async {
            // The link may end before it has heard all.
            let _ = peer.write_all(bytes).await;
            let _ = peer.shutdown().await;
        };
        let mut nowhere = sink();
        let listen = tokio::io::copy(&mut answers, &mut nowhere);
        let serve = async move {
            let mut linked = Linked::default();
            let mut streams = Vec::new();
            while let Some(stream) = link.incoming.recv().await {
                linked.streams += 1;
                streams.push(tokio::spawn(serve(stream)));
            }
            // The carrier is gone, so each stream ends.
            drop(link);
            for stream in streams {
                let (control, frames, bytes) = stream.await.expect("a stream's reader does not panic");
                linked.control += usize::from(control);
                linked.frames.0 += frames;
                linked.frames.1 += bytes;
            }
            linked
        };
        tokio::join!(speak, listen, serve).2
    })
}

/// Reads one stream as `link` and `request` do; whether a control frame was read, frames and their bytes.
async fn serve(mut stream: Stream) -> (bool, usize, usize) {
    match stream.read_u8().await {
        Ok(STREAM_CONTROL) => {
            match frame::read(&mut stream, limits::CONTROL_FRAME_BYTES_MAX, AT_ONCE).await {
                Ok(frame::Read::Frame(json)) => (control(&json).is_some(), 0, 0),
                _ => (false, 0, 0),
            }
        }
        Ok(STREAM_GOSSIP) => {
            let (mut machine, mut out, mut wishes) = (Upstream::new(), Vec::new(), Vec::new());
            let mut piece = [0; 512];
            while let Ok(n @ 1..) = stream.read(&mut piece).await {
                if machine.push(&piece[..n], &mut out, &mut wishes).is_err() {
                    break;
                }
            }
            (false, 0, 0)
        }
        Ok(STREAM_REQUEST) => {
            let (frames, _) = read_frames(&mut stream, limits::REQUEST_FRAME_BYTES_MAX).await;
            (false, frames.len(), frames.iter().map(Vec::len).sum())
        }
        _ => (false, 0, 0),
    }
}

fn now<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime without sockets").block_on(work)
}
