#!/usr/bin/env python3
# Weeks in which nothing changes but for a short failure: does `lq why` claim anything?
# SPDX-License-Identifier: MIT
"""usage: stationary_weeks.py BUILD_DIR [RUNS [LINES [FIRST_SEED]]]

Each run is `lqgen --scenario week` (300 paths, 14 statuses, 4 hosts: about 4,000 series) with the next seed: daily and weekly cycle, nothing else. Without an
onset `lq why` tests nothing, so one is planted that has nothing to do with any series: for half an hour, on the fifth or sixth day, one request in five,
whichever it is, fails. All series are then tested, and whatever is said to have changed before the failures is false. Counted are runs with a suspect of
high or medium confidence other than the failures themselves (their status, in their half hour), and the findings that Benjamini-Hochberg let pass.

Beside it the stage `change` on every series of the same weeks, without the failures: changes in 1,000 series, and with p <= 1e-3 and 1e-5."""
import datetime
import functools
import json
import os
import random
import re
import subprocess
import sys
import tempfile

LAST_S, SHARE = 1800, 0.2
WHEN = re.compile(r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d):(\d\d) \+0000\]")


@functools.lru_cache(1 << 16)
def minute(text):
    return datetime.datetime.strptime(text, "%d/%b/%Y:%H:%M").replace(tzinfo=datetime.timezone.utc).timestamp()


def seconds(line):
    m = WHEN.search(line)
    return minute(m.group(1)) + int(m.group(2))


def plant(folder, rng):
    """Rewrites the access logs; returns when the failures begin."""
    logs = [os.path.join(d, n) for d, _, ns in os.walk(folder) for n in ns if n == "access.log"]
    first = min(seconds(next(open(f))) for f in logs)
    at = first + rng.uniform(4, 6) * 86400
    for f in logs:
        lines = open(f).read().splitlines(keepends=True)
        with open(f, "w") as out:
            for line in lines:
                if at <= seconds(line) < at + LAST_S and rng.random() < SHARE:
                    line = re.sub(r'" \d{3} ', '" 500 ', line, count=1)
                out.write(line)
    return at


def own(s, at):
    """The failures themselves: what is said of their half hour, not of before."""
    t = datetime.datetime.fromisoformat(s["time"].replace("Z", "+00:00")).timestamp()
    where = (s.get("subject") or {}).get("where") or {}
    return at - 60 <= t <= at + LAST_S and ("status" in where or "status_class" in where)


def main():
    build, runs, lines = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60, sys.argv[3] if len(sys.argv) > 3 else "100000"
    start = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    high = medium = found = series = tested = moved = 0
    by_change = {"series": 0, "changes": 0, "p3": 0, "p5": 0}
    for seed in range(start, start + runs):
        with tempfile.TemporaryDirectory() as top:
            logs, store = os.path.join(top, "logs"), os.path.join(top, "store")
            subprocess.run([os.path.join(build, "lqgen"), "--scenario", "week", "--lines", lines, "--seed", str(seed), logs], check=True, capture_output=True)
            lq = os.path.join(build, "lq")
            files = [os.path.join(d, n) for d, _, ns in sorted(os.walk(logs)) for n in ns]
            subprocess.run([lq, "load", "--data", store, *files], check=True, capture_output=True)
            out = subprocess.run([lq, "count by route, status every 1h | change", "--data", store, "--since", "2000-01-01", "--format", "json"], check=True, capture_output=True).stdout
            for s in json.loads(out)["series"]:
                by_change["series"] += 1
                for c in s.get("changes", []):
                    by_change["changes"] += 1
                    by_change["p3"] += c["p"] is not None and c["p"] <= 1e-3
                    by_change["p5"] += c["p"] is not None and c["p"] <= 1e-5
            at = plant(logs, random.Random(seed))
            out = subprocess.run([lq, "why", "--format", "json", *files], check=True, capture_output=True).stdout
        a = json.loads(out)
        found += a.get("onset") is not None
        mine = [s for s in a.get("suspects", []) if not own(s, at)]
        high += any(s["confidence"] == "high" for s in mine)
        medium += any(s["confidence"] == "medium" for s in mine)
        tested += a.get("tested", {}).get("series", 0)
        moved += a.get("tested", {}).get("moved", 0)
        for s in mine:
            if s["confidence"] != "low":
                print(f"seed {seed}: {s['confidence']}: {s['title']} {s['time']}; failures from {datetime.datetime.fromtimestamp(at, datetime.timezone.utc):%d %H:%M}")
    n = by_change
    print(f"{runs} weeks of {lines} lines, {n['series'] / runs:.0f} series of path and status each; onset found in {found}")
    print(f"a suspect of high confidence that is not the failures themselves: {high} of {runs}; of medium: {medium}")
    print(f"findings tested {tested}, let pass {moved} (the failures' own among them)")
    print(f"| change: {1000 * n['changes'] / n['series']:.2f} in 1,000 series, p <= 1e-3 {1000 * n['p3'] / n['series']:.2f}, p <= 1e-5 {1000 * n['p5'] / n['series']:.2f}")


if __name__ == "__main__":
    main()
