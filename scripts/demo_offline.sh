#!/usr/bin/env bash
# Two people edit one album apart, each alone and the central down; after they meet, still without it, both albums are
# the same, digest included. From outside: nothing but the program's commands.
set -euo pipefail
source "$(dirname "$0")/lib/peers.sh"

say "a central, alice and bob; alice shares the album trip with one image"
central_up
join_world alice
join_world bob
does alice create-album trip
does alice add-image "$(picture first.bmp 200 120 40)"
does alice add-user bob
does bob enter-album trip
in_sync alice bob

say "all three processes end"
down bob
down alice
down central

say "each edits alone, by one-shots that open the home themselves"
does alice --no-sync add-image "$(picture alices.bmp 10 90 200)"
does alice --no-sync rate-image first.bmp 5
does bob --no-sync add-image "$(picture bobs.bmp 30 160 60)"
does bob --no-sync rate-image first.bmp 2
does bob --no-sync say "written in a tunnel"
[ "$(names alice)" = "alices.bmp first.bmp " ] || fail "alice has: $(names alice)"
[ "$(names bob)" = "bobs.bmp first.bmp " ] || fail "bob has: $(names bob)"
[ "$(digest alice)" != "$(digest bob)" ] || fail "the digests are equal, though the albums are not"
held "the digests differ: $(digest alice | cut -c -8) and $(digest bob | cut -c -8)"

say "both come back; the central does not"
up alice
up bob
until_true 20 "alice and bob find each other without the central" linked alice bob
in_sync alice bob
for name in alice bob; do
  [ "$(names "$name")" = "alices.bmp bobs.bmp first.bmp " ] || fail "$name has: $(names "$name")"
  as "$name" get-images | grep -q '"mean":3.5,"count":2' || fail "$name shows another mean"
  as "$name" chat | grep -q 'written in a tunnel' || fail "$name lacks the chat line"
  does "$name" export "$WORLD/export-$name"
done
diff -r "$WORLD/export-alice" "$WORLD/export-bob" || fail "the exported bytes differ"
cmp "$WORLD/pictures/bobs.bmp" "$WORLD/export-alice/bobs.bmp" || fail "bob's image came changed"
held "both have all three images byte for byte, the mean 3.5 and the chat line"
as alice status | grep -q '"central":"down"' || fail "the central is not down"
held "and the central was down all the while"
