# Peers for the demos, from outside: processes on loopback in a temporary folder, spoken to by one-shots with --json.
# Sourced, not run. Everything started here is ended, and the folder removed, however the demo ends.

CALOTYPE="${CALOTYPE:-$(dirname "${BASH_SOURCE[0]}")/../../target/debug/calotype}"
[ -x "$CALOTYPE" ] || { echo "no program at $CALOTYPE: cargo build, or set CALOTYPE" >&2; exit 2; }
CALOTYPE="$(cd "$(dirname "$CALOTYPE")" && pwd)/$(basename "$CALOTYPE")"

WORLD="$(mktemp -d "${TMPDIR:-/tmp}/calotype-demo.XXXXXX")"
mkdir -m 700 "$WORLD/run" "$WORLD/user" "$WORLD/pictures"
# Nothing of the user's own is touched or read.
export HOME="$WORLD/user" XDG_RUNTIME_DIR="$WORLD/run" XDG_CONFIG_HOME="$WORLD/user" XDG_DATA_HOME="$WORLD/user"
export CALOTYPE_CENTRAL_DIR="$WORLD/central"
unset CALOTYPE_HOME CALOTYPE_CENTRAL CALOTYPE_LOG
echo "correct horse battery staple" >"$WORLD/password"
CENTRAL=()
declare -A PID=()

end_all() {
  local code=$? name
  trap - EXIT
  for name in "${!PID[@]}"; do
    kill "${PID[$name]}" 2>/dev/null || true
  done
  for name in "${!PID[@]}"; do
    wait "${PID[$name]}" 2>/dev/null || true
  done
  if [ "$code" -eq 0 ]; then
    rm -rf "$WORLD"
    printf '%s: all held in %s s\n' "$(basename "$0")" "$SECONDS"
  else
    printf '%s: FAILED after %s s; homes and logs: %s\n' "$(basename "$0")" "$SECONDS" "$WORLD" >&2
  fi
  exit "$code"
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf -- '- %s\n' "$*"; }
held() { printf '  ok: %s\n' "$*"; }
fail() {
  printf '  NOT: %s\n' "$*" >&2
  exit 1
}

# until_true SECONDS WHAT COMMAND…: waits until the command succeeds.
until_true() {
  local deadline=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$what: not in time"
    sleep 0.05
  done
}

# started NAME COMMAND…: runs a process of the world until its ready file is there.
started() {
  local name="$1"
  shift
  rm -f "$WORLD/$name.ready"
  "$CALOTYPE" "$@" --ready-file "$WORLD/$name.ready" </dev/null >>"$WORLD/$name.log" 2>&1 &
  PID[$name]=$!
  until_true 20 "$name gets ready" is_ready "$name"
}
is_ready() {
  kill -0 "${PID[$1]}" 2>/dev/null || { cat "$WORLD/$1.log" >&2; fail "$1 ended at its start"; }
  [ -s "$WORLD/$1.ready" ]
}

# The central as a process of its own; later peers use it.
central_up() {
  started central central --listen 127.0.0.1:0 --data "$WORLD/central"
  CENTRAL=(--central "$(text address <"$WORLD/central.ready")")
}
# up NAME [FLAG…]: the always-on peer of a home.
up() {
  local name="$1"
  shift
  started "$name" --home "$WORLD/$name" ${CENTRAL[@]+"${CENTRAL[@]}"} --no-input up "$@"
}
join_world() { up "$1" --register --user "$1" --password-file "$WORLD/password"; }

# down NAME: SIGTERM; it has to end with 0.
down() {
  kill "${PID[$1]}"
  wait "${PID[$1]}" || fail "$1 did not end with 0"
  unset "PID[$1]"
}
# crash NAME: SIGKILL.
crash() {
  kill -9 "${PID[$1]}"
  wait "${PID[$1]}" 2>/dev/null || true
  unset "PID[$1]"
}

# as NAME COMMAND…: a one-shot in that home, its JSON on stdout.
as() {
  local name="$1"
  shift
  "$CALOTYPE" --home "$WORLD/$name" ${CENTRAL[@]+"${CENTRAL[@]}"} --no-input --json "$@" </dev/null
}
# does NAME COMMAND…: the same for something that has to work and whose answer nobody needs.
does() {
  as "$@" >"$WORLD/answer.json" || fail "$*: $(cat "$WORLD/answer.json")"
}
# text KEY: the first string of that key in the JSON on stdin.
text() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | sed 's/^"[^"]*":"//; s/"$//'; }

digest() { as "$1" --no-sync get-or-set | text digest; }
names() { as "$1" --no-sync get-images | grep -o '"name":"[^"]*"' | sed 's/^"name":"//; s/"$//' | sort | tr '\n' ' '; }
# linked NAME USER: whether a device of that user is linked.
linked() { as "$1" peers | grep -q "\"user\":\"$2\",[^}]*\"state\":\"linked\""; }
apart() { ! linked "$1" "$2" && ! linked "$2" "$1"; }

# in_sync NAME…: every one of them says so itself, and the digests are the same.
in_sync() {
  local name first
  for name in "$@"; do
    as "$name" sync --timeout 20s >"$WORLD/sync.json" || fail "$name is not in sync: $(cat "$WORLD/sync.json")"
  done
  first="$(digest "$1")"
  [ -n "$first" ] || fail "$1 has no digest"
  for name in "$@"; do
    [ "$(digest "$name")" = "$first" ] || fail "$name has another digest than $1"
  done
  held "$* have the digest ${first:0:8}"
}

# picture NAME RED GREEN BLUE: a small BMP of one colour; its path.
picture() {
  local path="$WORLD/pictures/$1" pixel
  pixel="$(printf '\\x%02x\\x%02x\\x%02x' "$4" "$3" "$2")"
  {
    printf 'BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x18\0\0\0\0\0\x10\0\0\0'
    printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    # Two rows of two pixels, each filled up to four bytes.
    printf "$pixel$pixel\\0\\0$pixel$pixel\\0\\0"
  } >"$path"
  printf '%s' "$path"
}
