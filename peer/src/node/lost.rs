//! Failed writes as the node's loop sees them: nothing that it acknowledges stands on an op that the disk lost.

use std::time::Duration;

use crdt::id::AlbumId;
use engine::Me;
use store::{Blobs, Db, Home};

use super::account::Account;
use super::run::{Durable, Handle, Node, Parts};
use super::{CentralChoice, Config, incarnation};
use crate::api::{Code, Failure};

/// A node on a home of its own, its loop running, nobody around it.
pub(super) fn start(dir: &std::path::Path) -> (Handle, tokio::task::JoinHandle<Result<(), Failure>>) {
    let home = Home::open(&dir.join("home"), Duration::from_secs(10)).unwrap();
    let (db, _) = Db::open(&home).unwrap();
    let account = Account::load(&home).unwrap().unwrap_or_else(|| {
        let made = Account::create("alice", "a password").unwrap();
        made.save(&home).unwrap();
        made
    });
    let incarnation = incarnation(&db).unwrap();
    let me = Me {
        author: account.author(incarnation),
        name: account.name.clone(),
    };
    let config = Config {
        home: home.path().into(),
        decoder: crate::decoder::Decoder::own(),
        central: CentralChoice::Address("127.0.0.1:1".into()),
        listen: None,
        replication: engine::Strategy::Op,
        lock_wait: Duration::ZERO,
        anti_entropy: true,
        mdns: false,
        device_name: "desk".into(),
        verify: true,
        watchdog: super::watchdog::Pace::default(),
    };
    let (mut node, inputs) = Node::new(Parts {
        blobs: Blobs::open(&home),
        home,
        db,
        config,
        account: Some(account),
        incarnation,
        seed: [7; 32],
    });
    node.open_albums().unwrap();
    node.engine.sign_in(Some(me));
    (node.handle.clone(), tokio::spawn(node.run(inputs)))
}

/// A line that needs pages of its own.
pub(super) fn say(node: &mut Node, album: AlbumId, word: &str) -> Durable {
    let now = node.now();
    let token = node
        .engine
        .say(now, album, word.repeat(1900 / word.len()), 1)
        .unwrap();
    node.durable(token)
}

pub(super) fn words(node: &Node, album: AlbumId) -> Vec<String> {
    let lines = node.engine.album(&album).unwrap().chat();
    lines.map(|line| line.text.chars().take(3).collect()).collect()
}

/// The disk is full as alice writes; before her node hears of it somebody frees space, and she writes again. Both lines
/// are lost and she is told so: the second one names the first as its past. Then the album is as it was, she goes on,
/// and after a restart all that was acknowledged is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_behind_a_lost_one_is_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = start(dir.path());
    let made = handle.with(|node| {
        let (album, token) = node.engine.create("trip", 1).unwrap();
        (album, node.durable(token))
    });
    let (album, durable) = made.await.unwrap();
    durable.await.unwrap().unwrap();
    // One step of the loop: it hears of no write before the end of it.
    let both = handle.with(move |node| {
        let db = node.db().clone();
        db.limit_pages(1).unwrap();
        let mut lines: Vec<Durable> = (0..8).map(|_| say(node, album, "one")).collect();
        // Told after those before it, and lost with them.
        drop(db.commit_wait(Vec::new()));
        db.limit_pages(u32::MAX).unwrap();
        lines.push(say(node, album, "two"));
        lines
    });
    let mut outcomes = Vec::new();
    for durable in both.await.unwrap() {
        outcomes.push(durable.await.unwrap().map_err(|failure| failure.code));
    }
    let kept = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
    assert!(kept < 8, "the disk was full");
    assert!(
        outcomes[kept..]
            .iter()
            .all(|outcome| *outcome == Err(Code::DiskFull)),
        "{outcomes:?}"
    );
    let (there, durable) = handle
        .with(move |node| (words(node, album), say(node, album, "new")))
        .await
        .unwrap();
    assert_eq!(there, vec!["one"; kept]);
    durable.await.unwrap().unwrap();
    handle.send(super::run::Input::Stop);
    running.await.unwrap().unwrap();
    drop(handle);

    let (handle, running) = start(dir.path());
    let there = handle.with(move |node| words(node, album)).await.unwrap();
    assert_eq!(there, [vec!["one"; kept], vec!["new"]].concat());
    handle.send(super::run::Input::Stop);
    running.await.unwrap().unwrap();
}

/// An op rotted on the disk, perhaps our own last one. Whoever goes on as the same actor writes a second op under its
/// number; so this device goes on as another actor, which nobody can tell from a new device.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_op_starts_a_new_life() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = start(dir.path());
    let made = handle.with(|node| {
        let (album, token) = node.engine.create("trip", 1).unwrap();
        (album, node.durable(token), node.incarnation)
    });
    let (album, durable, first) = made.await.unwrap();
    durable.await.unwrap().unwrap();
    let said = handle.with(move |node| say(node, album, "one")).await.unwrap();
    said.await.unwrap().unwrap();
    handle.send(super::run::Input::Stop);
    running.await.unwrap().unwrap();
    drop(handle);

    let file = dir.path().join("home/calotype.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|six| six == b"oneone").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    // With a checkpoint the op would not be lost (`checkpoint`).
    std::fs::remove_dir_all(dir.path().join("home/checkpoints")).unwrap();
    for _ in 0..2 {
        let (handle, running) = start(dir.path());
        let seen =
            handle.with(move |node| (words(node, album), node.incarnation, node.engine.me().is_some()));
        let (words, second, signed_in) = seen.await.unwrap();
        assert!(words.is_empty() && signed_in);
        assert_ne!(second, first);
        handle.send(super::run::Input::Stop);
        running.await.unwrap().unwrap();
    }
}
