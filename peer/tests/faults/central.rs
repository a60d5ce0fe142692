//! A central that dies, comes back, loses everything, or is another.

use std::path::Path;
use std::process::Child;

use serde_json::Value;

use crate::world::{World, wait_for};

/// A central of its own; killed if the test ends early.
struct Central {
    child: Child,
    address: String,
}

impl Central {
    /// Starts it on a folder, at an address (`127.0.0.1:0`: any).
    fn start(world: &World, data: &str, listen: &str) -> Self {
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
        let address = ready["address"].as_str().unwrap().to_owned();
        Self { child, address }
    }

    fn kill(mut self) {
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
fn wipe(data: &Path) {
    for entry in std::fs::read_dir(data).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("central.db") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Peers work on while their central is killed, comes back, and comes back with its database gone: users return by
/// themselves, and a new one can join. A central with another key is not used, and everybody is told.
#[test]
fn the_central_may_die_be_wiped_and_be_replaced() {
    let world = World::new();
    let central = Central::start(&world, "served", "127.0.0.1:0");
    let address = central.address.clone();
    let at = ["--central", &address];
    let up = |user: &str| {
        let peer = world.up(user, &[&at[..], &["--register"]].concat());
        (peer.control(), peer)
    };
    let ((alice, _a), (bob, _b)) = (up("alice"), up("bob"));
    let home = |user: &str| world.home(user);
    home("alice").ok(&["create-album", "trip"]);
    home("alice").ok(&["add-user", "bob"]);
    home("bob").ok(&["enter-album", "trip"]);
    world.sync(&["alice", "bob"]);

    central.kill();
    for number in 0..5 {
        alice.add(&format!("alone-{number}.jpg")).unwrap();
    }
    wait_for("albums to go on", || (bob.names().len() == 5).then_some(()));
    let is = |control: &crate::world::Control, word: &str| control.status().central == word;
    wait_for("it to be missed", || {
        (is(&alice, "down") && is(&bob, "down")).then_some(())
    });

    let central = Central::start(&world, "served", &address);
    wait_for("both to return", || {
        (is(&alice, "connected") && is(&bob, "connected")).then_some(())
    });
    central.kill();
    wipe(&world.path("served"));
    let central = Central::start(&world, "served", &address);
    wait_for("both to return", || {
        (is(&alice, "connected") && is(&bob, "connected")).then_some(())
    });
    let (carol, _c) = up("carol");
    wait_for("bob's name to be back", || {
        (home("alice").run(&["add-user", "carol"], "").code == 0).then_some(())
    });
    home("carol").ok(&["enter-album", "trip"]);
    wait_for("the album", || (carol.names().len() == 5).then_some(()));
    central.kill();

    let _other = Central::start(&world, "other", &address);
    wait_for("the other key to be noticed", || {
        alice.status().refused.contains_key("central_key").then_some(())
    });
    assert!(is(&alice, "down"));
    alice.add("still.jpg").unwrap();
    wait_for("albums to go on", || (carol.names().len() == 6).then_some(()));
}
