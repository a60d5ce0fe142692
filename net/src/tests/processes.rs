//! Nets in processes of their own: attacked, so that their memory can be read, and stopped.
//!
//! A test starts its own program again with a variable set, and the test of the same name in there is the child: a
//! net whose standard input says what to do. It ends with its parent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::liar::{Liar, Victim, drained, secure, subscribe};
use super::zmtp::{frame, greeting, message, shake};
use super::*;
use crate::limits;
use crate::link::{STREAM_CONTROL, STREAM_GOSSIP};

/// Set in the child.
const CHILD: &str = "CALOTYPE_NET_CHILD";
/// Its value for a child with short times.
const QUICK: &str = "quick";
/// Seconds that the flood lasts, for the nightly run; else as long as it takes to be banned.
const FLOOD_SECONDS: &str = "NET_FLOOD_SECONDS";
/// What hostile bytes may cost a process, KiB.
const MEMORY_MAX_KIB: u64 = 32 * 1024;

/// What the parent asks; one answer each.
#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Report,
    /// Take no events until the next order.
    Pause,
    /// Publish so many messages of so many bytes.
    Publish {
        messages: usize,
        bytes: usize,
    },
}

/// What the child has seen.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    /// Where it listens.
    address: Option<SocketAddr>,
    /// Gossip by publisher, in hex: how many messages.
    heard: BTreeMap<String, u64>,
    /// The last payload of each, as text.
    last: BTreeMap<String, String>,
    /// Links that came up.
    up: u64,
    /// File descriptors it may have.
    files: Option<u64>,
    counters: BTreeMap<String, u64>,
}

/// Times in which a silent peer is noticed within a test.
fn quick() -> Times {
    Times {
        heartbeat: Duration::from_millis(200),
        dead: Duration::from_secs(3),
        handshake: Duration::from_secs(2),
        ..times()
    }
}

/// In the child: a net until standard input ends.
async fn is_child() -> bool {
    match std::env::var(CHILD).as_deref() {
        Ok(QUICK) => be_child(quick()).await,
        Ok(_) => be_child(times()).await,
        Err(_) => return false,
    }
    true
}

async fn be_child(times: Times) {
    // Below what a net wants, which raises it.
    let files = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(256),
        ..files
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let mut node = Node::start_with(1, times).await;
    node.net.subscribe(album(1));
    let (orders_in, mut orders) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let order: Order = serde_json::from_str(&line).unwrap();
            if orders_in.blocking_send(order).is_err() {
                return;
            }
        }
    });
    let mut report = Report {
        address: Some(node.net.local_addr()),
        files: getrlimit(Resource::Nofile).current,
        ..Report::default()
    };
    let mut paused = false;
    say(&report);
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { break };
                paused = matches!(order, Order::Pause);
                if let Order::Publish { messages, bytes } = order {
                    let net = node.net.clone();
                    tokio::spawn(async move {
                        for _ in 0..messages {
                            net.publish(album(1), vec![7; bytes]).await.unwrap();
                        }
                    });
                }
                report.counters = node.net.counters().into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect();
                say(&report);
            }
            event = node.events.recv(), if !paused => match event.unwrap() {
                Event::Gossip { from, payload, .. } => {
                    *report.heard.entry(from.to_string()).or_default() += 1;
                    report.last.insert(from.to_string(), String::from_utf8_lossy(&payload).into_owned());
                }
                Event::LinkUp { .. } => report.up += 1,
                Event::Request { body, mut reply, .. } => {
                    tokio::spawn(async move {
                        let _ = reply.send(&body).await;
                        let _ = reply.finish().await;
                    });
                }
                _ => {}
            },
        }
    }
    node.net.shutdown().await;
}

fn say(report: &Report) {
    // The test harness says something on the same stream first.
    println!("\n{}", serde_json::to_string(report).unwrap());
}

/// A child process, ended when dropped.
struct Child {
    process: std::process::Child,
    /// `None` tells it to end.
    orders: Option<ChildStdin>,
    reports: std::io::Lines<BufReader<ChildStdout>>,
    key: PublicKey,
    address: SocketAddr,
    /// Resident memory when it had started, KiB.
    started_kib: u64,
    /// File descriptors it may have.
    files: u64,
}

impl Child {
    /// Starts the test of this name again, as device 1.
    fn start(test: &str, times: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([&format!("tests::processes::{test}"), "--exact", "--nocapture"])
            .env(CHILD, times)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut child = Self {
            orders: process.stdin.take(),
            reports: BufReader::new(process.stdout.take().unwrap()).lines(),
            process,
            key: device(1).public(),
            address: any_port(),
            started_kib: 0,
            files: 0,
        };
        let started = child.report();
        (child.address, child.files) = (started.address.unwrap(), started.files.unwrap());
        child.started_kib = child.memory("VmRSS");
        child
    }

    /// The next report; the child lives.
    fn report(&mut self) -> Report {
        loop {
            let line = self.reports.next().expect("the child lives").unwrap();
            if line.starts_with('{') {
                return serde_json::from_str(&line).unwrap();
            }
        }
    }

    fn ask(&mut self, order: &Order) -> Report {
        let orders = self.orders.as_mut().unwrap();
        writeln!(orders, "{}", serde_json::to_string(order).unwrap()).unwrap();
        self.report()
    }

    fn counter(&mut self, kind: &str) -> u64 {
        self.ask(&Order::Report).counters.get(kind).copied().unwrap_or(0)
    }

    fn heard(&mut self, from: &PublicKey) -> u64 {
        self.ask(&Order::Report)
            .heard
            .get(&from.to_string())
            .copied()
            .unwrap_or(0)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.process.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// What the worst moment has cost so far.
    fn assert_memory(&self) {
        let grown = self.memory("VmHWM").saturating_sub(self.started_kib);
        println!("at most {grown} KiB more");
        assert!(grown <= MEMORY_MAX_KIB, "{grown} KiB");
    }

    /// Resident memory in KiB: now (`VmRSS`) or the most ever (`VmHWM`).
    fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Victim for Child {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn key(&self) -> PublicKey {
        self.key
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // By itself, so that it takes its folder along.
        self.signal(Signal::CONT);
        self.orders = None;
        let _ = self.process.wait();
    }
}

/// An honest peer of the child's, which times its requests.
struct Honest(Node);

impl Honest {
    async fn join(n: u8, child: &Child, times: Times) -> Self {
        let mut node = Node::start_with(n, times).await;
        node.net.subscribe(album(1));
        node.net.dial(child.key, vec![child.address]);
        node.linked(child.key).await;
        Self(node)
    }

    /// Asks so many times, one after the other; the slowest but one in a hundred.
    async fn p99(&self, child: &Child, requests: usize) -> Duration {
        let mut took = Vec::new();
        for _ in 0..requests {
            let start = Instant::now();
            let mut replies = self
                .0
                .net
                .request(child.key, b"still there?".to_vec())
                .await
                .unwrap();
            assert_eq!(replies.next().await, Some(Ok(b"still there?".to_vec())));
            assert_eq!(replies.next().await, None);
            took.push(start.elapsed());
        }
        took.sort();
        took[requests - 1 - requests / 100]
    }
}

/// Sends small messages over a fresh link until it is cut; returns how many.
async fn flood(n: u8, child: &Child) -> u64 {
    let mut liar = Liar::join(n, child).await;
    let _to_pub = liar.be_sub().await;
    let (mut to_sub, _) = liar.be_pub().await;
    let many = message(1, &liar.key.0, b"spam").repeat(100);
    let mut sent = 0;
    while sent < 1_000_000 && to_sub.write_all(&many).await.is_ok() {
        sent += 100;
    }
    sent
}

/// A member floods an album with small messages, as fast as TLS carries them. What is over its rate is dropped, then it
/// is cut, and with the third cut it is away for an hour. The process pays with little memory, and an honest peer's
/// messages and requests get through meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_gossip_is_dropped_then_cut_then_banned() {
    const MESSAGES: u64 = 200;
    if is_child().await {
        return;
    }
    let mut child = Child::start("a_flood_of_gossip_is_dropped_then_cut_then_banned", "usual");
    let honest = Honest::join(2, &child, times()).await;
    let quiet = honest.p99(&child, 200).await;
    let seconds: u64 = std::env::var(FLOOD_SECONDS).map_or(0, |text| text.parse().unwrap());
    let (start, mut floods, mut sent) = (Instant::now(), 0, 0);
    while floods == 0 || start.elapsed().as_secs() < seconds {
        let n = 3 + u8::try_from(floods % 200).unwrap();
        floods += 1;
        let attack = async {
            let mut sent = 0;
            for _ in 0..limits::STRIKES_MAX {
                sent += flood(n, &child).await;
            }
            sent
        };
        let others = async {
            for text in 0..MESSAGES {
                let text = text.to_string().into_bytes();
                honest.0.net.publish(album(1), text).await.unwrap();
            }
            honest.p99(&child, 200).await
        };
        let (by_attack, loud) = tokio::join!(attack, others);
        sent += by_attack;
        println!(
            "others' p99: {quiet:?}, in the flood {loud:?}, {:.1} times",
            loud.as_secs_f64() / quiet.as_secs_f64()
        );
    }
    println!("{sent} messages in {:?}", start.elapsed());
    until("the last ban", || child.counter("banned") == floods).await;
    let cuts = floods * limits::STRIKES_MAX as u64;
    assert_eq!(child.counter("gossip_flood"), cuts);
    assert!(child.counter("gossip_over") >= cuts * u64::from(limits::GOSSIP_DROPPED_BURST));
    let _refused = secure(3, &child).await;
    until("banned ones kept out", || child.counter("banned_link") > 0).await;
    until("all honest messages", || {
        child.heard(&honest.0.key()) == floods * MESSAGES
    })
    .await;
    child.assert_memory();
}

/// A node whose program takes no events for a while, and a member who floods it meanwhile: the flood waits with the
/// flooder, in its own windows. An honest link lives through it and is heard afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_at_a_busy_node_waits_with_the_flooder() {
    if is_child().await {
        return;
    }
    let mut child = Child::start("a_flood_at_a_busy_node_waits_with_the_flooder", QUICK);
    let mut honest = Honest::join(2, &child, quick()).await;
    let mut liar = Liar::join(3, &child).await;
    let _to_pub = liar.be_sub().await;
    let (mut to_sub, _) = liar.be_pub().await;
    child.ask(&Order::Pause);
    let many = message(1, &liar.key.0, &[b'x'; 4_000]);
    let mut sent = 0;
    // Until it has been silent for too long: nothing of it can move, and it says nothing else.
    while to_sub.write_all(&many).await.is_ok() {
        sent += many.len();
        assert!(sent < 16 * 1024 * 1024, "it takes everything");
    }
    println!("{sent} bytes until it stood still");
    assert!(
        honest
            .0
            .wait_within(Duration::ZERO, |event| matches!(event, Event::LinkDown { .. })
                .then_some(()))
            .await
            .is_none()
    );
    child.ask(&Order::Report);
    honest.0.net.publish(album(1), b"hello".to_vec()).await.unwrap();
    until("an honest message", || child.heard(&honest.0.key()) == 1).await;
    child.assert_memory();
}

/// Two members want everything that a process publishes; one of them stops reading. What waits for it is bounded, then
/// its link is closed and anti-entropy has to do the rest: it may link again and ask. The other gets all 60 MB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_costs_little_and_only_itself() {
    const MESSAGES: usize = 200;
    if is_child().await {
        return;
    }
    let mut child = Child::start("a_reader_that_stops_costs_little_and_only_itself", "usual");
    let mut honest = Honest::join(2, &child, times()).await;
    let quiet = honest.p99(&child, 100).await;
    let mut liar = Liar::join(3, &child).await;
    let mut to_pub = liar.be_sub().await;
    let _to_sub = liar.be_pub().await;
    subscribe(&child, &mut to_pub, &[1]).await;
    child.ask(&Order::Publish {
        messages: MESSAGES,
        bytes: 300_000,
    });
    for n in 0..MESSAGES {
        assert_eq!(honest.0.gossip().await.2.len(), 300_000, "message {n}");
    }
    let loud = honest.p99(&child, 100).await;
    println!("others' p99: {quiet:?}, beside a stalled reader {loud:?}");
    until("the reader closed", || child.counter("slow_peer") == 1).await;
    let again = Liar::join(3, &child).await;
    assert_eq!(again.key, liar.key);
    child.assert_memory();
}

/// Lengths of 1 GiB and of 2^64 − 1, at every place of a conversation that has a length, each from a peer of its own, and
/// half a frame wherever one may begin. Each ends at most its own connection; the process neither reserves nor dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announced_lengths_cost_nothing() {
    if is_child().await {
        return;
    }
    let mut child = Child::start("announced_lengths_cost_nothing", "usual");
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    assert_eq!(child.files, most.min(limits::FILES_WANTED), "raised from 256");
    let honest = Honest::join(2, &child, times()).await;
    let mut held = Vec::new();
    for record in [[0x16, 3, 1, 0xff, 0xff], [0x17, 3, 3, 0xff, 0xff]] {
        let mut tcp = TcpStream::connect(child.address()).await.unwrap();
        tcp.write_all(&record).await.unwrap();
        held.push(tcp);
    }
    for claim in [1 << 30, u32::MAX - 1, u32::MAX] {
        let link = secure(3, &child).await;
        let mut control = link.opener.open().await.unwrap();
        control.write_all(&[STREAM_CONTROL]).await.unwrap();
        control.write_all(&claim.to_be_bytes()).await.unwrap();
        drained(&mut control).await;
        let liar = Liar::join(4, &child).await;
        for _ in 0..20 {
            let mut stream = liar.open_request(&claim.to_be_bytes()).await;
            assert!(drained(&mut stream).await.is_empty());
        }
    }
    let mut n = 10;
    for claim in [1 << 30, (1 << 63) - 1, u64::MAX] {
        let sub = |rest: Vec<u8>| [shake("SUB"), rest].concat();
        for said in [
            [greeting(b"NULL"), frame(6, claim, b"")].concat(),
            sub(frame(2, claim, b"")),
            sub(frame(6, claim, b"")),
        ] {
            n += 1;
            let liar = Liar::join(n, &child).await;
            let mut stream = liar.open(&[&[STREAM_GOSSIP][..], &said].concat()).await;
            drained(&mut stream).await;
        }
        for whole_parts in 0..3 {
            n += 1;
            let mut liar = Liar::join(n, &child).await;
            let _to_pub = liar.be_sub().await;
            let (mut to_sub, _) = liar.be_pub().await;
            let parts = [frame(1, 32, &[1; 32]), frame(1, 32, &liar.key.0)][..whole_parts.min(2)].concat();
            let more = u8::from(whole_parts < 2);
            to_sub
                .write_all(&[parts, frame(2 | more, claim, b"")].concat())
                .await
                .unwrap();
            drained(&mut to_sub).await;
        }
    }
    // Half frames, and then nothing.
    let liar = Liar::join(100, &child).await;
    let mut halves = Vec::new();
    for half in [&[][..], &[0], &[0, 0, 0, 9], &[0, 0, 0, 9, 1]] {
        halves.push(liar.open_request(half).await);
    }
    assert_eq!(child.counter("gossip_frame"), 18);
    assert!(child.counter("request_frame") >= 60);
    honest.p99(&child, 100).await;
    child.assert_memory();
}

/// A process that is stopped (a closed lid, a debugger) has a kernel that still answers. Its silence ends the link; when it
/// goes on it is linked again and heard, by nobody's doing. What was said meanwhile is anti-entropy's matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_process_is_dropped_and_linked_again_when_it_goes_on() {
    if is_child().await {
        return;
    }
    let mut child = Child::start(
        "a_stopped_process_is_dropped_and_linked_again_when_it_goes_on",
        QUICK,
    );
    let mut honest = Honest::join(2, &child, quick()).await;
    let said = |child: &mut Child| {
        child
            .ask(&Order::Report)
            .last
            .get(&device(2).public().to_string())
            .cloned()
    };
    // Gossip may be lost, under load its link may be made anew: said until it is heard.
    let start = Instant::now();
    while said(&mut child).as_deref() != Some("before") {
        assert!(start.elapsed() < DEADLINE, "not in time: a message");
        honest.0.net.publish(album(1), b"before".to_vec()).await.unwrap();
    }
    // Gossip may be heard a moment before the link counts as up at that end.
    until("up there", || child.ask(&Order::Report).up >= 1).await;
    let up = child.ask(&Order::Report).up;
    child.signal(Signal::STOP);
    assert_eq!(honest.0.unlinked(child.key).await, "the peer fell silent");
    // It is dialled, and its kernel accepts: the handshake's deadline ends that.
    let failed = honest.0.counter("dial_failed");
    until("a dial in vain", || honest.0.counter("dial_failed") > failed).await;
    assert!(honest.0.net.links().is_empty());
    child.signal(Signal::CONT);
    honest.0.linked(child.key).await;
    until("up at both ends", || child.ask(&Order::Report).up > up).await;
    // A machine under load may silence them once more: whatever happens, they are together in the end.
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < DEADLINE, "not in time: together again");
        honest.0.net.publish(album(1), b"after".to_vec()).await.unwrap();
        let Ok(mut replies) = honest.0.net.request(child.key, b"there?".to_vec()).await else {
            continue;
        };
        let answered = replies.next().await == Some(Ok(b"there?".to_vec()));
        if answered && said(&mut child).as_deref() == Some("after") {
            break;
        }
    }
}
