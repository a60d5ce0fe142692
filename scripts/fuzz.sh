#!/usr/bin/env bash
# Fuzzes the decoders: scripts/fuzz.sh [SECONDS] [TARGET…] runs each target (all of fuzz/fuzz_targets) for SECONDS (60).
# One line a target: executions, coverage, crashes, peak memory. Not 0 if one crashed; its input is then in
# fuzz/artifacts/TARGET. What is found stays in fuzz/found, which git ignores. Needs nightly Rust and cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
if ! cargo +nightly --version > /dev/null 2>&1; then
  echo "fuzz.sh: nightly Rust is missing: rustup toolchain install nightly" >&2
  exit 2
fi
if ! cargo fuzz --version > /dev/null 2>&1; then
  echo "fuzz.sh: cargo-fuzz is missing: cargo install cargo-fuzz" >&2
  exit 2
fi
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  for door in fuzz/fuzz_targets/*.rs; do
    targets+=("$(basename "$door" .rs)")
  done
fi

# What targets write (homes of the store) goes to a folder of its own, in memory where there is such a place.
if [[ -d /dev/shm && -w /dev/shm ]]; then
  TMPDIR=$(mktemp -d /dev/shm/fuzz.XXXXXX)
else
  TMPDIR=$(mktemp -d)
fi
export TMPDIR
log=$TMPDIR/log
trap 'rm -rf "$TMPDIR"' EXIT

crashed=0
printf '%-12s %12s %10s %8s %8s\n' target executions coverage crashes peak
for target in "${targets[@]}"; do
  found=fuzz/found/$target
  mkdir -p "$found" "fuzz/artifacts/$target"
  status=0
  # One allocation stays below 32 MiB; all of the process, sanitizer and code included, below 1 GiB.
  cargo +nightly fuzz run --fuzz-dir fuzz "$target" "$found" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=25 -rss_limit_mb=1024 -malloc_limit_mb=32 \
    -print_final_stats=1 > "$log" 2>&1 || status=$?
  stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
  coverage=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d' ' -f2 || true)
  executions=$(stat number_of_executed_units)
  if [[ -z $coverage ]]; then
    echo "fuzz.sh: $target did not run:" >&2
    tail -n 20 "$log" >&2
    exit 2
  fi
  printf '%-12s %12s %10s %8s %5s MB\n' "$target" "${executions:--}" "$coverage" "$((status != 0))" "$(stat peak_rss_mb || true)"
  if [[ $status -ne 0 ]]; then
    crashed=1
    grep -E 'panicked at|SUMMARY|artifacts/' "$log" | head -n 5 >&2 || true
  fi
done
exit $crashed
