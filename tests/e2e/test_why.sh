#!/usr/bin/env bash
# lq why beyond the story: targets, markers, hard data, every output, wrong words.
set -euo pipefail
LQ=$1/lq
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC NO_COLOR=1
fail() { echo "FAILED: $*"; exit 1; }

# Logs of one host, combined format with the request time. Deterministic.
python3 - "$dir" <<'PY'
import sys, time
d = sys.argv[1]
seed = 12345
def rnd():
    global seed
    seed = (seed * 1103515245 + 12345) % 2**31
    return seed / 2**31
T0 = 1772409600  # 2026-03-02 00:00 UTC
def line(f, t, route, status, rt, agent="curl/8"):
    f.write('198.51.100.%d - - [%s] "GET %s HTTP/1.1" %d 512 "-" "%s" %.3f\n' % (1 + rnd() * 90, time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(t)), route, status, agent, rt))
def traffic(name, hours, per_min, each):
    with open(f"{d}/{name}", "w") as f:
        for m in range(hours * 60):
            for k in range(per_min):
                each(f, T0 + m * 60 + int(k * 60 / per_min), m)
# three lines a minute, no error ever, then at the very end a third fails
traffic("low.log", 12, 3, lambda f, t, m: line(f, t, "/pay", 503 if m >= 700 and rnd() < .4 else 200, .05))
# requests vanish for an hour, nothing fails
traffic("loss.log", 10, 12, lambda f, t, m: line(f, t, "/x", 200, .05) if not 400 <= m < 460 or rnd() < .1 else None)
# only one route fails, it has a tenth of the traffic; and everything slows down later
def two(f, t, m):
    a = rnd() < .1
    line(f, t, "/a<script>alert(1)</script>" if a else "/b", 500 if a and m >= 300 and rnd() < .5 else 200, .05 * (1 + rnd()) * (8 if m >= 480 else 1))
traffic("two.log", 10, 30, two)
# one failure in a hundred everywhere; a twentieth of them, one route, fails for three hours, and a new one, seldom asked, fails from its first hour on: of all requests that is little
def drowned(f, t, m):
    a = rnd() < .05
    line(f, t, "/upload" if a else "/b", 500 if rnd() < (.25 if a and 600 <= m < 780 else .01) else 200, .05)
traffic("drowned.log", 24, 10, drowned)
def fresh(f, t, m):
    a = m >= 500 and rnd() < .01
    line(f, t, "/fresh" if a else "/b", 500 if rnd() < (.5 if a else .01) else 200, .05)
traffic("fresh.log", 24, 10, fresh)
# nobody's request fails, but a job does
traffic("calm.log", 24, 4, lambda f, t, m: line(f, t, "/b", 200, .05))
with open(f"{d}/job.log", "w") as f:
    for m in range(24 * 60):
        bad = m >= 900 and rnd() < .3
        f.write(time.strftime("%Y-%m-%d %H:%M:%S,000", time.gmtime(T0 + 60 * m)) + (" ERROR [cron] com.shop.Export - Export of day failed\n" if bad else " INFO  [cron] com.shop.Export - Export done\n"))
# the log is written without the request time from noon on, and a tenth of the requests fail from then on
def format_line(f, t, m):
    s = 500 if m >= 720 and rnd() < .1 else 200
    if m < 720:
        return line(f, t, "/x", s, .05)
    f.write('198.51.100.%d - - [%s] "GET /x HTTP/1.1" %d 512\n' % (1 + rnd() * 90, time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(t)), s))
traffic("format.1.log", 12, 10, format_line)
T0 += 12 * 3600
traffic("format.2.log", 6, 10, lambda f, t, m: format_line(f, t, m + 720))
T0 -= 12 * 3600
# sessions are lost from hour 30 on, and nothing fails: a redirect to the login page of somebody who came from another page
def lost(f, t, m):
    if m >= 1800 and rnd() < .2:
        f.write('198.51.100.%d - - [%s] "GET /accounts/login/?next=/cart HTTP/1.1" 200 512 "https://shop.example/cart" "x" 0.050\n' % (1 + rnd() * 90, time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(t))))
    else:
        line(f, t, "/cart", 200, .05)
traffic("lost.log", 48, 4, lost)
# three hosts tell by syslog that a release started, one after the other over an hour; people recorded it; failures come much later
with open(f"{d}/rolled.log", "w") as f:
    for m in range(2880):
        t = T0 + m * 60
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(t))
        for i in range(3):
            if m == 600 + 25 * i:
                f.write(f"<133>{stamp} web-{i + 1} shop[77]: Starting shop version 4.2.0 with 8 workers\n")
            bad = m >= 2400 and rnd() < .3
            f.write(f"<{131 if bad else 134}>{stamp} web-{i + 1} shop[77]: {'order failed' if bad else 'order done'} after {int(rnd() * 90)} ms\n")
# one host is slow at once, in the last twentieth of the time before it fails; the other host is well
import os
for h in ("a", "b"):
    os.mkdir(f"{d}/{h}")
    traffic(f"{h}/access.log", 72, 3, lambda f, t, m: line(f, t, "/x", 504 if h == "a" and m >= 4200 and rnd() < .4 else 200, .02 * (1 + rnd()) * (3 if h == "a" and m >= 4080 else 1)))
# behind a proxy that hides the clients: one address makes all requests, so all errors, too. Requests become slower from when the hosts start a release on, 12 minutes after it was recorded
os.mkdir(f"{d}/proxy")
with open(f"{d}/proxy/access.log", "w") as f:
    for i in range(40 * 60 * 6):
        m, t = i // 6, T0 + i * 10
        f.write('10.0.0.1 - - [%s] "GET /pay HTTP/1.1" %d 512 "-" "curl/8" %.3f\n' % (time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(t)), 500 if m >= 2200 and rnd() < .4 else 200,
                (.02 + max(0, min(m, 2200) - 612) * 5e-5) * (1 + rnd())))
with open(f"{d}/proxy/app.log", "w") as f:
    for m in range(40 * 60):
        f.write("%s INFO  [main] shop.Main - %s\n" % (time.strftime("%Y-%m-%d %H:%M:%S,000", time.gmtime(T0 + m * 60)), "starting the shop" if m == 612 else "checked %d prices" % (m % 7)))
PY

# errors from zero, few lines, at the end of the data; what people recorded
"$LQ" load --data "$dir/s" "$dir/low.log" >/dev/null
"$LQ" mark --data "$dir/s" config "pool size 5" --at "2026-03-02 11:38" "by hand" | grep -q '^config pool size 5 at 2026-03-02 11:38:00$' || fail "mark says what it recorded"
"$LQ" mark --data "$dir/s" release 1.2 --at "2026-03-02 02:00" >/dev/null
"$LQ" why --data "$dir/s" --format json >"$dir/low.json"
"$LQ" why --data "$dir/s" --format json | cmp - "$dir/low.json" || fail "the same store, other bytes"
"$LQ" why "$dir/loss.log" --target count --format json >"$dir/loss.json"
"$LQ" why "$dir/loss.log" --format json >"$dir/loss_errors.json"
"$LQ" why "$dir/two.log" --format json >"$dir/two.json"
"$LQ" why "$dir/drowned.log" --format json >"$dir/drowned.json"
"$LQ" why "$dir/fresh.log" --format json >"$dir/fresh.json"
"$LQ" why "$dir/calm.log" "$dir/job.log" --format json >"$dir/job.json"
"$LQ" why "$dir/two.log" --target 'route = "/b" | errors' --format json >"$dir/two_b.json"
"$LQ" why "$dir/two.log" --target 'p50(request_time)' --format json >"$dir/slow.json"
"$LQ" why "$dir/format.1.log" "$dir/format.2.log" --format json >"$dir/format.json" 2>/dev/null
(cd "$dir" && "$LQ" why a/access.log b/access.log --label 'host={dir}' --format json >"$dir/slow_host.json")
"$LQ" load --data "$dir/p" "$dir"/proxy/*.log --label service=shop >/dev/null
"$LQ" mark --data "$dir/p" release 2.5.0 --service shop --at "2026-03-02 10:00" >/dev/null
"$LQ" why --data "$dir/p" --format json >"$dir/proxy.json"
"$LQ" why "$dir/lost.log" --format json >"$dir/lost.json"
"$LQ" why "$dir/lost.log" --target 'session_end = lost | count' --format json >"$dir/lost_asked.json"
"$LQ" load --data "$dir/r" "$dir/rolled.log" --reference-time 2026-03-05T00:00:00Z >/dev/null
"$LQ" mark --data "$dir/r" release 4.2.0 --at "2026-03-02 10:00" >/dev/null
"$LQ" why --data "$dir/r" --since 2026-03-01 --format json >"$dir/rolled.json"
"$LQ" why "$dir/two.log" --onset "2026-03-02 05:00" --lookback 2h --format json >"$dir/given.json"
python3 - "$dir" <<'PY'
import json, sys
d = sys.argv[1]
def load(n): return json.load(open(f"{d}/{n}.json"))
def check(ok, what):
    if not ok:
        print("FAILED:", what); sys.exit(1)
a = load("low")
o = a["onset"]
check(o and o["low"] <= "2026-03-02T11:41:30Z" and o["high"] >= "2026-03-02T11:40:00Z" and o["ongoing"], f"low: onset {o}")
check(o["rate_before"] < 0.01 and o["rate_after"] > 0.2, "low: rates")
s = a["suspects"][0]
check(s["kind"] == "config" and "pool size 5" in s["title"], "low: the marker first: " + s["title"])
check(all(x["confidence"] != "high" for x in a["suspects"]), "low: time alone is never high")
a = load("loss")
o = a["onset"]
check(o and o["low"] <= "2026-03-02T06:40:00Z" <= o["high"] and not o["ongoing"] and o["rate_after"] < o["rate_before"], f"loss: {o}")
check(o["end"].startswith("2026-03-02T07:"), "loss: it ends")
check(load("loss_errors")["onset"] is None, "loss: no errors, no onset of errors")
a = load("two")
check(a["onset"]["low"] <= "2026-03-02T05:02:00Z" and a["onset"]["high"] >= "2026-03-02T05:00:00Z", f"two: {a['onset']}")
check(any("/a" in str(w["subject"]["where"].get("route")) for w in a["where"]), f"two: where {a['where']}")
check(load("two_b")["onset"] is None, "two: /b never fails")
a = load("drowned")
o = a["onset"]
check(o and "2026-03-02T09:00:00Z" <= o["low"] <= "2026-03-02T10:00:00Z" <= o["high"] <= "2026-03-02T10:30:00Z", f"drowned: {o}")
check(any("/upload alone" in n for n in a["notices"]), f"drowned: {a['notices']}")
a = load("fresh")
o = a["onset"]
check(o and "2026-03-02T08:15:00Z" <= o["low"] <= o["high"] <= "2026-03-02T09:00:00Z" and any("which is new" in n for n in a["notices"]), f"fresh: {o} {a['notices']}")
a = load("job")
check(a["onset"] is None and any("errors in log4j rose" in n and "2026-03-02T15:0" in n and "--target" in n for n in a["notices"]), f"job: {a['notices']}")
a = load("lost")
check(a["onset"] is None and any("sessions lost without a logout rose" in n and "2026-03-03T06:0" in n and "--target" in n for n in a["notices"]), f"lost: {a['notices']}")
check(not any("sessions lost" in n for n in load("loss_errors")["notices"]), "no sessions are lost there")
o = load("lost_asked")["onset"]
check(o and o["low"] <= "2026-03-03T06:00:00Z" <= o["high"], f"lost sessions as a target: {o}")
a = load("rolled")
told = [x["title"] for x in a["suspects"] + a["cleared"] if "4.2.0" in x["title"] or "restart" in x["title"]]
check(a["onset"] and len(told) == 1, f"a release is told once: {told}")
check(not any("<133>" in x["title"] for x in a["suspects"] + a["cleared"]), f"a raw line is no title: {told}")
a = load("format")
o = a["onset"]
check(o and o["low"] <= "2026-03-02T12:02:00Z" and o["high"] >= "2026-03-02T12:00:00Z", f"format: {o}")
check(any("changed its format" in n for n in a["notices"]), f"format: {a['notices']}")
a = load("slow_host")
s = a["suspects"][0]
check(s["subject"]["where"].get("host") == "a" and "2026-03-04T19:40:00Z" <= s["time"] <= "2026-03-04T20:20:00Z" and "request_time" in s["title"], f"slow host: {s['title']} {s['time']}")
a = load("slow")
check(a["onset"] and a["onset"]["time"][:15] in ("2026-03-02T08:0", "2026-03-02T07:5"), f"slow: {a['onset']}")
a = load("proxy")
titles = [x["title"] for x in a["suspects"] + a["cleared"]]
check("release 2.5.0" in titles[0] and "request_time" in str(a["suspects"][0]["evidence"]), f"proxy: {titles}, {a['suspects'][0]['evidence']}")
check(not any("10.0.0.1" in x for x in titles), f"proxy: the address of all requests is no suspect: {titles}")
check(not any("restart" in x or "starting" in x for x in titles), f"proxy: the start belongs to the release: {titles}")
a = load("given")
check(a["onset"]["time"] == "2026-03-02T05:00:00Z", "given onset")
PY

# outputs
"$LQ" why "$dir/two.log" --format html >"$dir/a.html"
grep -q '<svg' "$dir/a.html" && grep -q '&lt;script&gt;' "$dir/a.html" || fail "html: charts, escaped text"
! grep -qiE '<script|src=|href=|https?://' "$dir/a.html" || fail "html reaches for the network or runs something"
"$LQ" why --data "$dir/s" --format markdown >"$dir/a.md"
for h in Duration Impact Timeline "Root cause" "Corrective measures" "Preventive measures"; do
  grep -q "^## $h" "$dir/a.md" || fail "markdown has no heading $h"
done
"$LQ" why --data "$dir/s" >"$dir/a.txt"
grep -q 'config change pool size 5' "$dir/a.txt" && ! grep -q $'\033' "$dir/a.txt" || fail "text"
grep -q 'errors, highest bar' "$dir/a.txt" || fail "text: what the highest bar is"
python3 -c 'import sys; sys.exit(any(len(x.rstrip("\n")) > 96 for x in open(sys.argv[1], encoding="utf-8")))' "$dir/a.txt" || fail "text is too wide"

# wrong words
expect() { # STATUS PATTERN COMMAND…
  local want=$1 pattern=$2 got=0
  shift 2
  "$@" >"$dir/out" 2>&1 || got=$?
  [ "$got" = "$want" ] || fail "$*: exit $got, not $want: $(cat "$dir/out")"
  grep -q -- "$pattern" "$dir/out" || fail "$*: $(cat "$dir/out")"
}
expect 2 'more than one column' "$LQ" why "$dir/two.log" --target 'errors, count'
expect 2 'did you mean html' "$LQ" why "$dir/two.log" --format htm
expect 2 'did you mean release' "$LQ" mark --data "$dir/s" relase 1
expect 2 'a kind and a name' "$LQ" mark --data "$dir/s" release
expect 2 'outside of the lines' "$LQ" why "$dir/two.log" --onset 2020-01-01
expect 2 'no lines between' "$LQ" why "$dir/two.log" --since 2027-01-01
echo "why: targets, markers, outputs, wrong words"
