#!/usr/bin/env bash
# The incidents of bench/gen, answered by `lq why` as a user runs it.
set -euo pipefail
BUILD=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC

answer() { # SCENARIO -> answer.json
  "$BUILD/lqgen" --scenario "$1" --lines "${2:-250000}" --seed "${3:-1}" "$dir/$1" 2>/dev/null
  (cd "$dir/$1" && "$BUILD/lq" why --format json web-*/access.log web-*/app.log >"$dir/$1.json")
  (cd "$dir/$1" && "$BUILD/lq" why --format json web-*/app.log web-*/access.log >"$dir/$1.again.json")
  cmp "$dir/$1.json" "$dir/$1.again.json" || { echo "$1: the order of the files changed the answer"; exit 1; }
  case $1 in story | quiet) (cd "$dir/$1" && "$BUILD/lq" why --target 'session_end = lost' --format json web-*/access.log web-*/app.log >"$dir/$1.lost.json") ;; esac
  rm -rf "${dir:?}/$1"
}

answer story
answer twin
answer quiet
answer instant
answer canary
answer bad_client

python3 - "$dir" <<'PY'
import json, sys
d = sys.argv[1]
def load(name): return json.load(open(f"{d}/{name}.json"))
def check(ok, what):
    if not ok:
        print("FAILED:", what); sys.exit(1)

a = load("story")
check(a["schema"] == 1 and a["onset"]["time"].startswith("2026-03-06T"), "story: onset on day 8")
check(a["onset"]["low"] <= "2026-03-06T10:20" and a["onset"]["high"] >= "2026-03-06T09:50", "story: interval near 10:00")
s = a["suspects"][0]
check(s["title"].startswith("release 2.4.1"), "story: the day-4 release first, not " + s["title"])
check(s["confidence"] == "high" and s["kind"] == "release" and len(s["members"]) > 1, "story: confidence")
cleared = " ".join(c["title"] for c in a["cleared"])
check("release 2.4.2" in cleared and "release 2.4.3" in cleared, "story: later deploys cleared: " + cleared)
check(a["impact"]["errors"] > 1000 and a["onset"]["ongoing"] is True, "story: impact")
lost = a["impact"]["sessions_lost"]
check(lost and lost["before"] < 0.006 and lost["after"] > 0.02 and "2026-03-06T09:30" <= lost["time"] <= "2026-03-06T12:00", "story: sessions lost without a logout: " + json.dumps(lost))
check(any("evicted" in l for l in s["lines"]), "story: the example line that shows the leak")

a = load("twin")
check(a["onset"] is not None and all(x["confidence"] != "high" for x in a["suspects"]), "twin: must not claim high confidence")
a = load("quiet")
check(a["onset"] is None and a["suspects"] == [] and "would have been seen" in a["notices"][0], "quiet: no onset")
a = load("instant")
check(a["suspects"][0]["title"].startswith("release 2.5.0") and a["suspects"][0]["confidence"] == "high", "instant: " + json.dumps(a["suspects"])[:300])
check(a["impact"]["sessions_lost"] is None, "instant: no session was lost")
a = load("canary")
check(a["suspects"][0]["title"] == "release 2.5.0 on web-3" and a["suspects"][0]["confidence"] == "high", "canary: " + json.dumps(a["suspects"])[:300])
a = load("bad_client")
check("203.0.113.66" in a["suspects"][0]["title"], "bad_client: " + json.dumps(a["suspects"])[:300])
check(not any(x["time"] > a["onset"]["time"] and "before the errors started" in str(x["evidence"]) for x in a["suspects"]), "bad_client: what began after the onset is told so")
a = load("story.lost")
check(a["onset"]["low"] < "2026-03-06T12:00" and a["onset"]["high"] > "2026-03-06T09:00" and a["suspects"][0]["title"].startswith("release 2.4.1"), "story: lost sessions as the target")
check(load("quiet.lost")["onset"] is None, "quiet: no session was lost more than usual")
print("6 scenarios answered")
PY
