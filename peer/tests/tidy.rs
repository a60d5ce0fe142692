//! The house's walls: how files open, how long they are, what the pure crates may stand on.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

/// Lines a source file may have.
const LINES_MAX: usize = 800;

/// What each pure crate may depend on, and nothing else.
const WALLS: [(&str, &[&str]); 3] = [
    (
        "crdt",
        &[
            "base64",
            "blake3",
            "crdts",
            "ed25519-dalek",
            "serde",
            "serde_json",
            "thiserror",
            "unicode-normalization",
            "zeroize",
        ],
    ),
    (
        "engine",
        &[
            "base64",
            "crdt",
            "rand",
            "rand_chacha",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
    ("filters", &["blake3", "multiversion", "rayon", "thiserror"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') || name.starts_with("target") {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_source_file_says_what_lives_in_it_and_is_short_enough_to_read() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 50, "the walk found the sources");
    let mut complaints = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        if !text.starts_with("//! ") {
            complaints.push(format!("{}: does not open with //!", file.display()));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            complaints.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_pure_crates_stand_on_what_their_walls_name() {
    for (name, allowed) in WALLS {
        let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let found: Vec<&String> = manifest["dependencies"].as_table().unwrap().keys().collect();
        assert!(!found.is_empty());
        for dependency in found {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}"
            );
        }
    }
}

#[test]
fn the_wire_of_peers_and_the_net_of_peers_stay_where_they_belong() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let inside = |folder: &str| file.starts_with(root().join(folder));
        if !inside("net") && !file.ends_with("tidy.rs") {
            for foreign in ["zeromq::", "yamux::"] {
                assert!(
                    !text.contains(foreign),
                    "{}: {foreign} outside net/",
                    file.display()
                );
            }
        }
        if !inside("store") && !inside("central") && !file.ends_with("tidy.rs") {
            assert!(
                !text.contains("rusqlite::"),
                "{}: SQLite outside the stores",
                file.display()
            );
        }
    }
}
