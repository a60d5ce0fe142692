//! Compares the three ways to replicate on real processes: `scripts/compare_strategies.sh`.
//!
//! For each strategy and size: fresh homes on loopback, one album. First so many images (classic entries, no bytes) are
//! added as fast as they are acknowledged, then a few more, one by one, each when the one before is everywhere and nothing
//! moves any more. Counted is what all members sent in that time to bring the albums together: live edits, those passed on,
//! hints, comparisons, and what was pulled. Questions for the images' bytes, which nobody has here, are not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measuring tool: what fails ends it, loudly"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use peer::api::{Answer, Ask, News, Reply, Request};

mod chart;

/// Images in an album, unless told otherwise.
const SIZES: [usize; 5] = [10, 30, 100, 300, 1_000];
/// Edits that are timed one by one.
const EDITS: usize = 3;
/// Nothing moves for so long: longer than `state` gathers and than a difference is let settle.
const QUIET: Duration = Duration::from_millis(400);
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What brings albums together.
const COUNTED: [&str; 4] = ["edits", "hints", "compare", "pull"];
const STRATEGIES: [&str; 3] = ["op", "delta", "state"];
const USAGE: &str = "usage: strategies PATH-OF-CALOTYPE [--peers N] [--svg FILE] [IMAGES…]";

/// What was measured of one strategy at one size.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    one: Figure,
    all: Figure,
}

/// Of edits: bytes and messages for each, and how long until every member had them.
#[derive(Debug, Clone, Copy, Default)]
struct Figure {
    bytes: f64,
    messages: f64,
    seconds: f64,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let binary = PathBuf::from(words.next().expect(USAGE));
    let (mut peers, mut svg, mut sizes) = (2, None, Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--peers" => peers = words.next().and_then(|n| n.parse().ok()).expect(USAGE),
            "--svg" => svg = Some(PathBuf::from(words.next().expect(USAGE))),
            size => sizes.push(size.parse().expect(USAGE)),
        }
    }
    assert!((2..=8).contains(&peers), "2 to 8 peers");
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    let mut table: BTreeMap<(usize, &'static str), Figures> = BTreeMap::new();
    for size in &sizes {
        for strategy in STRATEGIES {
            eprintln!("{size} images, {strategy} …");
            table.insert((*size, strategy), measure(&binary, peers, strategy, *size));
        }
    }
    print_table(
        "one more edit in an album of so many images",
        &sizes,
        &table,
        |it| it.one,
    );
    print_table(
        "so many images, added as fast as they are acknowledged",
        &sizes,
        &table,
        |it| it.all,
    );
    if let Some(path) = svg {
        let series = |pick: fn(&Figures) -> f64| {
            STRATEGIES.map(|strategy| {
                let points = sizes
                    .iter()
                    .map(|size| (*size as f64, pick(&table[&(*size, strategy)])));
                (strategy, points.collect::<Vec<_>>())
            })
        };
        let panels = [
            chart::Panel {
                title: "Bytes for one more edit",
                unit: chart::Unit::Bytes,
                series: series(|it| it.one.bytes),
            },
            chart::Panel {
                title: "Until all have all images",
                unit: chart::Unit::Seconds,
                series: series(|it| it.all.seconds),
            },
        ];
        std::fs::write(&path, chart::draw(&panels)).unwrap();
        eprintln!("drew {}", path.display());
    }
    // What the three are about; a run that does not show it measured something else.
    let (small, large) = (sizes[0], sizes[sizes.len() - 1]);
    if large >= 4 * small {
        let grows = |strategy| table[&(large, strategy)].one.bytes / table[&(small, strategy)].one.bytes;
        assert!(
            grows("state") > 1.5,
            "an edit by state does not grow with the album"
        );
        assert!(
            grows("op") < 1.5 && grows("delta") < 1.5,
            "an edit by op or delta grows with the album"
        );
    }
}

fn print_table(
    title: &str,
    sizes: &[usize],
    table: &BTreeMap<(usize, &'static str), Figures>,
    pick: fn(&Figures) -> Figure,
) {
    println!("\n{title}: bytes and messages for each edit, time until all have it\n");
    println!("| images | op | delta | state |\n|---:|---:|---:|---:|");
    for size in sizes {
        let cells = STRATEGIES.map(|strategy| {
            let it = pick(&table[&(*size, strategy)]);
            let bytes = peer::ui::bytes(it.bytes.round() as u64);
            let messages = if it.messages < 9.95 {
                format!("{:.1}", it.messages)
            } else {
                format!("{:.0}", it.messages)
            };
            let time = if it.seconds < 1.0 {
                format!("{:.0} ms", it.seconds * 1000.0)
            } else {
                format!("{:.1} s", it.seconds)
            };
            format!("{bytes}, {messages} msg, {time}")
        });
        println!("| {size} | {} |", cells.join(" | "));
    }
}

fn measure(binary: &Path, peers: usize, strategy: &'static str, size: usize) -> Figures {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pw"), "pw\n").unwrap();
    let names: Vec<String> = (0..peers).map(|number| format!("peer{number}")).collect();
    let all: Vec<Peer> = names
        .iter()
        .map(|name| Peer::up(binary, dir.path(), name, strategy))
        .collect();
    let (author, others) = all.split_first().unwrap();
    author.ask(Request::CreateAlbum { name: "trip".into() });
    for (other, name) in others.iter().zip(&names[1..]) {
        author.ask(Request::AddUser {
            album: None,
            user: name.clone(),
            role: None,
        });
        other.ask(Request::EnterAlbum { album: "trip".into() });
    }
    for peer in &all {
        peer.ask(Request::Sync {
            album: None,
            timeout_ms: 20_000,
            quiet: false,
        });
    }
    let watches: Vec<Receiver<Instant>> = others.iter().map(Peer::watch).collect();
    quiet(&all);
    let all_of_them = edits(&all, &watches, 0..size);
    let single = (size..size + EDITS).map(|number| edits(&all, &watches, number..number + 1));
    let single = single.fold(Figure::default(), |sum, one| Figure {
        bytes: sum.bytes + one.bytes / EDITS as f64,
        messages: sum.messages + one.messages / EDITS as f64,
        seconds: sum.seconds + one.seconds / EDITS as f64,
    });
    Figures {
        one: single,
        all: all_of_them,
    }
}

/// The first peer makes edits; what all of it costs until nothing moves.
fn edits(all: &[Peer], watches: &[Receiver<Instant>], numbers: std::ops::Range<usize>) -> Figure {
    for peer in all {
        peer.net(true);
    }
    let begun = Instant::now();
    let count = numbers.len();
    for number in numbers {
        let name = format!("image-{number:05}.jpg");
        all[0].ask(Request::AddClassic {
            album: None,
            hash: blake3::hash(name.as_bytes()).to_hex().to_string(),
            name,
            size: 1_000_000,
        });
    }
    let heard = watches.iter().map(|watch| {
        let mut last = begun;
        for _ in 0..count {
            last = watch
                .recv_timeout(PATIENCE)
                .expect("every member hears of every image");
        }
        last
    });
    let seconds = heard.max().map_or(0.0, |last| (last - begun).as_secs_f64());
    let (bytes, messages) = quiet(all);
    Figure {
        bytes: bytes as f64 / count as f64,
        messages: messages as f64 / count as f64,
        seconds,
    }
}

/// Waits until nothing moves; bytes and messages that all sent since they began to count.
fn quiet(all: &[Peer]) -> (u64, u64) {
    let until = Instant::now() + PATIENCE;
    let (mut last, mut since) = ((0, 0), Instant::now());
    loop {
        let now = all.iter().map(|peer| peer.net(false)).fold((0, 0), |sum, it| {
            let counted = it
                .kinds
                .iter()
                .filter(|kind| COUNTED.contains(&kind.kind.as_str()));
            counted.fold(sum, |(bytes, messages), kind| {
                (bytes + kind.bytes_out, messages + kind.messages_out)
            })
        });
        if now != last {
            since = Instant::now();
        }
        last = now;
        if since.elapsed() >= QUIET {
            return now;
        }
        assert!(Instant::now() < until, "it never came to rest");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running peer; ended by SIGTERM, as a person would.
struct Peer {
    child: Child,
    control: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Peer {
    fn up(binary: &Path, dir: &Path, name: &str, strategy: &str) -> Peer {
        let ready = dir.join(format!("{name}.ready"));
        let child = Command::new(binary)
            .current_dir(dir)
            .env("CALOTYPE_CENTRAL_DIR", dir.join("central"))
            .env("XDG_CONFIG_HOME", dir.join("config"))
            .env("XDG_RUNTIME_DIR", dir)
            .arg("--home")
            .arg(dir.join(name))
            .args(["--replication", strategy, "up", "--register", "--user", name])
            .args(["--password-file", "pw", "--ready-file"])
            .arg(&ready)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + PATIENCE;
        let text = loop {
            match std::fs::read_to_string(&ready) {
                Ok(text) => break text,
                Err(_) => assert!(Instant::now() < until, "{name} does not get ready"),
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        Peer {
            child,
            control: json["control"].as_str().unwrap().into(),
        }
    }

    fn send(&self, request: Request) -> impl Iterator<Item = Answer> + use<> {
        let mut stream = UnixStream::connect(&self.control).unwrap();
        let line = serde_json::to_string(&Ask { request }).unwrap() + "\n";
        stream.write_all(line.as_bytes()).unwrap();
        BufReader::new(stream)
            .lines()
            .map_while(Result::ok)
            .map(|line| serde_json::from_str(&line).unwrap())
    }

    fn ask(&self, request: Request) -> Reply {
        for answer in self.send(request) {
            match answer {
                Answer::Reply(reply) => return reply,
                Answer::Failure(failure) => panic!("{failure}"),
                Answer::Taken | Answer::Progress(_) | Answer::Notice(_) => {}
            }
        }
        panic!("the node hung up")
    }

    fn net(&self, reset: bool) -> peer::api::Net {
        match self.ask(Request::Net { reset }) {
            Reply::Net(net) => net,
            other => panic!("{other:?}"),
        }
    }

    /// When each image comes from now on.
    fn watch(&self) -> Receiver<Instant> {
        let (tell, told) = channel();
        let news = self.send(Request::Watch);
        std::thread::spawn(move || {
            for answer in news {
                let Answer::Notice(notice) = answer else { continue };
                if let News::ImageAdded { .. } = notice.news {
                    let _ = tell.send(Instant::now());
                }
            }
        });
        told
    }
}
