#!/usr/bin/env bash
# HTTP beside ingest: 64 connections ask what panels ask while lqd takes syslog over TCP as fast as it comes (beside.py). Rate of ingest with and without, latencies, errors;
# then the page's first contentful paint. usage: bench/http/run.sh BUILD-DIR [LINES [ROUNDS]]     needs wrk; Chromium and npm for the paint
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$(realpath "$1") lines=${2:-1500000}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
export TZ=UTC
pids=()
trap 'for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done; rm -rf "$dir"' EXIT
pause() { read -r -t "${1:-0.02}" <> <(:) || true; }
wait_for() { local end=$((SECONDS + 120)); until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { echo "waited in vain: $*" >&2; tail -5 "$dir/log" >&2; exit 1; }; pause; done; }
command -v wrk >/dev/null || { echo "skipped: no wrk"; exit 0; }

"$BUILD/lqgen" --scenario story --lines 1000000 "$dir/logs" 2>/dev/null
"$BUILD/lq" load --data "$dir/store" "$dir"/logs/web-*/*.log >/dev/null 2>&1
"$BUILD/lqgen" --scenario week --lines "$lines" "$dir/more" 2>/dev/null
cat $(find "$dir/more" -name 'access.log' | sort) | awk -v n="$lines" 'NR <= n { print "<190>Mar  2 10:00:00 web-1 nginx: " $0 }' >"$dir/in"
cat >"$dir/conf" <<YAML
data: $dir/store
http: 127.0.0.1:0
tz: UTC
inputs: [{type: syslog_tcp, listen: 127.0.0.1:0, format: combined_time}]
YAML
"$BUILD/lqd" -c "$dir/conf" 2>"$dir/log" &
lqd=$!
pids+=("$lqd")
wait_for grep -q ready "$dir/log"
tcp=$(sed -n 's/.*syslog_tcp listens on .*:\([0-9]*\)$/\1/p' "$dir/log") url=http://127.0.0.1:$(sed -n 's/.*http listens on .*:\([0-9]*\)$/\1/p' "$dir/log")
FROM=$(date -d '2026-03-01' +%s) TO=$(date -d '2026-03-08' +%s)
export FROM TO
asked() { wrk -t1 -c64 -d"$1"s --timeout 30s -s "$here/panels.lua" "$url" | tail -1; }

echo "64 connections, no ingest, eight panels:"
asked 5
echo "64 connections, no ingest, no question twice:"
DISTINCT=1 asked 10
python3 "$here/beside.py" "$lqd" "$tcp" "$url" "$dir/in" "${3:-5}"

# ---- the page ----
modules=$(ls -d "$BUILD"/../*/page-tests 2>/dev/null | head -1 || true)
if command -v chromium >/dev/null && [ -n "$modules" ]; then
  PLAYWRIGHT_FROM=$modules node "$here/paint.mjs" "$url"
else
  echo "skipped: first paint (Chromium, and playwright-core of the page's test)"
fi
kill -TERM "$lqd"
wait "$lqd"
