#!/usr/bin/env bash
# Prints the filters beside OpenCV and libvips, for docs/performance.md. Argument: rounds (5).
# Both are reached through Python: PYTHON names one that has cv2, numpy and pyvips (python3).
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
if ! "$python" -c 'import cv2, numpy, pyvips' 2>/dev/null; then
  echo "$python lacks cv2, numpy or pyvips. For example:" >&2
  echo "  python3 -m venv venv && venv/bin/pip install opencv-python-headless numpy pyvips[binary]" >&2
  echo "  PYTHON=venv/bin/python $0" >&2
  exit 2
fi
cargo build --release --locked --quiet -p codec --example bench_filters
target="$(realpath "${CARGO_TARGET_DIR:-target}")"
dir="$(mktemp -d)"
trap 'rm -rf "$dir"' EXIT
# Memory stays with the process: what a page costs that the system must find first is not the filter's.
MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 VIPS_CONCURRENCY=1 "$python" scripts/lib/bench_filters.py "$target/release/examples/bench_filters" "$dir" "${1:-5}" "${@:2}"
