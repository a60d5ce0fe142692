//! A folder with homes, a central and files of its own, and the binary run in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything of one test.
pub struct World {
    dir: tempfile::TempDir,
}

/// One person's home.
pub struct Home<'a> {
    world: &'a World,
    name: &'static str,
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

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pw"), "a password of tests\n").unwrap();
        World { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn home(&self, name: &'static str) -> Home<'_> {
        Home { world: self, name }
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
            .env("CALOTYPE_CENTRAL_DIR", self.world.path("central"));
        command.arg("--home").arg(self.name).args(args);
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

    /// Starts `up` and waits until it can serve.
    pub fn up(&self, args: &[&str]) -> Up {
        let file = self.world.path(&format!("{}.ready", self.name));
        let mut command = self.command(&["up", "--ready-file", file.to_str().unwrap()]);
        let mut child = command.args(args).spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        let ready = loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                break serde_json::from_str(&text).unwrap();
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
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM; its exit code, which must come within 5 s.
    pub fn end(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
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
