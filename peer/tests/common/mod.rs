//! A world of real processes for the tests: homes in a temporary folder, their own central, everything on loopback, every
//! wait on a condition with a deadline.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Homes and their central.
pub struct World {
    dir: tempfile::TempDir,
}

/// A running `calotype up`.
pub struct Peer {
    child: Child,
    /// What its ready file said.
    pub ready: Value,
}

impl Peer {
    /// Dies at once, as in a power cut of the process.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends as told by SIGTERM; its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("the peer does not end");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its guard's address.
    pub fn address(&self) -> String {
        self.ready["peer_address"].as_str().unwrap().to_owned()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `calotype watch --json`.
pub struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    /// Reads notices until one fits.
    pub fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the watch ended");
            let notice: Value = serde_json::from_str(&line).unwrap();
            if fits(&notice) {
                return notice;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl World {
    /// An empty world.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pw"), "correct horse\n").unwrap();
        Self { dir }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A home in it.
    pub fn home(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `calotype --home NAME …`, hermetic.
    pub fn command(&self, home: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calotype"));
        command
            .arg("--home")
            .arg(self.home(home))
            .current_dir(self.path())
            .stdin(Stdio::null());
        for name in [
            "CALOTYPE_HOME",
            "CALOTYPE_CENTRAL",
            "CALOTYPE_LOG",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
        command.env("CALOTYPE_CENTRAL_DIR", self.path().join("central"));
        command
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("data"));
        command.env("NO_COLOR", "1");
        command
    }

    /// Runs a one-shot to its end.
    pub fn run(&self, home: &str, args: &[&str]) -> Output {
        self.command(home).args(args).output().unwrap()
    }

    /// Runs a one-shot that must work; its standard output.
    pub fn ok(&self, home: &str, args: &[&str]) -> String {
        let output = self.run(home, args);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{home}: {args:?} ended with {:?}\n{out}{err}",
            output.status.code()
        );
        out.into_owned()
    }

    /// Runs a one-shot with `--json` that must work.
    pub fn json(&self, home: &str, args: &[&str]) -> Value {
        let text = self.ok(home, &[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error} in {text}"))
    }

    /// Runs a one-shot that must fail: its exit code and `error.code`.
    pub fn fails(&self, home: &str, args: &[&str]) -> (i32, String) {
        let output = self.run(home, &[args, &["--json"]].concat());
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{args:?}: {error} in {}", String::from_utf8_lossy(&output.stdout));
        });
        let code = json["error"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{args:?} worked: {json}"));
        (output.status.code().unwrap(), code.to_owned())
    }

    /// Starts a peer and waits until it serves.
    pub fn up(&self, user: &str, more: &[&str], env: &[(&str, &str)]) -> Peer {
        let ready = self.path().join(format!("{user}.ready"));
        let _ = std::fs::remove_file(&ready);
        let mut command = self.command(user);
        command
            .args(["up", "--user", user, "--password-file", "pw", "--ready-file"])
            .arg(&ready)
            .args(more);
        command.envs(env.iter().copied()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let text = wait_for(&format!("{user} to serve"), || {
            if let Some(status) = child.try_wait().unwrap() {
                let mut said = String::new();
                std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut said).unwrap();
                panic!("{user} ended with {status} before it served:\n{said}");
            }
            std::fs::read_to_string(&ready).ok()
        });
        // Nobody reads on: what it says later must not fill the pipe.
        let mut said = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Peer {
            child,
            ready: serde_json::from_str(&text).unwrap(),
        }
    }

    /// Starts `watch --json` at a home and waits until it hears the node.
    pub fn watch(&self, home: &str) -> Watch {
        let mut child = self
            .command(home)
            .args(["watch", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Watch { child, lines }
    }

    /// Registers users, makes `trip` at the first and lets the others in; all of them up and equal.
    pub fn trip(&self, users: &[&str]) -> Vec<Peer> {
        let peers: Vec<Peer> = users
            .iter()
            .map(|user| self.up(user, &["--register"], &[]))
            .collect();
        self.ok(users[0], &["create-album", "trip"]);
        for user in &users[1..] {
            self.ok(users[0], &["add-user", user]);
            self.ok(user, &["enter-album", "trip"]);
        }
        self.sync(users);
        peers
    }

    /// Waits until all of these are in sync and show one digest, which it returns.
    pub fn sync(&self, users: &[&str]) -> String {
        for user in users {
            self.ok(user, &["sync", "--timeout", "30s"]);
        }
        wait_for("one digest", || {
            let mut digests: Vec<String> = users.iter().map(|user| self.digest(user)).collect();
            digests.dedup();
            (digests.len() == 1).then(|| digests.remove(0))
        })
    }

    /// The digest a home shows.
    pub fn digest(&self, home: &str) -> String {
        self.json(home, &["get-or-set"])["digest"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Names of a home's images, oldest first.
    pub fn names(&self, home: &str) -> Vec<String> {
        let json = self.json(home, &["get-images"]);
        json["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Writes a picture into the world's folder; another `number`, another picture.
    pub fn picture(&self, name: &str, number: u8) -> String {
        let (width, height) = (96u32, 64u32);
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                pixels.extend([(x * 2) as u8 ^ number, (y * 3) as u8, number.wrapping_mul(37)]);
            }
        }
        let raster = filters::Raster::new(
            width,
            height,
            filters::Channels::Rgb,
            filters::Samples::U8(pixels),
        )
        .unwrap();
        let encoded =
            codec::encode_version(&raster, codec::Media::Jpeg, &codec::Metadata::default()).unwrap();
        std::fs::File::create(self.path().join(name))
            .unwrap()
            .write_all(&encoded.bytes)
            .unwrap();
        name.to_owned()
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
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
