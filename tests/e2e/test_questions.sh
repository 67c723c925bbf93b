#!/usr/bin/env bash
# Sixty questions (query/QUESTIONS.md): each line of lq against an independent script over the same files.
set -euo pipefail
BUILD=$1
SRC=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
"$BUILD/lqgen" --scenario story --days 3 --lines 60000 "$dir/logs" 2>/dev/null
(cd "$dir/logs" && "$BUILD/lq" load --data "$dir/store" web-*/*.log >/dev/null)
python3 "$SRC/tests/e2e/questions.py" "$BUILD/lq" "$dir/store" "$SRC/query/QUESTIONS.md" "$dir/logs"

# A planted step, read from standard input: one request in ten fails from 03:20 on.
awk 'BEGIN { for (m = 0; m < 400; m++) for (k = 0; k < 20; k++) { bad = m >= 200 && (m * 20 + k) % 10 == 0
  printf "10.0.0.%d - - [02/Mar/2026:%02d:%02d:%02d +0000] \"GET /a HTTP/1.1\" %d 12 \"-\" \"-\"\n", k, int(m / 60), m % 60, k * 3, bad ? 500 : 200 } }' |
  "$BUILD/lq" 'errors / count every 5m | change' - --format csv >"$dir/change.csv"
[ "$(wc -l <"$dir/change.csv")" -eq 2 ] && grep -q '^2026-03-02T03:20:00Z,.*,step_change,0,0.1,' "$dir/change.csv" || { echo "the planted change:"; cat "$dir/change.csv"; exit 1; }
