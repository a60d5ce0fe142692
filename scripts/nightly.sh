#!/usr/bin/env bash
# The long forms of the tests, one after the other, each within a time.
#
#   scripts/nightly.sh            all of them
#   scripts/nightly.sh PART…      these
#   scripts/nightly.sh --list     their names, times and commands
#
# Date and figures go into docs/reliability.md; the rows of parts that were not run stay. Not 0 if one failed. The output
# of each is kept in NIGHTLY_LOGS (target/nightly). NIGHTLY_PATIENCE=4 allows four times the time, for a busy machine.
set -euo pipefail
cd "$(dirname "$0")/.."
REPORT=docs/reliability.md
LOGS="${NIGHTLY_LOGS:-${CARGO_TARGET_DIR:-target}/nightly}"
export CARGO_TERM_COLOR=never
# Each test's own words hold its figures.
SHOW="--nocapture --test-threads=1"

declare -a names
declare -A minutes figure command

# part NAME MINUTES FIGURE COMMAND: FIGURE is a pattern (grep -E) for the lines of the output that are its figures.
part() {
  names+=("$1")
  minutes[$1]=$(($2 * ${NIGHTLY_PATIENCE:-1})) figure[$1]="$3" command[$1]="$4"
}

part sim 30 "seeds, .* converged|^SEED" \
  "cargo run --release -p proptests --bin sim -- --peers 7 --seeds 10000 --jobs 2"
part sim-200 30 "seeds, .* converged|^SEED" \
  "cargo run --release -p proptests --bin sim -- --peers 200 --seeds 5"
part exhaustive 120 "parts, .* beginnings" \
  "CRDT_EXHAUSTIVE=5 CRDT_EXHAUSTIVE_PARTS=22 CRDT_EXHAUSTIVE_MINUTES=110 cargo test --release -p crdt --test suite exhaustive -- $SHOW"
part kills 30 "kills in" "STORE_KILLS=1000 cargo test -p store --test calls -- $SHOW"
part cuts 30 "images, .* cut" "STORE_CUTS=500 cargo test -p store --test torn -- $SHOW"
part flips 15 "found, .* in free space" "STORE_FLIPS=1000 cargo test -p store --test db flipped -- $SHOW"
part heal 15 "flips, .* healed" "HEAL_FLIPS=100 cargo test -p peer --test heal -- $SHOW"
part gallery 10 "not run|nothing on the console" "bash scripts/gallery_browser.sh"
part old-cpu 20 "not run|the same pixels" "bash scripts/old_cpu.sh"
part disk-full 15 "skipped|acknowledged is there" "bash scripts/faults/disk_full.sh"
part fsync 15 "skipped|acknowledged" "bash scripts/faults/fsync_error.sh"
part peer-kills 30 "kills, .* lost|PEER_SEED" "PEER_KILLS=500 cargo test -p peer --test faults killed -- $SHOW"
part frozen 10 "test result" "PEER_FROZEN_S=60 cargo test -p peer --test faults frozen -- $SHOW"
part peer-floods 15 "KiB" "PEER_FLOOD=3000000 cargo test -p peer --test faults floods -- $SHOW"
part floods 15 "p99|messages in|KiB more" \
  "NET_FLOOD_SECONDS=30 cargo test --release -p net --lib tests::processes -- $SHOW"
part sessions 15 "sessions|p99" \
  "cargo run --release -p central --example sessions -- 10000 30"
part machines 15 "skipped|ok:|all held" "cargo build -p peer && bash scripts/three_machines.sh"
part fuzz 130 "^[a-z_]+ +[0-9]" "bash scripts/fuzz.sh 600"
part mutants 240 "mutants, .* caught" "bash scripts/mutants.sh"
part benches 60 "^\\|.*[0-9]" "bash scripts/bench_crdt.sh"

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0"
}

case "${1:-}" in
  --list)
    for name in "${names[@]}"; do printf '%-12s ≤ %3s min  %s\n' "$name" "${minutes[$name]}" "${command[$name]}"; done
    exit 0
    ;;
  -h | --help)
    usage
    exit 0
    ;;
esac
chosen=("$@")
[ "${#chosen[@]}" -gt 0 ] || chosen=("${names[@]}")
for name in "${chosen[@]}"; do
  [ -n "${command[$name]:-}" ] || { printf 'there is no part %s; --list names them\n' "$name" >&2; exit 2; }
done

mkdir -p "$LOGS"
declare -A row
child="" failed=0
trap '[ -z "$child" ] || kill -- "-$child" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
day="$(date -u +%F)"
for name in "${chosen[@]}"; do
  began=$SECONDS code=0
  log="$LOGS/$name.log"
  # A group of its own, so that nothing of it outlives its time.
  setsid timeout -k 10 "${minutes[$name]}m" bash -c "${command[$name]}" >"$log" 2>&1 &
  child=$!
  wait "$child" || code=$?
  child=""
  took=$((SECONDS - began))
  said="$(grep -E "${figure[$name]}" "$log" | tail -n 6 | tr '|\t' '/ ' | sed 's/  */ /g; s/^ //' | paste -sd ';' | sed 's/;/; /g' || true)"
  case "$code" in
    0) result="${said:-passed}" ;;
    124 | 137) result="FAILED: not done after ${minutes[$name]} min" ;;
    *) result="FAILED (exit $code)" ;;
  esac
  [ "$code" -eq 0 ] || { failed=1; tail -n 20 "$log" >&2; }
  printf '%s: %s (%s s)\n' "$name" "$result" "$took"
  # shellcheck disable=SC2016 # Markdown's
  row[$name]="$(printf '| %s | `%s` | %s | %s s | %s |' "$name" "${command[$name]}" "$result" "$took" "$day")"
done

table="$LOGS/table.md"
{
  printf '| part | command | figures | took | date |\n|---|---|---|---|---|\n'
  for name in "${names[@]}"; do
    if [ -n "${row[$name]:-}" ]; then
      printf '%s\n' "${row[$name]}"
    else
      sed -n '/^<!-- nightly:begin -->$/,/^<!-- nightly:end -->$/p' "$REPORT" | grep -F "| $name | \`" || true
    fi
  done
} >"$table"
awk -v table="$table" '
  /^<!-- nightly:begin -->$/ { print; while ((getline line < table) > 0) print line; skip = 1 }
  /^<!-- nightly:end -->$/ { skip = 0 }
  !skip { print }
' "$REPORT" >"$LOGS/report.md"
cat "$LOGS/report.md" >"$REPORT"
exit "$failed"
