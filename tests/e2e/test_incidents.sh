#!/usr/bin/env bash
# The incident suite in small: a floor under what `lq why` finds, and no high confidence where there is no cause (bench/incidents/README.md).
set -euo pipefail
BUILD=$1
SRC=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
score() { python3 "$SRC/bench/incidents/score.py" "$BUILD" --lines-max 12000 "$@"; }

# the same bytes for the same arguments
for i in 1 2; do "$BUILD/lqincident" --kind leak --seed 8 --lines-max 8000 "$dir/same$i"; done
diff -r "$dir/same1" "$dir/same2"

# wrong words are told, and nothing is run
status=0
"$BUILD/lqincident" --kind leek --seed 1 "$dir/x" 2>"$dir/err" || status=$?
[ "$status" -eq 2 ] && grep -q 'no kind "leek"' "$dir/err"
status=0
score --kind leek >"$dir/out" 2>"$dir/err" || status=$?
[ "$status" -ne 0 ] && grep -q 'no kind "leek"' "$dir/err"

score --cases 14 --json "$dir/cause.json" --kind bad_release --kind canary --kind leak --kind dependency_down --kind bad_client --kind disk_full --kind slow_host
score --cases 8 --json "$dir/none.json" --kind no_cause --kind harmless_release --kind seasonal_peak --kind stationary
python3 - "$dir" <<'PY'
import json, sys
cause, none = (json.load(open(f"{sys.argv[1]}/{n}.json"))["parts"]["tune"]["total"] for n in ("cause", "none"))
floors = [("hit@1", cause["hit1"], 0.35), ("onset found", cause["onset_found"], 0.75), ("onset within its interval", cause["onset_within"], 0.85)]
bad = [f"{n} is {v:.2f}, below {f}" for n, v, f in floors if v is None or v < f]
if none["false_high"]:
    bad.append("high confidence was claimed where there is no cause")
print("\n".join(bad) or "above the floor")
sys.exit(bool(bad))
PY
