#!/usr/bin/env bash
# Compares the three ways to replicate (op, delta, state) on real processes over loopback, and prints two tables: bytes
# and messages for each edit, time until every member has it. Without arguments: 2 peers, 10 to 1,000 images, and the
# picture of docs/strategies.md drawn anew.
#   scripts/compare_strategies.sh                    about a minute and a half
#   scripts/compare_strategies.sh 10 30              only these sizes, no picture
#   scripts/compare_strategies.sh --peers 3 10 100   three members
set -euo pipefail
cd "$(dirname "$0")/.."
PROFILE="${PROFILE:-release}"
flag=(--release)
[ "$PROFILE" = release ] || flag=()
cargo build ${flag[@]+"${flag[@]}"} --locked --quiet -p peer --bin calotype --example strategies
built="${CARGO_TARGET_DIR:-target}/$PROFILE"
[ "$#" -gt 0 ] || set -- --svg docs/strategies.svg
exec "$built/examples/strategies" "$built/calotype" "$@"
