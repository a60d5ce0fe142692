#!/usr/bin/env bash
# Prints the album's CRDT beside crdts, automerge and loro, for docs/performance.md. Argument: rounds (5).
# benches/ is a package of its own, so that neither users nor the gate compile the others.
set -euo pipefail
cd "$(dirname "$0")/../benches"
cargo build --release --locked --quiet
target="${CARGO_TARGET_DIR:-target}"
"$target/release/benches" "${1:-5}"
echo
"$target/release/heap"
