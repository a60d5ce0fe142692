//! The program itself, and several who want to be the one central of a folder.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use central::embedded::{Embedded, JoinError, join};
use central::proto::Role;
use central::{Client, ClientError, Pin};
use common::*;
use rustix::process::{Pid, Signal, kill_process};

/// A running `calotype-central`, killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn start(data: &Path, ready: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_calotype-central"))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--ready-file")
            .arg(ready)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// What the ready file says: address and key.
    async fn ready(&mut self, ready: &Path) -> (String, [u8; 32]) {
        eventually("the ready file", || async { ready.exists() }).await;
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(ready).unwrap()).unwrap();
        assert_eq!(json["pid"], self.0.id());
        let key = blake3::Hash::from_hex(json["key"].as_str().unwrap()).unwrap();
        (json["address"].as_str().unwrap().to_owned(), *key.as_bytes())
    }

    async fn end(&mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(self.0.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
        let mut status = None;
        for _ in 0..4_000 {
            status = self.0.try_wait().unwrap();
            if status.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        status.unwrap().code()
    }
}

#[tokio::test]
async fn the_program_serves_drains_and_comes_back() {
    let temp = tempfile::tempdir().unwrap();
    let (data, ready) = (temp.path().join("data"), temp.path().join("ready.json"));
    std::fs::write(&ready, "of an earlier run").unwrap();
    let mut program = Program::start(&data, &ready);
    eventually("the old ready file is gone or replaced", || async {
        std::fs::read(&ready).is_ok_and(|bytes| bytes.starts_with(b"{"))
    })
    .await;
    let (address, key) = program.ready(&ready).await;
    let mode = |name: &str| std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for file in ["lock", "address", "identity.key", "identity.cert"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    let (client, met) = Client::connect(&address, Pin::FirstUse).await.unwrap();
    assert_eq!(met, key);
    let alice = Home::new("alice");
    client
        .register("alice", "correct horse", &alice.cert, &alice.device)
        .await
        .unwrap();

    // A second one on the folder is refused, naming the first.
    let output = Command::new(env!("CARGO_BIN_EXE_calotype-central"))
        .arg("--data")
        .arg(&data)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&format!("process {}", program.0.id())), "{told}");

    // Killed without warning: what was acknowledged is there.
    program.end(Signal::KILL).await;
    soon("the loss is told", client.closed()).await;
    for signal in [Signal::TERM, Signal::INT] {
        std::fs::remove_file(&ready).unwrap();
        let mut program = Program::start(&data, &ready);
        let (address, again) = program.ready(&ready).await;
        assert_eq!(again, key);
        let (client, _) = Client::connect(&address, Pin::Key(key)).await.unwrap();
        assert_eq!(client.resume(&alice.cert, &alice.device).await.unwrap(), "alice");
        let start = Instant::now();
        assert_eq!(program.end(signal).await, Some(0));
        assert!(start.elapsed().as_secs() < 5);
        assert!(!data.join("address").exists());
    }
}

/// A disk that fails while the central serves (here: no file may grow further, which is EFBIG to a write). It says so to
/// the one who asked, ends with the reason, and what it had acknowledged is there when it is started again.
#[tokio::test]
async fn a_disk_that_fails_ends_the_program_and_loses_nothing_acknowledged() {
    let temp = tempfile::tempdir().unwrap();
    let (data, ready) = (temp.path().join("data"), temp.path().join("ready.json"));
    // 2,048 blocks of 512 bytes; the signal that would come instead of the error is ignored.
    let mut limited = Command::new("sh");
    limited
        .args([
            "-c",
            r#"trap '' XFSZ; ulimit -f 2048; exec "$0" "$@""#,
            env!("CARGO_BIN_EXE_calotype-central"),
        ])
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .arg("--ready-file")
        .arg(&ready)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let mut program = Program(limited.spawn().unwrap());
    let (address, key) = program.ready(&ready).await;
    let (client, _) = Client::connect(&address, Pin::Key(key)).await.unwrap();
    let alice = Home::new("alice");
    client
        .register("alice", "correct horse", &alice.cert, &alice.device)
        .await
        .unwrap();
    let mut stored = Vec::new();
    let refused = loop {
        assert!(stored.len() < 200, "there is no end to this disk");
        let (album, genesis) = alice.genesis();
        let members: Vec<Home> = (0..200).map(|_| Home::new("m")).collect();
        let mut named = vec![(&alice, Role::Owner)];
        named.extend(members.iter().map(|home| (home, Role::Viewer)));
        let (list, sig) = alice.list(album, 1, &named);
        match client.album_put(&list, &sig, &alice.cert, Some(&genesis)).await {
            Ok(_) => stored.push(album),
            Err(error) => break error,
        }
    };
    assert!(!stored.is_empty());
    // It is told, unless the end of everything was quicker.
    assert!(
        matches!(refused, ClientError::Refused(_) | ClientError::Unreachable { .. }),
        "{refused}"
    );
    soon("the end is told", client.closed()).await;
    let mut why = String::new();
    program.0.stderr.take().unwrap().read_to_string(&mut why).unwrap();
    assert_eq!(program.0.wait().unwrap().code(), Some(1));
    assert!(
        why.contains("the central has stopped") && why.contains("central.db could not be written"),
        "{why}"
    );

    std::fs::remove_file(&ready).unwrap();
    let mut program = Program::start(&data, &ready);
    let (address, key) = program.ready(&ready).await;
    let (client, _) = Client::connect(&address, Pin::Key(key)).await.unwrap();
    client.resume(&alice.cert, &alice.device).await.unwrap();
    let found: Vec<_> = client
        .albums()
        .await
        .unwrap()
        .iter()
        .map(|entry| entry.album)
        .collect();
    assert!(stored.iter().all(|album| found.contains(album)));
}

#[tokio::test]
async fn one_serves_and_the_others_find_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("calotype/central");
    let (one, two, three) = tokio::join!(join(&dir), join(&dir), join(&dir));
    let all = [one.unwrap(), two.unwrap(), three.unwrap()];
    let serving = all
        .iter()
        .filter(|joined| matches!(joined, Embedded::Serving(_)))
        .count();
    assert_eq!(serving, 1);
    let (address, key) = (all[0].address(), all[0].key());
    assert!(
        all.iter()
            .all(|joined| (joined.address(), joined.key()) == (address, key))
    );
    let (client, _) = Client::connect(&address.to_string(), Pin::Key(key))
        .await
        .unwrap();
    let alice = Home::new("alice");
    client
        .register("alice", "correct horse", &alice.cert, &alice.device)
        .await
        .unwrap();

    // Taking the lock is taking over: same key, same accounts, another port.
    let [Embedded::Serving(server), ..] = sorted(all) else {
        panic!("nobody serves")
    };
    server.shutdown().await;
    soon("the loss is told", client.closed()).await;
    let next = join(&dir).await.unwrap();
    assert!(matches!(next, Embedded::Serving(_)));
    assert_eq!(next.key(), key);
    let (client, _) = Client::connect(&next.address().to_string(), Pin::Key(key))
        .await
        .unwrap();
    assert_eq!(client.resume(&alice.cert, &alice.device).await.unwrap(), "alice");
}

fn sorted(mut all: [Embedded; 3]) -> [Embedded; 3] {
    all.sort_by_key(|joined| !matches!(joined, Embedded::Serving(_)));
    all
}

#[tokio::test]
async fn a_holder_that_does_not_serve_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let held = central::folder::Folder::take(temp.path()).unwrap();
    // An address at which nobody answers is no central.
    held.write_address("127.0.0.1:1".parse().unwrap()).unwrap();
    let pid = std::process::id();
    match join(temp.path()).await {
        Err(JoinError::Silent { pid: named, .. }) => assert_eq!(named, pid),
        other => panic!("{other:?}"),
    }
    drop(held);
    assert!(matches!(join(temp.path()).await.unwrap(), Embedded::Serving(_)));
}
