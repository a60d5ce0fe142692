//! The demo, run as a person runs it: it holds, says so, leaves nothing behind, and fails where it cannot be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn demo(temp: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_calotype"))
        .arg("demo")
        .args(words)
        .env("TMPDIR", temp)
        .env("NO_COLOR", "1")
        .env_remove("CALOTYPE_LOG")
        .output()
        .unwrap()
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn everything_holds_and_nothing_is_left() {
    let temp = tempfile::tempdir().unwrap();
    let output = demo(temp.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let summary = text.lines().last().unwrap();
    assert!(
        summary.starts_with("9 of 9 held in ") && summary.ends_with(" s"),
        "{text}"
    );
    assert!(!text.contains('✗'), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(is_empty(temp.path()), "the demo left something behind");
}

#[test]
fn a_folder_without_photos_is_an_error_that_says_so() {
    let (temp, photos) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(photos.path().join("notes.txt"), "no picture").unwrap();
    let path = photos.path().to_str().unwrap();
    let output = demo(temp.path(), &["--json", "--photos", path]);
    assert_eq!(output.status.code(), Some(4));
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(error["error"]["code"], "not_found");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("no image in "),
        "{error}"
    );
    assert!(is_empty(temp.path()));
}

#[test]
fn what_does_not_hold_is_named_and_its_homes_stay() {
    // An image by its first bytes, and not one by the rest: the first step cannot add it.
    let (temp, photos) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(
        photos.path().join("broken.png"),
        b"\x89PNG\r\n\x1a\nand then nothing",
    )
    .unwrap();
    let path = photos.path().to_str().unwrap();
    let output = demo(temp.path(), &["--json", "--photos", path]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["held"], &report["of"]),
        (&0.into(), &9.into()),
        "{report}"
    );
    assert_eq!(report["steps"][0]["held"], false, "{report}");
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("step 1 did not hold"),
        "{report}"
    );
    let folder = Path::new(report["folder"].as_str().unwrap());
    assert!(
        folder.starts_with(temp.path()) && folder.join("homes/alice").is_dir(),
        "{report}"
    );
}
