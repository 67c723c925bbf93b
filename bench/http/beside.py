#!/usr/bin/env python3
"""Ingest beside questions: passes take turns, so that a machine that drifts drifts for all. usage: beside.py LQD-PID SYSLOG-PORT URL LINES-FILE ROUNDS

  alone      lines as fast as two senders give them
  viewers    the same, while 64 viewers look at eight panels, each asking for one of them every second
  panels     the same, while 64 connections of wrk ask for the panels over and over, without a pause
  distinct   the same, but no question is asked twice
  paced      half of the full rate, alone and beside distinct questions: is it taken as it comes?

wrk and the senders take processor time too (wrk has the niceness of lqd's workers). So, besides lines a second: what lqd's own threads spend on a line,
without those that answer questions."""
# SPDX-License-Identifier: MIT
import os, re, signal, socket, statistics, subprocess, sys, threading, time, urllib.request

pid, port, url, path, rounds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
here = os.path.dirname(os.path.abspath(__file__))
data = open(path, "rb").read()
middle = data.index(b"\n", len(data) // 2) + 1
halves = [data[:middle], data[middle:]]
lines = data.count(b"\n")
tick = os.sysconf("SC_CLK_TCK")


def metrics():
    text = urllib.request.urlopen(url + "/metrics", timeout=60).read().decode()
    return {k: float(v) for k, v in re.findall(r"^lqd_(\w+) (\S+)$", text, re.M)}


def committed():
    return int(metrics()["committed_lines_total"])


def cpu():
    """Seconds of lqd's threads so far: (ingest, questions). Those that answer questions are the nice ones."""
    out = [0.0, 0.0]
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            f = open(f"/proc/{pid}/task/{task}/stat").read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        out[int(f[16]) > 0] += (int(f[11]) + int(f[12])) / tick
    return out


def send(half, rate):
    s = socket.create_connection(("127.0.0.1", port))
    view, at, start = memoryview(halves[half]), 0, time.monotonic()
    while at < len(view):
        most = len(view) if rate is None else int((time.monotonic() - start + 0.01) * rate)
        if most <= at:
            time.sleep(0.005)
            continue
        at += s.send(view[at:min(most, at + (1 << 20))])
    s.shutdown(socket.SHUT_WR)
    s.recv(1)


def one_pass(questions, rate=None):
    """A pass of all lines. rate: bytes a second of both senders together. Lines a second, seconds from the last byte sent to the last line committed, CPU."""
    wrk = None
    if questions is not None:
        wrk = subprocess.Popen(["nice", "-n", "10", "wrk", "-t1", "-c64", "-d300s", "--timeout", "30s", "-s", here + "/panels.lua", url], stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, DISTINCT="1" if questions == "distinct" else "", PAUSE="1000" if questions == "viewers" else ""))
        time.sleep(1.5)
    was, used, start = metrics(), cpu(), time.monotonic()
    before = was["committed_lines_total"]
    senders = [threading.Thread(target=send, args=(h, rate / 2 if rate else None)) for h in (0, 1)]
    for t in senders:
        t.start()
    for t in senders:
        t.join()
    sent = time.monotonic()
    while committed() < before + lines:
        time.sleep(0.01)
        assert time.monotonic() - sent < 120, "lines are missing"
    end, now, then = time.monotonic(), cpu(), metrics()
    said = ""
    if wrk is not None:
        wrk.send_signal(signal.SIGINT)
        said = wrk.communicate(timeout=60)[0].strip().splitlines()[-1].strip()
    return {"rate": lines / (end - start), "late": end - sent, "ns": 1e9 * (now[0] - used[0]) / lines, "asked": (now[1] - used[1]) / (end - start), "wrk": said,
            "busy": (then["loops_busy_seconds_total"] - was["loops_busy_seconds_total"]) / then["loops"] / (end - start), "paced": then["http_paced_total"] - was["http_paced_total"]}


def spread(rows, key, scale=1):
    v = sorted(r[key] * scale for r in rows)
    return statistics.median(v), v[0], v[-1]


kinds = {"alone": None, "viewers": "viewers", "panels": "panels", "distinct": "distinct"}
one_pass(None)  # the first fills dictionaries
got = {k: [] for k in kinds}
for r in range(rounds):
    for k in list(kinds)[r % 4:] + list(kinds)[:r % 4]:
        got[k].append(one_pass(kinds[k]))
base = {key: spread(got["alone"], key)[0] for key in ("rate", "ns")}
print(f"{rounds} rounds of {lines:,} lines, passes in turn; median (least - most)")
for k in kinds:
    rate, ns, asked = spread(got[k], "rate", 1e-3), spread(got[k], "ns"), spread(got[k], "asked")
    print(f"  {k:9} {rate[0]:.0f} k lines/s ({rate[1]:.0f} - {rate[2]:.0f}); loss {100 * (1 - rate[0] * 1e3 / base['rate']):.1f} %; "
          f"ingest {ns[0]:.0f} ns of processor a line ({ns[1]:.0f} - {ns[2]:.0f}); questions {asked[0]:.2f} cores; loops busy {100 * spread(got[k], 'busy')[0]:.0f} % of the time, {spread(got[k], 'paced')[0]:.0f} questions paced")
for k in ("viewers", "panels", "distinct"):
    print(f"  wrk, {k}:")
    for r in got[k]:
        print("    " + r["wrk"])
half = base["rate"] / 2 * len(data) / lines
paced = {k: [one_pass(q, half) for _ in range(max(2, rounds // 2))] for k, q in (("alone", None), ("distinct", "distinct"))}
for k, rows in paced.items():
    rate, late = spread(rows, "rate", 1e-3), spread(rows, "late")
    print(f"  offered {base['rate'] / 2e3:.0f} k lines/s, {'alone' if k == 'alone' else 'beside distinct questions'}: {rate[0]:.0f} k lines/s; the last line is committed {late[0]:.2f} s after it was sent ({late[1]:.2f} - {late[2]:.2f})")
