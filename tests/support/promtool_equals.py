"""promtool query range against a running server equals lq for the same question: usage: promtool_equals.py URL LQ STORE
SPDX-License-Identifier: MIT
"""
import csv, io, re, subprocess, sys

url, lq, store = sys.argv[1:]
FROM, TO = "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z"
T0 = 1772668800  # FROM; a window [t - 1h, t) is the step of lq that begins at t - 1h
STREAM = 'stream="combined_time"'
# PromQL, lq, the column, the label
QUESTIONS = [
    (f"sum by (host) (increase(lq_records_total{{{STREAM}}}[1h]))", "stream = combined_time | count by host every 1h", "count", "host"),
    (f"sum by (status) (increase(lq_records_total{{{STREAM}}}[1h]))", "stream = combined_time | count by status every 1h", "count", "status"),
    (f"sum(increase(lq_errors_total{{{STREAM}}}[1h]))", "stream = combined_time | errors every 1h", "errors", None),
    (f"sum(rate(lq_records_total{{{STREAM}}}[1h]))", "stream = combined_time | rate every 1h", "rate", None),
    ("histogram_quantile(0.99, sum by (le) (rate(lq_request_time_seconds_bucket[1h])))", "p99(request_time) every 1h", "p99(request_time)", None),
    ("histogram_quantile(0.5, sum by (le, host) (rate(lq_request_time_seconds_bucket[1h])))", "p50(request_time) by host every 1h", "p50(request_time)", "host"),
]


def promtool(question):
    out = subprocess.run(["promtool", "query", "range", "--start", "2026-03-05T01:00:00Z", "--end", TO, "--step", "1h", url, question], capture_output=True, text=True, check=True).stdout
    series, name = {}, None
    for line in out.splitlines():
        head = re.match(r"(\{.*\}) =>$", line)
        point = re.match(r"(\S+) @\[(\d+)(?:\.\d+)?\]$", line)
        if head:
            name = series.setdefault(head[1], {})
        elif point:
            name[int(point[2])] = float(point[1])
        elif line.strip():
            sys.exit(f"promtool says: {line}")
    return series


def own(question, column, label):
    out = subprocess.run([lq, question, "--since", FROM, "--until", TO, "--format", "csv", "--data", store, "--tz", "UTC"], capture_output=True, text=True, check=True).stdout
    series = {}
    for r in csv.DictReader(io.StringIO(out)):
        name = "{" + (f'{label}="{r[label]}"' if label else "") + "}"
        if r[column]:
            series.setdefault(name, {})[T0 + 3600 * (int(r["time"][11:13]) + 1)] = float(r[column])
    return series


points = 0
for question, text, column, label in QUESTIONS:
    a, b = promtool(question), own(text, column, label)
    exact = column in ("count", "errors")
    for name in a.keys() | b.keys():
        for t in a.get(name, {}).keys() | b.get(name, {}).keys():
            x, y = a.get(name, {}).get(t), b.get(name, {}).get(t)
            missing = exact and 0 in (x, y) and None in (x, y)  # lq prints no row for a step without records; PromQL a zero
            same = missing or (x == y if exact else None not in (x, y) and f"{x:.6g}" == f"{y:.6g}")  # csv has six digits of what is no count
            if not same:
                sys.exit(f"{question} {name} at {t}: promtool {x}, lq {y}")
            points += 1
assert points > 300, points
print(points, "points of promtool equal lq's")
