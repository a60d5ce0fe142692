//! Processes that stop and processes that hang.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use peer::node::watchdog::{HUNG, Pace};
use peer::node::{CentralChoice, Config};
use rustix::process::Signal;

use crate::world::{World, number, one_digest, wait_for};

/// A pace that calls a process hung after 1 s.
const PACE: (&str, Duration) = ("25:40", Duration::from_secs(1));

/// Bob's process is stopped (a closed lid, a debugger) for longer than his watchdog bears, `PEER_FROZEN_S` (2 s), while the
/// others edit: each of their edits is acknowledged and reaches the other as if he were not there. He goes on as the same
/// process, and all are equal.
#[test]
fn a_frozen_peer_holds_nobody_up_and_goes_on() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob", "carol"]);
    assert_eq!(peers.remove(1).end(), 0);
    let mut bob = world
        .home("bob")
        .up_with(&[], &[("CALOTYPE_TEST_WATCHDOG", PACE.0)]);
    world.sync(&["alice", "bob", "carol"]);
    let (alice, carol) = (peers[0].control(), peers[1].control());
    bob.signal(Signal::STOP);
    let frozen = Instant::now();
    let bound = Duration::from_secs(number("PEER_FROZEN_S", 2));
    assert!(bound > PACE.1);
    for number in 0.. {
        let name = format!("{number}.jpg");
        let (from, to) = if number % 2 == 0 {
            (&alice, &carol)
        } else {
            (&carol, &alice)
        };
        from.add(&name).unwrap();
        wait_for("the edit", || to.names().contains(&name).then_some(()));
        if frozen.elapsed() > bound {
            break;
        }
    }
    bob.signal(Signal::CONT);
    one_digest(&[&alice, &bob.control(), &carol]);
    assert!(bob.is_alive());
    assert_eq!(bob.end(), 0);
}

/// A node whose runtime is blocked for good is ended by its own watchdog, which says so and leaves its own exit code. The
/// node is a real one; what blocks it is this test, which runs itself as the process that hangs.
#[test]
fn a_hung_process_is_ended() {
    if let Some(dir) = std::env::var_os("CALOTYPE_TEST_HANG") {
        return hang(std::path::PathBuf::from(dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "watchdog::a_hung_process_is_ended", "--nocapture"])
        .env("CALOTYPE_TEST_HANG", dir.path())
        .env("XDG_RUNTIME_DIR", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let code = wait_for("the watchdog", || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(code.code(), Some(i32::from(HUNG)), "{said}");
    assert!(said.contains("the runtime hangs"), "{said}");
}

fn hang(dir: std::path::PathBuf) {
    let config = Config {
        home: dir.join("home"),
        central: CentralChoice::Embedded {
            dir: dir.join("central"),
        },
        listen: None,
        replication: engine::Strategy::Op,
        lock_wait: Duration::ZERO,
        anti_entropy: true,
        mdns: false,
        device_name: "desk".into(),
        verify: true,
        decoder: peer::decoder::Decoder::own(),
        watchdog: Pace {
            period: Duration::from_millis(5),
            ticks: 20,
        },
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let _node = peer::node::start(config).await.unwrap();
        loop {
            std::thread::park();
        }
    });
}
