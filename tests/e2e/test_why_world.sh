#!/usr/bin/env bash
# `lq why` on small incidents written by hand, in the layouts of programs that many run: what was changed is named, in the words of the line that says so.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
lq=$BUILD/lq
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC

python3 - "$dir" <<'PY'
import random, sys
from datetime import datetime, timedelta
top = sys.argv[1]
start = datetime(2026, 11, 9)
def write(name, lines):
    with open(f"{top}/{name}", "w") as f:
        for _, text in sorted(lines, key=lambda x: x[0]):
            f.write(text + "\n")
def spring(t, level, logger, text):
    return t, f"{start + timedelta(seconds=t):%Y-%m-%dT%H:%M:%S}.000Z {level:>5} 1 --- [  http-exec-1] {logger:<40} : {text}"
def times(r, days, per_hour):
    t = 0
    while (t := t + r.expovariate(per_hour / 3600)) < days * 86400:
        yield t
HOUR, DAY = 3600, 86400

# A limit is set in PostgreSQL; another one was set on another day, without harm, and the program was started two hours before.
r, app, db, at = random.Random(1), [], [], 3 * DAY + 13 * HOUR
for t in times(r, 4, 120):
    if t > at + 20 and r.random() < 0.4:
        app.append(spring(t, "ERROR", "c.a.billing.Report", f"report {r.randrange(9999)} failed: canceling statement due to statement timeout"))
    else:
        app.append(spring(t, "INFO", "c.a.billing.Report", f"report {r.randrange(9999)} done in {r.randrange(20, 900)} ms"))
for t, key, value in ((DAY + 4 * HOUR, "work_mem", "64MB"), (at, "statement_timeout", "2s")):
    db.append((t, f'{start + timedelta(seconds=t):%Y-%m-%d %H:%M:%S}.000 UTC [600] LOG:  parameter "{key}" changed to "{value}"'))
for t in range(0, 4 * DAY, 300):
    db.append((t + 1, f"{start + timedelta(seconds=t + 1):%Y-%m-%d %H:%M:%S}.000 UTC [612] LOG:  checkpoint starting: time"))
app.append(spring(at - 2 * HOUR, "INFO", "c.a.billing.Application", "Starting Application v2.5.1 using Java 21 with PID 1"))
write("limit-app.log", app)
write("limit-db.log", db)

# A key is refreshed, in words that report no deed; it hurts a quarter of an hour later. A release half an hour before that did not. Errors come now and then.
r, app, at = random.Random(5), [], 6 * DAY + 11 * HOUR
for t in times(r, 7, 250):
    app.append(spring(t, "INFO", "c.a.orders.Orders", f"order {r.randrange(99999)} accepted"))
    if (t > at + 900 and r.random() < 0.4) or r.random() < 0.002:
        app.append(spring(t, "ERROR", "c.a.orders.Handler", f"Unhandled exception processing order {r.randrange(99999)}"))
for t, key in ((DAY, "banner.text"), (4 * DAY, "mail.sender"), (at, "tax.engine")):
    app.append(spring(t, "INFO", "o.s.c.RefreshListener", f"Keys were renewed: [{key}]"))
for t, version in ((DAY / 2, "4.11.0"), (3.5 * DAY, "4.12.0"), (at - 1900, "4.12.1")):
    app.append(spring(t, "INFO", "c.a.orders.Application", f"Starting Application v{version} using Java 21 with PID 1"))
write("key.log", app)

# PHP-FPM complains of a setting when it is too late: that is no change of a setting. One route takes 0.05 ms more, which is nobody's trouble.
r, web, fpm, at = random.Random(7), [], [], 2 * DAY + 9 * HOUR
for t in times(r, 3, 600):
    bad = t > at and r.random() < 0.3
    path = r.choice(["/", "/cart", "/health"])
    took = 60 if bad else (0.00005 if t < at - HOUR else 0.0001) * r.uniform(0.9, 1.1) if path == "/health" else r.uniform(0.01, 0.3)
    web.append((t, f'203.0.113.{r.randrange(250)} - - [{start + timedelta(seconds=t):%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {504 if bad else 200} {r.randrange(9999)} "-" "-" {took:.6f}'))
for t in times(random.Random(8), 3, 30):
    if t > at + 60:
        fpm.append((t, f"[{start + timedelta(seconds=t):%d-%b-%Y %H:%M:%S}] WARNING: [pool www] server reached pm.max_children setting (5), consider raising it"))
for d in range(3):
    fpm.append((d * DAY + 6 * HOUR, f"[{start + timedelta(seconds=d * DAY + 6 * HOUR):%d-%b-%Y %H:%M:%S}] NOTICE: Reloading in progress ..."))
write("fpm-access.log", web)
write("fpm-php.log", fpm)

# One host of five is three times as slow for two hours, then it fails. Little traffic, two weeks: neither the stream nor the range shows it.
r, web, at = random.Random(11), [], 12 * DAY + 15 * HOUR
for t in times(r, 14, 90):
    host = r.randrange(1, 6)
    bad, slow = host == 3 and t > at and r.random() < 0.5, host == 3 and t > at - 2 * HOUR
    took = r.lognormvariate(0, 0.8) * (0.3 if slow else 0.1)
    web.append((t, f"<134>{start + timedelta(seconds=t):%b %d %H:%M:%S} shop-{host} nginx: 203.0.113.{r.randrange(250)} - - "
                   f'[{start + timedelta(seconds=t):%d/%b/%Y:%H:%M:%S} +0000] "GET /p/{r.randrange(9)} HTTP/1.1" {500 if bad else 200} {r.randrange(9999)} "-" "-" {took:.3f}'))
write("slow.log", web)

# Two days after the errors began, in a week whose lines are read by the half hour, a program stops and starts as another version: one deed, told to the minute.
r, app, at, deed = random.Random(13), [], 3 * DAY + 7 * HOUR, 5 * DAY + 19 * HOUR + 12 * 60
for t in times(r, 7, 250):
    bad = t > at and r.random() < 0.3
    app.append(spring(t, "ERROR" if bad else "INFO", "c.a.stock.Stock", f"count of {r.randrange(9999)} failed: connection reset" if bad else f"counted {r.randrange(9999)}"))
for t, version in ((DAY, "5.0.8"), (deed + 27, "5.0.9")):
    app.append(spring(t - 7, "INFO", "c.a.stock.Application", "Shutting down: received SIGTERM"))
    app.append(spring(t, "INFO", "c.a.stock.Application", f"Starting Application, version: {version}, profile prod"))
write("deed.log", app)
PY

cd "$dir"
"$lq" why --format json limit-app.log limit-db.log >limit.json
"$lq" why --format json key.log >key.json
"$lq" why --format json fpm-access.log fpm-php.log >fpm.json
"$lq" why --format json slow.log >slow.json
"$lq" why --format json deed.log >deed.json
python3 <<'PY'
import json
bad = []
def check(ok, text):
    if not ok:
        bad.append(text)
answers = {n: json.load(open(f"{n}.json"))["suspects"] for n in ("limit", "key", "fpm", "slow")}
first = answers["limit"][0]
check('"statement_timeout" changed to "2s"' in first["title"] and first["confidence"] != "low", f"limit: {first['title']}, {first['confidence']}")
check(any('"statement_timeout"' in x for x in first["lines"]) and not any("work_mem" in x for x in first["lines"]), f"limit: lines {first['lines']}")
first = answers["key"][0]
check("tax.engine" in first["title"], f"key: {first['title']}")
check(all(s["confidence"] != "high" for s in answers["key"]), "key: nothing here is known for certain")
first = answers["slow"][0]
check(first["subject"]["where"] == {"host": "shop-3"} and first["subject"]["metric"] == "request_time", f"slow: {first['title']}")
check("2026-11-21T12:00" <= first["time"] <= "2026-11-21T13:40", f"slow: since {first['time']}")
for s in answers["fpm"]:
    check(not ("config" in s["title"] and "max_children" in s["title"]), f"fpm: a complaint is no change: {s['title']}")
    check("/health" not in s["title"] or s["confidence"] == "low", f"fpm: {s['title']}, {s['confidence']}")
deed = [x for x in json.load(open("deed.json"))["cleared"] if x["time"] >= "2026-11-14"]
check([x["title"] for x in deed] == ["release 5.0.9"] and deed[0]["time"][:16] == "2026-11-14T19:12", f"deed: {deed}")
print("\n".join(bad) or "as an operator would have it")
raise SystemExit(1 if bad else 0)
PY
