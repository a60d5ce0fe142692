#!/usr/bin/env bash
# Three people, one of them cut off, one killed: whatever was acknowledged is there in the end, everywhere. From
# outside: nothing but the program's commands.
set -euo pipefail
source "$(dirname "$0")/lib/peers.sh"

say "alice, bob and carol share the album trip; the central is the embedded one"
for name in alice bob carol; do
  join_world "$name"
done
does alice create-album trip
does alice add-image "$(picture first.bmp 200 120 40)"
for name in bob carol; do
  does alice add-user "$name"
  does "$name" enter-album trip
done
until_true 20 "bob and carol find each other" linked bob carol
does carol add-image "$(picture shared.bmp 90 90 10)"
in_sync alice bob carol

say "carol blocks alice and bob; both sides edit"
does carol block alice
does carol block bob
until_true 20 "alice and carol are apart" apart alice carol
until_true 20 "bob and carol are apart" apart bob carol
does carol remove-image shared.bmp
does carol add-image "$(picture same.bmp 1 2 3)"
does alice add-image "$WORLD/pictures/shared.bmp" --as shared.bmp
mkdir "$WORLD/pictures/other"
does bob add-image "$(picture other/same.bmp 4 5 6)"
in_sync alice bob
[ "$(digest carol)" != "$(digest alice)" ] || fail "carol has the others' digest, though she is cut off"
held "carol's digest is $(digest carol | cut -c -8)"
[ "$(names carol)" = "first.bmp same.bmp " ] || fail "carol has: $(names carol)"

say "carol unblocks them"
does carol unblock alice
does carol unblock bob
until_true 20 "alice and carol meet" linked carol alice
until_true 20 "bob and carol meet" linked carol bob
in_sync alice bob carol
names="$(names alice)"
for name in bob carol; do
  [ "$(names "$name")" = "$names" ] || fail "$name has $(names "$name"), alice has $names"
done
[[ "$names" =~ ^first\.bmp\ same\.bmp\ same\.bmp~[0-9a-f]{6}\ shared\.bmp\ $ ]] || fail "all have: $names"
held "all have: $names"
held "both images called same.bmp stayed; shared.bmp, added anew, outlived a remove that had not seen it"

say "bob adds an image; once that is acknowledged he is killed with -9"
does bob --no-sync add-image "$(picture last.bmp 250 250 250)"
crash bob
does alice add-image "$(picture meanwhile.bmp 60 60 60)"
up bob
as bob get-images | grep -q '"name":"last.bmp"' || fail "bob lost what he had acknowledged"
held "bob has last.bmp"
until_true 20 "bob and alice meet" linked bob alice
until_true 20 "bob and carol meet" linked bob carol
in_sync alice bob carol
for name in alice bob carol; do
  does "$name" export "$WORLD/export-$name"
  diff -r "$WORLD/export-alice" "$WORLD/export-$name" || fail "the bytes at alice's and $name's differ"
done
cmp "$WORLD/pictures/last.bmp" "$WORLD/export-carol/last.bmp" || fail "bob's last image came changed"
held "all three exported the same $(find "$WORLD/export-carol" -type f | wc -l) files"
