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
