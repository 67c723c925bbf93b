#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: markers.py BUILD [--cases N] [--data FOLDER] [--misses]

How many of the deeds in a log become markers, and how many markers are of no deed?

Generated: incidents of bench/incidents (their truth lists every release, rollback, restart and configuration change), `lqgen`, and logs of programs with
planted events (samples below). A marker is right when a deed of its kind is within ten minutes of it; a start that names no version may be called a restart or
a release. Real: the logs of FOLDER, against what a reader found in them by hand (REAL below).
"""
import argparse
import calendar
import json
import os
import subprocess
import sys
import tempfile
import time

WINDOW_S = 900
# Deeds in real logs: (file, [(kind, time, what)]); an empty list is a log without any, where each marker is an invention.
REAL = [
    ("access/apache_logs", []),
    ("access/auth.log", [("restart", "2025-03-27T13:06:56Z", "sshd"), ("restart", "2025-03-28T19:02:28Z", "sshd"), ("restart", "2025-03-28T19:13:44Z", "sshd"),
                         ("restart", "2025-03-29T10:42:24Z", "sshd"), ("restart", "2025-03-29T11:44:38Z", "sshd")]),
    ("loghub_2k/Android/Android_2k.log", []),
    ("loghub_2k/Apache/Apache_2k.log", []),
    ("loghub_2k/BGL/BGL_2k.log", []),
    ("loghub_2k/Mac/Mac_2k.log", []),
    # one mesos executor comes up; the log begins with it
    ("loghub_2k/Spark/Spark_2k.log", []),
    # tbird-admin1 boots: syslog-ng, xinetd, sshd and others start within seconds of each other
    ("loghub_2k/Thunderbird/Thunderbird_2k.log", [("restart", "2005-11-09T20:10:43Z", "syslog-ng"), ("restart", "2005-11-09T20:11:00Z", "xinetd, sshd")]),
    ("nezha/*.csv.gz", []),
]
PLAIN = "INFO [main] com.acme.Orders - order {0} accepted in {1} ms"
# Planted events: (format of a line, [(minute, line, kind)])
SYSLOG, JSONL, APP = "syslog", "json", "app"
PLANTED = [
    ("nginx reload", "nginx_error", [(60, "[notice] 812#812: signal 1 (SIGHUP) received from 1, reconfiguring", "config")]),
    ("nginx restart", "nginx_error", [(60, "[notice] 812#812: signal 15 (SIGTERM) received from 1, exiting", "restart"), (61, '[notice] 901#901: start worker processes', None)]),
    ("oom kill", SYSLOG, [(50, "kernel: Out of memory: Killed process 3312 (java) total-vm:81236kB, anon-rss:5128kB", "oom")]),
    ("oom of a cgroup", SYSLOG, [(50, "kernel: Memory cgroup out of memory: Killed process 99 (node) total-vm:1kB", "oom")]),
    ("boot", SYSLOG, [(70, "kernel: Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org)", "restart")]),
    ("systemd", SYSLOG, [(40, "systemd[1]: Stopped nginx.service - A high performance web server.", "restart"), (40, "systemd[1]: Started nginx.service - A high performance web server.", None)]),
    ("postgres", SYSLOG, [(80, "postgres[331]: LOG:  received SIGHUP, reloading configuration files", "config")]),
    ("spring", APP, [(45, "INFO [main] com.acme.OrdersApplication - Started OrdersApplication in 4.31 seconds (JVM running for 5.0)", "restart")]),
    ("deploy tool", APP, [(45, "INFO [deploy] com.acme.Deployer - Deployed orders 3.2.1 to production by ci", "release")]),
    ("rollback", APP, [(45, "WARN [deploy] com.acme.Deployer - Rolling back orders to 3.2.0", "rollback")]),
    ("feature flag", APP, [(45, "INFO [flags] com.acme.Flags - Feature flag new-checkout enabled for 100% of users", "config")]),
    ("version field", JSONL, [(60, "version", "release")]),
    ("start with version", APP, [(2, "INFO [main] com.acme.Main - Starting orders v1.4.0", "restart"), (70, "INFO [main] com.acme.Main - Starting orders v1.5.0", "release")]),
    ("dpkg", "dpkg", [(60, "upgrade libpq5:amd64 15.18-0+deb12u1 15.19-0+deb12u1", "release")]),
    ("assets", "access", [(60, "assets", "release")]),
    ("new process", SYSLOG, [(60, "process", "restart")]),
    ("nothing: programs that fork", SYSLOG, [(0, "forks", None)]),
    ("new boot id", "journal", [(60, "boot", "restart")]),
    ("nothing: transactions", APP, [(45, "WARN [db] com.acme.Db - Transaction 3312 rolled back after 31 ms", None), (50, "INFO [db] com.acme.Db - Releasing connection 12 to the pool", None)]),
    ("nothing: tasks", APP, [(45, "INFO [q] com.acme.Q - Starting task 12 of stage 3.1", None), (50, "INFO [q] com.acme.Q - Started reading 12 files", None),
                             (55, "ERROR [q] com.acme.Q - Failed to reload price list 12", None)]),
    ("nothing: access", "access", []),
]


def at(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


SWITCHES = ("version", "assets", "process", "boot", "forks")


def forked(s):
    """Lines of programs with a process for each connection or job, few and many of them, for seconds and for long."""
    day = s // 1440
    return (f" web-1 sshd[{3000 + s // 60}]: Received disconnect from 10.0.0.{s % 200}", f" web-1 CRON[{9000 + s // 10}]: (root) CMD (run-parts {s})",
            f" web-1 postfix/smtpd[{5000 + s // 200}]: connect from host-{s}", f" web-1 sftp-server[{700 + day}]: session of client {s}" if s % 1440 < 700 else f" web-1 app[77]: request {s}",
            f" web-1 app[77]: request {s} served")[s // 2 % 5]


def planted(folder, kind, events):
    """Two hours of one line every two seconds, with the events among them."""
    start = calendar.timegm((2026, 3, 2, 10, 0, 0))
    lines, truth = [], []
    for s in range(0, 7200, 2):
        t = time.gmtime(start + s)
        iso = time.strftime("%Y-%m-%d %H:%M:%S", t)
        m = s // 60
        new = any(e[1] in SWITCHES and m >= e[0] for e in events)
        if kind == SYSLOG and new and events[0][1] == "forks":
            lines.append(time.strftime("%b %e %H:%M:%S", t) + forked(s))
        elif kind == SYSLOG:
            lines.append(time.strftime("%b %e %H:%M:%S", t) + f" web-1 app[{912 if new else 77}]: request {s} served in {s % 37} ms")
        elif kind == "journal":
            lines.append(json.dumps({"__REALTIME_TIMESTAMP": str((start + s) * 1000000), "_HOSTNAME": "web-1", "_BOOT_ID": ("0a" if new else "f7") * 16, "PRIORITY": "6", "_PID": "77",
                                     "SYSLOG_IDENTIFIER": "app", "MESSAGE": f"request {s} served in {s % 37} ms"}))
        elif kind == APP:
            lines.append(iso + ",000 " + PLAIN.format(1000 + s, s % 37))
        elif kind == JSONL:
            lines.append(json.dumps({"time": iso.replace(" ", "T") + "Z", "level": "info", "version": "2.0.1" if new else "2.0.0", "message": f"order {s} accepted"}))
        elif kind == "nginx_error":
            lines.append(time.strftime("%Y/%m/%d %H:%M:%S ", t) + f"[error] 812#812: *{s} connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.{s % 200}, "
                         "server: shop, request: \"GET / HTTP/1.1\", upstream: \"http://127.0.0.1:8080/\", host: \"shop\"")
        elif kind == "dpkg":
            lines.append(iso + f" status installed man-db:amd64 2.11.2-{s % 3}")
        else:
            asset = ("app", "vendor")[s // 2 % 2]
            path = f"/assets/{asset}.{'9a8b7c6d' if new else '1a2b3c4d'}.js" if s % 10 == 0 else f"/products/{s}"
            lines.append(f"10.0.0.{s % 200} - - [" + time.strftime("%d/%b/%Y:%H:%M:%S +0000", t) + f'] "GET {path} HTTP/1.1" 200 512 "-" "curl/8.5.0"')
        for minute, line, deed in events:
            if minute * 60 == s:
                if line not in SWITCHES:
                    head = {SYSLOG: time.strftime("%b %e %H:%M:%S web-1 ", t), APP: iso + ",500 ", "nginx_error": time.strftime("%Y/%m/%d %H:%M:%S ", t)}
                    lines.append(head.get(kind, iso + " ") + line)
                if deed is not None:
                    truth.append((deed, start + s))
    path = os.path.join(folder, kind + ".log")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return [path], truth


def markers(lq, files, args=("--tz", "UTC", "--reference-time", "2026-03-02T12:00:00Z")):
    out = subprocess.run([lq, "markers", *args, "--format", "json", *files], check=True, capture_output=True,
                         env={**os.environ, "TZ": "UTC"}).stdout
    return [(m["kind"], at(m["time"]), m["text"] or "", m["confidence"]) for m in json.loads(out)["markers"]]


def score(found, truth):
    """Right markers, deeds that have one, misses, inventions."""
    alike = {"release": ("release", "rollback"), "rollback": ("release", "rollback"), "restart": ("restart", "release", "rollback")}
    used, right, wrong, missed = set(), 0, [], []
    for m in found:
        near = [i for i, d in enumerate(truth) if abs(d[1] - m[1]) <= WINDOW_S and (d[0] == m[0] or d[0] in alike.get(m[0], ()) or m[0] in alike.get(d[0], ()))]
        used.update(near)
        right += bool(near)
        wrong += [] if near else [m]
    missed = [d for i, d in enumerate(truth) if i not in used]
    return right, len(used), wrong, missed


def row(name, parts, total):
    right, found, hit, deeds = (sum(p[i] for p in parts) for i in range(4))
    precision = f"{right / found:.2f}" if found else "-"
    recall = f"{hit / deeds:.2f}" if deeds else "-"
    print(f"{name:<34} {deeds:>6} {found:>8} {precision:>10} {recall:>7}")
    total.append((right, found, hit, deeds))


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("build")
    ap.add_argument("--cases", type=int, default=40)
    ap.add_argument("--data", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../shared/data"))
    ap.add_argument("--misses", action="store_true")
    a = ap.parse_args()
    lq, bad, total = os.path.join(a.build, "lq"), [], []
    print(f"{'log':<34} {'deeds':>6} {'markers':>8} {'precision':>10} {'recall':>7}")

    def one(name, files, truth, **args):
        found = markers(lq, files, **args)
        right, hit, wrong, missed = score(found, truth)
        bad.extend((name, "invented", w) for w in wrong)
        bad.extend((name, "missed", m) for m in missed)
        return right, len(found), hit, len(truth)

    for scenario, truth in (("quiet", [("restart", "2026-02-27T00:12:00Z"), ("release", "2026-03-02T10:00:00Z"), ("release", "2026-03-03T14:00:00Z"), ("release", "2026-03-05T11:00:00Z")]),
                            ("instant", [("restart", "2026-02-27T00:12:00Z"), ("release", "2026-03-01T09:00:00Z"), ("release", "2026-03-03T11:00:00Z"), ("rollback", "2026-03-03T13:00:00Z")])):
        with tempfile.TemporaryDirectory() as d:
            subprocess.run([os.path.join(a.build, "lqgen"), "--scenario", scenario, "--lines", "20000", d], check=True, stderr=subprocess.DEVNULL)
            files = [os.path.join(p, f) for p, _, fs in os.walk(d) for f in fs]
            row("lqgen " + scenario, [one(scenario, sorted(files), [(k, at(t)) for k, t in truth])], total)
    for name, kind, events in PLANTED:
        with tempfile.TemporaryDirectory() as d:
            row(name, [one(name, *planted(d, kind, events))], total)
    parts = []
    for kind in ("leak", "no_cause", "bad_release", "stationary", "harmless_release"):
        for seed in range(2, 2 + 2 * (a.cases // 5), 2):
            with tempfile.TemporaryDirectory() as d:
                if subprocess.run([os.path.join(a.build, "lqincident"), "--kind", kind, "--seed", str(seed), "--lines-max", "8000", d], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode != 0:
                    continue
                with open(os.path.join(d, "truth.json")) as f:
                    case = json.load(f)
                files = sorted(os.path.join(p, f) for p, _, fs in os.walk(d) for f in fs if f != "truth.json")
                truth = [(c["kind"], at(c["time"])) for c in case["changes"] if c["kind"] in ("release", "rollback", "restart", "config")]
                parts.append(one(f"{kind} {seed}", files, truth, args=tuple(case["args"])))
    row(f"incidents ({len(parts)} cases)", parts, total)
    row("all generated", total[:], [])
    real = []
    for path, deeds in REAL:
        full = os.path.join(a.data, path)
        folder = os.path.dirname(full)
        if not os.path.isdir(folder):
            print(f"{path:<34} skipped: not there")
            continue
        files = sorted(os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".csv.gz")) if "*" in path else [full]
        row(os.path.basename(path) if "*" not in path else path, [one(path, files, [(k, at(t)) for k, t, _ in deeds])], real)
    row("all real", real, [])
    if a.misses:
        for b in bad:
            print(*b, sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main())
