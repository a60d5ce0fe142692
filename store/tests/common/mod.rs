//! What the tests of real processes share: homes that go away, and this test binary as a child of itself.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use store::{Hash, Home};

/// Longest wait for a lock whose holder was just killed.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);
/// Names the home that a child works on; a test that is meant as a child returns at once without it.
const CHILD_HOME: &str = "STORE_TEST_CHILD_HOME";

/// A folder of its own and a home in it.
pub fn new_home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = reopen(&dir.path().join("home"));
    (dir, home)
}

pub fn reopen(path: &Path) -> Home {
    Home::open(path, LOCK_WAIT).unwrap()
}

/// A hash that stands for a number.
pub fn name(n: u64) -> Hash {
    *blake3::hash(&n.to_le_bytes()).as_bytes()
}

/// Bytes that look random but are the same each time.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// The home that this process was started for as a child.
pub fn child_home() -> Option<PathBuf> {
    std::env::var_os(CHILD_HOME).map(PathBuf::from)
}

/// A process running one test of this binary as a child.
pub struct Helper {
    pub child: Child,
    lines: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts test `name` for a home; `shell` is what a shell does before it becomes the child.
    pub fn start(name: &str, home: &Path, shell: &str) -> Helper {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{shell} exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(CHILD_HOME, home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Helper { child, lines }
    }

    /// The next line that the child says to us (`@word ...`), past what the test harness prints.
    pub fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness prints "test name ... " without ending the line.
            if let Some(at) = line.find('@').filter(|_| line.ends_with('\n')) {
                return Some(line[at + 1..].trim_end().to_string());
            }
        }
    }

    /// SIGKILL; returns once the process is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // A test that fails must not leave its child behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Helper {
    /// Lets the child take some more steps.
    pub fn send_lines(&mut self, count: usize) {
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all("\n".repeat(count).as_bytes())
            .unwrap();
    }

    /// All that the child still says, to its end.
    pub fn line_all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }
}
