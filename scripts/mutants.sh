#!/usr/bin/env bash
# Are the protections held by tests? Each patch in proptests/mutants breaks one of them: it is applied to a copy of the
# tree, and the test that it names must fail there.
#
#   scripts/mutants.sh            all of them
#   scripts/mutants.sh NAME…      these
#
# The last result of each is written into docs/simulation.md. The copy and its build stay in MUTANTS_TARGET_DIR
# (target/mutants): a copy elsewhere would be built from the start each time, and one that shared a target folder with
# the tree itself would leave broken artifacts there, since cargo names both alike.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT="$PWD"
PATCHES="$ROOT/proptests/mutants"
REPORT="$ROOT/docs/simulation.md"
WORK="${MUTANTS_TARGET_DIR:-$ROOT/target/mutants}"
# Seconds that a build and a test may take.
BUILD_MAX=1800
TEST_MAX=300

mkdir -p "$WORK"
WORK="$(cd "$WORK" && pwd)"
TREE="$WORK/tree"
LOG="$WORK/last.log"
export CARGO_TARGET_DIR="$WORK" CARGO_INCREMENTAL=1 CARGO_TERM_COLOR=never
# Much is built and little is run.
QUICK=(--config profile.dev.opt-level=0 --config profile.dev.debug=false)
for pure in crdt engine filters; do QUICK+=(--config "profile.dev.package.$pure.opt-level=1"); done
# The copy is no part of the repository around it: git would look for the patches' paths there.
export GIT_CEILING_DIRECTORIES="$WORK"

applied="" child=""
declare -A result

leave() {
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  [ -z "$applied" ] || git -C "$TREE" apply -R "$applied" || rm -rf "$TREE"
}
trap leave EXIT
trap 'exit 130' INT TERM

die() {
  printf '%s\n' "$*" >&2
  exit 2
}

# One header line of a patch: header NAME KEY.
header() {
  sed -n "/^diff /q; s/^$2: //p" "$PATCHES/$1.patch"
}

# The test's target (`-p net --lib`) and its name.
target_of() {
  local words
  read -ra words <<<"$(header "$1" test)"
  [ "${#words[@]}" -ge 5 ] && [ "${words[*]:0:2}" = "cargo test" ] || die "$1: test: cargo test -p CRATE TARGET NAME"
  printf '%s\n' "${words[*]:2:${#words[@]}-3}"
}

test_of() {
  header "$1" test | awk '{ print $NF }'
}

# Brings the copy up to the tree: tracked files as they are now. Others keep their times, so that cargo keeps their builds.
copy_tree() {
  local file
  mkdir -p "$TREE"
  git ls-files -z | while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    cmp -s "$file" "$TREE/$file" && continue
    mkdir -p "$TREE/$(dirname "$file")"
    cp "$file" "$TREE/$file"
  done
  (cd "$TREE" && find . -type f -printf '%P\n') | sort >"$WORK/there"
  git ls-files | sort | comm -13 - "$WORK/there" | while IFS= read -r file; do rm "$TREE/$file"; done
  rm "$WORK/there"
}

# Runs a command in the copy within a time, its output in the log. In the background, so that Ctrl-C is heard at once.
run() {
  local seconds="$1" code=0
  shift
  (cd "$TREE" && exec timeout -k 5 "$seconds" "$@") >"$LOG" 2>&1 9>&- &
  child=$!
  wait "$child" || code=$?
  child=""
  return "$code"
}

# Builds a target's tests.
build() {
  # shellcheck disable=SC2086 # a target is several words
  run "$BUILD_MAX" cargo test "${QUICK[@]}" --locked --quiet $1 --no-run
}

# Runs a target's tests of these names.
try() {
  local target="$1"
  shift
  # shellcheck disable=SC2086
  run "$TEST_MAX" cargo test "${QUICK[@]}" --locked $target -- --exact "$@"
}

names=("$@")
if [ "${#names[@]}" -eq 0 ]; then
  for patch in "$PATCHES"/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
for name in "${names[@]}"; do
  [ -f "$PATCHES/$name.patch" ] || die "there is no $PATCHES/$name.patch"
done
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || die "this needs the git repository: it copies the tracked files"

exec 9>"$WORK/mutants.lock"
flock -n 9 || die "another run works in $WORK"
copy_tree
for name in "${names[@]}"; do
  git -C "$TREE" apply --check "$PATCHES/$name.patch" || die "$name does not apply"
done

# A test that fails on the clean tree, or that is not there, proves nothing.
for name in "${names[@]}"; do printf '%s\t%s\n' "$(target_of "$name")" "$(test_of "$name")"; done | sort -u >"$WORK/tests"
cut -f 1 "$WORK/tests" | uniq >"$WORK/targets"
while IFS= read -r target <&3; do
  mapfile -t tests < <(awk -F '\t' -v target="$target" '$1 == target { print $2 }' "$WORK/tests")
  build "$target" || { tail -40 "$LOG" >&2; die "the clean tree does not build: $target"; }
  try "$target" "${tests[@]}" || { tail -40 "$LOG" >&2; die "a test fails on the clean tree: $target"; }
  grep -q "^test result: ok. ${#tests[@]} passed" "$LOG" || { grep '^test' "$LOG" >&2; die "not all of these are tests of $target: ${tests[*]}"; }
  printf 'clean  %s: %s passed (%s s)\n' "$target" "${#tests[@]}" "$SECONDS"
done 3<"$WORK/targets"
rm "$WORK/tests" "$WORK/targets"

# The report: a row for each patch, those not run now as they were. Written after each, so that a run that is broken off
# leaves what it found.
report() {
  local day table begin end name patch
  day="$(date -u +%F)"
  table="$WORK/table.md"
  {
    printf '| mutant | protection | the test that must fail | last run |\n|---|---|---|---|\n'
    for patch in "$PATCHES"/*.patch; do
      name="$(basename "$patch" .patch)"
      if [ -n "${result[$name]:-}" ]; then
        # shellcheck disable=SC2016 # these are Markdown's
        printf '| %s | %s | `%s %s` | %s, %s |\n' "$name" "$(header "$name" protects)" \
          "$(target_of "$name")" "$(test_of "$name")" "${result[$name]}" "$day"
      elif [ -f "$REPORT" ]; then
        grep -F "| $name |" "$REPORT" || true
      fi
    done
  } >"$table"
  begin='<!-- mutants:begin -->' end='<!-- mutants:end -->'
  if ! grep -qsF "$begin" "$REPORT"; then
    # shellcheck disable=SC2016
    printf '\n## Mutants\n\n`bash scripts/mutants.sh`\n\n%s\n%s\n' "$begin" "$end" >>"$REPORT"
  fi
  awk -v table="$table" -v begin="$begin" -v end="$end" '
    $0 == end { skip = 0 }
    !skip { print }
    $0 == begin { while ((getline line < table) > 0) print line; skip = 1 }
  ' "$REPORT" >"$WORK/report.md"
  cat "$WORK/report.md" >"$REPORT"
  rm "$WORK/report.md"
  rm "$table"
}

caught=0
for name in "${names[@]}"; do
  began=$SECONDS
  target="$(target_of "$name")"
  applied="$PATCHES/$name.patch"
  git -C "$TREE" apply "$applied"
  if ! build "$target"; then
    result[$name]="BROKEN: does not build"
  else
    code=0
    try "$target" "$(test_of "$name")" || code=$?
    case "$code" in
      0) result[$name]="SURVIVED" ;;
      124 | 137) result[$name]="BROKEN: no end in $TEST_MAX s" ;;
      *) result[$name]="caught" ;;
    esac
    grep -q '^running 1 test$' "$LOG" || result[$name]="BROKEN: the test did not run"
  fi
  git -C "$TREE" apply -R "$applied"
  applied=""
  [ "${result[$name]}" != "caught" ] || caught=$((caught + 1))
  case "${result[$name]}" in BROKEN*) tail -40 "$LOG" >&2 ;; esac
  printf '%s %s (%s s)\n' "${result[$name]}" "$name" "$((SECONDS - began))"
  report
done

printf '%s mutants, %s caught, %s s\n' "${#names[@]}" "$caught" "$SECONDS"
[ "$caught" -eq "${#names[@]}" ]
