//! A central as a process of its own.

use std::path::Path;
use std::process::Child;

use serde_json::Value;

use super::{World, wait_for};

/// A central of its own; killed if the test ends early.
pub struct Central {
    child: Child,
    pub address: String,
    /// Of its key.
    pub words: String,
}

impl Central {
    /// Starts it on a folder, at an address (`127.0.0.1:0`: any).
    pub fn start(world: &World, data: &str, listen: &str) -> Self {
        let file = world.path("central.ready");
        let args = [
            "central",
            "--data",
            data,
            "--listen",
            listen,
            "--ready-file",
            "central.ready",
        ];
        let child = world.home("nobody").command(&args).spawn().unwrap();
        let ready = wait_for("the central", || {
            let text = std::fs::read_to_string(&file).ok()?;
            let ready: Value = serde_json::from_str(&text).ok()?;
            (ready["pid"] == child.id()).then_some(ready)
        });
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        Self {
            child,
            address: text("address"),
            words: text("words"),
        }
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Central {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All that a central knows but its identity.
pub fn wipe(data: &Path) {
    for entry in std::fs::read_dir(data).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("central.db") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}
