#!/usr/bin/env bash
# Whole-process measurements, beside the peers that are there, in one run. usage: bench/run.sh BUILD [LINES]
# Machines differ and drift within the hour: the ratios at the end are what counts. REPEAT=N runs each measurement N times (3) and takes the median.
# SPDX-License-Identifier: MIT
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$1" && pwd)
LINES=${2:-5000000}
REPEAT=${REPEAT:-3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC LC_ALL=C
lq=$BUILD/lq
declare -A WALL CPU

# once COMMAND…: wall, CPU, max RSS and the peak of RssAnon in $dir/figures (the last by looking at /proc every 10 ms)
once() {
  local anon=0 child="" key value _
  /usr/bin/time -f '%e %U %S %M' -o "$dir/time" "$@" >"$dir/out" 2>"$dir/err" &
  local timer=$!
  while kill -0 "$timer" 2>/dev/null; do
    [ -n "$child" ] || read -r child _ <"/proc/$timer/task/$timer/children" 2>/dev/null || true
    if [ -n "$child" ] && [ -r "/proc/$child/status" ]; then
      while read -r key value _; do
        [ "$key" = RssAnon: ] && [ "$value" -gt "$anon" ] && anon=$value
      done 2>/dev/null <"/proc/$child/status" || true
    fi
    read -rt 0.01 _ <>"$dir/never" || true
  done
  wait "$timer" || { cat "$dir/err" >&2; return 1; }
  echo "$(cat "$dir/time") $anon" >>"$dir/figures"
}

# timed KEY NAME COMMAND…: the median of REPEAT runs
timed() {
  local key=$1 name=$2 i
  shift 2
  : >"$dir/figures"
  for ((i = 0; i < REPEAT; i++)); do
    once "$@" || { echo "$name: failed"; return 0; }
  done
  read -r wall user sys rss anon < <(sort -n "$dir/figures" | sed -n "$(((REPEAT + 1) / 2))p")
  WALL[$key]=$wall
  CPU[$key]=$(awk -v u="$user" -v s="$sys" 'BEGIN { print u + s }')
  awk -v n="$name" -v w="$wall" -v u="$user" -v s="$sys" -v r="$rss" -v a="$anon" \
    'BEGIN { printf "%-52s wall %7.3f s  cpu %7.3f s  max RSS %6.1f MB  RssAnon %6.1f MB\n", n, w, u + s, r / 1024, a / 1024 }'
}

skip() { echo "skipped: $1"; }

per_line() { # KEY: lines a second
  [ -z "${WALL[$1]:-}" ] || awk -v k="$2" -v w="${WALL[$1]}" -v n="$LINES" 'BEGIN { printf "  %-50s %6.2f M lines/s\n", k, n / w / 1e6 }'
}

ratio() { # NAME PEER OURS: of wall time, and of processor time, which a busy machine disturbs less
  [ -z "${WALL[$2]:-}" ] || [ -z "${WALL[$3]:-}" ] ||
    awk -v k="$1" -v p="${WALL[$2]}" -v o="${WALL[$3]}" -v pc="${CPU[$2]}" -v oc="${CPU[$3]}" \
      'function over(a, b) { return a / (b > 0 ? b : 0.001) } BEGIN { printf "  %-50s wall %6.1f x  cpu %6.1f x\n", k, over(p, o), over(pc, oc) }'
}

mkfifo "$dir/never"
"$BUILD/lqgen" --scenario week --one-file --lines "$LINES" "$dir/logs" 2>/dev/null
"$BUILD/lqgen" --scenario week --lines "$LINES" "$dir/hosts" 2>/dev/null
one=("$dir"/logs/web-*/access.log)
four=("$dir"/hosts/web-*/access.log)
cat "${one[@]}" "${four[@]}" >/dev/null
echo "$LINES lines, $(stat -c %s "${one[0]}") bytes; $(nproc) processors; load average $(cut -d' ' -f1 /proc/loadavg) before"
export lq dir
load() { # DIR THREADS FILE…
  local to=$1 threads=$2
  shift 2
  rm -rf "$to"
  exec "$lq" load --threads "$threads" --data "$to" "$@"
}
export -f load
disk() { awk -v b="$(stat -c %s "$1/data.mdb")" -v n="$LINES" -v k="$2" 'BEGIN { printf "%-52s %.1f bytes a line\n", k, b / n }'; }

echo "--- load: file to durable store, all cells"
timed load1 "lq load, 1 thread" bash -c 'load "$dir/s1" 1 "$@"' x "${one[@]}"
timed load2 "lq load, 2 threads" bash -c 'load "$dir/s2" 2 "$@"' x "${one[@]}"
timed load4 "lq load, 4 hosts' files, 2 threads" bash -c 'load "$dir/s4" 2 "$@"' x "${four[@]}"
disk "$dir/s1" "disk, one file"
disk "$dir/s4" "disk, 4 hosts' files"
[ "$("$lq" debug digest --data "$dir/s1")" = "$("$lq" debug digest --data "$dir/s2")" ] || { echo "the stores of 1 and 2 threads differ"; exit 1; }

echo "--- peers: (minute, route, status) counts from the same file"
for awk in mawk gawk; do
  if command -v $awk >/dev/null; then
    timed $awk "$awk, counts only" $awk -F'[][" ]+' '{ n[substr($4, 1, 17), $7, $9]++ } END { for (k in n) print k, n[k] }' "${one[@]}"
  else
    skip $awk
  fi
done
source "$HERE/peers/peers.sh"

echo "--- questions to the store, whole process"
timed errors "lq errors every 1m, 7 days" "$lq" 'errors every 1m' --since 2000-01-01 --format ndjson --data "$dir/s1"
timed series "lq count by route, status every 1m, ndjson" "$lq" 'count by route, status every 1m' --since 2000-01-01 --format ndjson --data "$dir/s1"
timed p99 "lq p99(request_time) by route, 7 days" "$lq" 'p99(request_time) by route' --since 2000-01-01 --format csv --data "$dir/s1"
timed why "lq why, 7 days, no onset" "$lq" why --since 2000-01-01 --data "$dir/s1"
awk -v n="$LINES" 'NR > 0.86 * n && NR % 20 == 0 && $9 == 200 { $9 = 500 } { print }' "${one[@]}" >"$dir/failing.log" # one answer in twenty fails on the last day
(load "$dir/s5" 2 "$dir/failing.log") >/dev/null 2>&1
timed onset "lq why, 7 days, an onset" "$lq" why --since 2000-01-01 --data "$dir/s5"
timed help "lq --help" "$lq" --help

echo "--- speed"
per_line load1 "lq load, 1 thread"
per_line load2 "lq load, 2 threads"
per_line load4 "lq load, 4 hosts' files, 2 threads"
echo "--- how many times the time of lq"
ratio "mawk : lq load, 1 thread" mawk load1
ratio "gawk : lq load, 1 thread" gawk load1
ratio "lq load, 1 thread : 2 threads" load1 load2
ratio "DuckDB rollup, 1 thread : lq load, 1 thread" duckdb1 load1
ratio "DuckDB rollup, 2 threads : lq load, 2 threads" duckdb2 load2
ratio "lnav index : lq load, 2 threads" lnav load2
ratio "SQLite errors per minute : lq" sqlite errors
ratio "DuckDB errors per minute (with its start) : lq" duckdb_errors errors
ratio "ClickHouse errors per minute (its client) : lq" clickhouse_errors errors
ratio "SQLite all cells as JSON : lq all series as ndjson" sqlite_series series
ratio "ClickHouse all cells as JSON : lq all series" clickhouse_series series
if [ -x "$BUILD/lqbench" ]; then
  echo "--- parts (lqbench): median of 7"
  "$BUILD/lqbench"
fi
