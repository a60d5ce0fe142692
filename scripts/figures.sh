#!/usr/bin/env bash
# Prints the figures of docs/performance.md, measured on release builds.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked -p peer --bin calotype --example figures
target="${CARGO_TARGET_DIR:-target}"
"$target/release/examples/figures" "$target/release/calotype"
cargo test --release --locked -p crdt --test suite -- --nocapture bytes_of_an_add | grep -E '^an add' || true
