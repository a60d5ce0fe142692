#!/usr/bin/env bash
# The filters' and codec's tests on an emulated processor without AVX, byte for byte what they give on this one.
# Not run (exit code 77) where there is no qemu-x86_64.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v qemu-x86_64 >/dev/null || [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "not run: needs qemu-x86_64 (qemu-user) on Linux x86_64" >&2
  exit 77
fi
for cpu in qemu64 Nehalem Haswell; do
  # The first has SSE2 alone, the second SSE4.2, the third AVX2.
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="qemu-x86_64 -cpu $cpu"
  cargo test -p filters --test golden --test opencv --test laws
  cargo test -p codec --test files --test kinds
  echo "$cpu: the same pixels and files"
done
