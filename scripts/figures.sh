#!/usr/bin/env bash
# Prints the figures of docs/performance.md, measured on release builds.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked -p peer --bin calotype --example figures
target="$(realpath "${CARGO_TARGET_DIR:-target}")"
"$target/release/examples/figures" "$target/release/calotype"
cargo test --quiet --locked -p crdt --test suite an_add_costs -- --nocapture | grep 'of an add'
