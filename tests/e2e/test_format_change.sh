#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A release changes the format of a log in the middle: what can be kept is kept, in the same series; the change is a marker; two formats side by side are none.
set -euo pipefail
lq=$1/lq; lqd=$1/lqd
export TZ=UTC
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
python3 - "$d" <<'PY'
import json, sys, time
d, t0 = sys.argv[1], 1772445600
def g(f, t): return time.strftime(f, time.gmtime(t))
def access(name, change, how, n=30000):
    with open(f"{d}/{name}", "w") as f:
        for i in range(n):
            t, st = t0 + 2 * i, 500 if i % 97 == 0 else 200
            line = f'10.0.{i % 7}.{i % 200} - - [{g("%d/%b/%Y:%H:%M:%S +0000", t)}] "GET /p/{"abcdefghi"[i % 9]} HTTP/1.1" {st} {100 + i % 50} "-" "curl/8.5.0"'
            f.write((how(i, t, st, line) if i >= change else line) + "\n")
access("time.log", 12000, lambda i, t, st, l: l + f" 0.{i % 1000:03d}")
access("json.log", 12000, lambda i, t, st, l: json.dumps({"time": g("%Y-%m-%dT%H:%M:%SZ", t), "client": "10.0.0.1", "method": "GET", "path": "/p/a", "status": st, "duration": 0.01}))
access("order.log", 12000, lambda i, t, st, l: f'{g("%Y-%m-%dT%H:%M:%S+00:00", t)} GET /p/a {st} 10.0.0.1 {100 + i % 50}')
access("late.log", 2900, lambda i, t, st, l: l + f" 0.{i % 1000:03d}", 3000)
access("same.log", 0, lambda i, t, st, l: l)
access("rotated.log.1", 12000, lambda i, t, st, l: l, 12000)
access("rotated.log", 0, lambda i, t, st, l: l.replace("[02/Mar/2026", "[03/Mar/2026") + " 0.010", 12000)
with open(f"{d}/app.log", "w") as f, open(f"{d}/mixed.log", "w") as m:
    for i in range(20000):
        text = g("%Y-%m-%d %H:%M:%S,000", t0 + 3 * i) + f" {'ERROR' if i % 53 == 0 else 'INFO ':5} [main] com.acme.Orders - order {i} accepted\n"
        js = json.dumps({"timestamp": g("%Y-%m-%dT%H:%M:%SZ", t0 + 3 * i), "level": "error" if i % 53 == 0 else "info", "logger": "com.acme.Orders", "message": f"order {i} accepted"}) + "\n"
        f.write(text if i < 9000 else js)
        m.write(text if i % 2 else js)
with open(f"{d}/noise.log", "w") as f: # lines of no format at all, for a while
    for i in range(9000):
        f.write(g("%Y-%m-%d %H:%M:%S,000", t0 + 3 * i) + f" INFO  [main] com.acme.Orders - order {i} accepted\n" if not 4000 < i < 5000 else f"~~ {i} ~~\n")
with open(f"{d}/trace.log", "w") as f: # its last lines are of no format either
    for i in range(3000):
        f.write(g("%Y-%m-%d %H:%M:%S,000", t0 + 3 * i) + f" ERROR [main] com.acme.Orders - order {i} failed\n")
    f.write("java.lang.IllegalStateException: id=7 ok=no\n" + "".join(f"\tat com.acme.Orders.f{i}(Orders.java:{i})\n" for i in range(300)))
PY
streams() { "$lq" streams --data "$1" | awk 'NR > 1 { print $1, $3, $4 }'; }
check() { # FILE, STREAMS, MARKER
    "$lq" load --data "$d/s.$1" "$d/$1" >"$d/out"
    "$lq" load --data "$d/t.$1" --threads 1 "$d/$1" >/dev/null
    [ "$(streams "$d/s.$1" | grep -v ' 0 0$')" = "$2" ] || fail "$1: streams $(streams "$d/s.$1")"
    [ "$("$lq" debug digest --data "$d/s.$1")" = "$("$lq" debug digest --data "$d/t.$1")" ] || fail "$1: threads change the content"
    if [ -n "$3" ]; then
        "$lq" markers --data "$d/s.$1" | grep -q "^$3" || fail "$1: no marker $3: $("$lq" markers --data "$d/s.$1")"
    else
        "$lq" markers --data "$d/s.$1" | grep -q '^no markers' || fail "$1: invented $("$lq" markers --data "$d/s.$1")"
    fi
}
check time.log 'combined 30000 310' '2026-03-02 16:40:00  format .*combined_time '
grep -q 'later lines are combined_time' "$d/out" || fail "load does not say it: $(cat "$d/out")"
check json.log 'combined 30000 310' '2026-03-02 16:40:00  format .*json '
check order.log $'combined 12000 124\nplain 18000 0' '2026-03-02 16:40:00  format .*plain '
check app.log 'log4j 20000 378' '2026-03-02 17:30:00  format .*json '
check late.log 'combined 3000 31' '2026-03-02 11:36:40  format .*combined_time '
check trace.log 'log4j 3000 3000' ''
check same.log 'combined 30000 310' ''
check mixed.log 'plain 20000 378' ''
check noise.log 'log4j 8001 0' ''
# the error share is the same before and after, in one series; the new field is there from the change on
"$lq" 'errors / count every 1d' --data "$d/s.time.log" --since 2026-03-01 --until 2026-03-04 --format csv | awk -F, 'NR > 1 && $NF != "" { if ($NF < 0.009 || $NF > 0.012) exit 1 }' || fail "the error share moved"
"$lq" 'p50(request_time)' --data "$d/s.time.log" --since 2026-03-01 --until 2026-03-04 --format csv | grep -Eq '0\.(49|50)' || fail "the new field is not there"
# rotated files are one log
"$lq" load --data "$d/r" "$d/rotated.log" "$d/rotated.log.1" >/dev/null
"$lq" markers --data "$d/r" | grep -q '^2026-03-03 10:00:00  format .*combined_time ' || fail "rotated: $("$lq" markers --data "$d/r")"
# what a person names is taken at their word
"$lq" load --data "$d/f" --format-name combined "$d/time.log" >/dev/null
streams "$d/f" | grep -q '^unparsed 18000 ' || fail "--format-name is not kept: $(streams "$d/f")"
# live: the connection looks again
head -14000 "$d/time.log" >"$d/live.log"
printf 'data: %s\nhttp: "off"\ninputs: [{type: stdin}]\n' "$d/live" >"$d/lqd.yaml"
"$lqd" -c "$d/lqd.yaml" --once <"$d/live.log" >/dev/null 2>&1
[ "$(streams "$d/live" | awk '$1 ~ /^combined/ { n += $2 } END { print (n >= 13700) }')" = 1 ] || fail "live: $(streams "$d/live")"
"$lq" markers --data "$d/live" | grep -q '^2026-03-02 16:4.:..  format .*combined_time ' || fail "live: $("$lq" markers --data "$d/live")"
echo ok
