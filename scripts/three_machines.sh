#!/usr/bin/env bash
# Three machines and a central on one wire: network namespaces of their own, joined by a bridge, inside a namespace where
# nothing reaches the machine's own network. What loopback hides is seen here: guards that listen for others, a cable that
# is pulled, addresses that change, and members who find each other by multicast DNS with the central gone.
#
# Skips, and says so, where this system gives a user no namespaces (not Linux, or user namespaces turned off).
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != inside ]; then
  for tool in unshare ip nsenter; do
    command -v "$tool" >/dev/null || { echo "three_machines.sh: skipped, no $tool here"; exit 0; }
  done
  if ! unshare --user --map-root-user --net --mount --pid --mount-proc --fork true 2>/dev/null; then
    echo "three_machines.sh: skipped, no namespaces for this user here"
    exit 0
  fi
  exec unshare --user --map-root-user --net --mount --pid --mount-proc --fork --kill-child bash "$0" inside
fi

source scripts/lib/peers.sh
mount -t tmpfs tmpfs /run 2>/dev/null || fail "no folder of our own for the namespaces' names"
mkdir /run/netns
ip link set lo up
ip link add wire type bridge
ip link set wire up

# machine NAME ADDRESS: a namespace with one link to the wire.
machine() {
  ip netns add "$1"
  ip link add "to-$1" type veth peer name net netns "$1"
  ip link set "to-$1" master wire up
  ip -n "$1" link set lo up
  ip -n "$1" link set net up
  ip -n "$1" addr add "$2/24" dev net
}
# at MACHINE COMMAND…: what peers.sh starts, on that machine.
at() {
  local where="$1"
  shift
  CALOTYPE_AT="$where" "$@"
}
program="$CALOTYPE"
cat >"$WORLD/program" <<'SH'
#!/usr/bin/env bash
# The program on the machine that CALOTYPE_AT names.
exec ${CALOTYPE_AT:+ip netns exec "$CALOTYPE_AT"} "$CALOTYPE_PROGRAM" "$@"
SH
chmod +x "$WORLD/program"
export CALOTYPE_PROGRAM="$program"
CALOTYPE="$WORLD/program"
# findings NAME: the kinds of what the doctor finds, in a line.
findings() { at "$1" as "$1" doctor | grep -o '"kind":"[^"]*"' | sed 's/^"kind":"//; s/"$//' | tr '\n' ' ' || true; }
finds() { [ "$(findings "$1")" = "${2:+$2 }" ]; }

say "a central and three machines on one wire"
machine central 10.77.0.1
machine alice 10.77.0.2
machine bob 10.77.0.3
machine carol 10.77.0.4
at central started central central --listen 0.0.0.0:7440 --data "$WORLD/central"
CENTRAL=(--central 10.77.0.1:7440)
for name in alice bob carol; do at "$name" join_world "$name"; done
does alice create-album trip
does alice add-image "$(picture first.bmp 200 120 40)"
for name in bob carol; do
  does alice add-user "$name"
  does "$name" enter-album trip
done
in_sync alice bob carol
as alice peers | grep -q '10\.77\.0\.' || fail "they are not linked over the wire: $(as alice peers)"
until_true 20 "the doctor finds nothing at alice" finds alice ""
held "three guards on their own addresses, and nothing found by the doctor"

say "dave comes with a code and nothing else"
machine dave 10.77.0.5
code="$(as alice invite trip --role viewer | text code)"
newcomer() { CALOTYPE_CENTRAL_DIR="$WORLD/$1-central" at dave "$CALOTYPE" --home "$WORLD/$1" --no-input --json "${@:2}" </dev/null; }
newcomer dave join "$code" --user dave --password-file "$WORLD/password" >"$WORLD/joined.json" || fail "dave: $(cat "$WORLD/joined.json")"
[ "$(newcomer dave status | text central_address)" = 10.77.0.1:7440 ] || fail "dave is elsewhere: $(newcomer dave status)"
if newcomer erin --no-mdns join "$code" --user erin --password-file "$WORLD/password" >"$WORLD/erin.json"; then
  fail "who is told to be silent found a central all the same"
fi
grep -q '"code":"not_found"' "$WORLD/erin.json" || fail "erin: $(cat "$WORLD/erin.json")"
held "he found the central by multicast DNS, and is $(text role <"$WORLD/joined.json") of trip"
does alice remove-user dave

say "bob's cable is pulled; both sides edit"
ip link set to-bob down
does alice --no-sync add-image "$(picture alices.bmp 10 90 200)"
does bob --no-sync add-image "$(picture bobs.bmp 30 160 60)"
until_true 45 "alice notices" apart alice bob
in_sync alice carol
[ "$(digest alice)" != "$(digest bob)" ] || fail "the digests are equal, though the albums are not"
until_true 30 "the doctor at alice says that nothing comes back from bob" finds alice silent
held "apart, and the doctor says: $(as alice doctor | grep -o '"findings".*' | text what)"

say "the cable is back"
ip link set to-bob up
until_true 90 "they find each other" linked alice bob
in_sync alice bob carol

say "the central ends for good; alice and bob move to addresses that nobody was told"
down central
down alice
down bob
ip -n alice addr flush dev net
ip -n alice addr add 10.77.0.102/24 dev net
ip -n bob addr flush dev net
ip -n bob addr add 10.77.0.103/24 dev net
at alice up alice
at bob up bob
until_true 60 "alice and bob find each other by multicast DNS" linked alice bob
does alice add-image "$(picture later.bmp 1 2 3)"
in_sync alice bob
as alice peers | grep -q '10\.77\.0\.103' || fail "bob was not found where he is: $(as alice peers)"
held "and the central is $(as alice status | text central)"

if ! command -v python3 >/dev/null; then
  say "skipped: what a stranger hears and does, no python3 here"
  exit 0
fi
machine stranger 10.77.0.9
stranger() { ip netns exec stranger python3 scripts/lib/mdns.py "$1" 10.77.0.9 "$2"; }

say "a stranger listens: who is told to be silent, or listens on loopback, says nothing"
for name in alice bob carol; do down "$name"; done
stranger hear 8 >"$WORLD/heard" &
listening=$!
at alice up alice
at bob up bob --no-mdns
at carol up carol --listen 127.0.0.1:0
wait "$listening" || fail "the stranger: $(cat "$WORLD/heard")"
[ "$(cat "$WORLD/heard")" = 10.77.0.102 ] || fail "the stranger heard $(tr '\n' ' ' <"$WORLD/heard")"
until_true 60 "bob, though silent, finds alice where he found her" linked alice bob
held "the stranger heard alice alone"

say "he floods the wire with announcements for ten seconds"
memory() {
  local pid
  pid="$(grep -o '"pid":[0-9]*' "$WORLD/alice.ready" | head -n 1 | cut -d : -f 2)"
  awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status"
}
before="$(memory)"
stranger flood 10 >"$WORLD/flood" || fail "the flood: $(cat "$WORLD/flood")"
after="$(memory)"
[ $((after - before)) -lt 49152 ] || fail "alice grew by $((after - before)) KiB"
grep -q "flooded with announcements" "$WORLD/alice.log" || fail "alice did not notice: $(cat "$WORLD/flood")"
does alice add-image "$(picture flooded.bmp 9 9 9)"
in_sync alice bob
held "$(cat "$WORLD/flood"); alice grew by $((after - before)) KiB, and goes on"
