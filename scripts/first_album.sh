#!/usr/bin/env bash
# How long a first shared album takes two people who type as people do, eight keys a second: Alice registers, makes an album,
# adds photos and invites; Bob types the code and sees them. Prints the seconds of each and of both; more than 60 is a failure.
#
#   scripts/first_album.sh [FOLDER]      photos of one's own; else six small ones are painted
#
# Needs tmux. CALOTYPE names another binary than the release build.
set -euo pipefail
cd "$(dirname "$0")/.."
LIMIT=60
KEY=0.125
command -v tmux >/dev/null || { echo "first_album.sh needs tmux" >&2; exit 2; }
if [ -z "${CALOTYPE:-}" ]; then
  cargo build --quiet --release --locked -p peer --bin calotype
  CALOTYPE="$(realpath "${CARGO_TARGET_DIR:-target}")/release/calotype"
fi

WORK="$(mktemp -d)"
T=(tmux -L "first-album-$$" -f /dev/null)
leave() {
  "${T[@]}" kill-server 2>/dev/null || true
  rm -rf "$WORK"
}
trap leave EXIT
export HOME="$WORK" XDG_RUNTIME_DIR="$WORK/run" NO_COLOR=1
unset XDG_CONFIG_HOME XDG_DATA_HOME CALOTYPE_HOME CALOTYPE_CENTRAL CALOTYPE_CENTRAL_DIR
mkdir -m 700 "$WORK/run"

photos="${1:-}"
if [ -z "$photos" ]; then
  photos="$WORK/Pictures"
  mkdir "$photos"
  for n in 1 2 3 4 5 6; do
    # A bitmap is a header and rows; noise needs no order.
    {
      printf 'BM\x36\x10\x0e\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x80\x02\x00\x00\xe0\x01\x00\x00\x01\x00\x18\x00\x00\x00\x00\x00\x00\x10\x0e\x00'
      head -c 16 /dev/zero
      head -c 921600 /dev/urandom
    } >"$photos/photo-$n.bmp"
  done
fi

now() { date +%s.%N; }
screen() { "${T[@]}" capture-pane -p -J -t "$1"; }

# Waits until a text is on somebody's screen.
sees() {
  local i
  for i in $(seq 600); do
    screen "$1" | grep -qF -- "$2" && return 0
    sleep 0.05
  done
  printf '%s\n' "$1 never saw: $2" >&2
  screen "$1" >&2
  exit 1
}

# Types a line, a key at a time.
types() {
  local i line="$2"
  for ((i = 0; i < ${#line}; i++)); do
    "${T[@]}" send-keys -t "$1" -l -- "${line:i:1}"
    sleep "$KEY"
  done
  "${T[@]}" send-keys -t "$1" Enter
}

sit() {
  "${T[@]}" new-session -d -s "$1" -x 110 -y 50 "$CALOTYPE" --home "$WORK/$1"
}

begun="$(now)"
sit alice
sees alice 'calotype >'
types alice '/register alice'
sees alice 'Password of alice:'
types alice 'correct horse'
sees alice 'The same again:'
types alice 'correct horse'
sees alice 'alice >'
types alice '/createAlbum trip'
sees alice 'alice@trip'
types alice "/addImage $photos"
sees alice 'added '
types alice '/invite'
sees alice 'your guest types:'
code="$(screen alice | grep -oE '^[0-9]+-[a-z]+-[a-z]+-[a-z]+$' | tail -1)"
invited="$(now)"
sit bob
sees bob 'calotype >'
types bob "/join $code"
sees bob 'Your name here'
types bob 'bob'
sees bob 'Password of bob:'
types bob 'battery staple'
sees bob 'The same again:'
types bob 'battery staple'
sees bob 'joined trip of alice'
sees bob 'here and verified'
joined="$(now)"
awk -v a="$begun" -v b="$invited" -v c="$joined" -v limit="$LIMIT" 'BEGIN {
  printf "a first shared album: Alice %.1f s, Bob %.1f s, together %.1f s (limit %d s)\n", b - a, c - b, c - a, limit
  exit c - a > limit
}'
