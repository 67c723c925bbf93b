#!/usr/bin/env python3
"""Changes that `lq debug changepoints` reports outside the labelled windows of two sets of production series, per 1,000 points.

usage: false_changes.py LQ FOLDER     (FOLDER has nab/ and cloud_monitoring/, as ../shared/data)

A label marks an anomaly, not every change of level: some of what is counted here is really there. The table shows how talkative the setting is.
cloud_monitoring labels single points; an hour (60 points) before and after belongs to them.
"""
import csv, glob, json, os, subprocess, sys

AROUND = 60

def nab(folder):
    windows = json.load(open(os.path.join(folder, "windows.json")))
    for path in sorted(glob.glob(os.path.join(folder, "realAWSCloudwatch", "*.csv"))):
        rows = list(csv.DictReader(open(path)))
        spans = [(a[:19], b[:19]) for a, b in windows.get("realAWSCloudwatch/" + os.path.basename(path), [])]
        yield os.path.basename(path), [r["value"] for r in rows], [any(a <= r["timestamp"] <= b for a, b in spans) for r in rows]

def cloud(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*", "*.csv"))):
        rows = list(csv.DictReader(open(path)))
        marked = [i for i, r in enumerate(rows) if r["Label"].strip() not in ("0", "0.0", "")]
        near = set(j for i in marked for j in range(i - AROUND, i + AROUND + 1))
        yield os.path.basename(path), [r["Value"] for r in rows], [i in near for i in range(len(rows))]

lq, folder = sys.argv[1], sys.argv[2]
for title, series in (("nab/realAWSCloudwatch", nab(os.path.join(folder, "nab"))), ("cloud_monitoring", cloud(os.path.join(folder, "cloud_monitoring")))):
    points = outside = inside = 0
    print("%-50s %7s %8s %8s %10s" % (title, "points", "inside", "outside", "per 1,000"))
    for name, values, labelled in series:
        out = subprocess.run([lq, "debug", "changepoints", "-"], input="\n".join(v if v else "null" for v in values) + "\n", capture_output=True, text=True, check=True).stdout
        found = [int(i) for i in out.split()]
        free = len(values) - sum(labelled)
        hits = sum(labelled[i] for i in found)
        print("%-50s %7d %8d %8d %10.2f" % (name, len(values), hits, len(found) - hits, 1000 * (len(found) - hits) / max(free, 1)))
        points, inside, outside = points + free, inside + hits, outside + len(found) - hits
    print("%-50s %7d %8d %8d %10.2f" % ("all (points outside)", points, inside, outside, 1000 * outside / max(points, 1)))
