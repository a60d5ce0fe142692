//! The figures of docs/performance.md, measured on real processes: `scripts/figures.sh`.
//!
//! Homes are temporary, the central is their own, everything is on loopback. Figures vary with the machine and its load;
//! what is judged is whether they stay below the limits that are printed beside them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measuring tool: what fails ends it, loudly"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use peer::api::{Answer, Ask, NameKind, News, Reply, Request, Select, Sort};

/// Live adds that are timed.
const LIVE_ADDS: usize = 300;
/// Entries of the large album.
const ENTRIES: usize = 10_000;
/// Entries of the album that a person looks at every day.
const ENTRIES_USUAL: usize = 1_000;
/// Entries of the album of somebody who throws nothing away.
const ENTRIES_MOST: usize = 100_000;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let binary = PathBuf::from(std::env::args().nth(1).expect("usage: figures PATH-OF-CALOTYPE"));
    let dir = tempfile::tempdir().unwrap();
    let world = World {
        binary,
        dir: dir.path().to_path_buf(),
    };
    std::fs::write(world.dir.join("pw"), "pw\n").unwrap();
    println!("{:<52} {:>12} {:>12}", "figure", "measured", "limit");
    world.help();
    world.live_add();
    world.large_album();
    world.finding();
}

fn row(what: &str, measured: String, limit: &str) {
    println!("{what:<52} {measured:>12} {limit:>12}");
}

struct World {
    binary: PathBuf,
    dir: PathBuf,
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

impl World {
    fn command(&self, home: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg("--home")
            .arg(self.dir.join(home))
            .env("CALOTYPE_CENTRAL_DIR", self.dir.join("central"));
        command
            .env("XDG_CONFIG_HOME", self.dir.join("config"))
            .current_dir(&self.dir);
        command
    }

    fn up(&self, home: &str, more: &[&str]) -> (Peer, Duration) {
        let ready = self.dir.join(format!("{home}.ready"));
        let _ = std::fs::remove_file(&ready);
        let begun = Instant::now();
        let mut command = self.command(home);
        command
            .args(["up", "--user", home, "--password-file", "pw", "--ready-file"])
            .arg(&ready)
            .args(more);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let text = wait_for(|| std::fs::read_to_string(&ready).ok());
        let took = begun.elapsed();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        (
            Peer {
                child,
                control: json["control"].as_str().unwrap().into(),
            },
            took,
        )
    }

    fn help(&self) {
        let times = (0..21).map(|_| {
            let begun = Instant::now();
            let done = self
                .command("nobody")
                .arg("--help")
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(done.success());
            begun.elapsed()
        });
        let mut times: Vec<Duration> = times.collect();
        times.sort();
        row("--help, whole process, median of 21", ms(times[10]), "20 ms");
    }

    fn live_add(&self) {
        let (alice, _) = self.up("alice", &["--register"]);
        let (bob, _) = self.up("bob", &["--register"]);
        ask(&alice.control, Request::CreateAlbum { name: "trip".into() });
        ask(
            &alice.control,
            Request::AddUser {
                album: None,
                user: "bob".into(),
                role: None,
            },
        );
        ask(&bob.control, Request::EnterAlbum { album: "trip".into() });
        ask(
            &bob.control,
            Request::Sync {
                album: None,
                timeout_ms: 20_000,
                quiet: false,
            },
        );
        let (tell, told) = std::sync::mpsc::channel();
        let news = send(&bob.control, Request::Watch);
        std::thread::spawn(move || {
            for answer in news {
                if let Answer::Notice(notice) = answer
                    && let News::ImageAdded { name, .. } = notice.news
                {
                    let _ = tell.send((name, Instant::now()));
                }
            }
        });
        let mut times: Vec<Duration> = (0..LIVE_ADDS)
            .map(|number| {
                let name = format!("live-{number}");
                add(&alice.control, &name);
                let acknowledged = Instant::now();
                let seen =
                    std::iter::from_fn(|| told.recv_timeout(PATIENCE).ok()).find(|(added, _)| *added == name);
                seen.expect("bob hears of it")
                    .1
                    .saturating_duration_since(acknowledged)
            })
            .collect();
        times.sort();
        row(
            "live add: reply at alice to notice at bob, p50",
            ms(times[LIVE_ADDS / 2]),
            "20 ms",
        );
        row(
            "live add: the same, p99",
            ms(times[LIVE_ADDS * 99 / 100]),
            "100 ms",
        );
    }

    fn large_album(&self) {
        let (carol, _) = self.up("carol", &["--register"]);
        ask(&carol.control, Request::CreateAlbum { name: "large".into() });
        drop(carol);
        let took = self.script_of_adds("carol", ENTRIES);
        let for_3000 = took.mul_f64(3000.0 / ENTRIES as f64);
        row(
            "script of 3,000 /addImage lines, durable (of 10,000)",
            ms(for_3000),
            "30000 ms",
        );
        let (carol, opened) = self.up("carol", &[]);
        row("album of 10,000 entries: start to ready", ms(opened), "1000 ms");
        let begun = Instant::now();
        let Reply::Images(images) = ask(
            &carol.control,
            Request::GetImages {
                album: None,
                select: Default::default(),
            },
        ) else {
            panic!("no images")
        };
        assert_eq!(images.images.len(), ENTRIES);
        row("its get-images over the control socket", ms(begun.elapsed()), "-");
        row(
            "its process, resident",
            format!("{:.0} MB", resident_mb(carol.child.id())),
            "150 MB",
        );
        self.joining(&carol);
        drop(carol);
        row(
            "REPL on it: start to prompt",
            ms(self.prompt_after("carol")),
            "300 ms",
        );
    }

    /// Somebody comes into the large album by a code; from the code typed to all entries listed.
    fn joining(&self, host: &Peer) {
        let (guest, _) = self.up("guest", &["--register"]);
        let role = "viewer".to_owned();
        let Reply::Invite(invite) = ask(&host.control, Request::Invite { album: None, role }) else {
            panic!("no code")
        };
        let begun = Instant::now();
        ask(
            &guest.control,
            Request::Join {
                code: invite.code,
                host: None,
                account: None,
                timeout_ms: 60_000,
            },
        );
        wait_for(|| {
            let select = Select {
                limit: Some(1),
                ..Select::default()
            };
            match ask(&guest.control, Request::GetImages { album: None, select }) {
                Reply::Images(it) if it.total == ENTRIES as u64 => Some(()),
                _ => None,
            }
        });
        row(
            "joining it by a code: typed to all entries listed",
            ms(begun.elapsed()),
            "5000 ms",
        );
    }

    /// Adds entries by a script in a home that no node runs in; how long it took.
    fn script_of_adds(&self, home: &str, entries: usize) -> Duration {
        let mut script = String::new();
        for number in 0..entries {
            let hash = blake3::hash(format!("large-{number}").as_bytes());
            // Names in no order, so that sorting has work to do.
            let name = number * 7_919 % entries;
            script.push_str(&format!("/addImage image-{name:05}.jpg {} 1000\n", hash.to_hex()));
        }
        let begun = Instant::now();
        let mut child = self
            .command(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "the script of adds failed");
        begun.elapsed()
    }

    /// What a person who looks for something waits for.
    fn finding(&self) {
        let (dave, _) = self.up("dave", &["--register"]);
        ask(&dave.control, Request::CreateAlbum { name: "usual".into() });
        drop(dave);
        self.script_of_adds("dave", ENTRIES_USUAL);
        let (dave, _) = self.up("dave", &[]);
        let list = median(|| {
            let mut command = self.command("dave");
            assert!(
                command
                    .arg("get-images")
                    .stdout(Stdio::null())
                    .status()
                    .unwrap()
                    .success()
            );
        });
        row(
            "one-shot get-images of 1,000 entries, median of 21",
            ms(list),
            "30 ms",
        );
        drop(dave);

        let (carol, _) = self.up("carol", &[]);
        let names = median(|| {
            let begin = "image-".to_owned();
            let request = Request::Names {
                album: None,
                kind: NameKind::Image,
                begin,
            };
            assert!(matches!(ask(&carol.control, request), Reply::Names(it) if !it.names.is_empty()));
        });
        row(
            "completion among 10,000 names: the node's answer",
            ms(names),
            "20 ms",
        );
        drop(carol);
        row(
            "the same at the prompt: Tab to the whole name",
            ms(self.tab_after("carol")),
            "20 ms",
        );

        let (erin, _) = self.up("erin", &["--register"]);
        ask(&erin.control, Request::CreateAlbum { name: "most".into() });
        drop(erin);
        self.script_of_adds("erin", ENTRIES_MOST);
        let (erin, opened) = self.up("erin", &[]);
        row("album of 100,000 entries: start to ready", ms(opened), "-");
        for number in 0..500 {
            ask(
                &erin.control,
                Request::RateImage {
                    album: None,
                    name: format!("image-{:05}.jpg", number * 199),
                    stars: Some((number % 6) as u8),
                },
            );
        }
        let page = |sort: Option<Sort>, name: Option<&str>| {
            median(|| {
                let select = Select {
                    sort,
                    name: name.map(str::to_owned),
                    limit: Some(40),
                    ..Select::default()
                };
                let Reply::Images(page) = ask(&erin.control, Request::GetImages { album: None, select })
                else {
                    panic!("no images")
                };
                assert_eq!(page.images.len(), 40);
            })
        };
        row("its first page, oldest first", ms(page(None, None)), "200 ms");
        row(
            "its first page by name",
            ms(page(Some(Sort::Name), None)),
            "200 ms",
        );
        row(
            "its first page by rating",
            ms(page(Some(Sort::Rating), None)),
            "200 ms",
        );
        row(
            "its first page by size, names that fit a pattern",
            ms(page(Some(Sort::Size), Some("*9.jpg"))),
            "200 ms",
        );
    }

    /// Types the beginning of a name that only one image has, and Tab, at a prompt; how long until the rest stands there.
    fn tab_after(&self, home: &str) -> Duration {
        let (mut prompt, mut screen, _) = self.prompt(home);
        let mut times: Vec<Duration> = (0..11)
            .map(|number| {
                screen
                    .write_all(format!("/open image-0{number:02}55").as_bytes())
                    .unwrap();
                until(&mut screen, &format!("{number:02}55"));
                let begun = Instant::now();
                screen.write_all(b"\t").unwrap();
                until(&mut screen, ".jpg");
                let took = begun.elapsed();
                screen.write_all(b"\x15").unwrap();
                took
            })
            .collect();
        times.sort();
        end(&mut prompt, screen);
        times[5]
    }

    /// Starts the REPL on a terminal of its own and waits for its prompt.
    fn prompt_after(&self, home: &str) -> Duration {
        let (mut prompt, screen, took) = self.prompt(home);
        end(&mut prompt, screen);
        took
    }

    /// The REPL on a terminal of its own, our end of that, and how long until it showed its prompt.
    fn prompt(&self, home: &str) -> (Child, std::fs::File, Duration) {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = std::fs::File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let begun = Instant::now();
        let mut command = self.command(home);
        command
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs);
        let child = command.env("TERM", "xterm").spawn().unwrap();
        let mut screen = std::fs::File::from(ours);
        until(&mut screen, "> ");
        (child, screen, begun.elapsed())
    }
}

/// Reads a terminal until it has shown this.
fn until(screen: &mut std::fs::File, text: &str) {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains(text) {
        let read = screen.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
    }
}

/// Ends a prompt.
fn end(prompt: &mut Child, mut screen: std::fs::File) {
    screen.write_all(b"/quit\r").unwrap();
    // What it still prints must be read, or it waits for us.
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while screen.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
    prompt.wait().unwrap();
}

/// The median of 21 times of something.
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[10]
}

fn add(control: &Path, name: &str) {
    let hash = blake3::hash(name.as_bytes()).to_hex().to_string();
    ask(
        control,
        Request::AddClassic {
            album: None,
            name: name.into(),
            hash,
            size: 1000,
        },
    );
}

fn send(control: &Path, request: Request) -> impl Iterator<Item = Answer> + use<> {
    let mut stream = UnixStream::connect(control).unwrap();
    let line = serde_json::to_string(&Ask { request }).unwrap() + "\n";
    stream.write_all(line.as_bytes()).unwrap();
    BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .map(|line| serde_json::from_str(&line).unwrap())
}

fn ask(control: &Path, request: Request) -> Reply {
    for answer in send(control, request) {
        match answer {
            Answer::Reply(reply) => return reply,
            Answer::Failure(failure) => panic!("{failure}"),
            Answer::Taken | Answer::Progress(_) | Answer::Notice(_) => {}
        }
    }
    panic!("the node hung up")
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
