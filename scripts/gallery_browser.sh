#!/usr/bin/env bash
# Clicks through the gallery in a real browser: the link, the grid, a version beside its source, the keyboard, search, what
# is added meanwhile, a phone's width, dark colours, and the end of the page; no errors on its console.
#
#   scripts/gallery_browser.sh [FOLDER]    leaves its screenshots in FOLDER
#
# Needs chromium (or CHROMIUM=…) and python3; ends with 77 where there are none. PHOTOS=DIR shows those instead of painted ones.
set -euo pipefail
for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
  BROWSER="$(command -v "$name")" && break
done || { echo "gallery_browser.sh: not run: needs chromium"; exit 77; }
command -v python3 >/dev/null || { echo "gallery_browser.sh: not run: needs python3"; exit 77; }
here="$(cd "$(dirname "$0")" && pwd)"
shots="${1:-}"
[ -z "$shots" ] || { mkdir -p "$shots"; shots="$(cd "$shots" && pwd)"; }
source "$here/lib/peers.sh"

say "alice and bob share an album: images, a version, ratings"
central_up
join_world alice
join_world bob
photos="${PHOTOS:-$WORLD/pictures}"
[ -n "${PHOTOS:-}" ] || python3 "$here/lib/gallery.py" paint "$photos" 14 >"$WORLD/last"
does alice create-album "Isle of Skye"
does alice add-user bob
does bob enter-album "Isle of Skye"
does alice add-image "$photos"
mapfile -t images < <(as alice get-images | grep -o '"name":"[^"]*"' | sed 's/^"name":"//; s/"$//')
in_sync alice bob
does bob filter "${images[1]}" 'sepia+vignette:40' --as evening.png
in_sync alice bob
does alice verify evening.png
for i in 0 1 2 4; do does alice rate-image "${images[$i]}" $((5 - i)); done
does bob rate-image "${images[1]}" 5
in_sync alice bob

say "the gallery of alice, in $("$BROWSER" --version | cut -d ' ' -f 1,2)"
"$CALOTYPE" --home "$WORLD/alice" "${CENTRAL[@]}" --json gallery >"$WORLD/gallery.json" </dev/null &
PID[gallery]=$!
until_true 20 "the gallery prints its link" grep -q '"url"' "$WORLD/gallery.json"
late="$(python3 "$here/lib/gallery.py" paint "$WORLD/late" 1)"
python3 "$here/lib/gallery.py" click "$BROWSER" "$WORLD/profile" "$(text url <"$WORLD/gallery.json")" \
  $((${#images[@]} + 1)) "$shots" "${PID[gallery]}" \
  "$CALOTYPE" --home "$WORLD/bob" "${CENTRAL[@]}" --json add-image "$late" --as late.png
wait "${PID[gallery]}" || fail "the gallery did not end with 0"
unset "PID[gallery]"
