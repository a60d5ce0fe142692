#!/usr/bin/env bash
# The only gate: what must hold before anything lands. CI calls it; so do you. One profile, dev.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
export CARGO_INCREMENTAL=0

step() {
  printf '\n== %s (%ss)\n' "$1" "$SECONDS"
}

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "tests"
cargo test --workspace --locked

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

CALOTYPE="${CARGO_TARGET_DIR:-target}/debug/calotype"
export CALOTYPE
step "demo"
"$CALOTYPE" demo

for demo in scripts/demo_*.sh; do
  step "$demo"
  bash "$demo"
done

printf '\nall checks passed in %s s\n' "$SECONDS"
