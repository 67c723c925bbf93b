#!/usr/bin/env bash
# Whole-process measurements, beside a peer, in one run. usage: bench/run.sh BUILD [LINES]
set -euo pipefail
BUILD=$(cd "$1" && pwd)
LINES=${2:-5000000}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
lq=$BUILD/lq

timed() { # NAME COMMAND…: wall, user+sys, max RSS; the median of three
  local name=$1 i
  shift
  for i in 1 2 3; do
    /usr/bin/time -f '%e %U %S %M' -o "$dir/time" "$@" >"$dir/out" 2>"$dir/err" || { cat "$dir/err"; exit 1; }
    cat "$dir/time"
  done | sort -n | awk -v name="$name" 'NR == 2 { printf "%-44s wall %7.3f s   cpu %7.3f s   max RSS %6.1f MB\n", name, $1, $2 + $3, $4 / 1024; }'
}

"$BUILD/lqgen" --scenario week --one-file --lines "$LINES" "$dir/logs" 2>/dev/null
files=("$dir"/logs/web-*/access.log)
cat "${files[@]}" >/dev/null
echo "$LINES lines, $(du -cb "${files[@]}" | tail -1 | cut -f1) bytes"
export lq dir
timed "lq load, 1 thread, durable" bash -c 'rm -rf "$dir/s1"; exec "$lq" load --threads 1 --data "$dir/s1" "$@"' x "${files[@]}"
timed "lq load, 2 threads, durable" bash -c 'rm -rf "$dir/s2"; exec "$lq" load --threads 2 --data "$dir/s2" "$@"' x "${files[@]}"
timed "mawk: (minute, route, status) counts" mawk -F'[][" ]+' '{ n[substr($4, 1, 17), $7, $9]++ } END { for (k in n) print k, n[k] }' "${files[@]}"
echo "disk: $(stat -c %s "$dir/s1/data.mdb") bytes, $(awk -v b="$(stat -c %s "$dir/s1/data.mdb")" -v n="$LINES" 'BEGIN { printf "%.1f", b / n }') bytes a line"
timed "lq errors every 1m, 7 days" "$lq" 'errors every 1m' --since 2000-01-01 --format ndjson --data "$dir/s1"
timed "lq count by route, status every 1m, ndjson" "$lq" 'count by route, status every 1m' --since 2000-01-01 --format ndjson --data "$dir/s1"
timed "lq p99(request_time) by route, 7 days" "$lq" 'p99(request_time) by route' --since 2000-01-01 --format csv --data "$dir/s1"
timed "lq why, 7 days" "$lq" why --data "$dir/s1"
timed "lq --help" "$lq" --help
