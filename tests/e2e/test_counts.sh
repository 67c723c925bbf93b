#!/usr/bin/env bash
# Counts by status, route and minute, against an independent script: exactly equal.
set -euo pipefail
BUILD=$1
SRC=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
"$BUILD/lqgen" --scenario story --days 2 --lines 60000 --no-app "$dir/logs" 2>/dev/null
files=("$dir"/logs/web-*/access.log)
"$BUILD/lq" load --data "$dir/store" "${files[@]}" >/dev/null

check() { # NAME QUERY FILES…
  local name=$1 query=$2 store=$3
  shift 3
  "$BUILD/lq" "$query" --data "$store" --since 2000-01-01 --format csv >"$dir/$name.csv"
  python3 - "$name" "$dir/$name.csv" "$@" <<'PY'
import collections, csv, datetime, re, sys
name, result, files = sys.argv[1], sys.argv[2], sys.argv[3:]
line = re.compile(r'^\S+ \S+ \S+ \[([^\]]+)\] "(?:[A-Z]+ ([^ "]+)[^"]*|(?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"(?: [\d.]+)?$')
want = collections.Counter()
for path in files:
    for text in open(path, encoding="latin-1"):
        m = line.match(text.rstrip("\n"))
        if not m: continue
        t = datetime.datetime.strptime(m[1], "%d/%b/%Y:%H:%M:%S %z").astimezone(datetime.timezone.utc)
        if name.startswith("status"): key = m[3]
        elif name.startswith("minute"): key = t.strftime("%Y-%m-%dT%H:%M:00Z")
        else: key = re.sub(r'/\d+(?=/|$)', '/{id}', (m[2] or "").split("?")[0]) if name.startswith("route") else None
        want[key] += 1
got = collections.Counter()
for row in csv.DictReader(open(result)):
    key = row.get("status") or row.get("time") or row.get("route", "")
    if int(row["count"]): got[key] += int(row["count"])
if want != got:
    diff = {k: (want[k], got[k]) for k in set(want) | set(got) if want[k] != got[k]}
    print(name, "differs (key: want, got):", dict(list(diff.items())[:10])); sys.exit(1)
print(name, "equal:", len(want), "keys,", sum(want.values()), "lines")
PY
}
check status 'count by status' "$dir/store" "${files[@]}"
check minute 'count every 1m' "$dir/store" "${files[@]}"
check route 'count by route' "$dir/store" "${files[@]}"

real=$SRC/../shared/data/access/apache_logs
if [ -f "$real" ]; then
  "$BUILD/lq" load --data "$dir/real" "$real" >/dev/null
  check status_real 'count by status' "$dir/real" "$real"
  check minute_real 'count every 1m' "$dir/real" "$real"
fi
