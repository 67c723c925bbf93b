#!/usr/bin/env bash
# How the kept stores were made: make.sh LQ OUT, with the lq of the last commit of a format version. test_upgrade.sh opens each.
set -euo pipefail
LQ=$1 OUT=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for i in $(seq 0 39); do
  printf '10.0.0.%d - - [02/Mar/2026:%02d:%02d:0%d +0000] "GET /r%d HTTP/1.1" %d %d "-" "-" 0.%03d\n' $((i % 7)) $((10 + i / 20)) $((i % 60)) \
    $((i % 10)) $((i % 3)) $((i % 9 == 0 ? 500 : 200)) $((i * 37 + 5)) $((i * 13))
done >"$dir/access.log"
(cd "$dir" && TZ=UTC "$LQ" load --data s access.log)
zstd -19 -q -f "$dir/s/data.mdb" -o "$OUT"
