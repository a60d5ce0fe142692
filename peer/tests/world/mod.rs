//! A folder with homes, a central and files of its own, and the binary run in it: one-shots and peers that stay, all
//! real processes on loopback. Every wait is on a condition, with a deadline.

#![allow(dead_code, missing_docs, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use peer::api::{Answer, Ask, Reply, Request};
use rustix::process::Signal;
use serde_json::Value;

pub mod central;
pub mod terminal;

/// How long anything may take before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Everything of one test.
pub struct World {
    dir: tempfile::TempDir,
}

/// One person's home.
pub struct Home<'a> {
    world: &'a World,
    name: String,
}

/// What a process left.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A peer that stays; killed if the test ends early.
pub struct Up {
    child: Child,
    pub ready: Value,
}

/// The way to a running peer without a process of one's own.
#[derive(Debug, Clone)]
pub struct Control(PathBuf);

impl Control {
    /// What a node answers; the text of a failure, or none where it died.
    pub fn ask(&self, request: Request) -> Result<Reply, Option<String>> {
        let mut stream = UnixStream::connect(&self.0).map_err(|_| None)?;
        let line = serde_json::to_string(&Ask { request }).unwrap() + "\n";
        stream.write_all(line.as_bytes()).map_err(|_| None)?;
        for line in BufReader::new(stream).lines() {
            match serde_json::from_str(&line.map_err(|_| None)?) {
                Ok(Answer::Reply(reply)) => return Ok(reply),
                Ok(Answer::Failure(failure)) => return Err(Some(failure.message)),
                Ok(_) => {}
                // Cut short by its death.
                Err(_) => return Err(None),
            }
        }
        Err(None)
    }

    /// Adds an entry whose bytes nobody has; `true` once it is acknowledged.
    pub fn add(&self, name: &str) -> Result<(), Option<String>> {
        self.ask(Request::AddClassic {
            album: None,
            name: name.to_owned(),
            hash: blake3::hash(name.as_bytes()).to_hex().to_string(),
            size: 7,
        })
        .map(drop)
    }

    pub fn names(&self) -> Vec<String> {
        match self.ask(Request::GetImages {
            album: None,
            select: Default::default(),
        }) {
            Ok(Reply::Images(it)) => it.images.into_iter().map(|image| image.name).collect(),
            other => panic!("{other:?}"),
        }
    }

    pub fn status(&self) -> peer::api::Status {
        match self.ask(Request::Status) {
            Ok(Reply::Status(status)) => *status,
            other => panic!("{other:?}"),
        }
    }

    pub fn digest(&self) -> String {
        match self.ask(Request::GetOrSet {
            album: None,
            limit: Some(0),
            skip: 0,
            behind: 0,
        }) {
            Ok(Reply::OrSet(it)) => it.digest,
            other => panic!("{other:?}"),
        }
    }
}

/// Waits until all of these show one digest.
pub fn one_digest(controls: &[&Control]) {
    wait_for("one digest", || {
        let mut digests: Vec<String> = controls.iter().map(|control| control.digest()).collect();
        digests.dedup();
        (digests.len() == 1).then_some(())
    });
}

/// A number from the environment, for the long forms.
pub fn number(variable: &str, usual: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| text.parse().unwrap())
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pw"), "a password of tests\n").unwrap();
        // Sockets of killed processes go with the folder.
        std::fs::create_dir(dir.path().join("run")).unwrap();
        World { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn home(&self, name: &str) -> Home<'_> {
        Home {
            world: self,
            name: name.to_owned(),
        }
    }

    /// Starts a user's peer in the home of that name.
    pub fn up(&self, user: &str, more: &[&str]) -> Up {
        let session = ["--user", user, "--password-file", "pw"];
        self.home(user).up(&[&session, more].concat())
    }

    /// Registers users, makes `trip` at the first and lets the others in; all of them up and equal.
    pub fn trip(&self, users: &[&str]) -> Vec<Up> {
        let peers: Vec<Up> = users.iter().map(|user| self.up(user, &["--register"])).collect();
        let first = self.home(users[0]);
        first.ok(&["create-album", "trip"]);
        for user in &users[1..] {
            first.ok(&["add-user", user]);
            self.home(user).ok(&["enter-album", "trip"]);
        }
        self.sync(users);
        peers
    }

    /// Waits until these are in sync and show one digest.
    pub fn sync(&self, users: &[&str]) {
        for user in users {
            self.home(user).ok(&["sync", "--timeout", "30s"]);
        }
        wait_for("one digest", || {
            let mut digests: Vec<String> = users.iter().map(|user| self.home(user).digest()).collect();
            digests.dedup();
            (digests.len() == 1).then_some(())
        });
    }

    pub fn image(&self, name: &str, seed: u8) {
        std::fs::write(self.path(name), bmp(seed)).unwrap();
    }
}

impl Home<'_> {
    /// The binary in this home, without anything of the person who runs the tests.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calotype"));
        let keep = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            matches!(&*name, "PATH" | "TMPDIR") || name.starts_with("LLVM_")
        });
        command
            .env_clear()
            .envs(keep)
            .current_dir(self.world.dir.path())
            .stdin(Stdio::null());
        command
            .env("HOME", self.world.dir.path())
            .env("XDG_RUNTIME_DIR", self.world.path("run"))
            .env("CALOTYPE_CENTRAL_DIR", self.world.path("central"))
            .env("CALOTYPE_DEVICE_NAME", Path::new(&self.name).file_name().unwrap());
        // Nobody's network hears of a test.
        command.arg("--home").arg(&self.name).arg("--no-mdns").args(args);
        command
    }

    pub fn run(&self, args: &[&str], input: &str) -> Run {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A process that ends before it reads all is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Stdout of what must work.
    pub fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args, "");
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        run.out
    }

    /// The object that what must work prints.
    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// The digest of the album as this home has it.
    pub fn digest(&self) -> String {
        self.json(&["get-or-set"])["digest"].as_str().unwrap().to_owned()
    }

    /// Names of the images, oldest first.
    pub fn names(&self) -> Vec<String> {
        let images = self.json(&["get-images"]);
        let names = images["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| &image["name"]);
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// Starts `up` and waits until it can serve.
    pub fn up(&self, args: &[&str]) -> Up {
        self.up_with(args, &[])
    }

    /// The same in an environment.
    pub fn up_with(&self, args: &[&str], env: &[(&str, &str)]) -> Up {
        let file = self.world.path(&format!("{}.ready", self.name));
        let mut command = self.command(&["up", "--ready-file", file.to_str().unwrap()]);
        let mut child = command.args(args).envs(env.iter().copied()).spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        let ready = loop {
            // One of an earlier, killed process may be there still.
            if let Ok(text) = std::fs::read_to_string(&file)
                && let ready = serde_json::from_str::<Value>(&text).unwrap()
                && ready["pid"] == child.id()
            {
                break ready;
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("up ended: {status}");
            }
            assert!(Instant::now() < until, "up is not ready");
            std::thread::yield_now();
        };
        Up { child, ready }
    }
}

impl Up {
    /// A process that may not come so far; it is killed all the same.
    pub fn not_ready(child: Child) -> Self {
        Up {
            child,
            ready: Value::Null,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Dies at once, unprepared.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it, or lets it go on.
    pub fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn control(&self) -> Control {
        Control(PathBuf::from(self.ready["control"].as_str().unwrap()))
    }

    /// Bytes of memory: now, and the most since [`Up::forget_peak`].
    pub fn memory(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let of = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// The highest water mark begins anew.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its guard's address.
    pub fn address(&self) -> String {
        self.ready["peer_address"].as_str().unwrap().to_owned()
    }

    /// SIGTERM; its exit code, which must come within 5 s.
    pub fn end(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        let asked = Instant::now();
        let status = self.child.wait().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(5));
        status.code().unwrap_or(-1)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks until there is something, or panics naming what it waited for.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

/// A picture of 4 × 2 pixels, another one for each seed.
pub fn bmp(seed: u8) -> Vec<u8> {
    let mut out = b"BM".to_vec();
    out.extend(78u32.to_le_bytes());
    out.extend([0; 4]);
    for field in [54u32, 40, 4, 2] {
        out.extend(field.to_le_bytes());
    }
    out.extend([1, 0, 24, 0]);
    for field in [0u32, 24, 2835, 2835, 0, 0] {
        out.extend(field.to_le_bytes());
    }
    out.extend((0..24u8).map(|i| seed.wrapping_mul(37).wrapping_add(i)));
    out
}

/// An uncompressed picture.
pub fn bitmap(width: u32, height: u32) -> Vec<u8> {
    let row = (width * 3).next_multiple_of(4);
    let mut out = b"BM".to_vec();
    out.extend((54 + row * height).to_le_bytes());
    out.extend([0; 4]);
    for field in [54, 40, width, height] {
        out.extend(field.to_le_bytes());
    }
    out.extend([1, 0, 24, 0]);
    for field in [0, row * height, 2835, 2835, 0, 0] {
        out.extend(field.to_le_bytes());
    }
    let mut state = 1u32;
    out.extend((0..row * height).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    out
}
