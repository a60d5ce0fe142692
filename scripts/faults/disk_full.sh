#!/usr/bin/env bash
# A real peer whose home lies on a small disk adds images until it is full: it names the place and the need, reading,
# deleting and leaving still work, it goes on once there is room, and nothing that it acknowledged is lost.
# The disk is a tmpfs in namespaces of its own; where there are none this says so and ends with 0.
set -euo pipefail
if [ "${IN_NAMESPACE:-}" != 1 ]; then
  if ! why="$(unshare --user --map-root-user --mount true 2>&1)"; then
    echo "disk_full.sh: skipped: $why"
    exit 0
  fi
  IN_NAMESPACE=1 exec unshare --user --map-root-user --mount "$BASH" "$0" "$@"
fi
source "$(dirname "$0")/../lib/peers.sh"

# big NAME: a picture of 400 × 400 pixels of noise, 480 kB; its path.
big() {
  local path="$WORLD/pictures/$1"
  {
    printf 'BM\x36\x53\x07\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x90\x01\0\0\x90\x01\0\0\x01\0\x18\0\0\0\0\0\0\x53\x07\0'
    printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    head -c 480000 /dev/urandom
  } >"$path"
  printf '%s' "$path"
}
# refused COMMAND…: ends with 1 and disk_full; the message is left in $MESSAGE.
refused() {
  local code=0
  as alice "$@" >"$WORLD/answer.json" || code=$?
  [ "$code" -eq 1 ] || fail "$* ended with $code: $(cat "$WORLD/answer.json")"
  grep -q '"code":"disk_full"' "$WORLD/answer.json" || fail "$*: $(cat "$WORLD/answer.json")"
  MESSAGE="$(grep -o '"error":{.*' "$WORLD/answer.json" | text message)"
}

say "alice's home on a disk of 40 MiB"
mkdir "$WORLD/alice"
mount -t tmpfs -o size=40m,mode=0700 calotype-test "$WORLD/alice"
central_up
join_world alice
does alice create-album trip

say "she adds images until it is full"
added=""
for n in $(seq 100 300); do
  as alice add-image "$(big "i$n.bmp")" >"$WORLD/answer.json" || break
  added="${added}i$n.bmp "
done
[ "$n" -lt 300 ] || fail "200 images of 480 kB fit on 40 MiB"
refused add-image "$(big last.bmp)"
case "$MESSAGE" in
  *"disk full: $WORLD/alice/"*" needs "*" bytes"*) held "$MESSAGE" ;;
  *) fail "the message says: $MESSAGE" ;;
esac
[ "$(names alice)" = "$added" ] || fail "alice has: $(names alice)"
held "$(wc -w <<<"$added") images were acknowledged and are there, the last one is not"

say "somebody takes the rest of the disk"
cat /dev/zero >"$WORLD/alice/tmp/filler" 2>/dev/null || true
said=0
while as alice say "$(head -c 1500 /dev/zero | tr '\0' x)" >"$WORLD/answer.json"; do
  said=$((said + 1))
  [ "$said" -lt 500 ] || fail "the database never fills"
done
refused say "one more"
case "$MESSAGE" in
  *"$WORLD/alice/calotype.db needs "*" bytes"*) held "$MESSAGE" ;;
  *) fail "the message says: $MESSAGE" ;;
esac
does alice get-images
does alice save i100.bmp "$WORLD/saved.bmp"
cmp "$WORLD/saved.bmp" "$WORLD/pictures/i100.bmp" || fail "i100.bmp was saved with other bytes"
held "she reads and saves"
does alice remove-image i101.bmp
added="${added/i101.bmp /}"
[ "$(names alice)" = "$added" ] || fail "after removing i101.bmp alice has: $(names alice)"
held "she removes an image"
does alice leave-album
does alice enter-album trip
held "she leaves the album and comes back"

say "there is room again"
rm "$WORLD/alice/tmp/filler"
does alice remove-image i102.bmp
added="${added/i102.bmp /}"
does alice add-image "$(picture small.bmp 10 20 30)"
added="${added}small.bmp "
does alice say "and on it goes"
crash alice
up alice
[ "$(names alice)" = "$added" ] || fail "after a kill alice has: $(names alice)"
lines="$(as alice chat --limit 1000 | grep -o '"text":' | wc -l)"
[ "$lines" -ge $((said + 1)) ] || fail "$said lines and one were acknowledged, $lines are there"
held "after a kill all that was acknowledged is there, $lines chat lines too"
down alice
does alice fsck
held "and fsck finds nothing"
umount "$WORLD/alice"
