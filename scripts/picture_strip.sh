#!/usr/bin/env bash
# Makes the picture at the top of README.md again, byte for byte: a landscape painted by formulae, filtered by
# `calotype apply`. With --check it only says whether the one that is there is the same.
set -euo pipefail
cd "$(dirname "$0")/.."

out=docs/pictures/filters.jpg
# The first tile is the landscape itself.
recipes=(rotate:0 sepia vignette:80 cartoon oil:5 pencil:3 edges+invert pixelate:24)

cargo build -q -p peer --bin calotype
cargo build -q -p codec --example picture_strip
bin="${CARGO_TARGET_DIR:-target}/debug"
dir="$(mktemp -d)"
trap 'rm -rf "$dir"' EXIT

"$bin/examples/picture_strip" paint "$dir/landscape.png"
tiles=()
for recipe in "${recipes[@]}"; do
  tile="$dir/${#tiles[@]}.png"
  "$bin/calotype" apply "$dir/landscape.png" "$tile" "$recipe+resize:200" >/dev/null
  tiles+=("$tile")
done
"$bin/examples/picture_strip" join "$dir/strip.png" 4 "${tiles[@]}"
"$bin/calotype" apply "$dir/strip.png" "$dir/strip.jpg" rotate:0 >/dev/null

if [ "${1:-}" = --check ]; then
  cmp "$dir/strip.jpg" "$out" && echo "$out is what the program makes"
else
  mkdir -p "$(dirname "$out")"
  cp "$dir/strip.jpg" "$out"
  echo "$out: $(wc -c <"$out") bytes"
fi
